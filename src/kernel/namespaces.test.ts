import assert from "node:assert/strict";
import { test } from "node:test";

import { parseFirstEntry } from "./namespaces.ts";

const header = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop";

const files = [
  [`${header}\n0000388b  00000000 00000000\n0000388b  00000000 00000000\n`, 14_475],
  [`${header}\n00000000  00000000\n`, 0],
  [`${header}\nffffffff  00000000\n`, 4_294_967_295],
  [`${header}\n`, undefined],
  [`${header}\n388b 00000000\n`, undefined],
  ["found 0000388b\n0000388b 0\n", undefined],
  ["", undefined],
] as const;

for (const [text, flows] of files) {
  test(`parseFirstEntry() reads ${flows} of ${JSON.stringify(text.slice(header.length))}`, () => {
    assert.equal(parseFirstEntry(text), flows);
  });
}
