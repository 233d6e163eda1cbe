/**
 * What happens to hosts, done to the real `headroom serve`: it is killed under load, its disk is full, the
 * clock is set back, events come faster than they are read, the namespace goes and comes back, the kernel log
 * is rotated and then may not be read, forty pages are gone at once. It says what it did not see, goes on,
 * and loses nothing that was written.
 *
 * An ordinary run kills 40 times; HEADROOM_FAULTS=all kills 200 times.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../../src/base/random.ts";
import { openHistory } from "../../src/watch/watch.ts";
import { makeStorm, MIXED, type Storm } from "../support/flow-storm.ts";
import { flowMaker, injectFlows, startGuard } from "../support/inject.ts";
import { hearLive, type ServeAs, type Served, socketsOf, startServe, until } from "../support/served.ts";

const KILLS = process.env["HEADROOM_FAULTS"] === "all" ? 200 : 40;
/** So many are killed side by side, each with a history of its own. */
const LANES = 4;
const isRoot = process.geteuid?.() === 0;
const root = { skip: isRoot ? false : "needs root, for network namespaces", timeout: 600_000 };

interface Note {
  atMs: number;
  kind: string;
  text: string;
  amount?: number;
}

async function notesOf(served: Served, fromMs = 0): Promise<Note[]> {
  const { notes } = await served.get(`happenings?from=${fromMs}&to=${Date.now() + 86_400_000}`);
  return notes as Note[];
}

async function unseenOf(served: Served): Promise<string[]> {
  const { unseen } = await served.get("status");
  return (unseen as { what: string }[]).map(({ what }) => what);
}

function directoryOf(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "hr-faults-"));
  chmodSync(directory, 0o755);
  context.after(() => {
    spawnSync("umount", ["-l", join(directory, "small")], { stdio: "ignore" });
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

async function serving(context: TestContext, words: readonly string[], as: ServeAs = {}): Promise<Served> {
  const started = await startServe(words, as);
  context.after(() => void started.child.kill("SIGKILL"));
  return started;
}

/** A namespace of its own, removed in every case; with traffic where that is asked for. */
function namespaceOf(context: TestContext, name: string): string {
  const whole = `hr-faults-${name}-${process.pid}`;
  const guard = startGuard(whole);
  context.after(() => {
    spawnSync("ip", ["netns", "del", whole], { stdio: "ignore" });
    guard.stdin?.end("done\n");
  });
  execFileSync("ip", ["netns", "add", whole]);
  return whole;
}

async function stormOf(context: TestContext, newFlowsPerSecond: number): Promise<Storm> {
  const storm = makeStorm({ prefix: "hr-faults", newFlowsPerSecond, mixture: MIXED });
  context.after(async () => {
    await storm.pause();
    storm.close();
  });
  await storm.start();
  return storm;
}

function expectSound(directory: string): void {
  const file = new DatabaseSync(join(directory, "history.sqlite"));
  assert.equal(file.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
  file.close();
}

test(`killed ${KILLS} times under load, every second that was told is remembered`, root, async (context) => {
  const storm = await stormOf(context, 3000);
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    const directory = directoryOf(context);
    const random = seededRandom(lane + 1);
    const told: number[] = [];
    for (let kill = 0; kill < KILLS / LANES; kill += 1) {
      const started = await serving(context, ["--netns", storm.name, "--state", directory]);
      const page = await hearLive(started.url);
      await sleep(random.below(2500));
      await started.end("SIGKILL");
      told.push(...page.samplesAtMs);
      expectSound(directory);
      const history = openHistory(directory);
      assert.deepEqual(lostOf(history, told), [], `lost after kill ${kill}`);
      const began = history.notes(0, Date.now() + 1000).filter(({ kind }) => kind === "started");
      assert.equal(began.length, kill + 1, "each beginning is noted");
      history.close();
    }
    return told.length;
  });
  const told = await Promise.all(lanes);
  context.diagnostic(`${told.reduce((sum, each) => sum + each, 0)} seconds told in ${KILLS} lives`);
});

/** What was told and is not in the history, which knows the second and not the millisecond. */
function lostOf(history: ReturnType<typeof openHistory>, toldAtMs: readonly number[]): readonly number[] {
  const span = { fromMs: Date.now() - 7_200_000, toMs: Date.now() + 2000 };
  const { atMs, stepSeconds, columns } = history.series({
    names: ["occupancyFlows"],
    ...span,
    points: 100_000,
  });
  assert.equal(stepSeconds, 1);
  const { avg } = columns.occupancyFlows ?? {};
  const there = new Set<number>();
  atMs.forEach((at, index) => {
    if (!Number.isNaN(avg?.[index] ?? Number.NaN)) there.add(Math.floor(at / 1000));
  });
  return toldAtMs.filter((at) => !there.has(Math.floor(at / 1000)));
}

test("a full disk: it goes on, says so, and writes what waited when there is room", root, async (context) => {
  const storm = await stormOf(context, 500);
  const directory = join(directoryOf(context), "small");
  mkdirSync(directory);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "hr-faults", directory]);
  const started = await serving(context, ["--netns", storm.name, "--state", directory]);
  const page = await hearLive(started.url);
  await until("it has begun", () => page.samplesAtMs.length > 3);
  const filler = join(directory, "filler");
  fill(filler);
  await until("it says that it cannot write", async () => {
    fill(filler);
    return (await unseenOf(started)).includes("history");
  });
  const full = page.samplesAtMs.length;
  await until("seconds wait", () => page.samplesAtMs.length > full + 4);
  assert.equal((await started.get("status"))["occupancyFlows"] !== undefined, true);
  rmSync(filler);
  await until("it writes again", async () => !(await unseenOf(started)).includes("history"));
  await sleep(2500);
  assert.equal(await started.end(), 0);
  const history = openHistory(directory);
  assert.deepEqual(lostOf(history, page.samplesAtMs), [], "nothing that was told is missing");
  history.close();
  expectSound(directory);
});

/** Takes all room there is. */
function fill(path: string): void {
  for (const size of [65_536, 4096, 1]) {
    try {
      while (statfsSync(join(path, "..")).bavail > 0) {
        writeFileSync(path, new Uint8Array(size), { flag: "a" });
      }
    } catch {
      // Full for pieces of this size.
    }
  }
}

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

test(
  "the clock set back an hour: noted, nothing lost, and the hour is written again",
  root,
  async (context) => {
    if (!existsSync(FAKETIME)) return context.skip("needs faketime");
    const name = namespaceOf(context, "clock");
    injectFlows(name, 100, flowMaker(100, 1));
    const directory = directoryOf(context);
    const offset = join(directory, "offset");
    writeFileSync(offset, "+0\n");
    const started = await serving(context, ["--netns", name, "--state", directory], {
      env: {
        LD_PRELOAD: FAKETIME,
        FAKETIME_TIMESTAMP_FILE: offset,
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
        FAKETIME_NO_CACHE: "1",
      },
    });
    const page = await hearLive(started.url);
    await until("it has begun", () => page.samplesAtMs.length > 4);
    const before = page.samplesAtMs.length;
    writeFileSync(offset, "-3600\n");
    await until("the jump is noted", async () =>
      (await notesOf(started)).some(
        ({ kind, amount = 0 }) => kind === "clock-jump" && Math.abs(amount + 3600) < 5,
      ),
    );
    await until("it goes on", () => page.samplesAtMs.length > before + 4);
    assert.ok((page.samplesAtMs.at(-1) ?? 0) < (page.samplesAtMs[0] ?? 0), "told by the clock as it is now");
    writeFileSync(offset, "+0\n");
    await until("the jump forward is noted", async () =>
      (await notesOf(started)).some(({ kind, amount = 0 }) => kind === "clock-jump" && amount > 3500),
    );
    const told = page.samplesAtMs.length;
    await until("it goes on again", () => page.samplesAtMs.length > told + 3);
    assert.equal(await started.end(), 0);
    const history = openHistory(directory);
    assert.deepEqual(lostOf(history, page.samplesAtMs), [], "nothing that was told is missing");
    history.close();
    expectSound(directory);
  },
);

test(
  "events that come while nobody reads are lost, counted and noted, and watching goes on",
  root,
  async (context) => {
    const name = namespaceOf(context, "lost");
    const directory = directoryOf(context);
    const started = await serving(context, ["--netns", name, "--state", directory]);
    await until("all flows are followed", async () => {
      const { events } = (await started.get("status")) as { events?: { oneOf: number } };
      return events?.oneOf === 1;
    });
    started.child.kill("SIGSTOP");
    const flows = 80_000;
    injectFlows(name, flows, flowMaker(flows, 1));
    await sleep(300);
    started.child.kill("SIGCONT");
    await until("the loss is noted", async () =>
      (await notesOf(started)).some(({ kind, amount = 0 }) => kind === "events-lost" && amount > 100),
    );
    await until("flows are counted", async () => (await started.get("status"))["occupancyFlows"] === flows);
    const note = (await notesOf(started)).find(({ kind }) => kind === "events-lost");
    context.diagnostic(note?.text ?? "");
    assert.equal(await started.end(), 0);
  },
);

test("the namespace goes, which is said, and is watched again when it comes back", root, async (context) => {
  const name = namespaceOf(context, "gone");
  injectFlows(name, 50, flowMaker(50, 1));
  const directory = directoryOf(context);
  const started = await serving(context, ["--netns", name, "--state", directory]);
  await until("flows are counted", async () => (await started.get("status"))["occupancyFlows"] === 50);
  execFileSync("ip", ["netns", "del", name]);
  await until("it is missed", async () => (await unseenOf(started)).includes("the table"));
  const seconds = (await started.get("status"))["atMs"];
  await until("seconds go on", async () => (await started.get("status"))["atMs"] !== seconds);
  execFileSync("ip", ["netns", "add", name]);
  injectFlows(name, 70, flowMaker(70, 2));
  await until("the new one is watched", async () => (await started.get("status"))["occupancyFlows"] === 70);
  await until("nothing is missed any more", async () => !(await unseenOf(started)).includes("the table"));
  const kinds = (await notesOf(started)).map(({ kind }) => kind);
  assert.ok(kinds.includes("sight-lost"), kinds.join(" "));
  assert.equal(await started.end(), 0);
});

test(
  "the kernel log is rotated, then may not be read: said, and read again when it may",
  root,
  async (context) => {
    if (spawnSync("setpriv", ["--version"]).error !== undefined) return context.skip("setpriv is missing");
    const directory = directoryOf(context);
    const [logs, state] = [join(directory, "log"), join(directory, "state")];
    mkdirSync(logs, { mode: 0o755 });
    mkdirSync(state);
    execFileSync("chown", ["nobody", state]);
    const log = join(logs, "kern.log");
    writeFileSync(log, "", { mode: 0o644 });
    // Files of syslog are what is read without CAP_SYSLOG; these are seen by this one process alone.
    const nobody =
      "setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps -all,+net_admin " +
      "--ambient-caps -all,+net_admin --bounding-set -all,+net_admin";
    const as = ["unshare", "-m", "sh", "-c", `mount --bind ${logs} /var/log && exec ${nobody} "$@"`, "sh"];
    const started = await serving(context, ["--state", state], { as });
    const counted = async (): Promise<number> => {
      const span = `from=${Date.now() - 600_000}&to=${Date.now() + 1000}&points=5000`;
      const { series } = (await started.get(`series?names=tableFullLinesPerSecond&${span}`)) as {
        series: { tableFullLinesPerSecond?: { avg: (number | null)[] } };
      };
      const column = series.tableFullLinesPerSecond?.avg ?? [];
      return column.reduce<number>((sum, each) => sum + (each ?? 0), 0);
    };
    const write = (lines: number): void => appendFileSync(log, FULL_LINE.repeat(lines));
    // What the first full second is, depends on when it was started.
    await sleep(2500);
    write(3);
    await until("lines are counted", async () => isNear(await counted(), 3));
    renameSync(log, `${log}.1`);
    appendFileSync(`${log}.1`, FULL_LINE.repeat(2));
    writeFileSync(log, FULL_LINE.repeat(4), { mode: 0o644 });
    await until("lines of both files are counted", async () => isNear(await counted(), 9));
    renameSync(log, `${log}.2`);
    writeFileSync(log, "", { mode: 0o600 });
    chmodSync(log, 0o600);
    await until("it says that it may not", async () =>
      (await unseenOf(started)).some((what) => /log/.test(what)),
    );
    write(1);
    chmodSync(log, 0o644);
    await until("it is read again", async () => !(await unseenOf(started)).some((what) => /log/.test(what)));
    write(5);
    await until("lines are counted again", async () => isNear(await counted(), 15));
    assert.equal(await started.end(), 0);
  },
);

/** Rates are over what a second really took. */
function isNear(counted: number, lines: number): boolean {
  return Math.abs(counted - lines) < 0.15 * lines;
}

const FULL_LINE =
  "Nov 22 10:00:00 web-3 kernel: [ 1000.000000] nf_conntrack: nf_conntrack: table full, dropping packet\n";

test("forty pages killed at once leave no subscriber and no socket", root, async (context) => {
  const name = namespaceOf(context, "pages");
  const directory = directoryOf(context);
  const started = await serving(context, ["--netns", name, "--state", directory]);
  await started.get("status");
  await sleep(1500);
  const before = socketsOf(started.pid);
  for (let round = 0; round < 2; round += 1) {
    const pages = spawn(process.execPath, ["-e", PAGES, `${started.url}api/v1/live`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(pages.stdout, "data");
    assert.ok(socketsOf(started.pid) >= before + 40, "forty listen");
    if (round === 1) pages.kill("SIGSTOP");
    await sleep(1500);
    pages.kill("SIGKILL");
    await once(pages, "close");
    await until("their sockets are back", () => socketsOf(started.pid) <= before);
  }
  // As many again may listen, more than would fit had one of them stayed.
  const again = await Promise.all(Array.from({ length: 40 }, () => hearLive(started.url)));
  await until("all of them hear it", () => again.every(({ events }) => events.includes("sample")));
  for (const page of again) page.stop();
  await until("they are gone too", () => socketsOf(started.pid) <= before);
  assert.equal(await started.end(), 0);
});

/** Forty connections; says so when each has had its first event. */
const PAGES = `
  const http = require("node:http");
  let begun = 0;
  for (let page = 0; page < 40; page += 1) {
    http.get(process.argv[1], { agent: false }, (answer) => {
      answer.once("data", () => { begun += 1; if (begun === 40) console.log("begun"); });
      answer.resume();
    });
  }
`;
