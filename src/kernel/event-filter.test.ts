import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AssertionError } from "../base/assert.ts";
import { seededRandom } from "../base/random.ts";
import { assertShare, isOfShare, shareProgram } from "./event-filter.ts";

test("the flows of a smaller share are among those of a larger one", () => {
  const id = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const power = fc.integer({ min: 0, max: 19 });
  fc.assert(
    fc.property(id, power, (flow, exponent) => {
      if (isOfShare(flow, 2 ** (exponent + 1))) assert.ok(isOfShare(flow, 2 ** exponent));
      assert.ok(isOfShare(flow, 1));
    }),
  );
});

/** As the row has it: the number's bytes in the order of the host, read the other way. */
function asRead(id: number): number {
  return new DataView(Uint32Array.of(id).buffer).getUint32(0);
}

const IDS = 100_000;
const random = seededRandom(7);
const kinds: readonly { what: string; idOf: (index: number) => number }[] = [
  { what: "keyed hashes", idOf: () => random.below(2 ** 32) },
  { what: "addresses of objects of 256 bytes", idOf: (index) => asRead((0x8c3a_4000 + index * 256) >>> 0) },
  { what: "addresses of objects of 320 bytes", idOf: (index) => asRead((0x8c3a_4000 + index * 320) >>> 0) },
  { what: "numbers one after the other", idOf: (index) => asRead(index) },
];
for (const { what, idOf } of kinds) {
  test(`shares are even over ${what}`, () => {
    const ids = Array.from({ length: IDS }, (_, index) => idOf(index));
    for (const oneOf of [2, 16, 256]) {
      const kept = ids.filter((id) => isOfShare(id, oneOf)).length;
      const expected = IDS / oneOf;
      assert.ok(Math.abs(kept - expected) < 5 * Math.sqrt(expected), `one of ${oneOf}: ${kept}`);
    }
  });
}

test("only a power of two is a share", () => {
  for (const oneOf of [0, -2, 3, 1.5, 2 ** 21, Number.NaN, Infinity]) {
    assert.throws(() => assertShare(oneOf), AssertionError, String(oneOf));
  }
  assertShare(1);
  assertShare(2 ** 20);
});

test("a program has instructions of eight bytes, the last of which refuses", () => {
  const program = shareProgram(64);
  assert.equal(program.length % 8, 0);
  assert.deepEqual([...program.subarray(-8)], [6, 0, 0, 0, 0, 0, 0, 0]);
});
