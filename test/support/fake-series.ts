/**
 * Series of a host that is made up: functions of time, with the shape of a day, an evening on which the table
 * was full, and a rise since a timeout was changed three hours ago.
 */
import { type Sample, SERIES_NAMES, type SeriesColumns, type SeriesName } from "../../src/table/series.ts";
import type { SeriesQuery } from "../../src/watch/watch.ts";

const HOUR_MS = 3_600_000;
export const CAPACITY_FLOWS = 262_144;
const EARLIER_CAPACITY_FLOWS = 196_608;
/** Relative to the beginning: when the table was full, and when it was given more room. */
export const EPISODE = { fromMs: -19 * HOUR_MS, toMs: -18.4 * HOUR_MS };
export const RAISED = { atMs: -18.4 * HOUR_MS };
/** The established timeout was raised. */
const RISE_FROM_MS = -3 * HOUR_MS;
/** The machine stood still: nothing was measured. */
const GAP = { fromMs: -7 * HOUR_MS - 94_000, toMs: -7 * HOUR_MS };
/** Points of a span that are looked at. */
const LOOKS = 8;

export function capacityAt(atMs: number, startMs: number): number {
  return atMs - startMs < RAISED.atMs ? EARLIER_CAPACITY_FLOWS : CAPACITY_FLOWS;
}

/** Always the same for the same second: from -1 to 1. */
function noise(second: number, salt: number): number {
  let mixed = Math.imul(second ^ (salt * 0x9e3779b9), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 0x8000_0000 - 1;
}

/** Noise that changes within minutes. */
function drift(atMs: number, salt: number): number {
  const place = atMs / 120_000;
  const [from, share] = [Math.floor(place), place - Math.floor(place)];
  return noise(from, salt) * (1 - share) + noise(from + 1, salt) * share;
}

/** From 0 to 1 and back over a day; the beginning is in the rising part. */
function dayShare(relativeMs: number): number {
  return 0.5 + 0.5 * Math.sin((relativeMs / (24 * HOUR_MS)) * 2 * Math.PI + 0.2);
}

function demandAt(relativeMs: number, atMs: number): number {
  const day = 88_000 + 74_000 * dayShare(relativeMs);
  const middleMs = (EPISODE.fromMs + EPISODE.toMs) / 2;
  const burst = 150_000 * Math.exp(-(((relativeMs - middleMs) / (0.55 * HOUR_MS)) ** 2));
  const rise = relativeMs < RISE_FROM_MS ? 0 : ((relativeMs - RISE_FROM_MS) / HOUR_MS) * 6900;
  return day + burst + Math.min(rise, 160_000) + 1800 * drift(atMs, 1) + 300 * noise(atMs / 1000, 2);
}

/** What was measured in one second; nothing while the machine stood still. */
export function sampleAt(atMs: number, startMs: number): Sample {
  const relativeMs = atMs - startMs;
  if (relativeMs >= GAP.fromMs && relativeMs < GAP.toMs) return { atMs, values: {} };
  const second = Math.floor(atMs / 1000);
  const capacityFlows = capacityAt(atMs, startMs);
  const demand = demandAt(relativeMs, atMs);
  const occupancyFlows = Math.round(Math.min(capacityFlows, Math.max(0, demand)));
  const lack = Math.max(0, demand - capacityFlows);
  const busy = 0.4 + 0.6 * dayShare(relativeMs);
  const arrivals = 2400 * busy + lack / 90 + 40 * noise(second, 3);
  return {
    atMs,
    values: {
      occupancyFlows,
      capacityFlows,
      bucketCount: capacityFlows / 4,
      expectationFlows: 3,
      arrivalsPerSecond: arrivals,
      departuresPerSecond: Math.max(
        0,
        arrivals - (relativeMs > RISE_FROM_MS ? 1.9 : 0) + 25 * noise(second, 4),
      ),
      foundPerSecond: Math.max(0, 3 * busy + noise(second, 5)),
      invalidPerSecond: Math.max(0, 2.5 + 2 * noise(second, 6)),
      insertPerSecond: 0,
      insertFailedPerSecond: noise(second, 7) > 0.995 ? 1 : 0,
      dropPerSecond: Math.round(lack / 2000),
      earlyDropPerSecond: Math.round(lack / 520),
      icmpErrorPerSecond: 0,
      searchRestartPerSecond: noise(second, 8) > 0.99 ? 1 : 0,
      clashResolvedPerSecond: Math.max(0, Math.round(1.2 * noise(second, 9))),
      chainTooLongPerSecond: 0,
      tableFullLinesPerSecond: lack > 0 ? Math.min(5, Math.round(lack / 9000)) : 0,
      watcherCpuShare: 0.006 + 0.0015 * noise(second, 10),
      watcherMemoryBytes: 96_000_000 + 900_000 * drift(atMs, 11),
    },
  };
}

const STEPS_SECONDS = [1, 10, 60, 300, 900, 3600];

/** Points that begin at multiples of a step; the least, mean and greatest of a few seconds of each. */
export function fakeSeries(query: SeriesQuery, startMs: number): SeriesColumns {
  const { fromMs, toMs, points } = query;
  const spanSeconds = Math.max(0, toMs - fromMs) / 1000;
  const stepSeconds = STEPS_SECONDS.find((step) => spanSeconds / step <= points) ?? spanSeconds / points;
  const stepMs = stepSeconds * 1000;
  const count = Math.max(0, Math.ceil(toMs / stepMs) - Math.ceil(fromMs / stepMs));
  const atMs = Float64Array.from({ length: count }, (_, at) => (Math.ceil(fromMs / stepMs) + at) * stepMs);
  const isOther = query.namespace !== undefined;
  const names = isOther
    ? query.names.filter((name) => name === "occupancyFlows" || name === "capacityFlows")
    : query.names;
  const looks = stepSeconds === 1 ? 1 : LOOKS;
  const columns: Record<string, { min: Float64Array; avg: Float64Array; max: Float64Array }> = {};
  for (const name of names) {
    const empty = (): Float64Array => new Float64Array(count).fill(Number.NaN);
    columns[name] = { min: empty(), avg: empty(), max: empty() };
  }
  for (let point = 0; point < count; point += 1) {
    const samples = Array.from({ length: looks }, (_, look) =>
      sampleAt((atMs[point] ?? 0) + (look * stepMs) / looks, startMs),
    ).filter((sample) => sample.atMs >= startMs - 48 * HOUR_MS);
    for (const name of names) putPoint(columns, name, point, samples, isOther ? 0.2 : 1);
  }
  return { atMs, stepSeconds, columns };
}

function putPoint(
  columns: Record<string, { min: Float64Array; avg: Float64Array; max: Float64Array }>,
  name: SeriesName,
  point: number,
  samples: readonly Sample[],
  share: number,
): void {
  const column = columns[name];
  const scale = name === "occupancyFlows" ? share : 1;
  const found = samples.flatMap(({ values }) => {
    const value = values[name];
    return value === undefined ? [] : [value * scale];
  });
  if (column === undefined || found.length === 0) return;
  column.min[point] = Math.min(...found);
  column.max[point] = Math.max(...found);
  column.avg[point] = found.reduce((sum, value) => sum + value, 0) / found.length;
}

/** All names there are, for a query of everything. */
export const allSeries: readonly SeriesName[] = SERIES_NAMES;
