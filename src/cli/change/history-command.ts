/** `headroom history`: what was changed here, when, by whom, from what to what, and how it ended. */
import { type ChangeRecord, listChanges, type Receipt } from "../../change/change.ts";
import { type Context, print, printJson } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { nextCommands } from "../look.ts";
import type { HistoryOptions } from "./change-line.ts";
import { renderHistory } from "./history-text.ts";
import { openToWrite, sameOptionsText } from "./places.ts";

export async function runHistory(context: Context, options: HistoryOptions): Promise<ExitCode> {
  const host = await openToWrite(context, options);
  const records = listChanges(host);
  if (options.json === true) {
    printJson(context, { schema: "headroom/history/v1", changes: records.map(recordJson) });
    return ExitCode.ok;
  }
  print(context, renderHistory(records, context.deps.clock.nowMs(), context.look));
  const next = nextOf(records, sameOptionsText(options));
  if (next.length > 0) print(context, ["", ...nextCommands(context.look, next)]);
  return ExitCode.ok;
}

/** What is worth typing next: what is unfinished comes before what is only possible. */
function nextOf(records: readonly ChangeRecord[], same: string): { command: string; why: string }[] {
  const receipts = records.flatMap((record) =>
    record.kind === "receipt" && record.ended === undefined ? [record.receipt] : [],
  );
  const waiting = receipts.find(({ state }) => state === "awaiting-confirmation");
  const standing = receipts.find(({ state }) => state !== "undone");
  if (standing === undefined) return [];
  const interrupted = ["prepared", "running", "undoing", "stuck"].includes(standing.state);
  const why = interrupted ? "takes back what stands of it" : "takes it back";
  const rollback = { command: `headroom rollback ${standing.id}${same}`, why };
  if (waiting === undefined) return [rollback];
  return [{ command: `headroom confirm ${waiting.id}${same}`, why: "keeps it" }, rollback];
}

function recordJson(record: ChangeRecord): object {
  if (record.kind === "unreadable") return { id: record.id, unreadable: record.why, path: record.path };
  const outcome = outcomeOf(record.receipt);
  return {
    ...receiptJson(record.receipt),
    ...(outcome === undefined ? {} : { outcome }),
    ended: record.ended,
  };
}

/** As `headroom apply` says it; none for a change that was interrupted. */
function outcomeOf({ state }: Receipt): "applied" | "reverted" | "stuck" | undefined {
  switch (state) {
    case "applied":
    case "awaiting-confirmation":
      return "applied";
    case "undone":
      return "reverted";
    case "stuck":
      return "stuck";
    case "prepared":
    case "running":
    case "undoing":
      return undefined;
  }
}

/** The receipt without the bytes of files. */
function receiptJson(receipt: Receipt): object {
  const { schema: _schema, files, ...rest } = receipt;
  return { ...rest, files: files.map(({ path, backup }) => ({ path, backup })) };
}
