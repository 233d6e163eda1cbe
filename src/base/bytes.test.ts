import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, BytesError, joinHalves, SATURATED } from "./bytes.ts";

test("ByteReader reads each width in both byte orders", () => {
  const reader = new ByteReader(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0xff, 0xff, 0xff, 0xfe));
  assert.equal(reader.u8("a"), 1);
  assert.equal(reader.u16("b"), 0x0203);
  assert.equal(reader.u16("c", true), 0x0504);
  assert.equal(reader.u16("d"), 0x0607);
  assert.equal(reader.i32("e"), -2);
  assert.equal(reader.remaining, 0);
});

test("ByteReader.u64() saturates and does not round", () => {
  const big = Uint8Array.of(0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x20, 0, 0, 0, 0, 0, 0);
  const reader = new ByteReader(big);
  assert.equal(reader.u64("largest exact"), Number.MAX_SAFE_INTEGER);
  assert.equal(reader.u64("one more"), SATURATED);
  assert.equal(joinHalves(1, 5), 4_294_967_301);
  assert.equal(new ByteReader(Uint8Array.of(5, 0, 0, 0, 1, 0, 0, 0)).u64("little", true), 4_294_967_301);
});

test("ByteReader.u64() equals BigInt wherever the number is exact", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, BigInt(Number.MAX_SAFE_INTEGER)), fc.boolean(), (value, littleEndian) => {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, value, littleEndian);
      assert.equal(new ByteReader(bytes).u64("value", littleEndian), Number(value));
    }),
  );
});

test("ByteReader names the field and the offset when the input ends too early", () => {
  const reader = new ByteReader(Uint8Array.of(1, 2, 3));
  reader.skip("head", 1);
  assert.throws(
    () => reader.u32("sequence number"),
    (error) =>
      error instanceof BytesError &&
      error.message === "Cannot read sequence number at offset 1: needs 4 bytes, 2 are left",
  );
  assert.equal(reader.u16("the failed read took nothing"), 0x0203);
});

test("ByteReader.sub() cannot be read past its own end", () => {
  const reader = new ByteReader(Uint8Array.of(1, 2, 3, 4));
  const inner = reader.sub("inner", 2);
  assert.deepEqual([...inner.bytes("all", 2)], [1, 2]);
  assert.throws(() => inner.u8("more"), BytesError);
  assert.equal(reader.offset, 2);
  assert.throws(() => reader.bytes("negative", -1), BytesError);
  assert.throws(() => new ByteReader(Uint8Array.of(1), 0, 2), BytesError);
});
