/**
 * The table of rules, in order of importance, and the verdict made of what they find.
 */
import type { Finding, FindingCode, Level, Verdict } from "../table/finding.ts";
import { remediesIn } from "../table/namespace-command.ts";
import type { Facts } from "./facts.ts";
import {
  idleEstablishedHoard,
  oneSourceHoards,
  timeWaitChurn,
  udpChurn,
  unansweredFlood,
} from "./rules/contents.ts";
import { filling, nearFull, tableFull } from "./rules/fullness.ts";
import { bucketsTooFew, chainTooLong, insertClash } from "./rules/insertion.ts";
import { contradictingDefinitions, legacyKey, unknownKey } from "./rules/definitions.ts";
import { lostAtBoot } from "./rules/lasting.ts";
import { setByAnotherOwner } from "./rules/ownership.ts";
import { allocationFailed, expectationsFull, fullInAnotherNamespace, fullInThePast } from "./rules/passed.ts";
import { LOSING_NOW, type Rule } from "./rules/rule.ts";
import { hashsizeRaisesLimit, limitBelowDefault, limitCostsTooMuch } from "./rules/sizing.ts";
import {
  oldEntriesKeepOldTimeout,
  timeoutBelowRfcFloor,
  timeoutsLongerThanNeeded,
} from "./rules/timeouts.ts";
import { isTrackingOff, notPermitted, trackingNotNeeded, trackingOff } from "./rules/tracking.ts";
import { tableFigures } from "./table-figures.ts";

/**
 * One rule per code, most important first: causes of drops, then what leads to them, then what is only worth
 * knowing.
 */
export const rules: ReadonlyMap<FindingCode, Rule> = new Map<FindingCode, Rule>([
  ["table-full", tableFull],
  ["full-in-another-namespace", fullInAnotherNamespace],
  ["chain-too-long", chainTooLong],
  ["buckets-too-few", bucketsTooFew],
  ["allocation-failed", allocationFailed],
  ["insert-clash", insertClash],
  ["expectations-full", expectationsFull],
  ["filling", filling],
  ["near-full", nearFull],
  ["full-in-the-past", fullInThePast],
  ["unanswered-flood", unansweredFlood],
  ["one-source-hoards", oneSourceHoards],
  ["idle-established-hoard", idleEstablishedHoard],
  ["time-wait-churn", timeWaitChurn],
  ["udp-churn", udpChurn],
  ["timeouts-longer-than-needed", timeoutsLongerThanNeeded],
  ["old-entries-keep-old-timeout", oldEntriesKeepOldTimeout],
  ["lost-at-boot", lostAtBoot],
  ["set-by-another-owner", setByAnotherOwner],
  ["limit-costs-too-much", limitCostsTooMuch],
  ["limit-below-default", limitBelowDefault],
  ["timeout-below-rfc-floor", timeoutBelowRfcFloor],
  ["hashsize-raises-limit", hashsizeRaisesLimit],
  ["contradicting-definitions", contradictingDefinitions],
  ["legacy-key", legacyKey],
  ["unknown-key", unknownKey],
  ["tracking-not-needed", trackingNotNeeded],
  ["not-permitted", notPermitted],
  ["tracking-off", trackingOff],
]);

const importance = new Map([...rules.keys()].map((code, index) => [code, index]));

/**
 * As monitoring plugins combine states: what is certainly bad outweighs what is unknown, and that what is in
 * order.
 */
const severity: Record<Level, number> = { ok: 0, unknown: 1, warning: 2, critical: 3 };

/**
 * Judges a host. The level is that of the worst finding; unknown when there is no such finding and occupancy
 * or capacity could not be read, unless there is no tracker at all.
 */
export function judge(facts: Facts): Verdict {
  const found = [...rules.values()].flatMap((rule) => rule(facts)).sort(byImportance);
  const findings = found.map((finding) => ({ ...finding, remedy: remediesIn(finding.remedy, facts.netns) }));
  const { occupancyFlows, capacityFlows } = tableFigures(facts);
  const blind = !isTrackingOff(facts) && (occupancyFlows === undefined || capacityFlows === undefined);
  const levels: Level[] = [blind ? "unknown" : "ok", ...findings.map(({ level }) => level)];
  const level = levels.reduce(worseLevel);
  return { level, findings };
}

/** The worse of two levels. */
export function worseLevel(one: Level, two: Level): Level {
  return severity[two] > severity[one] ? two : one;
}

/** By level, then what loses packets at this moment, then by the order of the rules. */
function byImportance(one: Finding, two: Finding): number {
  return (
    severity[two.level] - severity[one.level] ||
    Number(losesNow(two)) - Number(losesNow(one)) ||
    (importance.get(one.code) ?? 0) - (importance.get(two.code) ?? 0)
  );
}

function losesNow(finding: Finding): boolean {
  const lost = finding.evidence[LOSING_NOW];
  return typeof lost === "number" && lost > 0;
}
