/**
 * From an observation to what a plan is made of: the flows there will be in balance under other timeouts, the
 * expired ones that still count included, and the services that make most of them.
 */
import type { Arrivals } from "../census/census.ts";
import type { SettingKey, Settings } from "../table/settings.ts";
import type { ExpectedPart, Expectation } from "./plan-shape.ts";
import type { ServiceLoad } from "./relief.ts";
import { type Observation, type StationaryRegime, stationaryModel, wantedTimeout } from "./stationary.ts";
import { uncollectedFlows } from "./uncollected.ts";

/** What is known of the rest of the machine: it has one collector for all namespaces. */
export interface OtherLoad {
  /** Flows that counted here and were not listed: the expired ones, where no events told how many come. */
  unlistedFlows: number;
  /** Flows of other namespaces. */
  otherFlows: number;
  bucketCount?: number;
}

/**
 * Packets of a flow at the least: each looks through a chain and reaps what has expired there. A TCP flow
 * that carries a question and an answer has 3 to open, 2 of data and 2 that acknowledge them, and 3 to close;
 * another one has one each way.
 */
const TCP_PACKETS = 10;
const ANSWERED_PACKETS = 2;

/** The longest time left that the collector reckons with (uncollected.ts). */
const LONG_LEFT_SECONDS = 300;

/** What is to be expected under wanted settings. */
export function expectationOf(observation: Observation, other: OtherLoad): Expectation {
  const model = stationaryModel(observation);
  return (wanted) => {
    const { total, regimes } = model(wanted);
    const expired = expiredOf(observation, regimes, other);
    return {
      flows: total.flows + expired.uncollectedFlows,
      standardErrorFlows: total.standardErrorFlows,
      lowFlows: total.lowFlows + expired.uncollectedFlows,
      highFlows: total.highFlows + expired.uncollectedFlows,
      ...expired,
      keptFlows: keptFlows(observation, wanted) + other.unlistedFlows,
      parts: partsOf(regimes),
    };
  };
}

/** Flows of today that are not silent for as long as their timeout would be; of unknown silence all. */
function keptFlows(observation: Observation, wanted: Settings): number {
  const { regimes, flowsRead, ofFlows } = observation.second;
  let kept = 0;
  for (const regime of regimes) {
    const { ages, flows, timeoutSeconds } = regime;
    const then = wantedTimeout(observation, regime, wanted);
    const isShorter = then !== undefined && timeoutSeconds !== undefined && then < timeoutSeconds;
    kept += isShorter ? flows - sumFrom(ages, then) : flows;
  }
  return flowsRead === 0 ? 0 : kept * (ofFlows / flowsRead);
}

function sumFrom(ages: Uint32Array, from: number): number {
  let sum = 0;
  for (let age = from; age < ages.length; age++) sum += ages[age] as number;
  return sum;
}

interface ExpiredFlows {
  uncollectedFlows: number;
  uncollectedPeakFlows?: number;
}

/**
 * In balance as many flows end as are made, and nearly all by their timeout. What flows of other namespaces
 * have left nobody has read: on average they are taken to be like ours, and at worst to last long.
 */
function expiredOf(
  { arrivals, release }: Observation,
  regimes: readonly StationaryRegime[],
  { unlistedFlows, otherFlows, bucketCount }: OtherLoad,
): ExpiredFlows {
  if (arrivals === undefined) return { uncollectedFlows: unlistedFlows };
  const remaining = regimes.flatMap((regime) => regime.remaining);
  const facts = {
    expiriesPerSecond: arrivals.perSecond,
    lookupsPerSecond: leastPackets(arrivals),
    ...(release === undefined ? {} : { kernelRelease: release }),
    ...(bucketCount === undefined ? {} : { bucketCount }),
  };
  const others = otherFlows === 0 ? [] : [{ flows: otherFlows, fromSeconds: LONG_LEFT_SECONDS }];
  return {
    uncollectedFlows: uncollectedFlows({ ...facts, remaining }).meanFlows,
    uncollectedPeakFlows: uncollectedFlows({ ...facts, remaining: [...remaining, ...others] }).peakFlows,
  };
}

function leastPackets({ byProtocol }: Arrivals): number {
  return byProtocol.reduce((sum, { protocol, perSecond, answered = 0, flows }) => {
    const share = flows === 0 ? 0 : answered / flows;
    const each = 1 + share * ((protocol === "tcp" ? TCP_PACKETS : ANSWERED_PACKETS) - 1);
    return sum + perSecond * each;
  }, 0);
}

/** By the setting that governs; what comes a second is only meant where flows are not refreshed. */
function partsOf(regimes: readonly StationaryRegime[]): ExpectedPart[] {
  const byKey = new Map<SettingKey, ExpectedPart>();
  for (const { key, capped, flows, nowFlows, entriesPerSecond, meanSeconds } of regimes) {
    if (key === undefined || capped) continue;
    const before = byKey.get(key);
    const rate = (before?.arrivalsPerSecond ?? 0) + entriesPerSecond;
    const sum = (before?.flows ?? 0) + flows;
    const told = entriesPerSecond > 0 && meanSeconds > 0;
    byKey.set(key, {
      key,
      flows: sum,
      nowFlows: nowFlows + (before?.nowFlows ?? 0),
      ...(told ? { arrivalsPerSecond: rate, heldSeconds: sum / rate } : {}),
    });
  }
  return [...byKey.values()].toSorted((one, other) => other.flows - one.flows);
}

/** UDP and TCP services by what they hold and make. */
export function serviceLoads({ census, arrivals }: Pick<Observation, "census" | "arrivals">): ServiceLoad[] {
  return census.topServices.rows.map(({ protocol, port, flows }) => {
    const made = arrivals?.services.find((row) => row.protocol === protocol && row.port === port);
    const share = { protocol, port, flows, shareOfFlows: flows / Math.max(1, census.flows) };
    if (made === undefined || arrivals === undefined || arrivals.flows === 0) return share;
    const shareOfArrivals = made.flows / arrivals.flows;
    return { ...share, arrivalsPerSecond: made.perSecond, shareOfArrivals };
  });
}
