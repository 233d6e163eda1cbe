/**
 * The real `headroom serve` on a table that is full all the time, with ten thousand new flows a second that
 * displace others or are dropped, a page that listens and somebody who asks: does its memory grow, does it
 * miss a second, does it stay within its budget?
 *
 * An ordinary run takes 40 seconds; HEADROOM_SOAK=1 makes it 20 minutes, of which memory is judged.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { insideNamespace, namedNamespace } from "../../src/kernel/namespace-enter.ts";
import type { FlowColumns } from "../../src/table/columns.ts";
import { Status } from "../../src/table/status.ts";
import { cpuSecondsOf, makeStorm, MIXED } from "../support/flow-storm.ts";
import { flowMaker, injectFlows } from "../support/inject.ts";
import { hearLive, residentBytes, type Served, socketsOf, startServe } from "../support/served.ts";

const isLong = process.env["HEADROOM_SOAK"] === "1";
const SECONDS = isLong ? 1200 : 40;
const WARM_UP_SECONDS = isLong ? 180 : 10;
const ASKED_EACH_SECONDS = 15;
const NEW_FLOWS_PER_SECOND = 10_000;
/** Of the table, by flows that stay and may not be displaced. */
const STANDING_SHARE = 0.97;
/** What is not a leak: pages that the allocator has and does not give back. */
const MOST_SLOPE_BYTES_PER_MINUTE = 300_000;

const skip = process.geteuid?.() === 0 ? false : "needs root, to make traffic in network namespaces";

const inNetfilter = (key: string): string => `/proc/sys/net/netfilter/nf_conntrack_${key}`;

test(
  `${SECONDS} s of a full table with ${NEW_FLOWS_PER_SECOND} new flows a second`,
  { skip },
  async (context) => {
    const directory = mkdtempSync(join(tmpdir(), "hr-soak-"));
    const capacity = Number(readFileSync(inNetfilter("max"), "utf8"));
    const storm = makeStorm({
      prefix: "hr-soak",
      newFlowsPerSecond: NEW_FLOWS_PER_SECOND,
      mixture: MIXED,
      timeoutSeconds: 20,
    });
    const count = (): number =>
      insideNamespace(namedNamespace(storm.name), () => Number(readFileSync(inNetfilter("count"), "utf8")));
    let served: Served | undefined;
    try {
      const standing = Math.floor(capacity * STANDING_SHARE);
      injectFlows(storm.name, standing, standingFlow(standing));
      served = await startServe(["--netns", storm.name, "--state", directory]);
      await storm.start();
      const page = await hearLive(served.url);
      const atStart = {
        cpu: cpuSecondsOf(served.pid),
        atMs: Date.now(),
        sockets: socketsOf(served.pid),
      };
      const memory: { minutes: number; bytes: number }[] = [];
      let [fewest, sinceWarm] = [capacity, { cpu: atStart.cpu, atMs: atStart.atMs }];
      for (let second = 0; second < SECONDS; second += 1) {
        await sleep(1000);
        fewest = second < 10 ? fewest : Math.min(fewest, count());
        if (second === WARM_UP_SECONDS) sinceWarm = { cpu: cpuSecondsOf(served.pid), atMs: Date.now() };
        if (second >= WARM_UP_SECONDS) {
          memory.push({ minutes: second / 60, bytes: residentBytes(served.pid) });
        }
        if (second % ASKED_EACH_SECONDS === 0) {
          await served.get("status");
          await served.get("series?names=occupancyFlows,dropPerSecond&points=500");
        }
        if (isLong && second % 60 === 0) {
          context.diagnostic(`${second} s: ${megabytes(residentBytes(served.pid))} MB, ${count()} flows`);
        }
      }
      const cpuShare = (cpuSecondsOf(served.pid) - sinceWarm.cpu) / ((Date.now() - sinceWarm.atMs) / 1000);
      const slope = slopeOf(memory.map(({ minutes, bytes }) => [minutes, bytes]));
      // Beside the slope that is judged: tells growth that ends from growth that goes on.
      const half = memory.slice(Math.floor(memory.length / 2));
      const later = slopeOf(half.map(({ minutes, bytes }) => [minutes, bytes]));
      const most = Math.max(...memory.map(({ bytes }) => bytes));
      const seen = await secondsSeen(served, atStart.atMs);
      const { budget } = (await served.get("status")) as { budget: { skipped: Record<string, number> } };
      context.diagnostic(
        `${(cpuShare * 100).toFixed(2)} % of a core; memory at most ${megabytes(most)} MB, ` +
          `slope ${(slope / 1000).toFixed(1)} kB a minute, second half ${(later / 1000).toFixed(1)}; ` +
          `table never below ${fewest} of ${capacity}; ` +
          `${seen.drops.toFixed(0)} dropped, ${seen.earlyDrops.toFixed(0)} displaced; ` +
          `${storm.made().flows} made; ${page.events.length} news heard; ` +
          `history ${(statSync(join(directory, "history.sqlite")).size / 1e6).toFixed(1)} MB; ` +
          `left out ${JSON.stringify(budget.skipped)}`,
      );
      assert.ok(seen.drops > 0, "packets were dropped for want of room");
      assert.deepEqual(seen.gaps, [], "every second was measured");
      assert.deepEqual(seen.notes, [], "no gap, no lost event, no second given up");
      assert.equal(budget.skipped["secondsOfHistory"], undefined);
      assert.ok(
        page.events.filter((kind) => kind === "sample").length >= SECONDS - 2,
        "the page heard each second",
      );
      assert.ok(socketsOf(served.pid) <= atStart.sockets + 4, "no socket is left open");
      if (isLong) {
        assert.ok(cpuShare < 0.01, `${cpuShare} of a core`);
        assert.ok(most < 150e6, `${most} bytes resident`);
        assert.ok(slope < MOST_SLOPE_BYTES_PER_MINUTE, `${slope} bytes a minute`);
      }
      page.stop();
      assert.equal(await served.end(), 0);
      served = undefined;
    } finally {
      await served?.end("SIGKILL");
      await storm.pause();
      storm.close();
      rmSync(directory, { recursive: true, force: true });
    }
  },
);

/** Of the kinds of flowMaker those that are answered: the kernel displaces none of them. */
function standingFlow(flows: number): (columns: FlowColumns, index: number) => void {
  const make = flowMaker(flows * 2, 1);
  let made = 0;
  return (columns) => {
    do {
      make(columns, made);
      made += 1;
    } while (((columns.status[0] as number) & Status.ASSURED) === 0);
  };
}

interface Seen {
  /** Seconds without a sample between the first and the last. */
  gaps: number[];
  /** Notes that say something was missed. */
  notes: string[];
  drops: number;
  earlyDrops: number;
}

async function secondsSeen(served: Served, fromMs: number): Promise<Seen> {
  const [from, to] = [fromMs + 2000, Date.now() - 2000];
  const names = "occupancyFlows,dropPerSecond,earlyDropPerSecond";
  const answer = await served.get(`series?names=${names}&from=${from}&to=${to}&points=5000`);
  const { atMs, stepSeconds, series } = answer as {
    atMs: number[];
    stepSeconds: number;
    series: Record<string, { avg: (number | null)[] }>;
  };
  assert.equal(stepSeconds, 1);
  const columnOf = (name: string): (number | null)[] => series[name]?.avg ?? [];
  const sum = (name: string): number =>
    columnOf(name).reduce<number>((total, each) => total + (each ?? 0), 0);
  const occupancy = columnOf("occupancyFlows");
  assert.ok(atMs.length >= (to - from) / 1000 - 2, `${atMs.length} seconds of ${(to - from) / 1000}`);
  const { notes } = (await served.get(`happenings?from=${from}&to=${to}`)) as {
    notes: { kind: string; text: string }[];
  };
  const missed = new Set(["gap", "events-lost", "sight-lost", "clock-jump"]);
  return {
    gaps: atMs.filter((_, index) => occupancy[index] === null),
    notes: notes.filter(({ kind }) => missed.has(kind)).map(({ text }) => text),
    drops: sum("dropPerSecond"),
    earlyDrops: sum("earlyDropPerSecond"),
  };
}

/** By least squares. */
function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const up = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return up / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
