/**
 * A cursor over untrusted bytes. The reader owns the bounds: no parser checks lengths by hand, and reading
 * past the end raises one error that names the field and the offset.
 *
 * The one exception is a hot path that has checked a whole record's length once and then indexes its bytes.
 */

/** Input ended before a field was complete, or a number did not fit where it stands. */
export class BytesError extends Error {
  override name = "BytesError";
  readonly field: string;
  readonly offset: number;

  constructor(field: string, offset: number, found: string) {
    super(`Cannot read ${field} at offset ${offset}: ${found}`);
    this.field = field;
    this.offset = offset;
  }
}

/**
 * Largest integer a JavaScript number holds exactly; 64-bit counters saturate here and are counted as an
 * oddity.
 */
export const SATURATED = Number.MAX_SAFE_INTEGER;

/** Joins two unsigned 32-bit halves to a number, saturating at 2^53-1. */
export function joinHalves(high: number, low: number): number {
  return high > 0x1fffff ? SATURATED : high * 0x1_0000_0000 + low;
}

/** Both parts in an array of their own. */
export function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

export class ByteReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  /** Reads `bytes` from `start` (default 0) up to, not including, `end` (default its length). */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    if (start < 0 || end > bytes.length || start > end) {
      throw new BytesError("range", start, `range ${start}..${end} is outside of ${bytes.length} bytes`);
    }
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
  }

  /** Offset of the next byte, from the start of the underlying array. */
  get offset(): number {
    return this.#at;
  }

  /** Bytes left before the end. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  #take(field: string, length: number): number {
    const at = this.#at;
    if (length < 0 || length > this.#end - at) {
      throw new BytesError(field, at, `needs ${length} bytes, ${this.#end - at} are left`);
    }
    this.#at = at + length;
    return at;
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#take(field, 1));
  }

  u16(field: string, littleEndian = false): number {
    return this.#view.getUint16(this.#take(field, 2), littleEndian);
  }

  u32(field: string, littleEndian = false): number {
    return this.#view.getUint32(this.#take(field, 4), littleEndian);
  }

  i32(field: string, littleEndian = false): number {
    return this.#view.getInt32(this.#take(field, 4), littleEndian);
  }

  /** An unsigned 64-bit integer, saturating at 2^53-1. */
  u64(field: string, littleEndian = false): number {
    const at = this.#take(field, 8);
    const first = this.#view.getUint32(at, littleEndian);
    const second = this.#view.getUint32(at + 4, littleEndian);
    return littleEndian ? joinHalves(second, first) : joinHalves(first, second);
  }

  /** The next `length` bytes as a view on the same memory. */
  bytes(field: string, length: number): Uint8Array {
    const at = this.#take(field, length);
    return this.#bytes.subarray(at, at + length);
  }

  skip(field: string, length: number): void {
    this.#take(field, length);
  }

  /** A reader over the next `length` bytes; this reader moves past them. */
  sub(field: string, length: number): ByteReader {
    const at = this.#take(field, length);
    return new ByteReader(this.#bytes, at, at + length);
  }
}
