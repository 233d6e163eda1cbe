/**
 * `headroom apply` and `headroom rollback` struck at every system call that writes: killed at its entry,
 * and failing with EIO, EACCES, ENOSPC, and with a disk that stays full. Whatever happens, the host is as
 * before or as it was to become, or in between with a receipt that says so; every file is whole; and
 * `headroom rollback` makes everything as it was, byte for byte, with modes and owners.
 *
 * An ordinary run strikes a part of the calls, others each time the list changes; HEADROOM_FAULTS=all
 * strikes them all (some 4,000 runs, a quarter of an hour on two processors) and prints the counts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { type ChangeRecord, listChanges } from "../../src/change/change.ts";
import { openWritableHost } from "../../src/kernel/kernel.ts";
import {
  difference,
  type Fault,
  listWritingCalls,
  run,
  type Snapshot,
  snapshot,
  strike,
  type Struck,
  type WritingCall,
} from "../support/faults.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const HEADROOM = `${ROOT}/bin/headroom`;
const HOSTS = `${ROOT}/test/fixtures/hosts`;
const ALL = process.env["HEADROOM_FAULTS"] === "all";
/** Runs of one command on one host in an ordinary test. */
const PART = 12;
/** Where receipts are; the directories on the way may have been made for them. */
const STATE = ["/var/lib/headroom", "/var/lib", "/var"];

const KILL: Fault = { kind: "SIGKILL" };
const faults: readonly Fault[] = [
  KILL,
  { kind: "EIO" },
  { kind: "EACCES" },
  { kind: "ENOSPC" },
  { kind: "ENOSPC", lasts: true },
];

const hosts = [
  { host: "debian-12", words: ["nf_conntrack_max=524288", "tcp_timeout_established=12h"] },
  { host: "ubuntu-ufw", words: ["nf_conntrack_max=524288", "tcp_timeout_established=12h"] },
  { host: "rhel-9-tuned", words: ["nf_conntrack_max=2000000", "udp_timeout=20s"] },
  { host: "kube-proxy-node", words: ["nf_conntrack_buckets=1048576", "udp_timeout=20s"] },
  { host: "linux-2.6", words: ["nf_conntrack_max=262144", "udp_timeout=20s"] },
] as const;

const place = mkdtempSync(join(tmpdir(), "hr-faults-"));
after(() => rmSync(place, { recursive: true, force: true }));
const strace = spawnSync("strace", ["-V"]).status === 0;
const skip = strace ? false : "strace is not installed";

let trees = 0;

function copyOf(tree: string): string {
  trees += 1;
  const copy = `${place}/${trees}`;
  cpSync(tree, copy, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  return copy;
}

function applyWords(root: string, words: readonly string[]): string[] {
  return [HEADROOM, "apply", "--root", root, "--yes", ...words.flatMap((word) => ["--set", word])];
}

function rollbackWords(root: string): string[] {
  return [HEADROOM, "rollback", "--root", root, "--yes"];
}

/** The host itself, without receipts and the directories made for them. */
function hostOf(root: string): Snapshot {
  return snapshot(root, STATE.slice(0, 1));
}

interface Case {
  before: Snapshot;
  wanted: Snapshot;
  words: readonly string[];
}

interface Change {
  id: string;
  state: string;
  unreadable?: string;
}

/**
 * What `headroom history --json` says; a part of the runs reads it without a process of its own, to save
 * time.
 */
async function historyOf(root: string): Promise<readonly Change[]> {
  if (!ALL) return listChanges(openWritableHost({ root })).map(changeOf);
  const { stdout, exit, stderr } = await run(HEADROOM, ["history", "--json", "--root", root]);
  assert.equal(exit, 0, stderr);
  return (JSON.parse(stdout) as { changes: Change[] }).changes;
}

function changeOf(record: ChangeRecord): Change {
  if (record.kind === "receipt") return { id: record.receipt.id, state: record.receipt.state };
  return { id: record.id, state: "unreadable", unreadable: record.why };
}

/** Temporary files are no harm while nobody is at work. */
function withoutTemporaries(found: Snapshot): Snapshot {
  return new Map([...found].filter(([path]) => !/\/\.[^/]+\.headroom-\d+$/.test(path)));
}

/** Directories that are made for receipts stay. */
function sameHost(one: Snapshot, other: Snapshot): readonly string[] {
  return difference(one, other).filter((line) => !STATE.some((path) => line.startsWith(`${path}:`)));
}

/** Every file is the old one or the new one. */
function assertWhole(found: Snapshot, { before, wanted }: Case): void {
  for (const [path, text] of withoutTemporaries(found)) {
    if (STATE.includes(path)) continue;
    const whole = before.get(path) === text || wanted.get(path) === text;
    assert.ok(
      whole,
      `${path} is neither the old file nor the new one: ${JSON.stringify(text.slice(0, 200))}`,
    );
  }
}

/** After whatever happened, `rollback` makes everything as it was, temporary files included. */
async function assertRollbackWorks(root: string, { before }: Case): Promise<void> {
  const standing = (await historyOf(root)).filter(({ state }) => state !== "undone");
  if (standing.length > 0) {
    const { exit, stdout, stderr } = await run(HEADROOM, rollbackWords(root).slice(1));
    assert.equal(exit, 0, `${stdout}${stderr}`);
  }
  assert.deepEqual(sameHost(hostOf(root), before), []);
  const left = (await historyOf(root)).filter(({ state }) => state !== "undone");
  assert.deepEqual(left, []);
}

async function assertAfterApply(root: string, struck: Struck, each: Case): Promise<void> {
  const found = hostOf(root);
  assertWhole(found, each);
  const changes = await historyOf(root);
  assert.deepEqual(
    changes.filter(({ unreadable }) => unreadable !== undefined),
    [],
  );
  const [change] = changes;
  const state = change?.state ?? "none";
  const isAsBefore = sameHost(withoutTemporaries(found), each.before).length === 0;
  if (struck.exit === 0) assert.deepEqual(sameHost(found, each.wanted), []);
  // On a disk that stays full the receipt says to the end that something may stand, and it does.
  else if (struck.exit === 6) assert.ok(["stuck", "running", "undoing"].includes(state), struck.stdout);
  else if (struck.exit !== "SIGKILL") assert.deepEqual(sameHost(found, each.before), [], struck.stdout);
  // The receipt is true: it claims neither more nor less than there is.
  if (state === "applied") assert.deepEqual(sameHost(found, each.wanted), []);
  if (state === "none" || state === "undone" || state === "prepared") assert.ok(isAsBefore, `but ${state}`);
}

function assertAfterRollback(root: string, struck: Struck, each: Case): void {
  const found = hostOf(root);
  assertWhole(found, each);
  if (struck.exit === 0) assert.deepEqual(sameHost(found, each.before), []);
}

/** All of them, or some of every fault, evenly spread. */
function chosen<Item>(items: readonly Item[]): readonly Item[] {
  if (ALL || items.length <= PART) return items;
  const step = items.length / PART;
  return Array.from({ length: PART }, (_, index) => items[Math.floor(index * step)] as Item);
}

interface Strike {
  at: WritingCall;
  fault: Fault;
  /** Which of the calls that write it is. */
  index: number;
}

function strikesOf(calls: readonly WritingCall[]): readonly Strike[] {
  const strikes = calls.flatMap((at, index) => faults.map((fault, turn) => ({ at, fault, index, turn })));
  const sensible = strikes.filter(({ at, fault }) => fault.lasts !== true || at.call === "pwrite64");
  if (ALL) return sensible;
  // Each call has one fault, another than its neighbours.
  return sensible.filter(({ index, turn }) => turn === index % (faults.length - 1));
}

/** On a busy machine code is compiled at other moments, and calls come otherwise, several times in a row. */
const ATTEMPTS = 24;

interface Tally {
  struck: number;
  /** Calls that never came about where they were expected, ATTEMPTS times in a row. */
  missed: string[];
}

/**
 * Strikes one call. How many calls of its kind come before it is not the same in every run (code is
 * compiled once and kept), so when it was not met it is counted anew.
 */
async function strikeOnce(
  fresh: string,
  argv: (root: string) => string[],
  { at, fault, index }: Strike,
): Promise<{ root: string; struck: Struck } | undefined> {
  let target: WritingCall | undefined = at;
  for (let attempt = 0; attempt < ATTEMPTS && target !== undefined; attempt += 1) {
    const root = copyOf(fresh);
    const struck = await strike(argv(root), target, fault, root);
    if (struck.at !== undefined) return { root, struck };
    rmSync(root, { recursive: true });
    const again = copyOf(fresh);
    target = (await listWritingCalls(argv(again), again)).calls[index];
    rmSync(again, { recursive: true });
  }
  return undefined;
}

async function strikeAll(
  fresh: string,
  argv: (root: string) => string[],
  check: (root: string, struck: Struck) => Promise<void>,
): Promise<Tally> {
  const counted = copyOf(fresh);
  const { calls, ended } = await listWritingCalls(argv(counted), counted);
  assert.equal(ended.exit, 0, `${ended.stdout}${ended.stderr}`);
  assert.ok(calls.length > 20, `only ${calls.length} calls that write were seen`);
  const tally: Tally = { struck: 0, missed: [] };
  const failures: string[] = [];
  for (const one of chosen(strikesOf(calls))) {
    const found = await strikeOnce(fresh, argv, one);
    if (found === undefined) {
      tally.missed.push(`${one.fault.kind} at ${one.at.line}`);
      continue;
    }
    tally.struck += 1;
    const { at, fault } = one;
    try {
      await check(found.root, found.struck);
    } catch (error) {
      const what = `${fault.kind}${fault.lasts === true ? " from there on" : ""}`;
      const why = error instanceof Error ? error.message : String(error);
      failures.push(`${what} at ${found.struck.at ?? at.call}, ended ${found.struck.exit}:\n${why}`);
    }
    rmSync(found.root, { recursive: true });
  }
  assert.ok(failures.length === 0, `${failures.length} of ${tally.struck}:\n${failures.join("\n\n")}`);
  return tally;
}

describe("a change that is struck", { skip, concurrency: 2 }, () => {
  for (const { host, words } of hosts) {
    test(`apply on ${host} leaves the old state, the new one, or what rollback mends`, async (context) => {
      const fresh = `${HOSTS}/${host}`;
      const done = copyOf(fresh);
      const made = await run(HEADROOM, applyWords(done, words).slice(1));
      assert.equal(made.exit, 0, made.stderr);
      const each: Case = { before: hostOf(copyOf(fresh)), wanted: hostOf(done), words };
      const tally = await strikeAll(
        fresh,
        (root) => applyWords(root, words),
        async (root, struck) => {
          await assertAfterApply(root, struck, each);
          await assertRollbackWorks(root, each);
        },
      );
      context.diagnostic(`apply on ${host}: ${tally.struck} calls struck, ${tally.missed.length} not met`);
      assert.deepEqual(tally.missed, []);
    });

    test(`rollback on ${host} can be done again wherever it was struck`, async (context) => {
      const before = hostOf(copyOf(`${HOSTS}/${host}`));
      const done = copyOf(`${HOSTS}/${host}`);
      const made = await run(HEADROOM, applyWords(done, words).slice(1));
      assert.equal(made.exit, 0, made.stderr);
      const each: Case = { before, wanted: hostOf(done), words };
      const tally = await strikeAll(done, rollbackWords, async (root, struck) => {
        assertAfterRollback(root, struck, each);
        await assertRollbackWorks(root, each);
      });
      context.diagnostic(`rollback on ${host}: ${tally.struck} calls struck, ${tally.missed.length} not met`);
      assert.deepEqual(tally.missed, []);
    });
  }

  for (const kind of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    test(`${kind} in the middle of a change never leaves half of it`, async () => {
      const fresh = `${HOSTS}/debian-12`;
      const words = ["nf_conntrack_max=524288", "tcp_timeout_established=12h"];
      const argv = (root: string): string[] => applyWords(root, words);
      const done = copyOf(fresh);
      const { calls } = await listWritingCalls(argv(done), done);
      const [before, wanted] = [hostOf(copyOf(fresh)), hostOf(done)];
      const writes: readonly Strike[] = calls.map((at, index) => ({ at, index, fault: { kind } }));
      const values = writes.filter(({ at }) => at.call === "rename" && !at.line.includes("receipt.json"));
      assert.ok(values.length > 4, `only ${values.length} files were renamed`);
      for (const one of values.filter((_, index) => ALL || index % 3 === 0)) {
        const found = await strikeOnce(fresh, argv, one);
        assert.ok(found !== undefined, one.at.line);
        // A terminal that went away does not stop what was begun; ^C and a shutdown take it back.
        const goesOn = kind === "SIGHUP";
        assert.equal(found.struck.exit, goesOn ? 0 : 130, found.struck.stdout);
        assert.deepEqual(sameHost(hostOf(found.root), goesOn ? wanted : before), [], one.at.line);
      }
    });
  }

  test("a guard takes the change back when Headroom is killed in the middle of it", async (context) => {
    const fresh = `${HOSTS}/ubuntu-ufw`;
    const words = ["nf_conntrack_max=524288", "tcp_timeout_established=12h"];
    const argv = (root: string): string[] => [...applyWords(root, words), "--confirm-within", "1s"];
    const before = hostOf(copyOf(fresh));
    const counted = copyOf(fresh);
    const { calls } = await listWritingCalls([...applyWords(counted, words)], counted);
    // From the first value that is written on: before, there is nothing to take back.
    const writes: readonly Strike[] = calls.map((at, index) => ({ at, index, fault: KILL }));
    const first = writes.findIndex(({ at }) => at.call === "pwrite64" && at.line.includes("/proc/sys/"));
    const some = writes.slice(first).filter((_, index) => ALL || index % 12 === 0);
    for (const one of some) {
      const found = await strikeOnce(fresh, argv, one);
      assert.ok(found !== undefined, one.at.line);
      await waitFor(async () => (await historyOf(found.root))[0]?.state === "undone");
      assert.deepEqual(sameHost(hostOf(found.root), before), [], found.struck.at ?? "");
    }
    context.diagnostic(`guard: ${some.length} calls struck`);
  });
});

/** Longest wait for a guard of one second on a busy machine. */
const GUARD_MS = 30_000;

async function waitFor(isSo: () => Promise<boolean>): Promise<void> {
  for (let waitedMs = 0; !(await isSo()); waitedMs += 100) {
    assert.ok(waitedMs < GUARD_MS, "the guard has not taken the change back");
    await sleep(100);
  }
}
