/**
 * From the bytes of a capture, or from packets as they come, to batches for the tracker: who reads gives
 * records, who tracks gets batches handed over and says what to fill next. A batch ends early where a setting
 * changes in mid-run, so that the change falls between two batches.
 */
import {
  CaptureError,
  CaptureParser,
  type CaptureSummary,
  type DecodeCounts,
  type PacketColumns,
  PacketDecoder,
  type DecoderOptions,
} from "../../packet/packet.ts";
import type { RecordFacts, RecordSink } from "../../table/record-sink.ts";
import { type Compression, unpacked } from "../../unpack/unpack.ts";
import { type CaptureInstant, instantMs } from "./replay-settings.ts";

/** Uses a batch up; returns the one to fill next, or undefined when no more are wanted. */
export type HandOver = (batch: PacketColumns) => PacketColumns | undefined;

export interface BatchOptions {
  decoder: DecoderOptions;
  /** When batches shall end: settings change then. */
  cuts: readonly CaptureInstant[];
}

/** Fills batches with records. */
export class BatchSink implements RecordSink {
  readonly #decoder: PacketDecoder;
  readonly #handOver: HandOver;
  readonly #cuts: readonly CaptureInstant[];
  #batch: PacketColumns | undefined;
  /** Cuts that are to come, epoch milliseconds, ascending; known when the first record is. */
  #cutsMs: number[] = [];
  #nextCutMs: number;
  #firstMs: number | undefined;
  #lastMs = -Infinity;

  constructor(first: PacketColumns, { decoder, cuts }: BatchOptions, handOver: HandOver) {
    this.#decoder = new PacketDecoder(decoder);
    this.#decoder.begin(first);
    this.#batch = first;
    this.#handOver = handOver;
    this.#cuts = cuts;
    this.#nextCutMs = cuts.length === 0 ? Infinity : -Infinity;
  }

  /** As RecordSink has it: asks for a pause only when no more are wanted. */
  record(bytes: Uint8Array, at: number, capturedBytes: number, facts: RecordFacts): boolean {
    const { timeMs } = facts;
    if (timeMs > this.#lastMs) this.#see(timeMs);
    // The last batch belongs to others by now.
    if (this.isStopped) return true;
    if (this.#decoder.record(bytes, at, capturedBytes, facts)) this.flush();
    return this.isStopped;
  }

  #see(timeMs: number): void {
    this.#lastMs = timeMs;
    if (this.#firstMs === undefined) {
      this.#firstMs = timeMs;
      const all = this.#cuts.map((cut) => instantMs(cut, timeMs));
      this.#cutsMs = all.filter((ms) => ms > timeMs).toSorted((left, right) => left - right);
      this.#nextCutMs = this.#cutsMs[0] ?? Infinity;
    }
    if (timeMs < this.#nextCutMs) return;
    while ((this.#cutsMs[0] ?? Infinity) <= timeMs) this.#cutsMs.shift();
    this.#nextCutMs = this.#cutsMs[0] ?? Infinity;
    this.flush();
  }

  /** Hands over what there is. */
  flush(): void {
    const batch = this.#batch;
    if (batch === undefined || batch.count + batch.lostCount === 0) return;
    this.#batch = this.#handOver(batch);
    if (this.#batch !== undefined) this.#decoder.begin(this.#batch);
  }

  /** No more records will come: hands over all that is left. */
  end(): void {
    if (this.isStopped) return;
    this.#decoder.end();
    this.flush();
    while (this.#decoder.hasMoreLost && !this.isStopped) this.flush();
  }

  /** No more batches are wanted. */
  get isStopped(): boolean {
    return this.#batch === undefined;
  }

  get counts(): DecodeCounts {
    return this.#decoder.counts;
  }

  /** Times of the first and the latest record. */
  get times(): { firstMs?: number; lastMs?: number } {
    return this.#firstMs === undefined ? {} : { firstMs: this.#firstMs, lastMs: this.#lastMs };
  }
}

/** What a reading found. Plain: it crosses from thread to thread. */
export interface ReadCapture {
  summary?: CaptureSummary;
  counts: DecodeCounts;
  compression?: Compression;
  brokenPacking?: true;
  firstMs?: number;
  lastMs?: number;
  /** Of live packets: those that were lost before they could be seen, and why no more came. */
  lostPackets?: number;
  endedBy?: string;
}

export interface ReadOptions {
  /** For people: a path, `standard input`. */
  origin: string;
  /** Called after every piece; the reading goes on when it has resolved. */
  breathe?: () => Promise<void> | undefined;
}

/**
 * Reads a capture, packed or not, to its end, to its break, or until the sink is stopped.
 * @throws {CaptureError} when this is no capture.
 */
export async function readPackets(
  bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  sink: BatchSink,
  { origin, breathe }: ReadOptions,
): Promise<ReadCapture> {
  const parser = new CaptureParser(sink, origin);
  const packed: { compression?: Compression; brokenPacking?: true } = {};
  const notes = {
    origin,
    onCompression: (compression: Compression) => void (packed.compression = compression),
    onBroken: (error: Error, hasOutput: boolean) => {
      if (!hasOutput) throw packingError(error, origin);
      packed.brokenPacking = true;
    },
  };
  for await (const piece of unpacked(bytes, notes)) {
    // One class of array, whatever the source's is: the hot path is compiled for it.
    parser.push(new Uint8Array(piece.buffer, piece.byteOffset, piece.length));
    const pause = breathe?.();
    if (pause !== undefined) await pause;
    if (sink.isStopped || parser.isBroken) break;
  }
  const summary = sink.isStopped ? parser.summary() : parser.end();
  sink.end();
  return {
    ...(summary === undefined ? {} : { summary }),
    counts: sink.counts,
    ...packed,
    ...sink.times,
  };
}

function packingError(error: Error, origin: string): CaptureError {
  const found = `packed data that cannot be unpacked (${error.message})`;
  return new CaptureError("compressed", origin, found, "copy the file again");
}
