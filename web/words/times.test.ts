import assert from "node:assert/strict";
import { test } from "node:test";

import { axisTimes, clockTime, dayOf, pointInTime, toLocalInput, weekdayOf, zoneAt } from "./times.ts";

const at = new Date(2026, 10, 20, 14, 2, 11).getTime();

test("a time of today has no date, one of another day has", () => {
  assert.equal(clockTime(at), "14:02:11");
  assert.equal(dayOf(at), "20 Nov");
  assert.equal(weekdayOf(at), "Fri 20 Nov");
  assert.equal(pointInTime(at, at + 3_600_000), "14:02:11");
  assert.equal(pointInTime(at, at + 86_400_000), "20 Nov 14:02");
  assert.equal(toLocalInput(at), "2026-11-20T14:02");
});

test("the zone is told as an offset", () => {
  assert.match(zoneAt(at), /^UTC([+-]\d\d:\d\d)?$/);
});

test("ticks of an axis say the date where a day begins", () => {
  const midnight = new Date(2026, 10, 21).getTime() / 1000;
  assert.deepEqual(axisTimes([midnight - 3600, midnight, midnight + 3600], 3600), [
    "23:00",
    "21 Nov",
    "01:00",
  ]);
  assert.deepEqual(axisTimes([midnight, midnight + 86_400], 86_400), ["21 Nov", "22 Nov"]);
  assert.deepEqual(axisTimes([at / 1000], 5), ["14:02:11"]);
});
