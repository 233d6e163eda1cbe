import assert from "node:assert/strict";
import { test } from "node:test";

import { wholeNumber } from "./kernel-number.ts";

for (const [text, value] of [
  ["5", 5],
  [" \t5\n", 5],
  ["5 # why", 5],
  ["0x1F", 31],
  ["010", 8],
  ["0", 0],
  ["-5", -5],
  ["", undefined],
  ["09", undefined],
  ["0x", undefined],
  ["+5", undefined],
  ["5x", undefined],
  ["5,000", undefined],
  ["5.0", undefined],
  ["12h", undefined],
  ["5\r", undefined],
  ["- 5", undefined],
] as const) {
  test(`${JSON.stringify(text)} is ${value === undefined ? "no number" : value}`, () => {
    assert.equal(wholeNumber(text), value);
  });
}
