/** Columns for the drawings of the overview: what was, what comes, drops by cause. Pure. */
import type { ForecastJson, LiveSample, SeriesJson } from "../../src/server/api-schema.ts";
import { joinTimes } from "./scale.ts";

export type Column = (number | null)[];
export type SeriesName = keyof SeriesJson["series"];

export interface History {
  /** Seconds since 1970. */
  times: number[];
  avg: (name: SeriesName) => Column;
  /** The greatest of each span; the mean where points are single seconds. */
  max: (name: SeriesName) => Column;
  min: (name: SeriesName) => Column;
}

/** What the API gave, and the seconds since then that came live. */
export function historyOf(
  series: SeriesJson,
  recent: readonly LiveSample[],
  nowMs: number = Infinity,
): History {
  const lastMs = series.atMs.at(-1) ?? series.fromMs;
  const fresh = recent.filter(({ atMs }) => atMs >= lastMs + 500 && atMs <= nowMs + 2000);
  const times = [...series.atMs, ...fresh.map(({ atMs }) => atMs)].map((atMs) => atMs / 1000);
  const column = (name: SeriesName, kind: "avg" | "min" | "max"): Column => {
    const found = series.series[name];
    const past: Column = found?.[kind] ?? found?.avg ?? series.atMs.map(() => null);
    return [...past, ...fresh.map(({ values }) => values[name] ?? null)];
  };
  return {
    times,
    avg: (name) => column(name, "avg"),
    min: (name) => column(name, "min"),
    max: (name) => column(name, "max"),
  };
}

export interface UseColumns {
  x: number[];
  use: Column;
  useLow: Column;
  useHigh: Column;
  capacity: Column;
  expected: Column;
  low: Column;
  high: Column;
}

/** Use, its limit, and the forecast up to `endMs`, over one x. */
export function columnsOfUse(past: History, forecast: ForecastJson | undefined, endMs: number): UseColumns {
  const band = forecast?.band;
  const isLive = band !== undefined && endMs > (past.times.at(-1) ?? 0) * 1000;
  const { kept, ahead } = isLive ? aheadOf(band, past, endMs) : { kept: [], ahead: [] };
  const { x, pastLength } = joinTimes(past.times, ahead);
  const skipped = ahead.length - (x.length - pastLength);
  const capacity = past.avg("capacityFlows");
  const limit = capacity.findLast((value) => value !== null) ?? null;
  const rest = x.length - pastLength;
  const use = past.avg("occupancyFlows");
  const here = use.findLast((value) => value !== null) ?? null;
  // The band begins where the line ends.
  const later = (column: readonly number[]): Column => [
    ...Array.from({ length: Math.max(0, pastLength - 1) }, () => null),
    ...(pastLength > 0 ? [rest > 0 ? here : null] : []),
    ...kept.slice(skipped).map((index) => column[index] ?? null),
  ];
  const empty = Array.from({ length: rest }, () => null);
  return {
    x,
    use: [...use, ...empty],
    useLow: [...past.min("occupancyFlows"), ...empty],
    useHigh: [...past.max("occupancyFlows"), ...empty],
    capacity: [...capacity, ...Array.from({ length: rest }, () => limit)],
    expected: later(band?.expected ?? []),
    low: later(band?.low ?? []),
    high: later(band?.high ?? []),
  };
}

/** Points of a forecast up to an instant, and the first beyond it. */
function aheadOf(
  band: ForecastJson["band"],
  past: History,
  endMs: number,
): { kept: number[]; ahead: number[] } {
  const last = (past.times.at(-1) ?? 0) * 1000;
  const kept: number[] = [];
  for (const [index, atMs] of band.atMs.entries()) {
    if (atMs > last) kept.push(index);
    if (atMs > endMs) break;
  }
  return { kept, ahead: kept.map((index) => (band.atMs[index] ?? 0) / 1000) };
}

export const CAUSES = [
  { id: "noRoom", label: "no room", colour: "--cause-room", dash: [] },
  { id: "clash", label: "clash at insert", colour: "--cause-clash", dash: [6, 3] },
  { id: "chain", label: "chain too long", colour: "--cause-chain", dash: [2, 2] },
  { id: "evicted", label: "evicted early", colour: "--cause-evicted", dash: [8, 3, 2, 3] },
] as const;

export type CauseId = (typeof CAUSES)[number]["id"];

/**
 * Packets lost per second by cause, and flows evicted to make room. The kernel counts a failed insertion as a
 * drop, too, and a chain that is too long among the failed insertions.
 */
export function columnsOfDrops(past: History): Record<CauseId, Column> {
  const drop = past.max("dropPerSecond");
  const failed = past.max("insertFailedPerSecond");
  const chain = past.max("chainTooLongPerSecond");
  const clash = failed.map((value, index) =>
    value === null ? null : Math.max(0, value - (chain[index] ?? 0)),
  );
  const noRoom = drop.map((value, index) =>
    value === null ? null : Math.max(0, value - (clash[index] ?? 0)),
  );
  return { noRoom, clash, chain, evicted: past.max("earlyDropPerSecond") };
}
