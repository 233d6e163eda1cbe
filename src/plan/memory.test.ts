import assert from "node:assert/strict";
import { test } from "node:test";

import { extensionBytesOf, tableMemory } from "./memory.ts";

test("tableMemory() adds slots, extensions and buckets, and says how it knows", () => {
  assert.deepEqual(tableMemory({ flows: 1000, buckets: 512, slotBytes: 256, extensionBytes: 128 }), {
    bytes: 1000 * 384 + 512 * 8,
    flowBytes: 384_000,
    bucketBytes: 4096,
    bytesPerFlow: 384,
    extensionBytes: 128,
    how: "256 bytes a flow and at least 128 of extension, read from this kernel's slab",
  });
  assert.equal(tableMemory({ flows: 0, buckets: 1024, pointerBytes: 4 }).bytes, 4096);
});

const slots = [
  ["6.1.0-21-amd64", 256, /measured on 6.1/],
  ["5.10.262", 320, /measured on 5.10/],
  [undefined, 320, /without knowing the kernel/],
] as const;

for (const [kernelRelease, bytes, how] of slots) {
  test(`tableMemory() estimates a slot of ${bytes} bytes for ${kernelRelease ?? "an unknown kernel"}`, () => {
    const memory = tableMemory({
      flows: 1,
      buckets: 0,
      ...(kernelRelease === undefined ? {} : { kernelRelease }),
    });
    assert.equal(memory.bytesPerFlow, bytes);
    assert.match(memory.how, how);
  });
}

test("extensionBytesOf() by the settings that make one for every flow", () => {
  assert.equal(extensionBytesOf({}), 0);
  assert.equal(extensionBytesOf({ nf_conntrack_events: 2, nf_conntrack_acct: 0 }), 0);
  assert.equal(extensionBytesOf({ nf_conntrack_events: 1 }), 128);
  assert.equal(extensionBytesOf({ nf_conntrack_acct: 1, nf_conntrack_timestamp: 1 }), 128);
});
