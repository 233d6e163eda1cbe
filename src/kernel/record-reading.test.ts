/** Records: what is written is read back, and every truncation gives what is whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RecordFacts } from "../table/record-sink.ts";
import { RecordFacts as Facts } from "../table/record-sink.ts";
import { COOKED_BYTES, LINK_TYPE_NETLINK, RecordBlocks } from "./record-blocks.ts";
import { readNote, type RecordNote, writeNote } from "./record-notes.ts";
import { RecordReader } from "./record-reading.ts";

const NOTES: readonly RecordNote[] = [
  {
    kind: "beginning",
    kernelRelease: "6.18.0",
    hostname: "web",
    settings: { nf_conntrack_max: 1000 },
    oneOf: 4,
    coverage: "all",
    clockMs: 1_700_000_000_000,
    version: "1",
  },
  { kind: "dump", reason: "start" },
  { kind: "dump-end", complete: true, flows: 7 },
  { kind: "loss", losses: 2, lostEvents: 9 },
  { kind: "settings", settings: { nf_conntrack_udp_timeout: 5 } },
  { kind: "count", occupancyFlows: 3 },
  { kind: "end", events: 5, losses: 2 },
];

/** What a reader of the notes in `blocks` is told. Blocks are walked as pcapng has them. */
function told(bytes: Uint8Array): { notes: RecordNote[]; reader: RecordReader; losses: number } {
  const notes: RecordNote[] = [];
  let losses = 0;
  const reader = new RecordReader({
    note: (note) => notes.push(note),
    events: () => {},
    rows: () => {},
    lost: () => {
      losses += 1;
    },
  });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const facts: RecordFacts = new Facts();
  facts.linkType = LINK_TYPE_NETLINK;
  for (let at = 0; bytes.length - at >= 12;) {
    const length = view.getUint32(at + 4, true);
    if (length > bytes.length - at) break;
    if (view.getUint32(at, true) === 6) {
      facts.timeMs = (view.getUint32(at + 12, true) * 2 ** 32 + view.getUint32(at + 16, true)) / 1000;
      reader.record(bytes, at + 28, view.getUint32(at + 20, true), facts);
    }
    at += length;
  }
  reader.end();
  return { notes, reader, losses };
}

function sample(): Uint8Array {
  const blocks = new RecordBlocks();
  blocks.begin({ comment: "a record", program: "headroom", interfaceName: "ctnetlink" });
  NOTES.forEach((note, at) => blocks.note(1_700_000_000_000 + at, note));
  blocks.overrun(1_700_000_000_100);
  return blocks.take().slice();
}

test("every kind of note is read back as it was written", () => {
  assert.deepEqual(told(sample()).notes, NOTES);
  assert.equal(told(sample()).losses, 1);
});

test("a record cut off at any byte gives the notes before the cut, in their order", () => {
  const bytes = sample();
  for (let length = 0; length <= bytes.length; length += 1) {
    const { notes } = told(bytes.subarray(0, length));
    assert.deepEqual(notes, NOTES.slice(0, notes.length));
  }
});

test("blocks are whole words, and say their length twice", () => {
  const bytes = sample();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = 0;
  while (at < bytes.length) {
    const length = view.getUint32(at + 4, true);
    assert.equal(length % 4, 0);
    assert.equal(view.getUint32(at + length - 4, true), length);
    at += length;
  }
  assert.equal(at, bytes.length);
});

test("a note of somebody else, or a damaged one, is none", () => {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  for (const text of ["", "{", "[]", "null", '{"format":"other"}', '{"format":"headroom/record/v1"}']) {
    assert.equal(readNote(encode(text)), undefined, text);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readNote(bytes);
    }),
  );
});

test("settings of a note are those that are known, as whole numbers", () => {
  const note = { kind: "settings", settings: { nf_conntrack_max: 5 } } as const;
  const text = new TextDecoder().decode(writeNote(note)).replace("5}", '5,"x":1,"nf_conntrack_buckets":-1}');
  assert.deepEqual(readNote(new TextEncoder().encode(text)), note);
});

test("packets of any bytes are passed over without harm", () => {
  const facts = new Facts();
  facts.linkType = LINK_TYPE_NETLINK;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 400 }), (body) => {
      const { reader } = told(new Uint8Array(0));
      const packet = new Uint8Array(COOKED_BYTES + body.length);
      packet.set([0, 4, 0x03, 0x38], 0);
      packet.set([0, 12], 14);
      packet.set(body, COOKED_BYTES);
      reader.record(packet, 0, packet.length, facts);
      reader.end();
    }),
  );
});
