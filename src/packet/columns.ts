/**
 * A batch of capture records as columns: what the tracker needs of each packet, one row a record, in the
 * order of the capture. The reader fills the same batches again and again; nothing is allocated per packet.
 *
 * Invariants:
 * - row r is record `firstRecord + r` of the capture; a record that is not IP has a row too;
 * - a fragment is HELD until its datagram is whole; the record that completes it is the row of the whole
 *   datagram. All rows of one datagram carry the same number in `datagram` (0: no fragment), and datagrams
 *   that were given up are listed in `lost`;
 * - a column means something only for rows of the kind and protocol it names; it holds rubbish elsewhere;
 * - an IPv4 row uses the first word of each address and the other three are zero;
 * - discriminators follow the kernel's union (struct nf_conntrack_tuple), as in FlowColumns: ports are
 *   (source, destination), ICMP is (id, type << 8 | code), GRE is (source key, destination key), other
 *   protocols have zeros.
 *
 * The columns of two objects over the same SharedArrayBuffer are the same rows: a thread reads what another
 * one decoded. `count`, `firstRecord`, `lostCount` and `extraCount` are in the memory too.
 */
import { ADDRESS_WORDS } from "../table/address.ts";
import { ColumnMemory, columnMemoryBytes } from "../table/column-memory.ts";

/** What became of a record before the tracker saw it. */
export const PacketKind = {
  /** Not an IP packet (ARP, LLC, an unknown link layer, or cut off before the address). */
  NOT_IP: 0,
  /** A whole datagram for the tracker. */
  IP: 1,
  /** A fragment that waits for the rest of its datagram. */
  HELD: 2,
  /** An IP packet that the IP layer throws away before the tracker: a broken header. */
  REFUSED: 3,
  /** No packet: somebody deleted the flow of this tuple. Only a record of events has it. */
  DELETED: 4,
  /**
   * Packets that events imply: the first one of the flow that `datagram` numbers, and later ones. When the
   * first is dropped there is no flow, and the later ones would not have come.
   */
  FIRST: 5,
  LATER: 6,
} as const;

/** Bits of `fault`: what the tracker's own checks will find wrong. */
export const Fault = {
  /** The layer-4 header is shorter than the protocol's least, or its length field says nonsense. */
  SHORT_HEADER: 1 << 0,
  /** A checksum was there to verify, and is wrong. */
  BAD_CHECKSUM: 1 << 1,
  /** UDP's or UDP-Lite's length field, or TCP's or DCCP's data offset, does not fit the datagram. */
  BAD_LENGTH: 1 << 2,
  /** Too short even for ports: the kernel finds no tuple. */
  NO_TUPLE: 1 << 3,
  /**
   * UDP-Lite without a checksum, SCTP chunks that do not fit, DCCP of a reserved type: what only one
   * protocol calls wrong.
   */
  BAD_PROTOCOL: 1 << 4,
  /** Snapped by the capture: checksums and whatever lies behind the cut are unknown. */
  SNAPPED: 1 << 5,
} as const;

/** Bits of `tcpOptions`. */
export const TcpOption = {
  SACK_PERMITTED: 1 << 0,
  WINDOW_SCALE: 1 << 1,
  SACK: 1 << 2,
  /** Any other option, padding included: a header longer than 20 bytes has one of these four. */
  OTHER: 1 << 3,
} as const;

/** TCP's flag byte as it is on the wire. */
export const TcpFlag = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32, ECE: 64, CWR: 128 } as const;

/**
 * `extra` of an ICMP error, from `extraAt`: the tuple of the packet it answers, as that packet had it.
 * FAMILY 0: the packet inside could not be read.
 */
export const InnerTuple = {
  FAMILY: 0,
  PROTOCOL: 1,
  SOURCE: 2,
  DESTINATION: 2 + ADDRESS_WORDS,
  SOURCE_DISCRIMINATOR: 2 + 2 * ADDRESS_WORDS,
  DESTINATION_DISCRIMINATOR: 3 + 2 * ADDRESS_WORDS,
  WORDS: 4 + 2 * ADDRESS_WORDS,
} as const;

/** `extra` of an SCTP packet: its tag, the tag an INIT or INIT ACK offers, and the chunks in order. */
export const SctpExtra = {
  VTAG: 0,
  INIT_TAG: 1,
  /** How many chunks follow, one word each: type << 8 | flags. */
  CHUNKS: 2,
  FIRST_CHUNK: 3,
} as const;

/** Chunks of one packet that are kept; the tracker looks at no more than fit an Ethernet frame. */
export const SCTP_CHUNKS = 32;

/** `extra` of a DCCP packet; the acknowledgment number is 0 in types that have none. */
export const DccpExtra = {
  TYPE: 0,
  SEQUENCE_HIGH: 1,
  SEQUENCE_LOW: 2,
  ACK_HIGH: 3,
  ACK_LOW: 4,
  WORDS: 5,
} as const;

/** Rows of a usual batch. */
export const BATCH_ROWS = 4096;
/** Words of `extra` and bytes of `payload` there is room for, per row; a full one ends the batch. */
const EXTRA_WORDS = 16;
const PAYLOAD_BYTES = 16;
/** The largest datagram there is. */
const DATAGRAM_BYTES = 65_536;

const ROW_BYTES = 112;
const COLUMNS = 34;
const FIRST_COUNTS = 16;

/** Bytes of memory that a batch of so many rows lies in. */
export function packetColumnBytes(capacity: number): number {
  const extra = 4 * EXTRA_WORDS + PAYLOAD_BYTES;
  return columnMemoryBytes(capacity, ROW_BYTES + extra, COLUMNS) + 2 * DATAGRAM_BYTES + 8 * FIRST_COUNTS;
}

export class PacketColumns {
  /** Rows there is room for. */
  readonly capacity: number;
  readonly memory: ArrayBufferLike;

  readonly kind: Uint8Array;
  /** Epoch milliseconds with their fraction, as the capture says: may go back. */
  readonly timeMs: Float64Array;
  /** 4 or 6. */
  readonly family: Uint8Array;
  /** Of the innermost IP header the tracker looks at: behind IPv6 extension headers, not inside tunnels. */
  readonly protocol: Uint8Array;
  /** IP total length of the (whole) datagram. */
  readonly lengthBytes: Uint32Array;
  readonly source: Uint32Array;
  readonly destination: Uint32Array;
  readonly sourceDiscriminator: Uint16Array;
  readonly destinationDiscriminator: Uint16Array;
  /** `hashTuple` of this packet's tuple: what the tracker's chains are found by. */
  readonly hash: Int32Array;
  readonly fault: Uint8Array;
  readonly zone: Uint16Array;
  /** VLAN identifier of the outermost tag; 0 without. */
  readonly vlan: Uint16Array;
  /** Interface of a pcapng capture, counted over its sections. */
  readonly interfaceIndex: Uint16Array;
  readonly datagram: Uint32Array;

  readonly tcpFlags: Uint8Array;
  readonly tcpSequence: Uint32Array;
  readonly tcpAcknowledgment: Uint32Array;
  /** As on the wire, not scaled. */
  readonly tcpWindow: Uint16Array;
  /** Bytes of data in the segment, from the length fields: also when the capture is snapped. */
  readonly tcpDataBytes: Uint32Array;
  readonly tcpOptions: Uint8Array;
  /** Meaningful with TcpOption.WINDOW_SCALE; not capped. */
  readonly tcpWindowScale: Uint8Array;
  /** The acknowledgment field, or the highest right edge of a SACK block where that is further. */
  readonly tcpSack: Uint32Array;

  /** Where `extra` of this row begins; -1 without. */
  readonly extraAt: Int32Array;
  readonly extra: Uint32Array;
  /** Where in `payload` the data of this row's segment begin, kept for helpers; -1 when not kept. */
  readonly payloadAt: Int32Array;
  readonly payloadBytes: Uint32Array;
  readonly payload: Uint8Array;
  /** Datagrams given up in this batch: timed out, overlapping, or pushed out. */
  readonly lost: Uint32Array;
  readonly #counts: Float64Array;

  constructor(capacity: number, memory: ArrayBufferLike = new ArrayBuffer(packetColumnBytes(capacity))) {
    this.capacity = capacity;
    this.memory = memory;
    const columns = new ColumnMemory(memory);
    const words = capacity * ADDRESS_WORDS;
    this.#counts = columns.lay(Float64Array, 8, FIRST_COUNTS);
    this.kind = columns.lay(Uint8Array, 1, capacity);
    this.timeMs = columns.lay(Float64Array, 8, capacity);
    this.family = columns.lay(Uint8Array, 1, capacity);
    this.protocol = columns.lay(Uint8Array, 1, capacity);
    this.lengthBytes = columns.lay(Uint32Array, 4, capacity);
    this.source = columns.lay(Uint32Array, 4, words);
    this.destination = columns.lay(Uint32Array, 4, words);
    this.sourceDiscriminator = columns.lay(Uint16Array, 2, capacity);
    this.destinationDiscriminator = columns.lay(Uint16Array, 2, capacity);
    this.hash = columns.lay(Int32Array, 4, capacity);
    this.fault = columns.lay(Uint8Array, 1, capacity);
    this.zone = columns.lay(Uint16Array, 2, capacity);
    this.vlan = columns.lay(Uint16Array, 2, capacity);
    this.interfaceIndex = columns.lay(Uint16Array, 2, capacity);
    this.datagram = columns.lay(Uint32Array, 4, capacity);
    this.tcpFlags = columns.lay(Uint8Array, 1, capacity);
    this.tcpSequence = columns.lay(Uint32Array, 4, capacity);
    this.tcpAcknowledgment = columns.lay(Uint32Array, 4, capacity);
    this.tcpWindow = columns.lay(Uint16Array, 2, capacity);
    this.tcpDataBytes = columns.lay(Uint32Array, 4, capacity);
    this.tcpOptions = columns.lay(Uint8Array, 1, capacity);
    this.tcpWindowScale = columns.lay(Uint8Array, 1, capacity);
    this.tcpSack = columns.lay(Uint32Array, 4, capacity);
    this.extraAt = columns.lay(Int32Array, 4, capacity);
    this.extra = columns.lay(Uint32Array, 4, capacity * EXTRA_WORDS);
    this.payloadAt = columns.lay(Int32Array, 4, capacity);
    this.payloadBytes = columns.lay(Uint32Array, 4, capacity);
    this.payload = columns.lay(Uint8Array, 1, capacity * PAYLOAD_BYTES + DATAGRAM_BYTES);
    this.lost = columns.lay(Uint32Array, 4, capacity);
  }

  /** Rows in use. */
  get count(): number {
    return this.#counts[0] as number;
  }
  set count(rows: number) {
    this.#counts[0] = rows;
  }

  /** Number of the capture record in row 0, from 1. */
  get firstRecord(): number {
    return this.#counts[1] as number;
  }
  set firstRecord(record: number) {
    this.#counts[1] = record;
  }

  /** Words of `extra` in use. */
  get extraCount(): number {
    return this.#counts[2] as number;
  }
  set extraCount(words: number) {
    this.#counts[2] = words;
  }

  /** Bytes of `payload` in use. */
  get payloadCount(): number {
    return this.#counts[3] as number;
  }
  set payloadCount(bytes: number) {
    this.#counts[3] = bytes;
  }

  /** Datagrams in `lost`. */
  get lostCount(): number {
    return this.#counts[4] as number;
  }
  set lostCount(datagrams: number) {
    this.#counts[4] = datagrams;
  }

  /** Empties the batch; its row 0 will be capture record `firstRecord`. */
  clear(firstRecord: number): void {
    this.count = 0;
    this.firstRecord = firstRecord;
    this.extraCount = 0;
    this.payloadCount = 0;
    this.lostCount = 0;
  }
}
