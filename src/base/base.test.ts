import assert from "node:assert/strict";
import { test } from "node:test";
import { assert as ensure, AssertionError, unreachable } from "./assert.ts";
import { ManualClock, systemClock } from "./clock.ts";
import { seededRandom } from "./random.ts";

test("assert() throws AssertionError with its message only when the condition fails", () => {
  ensure(true, "holds");
  assert.throws(() => ensure(1 > 2, "one is more than two"), new AssertionError("one is more than two"));
  assert.throws(() => unreachable("x" as never), AssertionError);
});

test("ManualClock moves only when advanced", () => {
  const clock = new ManualClock(1000);
  clock.advance(250);
  assert.deepEqual([clock.nowMs(), clock.elapsedMs()], [1250, 250]);
});

test("systemClock never goes back", () => {
  const first = systemClock.elapsedMs();
  assert.ok(systemClock.elapsedMs() >= first);
  assert.ok(systemClock.nowMs() > 1_700_000_000_000);
});

test("seededRandom() repeats with its seed, differs with another, and stays in range", () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 1000 }, () => random.below(10));
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.deepEqual([...new Set(draw(7))].toSorted(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const fraction = seededRandom(1).fraction();
  assert.ok(fraction >= 0 && fraction < 1);
});
