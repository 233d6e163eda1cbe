/**
 * The sizes a kernel chooses for itself when the tracker starts: hash buckets and capacity, from memory and
 * release.
 *
 * Source: nf_conntrack_init_start() and nf_ct_alloc_hashtable() in net/netfilter/nf_conntrack_core.c of
 * 2.6.24 to 7.3, ip_conntrack_init() in 2.4.0 to 2.6.21; checked against sizes that kernels 5.10, 6.1, 6.12,
 * 6.16 and 7.3 chose for seven memory sizes each. Memory is what the kernel itself has (MemTotal), not what
 * the machine was sold with: a "4 GB" machine is below the 4 GiB threshold.
 */
import type { Host } from "./host.ts";
import { isSince, type KernelRelease, parseKernelRelease } from "./kernel-release.ts";

const GIB = 1_073_741_824;

/** One bucket for this many bytes of memory, counted in buckets of one pointer. */
const BYTES_PER_BUCKET_POINTER = 16_384;

/** How the kernels from `since` on choose. */
interface SizingRule {
  since: string;
  /** For people: which kernels these are. */
  generation: string;
  /** A bucket was a two-pointer list head until 2.6.22. */
  pointersPerBucket: 1 | 2;
  floorBuckets: number;
  /** More memory than `aboveBytes`: this many buckets, whatever the formula says. Greatest first. */
  fixed: readonly { aboveBytes: number; buckets: number; only64Bit?: true }[];
  /** Since the table is allocated in whole pages. */
  wholePages: boolean;
  flowsPerBucket: number;
  /** `hashsize=` exists. */
  hashsize: boolean;
}

const sizingRules: readonly SizingRule[] = [
  {
    since: "2.4.0",
    generation: "2.4.0 to 2.4.3",
    pointersPerBucket: 2,
    floorBuckets: 0,
    fixed: [],
    wholePages: false,
    flowsPerBucket: 8,
    hashsize: false,
  },
  {
    since: "2.4.4",
    generation: "2.4.4 to 2.6.22",
    pointersPerBucket: 2,
    floorBuckets: 16,
    fixed: [{ aboveBytes: GIB, buckets: 8192 }],
    wholePages: false,
    flowsPerBucket: 8,
    hashsize: true,
  },
  {
    since: "2.6.23",
    generation: "2.6.23 to 3.19",
    pointersPerBucket: 1,
    floorBuckets: 32,
    fixed: [{ aboveBytes: GIB, buckets: 16_384 }],
    wholePages: true,
    flowsPerBucket: 4,
    hashsize: true,
  },
  {
    since: "4.0",
    generation: "4.0 to 5.14",
    pointersPerBucket: 1,
    floorBuckets: 32,
    fixed: [
      { aboveBytes: 4 * GIB, buckets: 65_536, only64Bit: true },
      { aboveBytes: GIB, buckets: 16_384 },
    ],
    wholePages: true,
    flowsPerBucket: 4,
    hashsize: true,
  },
  {
    since: "5.15",
    generation: "5.15 and newer",
    pointersPerBucket: 1,
    floorBuckets: 1024,
    fixed: [
      { aboveBytes: 4 * GIB, buckets: 262_144, only64Bit: true },
      { aboveBytes: GIB, buckets: 65_536 },
    ],
    wholePages: true,
    flowsPerBucket: 1,
    hashsize: true,
  },
];

/** Given at load, `hashsize=` makes the capacity this many times as large, on every kernel that has it. */
export const HASHSIZE_FLOWS_PER_BUCKET = 8;

export interface SizingInput {
  /** MemTotal. */
  memoryBytes: number;
  /** `uname -r`, or any text that begins with a version. */
  kernelRelease: string;
  /** 8 when not given. */
  pointerBytes?: 4 | 8;
  /** 4096 when not given. */
  pageBytes?: number;
  /** The module parameter, when it is given at load. */
  hashsize?: number;
}

export interface DefaultSizes {
  buckets: number;
  capacityFlows: number;
  /** The calculation, one step a sentence. */
  formula: readonly string[];
  /** Which kernels choose this way. */
  generation: string;
}

/**
 * What the kernel chooses by itself, with the calculation in words.
 *
 * Undefined when `kernelRelease` does not begin with a version, or is older than 2.4.0, which had no tracker.
 * The threshold at 4 GiB is absent in 3.19 and present in 4.4; 4.0 to 4.3 are taken as the latter.
 */
export function defaultSizes(input: SizingInput): DefaultSizes | undefined {
  const release = parseKernelRelease(input.kernelRelease);
  const rule = release === undefined ? undefined : sizingRuleFor(release);
  if (rule === undefined) return undefined;
  const pointerBytes = input.pointerBytes ?? 8;
  const granule = rule.wholePages ? bucketGranule(input) : 1;
  const formula: string[] = [];
  const hashsize = rule.hashsize ? input.hashsize : undefined;
  if (input.hashsize !== undefined && hashsize === undefined) {
    formula.push("this kernel has no hashsize parameter; it is ignored");
  }
  const wanted = hashsize ?? bucketsFromMemory(rule, input.memoryBytes, pointerBytes, formula);
  if (hashsize !== undefined) formula.push(`hashsize asks for ${groupDigits(hashsize)} buckets`);
  const buckets = Math.ceil(wanted / granule) * granule;
  if (buckets !== wanted) {
    formula.push(`rounded up to whole pages, a multiple of ${granule}: ${groupDigits(buckets)} buckets`);
  }
  const flowsPerBucket = hashsize === undefined ? rule.flowsPerBucket : HASHSIZE_FLOWS_PER_BUCKET;
  const capacityFlows = buckets * flowsPerBucket;
  const times = `${flowsPerBucket} x ${groupDigits(buckets)} buckets`;
  formula.push(`capacity is ${times} = ${groupDigits(capacityFlows)} flows`);
  return { buckets, capacityFlows, formula, generation: rule.generation };
}

/** The same for a host; undefined too where its memory or its kernel is not known. */
export function defaultSizesOf(host: Host, kernelRelease = host.kernelRelease): DefaultSizes | undefined {
  const { memoryBytes, pointerBytes, pageBytes } = host;
  if (memoryBytes === undefined || kernelRelease === undefined) return undefined;
  return defaultSizes({
    memoryBytes,
    kernelRelease,
    ...(pointerBytes === undefined ? {} : { pointerBytes }),
    ...(pageBytes === undefined ? {} : { pageBytes }),
  });
}

/** Flows a bucket when this kernel chooses both sizes itself; undefined for a release that cannot be read. */
export function defaultFlowsPerBucket(kernelRelease: string | undefined): number | undefined {
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  return release === undefined ? undefined : sizingRuleFor(release)?.flowsPerBucket;
}

/**
 * The bucket count that belongs to a capacity: one flow a bucket when full, as kernels choose since 5.15,
 * rounded up to whole pages as the kernel would round it anyway.
 */
export function recommendedBuckets(
  capacityFlows: number,
  machine: { pointerBytes?: 4 | 8; pageBytes?: number } = {},
): number {
  const granule = bucketGranule(machine);
  return Math.max(1, Math.ceil(capacityFlows / granule)) * granule;
}

/**
 * The bucket count a kernel makes of the one it is asked for, by `hashsize` or nf_conntrack_buckets: whole
 * pages since 2.6.23. An unknown release is taken as a new one.
 */
export function roundedBuckets(
  buckets: number,
  machine: { kernelRelease?: string; pointerBytes?: 4 | 8; pageBytes?: number },
): number {
  const release = parseKernelRelease(machine.kernelRelease ?? "");
  const rule = release === undefined ? undefined : sizingRuleFor(release);
  if (rule?.wholePages === false) return buckets;
  const granule = bucketGranule(machine);
  return Math.ceil(buckets / granule) * granule;
}

/** Buckets in one page: the kernel allocates whole pages of pointers. */
function bucketGranule(machine: { pointerBytes?: 4 | 8; pageBytes?: number }): number {
  return (machine.pageBytes ?? 4096) / (machine.pointerBytes ?? 8);
}

function sizingRuleFor(release: KernelRelease): SizingRule | undefined {
  return sizingRules.findLast((rule) => isSince(release, rule.since));
}

function bucketsFromMemory(
  rule: SizingRule,
  memoryBytes: number,
  pointerBytes: 4 | 8,
  formula: string[],
): number {
  const fixed = rule.fixed.find(
    (row) => memoryBytes > row.aboveBytes && (row.only64Bit !== true || pointerBytes === 8),
  );
  const memory = `memory of ${groupDigits(memoryBytes)} bytes`;
  if (fixed !== undefined) {
    const gib = fixed.aboveBytes / GIB;
    const only = fixed.only64Bit === true ? " on a 64-bit kernel" : "";
    formula.push(`${memory} is above ${gib} GiB${only}: ${groupDigits(fixed.buckets)} buckets`);
    return fixed.buckets;
  }
  const bucketBytes = rule.pointersPerBucket * pointerBytes;
  const computed = Math.floor(Math.floor(memoryBytes / BYTES_PER_BUCKET_POINTER) / bucketBytes);
  formula.push(`${memory} / 16,384 / ${bucketBytes} bytes a bucket = ${groupDigits(computed)} buckets`);
  if (computed >= rule.floorBuckets) return computed;
  formula.push(`at least ${groupDigits(rule.floorBuckets)} buckets`);
  return rule.floorBuckets;
}

/** `1,234`; as all figures are written for people. */
function groupDigits(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}
