/**
 * What limit and buckets make of a number of flows: the use, the load of the hash and what it loses, and the
 * memory of a full table.
 */
import type { Host } from "../table/host.ts";
import { parseKernelRelease } from "../table/kernel-release.ts";
import type { Settings } from "../table/settings.ts";
import { recommendedBuckets } from "../table/sizes.ts";
import { chainLimitsOf, chainLossShare, earlyDropMissShare } from "./load.ts";
import { extensionBytesOf, tableMemory } from "./memory.ts";
import type { Observation } from "./stationary.ts";

/** A table under some settings. Absent: what it follows from is not known. */
export interface TableState {
  /** Expired ones that still count included. */
  occupancyFlows: number;
  /** 0: no limit. */
  capacityFlows?: number;
  bucketCount?: number;
  useShare?: number;
  /** Flows a bucket, those of other namespaces included. */
  loadFlowsPerBucket?: number;
  /** Share of new flows refused in silence because of a long chain, at most. */
  chainLossShare?: number;
  /** The same two of a full table: this namespace at its limit, the others as they are. */
  fullLoadFlowsPerBucket?: number;
  fullChainLossShare?: number;
  /** Share of new flows dropped by a full table although others could be evicted, at most. */
  earlyDropMissShare?: number;
  /** Of these flows and buckets, and when full. */
  memoryBytes?: number;
  fullMemoryBytes?: number;
  /** When every namespace in use is full: each may hold the limit. */
  allFullMemoryBytes?: number;
  memoryHow?: string;
}

export interface TableStateFacts {
  observation: Pick<Observation, "census">;
  host: Host;
  otherFlows?: number;
  namespacesInUse?: number;
  countsLongChains?: boolean;
}

/** The table with so many flows under these settings. */
export function tableStateOf(facts: TableStateFacts, settings: Settings, occupancyFlows: number): TableState {
  const capacityFlows = settings.nf_conntrack_max;
  const bucketCount = settings.nf_conntrack_buckets ?? settings.hashsize;
  const limited = capacityFlows !== undefined && capacityFlows > 0;
  return {
    occupancyFlows,
    ...(capacityFlows === undefined ? {} : { capacityFlows }),
    ...(limited ? { useShare: occupancyFlows / capacityFlows } : {}),
    ...(bucketCount === undefined || bucketCount <= 0
      ? {}
      : {
          bucketCount,
          ...losses(facts, occupancyFlows, bucketCount, limited ? capacityFlows : undefined),
          ...memories(facts, settings, occupancyFlows, bucketCount),
        }),
  };
}

function losses(
  facts: TableStateFacts,
  occupancyFlows: number,
  bucketCount: number,
  capacityFlows: number | undefined,
): Partial<TableState> {
  const { kernelRelease } = facts.host;
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  const { otherFlows = 0 } = facts;
  const load = (occupancyFlows + otherFlows) / bucketCount;
  const fullLoad = capacityFlows === undefined ? undefined : (capacityFlows + otherFlows) / bucketCount;
  const { worst } = chainLimitsOf(release, facts.countsLongChains ?? false);
  const lost = (flowsPerBucket: number): number =>
    worst === undefined ? 0 : chainLossShare(flowsPerBucket, worst);
  const { byStatus, flows } = facts.observation.census;
  const assured = byStatus["assured"]?.flows;
  const miss =
    capacityFlows === undefined || assured === undefined || flows === 0
      ? undefined
      : earlyDropMissShare(capacityFlows / bucketCount, 1 - assured / flows, release).highShare;
  return {
    loadFlowsPerBucket: load,
    chainLossShare: lost(load),
    ...(fullLoad === undefined
      ? {}
      : { fullLoadFlowsPerBucket: fullLoad, fullChainLossShare: lost(fullLoad) }),
    ...(miss === undefined ? {} : { earlyDropMissShare: miss }),
  };
}

/** A loss below one in a million is none. */
export const LEAST_LOSS_SHARE = 1e-6;
/** More flows a bucket than this make every packet look at several flows before it finds its own. */
const MOST_LOAD = 2;

/** A table whose chains are too long once it is full, and the buckets that belong to its limit. */
export interface BucketsTooFew {
  bucketCount: number;
  loadFlowsPerBucket: number;
  lossShare: number;
  /** Flows that are more than one a bucket. */
  flows: number;
}

/** Undefined where the buckets suffice, are not known, or suffer less than before the change. */
export function bucketsTooFew(
  { host, otherFlows = 0 }: TableStateFacts,
  before: TableState,
  after: TableState,
): BucketsTooFew | undefined {
  const { capacityFlows = 0, bucketCount, fullLoadFlowsPerBucket: load, fullChainLossShare = 0 } = after;
  if (bucketCount === undefined || load === undefined) return undefined;
  if (load <= MOST_LOAD && fullChainLossShare < LEAST_LOSS_SHARE) return undefined;
  if (load <= (before.fullLoadFlowsPerBucket ?? 0)) return undefined;
  const own = recommendedBuckets(capacityFlows, host);
  const suffices = own > bucketCount && (capacityFlows + otherFlows) / own <= MOST_LOAD;
  return {
    bucketCount: suffices ? own : recommendedBuckets(capacityFlows + otherFlows, host),
    loadFlowsPerBucket: load,
    lossShare: fullChainLossShare,
    flows: Math.max(0, capacityFlows + otherFlows - bucketCount),
  };
}

function memories(
  { host, namespacesInUse }: TableStateFacts,
  settings: Settings,
  occupancyFlows: number,
  buckets: number,
): Partial<TableState> {
  const { flowSlotBytes, pointerBytes, kernelRelease } = host;
  const of = (flows: number): ReturnType<typeof tableMemory> =>
    tableMemory({
      flows,
      buckets,
      extensionBytes: extensionBytesOf(settings),
      ...(flowSlotBytes === undefined ? {} : { slotBytes: flowSlotBytes }),
      ...(pointerBytes === undefined ? {} : { pointerBytes }),
      ...(kernelRelease === undefined ? {} : { kernelRelease }),
    });
  const { bytes, how } = of(Math.round(occupancyFlows));
  const capacity = settings.nf_conntrack_max ?? 0;
  return {
    memoryBytes: bytes,
    memoryHow: how,
    ...(capacity === 0 ? {} : { fullMemoryBytes: of(capacity).bytes }),
    ...(capacity === 0 || namespacesInUse === undefined || namespacesInUse < 2
      ? {}
      : { allFullMemoryBytes: of(capacity * namespacesInUse).bytes }),
  };
}
