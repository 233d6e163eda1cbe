/**
 * pcap, the format of libpcap since 1998 (version 2.4), as described by pcap-savefile(5) and
 * draft-ietf-opsawg-pcap: a file header, then records. All numbers are in the byte order of the magic.
 *
 *   file header                                record
 *    0  4  magic                                0  4  seconds since 1970 (unsigned: holds until 2106)
 *    4  2  major version (2)                    4  4  micro- or nanoseconds
 *    6  2  minor version (4)                    8  4  captured length
 *    8  8  unused (once time zone, accuracy)   12  4  length on the wire
 *   16  4  snap length                         16  8  only in the modified format: interface index (4),
 *   20  4  link type and flags                        protocol (2), packet type (1), padding (1)
 *
 * Link type and flags: bits 0-15 LINKTYPE; bit 26 set: bits 28-31 are the length of the frame check sequence
 * in units of 16 bits; all others reserved and ignored.
 */
import type { CaptureSummary } from "./capture-summary.ts";
import {
  CAPTURED_BYTES_MAX,
  RecordCounts,
  u16,
  u32,
  type RecordReader,
  type Trouble,
} from "./record-reader.ts";
import { RecordFacts, type RecordSink } from "../table/record-sink.ts";

/** What the magic tells. */
export interface PcapVariant {
  littleEndian: boolean;
  resolution: "microseconds" | "nanoseconds";
  /** The format of a widespread patch (A. Kuznetzov), with a longer record header. */
  isModified: boolean;
}

export const PCAP_FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MODIFIED_RECORD_HEADER_BYTES = 24;
const FCS_PRESENT = 0x0400_0000;

export class PcapReader implements RecordReader {
  neededBytes = PCAP_FILE_HEADER_BYTES;
  skipBytes = 0;
  isPaused = false;
  trouble: Trouble | undefined;
  readonly #sink: RecordSink;
  readonly #variant: PcapVariant;
  readonly #headerBytes: number;
  readonly #facts = new RecordFacts();
  readonly #counts = new RecordCounts();
  #hasFileHeader = false;
  /** 0 where the file names none. */
  #snapLengthBytes = 0;

  constructor(sink: RecordSink, variant: PcapVariant) {
    this.#sink = sink;
    this.#variant = variant;
    this.#headerBytes = variant.isModified ? MODIFIED_RECORD_HEADER_BYTES : RECORD_HEADER_BYTES;
  }

  parse(bytes: Uint8Array, at: number, end: number): number {
    if (this.#hasFileHeader) return this.#readRecords(bytes, at, end);
    this.neededBytes = PCAP_FILE_HEADER_BYTES;
    if (end - at < PCAP_FILE_HEADER_BYTES) return at;
    this.#readFileHeader(bytes, at);
    if (this.trouble !== undefined) return at;
    return this.#readRecords(bytes, at + PCAP_FILE_HEADER_BYTES, end);
  }

  #readFileHeader(bytes: Uint8Array, at: number): void {
    const { littleEndian } = this.#variant;
    const major = u16(bytes, at + 4, littleEndian);
    if (major !== 2) {
      const version = `${major}.${u16(bytes, at + 6, littleEndian)}`;
      this.trouble = { reason: `pcap of version ${version}, where only 2 is known`, backBytes: 0 };
      return;
    }
    const link = u32(bytes, at + 20, littleEndian);
    this.#snapLengthBytes = u32(bytes, at + 16, littleEndian);
    this.#facts.linkType = link & 0xffff;
    if ((link & FCS_PRESENT) !== 0) this.#facts.fcsBytes = (link >>> 28) * 2;
    this.#hasFileHeader = true;
  }

  /** The hot path: about as long per record as its bytes take to come out of memory. */
  #readRecords(bytes: Uint8Array, start: number, end: number): number {
    const { littleEndian } = this.#variant;
    const fractionsPerMs = this.#variant.resolution === "nanoseconds" ? 1_000_000 : 1000;
    const headerBytes = this.#headerBytes;
    const facts = this.#facts;
    const counts = this.#counts;
    let at = start;
    while (end - at >= headerBytes) {
      const capturedBytes = u32(bytes, at + 8, littleEndian);
      if (capturedBytes > CAPTURED_BYTES_MAX) {
        this.trouble = { reason: `a record that claims ${capturedBytes} captured bytes`, backBytes: 0 };
        return at;
      }
      const dataAt = at + headerBytes;
      if (capturedBytes > end - dataAt) {
        this.neededBytes = headerBytes + capturedBytes;
        return at;
      }
      const originalBytes = u32(bytes, at + 12, littleEndian);
      if (originalBytes < capturedBytes) counts.oddLength++;
      else if (originalBytes > capturedBytes) counts.snapped++;
      counts.records++;
      facts.originalBytes = originalBytes < capturedBytes ? capturedBytes : originalBytes;
      facts.timeMs = u32(bytes, at, littleEndian) * 1000 + u32(bytes, at + 4, littleEndian) / fractionsPerMs;
      at = dataAt + capturedBytes;
      if (this.#sink.record(bytes, dataAt, capturedBytes, facts)) {
        this.isPaused = true;
        break;
      }
    }
    this.neededBytes = headerBytes;
    return at;
  }

  cutOff(presentBytes: number): Trouble | undefined {
    if (!this.#hasFileHeader) return cut(`a file header of ${PCAP_FILE_HEADER_BYTES} bytes`, presentBytes);
    if (presentBytes === 0) return undefined;
    const headerBytes = this.#headerBytes;
    if (presentBytes < headerBytes) return cut(`a record header of ${headerBytes} bytes`, presentBytes);
    return cut(`a record of ${this.neededBytes - headerBytes} bytes`, presentBytes - headerBytes);
  }

  summary(): CaptureSummary {
    const { isModified, littleEndian, resolution } = this.#variant;
    const { linkType } = this.#facts;
    const { records, snapped, timeless, oddLength } = this.#counts;
    const snapLength = this.#snapLengthBytes === 0 ? {} : { snapLengthBytes: this.#snapLengthBytes };
    const order = littleEndian ? "little-endian" : "big-endian";
    return {
      format: `${isModified ? "modified pcap" : "pcap"}, ${resolution}, ${order}`,
      records,
      snappedRecords: snapped,
      timelessRecords: timeless,
      oddLengthRecords: oddLength,
      interfaces: this.#hasFileHeader ? [{ linkType, ...snapLength, records }] : [],
      linkTypes: records === 0 ? [] : [{ linkType, records }],
      otherBlocks: [],
    };
  }
}

function cut(what: string, presentBytes: number): Trouble {
  return { reason: `${what} is cut off after ${presentBytes}`, backBytes: 0 };
}
