import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emptyCensus, hoardCensus, sampledCensus } from "../../test/support/cli-samples.ts";
import { memoryFiles } from "../../test/support/boot-memory.ts";
import {
  countersOf,
  healthyFacts,
  OWN_INODE,
  withHost,
  withLog,
  withNamespace,
  withSettings,
} from "../../test/support/facts-samples.ts";
import { textTable } from "../../test/support/text-table.ts";
import { forecastBoot } from "../boot/boot.ts";
import type { Census } from "../census/census.ts";
import { FINDING_CODES, type Finding, type Level } from "../table/finding.ts";
import type { Facts } from "./facts.ts";
import { judge, rules, worseLevel } from "./judge.ts";

const DAY = 86_400;

const established = "net.netfilter.nf_conntrack_tcp_timeout_established";
const early = { "/etc/modules-load.d/nf.conf": "nf_conntrack" };
const kubeProxy = {
  ...early,
  "/etc/systemd/system/multi-user.target.wants/kube-proxy.service": "[Service]",
  "/etc/systemd/system/kube-proxy.service":
    "[Service]\nExecStart=/bin/kube-proxy --config=/var/lib/kube-proxy/config.conf",
  "/var/lib/kube-proxy/config.conf":
    "conntrack:\n  maxPerCore: 262144\n  min: 0\n  tcpEstablishedTimeout: 0s\n  tcpCloseWaitTimeout: 0s\n",
};

/** `facts` with what their next boot makes of these files. */
function withBoot(facts: Facts, files: Readonly<Record<string, string>>): Facts {
  const { kernelRelease = "", memoryBytes = 0, cpus = 0 } = facts.host;
  const systemd = { "/usr/lib/systemd/systemd-sysctl": "", "/etc/sysctl.conf": "" };
  const boot = forecastBoot({
    files: memoryFiles({ ...systemd, ...files }),
    kernelRelease,
    memoryBytes,
    cpus,
    trackerBuiltin: false,
  });
  return { ...facts, boot };
}

/** Changes to a host by name; a scenario is a sizing line and some of these. */
const deltas: Readonly<Record<string, (facts: Facts) => Facts>> = {
  "no log": ({ kernelLog: _, ...facts }) => facts,
  "full logged an hour ago": (facts) => withLog(facts, { secondsAgo: 3600 }),
  "full logged a week ago": (facts) => withLog(facts, { secondsAgo: 7 * DAY }),
  "full logged a minute ago": (facts) => withLog(facts, { secondsAgo: 60 }),
  "full logged without a time": (facts) => withLog(facts, {}),
  "full logged by boot time": (facts) => withLog(facts, { lastUptimeSeconds: 864_000 - 30 }),
  "full logged of our inode": (facts) => withLog(facts, { secondsAgo: 60, namespaceInode: OWN_INODE }),
  "full logged of inode 4026532281": (facts) =>
    withLog(facts, { secondsAgo: 60, namespaceInode: 4_026_532_281 }),
  "full logged of a container": (facts) => withLog(facts, { secondsAgo: 60, container: "101" }),
  "allocation logged": (facts) => withLog(facts, { kind: "allocation-failed", secondsAgo: 60 }),
  "allocation logged a week ago": (facts) =>
    withLog(facts, { kind: "allocation-failed", secondsAgo: 7 * DAY }),
  "expectations logged": (facts) => withLog(facts, { kind: "expectation-table-full", secondsAgo: 60 }),
  "vmalloc logged": (facts) => withLog(facts, { kind: "vmalloc-fallback", secondsAgo: 60 }),
  "clean log": (facts) => withLog(facts),

  "no drops counted": (facts) => ({ ...facts, counters: countersOf({ drop: 0, earlyDrop: 0 }) }),
  "199 dropped, 1 evicted": (facts) => ({ ...facts, counters: countersOf({ drop: 199, earlyDrop: 1 }) }),
  "199 dropped": (facts) => ({ ...facts, counters: countersOf({ drop: 199, earlyDrop: 0 }) }),
  "40 evicted": (facts) => ({ ...facts, counters: countersOf({ drop: 0, earlyDrop: 40 }) }),
  "6 chains too long": (facts) => ({
    ...facts,
    counters: countersOf({ drop: 0, insertFailed: 6, chainTooLong: 6 }),
  }),
  "2 clashes": (facts) => ({ ...facts, counters: countersOf({ drop: 2, insertFailed: 2, chainTooLong: 0 }) }),
  "90,000 clashes": (facts) => ({
    ...facts,
    counters: countersOf({ drop: 90_000, insertFailed: 90_000, chainTooLong: 0 }),
  }),
  "clashes resolved": (facts) => ({ ...facts, counters: countersOf({ drop: 0, clashResolved: 90_000 }) }),
  "invalid only": (facts) => ({ ...facts, counters: countersOf({ drop: 0, invalid: 1_000_000 }) }),

  "then 20 more dropped": (facts) => later(facts, { drop: 20 }),
  "then 3 more dropped": (facts) => later(facts, { drop: 3 }),
  "then 20 evicted": (facts) => later(facts, { earlyDrop: 20 }),
  "then 20 chains too long": (facts) => later(facts, { insertFailed: 20, chainTooLong: 20 }),
  "then 20 clashes": (facts) => later(facts, { insertFailed: 20, drop: 20 }),
  "then 10 more flows": (facts) => grown(facts, 10),
  "then 150 more flows": (facts) => grown(facts, 150),
  "then 1000 more flows": (facts) => grown(facts, 1000),
  "then 2000 fewer flows": (facts) => grown(facts, -2000),

  "blue full": (facts) => withNamespace(facts, { occupancyFlows: 262_144 }),
  "blue at 85 %": (facts) => withNamespace(facts, { occupancyFlows: 222_822 }),
  "blue at 10 %": (facts) => withNamespace(facts, { occupancyFlows: 26_214 }),
  "blue unreadable": (facts) => withNamespace(facts, { unseen: "permission denied" }),
  "in a container": (facts) => withHost(facts, { initialNamespace: false, namespaceInode: 4_026_532_900 }),

  "idle hoard": (facts) => ({ ...facts, census: hoardCensus }),
  "SYN flood": (facts) => ({ ...facts, census: sampledCensus }),
  "time wait": (facts) => withStates(facts, { TIME_WAIT: 30_000, ESTABLISHED: 20_000 }, 0),
  udp: (facts) => withStates(facts, { ESTABLISHED: 10_000 }, 40_000),
  "small table of one source": (facts) => ({
    ...facts,
    census: {
      ...emptyCensus,
      flows: 900,
      topSources: { ...hoardCensus.topSources, rows: [{ address: "10.0.0.7", flows: 900 }] },
    },
  }),
  "old timeouts left": (facts) => ({
    ...facts,
    census: {
      ...emptyCensus,
      flows: 1000,
      remainingSeconds: [
        { fromSeconds: 0, toSeconds: 86_400, flows: 100 },
        { fromSeconds: 345_600, toSeconds: 432_000, flows: 900 },
      ],
    },
  }),
  "established 1d": (facts) => withSettings(facts, { nf_conntrack_tcp_timeout_established: DAY }),
  "established 1h": (facts) => withSettings(facts, { nf_conntrack_tcp_timeout_established: 3600 }),
  "established 0": (facts) => withSettings(facts, { nf_conntrack_tcp_timeout_established: 0 }),
  "udp stream 60s": (facts) => withSettings(facts, { nf_conntrack_udp_timeout_stream: 60 }),
  "syn sent 30s": (facts) => withSettings(facts, { nf_conntrack_tcp_timeout_syn_sent: 30 }),
  "icmp 10s": (facts) => withSettings(facts, { nf_conntrack_icmp_timeout: 10 }),

  "4 GB": (facts) => withHost(facts, { memoryBytes: 4_000_000_000 }),
  "256 MB": (facts) => withHost(facts, { memoryBytes: 268_435_456 }),
  "90 namespaces on 4 GB": (facts) =>
    Array.from({ length: 90 }).reduce<Facts>(
      (sum, _, index) => withNamespace(sum, { inode: index, name: `n${index}`, occupancyFlows: 5 }),
      withHost(facts, { memoryBytes: 4_000_000_000 }),
    ),

  "expectations full": (facts) => ({ ...facts, expectations: { occupancyFlows: 4096 } }),
  "expectations few": (facts) => ({ ...facts, expectations: { occupancyFlows: 10, capacityFlows: 4096 } }),

  "unknown settings": (facts) => ({
    ...facts,
    settings: { ...facts.settings, unknownKeys: ["net.netfilter.nf_conntrack_new"] },
  }),
  "old names": (facts) => ({
    ...withHost(facts, { tracker: "ip_conntrack" }),
    settings: {
      ...facts.settings,
      origins: { nf_conntrack_max: "/proc/sys/net/ipv4/netfilter/ip_conntrack_max" },
    },
  }),
  "old names beside new ones": (facts) => ({
    ...facts,
    settings: {
      ...facts.settings,
      origins: { nf_conntrack_max: "net.ipv4.netfilter.ip_conntrack_max (saved)" },
    },
  }),
  "kube-proxy": (facts) =>
    withSettings(facts, {
      nf_conntrack_tcp_timeout_established: DAY,
      nf_conntrack_tcp_timeout_close_wait: 3600,
    }),

  accounting: (facts) => withSettings(facts, { nf_conntrack_acct: 1 }),
  "nothing at boot": (facts) => withBoot(facts, {}),
  "kept at boot": (facts) => withBoot(facts, { ...early, "/etc/sysctl.d/a.conf": `${established} = 86400` }),
  "kept too early": (facts) => withBoot(facts, { "/etc/sysctl.d/a.conf": `${established} = 86400` }),
  "boot half seen": (facts) => {
    const { boot, ...rest } = withBoot(facts, {});
    assert.ok(boot !== undefined);
    const unseen = [{ what: "a file", why: "permission denied", cause: "not-permitted" as const }];
    return { ...rest, boot: { ...boot, unseen } };
  },
  "two files disagree": (facts) =>
    withBoot(facts, {
      ...early,
      "/etc/sysctl.d/a.conf": `${established} = 86400`,
      "/etc/sysctl.d/b.conf": `${established} = 432000`,
    }),
  "kube-proxy set": (facts) => withBoot(withSettings(facts, {}), kubeProxy),
  "a file against kube-proxy": (facts) =>
    withBoot(facts, {
      ...early,
      ...kubeProxy,
      "/etc/sysctl.d/a.conf": "net.netfilter.nf_conntrack_max = 400000",
    }),
  "hashsize at boot": (facts) =>
    withBoot(facts, { ...early, "/etc/modprobe.d/a.conf": "options nf_conntrack hashsize=65536" }),
  "a name no kernel has": (facts) =>
    withBoot(facts, { ...early, "/etc/sysctl.d/a.conf": "net.netfilter.nf_conntrack_maximum = 400000" }),
  "an old name at boot": (facts) =>
    withBoot(facts, { ...early, "/etc/sysctl.d/a.conf": "net.ipv4.ip_conntrack_max = 400000" }),

  "nothing needs it": (facts) => ({ ...facts, trackingInUse: false }),
  "rules need it": (facts) => ({ ...facts, trackingInUse: true }),
  "not loaded": (facts) => unread(withHost(facts, { tracker: "none" })),
  "not loaded, unsure": (facts) => ({
    ...unread(withHost(facts, { tracker: "unknown" })),
    unseen: [{ what: "settings", why: "no such file", cause: "not-loaded" }],
  }),
  "log denied": (facts) => ({
    ...facts,
    unseen: [{ what: "kernel log", why: "permission denied", help: "run as root", cause: "not-permitted" }],
  }),
  "all denied": (facts) => ({
    ...unread(facts),
    unseen: [{ what: "settings", why: "permission denied", cause: "not-permitted" }],
  }),
  "nothing read": unread,
  "thresholds 50/60": (facts) => ({ ...facts, thresholds: { warningShare: 0.5, criticalShare: 0.6 } }),
  "unknown kernel": ({ host: { kernelRelease: _, ...host }, ...facts }) => ({ ...facts, host }),
};

function later(facts: Facts, moved: Readonly<Record<string, number>>): Facts {
  const before = { drop: 0, earlyDrop: 0, insertFailed: 0, chainTooLong: 0, ...facts.counters?.total };
  const after = { ...before };
  for (const [name, by] of Object.entries(moved)) after[name as "drop"] += by;
  const occupancyFlows = facts.settings.values.nf_conntrack_count;
  return {
    ...facts,
    counters: countersOf(before),
    later: {
      counters: countersOf(after),
      seconds: 2,
      ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    },
  };
}

function grown(facts: Facts, by: number): Facts {
  const occupancyFlows = (facts.settings.values.nf_conntrack_count ?? 0) + by;
  return { ...facts, later: { counters: countersOf({}), seconds: 2, occupancyFlows } };
}

function withStates(facts: Facts, states: Readonly<Record<string, number>>, udpFlows: number): Facts {
  const byState = Object.entries(states).map(([state, flows]) => ({ protocol: "tcp", state, flows }));
  const tcpFlows = byState.reduce((sum, { flows }) => sum + flows, 0);
  const census: Census = {
    ...emptyCensus,
    flows: tcpFlows + udpFlows,
    byState,
    byProtocol: [
      { protocol: "tcp", flows: tcpFlows },
      { protocol: "udp", flows: udpFlows },
    ],
  };
  return { ...facts, census };
}

function unread(facts: Facts): Facts {
  return { ...facts, settings: { ...facts.settings, values: {}, origins: {} } };
}

/** `[warning] near-full` as `near-full!`, critical `!!`, unknown `?`, ok without a mark. */
const marks: Record<Level, string> = { ok: "", warning: "!", critical: "!!", unknown: "?" };

function shortly(findings: readonly Finding[]): string {
  return findings.map(({ code, level }) => `${code}${marks[level]}`).join(" ");
}

/**
 * Sizes are capacity/buckets/flows; what is left out is as on the healthy host: 262,144 flows, as many
 * buckets, 1,000 flows held, kernel 6.18. A finding without a mark is of level ok, `!` is warning, `!!`
 * critical, `?` unknown.
 */
const scenarios = textTable(
  ["sizes", "kernel", "with", "findings"],
  `
  sizes          | kernel  | with                                  | findings
  # Occupancy against capacity.
  -              | -       | -                                     | -
  //209714       | -       | -                                     | -
  //209716       | -       | -                                     | near-full! timeouts-longer-than-needed
  //235930       | -       | established 1d                        | near-full!!
  //262143       | -       | established 1d                        | near-full!!
  //262144       | -       | established 1d                        | table-full!!
  //262145       | -       | established 1d                        | table-full!!
  //140000       | -       | thresholds 50/60; established 1d      | near-full!
  //160000       | -       | thresholds 50/60; established 1d      | near-full!!
  //250000       | -       | established 1d; then 20 more dropped  | table-full!!
  //262144       | -       | established 1d; then 2000 fewer flows | table-full!!
  //262144       | -       | established 1d; then 3 more dropped   | table-full!!
  //200000       | -       | then 20 evicted                       | table-full!!
  //246000       | -       | established 1d; full logged a minute ago | table-full!!
  //246000       | -       | established 1d; full logged an hour ago | near-full!! full-in-the-past!
  0//200000      | -       | -                                     | limit-costs-too-much!

  # A straight line through two readings.
  //150000       | -       | then 10 more flows                    | -
  //150000       | -       | then 150 more flows                   | filling!
  //150000       | -       | then 1000 more flows                  | filling!!
  //150000       | -       | then 2000 fewer flows                 | -
  //1000         | -       | then 150 more flows                   | -
  8192/8192/1000 | -       | 256 MB; then 150 more flows           | filling!

  # The past: log lines, counters since boot.
  -              | -       | full logged an hour ago               | full-in-the-past!
  -              | -       | full logged a week ago                | full-in-the-past
  -              | -       | full logged without a time            | full-in-the-past!
  -              | -       | full logged by boot time              | full-in-the-past!
  -              | -       | full logged of our inode              | full-in-the-past!
  //262144       | -       | full logged an hour ago; established 1d | table-full!!
  -              | -       | 199 dropped, 1 evicted                | full-in-the-past!
  -              | -       | clean log; 199 dropped, 1 evicted     | full-in-the-past
  -              | -       | 199 dropped                           | full-in-the-past
  -              | -       | 40 evicted                            | full-in-the-past
  -              | -       | clean log; no drops counted           | -
  -              | -       | vmalloc logged                        | -
  -              | -       | invalid only                          | -
  -              | -       | clashes resolved                      | -

  # Elsewhere.
  -              | -       | blue full                             | full-in-another-namespace!!
  -              | -       | blue at 85 %                          | near-full!
  -              | -       | blue at 10 %                          | -
  -              | -       | blue unreadable                       | -
  -              | -       | full logged of inode 4026532281       | full-in-another-namespace!
  -              | 2.6.18  | full logged of a container            | full-in-another-namespace!
  -              | -       | in a container; full logged an hour ago | full-in-another-namespace!
  /65536/        | 5.10.1  | no drops counted; full logged an hour ago | full-in-another-namespace!
  -              | 5.10.1  | 2 clashes; full logged an hour ago    | full-in-the-past! insert-clash

  # Lost although there is room.
  /65536/        | 6.18.44 | -                                     | -
  1210856/65536/ | 6.18.44 | -                                     | buckets-too-few!
  1210856/65536/1212000 | 6.18.44 | 4 GB; established 1d                  | table-full!! buckets-too-few!
  1210856/65536/1000000 | 5.15.0  | 4 GB; established 1d                  | buckets-too-few!! near-full!
  1210856/1210880/ | 5.15.0  | -                                     | -
  1210856/262144/ | 5.15.0  | -                                     | buckets-too-few!
  1210856/262144/ | 6.1.192 | -                                     | buckets-too-few
  262144/65536/  | 5.10.89 | -                                     | -
  1210856/65536/ | 5.10.89 | -                                     | buckets-too-few!
  524288/65536/  | 5.10.89 | -                                     | buckets-too-few hashsize-raises-limit
  1210856/65536/ | -       | unknown kernel                        | buckets-too-few!
  -              | -       | 6 chains too long                     | chain-too-long
  1210856/65536/ | -       | 6 chains too long                     | chain-too-long! buckets-too-few!
  -              | -       | then 20 chains too long               | chain-too-long!!
  -              | -       | 2 clashes                             | insert-clash
  -              | -       | 90,000 clashes                        | insert-clash!
  -              | -       | then 20 clashes                       | insert-clash!
  -              | -       | then 20 more dropped                  | allocation-failed!
  -              | -       | allocation logged                     | allocation-failed!
  -              | -       | allocation logged a week ago          | allocation-failed
  -              | -       | expectations full                     | expectations-full!
  -              | -       | expectations few                      | -
  -              | -       | expectations logged                   | expectations-full!

  # What it is full of.
  65536/65536/65000 | - | 4 GB; idle hoard | near-full!! one-source-hoards! idle-established-hoard!
  //65536        | -       | idle hoard                            | one-source-hoards idle-established-hoard
  //900          | -       | small table of one source             | -
  1000000/1000448/960000 | - | SYN flood | near-full!! unanswered-flood! one-source-hoards!
  4194304/4194304/999000 | - | SYN flood | unanswered-flood one-source-hoards
  65536/65536/50000 | -       | 4 GB; time wait                       | time-wait-churn
  65536/65536/60000 | -       | 4 GB; time wait; established 1d       | near-full!! time-wait-churn!
  65536/65536/50000 | -       | 4 GB; udp                             | udp-churn
  65536/65536/60000 | -       | 4 GB; udp; established 1d             | near-full!! udp-churn!
  -              | -       | old timeouts left                     | -
  -              | -       | old timeouts left; established 1d     | old-entries-keep-old-timeout
  //262000       | -       | old timeouts left; established 1d     | near-full!! old-entries-keep-old-timeout!

  # Sizes and settings.
  65536/65536/   | -       | -                                     | limit-below-default
  65536/65536/60000 | -       | established 1d                        | near-full!! limit-below-default!
  4000000/4000256/ | -       | 4 GB                                  | limit-costs-too-much!
  -              | -       | 90 namespaces on 4 GB                 | limit-costs-too-much
  -              | -       | established 1h                        | timeout-below-rfc-floor!
  -              | -       | established 0                         | timeout-below-rfc-floor!
  -              | -       | udp stream 60s                        | timeout-below-rfc-floor!
  -              | -       | syn sent 30s                          | timeout-below-rfc-floor
  -              | -       | icmp 10s                              | timeout-below-rfc-floor
  -              | -       | unknown settings                      | unknown-key
  65536/8192/    | 2.6.18  | old names; 4 GB                       | legacy-key
  -              | 3.10.0  | old names beside new ones             | legacy-key
  131072/131072/125000 | -       | kube-proxy; 4 GB                      | near-full!! set-by-another-owner
  1048576/1048576/900000 | -       | established 1d                        | near-full! set-by-another-owner

  # The next boot.
  -              | -       | nothing at boot                       | -
  -              | -       | established 1d; nothing at boot       | lost-at-boot!
  524288//       | -       | nothing at boot                       | lost-at-boot!
  131072//       | -       | nothing at boot                       | lost-at-boot limit-below-default
  -              | -       | accounting; nothing at boot           | lost-at-boot
  -              | -       | established 1d; kept at boot          | -
  # Perhaps the file that could not be read keeps it.
  -              | -       | established 1d; boot half seen        | -
  -              | -       | established 1d; in a container; nothing at boot | -
  -              | -       | kept too early                        | lost-at-boot!
  -              | -       | two files disagree                    | contradicting-definitions
  131072/262144/ | -       | kube-proxy; nothing at boot           | limit-below-default
  524288/262144/ | -       | a file against kube-proxy             | set-by-another-owner!
  524288/262144/ | -       | kube-proxy set                    | -
  524288/524288/500000 | - | established 1d; kube-proxy set | near-full!! lost-at-boot! set-by-another-owner
  -              | -       | hashsize at boot                      | lost-at-boot! hashsize-raises-limit
  -              | -       | a name no kernel has                  | unknown-key
  -              | -       | an old name at boot                   | legacy-key!

  # Nothing there, or not to be seen.
  -              | -       | not loaded                            | tracking-off
  -              | -       | not loaded, unsure                    | tracking-off
  -              | -       | nothing needs it                      | tracking-not-needed
  -              | -       | rules need it                         | -
  -              | -       | log denied                            | not-permitted
  -              | -       | all denied                            | not-permitted?
  `,
);

for (const row of scenarios) {
  test(`judge() ${row.sizes ?? "-"} ${row.kernel ?? "-"}: ${row.with ?? "healthy"}`, () => {
    const verdict = judge(factsOf(row));
    assert.equal(shortly(verdict.findings), row.findings ?? "");
    const levels = verdict.findings.map(({ level }) => level);
    assert.equal(verdict.level, levels.reduce(worseLevel, "ok"));
  });
}

test("judge() is at a loss without occupancy or capacity, unless there is no tracker", () => {
  assert.deepEqual(judge(unread(healthyFacts)), { level: "unknown", findings: [] });
  const full = withLog(unread(healthyFacts), { secondsAgo: 60 });
  assert.equal(judge(full).level, "warning");
  assert.equal(judge(withHost(unread(healthyFacts), { tracker: "none" })).level, "ok");
});

function factsOf(row: (typeof scenarios)[number]): Facts {
  const [capacity = "", buckets = "", flows = ""] = row.sizes?.split("/") ?? [];
  const sized = withSettings(healthyFacts, {
    ...(capacity === "" ? {} : { nf_conntrack_max: Number(capacity) }),
    ...(buckets === "" ? {} : { nf_conntrack_buckets: Number(buckets) }),
    ...(flows === "" ? {} : { nf_conntrack_count: Number(flows) }),
  });
  const started = row.kernel === undefined ? sized : withHost(sized, { kernelRelease: row.kernel });
  const names = row.with?.split("; ") ?? [];
  return names.reduce((facts, name) => {
    const delta = deltas[name];
    assert.ok(delta !== undefined, `there is no change called "${name}"`);
    return delta(facts);
  }, started);
}

test("every finding of every scenario can be acted on", () => {
  for (const row of scenarios) {
    for (const finding of judge(factsOf(row)).findings) {
      assert.ok(finding.title !== "" && finding.title.length <= 100, finding.title);
      assert.match(finding.title, /^[\p{Lu}\d]/u);
      assert.match(finding.meaning, /\.$/);
      assert.ok(Object.keys(finding.evidence).length > 0, finding.code);
      for (const value of Object.values(finding.evidence))
        assert.ok(typeof value === "string" || Number.isFinite(value));
      for (const { command = "" } of finding.remedy) {
        assert.ok(!/[|\n]/.test(command), command);
        if (!/conntrack_max=/.test(command)) continue;
        assert.match(
          command,
          /(_buckets=|hashsize).* (&& sysctl -w \S+|--set nf_)conntrack_max=/,
          "capacity without its buckets",
        );
      }
    }
  }
});

test("every code has a rule", () => {
  const judged = [...rules.keys()].sort();
  assert.deepEqual(judged, [...FINDING_CODES].sort());
});

test("every rule gives findings of its own code only, and each is seen in a scenario", () => {
  const seen = new Set<string>();
  for (const row of scenarios) {
    const facts = factsOf(row);
    for (const [code, rule] of rules) {
      for (const finding of rule(facts)) {
        assert.equal(finding.code, code);
        seen.add(code);
      }
    }
  }
  assert.deepEqual([...seen].sort(), [...rules.keys()].sort());
});

test("findings come by level, and what loses packets now before what does not", () => {
  const facts = [
    "in a container",
    "blue full",
    "90,000 clashes",
    "expectations full",
    "then 20 clashes",
    "established 1h",
  ].reduce((sum, name) => deltas[name]?.(sum) ?? sum, healthyFacts);
  assert.equal(
    shortly(judge(facts).findings),
    "full-in-another-namespace!! insert-clash! expectations-full! timeout-below-rfc-floor!",
  );
});

test("a higher occupancy never lowers the level", () => {
  const anyDelta = fc.subarray(
    Object.keys(deltas).filter((name) => name !== "nothing read"),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(anyDelta, fc.nat(300_000), fc.nat(300_000), (names, flows, more) => {
      const [low, high] = [flows, flows + more].map((occupancy) => {
        const start = withSettings(healthyFacts, { nf_conntrack_count: occupancy });
        return judge(names.reduce((facts, name) => deltas[name]?.(facts) ?? facts, start)).level;
      });
      assert.ok(low !== undefined && high !== undefined);
      assert.equal(
        worseLevel(low, high),
        high,
        `${names.join("; ")}: ${low} at ${flows}, ${high} at ${flows + more}`,
      );
    }),
  );
});

test("judge() is not confused by facts at their extremes", () => {
  const number = fc.oneof(fc.constant(0), fc.constant(1), fc.nat(2 ** 31 - 1));
  fc.assert(
    fc.property(
      number,
      number,
      number,
      fc.constantFrom("6.1", "2.4.20", "", "x.y"),
      (capacity, buckets, flows, kernelRelease) => {
        const facts = withSettings(withHost(healthyFacts, { kernelRelease, memoryBytes: capacity }), {
          nf_conntrack_max: capacity,
          nf_conntrack_buckets: buckets,
          nf_conntrack_count: flows,
        });
        for (const { evidence, title } of judge(facts).findings) {
          assert.ok(!/NaN|Infinity|undefined/.test(title + JSON.stringify(evidence)), title);
        }
      },
    ),
  );
});
