import assert from "node:assert/strict";
import { test } from "node:test";

import { EventReader } from "./event-stream.ts";

const text =
  'retry: 1000\n: hello\n\nevent: sample\ndata: {"atMs":1}\n\ndata: a\ndata: b\r\n\r\nevent: x\n\n';
const events = [
  { event: "sample", data: '{"atMs":1}' },
  { event: "message", data: "a\nb" },
];

test("events are whole at every boundary of pieces", () => {
  for (let cut = 0; cut <= text.length; cut += 1) {
    const reader = new EventReader();
    assert.deepEqual([...reader.push(text.slice(0, cut)), ...reader.push(text.slice(cut))], events);
  }
});

test("events are whole when every character comes alone", () => {
  const reader = new EventReader();
  assert.deepEqual(
    [...text].flatMap((char) => reader.push(char)),
    events,
  );
});
