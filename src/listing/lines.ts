/**
 * Cuts chunks of bytes into lines and reads them into the batch. A line is read where it lies in its chunk;
 * only the end of a chunk, which may hold half a line, is copied, and the next chunk completes it.
 */
import type { FlowColumns } from "../table/columns.ts";
import { countOddity, type Oddities } from "../table/oddities.ts";
import type { AnyLine, LineKind } from "./any-line.ts";
import { LINE_FEED } from "./ascii.ts";
import type { Decoder } from "./decoder.ts";
import type { FormatClues } from "./format.ts";
import { USUAL_LINE_BYTES, type UsualLine } from "./usual-line.ts";

/**
 * A longer line is left out: the kernel's own are below 600 bytes. It bounds the memory that any input can
 * claim.
 */
export const MAX_LINE_BYTES = 65_536;

export class LineDecoder implements Decoder {
  recognised = false;
  expectations = 0;
  readonly #columns: FlowColumns;
  readonly #oddities: Oddities;
  readonly #clues: FormatClues;
  readonly #any: AnyLine;
  /** Absent in the test that proves both readers equal. */
  readonly #usual: UsualLine | undefined;
  /** The end of the last chunk: whole lines, then the open line, whose end has not come. */
  readonly #held = new Uint8Array(MAX_LINE_BYTES + 4 * USUAL_LINE_BYTES);
  #heldFrom = 0;
  #openFrom = 0;
  #heldTo = 0;
  /** Inside of a line that is too long. */
  #isSkipping = false;

  constructor(
    columns: FlowColumns,
    oddities: Oddities,
    clues: FormatClues,
    any: AnyLine,
    usual: UsualLine | undefined,
  ) {
    this.#columns = columns;
    this.#oddities = oddities;
    this.#clues = clues;
    this.#any = any;
    this.#usual = usual;
  }

  feed(chunk: Uint8Array, from: number): number {
    let at = from;
    if (this.#heldTo > 0 || this.#isSkipping) {
      at = this.#complete(chunk, at);
      if (!this.#readHeld() || this.#heldTo > 0 || this.#isSkipping) return at;
    }
    at = this.#readWhole(chunk, at);
    if (this.#isFull()) return at;
    this.#hold(chunk, at);
    return chunk.length;
  }

  end(): boolean {
    if (!this.#readHeld() || this.#isFull()) return false;
    if (this.#heldTo > 0) {
      this.#held[this.#heldTo] = LINE_FEED;
      this.#note(this.#any.read(this.#held, 0, this.#heldTo, true));
      this.#heldTo = 0;
    }
    return true;
  }

  #isFull(): boolean {
    return this.#columns.count === this.#columns.capacity;
  }

  /** Reads the lines that end within the chunk, but not the last few, which are too near its end. */
  #readWhole(chunk: Uint8Array, from: number): number {
    const columns = this.#columns;
    const end = Math.min(chunk.lastIndexOf(LINE_FEED) + 1, chunk.length - USUAL_LINE_BYTES);
    this.#usual?.attach(chunk);
    let at = from;
    while (at < end && columns.count < columns.capacity) at = this.#readLine(chunk, at);
    return at;
  }

  /** Reads the line at `at`, which ends in the array; returns where the next one begins. */
  #readLine(bytes: Uint8Array, at: number): number {
    // The first lines all go the general way, which collects the clues of the format.
    if (this.#usual !== undefined && !this.#clues.isOpen) {
      const next = this.#usual.read(at, this.#columns.count);
      if (next > 0) {
        this.#columns.count++;
        return next;
      }
    }
    const end = bytes.indexOf(LINE_FEED, at);
    if (end - at > MAX_LINE_BYTES) countOddity(this.#oddities, "overlongLines");
    else this.#note(this.#any.read(bytes, at, end));
    return end + 1;
  }

  /** Keeps the end of a chunk. */
  #hold(chunk: Uint8Array, at: number): void {
    const openFrom = Math.max(at, chunk.lastIndexOf(LINE_FEED) + 1);
    let to = chunk.length;
    if (to - openFrom > MAX_LINE_BYTES) {
      this.#skip();
      to = openFrom;
    }
    this.#held.set(chunk.subarray(at, to));
    this.#heldFrom = 0;
    this.#openFrom = openFrom - at;
    this.#heldTo = to - at;
  }

  /** Moves what belongs to the open line from the chunk to the held bytes; returns the position behind it. */
  #complete(chunk: Uint8Array, at: number): number {
    if (!this.#isSkipping && this.#openFrom === this.#heldTo) return at;
    const end = chunk.indexOf(LINE_FEED, at);
    const to = end < 0 ? chunk.length : end + 1;
    if (!this.#isSkipping && this.#heldTo - this.#openFrom + (to - at) > MAX_LINE_BYTES + (end < 0 ? 0 : 1)) {
      this.#heldTo = this.#openFrom;
      this.#skip();
    }
    if (this.#isSkipping) this.#isSkipping = end < 0;
    else {
      this.#held.set(chunk.subarray(at, to), this.#heldTo);
      this.#heldTo += to - at;
      if (end >= 0) this.#openFrom = this.#heldTo;
    }
    return to;
  }

  #skip(): void {
    this.#isSkipping = true;
    countOddity(this.#oddities, "overlongLines");
  }

  /** Reads the whole ones of the held lines; false when the batch was full before their end. */
  #readHeld(): boolean {
    this.#usual?.attach(this.#held);
    while (this.#heldFrom < this.#openFrom) {
      if (this.#isFull()) return false;
      this.#heldFrom = this.#readLine(this.#held, this.#heldFrom);
    }
    this.#held.copyWithin(0, this.#openFrom, this.#heldTo);
    this.#heldTo -= this.#openFrom;
    this.#heldFrom = this.#openFrom = 0;
    return true;
  }

  #note(kind: LineKind): void {
    if (kind === "other") countOddity(this.#oddities, "skippedLines");
    else if (kind === "cut") this.#oddities.truncatedInput = 1;
    else if (kind === "expectation") this.expectations++;
    else if (kind === "remark") this.#clues.noteRemark();
    if (kind !== "other" && kind !== "blank") this.recognised = true;
  }
}
