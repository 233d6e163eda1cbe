/**
 * The demo, for real: its whole story in a minute, and that it leaves nothing behind however it ends.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const demo = fileURLToPath(new URL("../../demo/demo.ts", import.meta.url));
const CAPACITY_FILE = "/proc/sys/net/netfilter/nf_conntrack_max";
const LEDGER = "/run/headroom-demo.ledger";
const NODE_WORDS = ["--disable-warning=ExperimentalWarning", demo];

const skip = reasonToSkip();
const running = new Set<Running>();

function reasonToSkip(): string | false {
  if (process.geteuid?.() !== 0) return "needs root, for network namespaces";
  for (const program of ["ip", "nft", "nginx", "curl"]) {
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) return `${program} is missing`;
  }
  return existsSync(LEDGER) ? "a demo runs on this host" : false;
}

interface Running {
  child: ChildProcess;
  /** What it has said so far, on both streams. */
  said: () => string;
  ended: Promise<number | null>;
}

function start(...words: string[]): Running {
  const child = spawn(process.execPath, [...NODE_WORDS, "--fast", "--once", "--port", "0", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  }
  const ended = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  const started = { child, said: () => text, ended };
  running.add(started);
  void ended.then(() => running.delete(started));
  return started;
}

/** Waits until the demo has said it, has ended, or has taken far too long. False: it did not say it. */
async function untilSaid({ said, child }: Running, what: RegExp, seconds = 120): Promise<boolean> {
  for (let tries = 0; tries < seconds * 10 && !what.test(said()); tries += 1) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    await sleep(100);
  }
  return what.test(said());
}

/** The reason of a host that is too busy for a demo, if that is what it said. */
function tooBusy(context: TestContext, { said }: Running): boolean {
  const refusal = /^demo: .*quieter machine/m.exec(said())?.[0];
  if (refusal !== undefined) context.skip(refusal);
  return refusal !== undefined;
}

function capacity(): string {
  return existsSync(CAPACITY_FILE) ? readFileSync(CAPACITY_FILE, "utf8").trim() : "not there";
}

/** What there is of a demo on this host; nothing when it was cleaned up. */
function remains(): string[] {
  const processes = readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").includes("headroom-demo-");
    } catch {
      return false;
    }
  });
  return [
    ...globSync("/run/netns/hr-demo-*"),
    ...globSync(`${tmpdir()}/headroom-demo-*`),
    ...(existsSync(LEDGER) ? [LEDGER] : []),
    ...processes.map((name) => `process ${name}`),
  ];
}

async function assertNothingRemains(capacityBefore: string): Promise<void> {
  for (let tries = 0; tries < 100 && (remains().length > 0 || capacity() !== capacityBefore); tries += 1) {
    await sleep(100);
  }
  assert.deepEqual(remains(), []);
  assert.equal(capacity(), capacityBefore);
}

afterEach(async () => {
  for (const { child, ended } of running) {
    child.kill("SIGINT");
    await ended;
  }
});

test("the demo tells the whole story, and leaves nothing behind", { skip }, async (context) => {
  const before = capacity();
  const story = start("--mend");
  const code = await story.ended;
  if (tooBusy(context, story)) return;
  assert.equal(code, 0, story.said());
  const acts = [
    /Dashboard {2}http:\/\/127\.0\.0\.1:\d+\//,
    /Normal traffic/,
    /A new release on 10\.77\.1\.66/,
    /FORECAST {2}full in \d+s/,
    /\$ headroom whatif /,
    /Full\. The router drops/,
    /curl: \(28\) Connection timed out/,
    /Beside the server the same takes/,
    /10\.77\.1\.66 holds [\d,]+ of/,
    /[1-9][\d,]* flows are gone/,
    /There is room again/,
    /answered in [\d.]+ ms\./,
    /Everything is removed/,
  ];
  let at = 0;
  for (const act of acts) {
    const found = story.said().slice(at).search(act);
    assert.notEqual(found, -1, `${String(act)} is missing, or comes too early:\n${story.said()}`);
    at += found;
  }
  assert.match(story.said(), /ALERT {2}CRITICAL {2}Table full: /);
  assert.match(story.said(), /ALERT {2}(WARNING|CRITICAL) {2}Table \d+ % full/);
  assert.match(story.said(), /ALERT {2}over: near-full/);
  assert.match(story.said(), /ALERT {2}WARNING {2}nf_conntrack_tcp_timeout_established changed/);
  await assertNothingRemains(before);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
  test(`the demo leaves nothing behind after ${signal}`, { skip }, async (context) => {
    const before = capacity();
    const story = start();
    const isUp = await untilSaid(story, /A new release/);
    if (tooBusy(context, story)) return;
    assert.ok(isUp, story.said());
    assert.notEqual(remains().length, 0);
    const second = start();
    await second.ended;
    assert.match(second.said(), /A demo runs already, as process \d+/);
    story.child.kill(signal);
    const code = await story.ended;
    assert.equal(code, signal === "SIGKILL" ? null : 0, story.said());
    await assertNothingRemains(before);
  });
}

test("what a demo leaves that was killed with its guard, the next one removes", { skip }, async (context) => {
  const before = capacity();
  const story = start();
  const isUp = await untilSaid(story, /Normal traffic/);
  if (tooBusy(context, story)) return;
  assert.ok(isUp, story.said());
  const { pid } = story.child;
  const guard = spawnSync("pgrep", ["-P", String(pid), "-f", "guard.sh"], { encoding: "utf8" }).stdout.trim();
  assert.match(guard, /^\d+$/);
  process.kill(Number(guard), "SIGKILL");
  story.child.kill("SIGKILL");
  await story.ended;
  assert.notEqual(remains().length, 0);

  const next = start();
  assert.ok(await untilSaid(next, /Normal traffic/), next.said());
  assert.match(next.said(), /An earlier demo was killed with its guard/);
  next.child.kill("SIGINT");
  assert.equal(await next.ended, 0);
  await assertNothingRemains(before);
});

test("without root, or without nginx, the demo says so and does nothing", { skip }, () => {
  const line = [process.execPath, ...NODE_WORDS];
  const asNobody = spawnSync("setpriv", ["--reuid", "nobody", "--clear-groups", ...line], {
    encoding: "utf8",
  });
  if (asNobody.error === undefined) {
    assert.equal(asNobody.status, 1);
    assert.match(asNobody.stderr, /^demo: The demo needs root, .*\n$/);
  }
  const nginx = spawnSync("sh", ["-c", "command -v nginx"], { encoding: "utf8" }).stdout.trim();
  const script = `mount --bind /dev/null ${nginx} && exec "$@"`;
  const without = spawnSync("unshare", ["--mount", "sh", "-c", script, "sh", ...line], { encoding: "utf8" });
  assert.equal(without.status, 1);
  assert.equal(
    without.stderr,
    "demo: The demo needs nginx, not found here: apt-get install nginx-light\n",
    without.stdout,
  );
  assert.deepEqual(remains(), []);
});

test("the demo refuses words it does not know", { skip }, () => {
  const { status, stderr } = spawnSync(process.execPath, [...NODE_WORDS, "--quick"], { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /^demo: Unknown option '--quick'; --help has the options\n$/);
});
