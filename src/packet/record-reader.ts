/**
 * What CaptureParser needs of the reader of one format: it cuts the stream into units (file header, record,
 * block), gives the records in them to the sink, and says how much it must see to go on.
 */
import type { CaptureSummary } from "./capture-summary.ts";

/** Why nothing further can be read. */
export interface Trouble {
  /** A piece of a sentence. */
  reason: string;
  /** The faulty unit began this many bytes before the place where parse stopped. */
  backBytes: number;
}

export interface RecordReader {
  /** Bytes that must stand together where parse stopped, so that it can go on; always bounded. */
  neededBytes: number;
  /** Bytes after the place where parse stopped that nobody needs; the parser counts them down. */
  skipBytes: number;
  /** Set when the sink asked for a pause; the parser resets it before it calls parse. */
  isPaused: boolean;
  trouble: Trouble | undefined;

  /** Reads whole units of `bytes` from `at` up to `end`; returns where the first begins that is not whole. */
  parse(bytes: Uint8Array, at: number, end: number): number;

  /**
   * The break that the end of the stream is when it comes after `presentBytes` bytes of a unit (and anything
   * left to skip); undefined when it may come there.
   */
  cutOff(presentBytes: number): Trouble | undefined;

  summary(): CaptureSummary;
}

/** What is counted alike in all formats. */
export class RecordCounts {
  records = 0;
  snapped = 0;
  timeless = 0;
  oddLength = 0;
}

/**
 * Longest packet that is believed, as in libpcap 1.10 (MAXIMUM_SNAPLEN): a longer one is a broken file, not a
 * reason to take memory.
 */
export const CAPTURED_BYTES_MAX = 262_144;

/** An unsigned 32-bit integer; the caller has checked that it is there. */
export function u32(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  const a = bytes[at] as number;
  const b = bytes[at + 1] as number;
  const c = bytes[at + 2] as number;
  const d = bytes[at + 3] as number;
  return (littleEndian ? a | (b << 8) | (c << 16) | (d << 24) : d | (c << 8) | (b << 16) | (a << 24)) >>> 0;
}

/** An unsigned 16-bit integer; the caller has checked that it is there. */
export function u16(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  const a = bytes[at] as number;
  const b = bytes[at + 1] as number;
  return littleEndian ? a | (b << 8) : b | (a << 8);
}
