/** The collector's passes, by ends at one instant and by flows that went without an event. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EventKind } from "../table/flow-event.ts";
import { CollectorPasses } from "./collector-passes.ts";

function events(passes: CollectorPasses, kind: number, flows: number): void {
  for (let flow = 0; flow < flows; flow += 1) passes.noteEvent(kind);
}

test("many ends at one instant are a pass, one now and then is a lookup", () => {
  const passes = new CollectorPasses();
  for (let ms = 0; ms < 10_000; ms += 200) passes.noteEnd(ms);
  for (let flow = 0; flow < 50; flow += 1) passes.noteEnd(10_000);
  for (let ms = 10_200; ms < 12_000; ms += 200) passes.noteEnd(ms);
  assert.deepEqual(passes.passesMs, [10_000]);
});

test("a pass that goes on for a while is one, and what was before it is found", () => {
  const passes = new CollectorPasses();
  for (const beginsMs of [5000, 9000]) {
    for (let end = 0; end < 100; end += 1) passes.noteEnd(beginsMs + Math.floor(end / 10) * 20);
  }
  assert.deepEqual(passes.passesMs, [5000, 9000]);
  assert.equal(passes.before(9100), 5000);
  assert.equal(passes.before(12_000), 9000);
});

test("a count that falls below what the events make of the one before was a pass, half way", () => {
  const passes = new CollectorPasses();
  passes.noteCount(1000, 1000, 1);
  events(passes, EventKind.NEW, 100);
  events(passes, EventKind.DESTROY, 20);
  passes.noteCount(2000, 1080, 1);
  assert.deepEqual(passes.passesMs, [], "as the events say");
  events(passes, EventKind.NEW, 100);
  passes.noteCount(3000, 1030, 1);
  assert.deepEqual(passes.passesMs, [2500]);
});

test("a pass that was seen, a listing and a loss are not counted twice", () => {
  const passes = new CollectorPasses();
  passes.noteCount(1000, 1000, 1);
  for (let flow = 0; flow < 10; flow += 1) passes.noteEnd(1700);
  passes.noteCount(2000, 500, 1);
  assert.deepEqual(passes.passesMs, [1700]);
  passes.noteListing(2400);
  passes.noteCount(3000, 100, 1);
  assert.deepEqual(passes.passesMs, [1700, 2400]);
  passes.noteLoss();
  passes.noteCount(4000, 10, 1);
  assert.deepEqual(passes.passesMs, [1700, 2400]);
});

test("events of a share of the flows are weighed, and their chance is no pass", () => {
  const passes = new CollectorPasses();
  passes.noteCount(1000, 10_000, 16);
  events(passes, EventKind.NEW, 64);
  passes.noteCount(2000, 10_900, 16);
  assert.deepEqual(passes.passesMs, [], "64 of 16 each are 1,024, or some hundred more or less");
  events(passes, EventKind.NEW, 64);
  passes.noteCount(3000, 7000, 16);
  assert.deepEqual(passes.passesMs, [2500]);
});

test("passes ascend, whatever comes", () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 3000 }),
    what: fc.constantFrom("end", "count", "list", "made", "ended", "loss"),
    flows: fc.nat(50),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const passes = new CollectorPasses();
      let ms = 0;
      for (const { afterMs, what, flows } of steps) {
        ms += afterMs;
        if (what === "end") for (let end = 0; end < flows; end += 1) passes.noteEnd(ms);
        else if (what === "count") passes.noteCount(ms, flows * 20, 1);
        else if (what === "list") passes.noteListing(ms);
        else if (what === "loss") passes.noteLoss();
        else events(passes, what === "made" ? EventKind.NEW : EventKind.DESTROY, flows);
      }
      const { passesMs } = passes;
      assert.ok(passesMs.every((at, index) => index === 0 || at >= (passesMs[index - 1] as number)));
      assert.ok(passesMs.every((at) => at <= ms));
    }),
  );
});
