/**
 * Facts of the host around the table: what judgement and sizing need to know besides settings and counters.
 */
import type { Address } from "./address.ts";
import type { SettingKey, Settings } from "./settings.ts";

export interface Host {
  /** `uname -r`; absent when a saved tree does not tell. */
  kernelRelease?: string;
  /** MemTotal. */
  memoryBytes?: number;
  /** MemAvailable. */
  availableBytes?: number;
  cpus?: number;
  uptimeSeconds?: number;
  /** Pointer size: 8 or 4. Absent when unknown. */
  pointerBytes?: 4 | 8;
  pageBytes?: number;
  hostname?: string;
  /** Inode of the network namespace looked at. */
  namespaceInode?: number;
  /** Whether it is the initial network namespace (limit and buckets can only be written there). */
  initialNamespace?: boolean;
  /** Which tracker: modern, the one of 2.6.21 and older, or none loaded. */
  tracker: "nf_conntrack" | "ip_conntrack" | "none" | "unknown";
  /** Bytes of one flow's object and of its slab slot, where this kernel tells (slab `nf_conntrack`). */
  flowObjectBytes?: number;
  flowSlotBytes?: number;
  /** The saved tree this was read from; absent on the running host. */
  root?: string;
  /** Wall clock at which the tree was saved, where it tells (`date` of a sosreport). */
  savedAtMs?: number;
}

/** Settings as read, with where each value came from. */
export interface SettingsReading {
  values: Settings;
  /** `/proc/sys/net/netfilter/nf_conntrack_max` or `sysctl -a (saved)`, by key. */
  origins: { readonly [key in SettingKey]?: string };
  /** Names of the tracker found on this host that the registry does not know. */
  unknownKeys: readonly string[];
  /** Values that could not be read as a number: name and text found. */
  unreadable: readonly { name: string; found: string }[];
}

/** Why a "table full" or a related line was logged. */
export type KernelLogKind =
  | "table-full"
  | "expectation-table-full"
  | "allocation-failed"
  | "vmalloc-fallback"
  | "suppressed"
  | "hash-resized";

/**
 * One kind of message in the kernel log, counted. Never a count of drops: the kernel limits its own messages.
 */
export interface KernelLogTally {
  kind: KernelLogKind;
  lines: number;
  /** Wall clock of the first and last, where the log has times and the boot time is known. */
  firstAtMs?: number;
  lastAtMs?: number;
  /** Seconds since boot of the first and last. */
  firstUptimeSeconds?: number;
  lastUptimeSeconds?: number;
  /** Inode of the namespace the line names (6.17 and later), or the container of an OpenVZ line. */
  namespaceInode?: number;
  container?: string;
  /** The limit the line names (2.4). */
  limitFlows?: number;
  /** The last line as logged. */
  sample: string;
}

export interface KernelLog {
  source: "kmsg" | "journal" | "file";
  /** Where from, for people: `/dev/kmsg`, `journalctl -k`, a path. */
  origin: string;
  tallies: readonly KernelLogTally[];
  /**
   * Messages the kernel suppressed by rate limit ("N callbacks suppressed"), shared with all network
   * warnings.
   */
  suppressedMessages: number;
  linesRead: number;
  /** The ring has wrapped: its oldest line is not the boot. Absent when unknown. */
  wrapped?: boolean;
  /** Uptime of the oldest line, seconds. */
  oldestUptimeSeconds?: number;
}

/** One network namespace of the host. */
export interface NamespaceFacts {
  /** Absent where the kernel keeps it from this user, and in a saved tree. */
  inode?: number;
  /** Name under /run/netns. */
  name?: string;
  /** Container, unit or process that holds it: `docker:4f1c…`, `nginx.service`, `pid 812 (haproxy)`. */
  owner?: string;
  pid?: number;
  /** When it got its name: a log line older than that names another one, whose inode was used again. */
  createdAtMs?: number;
  initial: boolean;
  /** The one the program itself runs in. */
  own: boolean;
  occupancyFlows?: number;
  capacityFlows?: number;
  addresses?: readonly Address[];
  /** Why the count could not be read. */
  unseen?: string;
}

/** Whether it is the namespace that is looked at, by its inode; where that is not known, the own one is. */
export function isLookedAt({ inode, own }: NamespaceFacts, lookedAtInode: number | undefined): boolean {
  return lookedAtInode === undefined ? own : inode === lookedAtInode;
}
