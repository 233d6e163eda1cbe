import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Timeline } from "./timeline.ts";

const START_MS = 1_700_000_000_000;

test("peaks, drops and new flows survive the joining of stretches", () => {
  const event = fc.record({
    waitMs: fc.nat(20_000),
    flows: fc.nat(1000),
    dropped: fc.nat(3),
    created: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 200 }), (events) => {
      const timeline = new Timeline(START_MS, 100);
      let nowMs = START_MS;
      for (const { waitMs, flows, dropped, created } of events) {
        nowMs += waitMs;
        if (nowMs >= timeline.endMs) timeline.advance(nowMs, 0);
        timeline.peakFlows = Math.max(timeline.peakFlows, flows);
        timeline.droppedPackets += dropped;
        timeline.createdFlows += created;
      }
      timeline.advance(nowMs, 0);
      const { timeMs, flows, dropped, created, endMs } = timeline.columns();
      const sum = (column: Float64Array): number => column.reduce((total, value) => total + value, 0);
      assert.equal(Math.max(...flows), Math.max(...events.map((each) => each.flows)));
      assert.equal(
        sum(dropped),
        events.reduce((total, each) => total + each.dropped, 0),
      );
      assert.equal(
        sum(created),
        events.reduce((total, each) => total + each.created, 0),
      );
      assert.ok(flows.length <= 2048);
      assert.equal(timeMs[0], START_MS);
      assert.ok(timeMs.every((ms, index) => index === 0 || ms > (timeMs[index - 1] as number)));
      assert.ok(endMs >= nowMs && endMs >= (timeMs.at(-1) as number));
    }),
    { numRuns: 200 },
  );
});

test("a silent stretch has the flows that were there", () => {
  const timeline = new Timeline(START_MS, 100);
  timeline.peakFlows = 5;
  timeline.advance(START_MS + 10, 5);
  assert.deepEqual(timeline.columns().flows, new Float64Array(11).fill(5));
});

test("a century is drawn with as many stretches as a minute", () => {
  const timeline = new Timeline(START_MS, 100);
  timeline.advance(START_MS + 100 * 365 * 86_400_000, 3);
  const { flows } = timeline.columns();
  assert.ok(flows.length > 1000 && flows.length <= 2048);
});

test("limits are told with the time from which they held", () => {
  const timeline = new Timeline(START_MS, 100);
  timeline.limit(START_MS + 5, 50);
  assert.deepEqual(timeline.columns().limits, [
    { fromMs: START_MS, capacityFlows: 100 },
    { fromMs: START_MS + 5, capacityFlows: 50 },
  ]);
});
