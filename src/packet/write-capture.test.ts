import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readInPieces, type ReadRecord } from "../../test/support/capture-records.ts";
import { PcapngBlocks } from "../../test/support/pcapng-blocks.ts";
import { CaptureWriter, writeCapture } from "./write-capture.ts";

test("a capture byte by byte", () => {
  const bytes = writeCapture(113, [
    { timeMs: 1_700_000_000_123.456, packet: Uint8Array.of(1, 2, 3), originalBytes: 60 },
  ]);
  const words = [
    "d4c3b2a1 02000400 00000000 00000000 00000400 71000000",
    "00f15365 40e20100 03000000 3c000000 010203",
  ];
  assert.equal(bytes.toHex(), words.join("").replaceAll(" ", ""));
});

test("what was taken is not given again", () => {
  const writer = new CaptureWriter(1);
  assert.equal(writer.lengthBytes, 24);
  assert.equal(writer.take().length, 24);
  assert.equal(writer.lengthBytes, 0);
  writer.record(0, new Uint8Array(100_000).fill(9));
  assert.equal(writer.lengthBytes, 100_016);
  const taken = writer.take();
  assert.equal(taken.length, 100_016);
  assert.ok(taken.subarray(16).every((byte) => byte === 9));
  assert.equal(writer.take().length, 0);
});

test("a fraction that rounds up to a second is one", () => {
  for (const [resolution, timeMs] of [
    ["microseconds", 1999.9996],
    ["nanoseconds", 1999.9999999],
  ] as const) {
    const bytes = writeCapture(1, [{ timeMs, packet: new Uint8Array(0) }], { resolution });
    assert.equal(bytes.subarray(24, 32).toHex(), "0200000000000000");
  }
});

test("a time that does not fit is our mistake", () => {
  for (const timeMs of [-1, 2 ** 32 * 1000, Number.NaN])
    assert.throws(() => writeCapture(1, [{ timeMs, packet: new Uint8Array(0) }]), { name: "AssertionError" });
});

const seconds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const record = fc.record({
  seconds,
  fraction: fc.integer({ min: 0, max: 999_999 }),
  packet: fc.uint8Array({ maxLength: 100 }),
  snappedBytes: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 31 })),
});
const lengths = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 9 });

test("any records, written in any variant, read in any pieces, are the same records", () => {
  const variant = fc.record({
    littleEndian: fc.boolean(),
    resolution: fc.constantFrom("microseconds" as const, "nanoseconds" as const),
    fcsBytes: fc.constantFrom(0, 2, 4, 30),
    linkType: fc.integer({ min: 0, max: 65_535 }),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 20 }), variant, lengths, (written, options, pieces) => {
      const expected: ReadRecord[] = written.map(({ packet, snappedBytes, ...time }) => ({
        packet: [...packet],
        originalBytes: packet.length + snappedBytes,
        linkType: options.linkType,
        timeMs: time.seconds * 1000 + time.fraction / 1000,
        interfaceIndex: 0,
        fcsBytes: options.fcsBytes,
      }));
      const bytes = writeCapture(
        options.linkType,
        expected.map(({ packet, ...rest }) => ({ ...rest, packet: Uint8Array.from(packet) })),
        options,
      );
      const { records, summary } = readInPieces(bytes, pieces);
      assert.deepEqual(records, expected);
      assert.equal(summary.break, undefined);
      assert.equal(summary.snappedRecords, written.filter(({ snappedBytes }) => snappedBytes > 0).length);
    }),
    { numRuns: 300 },
  );
});

test("any records as blocks of pcapng, among others, read in any pieces, are the same records", () => {
  const section = fc.record({
    littleEndian: fc.boolean(),
    linkTypes: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 3 }),
    nanoseconds: fc.boolean(),
    records: fc.array(fc.record({ at: record, turn: fc.nat(), isObsolete: fc.boolean() }), { maxLength: 8 }),
    others: fc.array(fc.integer({ min: 7, max: 12 }), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(section, { minLength: 1, maxLength: 4 }), lengths, (sections, pieces) => {
      const blocks = new PcapngBlocks();
      const expected: ReadRecord[] = [];
      let firstInterface = 0;
      for (const { littleEndian, linkTypes, nanoseconds, records, others } of sections) {
        blocks.section(littleEndian);
        for (const linkType of linkTypes) blocks.interface(linkType, 0, nanoseconds ? [[9, [9]]] : []);
        for (const type of others) blocks.block(type, [...new Uint8Array(type * 4)]);
        for (const { at, turn, isObsolete } of records) {
          const interfaceId = turn % linkTypes.length;
          const ticks = (BigInt(at.seconds) * 1_000_000n + BigInt(at.fraction)) * (nanoseconds ? 1000n : 1n);
          const originalBytes = at.packet.length + at.snappedBytes;
          const packet = { interfaceId, ticks, packet: at.packet, originalBytes };
          if (isObsolete) blocks.obsolete(packet);
          else blocks.enhanced(packet);
          expected.push({
            packet: [...at.packet],
            originalBytes,
            linkType: linkTypes[interfaceId] ?? 0,
            timeMs: at.seconds * 1000 + at.fraction / 1000,
            interfaceIndex: firstInterface + interfaceId,
            fcsBytes: 0,
          });
        }
        firstInterface += linkTypes.length;
      }
      const { records, summary } = readInPieces(blocks.bytes(), pieces);
      assert.deepEqual(records, expected);
      assert.equal(summary.break, undefined);
      assert.equal(summary.interfaces.length, firstInterface);
    }),
    { numRuns: 300 },
  );
});
