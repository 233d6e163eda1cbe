/**
 * Freeing flows of a kernel that goes on living: flows that wake at any moment, a helper that waits for
 * a connection, a table that is resized, a disk that is full.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { reclaimSchema } from "../../src/cli/reclaim/reclaim-schema.ts";
import { type FlowEvents, listenToFlows } from "../../src/kernel/flow-events.ts";
import { insideNamespace, namedNamespace } from "../../src/kernel/namespace-enter.ts";
import { flowAt } from "../../src/table/flow.ts";
import { GRE, ICMP, ICMPV6, TCP, UDP } from "../../src/table/protocol.ts";
import { TcpState } from "../../src/table/state.ts";
import { Status } from "../../src/table/status.ts";
import { columnsOf, type Row } from "../support/columns.ts";
import { injectFlows, injectTable } from "../support/inject.ts";
import { firstLine } from "../support/router.ts";

const headroom = fileURLToPath(new URL("../../bin/headroom", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "hr-reclaim-live-"));
after(() => rmSync(directory, { recursive: true }));

let namespaces = 0;
/** A namespace of its own, gone afterwards, in which flows over lo are tracked when there are rules. */
async function inNamespace(rules: string, work: (name: string) => void | Promise<void>): Promise<void> {
  namespaces += 1;
  const table = injectTable({ flows: 0, capacityFlows: 1, prefix: `hr-recl-live${namespaces}` });
  try {
    run(table.name, "ip", "link", "set", "lo", "up");
    if (rules !== "") run(table.name, "nft", rules);
    await work(table.name);
  } finally {
    table.close();
  }
}

function run(name: string, ...command: string[]): string {
  const ended = spawnSync("ip", ["netns", "exec", name, ...command], { encoding: "utf8" });
  assert.equal(ended.status, 0, ended.stderr);
  return ended.stdout;
}

function start(name: string, ...command: string[]): ChildProcess {
  return spawn("ip", ["netns", "exec", name, ...command], { stdio: ["ignore", "pipe", "inherit"] });
}

const EVERYTHING = ["all", "--floor", "0", "--include-nat"];

let files = 0;
function newFile(): string {
  files += 1;
  return join(directory, `${files}.txt`);
}

interface Ended {
  code: number | null;
  out: string;
  errors: string;
}

function reclaim(name: string, ...args: string[]): Promise<Ended> {
  const child = spawn(headroom, ["reclaim", "--netns", name, "--yes", ...args]);
  let [out, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, errors })));
}

/* ---- Flows that wake ---- */

const TRACK = "add table inet t; add chain inet t o { type filter hook output priority 0; }; ";
const TRACK_ALL = `${TRACK} add rule inet t o ct state new counter`;

/**
 * Questions and answers of 300 flows over lo. Each is silent for about two seconds, then speaks again;
 * afterwards it prints the port and when the last packet of every exchange had been sent.
 */
const WAKING = `
import heapq, random, socket, sys, time
random.seed(7)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 5000)); server.settimeout(1)
clients = []
for index in range(300):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); client.settimeout(1)
    client.bind(("127.0.0.1", 20000 + index)); client.connect(("127.0.0.1", 5000)); clients.append(client)
said = []
def exchange(index):
    began = time.time_ns()
    clients[index].send(b"x"); data, peer = server.recvfrom(9)
    server.sendto(data, peer); clients[index].recv(9)
    said.append((20000 + index, began / 1e6, time.time_ns() / 1e6))
for lap in range(3):
    for index in range(300): exchange(index)
    time.sleep(1.1)
queue = [(time.time() + random.uniform(0, 2), index) for index in range(300)]
heapq.heapify(queue)
print("ready", flush=True)
end = time.time() + 8
while time.time() < end:
    due, index = heapq.heappop(queue)
    time.sleep(max(0, due - time.time()))
    exchange(index)
    heapq.heappush(queue, (time.time() + random.uniform(1.9, 2.5), index))
for port, began, ended in said: print(port, began, ended)
`;

/** A moment of a busy machine, and far less than a flow must have been silent to be meant. */
const AWAKE_MS = 500;
const MEANT_MS = 2000;

for (const rate of ["unlimited", "300"]) {
  test(`of flows that wake at any moment none goes that spoke before the last look: --rate ${rate}`, () =>
    inNamespace(TRACK_ALL, async (name) => {
      for (const flag of ["timestamp", "events"]) {
        run(name, "sysctl", "-qw", `net.netfilter.nf_conntrack_${flag}=1`);
      }
      const events = insideNamespace(namedNamespace(name), () => listenToFlows({ kinds: ["destroy"] }, 1));
      try {
        const talker = start(name, "/usr/bin/python3", "-c", WAKING);
        let said = "";
        talker.stdout?.on("data", (text: string) => (said += text));
        assert.equal(await firstLine(talker), "ready");
        while (talker.exitCode === null) {
          const args = ["--idle", "2s", "--floor", "0", "--rate", rate, "--removed", newFile()];
          const ended = await reclaim(name, ...args);
          assert.equal(ended.code, 0, ended.errors);
        }
        const silences = silencesOf(events, said);
        assert.ok(silences.length > 100, `only ${silences.length} flows went`);
        const wrong = silences.filter((ms) => ms > AWAKE_MS && ms < MEANT_MS - 1);
        assert.deepEqual(wrong, []);
        const awake = silences.filter((ms) => ms <= AWAKE_MS).length;
        assert.ok(awake < silences.length / 5, `${awake} of ${silences.length} had just woken`);
      } finally {
        events.close();
      }
    }));
}

/** How long each flow that was deleted had been silent, milliseconds; 0 in the midst of an exchange. */
function silencesOf(events: FlowEvents, said: string): number[] {
  const exchanges = new Map<number, { began: number; ended: number }[]>();
  for (const line of said.split("\n").slice(1)) {
    const [port = 0, began = 0, ended = 0] = line.split(" ").map(Number);
    exchanges.set(port, [...(exchanges.get(port) ?? []), { began, ended }]);
  }
  const silences: number[] = [];
  for (let batch = events.read(200); batch !== undefined; batch = events.read(200)) {
    for (let row = 0; row < batch.columns.count; row += 1) {
      const { original, stoppedAtMs = 0 } = flowAt(batch.columns, row);
      const port = original.kind === "ports" ? original.sourcePort : 0;
      const last = exchanges.get(port)?.findLast(({ began }) => began < stoppedAtMs);
      if (last !== undefined) silences.push(Math.max(0, stoppedAtMs - last.ended));
    }
  }
  return silences;
}

/* ---- A helper ---- */

const FTP_RULES =
  `add table inet t; add ct helper inet t ftp { type "ftp" protocol tcp; }; ${TRACK} ` +
  "add rule inet t o tcp dport 21 ct helper set ftp; add rule inet t o ct state new counter";

/** An FTP server and its client: one data connection that is open, one that is still to come. */
const FTP = `
import socket, time
def listener(port):
    found = socket.socket(); found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", port)); found.listen(); return found
doors = [listener(port) for port in (21, 40001, 40002)]
client = socket.create_connection(("127.0.0.1", 21)); control, _ = doors[0].accept()
def ask(line):
    client.send(line + b"\\r\\n"); control.recv(99); control.send(b"200 ok\\r\\n"); client.recv(99)
def announce(port):
    ask(b"PORT 127,0,0,1,%d,%d" % (port >> 8, port & 255))
ask(b"USER anonymous")
announce(40001)
data = socket.create_connection(("127.0.0.1", 40001)); accepted, _ = doors[1].accept()
announce(40002)
print("ready", flush=True)
time.sleep(60)
`;

test("a control connection of FTP, what it opened and what it waits for outlive everything", (context) =>
  inNamespace("", async (name) => {
    const rules = spawnSync("ip", ["netns", "exec", name, "nft", FTP_RULES], { encoding: "utf8" });
    if (rules.status !== 0) {
      context.skip(`this kernel has no helper for FTP: ${rules.stderr.split("\n")[0]}`);
      return;
    }
    const talker = start(name, "/usr/bin/python3", "-c", FTP);
    try {
      assert.equal(await firstLine(talker), "ready");
      const before = run(name, "conntrack", "-L", "-o", "id").split("\n").toSorted();
      assert.equal(run(name, "conntrack", "-L", "expect").match(/dport=40002/g)?.length, 1);
      const { code, out, errors } = await reclaim(name, ...EVERYTHING, "--json", "--removed", newFile());
      assert.equal(code, 0, errors);
      const done = JSON.parse(out) as { doneFlows: number; protectedFlows: Record<string, number> };
      assert.deepEqual([done.doneFlows, done.protectedFlows["helper"]], [0, 2], out);
      const idsOf = (lines: readonly string[]): string[] =>
        lines.flatMap((line) => line.match(/id=\d+/) ?? []);
      const now = run(name, "conntrack", "-L", "-o", "id").split("\n").toSorted();
      assert.deepEqual(idsOf(now).toSorted(), idsOf(before).toSorted());
      assert.equal(idsOf(now).length, 2);
      assert.equal(run(name, "conntrack", "-L", "expect").match(/dport=40002/g)?.length, 1);
    } finally {
      talker.kill("SIGKILL");
    }
  }));

/* ---- A resize ---- */

function closed(count: number): Row[] {
  return Array.from({ length: count }, (_, index) => ({
    protocol: TCP,
    state: TcpState.TIME_WAIT,
    status: Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED,
    first: index + 1,
    timeoutSeconds: 5000,
  }));
}

function inject(name: string, rows: readonly Row[]): void {
  injectFlows(name, rows.length, (columns, index) => {
    columns.clear();
    columns.append(columnsOf([rows[index] as Row]), 0);
  });
}

/** Resizes while the flows go, and puts the buckets back whatever becomes of this process. */
const RESIZE = `
  file=/proc/sys/net/netfilter/nf_conntrack_buckets
  old=$(cat $file); trap 'echo $old > $file' EXIT
  echo $((old / 4)) > $file; echo resized; read -r word
`;

test("a table that is resized meanwhile: some may be left, and that is said", () =>
  inNamespace("", async (name) => {
    inject(name, closed(6000));
    const going = reclaim(name, "tcp", "--rate", "3000", "--removed", newFile());
    while (Number(run(name, "conntrack", "-C")) > 5500);
    const resizer = spawn("sh", ["-c", RESIZE], { detached: true, stdio: ["pipe", "pipe", "inherit"] });
    const restored = new Promise((resolve) => resizer.on("close", resolve));
    assert.equal(await firstLine(resizer), "resized");
    const { code, out } = await going;
    resizer.stdin.end("done\n");
    await restored;
    assert.match(out, /^The table was resized while it was read, so flows may have been missed:/m);
    assert.equal(code, 1);
    const again = await reclaim(name, "tcp", "--rate", "unlimited", "--removed", newFile());
    assert.equal(again.code, 0, again.out);
    assert.equal(run(name, "conntrack", "-C").trim(), "0");
  }));

/* ---- The file of what went ---- */

const VARIED: readonly Row[] = [
  ...closed(2),
  { ...(closed(1)[0] as Row), zone: 5, mark: 2 },
  { ...(closed(1)[0] as Row), source: "fd00::1", destination: "fd00::2" },
  {
    ...(closed(1)[0] as Row),
    first: 9,
    originalZone: 7,
    reply: { source: "10.0.0.2", destination: "10.0.0.1", first: 80, second: 999 },
  },
  { protocol: ICMP, first: 77, second: 8 << 8, status: Status.CONFIRMED, timeoutSeconds: 900 },
  {
    protocol: ICMPV6,
    source: "fd00::1",
    destination: "fd00::2",
    first: 9,
    second: 128 << 8,
    reply: { source: "fd00::2", destination: "fd00::1", first: 9, second: 129 << 8 },
    status: Status.CONFIRMED,
    timeoutSeconds: 900,
  },
  { protocol: GRE, first: 0, second: 0, status: Status.CONFIRMED, timeoutSeconds: 900 },
  { protocol: 50, status: Status.CONFIRMED, timeoutSeconds: 900 },
  { protocol: UDP, first: 5, second: 53, zone: 9, status: Status.CONFIRMED, timeoutSeconds: 900 },
];

/** What lines as /proc/net/nf_conntrack has them do not tell: ids, sequence numbers, zones of 0. */
const ONLY_NETLINK = new Set([
  "id",
  "windowScale",
  "tcpFlags",
  "greTimeoutSeconds",
  "greStreamTimeoutSeconds",
]);
/** What moves on, or is not the flow's. */
const MOVES = new Set(["timeoutSeconds", "idleSeconds", "use"]);

/** What a listing tells of flows, apart from the above. */
function factsOf(listing: string): string[] {
  const left = (key: string, value: unknown): unknown => {
    if (ONLY_NETLINK.has(key) || MOVES.has(key) || (key === "zone" && value === 0)) return undefined;
    return Array.isArray(value) ? value.filter((word) => word !== "confirmed") : value;
  };
  const lines = listing.trimEnd().split("\n");
  return lines.map((line) => JSON.stringify(JSON.parse(line), left)).toSorted();
}

test("what went is read back whole: zones, IPv6, ICMP, GRE and what has no ports", () =>
  inNamespace("", async (name) => {
    inject(name, VARIED);
    const list = (...args: string[]): string =>
      spawnSync(headroom, ["list", "--json", ...args], { encoding: "utf8" }).stdout;
    const before = factsOf(list("--netns", name));
    assert.equal(before.length, VARIED.length);
    const file = newFile();
    const { code, errors } = await reclaim(name, ...EVERYTHING, "--removed", file);
    assert.equal(code, 0, errors);
    assert.equal(run(name, "conntrack", "-C").trim(), "0");
    assert.deepEqual(factsOf(list("--source", file)), before);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  }));

/** In a mount namespace of its own, where /var/lib/headroom is a file system of so many bytes. */
function onSmallDisk(name: string, bytes: number, then: string): Ended {
  const script = `
    mkdir -p /var/lib && mount -t tmpfs -o size=1m none /var/lib && mkdir /var/lib/headroom &&
    mount -t tmpfs -o size=${bytes} none /var/lib/headroom && umask 0 &&
    '${headroom}' reclaim --netns '${name}' --yes tcp --rate unlimited; code=$?
    ${then}
    exit $code`;
  const ended = spawnSync("unshare", ["-m", "sh", "-c", script], { encoding: "utf8" });
  return { code: ended.status, out: ended.stdout, errors: ended.stderr };
}

test("the default place of the file is closed to others", () =>
  inNamespace("", (name) => {
    inject(name, closed(3));
    const look = "cd /var/lib/headroom; stat -c '%a %F' reclaimed reclaimed/*";
    const { code, out, errors } = onSmallDisk(name, 1 << 20, look);
    assert.equal(code, 0, errors);
    assert.match(out, /\n700 directory\n600 regular file\n$/);
  }));

test("a disk that is full: what is not written does not go", () =>
  inNamespace("", (name) => {
    inject(name, closed(4000));
    const { code, out, errors } = onSmallDisk(name, 64 * 1024, "cat /var/lib/headroom/reclaimed/*");
    assert.equal(code, 1, errors);
    assert.match(errors, /cannot write what goes into \/var\/lib\/headroom\/reclaimed\/.*\(ENOSPC\)/);
    const left = run(name, "conntrack", "-L", "-p", "tcp");
    const portOf = (line: string): string => /sport=(\d+)/.exec(line)?.[1] ?? "";
    const stays = new Set(left.split("\n").map(portOf));
    // A line may be there without its flow having gone, never the other way round.
    const written = new Set(out.split("\n").map(portOf));
    const gone = closed(4000).filter(({ first }) => !stays.has(String(first)));
    assert.ok(gone.length > 0 && gone.length < 4000, `${gone.length} went`);
    assert.deepEqual(
      gone.filter(({ first }) => !written.has(String(first))),
      [],
    );
  }));

test("an answer of JSON says that a table was not read whole", () =>
  inNamespace("", async (name) => {
    inject(name, closed(300));
    const { code, out } = await reclaim(name, "tcp", "--max", "100", "--json", "--removed", newFile());
    const done = reclaimSchema.parse(JSON.parse(out));
    assert.deepEqual([code, "complete" in done && done.complete], [0, false]);
    assert.equal(run(name, "conntrack", "-C").trim(), "200");
  }));
