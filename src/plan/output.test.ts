import assert from "node:assert/strict";
import { test } from "node:test";
import {
  countersOf,
  healthyFacts,
  withHost,
  withLog,
  withNamespace,
  withSettings,
} from "../../test/support/facts-samples.ts";
import { addressFromBytes } from "../table/address.ts";
import type { Facts } from "./facts.ts";
import { judge, tableFigures, verdictToJson, verdictToNagios } from "./plan.ts";

const perfdata = "percent=0.38%;80;90;0;100";

const nearFull: Facts = {
  ...withSettings(healthyFacts, {
    nf_conntrack_count: 218_103,
    nf_conntrack_tcp_timeout_established: 86_400,
  }),
  counters: countersOf({
    drop: 0,
    earlyDrop: 0,
    insertFailed: 2,
    chainTooLong: 0,
    invalid: 31,
    clashResolved: 4,
  }),
};

const pluginOutputs: readonly (readonly [name: string, facts: Facts, output: string])[] = [
  [
    "healthy",
    healthyFacts,
    `CONNTRACK OK: 1,000 of 262,144 flows (0.38 %) | flows=1000;209715;235929;0;262144 ${perfdata}`,
  ],
  [
    "near full, with counters",
    nearFull,
    "CONNTRACK WARNING: 218,103 of 262,144 flows (83 %) | flows=218103;209715;235929;0;262144 " +
      "percent=83.2%;80;90;0;100 drop=0c;;;0; early_drop=0c;;;0; insert_failed=2c;;;0; " +
      "chaintoolong=0c;;;0; invalid=31c;;;0;\n" +
      "[WARNING] near-full: Table 83 % full: 218,103 of 262,144 flows; try: headroom explain",
  ],
  [
    "full",
    withSettings(healthyFacts, { nf_conntrack_count: 262_144, nf_conntrack_tcp_timeout_established: 86_400 }),
    "CONNTRACK CRITICAL: Table full: 262,144 of 262,144 flows | flows=262144;209715;235929;0;262144 " +
      "percent=100%;80;90;0;100\n" +
      "[CRITICAL] table-full: Table full: 262,144 of 262,144 flows; try: " +
      "sysctl -w net.netfilter.nf_conntrack_buckets=524288 && sysctl -w " +
      "net.netfilter.nf_conntrack_max=524288",
  ],
  [
    "another namespace, whose name is hostile",
    withNamespace(healthyFacts, { name: "a|b\nc", occupancyFlows: 262_144 }),
    "CONNTRACK CRITICAL: The table of namespace a/b c (docker:4f1c) is full: 262,144 flows; " +
      `1,000 of 262,144 flows (0.38 %) | flows=1000;209715;235929;0;262144 ${perfdata}\n` +
      "[CRITICAL] full-in-another-namespace: The table of namespace a/b c (docker:4f1c) is full: 262,144 " +
      "flows; try: headroom explain --netns 'a/b c'",
  ],
  [
    "no limit",
    withSettings(healthyFacts, { nf_conntrack_max: 0 }),
    "CONNTRACK WARNING: The table has no limit (nf_conntrack_max is 0); 1,000 flows, no limit | " +
      "flows=1000;;;0;\n[WARNING] limit-costs-too-much: The table has no limit (nf_conntrack_max is 0); " +
      "try: sysctl -w net.netfilter.nf_conntrack_buckets=262144 && sysctl -w " +
      "net.netfilter.nf_conntrack_max=262144",
  ],
  [
    "not loaded",
    {
      ...withHost(healthyFacts, { tracker: "none" }),
      settings: { values: {}, origins: {}, unknownKeys: [], unreadable: [] },
    },
    "CONNTRACK OK: connection tracking is not loaded\n" +
      "[OK] tracking-off: Connection tracking is not loaded: there is no table that could fill; try: " +
      "echo nf_conntrack > /etc/modules-load.d/nf_conntrack.conf",
  ],
  [
    "not permitted",
    {
      ...healthyFacts,
      settings: { values: {}, origins: {}, unknownKeys: [], unreadable: [] },
      unseen: [{ what: "settings", why: "permission denied", cause: "not-permitted" }],
    },
    "CONNTRACK UNKNOWN: Not permitted to see: settings; occupancy could not be read\n" +
      "[UNKNOWN] not-permitted: Not permitted to see: settings; try: sudo headroom check\n" +
      "not seen: settings: permission denied",
  ],
];

for (const [name, facts, output] of pluginOutputs) {
  test(`verdictToNagios() ${name}`, () => {
    assert.equal(verdictToNagios(judge(facts), facts), output);
  });
}

test("verdictToNagios() takes thresholds over", () => {
  const facts = { ...healthyFacts, thresholds: { warningShare: 0.5, criticalShare: 0.75 } };
  assert.match(
    verdictToNagios(judge(facts), facts),
    /flows=1000;131072;196608;0;262144 percent=0.38%;50;75;0;100$/,
  );
});

test("verdictToJson() has the fixed names, and what was not seen is absent", () => {
  const facts = nearFull;
  const verdict = judge(facts);
  assert.deepEqual(JSON.parse(JSON.stringify(verdictToJson(facts, verdict))), {
    schema: "headroom/check/v1",
    level: "warning",
    occupancyFlows: 218_103,
    capacityFlows: 262_144,
    bucketCount: 262_144,
    useShare: 218_103 / 262_144,
    headroomFlows: 44_041,
    flowsPerBucket: 218_103 / 262_144,
    findings: [
      {
        code: "near-full",
        level: "warning",
        title: "Table 83 % full: 218,103 of 262,144 flows",
        evidence: {
          occupancyFlows: 218_103,
          capacityFlows: 262_144,
          useShare: 0.832,
          headroomFlows: 44_041,
          bucketCount: 262_144,
        },
        meaning:
          "Room for 44,041 more flows. When the table is full, the first packets of new connections are " +
          "dropped.",
        remedy: [
          {
            text: "See what fills the table: states, sources, services and idle age.",
            command: "headroom explain",
          },
          {
            text:
              "Set the capacity to 524,288 flows with 524,288 buckets; costs up to 132 MiB when full, 0.55 " +
              "% of this host's memory (256 bytes a flow, read from this kernel's slab).",
            command:
              "sysctl -w net.netfilter.nf_conntrack_buckets=524288 && sysctl -w " +
              "net.netfilter.nf_conntrack_max=524288",
          },
          {
            text:
              "These commands are gone after a reboot. To keep the values, write them to a file in " +
              "/etc/sysctl.d and have the module loaded before it is read, by a file in /etc/modules-load.d.",
          },
        ],
      },
    ],
    drops: {
      noRoomPackets: 0,
      clashPackets: 0,
      chainTooLongPackets: 0,
      evictedFlows: 0,
      clashesResolved: 4,
      invalidPackets: 31,
    },
    host: { ...healthyFacts.host },
    atMs: 1_700_000_000_000,
    counters: {
      source: "procfs",
      total: { drop: 0, earlyDrop: 0, insertFailed: 2, chainTooLong: 0, invalid: 31, clashResolved: 4 },
      notCounted: [],
      unknown: [],
    },
    unseen: [],
  });
});

test("verdictToJson() of everything there is", () => {
  const facts: Facts = {
    ...withLog(
      withNamespace(nearFull, {
        occupancyFlows: 5,
        addresses: [addressFromBytes(Uint8Array.of(10, 0, 0, 1))],
      }),
      { secondsAgo: 60 },
    ),
    later: {
      counters: countersOf({ drop: 3, earlyDrop: 0, insertFailed: 2 }),
      seconds: 2,
      occupancyFlows: 218_200,
    },
    expectations: { occupancyFlows: 3, capacityFlows: 4096 },
    trackingInUse: true,
    unseen: [{ what: "flows", why: "permission denied", cause: "not-permitted" }],
  };
  const json = verdictToJson(facts, judge(facts));
  assert.equal(json.occupancyFlows, 218_200);
  assert.deepEqual(json.dropsNow, { seconds: 2, noRoomPackets: 3, clashPackets: 0, evictedFlows: 0 });
  assert.deepEqual(json.counters?.later, { seconds: 2, total: { drop: 3, earlyDrop: 0, insertFailed: 2 } });
  assert.deepEqual(
    json.namespaces?.map(({ name, addresses }) => [name, addresses]),
    [
      [undefined, undefined],
      ["blue", ["10.0.0.1"]],
    ],
  );
  assert.equal(json.kernelLog?.tallies[0]?.lines, 10);
  assert.deepEqual([json.expectations?.occupancyFlows, json.trackingInUse, json.unseen.length], [3, true, 1]);
  assert.equal(json.flowsPerBucket, 218_205 / 262_144);
});

test("verdictToJson() of nothing at all", () => {
  const facts: Facts = {
    host: { tracker: "unknown" },
    settings: { values: {}, origins: {}, unknownKeys: [], unreadable: [] },
    atMs: 0,
    unseen: [],
  };
  assert.deepEqual(verdictToJson(facts, judge(facts)), {
    schema: "headroom/check/v1",
    level: "unknown",
    findings: [],
    host: { tracker: "unknown" },
    atMs: 0,
    unseen: [],
  });
});

const census = { complete: true, flows: 42 } as NonNullable<Facts["census"]>;
const none = { ...healthyFacts, settings: { values: {}, origins: {}, unknownKeys: [], unreadable: [] } };

test("tableFigures() takes the occupancy from whichever fact tells it", () => {
  const sources: [Facts, number | undefined][] = [
    [none, undefined],
    [{ ...none, census }, 42],
    [{ ...none, census: { ...census, complete: false } }, undefined],
    [withNamespace(none, {}), 1000],
    [{ ...none, census, counters: { ...countersOf({}), occupancyFlows: 43 } }, 43],
    [{ ...healthyFacts, census }, 1000],
    [{ ...healthyFacts, later: { counters: countersOf({}), seconds: 1, occupancyFlows: 44 } }, 44],
  ];
  for (const [facts, expected] of sources) assert.equal(tableFigures(facts).occupancyFlows, expected);
});

test("tableFigures() counts other namespaces into the load of the buckets", () => {
  const figures = tableFigures(withNamespace(healthyFacts, { occupancyFlows: 500 }));
  assert.deepEqual(
    [figures.occupancyFlows, figures.hostFlows, figures.useShare],
    [1000, 1500, 1000 / 262_144],
  );
});
