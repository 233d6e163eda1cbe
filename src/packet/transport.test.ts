import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addressBytes,
  CLIENT,
  CLIENT6,
  fragment6,
  ipv4,
  ipv6,
  join,
  SERVER,
  SERVER6,
  summed,
  tcp,
  udp,
  word,
} from "../../test/support/ip-bytes.ts";
import { addressFromWords, formatAddress } from "../table/address.ts";
import { sctpChecksum } from "./checksum.ts";
import {
  DccpExtra,
  Fault,
  InnerTuple,
  type PacketColumns,
  SctpExtra,
  TcpOption,
  PacketColumns as Columns,
} from "./columns.ts";
import { decodePacket } from "./decode-packet.ts";
import { PacketDecoder } from "./decoder.ts";
import { LinkType } from "./link-layer.ts";
import { RecordFacts } from "../table/record-sink.ts";

const decode4 = (protocol: number, data: Uint8Array): PacketColumns =>
  decodePacket(ipv4(protocol, data), LinkType.RAW);
const decode6 = (protocol: number, data: Uint8Array): PacketColumns =>
  decodePacket(ipv6(protocol, data), LinkType.RAW);

const { SHORT_HEADER, BAD_CHECKSUM, BAD_LENGTH, NO_TUPLE, BAD_PROTOCOL } = Fault;
const data = join("61".repeat(40));
const datagram = udp(7, 8, data);

/** With `bytes` written at `at`, and the checksum taken anew as of `protocol` when one is given. */
function patched(packet: Uint8Array, at: number, bytes: string, checksumAt = -1, protocol = 17): Uint8Array {
  const copy = Uint8Array.from(packet);
  copy.set(join(bytes), at);
  if (checksumAt === -1) return copy;
  copy.set([0, 0], checksumAt);
  return summed(copy, checksumAt, protocol);
}

/** An SCTP packet with its checksum. */
function sctp(chunks: string): Uint8Array {
  const bytes = join("0007 0008 11223344 00000000", chunks);
  const sum = sctpChecksum(bytes, 0, bytes.length);
  bytes.set([sum & 255, (sum >>> 8) & 255, (sum >>> 16) & 255, sum >>> 24], 8);
  return bytes;
}

// What the tracker of 6.18.44 made of each of these was measured; "INVALID" there is a fault here.
const faults: [string, number, Uint8Array, number][] = [
  ["TCP", 6, tcp(2), 0],
  ["TCP, 3 bytes", 6, tcp(2).slice(0, 3), SHORT_HEADER | NO_TUPLE],
  ["TCP, 19 bytes", 6, tcp(2).slice(0, 19), SHORT_HEADER],
  ["TCP, header of 16 bytes", 6, patched(tcp(2), 12, "40", 16, 6), SHORT_HEADER],
  ["TCP, header longer than the segment", 6, patched(tcp(2), 12, "60", 16, 6), BAD_LENGTH],
  ["TCP, wrong checksum", 6, patched(tcp(2), 16, "0000"), BAD_CHECKSUM],
  ["UDP", 17, datagram, 0],
  ["UDP, 5 bytes", 17, datagram.slice(0, 5), SHORT_HEADER],
  ["UDP, wrong checksum", 17, patched(datagram, 6, "0101"), BAD_CHECKSUM],
  ["UDP, no checksum", 17, patched(datagram, 6, "0000"), 0],
  ["UDP, length 7", 17, patched(datagram, 4, "0007"), BAD_LENGTH],
  ["UDP, length beyond the packet", 17, patched(datagram, 4, "0031"), BAD_LENGTH],
  [
    "UDP, length of less than there is, checksum over that much",
    17,
    join(datagram, "79797979"),
    BAD_CHECKSUM,
  ],
  ["UDP, length of less than there is, checksum over all", 17, patched(datagram, 4, "0028", 6), 0],
  ["UDP-Lite, checksum with its own number", 136, patched(datagram, 4, "0000", 6, 136), BAD_CHECKSUM],
  ["UDP-Lite, checksum with the number of UDP", 136, patched(datagram, 4, "0000", 6), 0],
  ["UDP-Lite, coverage of 7", 136, patched(datagram, 4, "0007", 6), BAD_LENGTH],
  ["UDP-Lite, coverage beyond the packet", 136, patched(datagram, 4, "0031", 6), BAD_LENGTH],
  ["UDP-Lite, no checksum", 136, patched(datagram, 6, "0000"), BAD_PROTOCOL],
  ["ICMP echo", 1, summed4(join("0800 0000 0005 0001")), 0],
  ["ICMP, wrong checksum", 1, join("0800 0000 0005 0001"), BAD_CHECKSUM],
  ["ICMP, 7 bytes", 1, summed4(join("0800 0000 0005 00")), SHORT_HEADER | NO_TUPLE],
  ["SCTP", 132, sctp("01000014 0a0b0c0d 00000000 00000000 00000000"), 0],
  ["SCTP, wrong checksum", 132, patched(sctp("0e000004"), 8, "00000000"), BAD_CHECKSUM],
  ["SCTP, 11 bytes", 132, sctp("").slice(0, 11), SHORT_HEADER],
  ["SCTP, a chunk without length", 132, sctp("00000000"), BAD_PROTOCOL],
  ["GRE", 47, join("2000 0800 00000005", data), 0],
  ["GRE of PPTP", 47, join("2001 880b 00000005", data), 0],
  ["GRE of PPTP without PPP", 47, join("2001 0800 00000005", data), NO_TUPLE],
  ["GRE of PPTP, 4 bytes", 47, join("2001 880b"), 0],
  ["GRE, 2 bytes", 47, join("2001"), 0],
  ["ICMPv6 in IPv4", 58, join("8000 0000 0001 0001"), 0],
  ["another protocol, no data", 50, join(""), 0],
];

function summed4(bytes: Uint8Array): Uint8Array {
  // Without a pseudo header: the sum of its parts is taken off by giving an empty one.
  const copy = Uint8Array.from(bytes);
  let sum = 0;
  for (let at = 0; at < copy.length; at += 2) sum += ((copy[at] ?? 0) << 8) | (copy[at + 1] ?? 0);
  copy.set(word(~((sum & 0xffff) + (sum >>> 16)) & 0xffff), 2);
  return copy;
}

for (const [name, protocol, bytes, fault] of faults) {
  test(`faults as the tracker finds them: ${name}`, () => {
    assert.equal(decode4(protocol, bytes).fault[0], fault);
  });
}

test("nothing is said of the checksum of what was not captured whole", () => {
  const packet = ipv4(17, patched(datagram, 6, "0101"));
  assert.equal(decodePacket(packet.slice(0, 40), LinkType.RAW, packet.length).fault[0], Fault.SNAPPED);
});

test("UDP-Lite's checksum covers what it says", () => {
  const [head, rest] = [join("0007 0008 0010 0000", data.slice(0, 8)), data.slice(8)];
  // The pseudo header has the length of the whole: the sum is taken of zeros where it covers nothing.
  const bytes = summed(join(head, new Uint8Array(rest.length)), 6, 17);
  const packet = join(bytes.slice(0, 16), rest);
  assert.equal(decode4(136, packet).fault[0], 0);
});

const tuples: [string, number, Uint8Array, number, number][] = [
  ["TCP", 6, tcp(2), 50_000, 21],
  ["UDP", 17, datagram, 7, 8],
  ["UDP-Lite", 136, datagram, 7, 8],
  ["SCTP", 132, sctp(""), 7, 8],
  ["DCCP", 33, join("0007 0008", new Uint8Array(16)), 7, 8],
  ["ICMP: identifier, then type and code", 1, join("0d05 0000 1234 0001"), 0x1234, 0x0d05],
  ["GRE has no key", 47, join("2000 0800 00000005"), 0, 0],
  ["GRE of PPTP: the call", 47, join("2001 880b 0000 0007"), 0, 7],
  ["GRE, version 3", 47, join("2003 880b 0000 0007"), 0, 0],
  ["ESP", 50, join("00000007 00000001"), 0, 0],
];

for (const [name, protocol, bytes, first, second] of tuples) {
  test(`the tuple of ${name}`, () => {
    const columns = decode4(protocol, bytes);
    assert.deepEqual([columns.sourceDiscriminator[0], columns.destinationDiscriminator[0]], [first, second]);
    assert.equal(columns.protocol[0], protocol);
  });
}

test("UDP-Lite and DCCP have no ports in a kernel that does not track them", () => {
  const decoder = new PacketDecoder({ seed: 0, ports: { udplite: false, dccp: false } });
  const columns = new Columns(4);
  decoder.begin(columns);
  const facts = new RecordFacts();
  facts.linkType = LinkType.RAW;
  for (const protocol of [136, 33]) {
    const bytes = ipv4(protocol, datagram);
    facts.originalBytes = bytes.length;
    decoder.record(bytes, 0, bytes.length, facts);
  }
  assert.deepEqual(Array.from(columns.sourceDiscriminator.subarray(0, 2)), [0, 0]);
  assert.deepEqual(Array.from(columns.fault.subarray(0, 2)), [0, 0]);
});

test("the fields of a TCP segment", () => {
  const columns = decode4(6, tcp(0x18, "", "616263"));
  assert.deepEqual(
    [columns.tcpSequence[0], columns.tcpAcknowledgment[0], columns.tcpWindow[0], columns.tcpDataBytes[0]],
    [0x8000_0001, 5, 0x2000, 3],
  );
  assert.deepEqual([columns.tcpFlags[0], columns.tcpOptions[0], columns.tcpSack[0]], [0x18, 0, 5]);
});

const { SACK_PERMITTED, WINDOW_SCALE, SACK } = TcpOption;
const options: [string, string, { found: number; scale?: number; sack?: number }][] = [
  [
    "usual of a SYN",
    "020405b4 0402 080a0000000100000000 01 030307",
    { found: SACK_PERMITTED | WINDOW_SCALE, scale: 7 },
  ],
  ["a scale of more than there can be is kept", "030320 00", { found: WINDOW_SCALE, scale: 32 }],
  ["nothing counts behind the end", "00 030307", { found: 0 }],
  ["what came before a broken one counts", "0402 0301", { found: SACK_PERMITTED }],
  ["an option that does not fit", "0402 030c", { found: SACK_PERMITTED }],
  ["a length of zero", "0800 0402", { found: 0 }],
  ["options of other lengths are not them", "03020403 01010101", { found: 0 }],
  ["a SACK block", "0101 050a 00000007 00000009", { found: SACK, sack: 9 }],
  ["the furthest of two", "0101 0512 00000019 00000021 00000007 00000009", { found: SACK, sack: 0x21 }],
  ["an edge behind the acknowledgment", "0101 050a fffffff0 fffffff9", { found: SACK, sack: 5 }],
  ["a SACK of half a block", "0101 0506 00000007", { found: 0 }],
  [
    "the second SACK is not read",
    "0101 050a 00000007 00000009 050a 00000017 00000019 0101",
    { found: SACK, sack: 9 },
  ],
  ["timestamps alone", "0101 080a 00000001 00000002", { found: 0 }],
];

for (const [name, bytes, { found, scale, sack }] of options) {
  test(`TCP options: ${name}`, () => {
    const columns = decode4(6, tcp(16, bytes));
    assert.equal(columns.fault[0], 0);
    assert.equal(columns.tcpOptions[0], found | TcpOption.OTHER);
    if (scale !== undefined) assert.equal(columns.tcpWindowScale[0], scale);
    assert.equal(columns.tcpSack[0], sack ?? 5);
  });
}

test("SCTP: tags and chunks", () => {
  const columns = decode4(
    132,
    sctp("03000010 00000001 00000002 00000000 0700000a 0000000100 000000 0e010004"),
  );
  const at = columns.extraAt[0] as number;
  const extra = Array.from(columns.extra.subarray(at, columns.extraCount));
  assert.deepEqual(extra, [0x1122_3344, 0, 3, 0x0300, 0x0700, 0x0e01]);
  const init = decode4(132, sctp("01000014 0a0b0c0d 00000000 00000000 00000000"));
  assert.equal(init.extra[SctpExtra.INIT_TAG], 0x0a0b_0c0d);
});

test("TCP: a header without options says so", () => {
  assert.equal(decode4(6, tcp(16, "")).tcpOptions[0], 0);
});

test("SCTP: an INIT must be whole, and so must an INIT ACK", () => {
  for (const type of ["01", "02"]) {
    assert.equal(decode4(132, sctp(`${type}000014 0a0b0c0d 00000000 00000000 00000000`)).fault[0], 0);
    assert.equal(decode4(132, sctp(`${type}000014 0a0b0c0d 00000000 00000000`)).fault[0], BAD_PROTOCOL);
  }
});

test("SCTP: chunks beyond those kept are still looked at", () => {
  const many = "06000004".repeat(40);
  assert.equal(decode4(132, sctp(many)).extra[SctpExtra.CHUNKS], 32);
  assert.equal(decode4(132, sctp(many)).fault[0], 0);
  assert.equal(decode4(132, sctp(`${many}0b000004`)).fault[0], BAD_PROTOCOL);
});

test("DCCP: type and sequence number, short and long", () => {
  const short = decode4(33, summed(join("0007 0008 03 00 0000 04 00 0102"), 6, 33));
  assert.deepEqual([short.fault[0], ...short.extra.slice(0, DccpExtra.WORDS)], [0, 2, 0, 0x102, 0, 0]);
  const long = decode4(33, summed(join("0007 0008 05 00 0000 01 00 0102 03040506 00000000"), 6, 33));
  assert.deepEqual(
    [long.fault[0], ...long.extra.slice(0, DccpExtra.WORDS)],
    [0, 0, 0x0102, 0x0304_0506, 0, 0],
  );
  const shortAck = decode4(33, summed(join("0007 0008 05 00 0000 06 00 0102 00030405 00000000"), 6, 33));
  assert.deepEqual(Array.from(shortAck.extra.subarray(0, DccpExtra.WORDS)), [3, 0, 0x102, 0, 0x03_0405]);
  const bytes = join("0007 0008 06 00 0000 07 00 0102 03040506 0000 0708 090a0b0c");
  const longAck = decode4(33, summed(bytes, 6, 33));
  assert.deepEqual(
    Array.from(longAck.extra.subarray(0, DccpExtra.WORDS)),
    [3, 0x0102, 0x0304_0506, 0x0708, 0x090a_0b0c],
  );
  assert.equal(
    decode4(33, summed(join("0007 0008 06 00 0000 01 00 0102 03040506 00000000"), 6, 33)).fault[0],
    BAD_LENGTH,
  );
  const cut = join("0007 0008 03 00 0000 01 00 0102");
  assert.equal(decode4(33, summed(cut, 6, 33)).fault[0], SHORT_HEADER);
  assert.equal(decode4(33, cut).fault[0], SHORT_HEADER | BAD_CHECKSUM);
  assert.equal(decode4(33, cut.subarray(0, 8)).fault[0], SHORT_HEADER);
});

/** The least bytes of each type with a long sequence number, and with a short one where there may be one. */
const dccpBytes: readonly (readonly [type: number, long: number, short?: number])[] = [
  [0, 20],
  [1, 28],
  [2, 16, 12],
  [3, 24, 20],
  [4, 24, 20],
  [5, 24],
  [6, 24],
  [7, 28],
  [8, 24],
  [9, 24],
];
for (const [type, ...least] of dccpBytes) {
  test(`DCCP of type ${type} must be as long as its type`, () => {
    for (const [place, leastBytes] of [least[0], least[1]].entries()) {
      for (let length = 12; length <= 32; length++) {
        const bytes = new Uint8Array(length);
        bytes[4] = length >> 2;
        bytes[8] = (type << 1) | (1 - place);
        const isShort = leastBytes !== undefined && length < leastBytes;
        const fault = leastBytes === undefined ? BAD_PROTOCOL : Number(isShort) * SHORT_HEADER;
        assert.equal(decode4(33, summed(bytes, 6, 33)).fault[0], fault, `${length} bytes`);
      }
    }
  });
}

test("DCCP of a reserved type is refused in any length", () => {
  assert.equal(decode4(33, join("0007 0008 03 00 0000 14 00 0102")).fault[0], BAD_PROTOCOL);
});

/** What `extra` says of the quoted packet. */
function quoted(columns: PacketColumns): (string | number | undefined)[] {
  const at = columns.extraAt[0] as number;
  if (at === -1) return [];
  const { extra } = columns;
  const family = extra[at + InnerTuple.FAMILY] as number;
  if (family === 0) return [0];
  const address = (from: number): string => formatAddress(addressFromWords(extra, at + from, family));
  return [
    extra[at + InnerTuple.PROTOCOL],
    address(InnerTuple.SOURCE),
    address(InnerTuple.DESTINATION),
    extra[at + InnerTuple.SOURCE_DISCRIMINATOR],
    extra[at + InnerTuple.DESTINATION_DISCRIMINATOR],
  ];
}

const back = { source: SERVER, destination: CLIENT };
const ofUdp = [17, SERVER, CLIENT, 7, 8];
const quotes: [string, string, Uint8Array, (string | number)[]][] = [
  ["unreachable", "0303", ipv4(17, datagram, back).slice(0, 28), ofUdp],
  ["source quench, four bytes of ports", "0400", ipv4(17, datagram, back).slice(0, 24), ofUdp],
  ["redirect, with options", "0501", ipv4(17, datagram, { ...back, options: join("01010101") }), ofUdp],
  ["time exceeded, of a first fragment", "0b00", ipv4(17, datagram, { ...back, fragment: 0x2000 }), ofUdp],
  ["of a later fragment", "0b00", ipv4(17, datagram, { ...back, fragment: 0x2001 }), [0]],
  [
    "parameter problem, of an echo",
    "0c00",
    ipv4(1, join("0800 0000 0005 0001"), back),
    [1, SERVER, CLIENT, 5, 0x0800],
  ],
  ["of an echo, too short", "0b00", ipv4(1, join("0800 0000 0005"), back), [0]],
  ["too short for an address", "0303", ipv4(17, datagram, back).slice(0, 19), [0]],
  ["too short for ports", "0303", ipv4(17, datagram, back).slice(0, 23), [0]],
  ["a header that says it is longer than all", "0303", join("4f", ipv4(17, datagram).slice(1, 28)), [0]],
  ["of a protocol without ports", "0302", ipv4(50, data, back), [50, SERVER, CLIENT, 0, 0]],
  ["an echo quotes nothing", "0800", ipv4(17, datagram), []],
];

for (const [name, type, inside, expected] of quotes) {
  test(`the packet in an ICMP error: ${name}`, () => {
    const columns = decode4(1, summed4(join(type, "0000 00000000", inside)));
    assert.equal(columns.fault[0], 0);
    assert.deepEqual(quoted(columns), expected);
  });
}

const datagram6 = udp(7, 8, data, 6);
const back6 = { source: SERVER6, destination: CLIENT6 };
const ofUdp6 = [17, SERVER6, CLIENT6, 7, 8];
const redirect = join("00000000", addressBytes(SERVER6), addressBytes(CLIENT6));
const quotes6: [string, string, Uint8Array, (string | number)[]][] = [
  ["too big", "0200", join("00000500", ipv6(17, datagram6, back6)), ofUdp6],
  ["behind options", "0100", join("00000000", ipv6(60, join("1100 010400000000", datagram6), back6)), ofUdp6],
  [
    "of a first fragment",
    "0300",
    join("00000000", ipv6(44, fragment6(17, 0, true, 1, datagram6), back6)),
    ofUdp6,
  ],
  [
    "of a later fragment",
    "0300",
    join("00000000", ipv6(44, fragment6(17, 8, true, 1, datagram6), back6)),
    [0],
  ],
  [
    "of an echo",
    "0100",
    join("00000000", ipv6(58, join("8000 0000 0005 0001"), back6)),
    [58, SERVER6, CLIENT6, 5, 0x8000],
  ],
  ["too short", "0100", join("00000000", ipv6(17, datagram6, back6).slice(0, 43)), [0]],
  [
    "a redirect, with the packet",
    "8900",
    join(redirect, "0409 000000000000", ipv6(17, datagram6, back6)),
    ofUdp6,
  ],
  ["a redirect, without", "8900", redirect, []],
  ["a redirect, another option", "8900", join(redirect, "0201 000000000000", ipv6(17, datagram6, back6)), []],
  ["an echo quotes nothing", "8000", join("00000000", ipv6(17, datagram6)), []],
];

for (const [name, type, inside, expected] of quotes6) {
  test(`the packet in an ICMPv6 error: ${name}`, () => {
    const columns = decode6(58, summed(join(type, "0000", inside), 2, 58, 6));
    assert.equal(columns.fault[0], 0);
    assert.deepEqual(quoted(columns), expected);
  });
}
