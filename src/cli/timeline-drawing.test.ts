import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { assertGolden } from "../../test/support/golden.ts";
import type { TimelineColumns } from "../model/model.ts";
import type { Look } from "./look.ts";
import { widthOf } from "./plain-text.ts";
import { drawTimeline, instantText } from "./timeline-drawing.ts";

const look: Look = { columns: 80, colour: false, unicode: true };
const START_MS = Date.UTC(2026, 10, 22, 14, 2, 11, 250);

function timeline(flows: readonly number[], limits: readonly number[], stretchMs = 1000): TimelineColumns {
  return {
    timeMs: Float64Array.from(flows, (_, index) => START_MS + index * stretchMs),
    flows: Float64Array.from(flows),
    dropped: Float64Array.from(flows, (count) => (count >= (limits[0] ?? Infinity) ? 3 : 0)),
    created: new Float64Array(flows.length),
    endMs: START_MS + flows.length * stretchMs,
    limits: limits.map((capacityFlows, index) => ({
      fromMs: START_MS + (index * flows.length * stretchMs) / 2,
      capacityFlows,
    })),
  };
}

const ramp = Array.from({ length: 200 }, (_, second) => Math.min(1000, second * 8));

test("drawTimeline() draws flows below their limit, and drops", () => {
  assertGolden("cli/timeline.txt", [
    ...drawTimeline(timeline(ramp, [1000]), look),
    "",
    ...drawTimeline(timeline(ramp, [1000, 1500]), look),
    "",
    ...drawTimeline(timeline(ramp, [100_000], 3_600_000), { ...look, unicode: false, columns: 60 }),
    "",
    ...drawTimeline(timeline([1, 2, 1], [0], 10), { ...look, columns: 50 }),
  ]);
});

test("drawTimeline() draws nothing where there was nothing", () => {
  assert.deepEqual(drawTimeline(timeline([], []), look), []);
  assert.deepEqual(drawTimeline(timeline([0, 0], [5]), look), []);
});

test("drawTimeline() fits every width, whatever it draws", () => {
  const property = fc.property(
    fc.array(fc.nat(3_000_000), { maxLength: 300 }),
    fc.array(fc.nat(3_000_000), { maxLength: 3 }),
    fc.integer({ min: 40, max: 120 }),
    fc.double({ min: 0, max: 1e9, noNaN: true }),
    (flows, limits, columns, stretchMs) => {
      for (const unicode of [true, false]) {
        const lines = drawTimeline(timeline(flows, limits, stretchMs), { ...look, columns, unicode });
        for (const line of lines) assert.ok(widthOf(line) <= columns, line);
      }
    },
  );
  fc.assert(property);
});

const instants: readonly [number, number, string][] = [
  [START_MS, 1000, "14:02:11.250"],
  [START_MS, 60_000, "14:02:11"],
  [START_MS, 100_000_000, "11-22 14:02"],
  [0, 60_000, "00:00:00"],
  [1e17, 60_000, "100000000000000000"],
];
for (const [ms, spanMs, text] of instants) {
  test(`instantText() says ${text}`, () => {
    assert.equal(instantText(ms, spanMs), text);
  });
}
