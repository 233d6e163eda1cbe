import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { kept, ofSingles, packPoints, type PointColumns, type Points, unpackPoints } from "./store-points.ts";
import { meansOf, Spans } from "./store-spans.ts";

const number = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 40 }),
  fc.double({ noDefaultInfinity: true, min: -1e12, max: 1e12 }),
  fc.constant(0),
);

function column(length: number): fc.Arbitrary<Float64Array> {
  const any = fc.array(number, { minLength: length, maxLength: length });
  const same = number.map((value) => Array.from({ length }, () => value));
  return fc.oneof(any, same).map((values) => Float64Array.from(values, kept));
}

const points: fc.Arbitrary<Points> = fc.integer({ min: 0, max: 40 }).chain((rows) =>
  fc.record(
    {
      atMs: fc
        .array(fc.integer({ min: 0, max: 4e12 }), { minLength: rows, maxLength: rows })
        .map((values) => Float64Array.from(values).toSorted()),
      series: fc
        .array(
          fc.tuple(
            fc.constantFrom("a", "b", "occupancyFlows"),
            fc.record<PointColumns>(
              {
                count: column(rows),
                sum: column(rows),
                min: column(rows),
                max: column(rows),
              },
              { noNullPrototype: true },
            ),
          ),
        )
        .map((all) => new Map(all)),
    },
    { noNullPrototype: true },
  ),
);

test("points come back as they were", () => {
  fc.assert(
    fc.property(points, (some) => {
      assert.deepEqual(unpackPoints(packPoints(some, false)), some);
    }),
  );
});

test("single samples come back as they were, NaN where there was none", () => {
  fc.assert(
    fc.property(fc.array(number, { minLength: 1 }), (values) => {
      const samples = Float64Array.from(values, (value, row) => (row % 5 === 3 ? Number.NaN : kept(value)));
      const atMs = Float64Array.from(values, (_, row) => row * 1000 + (row % 3));
      const some = { atMs, series: new Map([["a", ofSingles(samples)]]) };
      assert.deepEqual(unpackPoints(packPoints(some, true)), some);
    }),
  );
});

test("only the series asked for are taken out", () => {
  const one = ofSingles(Float64Array.of(1, 2));
  const some = {
    atMs: Float64Array.of(1, 2),
    series: new Map([
      ["a", one],
      ["b", one],
    ]),
  };
  const found = unpackPoints(packPoints(some, true), new Set(["b"]));
  assert.deepEqual([...(found?.series.keys() ?? [])], ["b"]);
});

test("a byte that is wrong or missing is noticed", () => {
  const values = Float64Array.from({ length: 200 }, (_, row) => Math.sin(row));
  const packed = packPoints({ atMs: values, series: new Map([["a", ofSingles(values)]]) }, true);
  for (let at = 0; at < packed.length; at += 7) {
    const wrong = packed.slice();
    wrong[at] = (wrong[at] ?? 0) ^ 0x10;
    assert.equal(unpackPoints(wrong), undefined);
    assert.equal(unpackPoints(packed.subarray(0, at)), undefined);
  }
});

test("putting together in two steps gives what one step gives", () => {
  const sample = fc.tuple(fc.integer({ min: 0, max: 3599 }), fc.integer({ min: 0, max: 1e6 }));
  fc.assert(
    fc.property(fc.array(sample), (samples) => {
      const once = new Spans(0, 600_000, 6);
      const tens = new Spans(0, 10_000, 360);
      for (const [second, value] of samples) {
        once.addSample(second * 1000, { a: value }, ["a"]);
        tens.addSample(second * 1000, { a: value }, ["a"]);
      }
      const twice = new Spans(0, 600_000, 6);
      twice.addPoints(tens.toPoints());
      assert.deepEqual(twice.series, once.series);
    }),
  );
});

test("a mean is never outside of least and greatest, and NaN where there is nothing", () => {
  const third = Math.fround(1 / 3);
  const columns = {
    count: Float64Array.of(3, 0, 2),
    sum: Float64Array.of(third * 3 + 1e-7, Number.NaN, 5),
    min: Float64Array.of(third, Number.NaN, 1),
    max: Float64Array.of(third, Number.NaN, 4),
  };
  assert.deepEqual(meansOf(columns), Float64Array.of(third, Number.NaN, 2.5));
});
