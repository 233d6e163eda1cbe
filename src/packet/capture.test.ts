import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import {
  joiningBytesOf,
  piecesOf,
  readInPieces,
  readWhole,
  RecordList,
} from "../../test/support/capture-records.ts";
import { PcapngBlocks } from "../../test/support/pcapng-blocks.ts";
import { seededRandom, type Random } from "../base/random.ts";
import { CaptureError, CaptureParser, readCapture, type CaptureErrorCode } from "./capture.ts";
import { writeCapture } from "./write-capture.ts";

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const packets = [5, 0, 60, 1, 33].map((length, index) => ({
  timeMs: 1_700_000_000_000 + index * 250,
  packet: new Uint8Array(length).fill(index + 1),
}));

/** A small capture, and where its units (file header, records, blocks) end. */
interface Sample {
  name: string;
  bytes: Uint8Array;
  ends: number[];
  /** Records that are whole where that many units are. */
  recordsAfter: (units: number) => number;
  /** Bytes that tell the format. */
  magicBytes: number;
}

function pcapSample(): Sample {
  const ends = [24];
  for (const { packet } of packets) ends.push((ends.at(-1) ?? 0) + 16 + packet.length);
  const bytes = writeCapture(1, packets);
  return { name: "pcap", bytes, ends, recordsAfter: (units) => Math.max(0, units - 1), magicBytes: 4 };
}

function pcapngSample(): Sample {
  const blocks = new PcapngBlocks().section().interface(1, 65_535, [[2, [...latin1("eth0")]]]);
  const kinds = ["other", "other"];
  for (const { timeMs, packet } of packets) {
    blocks.enhanced({ interfaceId: 0, ticks: BigInt(timeMs) * 1000n, packet, options: [[2, [1, 0, 0, 0]]] });
    blocks.block(5, [1, 2, 3, 4]);
    kinds.push("packet", "other");
  }
  blocks
    .section(false)
    .interface(113)
    .simple(Uint8Array.of(1, 2, 3))
    .block(10, [...new Uint8Array(40)]);
  kinds.push("other", "other", "packet", "other");
  const bytes = blocks.bytes();
  return {
    name: "pcapng",
    bytes,
    ends: [...blocks.starts.slice(1), bytes.length],
    recordsAfter: (units) => kinds.slice(0, units).filter((kind) => kind === "packet").length,
    magicBytes: 12,
  };
}

const samples = [pcapSample(), pcapngSample()];

for (const { name, bytes, ends, recordsAfter, magicBytes } of samples) {
  test(`${name} cut off after every byte is read up to the cut`, () => {
    const whole = readWhole(bytes);
    assert.equal(whole.summary.break, undefined);
    for (let length = magicBytes; length < bytes.length; length++) {
      const units = ends.filter((end) => end <= length).length;
      const { records, summary } = readInPieces(bytes.subarray(0, length), [length % 3 === 0 ? 7 : 1000]);
      assert.deepEqual(records, whole.records.slice(0, recordsAfter(units)), `records of ${length} bytes`);
      assert.equal(summary.records, records.length);
      if (ends.includes(length)) {
        assert.equal(summary.break, undefined, `${length} bytes are whole`);
      } else {
        assert.equal(summary.break?.kind, "cut-off");
        assert.equal(summary.break.offsetBytes, ends[units - 1] ?? 0, `offset after ${length} bytes`);
      }
    }
  });

  test(`${name} cut off before its format can be told is no capture`, () => {
    for (let length = 0; length < magicBytes; length++) {
      const code = length === 0 ? "empty" : "not-a-capture";
      assert.throws(() => readWhole(bytes.subarray(0, length)), { name: "CaptureError", code });
    }
  });

  test(`${name} split at every point, and into pieces of every size`, () => {
    const whole = readWhole(bytes);
    for (let at = 1; at < bytes.length; at++) {
      assert.deepEqual(readInPieces(bytes, [at, bytes.length]), whole, `split at ${at}`);
      assert.deepEqual(readInPieces(bytes, [at]), whole, `pieces of ${at}`);
    }
  });

  test(`${name} with a pause after any number of records, in pieces of any size`, () => {
    const whole = readWhole(bytes);
    for (const pauseEvery of [1, 2, 3]) {
      for (const length of [1, 17, 64, bytes.length]) {
        const list = new RecordList(pauseEvery);
        let pauses = 0;
        const onPause = (): void => {
          pauses++;
          assert.equal(
            list.records.length,
            pauses * pauseEvery,
            "no record comes between the asking and the pause",
          );
        };
        const summary = readCapture(piecesOf(bytes, [length]), list, "test", onPause);
        assert.deepEqual({ records: list.records, summary }, whole);
        assert.equal(pauses, Math.floor(whole.records.length / pauseEvery));
      }
    }
  });

  test(`${name} in random pieces`, () => {
    const whole = readWhole(bytes);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 }), (lengths) => {
        assert.deepEqual(readInPieces(bytes, lengths), whole);
      }),
      { numRuns: 200, seed: 3 },
    );
  });
}

test("push tells how far it came; the rest, pushed later, goes on", () => {
  const { bytes } = pcapSample();
  const list = new RecordList(2);
  const parser = new CaptureParser(list, "test");
  assert.equal(parser.summary(), undefined);
  const at = parser.push(bytes);
  assert.equal(at, 24 + 16 + 5 + 16);
  assert.equal(parser.isPaused, true);
  assert.equal(parser.summary()?.records, 2);
  const later = bytes.slice(at);
  assert.equal(parser.push(later), 16 + 60 + 16 + 1);
  assert.equal(parser.push(later, 16 + 60 + 16 + 1), later.length);
  assert.equal(parser.isPaused, false);
  assert.equal(parser.end().records, 5);
});

test("empty pieces change nothing, and after a break nothing is given", () => {
  const { bytes } = pcapSample();
  const broken = Uint8Array.from([...bytes, ...new Uint8Array(16).fill(0xff), ...bytes]);
  const list = new RecordList();
  const parser = new CaptureParser(list, "test");
  assert.equal(parser.push(new Uint8Array(0)), 0);
  assert.equal(parser.push(broken), broken.length);
  assert.equal(parser.isBroken, true);
  assert.equal(parser.push(bytes), bytes.length);
  assert.equal(list.records.length, 5);
  assert.equal(parser.end().break?.offsetBytes, bytes.length);
});

test("reading ends at a break: no further piece is asked for", () => {
  const { bytes } = pcapSample();
  function* endless(): Generator<Uint8Array> {
    yield bytes;
    for (;;) yield new Uint8Array(16).fill(0xff);
  }
  assert.equal(readCapture(endless(), new RecordList(), "test").break?.offsetBytes, bytes.length);
});

const erf = [0, 0, 0, 0x80, 0, 0x15, 0xe8, 0x65, 2, 4, 0, 96, 0, 0, 0, 74, ...new Uint8Array(80)];
const tar = latin1(`capture.pcap${"\0".repeat(245)}ustar`);
const refusals: readonly (readonly [
  name: string,
  bytes: Uint8Array,
  code: CaptureErrorCode,
  message: string,
])[] = [
  ["nothing", new Uint8Array(0), "empty", "it is empty; give a capture in pcap or pcapng format"],
  ["gzip in gzip", gzipSync(latin1("x")), "compressed", "gzip-compressed data; unpack it first (gzip -dc)"],
  ["zstd in gzip", zstdCompressSync(latin1("x")), "compressed", "zstd-compressed data; unpack it first"],
  ["xz", latin1("\xfd7zXZ\0"), "compressed", "xz-compressed data; unpack it first (xz -dc)"],
  ["tar", tar, "compressed", "a tar archive; unpack it first (tar -xf)"],
  [
    "snoop",
    latin1("snoop\0\0\0\0\0\0\x02"),
    "unsupported",
    "a Solaris snoop capture; convert it first (editcap",
  ],
  ["Network Monitor 1", latin1("RTSS\x01\x01"), "unsupported", "a Microsoft Network Monitor 1 capture"],
  ["Network Monitor 2", latin1("GMBU\0\x02"), "unsupported", "a Microsoft Network Monitor 2 capture"],
  ["ERF", Uint8Array.from(erf), "unsupported", "what looks like an Endace ERF capture; convert it first"],
  [
    "a listing",
    latin1("\nipv4 2 tcp 6\x1b[2J\nmore"),
    "not-a-capture",
    "text, beginning with 'ipv4 2 tcp 6?[2J'; give",
  ],
  [
    "a long line",
    latin1("x".repeat(600)),
    "not-a-capture",
    `text, beginning with '${"x".repeat(72)}...'; give`,
  ],
  ["three bytes", latin1("\xd4\xc3\xb2"), "not-a-capture", "bytes of no known format (d4 c3 b2); give"],
  [
    "a pcapng type without a byte order mark",
    latin1(`\n\r\r\n${"\0".repeat(60)}`),
    "not-a-capture",
    "bytes of no known format (0a 0d 0d 0a 00 00 00 00 00 00 00 00 00 00 00 00 ...)",
  ],
];
for (const [name, bytes, code, message] of refusals) {
  test(`${name} is refused in words`, () => {
    for (const length of [1000, 1]) {
      assert.throws(
        () => readCapture(piecesOf(bytes, [length]), new RecordList(), "some.pcap"),
        (error) => {
          assert.ok(error instanceof CaptureError);
          assert.equal(error.code, code);
          assert.ok(
            error.message.startsWith(`Cannot read packets from some.pcap: ${message}`),
            error.message,
          );
          return true;
        },
      );
    }
  });
}

test("an input without end is refused as soon as enough of it is seen", () => {
  const parser = new CaptureParser(new RecordList(), "test");
  parser.push(latin1("x".repeat(511)));
  assert.throws(() => parser.push(latin1("x")), CaptureError);
});

/** Some bytes changed, a stretch taken out, doubled, or made of ones. */
function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  const all = [...bytes];
  for (let turn = random.below(4); turn >= 0; turn--) {
    const at = random.below(all.length);
    const length = random.below(24);
    const kind = random.below(5);
    if (kind === 0) all.splice(at, length);
    else if (kind === 1) all.splice(at, 0, ...all.slice(at, at + length));
    else if (kind === 2) all.fill(0xff, at, at + 4);
    else if (kind === 3) all[at] = (all[at] ?? 0) ^ (1 << random.below(8));
    else all[at] = random.below(256);
    if (all.length === 0) all.push(0);
  }
  return Uint8Array.from(all);
}

/** What comes of reading, errors included. */
function outcome(bytes: Uint8Array, lengths: readonly number[]): unknown {
  try {
    return readInPieces(bytes, lengths);
  } catch (error) {
    assert.ok(error instanceof CaptureError, String(error));
    return error.message;
  }
}

for (const { name, bytes } of samples) {
  test(`${name}, mutated: no crash, bounded memory, and the same result however it is split`, () => {
    const random = seededRandom(20_261_122);
    for (let turn = 0; turn < 3000; turn++) {
      const hostile = mutated(bytes, random);
      const whole = outcome(hostile, [hostile.length]);
      assert.deepEqual(outcome(hostile, [1 + random.below(40), 1 + random.below(9)]), whole, `turn ${turn}`);
      if (typeof whole === "object")
        assert.ok(joiningBytesOf(hostile, 50) <= 1_048_576, "the longest block is one megabyte");
    }
  });
}

const captures = fileURLToPath(new URL("../../../shared/captures/", import.meta.url));
const captureNames = existsSync(captures)
  ? readdirSync(captures).filter((file) => /\.pcap(ng)?$/.test(file))
  : [];

test(
  "real captures are read to their end, and alike in pieces",
  { skip: captureNames.length === 0 ? "skipped: no captures" : false },
  () => {
    for (const file of captureNames) {
      const bytes = new Uint8Array(readFileSync(captures + file));
      const whole = readWhole(bytes);
      assert.equal(whole.summary.break, undefined, file);
      assert.ok(whole.summary.records > 0, file);
      assert.equal(whole.summary.records, whole.records.length, file);
      assert.ok(
        whole.records.every(({ packet, originalBytes }) => packet.length <= originalBytes),
        file,
      );
      assert.ok(
        whole.records.every(({ timeMs }) => timeMs >= 0 && timeMs < 2 ** 42),
        file,
      );
      assert.deepEqual(readInPieces(bytes, [1000, 3]), whole, file);
    }
  },
);
