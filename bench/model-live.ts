/**
 * How many packets a second `headroom replay --live` keeps up with: tcpreplay sends a capture through a pair
 * of interfaces between two namespaces as fast as it can, and then slower, until no packet is lost.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

export interface LiveResult {
  readonly packetsPerSecond: number;
  readonly packets: number;
  readonly lostPackets: number;
}

/** Until the ring is there. */
const START_MS = 2000;
/** Until the last block of the ring is handed over. */
const REST_MS = 1000;
const SLOWER = 0.75;
const TRIES = 6;
const LIMIT_MS = 120_000;

/** One result a rate, the last without loss if there is one. Says why nothing could be measured. */
export async function measureLive(
  headroom: string,
  capture: string,
): Promise<readonly LiveResult[] | string> {
  if (process.getuid?.() !== 0) return "needs root, to make network namespaces";
  if (spawnSync("tcpreplay", ["--version"]).error !== undefined) return "tcpreplay is not installed";
  const [sender, receiver] = ["s", "r"].map((role) => `hr-live-bench-${process.pid}-${role}`) as [
    string,
    string,
  ];
  try {
    connect(sender, receiver);
    const results: LiveResult[] = [];
    let rate: number | undefined;
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const result = await sendOnce(headroom, capture, sender, receiver, rate);
      results.push(result);
      if (result.lostPackets === 0) break;
      rate = Math.floor(result.packetsPerSecond * SLOWER);
    }
    return results;
  } finally {
    for (const name of [sender, receiver]) spawnSync("ip", ["netns", "del", name]);
  }
}

function connect(sender: string, receiver: string): void {
  for (const name of [sender, receiver]) {
    command("ip", "netns", "add", name);
    command("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
  }
  command(
    "ip",
    "-n",
    sender,
    "link",
    "add",
    "wire",
    "type",
    "veth",
    "peer",
    "name",
    "wire",
    "netns",
    receiver,
  );
  for (const name of [sender, receiver]) command("ip", "-n", name, "link", "set", "wire", "up");
}

function command(program: string, ...args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: LIMIT_MS });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr.trim()}`);
  return stdout + stderr;
}

async function sendOnce(
  headroom: string,
  capture: string,
  sender: string,
  receiver: string,
  rate: number | undefined,
): Promise<LiveResult> {
  const args = ["replay", "--live", "wire", "--netns", receiver, "--json"];
  const live = spawn(headroom, args, { stdio: ["ignore", "pipe", "inherit"], timeout: LIMIT_MS });
  let text = "";
  live.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const ended = once(live, "close");
  await sleep(START_MS);
  const speed = rate === undefined ? "--topspeed" : `--pps=${rate}`;
  const sent = command("ip", "netns", "exec", sender, "tcpreplay", "-q", "-K", speed, "-i", "wire", capture);
  await sleep(REST_MS);
  live.kill("SIGINT");
  await ended;
  const { packets, lostPackets = 0 } = JSON.parse(text) as { packets: number; lostPackets?: number };
  const packetsPerSecond = Number(/([\d.]+) pps/.exec(sent)?.[1]);
  return { packetsPerSecond, packets, lostPackets };
}
