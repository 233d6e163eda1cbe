import assert from "node:assert/strict";
import { test } from "node:test";
import { by } from "../../test/support/change-samples.ts";
import { MemoryHost } from "../../test/support/memory-host.ts";
import { findChange, listChanges, nextId, receiptPath, writeReceipt } from "./journal.ts";
import { CHANGES_DIRECTORY, type Receipt, RECEIPT_SCHEMA } from "./receipt.ts";
import { decodeReceipt, encodeReceipt } from "./receipt-text.ts";

function receipt(id: string, more: Partial<Receipt> = {}): Receipt {
  return {
    schema: RECEIPT_SCHEMA,
    id,
    state: "applied",
    atMs: 1,
    by,
    steps: [],
    files: [],
    persist: true,
    ...more,
  };
}

const image = { bytes: Uint8Array.of(0, 255, 10, 200), mode: 0o640, uid: 3, gid: 4 };

const full = receipt("20261122-181503", {
  state: "stuck",
  bootId: "b",
  module: "nf_conntrack",
  steps: [
    { key: "nf_conntrack_max", name: "n", path: "/p", from: 1, to: 2, became: 3 },
    { key: "nf_conntrack_buckets", name: "n", path: "/q", to: 2, mirror: true },
  ],
  files: [
    {
      path: "/etc/a",
      target: "/etc/b",
      before: image,
      after: { ...image, mode: 0o644 },
      backup: "/etc/b.org",
      directories: ["/etc/c"],
      lines: [
        { kind: "replace", line: 1, from: "a", to: "b" },
        { kind: "append", to: "c" },
      ],
    },
  ],
  confirmByMs: 5,
  confirmed: { atMs: 4, by },
  endedAtMs: 6,
  undo: { reason: "failed", atMs: 7, by, cause: "EIO" },
  standing: [{ what: "a", found: "b", wanted: "c", why: "d", command: "e" }],
});

test("a receipt is read back as it was written", () => {
  assert.deepEqual(decodeReceipt(encodeReceipt(full)), { receipt: full });
});

test("every truncation of a receipt is refused with a reason", () => {
  const bytes = encodeReceipt(full);
  // The last byte is the newline behind the object.
  for (let length = 0; length < bytes.length - 1; length += 1) {
    const read = decodeReceipt(bytes.slice(0, length));
    assert.ok("why" in read, `${length} bytes`);
  }
});

const foreign: readonly [string, string, string][] = [
  ["nothing", "", "it is empty"],
  ["no JSON", "hello", "it is not JSON"],
  [
    "another schema",
    '{"schema":"headroom/receipt/v2"}',
    'its schema is "headroom/receipt/v2", not headroom/receipt/v1',
  ],
  ["no schema", "[]", "its schema is missing, not headroom/receipt/v1"],
  ["null", "null", "its schema is missing, not headroom/receipt/v1"],
  ["no identity", '{"schema":"headroom/receipt/v1"}', "id is not as a receipt has it"],
];

for (const [name, text, why] of foreign) {
  test(`what is no receipt is named, and history goes on: ${name}`, () => {
    const host = new MemoryHost().file(receiptPath("20260101-000000"), text);
    writeReceipt(host, receipt("20260102-000000"));
    const [first, second] = listChanges(host);
    assert.equal(first?.kind, "receipt");
    const path = receiptPath("20260101-000000");
    assert.deepEqual(second, { kind: "unreadable", id: "20260101-000000", path, why });
  });
}

test("the receipt of another change in its place is not taken for it", () => {
  const host = new MemoryHost().file(receiptPath("20260101-000000"), encodeReceipt(full));
  const [record] = listChanges(host);
  assert.equal(record?.kind === "unreadable" ? record.why : "", "it is the receipt of 20261122-181503");
});

test("a directory in which nothing was written yet is no change; a foreign one is named", () => {
  const host = new MemoryHost()
    .directory(`${CHANGES_DIRECTORY}/20260101-000000`)
    .file(`${CHANGES_DIRECTORY}/notes/todo`, "x");
  assert.deepEqual(
    listChanges(host).map((record) => (record.kind === "unreadable" ? [record.id, record.why] : [])),
    [["notes", "there is no receipt"]],
  );
});

const at = Date.UTC(2026, 10, 22, 18, 15, 3, 999);

const identities: readonly [string, readonly string[], string][] = [
  ["the first", [], "20261122-181503"],
  ["after an older one", ["20250101-000000"], "20261122-181503"],
  ["in the same second", ["20261122-181503"], "20261122-181504"],
  ["when the clock went back", ["20261231-235959"], "20270101-000000"],
  ["when the newest names no day", ["20271399-000000"], "20280101-000001"],
];

for (const [name, existing, id] of identities) {
  test(`an identity sorts after every other: ${name}`, () => {
    const host = new MemoryHost();
    for (const each of existing) host.directory(`${CHANGES_DIRECTORY}/${each}`);
    host.directory(`${CHANGES_DIRECTORY}/zzz`);
    assert.equal(nextId(host, at), id);
  });
}

test("a change is found by its identity, by an unambiguous beginning, and as the last that stands", () => {
  const host = new MemoryHost();
  for (const id of ["20260101-000000", "20260102-000000", "20260103-000000"]) {
    writeReceipt(host, receipt(id, { state: id === "20260103-000000" ? "undone" : "applied" }));
  }
  const idOf = (wanted: string): string => {
    const found = findChange(host, wanted);
    return "receipt" in found ? found.receipt.id : found.refusal.message;
  };
  assert.equal(idOf("20260101-000000"), "20260101-000000");
  assert.equal(idOf("20260103"), "20260103-000000");
  assert.equal(idOf("last"), "20260102-000000");
  assert.equal(idOf("2026"), "Cannot tell which change 2026 is: 3 begin so");
  assert.equal(idOf("1999"), "Cannot find change 1999: there is none");
  assert.equal(idOf(""), "Cannot find change : there is none");
});
