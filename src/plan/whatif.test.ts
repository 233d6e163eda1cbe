import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Row } from "../../test/support/columns.ts";
import { observationOf, usualTimeouts } from "../../test/support/observations.ts";
import { TCP, UDP } from "../table/protocol.ts";
import type { Settings } from "../table/settings.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { stationaryFlows } from "./stationary.ts";
import { whatIf, type WhatIf } from "./whatif.ts";
import type { WhatIfFacts } from "./whatif-facts.ts";

const TALKING = Status.SEEN_REPLY | Status.ASSURED | Status.CONFIRMED;
const DAY = 86_400;

/** ESTABLISHED and silent for so long. */
const silentFor = (seconds: number): Row => ({
  protocol: TCP,
  state: TcpState.ESTABLISHED,
  status: TALKING,
  timeoutSeconds: 432_000 - seconds - 1,
});
const udp = (idleSeconds: number): Row => ({
  protocol: UDP,
  status: Status.CONFIRMED,
  timeoutSeconds: 29 - idleSeconds,
});
const times = (flows: number, make: (index: number) => Row): Row[] =>
  Array.from({ length: flows }, (_, index) => make(index));

function answer(rows: readonly Row[], wanted: Settings, more: Partial<WhatIfFacts> = {}): WhatIf {
  const observation = more.observation ?? observationOf({ rows });
  const facts = {
    observation,
    host: { tracker: "nf_conntrack" as const, kernelRelease: "6.18.44" },
    settings: { ...usualTimeouts, nf_conntrack_max: 1000, nf_conntrack_buckets: 1024 },
    silentServices: [],
  };
  return whatIf({ ...facts, ...more }, wanted);
}

const HALF_A_DAY = { nf_conntrack_tcp_timeout_established: DAY / 2 };

test("flows silent for as long as the new timeout would already be gone", () => {
  const rows = [silentFor(DAY / 2 - 1), silentFor(DAY / 2), silentFor(2 * DAY), udp(3)];
  const { before, immediately } = answer(rows, HALF_A_DAY);
  assert.equal(before.flows, 4);
  assert.equal(immediately.goneFlows, 2);
  assert.equal(immediately.flows, 2);
});

test("they keep their old time: the longest, and half of them", () => {
  const { immediately } = answer([silentFor(DAY), silentFor(2 * DAY), silentFor(4 * DAY)], HALF_A_DAY);
  assert.equal(immediately.longestKeepSeconds, 4 * DAY);
  assert.equal(immediately.medianKeepSeconds, 3 * DAY);
});

test("with one reading the long run is what is younger than the timeout", () => {
  const rows = [
    ...times(50, () => silentFor(60)),
    ...times(30, () => silentFor(DAY)),
    ...times(7, () => udp(2)),
  ];
  const { after, reachedAfterSeconds } = answer(rows, HALF_A_DAY);
  assert.equal(after.flows, 57);
  assert.ok(after.lowFlows < 57 && after.highFlows > 57);
  assert.equal(reachedAfterSeconds, 432_000);
});

test("a setting as it is changes nothing", () => {
  const rows = times(20, (index) => silentFor(index * 10_000));
  const same = answer(rows, { nf_conntrack_tcp_timeout_established: 432_000 });
  assert.equal(same.immediately.goneFlows, 0);
  assert.equal(same.after.flows, 20);
  assert.equal(same.reachedAfterSeconds, undefined);
  assert.deepEqual(same.breaks, []);
});

test("a cap applies under the new timeout as it does under the old", () => {
  const unanswered: Row = { ...silentFor(0), status: Status.CONFIRMED, timeoutSeconds: 250 };
  const regime = stationaryFlows(observationOf({ rows: [unanswered] }), HALF_A_DAY).regimes[0];
  assert.equal(regime?.timeoutSeconds, 300);
  const shorter = stationaryFlows(observationOf({ rows: [unanswered] }), {
    nf_conntrack_tcp_timeout_established: 100,
  }).regimes[0];
  assert.equal(shorter?.timeoutSeconds, 100);
});

test("rows of one state come together, protocols without states by their setting", () => {
  const rows = [silentFor(5), { ...silentFor(0), status: Status.CONFIRMED, timeoutSeconds: 250 }, udp(1)];
  const { byState } = answer(rows, HALF_A_DAY);
  assert.deepEqual(
    byState.map(({ protocol, state, key, beforeFlows }) => [protocol, state, key, beforeFlows]),
    [
      ["tcp", "ESTABLISHED", undefined, 2],
      ["udp", undefined, "nf_conntrack_udp_timeout", 1],
    ],
  );
});

test("flows with more time left than they get now may stay or not", () => {
  const leftover: Row = { protocol: UDP, status: Status.CONFIRMED, timeoutSeconds: 100 };
  const { after, leftoverFlows } = answer([udp(1), ...times(10, () => leftover)], HALF_A_DAY);
  assert.equal(leftoverFlows, 10);
  assert.equal(after.flows, 6);
  assert.ok(after.lowFlows <= 1 && after.highFlows >= 11);
});

test("a sample stands for the table", () => {
  const rows = [...times(40, () => silentFor(60)), ...times(60, () => silentFor(DAY))];
  const observation = observationOf({ rows, ofFlows: 10_000 });
  const { before, immediately, after } = answer(rows, HALF_A_DAY, { observation });
  assert.equal(before.flows, 10_000);
  assert.equal(immediately.goneFlows, 6000);
  assert.ok((immediately.standardErrorFlows ?? 0) > 500);
  assert.ok(Math.abs(after.flows - 4000) < 1 && after.standardErrorFlows > 600);
});

test("flows whose idle age is not known are kept, and said to be unknown", () => {
  const offloaded: Row = { protocol: TCP, state: TcpState.ESTABLISHED, status: TALKING | Status.OFFLOAD };
  const { immediately, after } = answer([offloaded, silentFor(DAY)], HALF_A_DAY);
  assert.equal(immediately.unknownFlows, 1);
  assert.equal(after.flows, 1);
});

const services = [{ protocol: "tcp", port: 22, flows: 30, translatedFlows: 10 }];

test("what breaks: silent flows in use, and the translated among them", () => {
  const { breaks } = answer([silentFor(DAY)], HALF_A_DAY, { silentServices: services });
  assert.deepEqual(
    breaks.map(({ code, flows }) => [code, flows]),
    [
      ["silent-flows", 30],
      ["translated-flows", 10],
    ],
  );
});

test("what breaks: without tcp_loose nothing is picked up again", () => {
  const { breaks } = answer(
    [silentFor(DAY)],
    { ...HALF_A_DAY, nf_conntrack_tcp_loose: 0 },
    { silentServices: services },
  );
  assert.equal(breaks.find(({ code }) => code === "not-picked-up")?.flows, 20);
});

for (const { to, told } of [
  { to: 10, told: "nf_conntrack_udp_timeout is further below the 120 s that RFC 4787 asks of a NAT" },
  { to: 30, told: undefined },
]) {
  test(`what breaks: one-way UDP for ${to} s instead of 30 s`, () => {
    const { breaks } = answer([silentFor(5)], { nf_conntrack_udp_timeout: to });
    assert.equal(breaks.find(({ code }) => code === "below-rfc-floor")?.why, told);
  });
}

test("what breaks: sessions of others that are silent for longer, the unknown not counted", () => {
  const sessions = { own: [5], others: [DAY, undefined, 5, 2 * DAY] };
  const { breaks } = answer([silentFor(5)], HALF_A_DAY, { sessions });
  assert.equal(breaks.find(({ code }) => code === "login-sessions")?.flows, 2);
  assert.ok(!breaks.some(({ code }) => code === "own-session"));
});

test("expired flows may count for longer where other namespaces hold lasting flows", () => {
  const rows = Array.from({ length: 60 }, (_, age) => times(20, () => silentFor(age * 10))).flat();
  const alone = answer(rows, { nf_conntrack_tcp_timeout_established: 600 });
  const shared = answer(rows, { nf_conntrack_tcp_timeout_established: 600 }, { otherFlows: 1_000_000 });
  assert.ok(shared.uncollected.peakFlows >= alone.uncollected.peakFlows);
  assert.ok(alone.uncollected.peakFlows > 0);
});

for (const { idleSeconds, isBroken } of [
  { idleSeconds: DAY / 2, isBroken: false },
  { idleSeconds: DAY / 2 + 1, isBroken: true },
]) {
  test(`what breaks: the operator's own session, silent for ${idleSeconds} s: ${isBroken}`, () => {
    const { breaks } = answer([silentFor(5)], HALF_A_DAY, { sessions: { own: [idleSeconds], others: [] } });
    assert.equal(
      breaks.some(({ code }) => code === "own-session"),
      isBroken,
    );
  });
}

for (const { key, to, isBelow } of [
  { key: "nf_conntrack_tcp_timeout_established", to: 7440, isBelow: false },
  { key: "nf_conntrack_tcp_timeout_established", to: 7439, isBelow: true },
  { key: "nf_conntrack_udp_timeout_stream", to: 119, isBelow: true },
  { key: "nf_conntrack_icmp_timeout", to: 59, isBelow: false },
  { key: "nf_conntrack_icmp_timeout", to: 20, isBelow: true },
  { key: "nf_conntrack_tcp_timeout_fin_wait", to: 100, isBelow: true },
] as const) {
  test(`${key} = ${to} is ${isBelow ? "" : "not "}further below what the RFCs ask for`, () => {
    const { breaks } = answer([silentFor(5)], { [key]: to });
    assert.equal(
      breaks.some(({ code, key: below }) => code === "below-rfc-floor" && below === key),
      isBelow,
    );
  });
}

test("a limit below the long run breaks new connections", () => {
  const rows = times(300, () => silentFor(60));
  const { breaks, table } = answer(rows, { nf_conntrack_max: 200 });
  const found = breaks.find(({ code }) => code === "over-capacity");
  assert.ok((found?.flows ?? 0) >= 100);
  assert.equal(table.after.capacityFlows, 200);
  assert.ok((table.after.useShare ?? 0) >= 1.5);
});

test("limit and buckets: load, loss in long chains and memory follow", () => {
  const { table } = answer([silentFor(5)], { nf_conntrack_max: 1_210_856, nf_conntrack_buckets: 65_536 });
  assert.equal(table.after.bucketCount, 65_536);
  assert.ok((table.after.fullMemoryBytes ?? 0) > 1_210_856 * 256);
  assert.match(table.after.memoryHow ?? "", /estimated/);
});

for (const { why, wanted, kernelRelease, otherFlows, told } of [
  {
    why: "a limit without its buckets",
    wanted: { nf_conntrack_max: 1_210_856 },
    kernelRelease: "6.8.0",
    told: 1_210_880,
  },
  {
    why: "buckets that are taken away",
    wanted: { nf_conntrack_buckets: 256 },
    kernelRelease: "6.8.0",
    told: 1024,
  },
  {
    why: "one flow a bucket under the short chain limit",
    wanted: { nf_conntrack_max: 2048 },
    kernelRelease: "5.15.0",
    told: 2048,
  },
  {
    why: "chains that others fill",
    wanted: { nf_conntrack_max: 2000 },
    kernelRelease: "6.8.0",
    otherFlows: 8000,
    told: 10_240,
  },
  {
    why: "a limit with its buckets",
    wanted: { nf_conntrack_max: 65_536, nf_conntrack_buckets: 65_536 },
    kernelRelease: "6.8.0",
    told: undefined,
  },
  {
    why: "a limit that is lowered",
    wanted: { nf_conntrack_max: 500 },
    kernelRelease: "6.8.0",
    told: undefined,
  },
] as const) {
  test(`what breaks when the table is full, ${why}: ${told ?? "nothing"}`, () => {
    const { breaks, table } = answer([silentFor(5)], wanted, {
      host: { tracker: "nf_conntrack", kernelRelease },
      ...(otherFlows === undefined ? {} : { otherFlows }),
    });
    const found = breaks.find(({ code }) => code === "buckets-too-few");
    assert.equal(found?.why.match(/--set nf_conntrack_buckets=(\d+)/)?.[1], told?.toString());
    const { capacityFlows = 0, bucketCount = 1, fullLoadFlowsPerBucket } = table.after;
    assert.equal(fullLoadFlowsPerBucket, (capacityFlows + (otherFlows ?? 0)) / bucketCount);
  });
}

test("a full table is told to lose flows in long chains that the present one does not", () => {
  const { table, breaks } = answer(
    [silentFor(5)],
    { nf_conntrack_max: 65_536 },
    { host: { tracker: "nf_conntrack", kernelRelease: "6.8.0" } },
  );
  assert.ok((table.after.chainLossShare ?? 1) < 1e-9);
  assert.ok((table.before.fullChainLossShare ?? 1) < 1e-9);
  assert.ok((table.after.fullChainLossShare ?? 0) > 0.9);
  assert.equal(breaks.find(({ code }) => code === "buckets-too-few")?.flows, 65_536 - 1024);
});

test("flows without a known timeout are unknown when it changes: the range has all and none", () => {
  const { nf_conntrack_udp_timeout_stream: _, ...settings } = usualTimeouts;
  const twoWay: Row = { protocol: UDP, status: TALKING, timeoutSeconds: 50 };
  const observation = observationOf({ rows: times(120, () => twoWay), settings });
  const found = answer([], { nf_conntrack_udp_timeout_stream: 60 }, { observation, settings });
  assert.equal(found.untoldFlows, 120);
  assert.equal(found.immediately.unknownFlows, 120);
  assert.equal(found.after.lowFlows, 0);
  assert.equal(found.breaks.find(({ code }) => code === "below-rfc-floor")?.flows, 120);
  assert.ok(found.after.flows === 120 && found.after.highFlows >= 120);
  const other = answer([], HALF_A_DAY, { observation, settings });
  assert.deepEqual([other.untoldFlows, other.immediately.unknownFlows], [0, 0]);
  assert.ok(other.after.lowFlows > 90);
});

for (const { key, isPreviewed } of [
  { key: "nf_conntrack_tcp_loose", isPreviewed: false },
  { key: "nf_conntrack_tcp_be_liberal", isPreviewed: false },
  { key: "nf_conntrack_acct", isPreviewed: false },
  { key: "nf_conntrack_tcp_max_retrans", isPreviewed: false },
  { key: "nf_conntrack_max", isPreviewed: true },
  { key: "nf_conntrack_udp_timeout", isPreviewed: true },
] as const) {
  test(`${key} is ${isPreviewed ? "" : "said not to be "}previewed`, () => {
    assert.equal(answer([silentFor(5)], { [key]: 1 }).notPreviewed.length, isPreviewed ? 0 : 1);
  });
}

test("two readings: a table that fills up is foretold full", () => {
  const every = (seconds: number): Row[] =>
    Array.from({ length: seconds }, (_, age) => times(20, () => silentFor(age))).flat();
  const observation = observationOf({ rows: every(60), before: every(50) });
  const wanted = { nf_conntrack_tcp_timeout_established: 120 };
  const { after } = answer([], wanted, { observation });
  assert.ok(Math.abs(after.flows - 2400) < 120, `${after.flows}`);
});

test("more time never foretells fewer flows with one reading", () => {
  const anyAge = fc.integer({ min: 0, max: 431_000 });
  fc.assert(
    fc.property(fc.array(anyAge, { minLength: 1, maxLength: 40 }), anyAge, anyAge, (ages, one, other) => {
      const observation = observationOf({ rows: ages.map(silentFor) });
      const under = (seconds: number): number =>
        stationaryFlows(observation, { nf_conntrack_tcp_timeout_established: seconds }).total.flows;
      const [shorter, longer] = [Math.min(one, other) + 1, Math.max(one, other) + 1];
      assert.ok(under(shorter) <= under(longer) + 1e-6);
    }),
    { numRuns: 25 },
  );
});

test("nothing is foretold of what nobody changes and nobody can tell", () => {
  // Two readings 10 s apart of a hoard that was made at once and has stood still since.
  const hoard = (age: number): Row[] => times(60_000, () => silentFor(age));
  const observation = observationOf({ rows: hoard(130), before: hoard(120) });
  const limit = answer([], { nf_conntrack_max: 65_536 }, { observation });
  assert.equal(limit.after.flows, 60_000);
  assert.ok(limit.after.highFlows < 61_000, String(limit.after.highFlows));
  const shorter = answer([], HALF_A_DAY, { observation });
  assert.ok(shorter.after.flows <= 60_000, String(shorter.after.flows));
});

test("a limit below what is in use drops new connections until the table fits", () => {
  const rows = [...times(40, () => silentFor(60)), ...times(60, () => silentFor(DAY))];
  const { breaks, after } = answer(rows, { ...HALF_A_DAY, nf_conntrack_max: 80 }, { occupancyFlows: 100 });
  assert.ok(after.flows < 80);
  const found = breaks.find(({ code }) => code === "over-capacity");
  assert.equal(found?.flows, 20);
  assert.match(found?.why ?? "", /at first/);
  const fits = answer(rows, { ...HALF_A_DAY, nf_conntrack_max: 120 }, { occupancyFlows: 100 });
  assert.ok(!fits.breaks.some(({ code }) => code === "over-capacity"));
});
