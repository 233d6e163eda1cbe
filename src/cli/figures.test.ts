import assert from "node:assert/strict";
import { test } from "node:test";

import { countOf, formatBytes, formatCount, formatShare, parseMemory } from "./figures.ts";

const counts: readonly [number, string][] = [
  [0, "0"],
  [999, "999"],
  [1000, "1,000"],
  [14_471, "14,471"],
  [1_234_567.4, "1,234,567"],
  [-1234, "-1,234"],
  [-0.2, "0"],
];
for (const [value, text] of counts) {
  test(`formatCount() writes ${value} as ${text}`, () => assert.equal(formatCount(value), text));
}

const shares: readonly [number, string][] = [
  [0, "0 %"],
  [0.000_01, "<1 %"],
  [0.005, "1 %"],
  [0.83, "83 %"],
  [0.9949, "99 %"],
  [0.9999, ">99 %"],
  [1, "100 %"],
  [1.02, "102 %"],
];
for (const [share, text] of shares) {
  test(`formatShare() writes ${share} as ${text}`, () => assert.equal(formatShare(share), text));
}

test("countOf() knows one from many", () => {
  assert.equal(countOf(1, "flow"), "1 flow");
  assert.equal(countOf(0, "flow"), "0 flows");
  assert.equal(countOf(2000, "entry", "entries"), "2,000 entries");
});

const sizes: readonly [number, string][] = [
  [512, "512 B"],
  [1024, "1 KiB"],
  [1_610_612_736, "1.5 GiB"],
  [25_275_273_216, "23.5 GiB"],
  [1_000_000, "977 KiB"],
];
for (const [bytes, text] of sizes) {
  test(`formatBytes() writes ${bytes} as ${text}`, () => assert.equal(formatBytes(bytes), text));
}

const memories: readonly [string, number | undefined][] = [
  ["1G", 1_073_741_824],
  ["1GB", 1_073_741_824],
  ["1 GiB", 1_073_741_824],
  ["512m", 536_870_912],
  ["1.5G", 1_610_612_736],
  ["4294967296", 4_294_967_296],
  ["16T", 17_592_186_044_416],
  ["", undefined],
  ["G", undefined],
  ["-1G", undefined],
  ["1X", undefined],
  ["99999999999T", undefined],
];
for (const [text, bytes] of memories) {
  test(`parseMemory() reads "${text}"`, () => assert.equal(parseMemory(text), bytes));
}
