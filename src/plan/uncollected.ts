/**
 * Flows that have expired and still count: nf_conntrack_count holds them until the collector comes round
 * (kernel: gc_worker, nf_conntrack_core.c). No listing shows them, and a table is full of them as well.
 *
 * How often it comes depends on the kernel: 4.9 to 5.13 walk the table in about 16 s, 5.14 (and by backport
 * 5.4 and 5.10) every two minutes, 5.15 and newer after the average of what the flows of the WHOLE MACHINE
 * (all namespaces) have left, between 1 s and 60 s, an average that begins as if a hundred nodes had a minute
 * left and that is kept in whole ticks, so that it moves less the more flows there are. Older kernels have a
 * timer per flow and nothing to collect.
 */
import { isSince, type KernelRelease } from "../table/kernel-release.ts";

/** Flows alive with a remaining time between two bounds, evenly spread. A census' bins do. */
export interface RemainingSpan {
  flows: number;
  fromSeconds: number;
  /** Absent: without upper end. */
  toSeconds?: number;
}

export interface ExpiryFacts {
  /** Flows that come to their end by their timeout in a second, in the namespace asked about. */
  expiriesPerSecond: number;
  /** Flows alive by what they have left: of the whole machine, as far as known. */
  remaining: readonly RemainingSpan[];
  /** The running kernel's; without it the rules of the newest are taken. */
  kernelRelease?: KernelRelease;
  /** CONFIG_HZ; 250 when absent. */
  ticksPerSecond?: number;
  /**
   * Packets a second that look for a flow, in the whole machine: each reaps what is expired in the chain it
   * walks. As many as flows expire when absent.
   */
  lookupsPerSecond?: number;
  /** nf_conntrack_buckets. Without it what packets reap is taken as nothing: too many are foretold then. */
  bucketCount?: number;
}

export interface Uncollected {
  /** On average over time, and just before the collector comes. */
  meanFlows: number;
  peakFlows: number;
  /** Seconds between two passes; 0 on kernels without a collector. */
  intervalSeconds: number;
  /** For people: which rule, of which kernel, with what. */
  how: string;
}

/** Since 5.15: an average that begins as if so many nodes had so much left, of values within bounds. */
const SEED_SECONDS = 60;
const SEED_NODES = 100;
/** 5.18 to 6.0: it begins with one node that has all the time a number holds. */
const HUGE_SEED_TICKS = 0x7fff_ffff;
const LEAST_SECONDS = 1;
const MOST_SECONDS = 300;
const LONGEST_SECONDS = 60;
/** Flows that a pass removes in a second at most: it rests for a tick after each tick's share. */
const REMOVED_PER_SECOND = 64_000;
const TWO_MINUTES_SECONDS = 120;
/** Until 5.13, at the longest. */
const WHOLE_TABLE_SECONDS = 16;
const DEFAULT_TICKS = 250;
/** A flow lies in the hash twice, once a direction, and is met twice. */
const NODES_PER_FLOW = 2;
/** Steps through the golden ratio visit a distribution evenly, as chance does without its noise. */
const GOLDEN_SHARE = 0.618_033_988_749_894_9;

type Rule = "none" | "by-share" | "every-two-minutes" | "huge-seed" | "by-average";

/** How many expired flows a namespace's count holds, by the rules of its kernel's collector. */
export function uncollectedFlows(facts: ExpiryFacts): Uncollected {
  const rule = ruleOf(facts.kernelRelease);
  const intervalSeconds = intervalOf(rule, facts);
  const { expiriesPerSecond } = facts;
  const passing = passingShare(facts);
  // Between passes x' = expiries - passing * x. Without passing packets that is a saw-tooth.
  const full = passing * intervalSeconds;
  const grown = full < 1e-6 ? intervalSeconds * (1 - full / 2) : -Math.expm1(-full) / passing;
  const meanSeconds =
    full < 1e-3 ? (intervalSeconds / 2) * (1 - full / 3) : (1 - grown / intervalSeconds) / passing;
  // A pass of many flows takes its time, in which the buckets behind it go on filling and those before it are
  // empty already: the same on average, less at the peak.
  const passShare = Math.min(1, expiriesPerSecond / REMOVED_PER_SECOND);
  const meanFlows = expiriesPerSecond * meanSeconds;
  const peakFlows = Math.max(meanFlows, expiriesPerSecond * grown * (1 - passShare / 2));
  return { meanFlows, peakFlows, intervalSeconds, how: howOf(rule, facts, intervalSeconds) };
}

function ruleOf(release: KernelRelease | undefined): Rule {
  if (release === undefined) return "by-average";
  if (isSince(release, "6.1")) return "by-average";
  if (isSince(release, "5.18")) return "huge-seed";
  if (isSince(release, "5.15")) return "by-average";
  // 5.14, and by backport of August 2021 the long-lived 5.4 and 5.10.
  const backported = [
    { line: "5.10", patch: 57 },
    { line: "5.4", patch: 139 },
  ];
  const hasBackport = backported.some(
    ({ line, patch }) => release.text.startsWith(`${line}.`) && release.patch >= patch,
  );
  if (hasBackport || isSince(release, "5.14")) return "every-two-minutes";
  return isSince(release, "4.9") ? "by-share" : "none";
}

function intervalOf(rule: Rule, facts: ExpiryFacts): number {
  switch (rule) {
    case "none":
      return 0;
    case "by-share":
      return wholeTableSeconds(facts);
    case "every-two-minutes":
      return TWO_MINUTES_SECONDS;
    case "huge-seed":
    case "by-average":
      return averageInterval(rule, facts);
  }
}

/** Shares follow each other faster while more than half of what they hold has expired. */
function wholeTableSeconds({ expiriesPerSecond, remaining }: ExpiryFacts): number {
  const aliveFlows = remaining.reduce((sum, { flows }) => sum + flows, 0);
  return expiriesPerSecond === 0
    ? WHOLE_TABLE_SECONDS
    : Math.min(WHOLE_TABLE_SECONDS, aliveFlows / expiriesPerSecond);
}

/** The running average as the kernel keeps it: in whole ticks, each step cut towards zero. */
function averageInterval(rule: "huge-seed" | "by-average", facts: ExpiryFacts): number {
  const { remaining, ticksPerSecond = DEFAULT_TICKS } = facts;
  const remainingAt = remainingByShare(remaining);
  let average = rule === "by-average" ? SEED_SECONDS * ticksPerSecond : HUGE_SEED_TICKS;
  let nodes = rule === "by-average" ? SEED_NODES : 1;
  const total = nodes + NODES_PER_FLOW * Math.round(remainingAt.flows);
  const [least, most] = [LEAST_SECONDS * ticksPerSecond, MOST_SECONDS * ticksPerSecond];
  for (let share = 0.5; nodes < total; share = (share + GOLDEN_SHARE) % 1) {
    nodes += 1;
    // Nothing moves it any more.
    if (nodes > most && nodes > average) break;
    const ticks = Math.floor(remainingAt.seconds(share) * ticksPerSecond);
    average += Math.trunc((Math.min(Math.max(ticks, least), most) - average) / nodes);
  }
  return Math.min(Math.max(average / ticksPerSecond, LEAST_SECONDS), LONGEST_SECONDS);
}

/** The quantile function of what is left: seconds for a share of 0 to 1. */
function remainingByShare(spans: readonly RemainingSpan[]): {
  flows: number;
  seconds: (share: number) => number;
} {
  const filled = spans.filter(({ flows }) => flows > 0);
  const flows = filled.reduce((sum, span) => sum + span.flows, 0);
  const seconds = (share: number): number => {
    let rest = share * flows;
    for (const span of filled) {
      if (rest < span.flows) {
        const width = (span.toSeconds ?? span.fromSeconds) - span.fromSeconds;
        return span.fromSeconds + (width * rest) / span.flows;
      }
      rest -= span.flows;
    }
    return filled.at(-1)?.fromSeconds ?? LONGEST_SECONDS;
  };
  return { flows, seconds };
}

/**
 * Share of the expired flows that passing packets reap in a second: the chain of either direction is walked.
 * Every flow that comes to its end had a packet at least.
 */
function passingShare({ lookupsPerSecond = 0, bucketCount, expiriesPerSecond }: ExpiryFacts): number {
  if (bucketCount === undefined) return 0;
  return (NODES_PER_FLOW * Math.max(lookupsPerSecond, expiriesPerSecond)) / bucketCount;
}

function howOf(rule: Rule, { kernelRelease }: ExpiryFacts, intervalSeconds: number): string {
  const kernel = kernelRelease === undefined ? "a present kernel" : `kernel ${kernelRelease.text}`;
  const every = `every ${intervalSeconds.toFixed(intervalSeconds < 10 ? 1 : 0)} s`;
  switch (rule) {
    case "none":
      return `${kernel} ends each flow by a timer of its own`;
    case "by-share":
      return `${kernel} walks the whole table about ${every}`;
    case "every-two-minutes":
      return `${kernel} collects expired flows ${every}`;
    case "huge-seed":
    case "by-average":
      return `${kernel} collects expired flows ${every}, by what all flows of the machine have left`;
  }
}
