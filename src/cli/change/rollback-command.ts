/** `headroom rollback`: shows what will be taken back as commands, asks, does it, and says how it ended. */
import {
  endOfValues,
  findChange,
  type Making,
  type Receipt,
  type Refusal,
  rollbackChange,
  type RollbackOutcome,
  rollbackSteps,
} from "../../change/change.ts";
import { type Context, print, printJson } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { tone } from "../look.ts";
import { visible } from "../plain-text.ts";
import { bulletLines, commandLines } from "./apply-text.ts";
import { ask, refuseUnasked } from "./ask.ts";
import type { RollbackOptions } from "./change-line.ts";
import { holdingSignals } from "./held-signals.ts";
import { changeSummary } from "./history-text.ts";
import { openToWrite, sameOptionsText } from "./places.ts";
import { sayIfHeard, sayRefusal, standingLines } from "./refusal-text.ts";
import { mirrorPaths, reportingHost } from "./reporting-host.ts";
import { whoIsHere } from "./who.ts";

const SCHEMA = "headroom/rollback/v1";

export async function runRollback(
  context: Context,
  options: RollbackOptions,
  id = "last",
): Promise<ExitCode> {
  refuseUnasked(options.yes);
  const json = { asked: options.json === true, schema: SCHEMA };
  const first = await openToWrite(context, options);
  const found = findChange(first, id);
  if ("refusal" in found) return sayRefusal(context, found.refusal, json);
  const { receipt } = found;
  const { namespace } = receipt;
  // Where the namespace has ended nothing is left of its values, wherever this runs.
  const isGone = endOfValues(first, receipt) === "namespace";
  const elsewhere = isGone ? undefined : await whyElsewhere(context, options, receipt);
  if (elsewhere !== undefined) return sayRefusal(context, elsewhere, json);
  // The values are in the namespace they were written in; receipts and files are the same everywhere.
  const netns = isGone ? undefined : namespace?.name;
  const host = await openToWrite(context, { ...options, ...(netns === undefined ? {} : { netns }) });
  if (!json.asked) print(context, previewLines(context, receipt, isGone));
  if (options.yes !== true && receipt.state !== "undone" && !ask(context, "\nTake it back?")) {
    print(context, ["Nothing was changed."]);
    return ExitCode.refused;
  }
  const making: Making = { by: whoIsHere(context.terminal), nowMs: () => context.deps.clock.nowMs() };
  const mark = context.look.unicode ? "✓" : "ok";
  const said = json.asked
    ? host
    : reportingHost(host, mirrorPaths(receipt.steps), (line) =>
        sayIfHeard(context, [`${tone(context.look, "green", mark)} ${visible(line)}`]),
      );
  // By its whole name: what `last` is may have changed while the question was open.
  const { result } = await holdingSignals(() => rollbackChange(receipt.id, said, making));
  if (result.kind === "refused") return sayRefusal(context, result.refusal, json);
  const notes = [...host.notes, ...(result.kind === "rolled-back" ? result.notes : [])];
  if (json.asked) printJson(context, { schema: SCHEMA, ...outcomeJson(result, notes) });
  else sayIfHeard(context, outcomeLines(context, options, result, notes));
  return result.kind === "rolled-back" ? ExitCode.ok : ExitCode.stuck;
}

/** A change of a network namespace can only be taken back in that one. */
async function whyElsewhere(
  context: Context,
  { root }: RollbackOptions,
  { id, namespace }: Receipt,
): Promise<Refusal | undefined> {
  if (root !== undefined) return undefined;
  const name = namespace?.name;
  const { clock } = context.deps;
  const access = (await context.deps.kernel()).openHost({
    clock,
    ...(name === undefined ? {} : { namespace: name }),
  });
  const { namespaceInode, initialNamespace } = access.host();
  access.close();
  const same = namespace === undefined ? initialNamespace !== false : namespaceInode === namespace.inode;
  if (same) return undefined;
  const where =
    namespace === undefined ? "the host's own namespace" : `network namespace net:[${namespace.inode}]`;
  return {
    code: "other-namespace",
    message: `Cannot take change ${id} back from here: it was made in ${where}`,
    help:
      namespace === undefined
        ? "Run headroom on the host itself"
        : "`lsns -t net` shows who is in it; when it has ended there is nothing left to take back",
  };
}

function previewLines(context: Context, receipt: Receipt, isGone: boolean): string[] {
  const { look } = context;
  const lines = [tone(look, "bold", `Change ${receipt.id}: ${changeSummary(receipt, look)}`)];
  if (receipt.state === "undone" || isGone) return lines;
  const commands = rollbackSteps(receipt);
  return [...lines, ...commands.flatMap((command) => commandLines(command, look)), ""];
}

type Ended = Exclude<RollbackOutcome, { kind: "refused" }>;

function outcomeLines(
  context: Context,
  options: RollbackOptions,
  outcome: Ended,
  notes: readonly string[],
): readonly string[] {
  const { look } = context;
  const said = notes.flatMap((note) => bulletLines(visible(note), look));
  const { id } = outcome.receipt;
  if (outcome.kind === "rolled-back") {
    return [...said, "", tone(look, ["bold", "green"], `Taken back: everything is as before change ${id}`)];
  }
  return [
    ...said,
    "",
    tone(look, ["bold", "red"], "Stuck: this is not as it was before the change"),
    ...standingLines(outcome.standing),
    `When the cause is gone: headroom rollback ${id}${sameOptionsText(options)}`,
  ];
}

function outcomeJson(outcome: Ended, notes: readonly string[]): object {
  const { id, steps, files } = outcome.receipt;
  return {
    outcome: outcome.kind,
    changeId: id,
    steps: steps
      .filter(({ mirror }) => mirror !== true)
      .map(({ key, from, to }) => ({ key, from: to, to: from })),
    files: files.map(({ path, backup }) => ({ path, backup })),
    notes,
    standing: outcome.kind === "stuck" ? outcome.standing : undefined,
  };
}
