import assert from "node:assert/strict";
import { test } from "node:test";

import type { Row } from "../../test/support/columns.ts";
import { observationOf } from "../../test/support/observations.ts";
import type { Arrivals } from "../census/census.ts";
import { TCP, UDP } from "../table/protocol.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { expectationOf } from "./observed-load.ts";
import type { Observation } from "./stationary.ts";

const DAY = 86_400;

/** A hoard: as many established flows for every tenth of a day that they are silent. */
const hoard: readonly Row[] = Array.from({ length: 50 }, (_, index): Row => ({
  protocol: TCP,
  state: TcpState.ESTABLISHED,
  status: Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED,
  timeoutSeconds: 5 * DAY - Math.round((index + 0.5) * 0.1 * DAY),
}));

function arrivalsOf(perSecond: number, protocol: string, answeredShare: number): Arrivals {
  const flows = perSecond * 10;
  const count = { flows, perSecond, standardErrorPerSecond: 0, answered: flows * answeredShare };
  return {
    ...count,
    seconds: 10,
    byProtocol: [{ ...count, protocol }],
    services: [],
    otherServices: { flows: 0, perSecond: 0, standardErrorPerSecond: 0 },
    serviceErrorBoundFlows: 0,
    scale: 1,
    lowerBound: false,
    how: "a test",
  };
}

/** Flows of UDP that come and stay for 30 seconds. */
const coming: readonly Row[] = Array.from({ length: 300 }, (_, index): Row => ({
  protocol: UDP,
  status: Status.CONFIRMED,
  timeoutSeconds: 30 - (index % 30),
}));

function withArrivals(perSecond: number, protocol = "udp", answered = 0): Observation {
  return { ...observationOf({ rows: coming }), arrivals: arrivalsOf(perSecond, protocol, answered) };
}

const alone = { unlistedFlows: 0, otherFlows: 0 };

test("of the flows there are, those silent for longer than a new timeout are not kept", () => {
  const expected = expectationOf(observationOf({ rows: hoard }), alone);
  assert.equal(expected({}).keptFlows, 50);
  assert.equal(expected({ nf_conntrack_tcp_timeout_established: DAY }).keptFlows, 10);
  assert.equal(expected({ nf_conntrack_tcp_timeout_established: 10 * DAY }).keptFlows, 50);
  const [part] = expected({}).parts ?? [];
  assert.equal(part?.nowFlows, 50);
});

test("flows of a sample stand for as many of the table", () => {
  const expected = expectationOf(observationOf({ rows: hoard, ofFlows: 500 }), alone);
  assert.equal(expected({ nf_conntrack_tcp_timeout_established: DAY }).keptFlows, 100);
});

test("without events the flows that were not listed stand for the expired ones", () => {
  const expected = expectationOf(observationOf({ rows: coming }), { unlistedFlows: 40, otherFlows: 0 })({});
  assert.equal(expected.uncollectedFlows, 40);
  assert.equal(expected.uncollectedPeakFlows, undefined);
});

test("what has expired counts in all of the figures", () => {
  const {
    flows,
    lowFlows = 0,
    highFlows = 0,
    uncollectedFlows: expired = 0,
  } = expectationOf(withArrivals(10), alone)({});
  assert.ok(expired > 0);
  assert.ok(Math.abs(flows - expired - 300) < 15, `${flows} with ${expired}`);
  assert.ok(lowFlows < flows && flows < highFlows);
});

test("flows of other namespaces may keep the collector away for longer, not on average", () => {
  const own = expectationOf(withArrivals(10), alone)({});
  const shared = expectationOf(withArrivals(10), { unlistedFlows: 0, otherFlows: 10_000 })({});
  assert.equal(shared.uncollectedFlows, own.uncollectedFlows);
  assert.ok((shared.uncollectedPeakFlows ?? 0) > 1.5 * (own.uncollectedPeakFlows ?? Infinity));
  // Never more than comes in the minute that it takes at the longest.
  assert.ok((shared.uncollectedPeakFlows ?? 0) <= 600);
});

test("packets reap what has expired: a TCP flow has eight at least, an unanswered one a single one", () => {
  const buckets = { ...alone, bucketCount: 1024 };
  const expiredOf = (protocol: string, answered: number): number =>
    expectationOf(withArrivals(10, protocol, answered), buckets)({}).uncollectedFlows ?? 0;
  assert.ok(expiredOf("tcp", 1) < expiredOf("udp", 1));
  assert.ok(expiredOf("udp", 1) < expiredOf("udp", 0));
  assert.equal(expiredOf("tcp", 0), expiredOf("udp", 0));
  const bare = expectationOf(withArrivals(10, "tcp", 1), alone)({}).uncollectedFlows ?? 0;
  assert.ok(expiredOf("udp", 0) < bare);
});
