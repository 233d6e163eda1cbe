/**
 * How many flows there are at the peak, by all that is known: the flows expected in balance, times a factor;
 * those there are now; those of a table that was full since boot. What has been may be again, so the most of
 * them counts. Shorter timeouts lower each by its own measure: the expectation by what it says, the flows
 * there are by how long they are silent, a table that was full by both.
 */
import type { ExpectedFlows, PlanFacts } from "./plan-shape.ts";

/** Flows in balance are not known when their range is wider than this share of them. */
const WIDE_SHARE = 1;

/** Less of a full table than this is no picture of the flows that filled it. */
const LEAST_PICTURE_SHARE = 0.1;

export interface Peaks {
  /** The range of the flows in balance where it is wide and its upper end decides. */
  uncertain?: { lowFlows: number; highFlows: number };
  /** False: what is in the table is too little to tell anything of the peak. */
  picture: boolean;
  /** Flows the rest is judged by: those expected, or those there are if they are more. */
  observedFlows: number;
  /** Flows at the peak with timeouts under which so many are expected. */
  expected(then: ExpectedFlows): number;
  /** The same as the plan reckons with it: where it is uncertain, the least there will be. */
  judged(then: ExpectedFlows): number;
}

/** `before` is expected if nothing is changed; `capacity` is the present one. */
export function peaksOf(facts: PlanFacts, before: ExpectedFlows, capacity: number): Peaks {
  const { goal, presentFlows = 0, wasFullFlows = 0 } = facts;
  const observedFlows = Math.max(before.flows, presentFlows);
  const balanceShare = (then: ExpectedFlows): number => (before.flows === 0 ? 1 : then.flows / before.flows);
  const keptOf = ({ keptFlows }: ExpectedFlows): number => keptFlows ?? 0;
  const keptShare = (then: ExpectedFlows): number =>
    keptOf(before) === 0 ? balanceShare(then) : keptOf(then) / keptOf(before);
  const bothShare = (then: ExpectedFlows): number => {
    const both = before.flows + keptOf(before);
    return both === 0 ? 1 : (then.flows + keptOf(then)) / both;
  };
  const peakOf = (flows: number, then: ExpectedFlows): number =>
    Math.max(
      flows * goal.peakFactor * balanceShare(then),
      presentFlows * keptShare(then),
      wasFullFlows * bothShare(then),
    );
  // Whatever fits, and whatever is less than what there has been, decides nothing.
  const room = Math.max(capacity * goal.targetShare, presentFlows, wasFullFlows);
  const uncertain =
    capacity === 0 ? undefined : uncertainRange(before, (flows) => flows * goal.peakFactor <= room);
  return {
    ...(uncertain === undefined ? {} : { uncertain }),
    picture: observedFlows >= wasFullFlows * LEAST_PICTURE_SHARE,
    observedFlows,
    expected: (then) => peakOf(before.flows, then),
    judged: (then) => peakOf(uncertain?.lowFlows ?? before.flows, then),
  };
}

function uncertainRange(
  { flows, lowFlows, highFlows }: ExpectedFlows,
  fits: (flows: number) => boolean,
): { lowFlows: number; highFlows: number } | undefined {
  if (lowFlows === undefined || highFlows === undefined) return undefined;
  const isWide = highFlows - lowFlows > WIDE_SHARE * flows;
  return isWide && !fits(highFlows) ? { lowFlows, highFlows } : undefined;
}
