/** What was refused, said and turned into an exit code. */
import { lowerFirst } from "../../table/sentence.ts";
import type { Refusal, Standing } from "../../change/change.ts";
import { type Context, print, printJson, warn } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { visible } from "../plain-text.ts";

export function refusalExitCode({ code }: Refusal): ExitCode {
  switch (code) {
    case "no-such-setting":
      return ExitCode.unsupported;
    case "read-only":
    case "other-namespace":
    case "not-writable":
      return ExitCode.notPermitted;
    case "out-of-range":
      return ExitCode.usage;
    default:
      return ExitCode.refused;
  }
}

/** Says a refusal on standard error; with `--json` also as an object made of `more`. */
export function sayRefusal(
  context: Context,
  refusal: Refusal,
  json: { asked: boolean; schema: string; more?: object },
): ExitCode {
  if (json.asked) printJson(context, { schema: json.schema, outcome: "refused", ...json.more, refusal });
  warn(context, visible(lowerFirst(refusal.message)));
  if (refusal.help !== undefined) context.terminal.stderr.write(`${visible(refusal.help)}\n`);
  return refusalExitCode(refusal);
}

/** What is neither old nor new: each with what to type. */
export function standingLines(standing: readonly Standing[]): readonly string[] {
  return standing.flatMap(({ what, found, wanted, why, command }) => [
    `${visible(what)}: is ${visible(found)}, was ${visible(wanted)}: ${visible(why)}`,
    `  $ ${visible(command)}`,
  ]);
}

/** Lines for people that must not stop a change: the terminal may have gone away in the middle of it. */
export function sayIfHeard(context: Context, lines: readonly string[]): void {
  try {
    print(context, lines);
  } catch {
    // The receipt says it, too.
  }
}
