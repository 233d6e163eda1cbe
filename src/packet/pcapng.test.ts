import assert from "node:assert/strict";
import { test } from "node:test";
import { joiningBytesOf, readInPieces, readWhole } from "../../test/support/capture-records.ts";
import { PcapngBlocks, type Option } from "../../test/support/pcapng-blocks.ts";

const packet = Uint8Array.of(0x45, 1, 2, 3, 4);
const microseconds = 1_700_000_000_123_456n;

for (const littleEndian of [true, false]) {
  const order = littleEndian ? "little-endian" : "big-endian";

  test(`all kinds of packet blocks, ${order}`, () => {
    const bytes = new PcapngBlocks()
      .section(littleEndian)
      .interface(1, 65_535, [[2, [...new TextEncoder().encode("eth0")]]])
      .interface(113)
      .enhanced({ interfaceId: 1, ticks: microseconds, packet, originalBytes: 1500 })
      .obsolete({ interfaceId: 0, ticks: microseconds + 1000n, packet })
      .simple(packet)
      .enhanced({ interfaceId: 0, ticks: microseconds + 2000n, packet: new Uint8Array(0) })
      .bytes();
    for (const { records, summary } of [
      readWhole(bytes),
      readInPieces(bytes, [1]),
      readInPieces(bytes, [5, 31]),
    ]) {
      const facts = { packet: [...packet], originalBytes: 5, linkType: 1, interfaceIndex: 0, fcsBytes: 0 };
      const timeMs = 1_700_000_000_123.456;
      assert.deepEqual(records, [
        { ...facts, timeMs, originalBytes: 1500, linkType: 113, interfaceIndex: 1 },
        { ...facts, timeMs: 1_700_000_000_124.456 },
        { ...facts, timeMs: 1_700_000_000_124.456 },
        { ...facts, timeMs: 1_700_000_000_125.456, packet: [], originalBytes: 0 },
      ]);
      assert.deepEqual(summary, {
        format: `pcapng, ${order}`,
        records: 4,
        snappedRecords: 1,
        timelessRecords: 1,
        oddLengthRecords: 0,
        interfaces: [
          { linkType: 1, snapLengthBytes: 65_535, name: "eth0", records: 3 },
          { linkType: 113, records: 1 },
        ],
        linkTypes: [
          { linkType: 1, records: 3 },
          { linkType: 113, records: 1 },
        ],
        otherBlocks: [],
      });
    }
  });
}

test("sections in both byte orders count their interfaces on", () => {
  const bytes = new PcapngBlocks()
    .section(true)
    .interface(1)
    .interface(101)
    .enhanced({ interfaceId: 1, ticks: microseconds, packet })
    .section(false)
    .interface(276)
    .enhanced({ interfaceId: 0, ticks: microseconds, packet })
    .simple(packet)
    .bytes();
  const { records, summary } = readWhole(bytes);
  assert.deepEqual(
    records.map(({ interfaceIndex, linkType, timeMs }) => [interfaceIndex, linkType, timeMs]),
    [
      [1, 101, 1_700_000_000_123.456],
      [2, 276, 1_700_000_000_123.456],
      [2, 276, 1_700_000_000_123.456],
    ],
  );
  assert.equal(summary.format, "pcapng, little-endian and big-endian");
  assert.deepEqual(
    summary.interfaces.map((source) => source.records),
    [0, 1, 2],
  );
});

/** A signed 64-bit number, little-endian. */
function i64(value: bigint): number[] {
  return [...new Uint8Array(BigInt64Array.of(value).buffer)];
}

const times: readonly (readonly [name: string, options: readonly Option[], ticks: bigint, timeMs: number])[] =
  [
    ["microseconds by default", [], 1_700_000_000_000_001n, 1_700_000_000_000.001],
    ["seconds", [[9, [0]]], 1_700_000_000n, 1_700_000_000_000],
    ["tenths of seconds", [[9, [1]]], 17_000_000_001n, 1_700_000_000_100],
    ["milliseconds", [[9, [3]]], 1_700_000_000_123n, 1_700_000_000_123],
    ["nanoseconds", [[9, [9]]], 1_700_000_000_123_456_789n, 1_700_000_000_000 + 123.456789],
    ["picoseconds", [[9, [12]]], 1_700_000_123_456_789_000n, 1_700_000_123.456789],
    ["halves of seconds", [[9, [0x81]]], 3_400_000_001n, 1_700_000_000_500],
    ["2^-10 seconds", [[9, [0x8a]]], 1_700_000_000n * 1024n + 256n, 1_700_000_000_250],
    ["2^-32 seconds, as NTP has it", [[9, [0xa0]]], (1_700_000_000n << 32n) + (1n << 31n), 1_700_000_000_500],
    ["2^-127 seconds", [[9, [0xff]]], (1n << 64n) - 1n, 2 ** -63 * 1000],
    ["10^-127 seconds", [[9, [127]]], (1n << 64n) - 1n, 2 ** 64 / 1e124],
    ["an offset", [[14, i64(1_600_000_000n)]], 5_000_001n, 1_600_000_005_000.001],
    ["an offset before 1970", [[14, i64(-10n)]], 12_000_000n, 2000],
    [
      "an offset with nanoseconds",
      [
        [9, [9]],
        [14, i64(1_600_000_000n)],
      ],
      1_500_000_000n,
      1_600_000_001_500,
    ],
    ["an empty option is none", [[9, []]], 7_000n, 7],
    [
      "an option after one of odd length",
      [
        [2, [0x61]],
        [9, [3]],
      ],
      7n,
      7,
    ],
  ];
for (const [name, options, ticks, timeMs] of times) {
  test(`time in ${name}`, () => {
    const bytes = new PcapngBlocks()
      .section()
      .interface(1, 0, options)
      .enhanced({ interfaceId: 0, ticks, packet })
      .bytes();
    assert.equal(readWhole(bytes).records[0]?.timeMs, timeMs);
  });
}

test("interfaces with different resolutions may take turns, and times may go back", () => {
  const blocks = new PcapngBlocks()
    .section()
    .interface(1)
    .interface(1, 0, [[9, [9]]]);
  const expected: number[] = [];
  for (let turn = 0; turn < 50; turn++) {
    const ms = 1_700_000_000_000 + ((turn * 7919) % 20_000);
    blocks.enhanced({ interfaceId: 0, ticks: BigInt(ms) * 1000n, packet });
    blocks.enhanced({ interfaceId: 1, ticks: BigInt(ms) * 1_000_000n, packet });
    expected.push(ms, ms);
  }
  assert.deepEqual(
    readWhole(blocks.bytes()).records.map(({ timeMs }) => timeMs),
    expected,
  );
});

test("a time has the same bits as in pcap, whatever time came before it", () => {
  const bytes = new PcapngBlocks()
    .section()
    .interface(1)
    .enhanced({ interfaceId: 0, ticks: 3_500_000_000n, packet })
    .enhanced({ interfaceId: 0, ticks: 1_999_956n, packet })
    .bytes();
  assert.deepEqual(
    readWhole(bytes).records.map(({ timeMs }) => timeMs),
    [3_500_000, 1000 + 999_956 / 1000],
  );
});

test("an offset in big-endian", () => {
  const bytes = new PcapngBlocks()
    .section(false)
    .interface(1, 0, [[14, i64(-1_600_000_000n).reverse()]])
    .enhanced({ interfaceId: 0, ticks: 1_600_000_005_000_000n, packet })
    .bytes();
  assert.equal(readWhole(bytes).records[0]?.timeMs, 5000);
});

test("an option that reaches beyond its block ends the options, not the reading", () => {
  const blocks = new PcapngBlocks().section();
  const head = [...blocks.u16(1), 0, 0, ...blocks.u32(0)];
  blocks.block(1, [...head, ...blocks.u16(9), ...blocks.u16(500), 0, 0, 0, 0]);
  blocks.enhanced({ interfaceId: 0, ticks: 5000n, packet });
  assert.equal(readWhole(blocks.bytes()).records[0]?.timeMs, 5);
});

const checkSequences: readonly (readonly [
  name: string,
  ofInterface: Option[],
  ofPacket: Option[],
  bytes: number,
])[] = [
  ["none named", [], [], 0],
  ["of the interface, in bits", [[13, [32]]], [], 4],
  ["of the interface, in bytes", [[13, [4]]], [], 4],
  ["of the packet", [], [[2, [0x80, 0, 0, 0]]], 4],
  ["of the packet, before the interface", [[13, [16]]], [[2, [0x80, 0, 0, 0]]], 4],
  ["unknown to the packet", [[13, [16]]], [[2, [1, 0, 0, 0]]], 2],
  [
    "of the packet, after a comment",
    [],
    [
      [1, [0x68, 0x69, 0x21]],
      [2, [0x40, 0, 0, 0]],
    ],
    2,
  ],
  ["flags of a wrong length", [], [[2, [0x80, 0]]], 0],
];
for (const [name, ofInterface, ofPacket, fcsBytes] of checkSequences) {
  test(`length of the frame check sequence: ${name}`, () => {
    const bytes = new PcapngBlocks()
      .section()
      .interface(1, 0, ofInterface)
      .enhanced({ interfaceId: 0, ticks: 0n, packet, options: ofPacket })
      .obsolete({ interfaceId: 0, ticks: 0n, packet, options: ofPacket })
      .bytes();
    assert.deepEqual(
      readWhole(bytes).records.map((record) => record.fcsBytes),
      [fcsBytes, fcsBytes],
    );
  });
}

test("a simple packet is captured up to the snap length of interface 0, before any time at 1970", () => {
  const bytes = new PcapngBlocks().section().interface(1, 3).simple(packet.subarray(0, 3), 1500).bytes();
  const { records, summary } = readWhole(bytes);
  assert.deepEqual(
    records.map(({ packet: found, originalBytes, timeMs }) => [found, originalBytes, timeMs]),
    [[[0x45, 1, 2], 1500, 0]],
  );
  assert.equal(summary.timelessRecords, 1);
  assert.equal(summary.snappedRecords, 1);
});

test("other blocks are counted and kept aside, however long, without taking memory", () => {
  const long = Array.from({ length: 3_000_000 }, () => 0xaa);
  const blocks = new PcapngBlocks()
    .section()
    .block(0x8000_0001, [])
    .interface(1)
    .block(4, [1, 2, 3, 4])
    .block(10, long)
    .block(
      5,
      Array.from({ length: 40 }, () => 0),
    )
    .enhanced({ interfaceId: 0, ticks: 0n, packet })
    .block(9, [])
    .block(0xbad, [0, 0, 0, 1])
    .block(0x4000_0bad, [0, 0, 0, 1])
    .block(5, []);
  const bytes = blocks.bytes();
  for (const lengths of [[bytes.length], [1000], [65_537, 3]]) {
    const { records, summary } = readInPieces(bytes, lengths);
    assert.equal(records.length, 1);
    assert.deepEqual(summary.otherBlocks, [
      { type: 4, name: "name resolution", count: 1 },
      { type: 5, name: "interface statistics", count: 2 },
      { type: 9, name: "systemd journal", count: 1 },
      { type: 10, name: "decryption secrets", count: 1 },
      { type: 0xbad, name: "custom", count: 1 },
      { type: 0x4000_0bad, name: "custom, not to be copied", count: 1 },
      { type: 0x8000_0001, name: "unknown", count: 1 },
    ]);
    assert.equal(summary.break, undefined);
  }
  assert.equal(joiningBytesOf(bytes, 1000), 4096);
});

test("types beyond the first 256 are counted together", () => {
  const blocks = new PcapngBlocks().section();
  for (let type = 1000; type < 1300; type++) blocks.block(type, []);
  const { otherBlocks } = readWhole(blocks.bytes()).summary;
  assert.equal(otherBlocks.length, 257);
  assert.deepEqual(otherBlocks.at(-1), { name: "of further types", count: 44 });
});

const damages: readonly (readonly [name: string, damage: (blocks: PcapngBlocks) => void, reason: string])[] =
  [
    [
      "a packet of an interface that was not described",
      (blocks) => blocks.enhanced({ interfaceId: 1, ticks: 0n, packet }),
      "a packet of interface 1 in a section that has described 1",
    ],
    [
      "a packet of the section before",
      (blocks) => {
        blocks.section(false);
        blocks.starts.pop();
        blocks.simple(packet);
      },
      "a packet of interface 0 in a section that has described 0",
    ],
    [
      "a packet longer than its block",
      (blocks) => blocks.block(6, [...new Uint8Array(12), ...blocks.u32(5), ...blocks.u32(5), 1, 2, 3, 4]),
      "a packet block of 36 bytes that claims 5 captured bytes",
    ],
    [
      "a packet of all ones",
      (blocks) => blocks.block(6, [...new Uint8Array(12), ...blocks.u32(0xffff_ffff), ...blocks.u32(5)]),
      "a packet block of 32 bytes that claims 4294967295 captured bytes",
    ],
    [
      "a simple packet longer than its block",
      (blocks) => blocks.block(3, [...blocks.u32(9), 1, 2, 3, 4]),
      "a packet block of 20 bytes that claims 9 captured bytes",
    ],
    [
      "a short packet block",
      (blocks) =>
        blocks.block(
          6,
          Array.from({ length: 16 }, () => 0),
        ),
      "a packet block that claims a length of 28 bytes",
    ],
    [
      "a short interface block",
      (blocks) => blocks.block(1, [0, 0, 0, 0]),
      "an interface block that claims a length of 16 bytes",
    ],
    [
      "a short section header",
      (blocks) => blocks.block(0x0a0d0d0a, blocks.u32(0x1a2b3c4d)),
      "a section header that claims a length of 16 bytes",
    ],
    [
      "a length that is no multiple of 4",
      (blocks) => blocks.block(77, [1, 2]),
      "a block of type 77 that claims a length of 14 bytes",
    ],
    [
      "lengths that differ, of a packet",
      (blocks) =>
        blocks.block(
          6,
          Array.from({ length: 20 }, () => 0),
          36,
        ),
      "a block that begins with the length 32 and ends with another",
    ],
    [
      "lengths that differ, of a block kept aside",
      (blocks) =>
        blocks.block(
          4,
          Array.from({ length: 400 }, () => 0),
          36,
        ),
      "a block that begins with the length 412 and ends with another",
    ],
    [
      "a packet block of two megabytes",
      (blocks) =>
        blocks.block(
          6,
          Array.from({ length: 2_097_152 }, () => 0),
        ),
      "a packet block that claims a length of 2097164 bytes",
    ],
    [
      "another version",
      (blocks) => blocks.section(true, 2),
      "a section of pcapng version 2.0, where only 1 is known",
    ],
    [
      "a section without a byte order mark",
      (blocks) =>
        blocks.block(
          0x0a0d0d0a,
          Array.from({ length: 16 }, () => 0),
        ),
      "a section header without a byte order mark",
    ],
  ];
for (const [name, damage, reason] of damages) {
  test(`${name} is a break`, () => {
    const blocks = new PcapngBlocks().section().interface(1).enhanced({ interfaceId: 0, ticks: 0n, packet });
    damage(blocks);
    const bytes = blocks.bytes();
    for (const lengths of [[bytes.length], [101]]) {
      const { records, summary } = readInPieces(bytes, lengths);
      assert.equal(records.length, 1);
      assert.deepEqual(summary.break, { kind: "damaged", offsetBytes: blocks.starts.at(-1), reason });
    }
    assert.ok(joiningBytesOf(bytes, 101) <= 4096, "what is not believed takes no memory");
  });
}
