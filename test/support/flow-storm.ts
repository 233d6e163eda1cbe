/**
 * New flows at a steady rate through a namespace that tracks what it forwards, at little cost: whole packets
 * are put on a wire by a packet socket, cross the namespace and vanish. No host is asked and none answers, so
 * that what is measured beside it is not measured against the traffic itself.
 *
 * The wire leads from a namespace of the sender to the one that is watched. As a program
 * (`node flow-storm.ts '{"newFlowsPerSecond": ...}'`, inside the sender's namespace) it sends until it is
 * told to end, and prints each second what it made.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assert } from "../../src/base/assert.ts";
import * as ffi from "../../src/kernel/ffi.ts";
import { startGuard } from "./inject.ts";
import { conversation, StormPackets } from "./storm-packets.ts";

const SENDER_HARDWARE = "02:00:00:00:00:01";
const ROUTER_HARDWARE = "02:00:00:00:00:02";
/** Of the wire, where the sender is. */
const INTERFACE = "out";

/** What new flows are: parts of ten, which add up to ten. */
export interface StormMixture {
  /** UDP that nobody answers: born and ended. */
  shouted: number;
  /** UDP that is answered once. */
  asked: number;
  /** TCP from the first packet to the last, six of them. */
  talked: number;
}

/** The fewest events a flow can have. */
export const SHOUTED: StormMixture = { shouted: 10, asked: 0, talked: 0 };
/** What crosses a router: names asked, pages fetched, and scans. */
export const MIXED: StormMixture = { shouted: 2, asked: 4, talked: 4 };

export interface StormOptions {
  prefix: string;
  newFlowsPerSecond: number;
  mixture?: StormMixture;
  /** Seconds after its last packet at which a flow of any kind ends. */
  timeoutSeconds?: number;
}

/** The namespace, and the traffic through it once it was started. Close it in a `finally`. */
export interface Storm {
  /** The namespace whose table the flows are in, as `ip netns` knows it. */
  name: string;
  start(): Promise<void>;
  /** Flows and packets sent so far, as told within the last second. */
  made(): StormMade;
  /** Processor seconds that sending took so far; undefined when it does not run. */
  cpuSeconds(): number | undefined;
  /** Ends the traffic; it can be started again. */
  pause(): Promise<void>;
  close(): void;
}

export interface StormMade {
  flows: number;
  packets: number;
  /** Packets the wire did not take. */
  refused: number;
}

const RULES = `table inet track {
  chain pre { type filter hook prerouting priority 0; ct state invalid counter; }
}
`;

/** Makes the two namespaces. Needs root. */
export function makeStorm(options: StormOptions): Storm {
  const name = `${options.prefix}-${process.pid}`;
  const sender = `${name}-s`;
  const guards = [startGuard(name), startGuard(sender)];
  let child: ChildProcess | undefined;
  let made: StormMade = { flows: 0, packets: 0, refused: 0 };
  let before: StormMade = made;
  const close = (): void => {
    child?.kill("SIGKILL");
    for (const each of [sender, name]) spawnSync("ip", ["netns", "del", each], { stdio: "ignore" });
    for (const guard of guards) guard.stdin?.end("done\n");
  };
  try {
    layWire(sender, name, options.timeoutSeconds ?? 10);
  } catch (error) {
    close();
    throw error;
  }
  return {
    name,
    start: async () => {
      before = made;
      child = startSending(sender, options);
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        const line = text.trim().split("\n").at(-1) ?? "";
        if (line.startsWith("{")) made = sum(before, JSON.parse(line) as StormMade);
      });
      await once(child.stdout as NodeJS.EventEmitter, "data");
    },
    made: () => made,
    cpuSeconds: () => (child?.pid === undefined ? undefined : cpuSecondsOf(child.pid)),
    pause: async () => {
      const ending = child;
      child = undefined;
      if (ending === undefined || ending.exitCode !== null) return;
      ending.kill("SIGTERM");
      await once(ending, "close");
    },
    close,
  };
}

/** Processor seconds of a process and all its threads, by /proc/PID/stat (proc(5)): fields 14 and 15. */
export function cpuSecondsOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  // USER_HZ is 100 on every architecture that Node runs on.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function sum(one: StormMade, other: StormMade): StormMade {
  return {
    flows: one.flows + other.flows,
    packets: one.packets + other.packets,
    refused: one.refused + other.refused,
  };
}

function layWire(sender: string, name: string, timeoutSeconds: number): void {
  const ip = (...words: string[]): void => void execFileSync("ip", words);
  ip("netns", "add", sender);
  ip("netns", "add", name);
  const peer = ["peer", "name", "in", "address", ROUTER_HARDWARE, "netns", name];
  ip("-n", sender, "link", "add", INTERFACE, "address", SENDER_HARDWARE, "type", "veth", ...peer);
  ip("-n", sender, "link", "set", INTERFACE, "up");
  ip("-n", name, "address", "add", "192.0.2.1/32", "dev", "in");
  // What is forwarded here goes to nobody's hardware address, and is dropped where it arrives.
  ip("-n", name, "link", "add", "away", "type", "veth", "peer", "name", "sink", "netns", sender);
  ip("-n", name, "link", "set", "away", "arp", "off");
  ip("-n", sender, "link", "set", "sink", "up");
  for (const device of ["lo", "in", "away"]) ip("-n", name, "link", "set", device, "up");
  ip("-n", name, "route", "add", "default", "dev", "away");
  execFileSync("ip", ["netns", "exec", name, "nft", "-f", "-"], { input: RULES });
  const timeouts = ["udp_timeout", "udp_timeout_stream", "tcp_timeout_time_wait"].map(
    (key) => `net.netfilter.nf_conntrack_${key}=${timeoutSeconds}`,
  );
  const forwarding = [
    "net.ipv4.ip_forward=1",
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.in.rp_filter=0",
  ];
  // Checksums of what lies behind the IP header are left empty.
  const settings = [...forwarding, ...timeouts, "net.netfilter.nf_conntrack_checksum=0"];
  execFileSync("ip", ["netns", "exec", name, "sysctl", "-qw", ...settings]);
}

function startSending(sender: string, { newFlowsPerSecond, mixture = SHOUTED }: StormOptions): ChildProcess {
  const program = fileURLToPath(import.meta.url);
  const words = [
    process.execPath,
    ...process.execArgv,
    program,
    JSON.stringify({ newFlowsPerSecond, mixture }),
  ];
  return spawn("ip", ["netns", "exec", sender, ...words], { stdio: ["ignore", "pipe", "inherit"] });
}

const TURN_MS = 4;
/** What could not be sent for so long is not made up for: a burst would be another kind of traffic. */
const MOST_BEHIND_SECONDS = 0.25;
const SOL_PACKET = 263;
const PACKET_QDISC_BYPASS = 20;

function send(wanted: { newFlowsPerSecond: number; mixture: StormMixture }): void {
  const calls = ffi.systemCalls();
  const fd = openWire(calls);
  const packets = new StormPackets(SENDER_HARDWARE, ROUTER_HARDWARE);
  const made: StormMade = { flows: 0, packets: 0, refused: 0 };
  const { newFlowsPerSecond, mixture } = wanted;
  let startedAtMs = performance.now();
  let due = 0;
  setInterval(() => {
    const nowMs = performance.now();
    const wantedNow = Math.floor(((nowMs - startedAtMs) / 1000) * newFlowsPerSecond);
    const most = due + Math.ceil(newFlowsPerSecond * MOST_BEHIND_SECONDS);
    if (wantedNow > most) {
      startedAtMs += ((wantedNow - most) / newFlowsPerSecond) * 1000;
    }
    for (const end = Math.min(wantedNow, most); due < end; due += 1) {
      const steps = conversation(kindOf(due % 10, mixture));
      for (const step of steps) {
        if (calls.send(fd, packets.of(due, step), 0) < 0) made.refused += 1;
        else made.packets += 1;
      }
      made.flows += 1;
    }
  }, TURN_MS);
  setInterval(() => console.log(JSON.stringify(made)), 500);
  console.log(JSON.stringify(made));
}

function kindOf(part: number, { shouted, asked }: StormMixture): keyof StormMixture {
  if (part < shouted) return "shouted";
  return part < shouted + asked ? "asked" : "talked";
}

/** A packet socket that only sends: protocol 0 hears nothing. */
function openWire(calls: ffi.SystemCalls): number {
  const fd = calls.socket(ffi.AF_PACKET, ffi.SOCK_RAW | ffi.SOCK_CLOEXEC, 0);
  assert(fd >= 0, `A packet socket needs root (${fd})`);
  const index = Number(readFileSync(`/sys/class/net/${INTERFACE}/ifindex`, "utf8"));
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, ffi.AF_PACKET, true);
  view.setInt32(4, index, true);
  assert(calls.bind(fd, address) >= 0, "The wire is there");
  calls.setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, new Uint8Array(Int32Array.of(1).buffer));
  return fd;
}

if (import.meta.main) send(JSON.parse(process.argv[2] ?? "{}") as Parameters<typeof send>[0]);
