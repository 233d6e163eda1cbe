import assert from "node:assert/strict";
import { test } from "node:test";

import { RANGES, rangeQuery, readRange, refreshMs, spanOf, zoomed } from "./ranges.ts";

test("a range is read back from the address", () => {
  for (const [, seconds] of RANGES) {
    const range = { kind: "last", seconds } as const;
    assert.deepEqual(readRange(new URLSearchParams(rangeQuery(range))), range);
  }
  const span = { kind: "span", fromMs: 1000, toMs: 61_000 } as const;
  assert.deepEqual(readRange(new URLSearchParams(rangeQuery(span))), span);
  for (const bad of ["", "range=2y", "from=5&to=4", "from=x&to=y"])
    assert.deepEqual(readRange(new URLSearchParams(bad)), { kind: "last", seconds: 3600 });
});

test("only what is live looks ahead and is asked for again", () => {
  const last = { kind: "last", seconds: 900 } as const;
  const young = { hasForecast: true, oldestMs: undefined };
  assert.deepEqual(spanOf(last, 900_000, young), { fromMs: 0, toMs: 900_000, endMs: 1_200_000 });
  assert.equal(spanOf(last, 900_000, { ...young, hasForecast: false }).endMs, 900_000);
  assert.equal(refreshMs(last), 15_000);
  assert.equal(refreshMs({ kind: "span", fromMs: 0, toMs: 1 }), undefined);
});

test("a history that is younger than the range fills the drawing, and is never drawn too wide", () => {
  const last = { kind: "last", seconds: 3600 } as const;
  const from = (oldestMs: number): number => spanOf(last, 9_000_000, { hasForecast: false, oldestMs }).fromMs;
  assert.equal(from(8_400_000), 8_400_000);
  assert.equal(from(8_990_000), 8_880_000);
  assert.equal(from(0), 5_400_000);
});

test("a zoom is never shorter than ten seconds", () => {
  assert.deepEqual(zoomed(100, 102), { kind: "span", fromMs: 96_000, toMs: 106_000 });
  assert.deepEqual(zoomed(100, 200), { kind: "span", fromMs: 100_000, toMs: 200_000 });
});
