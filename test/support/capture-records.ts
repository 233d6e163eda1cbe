/** Captures read in tests: records as plain values, and bytes in pieces that do not outlive their turn. */
import { CaptureParser, readCapture, type CaptureSummary } from "../../src/packet/capture.ts";
import type { RecordFacts, RecordSink } from "../../src/table/record-sink.ts";

/** One record, copied. */
export interface ReadRecord {
  packet: number[];
  originalBytes: number;
  linkType: number;
  timeMs: number;
  interfaceIndex: number;
  fcsBytes: number;
}

export interface ReadCapture {
  records: ReadRecord[];
  summary: CaptureSummary;
}

/** Keeps all records; asks for a pause after every `pauseEvery` of them. */
export class RecordList implements RecordSink {
  readonly records: ReadRecord[] = [];
  readonly #pauseEvery: number;

  constructor(pauseEvery = Infinity) {
    this.#pauseEvery = pauseEvery;
  }

  record(bytes: Uint8Array, at: number, capturedBytes: number, facts: RecordFacts): boolean {
    if (at + capturedBytes > bytes.length) throw new Error("a record reaches beyond its bytes");
    this.records.push({ packet: [...bytes.subarray(at, at + capturedBytes)], ...facts });
    return this.records.length % this.#pauseEvery === 0;
  }
}

/** Reads `bytes` in pieces whose lengths `lengths` repeats. */
export function readInPieces(bytes: Uint8Array, lengths: readonly number[]): ReadCapture {
  const list = new RecordList();
  const summary = readCapture(piecesOf(bytes, lengths), list, "test");
  return { records: list.records, summary };
}

/** Reads `bytes` at once. */
export function readWhole(bytes: Uint8Array): ReadCapture {
  return readInPieces(bytes, [Math.max(1, bytes.length)]);
}

/** Pieces in ONE buffer that the next piece overwrites, as files are read. */
export function* piecesOf(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  const buffer = new Uint8Array(Math.max(...lengths));
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const piece = bytes.subarray(at, at + (lengths[turn % lengths.length] ?? 1));
    buffer.fill(0xee);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
    at += piece.length;
  }
}

/** Memory that reading `bytes` takes for joining. */
export function joiningBytesOf(bytes: Uint8Array, length: number): number {
  const parser = new CaptureParser(new RecordList(), "test");
  for (const piece of piecesOf(bytes, [length])) parser.push(piece);
  return parser.bufferBytes;
}
