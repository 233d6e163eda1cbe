/**
 * The sizes that belong to a load: a capacity with room above the peak, and the buckets that belong to the
 * capacity, within a budget of memory. A present value that does is left alone, and none is lowered: what the
 * memory does not hold is said instead. Only a host on paper may get less than its kernel would choose.
 */
import type { Host } from "../table/host.ts";
import { parseKernelRelease } from "../table/kernel-release.ts";
import type { Settings } from "../table/settings.ts";
import { chainLimitsOf } from "./load.ts";
import { extensionBytesOf, tableMemory, type TableMemory } from "./memory.ts";
import { type DefaultSizes, defaultSizesOf, recommendedBuckets } from "../table/sizes.ts";

/**
 * Share of the memory that a table may take when it is full, where nobody says otherwise. Flows are kernel
 * memory: never swapped, and gone from everything else. With the usual target of half the capacity at the
 * peak, a tenth means that the peak itself takes a twentieth.
 */
export const BUDGET_SHARE = 0.1;

/** A peak this little above the target is no reason to change anything. */
export const TARGET_TOLERANCE = 1.05;

const INT_MAX = 2_147_483_647;

/** Buckets keep a full table at one flow each where memory allows, and never above this. */
export const LOAD_MAX = 2;

export interface SizingNeed {
  host: Host;
  settings: Settings;
  /** Flows of this namespace at the peak, under the settings planned. Absent: no evidence. */
  peakFlows?: number;
  /** Flows of other namespaces, as they are: they share the buckets. */
  otherFlows: number;
  /** Share of the capacity in use at the peak that is aimed at. */
  targetShare: number;
  /** The target is kept exactly, not within TARGET_TOLERANCE. */
  isReckoned?: true;
  /** What is present is what the kernel would choose: a budget may ask for less. */
  onPaper?: true;
  /** The most bytes the table may take when full; absent: memory and budget are unknown. */
  budgetBytes?: number;
  /** Namespaces that hold flows; each may hold the capacity. */
  namespacesInUse: number;
}

/** Why a capacity is what it is. */
export type CapacityWhy =
  /** The present one has room enough. */
  | "suffices"
  /** Raised until the peak uses no more than the target. */
  | "raised"
  /** Raised as far as the budget goes; the peak uses more than the target. */
  | "budget"
  /** Less than the kernel's own choice, on paper: the budget holds no more, and the peak needs no more. */
  | "lowered"
  /** Nobody knows the load: what this kernel chooses by itself for this memory. */
  | "default"
  /** There was no limit at all. */
  | "unlimited";

export interface ChosenSizes {
  capacityFlows: number;
  capacityWhy: CapacityWhy;
  bucketCount: number;
  /** Capacity that the target asks for; the budget may not allow it. */
  wantedCapacityFlows: number;
  memory: TableMemory & { namespaces: number };
}

/** What a full table takes: in every namespace that is in use, as each may hold the capacity. */
export function memoryWhenFull(
  need: Pick<SizingNeed, "host" | "settings" | "namespacesInUse">,
  capacityFlows: number,
  bucketCount: number,
): TableMemory & { namespaces: number } {
  const { host, settings } = need;
  const namespaces = Math.max(1, need.namespacesInUse);
  const memory = tableMemory({
    flows: capacityFlows * namespaces,
    buckets: bucketCount,
    extensionBytes: extensionBytesOf(settings),
    ...(host.flowSlotBytes === undefined ? {} : { slotBytes: host.flowSlotBytes }),
    ...(host.pointerBytes === undefined ? {} : { pointerBytes: host.pointerBytes }),
    ...(host.kernelRelease === undefined ? {} : { kernelRelease: host.kernelRelease }),
  });
  return { ...memory, namespaces };
}

/** Undefined when neither the present capacity nor what the kernel would choose is known. */
export function chooseSizes(need: SizingNeed): ChosenSizes | undefined {
  const { host, settings, peakFlows, targetShare } = need;
  const present = settings.nf_conntrack_max;
  const usual = defaultSizesOf(host);
  if (present === undefined && usual === undefined) return undefined;
  const asked = peakFlows === undefined ? 0 : Math.min(INT_MAX, peakFlows / targetShare);
  const base = present === undefined || present === 0 ? (usual?.capacityFlows ?? 0) : present;
  const wantedCapacityFlows = asked <= base * toleranceOf(need) ? base : roundCapacity(asked);
  const { capacityFlows, why } = chooseCapacity(need, {
    present,
    base,
    asked,
    wanted: wantedCapacityFlows,
    usual,
  });
  const bucketCount = chooseBuckets(need, capacityFlows, why, usual);
  const memory = memoryWhenFull(need, capacityFlows, bucketCount);
  return { capacityFlows, capacityWhy: why, bucketCount, wantedCapacityFlows, memory };
}

interface Capacities {
  present: number | undefined;
  base: number;
  /** By the target, not rounded. */
  asked: number;
  wanted: number;
  usual: DefaultSizes | undefined;
}

function chooseCapacity(
  need: SizingNeed,
  { present, base, asked, wanted, usual }: Capacities,
): { capacityFlows: number; why: CapacityWhy } {
  const within = capacityWithin(need, need.budgetBytes);
  if (need.onPaper === true && within < wanted) {
    return { capacityFlows: within, why: asked <= within ? "lowered" : "budget" };
  }
  if (present === undefined || present === 0) {
    const why = present === 0 ? "unlimited" : "default";
    if (wanted <= base) return { capacityFlows: wanted, why };
    const capacityFlows = Math.max(base, Math.min(wanted, within));
    return { capacityFlows, why: capacityFlows < wanted ? "budget" : "raised" };
  }
  if (wanted > present) {
    const capacityFlows = Math.max(present, Math.min(wanted, within));
    return { capacityFlows, why: capacityFlows < wanted ? "budget" : "raised" };
  }
  if (need.peakFlows === undefined && usual !== undefined && usual.capacityFlows > present) {
    return { capacityFlows: usual.capacityFlows, why: "default" };
  }
  return { capacityFlows: present, why: "suffices" };
}

/** How far above the target a peak may be. */
export function toleranceOf({ isReckoned }: Pick<SizingNeed, "isReckoned">): number {
  return isReckoned === true ? 1 : TARGET_TOLERANCE;
}

/** The greatest capacity whose flows, with a bucket each, fit into so many bytes. */
export function capacityWithin(
  need: Pick<SizingNeed, "host" | "settings" | "namespacesInUse">,
  bytes: number | undefined,
): number {
  if (bytes === undefined) return Infinity;
  const one = memoryWhenFull(need, 1, 1).bytes;
  return roundDown(Math.min(INT_MAX, bytes / one));
}

/**
 * One bucket a flow when full, as kernels choose since 5.15, for the flows of all namespaces at the peak if
 * those are more. Never fewer than there are: that would gain nothing, but for a budget on paper. Where the
 * capacity stays, and the buckets do, they stay as well.
 */
function chooseBuckets(
  need: SizingNeed,
  capacityFlows: number,
  why: CapacityWhy,
  usual: DefaultSizes | undefined,
): number {
  const { host, settings, peakFlows = 0, otherFlows } = need;
  const isBelowDefault = need.onPaper === true && capacityFlows < (settings.nf_conntrack_max ?? 0);
  const present = isBelowDefault ? 0 : (settings.nf_conntrack_buckets ?? settings.hashsize ?? 0);
  const sharedFlows = Math.min(peakFlows, capacityFlows) + otherFlows;
  const release = host.kernelRelease === undefined ? undefined : parseKernelRelease(host.kernelRelease);
  const chainsLimited = chainLimitsOf(release, false).worst !== undefined;
  const enoughWhenFull = !chainsLimited || capacityFlows <= present * LOAD_MAX;
  if (present > 0 && why === "suffices" && sharedFlows <= present && enoughWhenFull) return present;
  if (present === 0 && why === "default" && usual !== undefined) return usual.buckets;
  const wanted = recommendedBuckets(Math.max(capacityFlows, sharedFlows), host);
  if (wanted <= present) return present;
  const { budgetBytes } = need;
  const full = memoryWhenFull(need, capacityFlows, wanted);
  if (budgetBytes === undefined || full.bytes <= budgetBytes) return wanted;
  return Math.max(present, recommendedBuckets(Math.max(capacityFlows, sharedFlows) / LOAD_MAX, host));
}

/** Up to a round number: at most an eighth more, and a multiple of 512. */
export function roundCapacity(flows: number): number {
  const step = stepOf(flows);
  return Math.min(INT_MAX, Math.ceil(flows / step) * step);
}

function roundDown(flows: number): number {
  const step = stepOf(flows);
  return Math.max(512, Math.floor(flows / step) * step);
}

function stepOf(flows: number): number {
  return Math.max(512, 2 ** (Math.floor(Math.log2(Math.max(1, flows))) - 3));
}
