/**
 * From the packets of a record (record-blocks.ts), or of a capture of an nlmon interface, back to events,
 * rows of the table and notes. It takes what a reader of captures gives; what is no message of ctnetlink is
 * counted and passed over, what is damaged too.
 */
import { FlowColumns } from "../table/columns.ts";
import type { FlowEventBatch } from "../table/flow-event.ts";
import { countOddity, type Oddities } from "../table/oddities.ts";
import type { RecordFacts, RecordSink } from "../table/record-sink.ts";
import { ALL_STATUS } from "../table/status.ts";
import { FlowDecoder, type MessageCursor } from "./ctnetlink-decode.ts";
import { isOfShare, isShare } from "./event-filter.ts";
import { eventKindOf } from "./flow-event-kind.ts";
import { align, Flag, MESSAGE_HEADER_BYTES, MessageType } from "./netlink.ts";
import { NETLINK_NETFILTER, ReceiveBuffer } from "./netlink-socket.ts";
import { ARPHRD_NETLINK, COOKED_BYTES, LINK_TYPE_NETLINK } from "./record-blocks.ts";
import { readNote, type RecordNote } from "./record-notes.ts";

/** Who is told what is in a record, in its order. Batches are overwritten by the next. */
export interface RecordVisitor {
  note(note: RecordNote, atMs: number): void;
  /** Events of one instant. */
  events(batch: FlowEventBatch, atMs: number): void;
  /** Rows of a dump of the table. */
  rows(columns: FlowColumns, atMs: number): void;
  /** Events were lost before this instant. */
  lost(atMs: number): void;
}

const BATCH_ROWS = 1024;
/** A datagram of netlink is no longer; a longer packet is of something else. */
const DATAGRAM_BYTES_MAX = 65_536;

/** Takes the packets of a record. Say `end` when there are no more. */
export class RecordReader implements RecordSink {
  readonly oddities: Oddities = {};
  /** Packets that were no netlink of the tracker. */
  otherPackets = 0;
  /** Events and rows of dumps that were read. */
  events = 0;
  dumpedFlows = 0;
  readonly #visitor: RecordVisitor;
  readonly #columns = new FlowColumns(BATCH_ROWS, ALL_STATUS);
  readonly #batch: FlowEventBatch = { columns: this.#columns, kinds: new Uint8Array(BATCH_ROWS) };
  readonly #decoder = new FlowDecoder(this.oddities);
  readonly #cursor = new OneMessage();
  /** What the rows of the batch are: rows of a dump, or events. */
  #isDump = false;
  #atMs = 0;
  /** Events are of one flow in so many, rows of dumps of all: the others are left out. */
  #oneOf = 1;

  constructor(visitor: RecordVisitor) {
    this.#visitor = visitor;
  }

  record(bytes: Uint8Array, at: number, capturedBytes: number, { timeMs, linkType }: RecordFacts): boolean {
    if (linkType !== LINK_TYPE_NETLINK || !isOfNetfilter(bytes, at, capturedBytes)) {
      this.otherPackets += 1;
      return false;
    }
    const lengthBytes = capturedBytes - COOKED_BYTES;
    const { buffer } = this.#cursor;
    buffer.bytes.set(bytes.subarray(at + COOKED_BYTES, at + capturedBytes));
    if (timeMs !== this.#atMs) this.#flush();
    this.#atMs = timeMs;
    this.#messages(lengthBytes);
    return false;
  }

  /** Tells the last rows. */
  end(): void {
    this.#flush();
  }

  #messages(lengthBytes: number): void {
    const { view } = this.#cursor.buffer;
    let at = 0;
    while (lengthBytes - at >= MESSAGE_HEADER_BYTES) {
      const length = view.getUint32(at, true);
      if (length < MESSAGE_HEADER_BYTES || length > lengthBytes - at) {
        countOddity(this.oddities, "malformedAttributes");
        return;
      }
      this.#message(at, length);
      at += align(length);
    }
  }

  #message(at: number, length: number): void {
    const { view, bytes } = this.#cursor.buffer;
    const type = view.getUint16(at + 4, true);
    const flags = view.getUint16(at + 6, true);
    const kind = eventKindOf(type, flags);
    if (kind !== 0) {
      const isDump = (flags & Flag.MULTI) !== 0;
      // A request of somebody, which a capture of nlmon has too, is no event.
      if (!isDump && (flags & Flag.REQUEST) !== 0) return;
      this.#row(at, length, isDump, kind);
    } else if (type === MessageType.NOOP) {
      const note = readNote(bytes.subarray(at + MESSAGE_HEADER_BYTES, at + length));
      if (note === undefined) return;
      this.#flush();
      if (note.kind === "beginning" && isShare(note.oneOf)) this.#oneOf = note.oneOf;
      this.#visitor.note(note, this.#atMs);
    } else if (type === MessageType.OVERRUN) {
      this.#flush();
      this.#visitor.lost(this.#atMs);
    }
  }

  #row(at: number, length: number, isDump: boolean, kind: number): void {
    const columns = this.#columns;
    if (isDump !== this.#isDump || columns.count === columns.capacity) this.#flush();
    this.#isDump = isDump;
    this.#batch.kinds[columns.count] = kind;
    this.#cursor.point(at, length);
    this.#decoder.decode(this.#cursor, columns, 1);
    const row = columns.count - 1;
    if (!isDump || row < 0 || isOfShare(columns.id[row] as number, this.#oneOf)) return;
    columns.count = row;
    columns.rare.delete(row);
  }

  #flush(): void {
    const columns = this.#columns;
    if (columns.count === 0) return;
    if (this.#isDump) {
      this.dumpedFlows += columns.count;
      this.#visitor.rows(columns, this.#atMs);
    } else {
      this.events += columns.count;
      this.#visitor.events(this.#batch, this.#atMs);
    }
    columns.clear();
  }
}

function isOfNetfilter(bytes: Uint8Array, at: number, capturedBytes: number): boolean {
  if (capturedBytes < COOKED_BYTES || capturedBytes > COOKED_BYTES + DATAGRAM_BYTES_MAX) return false;
  const u16 = (offset: number): number =>
    ((bytes[at + offset] as number) << 8) | (bytes[at + offset + 1] as number);
  return u16(2) === ARPHRD_NETLINK && u16(14) === NETLINK_NETFILTER;
}

/** One message at a time, of the datagram in the buffer. */
class OneMessage implements MessageCursor {
  readonly buffer = new ReceiveBuffer(DATAGRAM_BYTES_MAX);
  at = 0;
  length = 0;
  #isThere = false;

  point(at: number, length: number): void {
    this.at = at;
    this.length = length;
    this.#isThere = true;
  }

  next(): boolean {
    const isThere = this.#isThere;
    this.#isThere = false;
    return isThere;
  }
}
