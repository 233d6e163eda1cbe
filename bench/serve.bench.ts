/**
 * What watching costs: the real `headroom serve` at 1,000,000 flows and 10,000 new ones a second against
 * `conntrack -E >/dev/null` on the same traffic. The small size is seconds of the watcher over a host in
 * memory, and needs no privilege. What drawing 30 days costs is the history bench's.
 */
import { spawnSync } from "node:child_process";

import { ManualClock } from "../src/base/clock.ts";
import { Watcher } from "../src/watch/watch.ts";
import { FakeWatchedHost, MemoryHistory } from "../test/support/fake-watched-host.ts";
import { SHOUTED } from "../test/support/flow-storm.ts";
import type { BenchOutput } from "./bench.ts";
import { measureServe } from "./serve-live.ts";

export const name = "serve";
export const about = "watching 1,000,000 flows and 10,000 new ones a second against conntrack -E";
export const small = { from: "memory", seconds: 60 } as const;
export const smallResult = "60 seconds remembered";
export const large = {
  from: "the kernel",
  // With those that come and go, and wait to be collected, about a million.
  standingFlows: 850_000,
  newFlowsPerSecond: 10_000,
  // The fewest events a flow can have: any other traffic costs conntrack -E more.
  mixture: SHOUTED,
  warmUpSeconds: 60,
  seconds: 120,
} as const;

export async function run(size: typeof small | typeof large, out: BenchOutput): Promise<void> {
  if (size.from === "memory") return runMemory(size.seconds, out);
  if (process.getuid?.() !== 0) return out.skip("needs root, to make traffic in network namespaces");
  if (spawnSync("conntrack", ["--version"]).error !== undefined) return out.skip("needs conntrack(8)");
  await measureServe(size, out);
  out.result("measured");
}

async function runMemory(seconds: number, out: BenchOutput): Promise<void> {
  const clock = new ManualClock(Date.UTC(2026, 2, 1));
  const history = new MemoryHistory();
  const watcher = new Watcher({
    host: new FakeWatchedHost(),
    history,
    clock,
    cpuSeconds: () => 0,
    pause: () => Promise.resolve(),
  });
  const start = performance.now();
  for (let second = 0; second < seconds; second += 1) {
    await watcher.second();
    await watcher.settled();
    clock.advance(1000);
  }
  out.figure("a second of the watcher", ((performance.now() - start) * 1000) / seconds, "us");
  out.result(`${history.seconds.length} seconds remembered`);
}
