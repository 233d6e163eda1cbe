/** Which time is shown: the last so many seconds, or a span that was chosen. Pure. */

export type TimeRange = { kind: "last"; seconds: number } | { kind: "span"; fromMs: number; toMs: number };

export const RANGES = [
  ["15m", 900, "15 minutes"],
  ["1h", 3600, "1 hour"],
  ["6h", 21_600, "6 hours"],
  ["1d", 86_400, "1 day"],
  ["7d", 604_800, "7 days"],
  ["30d", 2_592_000, "30 days"],
] as const;

const USUAL: TimeRange = { kind: "last", seconds: 3600 };

/** Reads `range=6h` or `from=MS&to=MS`. */
export function readRange(query: URLSearchParams): TimeRange {
  const fromMs = Number(query.get("from"));
  const toMs = Number(query.get("to"));
  if (fromMs > 0 && toMs > fromMs) return { kind: "span", fromMs, toMs };
  const known = RANGES.find(([name]) => name === query.get("range"));
  return known === undefined ? USUAL : { kind: "last", seconds: known[1] };
}

/** The same as parts of an address. */
export function rangeQuery(range: TimeRange): Record<string, string> {
  if (range.kind === "span")
    return { from: String(Math.round(range.fromMs)), to: String(Math.round(range.toMs)) };
  return { range: RANGES.find(([, seconds]) => seconds === range.seconds)?.[0] ?? "1h" };
}

/** Share of a range that is drawn ahead of now, for the forecast. */
const AHEAD = 1 / 3;

/** A younger history is not drawn out to the whole width. */
const LEAST_MS = 120_000;

/**
 * From when to when; what is live looks ahead by a third where there is a forecast. Where the history is
 * younger than the range the drawing begins with it, as the rest would be empty.
 */
export function spanOf(
  range: TimeRange,
  nowMs: number,
  { hasForecast, oldestMs }: { hasForecast: boolean; oldestMs: number | undefined },
): { fromMs: number; toMs: number; endMs: number } {
  if (range.kind === "span") return { fromMs: range.fromMs, toMs: range.toMs, endMs: range.toMs };
  const youngMs = oldestMs === undefined ? Infinity : Math.max(LEAST_MS, nowMs - oldestMs);
  const spanMs = Math.min(range.seconds * 1000, youngMs);
  return { fromMs: nowMs - spanMs, toMs: nowMs, endMs: nowMs + (hasForecast ? spanMs * AHEAD : 0) };
}

/** How often the points are asked for again: as often as a new one can be seen. */
export function refreshMs(range: TimeRange): number | undefined {
  if (range.kind === "span") return undefined;
  return Math.min(60_000, Math.max(15_000, (range.seconds / 600) * 1000));
}

/** A span chosen with the mouse, at least ten seconds long. */
export function zoomed(fromSeconds: number, toSeconds: number): TimeRange {
  const middle = (fromSeconds + toSeconds) / 2;
  const half = Math.max(5, (toSeconds - fromSeconds) / 2);
  return {
    kind: "span",
    fromMs: Math.round((middle - half) * 1000),
    toMs: Math.round((middle + half) * 1000),
  };
}
