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

test("there was no tracker before 2.4.0", () => {
  const paper = { memoryBytes: GIB, kernelRelease: "2.2.26", pointerBytes: 4 as const };
  assert.equal(planTraffic(paper, classic, goal), undefined);
});
