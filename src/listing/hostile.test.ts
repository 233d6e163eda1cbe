/** Inputs made to break a reader. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { chunksOf, plainLine, readRows } from "../../test/support/listing-rows.ts";
import { MAX_LINE_BYTES } from "./lines.ts";
import { ListingError } from "./listing.ts";

const encoder = new TextEncoder();

test("a line of 10 MB is left out and counted once, whatever the chunks", () => {
  const bytes = encoder.encode(`${plainLine}${"x".repeat(10_000_000)}\n${plainLine}`);
  for (const size of [bytes.length, 262_144, 65_536, 4096]) {
    const { flows, listing } = readRows(chunksOf(bytes, size));
    assert.equal(flows.length, 2, `chunks of ${size}`);
    assert.deepEqual(listing.oddities, { overlongLines: 1 });
  }
});

test("a line of 10 MB without an end", () => {
  const { flows, listing } = readRows(chunksOf(encoder.encode(plainLine + "x".repeat(10_000_000)), 65_536));
  assert.equal(flows.length, 1);
  assert.deepEqual(listing.oddities, { overlongLines: 1 });
});

for (const over of [-1, 0, 1]) {
  test(`a line of ${MAX_LINE_BYTES}${over < 0 ? "" : "+"}${over} bytes, in chunks of any size`, () => {
    const line = plainLine.trimEnd();
    const long = line + " ".repeat(MAX_LINE_BYTES + over - line.length);
    const bytes = encoder.encode(`${long}\n${plainLine}`);
    for (const size of [1000, 65_535, 65_536, 65_537, 65_538, bytes.length]) {
      const { flows, listing } = readRows(chunksOf(bytes, size));
      assert.equal(flows.length, over > 0 ? 1 : 2, `chunks of ${size}`);
      assert.deepEqual(listing.oddities, over > 0 ? { overlongLines: 1 } : {});
    }
  });
}

test("a flow of 10,000 words is used, its words are counted and not kept", () => {
  const { flows, listing } = readRows(plainLine.replace("mark=0", "a=1 ".repeat(10_000)));
  assert.equal(flows[0]?.rare?.unknownWords?.length, 8);
  assert.deepEqual(listing.oddities, { unknownWords: 10_000 });
});

test("binary between flows is left out", () => {
  const bytes = new Uint8Array([
    ...encoder.encode(plainLine),
    0,
    255,
    10,
    1,
    2,
    3,
    10,
    ...encoder.encode(plainLine),
  ]);
  const { flows, listing } = readRows(bytes);
  assert.equal(flows.length, 2);
  assert.deepEqual(listing.oddities, { skippedLines: 2 });
});

test("lines that are zeroed by a rotated file do not hide the flows behind them", () => {
  const { flows, listing } = readRows(`${"\0".repeat(5000)}\n${plainLine}`);
  assert.equal(flows.length, 1);
  assert.deepEqual(listing.oddities, { skippedLines: 1 });
});

test("an endless input without a flow is given up", () => {
  let chunks = 0;
  const endless = function* (): Generator<Uint8Array> {
    for (;;) {
      chunks++;
      yield encoder.encode("no flow here\n".repeat(1000));
    }
  };
  assert.throws(() => readRows(endless()), ListingError);
  assert.ok(chunks < 1000);
});

test("any bytes whatever give flows, or our error and no other", () => {
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 500 }),
    fc.string({ unit: "binary", maxLength: 500 }).map((text) => encoder.encode(text)),
    fc.array(fc.constantFrom(...'<flow>/conntrack meta="&;\n'), { maxLength: 200 }).map((parts) => {
      return encoder.encode(`<conntrack>${parts.join("")}`);
    }),
  );
  fc.assert(
    fc.property(anyBytes, fc.integer({ min: 1, max: 100 }), (bytes, size) => {
      try {
        readRows(chunksOf(bytes, size), { batchRows: 3 });
      } catch (error) {
        assert.ok(error instanceof ListingError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
