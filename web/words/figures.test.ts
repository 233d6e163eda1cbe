import assert from "node:assert/strict";
import { test } from "node:test";

import * as line from "../../src/cli/figures.ts";
import { formatDuration as lineDuration, parseDuration as lineParse } from "../../src/table/duration.ts";
import * as page from "./figures.ts";

const counts = [0, 1, 12, 999, 1000, 14_471, 262_144, 1_234_567, 12.4, -5, -1234];
test("the page and the command line say counts, shares and sizes alike", () => {
  for (const count of counts) assert.equal(page.formatCount(count), line.formatCount(count));
  for (const share of [0, 0.001, 0.005, 0.5, 0.83, 0.994, 0.995, 0.999, 1, 1.2])
    assert.equal(page.formatShare(share), line.formatShare(share));
  for (const bytes of [0, 512, 1024, 1536, 69_206_016, 2 ** 30, 1.5 * 2 ** 40])
    assert.equal(page.formatBytes(bytes), line.formatBytes(bytes));
  for (const value of [0, 1, 2]) assert.equal(page.countOf(value, "flow"), line.countOf(value, "flow"));
});

test("durations are read and written as on the command line", () => {
  for (const seconds of [0, 1, 59, 60, 3600, 7440, 43_200, 129_600, 432_000]) {
    assert.equal(page.formatDuration(seconds), lineDuration(seconds));
    assert.equal(page.parseDuration(lineDuration(seconds)), seconds);
  }
  for (const text of ["", "x", "12", "1h30m", "h", "1 h"])
    assert.equal(page.parseDuration(text), text === "1 h" ? 3600 : lineParse(text));
});

const rough: readonly (readonly [number, string])[] = [
  [0, "0 s"],
  [99, "99 s"],
  [100, "2 min"],
  [720, "12 min"],
  [5999, "1 h 40 min"],
  [12_000, "3 h 20 min"],
  [43_200, "12 h"],
  [172_800, "2 days"],
  [216_000, "2.5 days"],
  [2_592_000, "30 days"],
];
for (const [seconds, text] of rough) {
  test(`about ${seconds} s is ${text}`, () => assert.equal(page.roughDuration(seconds), text));
}

const short: readonly (readonly [number, string])[] = [
  [0, "0"],
  [500, "500"],
  [20_000, "20k"],
  [1_500_000, "1.5M"],
  [262_144, "262k"],
  [0.25, "0.25"],
];
for (const [value, text] of short) {
  test(`on an axis ${value} is ${text}`, () => assert.equal(page.shortCount(value), text));
}

test("sizes that double are told in steps of 1,024", () => {
  assert.deepEqual([16_384, 262_144, 2 ** 20, 1_210_856].map(page.shortSize), ["16k", "256k", "1M", "1.2M"]);
});

test("a rate near zero is not zero, and an estimate says by how much it may be off", () => {
  assert.equal(page.formatRate(0), "0 /s");
  assert.equal(page.formatRate(0.001), "<0.01 /s");
  assert.equal(page.formatRate(0.4), "0.4 /s");
  assert.equal(page.formatRate(1234.5), "1,235 /s");
  assert.equal(page.formatError(undefined), "");
  assert.equal(page.formatError(61), "± 122");
  assert.equal(page.formatError(0.1), "± 1");
});

test("a setting is said in its unit", () => {
  assert.equal(page.formatSetting(432_000, "seconds"), "5d");
  assert.equal(page.formatSetting(0, "flag"), "off");
  assert.equal(page.formatSetting(2, "flag"), "2");
  assert.equal(page.formatSetting(262_144, "buckets"), "262,144");
});
