import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { unpacked } from "./unpack.ts";

/** Bytes that pack a little. */
const plain = Uint8Array.from({ length: 40_000 }, (_, at) => (at * at * 31) >>> 7);

const forms: readonly (readonly [string, Uint8Array, string | undefined])[] = [
  ["plain", plain, undefined],
  ["gzip", new Uint8Array(gzipSync(plain)), "gzip"],
  ["zstd", new Uint8Array(zstdCompressSync(plain)), "zstd"],
];

interface Unpacked {
  bytes: Uint8Array;
  compression: string | undefined;
  breaks: boolean[];
}

async function unpack(chunks: Iterable<Uint8Array>): Promise<Unpacked> {
  const parts: Uint8Array[] = [];
  const found: Unpacked = { bytes: new Uint8Array(0), compression: undefined, breaks: [] };
  const notes = {
    onCompression: (compression: string): void => void (found.compression = compression),
    onBroken: (_error: Error, hasOutput: boolean): void => void found.breaks.push(hasOutput),
  };
  for await (const part of unpacked(chunks, notes)) parts.push(part.slice());
  return { ...found, bytes: new Uint8Array(Buffer.concat(parts)) };
}

for (const [name, packed, compression] of forms) {
  test(`${name}: wherever the input is cut, the same bytes come out`, async () => {
    for (const at of [0, 1, 3, 4, 5, 100, packed.length >> 1, packed.length - 1, packed.length]) {
      const found = await unpack([packed.subarray(0, at), packed.subarray(at)]);
      assert.deepEqual(found, { bytes: plain, compression, breaks: [] }, `cut at ${at}`);
    }
  });
}

for (const [name, packed] of forms.slice(1)) {
  test(`${name} that ends early gives what came, and says so once`, async () => {
    for (const length of [packed.length - 1, packed.length >> 1]) {
      const { bytes, breaks } = await unpack([packed.subarray(0, length)]);
      assert.deepEqual(bytes, plain.subarray(0, bytes.length));
      assert.deepEqual(breaks, [bytes.length > 0]);
    }
  });

  test(`${name} of which nothing comes says that`, async () => {
    assert.deepEqual((await unpack([packed.subarray(0, 6)])).breaks, [false]);
  });
}

test("what onBroken throws ends the loop", async () => {
  const packed = new Uint8Array(gzipSync(plain)).subarray(0, 6);
  const notes = {
    onCompression: (): void => {},
    onBroken: (error: Error): void => {
      throw new Error("not mine", { cause: error });
    },
  };
  await assert.rejects(async () => {
    for await (const part of unpacked([packed], notes)) assert.equal(part.length, 0);
  }, /not mine/);
});

test("an empty input is empty", async () => {
  assert.deepEqual(await unpack([]), { bytes: new Uint8Array(0), compression: undefined, breaks: [] });
});
