/**
 * The table full, near full, filling: occupancy against capacity.
 */
import type { Finding, Level } from "../../table/finding.ts";
import { parseKernelRelease } from "../../table/kernel-release.ts";
import { dropsNow, dropsSinceBoot } from "../drops.ts";
import type { Facts } from "../facts.ts";
import { earlyDropMissShare } from "../load.ts";
import { keepAfterReboot, lookCloser, raiseCapacity, freeNow } from "../remedies.ts";
import { earlierOccupancy, otherNamespaces, tableFigures, thresholdsOf } from "../table-figures.ts";
import { amountOf, groupDigits, percent } from "../wording.ts";
import { loggedEvidence, loggedLines, loggedText, ownerOfLine } from "./logged.ts";
import { namespaceCommand, namespaceText } from "./namespace-text.ts";
import { evidenceOf, LOSING_NOW, remediesOf } from "./rule.ts";
import { roughDuration } from "../../table/duration.ts";

/**
 * The kernel's own line of pressure: from here on its collector evicts as well, and `count` swings below the
 * limit.
 */
const KERNEL_PRESSURE_SHARE = 0.95;

/** A log line this young is of now: the collector may take so long to come by. */
const JUST_NOW_SECONDS = 120;
/** The collector stops a little below the kernel's line of pressure. */
const KEPT_NEAR_LIMIT_SHARE = 0.9;

/** A line through two readings is believed from this much growth on: less is the noise of a living table. */
const GROWTH_SHARE_MIN = 0.0005;
const GROWTH_FLOWS_MIN = 10;
const FULL_WITHIN_WARNING_SECONDS = 3600;
const FULL_WITHIN_CRITICAL_SECONDS = 300;
/** Below this the kernel finds somebody to evict nearly always. */
const MISS_SHARE_WORTH_SAYING = 0.01;

/** Below half a table that fills within the hour may as well be a table after a restart. */
const FILLING_SHARE_MIN = 0.5;

/**
 * `table-full`: as many flows as the limit allows; or the kernel made room for new ones between two readings;
 * or it has just logged a full table that is still near the limit, where its collector keeps it.
 */
export function tableFull(facts: Facts): readonly Finding[] {
  const figures = tableFigures(facts);
  const { occupancyFlows, capacityFlows, useShare } = figures;
  if (occupancyFlows === undefined || capacityFlows === undefined || useShare === undefined) return [];
  const now = dropsNow(facts);
  const lost = now?.noRoomPackets ?? 0;
  const evicted = now?.evictedFlows ?? 0;
  const logged = loggedLines(facts, "table-full", (tally) => ownerOfLine(facts, tally) !== "other");
  const atLimit = Math.max(occupancyFlows, earlierOccupancy(facts) ?? 0) >= capacityFlows;
  const madeRoom = evicted > 0 || (lost > 0 && useShare >= KERNEL_PRESSURE_SHARE);
  const justLogged =
    (logged?.secondsAgo ?? Infinity) <= JUST_NOW_SECONDS && useShare >= KEPT_NEAR_LIMIT_SHARE;
  if (!atLimit && !madeRoom && !justLogged) return [];
  const eviction = evictionOutlook(facts);
  const sinceBoot = dropsSinceBoot(facts);
  const lostPerSecond = now === undefined ? undefined : lost / now.seconds;
  const inLog = logged === undefined ? "" : ` (${loggedText(logged)})`;
  return [
    {
      code: "table-full",
      level: "critical",
      title: fullTitle(occupancyFlows, capacityFlows, lostPerSecond),
      evidence: evidenceOf({
        occupancyFlows,
        capacityFlows,
        useShare,
        bucketCount: figures.bucketCount,
        [LOSING_NOW]: lostPerSecond,
        evictedFlowsPerSecond: now === undefined ? undefined : evicted / now.seconds,
        droppedPacketsSinceBoot: sinceBoot.noRoomPackets,
        evictedFlowsSinceBoot: sinceBoot.evictedFlows,
        ...eviction?.figures,
        ...loggedEvidence(logged, facts),
        logLine: logged?.sample,
      }),
      meaning:
        "New connections are dropped unless the kernel finds an unassured flow to evict; existing ones go " +
        `on${inLog}.${eviction?.sentence ?? ""}`,
      remedy: remediesOf(raiseCapacity(facts), freeNow(facts), lookCloser, keepAfterReboot),
    },
  ];
}

function fullTitle(occupancyFlows: number, capacityFlows: number, lostPerSecond: number | undefined): string {
  const figures = `${groupDigits(occupancyFlows)} of ${groupDigits(capacityFlows)} flows`;
  if (lostPerSecond !== undefined && lostPerSecond > 0) {
    return `Table full: ${figures}, ${rateText(lostPerSecond)} dropped`;
  }
  return occupancyFlows >= capacityFlows
    ? `Table full: ${figures}`
    : `Table full a moment ago: ${figures} now`;
}

/** `near-full`: this namespace, and every other one that has reached a threshold without being full. */
export function nearFull(facts: Facts): readonly Finding[] {
  const { occupancyFlows, capacityFlows, useShare, headroomFlows, bucketCount } = tableFigures(facts);
  const findings: Finding[] = [];
  const level = nearLevel(facts, useShare);
  const full = tableFull(facts).length > 0;
  if (level !== "ok" && !full && occupancyFlows !== undefined && capacityFlows !== undefined) {
    const eviction = evictionOutlook(facts);
    const room = `${groupDigits(occupancyFlows)} of ${groupDigits(capacityFlows)} flows`;
    findings.push({
      code: "near-full",
      level,
      title: `Table ${percent(useShare ?? 0)} full: ${room}`,
      evidence: evidenceOf({
        occupancyFlows,
        capacityFlows,
        useShare,
        headroomFlows,
        bucketCount,
        ...eviction?.figures,
      }),
      meaning:
        `Room for ${amountOf(headroomFlows ?? 0, "more flow")}. When the table is full, the first packets ` +
        `of new connections are dropped.${eviction?.sentence ?? ""}`,
      remedy: remediesOf(lookCloser, raiseCapacity(facts), keepAfterReboot),
    });
  }
  return [...findings, ...nearFullElsewhere(facts)];
}

function nearFullElsewhere(facts: Facts): readonly Finding[] {
  const ownCapacity = tableFigures(facts).capacityFlows;
  return otherNamespaces(facts).flatMap((namespace): readonly Finding[] => {
    const { occupancyFlows, capacityFlows = ownCapacity } = namespace;
    if (occupancyFlows === undefined || capacityFlows === undefined || capacityFlows <= 0) return [];
    const useShare = occupancyFlows / capacityFlows;
    const level = nearLevel(facts, useShare);
    if (level === "ok") return [];
    const figures = `${groupDigits(occupancyFlows)} of ${groupDigits(capacityFlows)} flows`;
    return [
      {
        code: "near-full",
        level,
        title: `Table of ${namespaceText(namespace)} ${percent(useShare)} full: ${figures}`,
        evidence: evidenceOf({ namespaceInode: namespace.inode, occupancyFlows, capacityFlows, useShare }),
        meaning:
          "Every network namespace has a table of its own under the same limit. When this one is full, its " +
          "new connections are dropped, whatever room the others have.",
        remedy: remediesOf(namespaceCommand(namespace), raiseCapacity(facts), keepAfterReboot),
      },
    ];
  });
}

/** Below the limit, by the thresholds; a full table has a finding of its own. */
function nearLevel(facts: Facts, useShare: number | undefined): Level {
  const { warningShare, criticalShare } = thresholdsOf(facts);
  if (useShare === undefined || useShare >= 1) return "ok";
  if (useShare >= criticalShare) return "critical";
  return useShare >= warningShare ? "warning" : "ok";
}

/** `filling`: when the table will be full if it goes on as between the two readings. */
export function filling(facts: Facts): readonly Finding[] {
  const { occupancyFlows, capacityFlows, useShare, headroomFlows } = tableFigures(facts);
  const before = earlierOccupancy(facts);
  if (facts.later === undefined || before === undefined || occupancyFlows === undefined) return [];
  if (capacityFlows === undefined || useShare === undefined || headroomFlows === undefined) return [];
  const grown = occupancyFlows - before;
  if (useShare >= 1 || facts.later.seconds <= 0) return [];
  if (grown < Math.max(GROWTH_FLOWS_MIN, capacityFlows * GROWTH_SHARE_MIN)) return [];
  const flowsPerSecond = grown / facts.later.seconds;
  const secondsToFull = headroomFlows / flowsPerSecond;
  const level = fillingLevel(useShare, secondsToFull);
  if (level === "ok") return [];
  const pace = `${rateText(flowsPerSecond, "flow")} more`;
  return [
    {
      code: "filling",
      level,
      title: `Table full in about ${roughDuration(secondsToFull)} at the present pace (${pace})`,
      evidence: evidenceOf({
        occupancyFlows,
        capacityFlows,
        useShare,
        flowsPerSecond,
        secondsToFull,
        readingsApartSeconds: facts.later.seconds,
      }),
      meaning:
        `A straight line through two readings ${roughDuration(facts.later.seconds)} apart, nothing more: ` +
        "flows that time out later will slow it down, a growing flood will outrun it.",
      remedy: remediesOf(lookCloser, raiseCapacity(facts), keepAfterReboot),
    },
  ];
}

function fillingLevel(useShare: number, secondsToFull: number): Level {
  if (useShare < FILLING_SHARE_MIN) return secondsToFull <= FULL_WITHIN_CRITICAL_SECONDS ? "warning" : "ok";
  if (secondsToFull <= FULL_WITHIN_CRITICAL_SECONDS) return "critical";
  return secondsToFull <= FULL_WITHIN_WARNING_SECONDS ? "warning" : "ok";
}

interface EvictionOutlook {
  figures: { evictableShare: number; evictionMissShareFrom: number; evictionMissShareTo: number };
  sentence: string;
}

/** How often the kernel finds nobody to evict from the full table, by the share of unassured flows now. */
function evictionOutlook(facts: Facts): EvictionOutlook | undefined {
  const { capacityFlows, bucketCount } = tableFigures(facts);
  const assured = facts.census?.byStatus["assured"];
  if (facts.census === undefined || facts.census.flows <= 0 || assured === undefined) return undefined;
  if (capacityFlows === undefined || capacityFlows <= 0 || bucketCount === undefined) return undefined;
  const evictableShare = Math.min(1, Math.max(0, 1 - assured.flows / facts.census.flows));
  const release =
    facts.host.kernelRelease === undefined ? undefined : parseKernelRelease(facts.host.kernelRelease);
  const miss = earlyDropMissShare(capacityFlows / bucketCount, evictableShare, release);
  const figures = {
    evictableShare,
    evictionMissShareFrom: miss.lowShare,
    evictionMissShareTo: miss.highShare,
  };
  if (miss.highShare < MISS_SHARE_WORTH_SAYING) return { figures, sentence: "" };
  const about = facts.census.sampled === undefined ? "" : "About ";
  const chance =
    percent(miss.lowShare) === percent(miss.highShare)
      ? percent(miss.highShare)
      : `${percent(miss.lowShare)} to ${percent(miss.highShare)}`;
  return {
    figures,
    sentence:
      ` ${about}${percent(evictableShare)} of the flows may be evicted, and the kernel looks for one in ` +
      `few places only: it is estimated to find none for ${chance} of new connections.`,
  };
}

function rateText(perSecond: number, noun = "packet"): string {
  if (perSecond >= 10) return `${amountOf(perSecond, noun)} a second`;
  return `${Number(perSecond.toPrecision(2))} ${noun}s a second`;
}
