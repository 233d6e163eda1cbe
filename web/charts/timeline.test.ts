import assert from "node:assert/strict";
import { test } from "node:test";

import type { ForecastJson, SeriesJson } from "../../src/server/api-schema.ts";
import { columnsOfDrops, historyOf, columnsOfUse } from "./timeline.ts";

const series: SeriesJson = {
  fromMs: 0,
  toMs: 3000,
  stepSeconds: 1,
  atMs: [1000, 2000, 3000],
  series: {
    occupancyFlows: { avg: [10, null, 30], max: [11, null, 33] },
    capacityFlows: { avg: [100, 100, 100] },
    dropPerSecond: { avg: [5, 9, null] },
    insertFailedPerSecond: { avg: [0, 4, 3] },
    chainTooLongPerSecond: { avg: [0, 1, null] },
  },
};
const forecast: ForecastJson = {
  madeAtMs: 3000,
  band: {
    atMs: [2500, 5000, 7000, 9000, 11_000],
    expected: [1, 40, 50, 60, 70],
    low: [1, 35, 40, 45, 50],
    high: [1, 45, 60, 75, 90],
  },
  horizonSeconds: 10,
  method: "trend",
  how: "",
};

test("live seconds follow what was asked for, and holes stay holes", () => {
  const live = [
    { atMs: 3000, values: { occupancyFlows: 99 } },
    { atMs: 4000, values: { occupancyFlows: 34 } },
  ];
  const history = historyOf(series, live);
  assert.deepEqual(history.times, [1, 2, 3, 4]);
  assert.deepEqual(history.avg("occupancyFlows"), [10, null, 30, 34]);
  assert.deepEqual(history.max("occupancyFlows"), [11, null, 33, 34]);
  assert.deepEqual(history.min("foundPerSecond"), [null, null, null, null]);
});

test("the band begins where the line ends and goes one point beyond the edge", () => {
  const found = columnsOfUse(historyOf(series, []), forecast, 8000);
  assert.deepEqual(found.x, [1, 2, 3, 5, 7, 9]);
  assert.deepEqual(found.use, [10, null, 30, null, null, null]);
  assert.deepEqual(found.expected, [null, null, 30, 40, 50, 60]);
  assert.deepEqual(found.high, [null, null, 30, 45, 60, 75]);
  assert.deepEqual(found.capacity, [100, 100, 100, 100, 100, 100]);
});

test("a span of the past has no forecast", () => {
  const found = columnsOfUse(historyOf(series, []), forecast, 3000);
  assert.deepEqual(found.x, [1, 2, 3]);
  assert.deepEqual(found.expected, [null, null, null]);
});

test("drops are told apart by cause", () => {
  const causes = columnsOfDrops(historyOf(series, []));
  assert.deepEqual(causes.clash, [0, 3, 3]);
  assert.deepEqual(causes.noRoom, [5, 6, null]);
  assert.deepEqual(causes.chain, [0, 1, null]);
  assert.deepEqual(causes.evicted, [null, null, null]);
});
