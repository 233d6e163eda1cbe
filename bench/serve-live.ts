/**
 * The real `headroom serve` beside `conntrack -E >/dev/null`, both on the same traffic at the same time: a
 * table of a million flows and ten thousand new ones a second. What counts is processor time of either
 * process, by /proc/PID/stat over the same minutes, after both have found their pace.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { insideNamespace, namedNamespace } from "../src/kernel/namespace-enter.ts";
import { cpuSecondsOf, makeStorm, type Storm, type StormMixture } from "../test/support/flow-storm.ts";
import { flowMaker, injectFlows, raiseSettings, startGuard, writeSetting } from "../test/support/inject.ts";
import { residentBytes, startServe } from "../test/support/served.ts";
import type { BenchOutput } from "./bench.ts";

export interface ServeLoad {
  /** In the table before the traffic; they stay. */
  standingFlows: number;
  newFlowsPerSecond: number;
  mixture: StormMixture;
  /** Not measured: what is done once at the start, and what is compiled while it runs. */
  warmUpSeconds: number;
  seconds: number;
}

const CPU_SHARE = 0.01;
const AGAINST_CONNTRACK = 0.2;
const MEMORY_BYTES = 150e6;
/** Room for flows whose time is over and which the kernel has not collected yet. */
const SPARE_FLOWS = 1_200_000;

export async function measureServe(load: ServeLoad, out: BenchOutput): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "hr-bench-serve-"));
  const saved = raiseSettings({ flows: 1_000_000, capacityFlows: load.standingFlows + SPARE_FLOWS });
  const storm = makeStorm({ prefix: "hr-bench-serve", ...load });
  const guard = startGuard(storm.name, saved);
  const children: ChildProcess[] = [];
  try {
    injectFlows(storm.name, load.standingFlows, flowMaker(load.standingFlows, 1));
    await storm.start();
    const other = spawn("ip", ["netns", "exec", storm.name, "conntrack", "-E"], { stdio: "ignore" });
    children.push(other);
    const { child, pid, url } = await startServe(["--netns", storm.name, "--state", directory]);
    children.push(child);
    await sleep(load.warmUpSeconds * 1000);
    await compare(load, { storm, serve: pid, other: pidOf(other), url }, out);
  } finally {
    for (const child of children) child.kill("SIGTERM");
    await storm.pause();
    storm.close();
    for (const { path, value } of saved) writeSetting(path, value);
    guard.stdin?.end("done\n");
    for (const child of children)
      if (child.exitCode === null && child.signalCode === null) await once(child, "close");
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Running {
  storm: Storm;
  serve: number;
  other: number;
  url: string;
}

async function compare(load: ServeLoad, running: Running, out: BenchOutput): Promise<void> {
  const { storm, serve, other, url } = running;
  const before = { atMs: performance.now(), serve: cpuSecondsOf(serve), other: cpuSecondsOf(other) };
  const [sent, flowsBefore] = [storm.cpuSeconds() ?? 0, storm.made().flows];
  let [most, occupancy] = [0, 0];
  for (let second = 0; second < load.seconds; second += 1) {
    await sleep(1000);
    most = Math.max(most, residentBytes(serve));
    occupancy += countOf(storm.name);
  }
  const seconds = (performance.now() - before.atMs) / 1000;
  const ours = (cpuSecondsOf(serve) - before.serve) / seconds;
  const theirs = (cpuSecondsOf(other) - before.other) / seconds;
  const status = (await (await fetch(`${url}api/v1/status`)).json()) as Record<string, unknown>;
  out.figure("flows in the table, mean", occupancy / load.seconds, "flows");
  out.figure("new flows", (storm.made().flows - flowsBefore) / seconds, "a second");
  out.figure("sending them", (((storm.cpuSeconds() ?? 0) - sent) / seconds) * 100, "% of a core");
  out.figure("headroom serve", ours * 100, "% of a core");
  out.figure("conntrack -E", theirs * 100, "% of a core");
  out.ratio("headroom serve / conntrack -E", ours / theirs, AGAINST_CONNTRACK);
  out.ratio("headroom serve / the budget of 1 %", ours / CPU_SHARE, 1);
  out.figure("resident memory, most", most / 1e6, "MB");
  out.ratio("that against 150 MB", most / MEMORY_BYTES, 1);
  out.note(`watched: ${JSON.stringify({ budget: status["budget"], events: eventsOf(status["events"]) })}`);
}

function eventsOf(events: unknown): unknown {
  if (typeof events !== "object" || events === null) return "not followed";
  const { rates: _rates, ends: _ends, ...rest } = events as Record<string, unknown>;
  return rest;
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error("A program could not be started");
  return pid;
}

function countOf(name: string): number {
  const file = "/proc/sys/net/netfilter/nf_conntrack_count";
  return insideNamespace(namedNamespace(name), () => Number(readFileSync(file, "utf8")));
}
