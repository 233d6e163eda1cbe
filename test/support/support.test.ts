import assert from "node:assert/strict";
import { test } from "node:test";
import { exhaustive } from "./exhaustive.ts";
import { everySplit, FakeOutput, inPieces } from "./streams.ts";
import { textTable } from "./text-table.ts";

test("textTable reads cells by column and leaves absent ones out", () => {
  const rows = textTable(
    ["state", "timeoutSeconds"],
    `
    # comment
    state        timeoutSeconds
    ESTABLISHED  431000
    SYN SENT     -
    `,
  );
  assert.deepEqual(rows, [
    { line: 4, state: "ESTABLISHED", timeoutSeconds: "431000" },
    { line: 5, state: "SYN SENT" },
  ]);
});

test("textTable takes bars as separators", () => {
  assert.deepEqual(textTable(["a", "b"], "| a | b |\n| one two | 2 |"), [{ line: 2, a: "one two", b: "2" }]);
});

test("textTable refuses a row with a missing cell and names its line", () => {
  assert.throws(() => textTable(["a", "b"], "a  b\n1"), /line 2 has 1 cells, its header 2/);
});

test("textTable refuses another header", () => {
  assert.throws(() => textTable(["a"], "b\n1"), /its header is "b", wanted "a"/);
});

test("FakeOutput keeps text across a split character", () => {
  const output = new FakeOutput({ columns: 80 });
  const bytes = new TextEncoder().encode("1 – 2\n");
  output.write(bytes.subarray(0, 3));
  output.write(bytes.subarray(3));
  assert.equal(output.text, "1 – 2\n");
  assert.deepEqual(output.lines, ["1 – 2"]);
  assert.equal(output.isTTY, true);
});

test("FakeOutput can be a closed pipe", async () => {
  const output = new FakeOutput({ failWith: "EPIPE" });
  const failed = new Promise((resolve) => output.on("error", resolve));
  output.write("x");
  assert.equal(((await failed) as { code: string }).code, "EPIPE");
});

test("inPieces gives the same bytes in pieces of the size asked for", async () => {
  const pieces: number[][] = [];
  for await (const piece of inPieces(new Uint8Array([1, 2, 3, 4, 5]), 2))
    pieces.push([...(piece as Uint8Array)]);
  assert.deepEqual(pieces, [[1, 2], [3, 4], [5]]);
});

test("everySplit cuts at both ends too", () => {
  const cuts = [...everySplit(new Uint8Array([1, 2]))].map(([head, tail]) => [head.length, tail.length]);
  assert.deepEqual(cuts, [
    [0, 2],
    [1, 1],
    [2, 0],
  ]);
});

test("exhaustive gives every combination once", () => {
  const seen: string[] = [];
  for (const choose of exhaustive()) seen.push(choose.list(2, () => choose.of(["a", "b"])).join(""));
  assert.deepEqual(seen.toSorted(), ["", "a", "aa", "ab", "b", "ba", "bb"]);
});

test("exhaustive follows choices that depend on earlier ones", () => {
  const seen: string[] = [];
  for (const choose of exhaustive()) seen.push(choose.boolean() ? `yes ${choose.upTo(2)}` : "no");
  assert.deepEqual(seen, ["no", "yes 0", "yes 1", "yes 2"]);
});

test("exhaustive stops a test that would not end", () => {
  const endless = (): void => {
    for (const choose of exhaustive(10)) choose.upTo(100);
  };
  assert.throws(endless, /more than 10 combinations/);
});
