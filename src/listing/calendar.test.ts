import assert from "node:assert/strict";
import { test } from "node:test";
import { readCalendarTime } from "./calendar.ts";

const times = [
  ["Sun Nov 22 12:20:22 2026", 0, "2026-11-22T12:20:22.000Z"],
  ["Sun Nov 22 12:20:22 2026", 120, "2026-11-22T10:20:22.000Z"],
  ["Sun Nov 22 00:20:22 2026", -330, "2026-11-22T05:50:22.000Z"],
  ["Sat Feb  1 01:02:03 2025", 0, "2025-02-01T01:02:03.000Z"],
  ["Sat Foo  1 01:02:03 2025", 0, undefined],
  ["2025-02-01 01:02:03", 0, undefined],
  ["", 0, undefined],
] as const;

for (const [text, utcOffsetMinutes, expected] of times) {
  test(`'${text}' ${utcOffsetMinutes} minutes ahead of UTC is ${expected ?? "no time"}`, () => {
    const atMs = readCalendarTime(text, utcOffsetMinutes);
    assert.equal(atMs === undefined ? undefined : new Date(atMs).toISOString(), expected);
  });
}
