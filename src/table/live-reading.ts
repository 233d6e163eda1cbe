/**
 * What is read of a running host again and again: what the kernel folder gives, and a watcher takes.
 */
import type { CounterValues } from "./counters.ts";
import type { Host, KernelLogKind, NamespaceFacts, SettingsReading } from "./host.ts";
import type { Unseen } from "./unseen.ts";

/** The table of one namespace, at one instant. Nothing in it is changed by later readings. */
export interface LiveReading {
  /** `none` while the tracker is not loaded; it may come back. */
  tracker: Host["tracker"];
  /** What counts against the limit (nf_conntrack_count). */
  occupancyFlows?: number;
  settings: SettingsReading;
  /** Grows each time a setting (not the count) has another value, appears or is gone. */
  settingsVersion: number;
  /** Since the namespace began, summed over CPUs. */
  counters?: CounterValues;
  /**
   * How many more than at the reading before; a counter that wrapped (32 bits a CPU) is counted right. Absent
   * at the first reading and when the counters began anew (the tracker was loaded again).
   */
  counted?: CounterValues;
  expectationFlows?: number;
  /** What cannot be seen now; the same array as long as nothing changed in it. */
  unseen: readonly Unseen[];
}

/** The network namespaces of a host with their counts of now; one that is gone is left out. */
export interface NamespaceCounts {
  namespaces: readonly NamespaceFacts[];
  unseen: readonly Unseen[];
}

/** Lines of the kernel log of one kind and one namespace, since the log was asked last. */
export interface KernelLogEvent {
  kind: KernelLogKind;
  /** Wall clock of the first and the last; of the asking where the log has no times. */
  firstAtMs: number;
  atMs: number;
  /** Inode of the namespace the lines name (6.17 and later). */
  namespaceInode?: number;
  container?: string;
  /** Lines, not drops: the kernel limits its own messages. For `suppressed`: messages held back. */
  lines: number;
  /** The last line as logged. */
  sample: string;
}
