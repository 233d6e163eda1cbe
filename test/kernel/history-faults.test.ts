/**
 * The history struck at random moments: its writer killed, the machine without power between any two
 * sectors, the disk full. Whatever happens it opens again, and every second that was written is there.
 *
 * An ordinary run kills 40 times; HEADROOM_FAULTS=all kills 200 times.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ManualClock } from "../../src/base/clock.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { HistoryWriter } from "../../src/watch/history.ts";
import { StoreError } from "../../src/watch/store-error.ts";
import { openHistory, openStore } from "../../src/watch/store.ts";
import { HISTORY_START, historySecond, WHOLE_HISTORY, wholeSeconds } from "../support/history-samples.ts";

const CHILD = fileURLToPath(new URL("../support/history-child.ts", import.meta.url));
const KILLS = process.env["HEADROOM_FAULTS"] === "all" ? 200 : 40;
const LOSSES = 150;
const clock = new ManualClock(HISTORY_START);
/** Memory where there is some. What the kernel has of a file is there after a kill, on any file system. */
const PLACE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

function directoryOf(context: TestContext): string {
  const directory = mkdtempSync(join(PLACE, "hr-history-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function open(directory: string): HistoryWriter {
  return openStore({ directory, clock, rename: renameSync, options: WHOLE_HISTORY });
}

function expectSound(directory: string): void {
  const file = new DatabaseSync(join(directory, "history.sqlite"));
  assert.equal(file.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
  file.close();
}

/** Writes from `first` on until it is killed; the last second it said was written. */
async function killedWriter(directory: string, first: number, afterMs: number): Promise<number> {
  const words = ["--disable-warning=ExperimentalWarning", CHILD, directory, String(first)];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  let said = "";
  child.stdout.setEncoding("utf8");
  const begun = new Promise((resolve) => child.stdout.once("data", resolve));
  child.stdout.on("data", (text: string) => (said = (said + text).slice(-100)));
  await Promise.race([begun, ended]);
  await sleep(afterMs);
  child.kill("SIGKILL");
  await ended;
  // The last line may be cut, and then the one before it counts.
  return Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1));
}

test(`a writer killed ${KILLS} times leaves every second it wrote`, { timeout: 600_000 }, async (context) => {
  const directory = directoryOf(context);
  const random = seededRandom(1);
  let first = 0;
  let largest = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const last = await killedWriter(directory, first, random.below(120));
    assert.ok(last >= first, `${last} is not after ${first}`);
    expectSound(directory);
    const store = open(directory);
    const from = Math.max(0, first - 1000);
    const end = from + wholeSeconds(store, from);
    assert.ok(end > last, `second ${last} of kill ${kill} is lost, there are ${end}`);
    assert.deepEqual(store.notes(0, Number.MAX_SAFE_INTEGER), []);
    store.close();
    largest = Math.max(largest, end - first);
    first = end;
  }
  const store = open(directory);
  assert.equal(wholeSeconds(store, 0), first);
  const taken = store.censusTimes(0, Number.MAX_SAFE_INTEGER).at(-1) ?? 0;
  assert.ok(store.censusAt(taken)?.census.flows === (taken - HISTORY_START) / 1000);
  store.close();
  context.diagnostic(`${first} seconds in ${KILLS} lives, the longest of ${largest}`);
});

interface Files {
  file: Uint8Array;
  log: Uint8Array;
}

function filesOf(directory: string): Files {
  const read = (name: string): Uint8Array => Uint8Array.from(readFileSync(join(directory, name)));
  return { file: read("history.sqlite"), log: read("history.sqlite-wal") };
}

/**
 * Of what was written in between, some sectors reached the disk and others did not, or as nonsense; the rest
 * of a sector that was there before stays (what SQLite calls a powersafe overwrite).
 */
function torn(before: Uint8Array, after: Uint8Array, random: Random, nonsense: boolean): Uint8Array {
  const mixed = after.slice(
    0,
    random.below(2) === 0 ? after.length : Math.max(before.length, random.below(after.length)),
  );
  for (let at = 0; at < mixed.length; at += 512) {
    if (random.below(3) > 0) continue;
    for (let byte = at; byte < Math.min(at + 512, mixed.length); byte += 1) {
      const old = before[byte] ?? 0;
      if (mixed[byte] !== old) mixed[byte] = nonsense ? random.below(256) : old;
    }
  }
  return mixed;
}

test(`power lost ${LOSSES} times between two sectors loses at most the second being written`, (context) => {
  const directory = directoryOf(context);
  const random = seededRandom(2);
  const store = open(directory);
  context.after(() => store.close());
  let second = 0;
  let lastLost = 0;
  for (let loss = 0; loss < LOSSES; loss += 1) {
    for (const end = second + 1 + random.below(60); second < end; second += 1) {
      store.append(historySecond(second));
      store.maintain(0);
    }
    const before = filesOf(directory);
    const written = second;
    // Each third time what rolls up is struck.
    if (loss % 3 === 0) store.maintain(0);
    store.append(historySecond(second));
    second += 1;
    const after = filesOf(directory);
    // The log is on the disk before anything goes from it to the file.
    const lost =
      loss % 2 === 0
        ? { file: before.file, log: torn(before.log, after.log, random, loss % 4 === 0) }
        : { file: torn(before.file, after.file, random, false), log: after.log };
    const at = join(directory, `loss-${loss}`);
    mkdirSync(at);
    writeFileSync(join(at, "history.sqlite"), lost.file);
    writeFileSync(join(at, "history.sqlite-wal"), lost.log);
    const found = open(at);
    const seconds = wholeSeconds(found, 0);
    assert.ok(seconds === written || seconds === written + 1, `${seconds} of ${written} at loss ${loss}`);
    if (seconds === written) lastLost += 1;
    assert.deepEqual(found.notes(0, Number.MAX_SAFE_INTEGER), []);
    found.append(historySecond(seconds));
    assert.equal(wholeSeconds(found, 0), seconds + 1);
    found.close();
    expectSound(at);
    rmSync(at, { recursive: true });
  }
  assert.ok(lastLost > 0 && lastLost < LOSSES, `${lastLost} times the last second was lost`);
  context.diagnostic(`the last second was lost ${lastLost} times of ${LOSSES}`);
});

test("a full disk: what was written stays, and writing goes on when there is room", (context) => {
  if (process.getuid?.() !== 0) return context.skip("mounting a small tmpfs needs root");
  const directory = mkdtempSync(join(tmpdir(), "hr-history-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m", "hr-history", directory]);
  context.after(() => {
    execFileSync("umount", ["-l", directory]);
    rmSync(directory, { recursive: true });
  });
  let store = open(directory);
  let second = 0;
  for (let round = 0; round < 12; round += 1) {
    const filler = join(directory, "filler");
    fill(filler);
    const error = untilFull(() => {
      store.append(historySecond(second));
      second += 1;
      store.maintain(0);
    });
    assert.equal(error.code, "disk-full");
    assert.match(error.message, /the disk is full: make room; nothing that was written before is lost/);
    assert.throws(() => store.writeState("big", "x".repeat(100_000)), { code: "disk-full" });
    assert.equal(wholeSeconds(store, 0), second);
    const isClosed = round % 4 === 3;
    if (isClosed) {
      store.close();
      fill(filler);
      assert.throws(() => open(directory), { code: "disk-full" });
    }
    rmSync(filler);
    if (isClosed) store = open(directory);
    assert.equal(wholeSeconds(store, 0), second);
    for (const end = second + 40; second < end; second += 1) store.append(historySecond(second));
    const reader = openHistory(directory);
    assert.equal(wholeSeconds(reader, 0), second);
    reader.close();
  }
  store.close();
  expectSound(directory);
});

/** Takes all room there is. */
function fill(path: string): void {
  for (const size of [65_536, 4096, 1]) {
    try {
      for (;;) writeFileSync(path, new Uint8Array(size), { flag: "a" });
    } catch {
      // Full for pieces of this size.
    }
  }
}

function untilFull(work: () => void): StoreError {
  for (let times = 0; times < 100_000; times += 1) {
    try {
      work();
    } catch (error) {
      assert.ok(error instanceof StoreError, String(error));
      return error;
    }
  }
  throw new Error("The disk never was full");
}
