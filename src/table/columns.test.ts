import assert from "node:assert/strict";
import { test } from "node:test";

import { ADDRESS_WORDS } from "./address.ts";
import { columnBytes, FlowColumns, Has } from "./columns.ts";

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

test("FlowColumns in shared memory are the same rows, whatever the capacity", () => {
  for (const capacity of [1, 7, 64, 2048]) {
    const memory = new SharedArrayBuffer(columnBytes(capacity));
    const here = new FlowColumns(capacity, 6, memory);
    const there = new FlowColumns(capacity, 6, memory);
    for (const [index, [, array]] of arraysOf(here).entries()) array.fill(index + 1);
    assert.deepEqual(arraysOf(there), arraysOf(here));
    for (const [index, [name, array]] of arraysOf(there).entries()) {
      assert.ok(
        array.every((value) => value === index + 1),
        `${name} lies over another column`,
      );
    }
  }
});

test("FlowColumns.copyColumns() copies the rows, but no column that none of them has", () => {
  const from = new FlowColumns(4, 6);
  for (const [index, [, array]] of arraysOf(from).entries()) array.fill(index + 1);
  from.count = 3;
  for (const [bits, zone] of [
    [Has.zone, from.zone[0]],
    [Has.mark, 0],
  ] as const) {
    from.has.fill(0).fill(bits, 1, 2);
    const to = new FlowColumns(4, 0);
    to.copyColumns(from);
    assert.deepEqual([to.count, to.knownStatus], [3, 6]);
    assert.deepEqual([to.zone[0], to.zone[2], to.zone[3]], [zone, zone, 0]);
    assert.deepEqual([to.replySource[11], to.replySource[12]], [from.replySource[0], 0]);
    assert.deepEqual([...to.has], [0, bits, 0, 0]);
  }
  from.has.fill(Object.values(Has).reduce((all, bit) => all | bit, 0));
  const all = new FlowColumns(4, 0);
  all.copyColumns(from);
  for (const [name, array] of arraysOf(all)) assert.ok(array[0] !== 0, name);
});
