import assert from "node:assert/strict";
import { test } from "node:test";

import { KernelError, type KernelErrorCode } from "./error.ts";
import { UnseenNotes } from "./unseen-notes.ts";

const causes: readonly (readonly [KernelErrorCode, string])[] = [
  ["not-permitted", "not-permitted"],
  ["not-found", "missing"],
  ["module-missing", "not-loaded"],
  ["unsupported", "unsupported"],
  ["no-ffi", "unsupported"],
  ["io", "unreadable"],
];

for (const [code, cause] of causes) {
  test(`a refusal ${code} is noted as ${cause}`, () => {
    const notes = new UnseenNotes();
    notes.refuse("flows", new KernelError(code, "Cannot read flows: no"), "run as root");
    assert.deepEqual(notes.entries, [
      { what: "flows", why: "cannot read flows: no", cause, help: "run as root" },
    ]);
  });
}

test("the same thing for the same reason is noted once, another reason again", () => {
  const notes = new UnseenNotes();
  for (const why of ["a", "a", "b"]) notes.add({ what: "flows", why, cause: "missing" });
  assert.deepEqual(
    notes.entries.map(({ why }) => why),
    ["a", "b"],
  );
});
