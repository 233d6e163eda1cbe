import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Address,
  addressFromWords,
  addressToWords,
  formatAddress,
  formatKernelAddress,
} from "../table/address.ts";
import { parseAddress } from "../table/address-text.ts";
import { four, numberOf, readIpv4, readIpv6, textOf } from "./ascii.ts";

const encoder = new TextEncoder();

/**
 * The address at the beginning of `text` as people write it, and how many bytes it took; undefined for none.
 */
function read(text: string, reader: typeof readIpv4): string | undefined {
  const words = new Uint32Array(4).fill(0x5a5a5a5a);
  const end = reader(encoder.encode(`${text} `), 0, words, 0);
  if (end < 0) return undefined;
  const family = reader === readIpv4 ? 4 : 6;
  return `${formatAddress(addressFromWords(words, 0, family))} ${end}`;
}

const ipv4 = [
  ["0.0.0.0", "0.0.0.0 7"],
  ["255.255.255.255", "255.255.255.255 15"],
  ["10.0.0.1", "10.0.0.1 8"],
  ["1.2.3.4.5", "1.2.3.4 7"],
  ["010.0.0.1", undefined],
  ["1.2.3.4567", undefined],
  ["256.1.1.1", undefined],
  ["1.2.3", undefined],
  ["1.2.3.", undefined],
  ["1..2.3", undefined],
  [".1.2.3", undefined],
  ["1.2.3.x", undefined],
  ["", undefined],
  ["fd00::1", undefined],
] as const;

for (const [text, expected] of ipv4) {
  test(`readIpv4() of '${text}' gives ${expected ?? "none"}`, () => {
    assert.equal(read(text, readIpv4), expected);
  });
}

const ipv6 = [
  ["::", ":: 2"],
  ["::1", "::1 3"],
  ["1::", "1:: 3"],
  ["fd77::0001", "fd77::1 10"],
  ["FD77::aBcD", "fd77::abcd 10"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8 15"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0 15"],
  ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8 15"],
  ["fd77:0000:0000:0000:0000:0000:0000:0002", "fd77::2 39"],
  ["::ffff:1.2.3.4", "::ffff:1.2.3.4 14"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221 19"],
  ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304 19"],
  ["1:2:3:4:5:6:7:1.2.3.4", undefined],
  ["::1.2.3", undefined],
  ["1::2::3", undefined],
  ["1:2:3:4:5:6:7", undefined],
  ["1:2:3:4:5:6:7:8:", undefined],
  ["1:2:3:4:5:6:7:8:9", undefined],
  ["1::2:3:4:5:6:7:8", undefined],
  [":1", undefined],
  ["1:", undefined],
  [":", undefined],
  ["", undefined],
  ["g::", undefined],
] as const;

for (const [text, expected] of ipv6) {
  test(`readIpv6() of '${text}' gives ${expected ?? "none"}`, () => {
    assert.equal(read(text, readIpv6), expected);
  });
}

test("a group of five digits ends behind the fourth", () => {
  assert.equal(read("1:2:3:4:5:6:7:12345", readIpv6), "1:2:3:4:5:6:7:1234 18");
});

test("both notations of any IPv6 address are read as the kernel means them", () => {
  const words = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff_ffff })), {
    minLength: 4,
    maxLength: 4,
  });
  fc.assert(
    fc.property(words, (parts) => {
      const address = addressFromWords(Uint32Array.from(parts), 0, 6);
      for (const text of [formatAddress(address), formatKernelAddress(address)]) {
        const found = new Uint32Array(4);
        assert.equal(readIpv6(encoder.encode(`${text} `), 0, found, 0), text.length);
        assert.deepEqual([...found], parts);
      }
    }),
  );
});

test("readIpv6() takes the addresses that a URL takes, and nothing else", () => {
  const text = fc.array(fc.constantFrom("0", "1", "ff", ":", "::", ".", "1.2.3.4", "x"), { maxLength: 10 });
  fc.assert(
    fc.property(text, (parts) => {
      const joined = parts.join("");
      const words = new Uint32Array(4);
      const isWhole = readIpv6(encoder.encode(`${joined} `), 0, words, 0) === joined.length;
      assert.equal(isWhole, isIPv6(joined), joined);
      if (!isWhole) return;
      const hostname = new URL(`http://[${joined}]`).hostname.slice(1, -1);
      const expected = new Uint32Array(4);
      addressToWords(parseAddress(hostname) ?? ("" as Address), expected, 0);
      assert.deepEqual(words, expected);
    }),
    { numRuns: 2000 },
  );
});

const numbers = [
  ["0", 0],
  ["007", 7],
  ["4294967296", 4_294_967_296],
  ["18446744073709551615", 18_446_744_073_709_552_000],
  ["0x4d", 77],
  ["0xFFff", 65_535],
  ["0x", Number.NaN],
  ["0xg", Number.NaN],
  ["-1", Number.NaN],
  ["1 ", Number.NaN],
  ["a", Number.NaN],
  ["", Number.NaN],
] as const;

for (const [text, expected] of numbers) {
  test(`numberOf() of '${text}' gives ${expected}`, () => {
    const bytes = encoder.encode(text);
    assert.equal(numberOf(bytes, 0, bytes.length), expected);
  });
}

test("textOf() gives short, long and foreign words", () => {
  for (const text of ["", "mark", "x".repeat(100), "é", "日本"]) {
    const bytes = encoder.encode(text);
    assert.equal(textOf(bytes, 0, bytes.length), text);
  }
});

test("four() is what a little-endian view reads", () => {
  const bytes = encoder.encode("src=\u007f");
  assert.equal(four("src="), new DataView(bytes.buffer).getInt32(0, true));
});
