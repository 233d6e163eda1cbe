/**
 * pcapng (draft-ietf-opsawg-pcapng): sections of blocks. Each block begins with its type and length, and ends
 * with the length again; both must agree. A section header sets the byte order of all that follows up to the
 * next one, and forgets the interfaces before it. Section lengths are not needed and not believed.
 *
 *   all               0 type  4 length
 *   section header    8 byte order mark  12 major (2)  14 minor (2)  16 section length (8)
 *   packet, enhanced  8 interface (4)                 (both go on) 12 time, upper  16 time, lower
 *   packet, obsolete  8 interface (2)  10 drops (2)   20 captured length  24 length on the wire
 *                                                     28 data, padded to 4, then options
 *   packet, simple    8 length on the wire  12 data, padded to 4; of interface 0, without a time
 *
 * All other blocks are counted and kept aside, however long they are.
 */
import type { CaptureInterface, CaptureSummary } from "./capture-summary.ts";
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_INTERFACE,
  BLOCK_PACKET,
  BLOCK_SECTION,
  BLOCK_SIMPLE_PACKET,
  OtherBlockTally,
} from "./pcapng-blocks.ts";
import { paddedTo4, PcapngInterface } from "./pcapng-interface.ts";
import {
  CAPTURED_BYTES_MAX,
  RecordCounts,
  u16,
  u32,
  type RecordReader,
  type Trouble,
} from "./record-reader.ts";
import { RecordFacts, type RecordSink } from "../table/record-sink.ts";

const BLOCK_HEADER_BYTES = 8;
const BLOCK_BYTES_MIN = 12;
const SECTION_BYTES_MIN = 28;
const INTERFACE_BYTES_MIN = 20;
const PACKET_BYTES_MIN = 32;
const PACKET_DATA_AT = 28;
const SIMPLE_PACKET_BYTES_MIN = 16;
const SIMPLE_PACKET_DATA_AT = 12;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const BYTE_ORDER_MAGIC_SWAPPED = 0x4d3c2b1a;
const PACKET_FLAGS = 2;

/** Largest block that is joined: the longest packet and options for it. Longer ones are a broken file. */
const BLOCK_BYTES_MAX = 1_048_576;

/** Interfaces a file may have; the obsolete packet block can name no more in a section. */
const INTERFACES_MAX = 65_536;

export class PcapngReader implements RecordReader {
  neededBytes = BLOCK_HEADER_BYTES + 4;
  skipBytes = 0;
  isPaused = false;
  trouble: Trouble | undefined;
  readonly #sink: RecordSink;
  readonly #facts = new RecordFacts();
  readonly #counts = new RecordCounts();
  readonly #interfaces: PcapngInterface[] = [];
  readonly #others = new OtherBlockTally();
  #littleEndian = true;
  #sections = { littleEndian: 0, bigEndian: 0 };
  /** Index of the first interface of the present section. */
  #firstInterface = 0;
  /** A block kept aside of which all but the last four bytes is read or being skipped; length 0 for none. */
  #asideType = 0;
  #asideBytes = 0;

  constructor(sink: RecordSink) {
    this.#sink = sink;
  }

  parse(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    if (this.#asideBytes > 0) {
      this.neededBytes = 4;
      if (end - at < 4) return at;
      this.#endAside(bytes, at);
      if (this.trouble !== undefined) return at;
      at += 4;
    }
    for (;;) {
      const type = end - at < BLOCK_HEADER_BYTES ? 0 : u32(bytes, at, this.#littleEndian);
      // Only a section header is known before the byte order is: its type reads the same in both.
      const headerBytes = type === BLOCK_SECTION ? BLOCK_HEADER_BYTES + 4 : BLOCK_HEADER_BYTES;
      this.neededBytes = headerBytes;
      if (end - at < headerBytes) return at;
      if (type === BLOCK_SECTION) this.#takeByteOrder(bytes, at);
      const length = u32(bytes, at + 4, this.#littleEndian);
      if (this.trouble === undefined) this.#checkLength(type, length);
      if (this.trouble !== undefined) return at;
      if (!isRead(type)) {
        at = this.#setAside(type, length, bytes, at, end);
        if (this.trouble !== undefined || this.#asideBytes > 0) return at;
        continue;
      }
      this.neededBytes = length;
      if (end - at < length) return at;
      this.#readBlock(type, length, bytes, at);
      if (this.trouble !== undefined) return at;
      at += length;
      if (this.isPaused) {
        this.neededBytes = BLOCK_HEADER_BYTES;
        return at;
      }
    }
  }

  #takeByteOrder(bytes: Uint8Array, at: number): void {
    const magic = u32(bytes, at + BLOCK_HEADER_BYTES, true);
    this.#littleEndian = magic === BYTE_ORDER_MAGIC;
    if (magic !== BYTE_ORDER_MAGIC && magic !== BYTE_ORDER_MAGIC_SWAPPED)
      this.#fail("a section header without a byte order mark");
  }

  #checkLength(type: number, length: number): void {
    if (length >= minimumBytes(type) && length % 4 === 0 && (length <= BLOCK_BYTES_MAX || !isRead(type)))
      return;
    this.#fail(`${blockName(type)} that claims a length of ${length} bytes`);
  }

  /** Counts a block and passes over it, or over what is there of it. */
  #setAside(type: number, length: number, bytes: Uint8Array, at: number, end: number): number {
    if (length <= end - at) {
      if (u32(bytes, at + length - 4, this.#littleEndian) !== length) this.#failTrailer(length);
      else this.#others.add(type);
      return this.trouble === undefined ? at + length : at;
    }
    this.#asideType = type;
    this.#asideBytes = length;
    const trailerAt = at + length - 4;
    this.skipBytes = Math.max(0, trailerAt - end);
    this.neededBytes = 4;
    return Math.min(trailerAt, end);
  }

  #endAside(bytes: Uint8Array, at: number): void {
    const length = this.#asideBytes;
    if (u32(bytes, at, this.#littleEndian) !== length) {
      this.#failTrailer(length, length - 4);
      return;
    }
    this.#others.add(this.#asideType);
    this.#asideBytes = 0;
  }

  /** One whole block of a type that means something here. */
  #readBlock(type: number, length: number, bytes: Uint8Array, at: number): void {
    const littleEndian = this.#littleEndian;
    if (u32(bytes, at + length - 4, littleEndian) !== length) this.#failTrailer(length);
    else if (type === BLOCK_ENHANCED_PACKET)
      this.#readPacket(u32(bytes, at + 8, littleEndian), length, bytes, at);
    else if (type === BLOCK_SIMPLE_PACKET) this.#readSimplePacket(length, bytes, at);
    else if (type === BLOCK_PACKET) this.#readPacket(u16(bytes, at + 8, littleEndian), length, bytes, at);
    else if (type === BLOCK_INTERFACE) this.#readInterface(length, bytes, at);
    else this.#readSection(bytes, at);
  }

  #readSection(bytes: Uint8Array, at: number): void {
    const major = u16(bytes, at + 12, this.#littleEndian);
    if (major !== 1) {
      const version = `${major}.${u16(bytes, at + 14, this.#littleEndian)}`;
      this.#fail(`a section of pcapng version ${version}, where only 1 is known`);
      return;
    }
    this.#firstInterface = this.#interfaces.length;
    if (this.#littleEndian) this.#sections.littleEndian++;
    else this.#sections.bigEndian++;
  }

  #readInterface(length: number, bytes: Uint8Array, at: number): void {
    if (this.#interfaces.length < INTERFACES_MAX)
      this.#interfaces.push(new PcapngInterface(bytes, at, length, this.#littleEndian));
    else this.#fail(`more than ${INTERFACES_MAX} interfaces`);
  }

  #readPacket(id: number, length: number, bytes: Uint8Array, at: number): void {
    const littleEndian = this.#littleEndian;
    const source = this.#interfaceOf(id);
    if (source === undefined) return;
    const capturedBytes = u32(bytes, at + 20, littleEndian);
    const dataBytes = paddedTo4(capturedBytes);
    if (capturedBytes > CAPTURED_BYTES_MAX || dataBytes > length - PACKET_BYTES_MIN) {
      this.#fail(`a packet block of ${length} bytes that claims ${capturedBytes} captured bytes`);
      return;
    }
    const facts = this.#facts;
    const optionsAt = at + PACKET_DATA_AT + dataBytes;
    facts.timeMs = source.timeMs(u32(bytes, at + 12, littleEndian), u32(bytes, at + 16, littleEndian));
    facts.fcsBytes = source.fcsBytes;
    if (at + length - optionsAt > 8) this.#readPacketOptions(bytes, optionsAt, at + length - 4);
    const originalBytes = u32(bytes, at + 24, littleEndian);
    this.#give(source, bytes, at + PACKET_DATA_AT, capturedBytes, originalBytes);
  }

  /** epb_flags: bits 5-8 are the length of the frame check sequence in bytes, 0 when it is not known. */
  #readPacketOptions(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (end - at >= 8) {
      const code = u16(bytes, at, this.#littleEndian);
      const length = u16(bytes, at + 2, this.#littleEndian);
      if (code === 0) return;
      if (code === PACKET_FLAGS && length === 4) {
        const fcsBytes = (u32(bytes, at + 4, this.#littleEndian) >>> 5) & 0xf;
        if (fcsBytes > 0) this.#facts.fcsBytes = fcsBytes;
        return;
      }
      at += 4 + paddedTo4(length);
    }
  }

  #readSimplePacket(length: number, bytes: Uint8Array, at: number): void {
    const source = this.#interfaceOf(0);
    if (source === undefined) return;
    const originalBytes = u32(bytes, at + 8, this.#littleEndian);
    const snapLengthBytes = source.snapLengthBytes === 0 ? originalBytes : source.snapLengthBytes;
    const capturedBytes = Math.min(originalBytes, snapLengthBytes);
    if (capturedBytes > CAPTURED_BYTES_MAX || capturedBytes > length - SIMPLE_PACKET_BYTES_MIN) {
      this.#fail(`a packet block of ${length} bytes that claims ${capturedBytes} captured bytes`);
      return;
    }
    this.#counts.timeless++;
    this.#facts.fcsBytes = source.fcsBytes;
    this.#give(source, bytes, at + SIMPLE_PACKET_DATA_AT, capturedBytes, originalBytes);
  }

  /** The interface with this number in the present section; undefined, in trouble, when there is none. */
  #interfaceOf(id: number): PcapngInterface | undefined {
    const index = this.#firstInterface + id;
    const source = this.#interfaces[index];
    if (source === undefined) {
      const known = this.#interfaces.length - this.#firstInterface;
      this.#fail(`a packet of interface ${id} in a section that has described ${known}`);
      return undefined;
    }
    this.#facts.interfaceIndex = index;
    this.#facts.linkType = source.linkType;
    return source;
  }

  #give(
    source: PcapngInterface,
    bytes: Uint8Array,
    dataAt: number,
    capturedBytes: number,
    originalBytes: number,
  ): void {
    const counts = this.#counts;
    if (originalBytes < capturedBytes) counts.oddLength++;
    else if (originalBytes > capturedBytes) counts.snapped++;
    counts.records++;
    source.records++;
    this.#facts.originalBytes = Math.max(originalBytes, capturedBytes);
    this.isPaused = this.#sink.record(bytes, dataAt, capturedBytes, this.#facts);
  }

  #fail(reason: string, backBytes = 0): void {
    this.trouble = { reason, backBytes };
  }

  #failTrailer(length: number, backBytes = 0): void {
    this.#fail(`a block that begins with the length ${length} and ends with another`, backBytes);
  }

  cutOff(presentBytes: number): Trouble | undefined {
    if (this.#asideBytes > 0) {
      const readBytes = this.#asideBytes - 4 - this.skipBytes;
      return cut(`a block of ${this.#asideBytes} bytes`, readBytes + presentBytes, readBytes);
    }
    if (presentBytes === 0) return undefined;
    if (presentBytes < BLOCK_BYTES_MIN && this.neededBytes <= BLOCK_BYTES_MIN)
      return cut("a block header", presentBytes, 0);
    return cut(`a block of ${this.neededBytes} bytes`, presentBytes, 0);
  }

  summary(): CaptureSummary {
    const { records, snapped, timeless, oddLength } = this.#counts;
    const { littleEndian, bigEndian } = this.#sections;
    const orders = [];
    if (littleEndian > 0) orders.push("little-endian");
    if (bigEndian > 0) orders.push("big-endian");
    const interfaces = this.#interfaces.map((source) => source.summary());
    return {
      format: orders.length === 0 ? "pcapng" : `pcapng, ${orders.join(" and ")}`,
      records,
      snappedRecords: snapped,
      timelessRecords: timeless,
      oddLengthRecords: oddLength,
      interfaces,
      linkTypes: linkTypesOf(interfaces),
      otherBlocks: this.#others.summary(),
    };
  }
}

/** Types whose blocks are looked into; all others are kept aside. */
function isRead(type: number): boolean {
  return (
    type === BLOCK_ENHANCED_PACKET ||
    (type >= BLOCK_INTERFACE && type <= BLOCK_SIMPLE_PACKET) ||
    type === BLOCK_SECTION
  );
}

function minimumBytes(type: number): number {
  switch (type) {
    case BLOCK_ENHANCED_PACKET:
    case BLOCK_PACKET:
      return PACKET_BYTES_MIN;
    case BLOCK_SIMPLE_PACKET:
      return SIMPLE_PACKET_BYTES_MIN;
    case BLOCK_INTERFACE:
      return INTERFACE_BYTES_MIN;
    case BLOCK_SECTION:
      return SECTION_BYTES_MIN;
    default:
      return BLOCK_BYTES_MIN;
  }
}

function blockName(type: number): string {
  if (type === BLOCK_SECTION) return "a section header";
  if (type === BLOCK_INTERFACE) return "an interface block";
  return isRead(type) ? "a packet block" : `a block of type ${type}`;
}

function linkTypesOf(interfaces: readonly CaptureInterface[]): { linkType: number; records: number }[] {
  const records = new Map<number, number>();
  for (const source of interfaces)
    if (source.records > 0)
      records.set(source.linkType, (records.get(source.linkType) ?? 0) + source.records);
  return [...records].sort(([a], [b]) => a - b).map(([linkType, count]) => ({ linkType, records: count }));
}

function cut(what: string, presentBytes: number, backBytes: number): Trouble {
  return { reason: `${what} is cut off after ${presentBytes}`, backBytes };
}
