/**
 * From the facts of a host and an observation of its table to what a plan is made of.
 */
import type { Settings } from "../table/settings.ts";
import type { Facts } from "./facts.ts";
import { expectationOf, serviceLoads } from "./observed-load.ts";
import type { PlanFacts, PlanGoal } from "./plan-shape.ts";
import { ownerOfLine } from "./rules/logged.ts";
import { reliefFor } from "./relief.ts";
import type { Observation } from "./stationary.ts";
import { otherNamespaces } from "./table-figures.ts";

/** A namespace with fewer flows than this share of the fullest one is not one that fills its table. */
const IN_USE_SHARE = 0.1;
const IN_USE_FLOWS = 100;
/** Translated flows above this share: what is not tracked could not be translated. */
const TRANSLATED_SHARE = 0.01;

export interface Observed {
  observation: Observation;
  /** Flows that counted and were not listed. */
  unlistedFlows: number;
  /** How it was observed, for people. */
  how: string;
}

/** The last change of the capacity that is known: a log older than it speaks of another capacity. */
export interface CapacityChange {
  atMs: number;
  fromFlows: number;
}

/** `settings` are those in force, or those that had to be assumed. */
export function planFactsOf(
  facts: Facts,
  settings: Settings,
  goal: PlanGoal,
  observed: Observed | undefined,
  change: CapacityChange | undefined,
): PlanFacts {
  const others = otherNamespaces(facts).map(({ occupancyFlows = 0 }) => occupancyFlows);
  const own = observed?.observation.census.flows ?? settings.nf_conntrack_count ?? 0;
  const least = Math.max(IN_USE_FLOWS, IN_USE_SHARE * Math.max(own, ...others));
  const wasFullFlows = fullSinceBoot(facts, settings.nf_conntrack_max ?? 0, change);
  const base = {
    host: facts.host,
    settings,
    goal,
    how: observed?.how ?? "nothing was observed",
    ...(wasFullFlows === undefined ? {} : { wasFullFlows }),
    namespacesInUse: 1 + others.filter((flows) => flows >= least).length,
    otherFlows: others.reduce((sum, flows) => sum + flows, 0),
  };
  if (observed === undefined) return base;
  const { observation, unlistedFlows } = observed;
  const { census } = observation;
  const buckets = settings.nf_conntrack_buckets ?? settings.hashsize;
  const assured = census.byStatus["assured"]?.flows;
  const translated = census.byNat.reduce((sum, { nat, flows }) => sum + (nat === "none" ? 0 : flows), 0);
  const known = census.flows > 0 && assured !== undefined;
  return {
    ...base,
    presentFlows: census.flows + unlistedFlows,
    expected: expectationOf(observation, {
      unlistedFlows,
      otherFlows: base.otherFlows,
      ...(buckets === undefined ? {} : { bucketCount: buckets }),
    }),
    ...(known ? { evictableShare: 1 - assured / census.flows } : {}),
    relief: reliefFor(
      serviceLoads(observation),
      translated > census.flows * TRANSLATED_SHARE,
      settings.nf_conntrack_udp_timeout ?? 30,
    ),
  };
}

/**
 * The flows a table held that was full since boot, by the kernel log: its capacity then. Undefined when the
 * log says nothing of the kind.
 */
export function fullSinceBoot(
  facts: Facts,
  capacityFlows: number,
  change: CapacityChange | undefined,
): number | undefined {
  const { host, atMs, kernelLog } = facts;
  const bootMs = host.uptimeSeconds === undefined ? -Infinity : atMs - host.uptimeSeconds * 1000;
  const held = (kernelLog?.tallies ?? [])
    .filter((tally) => tally.kind === "table-full" && ownerOfLine(facts, tally) !== "other")
    .filter(({ lastAtMs = Infinity }) => lastAtMs >= bootMs)
    .map(({ lastAtMs = -Infinity }) =>
      change !== undefined && lastAtMs < change.atMs ? change.fromFlows : capacityFlows,
    );
  return held.length === 0 ? undefined : Math.max(...held);
}
