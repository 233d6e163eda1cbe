import assert from "node:assert/strict";
import { test } from "node:test";
import { Report, toTestEvent } from "./report.ts";

function report(): { lines: string[]; report: Report } {
  const lines: string[] = [];
  return { lines, report: new Report((line) => lines.push(line), "/repo/") };
}

const place = { file: "/repo/a.test.ts", line: 3 };

test("Report counts and ends with one line", () => {
  const { lines, report: subject } = report();
  subject.gate("lint", true, "");
  subject.event({ kind: "pass", name: "works", ...place });
  subject.event({ kind: "pass", name: "later", ...place, skip: "needs root" });
  subject.event({ kind: "pass", name: "suite", ...place, suite: true });
  assert.equal(subject.close(), true);
  assert.deepEqual(lines, [
    "ok   lint",
    "ok   a.test.ts: 1 passed, 1 skipped",
    "\nskipped:",
    "  a.test.ts: later (needs root)",
    "",
    "2 passed, 0 failed, 1 skipped",
  ]);
});

test("Report shows a failure at once and again at the end", () => {
  const { lines, report: subject } = report();
  subject.event({ kind: "pass", name: "works", ...place });
  subject.event({ kind: "fail", name: "breaks", ...place, error: "1 is not 2\n  at x" });
  assert.equal(subject.close(), false);
  assert.deepEqual(lines, [
    "FAIL a.test.ts:3: breaks\n     1 is not 2\n       at x",
    "FAIL a.test.ts: 1 passed, 1 failed",
    "\nfailed:",
    "  a.test.ts:3: breaks",
    "",
    "1 passed, 1 failed, 0 skipped",
  ]);
});

test("Report fails when nothing was executed, and when everything was skipped", () => {
  const empty = report();
  assert.equal(empty.report.close(), false);
  assert.equal(empty.lines.at(-1), "0 passed, 0 failed, 0 skipped");
  const skipped = report();
  skipped.report.skipFiles(["/repo/test/kernel/a.test.ts"], "needs root");
  assert.equal(skipped.report.close(), false);
  assert.equal(skipped.lines.at(-1), "0 passed, 0 failed, 1 skipped");
});

test("Report fails for a file without tests and for an error after the tests", () => {
  const { lines, report: subject } = report();
  subject.event({ kind: "pass", name: "works", ...place });
  subject.event({ kind: "pass", name: "/repo/b.test.ts", file: "/repo/b.test.ts" });
  subject.event({ kind: "late-error", name: "", file: "/repo/a.test.ts", error: "Error: late" });
  assert.equal(subject.close(), false);
  assert.equal(lines.at(-1), "1 passed, 2 failed, 0 skipped");
});

test("Report fails for a gate and shows its output", () => {
  const { lines, report: subject } = report();
  subject.gate("types", false, "a.ts(1,1): error\n");
  assert.equal(subject.close(), false);
  assert.deepEqual(lines.slice(0, 2), ["FAIL types", "     a.ts(1,1): error"]);
});

test("Report shows how long a slow file took", () => {
  const { lines, report: subject } = report();
  subject.event({ kind: "pass", name: "slow", ...place, durationMs: 900 });
  subject.event({ kind: "pass", name: "slower", ...place, durationMs: 1600 });
  assert.equal(subject.close(), true);
  assert.equal(lines[0], "ok   a.test.ts: 2 passed  (2.5 s)");
});

test("Report cuts a failure that goes on and on", () => {
  const { lines, report: subject } = report();
  subject.gate("lint", false, "x\n".repeat(100));
  assert.equal(lines[1]?.split("\n").length, 81);
  assert.match(lines[1] ?? "", /\.\.\. and 20 lines more$/);
});

test("toTestEvent unwraps the error a test threw and drops frames of Node", () => {
  const cause = new Error("boom");
  cause.stack = "Error: boom\n    at mine (file:///a.ts:1:1)\n    at run (node:internal/test:2:2)";
  const data = { name: "x", file: "/repo/a.test.ts", details: { error: new Error("wrapper", { cause }) } };
  assert.deepEqual(toTestEvent({ type: "test:fail", data }), {
    kind: "fail",
    name: "x",
    file: "/repo/a.test.ts",
    error: "Error: boom\n    at mine (file:///a.ts:1:1)",
  });
});

test("toTestEvent gives a skip without words a reason, and ignores summaries", () => {
  assert.equal(toTestEvent({ type: "test:pass", data: { skip: true } })?.skip, "no reason given");
  assert.equal(toTestEvent({ type: "test:summary", data: {} }), undefined);
});
