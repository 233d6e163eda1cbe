/**
 * `headroom verify` as text: one line that says whether all holds, a table of what is set, what is wrong with
 * it and the command that mends it; with all detail every place, in the order in which it is read. Pure.
 */
import type { BootDefinition, BootForecast, DefinitionFate } from "../../table/boot.ts";
import {
  isDifferent,
  isWithoutEffect,
  outlookLevel,
  OUTLOOK_TROUBLES,
  type OutlookRow,
} from "../../plan/plan.ts";
import type { Level } from "../../table/finding.ts";
import { unseenLines } from "../check-text.ts";
import { countOf, formatCount } from "../figures.ts";
import { inLevel, type Look, nextCommands, tone } from "../look.ts";
import { padLeft, padRight, visible, widthOf, wrap } from "../plain-text.ts";
import { settingName, settingValueText } from "../setting-words.ts";
import type { VerifyReport } from "./verify-report.ts";
import { placeText, readerText, type Trouble, troubleOf } from "./verify-trouble.ts";

const GAP = "  ";
/** Columns a place keeps at least; below it the table does without names' prefix. */
const PLACE_LEAST = 30;

const fateTexts: Readonly<Record<DefinitionFate, string>> = {
  wins: "wins",
  overridden: "overridden",
  "too-early": "too early",
  "not-read": "not read",
  refused: "refused",
  "sets-again": "sets again",
};

export function renderVerify(report: VerifyReport, look: Look): string[] {
  const rows = report.rows.toSorted((one, other) => rankOf(one) - rankOf(other));
  const lines = [...headline(report, look)];
  if (rows.length > 0) lines.push("", ...tableLines(rows, look));
  const troubles = rows.flatMap((row) => {
    const trouble = troubleOf(row, report.boot, report.rootOption);
    return trouble === undefined ? [] : [{ row, trouble }];
  });
  for (const [index, { row, trouble }] of troubles.entries()) {
    lines.push("", ...troubleLines(index + 1, row, trouble, look));
  }
  if (report.detail === "all") lines.push(...placesLines(report, rows, look));
  else lines.push(...unknownLines(report.boot, look));
  lines.push("", ...orderLines(report, look));
  if (report.detail === "short" && report.rows.length > 0) {
    const command = `headroom verify${report.rootOption}${report.netnsOption} --all`;
    lines.push(
      "",
      ...nextCommands(look, [{ command, why: "every place that sets something, in the order of reading" }]),
    );
  }
  lines.push(...unseenLines(report.unseen, Infinity, look));
  return lines;
}

/** Worst first; what is in order keeps the order of the registry. */
function rankOf({ troubles: [worst] }: OutlookRow): number {
  return worst === undefined ? OUTLOOK_TROUBLES.length : OUTLOOK_TROUBLES.indexOf(worst);
}

/** Whether every running value will be the same, in one line. */
function headline(report: VerifyReport, look: Look): string[] {
  const { subject, rows, key } = report;
  const lead = subject === undefined ? "" : `${visible(subject)}: `;
  const level = outlookLevel(rows);
  const text = key === undefined ? headlineOfAll(report) : headlineOfOne(settingName(key), rows[0]);
  return [`${inLevel(look, level, LEVEL_WORDS[level])}  ${lead}${text}`];
}

const LEVEL_WORDS: Readonly<Record<Level, string>> = {
  ok: "OK",
  warning: "LOST",
  critical: "LOST",
  unknown: "UNKNOWN",
};

function headlineOfAll({ rows, settingsInForce, settingsUnknown, trackerLoaded }: VerifyReport): string {
  const different = rows.filter((row) => isDifferent(row)).length;
  const all = countOf(settingsInForce, "value");
  if (different > 0) {
    const what = different === 1 ? "is not the same" : "are not the same";
    const unknown = settingsUnknown === 0 ? "" : `; of ${formatCount(settingsUnknown)} it cannot be told`;
    return `${different} of the ${all} in force ${what} after the next boot${unknown}`;
  }
  const early = rows.filter((row) => isWithoutEffect(row)).length;
  if (early > 0) return `${countOf(early, "setting")} will not be set at boot: the file is read too early`;
  if (settingsUnknown > 0) {
    const them = settingsUnknown === 1 ? "is" : "are";
    return `what ${settingsUnknown} of the ${all} in force ${them} after the next boot cannot be told`;
  }
  if (settingsInForce === 0) {
    const why = trackerLoaded ? "no values can be seen here" : "the tracker is not loaded now";
    return `${why}; the next boot sets ${countOf(rows.length, "setting")}`;
  }
  return `all ${all} in force will be the same after the next boot`;
}

function headlineOfOne(name: string, row: OutlookRow | undefined): string {
  if (row === undefined) return `nothing sets ${name}: the kernel's default stays`;
  if (isDifferent(row)) return `${name} is not the same after the next boot`;
  if (isWithoutEffect(row)) return `${name} will not be set at boot: the file is read too early`;
  const { now, after, winner, definitions } = row;
  if (after === undefined) return `what ${name} is after the next boot cannot be told`;
  const value = settingValueText(row.key, after);
  if (definitions.length === 0) return `nothing sets ${name}: the kernel's default of ${value} stays`;
  if (winner === undefined && row.from === "default")
    return `${name} stays at the kernel's default of ${value}`;
  return now === undefined ? `the next boot sets ${name}` : `${name} will be the same after the next boot`;
}

interface Cells {
  row: OutlookRow;
  name: string;
  now: string;
  after: string;
  by: string;
}

function tableLines(rows: readonly OutlookRow[], look: Look): string[] {
  const head = { name: "SETTING", now: "NOW", after: "AFTER BOOT", by: "SET BY" };
  const cells = rows.map((row): Cells => cellsOf(row));
  const valueWidths = (["now", "after"] as const).map((column) =>
    Math.max(head[column].length, ...cells.map((cell) => cell[column].length)),
  );
  const [nowWidth = 0, afterWidth = 0] = valueWidths;
  const full = Math.max(head.name.length, ...cells.map(({ name }) => name.length));
  const rest = nowWidth + afterWidth + 3 * GAP.length;
  const short = look.columns - full - rest < PLACE_LEAST;
  const nameOf = (name: string): string => (short ? name.replace(/^nf_conntrack_/, "") : name);
  const nameWidth = Math.max(head.name.length, ...cells.map(({ name }) => nameOf(name).length));
  const line = (name: string, now: string, after: string, by: string): string =>
    [padRight(name, nameWidth), padLeft(now, nowWidth), padLeft(after, afterWidth), by].join(GAP).trimEnd();
  const room = Math.max(PLACE_LEAST, look.columns - nameWidth - rest);
  return [
    tone(look, "dim", line(head.name, head.now, head.after, head.by)),
    ...cells.map(({ row, name, now, after, by }) => {
      const text = line(nameOf(name), now, after, tailOf(by, room));
      return isDifferent(row) ? inLevel(look, "warning", text) : text;
    }),
  ];
}

function cellsOf(row: OutlookRow): Cells {
  const { key, now, after } = row;
  return {
    row,
    name: settingName(key),
    now: now === undefined ? "-" : settingValueText(key, now),
    after: after === undefined ? "?" : settingValueText(key, after),
    by: setByText(row),
  };
}

function setByText({ winner, from, definitions }: OutlookRow): string {
  if (from === "hashsize") return "8 x hashsize";
  if (from === "namespace") return "who makes the namespace";
  if (winner === undefined && from === "unknown") {
    const named = definitions.at(-1);
    return named === undefined ? "not known" : visible(`perhaps ${placeText(named.definition)}`);
  }
  if (winner === undefined) return "the kernel's default";
  const service = ["kube-proxy", "k3s", "rke", "tuned"].includes(winner.reader);
  return visible(`${service ? `${readerText(winner.reader)}: ` : ""}${placeText(winner)}`);
}

/** The end of a place says more than its beginning; who it is goes before it. */
function tailOf(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  const who = /^[\w-]+: /.exec(text)?.[0] ?? "";
  return `${who}...${text.slice(text.length - Math.max(0, columns - who.length - 3))}`;
}

function troubleLines(number: number, row: OutlookRow, { sentence, command }: Trouble, look: Look): string[] {
  const indent = "   ";
  const level = outlookLevel([row]);
  const title = inLevel(look, level, settingName(row.key));
  return [
    `${padRight(String(number), indent.length)}${title}`,
    ...wrap(visible(sentence), look.columns - indent.length).map((line) => indent + line),
    ...(command === undefined ? [] : [`${indent}$ ${tone(look, "cyan", visible(command))}`]),
  ];
}

/** Every place of every setting, with what becomes of it and why. */
function placesLines({ boot, key }: VerifyReport, rows: readonly OutlookRow[], look: Look): string[] {
  const lines: string[] = [];
  const named = rows.filter(({ definitions }) => definitions.length > 0);
  for (const row of named) {
    const { after } = row;
    const value = after === undefined ? "unknown" : settingValueText(row.key, after);
    lines.push("", `${tone(look, "bold", settingName(row.key))}, ${value} after the next boot`);
    lines.push(...definitionLines(row.definitions, look));
  }
  if (key === undefined && boot.unknown.length > 0) {
    lines.push("", tone(look, "bold", "lines that mean no setting"), ...definitionLines(boot.unknown, look));
  }
  return lines;
}

function definitionLines(definitions: readonly BootDefinition[], look: Look): string[] {
  const cells = definitions.map(({ definition, fate }) => ({
    fate: fateTexts[fate],
    text: visible(definition.text),
    reader: readerText(definition.reader),
    place: visible(placeText(definition)),
  }));
  const widths = (["fate", "text", "reader"] as const).map((column) =>
    Math.max(...cells.map((cell) => widthOf(cell[column]))),
  );
  const [fateWidth = 0, textWidth = 0, readerWidth = 0] = widths;
  return cells.flatMap(({ fate, text, reader, place }, index) => {
    const why = definitions[index]?.why;
    const columns = [padRight(fate, fateWidth), padLeft(text, textWidth), padRight(reader, readerWidth)];
    const indent = " ".repeat(GAP.length + fateWidth + GAP.length);
    const reason = why === undefined ? [] : wrap(visible(why), look.columns - indent.length);
    return [GAP + [...columns, place].join(GAP), ...reason.map((line) => tone(look, "dim", indent + line))];
  });
}

/** Lines of files that mean the tracker and no setting of it. */
function unknownLines({ unknown }: BootForecast, look: Look): string[] {
  return unknown.flatMap(({ definition, why = "no kernel has this name" }) => [
    "",
    ...wrap(visible(`${placeText(definition)} has no effect: ${why}.`), look.columns),
  ]);
}

/** Somebody may read them once more, when the tracker is there. */
function tooEarlyText({ settings }: BootForecast): string {
  const again = settings.some(
    ({ winner }) => winner?.reader === "procps" || winner?.reader === "systemd-sysctl",
  );
  return again
    ? "what they say of it counts only where they are read again"
    : "what they say of it comes too early";
}

/** In which order things happen here, as far as it matters. */
function orderLines({ boot, ownNamespace, unseen }: VerifyReport, look: Look): string[] {
  const { tracker, sysctlReader } = boot;
  const by = tracker.by === undefined ? "" : ` by ${visible(tracker.by)}`;
  const reader = sysctlReader === "procps" ? "sysctl" : "systemd-sysctl";
  const here = unseen.some(({ cause }) => cause === "incomplete") ? "that can be seen here" : "here";
  const order: Readonly<Record<typeof tracker.when, string>> = {
    builtin: `The tracker is part of the kernel, so it is there when ${reader} reads its files.`,
    early: `The tracker is loaded${by}, before ${reader} reads its files.`,
    late: `The tracker is loaded${by}, after ${reader} has read its files: ${tooEarlyText(boot)}.`,
    unknown: `Nothing ${here} loads the tracker at boot; what ${reader} reads for it has no effect then.`,
  };
  const lines = wrap(order[tracker.when], look.columns);
  if (ownNamespace) return lines;
  const note =
    "This is not the initial network namespace: a boot sets the sizes, which are the host's, but none of " +
    "its own values; a namespace begins with the kernel's defaults.";
  return [...lines, ...wrap(note, look.columns)];
}
