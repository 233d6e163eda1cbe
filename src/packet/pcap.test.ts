import assert from "node:assert/strict";
import { test } from "node:test";
import { readInPieces, readWhole } from "../../test/support/capture-records.ts";
import type { PcapVariant } from "./pcap.ts";
import { writeCapture, type RecordToWrite } from "./write-capture.ts";

const packets: readonly RecordToWrite[] = [
  { timeMs: 1_700_000_000_123.456, packet: Uint8Array.of(1, 2, 3) },
  { timeMs: 1_700_000_000_999.999, packet: new Uint8Array(0), originalBytes: 1514 },
  { timeMs: 4_294_967_295_999, packet: new Uint8Array(262_144).fill(7) },
];

const variants: readonly (readonly [magic: number[], format: string, variant: PcapVariant])[] = [
  [
    [0xd4, 0xc3, 0xb2, 0xa1],
    "pcap, microseconds, little-endian",
    { littleEndian: true, resolution: "microseconds", isModified: false },
  ],
  [
    [0xa1, 0xb2, 0xc3, 0xd4],
    "pcap, microseconds, big-endian",
    { littleEndian: false, resolution: "microseconds", isModified: false },
  ],
  [
    [0x4d, 0x3c, 0xb2, 0xa1],
    "pcap, nanoseconds, little-endian",
    { littleEndian: true, resolution: "nanoseconds", isModified: false },
  ],
  [
    [0xa1, 0xb2, 0x3c, 0x4d],
    "pcap, nanoseconds, big-endian",
    { littleEndian: false, resolution: "nanoseconds", isModified: false },
  ],
  [
    [0x34, 0xcd, 0xb2, 0xa1],
    "modified pcap, microseconds, little-endian",
    { littleEndian: true, resolution: "microseconds", isModified: true },
  ],
  [
    [0xa1, 0xb2, 0xcd, 0x34],
    "modified pcap, microseconds, big-endian",
    { littleEndian: false, resolution: "microseconds", isModified: true },
  ],
];

for (const [magic, format, variant] of variants) {
  test(`${format}: written and read`, () => {
    const bytes = writeCapture(113, packets, { ...variant, snapLengthBytes: 96, fcsBytes: 4 });
    assert.deepEqual([...bytes.subarray(0, 4)], magic);
    for (const { records, summary } of [
      readWhole(bytes),
      readInPieces(bytes, [100_000]),
      readInPieces(bytes, [7]),
    ]) {
      assert.equal(records.length, 3);
      for (const [index, { timeMs, packet, originalBytes }] of packets.entries()) {
        assert.deepEqual(records[index], {
          packet: [...packet],
          originalBytes: originalBytes ?? packet.length,
          linkType: 113,
          timeMs,
          interfaceIndex: 0,
          fcsBytes: 4,
        });
      }
      assert.deepEqual(summary, {
        format,
        records: 3,
        snappedRecords: 1,
        timelessRecords: 0,
        oddLengthRecords: 0,
        interfaces: [{ linkType: 113, snapLengthBytes: 96, records: 3 }],
        linkTypes: [{ linkType: 113, records: 3 }],
        otherBlocks: [],
      });
    }
  });
}

/** Header of a little-endian capture with microseconds, and one record header. */
function head(link: number, captured: number, original: number, major = 2): Uint8Array {
  const bytes = new Uint8Array(40);
  const view = new DataView(bytes.buffer);
  for (const [at, value] of [
    [0, 0xa1b2c3d4],
    [4, 0x0004_0000 | major],
    [16, 65_535],
    [20, link],
    [24, 1_700_000_000],
    [28, 250_000],
    [32, captured],
    [36, original],
  ] as const) {
    view.setUint32(at, value, true);
  }
  return bytes;
}

function withPacket(start: Uint8Array, packet: readonly number[]): Uint8Array {
  return Uint8Array.from([...start, ...packet]);
}

const links: readonly (readonly [field: number, linkType: number, fcsBytes: number])[] = [
  [1, 1, 0],
  [0xffff, 0xffff, 0],
  [0x2400_0001, 1, 4],
  [0x1400_0069, 105, 2],
  // The length is there, the bit that makes it valid is not.
  [0x2000_0001, 1, 0],
  // Reserved bits are ignored.
  [0x0bff_0071, 113, 0],
];
for (const [field, linkType, fcsBytes] of links) {
  test(`link type field 0x${field.toString(16)} is type ${linkType}, check sequence of ${fcsBytes}`, () => {
    const { records, summary } = readWhole(withPacket(head(field, 2, 2), [1, 2]));
    assert.deepEqual(
      records.map((record) => [record.linkType, record.fcsBytes, record.timeMs]),
      [[linkType, fcsBytes, 1_700_000_000_250]],
    );
    assert.deepEqual(summary.linkTypes, [{ linkType, records: 1 }]);
  });
}

test("a record that was shorter on the wire than in the file is corrected and counted", () => {
  const { records, summary } = readWhole(withPacket(head(1, 3, 2), [1, 2, 3]));
  assert.equal(records[0]?.originalBytes, 3);
  assert.equal(summary.oddLengthRecords, 1);
  assert.equal(summary.snappedRecords, 0);
});

test("a file that names no snap length has none", () => {
  const bytes = head(1, 0, 0);
  bytes.fill(0, 16, 20);
  assert.deepEqual(readWhole(bytes).summary.interfaces, [{ linkType: 1, records: 1 }]);
});

const breaks: readonly (readonly [name: string, bytes: Uint8Array, offsetBytes: number, reason: string])[] = [
  [
    "a captured length beyond belief",
    head(1, 262_145, 262_145),
    24,
    "a record that claims 262145 captured bytes",
  ],
  [
    "a captured length of all ones",
    head(1, 0xffff_ffff, 0),
    24,
    "a record that claims 4294967295 captured bytes",
  ],
  ["another version", head(1, 0, 0, 3), 0, "pcap of version 3.4, where only 2 is known"],
];
for (const [name, bytes, offsetBytes, reason] of breaks) {
  test(`${name} is a break`, () => {
    for (const lengths of [[1000], [1]]) {
      const { records, summary } = readInPieces(bytes, lengths);
      assert.deepEqual(records, []);
      assert.deepEqual(summary.break, { kind: "damaged", offsetBytes, reason });
    }
  });
}

const cuts: readonly (readonly [length: number, offsetBytes: number, reason: string])[] = [
  [4, 0, "a file header of 24 bytes is cut off after 4"],
  [23, 0, "a file header of 24 bytes is cut off after 23"],
  [25, 24, "a record header of 16 bytes is cut off after 1"],
  [40, 24, "a record of 2 bytes is cut off after 0"],
  [41, 24, "a record of 2 bytes is cut off after 1"],
];
for (const [length, offsetBytes, reason] of cuts) {
  test(`a capture cut off after ${length} bytes`, () => {
    const bytes = withPacket(head(1, 2, 2), [1, 2]).subarray(0, length);
    for (const lengths of [[1000], [1]]) {
      assert.deepEqual(readInPieces(bytes, lengths).summary.break, { kind: "cut-off", offsetBytes, reason });
    }
  });
}
