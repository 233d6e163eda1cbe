/**
 * The plan held to the truth: a steady load of nginx and others across a router, a plan made while its table
 * still fills up, the plan's timeouts set, and the table in balance compared with what the plan predicted.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { measuredTwice } from "../support/measured.ts";
import { firstLine, makeRouter, SERVER_ADDRESS } from "../support/router.ts";
import { teethOf } from "../support/steady-flows.ts";
import { STEADY_CLIENT, STEADY_SERVER } from "../support/steady-load.ts";

const headroom = fileURLToPath(new URL("../../bin/headroom", import.meta.url));

/** Flows made in a second. */
const RATES = { pages: 120, held: 12, asked: 50, shouted: 30 };
/** In force while the table fills: longer than what the plan may choose, short enough for a test. */
const BEFORE = {
  tcp_timeout_established: 7440,
  tcp_timeout_time_wait: 36,
  udp_timeout: 25,
  udp_timeout_stream: 20,
};
/** Two thirds of the time until balance: how long flows last is unknown beyond the oldest one. */
const FILL_MS = 20_000;
/** When the old timeouts are over, and for how long the table is watched then. */
const SETTLE_MS = 37_000;
/** Three rounds of the collector, which comes every 26 s under this load. */
const COUNTED_SECONDS = 90;
/** Expiries a second are what is made; a fall of more than that from one second to the next was collected. */
const MADE_PER_SECOND = RATES.pages + RATES.held + RATES.asked + RATES.shouted;

const LISTED_SECONDS = 8;

interface PlanOutput {
  settings: { key: string; from: number; to: number; reason: string }[];
  predicted: {
    occupancyFlows: number;
    aliveFlows: number;
    uncollectedFlows: number;
    uncollectedPeakFlows: number;
    standardErrorFlows: number;
    lowFlows: number;
    highFlows: number;
  };
}

const directory = mkdtempSync(join(tmpdir(), "hr-plan-"));
const routed = makeRouter("hr-plan");
after(() => {
  routed.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A web server that closes each connection itself. */
const nginx = `
daemon off; master_process off; pid ${directory}/pid; error_log /dev/null;
events { worker_connections 1024; }
http {
  access_log off; keepalive_timeout 0;
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi; uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  server { listen 80; location / { return 200 "page"; } }
}
`;

function setTimeouts(settings: Readonly<Record<string, number>>): void {
  for (const [name, seconds] of Object.entries(settings)) {
    routed.run(routed.router, "sysctl", "-qw", `net.netfilter.nf_conntrack_${name}=${seconds}`);
  }
}

function occupancy(): number {
  return Number(routed.run(routed.router, "cat", "/proc/sys/net/netfilter/nf_conntrack_count"));
}

async function everySecond(times: number, measure: () => number): Promise<number[]> {
  const values: number[] = [];
  for (let time = 0; time < times; time += 1) {
    values.push(measure());
    await sleep(1000);
  }
  return values;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Twice, and a little. */
const LIMIT_MS = 420_000;

test(
  "the use a plan predicts while the table fills is the use in balance, within 5 %",
  { timeout: LIMIT_MS },
  (context) =>
    measuredTwice(context, async () => {
      const started: ChildProcess[] = [];
      try {
        await predictAndCount(context, (...words) => {
          const child = routed.start(...words);
          started.push(child);
          return child;
        });
      } finally {
        // What is measured again begins with an empty table, and with ports that nobody holds.
        await Promise.all(started.map(ended));
        routed.run(routed.router, "conntrack", "-F");
      }
    }),
);

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill();
  await exit;
}

async function predictAndCount(context: TestContext, start: typeof routed.start): Promise<void> {
  writeFileSync(join(directory, "nginx.conf"), nginx);
  setTimeouts(BEFORE);
  const server = start(routed.server, process.execPath, "-e", STEADY_SERVER);
  start(routed.server, "nginx", "-e", "/dev/null", "-c", join(directory, "nginx.conf"));
  assert.equal(await firstLine(server), "ready");
  await sleep(500);
  const client = start(
    routed.client,
    process.execPath,
    "-e",
    STEADY_CLIENT,
    SERVER_ADDRESS,
    JSON.stringify(RATES),
  );
  assert.equal(await firstLine(client), "started");
  await sleep(FILL_MS);

  // A peak that no memory holds: every timeout that matters is shortened as far as the RFCs allow.
  const args = [
    "plan",
    "--netns",
    routed.router,
    "--observe",
    "10s",
    "--peak",
    "10000",
    "--memory-budget",
    "1M",
  ];
  const planned = spawnSync(headroom, [...args, "--json"], { encoding: "utf8" });
  assert.equal(planned.status, 0, planned.stderr);
  const plan = JSON.parse(planned.stdout) as PlanOutput;
  const fillingFlows = occupancy();
  const timeouts = plan.settings.filter(({ key }) => key.includes("timeout"));
  setTimeouts(Object.fromEntries(timeouts.map(({ key, to }) => [key.replace("nf_conntrack_", ""), to])));
  await sleep(SETTLE_MS);

  const counts = await everySecond(COUNTED_SECONDS, occupancy);
  // A reading collects what has expired: from here on the count is that of the flows alive.
  const listed: number[] = [];
  const countedAlive = await everySecond(LISTED_SECONDS, () => {
    listed.push(Number(routed.run(routed.router, "sh", "-c", "wc -l < /proc/net/nf_conntrack")));
    return occupancy();
  });
  const last = new Promise<string>((resolve) => {
    client.stdout?.once("data", (chunk: Buffer) => resolve(String(chunk)));
  });
  client.kill("SIGTERM");
  const { occupancyFlows, aliveFlows, uncollectedFlows, uncollectedPeakFlows, standardErrorFlows } =
    plan.predicted;
  // A reading by anybody ends a round early, and flows of others that last long make it a longer one.
  const roundSeconds = (2 * uncollectedFlows) / MADE_PER_SECOND;
  const samples = counts.map((flows, atSeconds) => ({ flows, atSeconds }));
  const allRounds = teethOf(samples, MADE_PER_SECOND);
  const rounds = allRounds.filter(({ seconds }) => Math.abs(seconds / roundSeconds - 1) < 0.2);
  const countedMean = mean(rounds.map(({ meanFlows }) => meanFlows));
  const countedPeak = mean(rounds.map(({ peakFlows }) => peakFlows));
  const errorText = (predicted: number, found: number): string =>
    `${found.toFixed(0)} (${((predicted / found - 1) * 100).toFixed(2)} %)`;
  context.diagnostic(
    `predicted ${aliveFlows} +- ${standardErrorFlows.toFixed(0)} alive, ` +
      `listed ${errorText(aliveFlows, mean(listed))}, ` +
      `counted after listing ${errorText(aliveFlows, mean(countedAlive))}; ` +
      `predicted ${occupancyFlows} with the expired ones, ` +
      `counted ${errorText(occupancyFlows, countedMean)} ` +
      `in ${rounds.length} undisturbed rounds of ${roundSeconds.toFixed(0)} s (all: ` +
      `${allRounds.map(({ seconds }) => seconds).join(" ")}), up to ` +
      `${errorText(aliveFlows + uncollectedPeakFlows, countedPeak)}, ${mean(counts).toFixed(0)} in all; ` +
      `while filling ${fillingFlows}; ` +
      `${timeouts.map(({ key, to }) => `${key}=${to}`).join(" ")}; made ${(await last).trim()}`,
  );
  assert.ok(
    timeouts.some(({ key, to }) => key.endsWith("time_wait") && to === 30),
    planned.stdout,
  );
  assert.ok(
    timeouts.some(({ key, to }) => key.endsWith("udp_timeout") && to === 10),
    planned.stdout,
  );
  assert.ok(fillingFlows < occupancyFlows * 0.98, `the table was full of flows already: ${fillingFlows}`);
  for (const found of [mean(listed), mean(countedAlive)]) {
    assert.ok(Math.abs(aliveFlows / found - 1) <= 0.05, `predicted ${aliveFlows}, found ${found}`);
  }
  // Whoever lists any table of this machine meanwhile collects expired flows of this one, too.
  const most = aliveFlows + Math.max(uncollectedPeakFlows, 2 * uncollectedFlows);
  assert.ok(mean(counts) >= aliveFlows * 0.95, `predicted ${aliveFlows} alive, counted ${mean(counts)}`);
  assert.ok(mean(counts) <= most * 1.05, `predicted ${most} at most, counted ${mean(counts)}`);
  if (rounds.length === 0) {
    context.diagnostic(
      "others listed flows all the time: what counts could not be held to what is predicted",
    );
    return;
  }
  const { lowFlows, highFlows } = plan.predicted;
  const inRange = countedMean >= lowFlows && countedMean <= highFlows;
  const off = Math.abs(occupancyFlows / countedMean - 1);
  const range = `${lowFlows} to ${highFlows}`;
  assert.ok(off <= 0.05 || inRange, `predicted ${occupancyFlows} (${range}), counted ${countedMean}`);
}
