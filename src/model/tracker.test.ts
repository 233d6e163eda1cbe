import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, PacketKind, TcpFlag } from "../packet/columns.ts";
import { GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE } from "../table/protocol.ts";
import { Status } from "../table/status.ts";
import { answerTo, type Packet } from "../../test/support/packets.ts";
import { flowsOf, say, wait } from "../../test/support/tracking.ts";
import { GENERATIONS } from "./generation.ts";
import { Tracker } from "./tracker.ts";

const query: Packet = { protocol: UDP, first: 5353, second: 53 };
const echo: Packet = { protocol: ICMP, first: 7, second: 8 << 8 };
const echo6: Packet = {
  protocol: ICMPV6,
  source: "fd00::1",
  destination: "fd00::2",
  first: 7,
  second: 128 << 8,
};
const syn: Packet = { protocol: TCP, sequence: 100 };
const synAck = answerTo(syn, { flags: TcpFlag.SYN | TcpFlag.ACK, sequence: 500, acknowledgment: 101 });
const ack: Packet = { ...syn, flags: TcpFlag.ACK, sequence: 101, acknowledgment: 501 };

function only(tracker: Tracker): ReturnType<typeof flowsOf>[number] {
  const flows = flowsOf(tracker);
  assert.equal(flows.length, 1);
  return flows[0] as (typeof flows)[number];
}

test("a handshake is new, established, established, and ends ASSURED for five days", () => {
  const tracker = new Tracker();
  assert.deepEqual(say(tracker, [syn, synAck, ack]), ["new", "established", "established"]);
  const flow = only(tracker);
  assert.equal(flow.state, "ESTABLISHED");
  assert.equal(flow.timeoutSeconds, 432_000);
  assert.equal(flow.status, Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED);
});

test("a repeated first packet is new until somebody answers", () => {
  assert.deepEqual(say(new Tracker(), [syn, syn, synAck, ack]), ["new", "new", "established", "established"]);
  assert.deepEqual(say(new Tracker(), [query, query]), ["new", "new"]);
});

const udpRows: readonly [string, readonly Packet[], number, boolean][] = [
  ["one way: 30 s", [query, { ...query, atMs: 5000 }], 30, false],
  ["the first answer: 30 s", [query, answerTo(query, { atMs: 5000 })], 30, false],
  ["an exchange within two seconds: 30 s", [query, answerTo(query), { ...query, atMs: 2000 }], 30, false],
  ["two seconds and a jiffy: a stream", [query, answerTo(query), { ...query, atMs: 2004 }], 120, true],
];

for (const [name, packets, timeoutSeconds, isAssured] of udpRows) {
  test(`UDP, ${name}`, () => {
    const tracker = new Tracker();
    say(tracker, packets);
    const flow = only(tracker);
    assert.equal(flow.timeoutSeconds, timeoutSeconds);
    assert.equal(((flow.status ?? 0) & Status.ASSURED) !== 0, isAssured);
  });
}

test("UDP of 4.19 is a stream of 180 s at the first packet behind an answer", () => {
  const tracker = new Tracker({ generation: "4.19" });
  say(tracker, [query, answerTo(query), query]);
  assert.equal(only(tracker).timeoutSeconds, 180);
});

test("UDP-Lite has no two-second rule, and no ports where it is not tracked", () => {
  const packet = { ...query, protocol: UDPLITE };
  const tracker = new Tracker();
  say(tracker, [packet, answerTo(packet), packet]);
  assert.equal(only(tracker).timeoutSeconds, 120);
  const newest = new Tracker({ generation: "7.3" });
  assert.deepEqual(say(newest, [packet, { ...packet, first: 9 }]), ["new", "new"]);
  assert.equal(only(newest).timeoutSeconds, 600);
});

test("GRE keeps the timeouts it was born with", () => {
  const packet: Packet = { protocol: GRE, first: 0, second: 0 };
  const tracker = new Tracker();
  say(tracker, [packet]);
  tracker.set("nf_conntrack_gre_timeout_stream", 1000);
  say(tracker, [answerTo(packet), packet]);
  const flow = only(tracker);
  assert.equal(flow.timeoutSeconds, 180);
  assert.ok(((flow.status ?? 0) & Status.ASSURED) !== 0);
});

test("a protocol without a tracker is told by its addresses, for 600 s", () => {
  const packet: Packet = { protocol: 50, first: 0, second: 0 };
  const tracker = new Tracker();
  assert.deepEqual(say(tracker, [packet, answerTo(packet), packet]), ["new", "established", "established"]);
  const flow = only(tracker);
  assert.equal(flow.timeoutSeconds, 600);
  assert.equal(flow.status, Status.CONFIRMED | Status.SEEN_REPLY);
});

const about = { protocol: UDP, source: "10.0.0.1", destination: "10.0.0.2", first: 5353, second: 53 };
const unreachable: Packet = {
  protocol: ICMP,
  source: "10.9.9.9",
  destination: "10.0.0.1",
  first: 0,
  second: (3 << 8) | 1,
  inner: about,
};

test("an error about a flow is related, renews nothing and is no answer", () => {
  const tracker = new Tracker();
  assert.deepEqual(say(tracker, [query, { ...unreachable, atMs: 10_000 }]), ["new", "related"]);
  const flow = only(tracker);
  assert.equal(flow.timeoutSeconds, 20);
  assert.equal(flow.status, Status.CONFIRMED);
});

const badErrors: readonly [string, Packet][] = [
  ["about nobody", { ...unreachable, inner: { ...about, first: 1 } }],
  ["of another destination than the sender inside", { ...unreachable, destination: "10.0.0.3" }],
  [
    "with nothing readable inside",
    { ...unreachable, inner: { ...about, source: "fd00::1", destination: "::1" } },
  ],
  ["with a wrong checksum", { ...unreachable, fault: Fault.BAD_CHECKSUM }],
  ["of a type above 18", { ...unreachable, second: 19 << 8 }],
  ["too short", { ...unreachable, fault: Fault.NO_TUPLE }],
];

for (const [name, packet] of badErrors) {
  test(`an error ${name} is invalid and counted as such`, () => {
    const tracker = new Tracker();
    assert.deepEqual(say(tracker, [query, packet]), ["new", "invalid"]);
    assert.equal(tracker.counters.total.icmpError, 1);
    assert.equal(tracker.counters.total.invalid, 0);
  });
}

for (const [type, verdict] of [
  [0, "invalid"],
  [8, "new"],
  [9, "invalid"],
  [10, "invalid"],
  [13, "new"],
  [14, "invalid"],
  [15, "new"],
  [16, "invalid"],
  [17, "new"],
  [18, "invalid"],
] as const) {
  test(`ICMP type ${type} that nobody asked for is ${verdict}`, () => {
    assert.deepEqual(say(new Tracker(), [{ ...echo, second: type << 8 }]), [verdict]);
  });
}

for (const [type, verdict] of [
  [127, "invalid"],
  [128, "new"],
  [129, "invalid"],
  [130, "untracked"],
  [133, "untracked"],
  [136, "untracked"],
  [137, "invalid"],
  [139, "new"],
  [140, "invalid"],
  [143, "untracked"],
  [151, "untracked"],
  [152, "untracked"],
  [153, "invalid"],
] as const) {
  test(`ICMPv6 type ${type} that nobody asked for is ${verdict}`, () => {
    assert.deepEqual(say(new Tracker(), [{ ...echo6, second: type << 8 }]), [verdict]);
  });
}

test("a redirect was once not tracked, and long-term kernels learned it too", () => {
  const packet = { ...echo6, second: 137 << 8 };
  assert.deepEqual(say(new Tracker({ generation: "4.19" }), [packet]), ["untracked"]);
  assert.deepEqual(say(new Tracker({ generation: "5.10" }), [packet]), ["invalid"]);
});

test("ICMPv6 of multicast routers was INVALID before 6.12", () => {
  const packet = { ...echo6, second: 151 << 8 };
  assert.deepEqual(say(new Tracker({ generation: "6.1" }), [packet]), ["invalid"]);
  assert.deepEqual(say(new Tracker({ generation: "6.12" }), [packet]), ["untracked"]);
});

test("an echo and its answer are one flow of 30 s that is never ASSURED", () => {
  const tracker = new Tracker();
  const verdicts = say(tracker, [echo, answerTo(echo), { ...echo, atMs: 5000 }, echo6, answerTo(echo6)]);
  assert.deepEqual(verdicts, ["new", "established", "established", "new", "established"]);
  for (const flow of flowsOf(tracker)) assert.equal(flow.status, Status.CONFIRMED | Status.SEEN_REPLY);
  assert.equal(tracker.occupancyFlows, 2);
});

test("ICMP in the wrong family is invalid", () => {
  const foreign: Packet = {
    protocol: ICMP,
    source: "fd00::1",
    destination: "fd00::2",
    first: 1,
    second: 8 << 8,
  };
  assert.deepEqual(say(new Tracker(), [foreign]), ["invalid"]);
  assert.deepEqual(say(new Tracker(), [{ ...echo, protocol: ICMPV6, second: 128 << 8 }]), ["invalid"]);
});

test("a wrong checksum is invalid, unless checksums are not verified", () => {
  const packet = { ...query, fault: Fault.BAD_CHECKSUM };
  assert.deepEqual(say(new Tracker(), [packet]), ["invalid"]);
  const lax = new Tracker({ settings: { nf_conntrack_checksum: 0 } });
  assert.deepEqual(say(lax, [packet, { ...query, fault: Fault.BAD_LENGTH }]), ["new", "invalid"]);
});

test("what never reaches the tracker has no verdict, a fragment that waits is held", () => {
  const kinds = [PacketKind.NOT_IP, PacketKind.REFUSED, PacketKind.HELD];
  const verdicts = say(
    new Tracker(),
    kinds.map((kind) => ({ ...query, kind })),
  );
  assert.deepEqual(verdicts, ["none", "none", "held"]);
});

test("zones keep equal tuples apart", () => {
  const tracker = new Tracker();
  const other = { ...query, zone: 7 };
  assert.deepEqual(say(tracker, [query, other, answerTo(other)]), ["new", "new", "established"]);
  assert.deepEqual(
    flowsOf(tracker)
      .map(({ zone }) => zone)
      .toSorted(),
    [7, undefined],
  );
});

test("a flow to oneself through the same port is answered by its own second packet", () => {
  const self: Packet = { protocol: UDP, source: "127.0.0.1", destination: "127.0.0.1", first: 9, second: 9 };
  const tracker = new Tracker();
  assert.deepEqual(say(tracker, [self, self]), ["new", "established"]);
  wait(tracker, 200_000);
  assert.equal(tracker.occupancyFlows, 0);
});

test("an expired flow matches nothing and is reaped by whoever walks past it", () => {
  const tracker = new Tracker();
  say(tracker, [query]);
  assert.deepEqual(say(tracker, [answerTo(query, { atMs: 30_000 })]), ["new"]);
  assert.equal(tracker.occupancyFlows, 1);
});

test("a timeout of zero makes flows that are counted and cannot be found", () => {
  const tracker = new Tracker({ settings: { nf_conntrack_udp_timeout: 0 } });
  assert.deepEqual(say(tracker, [query]), ["new"]);
  assert.equal(tracker.occupancyFlows, 1);
  assert.deepEqual(flowsOf(tracker), []);
  assert.deepEqual(say(tracker, [answerTo(query)]), ["new"]);
});

test("a flow keeps its expiry when a timeout changes, until its next packet", () => {
  const tracker = new Tracker();
  say(tracker, [query]);
  tracker.set("nf_conntrack_udp_timeout", 300);
  wait(tracker, 10_000);
  assert.equal(only(tracker).timeoutSeconds, 20);
  say(tracker, [query]);
  assert.equal(only(tracker).timeoutSeconds, 300);
});

test("counters begin with flows that begin while accounting is on, and go on when it is off", () => {
  const tracker = new Tracker();
  const old = { ...query, first: 1 };
  say(tracker, [old]);
  tracker.set("nf_conntrack_acct", 1);
  say(tracker, [{ ...query, lengthBytes: 60 }, old]);
  tracker.set("nf_conntrack_acct", 0);
  say(tracker, [answerTo(query, { lengthBytes: 90 })]);
  const counted = flowsOf(tracker).filter(({ originalTraffic }) => originalTraffic !== undefined);
  assert.equal(counted.length, 1);
  assert.deepEqual(counted[0]?.originalTraffic, { packets: 1, bytes: 60 });
  assert.deepEqual(counted[0]?.replyTraffic, { packets: 1, bytes: 90 });
});

test("the table as of a later instant has what is left then", () => {
  const tracker = new Tracker();
  say(tracker, [query]);
  assert.equal(flowsOf(tracker, 29_000)[0]?.timeoutSeconds, 1);
  assert.deepEqual(flowsOf(tracker, 30_000), []);
  assert.equal(tracker.occupancyFlows, 1);
});

test("the clock does not go back", () => {
  const tracker = new Tracker();
  say(tracker, [
    { ...query, atMs: 10_000 },
    { ...query, first: 2, atMs: 0 },
  ]);
  for (const flow of flowsOf(tracker)) assert.equal(flow.timeoutSeconds, 30);
});

for (const generation of GENERATIONS) {
  test(`${generation} tracks a handshake, a query and an echo`, () => {
    const tracker = new Tracker({ generation });
    const verdicts = say(tracker, [syn, synAck, ack, query, echo, answerTo(echo)]);
    assert.deepEqual(verdicts, ["new", "established", "established", "new", "new", "established"]);
    assert.equal(flowsOf(tracker).length, 3);
  });
}

test("an SCTP association begins by INIT", () => {
  const init: Packet = { protocol: SCTP, sctp: { vtag: 0, initTag: 77, chunks: [1] } };
  const tracker = new Tracker();
  assert.deepEqual(say(tracker, [init]), ["new"]);
  assert.equal(only(tracker).state, "CLOSED");
});

const control: Packet = { ...syn, second: 21 };

test("a control connection has the helper only where helpers are given", () => {
  const tracker = new Tracker({ helpers: ["ftp"] });
  say(tracker, [control, syn]);
  const helped = flowsOf(tracker).filter(({ status }) => ((status ?? 0) & Status.HELPER) !== 0);
  assert.equal(helped.length, 1);
  const without = new Tracker();
  say(without, [control]);
  assert.equal(only(without).status, Status.CONFIRMED);
});

/** A control connection over which the client says where it listens. */
function ftpPackets(): Packet[] {
  const begin: Packet = { ...control, sequence: 100 };
  const welcome = answerTo(begin, { flags: 18, sequence: 500, acknowledgment: 101 });
  const agreed: Packet = { ...begin, flags: 16, sequence: 101, acknowledgment: 501 };
  const user: Packet = { ...agreed, flags: 24, payload: "USER me\r\n" };
  const fine = answerTo(begin, { flags: 24, sequence: 501, acknowledgment: 110, payload: "230 fine\r\n" });
  const port = { ...user, sequence: 110, acknowledgment: 511, payload: "PORT 10,0,0,1,4,1\r\n" };
  return [begin, welcome, agreed, user, fine, port];
}

const data: Packet = { source: "10.0.0.2", destination: "10.0.0.1", first: 20, second: 1025, sequence: 9 };

test("a data connection that was announced is related, once, and has EXPECTED", () => {
  const tracker = new Tracker({ helpers: ["ftp"] });
  say(tracker, ftpPackets());
  const other = { ...data, first: 21_000 };
  assert.deepEqual(say(tracker, [data, data, other]), ["related", "related", "new"]);
  const expected = flowsOf(tracker).filter(({ status }) => ((status ?? 0) & Status.EXPECTED) !== 0);
  assert.equal(expected.length, 1);
  assert.equal(tracker.counters.total.expectNew, 1);
});

test("without a helper nothing is related", () => {
  const tracker = new Tracker();
  say(tracker, ftpPackets());
  assert.deepEqual(say(tracker, [data]), ["new"]);
});

test("a control connection is counted until its data connections are gone too", () => {
  const settings = { nf_conntrack_tcp_timeout_syn_sent: 600, nf_conntrack_tcp_timeout_max_retrans: 600 };
  const tracker = new Tracker({ helpers: ["ftp"], settings });
  say(tracker, ftpPackets());
  say(tracker, [data, { ...control, flags: 4, sequence: 129 }]);
  wait(tracker, 200_000);
  assert.equal(flowsOf(tracker).length, 1);
  assert.equal(tracker.occupancyFlows, 2);
  wait(tracker, 800_000);
  assert.equal(tracker.occupancyFlows, 0);
});
