/**
 * What a table costs in memory: an object per flow from the slab cache, an extension beside it where
 * something asks for one, and one pointer per bucket. Nothing but the buckets is taken before flows come.
 *
 * Source: /sys/kernel/slab/nf_conntrack of x86_64 kernels (slot 320 bytes on 5.10, 256 on 6.1 to 7.3),
 * net/netfilter/nf_conntrack_extend.c (one allocation of at least 128 bytes as soon as there is any
 * extension).
 */
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import type { Settings } from "../table/settings.ts";

/** Slab slot of a flow, x86_64: measured on 5.10 and on 6.1 to 7.3. */
const SLOT_BYTES_OLD = 320;
const SLOT_BYTES_NEW = 256;

/** Smallest extension area; accounting, timestamps, events, labels and NAT helpers share it. */
export const EXTENSION_BYTES = 128;

export interface TableMemoryInput {
  flows: number;
  buckets: number;
  /** From the slab of this host; estimated by release when not given. */
  slotBytes?: number;
  /** 0 when no flow has an extension; see `extensionBytesOf`. */
  extensionBytes?: number;
  pointerBytes?: 4 | 8;
  kernelRelease?: string;
}

export interface TableMemory {
  bytes: number;
  flowBytes: number;
  bucketBytes: number;
  /** Slot and extension of one flow. */
  bytesPerFlow: number;
  /** Of them, the extension. */
  extensionBytes: number;
  /** How the figures were obtained, in words. */
  how: string;
}

/** Memory of a table with that many flows and buckets. */
export function tableMemory(input: TableMemoryInput): TableMemory {
  const slot = slotOf(input);
  const extensionBytes = input.extensionBytes ?? 0;
  const bytesPerFlow = slot.bytes + extensionBytes;
  const flowBytes = input.flows * bytesPerFlow;
  const bucketBytes = input.buckets * (input.pointerBytes ?? 8);
  const extension = extensionBytes === 0 ? "" : ` and at least ${extensionBytes} of extension`;
  const how = `${slot.bytes} bytes a flow${extension}, ${slot.how}`;
  return { bytes: flowBytes + bucketBytes, flowBytes, bucketBytes, bytesPerFlow, extensionBytes, how };
}

/**
 * The extension that every new flow gets under these settings: EXTENSION_BYTES as soon as accounting,
 * timestamps or unconditional events are on, otherwise 0. Helpers, labels and NAT add it to single flows
 * only.
 */
export function extensionBytesOf(settings: Settings): number {
  const asked =
    settings.nf_conntrack_acct === 1 ||
    settings.nf_conntrack_timestamp === 1 ||
    settings.nf_conntrack_events === 1;
  return asked ? EXTENSION_BYTES : 0;
}

function slotOf(input: TableMemoryInput): { bytes: number; how: string } {
  if (input.slotBytes !== undefined) return { bytes: input.slotBytes, how: "read from this kernel's slab" };
  const release = input.kernelRelease === undefined ? undefined : parseKernelRelease(input.kernelRelease);
  if (release === undefined) {
    return { bytes: SLOT_BYTES_OLD, how: "estimated without knowing the kernel" };
  }
  if (isSince(release, "6.1")) return { bytes: SLOT_BYTES_NEW, how: "estimated, as measured on 6.1 to 7.3" };
  return { bytes: SLOT_BYTES_OLD, how: "estimated, as measured on 5.10" };
}
