/**
 * `headroom whatif` against the truth: real hosts talk through a router, the command says how many flows
 * another timeout would leave, the timeout is changed, and when the old ones have run out the flows are
 * counted. All scenarios run at once, each through a router of its own. WHATIF_SEED repeats a run.
 *
 * Chance that nobody can foretell is kept small: new flows come at even intervals (came they at random, two
 * thousand of them would scatter by 2 % by themselves), only those that talk now and then do so at random.
 * The estimator does not know that, and states the error of random arrivals.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Traffic } from "../support/flow-traffic.ts";
import { measuredTwice } from "../support/measured.ts";
import { firstLine, makeRouter, type Router, SERVER_ADDRESS } from "../support/router.ts";

const headroom = fileURLToPath(new URL("../../bin/headroom", import.meta.url));
const program = fileURLToPath(new URL("../support/flow-traffic.ts", import.meta.url));
const seed = Number(process.env["WHATIF_SEED"] ?? 1);

/** Closing states are short everywhere; no cap is near the timeouts tried. */
const TIMEOUTS = {
  tcp_timeout_close: 1,
  tcp_timeout_syn_sent: 5,
  tcp_timeout_syn_recv: 5,
  tcp_timeout_fin_wait: 5,
  tcp_timeout_close_wait: 5,
  tcp_timeout_last_ack: 5,
  tcp_timeout_time_wait: 10,
  udp_timeout: 15,
  udp_timeout_stream: 20,
};

/** The truth is their median: another test may resize the hash under a listing. */
const COUNTINGS = 5;
const COUNTING_MS = 2000;

interface Scenario {
  name: string;
  traffic: Omit<Traffic, "address" | "seed">;
  /** In force while observed, besides TIMEOUTS. */
  timeouts: Readonly<Record<string, number>>;
  /** Tried, then set. */
  wanted: Readonly<Record<string, number>>;
  /** From the beginning until it is observed. */
  observeAfterSeconds: number;
  /**
   * Low to high must be within this share to either side, about twice what it is as a rule: an answer that
   * says nothing is none.
   */
  mostRangeShare: number;
}

const scenarios: readonly Scenario[] = [
  {
    name: "in balance, shorter",
    traffic: {
      busy: 200,
      slow: { flows: 300, meanSeconds: 6 },
      idlePerSecond: 80,
      shortPerSecond: 20,
      oneWayPerSecond: 50,
      streams: { flows: 100, meanSeconds: 4 },
    },
    timeouts: { tcp_timeout_established: 22 },
    wanted: { tcp_timeout_established: 12, tcp_timeout_time_wait: 5 },
    observeAfterSeconds: 26,
    mostRangeShare: 0.15,
  },
  {
    name: "in balance, longer",
    traffic: {
      busy: 200,
      slow: { flows: 200, meanSeconds: 5 },
      idlePerSecond: 80,
      oneWayPerSecond: 60,
      oneWaySlow: { flows: 200, meanSeconds: 5 },
    },
    timeouts: { tcp_timeout_established: 20 },
    wanted: { tcp_timeout_established: 30, udp_timeout: 20 },
    observeAfterSeconds: 23,
    mostRangeShare: 0.25,
  },
  {
    name: "still filling up",
    traffic: { busy: 200, slow: { flows: 200, meanSeconds: 3 }, idlePerSecond: 90, shortPerSecond: 10 },
    timeouts: { tcp_timeout_established: 45 },
    wanted: { tcp_timeout_established: 30 },
    observeAfterSeconds: 10,
    mostRangeShare: 0.4,
  },
  {
    name: "a batch nobody follows",
    traffic: { busy: 200, idlePerSecond: 60, batch: { flows: 1500, atSeconds: 1 }, oneWayPerSecond: 60 },
    timeouts: { tcp_timeout_established: 45 },
    wanted: { tcp_timeout_established: 25 },
    observeAfterSeconds: 16,
    mostRangeShare: 0.2,
  },
];

interface Answer {
  before: { flows: number };
  after: { flows: number; standardErrorFlows: number; lowFlows: number; highFlows: number };
  byState: { protocol: string; state?: string; before: number; after: number }[];
}

interface Counted {
  flows: number;
  byProtocol: unknown;
  byState: unknown;
}

async function json(...args: string[]): Promise<unknown> {
  const child = spawn(headroom, [...args, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  const [code] = (await once(child, "close")) as [number];
  assert.equal(code, 0, text);
  return JSON.parse(text);
}

function setTimeouts(router: Router, timeouts: Readonly<Record<string, number>>): void {
  const words = Object.entries(timeouts).map(([key, value]) => `net.netfilter.nf_conntrack_${key}=${value}`);
  router.run(router.router, "sysctl", "-qw", ...words);
}

/** What was foretold, and what came. */
async function foretell(
  router: Router,
  scenario: Scenario,
): Promise<{ answer: Answer; truth: number; states: string }> {
  const { traffic, timeouts, wanted, observeAfterSeconds } = scenario;
  setTimeouts(router, { ...TIMEOUTS, ...timeouts });
  assert.equal(await firstLine(router.start(router.server, process.execPath, program, "server")), "ready");
  const sent = JSON.stringify({ ...traffic, address: SERVER_ADDRESS, seed });
  assert.equal(
    await firstLine(router.start(router.client, process.execPath, program, "client", sent)),
    "ready",
  );
  await sleep(observeAfterSeconds * 1000);
  const sets = Object.entries(wanted).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const answer = (await json("whatif", "--netns", router.router, "--observe", "10s", ...sets)) as Answer;
  setTimeouts(router, wanted);
  // A flow that spoke just before the change keeps what it was given then.
  const longest = Math.max(...Object.values({ ...TIMEOUTS, ...timeouts }), ...Object.values(wanted));
  await sleep((longest + 2) * 1000);
  const counts: Counted[] = [];
  for (let count = 0; count < COUNTINGS; count++) {
    counts.push((await json("explain", "--netns", router.router)) as Counted);
    await sleep(COUNTING_MS);
  }
  const sorted = counts.map(({ flows }) => flows).toSorted((one, other) => one - other);
  const truth = sorted[(COUNTINGS - 1) / 2] ?? assert.fail();
  const states = JSON.stringify([counts.at(-1)?.byProtocol, counts.at(-1)?.byState]);
  return { answer, truth, states };
}

/** For nft: unanswered UDP stays unanswered, also by ICMP. */
const DROP_UNKNOWN =
  "add table inet quiet; " +
  "add chain inet quiet input { type filter hook input priority 0; }; " +
  "add rule inet quiet input udp dport != 7001 drop";

const routers: Router[] = [];
after(() => {
  for (const router of routers) router.close();
});

function begin(scenario: Scenario): ReturnType<typeof foretell> {
  const router = makeRouter(`hr-wi${routers.length}`);
  routers.push(router);
  router.run(router.server, "nft", DROP_UNKNOWN);
  return foretell(router, scenario);
}

/** All begin at once. What goes wrong in one is told by its own test, which may be waited for later. */
const begun = scenarios.map((scenario) => {
  const first = begin(scenario);
  first.catch(() => {});
  return { scenario, first };
});

for (const { scenario, first } of begun) {
  const { name, mostRangeShare } = scenario;
  test(`${name}: what was foretold comes true`, async (context) => {
    let next = (): ReturnType<typeof foretell> => first;
    await measuredTwice(context, async () => {
      const measured = next();
      next = () => begin(scenario);
      holdToTruth(context, await measured, mostRangeShare);
    });
  });
}

function holdToTruth(
  context: TestContext,
  { answer, truth, states }: Awaited<ReturnType<typeof foretell>>,
  mostRangeShare: number,
): void {
  const { flows, standardErrorFlows, lowFlows, highFlows } = answer.after;
  const off = Math.abs(flows - truth);
  const figures =
    `before ${answer.before.flows}, foretold ${flows.toFixed(0)} ±${standardErrorFlows.toFixed(0)} ` +
    `(${lowFlows.toFixed(0)} to ${highFlows.toFixed(0)}), counted ${truth.toFixed(0)}, ` +
    `off by ${((100 * (flows - truth)) / truth).toFixed(1)} %`;
  context.diagnostic(figures);
  if (process.env["WHATIF_SEED"] !== undefined) context.diagnostic(JSON.stringify(answer.byState) + states);
  const within = off <= 0.02 * truth || (truth >= lowFlows && truth <= highFlows);
  assert.ok(within, `${figures}\n${JSON.stringify(answer.byState)}\n${states}`);
  assert.ok((highFlows - lowFlows) / 2 <= mostRangeShare * flows, figures);
}
