import assert from "node:assert/strict";
import { test } from "node:test";

import { KernelError } from "./error.ts";
import { noteUnseen, parseFirstEntry } from "./namespaces.ts";
import { UnseenNotes } from "./unseen-notes.ts";

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

test("counts that are refused have one name, however many they are", () => {
  const told = [1, 3].map((length) => {
    const refused = Array.from(
      { length },
      (_, at) => new KernelError("not-permitted", `Cannot enter ${at}: no`),
    );
    const notes = new UnseenNotes();
    noteUnseen(notes, { namespaces: [], unseen: [], refused, targets: new Map() });
    return notes.entries;
  });
  const [what, cause] = ["counts of network namespaces", "not-permitted"];
  assert.deepEqual(told, [
    [{ what, why: "cannot enter 0: no", cause }],
    [{ what, why: "cannot enter 0: no; 2 more are refused too", cause }],
  ]);
});
