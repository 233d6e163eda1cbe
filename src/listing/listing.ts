/**
 * Listings of the table: untrusted text in, FlowColumns out, and flows back to text.
 *
 * Read: `/proc/net/nf_conntrack` and `/proc/net/ip_conntrack` of every kernel from 2.4.0 on, what `conntrack
 * -L` prints (plain, extended, id, labels, timestamps, xml) and `conntrack -E`, live or saved, pasted with
 * quotes and prompts around, plain or packed by gzip or zstd. The format is recognised by content. Written:
 * the kernel's own line, JSON, CSV.
 *
 * Refused: what has no flow in it, with one error that says what it is instead. Odd lines in a listing are
 * counted.
 *
 * Invariants:
 * - where the chunks of the input are cut makes no difference;
 * - memory does not depend on the size of the input or of its lines;
 * - no flow is held as an object on the way in.
 *
 * Read first: any-line.ts (what a line means), then usual-line.ts (the same for nearly all lines, fast).
 */
import { assert } from "../base/assert.ts";
import { joined } from "../base/bytes.ts";
import { FlowColumns } from "../table/columns.ts";
import type { Oddities } from "../table/oddities.ts";
import type { FlowReading } from "../table/source.ts";
import { Status, TEXT_STATUS } from "../table/status.ts";
import { type Compression, compressionOf, MAGIC_BYTES, unpacked } from "../unpack/unpack.ts";
import { AnyLine } from "./any-line.ts";
import { peek } from "./chunks.ts";
import type { Decoder } from "./decoder.ts";
import { FormatClues, formatText, type ListingFormat } from "./format.ts";
import type { LineStyle } from "./kernel-line.ts";
import { LineDecoder } from "./lines.ts";
import { ListingError } from "./listing-error.ts";
import { refusalOf } from "./refusal.ts";
import { UsualLine } from "./usual-line.ts";
import { XmlDecoder } from "./xml.ts";

export { csvHeader, flowToCsv } from "./csv.ts";
export type { Compression } from "../unpack/unpack.ts";
export type { ListingFormat } from "./format.ts";
export { flowToJson, type FlowJson } from "./json.ts";
export { flowToJsonText } from "./json-text.ts";
export { formatFlow, type LineStyle, unnamedProtocols } from "./kernel-line.ts";
export { LINE_BYTES_MAX, LineBytes } from "./line-bytes.ts";
export { ListingError, type ListingErrorCode } from "./listing-error.ts";

/** Rows of a batch: small enough to stay in the processor's cache. */
const BATCH_ROWS = 2048;
/** First bytes that the format is recognised by, and that an error is written from. */
const HEAD_BYTES = 512;
/** An input that has no flow in so many bytes is not read any further. */
const PATIENCE_BYTES = 4_194_304;

export interface ListingOptions {
  /** Where the bytes come from, for people: a path, or `standard input`. */
  origin: string;
  /** `procfs` for the running kernel's own file. Default: `file`. */
  source?: "procfs" | "file";
  /**
   * Minutes east of UTC of the clock that printed calendar times (`[start=Sun Nov 22 12:20:22 2026]`), which
   * carry no zone of their own. Default: 0, UTC.
   */
  utcOffsetMinutes?: number;
  /** Rows of a batch, for tests. */
  batchRows?: number;
  /** Leaves the fast reader out, for the test that both readers agree. */
  isGeneral?: boolean;
}

/** One reading of a listing. Its facts are final when the last batch has come. */
export interface Listing extends FlowReading {
  /** Undefined before the first batch, and of an empty table. */
  readonly format: ListingFormat | undefined;
  readonly compression: Compression | undefined;
  /** How the source prints lines: with it, `formatFlow` gives the lines of a kernel's listing back. */
  readonly style: LineStyle;
  /** Lines of expected connections (2.4 to 2.6.8); they are not flows. */
  readonly expectations: number;
}

/**
 * Opens a listing for one reading. Nothing is read before `batches()` is called. A chunk is used up before
 * the next one is asked for, so the caller may fill one array again and again.
 *
 * `batches()` is synchronous when `bytes` is and nothing is packed. It throws ListingError (`not-a-listing`,
 * `unsupported`, `not-text`, `compressed-broken`); errors of `bytes` itself pass through.
 */
export function readListing(
  bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: ListingOptions,
): Listing {
  return new ListingReading(bytes, options);
}

class ListingReading implements Listing {
  readonly source: string;
  readonly oddities: Oddities = {};
  compression: Compression | undefined;
  readonly #bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  readonly #options: ListingOptions;
  readonly #columns: FlowColumns;
  readonly #clues = new FormatClues();
  readonly #any: AnyLine;
  #decoder: Decoder | undefined;
  /** The first bytes, after unpacking. */
  #head = new Uint8Array(0);
  #bytesRead = 0;
  #isStarted = false;
  #isEnded = false;

  constructor(bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, options: ListingOptions) {
    this.source = options.source ?? "file";
    this.#bytes = bytes;
    this.#options = options;
    this.#columns = new FlowColumns(options.batchRows ?? BATCH_ROWS, TEXT_STATUS);
    this.#any = new AnyLine(this.#columns, this.oddities, this.#clues, options.utcOffsetMinutes ?? 0);
  }

  get origin(): string {
    const { origin } = this.#options;
    if (this.source === "procfs" || this.format === undefined) return origin;
    const packed = this.compression === undefined ? "" : `, ${this.compression}`;
    return `${origin} (${formatText[this.format]}${packed})`;
  }

  get format(): ListingFormat | undefined {
    return this.#clues.format;
  }

  get style(): LineStyle {
    return { layout: this.#clues.hasFamily ? "nf_conntrack" : "ip_conntrack", unnamed: this.#any.unnamed };
  }

  get expectations(): number {
    return this.#decoder?.expectations ?? 0;
  }

  get complete(): boolean {
    return this.#isEnded && this.oddities.truncatedInput === undefined;
  }

  batches(): AsyncIterable<FlowColumns> | Iterable<FlowColumns> {
    assert(!this.#isStarted, "A listing is read once");
    this.#isStarted = true;
    const bytes = this.#bytes;
    if (!(Symbol.iterator in bytes)) return this.#readAsync(bytes);
    const { head, all } = peek(bytes, MAGIC_BYTES);
    return compressionOf(head) === undefined ? this.#readSync(all) : this.#readAsync(all);
  }

  *#readSync(chunks: Iterable<Uint8Array>): Generator<FlowColumns> {
    for (const chunk of chunks) yield* this.#take(chunk);
    yield* this.#finish();
  }

  async *#readAsync(bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<FlowColumns> {
    const chunks = unpacked(bytes, {
      onCompression: (compression) => (this.compression = compression),
      onBroken: (error, hasOutput) => {
        if (!hasOutput) throw this.#refusePacked(error);
        this.oddities.truncatedInput = 1;
      },
    });
    for await (const chunk of chunks) yield* this.#take(chunk);
    yield* this.#finish();
  }

  #refusePacked(cause: Error): ListingError {
    const found = `packed data that cannot be unpacked (${cause.message})`;
    return new ListingError("compressed-broken", this.#options.origin, found, "copy the file again", cause);
  }

  /** Decodes a chunk; hands the batch out each time it is full. */
  *#take(chunk: Uint8Array): Generator<FlowColumns> {
    let bytes = chunk;
    if (this.#decoder === undefined) {
      bytes = this.#head = joined(this.#head, chunk);
      if (bytes.length < HEAD_BYTES) return;
    }
    yield* this.#decode(bytes);
  }

  *#decode(chunk: Uint8Array): Generator<FlowColumns> {
    this.#decoder ??= this.#chooseDecoder();
    // One class of array, whatever the caller's is: the hot path is compiled for it.
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    const columns = this.#columns;
    for (let at = 0; at < bytes.length;) {
      at = this.#decoder.feed(bytes, at);
      if (columns.count < columns.capacity) continue;
      yield columns;
      columns.clear();
    }
    this.#bytesRead += bytes.length;
    if (!this.#decoder.recognised && this.#bytesRead > PATIENCE_BYTES) throw this.#refuse();
  }

  *#finish(): Generator<FlowColumns> {
    const columns = this.#columns;
    if (this.#decoder === undefined) yield* this.#decode(this.#head);
    while (this.#decoder?.end() === false) {
      yield columns;
      columns.clear();
    }
    this.#isEnded = true;
    const { skippedLines = 0, overlongLines = 0 } = this.oddities;
    if (this.#decoder?.recognised === false && skippedLines + overlongLines > 0) throw this.#refuse();
    if (columns.count > 0) yield columns;
  }

  #chooseDecoder(): Decoder {
    this.#head = this.#head.slice(0, HEAD_BYTES);
    const columns = this.#columns;
    const utcOffsetMinutes = this.#options.utcOffsetMinutes ?? 0;
    if (/<(conntrack|flow)[ >]/.test(new TextDecoder().decode(this.#head))) {
      columns.knownStatus = Status.SEEN_REPLY | Status.ASSURED;
      return new XmlDecoder(columns, this.oddities, this.#clues, utcOffsetMinutes);
    }
    const usual = this.#options.isGeneral === true ? undefined : new UsualLine(columns);
    return new LineDecoder(columns, this.oddities, this.#clues, this.#any, usual);
  }

  #refuse(): ListingError {
    return refusalOf(this.#head, this.#options.origin);
  }
}
