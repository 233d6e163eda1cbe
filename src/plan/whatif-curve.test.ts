import assert from "node:assert/strict";
import { test } from "node:test";
import { observationOf, usualTimeouts } from "../../test/support/observations.ts";
import type { Row } from "../../test/support/columns.ts";
import { fakeRows, earlierRows } from "../../test/support/fake-flows.ts";
import { seededRandom } from "../base/random.ts";
import { UDP } from "../table/protocol.ts";
import { Status } from "../table/status.ts";
import type { Settings } from "../table/settings.ts";
import { whatIf } from "./whatif.ts";
import { whatIfCurve, type WhatIfCurve } from "./whatif-curve.ts";
import type { Observation } from "./stationary.ts";

const ESTABLISHED = "nf_conntrack_tcp_timeout_established";

function curveOf(
  observation: Observation,
  wanted: Settings,
): { curve: WhatIfCurve; after: number; now: number } {
  const facts = {
    observation,
    host: { tracker: "nf_conntrack" as const },
    settings: observation.settings,
    silentServices: [],
  };
  const answer = whatIf(facts, wanted);
  const { after, before } = answer;
  const curve = whatIfCurve(observation, answer);
  return { curve, after: after.flows, now: before.flows };
}

/** A gateway in balance, read twice. */
function gateway(): Observation {
  const random = seededRandom(7);
  const rows = fakeRows(8000, random);
  const before = earlierRows(rows, 30, random);
  return observationOf({ rows: rows.map(({ row }) => row), before, seconds: 30 });
}

/** One-way UDP: ten are made a second, nobody answers, each stays until its time is over. */
function oneWay(timeoutSeconds = 30): Row[] {
  return Array.from({ length: timeoutSeconds * 10 }, (_, index) => ({
    protocol: UDP,
    first: 1024 + index,
    status: Status.CONFIRMED,
    timeoutSeconds: timeoutSeconds - 1 - Math.floor(index / 10),
  }));
}

for (const wanted of [
  { [ESTABLISHED]: 3600 },
  { [ESTABLISHED]: 86_400, nf_conntrack_udp_timeout: 10 },
  { [ESTABLISHED]: 432_000, nf_conntrack_tcp_timeout_time_wait: 240 },
  { nf_conntrack_udp_timeout: 120 },
] satisfies Settings[]) {
  test(`whatIfCurve: from what is there to the long run, ${JSON.stringify(wanted)}`, () => {
    const { curve, after, now } = curveOf(gateway(), wanted);
    assert.equal(curve.afterSeconds[0], 0);
    assert.ok(Math.abs((curve.flows[0] ?? 0) - now) < 0.1);
    // Nothing is uncertain of now but what nobody counted.
    assert.ok((curve.high[0] ?? 0) - (curve.low[0] ?? 0) < 1);
    const last = curve.flows.at(-1) ?? 0;
    // The others end before all of the table is as it will be.
    const isWhole = ESTABLISHED in wanted && wanted[ESTABLISHED] !== 432_000;
    if (isWhole) assert.ok(Math.abs(last - after) / after < 0.02, `${last} is not ${after}`);
    curve.flows.forEach((flows, index) => {
      assert.ok((curve.low[index] ?? 0) <= flows + 0.2 && flows <= (curve.high[index] ?? 0) + 0.2);
      assert.ok((curve.afterSeconds[index] ?? 0) > (curve.afterSeconds[index - 1] ?? -1));
    });
  });
}

test("whatIfCurve: a shorter timeout lets a table in balance fall, and never rise", () => {
  const { flows } = curveOf(gateway(), { [ESTABLISHED]: 3600 }).curve;
  const [first = 0] = flows;
  assert.ok((flows.at(-1) ?? 0) < first * 0.7);
  flows.forEach((value, index) => assert.ok(value <= (flows[index - 1] ?? first) * 1.01));
});

test("whatIfCurve: old flows keep their time: half of it later half of them are there", () => {
  const observation = observationOf({ rows: oneWay(), before: oneWay(), seconds: 10 });
  const { curve } = curveOf(observation, { nf_conntrack_udp_timeout: 10 });
  // 300 flows fall to 100: those that came since are 100 at most, of the old ones ten leave a second.
  for (const [index, after] of curve.afterSeconds.entries()) {
    const wanted = Math.min(100, after * 10) + Math.max(0, 300 - after * 10);
    assert.ok(
      Math.abs((curve.flows[index] ?? 0) - wanted) < 25,
      `after ${after}: ${curve.flows[index]}, not ${wanted}`,
    );
  }
});

test("whatIfCurve: a longer timeout fills the table as fast as flows come", () => {
  const observation = observationOf({ rows: oneWay(), before: oneWay(), seconds: 10 });
  const { curve, after } = curveOf(observation, { nf_conntrack_udp_timeout: 60 });
  assert.equal(curve.afterSeconds.at(-1), 60);
  assert.ok(Math.abs((curve.flows.at(-1) ?? 0) - after) < 1);
  // Until the old ones would have ended nothing moves.
  const at = curve.afterSeconds.findIndex((seconds) => seconds >= 28);
  assert.ok(Math.abs((curve.flows[at] ?? 0) - 300) < 30);
  assert.ok((curve.flows.at(-1) ?? 0) > 450);
});

test("whatIfCurve: what the kernel counts, expired flows included, where its count is known", () => {
  const observation = observationOf({ rows: oneWay(), before: oneWay(), seconds: 10 });
  const facts = { host: { tracker: "nf_conntrack" as const }, settings: usualTimeouts, silentServices: [] };
  const answer = whatIf({ ...facts, observation, occupancyFlows: 380 }, { nf_conntrack_udp_timeout: 10 });
  const { flows } = whatIfCurve(observation, answer);
  assert.equal(flows[0], 380);
  const long = answer.after.flows + answer.uncollected.meanFlows;
  assert.ok(Math.abs((flows.at(-1) ?? 0) - long) < 1);
});

test("whatIfCurve: an empty table stays empty", () => {
  const { curve } = curveOf(observationOf({ rows: [], settings: usualTimeouts }), { [ESTABLISHED]: 60 });
  assert.deepEqual(new Set(curve.flows), new Set([0]));
});

test("whatIfCurve: a sample stands for the table", () => {
  const rows = oneWay();
  const { curve } = curveOf(observationOf({ rows, ofFlows: 3000 }), { nf_conntrack_udp_timeout: 10 });
  assert.equal(curve.flows[0], 3000);
  assert.ok(Math.abs((curve.flows.at(-1) ?? 0) - 1000) < 60);
});
