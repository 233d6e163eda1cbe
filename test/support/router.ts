/**
 * Three hosts in namespaces of this machine: a client and a server with a router between them that tracks
 * what it forwards. The router's table holds only what a test sends through it. Everything is removed by
 * `close`, and settings of the host that a test lowers are put back by a shell that outlives this process.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";

export const CLIENT_ADDRESS = "10.77.1.2";
export const SERVER_ADDRESS = "10.77.2.2";
const ROUTER_ADDRESSES = ["10.77.1.1", "10.77.2.1"] as const;

const CAPACITY_FILE = "/proc/sys/net/netfilter/nf_conntrack_max";

/**
 * The kernel logs ten such lines in five seconds (net_ratelimit); waiting this long gives a test its own ten.
 */
export const LOG_WINDOW_MS = 5500;

export interface Router {
  /** Names as `ip netns` knows them. */
  client: string;
  router: string;
  server: string;
  /** Inode of the router's namespace, as kernel messages name it. */
  routerInode: number;
  /** Runs a program inside one of the three and gives its standard output. Throws when it fails. */
  run(namespace: string, command: string, ...args: string[]): string;
  /** Starts a program inside one of the three; it is ended by `close`. */
  start(namespace: string, command: string, ...args: string[]): ChildProcess;
  /**
   * Lowers the limit that all namespaces of the host share; put back by `close`, or when this process dies.
   */
  lowerCapacity(flows: number): void;
  close(): void;
}

/**
 * Makes the three and wires them. `ruleset` is what nft loads in the router: without a rule on ct nothing is
 * tracked.
 */
export function makeRouter(prefix: string, ruleset = TRACK_FORWARDED): Router {
  const [client, router, server] = ["c", "r", "s"].map((role) => `${prefix}-${process.pid}-${role}`) as [
    string,
    string,
    string,
  ];
  const names = [client, router, server];
  const children: ChildProcess[] = [];
  const guard = startGuard(names);
  let capacityBefore: string | undefined;
  const run = (namespace: string, command: string, ...args: string[]): string =>
    execFileSync("ip", ["netns", "exec", namespace, command, ...args], { encoding: "utf8" });
  const close = (): void => {
    for (const child of children) child.kill("SIGKILL");
    if (capacityBefore !== undefined) writeFileSync(CAPACITY_FILE, capacityBefore);
    for (const name of names) spawnSync("ip", ["netns", "del", name], { stdio: "ignore" });
    guard.stdin?.end("done\n");
  };
  try {
    for (const name of names) execFileSync("ip", ["netns", "add", name]);
    wire(client, router, { inside: "c0", address: CLIENT_ADDRESS, gateway: ROUTER_ADDRESSES[0] });
    wire(server, router, { inside: "s0", address: SERVER_ADDRESS, gateway: ROUTER_ADDRESSES[1] });
    run(router, "sysctl", "-qw", "net.ipv4.ip_forward=1");
    execFileSync("ip", ["netns", "exec", router, "nft", "-f", "-"], { input: ruleset });
  } catch (cause) {
    close();
    throw cause;
  }
  return {
    client,
    router,
    server,
    routerInode: statSync(`/run/netns/${router}`).ino,
    run,
    start: (namespace, command, ...args) => {
      const child = spawn("ip", ["netns", "exec", namespace, command, ...args], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      children.push(child);
      return child;
    },
    lowerCapacity: (flows) => {
      capacityBefore ??= readFileSync(CAPACITY_FILE, "utf8").trim();
      guard.stdin?.write(`restore ${capacityBefore}\n`);
      writeFileSync(CAPACITY_FILE, String(flows));
    },
    close,
  };
}

const TRACK_FORWARDED = `table inet track {
  chain forward { type filter hook forward priority 0; ct state invalid counter; }
}
`;

function wire(
  host: string,
  router: string,
  link: { inside: string; address: string; gateway: string },
): void {
  const ip = (...args: string[]): void => void execFileSync("ip", args);
  const inRouter = `r-${link.inside}`;
  ip("-n", host, "link", "add", link.inside, "type", "veth", "peer", "name", inRouter, "netns", router);
  ip("-n", host, "address", "add", `${link.address}/24`, "dev", link.inside);
  ip("-n", router, "address", "add", `${link.gateway}/24`, "dev", inRouter);
  for (const device of ["lo", link.inside]) ip("-n", host, "link", "set", device, "up");
  for (const device of ["lo", inRouter]) ip("-n", router, "link", "set", device, "up");
  ip("-n", host, "route", "add", "default", "via", link.gateway);
}

/** Undoes everything when this process ends without having said that it did so itself. */
function startGuard(names: readonly string[]): ChildProcess {
  const removals = names.map((name) => `ip netns del ${name} 2>/dev/null`).join("; ");
  const listen = `while read -r word value; do [ "$word" = done ] && exit; capacity=$value; done`;
  const restore = `[ -n "$capacity" ] && echo "$capacity" > ${CAPACITY_FILE}`;
  const script = `${listen}; ${restore}; ${removals}`;
  const guard = spawn("sh", ["-c", script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  guard.unref();
  return guard;
}

/** A program for `node -e`: accepts TCP connections on a port and holds them open; says `ready`. */
export const HOLDING_SERVER = `
  require("node:net").createServer((socket) => socket.on("error", () => {}))
    .listen({ port: Number(process.argv[1]), host: "0.0.0.0", backlog: 4096 }, () => console.log("ready"));
`;

/**
 * A program for `node -e`: opens connections one after the other, holds them, and says how many opened and
 * failed.
 */
export const HOLDING_CLIENT = `
  const [host, port, wanted] = [process.argv[1], Number(process.argv[2]), Number(process.argv[3])];
  const open = () => new Promise((resolve) => {
    const socket = require("node:net").connect({ host, port });
    const done = (opened) => { clearTimeout(timer); if (!opened) socket.destroy(); resolve(opened); };
    const timer = setTimeout(() => done(false), 300);
    socket.on("connect", () => done(true)).on("error", () => done(false));
  });
  (async () => {
    const results = { opened: 0, failed: 0 };
    for (let at = 0; at < wanted; at += 20) {
      const lot = await Promise.all(Array.from({ length: Math.min(20, wanted - at) }, open));
      for (const opened of lot) results[opened ? "opened" : "failed"] += 1;
    }
    console.log(JSON.stringify(results));
    setInterval(() => {}, 1000);
  })();
`;

/** The first line a program prints. */
export function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end >= 0) resolve(text.slice(0, end));
    });
    child.on("close", () => reject(new Error(`The program ended after printing ${JSON.stringify(text)}`)));
  });
}
