/**
 * Freeing flows on the running kernel, in namespaces: what is meant goes, exactly that, and nothing
 * that lives or is protected is lost.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { systemClock } from "../../src/base/clock.ts";
import { reclaimSchema } from "../../src/cli/reclaim/reclaim-schema.ts";
import { writeCreate } from "../../src/kernel/ctnetlink-encode.ts";
import { netlinkFlows } from "../../src/kernel/ctnetlink-dump.ts";
import { type FlowRemoval, openFlowRemoval } from "../../src/kernel/flow-removal.ts";
import { insideNamespace, namedNamespace } from "../../src/kernel/namespace-enter.ts";
import { Exchange, NETLINK_NETFILTER, openNetlink } from "../../src/kernel/netlink-socket.ts";
import { Flag, MessageWriter } from "../../src/kernel/netlink.ts";
import { Pace, Protections, reclaimFlows, Sieve } from "../../src/reclaim/reclaim.ts";
import { parseFilter } from "../../src/table/filter.ts";
import { compileTruth } from "../../src/table/filter-match.ts";
import { type Flow, flowAt } from "../../src/table/flow.ts";
import { IdleLookup } from "../../src/table/idle.ts";
import { GRE, ICMP, ICMPV6, SCTP, TCP, UDP } from "../../src/table/protocol.ts";
import { SctpState, TcpState } from "../../src/table/state.ts";
import { Status } from "../../src/table/status.ts";
import { columnsOf, type Row } from "../support/columns.ts";
import { injectTable } from "../support/inject.ts";
import { firstLine, makeRouter, SERVER_ADDRESS } from "../support/router.ts";

const headroom = fileURLToPath(new URL("../../bin/headroom", import.meta.url));
const ESTABLISHED_SECONDS = 432_000;
const HOURS = 3600;
const ANSWERED = Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED;

const NAT_RULES = `table inet track {
  chain forward { type filter hook forward priority 0; ct state invalid counter; }
  chain pre { type nat hook prerouting priority -100; tcp dport 8080 dnat ip to ${SERVER_ADDRESS}:80; }
}
`;

const routed = makeRouter("hr-recl", NAT_RULES);
const directory = mkdtempSync(join(tmpdir(), "hr-reclaim-"));
after(() => {
  routed.close();
  rmSync(directory, { recursive: true });
});

/* ---- What the tests are made of ---- */

function inside<Result>(name: string, work: () => Result): Result {
  return insideNamespace(namedNamespace(name), work);
}

/** Asks the kernel for something about rows, in one lot, and waits for its answer. Throws KernelError. */
function create(name: string, rows: readonly Row[]): void {
  const socket = inside(name, () => openNetlink(NETLINK_NETFILTER));
  try {
    const columns = columnsOf(rows);
    for (let row = 0; row < rows.length; row += 1) {
      const writer = new MessageWriter();
      writeCreate(writer, 1, columns, row, Flag.EXCL | Flag.ACK);
      const exchange = new Exchange(socket, writer.bytes(), 1, { tried: "create a flow" });
      while (exchange.state === "running") {
        exchange.receive();
        exchange.next();
      }
    }
  } finally {
    socket.close();
  }
}

function flowsOf(name: string): Flow[] {
  const flows: Flow[] = [];
  for (const columns of inside(name, () => netlinkFlows()).batches()) {
    for (let row = 0; row < columns.count; row += 1) flows.push(flowAt(columns, row));
  }
  return flows;
}

function portsOf(name: string): number[] {
  return flowsOf(name)
    .map(({ original }) => (original.kind === "ports" ? original.sourcePort : -1))
    .toSorted((left, right) => left - right);
}

function reclaim(...args: string[]): { code: number | null; out: string; errors: string } {
  const ended = spawnSync(headroom, ["reclaim", ...args], { encoding: "utf8" });
  return { code: ended.status, out: ended.stdout, errors: ended.stderr };
}

let files = 0;
function removedFile(): string {
  files += 1;
  return join(directory, `removed-${files}.txt`);
}

interface Done {
  outcome: string;
  chosenFlows: number;
  doneFlows: number;
  goneFlows: number;
  protectedFlows: Record<string, number>;
  occupancyFlows: number;
}

/** Frees and gives what it says, with the lines of its file. */
function free(name: string, ...args: string[]): Done & { lines: string[] } {
  const file = removedFile();
  const { code, out, errors } = reclaim(...args, "--netns", name, "--yes", "--removed", file, "--json");
  assert.equal(code, 0, errors);
  reclaimSchema.parse(JSON.parse(out));
  const done = JSON.parse(out) as Done;
  const lines = done.doneFlows === 0 ? [] : readFileSync(file, "utf8").trimEnd().split("\n");
  return { ...done, lines };
}

/** A namespace without traffic, with these flows. */
async function withFlows(rows: readonly Row[], work: (name: string) => void | Promise<void>): Promise<void> {
  const table = injectTable({ flows: 0, capacityFlows: 1, prefix: `hr-recl-t${files}` });
  files += 1;
  try {
    create(table.name, rows);
    await work(table.name);
  } finally {
    table.close();
  }
}

function tcp(port: number, state: number, timeoutSeconds: number, more: Row = {}): Row {
  return { protocol: TCP, first: port, state, status: ANSWERED, timeoutSeconds, ...more };
}

/* ---- Live connections ---- */

const CONNECTIONS = 24;
const SERVER = `
  const net = require("node:net");
  net.createServer((socket) => socket.on("error", () => {}).on("data", (data) => socket.write(data)))
    .listen(80, "0.0.0.0", () => console.log("ready"));
`;
/**
 * Half of the connections go through the translated port. Each line on standard input is sent on all
 * and awaited.
 */
const CLIENT = `
  const net = require("node:net");
  const sockets = Array.from({ length: ${CONNECTIONS} }, (_, index) => net.connect({
    ...(index % 2 ? { host: "10.77.1.1", port: 8080 } : { host: "${SERVER_ADDRESS}", port: 80 }),
    localPort: 30000 + index }));
  let open = 0;
  const opened = () => { if (++open === sockets.length) console.log("open"); };
  for (const socket of sockets) socket.on("error", () => {}).on("connect", opened);
  require("node:readline").createInterface({ input: process.stdin }).on("line", async (word) => {
    const echoes = await Promise.all(sockets.map((socket) => new Promise((resolve) => {
      const end = (echoes) => {
        clearTimeout(timer);
        socket.removeAllListeners("data").removeAllListeners("close");
        resolve(echoes);
      };
      const timer = setTimeout(() => end(0), 3000);
      socket.once("data", () => end(1));
      socket.once("close", () => end(0));
      socket.write(word);
    })));
    console.log("echoes " + echoes.reduce((sum, each) => sum + each, 0));
  });
`;

let client: ChildProcess;
let answers: AsyncIterator<string>;

before(async () => {
  const server = routed.start(routed.server, process.execPath, "-e", SERVER);
  assert.equal(await firstLine(server), "ready");
  client = spawn("ip", ["netns", "exec", routed.client, process.execPath, "-e", CLIENT], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: client.stdout as NodeJS.ReadableStream });
  answers = lines[Symbol.asyncIterator]();
  assert.equal((await answers.next()).value, "open");
});
after(() => client.kill("SIGKILL"));

/** Every connection carries data both ways, over the flow it had. */
async function allLive(ids: ReadonlyMap<number, number>): Promise<void> {
  client.stdin?.write("hello\n");
  assert.equal((await answers.next()).value, `echoes ${CONNECTIONS}`);
  assert.deepEqual(liveIds(), ids);
}

/** Ids of the client's connections by their port. */
function liveIds(): Map<number, number> {
  const ids = flowsOf(routed.router).flatMap(({ original, id = 0 }): [number, number][] =>
    original.kind === "ports" && original.sourcePort >= 30_000 && original.sourcePort < 30_000 + CONNECTIONS
      ? [[original.sourcePort, id]]
      : [],
  );
  return new Map(ids.toSorted(([left], [right]) => left - right));
}

/** Flows that serve nobody, between addresses that nobody has. */
function deadFlows(): Row[] {
  const flows: Row[] = [];
  for (let index = 0; index < 50; index += 1) {
    const port = 1000 + index;
    flows.push(tcp(port, TcpState.TIME_WAIT, 100));
    flows.push(tcp(port + 1000, TcpState.ESTABLISHED, ESTABLISHED_SECONDS - 3 * HOURS));
    flows.push(tcp(port + 2000, TcpState.SYN_SENT, 60, { status: Status.CONFIRMED }));
    flows.push({
      protocol: UDP,
      first: port + 3000,
      second: 53,
      status: Status.CONFIRMED,
      timeoutSeconds: 20,
    });
  }
  return flows;
}

const kinds: readonly { name: string; args: readonly string[]; goes: number }[] = [
  { name: "what has been silent for an hour", args: ["--idle", "1h"], goes: 50 },
  { name: "all that is left alone for a second", args: ["--idle", "1s"], goes: 200 },
  { name: "closed connections", args: ["state=TIME_WAIT"], goes: 50 },
  { name: "all TCP", args: ["tcp"], goes: 150 },
  { name: "everything there is", args: ["all"], goes: 200 },
  { name: "unanswered flows", args: ["unreplied"], goes: 100 },
  { name: "shortening", args: ["--idle", "1h", "--shorten-to", "5s"], goes: 50 },
  { name: "at a slow rate", args: ["tcp", "--rate", "300"], goes: 150 },
  { name: "with translated flows", args: ["--idle", "1h", "--include-nat"], goes: 50 },
];

for (const { name, args, goes } of kinds) {
  test(`live connections, plain and translated, outlive: ${name}`, async () => {
    const ids = liveIds();
    assert.equal(ids.size, CONNECTIONS);
    create(routed.router, deadFlows());
    const done = free(routed.router, ...args);
    assert.equal(done.doneFlows, goes, JSON.stringify(done));
    assert.equal(done.lines.length, goes);
    await allLive(ids);
    routed.run(routed.router, "sh", "-c", "conntrack -D -s 10.0.0.1 || true");
  });
}

test("a session that seems silent for hours is kept when SSH_CONNECTION names it", async () => {
  const ids = liveIds();
  silence(3 * HOURS);
  const environment = { ...process.env, SSH_CONNECTION: `10.77.1.2 30002 ${SERVER_ADDRESS} 80` };
  const args = ["reclaim", "--idle", "1h", "--netns", routed.router, "--json", "--protect", "10.77.1.1"];
  const { stdout } = spawnSync(headroom, [...args, "src", "10.77.1.2"], {
    encoding: "utf8",
    env: environment,
  });
  const { chosenFlows, protectedFlows } = JSON.parse(stdout) as Done;
  assert.equal(protectedFlows["session"], 1, stdout);
  assert.equal(protectedFlows["network"], CONNECTIONS / 2);
  assert.equal(chosenFlows, CONNECTIONS / 2 - 1);
  await allLive(ids);
});

test("whoever is logged in to this host stays, whatever the port", async () => {
  const { server } = routed;
  routed.run(
    server,
    "nft",
    "add table inet t; add chain inet t in { type filter hook input priority 0; }; " +
      "add rule inet t in ct state new counter",
  );
  const daemon = routed.start(server, process.execPath, "-e", SSH_SERVER);
  assert.equal(await firstLine(daemon), "ready");
  const guest = spawn("ip", ["netns", "exec", routed.client, process.execPath, "-e", SSH_CLIENT], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    const lines = createInterface({ input: guest.stdout })[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, "welcome");
    const { readFlows, protectedFlows } = JSON.parse(
      reclaim("all", "--floor", "0", "--netns", server, "--json").out,
    ) as Done & { readFlows: number };
    assert.equal(protectedFlows["session"], 1, JSON.stringify(protectedFlows));
    assert.ok(readFlows >= 1);
    free(server, "all", "--floor", "0", "--include-nat");
    guest.stdin?.write("echo\n");
    assert.equal((await lines.next()).value, "echo");
    assert.equal(free(server, "all", "--floor", "0").protectedFlows["session"], 1);
  } finally {
    guest.kill("SIGKILL");
    routed.run(server, "nft", "delete table inet t");
  }
});

/** By its name an ssh server, on a port of its own. */
const SSH_SERVER = `
  process.title = "sshd";
  const echo = (socket) => socket.on("error", () => {}).on("data", (data) => socket.write(data));
  require("node:net").createServer((socket) => echo(socket).write("welcome\\n"))
    .listen(2222, "0.0.0.0", () => console.log("ready"));
`;
const SSH_CLIENT = `
  const socket = require("node:net").connect({ host: "${SERVER_ADDRESS}", port: 2222 });
  socket.pipe(process.stdout);
  process.stdin.pipe(socket);
`;

test("shortening takes nothing from a connection whose next packet comes in time", async () => {
  const ids = liveIds();
  silence(3 * HOURS);
  const done = free(
    routed.router,
    "--idle",
    "1h",
    "--include-nat",
    "--shorten-to",
    "60s",
    "src",
    "10.77.1.2",
  );
  assert.equal(done.doneFlows, CONNECTIONS);
  for (const { original, timeoutSeconds = 0 } of flowsOf(routed.router)) {
    if (original.kind === "ports" && ids.has(original.sourcePort)) assert.ok(timeoutSeconds <= 60);
  }
  await allLive(ids);
  for (const { original, timeoutSeconds = 0 } of flowsOf(routed.router)) {
    if (original.kind === "ports" && ids.has(original.sourcePort)) assert.ok(timeoutSeconds > HOURS);
  }
});

/** Makes all of the client's connections look as if they had been silent for so long. */
function silence(seconds: number): void {
  const removal = inside(routed.router, () => openFlowRemoval());
  for (const columns of inside(routed.router, () => netlinkFlows()).batches()) {
    const rows = Uint16Array.from({ length: columns.count }, (_, row) => row);
    removal.shorten(columns, rows, 0, columns.count, ESTABLISHED_SECONDS - seconds);
  }
  removal.close();
}

/* ---- Exactness ---- */

const exact: readonly { name: string; rows: readonly Row[]; filter: string; left: readonly number[] }[] = [
  {
    name: "zones with equal tuples: only the one of the zone goes",
    rows: [
      tcp(1, TcpState.TIME_WAIT, 100, { mark: 1 }),
      tcp(1, TcpState.TIME_WAIT, 100, { zone: 5, mark: 2 }),
      tcp(1, TcpState.TIME_WAIT, 100, { zone: 6, mark: 3 }),
    ],
    filter: "zone=5",
    left: [1, 3],
  },
  {
    name: "a zone of the original direction alone",
    rows: [
      tcp(1, TcpState.TIME_WAIT, 100, { mark: 1 }),
      tcp(1, TcpState.TIME_WAIT, 100, {
        mark: 2,
        originalZone: 7,
        reply: { source: "10.0.0.2", destination: "10.0.0.1", first: 80, second: 999 },
      }),
    ],
    filter: "original-zone=7 --include-nat",
    left: [1],
  },
  {
    name: "a zone of the reply direction alone",
    rows: [
      tcp(1, TcpState.TIME_WAIT, 100, { mark: 1, zone: 3 }),
      tcp(2, TcpState.TIME_WAIT, 100, { mark: 2, replyZone: 7 }),
      tcp(3, TcpState.TIME_WAIT, 100, { mark: 3 }),
    ],
    filter: "reply-zone=7",
    left: [1, 3],
  },
  {
    name: "IPv6, ICMP ids, GRE keys, ports, and protocols without any",
    rows: [
      tcp(1, TcpState.TIME_WAIT, 100, { mark: 1, source: "fd00::1", destination: "fd00::2" }),
      tcp(1, TcpState.TIME_WAIT, 100, { mark: 2, source: "fd00::1", destination: "fd00::3" }),
      { protocol: ICMP, first: 77, second: 8 << 8, status: Status.CONFIRMED, timeoutSeconds: 20, mark: 2 },
      { protocol: ICMP, first: 78, second: 8 << 8, status: Status.CONFIRMED, timeoutSeconds: 20, mark: 1 },
      {
        protocol: ICMPV6,
        source: "fd00::1",
        destination: "fd00::2",
        first: 9,
        second: 128 << 8,
        reply: { source: "fd00::2", destination: "fd00::1", first: 9, second: 129 << 8 },
        status: Status.CONFIRMED,
        timeoutSeconds: 20,
        mark: 2,
      },
      { protocol: 50, status: Status.CONFIRMED, timeoutSeconds: 500, mark: 2 },
      { protocol: 51, status: Status.CONFIRMED, timeoutSeconds: 500, mark: 1 },
      { protocol: UDP, first: 5, second: 53, status: Status.CONFIRMED, timeoutSeconds: 20, mark: 2 },
      {
        protocol: SCTP,
        first: 5,
        second: 53,
        state: SctpState.COOKIE_WAIT,
        status: Status.CONFIRMED,
        timeoutSeconds: 100,
        mark: 2,
      },
      { protocol: GRE, first: 0, second: 0, status: Status.CONFIRMED, timeoutSeconds: 20, mark: 2 },
    ],
    filter: "mark=2 --floor 0",
    left: [1, 1, 1],
  },
];

for (const { name, rows, filter, left } of exact) {
  test(`exact: ${name}`, () =>
    withFlows(rows, (namespace) => {
      const done = free(namespace, ...filter.split(" "));
      const marks = flowsOf(namespace).map(({ mark = 0 }) => mark);
      assert.deepEqual(marks.toSorted(), left, JSON.stringify(done));
      assert.equal(done.doneFlows, rows.length - left.length);
      assert.equal(done.lines.length, done.doneFlows);
    }));
}

test("what went is in the file, as lines that list reads back", () =>
  withFlows(deadFlows(), (namespace) => {
    const listed = spawnSync(headroom, ["list", "tcp", "--netns", namespace], { encoding: "utf8" }).stdout;
    const { lines } = free(namespace, "tcp");
    // Time runs, and whoever reads a flow holds it: neither is of the flow.
    const bare = (line: string): string =>
      line
        .replace(/(tcp {6}6) \d+/, "$1")
        .replace(/use=\d+/, "")
        .trim();
    assert.deepEqual(lines.map(bare).toSorted(), listed.trimEnd().split("\n").map(bare).toSorted());
    assert.equal(portsOf(namespace).length, 50);
  }));

/* ---- Races ---- */

interface Race {
  namespace: string;
  remover: FlowRemoval;
  rows: readonly Row[];
}

/** Frees flows of a namespace with something happening between the reading of the batch and its end. */
async function race(
  filter: string,
  { namespace, remover }: Race,
  meanwhile: () => void,
  ageMs: () => number,
): Promise<{ renewedFlows: number }> {
  const idle = new IdleLookup({ settings: {} });
  const sieve = new Sieve({
    protections: new Protections({ sessions: [], networks: [], floorSeconds: 0 }),
    idle,
    match: compileTruth(parseFilter(filter), { idle }),
  });
  let happened = false;
  return reclaimFlows({
    batches: inside(namespace, () => netlinkFlows()).batches(),
    ageMs,
    sieve,
    remover,
    pace: new Pace(Infinity),
    clock: systemClock,
    keep: () => {},
    wait: () => {
      if (!happened) meanwhile();
      happened = true;
      return undefined;
    },
    isOver: () => false,
  });
}

function raceOn(rows: readonly Row[], work: (race: Race) => Promise<void>): Promise<void> {
  return withFlows(rows, async (namespace) => {
    const remover = inside(namespace, () => openFlowRemoval());
    try {
      await work({ namespace, remover, rows });
    } finally {
      remover.close();
    }
  });
}

function deleteAll(namespace: string): void {
  spawnSync("ip", ["netns", "exec", namespace, "conntrack", "-F"]);
}

const reused: readonly { name: string; had: Row; now: Row; stamped?: boolean }[] = [
  { name: "with more time left", had: tcp(7, TcpState.TIME_WAIT, 50), now: tcp(7, TcpState.TIME_WAIT, 120) },
  {
    name: "in another state",
    had: tcp(7, TcpState.TIME_WAIT, 50),
    now: tcp(7, TcpState.SYN_SENT, 50, { status: Status.CONFIRMED }),
  },
  {
    name: "equal in all but its start",
    had: tcp(7, TcpState.TIME_WAIT, 50),
    now: tcp(7, TcpState.TIME_WAIT, 50),
    stamped: true,
  },
];

for (const { name, had, now, stamped } of reused) {
  test(`a reused tuple is not hit: ${name}`, () =>
    withFlows([], async (namespace) => {
      if (stamped === true) {
        spawnSync("ip", [
          "netns",
          "exec",
          namespace,
          "sysctl",
          "-qw",
          "net.netfilter.nf_conntrack_timestamp=1",
        ]);
      }
      create(namespace, [had]);
      const remover = inside(namespace, () => openFlowRemoval());
      let ageMs = 0;
      const meanwhile = (): void => {
        deleteAll(namespace);
        create(namespace, [now]);
        ageMs = 1000;
      };
      const end = await race("tcp", { namespace, remover, rows: [had] }, meanwhile, () => ageMs);
      assert.deepEqual(portsOf(namespace), [7]);
      assert.equal(remover.counts.doneFlows, 0);
      assert.equal(end.renewedFlows + remover.counts.goneFlows, 1);
      remover.close();
    }));
}

test("flows that ended meanwhile are counted as gone, and the others go", () => {
  const rows = Array.from({ length: 300 }, (_, index) => tcp(index + 1, TcpState.TIME_WAIT, 100));
  return raceOn(rows, async ({ namespace, remover }) => {
    const others = inside(namespace, () => openFlowRemoval());
    const some = columnsOf(rows.slice(0, 120));
    const meanwhile = (): void =>
      others.remove(
        some,
        Uint16Array.from({ length: 120 }, (_, row) => row),
        0,
        120,
      );
    await race("tcp", { namespace, remover, rows }, meanwhile, () => 0);
    others.close();
    assert.equal(others.counts.doneFlows, 120);
    // Those in the datagrams already read are asked for and refused; the others are not seen any more.
    assert.ok(remover.counts.goneFlows > 0);
    assert.equal(remover.counts.askedFlows, 180 + remover.counts.goneFlows);
    assert.equal(remover.counts.doneFlows, 180);
    assert.deepEqual(portsOf(namespace), []);
  });
});

test("another id is another flow: it is not deleted", () =>
  raceOn([tcp(9, TcpState.TIME_WAIT, 100)], async ({ namespace, remover }) => {
    for (const columns of inside(namespace, () => netlinkFlows()).batches()) {
      columns.id[0] = ((columns.id[0] as number) ^ 1) >>> 0;
      remover.remove(columns, Uint16Array.of(0), 0, 1);
    }
    assert.equal(remover.counts.goneFlows, 1);
    assert.deepEqual(portsOf(namespace), [9]);
  }));

test("a fixed timeout is refused, counted, and ends nothing", () =>
  raceOn(
    [tcp(9, TcpState.TIME_WAIT, 100, { status: ANSWERED | Status.FIXED_TIMEOUT })],
    async ({ namespace, remover }) => {
      for (const columns of inside(namespace, () => netlinkFlows()).batches()) {
        remover.shorten(columns, Uint16Array.of(0), 0, 1, 5);
      }
      assert.equal(remover.counts.fixedFlows, 1);
      assert.equal(remover.counts.doneFlows, 0);
      assert.deepEqual(portsOf(namespace), [9]);
    },
  ));

test("^C stops between two bursts, says what was done, and the file has it", () => {
  const rows = Array.from({ length: 4000 }, (_, index) => tcp(index + 1, TcpState.TIME_WAIT, 5000));
  return withFlows(rows, async (namespace) => {
    const file = removedFile();
    const args = ["reclaim", "tcp", "--netns", namespace, "--yes", "--rate", "1000", "--removed", file];
    const child = spawn(headroom, args, { stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    while (portsOf(namespace).length > 3800) await sleep(20);
    child.kill("SIGINT");
    assert.equal(await ended, 130);
    const left = portsOf(namespace).length;
    const done = 4000 - left;
    assert.ok(left > 0 && done > 0, `${left} left`);
    assert.match(out, new RegExp(`^Removed ${done.toLocaleString("en-US")} flows.* stopped by \\^C`));
    assert.equal(readFileSync(file, "utf8").trimEnd().split("\n").length, done);
  });
});

test("who has no privilege is told so in one sentence, and nothing is touched", () =>
  withFlows(deadFlows(), (namespace) => {
    const command = `${headroom} reclaim tcp --yes --removed /dev/null`;
    const dropped = ["setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps=-all", "sh", "-c", command];
    const ended = spawnSync("ip", ["netns", "exec", namespace, ...dropped], { encoding: "utf8" });
    assert.equal(ended.status, 3, ended.stderr);
    assert.match(ended.stderr, /^headroom: cannot .*root or with CAP_NET_ADMIN\n$/m);
    assert.equal(portsOf(namespace).length, 200);
  }));

/* ---- Emergency ---- */

test("a table that is full: the greatest safe cut lets new connections pass again", async () => {
  const ids = liveIds();
  const capacity = 400;
  const room = capacity - flowsOf(routed.router).length;
  routed.lowerCapacity(capacity);
  create(
    routed.router,
    Array.from({ length: room }, (_, index) => tcp(index + 1, TcpState.TIME_WAIT, 3000)),
  );
  const reach = (): number | null =>
    spawnSync("ip", ["netns", "exec", routed.client, process.execPath, "-e", REACH], { encoding: "utf8" })
      .status;
  assert.equal(reach(), 1, "a full table refuses a new connection");

  const offer = reclaim("--emergency", "--dry-run", "--netns", routed.router);
  assert.equal(offer.code, 0, offer.errors);
  assert.match(offer.out, /^1 +\d+ +\d+ % +TCP connections that both sides have closed$/m);
  reclaimSchema.parse(JSON.parse(reclaim("--emergency", "--netns", routed.router, "--json").out));
  const done = free(routed.router, "--emergency", "--cut", "closed");
  // The kernel's own collector may have taken a twentieth of a full table by then.
  assert.ok(done.doneFlows > room * 0.9, JSON.stringify(done));
  assert.ok(flowsOf(routed.router).every(({ state }) => state !== "TIME_WAIT"));
  assert.equal(reach(), 0, "there is room again");
  await allLive(ids);
});

const REACH = `
  const socket = require("node:net").connect({ host: "${SERVER_ADDRESS}", port: 80 });
  setTimeout(() => process.exit(1), 500);
  socket.on("connect", () => process.exit(0)).on("error", () => process.exit(1));
`;
