/**
 * New flows lost although the table has room: chains too long, buckets too few, clashes.
 */
import type { Finding, Level } from "../../table/finding.ts";
import { parseKernelRelease } from "../../table/kernel-release.ts";
import { dropsNow, dropsSinceBoot } from "../drops.ts";
import type { Facts } from "../facts.ts";
import { type ChainLimits, chainLimitsOf, chainLossShare } from "../load.ts";
import { keepAfterReboot, lookCloser, setBuckets } from "../remedies.ts";
import { defaultFlowsPerBucket } from "../../table/sizes.ts";
import { tableFigures } from "../table-figures.ts";
import { amountOf, groupDigits, percent } from "../wording.ts";
import { evidenceOf, LOSING_NOW } from "./rule.ts";

/** A silent loss from which on it is worth a warning when full, and an alarm now. */
const LOSS_SHARE_WARNING = 0.002;
const LOSS_SHARE_CRITICAL = 0.01;

/** A loss below this is not worth a title. */
const LOSS_SHARE_SHOWN = 0.0001;

/**
 * Flows a bucket above which every lookup walks so many nodes that it costs, whether or not a kernel refuses
 * them.
 */
const LOAD_WARNING = 16;

/** Flows a bucket up to which nothing is said where the kernel's own choice is lower. */
const LOAD_UNREMARKABLE = 4;

/** Losses a minute from which clashes are worth a warning. */
const CLASHES_PER_MINUTE_WARNING = 1;

const SILENT_LOSS =
  "The packets were dropped while the table had room, without a log line or a move of the drop counter.";

const CLASH_MEANING =
  "Two packets of one new flow arrived at once, or NAT had no port left for it; the later packet was " +
  "dropped, whatever room the table had. DNS lookups that take 5 seconds look like this.";

interface Loads {
  now: number;
  /** With this namespace's table full and the others as they are; absent without a limit. */
  full?: number;
  limits: ChainLimits;
  lossNow: number;
  lossFull: number;
  /** The same by the mildest limit this kernel may have. */
  bestLossNow: number;
  bestLossFull: number;
}

function loadsOf(facts: Facts): Loads | undefined {
  const { hostFlows, occupancyFlows, capacityFlows, bucketCount, unlimited } = tableFigures(facts);
  if (bucketCount === undefined) return undefined;
  const limits = chainLimits(facts);
  const loss = (load: number, limit: ChainLimits["worst"]): number =>
    limit === undefined ? 0 : chainLossShare(load, limit);
  const now = (hostFlows ?? 0) / bucketCount;
  const others = (hostFlows ?? 0) - (occupancyFlows ?? 0);
  const full =
    capacityFlows === undefined || unlimited
      ? undefined
      : Math.max(now, (capacityFlows + others) / bucketCount);
  return {
    now,
    ...(full === undefined ? {} : { full }),
    limits,
    lossNow: loss(now, limits.worst),
    lossFull: loss(full ?? now, limits.worst),
    bestLossNow: loss(now, limits.best),
    bestLossFull: loss(full ?? now, limits.best),
  };
}

function chainLimits(facts: Facts): ChainLimits {
  const { kernelRelease } = facts.host;
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  return chainLimitsOf(release, facts.counters?.total.chainTooLong !== undefined);
}

/** `buckets-too-few`: the loss that the load of the hash causes, now and when full. */
export function bucketsTooFew(facts: Facts): readonly Finding[] {
  const { bucketCount, capacityFlows } = tableFigures(facts);
  const loads = loadsOf(facts);
  if (loads === undefined || bucketCount === undefined) return [];
  const level = bucketsLevel(facts, loads);
  if (level === undefined) return [];
  const title =
    loads.lossFull >= LOSS_SHARE_SHOWN
      ? `Too few buckets: new connections lost in silence, ${lossText(loads)}`
      : `Too few buckets: ${loadText(loads)}`;
  return [
    {
      code: "buckets-too-few",
      level,
      title,
      evidence: evidenceOf({
        bucketCount,
        capacityFlows,
        flowsPerBucketNow: loads.now,
        flowsPerBucketWhenFull: loads.full,
        predictedLossShareNow: loads.lossNow,
        predictedLossShareWhenFull: loads.lossFull,
        predictedLossShareWhenFullAtBest: loads.bestLossFull,
        chainLimitFromNodes: loads.limits.worst?.fromNodes,
        chainLimitToNodes: loads.limits.worst?.toNodes,
      }),
      meaning: bucketsMeaning(loads),
      remedy: [...setBuckets(facts), keepAfterReboot],
    },
  ];
}

function bucketsLevel(facts: Facts, loads: Loads): Level | undefined {
  if (loads.lossNow >= LOSS_SHARE_CRITICAL) return "critical";
  const full = loads.full ?? loads.now;
  if (loads.lossFull >= LOSS_SHARE_WARNING || full > LOAD_WARNING) return "warning";
  const usual = Math.max(LOAD_UNREMARKABLE, defaultFlowsPerBucket(facts.host.kernelRelease) ?? 0);
  return full > usual ? "ok" : undefined;
}

/** `about 5.4 % when full`, `0.22 % to 99 % when full` where the release does not settle it. */
function lossText(loads: Loads): string {
  const losing = loads.lossNow >= LOSS_SHARE_WARNING;
  const worst = percent(losing ? loads.lossNow : loads.lossFull);
  const best = percent(losing ? loads.bestLossNow : loads.bestLossFull);
  return `${best === worst ? `about ${worst}` : `${best} to ${worst}`} ${losing ? "now" : "when full"}`;
}

/** `18 flows a bucket when full`. */
function loadText(loads: Loads): string {
  const text = `${Number((loads.full ?? loads.now).toPrecision(2))} flows a bucket`;
  return loads.full === undefined ? text : `${text} when full`;
}

function bucketsMeaning(loads: Loads): string {
  const nodes = groupDigits(2 * (loads.full ?? loads.now));
  const cost = `There are ${loadText(loads)}: every lookup walks a chain of about ${nodes} nodes.`;
  const { worst, best } = loads.limits;
  if (worst === undefined) return `${cost} This kernel drops nothing for it, but spends its time there.`;
  const rule =
    `This kernel refuses a new flow when its chain has ${worst.fromNodes} to ${worst.toNodes} nodes: the ` +
    "packet is dropped, nothing is logged, and the table looks as if it had room";
  const certain = best !== undefined && best.fromNodes === worst.fromNodes;
  if (certain) return `${rule}. ${cost}`;
  const milder =
    best === undefined
      ? "kernels before 5.15 have no such limit"
      : `updates have ${best.fromNodes} to ${best.toNodes}, which makes it ${percent(loads.bestLossFull)}`;
  return `${rule} (by release, the worst case: ${milder}). ${cost}`;
}

/** `chain-too-long`: the kernel has counted new flows that it refused for it. */
export function chainTooLong(facts: Facts): readonly Finding[] {
  const refused = dropsSinceBoot(facts).chainTooLongPackets ?? 0;
  const now = dropsNow(facts);
  const grown = now?.chainTooLongPackets ?? 0;
  if (refused === 0) return [];
  const loads = loadsOf(facts);
  const stillPossible = loads === undefined || loads.lossFull >= LOSS_SHARE_WARNING;
  const quiet: Level = stillPossible ? "warning" : "ok";
  const pace = now === undefined ? undefined : grown / now.seconds;
  const justNow = grown > 0 ? `, ${groupDigits(grown)} of them just now` : "";
  return [
    {
      code: "chain-too-long",
      level: grown > 0 ? "critical" : quiet,
      title: `${amountOf(refused, "new connection")} lost since boot, hash chain too long${justNow}`,
      evidence: evidenceOf({
        chainTooLongPacketsSinceBoot: refused,
        [LOSING_NOW]: pace,
        flowsPerBucketNow: loads?.now,
        flowsPerBucketWhenFull: loads?.full,
        predictedLossShareNow: loads?.lossNow,
      }),
      meaning: stillPossible
        ? `${SILENT_LOSS} The cause is too few buckets for this many flows.`
        : `${SILENT_LOSS} It should not happen with the buckets of today; if it does, somebody aims at it.`,
      remedy: stillPossible ? [...setBuckets(facts), keepAfterReboot] : [lookCloser],
    },
  ];
}

/**
 * `insert-clash`: two packets raced to create the same flow, or no NAT port was left, and the later one was
 * dropped.
 */
export function insertClash(facts: Facts): readonly Finding[] {
  const sinceBoot = dropsSinceBoot(facts);
  const now = dropsNow(facts);
  const grown = now?.clashPackets ?? 0;
  const lost = sinceBoot.clashPackets ?? 0;
  if (lost === 0) return [];
  const { uptimeSeconds } = facts.host;
  const perMinute =
    uptimeSeconds === undefined || uptimeSeconds <= 0 ? undefined : (lost * 60) / Math.max(60, uptimeSeconds);
  const perMinuteNow = now === undefined ? undefined : (grown * 60) / now.seconds;
  const often = Math.max(perMinute ?? 0, perMinuteNow ?? 0) >= CLASHES_PER_MINUTE_WARNING;
  const justNow = grown > 0 ? `, ${groupDigits(grown)} of them just now` : "";
  return [
    {
      code: "insert-clash",
      level: often ? "warning" : "ok",
      title: `Up to ${amountOf(lost, "packet")} lost to clashes since boot${justNow}`,
      evidence: evidenceOf({
        clashPacketsSinceBoot: lost,
        clashPacketsPerMinute: perMinute,
        [LOSING_NOW]: now === undefined ? undefined : grown / now.seconds,
        clashesResolvedSinceBoot: sinceBoot.clashesResolved,
      }),
      meaning:
        sinceBoot.clashesResolved === undefined
          ? CLASH_MEANING
          : `${CLASH_MEANING} Clashes that the kernel resolved are harmless.`,
      remedy: [
        {
          text: "Look at the rules of source NAT: --random-fully and more addresses make clashes rare.",
          command: "iptables -t nat -S POSTROUTING",
        },
        {
          text: "For DNS from glibc: options single-request-reopen in /etc/resolv.conf.",
        },
      ],
    },
  ];
}
