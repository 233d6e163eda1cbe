/**
 * How fast a saved listing is read: every field of every line into columns, against mawk, which splits the
 * same lines into words and counts one of them. Both are processes from start to end; the reading alone is
 * measured in here too.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Random, seededRandom } from "../src/base/random.ts";
import { openBytes } from "../src/kernel/kernel.ts";
import { readListing } from "../src/listing/listing.ts";
import type { FlowColumns } from "../src/table/columns.ts";
import { type BenchOutput, median } from "./bench.ts";

export const name = "listing";
export const about =
  "a saved /proc/net/nf_conntrack, every field of it, against mawk counting one word a line";
export const small = 3000;
export const smallResult = "3000 flows, 198988c8";
export const large = 1_000_000;

const headroom = fileURLToPath(new URL("../bin/headroom", import.meta.url));
const MAWK = ["{c[$6]++} END{for(k in c) print k,c[k]}"] as const;

/** The promises: no slower than mawk, and in so much memory. */
const AT_MOST = 1;
const AT_MOST_MB = 150;
const RUNS = 7;

export function run(flows: number, out: BenchOutput): void {
  const directory = mkdtempSync(join(tmpdir(), "headroom-listing-"));
  try {
    const path = join(directory, "nf_conntrack");
    writeListing(path, flows);
    out.result(readOnce(path));
    if (flows >= large) measure(path, flows, out);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function measure(path: string, flows: number, out: BenchOutput): void {
  const commands = [
    ["mawk", [...MAWK, path]],
    [headroom, ["explain", "--source", path]],
  ] as const;
  const times: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round <= RUNS; round++) {
    // In turn, so that a busy machine slows all. The first round fills the caches.
    const found = commands.map(([command, args]) => timeOf(command, args));
    const start = performance.now();
    readOnce(path);
    found.push(performance.now() - start);
    if (found.includes(undefined)) return out.skip("mawk is not installed");
    if (round > 0) found.forEach((time, index) => times[index]?.push(time ?? 0));
  }
  const [mawk, explain, reading] = times.map((list) => median(list)) as [number, number, number];
  out.figure("size of the listing", statSync(path).size / 1e6, "MB");
  out.figure("mawk", mawk, "ms");
  out.figure("reading every field, in a warm process", reading, "ms");
  out.figure("reading one line", (reading / flows) * 1e6, "ns");
  out.figure("headroom explain, from start to end", explain, "ms");
  const peak = peakMegabytes(path);
  if (peak !== undefined)
    out.ratio(`peak memory of headroom explain, of ${AT_MOST_MB} MB`, peak / AT_MOST_MB, 1);
  out.ratio("reading every field against mawk", reading / mawk, AT_MOST);
  out.ratio("headroom explain against mawk", explain / mawk, AT_MOST);
}

/** Milliseconds a command takes; undefined when it cannot be run. */
function timeOf(command: string, args: readonly string[]): number | undefined {
  const start = performance.now();
  const { error, status } = spawnSync(command, args, { stdio: "ignore" });
  return error === undefined && status === 0 ? performance.now() - start : undefined;
}

/** The most memory `headroom explain` had, told by itself at its end. */
function peakMegabytes(path: string): number | undefined {
  const tell =
    'if(process.getBuiltinModule("node:worker_threads").isMainThread)' +
    'process.on("exit",()=>process.stderr.write(`\\npeak ${process.resourceUsage().maxRSS}\\n`))';
  const { stderr } = spawnSync(headroom, ["explain", "--source", path], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tell)}` },
  });
  const kilobytes = /^peak (\d+)$/m.exec(stderr)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1000;
}

/** Reads the listing as every command does; gives what was in it. */
function readOnce(path: string): string {
  const listing = readListing(openBytes(path), { origin: path });
  let flows = 0;
  let sum = 0;
  for (const columns of listing.batches() as Iterable<FlowColumns>) {
    flows += columns.count;
    sum = checksum(columns, sum);
  }
  return `${flows} flows, ${sum.toString(16)}`;
}

/** Depends on every column that is read; unknown to any shortcut. */
function checksum(columns: FlowColumns, before: number): number {
  let sum = before;
  for (let row = 0; row < columns.count; row++) {
    const words =
      (columns.originalSource[row * 4] as number) ^
      (columns.originalDestination[row * 4] as number) ^
      Math.imul(columns.replySource[row * 4] as number, 3) ^
      Math.imul(columns.replyDestination[row * 4] as number, 5);
    const ports =
      (columns.originalSourceDiscriminator[row] as number) ^
      (columns.replySourceDiscriminator[row] as number);
    const rest =
      (columns.timeoutSeconds[row] as number) +
      (columns.status[row] as number) +
      (columns.has[row] as number) +
      (columns.use[row] as number);
    sum = (Math.imul(sum, 31) + words + ports + rest) >>> 0;
  }
  return sum;
}

/** What a web server's table holds: mostly TCP of both families, DNS, a few echoes. */
function writeListing(path: string, flows: number): void {
  const random = seededRandom(1);
  const descriptor = openSync(path, "w");
  try {
    for (let done = 0; done < flows; done += 1000) {
      const lines = Array.from({ length: Math.min(1000, flows - done) }, () => flowLine(random));
      writeSync(descriptor, lines.join(""));
    }
  } finally {
    closeSync(descriptor);
  }
}

const states = [
  { state: "ESTABLISHED", timeoutSeconds: 432_000, share: 0.6 },
  { state: "TIME_WAIT", timeoutSeconds: 120, share: 0.85 },
  { state: "FIN_WAIT", timeoutSeconds: 120, share: 0.9 },
  { state: "CLOSE_WAIT", timeoutSeconds: 60, share: 0.95 },
  { state: "SYN_SENT", timeoutSeconds: 120, share: 1 },
] as const;

const services = [80, 443, 443, 443, 22, 5432] as const;

function flowLine(random: Random): string {
  const kind = random.below(100);
  if (kind < 3) return echoLine(random);
  const isUdp = kind < 15;
  const isSix = kind >= 15 && kind < 20;
  const client = isSix
    ? `2001:0db8:0000:0000:0000:0000:${hex(random)}:${hex(random)}`
    : `10.${random.below(4)}.${random.below(256)}.${random.below(256)}`;
  const server = isSix
    ? "2001:0db8:0000:0000:0000:0000:0000:0010"
    : `192.168.${random.below(2)}.${random.below(256)}`;
  const [port, service] = [1024 + random.below(64_512), isUdp ? 53 : (services[random.below(6)] ?? 80)];
  const share = random.fraction();
  const { state, timeoutSeconds } = states.find((row) => share < row.share) ?? states[0];
  const isAnswered = isUdp ? random.below(2) === 0 : state !== "SYN_SENT";
  const seconds = 1 + random.below(isUdp ? 120 : timeoutSeconds);
  return (
    `${isSix ? "ipv6     10" : "ipv4     2"} ${isUdp ? "udp      17" : "tcp      6"} ${seconds} ` +
    `${isUdp ? "" : `${state} `}src=${client} dst=${server} sport=${port} dport=${service} ` +
    `${isAnswered ? "" : "[UNREPLIED] "}src=${server} dst=${client} sport=${service} dport=${port} ` +
    `${isAnswered ? "[ASSURED] " : ""}mark=0 zone=0 use=2\n`
  );
}

function echoLine(random: Random): string {
  const [client, id] = [`10.9.${random.below(256)}.${random.below(256)}`, random.below(65_536)];
  return (
    `ipv4     2 icmp     1 ${random.below(30)} src=${client} dst=192.168.0.1 type=8 code=0 id=${id} ` +
    `src=192.168.0.1 dst=${client} type=0 code=0 id=${id} mark=0 zone=0 use=2\n`
  );
}

function hex(random: Random): string {
  return random.below(65_536).toString(16).padStart(4, "0");
}
