import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { parseAddress, parsePrefix } from "./address-text.ts";
import {
  addressFromBytes,
  addressFromWords,
  addressToWords,
  familyOf,
  formatAddress,
  formatKernelAddress,
  formatPrefix,
  maskAddress,
} from "./address.ts";

const texts = [
  // written, as people read it, as the kernel prints it
  ["0.0.0.0", "0.0.0.0", "0.0.0.0"],
  ["255.255.255.255", "255.255.255.255", "255.255.255.255"],
  ["10.77.1.2", "10.77.1.2", "10.77.1.2"],
  ["::", "::", "0000:0000:0000:0000:0000:0000:0000:0000"],
  ["::1", "::1", "0000:0000:0000:0000:0000:0000:0000:0001"],
  ["FD77:1::2", "fd77:1::2", "fd77:0001:0000:0000:0000:0000:0000:0002"],
  ["2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1", "2001:0db8:0000:0001:0000:0000:0000:0001"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1", "2001:0000:0000:0001:0000:0000:0000:0001"],
  ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7", "0001:0000:0002:0003:0004:0005:0006:0007"],
  ["::ffff:10.0.0.1", "::ffff:10.0.0.1", "0000:0000:0000:0000:0000:ffff:0a00:0001"],
  ["::1.2.3.4", "::102:304", "0000:0000:0000:0000:0000:0000:0102:0304"],
  ["::ffff:1.2.3.4", "::ffff:1.2.3.4", "0000:0000:0000:0000:0000:ffff:0102:0304"],
  ["::FFFF:0:1.2.3.4", "::ffff:0:102:304", "0000:0000:0000:0000:ffff:0000:0102:0304"],
  ["64:ff9b::1.2.3.4", "64:ff9b::102:304", "0064:ff9b:0000:0000:0000:0000:0102:0304"],
  ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304", "0001:0002:0003:0004:0005:0006:0102:0304"],
  ["0:0:0:0:0:0:0.0.0.0", "::", "0000:0000:0000:0000:0000:0000:0000:0000"],
  ["fe80::", "fe80::", "fe80:0000:0000:0000:0000:0000:0000:0000"],
] as const;

for (const [written, people, kernel] of texts) {
  test(`address ${written} reads back as ${people}`, () => {
    const address = parseAddress(written);
    assert.ok(address !== undefined);
    assert.equal(formatAddress(address), people);
    assert.equal(formatKernelAddress(address), kernel);
    assert.equal(familyOf(address), written.includes(":") ? 6 : 4);
  });
}

for (const text of [
  "",
  "10.1",
  "10.0.0.256",
  "010.0.0.1",
  "10.0.0.1.2",
  ":::",
  "fe80::1%eth0",
  "::1.2.3",
  "::1.2.3.256",
  "::1.2.3.04",
  "::1.2.3.4:5",
  "1:2:3:4:5:6:7:1.2.3.4",
  "1:2:3:4:5:1.2.3.4",
  "1.2.3.4::",
  "host",
  "1234",
  "0x0a000001",
]) {
  test(`parseAddress() refuses ${JSON.stringify(text)}`, () => {
    assert.equal(parseAddress(text), undefined);
  });
}

const prefixes = [
  ["10.1.2.3/8", "10.0.0.0/8"],
  ["10.1.2.3", "10.1.2.3"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["192.168.255.255/23", "192.168.254.0/23"],
  ["2001:db8::ffff/64", "2001:db8::/64"],
  ["2001:db8::1/128", "2001:db8::1"],
] as const;

for (const [written, expected] of prefixes) {
  test(`parsePrefix() reads ${written} as ${expected}`, () => {
    const prefix = parsePrefix(written);
    assert.ok(prefix !== undefined);
    assert.equal(formatPrefix(prefix), expected);
  });
}

for (const text of [
  "10.0.0.0/33",
  "::/129",
  "10.0.0.0/",
  "10.0.0.0/-1",
  "/8",
  "10.0.0.0/8/8",
  "10.0.0.0/8x",
]) {
  test(`parsePrefix() refuses ${JSON.stringify(text)}`, () => {
    assert.equal(parsePrefix(text), undefined);
  });
}

const anyAddress = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
);

test("an address survives text, words and bytes", () => {
  fc.assert(
    fc.property(anyAddress, (bytes) => {
      const address = addressFromBytes(bytes);
      const words = new Uint32Array(12).fill(0xdeadbeef);
      addressToWords(address, words, 4);
      assert.equal(addressFromWords(words, 4, familyOf(address)), address);
      assert.equal(words[8], 0xdeadbeef);
      if (bytes.length === 4) assert.deepEqual([...words.subarray(5, 8)], [0, 0, 0]);
      assert.equal(parseAddress(formatAddress(address)), address);
      if (bytes.length === 16) assert.ok(isIPv6(formatAddress(address)));
    }),
  );
});

test("maskAddress() keeps exactly the leading bits", () => {
  fc.assert(
    fc.property(anyAddress, fc.nat(128), (bytes, wanted) => {
      const bits = Math.min(wanted, bytes.length * 8);
      const binary = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
      const masked = [...maskAddress(addressFromBytes(bytes), bits)]
        .map((char) => char.charCodeAt(0).toString(2).padStart(8, "0"))
        .join("");
      assert.equal(masked, binary.slice(0, bits).padEnd(binary.length, "0"));
    }),
  );
});
