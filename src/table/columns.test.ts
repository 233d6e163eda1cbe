import assert from "node:assert/strict";
import { test } from "node:test";

import { ADDRESS_WORDS } from "./address.ts";
import { FlowColumns } from "./columns.ts";

/** Every typed array of a batch, by name. */
function arraysOf(columns: FlowColumns): [string, Uint32Array | Float64Array][] {
  return Object.entries(columns).filter((entry): entry is [string, Uint32Array | Float64Array] =>
    ArrayBuffer.isView(entry[1]),
  );
}

test("FlowColumns.append() copies every column of a row, and what is rare", () => {
  const from = new FlowColumns(3, 6);
  for (const [index, [, array]] of arraysOf(from).entries()) {
    array.forEach((_, at) => (array[at] = index + 1 + at));
  }
  from.rare.set(1, { helper: "ftp" });
  const to = new FlowColumns(5, 6);
  to.count = 2;
  to.append(from, 1);
  assert.equal(to.count, 3);
  assert.deepEqual(to.rare.get(2), { helper: "ftp" });
  const sources = new Map(arraysOf(from));
  for (const [name, array] of arraysOf(to)) {
    const source = sources.get(name);
    const width = array.length === 5 * ADDRESS_WORDS ? ADDRESS_WORDS : 1;
    assert.deepEqual(array.slice(2 * width, 3 * width), source?.slice(width, 2 * width), name);
    assert.ok(
      array.slice(3 * width).every((value) => value === 0),
      `${name} beyond the row`,
    );
  }
});
