import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import type { CounterName } from "../table/counters.ts";
import { countedByKernel, parseConntrackStat, parseConntrackStatistics } from "./conntrack-stat.ts";

const names16 =
  "entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop " +
  "icmp_error  expect_new expect_create expect_delete";
const names17 = `${names16} search_restart`;
const names510 = names17.replace("searched", "clashres");
const names515 = names510.replace("delete_list", "chainlength");

/** A file with these figures in every column, one row per list. */
function fileOf(header: string, ...rows: readonly (readonly number[])[]): string {
  const lines = rows.map((figures) =>
    figures.map((figure) => figure.toString(16).padStart(8, "0")).join(" "),
  );
  return [header, ...lines, ""].join("\n");
}

/** Figures 1, 2, 3 ... for as many columns as the header has. */
function counting(header: string): number[] {
  return header.split(/\s+/).map((_, index) => index + 1);
}

const generations = [
  { kernel: "2.6.18-274.el5", header: names16, absent: ["searchRestart", "clashResolved", "chainTooLong"] },
  { kernel: "2.6.32-754.el6", header: names16, absent: ["searchRestart", "clashResolved", "chainTooLong"] },
  { kernel: "3.10.0-1160.el7.x86_64", header: names17, absent: ["clashResolved", "chainTooLong"] },
  { kernel: "5.10.0-8-amd64", header: names510, absent: ["searched", "chainTooLong"] },
  { kernel: "5.15.0-25-generic", header: names515, absent: ["searched", "deleteList"] },
  { kernel: "6.18.44", header: names515, absent: ["searched", "deleteList"] },
] as const;

for (const { kernel, header, absent } of generations) {
  test(`columns of ${kernel} go by their name, those it lacks are not counted`, () => {
    const counters = parseConntrackStat(fileOf(header, counting(header), counting(header)), kernel);
    assert.ok(counters !== undefined);
    const columns = header.split(/\s+/);
    assert.equal(counters.occupancyFlows, 1);
    assert.equal(counters.total.insertFailed, 2 * (columns.indexOf("insert_failed") + 1));
    assert.equal(counters.total.expectDelete, 2 * (columns.indexOf("expect_delete") + 1));
    assert.deepEqual(counters.notCounted.map(({ name }) => name).toSorted(), absent.toSorted());
    assert.equal(counters.perCpu.length, 2);
    assert.deepEqual(counters.unknown, []);
  });
}

const zeros: readonly (readonly [string | undefined, string, readonly CounterName[]])[] = [
  ["4.4.155", names17, []],
  ["4.19.78", names17, ["searched", "new", "delete", "deleteList"]],
  ["5.4.0-42-generic", names17, ["searched", "new", "delete", "deleteList"]],
  ["5.10.89", names510, ["new", "ignore", "delete", "deleteList"]],
  ["6.18.44", names515, ["new", "ignore", "delete"]],
  // The header alone proves that this is no kernel before 5.15, whatever somebody says.
  ["3.10.0", names515, ["new", "ignore", "delete"]],
  [undefined, names515, ["new", "ignore", "delete"]],
  [undefined, names17, ["searched", "new", "ignore", "delete", "deleteList"]],
];

for (const [kernel = "an unknown kernel", header, constant] of zeros) {
  const second = header.split(/\s+/)[1];
  test(`a zero that ${kernel} with ${second} never moves is not counted`, () => {
    const columns = header.split(/\s+/);
    const counters = parseConntrackStat(
      fileOf(
        header,
        columns.map(() => 0),
      ),
      kernel,
    );
    const said = counters?.notCounted.filter(({ why }) => why.startsWith("always 0")).map(({ name }) => name);
    assert.deepEqual(said?.toSorted(), constant.toSorted());
    for (const name of constant) assert.equal(counters?.total[name], undefined, name);
    assert.equal(counters?.total.drop, 0);
  });
}

test("a column that should stay zero but does not is counted after all", () => {
  const counters = parseConntrackStat(fileOf(names17, counting(names17)), "5.4.0");
  assert.equal(counters?.total.searched, 2);
  assert.equal(counters?.total.new, 4);
});

test("an unknown column keeps its name and its sum", () => {
  const header = `${names515} quantum_drop`;
  const counters = parseConntrackStat(fileOf(header, counting(header), counting(header)), "8.0.0");
  assert.deepEqual(counters?.unknown, [{ name: "quantum_drop", total: 36 }]);
});

test("columns in another order are read the same", () => {
  const header = "entries drop insert_failed found";
  const counters = parseConntrackStat(fileOf(header, [9, 1, 2, 3]), "6.18");
  assert.deepEqual(
    [counters?.occupancyFlows, counters?.total.drop, counters?.total.insertFailed, counters?.total.found],
    [9, 1, 2, 3],
  );
});

test("the greatest figure the kernel prints is read, and sums may exceed it", () => {
  const header = "entries insert_failed";
  const counters = parseConntrackStat(
    fileOf(header, [0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff]),
    "6.18",
  );
  assert.equal(counters?.occupancyFlows, 4_294_967_295);
  assert.equal(counters?.total.insertFailed, 8_589_934_590);
});

const damaged = [
  ["a row cut in the middle", "0000000a 0000"],
  ["figures longer than 32 bits", "0000000a 123456789"],
  ["words", "0000000a zzzzzzzz"],
] as const;

for (const [what, row] of damaged) {
  test(`${what} is left out and said`, () => {
    const header = "entries insert_failed drop";
    const counters = parseConntrackStat(`${header}\n${row}\n0000000b 00000001 00000002\n`, "6.18");
    assert.equal(counters?.occupancyFlows, 11);
    assert.equal(counters?.total.drop, 2);
    assert.deepEqual(counters?.unknown, [{ name: "unreadable rows", total: 1 }]);
  });
}

for (const text of ["", "\n", "entries", "cpu=0 found=1", "x".repeat(10_000_000), "\0\xff\n\0"]) {
  test(`what is no such file gives nothing: ${JSON.stringify(text.slice(0, 20))}`, () => {
    assert.equal(parseConntrackStat(text, "6.18"), undefined);
  });
}

test("a line of ten megabytes does no harm", () => {
  const text = `${names515}\n${"00000001 ".repeat(1_200_000)}\n`;
  assert.equal(parseConntrackStat(text, "6.18")?.occupancyFlows, 1);
});

test("parseConntrackStat() survives every truncation and any garbage", () => {
  const text = fileOf(names515, counting(names515), counting(names515));
  for (let end = 0; end <= text.length; end += 1) parseConntrackStat(text.slice(0, end), "6.18");
  fc.assert(
    fc.property(fc.string(), (garbage) => {
      const counters = parseConntrackStat(`${names515}\n${garbage}`, "6.18");
      for (const value of Object.values(counters?.total ?? {})) assert.ok(Number.isSafeInteger(value));
    }),
  );
});

test("conntrack -S gives the same names as the file", () => {
  const text =
    "cpu=0   \tfound=2 invalid=120 insert=0 insert_failed=6 drop=1 early_drop=3 error=4 search_restart=9 " +
    "clash_resolve=4 chaintoolong=7 (null)=5 \ncpu=1   \tfound=0 invalid=1 insert=0 insert_failed=0 drop=0 " +
    "early_drop=0 error=0 search_restart=0 clash_resolve=0 chaintoolong=0 \n";
  const counters = parseConntrackStatistics(text, "6.1.0");
  assert.deepEqual(counters?.total, {
    found: 2,
    invalid: 121,
    insert: 0,
    insertFailed: 6,
    drop: 1,
    earlyDrop: 3,
    icmpError: 4,
    searchRestart: 9,
    clashResolved: 4,
    chainTooLong: 7,
  });
  assert.equal(counters.perCpu.length, 2);
  assert.deepEqual(counters.unknown, [{ name: "(null)", total: 5 }]);
  assert.equal(counters.occupancyFlows, undefined);
  assert.equal(parseConntrackStatistics("conntrack v1.4.7: Operation failed\n"), undefined);
});

test("countedByKernel() gives netlink and procfs the same figures and the same reasons", () => {
  const values = {
    found: 1,
    invalid: 2,
    insert: 0,
    insertFailed: 3,
    drop: 4,
    clashResolved: 5,
    chainTooLong: 6,
  };
  const byNetlink = countedByKernel({ perCpu: [{ cpu: 0, values }], unknown: [], source: "netlink" }, "6.18");
  const byFile = countedByKernel(
    {
      perCpu: [{ cpu: 0, values: { ...values, new: 0, ignore: 0, delete: 0 } }],
      unknown: [],
      source: "procfs",
    },
    "6.18",
  );
  assert.deepEqual(byNetlink.total, byFile.total);
  assert.deepEqual(
    byNetlink.notCounted.map(({ name }) => name),
    byFile.notCounted.map(({ name }) => name),
  );
});
