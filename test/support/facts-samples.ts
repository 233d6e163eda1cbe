/**
 * Facts of a small healthy host, and ways to change them: what a scenario of judgement is made of. Made up,
 * but with the figures a 6.18 host of 24 GB has.
 */
import type { Facts } from "../../src/plan/plan.ts";
import type { Counters, CounterValues } from "../../src/table/counters.ts";
import type { KernelLogTally, NamespaceFacts } from "../../src/table/host.ts";
import type { Settings } from "../../src/table/settings.ts";

const AT_MS = 1_700_000_000_000;
export const OWN_INODE = 4_026_531_840;

/** 24 GB, 2 CPUs, ten days up, everything as the kernel chooses it, 1,000 flows. */
export const healthyFacts: Facts = {
  host: {
    tracker: "nf_conntrack",
    kernelRelease: "6.18.44",
    memoryBytes: 25_276_063_744,
    pointerBytes: 8,
    pageBytes: 4096,
    flowSlotBytes: 256,
    cpus: 2,
    uptimeSeconds: 864_000,
    namespaceInode: OWN_INODE,
    initialNamespace: true,
  },
  settings: {
    values: {
      nf_conntrack_max: 262_144,
      nf_conntrack_buckets: 262_144,
      nf_conntrack_count: 1000,
      nf_conntrack_expect_max: 4096,
      nf_conntrack_events: 2,
      nf_conntrack_tcp_timeout_established: 432_000,
      nf_conntrack_tcp_timeout_syn_sent: 120,
      nf_conntrack_tcp_timeout_time_wait: 120,
      nf_conntrack_udp_timeout: 30,
      nf_conntrack_udp_timeout_stream: 120,
      nf_conntrack_icmp_timeout: 30,
    },
    origins: { nf_conntrack_max: "/proc/sys/net/netfilter/nf_conntrack_max" },
    unknownKeys: [],
    unreadable: [],
  },
  atMs: AT_MS,
  unseen: [],
};

/** `facts` with other settings. */
export function withSettings(facts: Facts, values: Settings): Facts {
  return { ...facts, settings: { ...facts.settings, values: { ...facts.settings.values, ...values } } };
}

/** `facts` with other properties of the host. */
export function withHost(facts: Facts, host: Partial<Facts["host"]>): Facts {
  return { ...facts, host: { ...facts.host, ...host } };
}

/** Counters of one CPU. */
export function countersOf(total: CounterValues): Counters {
  return { total, perCpu: [{ cpu: 0, values: total }], notCounted: [], unknown: [], source: "procfs" };
}

/** `facts` with a kernel log of these lines, `secondsAgo` old, that covers the last day. */
export function withLog(
  facts: Facts,
  ...lines: (Partial<KernelLogTally> & { secondsAgo?: number })[]
): Facts {
  const tallies = lines.map(({ secondsAgo, ...rest }): KernelLogTally => ({
    kind: "table-full",
    lines: 10,
    sample: "nf_conntrack: nf_conntrack: table full, dropping packet",
    ...(secondsAgo === undefined ? {} : { lastAtMs: AT_MS - secondsAgo * 1000 }),
    ...rest,
  }));
  return {
    ...facts,
    kernelLog: {
      source: "kmsg",
      origin: "/dev/kmsg",
      tallies,
      suppressedMessages: 0,
      linesRead: 1000,
      wrapped: false,
    },
  };
}

/** `facts` with another namespace beside the own one. */
export function withNamespace(facts: Facts, other: Partial<NamespaceFacts>): Facts {
  const own: NamespaceFacts = { inode: OWN_INODE, initial: true, own: true, occupancyFlows: 1000 };
  const blue: NamespaceFacts = {
    inode: 4_026_532_281,
    name: "blue",
    owner: "docker:4f1c",
    initial: false,
    own: false,
    ...other,
  };
  return { ...facts, namespaces: [...(facts.namespaces ?? [own]), blue] };
}
