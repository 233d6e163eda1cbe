import assert from "node:assert/strict";
import { test } from "node:test";

import { greatest, groupMarks, joinTimes, nearestPoint, roundUp } from "./scale.ts";

test("an axis ends at a round figure", () => {
  const rows = [
    [0, 1],
    [0.7, 0.8],
    [1, 1],
    [262_144, 300_000],
    [52_000, 60_000],
    [99, 100],
  ] as const;
  for (const [value, end] of rows) assert.ok(Math.abs(roundUp(value) - end) < end * 1e-9, `${value}`);
});

test("holes are no figures", () => {
  assert.equal(greatest([[null, 3, null], [2]]), 3);
  assert.equal(greatest([[null], []]), 0);
});

test("the nearest point is found, also at the ends and in nothing", () => {
  assert.equal(nearestPoint([], 5), -1);
  assert.equal(nearestPoint([10, 20, 40], 0), 0);
  assert.equal(nearestPoint([10, 20, 40], 29), 1);
  assert.equal(nearestPoint([10, 20, 40], 31), 2);
  assert.equal(nearestPoint([10, 20, 40], 99), 2);
});

test("what comes begins after what was", () => {
  assert.deepEqual(joinTimes([1, 2, 3], [2, 3, 4, 5]), { x: [1, 2, 3, 4, 5], pastLength: 3 });
  assert.deepEqual(joinTimes([], [4]), { x: [4], pastLength: 0 });
});

test("marks that would cover each other are one", () => {
  const groups = groupMarks([{ share: 0.5 }, { share: 0.1 }, { share: 0.505 }], 0.02);
  assert.deepEqual(
    groups.map((group) => group.map(({ share }) => share)),
    [[0.1], [0.5, 0.505]],
  );
});
