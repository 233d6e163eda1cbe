/**
 * One scrape of /metrics against one of Debian's node_exporter, on this host: how long it takes, and what it
 * costs the process that answers. Both are asked as Prometheus asks: over a connection that stays, packed,
 * OpenMetrics where there is any.
 *
 * Scrapes one after the other get the text of the same second from `headroom serve`; Prometheus comes every
 * some seconds and gets a new one. Both are measured: the latter once a second, less what the watcher costs
 * by itself in the same time.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { type Answering, missing, startNodeExporter, startServe } from "../test/support/metrics-programs.ts";
import { injectTable } from "../test/support/inject.ts";
import { until } from "../test/support/served.ts";
import { type BenchOutput, median } from "./bench.ts";

export const name = "metrics";
export const about =
  "a scrape of /metrics against one of node_exporter: time, and CPU of the process that answers";
/** Scrapes one after the other. */
export const small = 3;
export const smallResult = "3 scrapes of each";
export const large = 500;

/** So many of them are made once a second as well. */
const PACED_SHARE = 0.1;
const FLOWS = 20_000;
const HEADERS = {
  accept:
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
  "accept-encoding": "gzip",
};

export async function run(scrapes: number, out: BenchOutput): Promise<void> {
  const reason = process.geteuid?.() === 0 ? missing("prometheus-node-exporter", "ip") : "needs root";
  if (reason !== false) {
    out.skip(reason);
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), "hr-bench-metrics-"));
  const table = injectTable({ flows: FLOWS, prefix: "hr-bench-metrics" });
  const started: Answering[] = [];
  try {
    const file = join(directory, "headroom.toml");
    // Nothing that comes and goes shall be taken for the cost of a scrape.
    const watch = '[watch]\nevents = false\ncensus_interval = "1h"\ncensus_longest_interval = "1h"\n';
    writeFileSync(file, `${watch}[server]\nrequests_per_second = 100000\n`);
    const words = ["--netns", table.name, "--state", join(directory, "state"), "--config", file];
    const serve = await startServe(words);
    started.push(serve);
    const exporter = await startNodeExporter();
    started.push(exporter);
    await until("the first census is there", async () =>
      (await (await fetch(`${serve.url}/metrics`)).text()).includes("headroom_census_flows"),
    );
    await measure({ serve, exporter }, scrapes, out);
  } finally {
    for (const program of started) await program.stop();
    table.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(
  { serve, exporter }: { serve: Answering; exporter: Answering },
  scrapes: number,
  out: BenchOutput,
): Promise<void> {
  const isLarge = scrapes >= large;
  for (const program of [serve, exporter]) await inARow(program, Math.min(scrapes, 100));
  const [ours, theirs] = [await inARow(serve, scrapes), await inARow(exporter, scrapes)];
  out.figure("headroom, one after the other", ours.milliseconds, "ms");
  out.figure("node_exporter, one after the other", theirs.milliseconds, "ms");
  out.figure("CPU of headroom for each", ours.cpuMilliseconds, "ms");
  out.figure("CPU of node_exporter for each", theirs.cpuMilliseconds, "ms");
  out.figure("headroom's answer, packed", ours.bytes, "bytes");
  out.figure("node_exporter's answer, packed", theirs.bytes, "bytes");
  out.ratio(
    "time, headroom : node_exporter",
    ours.milliseconds / theirs.milliseconds,
    isLarge ? 1 : undefined,
  );
  out.ratio(
    "CPU, headroom : node_exporter",
    ours.cpuMilliseconds / theirs.cpuMilliseconds,
    isLarge ? 1 : undefined,
  );
  if (isLarge) await paced({ serve, exporter }, Math.round(scrapes * PACED_SHARE), out);
  out.result(`${scrapes} scrapes of each`);
}

async function paced(
  { serve, exporter }: { serve: Answering; exporter: Answering },
  scrapes: number,
  out: BenchOutput,
): Promise<void> {
  const before = cpuMilliseconds(serve.pid);
  await sleep(scrapes * 1000);
  const idle = cpuMilliseconds(serve.pid) - before;
  const [ours, theirs] = await Promise.all([onceASecond(serve, scrapes), onceASecond(exporter, scrapes)]);
  const ownMilliseconds = Math.max(0, ours.cpuMilliseconds - idle / scrapes);
  out.figure("headroom, once a second", ours.milliseconds, "ms");
  out.figure("node_exporter, once a second", theirs.milliseconds, "ms");
  out.figure("CPU of headroom for each, less that of the watch", ownMilliseconds, "ms");
  out.figure("CPU of node_exporter for each, once a second", theirs.cpuMilliseconds, "ms");
  out.ratio("time, once a second", ours.milliseconds / theirs.milliseconds, 1);
  out.ratio("CPU, once a second", ownMilliseconds / theirs.cpuMilliseconds, 1);
}

interface Scraped {
  /** Of one scrape, the median. */
  milliseconds: number;
  /** Of one scrape, on average. */
  cpuMilliseconds: number;
  bytes: number;
}

async function inARow(program: Answering, scrapes: number): Promise<Scraped> {
  return scraped(program, scrapes, async () => undefined);
}

function onceASecond(program: Answering, scrapes: number): Promise<Scraped> {
  return scraped(program, scrapes, (startedMs) => sleep(Math.max(0, 1000 - (performance.now() - startedMs))));
}

async function scraped(
  { url, pid }: Answering,
  scrapes: number,
  pause: (startedMs: number) => Promise<void>,
): Promise<Scraped> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  let bytes = 0;
  const before = cpuMilliseconds(pid);
  for (let scrape = 0; scrape < scrapes; scrape += 1) {
    const startedMs = performance.now();
    bytes = await scrapeOnce(`${url}/metrics`, agent);
    times.push(performance.now() - startedMs);
    await pause(startedMs);
  }
  const spent = cpuMilliseconds(pid) - before;
  agent.destroy();
  return { milliseconds: median(times), cpuMilliseconds: spent / scrapes, bytes };
}

function scrapeOnce(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, headers: HEADERS }, (answer) => {
      let bytes = 0;
      answer.on("data", (chunk: Uint8Array) => (bytes += chunk.length));
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve(bytes);
        else reject(new Error(`${url} answered ${answer.statusCode}`));
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** Processor time of a process, all its threads (proc_pid_schedstat: nanoseconds on a processor). */
function cpuMilliseconds(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = tasks.map((task) => {
    const [ran = "0"] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ");
    return Number(ran);
  });
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}
