import assert from "node:assert/strict";
import { test } from "node:test";

import { rowOf, wordsOf } from "./flow-row.ts";

const original = {
  source: "10.0.0.1",
  destination: "192.0.2.1",
  sourcePort: 4000,
  destinationPort: 443,
  packets: 3,
};
const reply = {
  source: "192.0.2.1",
  destination: "10.0.0.1",
  sourcePort: 443,
  destinationPort: 4000,
  packets: 2,
};

test("a flow becomes a row; what is not known stays unknown", () => {
  const row = rowOf({
    protocol: "tcp",
    state: "ESTABLISHED",
    original,
    reply,
    status: ["seen-reply", "assured", "confirmed"],
  });
  assert.equal(row.packets, 5);
  assert.equal(row.bytes, undefined);
  assert.equal(row.idleSeconds, undefined);
  assert.equal(row.translated, undefined);
  assert.equal(wordsOf(row), "assured");
});

test("translation is told by what the reply has instead", () => {
  const behind = { ...reply, destination: "198.51.100.7", destinationPort: 61_000 };
  assert.equal(rowOf({ protocol: "tcp", original, reply: behind }).translated, "198.51.100.7:61000");
});

test("mark and zone are told when they say something", () => {
  assert.equal(wordsOf(rowOf({ status: ["unreplied"], mark: 3, zone: 0 })), "unreplied, mark 3");
});
