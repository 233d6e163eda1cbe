import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Counters } from "../table/counters.ts";
import { parseConntrackStat } from "./conntrack-stat.ts";
import { NetlinkSteps, StatBytesReader } from "./live-counters.ts";

const HEADER =
  "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop " +
  "icmp_error  expect_new expect_create expect_delete search_restart";
const COLUMNS = 17;
const DROP = 10;
const EXPECT_CREATE = 14;
const EXPECT_DELETE = 15;

function hexadecimal(value: number): string {
  return value.toString(16).padStart(8, "0");
}

/** A file with a row a CPU; `cells` by CPU and column, zero where nothing is given. */
function stat(rows: readonly Readonly<Record<number, number>>[], entries = 0, header = HEADER): Uint8Array {
  const lines = rows.map((row) =>
    Array.from({ length: COLUMNS }, (_, column) => hexadecimal(column === 0 ? entries : (row[column] ?? 0))),
  );
  return new TextEncoder().encode(`${[header, ...lines.map((each) => each.join(" "))].join("\n")}\n`);
}

function step(reader: StatBytesReader, bytes: Uint8Array): ReturnType<StatBytesReader["step"]> {
  return reader.step(bytes, bytes.length);
}

test("sums are those of the whole reading of the file, whatever it holds", () => {
  const cell = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const row = fc.array(cell, { minLength: COLUMNS, maxLength: COLUMNS });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), cell, (rows, entries) => {
      const bytes = stat(rows, entries);
      const reader = new StatBytesReader("6.18.0");
      const counters = parseConntrackStat(new TextDecoder().decode(bytes), "6.18.0");
      const read = step(reader, bytes);
      assert.deepEqual(read?.counters, counters?.total);
      assert.equal(read?.occupancyFlows, counters?.occupancyFlows);
    }),
  );
});

test("what was counted in between is told from the second reading on", () => {
  const reader = new StatBytesReader("6.18.0");
  assert.equal(step(reader, stat([{ [DROP]: 5 }, { [DROP]: 7 }]))?.counted, undefined);
  const second = step(reader, stat([{ [DROP]: 6 }, { [DROP]: 17 }]));
  assert.equal(second?.counted?.drop, 11);
  assert.equal(second.counters.drop, 23);
  assert.equal(step(reader, stat([{ [DROP]: 6 }, { [DROP]: 17 }]))?.counted?.drop, 0);
});

test("a counter that wraps on one CPU is counted right", () => {
  const reader = new StatBytesReader("6.18.0");
  step(reader, stat([{ [DROP]: 0xffff_fff0 }, { [DROP]: 1 }]));
  const wrapped = step(reader, stat([{ [DROP]: 0x0000_0010 }, { [DROP]: 2 }]));
  assert.equal(wrapped?.counted?.drop, 33);
  assert.equal(wrapped.counters.drop, 2 ** 32 + 18);
  assert.equal(step(reader, stat([{ [DROP]: 0x0000_0011 }, { [DROP]: 2 }]))?.counters.drop, 2 ** 32 + 19);
  assert.equal(step(reader, stat([{ [DROP]: 3 }, { [DROP]: 0 }]))?.counters.drop, 3);
});

test("counters that begin anew give no difference, and then they do again", () => {
  const reader = new StatBytesReader("6.18.0");
  step(reader, stat([{ [DROP]: 100 }]));
  assert.equal(step(reader, stat([{ [DROP]: 3 }]))?.counted, undefined);
  assert.equal(step(reader, stat([{ [DROP]: 4 }]))?.counted?.drop, 1);
  reader.restart();
  assert.equal(step(reader, stat([{ [DROP]: 200 }]))?.counted, undefined);
});

test("another header or another number of CPUs is learnt, what is no such file is told", () => {
  const reader = new StatBytesReader("6.18.0");
  step(reader, stat([{ [DROP]: 100 }]));
  assert.equal(step(reader, stat([{ [DROP]: 100 }, { [DROP]: 1 }]))?.counted, undefined);
  const renamed = HEADER.replace("chainlength", "delete_list");
  const other = step(reader, stat([{ [DROP]: 100 }, { [DROP]: 3 }], 9, renamed));
  assert.deepEqual([other?.counters.drop, other?.counted, other?.occupancyFlows], [103, undefined, 9]);
  assert.equal(step(reader, new TextEncoder().encode("something else\n1 2 3\n")), undefined);
  assert.equal(step(reader, new Uint8Array()), undefined);
});

test("expected flows are those made less those ended, also when a counter wrapped", () => {
  const reader = new StatBytesReader("6.18.0");
  const rows = [{ [EXPECT_CREATE]: 12, [EXPECT_DELETE]: 3 }, { [EXPECT_DELETE]: 4 }];
  assert.equal(step(reader, stat(rows))?.expectationFlows, 5);
  const wrapped = [{ [EXPECT_CREATE]: 2, [EXPECT_DELETE]: 0xffff_ffff }];
  assert.equal(step(reader, stat(wrapped))?.expectationFlows, 3);
  const impossible = [{ [EXPECT_CREATE]: 2, [EXPECT_DELETE]: 9 }];
  assert.equal(step(reader, stat(impossible))?.expectationFlows, undefined);
});

function overNetlink(drops: readonly number[], more: Partial<Counters["total"]> = {}): Counters {
  const total = { drop: drops.reduce((sum, each) => sum + each, 0), ...more };
  const perCpu = drops.map((drop, cpu) => ({ cpu, values: { drop, ...(cpu === 0 ? more : {}) } }));
  return { total, perCpu, notCounted: [], unknown: [], source: "netlink", occupancyFlows: 4 };
}

test("over netlink the steps are the same", () => {
  const steps = new NetlinkSteps();
  const expected = { expectCreate: 9, expectDelete: 2 };
  const first = steps.step(overNetlink([5, 7], expected));
  assert.deepEqual([first.counters.drop, first.counted, first.occupancyFlows], [12, undefined, 4]);
  assert.equal(first.expectationFlows, 7);
  assert.equal(steps.step(overNetlink([5, 9], expected)).counted?.drop, 2);
  assert.equal(steps.step(overNetlink([5, 9, 1], expected)).counted, undefined);
});
