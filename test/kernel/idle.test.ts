/**
 * Idle age against the clock: real packets through a router, some seconds of silence, then the idle age of
 * every flow must be the time since its last packet, rounded up to at most one second more. The bounds are
 * times taken before and after each step, so a slow machine makes them wider and not wrong.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { systemClock } from "../../src/base/clock.ts";
import { openHost } from "../../src/kernel/kernel.ts";
import { readListing } from "../../src/listing/listing.ts";
import type { FlowColumns } from "../../src/table/columns.ts";
import { IdleLookup, idleUnknownReason } from "../../src/table/idle.ts";
import { isSince, parseKernelRelease } from "../../src/table/kernel-release.ts";
import { ICMP, TCP, UDP } from "../../src/table/protocol.ts";
import { firstLine, makeRouter, SERVER_ADDRESS } from "../support/router.ts";

const routed = makeRouter("hr-idle");

const ESTABLISHED = 7001;
const UNACKNOWLEDGED = 7002;
const SYN_SENT = 7003;
const UDP_ONE_WAY = 7004;
const UDP_EXCHANGE = 7005;
const UDP_STREAM = 7006;
const TIME_WAIT = 7007;

const SERVER = `
  const net = require("node:net"), dgram = require("node:dgram");
  for (const port of [${ESTABLISHED}, ${UNACKNOWLEDGED}, ${TIME_WAIT}]) {
    const echo = (socket) => socket.on("error", () => {}).on("data", (data) => socket.write(data));
    net.createServer(echo).listen(port);
  }
  for (const port of [${UDP_ONE_WAY}, ${UDP_EXCHANGE}, ${UDP_STREAM}]) {
    const socket = dgram.createSocket("udp4").bind(port);
    const answer = (data, from) => socket.send(data, from.port, from.address);
    if (port !== ${UDP_ONE_WAY}) socket.on("message", answer);
  }
  setTimeout(() => console.log("ready"), 100);
`;

/** Takes a verb and a port per line, and says "ok" when it is done. One socket for each port. */
const CLIENT = `
  const net = require("node:net"), dgram = require("node:dgram");
  const sockets = {};
  const ok = () => console.log("ok");
  const verbs = {
    connect: (port) => (sockets[port] = net.connect(port, "${SERVER_ADDRESS}", ok)).setNoDelay(),
    begin: (port) => {
      sockets[port] = net.connect(port, "${SERVER_ADDRESS}").on("error", () => {});
      ok();
    },
    ask: (port) => sockets[port].once("data", ok).write("?"),
    write: (port) => sockets[port].write("!", ok),
    end: (port) => sockets[port].once("close", ok).end(),
    datagram: (port) => udp(port).send("!", port, "${SERVER_ADDRESS}", ok),
    question: (port) => udp(port).once("message", ok).send("?", port, "${SERVER_ADDRESS}"),
  };
  const udp = (port) => (sockets[port] ??= dgram.createSocket("udp4"));
  require("node:readline").createInterface(process.stdin).on("line", (line) => {
    const [verb, port] = line.split(" ");
    verbs[verb](Number(port));
  });
`;

/** When something happened: not before the one, not after the other. */
interface Moment {
  fromMs: number;
  toMs: number;
}

/** A receiver may wait so long before it acknowledges data on its own. */
const DELAYED_ACK_MS = 250;

const moments = new Map<string, Moment>();
let client: ChildProcess | undefined;
let answers: AsyncIterator<string> | undefined;

async function timed(name: string, work: () => unknown): Promise<void> {
  const fromMs = performance.now();
  await work();
  moments.set(name, { fromMs, toMs: performance.now() + DELAYED_ACK_MS });
}

async function ask(verb: string, port: number): Promise<void> {
  client?.stdin?.write(`${verb} ${port}\n`);
  assert.equal((await answers?.next())?.value, "ok");
}

function cut(condition: string): void {
  routed.run(routed.router, "nft", "add", "rule", "inet", "cut", "pre", ...condition.split(" "), "drop");
}

before(async () => {
  const run = (namespace: string, ruleset: string): string => routed.run(namespace, "nft", ruleset);
  run(routed.router, "table inet cut { chain pre { type filter hook prerouting priority raw; }; }");
  run(
    routed.server,
    `table inet mute { chain in { type filter hook input priority 0; tcp dport ${SYN_SENT} drop; }; }`,
  );
  await firstLine(routed.start(routed.server, process.execPath, "-e", SERVER));
  client = spawn("ip", ["netns", "exec", routed.client, process.execPath, "-e", CLIENT], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (client.stdout !== null) answers = createInterface(client.stdout)[Symbol.asyncIterator]();
  await exchangeEverything();
});

after(() => {
  client?.kill();
  routed.close();
});

async function exchangeEverything(): Promise<void> {
  for (const port of [ESTABLISHED, UNACKNOWLEDGED, TIME_WAIT]) await ask("connect", port);
  await ask("question", UDP_STREAM);
  await ask("ask", UNACKNOWLEDGED);
  await timed("syn-sent", () => ask("begin", SYN_SENT));
  await timed("icmp", () => routed.run(routed.client, "ping", "-c1", "-W2", SERVER_ADDRESS));
  await timed("udp-one-way", () => ask("datagram", UDP_ONE_WAY));
  await timed("udp-exchange", () => ask("question", UDP_EXCHANGE));
  await sleep(2500);
  await timed("established", () => ask("ask", ESTABLISHED));
  await ask("question", UDP_STREAM);
  await timed("udp-stream", () => ask("question", UDP_STREAM));
  await timed("time-wait", () => ask("end", TIME_WAIT));
  // No acknowledgement gets through to the tracker, and then no repetition of the data does either.
  cut(`tcp sport ${UNACKNOWLEDGED}`);
  await timed("unacknowledged", async () => {
    await ask("write", UNACKNOWLEDGED);
    cut(`tcp dport ${UNACKNOWLEDGED}`);
  });
  await sleep(4200);
}

interface Found {
  idle: number;
  reason: string | undefined;
  readAt: Moment;
}

function isWanted(columns: FlowColumns, row: number, protocol: number, port: number | undefined): boolean {
  if (columns.protocol[row] !== protocol) return false;
  return port === undefined || columns.originalDestinationDiscriminator[row] === port;
}

async function read(
  source: "netlink" | "procfs",
  protocol: number,
  port: number | undefined,
): Promise<Found> {
  const host = openHost({ clock: systemClock, namespace: routed.router });
  try {
    const release = parseKernelRelease(host.host().kernelRelease ?? "");
    const lookup = new IdleLookup({
      settings: host.settings().values,
      ...(release === undefined ? {} : { release }),
    });
    const fromMs = performance.now();
    const flows = host.flows({ source });
    const reading =
      flows.kind === "reading" ? flows.reading : readListing(flows.bytes(), { origin: flows.origin });
    for await (const columns of reading.batches()) {
      for (let row = 0; row < columns.count; row += 1) {
        if (!isWanted(columns, row, protocol, port)) continue;
        const idle = lookup.secondsAt(columns, row);
        return { idle, reason: idleUnknownReason(idle), readAt: { fromMs, toMs: performance.now() } };
      }
    }
    throw new assert.AssertionError({
      message: `no flow of protocol ${protocol}, port ${port} by ${source}`,
    });
  } finally {
    host.close();
  }
}

const cases = [
  { name: "established", protocol: TCP, port: ESTABLISHED },
  { name: "unacknowledged", protocol: TCP, port: UNACKNOWLEDGED, text: "capped-or-expiring" },
  { name: "syn-sent", protocol: TCP, port: SYN_SENT, since: "5.14" },
  { name: "time-wait", protocol: TCP, port: TIME_WAIT },
  { name: "udp-one-way", protocol: UDP, port: UDP_ONE_WAY },
  { name: "udp-exchange", protocol: UDP, port: UDP_EXCHANGE },
  { name: "udp-stream", protocol: UDP, port: UDP_STREAM },
  { name: "icmp", protocol: ICMP, port: undefined },
] as const;

for (const row of cases) {
  for (const source of ["netlink", "procfs"] as const) {
    test(`idle age of ${row.name} by ${source} is the time since the last packet`, async (context) => {
      const kernel = parseKernelRelease(routed.run(routed.router, "uname", "-r"));
      if ("since" in row && (kernel === undefined || !isSince(kernel, row.since))) {
        return context.skip(
          `this kernel is older than ${row.since}: a repeated SYN still renewed the timeout`,
        );
      }
      const { idle, reason, readAt } = await read(source, row.protocol, row.port);
      if (source === "procfs" && "text" in row) return assert.equal(reason, row.text);
      const last = moments.get(row.name);
      assert.ok(last !== undefined);
      const shortest = (readAt.fromMs - last.toMs) / 1000;
      const longest = (readAt.toMs - last.fromMs) / 1000;
      const told = `${reason ?? idle} s, between ${shortest.toFixed(2)} and ${longest.toFixed(2)} s after`;
      assert.ok(idle >= shortest && idle <= longest + 1, told);
    });
  }
}
