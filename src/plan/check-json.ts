/**
 * `headroom check --json`: schema headroom/check/v1. Names are fixed; others may be added. What was not seen
 * is absent.
 */
import { formatAddress } from "../table/address.ts";
import type { CounterName, CounterValues } from "../table/counters.ts";
import type { Finding, Level, Verdict } from "../table/finding.ts";
import type { Host, KernelLog, NamespaceFacts } from "../table/host.ts";
import type { Unseen } from "../table/unseen.ts";
import { type Drops, dropsNow, type DropsNow, dropsSinceBoot } from "./drops.ts";
import type { Facts } from "./facts.ts";
import { tableFigures } from "./table-figures.ts";

export interface CheckJson {
  schema: "headroom/check/v1";
  level: Level;
  occupancyFlows?: number;
  /** 0: the kernel sets no limit. */
  capacityFlows?: number;
  bucketCount?: number;
  /** Occupancy as a share of capacity. */
  useShare?: number;
  headroomFlows?: number;
  flowsPerBucket?: number;
  findings: readonly Finding[];
  /** What was dropped since boot, by cause; `invalidPackets` and `clashesResolved` were not. */
  drops?: Drops;
  /** The same between the two readings. */
  dropsNow?: DropsNow;
  host: Host;
  atMs: number;
  counters?: CountersJson;
  expectations?: { occupancyFlows: number; capacityFlows?: number };
  namespaces?: readonly NamespaceJson[];
  kernelLog?: KernelLog;
  trackingInUse?: boolean;
  unseen: readonly Unseen[];
}

interface CountersJson {
  source: "procfs" | "netlink";
  total: CounterValues;
  /** By how much each moved between the two readings, and how far apart they were. */
  later?: { seconds: number; total: CounterValues };
  notCounted: readonly { name: CounterName; why: string }[];
  unknown: readonly { name: string; total: number }[];
}

/** Addresses as text; all else as read. */
type NamespaceJson = Omit<NamespaceFacts, "addresses"> & { addresses?: readonly string[] };

/** The object that `check --json` prints. */
export function verdictToJson(facts: Facts, verdict: Verdict): CheckJson {
  const { occupancyFlows, capacityFlows, bucketCount, useShare, headroomFlows, hostFlows } =
    tableFigures(facts);
  const flowsPerBucket =
    bucketCount === undefined || hostFlows === undefined ? undefined : hostFlows / bucketCount;
  return {
    schema: "headroom/check/v1",
    level: verdict.level,
    ...present({ occupancyFlows, capacityFlows, bucketCount, useShare, headroomFlows, flowsPerBucket }),
    findings: verdict.findings,
    ...present({
      drops: facts.counters === undefined ? undefined : dropsSinceBoot(facts),
      dropsNow: dropsNow(facts),
    }),
    host: facts.host,
    atMs: facts.atMs,
    ...present({
      counters: countersToJson(facts),
      expectations: facts.expectations,
      namespaces: facts.namespaces?.map(namespaceToJson),
      kernelLog: facts.kernelLog,
      trackingInUse: facts.trackingInUse,
    }),
    unseen: facts.unseen,
  };
}

function countersToJson(facts: Facts): CountersJson | undefined {
  const { counters, later } = facts;
  if (counters === undefined) return undefined;
  return {
    source: counters.source,
    total: counters.total,
    ...present({
      later: later === undefined ? undefined : { seconds: later.seconds, total: later.counters.total },
    }),
    notCounted: counters.notCounted,
    unknown: counters.unknown,
  };
}

function namespaceToJson(namespace: NamespaceFacts): NamespaceJson {
  const { addresses, ...rest } = namespace;
  return addresses === undefined ? rest : { ...rest, addresses: addresses.map(formatAddress) };
}

/** The properties that have a value. */
function present<T extends object>(values: T): { [key in keyof T]?: Exclude<T[key], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [key in keyof T]?: Exclude<T[key], undefined> };
}
