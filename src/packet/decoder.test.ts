import assert from "node:assert/strict";
import { test } from "node:test";
import { CLIENT6, fragment6, ipv4, ipv6, join, summed, tcp, udp, word } from "../../test/support/ip-bytes.ts";
import { Fault, PacketColumns, PacketKind } from "./columns.ts";
import { decodePacket } from "./decode-packet.ts";
import { PacketDecoder } from "./decoder.ts";
import { LinkType } from "./link-layer.ts";
import { RecordFacts } from "../table/record-sink.ts";
import { hashTuple } from "./tuple-hash.ts";

const payload = udp(53, 4000, join("616263"));
const payload6 = udp(53, 4000, join("616263"), 6);
const { RAW } = LinkType;

/** The packet with one byte changed; IPv4 headers are not summed anew. */
function changed(packet: Uint8Array, at: number, value: number): Uint8Array {
  const bytes = Uint8Array.from(packet);
  bytes[at] = value;
  return bytes;
}

const { IP, NOT_IP, REFUSED } = PacketKind;

const rows: {
  name: string;
  bytes: Uint8Array;
  wire?: number;
  kind: number;
  fault?: number;
  length?: number;
}[] = [
  { name: "IPv4", bytes: ipv4(17, payload), kind: IP, length: 31 },
  {
    name: "IPv4 with options",
    bytes: ipv4(17, payload, { options: join("01010100") }),
    kind: IP,
    length: 35,
  },
  { name: "IPv4 with padding behind", bytes: join(ipv4(17, payload), "000000"), kind: IP, length: 31 },
  { name: "IPv4, wrong header checksum", bytes: changed(ipv4(17, payload), 8, 63), kind: REFUSED },
  { name: "IPv4, header of 16 bytes", bytes: changed(ipv4(17, payload), 0, 0x44), kind: REFUSED },
  { name: "version 5", bytes: changed(ipv4(17, payload), 0, 0x55), kind: REFUSED },
  {
    name: "IPv4, total length beyond the packet",
    bytes: ipv4(17, payload, { totalBytes: 32 }),
    kind: REFUSED,
  },
  {
    name: "IPv4, total length below the header",
    bytes: ipv4(17, payload, { totalBytes: 19 }),
    kind: REFUSED,
  },
  {
    name: "IPv4, total length of a header alone",
    bytes: ipv4(50, payload, { totalBytes: 20 }),
    kind: IP,
    length: 20,
  },
  { name: "IPv4, less than a header", bytes: ipv4(17, payload).slice(0, 19), kind: REFUSED },
  { name: "IPv4, cut in its header", bytes: ipv4(17, payload).slice(0, 19), wire: 31, kind: NOT_IP },
  {
    name: "IPv4, cut in its options: nothing behind is known",
    bytes: ipv4(17, payload, { options: join("01010100") }).slice(0, 22),
    wire: 35,
    kind: IP,
    fault: Fault.SNAPPED | Fault.NO_TUPLE | Fault.SHORT_HEADER,
  },
  {
    name: "IPv4, cut in its data",
    bytes: ipv4(17, payload).slice(0, 30),
    wire: 31,
    kind: IP,
    fault: Fault.SNAPPED,
  },
  {
    name: "IPv4, cut, total length beyond the packet on the wire",
    bytes: ipv4(17, payload, { totalBytes: 60 }).slice(0, 30),
    wire: 59,
    kind: REFUSED,
  },
  {
    name: "IPv4, no length, short: nothing that a card would cut",
    bytes: ipv4(6, tcp(16), { totalBytes: 0 }),
    kind: REFUSED,
  },
  {
    name: "IPv4, no length and long: left to the card to cut",
    bytes: ipv4(6, tcp(16, "", "61".repeat(600)), { totalBytes: 0 }),
    kind: IP,
    length: 640,
  },
  { name: "IPv6", bytes: ipv6(17, payload6), kind: IP, length: 51 },
  { name: "IPv6 with padding behind", bytes: join(ipv6(17, payload6), "0000"), kind: IP, length: 51 },
  {
    name: "IPv6, payload length beyond the packet",
    bytes: ipv6(17, payload6, { payloadBytes: 12 }),
    kind: REFUSED,
  },
  { name: "IPv6, less than a header", bytes: ipv6(17, payload6).slice(0, 39), kind: REFUSED },
  { name: "IPv6, cut in its header", bytes: ipv6(17, payload6).slice(0, 39), wire: 51, kind: NOT_IP },
  { name: "IPv6 from a multicast address", bytes: ipv6(17, payload6, { source: "ff02::1" }), kind: REFUSED },
  { name: "IPv6 to the loopback address", bytes: ipv6(17, payload6, { destination: "::1" }), kind: REFUSED },
  { name: "IPv6, nothing behind", bytes: ipv6(59, join("61")), kind: IP, fault: Fault.NO_TUPLE },
  {
    name: "IPv6, no length: data are cut off",
    bytes: ipv6(17, payload6, { payloadBytes: 0 }),
    kind: IP,
    fault: Fault.NO_TUPLE | Fault.SHORT_HEADER,
    length: 40,
  },
  { name: "IPv6, destination options", bytes: ipv6(60, join("1100 010400000000", payload6)), kind: IP },
  {
    name: "IPv6, routing and authentication headers",
    bytes: ipv6(43, join("3300 000000000000 1101 0000 00000000 00000000", payload6)),
    kind: IP,
  },
  { name: "IPv6, ESP ends the walk", bytes: ipv6(60, join("3200 010400000000 0000000100000001")), kind: IP },
  { name: "IPv6, options longer than the packet", bytes: ipv6(60, join("3205 010400000000")), kind: IP },
  {
    name: "IPv6, options longer than the packet, with ports to come",
    bytes: ipv6(60, join("1105 010400000000")),
    kind: IP,
    fault: Fault.NO_TUPLE | Fault.SHORT_HEADER,
  },
  { name: "hop-by-hop, padding", bytes: ipv6(0, join("1100 010400000000", payload6)), kind: IP },
  {
    name: "hop-by-hop, padding that is not zero",
    bytes: ipv6(0, join("1100 010400000100", payload6)),
    kind: REFUSED,
  },
  { name: "hop-by-hop, router alert", bytes: ipv6(0, join("1100 05020000 0100", payload6)), kind: IP },
  {
    name: "hop-by-hop, an unknown option to be skipped",
    bytes: ipv6(0, join("1100 1e0400000100", payload6)),
    kind: IP,
  },
  {
    name: "hop-by-hop, an unknown option to be dropped",
    bytes: ipv6(0, join("1100 5e0400000100", payload6)),
    kind: REFUSED,
  },
  {
    name: "hop-by-hop, eight options",
    bytes: ipv6(0, join("1102", "1e00".repeat(8), "010400000000", payload6)),
    kind: IP,
  },
  {
    name: "hop-by-hop, nine options",
    bytes: ipv6(0, join("1102", "1e00".repeat(9), "01020000", payload6)),
    kind: REFUSED,
  },
  {
    name: "hop-by-hop, eight bytes of padding",
    bytes: ipv6(0, join("1101 0106000000000000 1e0400000000", payload6)),
    kind: REFUSED,
  },
  {
    name: "hop-by-hop, longer than the packet",
    bytes: ipv6(0, join("1109 010400000000", payload6)),
    kind: REFUSED,
  },
];

for (const { name, bytes, wire, kind, fault, length } of rows) {
  test(`as the IP layer of the kernel: ${name}`, () => {
    const columns = decodePacket(bytes, RAW, wire);
    assert.equal(columns.kind[0], kind);
    if (kind === IP) assert.equal(columns.fault[0], fault ?? 0);
    if (length !== undefined) assert.equal(columns.lengthBytes[0], length);
  });
}

/** Decodes records as one capture of one interface. */
function decodeAll(
  decoder: PacketDecoder,
  records: readonly Uint8Array[],
  linkType = RAW as number,
): PacketColumns {
  const columns = new PacketColumns(Math.max(4, records.length));
  decoder.begin(columns);
  const facts = new RecordFacts();
  facts.linkType = linkType;
  for (const bytes of records) {
    facts.originalBytes = bytes.length;
    decoder.record(bytes, 0, bytes.length, facts);
  }
  return columns;
}

const ports = { udplite: true, dccp: true };

test("wrong checksums that are trusted are counted, and nothing else", () => {
  const header = changed(ipv4(17, payload), 8, 63);
  const transport = ipv4(17, changed(payload, 6, 1));
  const decoder = new PacketDecoder({ seed: 0, ports, trustsChecksums: true });
  const columns = decodeAll(decoder, [header, transport, ipv4(17, payload)]);
  assert.deepEqual(Array.from(columns.kind.subarray(0, 3)), [IP, IP, IP]);
  assert.deepEqual(Array.from(columns.fault.subarray(0, 3)), [0, 0, 0]);
  assert.equal(decoder.counts.badChecksums, 2);
  assert.equal(decoder.counts.refused.headerChecksum, 0);
  const strict = decodeAll(new PacketDecoder({ seed: 0, ports }), [header, transport]);
  assert.deepEqual(Array.from(strict.kind.subarray(0, 2)), [REFUSED, IP]);
  assert.equal(strict.fault[1], Fault.BAD_CHECKSUM);
});

test("counts say why packets were refused", () => {
  const decoder = new PacketDecoder({ seed: 0, ports });
  decodeAll(decoder, [...rows.filter(({ wire }) => wire === undefined).map(({ bytes }) => bytes), join("")]);
  assert.deepEqual(decoder.counts.refused, {
    header: 4,
    headerChecksum: 1,
    length: 4,
    options: 5,
    address: 2,
  });
  assert.equal(decoder.counts.notIp, 1);
  assert.equal(decoder.counts.assumedLengths, 1);
  decodeAll(decoder, [payload], 220);
  assert.deepEqual([decoder.counts.notIp, decoder.counts.unknownLinkType], [2, 1]);
});

test("loopback addresses are let by in captures of a host", () => {
  const bytes = ipv6(17, payload6, { destination: "::1" });
  const columns = decodeAll(new PacketDecoder({ seed: 0, ports, hasLocalTraffic: true }), [bytes]);
  assert.equal(columns.kind[0], IP);
});

test("zones follow the VLAN, then the interface", () => {
  const zones = { byVlan: new Map([[5, 50]]), byInterface: new Map([[2, 20]]) };
  const decoder = new PacketDecoder({ seed: 9, ports, zones });
  const columns = new PacketColumns(8);
  decoder.begin(columns);
  const facts = new RecordFacts();
  facts.linkType = LinkType.ETHERNET;
  const plain = join("000000000000 000000000000 0800", ipv4(17, payload));
  const tagged = join("000000000000 000000000000 8100 0005 0800", ipv4(17, payload));
  for (const [bytes, interfaceIndex] of [
    [plain, 0],
    [plain, 2],
    [tagged, 2],
    [plain, 3],
  ] as const) {
    facts.interfaceIndex = interfaceIndex;
    facts.originalBytes = bytes.length;
    decoder.record(bytes, 0, bytes.length, facts);
  }
  assert.deepEqual(Array.from(columns.zone.subarray(0, 4)), [0, 20, 50, 0]);
  assert.equal(
    columns.hash[2],
    hashTuple(9, 4 | (17 << 8) | (50 << 16), columns.source, columns.destination, 8, 53 | (4000 << 16)),
  );
  assert.notEqual(columns.hash[1], columns.hash[2]);
});

test("a frame check sequence is no part of the packet", () => {
  const bytes = join("000000000000 000000000000 0800", ipv4(17, payload), "01020304");
  const facts = new RecordFacts();
  Object.assign(facts, { linkType: 1, originalBytes: bytes.length, fcsBytes: 4 });
  const columns = new PacketColumns(4);
  const decoder = new PacketDecoder({ seed: 0, ports });
  decoder.begin(columns);
  decoder.record(bytes, 0, bytes.length, facts);
  // Without its last two bytes the packet is as long as it says, and all but the sequence is there.
  decoder.record(bytes, 0, bytes.length - 2, facts);
  facts.fcsBytes = 6;
  decoder.record(bytes, 0, bytes.length, facts);
  assert.deepEqual(Array.from(columns.kind.subarray(0, 3)), [IP, IP, REFUSED]);
  assert.deepEqual(Array.from(columns.fault.subarray(0, 2)), [0, 0]);
});

test("payload is kept for the ports asked for, and a batch ends before it has no room", () => {
  const decoder = new PacketDecoder({ seed: 0, ports, payloadPorts: [21] });
  const columns = new PacketColumns(16);
  decoder.begin(columns);
  const facts = new RecordFacts();
  facts.linkType = RAW;
  const empty = ipv4(6, tcp(16));
  const login = ipv4(6, tcp(24, "01010100", "55534552"));
  const asks = [empty, login, ipv4(17, payload)].map((bytes) => {
    facts.originalBytes = bytes.length;
    return decoder.record(bytes, 0, bytes.length, facts);
  });
  assert.deepEqual(asks, [false, false, false]);
  assert.deepEqual(Array.from(columns.payloadAt.subarray(0, 3)), [-1, 0, -1]);
  assert.equal(new TextDecoder().decode(columns.payload.slice(0, columns.payloadBytes[1])), "USER");
  const large = ipv4(6, tcp(24, "", "61".repeat(300)));
  facts.originalBytes = large.length;
  assert.equal(decoder.record(large, 0, large.length, facts), true);
});

test("a batch ends before extra has no room for a row that needs the most", () => {
  const decoder = new PacketDecoder({ seed: 0, ports });
  const columns = new PacketColumns(16);
  decoder.begin(columns);
  const facts = new RecordFacts();
  const chunks = join("0001 0002 00000007 00000000", "06000004".repeat(40));
  const bytes = ipv4(132, chunks);
  Object.assign(facts, { linkType: RAW, originalBytes: bytes.length });
  let records = 1;
  while (!decoder.record(bytes, 0, bytes.length, facts)) records += 1;
  assert.equal(records, 7);
  assert.ok(columns.extraCount <= columns.extra.length);
  decoder.begin(columns);
  assert.deepEqual([columns.count, columns.firstRecord, columns.extraCount], [0, 8, 0]);
});

test("fragments of IPv6 behind other headers, and the length of the whole", () => {
  const data = udp(7, 8, new Uint8Array(40), 6);
  const options = "2c00 010400000000";
  const first = ipv6(60, join(options, fragment6(17, 0, true, 5, data.slice(0, 24))));
  const second = ipv6(60, join(options, fragment6(17, 24, false, 5, data.slice(24))));
  const columns = decodeAll(new PacketDecoder({ seed: 3, ports }), [first, second]);
  assert.deepEqual(Array.from(columns.kind.subarray(0, 2)), [PacketKind.HELD, IP]);
  assert.deepEqual(Array.from(columns.datagram.subarray(0, 2)), [1, 1]);
  assert.equal(columns.lengthBytes[1], 40 + 8 + data.length);
  assert.deepEqual([columns.sourceDiscriminator[1], columns.fault[1]], [7, 0]);
  assert.equal(
    columns.hash[1],
    hashTuple(3, 6 | (17 << 8), columns.source, columns.destination, 4, 7 | (8 << 16)),
  );
});

test("half a fragment header is a datagram lost at once, or let by where it says it is the first", () => {
  const cut = decodeAll(new PacketDecoder({ seed: 3, ports }), [ipv6(44, join("1100 0009 00"))]);
  assert.deepEqual([cut.kind[0], cut.datagram[0], cut.lostCount, cut.lost[0]], [PacketKind.HELD, 1, 1, 1]);
  const first = decodeAll(new PacketDecoder({ seed: 3, ports }), [ipv6(44, join("1100 0001 00"))]);
  assert.deepEqual(
    [first.kind[0], first.lostCount, first.fault[0]],
    [IP, 0, Fault.NO_TUPLE | Fault.SHORT_HEADER],
  );
});

test("the data of a TCP segment are counted from lengths, whatever was captured", () => {
  const bytes = ipv4(6, tcp(24, "", "61".repeat(100)));
  const columns = decodePacket(bytes.slice(0, 60), RAW, bytes.length);
  assert.equal(columns.fault[0], Fault.SNAPPED);
  assert.equal(columns.tcpDataBytes[0], 100);
});

test("checksums of IPv6 are taken with the address in the header, routing header or not", () => {
  const routed = ipv6(43, join("1102 0001 00000000", new Uint8Array(16), payload6));
  assert.equal(decodePacket(routed, RAW).fault[0], 0);
  const elsewhere = ipv6(17, payload6, { destination: CLIENT6 });
  assert.equal(decodePacket(elsewhere, RAW).fault[0], Fault.BAD_CHECKSUM);
  assert.equal(
    decodePacket(ipv6(58, summed(join("8000 0000", word(1), word(2)), 2, 58, 6)), RAW).fault[0],
    0,
  );
});
