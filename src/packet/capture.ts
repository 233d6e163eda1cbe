/**
 * Capture files as a stream of records: pcap and pcapng, recognised by content, in pieces of any size.
 *
 * The parser is pushed: whoever has bytes gives them, and whoever takes the records may ask for a pause after
 * each of them (the batch is full), keeping the rest of the bytes for later. A record that lies within one
 * piece is read in place; one that straddles two is joined in a small buffer that is used again and again.
 *
 * It refuses what is no capture (CaptureError). It unpacks nothing, and it does not look into the packets.
 */
import { assert } from "../base/assert.ts";
import {
  openReader,
  PCAP_MAGIC_BYTES,
  PCAPNG_MAGIC_BYTES,
  REFUSAL_HEAD_BYTES,
  refusalOf,
} from "./capture-format.ts";
import type { CaptureBreak, CaptureSummary } from "./capture-summary.ts";
import type { RecordReader, Trouble } from "./record-reader.ts";
import type { RecordSink } from "../table/record-sink.ts";

export { CaptureError, type CaptureErrorCode } from "./capture-error.ts";
export type { CaptureBreak, CaptureInterface, CaptureSummary, OtherBlocks } from "./capture-summary.ts";

const FIRST_BUFFER_BYTES = 4096;

export class CaptureParser {
  readonly #sink: RecordSink;
  readonly #origin: string;
  #reader: RecordReader | undefined;
  #break: CaptureBreak | undefined;
  /** Offset in the stream of what is read next: the beginning of `#carry` where that holds something. */
  #offsetBytes = 0;
  #isPaused = false;
  /** The beginning of a unit whose rest has not come yet. */
  #carry: Uint8Array = new Uint8Array(FIRST_BUFFER_BYTES);
  #carriedBytes = 0;

  /** `origin` is what messages call the input: a path, `standard input`. */
  constructor(sink: RecordSink, origin: string) {
    this.#sink = sink;
    this.#origin = origin;
  }

  /**
   * Takes the bytes of `bytes` from `from` on and gives the records in them to the sink. Returns the offset
   * up to which it took them: less than `bytes.length` only when the sink asked for a pause; push the rest,
   * from there on, to go on. After a break it takes everything and gives nothing.
   * @throws {CaptureError} when this is no capture.
   */
  push(bytes: Uint8Array, from = 0): number {
    let at = from;
    this.#isPaused = false;
    while (at < bytes.length && this.#break === undefined) {
      const reader = this.#reader;
      if (reader === undefined) at = this.#recognise(bytes, at);
      else if (reader.skipBytes > 0) at = this.#skip(reader, bytes, at);
      else if (this.#carriedBytes > 0) at = this.#parseJoined(reader, bytes, at);
      else at = this.#parseInPlace(reader, bytes, at);
      if (this.#isPaused) return at;
    }
    return bytes.length;
  }

  /**
   * Says that there is no more.
   * @throws {CaptureError} when nothing came, or what came is no capture.
   */
  end(): CaptureSummary {
    const reader = this.#reader;
    if (reader === undefined) throw this.#refusal();
    if (this.#break === undefined) this.#breakOff("cut-off", reader.cutOff(this.#carriedBytes));
    return this.#summaryOf(reader);
  }

  /** What is known so far; undefined before the first bytes told what this is. */
  summary(): CaptureSummary | undefined {
    return this.#reader === undefined ? undefined : this.#summaryOf(this.#reader);
  }

  /** The sink asked for a pause in the last push, perhaps at the very end of its bytes. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Nothing more will come of this capture: further bytes need not be read. */
  get isBroken(): boolean {
    return this.#break !== undefined;
  }

  /** Memory taken for joining what straddles pieces. */
  get bufferBytes(): number {
    return this.#carry.length;
  }

  #summaryOf(reader: RecordReader): CaptureSummary {
    return this.#break === undefined ? reader.summary() : { ...reader.summary(), break: this.#break };
  }

  /** Gathers first bytes until they tell the format, or enough of them to say what this is instead. */
  #recognise(bytes: Uint8Array, from: number): number {
    let at = from;
    for (const neededBytes of [PCAP_MAGIC_BYTES, PCAPNG_MAGIC_BYTES, REFUSAL_HEAD_BYTES]) {
      at = this.#fill(bytes, at, neededBytes);
      if (this.#carriedBytes < neededBytes) return at;
      this.#reader = openReader(this.#carry.subarray(0, this.#carriedBytes), this.#sink);
      if (this.#reader !== undefined) return at;
    }
    throw this.#refusal();
  }

  #refusal(): Error {
    return refusalOf(this.#carry.subarray(0, this.#carriedBytes), this.#origin);
  }

  #skip(reader: RecordReader, bytes: Uint8Array, at: number): number {
    const skippedBytes = Math.min(reader.skipBytes, bytes.length - at);
    reader.skipBytes -= skippedBytes;
    this.#offsetBytes += skippedBytes;
    return at + skippedBytes;
  }

  #parseJoined(reader: RecordReader, bytes: Uint8Array, from: number): number {
    const at = this.#fill(bytes, from, reader.neededBytes);
    const carriedBytes = this.#carriedBytes;
    if (carriedBytes < reader.neededBytes) return at;
    reader.isPaused = false;
    const taken = reader.parse(this.#carry, 0, carriedBytes);
    this.#isPaused = reader.isPaused;
    const isStepTaken = taken === carriedBytes || (taken === 0 && reader.neededBytes > carriedBytes);
    assert(
      isStepTaken || reader.trouble !== undefined,
      "a reader takes the bytes it asked for, or asks for more",
    );
    this.#offsetBytes += taken;
    if (taken > 0) this.#carriedBytes = 0;
    this.#breakOff("damaged", reader.trouble);
    return at;
  }

  #parseInPlace(reader: RecordReader, bytes: Uint8Array, from: number): number {
    reader.isPaused = false;
    const at = reader.parse(bytes, from, bytes.length);
    this.#isPaused = reader.isPaused;
    this.#offsetBytes += at - from;
    this.#breakOff("damaged", reader.trouble);
    if (this.#isPaused || reader.skipBytes > 0 || this.isBroken) return at;
    assert(bytes.length - at < reader.neededBytes, "a reader stops only where it needs more than there is");
    return this.#fill(bytes, at, reader.neededBytes);
  }

  /** Moves bytes into the buffer until it holds `neededBytes`, as far as there are any. */
  #fill(bytes: Uint8Array, at: number, neededBytes: number): number {
    if (this.#carry.length < neededBytes) {
      let sizeBytes = this.#carry.length;
      while (sizeBytes < neededBytes) sizeBytes *= 2;
      const larger = new Uint8Array(sizeBytes);
      larger.set(this.#carry.subarray(0, this.#carriedBytes));
      this.#carry = larger;
    }
    const moved = Math.max(0, Math.min(neededBytes - this.#carriedBytes, bytes.length - at));
    this.#carry.set(bytes.subarray(at, at + moved), this.#carriedBytes);
    this.#carriedBytes += moved;
    return at + moved;
  }

  #breakOff(kind: CaptureBreak["kind"], trouble: Trouble | undefined): void {
    if (trouble === undefined) return;
    this.#break = { kind, offsetBytes: this.#offsetBytes - trouble.backBytes, reason: trouble.reason };
  }
}

/**
 * Reads a whole capture from its pieces. `onPause` is called each time the sink has asked for a pause, before
 * the next record is given: the place to hand a full batch over. Stops asking for pieces after a break.
 * @throws {CaptureError} when this is no capture.
 */
export function readCapture(
  chunks: Iterable<Uint8Array>,
  sink: RecordSink,
  origin: string,
  onPause: () => void = () => {},
): CaptureSummary {
  const parser = new CaptureParser(sink, origin);
  for (const chunk of chunks) {
    let at = 0;
    do {
      at = parser.push(chunk, at);
      if (parser.isPaused) onPause();
    } while (at < chunk.length);
    if (parser.isBroken) break;
  }
  return parser.end();
}
