/** What became of it: said, and as an exit code. */
import { type Context, print, printJson } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { type Outcome, reclaimToJson } from "./reclaim-json.ts";
import type { ReclaimOptions } from "./reclaim-line.ts";
import { isUnfinished, type Removal, renderRemoval } from "./reclaim-text.ts";

/** Why nothing was done where standard input is no terminal; the exit code is that of wrong use. */
export const NOBODY_TO_ASK = "--yes is needed where nobody can be asked";

/** Says what became of it, and gives the exit code of that. */
export function report(
  context: Context,
  options: ReclaimOptions,
  removal: Removal,
  more: object = {},
): ExitCode {
  const { wish, counts, interrupted } = removal;
  const outcome = interrupted ? "interrupted" : outcomeOf(removal);
  if (options.json === true) printJson(context, reclaimToJson({ outcome, wish, counts, removal, ...more }));
  else print(context, renderRemoval(removal, context.look));
  if (interrupted) return ExitCode.interrupted;
  return removal.removal.failed.size > 0 || isUnfinished(removal) ? ExitCode.failed : ExitCode.ok;
}

function outcomeOf({ removal, wish }: Removal): Outcome {
  if (removal.askedFlows === 0) return "nothing-to-do";
  return wish.shortenToSeconds === undefined ? "removed" : "shortened";
}
