import assert from "node:assert/strict";
import { test } from "node:test";

import { planTraffic, type Traffic } from "./traffic-plan.ts";

const GIB = 1_073_741_824;

const classic: Traffic = {
  viewsPerSecond: 100_000 / 3600,
  viewsText: "100,000 page views an hour",
  viewsWhat: "page views",
  connectionsPerView: 10,
  holdSeconds: 120,
  keepaliveSeconds: 0,
  protocol: "tcp",
};

const goal = { targetShare: 0.5, peakFactor: 1 };

function planned(
  kernelRelease: string,
  traffic: Partial<Traffic> = {},
  memoryBytes = GIB,
  targetShare = 0.5,
) {
  const paper = { memoryBytes, kernelRelease, pointerBytes: 8 as const };
  const plan = planTraffic(paper, { ...classic, ...traffic }, { ...goal, targetShare });
  assert.ok(plan !== undefined);
  return plan;
}

test("the classic result: the default limit of 1 GB holds about 100,000 page views an hour", () => {
  const { defaultHolds, derivation } = planned("2.6.18");
  assert.deepEqual(defaultHolds?.capacityFlows, 32_768);
  assert.equal(Math.round(defaultHolds?.viewsPerHour ?? 0), 98_304);
  assert.deepEqual(derivation, [
    "100,000 page views an hour = 27.8 a second",
    "27.8 a second x 10 connections each = 278 new flows a second",
    "278 new flows a second x 2m = 33,333 flows",
  ]);
});

test("one connection each is no line of its own", () => {
  const views = planned("6.1", { connectionsPerView: 1 }).derivation;
  assert.deepEqual(views, [
    "100,000 page views an hour = 27.8 a second, one connection each",
    "27.8 new flows a second x 2m = 3,333 flows",
  ]);
  const connections = {
    viewsPerSecond: 500,
    viewsText: "500 connections a second",
    viewsWhat: "connections",
  };
  assert.deepEqual(planned("6.1", { ...connections, connectionsPerView: 1 }).derivation, [
    "500 connections a second",
    "500 new flows a second x 2m = 60,000 flows",
  ]);
});

test("as sold, 1 GB has less for the kernel: 30,800 flows, full at 92,400 page views an hour", () => {
  const { defaultHolds } = planned("2.6.18", {}, 1_009_254_400);
  assert.deepEqual(defaultHolds?.capacityFlows, 30_800);
  assert.equal(Math.round(defaultHolds?.viewsPerHour ?? 0), 92_400);
});

test("where the whole default may be used, 98,000 page views an hour leave it alone", () => {
  const { plan } = planned("2.6.18", { viewsPerSecond: 98_000 / 3600 }, GIB, 1);
  assert.deepEqual(
    plan.settings.map(({ key }) => key),
    ["nf_conntrack_buckets"],
  );
  const beyond = planned("2.6.18", { viewsPerSecond: 250_000 / 3600, protocol: "udp" }, GIB, 1);
  assert.ok(beyond.plan.settings.some(({ key }) => key === "nf_conntrack_max"));
});

test("since 5.15 the default of 1 GB is a quarter of that", () => {
  const { defaultHolds, plan } = planned("5.15");
  assert.equal(defaultHolds?.capacityFlows, 8192);
  assert.equal(Math.round(defaultHolds?.viewsPerHour ?? 0), 24_576);
  assert.ok((plan.capacityFlows ?? 0) >= 33_333);
});

test("what nobody says of the hold is the timeout the connection ends in, after its keepalive", () => {
  const { holdSeconds: _, ...rest } = classic;
  const paper = { memoryBytes: 8 * GIB, kernelRelease: "6.1", pointerBytes: 8 as const };
  const plan = planTraffic(paper, { ...rest, keepaliveSeconds: 15 }, goal);
  assert.equal(plan?.heldSeconds, 135);
  assert.equal(plan?.heldText, "kept open for 15s, then 2m until TIME_WAIT ends (tcp_timeout_time_wait)");
  assert.deepEqual(plan?.plan.settings, []);
});

/** What a plan says a setting becomes. */
function toOf({ plan }: ReturnType<typeof planned>, wanted: string): number | undefined {
  return plan.settings.find(({ key }) => key === wanted)?.to;
}

test("a hold that was given stays: the capacity is raised for it, and no timeout is shortened", () => {
  const result = planned("2.6.18");
  const { plan } = result;
  assert.deepEqual(
    plan.settings.map(({ key, from }) => [key, from]),
    [
      ["nf_conntrack_buckets", undefined],
      ["nf_conntrack_max", undefined],
    ],
  );
  assert.equal(plan.predicted?.occupancyFlows, 33_333);
  assert.ok((plan.predicted?.useShare ?? 1) <= 0.5);
  assert.ok((toOf(result, "nf_conntrack_max") ?? 0) >= 66_667);
  assert.match(plan.settings.at(-1)?.reason ?? "", /^33,333 flows at the peak \/ 50 % use = 66,667/);
  assert.equal(
    plan.notes.at(-1),
    "If the 2m given are those of tcp_timeout_time_wait, 1m there would save 16,667 flows; the plan does " +
      "not count on it.",
  );
  assert.equal(result.soldCapacityFlows, 30_800);
  assert.equal(planned("2.6.18", {}, 1_009_254_400).soldCapacityFlows, undefined);
});

test("a hold longer than any timeout is said to be nobody's", () => {
  const { plan } = planned("6.1", { holdSeconds: 600 });
  assert.equal(plan.predicted?.occupancyFlows, 166_667);
  assert.deepEqual(plan.predicted?.byTimeout, []);
  const text = [...plan.settings.map(({ reason }) => reason), ...plan.notes].join(" ");
  assert.doesNotMatch(text, /time_wait|TIME_WAIT/);
});

test("without a hold the timeout may still be shortened", () => {
  const { holdSeconds: _, ...rest } = classic;
  const paper = { memoryBytes: GIB, kernelRelease: "6.1", pointerBytes: 8 as const };
  const { plan } = planTraffic(paper, rest, goal) ?? {};
  assert.equal(plan?.settings[0]?.key, "nf_conntrack_tcp_timeout_time_wait");
});

test("a capacity that stays is said to suffice, and why", () => {
  const { plan } = planned("6.1", { connectionsPerView: 1 }, 8 * GIB);
  assert.deepEqual(plan.notes, [
    "nf_conntrack_max stays at the default of 262,144: 3,333 flows at the peak / 50 % use = 6,667, and it " +
      "holds that.",
  ]);
});

test("the target is kept exactly where the load is arithmetic", () => {
  // 0.51 of the 262,144 of 8 GiB.
  const above = planned("6.1", { viewsPerSecond: 133_700 / 120, connectionsPerView: 1 }, 8 * GIB);
  assert.ok((above.plan.predicted?.useShare ?? 1) <= 0.5);
  assert.ok((toOf(above, "nf_conntrack_max") ?? 0) >= 267_400);
});

const small = { ...goal, budgetBytes: 16 * 1024 * 1024 };
const big = { memoryBytes: 8 * GIB, kernelRelease: "6.1", pointerBytes: 8 as const };

test("on paper a budget below the kernel's own choice is kept", () => {
  const fits = planTraffic(big, { ...classic, connectionsPerView: 1 }, small)?.plan;
  assert.ok((fits?.memory?.bytes ?? Infinity) <= small.budgetBytes);
  assert.ok((fits?.capacityFlows ?? 0) >= 6667);
  assert.match(fits?.settings.at(-1)?.reason ?? "", /^The budget holds no more .* fit into it\.$/);
  const beyond = planTraffic(big, { ...classic, viewsPerSecond: 1000, holdSeconds: 600 }, small)?.plan;
  assert.ok((beyond?.memory?.bytes ?? Infinity) <= small.budgetBytes);
  assert.ok((beyond?.predicted?.useShare ?? 0) > 1);
});

test("of a host that is there the plan changes what is in force, and lowers nothing", () => {
  const settings = {
    nf_conntrack_max: 131_072,
    hashsize: 65_536,
    nf_conntrack_tcp_timeout_time_wait: 90,
  };
  const present = { host: { tracker: "nf_conntrack" } as const, settings };
  const { holdSeconds: _, ...rest } = classic;
  const result = planTraffic(big, { ...rest, viewsPerSecond: 1000 }, goal, present);
  assert.deepEqual(
    result?.plan.settings.map(({ key, from }) => [key, from]),
    [
      ["nf_conntrack_tcp_timeout_time_wait", 90],
      ["nf_conntrack_buckets", 65_536],
      ["nf_conntrack_max", 131_072],
    ],
  );
  assert.equal(result?.heldSeconds, 90);
  const kept = planTraffic(big, { ...classic, connectionsPerView: 1 }, small, present)?.plan;
  assert.equal(kept?.capacityFlows, 131_072);
  const unread = planTraffic(big, { ...classic, viewsPerSecond: 1000 }, goal, {
    ...present,
    settings: { nf_conntrack_max: 131_072 },
  });
  assert.deepEqual(
    unread?.plan.settings.map(({ from }) => from),
    [undefined, 131_072],
  );
});

test("there was no tracker before 2.4.0", () => {
  const paper = { memoryBytes: GIB, kernelRelease: "2.2.26", pointerBytes: 4 as const };
  assert.equal(planTraffic(paper, classic, goal), undefined);
});
