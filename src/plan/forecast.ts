/**
 * When the table will be full: from how occupancy moved, from the shape of days and weeks, and, when rates
 * change suddenly, from arrivals times holding time. Says when it cannot tell.
 *
 * The last hour teaches of the next minutes, the last weeks of the next days: each is a grid of its own, from
 * which every way to foretell is tried on the past (forecast-learn.ts). What rises as nothing foretold is
 * told by itself (forecast-surge.ts).
 */
import type { SeriesColumns } from "../table/series.ts";
import { gridOf, oldestPointMs } from "./forecast-grid.ts";
import { type Learnt, learn } from "./forecast-learn.ts";
import { hasJustJumped, lastKnown, lastReading, levelOf } from "./forecast-level.ts";
import { isOver, type Surge, surgeAdds, surgeIn } from "./forecast-surge.ts";
import { withoutSteps } from "./forecast-step.ts";
import { howText } from "./forecast-text.ts";

export interface ForecastFacts {
  /** Wall clock of now. */
  nowMs: number;
  /** occupancyFlows, oldest first; gaps are NaN. Recent points close together, older ones may be coarser. */
  history: readonly SeriesColumns[];
  capacityFlows: number;
  /** Flows made per second now, and how long a flow is held on average; absent where not known. */
  arrivals?: { perSecond: number; standardErrorPerSecond: number; holdingSeconds?: number };
}

export interface Forecast {
  madeAtMs: number;
  /** Ahead of now; values are flows, `low` and `high` what occupancy should be between, 9 times of 10. */
  band: {
    atMs: readonly number[];
    expected: readonly number[];
    low: readonly number[];
    high: readonly number[];
  };
  /**
   * Seconds until full: likely, and between the earliest and the latest 9 times of 10; a latest that is
   * absent is beyond the horizon. Absent: not within the horizon, or it cannot be told.
   */
  fullIn?: { seconds?: number; earliestSeconds: number; latestSeconds?: number };
  /** How far ahead the band goes: a young history does not reach as far as was asked for. */
  horizonSeconds: number;
  /** What it goes by. */
  method: "trend" | "daily" | "weekly" | "arrivals" | "none";
  /** Why it cannot tell; absent when it can. */
  unknown?: string;
  /** For people: what it goes by, with figures. */
  how: string;
  /** How far off such forecasts were on the recorded past: mean absolute error as a share of capacity. */
  backtest?: { forecasts: number; horizonSeconds: number; meanErrorShare: number; insideShare: number };
}

export interface ForecastOptions {
  /** Seven days when absent. */
  horizonSeconds?: number;
}

const DAY_SECONDS = 86_400;
const HORIZON_SECONDS = 7 * DAY_SECONDS;
/** So much of the past teaches. */
const LONG_SPAN_SECONDS = 28 * DAY_SECONDS;
const SHORT_SPAN_SECONDS = 3600;
const SHORT_STEP_SECONDS = 10;
const LONG_STEP_SECONDS = 900;
/** A younger history is cut into about so many slots. */
const YOUNG_SLOTS = 240;
/** Until here the last hour tells, from there on the last weeks; in between both. */
const SHORT_UNTIL_SECONDS = 600;
const LONG_FROM_SECONDS = 3600;
/** A history tells no farther than so many times its own length. */
const SPANS_AHEAD = 10;
/** Points of `history` that are older say nothing of now. */
const STALE_SECONDS = 180;
/** A younger history has not seen what is usual. */
const YOUNG_SECONDS = 300;
/** Of less nothing is learnt. */
const LEAST_SPAN_SECONDS = 30;
/** A rise of less than this share of capacity is no surge. */
const LEAST_SURGE_SHARE = 0.01;
/** The band has a point at each of these, then every half hour for half a day, then every hour. */
const NEAR_SECONDS = [10, 20, 30, 45, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200, 1500];

/** Foretells occupancy. Never throws for what is in a history; what it cannot tell is said in `unknown`. */
export function makeForecast(facts: ForecastFacts, options: ForecastOptions = {}): Forecast {
  const seen = look(facts);
  if (typeof seen === "string") return untold(facts, seen);
  const wanted = options.horizonSeconds ?? HORIZON_SECONDS;
  const horizonSeconds = Math.min(wanted, Math.max(60, Math.floor(SPANS_AHEAD * seen.spanSeconds)));
  const path = pathOf(seen, horizonSeconds);
  const { capacityFlows, nowMs } = facts;
  const fullIn = fullInOf(seen, path, capacityFlows);
  const within = (flows: number): number => Math.min(capacityFlows, Math.max(0, flows));
  return {
    madeAtMs: nowMs,
    band: {
      atMs: path.map(({ aheadSeconds }) => nowMs + aheadSeconds * 1000),
      expected: path.map(({ flows }) => within(flows)),
      low: path.map(({ low }) => within(low)),
      high: path.map(({ high }) => within(high)),
    },
    ...(fullIn === undefined ? {} : { fullIn }),
    horizonSeconds,
    ...methodOf(seen),
  };
}

/** What there is to go by. */
interface Seen {
  level: number;
  spanSeconds: number;
  /** One of them at least is there. */
  short: Learnt | undefined;
  long: Learnt | undefined;
  shortSurge: Surge | undefined;
  longSurge: Surge | undefined;
  arrivals: ForecastFacts["arrivals"];
}

function look(facts: ForecastFacts): Seen | string {
  const { history, nowMs, capacityFlows, arrivals } = facts;
  const oldestMs = oldestPointMs(history);
  if (oldestMs === undefined) return "nothing is remembered of the occupancy yet";
  if (!(capacityFlows > 0)) return "the capacity is not known";
  const spanSeconds = Math.min(LONG_SPAN_SECONDS, (nowMs - oldestMs) / 1000);
  const shortStep = Math.min(SHORT_STEP_SECONDS, Math.max(1, Math.floor(spanSeconds / 60)));
  const shortGrid = gridOf(history, nowMs, Math.min(SHORT_SPAN_SECONDS, spanSeconds), shortStep);
  const leastFlows = LEAST_SURGE_SHARE * capacityFlows;
  const short = learn(withoutSteps(shortGrid, leastFlows));
  const longStep = Math.min(LONG_STEP_SECONDS, Math.max(shortStep, Math.ceil(spanSeconds / YOUNG_SLOTS)));
  const long =
    spanSeconds < 1.5 * SHORT_SPAN_SECONDS ? undefined : learn(gridOf(history, nowMs, spanSeconds, longStep));
  const recent = lastKnown(shortGrid.flows, Math.ceil(STALE_SECONDS / shortStep));
  const last = recent.at(-1) ?? (long === undefined ? undefined : lastKnown(long.grid.flows, 2).at(-1));
  if (last === undefined) return "occupancy was not measured in the last minutes";
  if (short === undefined && long === undefined) {
    const watched = `${Math.max(0, Math.round(spanSeconds))} s`;
    return spanSeconds < LEAST_SPAN_SECONDS
      ? `occupancy has been watched for ${watched} only; half a minute is needed`
      : `of the last ${watched} too little was measured; half a minute without a break is needed`;
  }
  if (spanSeconds < YOUNG_SECONDS && hasJustJumped(gridOf(history, nowMs, 30, 1).flows, leastFlows)) {
    return "occupancy has just jumped, and it is seen in some seconds only whether that goes on";
  }
  const surgeFacts = {
    leastFlows,
    ...(arrivals === undefined ? {} : { arrivals }),
  };
  const seen = short === undefined ? undefined : surgeIn(short, last, { ...surgeFacts, onTop: false });
  const shortSurge =
    seen === undefined || isOver(seen, gridOf(history, nowMs, 10, 1).flows) ? undefined : seen;
  // Like with like: what was foretold there are means of ten minutes.
  const longSurge =
    long === undefined
      ? undefined
      : surgeIn(long, long.grid.flows.at(-1) ?? NaN, { ...surgeFacts, onTop: true });
  const minute = recent.slice(-Math.ceil(60 / shortStep));
  const steady = minute.length === 0 ? last : levelOf(minute, shortGrid.flows, capacityFlows);
  const level = shortSurge === undefined ? steady : (lastReading(history) ?? last);
  return { level, spanSeconds, short, long, shortSurge, longSurge, arrivals };
}

interface PathPoint {
  aheadSeconds: number;
  flows: number;
  low: number;
  high: number;
}

function pathOf(seen: Seen, horizonSeconds: number): PathPoint[] {
  return timesAhead(horizonSeconds).map((aheadSeconds) => {
    const base = baseAt(seen, aheadSeconds);
    const adds = addsAt(seen, aheadSeconds);
    return {
      aheadSeconds,
      flows: base.flows + adds.flows,
      low: base.low + adds.lowFlows,
      high: base.high + adds.highFlows,
    };
  });
}

function timesAhead(horizonSeconds: number): number[] {
  const times = NEAR_SECONDS.filter((seconds) => seconds < horizonSeconds);
  for (let at = 1800; at < horizonSeconds; at += at < DAY_SECONDS / 2 ? 1800 : 3600) times.push(at);
  return [...times, horizonSeconds];
}

/** By what the history teaches. */
function baseAt(
  { level, short, long, shortSurge }: Seen,
  aheadSeconds: number,
): Omit<PathPoint, "aheadSeconds"> {
  const taught = short === undefined ? undefined : toldBy(short, level, aheadSeconds);
  const near = taught === undefined || shortSurge === undefined ? taught : movedTo(level, taught);
  const far = long === undefined ? undefined : toldBy(long, level, aheadSeconds);
  if (near === undefined || far === undefined)
    return near ?? far ?? { flows: level, low: level, high: level };
  const between = Math.log(aheadSeconds / SHORT_UNTIL_SECONDS);
  const share = Math.min(1, Math.max(0, between / Math.log(LONG_FROM_SECONDS / SHORT_UNTIL_SECONDS)));
  const mix = (a: number, b: number): number => a + (b - a) * share;
  return { flows: mix(near.flows, far.flows), low: mix(near.low, far.low), high: mix(near.high, far.high) };
}

/** The surge is the trend: none is added to it. */
function movedTo(level: number, told: Omit<PathPoint, "aheadSeconds">): Omit<PathPoint, "aheadSeconds"> {
  const { flows, low, high } = told;
  return { flows: level, low: level + low - flows, high: level + high - flows };
}

function toldBy(learnt: Learnt, level: number, aheadSeconds: number): Omit<PathPoint, "aheadSeconds"> {
  const { stepSeconds, belowFlows, aboveFlows } = learnt.grid;
  const { flows, lowError, highError } = learnt.tell(
    level,
    Math.max(1, Math.round(aheadSeconds / stepSeconds)),
  );
  return {
    flows,
    low: flows - Math.hypot(lowError, belowFlows),
    high: flows + Math.hypot(highError, aboveFlows),
  };
}

function addsAt({ shortSurge, longSurge }: Seen, aheadSeconds: number): ReturnType<typeof surgeAdds> {
  const all = [shortSurge, longSurge].filter((surge) => surge !== undefined);
  const adds = all.map((surge) => surgeAdds(surge, aheadSeconds));
  return {
    flows: Math.max(0, ...adds.map(({ flows }) => flows)),
    lowFlows: Math.min(0, ...adds.map(({ lowFlows }) => lowFlows)),
    highFlows: Math.max(0, ...adds.map(({ highFlows }) => highFlows)),
  };
}

function fullInOf(
  { level, long }: Seen,
  path: readonly PathPoint[],
  capacityFlows: number,
): Forecast["fullIn"] {
  const teethFlows = long?.grid.teethFlows ?? 0;
  const start = { aheadSeconds: 0, flows: level, low: level, high: level };
  const crossing = (flowsOf: (point: PathPoint) => number): number | undefined => {
    let before: PathPoint = start;
    if (level >= capacityFlows) return 0;
    for (const point of path) {
      if (flowsOf(point) >= capacityFlows) {
        const rise = flowsOf(point) - flowsOf(before);
        const share = rise > 0 ? Math.max(0, (capacityFlows - flowsOf(before)) / rise) : 1;
        return before.aheadSeconds + share * (point.aheadSeconds - before.aheadSeconds);
      }
      before = point;
    }
    return undefined;
  };
  const earliestSeconds = crossing(({ high }) => high);
  if (earliestSeconds === undefined) return undefined;
  // It is full when the teeth of what waits for the collector touch the limit, before their mean does. In the
  // next minutes what is told is a tooth itself.
  const seconds = crossing(
    ({ flows, aheadSeconds }) => flows + (aheadSeconds > SHORT_UNTIL_SECONDS ? teethFlows : 0),
  );
  const latestSeconds = crossing(({ low }) => low);
  return {
    ...(seconds === undefined ? {} : { seconds }),
    earliestSeconds,
    ...(latestSeconds === undefined ? {} : { latestSeconds }),
  };
}

function methodOf(seen: Seen): Pick<Forecast, "method" | "how"> {
  const learnt = seen.long ?? seen.short;
  const surge = seen.shortSurge ?? seen.longSurge;
  const day = DAY_SECONDS / (learnt?.grid.stepSeconds ?? 1);
  const foremost = learnt?.foremost(Math.min(day, learnt.reachSlots));
  const { name } = foremost?.way ?? { name: "level" };
  const seasonal = name === "daily" || name === "weekly" ? name : "trend";
  return {
    method: surge === undefined ? seasonal : "arrivals",
    how: howText({ ...seen, surge, foremost }),
  };
}

function untold({ nowMs }: ForecastFacts, unknown: string): Forecast {
  return {
    madeAtMs: nowMs,
    band: { atMs: [], expected: [], low: [], high: [] },
    horizonSeconds: 0,
    method: "none",
    unknown,
    how: `No forecast: ${unknown}.`,
  };
}
