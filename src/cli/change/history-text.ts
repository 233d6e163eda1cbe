/** The history of changes as an aligned table, the most recent first. Pure. */
import type { ChangeRecord, Receipt, UndoReason, ValuesEnd } from "../../change/change.ts";
import type { SettingKey } from "../../table/settings.ts";
import { roughDuration } from "../../table/duration.ts";
import { countOf } from "../figures.ts";
import { inLevel, type Look, tone } from "../look.ts";
import { fit, padRight, visible, widthOf, wrap } from "../plain-text.ts";
import { settingName, settingValueText } from "../setting-words.ts";

interface Row {
  id: string;
  ago: string;
  who: string;
  /** The first beside the rest, the others below it. */
  what: readonly string[];
  outcome: string;
  level: "ok" | "warning" | "critical";
}

/** Lines of `headroom history`. */
export function renderHistory(records: readonly ChangeRecord[], nowMs: number, look: Look): string[] {
  if (records.length === 0) return ["No changes: headroom has changed nothing here"];
  const rows = records.map((record) => rowOf(record, nowMs, look));
  const head: Row = { id: "Change", ago: "Ago", who: "Who", outcome: "Outcome", what: ["What"], level: "ok" };
  const width = (key: (typeof columns)[number]): number =>
    Math.max(...[head, ...rows].map((row) => widthOf(row[key])));
  const widths = new Map(columns.map((key) => [key, width(key)]));
  const indent = " ".repeat([...widths.values()].reduce((sum, each) => sum + each + 2, 0));
  const cells = (row: Row): string =>
    columns
      .map((key) => {
        const text = padRight(row[key], widths.get(key) ?? 0);
        return key === "outcome" && row.level !== "ok" ? inLevel(look, row.level, text) : text;
      })
      .join("  ");
  const lines = [tone(look, "dim", `${cells(head)}  What`)];
  for (const row of rows) {
    const [first = "", ...more] = row.what;
    lines.push(`${cells(row)}  ${first}`.trimEnd(), ...more.map((text) => indent + text));
  }
  return [...lines, ...legend(rows, look)];
}

const columns = ["id", "ago", "who", "outcome"] as const;

/** What the short words mean. */
function legend(rows: readonly Row[], look: Look): readonly string[] {
  const said = new Set(rows.map(({ outcome }) => outcome));
  const short = [outcomes.failed, outcomes["not-confirmed"]].filter((word) => said.has(word));
  if (short.length === 0) return [];
  return ["", ...wrap(`${short.join(", ")}: everything was taken back`, look.columns)];
}

function rowOf(record: ChangeRecord, nowMs: number, look: Look): Row {
  if (record.kind === "unreadable") {
    const { id, path, why } = record;
    const what = [visible(`${path}: ${why}`)];
    return { id: visible(id), ago: "", who: "", what, outcome: "unreadable", level: "warning" };
  }
  const { receipt, ended } = record;
  return {
    id: receipt.id,
    ago: roughDuration(Math.max(0, nowMs - receipt.atMs) / 1000),
    who: visible(fit(receipt.by.sudoUser ?? receipt.by.user, 16)),
    what: [...changeLines(receipt, look), ...reachOf(receipt)],
    ...(ended === undefined ? endOf(receipt, nowMs) : { outcome: endedWords[ended], level: "ok" as const }),
  };
}

/** One line for each setting, and one for each file when there is no setting. */
function changeLines(receipt: Receipt, look: Look): readonly string[] {
  const arrow = look.unicode ? "→" : "->";
  const keys = [...new Set(receipt.steps.map(({ key }) => key))];
  const settings = keys.map((key) => {
    const step = receipt.steps.find((each) => each.key === key);
    const from = step?.from === undefined ? "?" : settingValueText(key, step.from);
    return `${shortName(key)} ${from} ${arrow} ${settingValueText(key, step?.became ?? step?.to ?? 0)}`;
  });
  const files = receipt.files.map(({ path }) => visible(path));
  if (settings.length === 0) return files;
  return settings;
}

/** What a change did not reach: the next boot. */
function reachOf({ persist, namespace }: Receipt): readonly string[] {
  if (persist) return [];
  return [namespace?.name === undefined ? "until the next boot" : `in namespace ${visible(namespace.name)}`];
}

/** Without the words that all of them begin with. */
function shortName(key: SettingKey): string {
  return settingName(key).replace(/^(nf|ip)_conntrack_/, "");
}

/** How a change ended that is as before again. */
const outcomes: Readonly<Record<UndoReason, string>> = {
  failed: "failed",
  "not-confirmed": "not confirmed",
  asked: "taken back",
};

/** How a change ended that nobody took back. */
const endedWords: Readonly<Record<ValuesEnd, string>> = {
  boot: "ended by a boot",
  namespace: "namespace ended",
};

function endOf(receipt: Receipt, nowMs: number): Pick<Row, "outcome" | "level"> {
  const { state, undo, confirmByMs } = receipt;
  switch (state) {
    case "applied":
      return { outcome: receipt.confirmed === undefined ? "applied" : "confirmed", level: "ok" };
    case "undone":
      return { outcome: outcomes[undo?.reason ?? "asked"], level: "ok" };
    case "awaiting-confirmation": {
      const seconds = ((confirmByMs ?? nowMs) - nowMs) / 1000;
      if (seconds > 0) return { outcome: `waits, ${roughDuration(seconds)} left`, level: "warning" };
      return { outcome: "overdue, stands", level: "critical" };
    }
    case "stuck":
      return { outcome: "stuck", level: "critical" };
    case "prepared":
    case "running":
    case "undoing":
      return { outcome: "interrupted", level: "critical" };
  }
}

/** `nf_conntrack_max 65,536 -> 262,144 and 1 more, /etc/sysctl.conf`. */
export function changeSummary(receipt: Receipt, look: Look): string {
  const [first = "nothing", ...more] = changeLines(receipt, look);
  const rest = more.length === 0 ? "" : ` and ${countOf(more.length, "more", "more")}`;
  return `${first}${rest}`;
}
