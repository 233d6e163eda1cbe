/**
 * How occupancy moves from now, when other settings come into force, to the long run.
 *
 * A flow keeps the time its last packet gave it. So two populations follow each other: flows that were silent
 * when the settings changed and still are, which end by the old timeout, and those that got a packet since,
 * which live by the new one. Of the second there are, at a silence below t, what the life table has below
 * min(t, new timeout). Of the first, flows that were `a` silent are `a + t` silent now, as many as survive
 * that, and none beyond the old timeout. At the beginning that is what was counted; at the end, the long run
 * of whatif.ts.
 *
 * What no idle age tells (flows of unknown age, expired ones that still count) goes over from the one figure
 * to the other in a straight line.
 */
import type { LifeTable } from "./life-table.ts";
import { type Observation, RANGE_ERRORS, scaleOf, type StationaryRegime } from "./stationary.ts";
import type { WhatIf } from "./whatif.ts";

/** Points of the curve: closer together at the beginning, where states with short timeouts move. */
const POINTS = 49;
/** Ages that are looked at together. */
const SPANS = 40;
/** Where no timeout is changed the next hour is shown. */
const USUAL_SECONDS = 3600;

/** Columns of one length; the first point is now. */
export interface WhatIfCurve {
  afterSeconds: number[];
  /** Occupancy as the kernel counts; of a listing without its host, flows that are listed. */
  flows: number[];
  /** 19 times of 20 it is between. */
  low: number[];
  high: number[];
}

/** The way to `answer.after`; `answer` is what whatIf said of the same observation. */
export function whatIfCurve(observation: Observation, answer: WhatIf): WhatIfCurve {
  const reach = answer.reachedAfterSeconds ?? USUAL_SECONDS;
  const { regimes } = observation.second;
  const scale = scaleOf(observation.second);
  const ways = answer.stationary.regimes.map((regime, index) =>
    wayOf(regime, regimes[index]?.ages ?? new Uint32Array(0), scale),
  );
  const curve: WhatIfCurve = { afterSeconds: [], flows: [], low: [], high: [] };
  const { occupancyFlows } = answer.before;
  // Without the kernel's own count nobody knows how many expired ones count now: then they are left out.
  const expiredNow = occupancyFlows === undefined ? 0 : Math.max(0, occupancyFlows - answer.before.flows);
  const expiredThen = occupancyFlows === undefined ? 0 : answer.uncollected.meanFlows;
  for (let point = 0; point < POINTS; point += 1) {
    const after = Math.round((point / (POINTS - 1)) ** 2 * reach);
    if (after <= (curve.afterSeconds.at(-1) ?? -1)) continue;
    const share = after / reach;
    const expired = expiredNow + (expiredThen - expiredNow) * share;
    const { flows, low, high } = together(ways.map((way) => way(after)));
    curve.afterSeconds.push(after);
    curve.flows.push(round(flows + expired));
    curve.low.push(round(low + expired));
    curve.high.push(round(high + expired));
  }
  return curve;
}

/** Flows of one regime at a time, without and with what is not known of survival, and the variance. */
interface Place {
  flows: number;
  leastFlows: number;
  mostFlows: number;
  variance: number;
}

/** Errors of regimes are independent; what is unknown of survival may go the same way in all of them. */
function together(places: readonly Place[]): { flows: number; low: number; high: number } {
  const sum = (value: (place: Place) => number): number =>
    places.reduce((total, place) => total + value(place), 0);
  const error = RANGE_ERRORS * Math.sqrt(sum(({ variance }) => variance));
  return {
    flows: sum(({ flows }) => flows),
    low: Math.max(0, sum(({ leastFlows }) => leastFlows) - error),
    high: sum(({ mostFlows }) => mostFlows) + error,
  };
}

/** The way of one regime: where it is after so many seconds. */
function wayOf(regime: StationaryRegime, ages: Uint32Array, scale: number): (after: number) => Place {
  const { lifeTable, inForceSeconds, timeoutSeconds, nowFlows, balanceFactor = 1 } = regime;
  const still = (flows: number): Place => ({ flows, leastFlows: flows, mostFlows: flows, variance: 0 });
  if (lifeTable === undefined || inForceSeconds === undefined || timeoutSeconds === undefined) {
    return () => still(nowFlows);
  }
  const spans = spansOf(ages, inForceSeconds);
  const reach = Math.max(1, inForceSeconds, timeoutSeconds);
  const tableScale = scale * balanceFactor;
  const end = lifeTable.upTo(timeoutSeconds);
  const othersNow = nowFlows - spans.reduce((total, { flows }) => total + flows, 0) * scale;
  const othersThen = regime.flows - end.flows * tableScale;
  return (after) => {
    if (after <= 0) return still(nowFlows);
    const renewed = lifeTable.upTo(Math.min(after, timeoutSeconds));
    const old = stayingOf(lifeTable, spans, after, inForceSeconds);
    const share = Math.min(1, after / reach);
    const others = othersNow + (othersThen - othersNow) * share;
    const rest = Math.max(0, old.flows * scale + others);
    const flows = renewed.flows * tableScale + rest;
    // At the end, the errors of the long run: what is unknown of the others comes with them.
    const unknown = {
      least: regime.leastFlows - end.lowFlows * tableScale,
      most: regime.mostFlows - end.highFlows * tableScale,
    };
    return {
      flows,
      leastFlows: Math.max(0, renewed.lowFlows * tableScale + rest + (unknown.least - othersThen) * share),
      mostFlows: renewed.highFlows * tableScale + rest + (unknown.most - othersThen) * share,
      variance:
        renewed.variance * tableScale ** 2 +
        renewed.flows * tableScale +
        old.variance * scale ** 2 +
        (regime.standardErrorFlows ** 2 - end.variance * tableScale ** 2 - end.flows * tableScale) * share,
    };
  };
}

/** Flows by how long they were silent when the settings changed. */
interface Span {
  from: number;
  to: number;
  flows: number;
}

/** Short spans for the young, of whom there are most. */
function spansOf(ages: Uint32Array, timeoutSeconds: number): Span[] {
  const last = Math.min(ages.length, Math.ceil(timeoutSeconds));
  const edges = Array.from({ length: SPANS + 1 }, (_, index) => Math.round((index / SPANS) ** 2 * last));
  return edges.slice(1).flatMap((to, index) => {
    const from = edges[index] ?? 0;
    let flows = 0;
    for (let age = from; age < to; age += 1) flows += ages[age] as number;
    return flows === 0 ? [] : [{ from, to, flows }];
  });
}

/** Of flows that were silent then, those that still are, and are still there. */
function stayingOf(
  table: LifeTable,
  spans: readonly Span[],
  after: number,
  timeoutSeconds: number,
): { flows: number; variance: number } {
  const upTo = (seconds: number): number => table.upTo(Math.min(seconds, timeoutSeconds)).flows;
  let [flows, variance] = [0, 0];
  for (const span of spans) {
    if (span.from + after >= timeoutSeconds) continue;
    const before = upTo(span.to) - upTo(span.from);
    const later = upTo(span.to + after) - upTo(span.from + after);
    // Where the table says nothing of an age, they stay until their time is over.
    const whole = Math.min(1, (timeoutSeconds - span.from - after) / (span.to - span.from));
    const share = before > 0 ? Math.min(1, later / before) : whole;
    flows += span.flows * share;
    variance += span.flows * share * (1 - share);
  }
  return { flows, variance };
}

function round(flows: number): number {
  return Math.round(Math.max(0, flows) * 10) / 10;
}
