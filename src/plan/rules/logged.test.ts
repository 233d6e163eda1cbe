import assert from "node:assert/strict";
import { test } from "node:test";
import {
  countersOf,
  healthyFacts,
  OWN_INODE,
  withHost,
  withLog,
} from "../../../test/support/facts-samples.ts";
import type { KernelLogTally } from "../../table/host.ts";
import type { Facts } from "../facts.ts";
import {
  isRecent,
  logCoversRecent,
  loggedEvidence,
  loggedLines,
  loggedText,
  namespaceOfTally,
  ownerOfLine,
} from "./logged.ts";

const { atMs } = healthyFacts;

test("loggedLines() joins the tallies of a kind; the youngest line speaks", () => {
  const facts = withLog(
    healthyFacts,
    { lines: 10, firstAtMs: atMs - 9_000_000, lastAtMs: atMs - 8_000_000, sample: "old" },
    { lines: 3, firstAtMs: atMs - 90_000, lastAtMs: atMs - 60_000, sample: "young" },
    { lines: 0, sample: "never" },
    { kind: "suppressed", lines: 99 },
  );
  const logged = loggedLines(facts, "table-full");
  assert.deepEqual(logged, {
    lines: 13,
    secondsAgo: 60,
    firstAtMs: atMs - 9_000_000,
    lastAtMs: atMs - 60_000,
    sample: "young",
  });
  assert.equal(loggedText(logged), "13 lines in the kernel log, the last 60s ago");
  assert.deepEqual(loggedEvidence(logged, facts), {
    loggedLines: 13,
    suppressedMessages: 0,
    lastLoggedSecondsAgo: 60,
    firstLoggedAtMs: atMs - 9_000_000,
    lastLoggedAtMs: atMs - 60_000,
  });
});

test("a line without a time may be the youngest", () => {
  const logged = loggedLines(withLog(healthyFacts, { secondsAgo: 900_000 }, {}), "table-full");
  assert.equal(logged?.secondsAgo, undefined);
  assert.ok(logged !== undefined && isRecent(logged));
});

test("a line older than the namespace that has its inode now speaks of one that is gone", () => {
  const namespaces = [
    { inode: OWN_INODE, own: true, initial: true, createdAtMs: atMs - 30_000 },
    { inode: 77, own: false, initial: false, name: "blue", createdAtMs: atMs - 30_000 },
  ];
  const line = (namespaceInode: number, agoMs: number): KernelLogTally => {
    return { kind: "table-full", lines: 1, namespaceInode, lastAtMs: atMs - agoMs, sample: "full" };
  };
  const facts = { ...healthyFacts, namespaces };
  assert.equal(ownerOfLine(facts, line(OWN_INODE, 20_000)), "own");
  assert.equal(ownerOfLine(facts, line(OWN_INODE, 40_000)), "other");
  assert.equal(namespaceOfTally(facts, line(77, 20_000))?.name, "blue");
  assert.equal(namespaceOfTally(facts, line(77, 40_000)), undefined);
  assert.equal(namespaceOfTally(facts, line(78, 20_000)), undefined);
});

test("a line from the future is of now", () => {
  assert.equal(loggedLines(withLog(healthyFacts, { secondsAgo: -5 }), "table-full")?.secondsAgo, 0);
});

test("loggedLines() is undefined without a log or without such lines", () => {
  assert.equal(loggedLines(healthyFacts, "table-full"), undefined);
  assert.equal(loggedLines(withLog(healthyFacts, {}), "allocation-failed"), undefined);
});

const logs: readonly (readonly [string, Partial<NonNullable<Facts["kernelLog"]>>, boolean])[] = [
  ["not wrapped", { wrapped: false }, true],
  ["wrapped, two days long", { wrapped: true, oldestUptimeSeconds: 864_000 - 2 * 86_400 }, true],
  ["wrapped, an hour long", { wrapped: true, oldestUptimeSeconds: 864_000 - 3600 }, false],
  ["wrapped, no times", { wrapped: true }, false],
];

for (const [name, log, covers] of logs) {
  test(`logCoversRecent() ${name}`, () => {
    const { kernelLog } = withLog(healthyFacts);
    assert.ok(kernelLog !== undefined);
    assert.equal(logCoversRecent({ ...healthyFacts, kernelLog: { ...kernelLog, ...log } }), covers);
  });
}

const dropless = { ...healthyFacts, counters: countersOf({ drop: 0 }) };
const dropping = { ...healthyFacts, counters: countersOf({ drop: 7 }) };

const owners: readonly (readonly [string, Facts, Partial<KernelLogTally>, "own" | "other" | "unknown"])[] = [
  ["6.18, our inode", healthyFacts, { namespaceInode: OWN_INODE }, "own"],
  ["6.18, another inode", healthyFacts, { namespaceInode: 7 }, "other"],
  ["6.18, no inode, initial", healthyFacts, {}, "own"],
  ["6.18, no inode, not initial", withHost(healthyFacts, { initialNamespace: false }), {}, "other"],
  ["6.8, nothing dropped here", withHost(dropless, { kernelRelease: "6.8.1" }), {}, "other"],
  ["6.8, dropped here", withHost(dropping, { kernelRelease: "6.8.1" }), {}, "unknown"],
  ["6.8, no counters", withHost(healthyFacts, { kernelRelease: "6.8.1" }), {}, "unknown"],
  ["2.6.27, one count for all", withHost(dropless, { kernelRelease: "2.6.27" }), {}, "unknown"],
  ["a container's line", healthyFacts, { container: "101" }, "other"],
  ["unknown kernel", withHost(dropless, { kernelRelease: "x" }), {}, "unknown"],
];

for (const [name, facts, tally, owner] of owners) {
  test(`ownerOfLine() ${name}`, () => {
    assert.equal(ownerOfLine(facts, { kind: "table-full", lines: 1, sample: "", ...tally }), owner);
  });
}

test("ownerOfLine() knows no owner when it does not know itself", () => {
  const { namespaceInode: _inode, initialNamespace: _initial, ...host } = healthyFacts.host;
  const lost = { ...healthyFacts, host };
  const tally = { kind: "table-full", lines: 1, sample: "" } as const;
  assert.equal(ownerOfLine(lost, { ...tally, namespaceInode: 7 }), "unknown");
  assert.equal(ownerOfLine(lost, tally), "unknown");
});
