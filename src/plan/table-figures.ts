/**
 * The few figures nearly every rule starts from, taken from whichever fact tells them: occupancy, capacity,
 * buckets and what follows from them. A figure that no fact tells is absent.
 */
import { isLookedAt } from "../table/host.ts";
import type { Facts } from "./facts.ts";

export interface TableFigures {
  /** Flows held now, in the namespace looked at. */
  occupancyFlows?: number;
  /** The most flows a namespace may hold; 0 when the kernel sets no limit (allowed until 6.18). */
  capacityFlows?: number;
  /** The table has no limit: `capacityFlows` is 0. */
  unlimited: boolean;
  bucketCount?: number;
  /** Occupancy as a share of capacity; absent without a limit. */
  useShare?: number;
  /** Capacity minus occupancy, never below 0. */
  headroomFlows?: number;
  /** Flows of all namespaces whose count is known: they share the buckets. */
  hostFlows?: number;
}

/** Derives the figures. The latest reading of the occupancy counts. */
export function tableFigures(facts: Facts): TableFigures {
  const occupancyFlows = latestOccupancy(facts) ?? earlierOccupancy(facts);
  const capacityFlows = facts.settings.values.nf_conntrack_max ?? ownNamespace(facts)?.capacityFlows;
  const bucketCount = facts.settings.values.nf_conntrack_buckets ?? facts.settings.values.hashsize;
  const figures: TableFigures = { unlimited: capacityFlows === 0 };
  if (occupancyFlows !== undefined) figures.occupancyFlows = occupancyFlows;
  if (capacityFlows !== undefined) figures.capacityFlows = capacityFlows;
  if (bucketCount !== undefined && bucketCount > 0) figures.bucketCount = bucketCount;
  if (occupancyFlows !== undefined && capacityFlows !== undefined && capacityFlows > 0) {
    figures.useShare = occupancyFlows / capacityFlows;
    figures.headroomFlows = Math.max(0, capacityFlows - occupancyFlows);
  }
  if (occupancyFlows !== undefined) figures.hostFlows = occupancyFlows + flowsOfOthers(facts);
  return figures;
}

/** Shares of capacity from which a table is near its limit. */
export function thresholdsOf(facts: Facts): { warningShare: number; criticalShare: number } {
  return facts.thresholds ?? { warningShare: 0.8, criticalShare: 0.9 };
}

/** Whether the table is near its limit now: what only costs room is then worth a warning. */
export function underPressure(facts: Facts): boolean {
  const { useShare } = tableFigures(facts);
  return useShare !== undefined && useShare >= thresholdsOf(facts).warningShare;
}

/** Namespaces other than the one looked at. */
export function otherNamespaces(facts: Facts): NonNullable<Facts["namespaces"]> {
  const inode = facts.host.namespaceInode;
  return (facts.namespaces ?? []).filter((namespace) => !isLookedAt(namespace, inode));
}

/** The first reading, where there are two. */
export function earlierOccupancy(facts: Facts): number | undefined {
  return (
    facts.settings.values.nf_conntrack_count ??
    facts.counters?.occupancyFlows ??
    ownNamespace(facts)?.occupancyFlows ??
    flowsOfWholeCensus(facts)
  );
}

function latestOccupancy(facts: Facts): number | undefined {
  return facts.later?.occupancyFlows ?? facts.later?.counters.occupancyFlows;
}

/** A saved listing alone still tells how many flows there were, short of those the kernel does not list. */
function flowsOfWholeCensus(facts: Facts): number | undefined {
  const { census } = facts;
  return census !== undefined && census.complete && census.sampled === undefined ? census.flows : undefined;
}

function ownNamespace(facts: Facts): NonNullable<Facts["namespaces"]>[number] | undefined {
  return facts.namespaces?.find((namespace) => isLookedAt(namespace, facts.host.namespaceInode));
}

function flowsOfOthers(facts: Facts): number {
  return otherNamespaces(facts).reduce((sum, { occupancyFlows }) => sum + (occupancyFlows ?? 0), 0);
}
