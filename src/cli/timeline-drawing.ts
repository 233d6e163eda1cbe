/**
 * Occupancy over time as a drawing in characters: how full the table was, where its limit lay, and when
 * packets were dropped. Pure.
 */
import type { TimelineColumns } from "../model/model.ts";
import { formatCount } from "./figures.ts";
import { inLevel, type Look, tone } from "./look.ts";
import { padLeft } from "./plain-text.ts";

/** Lines of the drawing, without those of the limit on top, the axis and its times. */
const HEIGHT = 8;
/** Wider drawings tell no more. */
const WIDEST = 100;
/** The limit is drawn when this share of it was in use; else it would press all else to the ground. */
const NEAR_SHARE = 0.25;
const EIGHTHS = " ▁▂▃▄▅▆▇█";

/** Lines of the drawing; none when there is no time to draw. */
export function drawTimeline(timeline: TimelineColumns, look: Look): string[] {
  const peak = greatest(timeline.flows);
  if (timeline.timeMs.length === 0 || peak === 0) return [];
  const limit = Math.max(0, ...timeline.limits.map(({ capacityFlows }) => capacityFlows));
  const isLimitDrawn = limit > 0 && peak >= limit * NEAR_SHARE;
  const top = isLimitDrawn ? Math.max(peak, limit) : peak;
  const labelWidth = Math.max(formatCount(top).length, "dropped".length);
  const width = Math.min(WIDEST, look.columns - labelWidth - 2);
  const bins = binned(timeline, width);
  const lines = rowsOf(bins, top, isLimitDrawn, look).map((row, index) => {
    const label = labelOf(isLimitDrawn ? index : index + 1, top, isLimitDrawn);
    return `${padLeft(label, labelWidth)} ${look.unicode ? "│" : "|"}${row}`.trimEnd();
  });
  const axis = look.unicode ? `└${"─".repeat(width)}` : `+${"-".repeat(width)}`;
  lines.push(`${padLeft("0", labelWidth)} ${axis}`);
  lines.push(`${" ".repeat(labelWidth + 2)}${timesLine(timeline, width)}`);
  if (bins.dropped.some((packets) => packets > 0)) {
    lines.push(`${padLeft("dropped", labelWidth)}  ${droppedLine(bins.dropped, look)}`.trimEnd());
  }
  return lines;
}

/** Line 0 is the room above the top, where a limit that is the top is drawn. */
function labelOf(line: number, top: number, isLimitDrawn: boolean): string {
  if (line === (isLimitDrawn ? 0 : 1)) return formatCount(top);
  return line === HEIGHT / 2 + 1 && top % 2 === 0 ? formatCount(top / 2) : "";
}

interface Bins {
  flows: Float64Array;
  dropped: Float64Array;
  /** Limit in each, 0 for none. */
  limit: Float64Array;
}

/** The timeline in as many stretches as there are columns on the screen. */
function binned({ timeMs, flows, dropped, endMs, limits }: TimelineColumns, width: number): Bins {
  const bins = {
    flows: new Float64Array(width),
    dropped: new Float64Array(width),
    limit: new Float64Array(width),
  };
  const startMs = timeMs[0] as number;
  const spanMs = Math.max(endMs - startMs, 1e-6);
  const columnOf = (ms: number): number =>
    Math.max(0, Math.min(width - 1, Math.floor(((ms - startMs) / spanMs) * width)));
  for (let at = 0; at < timeMs.length; at += 1) {
    const first = columnOf(timeMs[at] as number);
    const nextMs = at + 1 < timeMs.length ? (timeMs[at + 1] as number) : endMs;
    // A stretch ends before the next one begins.
    const last = at + 1 < timeMs.length ? Math.max(first, columnOf(nextMs) - 1) : width - 1;
    for (let column = first; column <= last; column += 1) {
      bins.flows[column] = Math.max(bins.flows[column] as number, flows[at] as number);
    }
    bins.dropped[first] = (bins.dropped[first] as number) + (dropped[at] as number);
  }
  for (const { fromMs, capacityFlows } of limits) bins.limit.fill(capacityFlows, columnOf(fromMs));
  return bins;
}

/** From the top: the line above the drawing, then HEIGHT lines. */
function rowsOf(bins: Bins, top: number, isLimitDrawn: boolean, look: Look): string[] {
  const limitMark = look.unicode ? "┄" : "-";
  const rows: string[] = [];
  for (let height = HEIGHT; height >= 0; height -= 1) {
    let row = "";
    let run = "";
    let runIsLimit = false;
    const endRun = (): void => {
      row += runIsLimit ? tone(look, "red", run) : run;
      run = "";
    };
    for (let column = 0; column < bins.flows.length; column += 1) {
      const level = ((bins.flows[column] as number) / top) * HEIGHT;
      const limitLevel = ((bins.limit[column] as number) / top) * HEIGHT;
      const mark = height === HEIGHT ? " " : markOf(level - height, look);
      const isLimit =
        isLimitDrawn && mark === " " && limitLevel > 0 && Math.min(HEIGHT, Math.floor(limitLevel)) === height;
      if (isLimit !== runIsLimit) endRun();
      runIsLimit = isLimit;
      run += isLimit ? limitMark : mark;
    }
    endRun();
    rows.push(row);
  }
  return isLimitDrawn ? rows : rows.slice(1);
}

/** The part of a cell that is filled, of 1; what is there is seen. */
function markOf(filled: number, look: Look): string {
  if (filled <= 0) return " ";
  if (!look.unicode) return filled >= 0.5 ? "#" : ".";
  return EIGHTHS[Math.max(1, Math.min(8, Math.round(filled * 8)))] ?? " ";
}

function droppedLine(dropped: Float64Array, look: Look): string {
  const most = greatest(dropped);
  const marks = Array.from(dropped, (packets) => {
    if (packets === 0) return " ";
    if (!look.unicode) return packets >= most / 2 ? "#" : ".";
    return EIGHTHS[Math.max(1, Math.round((packets / most) * 8))] ?? " ";
  });
  return inLevel(look, "critical", marks.join("").trimEnd(), false);
}

/** Times below the axis: the first and the last, and between them what fits. */
function timesLine({ timeMs, endMs }: TimelineColumns, width: number): string {
  const startMs = timeMs[0] as number;
  const spanMs = endMs - startMs;
  const sample = instantText(startMs, spanMs);
  const count = Math.max(2, Math.min(5, Math.floor(width / (sample.length + 8)) + 1));
  let line = "";
  for (let index = 0; index < count; index += 1) {
    const share = index / (count - 1);
    const label = instantText(startMs + spanMs * share, spanMs);
    const middle = Math.round(share * (width - 1));
    // Within the drawing, also at both ends.
    const from = Math.max(0, Math.min(width - label.length, middle - Math.floor(label.length / 2)));
    if (from < line.length + (index === 0 ? 0 : 1)) continue;
    line = line.padEnd(from) + label;
  }
  return line;
}

const DAY_MS = 86_400_000;

/** A time of day (UTC) as fine as the time around it needs: `14:02:11`, `11-22 14:02`, `14:02:11.250`. */
export function instantText(ms: number, spanMs: number): string {
  // The range of Date; a capture may say any time.
  if (!(Math.abs(ms) < 8.64e15)) return String(ms);
  const text = new Date(ms)
    .toISOString()
    .replace(/^[+-]?\d+-(\d\d-\d\d)T/, "$1T")
    .replace("Z", "");
  const [day = "", time = ""] = text.split("T");
  if (spanMs >= DAY_MS) return `${day} ${time.slice(0, 5)}`;
  return spanMs < 10_000 ? time : time.slice(0, 8);
}

function greatest(values: ArrayLike<number>): number {
  let most = 0;
  for (let at = 0; at < values.length; at += 1) most = Math.max(most, values[at] as number);
  return most;
}
