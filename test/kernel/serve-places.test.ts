/**
 * What a real `headroom serve` stands on is taken away while it runs, and given back: the room on its disk,
 * the files it reads, the namespace it watches. It goes on with what is left, says so, and misses no second.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { headroom, killServed, type Served, startServe, until } from "../support/served.ts";

const skip = process.geteuid?.() === 0 ? false : "needs root, for namespaces and mounts";
const directory = mkdtempSync(join(tmpdir(), "hr-serve-places-"));
after(killServed);
after(() => rmSync(directory, { recursive: true }));
/** Long enough that everything that is asked for now and then was asked for. */
const WATCHED_MS = 15_000;
const MOUNTS = ["unshare", "-m", "--propagation", "private", "sh", "-c"];

function newNamespace(t: TestContext, word: string): string {
  const name = `hr-serve-${word}-${process.pid}`;
  execFileSync("ip", ["netns", "add", name]);
  t.after(() => void spawnSync("ip", ["netns", "del", name]));
  return name;
}

/** Runs a command with the mounts that the daemon sees. */
function inside({ child }: Served, script: string): void {
  execFileSync("nsenter", ["-t", String(child.pid), "-m", "sh", "-c", script]);
}

/** The samples since then, as seconds; the last one may be under way. */
async function secondsSince(serve: Served, fromMs: number, name: string): Promise<(number | null)[]> {
  const { series } = await serve.get(`series?names=${name}&from=${fromMs}&to=${Date.now()}&points=1000`);
  return (series as Record<string, { avg: (number | null)[] }>)[name]?.avg ?? [];
}

async function gaps(serve: Served): Promise<unknown[]> {
  const { notes } = await serve.get("happenings");
  return (notes as { kind: string }[]).filter(({ kind }) => kind === "gap");
}

test("a full disk: it watches on, says that nothing is kept, and keeps again", { skip }, async (t) => {
  const name = newNamespace(t, "disk");
  const state = join(directory, "disk");
  mkdirSync(state);
  const script = `mount -t tmpfs -o size=24m tmpfs ${state} && exec "$0" "$@"`;
  const serve = await startServe(["--netns", name, "--state", state], { as: [...MOUNTS, script] });
  const startMs = Date.now();
  await sleep(3000);
  inside(serve, `dd if=/dev/zero of=${state}/fill bs=1M 2>/dev/null; true`);
  await until("the history grew into the last room, or said that there is none", async () => {
    const { unseen } = await serve.get("status");
    return Date.now() - startMs > WATCHED_MS || JSON.stringify(unseen).includes("history");
  });
  assert.equal((await serve.get("status"))["occupancyFlows"], 0);
  inside(serve, `rm ${state}/fill`);
  await sleep(3000);
  const fromMs = Date.now() - 2000;
  await sleep(2000);
  const kept = await secondsSince(serve, fromMs, "occupancyFlows");
  assert.ok(kept.filter((value) => value !== null).length >= 3, JSON.stringify(kept));
  assert.deepEqual(await gaps(serve), []);
  assert.equal(await serve.end(), 0);
});

test("a directory that takes nothing is refused in one sentence", { skip }, () => {
  const state = join(directory, "read-only");
  mkdirSync(state);
  const script = `mount --bind ${state} ${state} && mount -o remount,bind,ro ${state} && exec "$0" "$@"`;
  const words = [...MOUNTS.slice(1), script, headroom, "serve", "--listen", "127.0.0.1:0", "--state", state];
  const { status, stderr } = spawnSync("unshare", words, { encoding: "utf8", timeout: 20_000 });
  assert.notEqual(status, 0);
  assert.match(stderr, /read-only/);
  assert.doesNotMatch(stderr, /\n\s+at /);
});

test("what it may read is taken away while it runs, and given back", { skip }, async (t) => {
  const words = ["--state", join(directory, "rights")];
  const serve = await startServe(words, { as: [...MOUNTS, 'exec "$0" "$@"'] });
  const startMs = Date.now();
  await sleep(2000);
  const covered = "/proc/sys/net/netfilter";
  inside(serve, `mount -t tmpfs -o ro,mode=000 tmpfs ${covered}`);
  await sleep(WATCHED_MS);
  const hidden = await serve.get("status");
  assert.ok(Array.isArray(hidden["unseen"]));
  t.diagnostic(`unseen meanwhile: ${JSON.stringify(hidden["unseen"])}`);
  inside(serve, `umount ${covered}`);
  await until("everything is seen again", async () => {
    const { occupancyFlows, capacityFlows } = await serve.get("status");
    return typeof occupancyFlows === "number" && typeof capacityFlows === "number";
  });
  assert.deepEqual(await gaps(serve), []);
  const seconds = await secondsSince(serve, startMs, "occupancyFlows");
  assert.ok(seconds.length >= 15 && !seconds.slice(0, -1).includes(null), JSON.stringify(seconds));
  assert.equal(await serve.end(), 0);
});

test(
  "its namespace goes and comes back: absent is not zero, and every second has a row",
  { skip },
  async (t) => {
    const name = newNamespace(t, "gone");
    const serve = await startServe(["--netns", name, "--state", join(directory, "gone")]);
    await until("it is seen", async () => (await serve.get("status"))["occupancyFlows"] === 0);
    execFileSync("ip", ["netns", "del", name]);
    await until("it is missed", () => serve.said().includes("it is not there any more"));
    await until("the figure is gone", async () => {
      const { occupancyFlows, unseen } = await serve.get("status");
      return occupancyFlows === undefined && JSON.stringify(unseen).includes("not there any more");
    });
    execFileSync("ip", ["netns", "add", name]);
    await until("it is seen again", async () => (await serve.get("status"))["occupancyFlows"] === 0);
    assert.deepEqual(await gaps(serve), []);
    assert.equal(await serve.end(), 0);
  },
);
