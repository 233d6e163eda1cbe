/**
 * Several values of one setting side by side: a table, and for a timeout the curve of the long run. Pure.
 */
import type { WhatIf } from "../../plan/plan.ts";
import { type SettingKey, settingOf } from "../../table/settings.ts";
import { countOf, formatBytes, formatCount, formatShare } from "../figures.ts";
import { type Look, tone } from "../look.ts";
import { fit, padLeft, visible, widthOf, wrap } from "../plain-text.ts";
import { settingName, settingValueText } from "../setting-words.ts";
import { lossText } from "./table-text.ts";

/** One value and what came of it. */
export interface SweepRow {
  value: number;
  answer: WhatIf;
}

export interface SweepReport {
  key: SettingKey;
  rows: readonly SweepRow[];
  subject?: string;
  /** The long run between the values, for a timeout. */
  curve?: readonly { value: number; flows: number }[];
}

const HEIGHT = 8;
const EIGHTHS = " ▁▂▃▄▅▆▇█";
const ASCII_EIGHTHS = "    ..::#";

/** They keep their old time: the table does not fall at once. */
const KEPT_SENTENCE =
  "silent longer: flows already silent for longer than the value; answered: those of them that somebody " +
  "may still use. They keep the time they were given; the long run is the table when that is over.";

/** `nf_conntrack_tcp_timeout_established: 14,471 flows now, limit 65,536`. */
function titleOf({ key, rows, subject }: SweepReport): string {
  const [answer] = rows.map((row) => row.answer);
  if (answer === undefined) return settingName(key);
  const place = subject === undefined ? "" : `${visible(subject)}: `;
  const { capacityFlows = 0 } = answer.table.before;
  const limit = capacityFlows === 0 ? "" : `, limit ${formatCount(capacityFlows)}`;
  return `${place}${countOf(answer.before.flows, "flow")} now${limit}; with ${settingName(key)} at`;
}

export function sweepLines(sweep: SweepReport, look: Look): string[] {
  const { key, rows, curve = [] } = sweep;
  const all =
    settingOf(key).unit === "seconds"
      ? rows.map((row) => timeoutCells(key, row))
      : rows.map((row) => sizeCells(key, row));
  const headings =
    settingOf(key).unit === "seconds"
      ? ["value", "silent longer", "answered", "long run", "low to high", "use"]
      : ["value", "use", "flows a bucket", "full", "lost in silence", "full", "memory full"];
  const filled = headings.map((_, at) => all.some((row) => row[at] !== ""));
  const heading = headings.filter((_, at) => filled[at]);
  const cells = all.map((row) => row.filter((_, at) => filled[at]));
  const widths = heading.map((title, at) =>
    Math.max(title.length, ...cells.map((row) => widthOf(row[at] ?? ""))),
  );
  const line = (row: readonly string[]): string =>
    fit(
      row
        .map((cell, at) => padLeft(cell, widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
      look.columns,
    );
  const lines = wrap(titleOf(sweep), look.columns).map((text) => tone(look, "bold", text));
  lines.push("", tone(look, "bold", line(heading)), ...cells.map(line));
  if (curve.length > 1) {
    lines.push("", ...wrap(KEPT_SENTENCE, look.columns), "");
    const steps = isLogarithmic(rows.map(({ value }) => value)) ? " (logarithmic)" : "";
    lines.push(...wrap(`Flows in the long run, by ${settingName(key)}${steps}:`, look.columns));
    lines.push(...curveLines(sweep, look));
  }
  return lines;
}

function timeoutCells(key: SettingKey, { value, answer }: SweepRow): string[] {
  const { after, immediately, table, silentServices } = answer;
  const { capacityFlows = 0 } = table.after;
  const scale = answer.silentScale;
  const cut = silentServices.reduce((sum, { flows }) => sum + flows, 0) * scale;
  return [
    settingValueText(key, value) + (answer.changes.some((change) => change.from === value) ? " (now)" : ""),
    formatCount(immediately.goneFlows),
    formatCount(cut),
    formatCount(after.flows),
    `${formatCount(after.lowFlows)} to ${formatCount(after.highFlows)}`,
    capacityFlows === 0 ? "" : formatShare(after.flows / capacityFlows),
  ];
}

function sizeCells(key: SettingKey, { value, answer }: SweepRow): string[] {
  const { useShare, loadFlowsPerBucket, fullMemoryBytes, chainLossShare } = answer.table.after;
  const { fullLoadFlowsPerBucket: fullLoad, fullChainLossShare } = answer.table.after;
  return [
    settingValueText(key, value),
    useShare === undefined ? "" : formatShare(useShare),
    loadFlowsPerBucket === undefined ? "" : loadFlowsPerBucket.toFixed(2),
    fullLoad === undefined ? "" : fullLoad.toFixed(2),
    lossText(chainLossShare),
    lossText(fullChainLossShare),
    fullMemoryBytes === undefined ? "" : formatBytes(fullMemoryBytes),
  ];
}

/** Values that span more than a factor of eight. */
function isLogarithmic(values: readonly number[]): boolean {
  return Math.max(...values) / Math.max(1, Math.min(...values)) > 8;
}

/** Points of a curve that are worked out; between them it is straight. */
const POINTS = 33;

/**
 * The curve between the first and the last value in so many columns, even in the logarithm when they span
 * more than a factor of eight. `flowsAt` gives the long run at a value.
 */
export function curveOf(
  values: readonly number[],
  columns: number,
  flowsAt: (value: number) => number,
): { value: number; flows: number }[] {
  const low = Math.max(1, values[0] ?? 1);
  const high = Math.max(low, values.at(-1) ?? low);
  const valueAt = (share: number): number =>
    isLogarithmic(values) ? low * (high / low) ** share : low + (high - low) * share;
  const points = Array.from({ length: POINTS }, (_, point) =>
    flowsAt(Math.round(valueAt(point / (POINTS - 1)))),
  );
  return Array.from({ length: columns }, (_, column) => {
    const position = (column / Math.max(1, columns - 1)) * (POINTS - 1);
    const point = Math.min(POINTS - 2, Math.floor(position));
    const [from = 0, to = 0] = [points[point], points[point + 1]];
    return {
      value: Math.round(valueAt(position / (POINTS - 1))),
      flows: from + (to - from) * (position - point),
    };
  });
}

/** Columns a curve has on this screen. */
export function curveColumns(look: Look, mostFlows: number): number {
  return Math.max(20, Math.min(80, look.columns - formatCount(mostFlows).length - 2));
}

function curveLines({ key, rows, curve = [] }: SweepReport, look: Look): string[] {
  const top = Math.max(1, ...curve.map(({ flows }) => flows));
  const label = formatCount(top).length;
  const labels = new Map([
    [0, formatCount(top)],
    [HEIGHT / 2, formatCount(top / 2)],
  ]);
  const marks = look.unicode ? EIGHTHS : ASCII_EIGHTHS;
  const lines = Array.from({ length: HEIGHT }, (_, index) => {
    const height = HEIGHT - 1 - index;
    const drawn = curve.map(({ flows }) => {
      const eighths = Math.round((flows / top) * HEIGHT * 8) - height * 8;
      return marks[Math.max(0, Math.min(8, eighths))] ?? " ";
    });
    const wall = look.unicode ? "│" : "|";
    return `${padLeft(labels.get(index) ?? "", label)} ${wall}${drawn.join("")}`.trimEnd();
  });
  const axis = look.unicode ? `└${"─".repeat(curve.length)}` : `+${"-".repeat(curve.length)}`;
  return [
    ...lines,
    `${padLeft("0", label)} ${axis}`,
    `${" ".repeat(label + 2)}${valuesLine(key, rows, curve)}`.trimEnd(),
  ];
}

/** The values below the places where they are; one that would touch the one before is left out. */
function valuesLine(
  key: SettingKey,
  rows: readonly SweepRow[],
  curve: NonNullable<SweepReport["curve"]>,
): string {
  let line = "";
  for (const { value } of rows) {
    const at = curve.findIndex((point) => point.value >= value);
    const text = settingValueText(key, value);
    const start = Math.min(at, curve.length - text.length);
    if (start > line.length || line === "") line = line.padEnd(start) + text;
  }
  return line;
}
