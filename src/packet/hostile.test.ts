/** Bytes that mean harm: whatever a record holds, it becomes a row, and nothing outside of it is read. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { fragment6, ipv4, ipv6, join, summed, tcp, udp, word } from "../../test/support/ip-bytes.ts";
import { seededRandom } from "../base/random.ts";
import { CaptureParser } from "./capture.ts";
import { Fault, PacketColumns, PacketKind } from "./columns.ts";
import { PacketDecoder } from "./decoder.ts";
import { LinkType } from "./link-layer.ts";
import { RecordFacts, type RecordSink } from "../table/record-sink.ts";

const options = { seed: 1, ports: { udplite: true, dccp: true }, payloadPorts: [21] };
const linkTypes = Object.values(LinkType);
/** Around a record stand bytes that must not count. */
const AROUND = 64;

/** All that a row says, read from the columns that every kind has. */
function rowOf(columns: PacketColumns): number[] {
  const { kind, family, fault } = columns;
  const row = [kind[0], family[0], fault[0]] as number[];
  if (kind[0] !== PacketKind.IP) return row;
  row.push(columns.protocol[0] as number, columns.hash[0] as number, columns.lengthBytes[0] as number);
  if (columns.protocol[0] === 6) {
    row.push(columns.tcpFlags[0] as number, columns.tcpOptions[0] as number, columns.tcpSack[0] as number);
    row.push(columns.tcpDataBytes[0] as number, columns.tcpSequence[0] as number);
  }
  return [
    ...row,
    ...columns.extra.slice(0, columns.extraCount),
    ...columns.payload.slice(0, columns.payloadCount),
  ];
}

/** Decodes a record that stands between bytes of `filling`. */
function decodeAmong(record: Uint8Array, filling: number, linkType: number, wireBytes: number): number[] {
  const bytes = new Uint8Array(record.length + 2 * AROUND).fill(filling);
  bytes.set(record, AROUND);
  const facts = new RecordFacts();
  facts.linkType = linkType;
  facts.originalBytes = Math.max(wireBytes, record.length);
  const decoder = new PacketDecoder(options);
  const columns = new PacketColumns(4);
  decoder.begin(columns);
  decoder.record(bytes, AROUND, record.length, facts);
  assert.equal(columns.count, 1);
  return rowOf(columns);
}

/** Fails when a record says something else among other bytes: then it was read beyond its end. */
function standsAlone(record: Uint8Array, linkType: number, wireBytes = record.length): void {
  const row = decodeAmong(record, 0, linkType, wireBytes);
  assert.deepEqual(decodeAmong(record, 0x45, linkType, wireBytes), row);
  assert.deepEqual(decodeAmong(record, 0xff, linkType, wireBytes), row);
}

const inner = ipv4(17, udp(7, 8, join("6162")));
const inner6 = ipv6(17, udp(7, 8, join("6162"), 6));
const samples: [string, Uint8Array][] = [
  [
    "TCP with options and data",
    ipv4(6, tcp(24, "0101 0512 00000019 00000021 00000007 00000009 0402 01 00", "5553")),
  ],
  ["UDP", ipv4(17, udp(7, 8, join("616263")))],
  ["ICMP error", ipv4(1, join("0303 0000 00000000", inner))],
  ["ICMPv6 error", ipv6(58, summed(join("0100 0000 00000000", inner6), 2, 58, 6))],
  ["ICMPv6 redirect", ipv6(58, join("8900 0000", new Uint8Array(36), "0409", new Uint8Array(6), inner6))],
  ["SCTP", ipv4(132, join("0007 0008 00000001 00000000 01000014", new Uint8Array(16), "0a000004"))],
  ["DCCP", ipv4(33, join("0007 0008 0600 0000 0700 0102 03040506 00000708 090a0b0c"))],
  ["GRE", ipv4(47, join("2001 880b 0000 0007"))],
  ["UDP-Lite", ipv4(136, udp(7, 8, join("616263")))],
  [
    "extension headers",
    ipv6(0, join("3c00 010400000000 2b00 010400000000 0600 000000000000", tcp(2, "", "", 6))),
  ],
  ["fragment header", ipv6(44, fragment6(6, 0, false, 1, tcp(2, "", "61", 6)))],
];

for (const [name, packet] of samples) {
  test(`every cut of a packet stands alone, cut by the capture or sent so: ${name}`, () => {
    for (let length = 0; length <= packet.length; length++) {
      const cut = packet.slice(0, length);
      standsAlone(cut, LinkType.RAW, packet.length);
      standsAlone(cut, LinkType.RAW);
      // Sent so: with lengths that fit, and the checksum of an IPv4 header.
      if (packet[0] === 0x45 && length >= 20) {
        standsAlone(ipv4(packet[9] ?? 0, cut.slice(20)), LinkType.RAW);
      } else if (length >= 40) {
        cut.set(word(length - 40), 4);
        standsAlone(cut, LinkType.RAW);
      }
    }
  });
}

test("random bytes stand alone, of every link type", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...linkTypes),
      fc.uint8Array({ maxLength: 120 }),
      fc.nat(200),
      (type, bytes, wire) => {
        standsAlone(bytes, type, wire);
      },
    ),
    { numRuns: 500 },
  );
});

test("random data of every protocol, behind a right header, stand alone", () => {
  const protocols = fc.constantFrom(1, 6, 17, 33, 44, 47, 58, 132, 136, 0, 43, 51, 60);
  fc.assert(
    fc.property(protocols, fc.uint8Array({ maxLength: 100 }), fc.boolean(), (protocol, bytes, isSix) => {
      standsAlone(isSix ? ipv6(protocol, bytes) : ipv4(protocol, bytes), LinkType.RAW);
    }),
    { numRuns: 500 },
  );
});

test("changed bytes of real layouts stand alone", () => {
  const changes = fc.array(fc.tuple(fc.nat(150), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...samples), changes, ([, packet], list) => {
      const bytes = Uint8Array.from(packet);
      for (const [at, value] of list) bytes[at % bytes.length] = value;
      standsAlone(bytes, LinkType.RAW);
    }),
    { numRuns: 500 },
  );
});

test("a flood of fragments takes no more memory than the kernel allows for both families", () => {
  const decoder = new PacketDecoder(options);
  const columns = new PacketColumns(4096);
  const facts = new RecordFacts();
  facts.linkType = LinkType.RAW;
  decoder.begin(columns);
  const four = ipv4(17, new Uint8Array(64), { fragment: 0x2000 });
  const six = ipv6(44, fragment6(17, 0, true, 1, new Uint8Array(64)));
  for (let index = 0; index < 20_000; index++) {
    const bytes = index % 2 === 0 ? four : six;
    // A source of its own each: neither a repeat, nor too far from the one before.
    bytes.set([index >> 16, index >> 8, index], index % 2 === 0 ? 13 : 20);
    if (index % 2 === 0) bytes.set(headerSum(bytes), 10);
    facts.originalBytes = bytes.length;
    if (decoder.record(bytes, 0, bytes.length, facts)) decoder.begin(columns);
  }
  assert.ok(decoder.fragmentMemoryBytes <= 2 * (4 * 1024 * 1024 + 2048));
  assert.equal(decoder.counts.fragments, 20_000);
});

function headerSum(packet: Uint8Array): Uint8Array {
  return ipv4(17, new Uint8Array(0), {
    source: packet.slice(12, 16).join("."),
    fragment: 0x2000,
    totalBytes: packet.length,
  }).slice(10, 12);
}

const captures = fileURLToPath(new URL("../../../shared/captures/", import.meta.url));
const skip = existsSync(captures) ? false : "skipped: no captures";

/** Rows of a capture by kind, and how many of them have a wrong checksum. */
function readRows(bytes: Uint8Array): { kinds: number[]; wrong: number; records: number } {
  const decoder = new PacketDecoder(options);
  const columns = new PacketColumns(512);
  const kinds = [0, 0, 0, 0];
  let wrong = 0;
  const take = (): void => {
    for (let row = 0; row < columns.count; row++) {
      const kind = columns.kind[row] as number;
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      if (kind === PacketKind.IP && ((columns.fault[row] as number) & Fault.BAD_CHECKSUM) !== 0) wrong += 1;
    }
    decoder.begin(columns);
  };
  decoder.begin(columns);
  const sink: RecordSink = {
    record(piece, at, capturedBytes, facts) {
      if (decoder.record(piece, at, capturedBytes, facts)) take();
      return false;
    },
  };
  const parser = new CaptureParser(sink, "capture");
  for (let at = 0; at < bytes.length; at += 5000) parser.push(bytes.subarray(at, at + 5000));
  parser.end();
  take();
  return { kinds, wrong, records: decoder.counts.records };
}

const isCapture = (file: string): boolean => /\.pcap(ng)?$/.test(file);

test("real captures: as many rows of each kind as tshark 4.0.17 and its checksums say", { skip }, () => {
  const sum = { kinds: [0, 0, 0, 0], wrong: 0, records: 0 };
  for (const file of readdirSync(captures).filter(isCapture)) {
    const { kinds, wrong, records } = readRows(readFileSync(captures + file));
    sum.kinds = sum.kinds.map((count, kind) => count + (kinds[kind] ?? 0));
    sum.wrong += wrong;
    sum.records += records;
  }
  assert.equal(sum.records, 14_686);
  // Refused: 433 with a wrong header checksum, and 43 from or to ::1. Not IP: 12 in FabricPath are among
  // them.
  assert.deepEqual(sum, { kinds: [342, 13_861, 7, 476], wrong: 2130, records: 14_686 });
});

test("real captures with changed bytes, to their end or their break", { skip }, () => {
  const random = seededRandom(20_261_122);
  for (const file of readdirSync(captures).filter(isCapture)) {
    const bytes = Uint8Array.from(readFileSync(captures + file).subarray(0, 40_000));
    // The file header stays as it is: what comes behind it is to be reached.
    for (let change = 0; change < 1 + bytes.length / 50; change++) {
      const at = 24 + random.below(Math.max(1, bytes.length - 24));
      if (at < bytes.length) bytes[at] = random.below(256);
    }
    const { kinds, records } = readRows(bytes);
    assert.equal(
      kinds.reduce((sum, count) => sum + count, 0),
      records,
    );
  }
});
