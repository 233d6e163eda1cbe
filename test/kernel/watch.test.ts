/** The watcher on the running kernel: a namespace with traffic, a setting changed under it, and its end. */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { after, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { systemClock } from "../../src/base/clock.ts";
import { openHostToWatch } from "../../src/cli/serve/host-to-watch.ts";
import { openBytes, openHost } from "../../src/kernel/kernel.ts";
import { makeForecast, whatIf } from "../../src/plan/plan.ts";
import { Watcher, type WatchNews } from "../../src/watch/watch.ts";
import { MemoryHistory } from "../support/fake-watched-host.ts";
import { startGuard } from "../support/inject.ts";

const name = `hr-watch-${process.pid}`;
const guard = startGuard(name);
after(() => {
  spawnSync("ip", ["netns", "del", name], { stdio: "ignore" });
  guard.stdin?.end("done\n");
});
execFileSync("ip", ["netns", "add", name]);
execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
execFileSync("ip", ["netns", "exec", name, "nft", "-f", "-"], {
  input:
    "table inet track { chain out { type filter hook output priority 0; ct state invalid counter; }; }\n",
});

/** Each turn of a tenth of a second so many datagrams to port 4711, each of a flow of its own. */
const TRAFFIC = `
  const socket = require("node:dgram").createSocket("udp4");
  let host = 0;
  setInterval(() => {
    for (let made = 0; made < 20; made++) {
      host += 1;
      socket.send("x", 4711, "127." + (1 + (host >> 16)) + "." + ((host >> 8) & 255) + "." + (host & 255));
    }
  }, 100);
`;

function inNamespace(command: string, ...args: string[]): string {
  return execFileSync("ip", ["netns", "exec", name, command, ...args], { encoding: "utf8" });
}

/** Seconds of the watcher, by the real clock. */
async function pass(watcher: Watcher, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await watcher.second();
    await wait(1000);
  }
}

test("a namespace is watched: its traffic, a setting that changes, its end", async (context) => {
  const host = openHostToWatch({
    clock: systemClock,
    kernel: { openBytes, openHost },
    namespace: name,
    followLog: false,
    countNamespaces: true,
  });
  const history = new MemoryHistory();
  const watcher = new Watcher({
    host,
    history,
    clock: systemClock,
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    // A program that has just begun is slow: with the usual share the second census may come too late.
    allowedCpuShare: 0.2,
    forecast: makeForecast,
  });
  const news: WatchNews[] = [];
  watcher.subscribe((each) => news.push(each));
  const traffic = spawn("ip", ["netns", "exec", name, process.execPath, "-e", TRAFFIC]);
  try {
    await pass(watcher, 12);
    assert.ok(watcher.state().observation?.first !== undefined, "two readings are an observation");
    inNamespace("sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=77");
    await pass(watcher, 2);
    await watcher.settled();
    await watcher.second();
    const state = watcher.state();

    const occupied = history.seconds.map(({ sample }) => sample.values.occupancyFlows);
    assert.equal(occupied.length, 15);
    const last = occupied.at(-1) ?? 0;
    assert.ok(last > 500, `${last} flows`);
    assert.ok(state.census !== undefined && state.census.census.flows > 100);
    assert.ok(state.observation !== undefined);
    assert.equal(state.facts.host.tracker, "nf_conntrack");
    assert.notEqual(state.verdict.level, "unknown");

    assert.deepEqual(
      history.settingChanges().map(({ key, from, to }) => [key, from, to]),
      [["nf_conntrack_udp_timeout", 30, 77]],
    );
    assert.equal(news.filter(({ kind }) => kind === "setting").length, 1);
    context.diagnostic(`suspects: ${history.settingChanges()[0]?.suspects.join("; ")}`);

    const udp = state.events?.rates.find(({ protocol, port }) => protocol === "udp" && port === 4711);
    assert.ok(udp !== undefined, JSON.stringify(state.events));
    const error = Math.max(20, 5 * udp.standardErrorPerSecond);
    const grown = (last - (occupied[3] ?? 0)) / 11;
    assert.ok(
      Math.abs(udp.arrivalsPerSecond - grown) < grown / 2 + error,
      `${udp.arrivalsPerSecond}, ${grown}`,
    );
    context.diagnostic(JSON.stringify(state.events));
    context.diagnostic(JSON.stringify(state.budget));

    const { observation, facts } = state;
    const answer = whatIf(
      { observation, host: facts.host, settings: facts.settings.values, silentServices: [] },
      { nf_conntrack_udp_timeout: 5 },
    );
    assert.ok(answer.after.flows < last, `${answer.after.flows} of ${last}`);

    traffic.kill();
    execFileSync("ip", ["netns", "del", name]);
    // The kernel lets a namespace go when the last process and socket have left it.
    await pass(watcher, 3);
    const gone = history.notes().filter(({ kind }) => kind === "sight-lost");
    assert.ok(
      gone.some(({ text }) => text.startsWith("Unavailable: the table")),
      JSON.stringify(gone),
    );
    assert.equal(history.seconds.at(-1)?.sample.values.occupancyFlows, undefined);
    assert.equal(watcher.state().events, undefined);
  } finally {
    traffic.kill();
    await watcher.stop();
    host.close();
  }
  assert.equal(watcher.listeners, 0);
});
