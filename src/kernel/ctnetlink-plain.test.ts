import assert from "node:assert/strict";
import { test } from "node:test";
import { flowMessage, plainTuples, tupleAttribute } from "../../test/support/netlink-flows.ts";
import { attribute } from "../../test/support/netlink.ts";
import {
  isPlain4,
  isPlain6,
  isPlainTcp,
  Plain4,
  PLAIN4_WORDS,
  Plain6,
  PLAIN6_WORDS,
  PLAIN_TCP_WORDS,
} from "./ctnetlink-plain.ts";

const SIX_A = Array.from({ length: 16 }, (_, index) => index);
const SIX_B = Array.from({ length: 16 }, (_, index) => 100 + index);

const plain4 = flowMessage(...plainTuples());
const plain6 = flowMessage(
  tupleAttribute(1, SIX_A, SIX_B, [4, 0], [0, 80]),
  tupleAttribute(2, SIX_B, SIX_A, [0, 80], [4, 0]),
);
const tcp = attribute(
  0x8004,
  attribute(
    0x8001,
    ...[1, 2, 3].map((type) => attribute(type, Uint8Array.of(3))),
    ...[4, 5].map((type) => attribute(type, Uint8Array.of(3, 0))),
  ),
);

function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.slice().buffer);
}

const parts: { name: string; bytes: Uint8Array; words: readonly number[]; is: typeof isPlain4 }[] = [
  { name: "isPlain4()", bytes: plain4, words: PLAIN4_WORDS, is: isPlain4 },
  { name: "isPlain6()", bytes: plain6, words: PLAIN6_WORDS, is: isPlain6 },
  { name: "isPlainTcp()", bytes: tcp, words: PLAIN_TCP_WORDS, is: isPlainTcp },
];

for (const { name, bytes, words, is } of parts) {
  test(`${name} is true of the plain part alone`, () => {
    const found = parts.filter((part) => is(wordsOf(part.bytes), 0)).map((part) => part.name);
    assert.deepEqual(found, [name]);
  });

  test(`${name} looks at every bit of its headers and at nothing else`, () => {
    const headers = new Set(words);
    const original = wordsOf(bytes);
    for (let word = 0; word < original.length; word++) {
      for (let bit = 0; bit < 32; bit++) {
        const changed = original.slice();
        changed[word] = (original[word] as number) ^ (1 << bit);
        assert.equal(is(changed, 0), !headers.has(word), `word ${word} bit ${bit}`);
      }
    }
  });

  test(`${name} finds the part at any word`, () => {
    const behind = new Uint32Array(bytes.length / 4 + 3);
    behind.set(wordsOf(bytes), 3);
    assert.equal(is(behind, 3), true);
    assert.equal(is(behind, 2), false);
  });
}

test("Plain4 has the places of the values", () => {
  const view = new DataView(plain4.buffer);
  assert.equal(view.getUint8(Plain4.protocol), 6);
  assert.equal(view.getUint32(Plain4.originalSource), 0x0a00_0001);
  assert.equal(view.getUint32(Plain4.originalDestination), 0x0a00_0002);
  assert.equal(view.getUint16(Plain4.originalSourcePort), 1024);
  assert.equal(view.getUint16(Plain4.originalDestinationPort), 80);
  assert.equal(view.getUint32(Plain4.replySource), 0x0a00_0002);
  assert.equal(view.getUint32(Plain4.replyDestination), 0x0a00_0001);
  assert.equal(view.getUint16(Plain4.replySourcePort), 80);
  assert.equal(view.getUint16(Plain4.replyDestinationPort), 1024);
});

test("Plain6 has the places of the values", () => {
  const view = new DataView(plain6.buffer);
  const address = (at: number): number[] => [...plain6.subarray(at, at + 16)];
  assert.equal(view.getUint8(Plain6.protocol), 6);
  assert.deepEqual(address(Plain6.originalSource), SIX_A);
  assert.deepEqual(address(Plain6.originalDestination), SIX_B);
  assert.equal(view.getUint16(Plain6.originalSourcePort), 1024);
  assert.equal(view.getUint16(Plain6.originalDestinationPort), 80);
  assert.deepEqual(address(Plain6.replySource), SIX_B);
  assert.deepEqual(address(Plain6.replyDestination), SIX_A);
  assert.equal(view.getUint16(Plain6.replySourcePort), 80);
  assert.equal(view.getUint16(Plain6.replyDestinationPort), 1024);
});
