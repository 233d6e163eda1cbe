import assert from "node:assert/strict";
import { test } from "node:test";

import { durationStops, establishedStops, nearestStop, sizeStops } from "./stops.ts";

test("stops ascend, once each, with what is in force among them", () => {
  for (const stops of [durationStops(7440, 432_000), establishedStops(7440), sizeStops(262_144, 1_210_856)]) {
    assert.deepEqual(
      stops,
      [...new Set(stops)].toSorted((a, b) => a - b),
    );
  }
  assert.ok(durationStops(7440).includes(7440));
  assert.ok(sizeStops(1_210_856).includes(1_210_856));
  assert.ok(sizeStops(262_144).includes(524_288));
});

test("the established timeout begins at five minutes, or at less when less is in force", () => {
  assert.equal(establishedStops(432_000)[0], 300);
  assert.equal(establishedStops(120)[0], 120);
});

test("the nearest stop is by ratio", () => {
  const stops = [60, 3600, 86_400];
  assert.equal(nearestStop(stops, 50), 0);
  assert.equal(nearestStop(stops, 7000), 1);
  assert.equal(nearestStop(stops, 432_000), 2);
});
