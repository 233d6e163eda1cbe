import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Random, seededRandom } from "../base/random.ts";
import { CHUNK_KEYS, hashKey, KeyTally } from "./key-tally.ts";

/** Feeds keys in chunks of `chunkKeys`, as a batch would come. */
function feed(
  tally: KeyTally,
  keys: readonly (readonly number[])[],
  seed: number,
  chunkKeys = CHUNK_KEYS,
): void {
  for (let from = 0; from < keys.length; from += chunkKeys) {
    const chunk = keys.slice(from, from + chunkKeys);
    const words = Int32Array.from(chunk.flat());
    const hashes = Int32Array.from(chunk, (_, index) =>
      hashKey(words, index * tally.keyWords, tally.keyWords, seed),
    );
    const places = Int32Array.from(chunk, (_, index) => index * tally.keyWords);
    tally.add(words, places, hashes, chunk.length);
  }
}

function truthOf(keys: readonly (readonly number[])[]): Map<string, number> {
  const truth = new Map<string, number>();
  for (const key of keys) {
    const name = Int32Array.from(key).join();
    truth.set(name, (truth.get(name) ?? 0) + 1);
  }
  return truth;
}

function tallied(tally: KeyTally): Map<string, number> {
  const found = new Map<string, number>();
  tally.forEach((words, at, flows) => {
    found.set(words.slice(at, at + tally.keyWords).join(), flows);
  });
  return found;
}

/** Every count is at most the truth, at most the bound below it, and a missing key has at most the bound. */
function assertBound(tally: KeyTally, truth: ReadonlyMap<string, number>): void {
  const found = tallied(tally);
  for (const [name, flows] of truth) {
    const counted = found.get(name) ?? 0;
    assert.ok(counted <= flows, `${name}: counted ${counted} of ${flows}`);
    assert.ok(flows - counted <= tally.errorBoundFlows, `${name}: ${flows} counted as ${counted}`);
  }
  assert.ok(
    [...found.keys()].every((name) => truth.has(name)),
    "no key is made up",
  );
  assert.ok(tally.distinct <= truth.size);
  assert.equal(tally.exact, tally.errorBoundFlows === 0);
}

for (const keyWords of [1, 2, 3, 4, 9]) {
  test(`KeyTally counts keys of ${keyWords} words exactly while they fit`, () => {
    const word = fc.oneof(fc.constantFrom(0, 1, -1, 0x7fff_ffff), fc.integer());
    const key = fc.array(word, { minLength: keyWords, maxLength: keyWords });
    const keys = fc
      .array(key, { minLength: 1, maxLength: 8 })
      .chain((pool) => fc.array(fc.oneof(fc.constantFrom(...pool), key), { maxLength: 200 }));
    fc.assert(
      fc.property(keys, fc.integer(), fc.integer({ min: 1, max: 64 }), (stream, seed, chunkKeys) => {
        const tally = new KeyTally(keyWords, 1000, seed);
        feed(tally, stream, seed, chunkKeys);
        const truth = truthOf(stream);
        assert.deepEqual(tallied(tally), truth);
        assert.equal(tally.distinct, truth.size);
        assert.ok(tally.exact);
      }),
    );
  });
}

test("KeyTally grows to many keys and keeps every count", () => {
  const tally = new KeyTally(1, 100_000, 7);
  const stream = Array.from({ length: 60_000 }, (_, index) => [index % 20_000]);
  feed(tally, stream, 7);
  assert.equal(tally.distinct, 20_000);
  assert.ok(tally.exact);
  assert.deepEqual(new Set(tallied(tally).values()), new Set([3]));
});

/** Streams of 60,000 keys that are hard on a table of a few hundred. */
const streams: Record<string, (random: Random, index: number) => number> = {
  "all keys differ": (_random, index) => index,
  "one key in three is the same": (_random, index) => (index % 3 === 0 ? -1 : index),
  "a few keys have nearly everything": (random) => Math.floor(random.fraction() ** 12 * 50_000),
  "evenly spread": (random) => random.below(5000),
  harmonic: (random) => Math.floor(5000 ** random.fraction()),
  "heavy keys come first and are never seen again": (random, index) =>
    index < 6000 ? index % 60 : 1000 + random.below(50_000),
  "heavy keys come last": (_random, index) => (index < 54_000 ? 1000 + index : index % 60),
  "every key comes as often as the median when it is pruned": (_random, index) => Math.floor(index / 7),
  "the same keys again and again, more than fit": (_random, index) => index % 700,
  "growing ever heavier": (_random, index) => Math.floor(3 * Math.sqrt(index)),
};

for (const [name, keyAt] of Object.entries(streams)) {
  for (const keyWords of [1, 3, 4]) {
    test(`KeyTally states a true bound for keys of ${keyWords} words: ${name}`, () => {
      const random = seededRandom(11);
      const stream = Array.from({ length: 60_000 }, (_, index) => {
        const key = keyAt(random, index);
        return Array.from({ length: keyWords }, (_unused, word) => key * (word + 1));
      });
      const tally = new KeyTally(keyWords, 300, 5);
      feed(tally, stream, 5, 64);
      assertBound(tally, truthOf(stream));
      assert.ok(!tally.exact);
      assert.ok(tally.errorBoundFlows <= (2 * stream.length) / 300, `bound ${tally.errorBoundFlows}`);
    });
  }
}

test("KeyTally states a true bound for any stream and capacity", () => {
  const stream = fc.array(fc.oneof(fc.nat(5), fc.nat(40)), { maxLength: 400 });
  fc.assert(
    fc.property(
      stream,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 9 }),
      (words, capacity, chunk) => {
        const tally = new KeyTally(1, capacity, 3);
        const keys = words.map((word) => [word]);
        feed(tally, keys, 3, chunk);
        assertBound(tally, truthOf(keys));
      },
    ),
  );
});

test("KeyTally.merge() of two halves is the whole while it fits, and bounded after", () => {
  const stream = fc.array(fc.nat(30), { maxLength: 200 });
  fc.assert(
    fc.property(stream, stream, fc.integer({ min: 1, max: 40 }), (first, second, capacity) => {
      const [left, right] = [new KeyTally(1, capacity, 1), new KeyTally(1, capacity, 2)];
      const [firstKeys, secondKeys] = [first.map((word) => [word]), second.map((word) => [word])];
      feed(left, firstKeys, 1, 5);
      feed(right, secondKeys, 2, 5);
      left.merge(right);
      const truth = truthOf([...firstKeys, ...secondKeys]);
      assertBound(left, truth);
      if (left.exact) assert.deepEqual(tallied(left), truth);
    }),
  );
});

test("KeyTally.merge() leaves a bounded tally's distinct keys a lower bound", () => {
  const [left, right] = [new KeyTally(1, 10, 1), new KeyTally(1, 10, 1)];
  const keys = Array.from({ length: 100 }, (_, index) => [index]);
  feed(left, keys, 1, 1);
  feed(right, [[1]], 1);
  right.merge(left);
  assert.ok(right.distinct >= 11 && right.distinct <= 100);
  assert.ok(!right.exact);
});

test("KeyTally.top() does not depend on seed or order; equal counts are in order of the keys", () => {
  const stream = fc.array(fc.nat(12), { maxLength: 60 });
  fc.assert(
    fc.property(stream, fc.integer(), fc.integer({ min: 1, max: 20 }), (words, seed, rows) => {
      const keys = words.map((word) => [word - 6, word]);
      const [tally, other] = [new KeyTally(2, 100, seed), new KeyTally(2, 100, 0)];
      feed(tally, keys, seed);
      feed(other, keys.toReversed(), 0);
      const expected = [...truthOf(keys)]
        .map(([name, flows]) => ({ words: Int32Array.from(name.split(",").map(Number)), flows }))
        .sort(
          (left, right) =>
            right.flows - left.flows ||
            ((left.words[0] as number) >>> 0) - ((right.words[0] as number) >>> 0),
        )
        .slice(0, rows);
      assert.deepEqual(tally.top(rows), expected);
      assert.deepEqual(other.top(rows), expected);
    }),
  );
});
