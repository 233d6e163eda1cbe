/** What another capacity or bucket count costs, in sentences. Pure. */
import { chainLimitsOf, chainLossShare, extensionBytesOf, tableMemory } from "../../plan/plan.ts";
import { recommendedBuckets } from "../../table/sizes.ts";
import type { Host } from "../../table/host.ts";
import { parseKernelRelease } from "../../table/kernel-release.ts";
import type { Settings } from "../../table/settings.ts";
import { formatBytes, formatShare } from "../figures.ts";

/** More flows a bucket than a table is ever planned for. */
const MOST_FLOWS_PER_BUCKET = 2;

/** A loss below one in a million is none. */
const LEAST_LOSS = 1e-6;

/** What is to be said of `wanted` where `now` is what the kernel has; empty when no size changes. */
export function sizeSentences(host: Host, now: Settings, wanted: Settings): readonly string[] {
  const { nf_conntrack_max: capacity, nf_conntrack_buckets: buckets } = wanted;
  if (capacity === undefined && buckets === undefined) return [];
  const then: Settings = { ...now, ...wanted };
  return [loadSentence(host, then), memorySentence(host, now, then)].filter((text) => text !== undefined);
}

/** Said where somebody asked for fewer buckets than belong to the capacity. */
function loadSentence(host: Host, then: Settings): string | undefined {
  const { nf_conntrack_max: capacity, nf_conntrack_buckets: buckets = then.hashsize } = then;
  if (capacity === undefined || buckets === undefined || buckets === 0) return undefined;
  const load = capacity / buckets;
  if (load <= MOST_FLOWS_PER_BUCKET) return undefined;
  const { pointerBytes, pageBytes } = host;
  const enough = recommendedBuckets(capacity, {
    ...(pointerBytes === undefined ? {} : { pointerBytes }),
    ...(pageBytes === undefined ? {} : { pageBytes }),
  });
  return (
    `When it is full ${load.toFixed(1)} flows share a bucket: ${costOfLoad(host, load)}; ` +
    `one a bucket is nf_conntrack_buckets=${enough}`
  );
}

function costOfLoad({ kernelRelease }: Host, load: number): string {
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  const { worst, best } = chainLimitsOf(release, false);
  const most = worst === undefined ? 0 : chainLossShare(load, worst);
  const least = best === undefined ? 0 : chainLossShare(load, best);
  if (most < LEAST_LOSS) return "every packet takes longer to find its flow";
  const lost = "of new flows are lost by then, in silence, because chains are too long";
  if (shareText(least) === shareText(most)) return `${shareText(most)} ${lost}`;
  const low = least < LEAST_LOSS ? "none" : shareText(least);
  return `from ${low} (a kernel with the longer chains of 6.3) to ${shareText(most)} ${lost}`;
}

function shareText(share: number): string {
  return share < 0.01 ? `${(share * 100).toPrecision(1)} %` : formatShare(share);
}

function memorySentence(host: Host, now: Settings, then: Settings): string | undefined {
  const after = fullMemory(host, then);
  if (after === undefined) return undefined;
  return `Memory when full: ${formatBytes(after.bytes)}${before(host, now)}; ${after.how}`;
}

function before(host: Host, now: Settings): string {
  if (now.nf_conntrack_max === 0) return " (before: no limit, all there is)";
  const memory = fullMemory(host, now);
  return memory === undefined ? "" : ` (before: ${formatBytes(memory.bytes)})`;
}

/** Undefined where the capacity is not known, or is no limit. */
function fullMemory(host: Host, settings: Settings): { bytes: number; how: string } | undefined {
  const { nf_conntrack_max: flows = 0, nf_conntrack_buckets: buckets, hashsize } = settings;
  if (flows === 0) return undefined;
  const { flowSlotBytes, pointerBytes, kernelRelease } = host;
  return tableMemory({
    flows,
    buckets: buckets ?? hashsize ?? 0,
    extensionBytes: extensionBytesOf(settings),
    ...(flowSlotBytes === undefined ? {} : { slotBytes: flowSlotBytes }),
    ...(pointerBytes === undefined ? {} : { pointerBytes }),
    ...(kernelRelease === undefined ? {} : { kernelRelease }),
  });
}
