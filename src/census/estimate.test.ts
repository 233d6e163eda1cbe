import assert from "node:assert/strict";
import { test } from "node:test";
import { type Random, seededRandom } from "../base/random.ts";
import { countOf, missedBelow, totalOf } from "./estimate.ts";

test("countOf() without a sample is the count itself", () => {
  assert.deepEqual(countOf(7, undefined), { flows: 7 });
});

test("countOf() of a sample that holds everything has no error", () => {
  assert.deepEqual(countOf(7, { flowsRead: 10, ofFlows: 10 }), { flows: 7, standardErrorFlows: 0 });
});

test("countOf() of an empty sample is as wrong as can be", () => {
  assert.deepEqual(countOf(0, { flowsRead: 0, ofFlows: 50 }), { flows: 0, standardErrorFlows: 50 });
});

test("countOf() of one flow in a table of two", () => {
  assert.deepEqual(countOf(1, { flowsRead: 1, ofFlows: 2 }), { flows: 2, standardErrorFlows: 0 });
});

/** Draws `size` places of `of` without replacement, as the beginning of a shuffled table. */
function drawn(random: Random, size: number, of: number): Uint32Array {
  const places = Uint32Array.from({ length: of }, (_, place) => place);
  for (let index = 0; index < size; index++) {
    const other = index + random.below(of - index);
    const place = places[index] as number;
    places[index] = places[other] as number;
    places[other] = place;
  }
  return places.subarray(0, size);
}

/** Shares of drawings whose truth lies within one and within two stated standard errors. */
function coverage(
  drawings: number,
  truth: number,
  draw: (random: Random) => { estimate: number; standardError: number },
): { one: number; two: number; mean: number } {
  const random = seededRandom(42);
  let [one, two, sum] = [0, 0, 0];
  for (let drawing = 0; drawing < drawings; drawing++) {
    const { estimate, standardError } = draw(random);
    const error = Math.abs(estimate - truth);
    sum += estimate;
    if (error <= standardError) one++;
    if (error <= 2 * standardError) two++;
  }
  return { one: one / drawings, two: two / drawings, mean: sum / drawings };
}

for (const { share, flowsRead, ofFlows } of [
  { share: 0.5, flowsRead: 400, ofFlows: 4000 },
  { share: 0.1, flowsRead: 400, ofFlows: 4000 },
  { share: 0.9, flowsRead: 1000, ofFlows: 4000 },
  { share: 0.3, flowsRead: 3000, ofFlows: 4000 },
  { share: 0.02, flowsRead: 1000, ofFlows: 8000 },
]) {
  test(`stated errors are true: ${share} of ${ofFlows} flows, ${flowsRead} read`, () => {
    const truth = share * ofFlows;
    const { one, two, mean } = coverage(600, truth, (random) => {
      const counted = drawn(random, flowsRead, ofFlows).filter((place) => place < truth).length;
      const { flows, standardErrorFlows = 0 } = countOf(counted, { flowsRead, ofFlows });
      return { estimate: flows, standardError: standardErrorFlows };
    });
    assert.ok(one > 0.6 && one < 0.77, `${one} within one standard error`);
    assert.ok(two > 0.91, `${two} within two`);
    assert.ok(Math.abs(mean - truth) < truth * 0.05, `mean ${mean} of ${truth}`);
  });
}

test("stated errors of totals are true: bytes of very different flows", () => {
  const ofFlows = 4000;
  const flowsRead = 800;
  const bytes = Float64Array.from({ length: ofFlows }, (_, place) => 100 + (place % 50) ** 3);
  const truth = bytes.reduce((sum, value) => sum + value, 0);
  const { one, two } = coverage(600, truth, (random) => {
    let [sum, squares] = [0, 0];
    for (const place of drawn(random, flowsRead, ofFlows)) {
      const value = bytes[place] as number;
      sum += value;
      squares += value * value;
    }
    const { total, standardError } = totalOf(sum, squares, { flowsRead, ofFlows });
    return { estimate: total, standardError };
  });
  assert.ok(one > 0.6 && one < 0.77, `${one} within one standard error`);
  assert.ok(two > 0.91, `${two} within two`);
});

test("missedBelow() names the size from which a key is hardly ever missing", () => {
  const sample = { flowsRead: 200, ofFlows: 4000 };
  const least = missedBelow(sample);
  const random = seededRandom(7);
  const missed = (flows: number): number => {
    let missing = 0;
    for (let drawing = 0; drawing < 500; drawing++) {
      const places = drawn(random, sample.flowsRead, sample.ofFlows);
      if (!places.some((place) => place < flows)) missing++;
    }
    return missing / 500;
  };
  assert.equal(least, 60);
  assert.ok(missed(least) < 0.09);
  assert.ok(missed(least / 3) > 0.15);
  assert.equal(missedBelow({ flowsRead: 10, ofFlows: 10 }), 0);
  assert.equal(missedBelow({ flowsRead: 0, ofFlows: 10 }), 10);
});
