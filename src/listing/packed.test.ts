import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { seededRandom } from "../base/random.ts";
import { chunksOf, plainLine, readRowsAsync } from "../../test/support/listing-rows.ts";
import { ListingError } from "./listing.ts";

/** Lines that do not pack too well, so that the packed form has many blocks. */
const random = seededRandom(1);
const lines = Array.from({ length: 5000 }, () =>
  plainLine.replaceAll("10.0.0.1", `10.${random.below(256)}.${random.below(256)}.${random.below(256)}`),
);
const text = new TextEncoder().encode(lines.join(""));

const packers = [
  ["gzip", (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes))],
  ["zstd", (bytes: Uint8Array) => new Uint8Array(zstdCompressSync(bytes))],
] as const;

for (const [name, pack] of packers) {
  const packed = pack(text);
  const few = pack(new TextEncoder().encode(lines.slice(0, 100).join("")));

  test(`${name} is unpacked on the way, in chunks of any size`, async () => {
    for (const size of [1, 3, 1000, 65_536, packed.length]) {
      // A byte at a time takes its time: the beginning will do.
      const bytes = size < 1000 ? few : packed;
      const { flows, listing } = await readRowsAsync(chunksOf(bytes, size));
      assert.equal(flows.length, size < 1000 ? 100 : lines.length);
      assert.equal(listing.compression, name);
    }
  });

  test(`${name} of an asynchronous input`, async () => {
    const slowly = async function* (): AsyncGenerator<Uint8Array> {
      for (const chunk of chunksOf(packed, 10_000)) yield chunk;
    };
    const { flows, listing } = await readRowsAsync(slowly(), { origin: "saved" });
    assert.equal(flows.length, lines.length);
    assert.equal(listing.complete, true);
    assert.equal(listing.origin, `saved (/proc/net/nf_conntrack, ${name})`);
  });

  test(`${name} that was cut: what came is used, and the cut is counted`, async () => {
    for (const length of [packed.length - 1, packed.length - 9, Math.floor(packed.length * 0.7)]) {
      const { flows, listing } = await readRowsAsync([packed.subarray(0, length)]);
      assert.ok(flows.length > 100 && flows.length <= lines.length, `${flows.length} flows`);
      assert.deepEqual(listing.oddities, { truncatedInput: 1 });
      assert.equal(listing.complete, false);
    }
  });

  test(`${name} of which nothing can be unpacked is refused`, async () => {
    for (const bytes of [
      packed.subarray(0, 8),
      new Uint8Array([...packed.subarray(0, 4), ...text.subarray(0, 500)]),
    ]) {
      await assert.rejects(readRowsAsync([bytes]), (error) => {
        assert.ok(error instanceof ListingError);
        assert.equal(error.code, "compressed-broken");
        assert.ok(error.cause instanceof Error);
        return true;
      });
    }
  });

  test(`${name} that is spoiled in the middle: what came before is used`, async () => {
    const spoilt = packed.slice();
    spoilt.fill(0xff, spoilt.length >> 1, (spoilt.length >> 1) + 64);
    const { flows, listing } = await readRowsAsync(chunksOf(spoilt, 20_000));
    assert.ok(flows.length > 100 && flows.length < lines.length);
    assert.equal(listing.complete, false);
    assert.equal(listing.oddities.truncatedInput, 1);
  });

  test(`${name} of an empty table`, async () => {
    const { flows, listing } = await readRowsAsync([pack(new Uint8Array(0))]);
    assert.deepEqual(flows, []);
    assert.equal(listing.complete, true);
  });

  test(`${name} of something else is refused`, async () => {
    await assert.rejects(
      readRowsAsync([pack(new TextEncoder().encode("Dear reader,\n"))]),
      /no line that is a flow/,
    );
  });
}

test("several packed files in a row are one listing", async () => {
  const parts = new Uint8Array(Buffer.concat([gzipSync(plainLine), gzipSync(plainLine)]));
  assert.equal((await readRowsAsync([parts])).flows.length, 2);
});

test("leaving early releases the packed input", async () => {
  let released = false;
  const [, [, pack]] = packers;
  const packed = pack(text);
  const input = function* (): Generator<Uint8Array> {
    try {
      yield* chunksOf(packed, 1000);
    } finally {
      released = true;
    }
  };
  const { readListing } = await import("./listing.ts");
  for await (const columns of readListing(input(), { origin: "test", batchRows: 5 }).batches()) {
    assert.equal(columns.count, 5);
    break;
  }
  assert.equal(released, true);
});
