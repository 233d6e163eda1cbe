/**
 * `headroom record` on the running kernel, and what replay makes of it: under the settings that were in force
 * the model must have the occupancy that the kernel counted, and under another timeout that of a second run
 * in which the timeout was in force. RECORD_SECONDS makes the records longer.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Traffic } from "../support/flow-traffic.ts";
import { measuredTwice } from "../support/measured.ts";
import { firstLine, makeRouter, type Router, SERVER_ADDRESS } from "../support/router.ts";

const headroom = fileURLToPath(new URL("../../bin/headroom", import.meta.url));
const program = fileURLToPath(new URL("../support/flow-traffic.ts", import.meta.url));
const seconds = Number(process.env["RECORD_SECONDS"] ?? 8);
const isRoot = process.geteuid?.() === 0;
const missing = ["ip", "nft", "conntrack"].find((name) => spawnSync("which", [name]).status !== 0);
const skip = isRoot ? missing !== undefined && `needs ${missing}` : "needs root";

/** Short, so that what a timeout does is over within a few seconds. */
const TIMEOUTS = {
  tcp_timeout_close: 1,
  tcp_timeout_syn_sent: 5,
  tcp_timeout_fin_wait: 5,
  tcp_timeout_close_wait: 5,
  tcp_timeout_last_ack: 5,
  tcp_timeout_time_wait: 4,
  tcp_timeout_established: 6,
  udp_timeout: 5,
  udp_timeout_stream: 8,
};
const TRAFFIC: Omit<Traffic, "address"> = {
  seed: 1,
  busy: 100,
  slow: { flows: 100, meanSeconds: 3 },
  idlePerSecond: 60,
  shortPerSecond: 60,
  oneWayPerSecond: 40,
  streams: { flows: 60, meanSeconds: 3 },
};
/** Long enough that every kind of flow has come and gone. */
const SETTLE_MS = 9000;
/**
 * With timeouts of seconds, flows that have expired and wait for the collector are a great part of those that
 * count, and when it comes is decided by all namespaces of the machine together. Who lists a table collects.
 */
const LIST_EACH_SECOND = "while sleep 1; do conntrack -L; done >/dev/null 2>&1";

interface Replayed {
  flowsAtEnd: number;
  peakFlows: number;
  verdicts: { invalid: number };
  capture: { record: { events: number; complete: boolean; losses: number; tableFlows: number } };
  timeline: { timeMs: number[]; flows: number[] };
  bound: { difference?: { samples: number; meanShare: number; mostShare: number }; uncertainFlows: number };
}

let directory: string;
let router: Router;

before(async () => {
  if (skip !== false) return;
  directory = mkdtempSync(`${tmpdir()}/headroom-record-`);
  router = makeRouter("hr-record");
  setTimeouts(TIMEOUTS);
  assert.equal(await firstLine(router.start(router.server, process.execPath, program, "server")), "ready");
  const traffic = JSON.stringify({ ...TRAFFIC, address: SERVER_ADDRESS });
  const client = router.start(router.client, process.execPath, program, "client", traffic);
  assert.equal(await firstLine(client), "ready");
  router.start(router.router, "sh", "-c", LIST_EACH_SECOND);
});

after(() => {
  if (skip !== false) return;
  router.close();
  rmSync(directory, { recursive: true });
});

function setTimeouts(timeouts: Readonly<Record<string, number>>): void {
  const words = Object.entries(timeouts).map(([key, value]) => `net.netfilter.nf_conntrack_${key}=${value}`);
  router.run(router.router, "sysctl", "-qw", ...words);
}

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(headroom, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (stdout += piece));
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (stderr += piece));
  const [code] = (await once(child, "close")) as [number];
  return { code, stdout, stderr };
}

async function record(name: string, ...more: string[]): Promise<string> {
  const file = `${directory}/${name}`;
  const { code, stdout, stderr } = await run("record", file, "--netns", router.router, ...more);
  assert.equal(code, 0, stderr + stdout);
  return file;
}

async function replay(file: string, ...more: string[]): Promise<Replayed> {
  const { code, stdout, stderr } = await run("replay", file, "--json", ...more);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Replayed;
}

/** Off nf_conntrack_count on average: a hundredth where nobody else wants the processors. */
const SAME_SHARE = 0.1;
/** Off a second run under other timeouts, and off what the table itself foretells. */
const OTHER_SHARE = 0.1;

/** Occupancy on average over time. */
function mean({ timeline: { flows } }: Replayed): number {
  return flows.reduce((sum, value) => sum + value, 0) / flows.length;
}

test(
  "the model has what the kernel counted, then what it counts under another timeout",
  { skip },
  (context) => measuredTwice(context, comparedWithTheKernel),
);

async function comparedWithTheKernel(): Promise<void> {
  await sleep(SETTLE_MS);
  const file = await record("long.pcapng", "--for", `${seconds}s`);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const same = await replay(file);
  assert.ok(same.capture.record.events > 1000, "events came");
  assert.equal(same.capture.record.losses, 0);
  assert.equal(same.capture.record.complete, true);
  assert.equal(same.verdicts.invalid, 0, "every implied packet is one that the tracker takes");
  const { difference } = same.bound;
  assert.ok(difference !== undefined && difference.samples >= seconds - 1);
  assert.ok(difference.meanShare < SAME_SHARE, `${difference.meanShare} off on average`);

  setTimeouts({ tcp_timeout_time_wait: 1, tcp_timeout_established: 3 });
  const wanted = ["--set", "nf_conntrack_tcp_timeout_time_wait=1", "--set"];
  const foretold = await replay(file, ...wanted, "nf_conntrack_tcp_timeout_established=3");
  await sleep(SETTLE_MS);
  const other = await record("short.pcapng", "--for", `${seconds}s`);
  setTimeouts(TIMEOUTS);
  const truth = mean(await replay(other));
  const share = Math.abs(mean(foretold) - truth) / truth;
  assert.ok(share < OTHER_SHARE, `foretold ${mean(foretold)}, it was ${truth}, ${share} off`);
  assert.ok(mean(foretold) < 0.85 * mean(same), "the other timeout matters");
}

test("whatif of a record says about what whatif of the table says", { skip }, (context) =>
  measuredTwice(context, comparedWithTheTable),
);

async function comparedWithTheTable(): Promise<void> {
  // The test before changed timeouts.
  await sleep(SETTLE_MS);
  const set = ["--set", "nf_conntrack_tcp_timeout_time_wait=2", "--json"];
  const file = await record("whatif.pcapng", "--for", "4s");
  const [recorded, live] = await Promise.all([
    run("whatif", "--source", file, ...set),
    run("whatif", "--netns", router.router, "--observe", "4s", ...set),
  ]);
  const [one, two] = [recorded, live].map(({ stdout }) => JSON.parse(stdout) as { after: { flows: number } });
  assert.ok(one !== undefined && two !== undefined);
  const share = Math.abs(one.after.flows - two.after.flows) / two.after.flows;
  assert.ok(share < OTHER_SHARE, `${one.after.flows} of the record, ${two.after.flows} of the table`);
}

test("a record that was killed can be read to its last second", { skip }, async () => {
  const file = `${directory}/killed.pcapng`;
  const child = spawn(headroom, ["record", file, "--netns", router.router], { stdio: "ignore" });
  await sleep(3500);
  child.kill("SIGKILL");
  await once(child, "close");
  const read = await replay(file);
  assert.equal(read.capture.record.complete, false);
  assert.ok(read.capture.record.tableFlows > 100 && read.capture.record.events > 100);
  assert.doesNotMatch((await run("replay", file)).stdout, /longer than it was/u);
  const longer = await run("replay", file, "--set", "nf_conntrack_udp_timeout=60");
  assert.match(longer.stdout, /A timeout is longer than it was/u);
  const { code, stdout } = await run("whatif", "--source", file, "--set", "nf_conntrack_udp_timeout=2");
  assert.equal(code, 0, stdout);
});

test(
  "^C ends a record with its last table; a pipe takes it; a full disk leaves whole blocks",
  { skip },
  async () => {
    const file = `${directory}/interrupted.pcapng`;
    const child = spawn(headroom, ["record", file, "--netns", router.router], { stdio: "ignore" });
    await sleep(2000);
    child.kill("SIGINT");
    assert.deepEqual(await once(child, "close"), [0, null]);
    assert.equal((await replay(file)).capture.record.complete, true);

    const piped = `${directory}/piped.pcapng`;
    const output = openSync(piped, "w");
    const words = ["record", "-", "--netns", router.router, "--for", "1s"];
    const other = spawn(headroom, words, { stdio: ["ignore", output, "ignore"] });
    await once(other, "close");
    closeSync(output);
    assert.equal((await replay(piped)).capture.record.complete, true);

    const full = await run("record", "/dev/full", "--netns", router.router, "--for", "2s");
    assert.equal(full.code, 1);
    assert.match(full.stderr, /cannot write the record to \/dev\/full: no space left on device \(ENOSPC\)/u);
  },
);

test("cut off anywhere, a record gives what can be read of it or a clear error", { skip }, async () => {
  const file = await record("cut.pcapng", "--for", "1s");
  const bytes = readFileSync(file);
  const cut = `${directory}/cut-off.pcapng`;
  for (const share of [0, 0.001, 0.003, 0.01, 0.2, 0.7, 0.999]) {
    writeFileSync(cut, bytes.subarray(0, Math.floor(bytes.length * share)));
    const { code, stderr } = await run("replay", cut, "--json");
    assert.ok(code === 0 || stderr.startsWith("headroom: "), `${share}: ${code} ${stderr}`);
    assert.doesNotMatch(stderr, /\n {4}at /u);
  }
});
