/**
 * What netlink gives of the running kernel, against what conntrack(8) and the kernel's files say of the
 * same.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  beginFlowRequest,
  rowOfTuple,
  writeCreate,
  writeDelete,
  writeFlush,
  writeUpdate,
} from "../../src/kernel/ctnetlink-encode.ts";
import { type NetlinkReadOptions, netlinkFlow, netlinkFlows } from "../../src/kernel/ctnetlink-dump.ts";
import { netlinkCounters, netlinkExpectations, netlinkOccupancy } from "../../src/kernel/ctnetlink-stats.ts";
import { insideNamespace, namedNamespace } from "../../src/kernel/namespace-enter.ts";
import { Exchange, forEachAnswer, NETLINK_NETFILTER, openNetlink } from "../../src/kernel/netlink-socket.ts";
import { wireLines } from "../../src/kernel/netlink-text.ts";
import { Flag, MessageWriter } from "../../src/kernel/netlink.ts";
import { netlinkSockets } from "../../src/kernel/sock-diag.ts";
import { readListing } from "../../src/listing/listing.ts";
import { addressFromBytes } from "../../src/table/address.ts";
import { parseAddress } from "../../src/table/address-text.ts";
import { type FlowColumns, Has } from "../../src/table/columns.ts";
import { type Flow, flowAt, type Tuple } from "../../src/table/flow.ts";
import { DCCP, GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE } from "../../src/table/protocol.ts";
import { Status } from "../../src/table/status.ts";
import { injectTable } from "../support/inject.ts";
import { makeProtocolHost } from "../support/protocol-host.ts";
import { firstLine } from "../support/router.ts";

const startedAtMs = Date.now();
const host = await makeProtocolHost("hr-nl");
after(() => host.close());

function inside<Result>(work: () => Result): Result {
  return insideNamespace(namedNamespace(host.name), work);
}

/** The whole table of the namespace. */
function table(options: NetlinkReadOptions = {}): Flow[] {
  const reading = inside(() => netlinkFlows(options));
  const flows: Flow[] = [];
  for (const columns of reading.batches()) {
    for (let row = 0; row < columns.count; row++) flows.push(flowAt(columns, row));
  }
  assert.deepEqual(reading.oddities, {});
  assert.equal(reading.complete, true);
  assert.equal(reading.unknownAttributes.size, 0);
  return flows;
}

function only(flows: readonly Flow[], test_: (flow: Flow) => boolean): Flow {
  const [flow, ...more] = flows.filter(test_);
  assert.ok(
    flow !== undefined && more.length === 0,
    `one flow, not ${flow === undefined ? 0 : more.length + 1}`,
  );
  return flow;
}

function portOf(flow: Flow): number | undefined {
  return flow.original.kind === "ports" ? flow.original.destinationPort : undefined;
}

test("the table by netlink is the table conntrack(8) lists, flow by flow", async () => {
  const flows = table();
  const text = host.run("conntrack", "-L", "-o", "extended,id");
  const listed = new Map<number, Flow>();
  const reading = readListing([new TextEncoder().encode(text)], { origin: "conntrack" });
  for await (const columns of reading.batches()) {
    for (let row = 0; row < columns.count; row++) {
      const flow = flowAt(columns, row);
      listed.set(flow.id ?? -1, flow);
    }
  }
  assert.ok(flows.length >= 16, `${flows.length} flows`);
  assert.deepEqual(flows.map(({ id }) => id).toSorted(), [...listed.keys()].toSorted());
  for (const flow of flows) {
    const twin = listed.get(flow.id ?? -1);
    for (const key of ["family", "protocol", "original", "reply", "state", "mark", "zone"] as const) {
      assert.deepEqual(flow[key], twin?.[key], `${key} of ${flow.id}`);
    }
    assert.deepEqual(flow.originalTraffic, twin?.originalTraffic);
    assert.deepEqual(flow.replyTraffic, twin?.replyTraffic);
    assert.deepEqual(flow.originalZone, twin?.originalZone);
    assert.ok(Math.abs((flow.timeoutSeconds ?? 0) - (twin?.timeoutSeconds ?? -99)) <= 2);
    const told = twin?.knownStatus ?? 0;
    assert.equal((flow.status ?? 0) & told, (twin?.status ?? 0) & told);
  }
});

test("every protocol is in the table, with a family and confirmed", () => {
  const flows = table();
  const protocols = new Set(flows.map(({ protocol }) => protocol));
  for (const protocol of [ICMP, TCP, UDP, GRE, ICMPV6, SCTP, UDPLITE, 99]) assert.ok(protocols.has(protocol));
  for (const flow of flows) {
    assert.ok(((flow.status ?? 0) & Status.CONFIRMED) !== 0);
    assert.equal(flow.family, flow.original.source.length === 4 ? 4 : 6);
  }
});

test("an established flow has state, scales, counters, time, mark and label", () => {
  const flow = only(
    table(),
    (each) => each.family === 4 && portOf(each) === 8080 && each.state === "ESTABLISHED",
  );
  assert.equal(flow.mark, 0x2a);
  assert.ok((flow.timeoutSeconds ?? 0) > 400_000);
  assert.ok(
    ((flow.status ?? 0) & (Status.SEEN_REPLY | Status.ASSURED)) === (Status.SEEN_REPLY | Status.ASSURED),
  );
  assert.ok((flow.originalTraffic?.packets ?? 0) >= 3 && (flow.replyTraffic?.bytes ?? 0) > 100);
  assert.ok((flow.startedAtMs ?? 0) >= startedAtMs - 1000 && (flow.startedAtMs ?? 0) <= Date.now() + 1000);
  assert.equal(flow.stoppedAtMs, undefined);
  assert.equal(flow.rare?.labels?.[0], 1 << 5);
  assert.ok((flow.tcpInfo?.originalScale ?? 0) > 0);
});

test("a translated flow shows it in its tuples and its status", () => {
  const flow = only(table(), (each) => portOf(each) === 8081);
  assert.ok(((flow.status ?? 0) & Status.DST_NAT) !== 0);
  assert.equal(flow.reply?.kind === "ports" ? flow.reply.sourcePort : undefined, 8080);
  assert.equal(flow.original.destination, parseAddress("127.0.0.2"));
});

test("zones are of both directions or of one", () => {
  const flows = table();
  const both = only(flows, (each) => portOf(each) === 7007);
  assert.deepEqual([both.zone, both.originalZone, both.replyZone], [7, undefined, undefined]);
  const one = only(flows, (each) => portOf(each) === 7008);
  assert.deepEqual([one.zone, one.originalZone, one.replyZone], [undefined, 8, undefined]);
});

test("a flow has its helper, and the flow it made expected has it for a master", () => {
  const flows = table();
  const asked = only(flows, (each) => portOf(each) === 69);
  assert.equal(asked.rare?.helper, "tftp");
  const answer = only(flows, (each) => ((each.status ?? 0) & Status.EXPECTED) !== 0);
  assert.equal(answer.rare?.master?.destinationDiscriminator, 69);
  assert.equal(answer.rare.master.source[0], 0x7f00_0001);
});

test("the kernel's filters give what a filter of the whole table gives", () => {
  const all = table();
  const filters: { options: NetlinkReadOptions; keep: (flow: Flow) => boolean }[] = [
    { options: { family: 4 }, keep: (flow) => flow.family === 4 },
    { options: { family: 6 }, keep: (flow) => flow.family === 6 },
    { options: { mark: { value: 2, mask: 2 } }, keep: (flow) => ((flow.mark ?? 0) & 2) !== 0 },
    { options: { status: { value: 0, mask: 2 } }, keep: (flow) => ((flow.status ?? 0) & 2) === 0 },
    { options: { zone: 7 }, keep: (flow) => flow.zone === 7 },
    { options: { zone: 8 }, keep: (flow) => flow.originalZone === 8 },
  ];
  for (const { options, keep } of filters) {
    const ids = table(options).map(({ id }) => id);
    const wanted = all.filter(keep).map(({ id }) => id);
    assert.ok(wanted.length > 0);
    assert.deepEqual(ids.toSorted(), wanted.toSorted(), JSON.stringify(options));
  }
});

test("occupancy and limit equal conntrack -C and the setting", () => {
  const occupancy = inside(() => netlinkOccupancy());
  assert.equal(occupancy?.occupancyFlows, Number(host.run("conntrack", "-C")));
  assert.equal(
    occupancy?.capacityFlows,
    Number(readFileSync("/proc/sys/net/netfilter/nf_conntrack_max", "utf8")),
  );
});

test("counters equal conntrack -S", () => {
  const counters = inside(() => netlinkCounters());
  const printed = host.run("conntrack", "-S").trim().split("\n");
  const insert = printed.reduce((sum, line) => sum + Number(/insert=(\d+)/.exec(line)?.[1]), 0);
  assert.ok(insert >= 8);
  assert.equal(counters.total.insert, insert);
  assert.equal(counters.perCpu.length, printed.length);
  assert.deepEqual(counters.unknown, []);
});

test("expectations are counted", () => {
  const lines = readInside("/proc/net/nf_conntrack_expect").split("\n").length - 1;
  assert.equal(
    inside(() => netlinkExpectations()),
    lines,
  );
});

function readInside(path: string): string {
  return inside(() => readFileSync(path, "utf8"));
}

test("a flow is found by either of its tuples, in its zone only", () => {
  const flow = only(table(), (each) => portOf(each) === 8081);
  assert.ok(flow.reply !== undefined);
  assert.equal(inside(() => netlinkFlow(flow.original))?.id, flow.id);
  assert.equal(inside(() => netlinkFlow(flow.reply as Tuple))?.id, flow.id);
  assert.equal(
    inside(() => netlinkFlow(flow.original, { zone: 99 })),
    undefined,
  );
});

/* ---- Requests that change: in this test's namespace only ---- */

/** Sends one request and waits for its acknowledgement. */
function perform(write: (writer: MessageWriter) => void): void {
  const socket = inside(() => openNetlink(NETLINK_NETFILTER));
  try {
    const writer = new MessageWriter();
    write(writer);
    const exchange = new Exchange(socket, writer.bytes(), 1, { tried: "change a flow" });
    forEachAnswer(exchange, () => assert.fail("A change has an acknowledgement and no answer"));
  } finally {
    socket.close();
  }
}

function tupleOf(protocol: number, first: number, second: number, six = false): Tuple {
  const source = addressFromBytes(six ? new Uint8Array(16).fill(0xfd) : Uint8Array.of(10, 9, 0, 1));
  const destination = addressFromBytes(six ? new Uint8Array(16).fill(0xfc) : Uint8Array.of(10, 9, 0, 2));
  const ends = { protocol, source, destination };
  if (protocol === ICMP || protocol === ICMPV6) {
    return { kind: "icmp", ...ends, type: protocol === ICMP ? 8 : 128, code: 0, id: first };
  }
  if (protocol === GRE) return { kind: "keys", ...ends, sourceKey: first, destinationKey: second };
  if (protocol === 50 || protocol === DCCP) return { kind: "none", ...ends };
  return { kind: "ports", ...ends, sourcePort: first, destinationPort: second };
}

/** A row that can be created: `tuple`, its inverse, and a timeout. */
function rowFor(tuple: Tuple): FlowColumns {
  const columns = rowOfTuple(tuple);
  columns.replySource.set(columns.originalDestination);
  columns.replyDestination.set(columns.originalSource);
  const first = columns.originalSourceDiscriminator[0] as number;
  const second = columns.originalDestinationDiscriminator[0] as number;
  columns.replySourceDiscriminator[0] = second;
  columns.replyDestinationDiscriminator[0] = first;
  if (tuple.kind === "icmp") {
    // The answer to an echo request: type 0, or 129 for ICMPv6.
    columns.replySourceDiscriminator[0] = first;
    columns.replyDestinationDiscriminator[0] = tuple.protocol === ICMP ? 0 : 129 << 8;
  }
  columns.timeoutSeconds[0] = 1000;
  columns.status[0] = Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED;
  columns.mark[0] = 5;
  columns.has[0] = Has.timeout | Has.status | Has.reply | Has.mark;
  return columns;
}

for (const [protocol, six] of [
  [TCP, false],
  [TCP, true],
  [UDP, true],
  [UDPLITE, false],
  [SCTP, false],
  [GRE, false],
  [ICMP, false],
  [ICMPV6, true],
  [50, false],
] as const) {
  test(`a created flow of protocol ${protocol} over IPv${six ? 6 : 4} is read, changed and deleted`, () => {
    const tuple = tupleOf(protocol, 4321, 1234, six);
    const row = rowFor(tuple);
    perform((writer) => writeCreate(writer, 1, row, 0, Flag.EXCL | Flag.ACK));
    const created = inside(() => netlinkFlow(tuple));
    assert.deepEqual(created?.original, tuple);
    assert.deepEqual([created.mark, created.status], [5, row.status[0]]);
    assert.ok(Math.abs((created.timeoutSeconds ?? 0) - 1000) <= 1);
    assert.throws(() => perform((writer) => writeCreate(writer, 1, row, 0, Flag.EXCL | Flag.ACK)), {
      code: "already-exists",
    });

    row.timeoutSeconds[0] = 77;
    row.has[0] = Has.timeout;
    perform((writer) => writeUpdate(writer, 1, row, 0));
    const changed = inside(() => netlinkFlow(tuple));
    assert.ok(Math.abs((changed?.timeoutSeconds ?? 0) - 77) <= 1);

    row.id[0] = ((created.id ?? 0) ^ 1) >>> 0;
    row.has[0] = Has.id;
    assert.throws(() => perform((writer) => writeDelete(writer, 1, row, 0)), { code: "not-found" });
    row.id[0] = created.id ?? 0;
    perform((writer) => writeDelete(writer, 1, row, 0));
    assert.equal(
      inside(() => netlinkFlow(tuple)),
      undefined,
    );
  });
}

test("the kernel's words come with its refusal", () => {
  assert.throws(
    () =>
      perform((writer) => {
        beginFlowRequest(writer, 0, Flag.ACK, 1, 4);
        writer.u8(3, 1);
        writer.end();
      }),
    {
      name: "KernelError",
      message: /^Cannot change a flow: .*the kernel says "[^"]+" about the attribute at byte 20/,
    },
  );
});

test("a flush of one family leaves the other", () => {
  perform((writer) => writeFlush(writer, 1, 6));
  const families = new Set(table().map(({ family }) => family));
  assert.deepEqual([...families], [4]);
});

/* ---- Refusals, sockets, wire ---- */

test("a user without capabilities is refused in a sentence", () => {
  process.seteuid?.(65_534);
  try {
    assert.throws(() => netlinkFlows(), {
      code: "not-permitted",
      message: /operation not permitted \(EPERM\); run as root or with CAP_NET_ADMIN$/,
    });
    assert.throws(() => netlinkCounters(), { code: "not-permitted" });
    assert.throws(() => inside(() => 1), { code: "not-permitted", message: /CAP_SYS_ADMIN/ });
  } finally {
    process.seteuid?.(0);
  }
  assert.ok(table().length > 0, "and root is allowed again");
});

test("sockets are those of the namespace", () => {
  const ports = inside(() => [...netlinkSockets({ protocols: [TCP] })]).map(({ localPort }) => localPort);
  assert.ok(ports.includes(8080));
  const shown = host.run("ss", "-Htan").trim().split("\n").length;
  assert.equal(inside(() => [...netlinkSockets({ protocols: [TCP], unheld: true })]).length, shown);
  const outside = [...netlinkSockets({ protocols: [TCP] })].map(({ inode }) => inode);
  const held = inside(() => [...netlinkSockets({ protocols: [TCP] })]).map(({ inode }) => inode);
  assert.ok(held.every((inode) => !outside.includes(inode)));
});

test("the wire can be watched", () => {
  const lines: string[] = [];
  table({ sink: wireLines((line) => lines.push(line)) });
  assert.match(lines[0] ?? "", /^> CT GET flags=REQUEST\|DUMP/);
  assert.ok(lines.some((line) => /^<.*HELP_NAME "tftp"/.test(line)));
  assert.match(lines.at(-2) ?? "", /^< DONE/);
});

/* ---- Large tables ---- */

test("a large table is read whole, by a thread of its own too, and a sample of it stops early", async () => {
  const injected = injectTable({ flows: 30_000, prefix: "hr-nl-large" });
  try {
    const reading = insideNamespace(namedNamespace(injected.name), () => netlinkFlows());
    const ids = new Set<number>();
    let rows = 0;
    for (const columns of reading.batches()) {
      rows += columns.count;
      for (let row = 0; row < columns.count; row++) ids.add(columns.id[row] as number);
    }
    assert.deepEqual([rows, reading.complete, reading.oddities], [30_000, true, {}]);
    assert.ok(ids.size > 29_990, "ids are hashes of 32 bits: hardly any two are equal");
    const ahead = insideNamespace(namedNamespace(injected.name), () => netlinkFlows({ aheadFromFlows: 0 }));
    const idsAhead = new Set<number>();
    for (const columns of ahead.batches()) {
      // The thread comes up while the first datagrams are read here, and then takes over.
      await sleep(idsAhead.size === 0 ? 200 : 0);
      for (let row = 0; row < columns.count; row++) idsAhead.add(columns.id[row] as number);
    }
    assert.deepEqual([ahead.complete, ahead.oddities], [true, {}]);
    assert.equal(idsAhead.symmetricDifference(ids).size, 0);
    const left = insideNamespace(namedNamespace(injected.name), () => netlinkFlows({ aheadFromFlows: 0 }));
    for (const columns of left.batches()) {
      await sleep(100);
      if (columns.count > 0) break;
    }
    const sample = insideNamespace(namedNamespace(injected.name), () => netlinkFlows({ sampleFlows: 2000 }));
    let sampled = 0;
    for (const columns of sample.batches()) sampled += columns.count;
    assert.ok(sampled >= 2000 && sampled < 2400, `${sampled} flows`);
    assert.equal(sample.complete, false);
  } finally {
    injected.close();
  }
});

test("settings an injection raised are put back when its process is killed", async () => {
  const capacityFile = "/proc/sys/net/netfilter/nf_conntrack_max";
  const before = readFileSync(capacityFile, "utf8");
  const module = fileURLToPath(new URL("../support/inject.ts", import.meta.url));
  const program = `
    const { injectTable } = await import(${JSON.stringify(module)});
    const options = { flows: 10, capacityFlows: ${Number(before) + 1000}, prefix: "hr-nl-killed" };
    const { name } = injectTable(options);
    console.log(name);
    setInterval(() => {}, 1000);`;
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", program];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const name = await firstLine(child);
  assert.equal(Number(readFileSync(capacityFile, "utf8")), Number(before) + 1000);
  child.kill("SIGKILL");
  for (let tries = 0; tries < 50 && readFileSync(capacityFile, "utf8") !== before; tries++) await sleep(100);
  assert.equal(readFileSync(capacityFile, "utf8"), before);
  assert.ok(!execFileSync("ip", ["netns", "list"], { encoding: "utf8" }).includes(name));
});
