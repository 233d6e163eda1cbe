/**
 * Records cut off anywhere, as a killed recorder, a full disk or a broken copy leave them: what is whole is
 * read as it was written, and nothing is read that was not.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Context } from "../src/cli/context.ts";
import { type RecordRead, readRecord } from "../src/cli/replay/record-reading.ts";
import { ManualClock } from "../src/base/clock.ts";
import * as kernel from "../src/kernel/kernel.ts";
import type { DumpReason } from "../src/kernel/record-notes.ts";
import { CaptureError } from "../src/packet/packet.ts";
import type { FlowColumns } from "../src/table/columns.ts";
import { type Piece, recordOf, START_MS } from "./support/record-samples.ts";
import { FakeTerminal } from "./support/terminal.ts";

/** What a reader is told, one after the other: batches are how many the reader likes. */
type Told = string;

const everyKind: readonly Piece[] = [
  { kind: "table", reason: "start", ids: [1, 2, 3] },
  { kind: "new", id: 4 },
  { kind: "update", id: 4 },
  { kind: "count", flows: 4 },
  { kind: "destroy", id: 2 },
  { kind: "loss", flows: 9 },
  { kind: "table", reason: "loss", ids: [1, 3, 5] },
  { kind: "new", id: 6 },
  { kind: "destroy", id: 1 },
  { kind: "table", reason: "end", ids: [3, 4, 5, 6] },
];

const context = {
  deps: { clock: new ManualClock(START_MS), kernel: async () => kernel },
  terminal: new FakeTerminal(),
} as unknown as Context;

async function read(bytes: Uint8Array): Promise<{ told: Told[]; record: RecordRead }> {
  const told: Told[] = [];
  const ids = ({ id, count }: FlowColumns): number[] => [...id.subarray(0, count)];
  const record = await readRecord(context, [bytes], {
    origin: "cut.pcapng",
    signal: new AbortController().signal,
    watch: {
      note: (note, atMs) => told.push(`${atMs} ${JSON.stringify(note)}`),
      events: ({ columns, kinds }, atMs) =>
        ids(columns).forEach((id, row) => told.push(`${atMs} event ${kinds[row]} of ${id}`)),
      rows: (columns, atMs) => ids(columns).forEach((id) => told.push(`${atMs} row of ${id}`)),
      lost: (atMs) => told.push(`${atMs} lost`),
    },
  });
  return { told, record };
}

/** What is left of a record is told as of the whole one, or refused as no capture. */
async function assertBeginning(bytes: Uint8Array, length: number, whole: readonly Told[]): Promise<number> {
  try {
    const { told, record } = await read(bytes.slice(0, length));
    assert.deepEqual(told, whole.slice(0, told.length), `cut after ${length} bytes`);
    const isEnded = told.some((line) => line.includes('"end"') && line.includes('"dump"'));
    if (!isEnded) assert.equal(record.figures.complete, false, `cut after ${length} bytes`);
    for (const ms of record.history.words().timeMs.subarray(0, record.history.words().count)) {
      assert.ok(ms <= START_MS + 100_000, "no word is of a time after the record");
    }
    return told.length;
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    assert.match(error.message, /^Cannot read packets from cut\.pcapng: /u);
    assert.ok(length < 200, `a record of ${length} bytes has its first blocks: ${error.message}`);
    return 0;
  }
}

test("a whole record is told as it was written", async () => {
  const { told, record } = await read(recordOf(everyKind));
  const events = told.filter((line) => line.includes(" event ")).map((line) => line.split(" event ")[1]);
  assert.deepEqual(events, ["1 of 4", "2 of 4", "3 of 2", "1 of 6", "3 of 1"]);
  assert.equal(told.filter((line) => line.includes("row of")).length, 10);
  assert.equal(told.filter((line) => line.endsWith("lost")).length, 1);
  assert.equal(record.figures.complete, true);
});

test("a record cut at any byte tells what is whole, or is refused in words", async () => {
  const bytes = recordOf(everyKind);
  const whole = (await read(bytes)).told;
  let before = 0;
  for (let length = 0; length <= bytes.length; length += 1) {
    const told = await assertBeginning(bytes, length, whole);
    assert.ok(told >= before, `cut after ${length} bytes, less is told than of a shorter one`);
    before = told;
  }
  assert.equal(before, whole.length);
});

const anyId = fc.integer({ min: 1, max: 12 });
const anyPiece: fc.Arbitrary<Piece> = fc.oneof(
  fc.record({ kind: fc.constantFrom("new" as const, "update" as const, "destroy" as const), id: anyId }),
  fc.record({ kind: fc.constant("loss" as const), flows: fc.nat({ max: 1000 }) }),
  fc.record({ kind: fc.constant("count" as const), flows: fc.nat({ max: 1000 }) }),
  fc.record({
    kind: fc.constant("table" as const),
    reason: fc.constantFrom<DumpReason>("start", "loss", "end"),
    ids: fc.uniqueArray(anyId, { minLength: 1, maxLength: 6 }),
  }),
);

test("any record cut anywhere tells what is whole", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyPiece, { maxLength: 30 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 }),
      async (pieces, shares) => {
        const bytes = recordOf(pieces);
        const whole = (await read(bytes)).told;
        for (const share of shares) await assertBeginning(bytes, Math.floor(bytes.length * share), whole);
      },
    ),
    { numRuns: 60 },
  );
});
