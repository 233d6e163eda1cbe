import assert from "node:assert/strict";
import { test } from "node:test";

import { piecesOf } from "./api.ts";

test("a stream is read where a browser cannot iterate over it, characters whole", async () => {
  const bytes = new TextEncoder().encode("data: größer\n\n");
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  Object.defineProperty(body, Symbol.asyncIterator, { value: undefined });
  let text = "";
  for await (const piece of piecesOf(body)) text += piece;
  assert.equal(text, "data: größer\n\n");
});
