import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { internetChecksum } from "../../test/support/ip-bytes.ts";
import { ByteSums, foldSum, sctpChecksum } from "./checksum.ts";

test("sum() is that of RFC 1071 at every position, odd or even, of bytes that begin anywhere", () => {
  const sums = new ByteSums();
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.nat(7),
      fc.nat(40),
      fc.nat(80),
      (data, shift, from, length) => {
        const bytes = new Uint8Array(new ArrayBuffer(data.length + shift), shift);
        bytes.set(data);
        const start = Math.min(from, data.length);
        const end = Math.min(start + length, data.length);
        const folded = foldSum(sums.sum(bytes, start, end));
        // Zero has two forms in one's complement.
        assert.equal(folded % 0xffff, (~internetChecksum(data.slice(start, end)) & 0xffff) % 0xffff);
      },
    ),
  );
});

test("the largest datagram does not overflow", () => {
  const bytes = new Uint8Array(65_536).fill(0xff);
  assert.equal(foldSum(new ByteSums().sum(bytes, 0, 65_535)), foldSum(0xffff * 32_767 + 0xff00));
  assert.equal(foldSum(new ByteSums().sum(bytes, 1, 65_536)), foldSum(0xffff * 32_767 + 0xff00));
});

test("sctpChecksum() takes the four bytes of the checksum itself as zero", () => {
  // The check value of CRC-32C: of the nine digits. Here as much as stands before the field, and a longer
  // one.
  const digits = Uint8Array.from("123456789", (digit) => digit.charCodeAt(0));
  assert.equal(sctpChecksum(digits.subarray(0, 8), 0, 8), 0x6087_809a);
  const header = Uint8Array.of(0, 1, 0, 2, 0, 0, 0, 3, 0xaa, 0xbb, 0xcc, 0xdd, 1, 0, 0, 4);
  const zeroed = Uint8Array.from(header).fill(0, 8, 12);
  assert.equal(sctpChecksum(header, 0, 16), sctpChecksum(zeroed, 0, 16));
  assert.notEqual(sctpChecksum(header, 0, 16), sctpChecksum(header, 0, 15));
});
