/**
 * Writes captures in pcap format (see pcap.ts for the layout), as any tool reads them: little-endian with
 * microseconds, unless asked for another variant.
 */
import { assert } from "../base/assert.ts";
import { PCAP_FILE_HEADER_BYTES, type PcapVariant } from "./pcap.ts";

const RECORD_HEADER_BYTES = 16;
const MODIFIED_RECORD_HEADER_BYTES = 24;
const FIRST_BUFFER_BYTES = 65_536;
/** What tcpdump writes: the longest packet that libpcap reads. */
const SNAP_LENGTH_BYTES = 262_144;

export interface WriteOptions extends Partial<PcapVariant> {
  snapLengthBytes?: number;
  /** Length of the frame check sequence at the end of each packet, an even number up to 30. */
  fcsBytes?: number;
}

/** Writes a capture into a buffer that grows; what is finished can be taken out at any time. */
export class CaptureWriter {
  readonly #variant: PcapVariant;
  #bytes = new Uint8Array(FIRST_BUFFER_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #lengthBytes = 0;

  /** Begins with the file header. `linkType` is a LINKTYPE number. */
  constructor(linkType: number, options: WriteOptions = {}) {
    const { littleEndian = true, resolution = "microseconds", isModified = false } = options;
    this.#variant = { littleEndian, resolution, isModified };
    this.#writeFileHeader(linkType, options.snapLengthBytes ?? SNAP_LENGTH_BYTES, options.fcsBytes ?? 0);
  }

  #writeFileHeader(linkType: number, snapLengthBytes: number, fcsBytes: number): void {
    const { littleEndian } = this.#variant;
    const view = this.#view;
    view.setUint32(0, magicOf(this.#variant), littleEndian);
    view.setUint16(4, 2, littleEndian);
    view.setUint16(6, 4, littleEndian);
    view.setUint32(16, snapLengthBytes, littleEndian);
    const fcsBits = fcsBytes === 0 ? 0 : 0x0400_0000 | ((fcsBytes >>> 1) << 28);
    view.setUint32(20, (linkType | fcsBits) >>> 0, littleEndian);
    this.#lengthBytes = PCAP_FILE_HEADER_BYTES;
  }

  /** Bytes written and not yet taken. */
  get lengthBytes(): number {
    return this.#lengthBytes;
  }

  /**
   * Adds a record captured at `timeMs` (milliseconds since 1970, not before), of which `originalBytes` were
   * on the wire. The time is rounded to what the file can hold.
   */
  record(timeMs: number, packet: Uint8Array, originalBytes = packet.length): void {
    const { littleEndian, resolution, isModified } = this.#variant;
    const headerBytes = isModified ? MODIFIED_RECORD_HEADER_BYTES : RECORD_HEADER_BYTES;
    this.#reserve(headerBytes + packet.length);
    const fractionsPerMs = resolution === "nanoseconds" ? 1_000_000 : 1000;
    let seconds = Math.floor(timeMs / 1000);
    let fraction = Math.round((timeMs - seconds * 1000) * fractionsPerMs);
    if (fraction >= fractionsPerMs * 1000) {
      seconds++;
      fraction = 0;
    }
    assert(seconds >= 0 && seconds < 2 ** 32, "the time of a record fits into unsigned 32-bit seconds");
    const at = this.#lengthBytes;
    const view = this.#view;
    view.setUint32(at, seconds, littleEndian);
    view.setUint32(at + 4, fraction, littleEndian);
    view.setUint32(at + 8, packet.length, littleEndian);
    view.setUint32(at + 12, originalBytes, littleEndian);
    this.#bytes.fill(0, at + RECORD_HEADER_BYTES, at + headerBytes);
    this.#bytes.set(packet, at + headerBytes);
    this.#lengthBytes = at + headerBytes + packet.length;
  }

  /** The bytes written since the last taking; valid until the next record is added. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#lengthBytes);
    this.#lengthBytes = 0;
    return taken;
  }

  #reserve(addedBytes: number): void {
    const neededBytes = this.#lengthBytes + addedBytes;
    if (neededBytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(neededBytes, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#lengthBytes));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

function magicOf({ resolution, isModified }: PcapVariant): number {
  if (isModified) return 0xa1b2cd34;
  return resolution === "nanoseconds" ? 0xa1b23c4d : 0xa1b2c3d4;
}

/** A record to write. */
export interface RecordToWrite {
  timeMs: number;
  packet: Uint8Array;
  /** The packet's own length unless given. */
  originalBytes?: number;
}

/** A whole capture in one array. */
export function writeCapture(
  linkType: number,
  records: Iterable<RecordToWrite>,
  options: WriteOptions = {},
): Uint8Array {
  const writer = new CaptureWriter(linkType, options);
  for (const { timeMs, packet, originalBytes } of records) writer.record(timeMs, packet, originalBytes);
  return writer.take();
}
