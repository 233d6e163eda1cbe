/** Several ways to run one capture, side by side. Pure. */
import type { Level } from "../../table/finding.ts";
import { formatCount, formatShare } from "../figures.ts";
import { inLevel, type Look, tone } from "../look.ts";
import { fit, padLeft, padRight, visible, wrap } from "../plain-text.ts";
import {
  type CourseReport,
  DROP_NAMES,
  droppedPackets,
  dropText,
  evictedFlows,
  lastLimit,
  type ReplayReport,
} from "./replay-report.ts";

/** Columns of the drawing of one course. */
const DRAWN_COLUMNS = 60;
const EIGHTHS = " ▁▂▃▄▅▆▇█";
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Verdict, legend, a line of occupancy for each, and the figures as a table. */
export function comparisonLines(report: ReplayReport, look: Look): string[] {
  const { courses } = report;
  return [
    ...verdictLines(courses, look),
    "",
    ...courses.map((course, index) =>
      fit(
        `${letterOf(index)}  ${visible(course.label === "" ? "as --set has it" : course.label)}`,
        look.columns,
      ),
    ),
    "",
    ...occupancyLines(report, look),
    "",
    ...tableLines(courses, look),
  ];
}

function letterOf(index: number): string {
  return LETTERS[index] ?? String(index + 1);
}

/** A level in its colour, and what it is said of. */
export function leveledLines(level: Level, text: string, look: Look): string[] {
  const word = level.toUpperCase();
  const indent = word.length + 2;
  return wrap(text, look.columns - indent).map((line, index) =>
    index === 0 ? `${inLevel(look, level, word)}  ${line}` : `${" ".repeat(indent)}${line}`,
  );
}

function verdictLines(courses: readonly CourseReport[], look: Look): string[] {
  const dropping = courses.filter((course) => droppedPackets(course) > 0);
  const calm = courses.filter((course) => droppedPackets(course) === 0);
  const names = (some: readonly CourseReport[]): string =>
    some.map((course) => letterOf(courses.indexOf(course))).join(", ");
  if (dropping.length === 0) {
    return leveledLines("ok", "no packet would have been dropped under any of them", look);
  }
  if (calm.length > 0) {
    return leveledLines(
      "warning",
      `packets dropped under ${names(dropping)}; none under ${names(calm)}`,
      look,
    );
  }
  const least = Math.min(...courses.map(droppedPackets));
  const best = courses.filter((course) => droppedPackets(course) === least);
  const fewest = best.length === courses.length ? "" : `; fewest under ${names(best)}`;
  return leveledLines("critical", `packets dropped under all of them${fewest}`, look);
}

/** One line of blocks each, all to the same scale. */
function occupancyLines({ courses }: ReplayReport, look: Look): string[] {
  const most = Math.max(1, ...courses.map(({ peakFlows }) => peakFlows));
  const columns = Math.min(DRAWN_COLUMNS, look.columns - 24);
  return courses.map((course, index) => {
    const { timeMs, flows: peaks, endMs } = course.timeline;
    const startMs = timeMs[0] ?? 0;
    const spanMs = Math.max(1e-6, endMs - startMs);
    const bins = new Float64Array(columns);
    for (let at = 0; at < timeMs.length; at += 1) {
      const first = columnOf((timeMs[at] ?? 0) - startMs, spanMs, columns);
      const nextMs = timeMs[at + 1];
      const last = nextMs === undefined ? columns - 1 : columnOf(nextMs - startMs, spanMs, columns) - 1;
      const flows = peaks[at] ?? 0;
      for (let column = first; column <= Math.max(first, last); column += 1) {
        bins[column] = Math.max(bins[column] as number, flows);
      }
    }
    const marks = Array.from(bins, (flows) => markOf(flows / most, look)).join("");
    return `${letterOf(index)}  ${tone(look, "cyan", marks)}  at most ${formatCount(course.peakFlows)}`;
  });
}

function columnOf(ms: number, spanMs: number, columns: number): number {
  return Math.max(0, Math.min(columns - 1, Math.floor((ms / spanMs) * columns)));
}

function markOf(share: number, look: Look): string {
  if (share <= 0) return " ";
  if (!look.unicode) return "-=#"[Math.min(2, Math.floor(share * 3))] ?? "#";
  return EIGHTHS[Math.max(1, Math.round(share * 8))] ?? " ";
}

const figures: readonly (readonly [string, (course: CourseReport) => string])[] = [
  ["most flows at once", ({ peakFlows }) => formatCount(peakFlows)],
  ["of nf_conntrack_max", useText],
  ["packets dropped", (course) => formatCount(droppedPackets(course))],
  ...DROP_NAMES.map(
    (drop) => [`  ${dropText[drop]}`, ({ drops }: CourseReport) => formatCount(drops[drop])] as const,
  ),
  ["flows evicted", (course) => formatCount(evictedFlows(course))],
  ["flows created", ({ flowsCreated }) => formatCount(flowsCreated)],
  ["flows at the end", ({ flowsAtEnd }) => formatCount(flowsAtEnd)],
  ["packets invalid", ({ verdicts }) => formatCount(verdicts.invalid)],
];

function useText(course: CourseReport): string {
  const limit = lastLimit(course);
  return limit === undefined ? "no limit" : formatShare(course.peakFlows / limit);
}

function tableLines(courses: readonly CourseReport[], look: Look): string[] {
  const rows = figures
    .map(([name, figure]) => ({ name, cells: courses.map(figure) }))
    .filter(({ name, cells }) => !name.startsWith("  ") || cells.some((cell) => cell !== "0"));
  const width = Math.max(...rows.flatMap(({ cells }) => cells.map((cell) => cell.length)));
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  const perLine = Math.max(1, Math.floor((look.columns - nameWidth) / (width + 2)));
  const lines: string[] = [];
  for (let from = 0; from < courses.length; from += perLine) {
    if (from > 0) lines.push("");
    const letters = courses
      .slice(from, from + perLine)
      .map((_, index) => padLeft(letterOf(from + index), width));
    lines.push(tone(look, "bold", `${" ".repeat(nameWidth)}  ${letters.join("  ")}`));
    for (const { name, cells } of rows) {
      const shown = cells.slice(from, from + perLine).map((cell) => padLeft(cell, width));
      lines.push(`${padRight(name, nameWidth)}  ${shown.join("  ")}`);
    }
  }
  return lines;
}
