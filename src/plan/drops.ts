/**
 * What the kernel dropped, by cause. The kernel adds several causes into one counter; this takes them apart
 * as far as the counters allow and says what is left.
 *
 * How the counters move (net/netfilter/nf_conntrack_core.c; measured on 6.16 and 6.18 with real packets):
 *
 *   cause                       drop  insertFailed  chainTooLong  logged
 *   table full                  +1    -             -             table full
 *   allocation failed           +1    -             -             by the allocator
 *   refused by a tracker        +1    -             -             -
 *   clash lost, NAT range full  +1    +1            -             -             (before 4.7: no drop)
 *   chain too long (5.15+)      -     +1            +1            -
 *   flow dying at its insertion -     +1            -             -
 *   clash resolved              -     5.x to 5.9    -             -             (clashResolved since 5.10)
 *   invalid                     -     -             -             -             (passed on, `invalid` +1)
 *
 * So `insertFailed - chainTooLong` bounds the clashes from above, and `drop` minus that bounds from below
 * what was dropped for want of room, of memory, or by a tracker. An insertion over netlink that meets a long
 * chain counts in chainTooLong alone and lowers the first figure; that is accepted. Counters are unsigned
 * 32-bit on each CPU and wrap: since boot they are lower bounds, between two readings they are right unless
 * one wraps twice.
 */
import type { CounterName, Counters, CounterValues } from "../table/counters.ts";
import type { Facts } from "./facts.ts";
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";

const COUNTER_MODULUS = 0x1_0000_0000;

export interface Drops {
  /** Dropped for want of room, of memory, or refused by a tracker: at least. Absent: not counted. */
  noRoomPackets?: number;
  /** Lost a clash, or no NAT port was left: at most. */
  clashPackets?: number;
  /** Refused in silence because a hash chain was too long. */
  chainTooLongPackets?: number;
  /** Flows evicted to make room: nothing was dropped for them, but the table was full. */
  evictedFlows?: number;
  /** Clashes the kernel resolved: nothing was lost. */
  clashesResolved?: number;
  /** Packets that belong to no flow. They were passed on, not dropped by the tracker. */
  invalidPackets?: number;
}

/** Drops between the two readings of `facts`, with the time between them; absent when there was only one. */
export type DropsNow = Drops & { seconds: number };

/** Since boot (of the namespace), by the latest reading. All absent when there are no counters. */
export function dropsSinceBoot(facts: Facts): Drops {
  const counters = facts.later?.counters ?? facts.counters;
  return counters === undefined ? {} : dropsApart(counters.total, facts.host.kernelRelease);
}

/** Between the two readings; undefined when there was only one. */
export function dropsNow(facts: Facts): DropsNow | undefined {
  if (facts.counters === undefined || facts.later === undefined || facts.later.seconds <= 0) return undefined;
  const grown = counterGrowth(facts.counters, facts.later.counters);
  return { ...dropsApart(grown, facts.host.kernelRelease), seconds: facts.later.seconds };
}

/**
 * How far each counter moved from `before` to `after`, each CPU modulo 2^32. A name is missing when either
 * reading lacks it, or when it seems to have moved by more than half the range: then it was reset, not
 * wrapped.
 */
export function counterGrowth(before: Counters, after: Counters): CounterValues {
  const grown: { [name in CounterName]?: number } = {};
  for (const name of Object.keys(after.total) as CounterName[]) {
    const amount = growthOf(name, before, after);
    if (amount !== undefined) grown[name] = amount;
  }
  return grown;
}

function growthOf(name: CounterName, before: Counters, after: Counters): number | undefined {
  const rows = after.perCpu.map(({ cpu, values }) => ({
    from: before.perCpu.find((row) => row.cpu === cpu)?.values[name],
    to: values[name],
  }));
  const whole = rows.length > 0 && rows.every(({ from, to }) => from !== undefined && to !== undefined);
  const pairs = whole ? rows : [{ from: before.total[name], to: after.total[name] }];
  let sum = 0;
  for (const { from, to } of pairs) {
    if (from === undefined || to === undefined) return undefined;
    const moved = (((to - from) % COUNTER_MODULUS) + COUNTER_MODULUS) % COUNTER_MODULUS;
    if (moved > COUNTER_MODULUS / 2) return undefined;
    sum += moved;
  }
  return sum;
}

/** What a growth of the counters means, by cause; also of rates. */
export function dropsApart(values: CounterValues, kernelRelease: string | undefined): Drops {
  const { drop, insertFailed, chainTooLong } = values;
  const failed = insertFailed === undefined ? undefined : Math.max(0, insertFailed - (chainTooLong ?? 0));
  const overlap = clashesCountAsDrops(kernelRelease);
  const drops: Drops = {};
  if (failed !== undefined) {
    drops.clashPackets = overlap && drop !== undefined ? Math.min(failed, drop) : failed;
  }
  if (drop !== undefined) drops.noRoomPackets = overlap ? Math.max(0, drop - (failed ?? 0)) : drop;
  if (chainTooLong !== undefined) drops.chainTooLongPackets = chainTooLong;
  if (values.earlyDrop !== undefined) drops.evictedFlows = values.earlyDrop;
  if (values.clashResolved !== undefined) drops.clashesResolved = values.clashResolved;
  if (values.invalid !== undefined) drops.invalidPackets = values.invalid;
  return drops;
}

/** Before clashes were resolved (4.7) a lost one counted in insertFailed alone. */
function clashesCountAsDrops(kernelRelease: string | undefined): boolean {
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  return release === undefined || isSince(release, "4.7");
}
