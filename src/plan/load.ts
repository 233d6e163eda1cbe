/**
 * What the load of the hash does to new flows, in figures. Load is flows per bucket; every flow is linked
 * twice, once by its original and once by its reply tuple, so a chain has 2 x load nodes on average, Poisson
 * distributed because the hash is keyed.
 *
 * Two losses follow from it. Since 5.15 a new flow is refused in silence when one of its two chains is too
 * long (`chainLossShare`): too few buckets lose packets. And when the table is full, the kernel looks for
 * somebody to evict only in a few buckets (`earlyDropMissShare`): in a small table with many buckets it finds
 * nobody.
 *
 * Sources: net/netfilter/nf_conntrack_core.c, __nf_conntrack_confirm() and early_drop(), of 5.15 to 7.3; the
 * commit of March 2023 that raised the chain limit (in 6.3, and in later updates of 6.1).
 */
import { isSince, type KernelRelease } from "../table/kernel-release.ts";

/**
 * A chain that already has `n` nodes refuses a new one when `n` reaches a random limit, drawn anew for each
 * flow.
 */
export interface ChainLimit {
  fromNodes: number;
  toNodes: number;
}

/** 5.15 to 6.2 as released. */
export const SHORT_CHAIN_LIMIT: ChainLimit = { fromNodes: 10, toNodes: 33 };
/** 6.3 and newer, and updates of older series that took the change over. */
export const LONG_CHAIN_LIMIT: ChainLimit = { fromNodes: 52, toNodes: 81 };

/** Chains of 1,000 nodes on average are above every limit, short of one part in 10^200. */
const LOAD_OF_CERTAIN_LOSS = 500;

/** Which chain limits a kernel may have; the two differ where the release does not settle it. */
export interface ChainLimits {
  /** The strictest that is possible; judgement goes by it. Absent: this kernel has no limit. */
  worst?: ChainLimit;
  /** The mildest that is possible. Absent: perhaps none. */
  best?: ChainLimit;
}

/**
 * The chain limits of a kernel. `counted` says whether this kernel counts refused chains (the column exists
 * since 5.15): what a kernel does settles more than its name.
 */
export function chainLimitsOf(release: KernelRelease | undefined, counted: boolean): ChainLimits {
  if (release === undefined) {
    return counted ? { worst: SHORT_CHAIN_LIMIT, best: LONG_CHAIN_LIMIT } : { worst: SHORT_CHAIN_LIMIT };
  }
  if (isSince(release, "6.3")) return { worst: LONG_CHAIN_LIMIT, best: LONG_CHAIN_LIMIT };
  if (!isSince(release, "5.15") && !counted) return {};
  const raised = release.major === 6 && release.minor === 1 && release.patch >= 192;
  return { worst: raised ? LONG_CHAIN_LIMIT : SHORT_CHAIN_LIMIT, best: LONG_CHAIN_LIMIT };
}

/**
 * Share of new flows refused at `load` flows a bucket: one random limit for both chains, refused when either
 * reaches it. 0 at load 0, never falling with load.
 */
export function chainLossShare(load: number, limit: ChainLimit): number {
  if (load <= 0) return 0;
  if (load > LOAD_OF_CERTAIN_LOSS) return 1;
  const tails = poissonTails(2 * load, limit.toNodes);
  let sum = 0;
  for (let nodes = limit.fromNodes; nodes <= limit.toNodes; nodes++) {
    const tail = tails[nodes] ?? 0;
    sum += tail * (2 - tail);
  }
  return Math.min(1, sum / (limit.toNodes - limit.fromNodes + 1));
}

/** P(N >= n) for n = 0..last, summed from the small end so that tiny tails keep their digits. */
function poissonTails(mean: number, last: number): number[] {
  const end = Math.ceil(Math.max(last, mean) + 12 * Math.sqrt(mean) + 40);
  const tails: number[] = [];
  let logFactorial = 0;
  const logs: number[] = [];
  for (let n = 0; n <= end; n++) {
    if (n > 0) logFactorial += Math.log(n);
    logs.push(n * Math.log(mean) - mean - logFactorial);
  }
  let tail = 0;
  for (let n = end; n >= 0; n--) {
    tail += Math.exp(logs[n] ?? -Infinity);
    if (n <= last) tails[n] = Math.min(1, tail);
  }
  return tails;
}

/**
 * The chance that a full table evicts nobody, between two figures where the kernel's behaviour is not
 * settled.
 */
export interface MissShare {
  lowShare: number;
  highShare: number;
}

/**
 * Share of new flows dropped although the table holds flows that may be evicted.
 *
 * `load` is flows of this namespace per bucket, `evictableShare` the share of them without ASSURED. Since
 * 4.20 eight buckets are looked at; from 4.7 to 4.19 eight were meant and by a mistake one was looked at
 * until a stable update mended it; from 2.6.23 to 4.6 as many as hold eight nodes; from 2.6.9 to 2.6.22 one;
 * before that two. Unknown release: between the extremes.
 */
export function earlyDropMissShare(
  load: number,
  evictableShare: number,
  release: KernelRelease | undefined,
): MissShare {
  const oneBucket = Math.exp(-2 * evictableShare * load);
  const eightBuckets = Math.exp(-16 * evictableShare * load);
  const eightNodes = (1 - Math.min(1, Math.max(0, evictableShare))) ** 8;
  if (release === undefined) {
    return { lowShare: Math.min(eightBuckets, eightNodes), highShare: Math.max(oneBucket, eightNodes) };
  }
  if (isSince(release, "4.20")) return { lowShare: eightBuckets, highShare: eightBuckets };
  if (isSince(release, "4.7")) return { lowShare: eightBuckets, highShare: oneBucket };
  if (isSince(release, "2.6.23")) return { lowShare: eightNodes, highShare: eightNodes };
  const few = isSince(release, "2.6.9") ? oneBucket : oneBucket ** 2;
  return { lowShare: few, highShare: few };
}
