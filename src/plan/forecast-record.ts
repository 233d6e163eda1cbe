/**
 * How far off forecasts were: what was said is kept until its time has come and compared with what is there
 * then. A record is a plain value, so that it can be stored; it grows to a fixed size only.
 */
import type { SeriesColumns } from "../table/series.ts";
import { type Forecast, makeForecast } from "./forecast.ts";

export interface ForecastRecord {
  /** What was said and has not come to pass yet, oldest first. */
  readonly pending: readonly Said[];
  readonly byHorizon: readonly HorizonScore[];
}

interface Said {
  atMs: number;
  horizonSeconds: number;
  expected: number;
  low: number;
  high: number;
}

/** How forecasts of one distance turned out. Old ones count less and less. */
export interface HorizonScore {
  horizonSeconds: number;
  forecasts: number;
  /** Mean absolute error as a share of capacity, and the share that lay between low and high. */
  meanErrorShare: number;
  insideShare: number;
}

export const SCORED_HORIZONS_SECONDS = [600, 3600, 21_600, 86_400] as const;
/** One is kept in this time. */
const KEPT_EACH_MS = 600_000;
/** What could not be compared so long after its time is forgotten. */
const LATE_MS = 300_000;
/** Where more forecasts than this were compared, old ones fade. */
const REMEMBERED = 500;
const BACKTEST_ORIGINS = 24;

export function emptyRecord(): ForecastRecord {
  return { pending: [], byHorizon: [] };
}

/** The record after `forecast` was made, at which time there were `occupancyFlows`. */
export function recordForecast(
  record: ForecastRecord,
  forecast: Forecast,
  { occupancyFlows, capacityFlows }: { occupancyFlows: number; capacityFlows: number },
): ForecastRecord {
  const nowMs = forecast.madeAtMs;
  const isDue = ({ atMs }: Said): boolean => atMs <= nowMs;
  const due = record.pending.filter((said) => isDue(said) && nowMs - said.atMs <= LATE_MS);
  const byHorizon = due.reduce(
    (scores, said) => scored(scores, said, occupancyFlows, capacityFlows),
    record.byHorizon,
  );
  // Said for a time beyond all distances: the wall clock was set back.
  const farthestMs = nowMs + 1000 * Math.max(...SCORED_HORIZONS_SECONDS);
  const waiting = record.pending.filter((said) => !isDue(said) && said.atMs <= farthestMs);
  const newest = SCORED_HORIZONS_SECONDS[0] * 1000 + nowMs - KEPT_EACH_MS;
  const isKept = waiting.some(
    ({ atMs, horizonSeconds }) => horizonSeconds === SCORED_HORIZONS_SECONDS[0] && atMs > newest,
  );
  return { pending: isKept ? waiting : [...waiting, ...saidBy(forecast)], byHorizon };
}

/** What a forecast carries of the record: the farthest distance of which enough is known. */
export function backtestOf({ byHorizon }: ForecastRecord): Forecast["backtest"] {
  return byHorizon
    .toSorted((a, b) => b.horizonSeconds - a.horizonSeconds)
    .find(({ forecasts }) => forecasts >= 8);
}

/**
 * Forecasts made at some two dozen instants of a recorded past, each from what was known then, compared with
 * what came. Takes as long as so many forecasts: for once, at the beginning.
 */
export function backtest(
  history: readonly SeriesColumns[],
  { nowMs, capacityFlows, origins = BACKTEST_ORIGINS }: BacktestOptions,
): ForecastRecord {
  const points = history.flatMap(pointsOf).toSorted((a, b) => a.endMs - b.endMs);
  const first = points[0]?.endMs ?? nowMs;
  let byHorizon: readonly HorizonScore[] = [];
  for (let origin = 0; origin < origins; origin += 1) {
    // The last two thirds: a forecast needs a past.
    const madeAtMs = first + (nowMs - first) * (1 / 3 + (2 / 3) * (origin / origins));
    const forecast = makeForecast({
      nowMs: madeAtMs,
      history: history.map((series) => until(series, madeAtMs)),
      capacityFlows,
    });
    for (const said of saidBy(forecast)) {
      const came = nearest(points, said.atMs);
      if (came !== undefined) byHorizon = scored(byHorizon, said, came, capacityFlows);
    }
  }
  return { pending: [], byHorizon };
}

export interface BacktestOptions {
  nowMs: number;
  capacityFlows: number;
  /** Forecasts made; two dozen when absent. */
  origins?: number;
}

function saidBy(forecast: Forecast): Said[] {
  return SCORED_HORIZONS_SECONDS.filter((seconds) => seconds <= forecast.horizonSeconds).map((seconds) => ({
    atMs: forecast.madeAtMs + seconds * 1000,
    horizonSeconds: seconds,
    ...bandAt(forecast, seconds),
  }));
}

/** The band between its points. */
export function bandAt(
  { band, madeAtMs }: Pick<Forecast, "band" | "madeAtMs">,
  aheadSeconds: number,
): { expected: number; low: number; high: number } {
  const atMs = madeAtMs + aheadSeconds * 1000;
  const found = band.atMs.findIndex((at) => at >= atMs);
  const after = found === -1 ? band.atMs.length - 1 : found;
  const before = Math.max(0, after - 1);
  const [fromMs = atMs, toMs = atMs] = [band.atMs[before], band.atMs[after]];
  const share = toMs === fromMs ? 1 : Math.min(1, Math.max(0, (atMs - fromMs) / (toMs - fromMs)));
  const between = (values: readonly number[]): number => {
    const [from = NaN, to = NaN] = [values[before], values[after]];
    return from + (to - from) * share;
  };
  return { expected: between(band.expected), low: between(band.low), high: between(band.high) };
}

function scored(
  scores: readonly HorizonScore[],
  { horizonSeconds, expected, low, high }: Said,
  flows: number,
  capacityFlows: number,
): readonly HorizonScore[] {
  const errorShare = Math.abs(flows - expected) / capacityFlows;
  if (!Number.isFinite(errorShare)) return scores;
  const inside = flows >= Math.floor(low) && flows <= Math.ceil(high) ? 1 : 0;
  const before = scores.find((score) => score.horizonSeconds === horizonSeconds);
  const forecasts = (before?.forecasts ?? 0) + 1;
  const weight = 1 / Math.min(forecasts, REMEMBERED);
  const moved = (mean: number, value: number): number => mean + weight * (value - mean);
  const after: HorizonScore = {
    horizonSeconds,
    forecasts,
    meanErrorShare: moved(before?.meanErrorShare ?? 0, errorShare),
    insideShare: moved(before?.insideShare ?? 0, inside),
  };
  return [...scores.filter((score) => score !== before), after];
}

interface Point {
  endMs: number;
  stepSeconds: number;
  flows: number;
}

function pointsOf({ atMs, stepSeconds, columns }: SeriesColumns): Point[] {
  return Array.from(atMs, (at, index) => ({
    endMs: at + stepSeconds * 1000,
    stepSeconds,
    flows: columns.occupancyFlows?.avg[index] ?? NaN,
  })).filter(({ flows }) => !Number.isNaN(flows));
}

/** What there was in the point that holds `atMs`. */
function nearest(points: readonly Point[], atMs: number): number | undefined {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.endMs ?? 0) < atMs) low = middle + 1;
    else high = middle;
  }
  const point = points[low];
  return point === undefined || point.endMs - atMs > 1000 * point.stepSeconds ? undefined : point.flows;
}

/** What was known of a series at an instant: points that had ended. */
function until({ atMs, stepSeconds, columns }: SeriesColumns, endMs: number): SeriesColumns {
  const after = atMs.findIndex((at) => at + stepSeconds * 1000 > endMs);
  const count = after === -1 ? atMs.length : after;
  const span = columns.occupancyFlows;
  if (span === undefined) return { atMs: atMs.subarray(0, count), stepSeconds, columns: {} };
  const part = (values: Float64Array): Float64Array => values.subarray(0, count);
  const occupancyFlows = { min: part(span.min), avg: part(span.avg), max: part(span.max) };
  return { atMs: part(atMs), stepSeconds, columns: { occupancyFlows } };
}
