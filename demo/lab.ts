/**
 * Three hosts in namespaces of this machine: a client and a server, with a router between them that tracks
 * what it forwards. Everything is noted in the ledger before it is made.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

import type { Ledger } from "./ledger.ts";
import { Refusal } from "./refusal.ts";

export const CLIENT = "hr-demo-client";
export const ROUTER = "hr-demo-router";
export const SERVER = "hr-demo-server";

export const SERVER_ADDRESS = "10.77.2.2";
/** Whose connections pile up. */
export const HOARDER_ADDRESS = "10.77.1.66";
/** Who comes when the table is full. */
export const NEWCOMER_ADDRESS = "10.77.1.99";
/** Addresses of visitors: 10.77.1.10 and on. */
export const VISITORS = 30;
const FIRST_VISITOR = 10;

/**
 * Room in the router's table while the demo runs: the less the quicker it is full, but no other table of the
 * host may hold more than half of it.
 */
const LEAST_CAPACITY = 4096;
const MOST_CAPACITY = 32_768;
const OTHERS_SHARE = 0.5;
const CAPACITY_FILE = "/proc/sys/net/netfilter/nf_conntrack_max";

/** A rule on ct makes the router track what it forwards. */
const RULES = `table inet demo {
  chain forward { type filter hook forward priority 0; ct state invalid counter; }
}
`;

/**
 * Closed connections and answered questions are forgotten after 10 s, so that normal traffic is level within
 * the first act instead of after two minutes. The timeout of established connections stays as it is.
 */
const ROUTER_SETTINGS = [
  "net/ipv4/ip_forward=1",
  "net/netfilter/nf_conntrack_tcp_timeout_time_wait=10",
  "net/netfilter/nf_conntrack_udp_timeout=10",
] as const;

/** One address opens as many connections to one port as the table has room for. */
const PORT_RANGE = "/proc/sys/net/ipv4/ip_local_port_range";

/** Starts a program inside a namespace; its standard output is read, the rest goes nowhere. */
export function startIn(namespace: string, command: string, ...words: string[]): ChildProcess {
  return spawn("ip", ["netns", "exec", namespace, command, ...words], {
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
}

export function visitorAddresses(): readonly string[] {
  return Array.from({ length: VISITORS }, (_, index) => `10.77.1.${FIRST_VISITOR + index}`);
}

/** Makes the three and wires them. Throws Refusal when one of the names is taken. */
export function makeLab(ledger: Ledger): void {
  for (const name of [CLIENT, ROUTER, SERVER]) {
    if (existsSync(`/run/netns/${name}`)) {
      throw new Refusal(
        `The namespace ${name} is there already, and is not of this demo: ip netns del ${name}`,
      );
    }
    ledger.note("namespace", name);
    ip("netns", "add", name);
  }
  const clients = [...visitorAddresses(), HOARDER_ADDRESS, NEWCOMER_ADDRESS];
  wire(CLIENT, { device: "c0", addresses: ["10.77.1.2", ...clients], gateway: "10.77.1.1" });
  wire(SERVER, { device: "s0", addresses: [SERVER_ADDRESS], gateway: "10.77.2.1" });
  execFileSync("ip", ["netns", "exec", CLIENT, "sh", "-c", `echo 2000 65000 >${PORT_RANGE}`]);
  inRouter("nft", ["-f", "-"], RULES);
  for (const setting of ROUTER_SETTINGS) {
    const [path, value] = setting.split("=");
    inRouter("sh", ["-c", `echo ${value} >/proc/sys/${path}`]);
  }
}

function wire(
  host: string,
  { device, addresses, gateway }: { device: string; addresses: readonly string[]; gateway: string },
): void {
  const inner = `r-${device}`;
  ip("-n", host, "link", "add", device, "type", "veth", "peer", "name", inner, "netns", ROUTER);
  for (const address of addresses) ip("-n", host, "address", "add", `${address}/24`, "dev", device);
  ip("-n", ROUTER, "address", "add", `${gateway}/24`, "dev", inner);
  for (const each of ["lo", device]) ip("-n", host, "link", "set", each, "up");
  for (const each of ["lo", inner]) ip("-n", ROUTER, "link", "set", each, "up");
  ip("-n", host, "route", "add", "default", "via", gateway);
}

function ip(...words: string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
}

function inRouter(command: string, words: readonly string[], input = ""): void {
  execFileSync("ip", ["netns", "exec", ROUTER, command, ...words], {
    input,
    stdio: ["pipe", "ignore", "pipe"],
  });
}

/**
 * The limit to lower to, which all namespaces of the host share. Throws Refusal where that would take room
 * from others. `occupancies`: flows in the other tables of the host, by what people call them.
 */
export function roomFor(occupancies: ReadonlyMap<string, number>): number {
  const before = capacityNow() ?? MOST_CAPACITY;
  // 0: no limit at all, up to Linux 6.18.
  const most = Math.min(MOST_CAPACITY, before === 0 ? MOST_CAPACITY : before);
  let wanted = Math.min(LEAST_CAPACITY, most);
  for (const [name, flows] of occupancies) {
    wanted = Math.max(wanted, Math.ceil(flows / OTHERS_SHARE / 1024) * 1024);
    if (wanted <= most) continue;
    throw new Refusal(
      `${name} tracks ${flows} flows, and the demo lowers nf_conntrack_max, one value for the whole host, ` +
        `to ${most} for some minutes: run it on a quieter machine`,
    );
  }
  return wanted;
}

/** Lowers the limit. The kernel removes no flow for it. Throws Refusal where it cannot be written. */
export function lowerCapacity(ledger: Ledger, capacityFlows: number): void {
  const before = Number(readFileSync(CAPACITY_FILE, "utf8"));
  if (before === capacityFlows) return;
  ledger.note("capacity", before, capacityFlows);
  try {
    writeFileSync(CAPACITY_FILE, String(capacityFlows));
  } catch (error) {
    throw new Refusal(
      `Cannot lower nf_conntrack_max to ${capacityFlows}: ${(error as Error).message}; ` +
        "in a container only the host may: run the demo there, or in a virtual machine",
      { cause: error },
    );
  }
}

/** The limit now. */
export function capacityNow(): number | undefined {
  return existsSync(CAPACITY_FILE) ? Number(readFileSync(CAPACITY_FILE, "utf8")) : undefined;
}
