import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { countSpan, newSpans, SPAN_EDGES_SECONDS, spanOf } from "./spans.ts";

function slowSpanOf(seconds: number): number {
  return SPAN_EDGES_SECONDS.findLastIndex((edge) => edge <= seconds);
}

test("spanOf() finds the span of every edge and its neighbours", () => {
  for (const edge of SPAN_EDGES_SECONDS) {
    for (const seconds of [Math.max(0, edge - 1), edge, edge + 1]) {
      assert.equal(spanOf(seconds), slowSpanOf(seconds), `${seconds} s`);
    }
  }
});

test("spanOf() finds the span of any number of 32 bits", () => {
  const seconds = fc.oneof(
    fc.nat(200_000),
    fc.nat(0xffff_ffff),
    fc.nat(31).map((bit) => 2 ** bit),
  );
  fc.assert(
    fc.property(seconds, (value) => {
      assert.equal(spanOf(value | 0), slowSpanOf(value));
    }),
    { numRuns: 2000 },
  );
  for (const value of [0xffff_ffff, 0x8000_0000, 0x7fff_ffff])
    assert.equal(spanOf(value | 0), slowSpanOf(value));
});

test("countSpan() cuts off fractions", () => {
  const spans = newSpans();
  countSpan(spans, 9.99);
  countSpan(spans, 10);
  assert.deepEqual([...spans.subarray(0, 3)], [1, 1, 0]);
});
