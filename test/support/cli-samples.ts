/**
 * Values that screens are drawn from in tests: a small healthy host and a big one in trouble. Made up, but
 * shaped as the kernel and the census make them.
 */
import type { Census, Top } from "../../src/census/shape.ts";
import type { Facts } from "../../src/plan/facts.ts";
import type { Finding, Verdict } from "../../src/table/finding.ts";

function ranking<Row>(rows: readonly Row[], distinct = rows.length): Top<Row> {
  return { rows, distinct, exact: true, errorBoundFlows: 0 };
}

export const emptyCensus: Census = {
  flows: 0,
  flowsRead: 0,
  complete: true,
  byFamily: [],
  byProtocol: [],
  byState: [],
  byStatus: {},
  byNat: [],
  byZone: ranking([]),
  byMark: ranking([]),
  byHelper: ranking([]),
  topSources: ranking([]),
  topDestinations: ranking([]),
  topSourcePrefixes: ranking([]),
  topDestinationPrefixes: ranking([]),
  topServices: ranking([]),
  topPairs: ranking([]),
  remainingSeconds: [],
  idleSeconds: [],
  idleUnknown: [],
  establishedIdleSeconds: [],
  unanswered: [],
  topUnansweredSources: ranking([]),
  oddities: {},
};

/** A table of 65,536 that ESTABLISHED flows of one source fill. */
export const hoardCensus: Census = {
  ...emptyCensus,
  flows: 65_536,
  flowsRead: 65_536,
  byFamily: [
    { family: "ipv4", flows: 65_000 },
    { family: "ipv6", flows: 536 },
  ],
  byProtocol: [
    { protocol: "tcp", flows: 60_036 },
    { protocol: "udp", flows: 5200 },
    { protocol: "icmp", flows: 250 },
    { protocol: "50", flows: 50 },
  ],
  byState: [
    { protocol: "tcp", state: "ESTABLISHED", flows: 54_400 },
    { protocol: "tcp", state: "TIME_WAIT", flows: 4100 },
    { protocol: "tcp", state: "SYN_SENT", flows: 1200 },
    { protocol: "tcp", state: "CLOSE", flows: 300 },
  ],
  byStatus: {
    assured: { flows: 58_000 },
    unreplied: { flows: 3300 },
    "seen-reply": { flows: 62_236 },
  },
  byNat: [
    { nat: "none", flows: 60_000 },
    { nat: "source", flows: 5536 },
  ],
  byZone: ranking([{ zone: 0, flows: 65_536 }]),
  byMark: ranking([
    { mark: 0, flows: 65_000 },
    { mark: 77, flows: 536 },
  ]),
  byHelper: ranking([{ helper: "ftp\u001b[31m", flows: 3 }]),
  topSources: ranking(
    [
      { address: "10.0.0.7", flows: 27_000 },
      { address: "10.0.0.9", flows: 8000 },
      { address: "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", flows: 536 },
    ],
    4711,
  ),
  topDestinations: ranking([
    { address: "192.0.2.10", flows: 41_000 },
    { address: "192.0.2.11", flows: 20_000 },
  ]),
  topSourcePrefixes: ranking([{ prefix: "10.0.0.0/24", flows: 39_000 }], 90),
  topDestinationPrefixes: ranking([{ prefix: "192.0.2.0/24", flows: 61_000 }], 12),
  topServices: ranking([
    { protocol: "tcp", port: 443, flows: 50_000 },
    { protocol: "udp", port: 53, flows: 5000 },
  ]),
  topPairs: ranking(
    [
      { source: "10.0.0.7", destination: "192.0.2.10", protocol: "tcp", port: 443, flows: 26_000 },
      { source: "10.0.0.9", destination: "192.0.2.11", protocol: "50", flows: 50 },
    ],
    5000,
  ),
  establishedIdleSeconds: [
    { fromSeconds: 0, toSeconds: 60, flows: 900 },
    { fromSeconds: 60, toSeconds: 3600, flows: 2500 },
    { fromSeconds: 3600, toSeconds: 86_400, flows: 9000 },
    { fromSeconds: 86_400, toSeconds: 432_000, flows: 42_000 },
    { fromSeconds: 432_000, flows: 0 },
  ],
  idleUnknown: [{ why: "capped-or-expiring", flows: 120 }],
  traffic: { flowsCounted: 1000, packets: 51_200, bytes: 73_400_320 },
  oddities: { interrupted: 1, unknownAttributes: 65_536 },
};

/** The same, known by 20,134 flows. */
export const sampledCensus: Census = {
  ...emptyCensus,
  flows: 1_000_000,
  flowsRead: 20_134,
  complete: false,
  sampled: { flowsRead: 20_134, ofFlows: 1_000_000, method: "beginning of the dump" },
  byProtocol: [
    { protocol: "tcp", flows: 820_000, standardErrorFlows: 2700 },
    { protocol: "udp", flows: 180_000, standardErrorFlows: 2700 },
  ],
  byState: [{ protocol: "tcp", state: "SYN_SENT", flows: 820_000, standardErrorFlows: 2700 }],
  topSources: {
    rows: [{ address: "203.0.113.9", flows: 700_000, standardErrorFlows: 3200 }],
    distinct: 18_000,
    exact: false,
    errorBoundFlows: 490,
  },
  unanswered: [{ protocol: "tcp", state: "SYN_SENT", flows: 819_000, standardErrorFlows: 2700 }],
  topUnansweredSources: ranking([{ address: "203.0.113.9", flows: 700_000, standardErrorFlows: 3200 }]),
};

function finding(rest: Partial<Finding> & Pick<Finding, "code" | "level" | "title">): Finding {
  return {
    evidence: {},
    meaning: "What this means for the operator, said in a sentence or two that do not fit one line.",
    remedy: [{ text: "Do this first", command: "sysctl -w net.netfilter.nf_conntrack_max=131072" }],
    ...rest,
  };
}

export const troubleVerdict: Verdict = {
  level: "critical",
  findings: [
    finding({
      code: "table-full",
      level: "critical",
      title: "The table is full: 12,345 packets were dropped since boot",
      meaning:
        "Every packet that would open a new flow is dropped until an old one expires; flows that are in " +
        "the table go on. Users see time-outs at random. Nothing is wrong with the services behind it.",
      evidence: { occupancyFlows: 65_536, capacityFlows: 65_536, droppedPackets: 12_345 },
      remedy: [
        {
          text: "Raise the limit together with its buckets",
          command:
            "sysctl -w net.netfilter.nf_conntrack_buckets=131072 net.netfilter.nf_conntrack_max=131072",
        },
        { text: "Find out who fills it", command: "headroom explain" },
      ],
    }),
    finding({
      code: "idle-established-hoard",
      level: "warning",
      title: "42,000 ESTABLISHED flows (64 %) have been silent for more than a day",
    }),
    finding({
      code: "one-source-hoards",
      level: "warning",
      title: "10.0.0.7 holds 27,000 flows (41 % of the table), more than the next 400 sources together",
      remedy: [{ text: "Ask the owner of 10.0.0.7 whether that is meant" }],
    }),
    finding({ code: "time-wait-churn", level: "warning", title: "4,100 flows wait in TIME_WAIT" }),
    finding({ code: "limit-below-default", level: "warning", title: "The limit is below the default" }),
  ],
};

export const troubleFacts: Facts = {
  host: { tracker: "nf_conntrack", hostname: "web-3", kernelRelease: "6.1.0-21-amd64" },
  settings: {
    values: { nf_conntrack_max: 65_536, nf_conntrack_count: 65_536, nf_conntrack_buckets: 65_536 },
    origins: {},
    unknownKeys: [],
    unreadable: [],
  },
  atMs: 1_700_000_000_000,
  census: hoardCensus,
  unseen: [
    {
      what: "kernel log",
      why: "permission denied: reading /dev/kmsg needs CAP_SYSLOG",
      help: "run as root",
      cause: "not-permitted",
    },
    { what: "namespaces of other users", why: "permission denied", cause: "not-permitted" },
    { what: "memory of the table", why: "no /sys/kernel/slab", cause: "missing" },
  ],
};

export const calmVerdict: Verdict = { level: "ok", findings: [] };

export const calmFacts: Facts = {
  ...troubleFacts,
  settings: { ...troubleFacts.settings, values: { nf_conntrack_max: 262_144, nf_conntrack_count: 12 } },
  census: {
    ...emptyCensus,
    flows: 12,
    flowsRead: 12,
    byProtocol: [{ protocol: "udp", flows: 12 }],
    topSources: ranking([{ address: "127.0.0.1", flows: 12 }]),
  },
  unseen: [],
};
