/**
 * What the kernel counts, per CPU: the same names whether read from /proc/net/stat/nf_conntrack or by netlink
 * (IPCTNL_MSG_CT_GET_STATS_CPU), with the kernel's meaning of this kernel and not of an older one.
 *
 * A name is missing when this kernel does not count it (constant zero columns included); `notCounted` says
 * which and why. All counters are unsigned 32-bit, wrap, and count from boot (of the namespace).
 */

export type CounterName =
  | "searched"
  | "found"
  | "new"
  | "invalid"
  | "ignore"
  | "delete"
  | "deleteList"
  | "insert"
  | "insertFailed"
  | "drop"
  | "earlyDrop"
  | "icmpError"
  | "expectNew"
  | "expectCreate"
  | "expectDelete"
  | "searchRestart"
  | "clashResolved"
  | "chainTooLong";

export type CounterValues = { readonly [name in CounterName]?: number };

export interface Counters {
  /** Flows in the namespace: one figure for the table, although the file repeats it on every row. */
  occupancyFlows?: number;
  /** Sum over CPUs. */
  total: CounterValues;
  perCpu: readonly { cpu: number; values: CounterValues }[];
  /** Names this kernel prints but does not count, or does not have, with the reason. */
  notCounted: readonly { name: CounterName; why: string }[];
  /** Columns or attributes this program has no name for: header word or `attribute 17`, and the sum. */
  unknown: readonly { name: string; total: number }[];
  source: "procfs" | "netlink";
}
