/**
 * Netlink messages and attributes as bytes: RFC 3549 and include/uapi/linux/netlink.h. No sockets here,
 * nothing that belongs to one family.
 *
 * A datagram holds messages, a message a header, a family's own header and attributes, an attribute a
 * header and a value or further attributes. Each starts at a multiple of four; the length in its header is
 * without the padding behind it, so a message whose length is no multiple of four is valid. Integers of
 * headers are in the order of the machine: Node runs on little-endian machines only, and
 * `assertLittleEndian` says so rather than misread.
 */
import { assert } from "../base/assert.ts";
import { ByteReader } from "../base/bytes.ts";

/** struct nlmsghdr: 0 length u32, 4 type u16, 6 flags u16, 8 sequence u32, 12 port u32. */
export const MESSAGE_HEADER_BYTES = 16;
/** struct nlattr: 0 length u16, 2 type u16. */
export const ATTRIBUTE_HEADER_BYTES = 4;

/** Types of messages that every family shares; a family's own begin at 16. */
export const MessageType = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4, FIRST_OF_FAMILY: 16 } as const;

/** NLM_F_*. The upper byte means one thing in a GET, another in a NEW, a third in a reply. */
export const Flag = {
  REQUEST: 0x01,
  MULTI: 0x02,
  ACK: 0x04,
  /** The table changed under the dump: entries may be missing or doubled. */
  DUMP_INTR: 0x10,
  /** The kernel has applied the filter it was asked for. */
  DUMP_FILTERED: 0x20,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  /** Of an error: the request is not echoed whole. */
  CAPPED: 0x100,
  /** Of an error or the end of a dump: attributes follow that explain it. */
  ACK_TLVS: 0x200,
} as const;

/** The upper bits of an attribute's type: it holds attributes; it is in network order. */
export const ATTRIBUTE_NESTED = 0x8000;
export const ATTRIBUTE_TYPE_MASK = 0x3fff;

/** NLMSG_ALIGN and NLA_ALIGN: up to the next multiple of four. */
export function align(length: number): number {
  return (length + 3) & ~3;
}

/** Asserts what every hot path here relies on. */
export function assertLittleEndian(): void {
  const little = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
  assert(little, "Netlink is read as on a little-endian machine");
}

/** A message without its header; `body` is a view on the datagram. */
export interface Message {
  type: number;
  flags: number;
  sequence: number;
  port: number;
  body: Uint8Array;
}

/** The messages of a datagram, and how many bytes at its end are no message. */
export function messagesOf(datagram: Uint8Array): { messages: Message[]; leftBytes: number } {
  const messages: Message[] = [];
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  let at = 0;
  while (datagram.length - at >= MESSAGE_HEADER_BYTES) {
    const length = view.getUint32(at, true);
    if (length < MESSAGE_HEADER_BYTES || length > datagram.length - at) break;
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      port: view.getUint32(at + 12, true),
      body: datagram.subarray(at + MESSAGE_HEADER_BYTES, at + length),
    });
    at += align(length);
  }
  return { messages, leftBytes: Math.max(0, datagram.length - at) };
}

/** An attribute; `value` is a view on the message. */
export interface Attribute {
  type: number;
  /** Whether its type says that it holds attributes (not every kernel sets the bit). */
  nested: boolean;
  value: Uint8Array;
}

/** The attributes from `start` of `body` on, and how many bytes at its end are no attribute. */
export function attributesOf(body: Uint8Array, start = 0): { attributes: Attribute[]; leftBytes: number } {
  const attributes: Attribute[] = [];
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = Math.min(start, body.length);
  while (body.length - at >= ATTRIBUTE_HEADER_BYTES) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_BYTES || length > body.length - at) break;
    const type = view.getUint16(at + 2, true);
    const value = body.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length);
    attributes.push({ type: type & ATTRIBUTE_TYPE_MASK, nested: (type & ATTRIBUTE_NESTED) !== 0, value });
    at += align(length);
  }
  return { attributes, leftBytes: Math.max(0, body.length - at) };
}

/**
 * What the kernel says of a request: an error number (positive, 0 for success) and, where it has one, a
 * text.
 */
export interface Acknowledgement {
  errno: number;
  /** The kernel's own sentence (NLMSGERR_ATTR_MSG). */
  text?: string;
  /** Offset in the request of the attribute it dislikes (NLMSGERR_ATTR_OFFS). */
  offsetBytes?: number;
}

const EXTENDED_TEXT = 1;
const EXTENDED_OFFSET = 2;

/**
 * Reads NLMSG_ERROR (error i32, the request's header, the request unless CAPPED, attributes if ACK_TLVS)
 * and NLMSG_DONE (error i32 or nothing, attributes if ACK_TLVS). Throws BytesError when the error number is
 * cut; damaged attributes behind it are left out: the error at hand matters more.
 */
export function acknowledgementOf(message: Message): Acknowledgement {
  const { body, type, flags } = message;
  if (type === MessageType.DONE && body.length === 0) return { errno: 0 };
  const reader = new ByteReader(body);
  const acknowledgement: Acknowledgement = { errno: Math.abs(reader.i32("error number", true)) };
  if ((flags & Flag.ACK_TLVS) === 0) return acknowledgement;
  let start = reader.offset;
  if (type === MessageType.ERROR) {
    if (reader.remaining < MESSAGE_HEADER_BYTES) return acknowledgement;
    const echoed = (flags & Flag.CAPPED) !== 0 ? MESSAGE_HEADER_BYTES : reader.u32("request length", true);
    start += align(echoed);
  }
  for (const { type: kind, value } of attributesOf(body, start).attributes) {
    if (kind === EXTENDED_TEXT) acknowledgement.text = textOf(value);
    if (kind === EXTENDED_OFFSET && value.length === 4) {
      acknowledgement.offsetBytes = new ByteReader(value).u32("offset", true);
    }
  }
  return acknowledgement;
}

/** A string attribute: UTF-8 up to the first NUL or the end. */
export function textOf(value: Uint8Array): string {
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

/** What the first bytes of a message are for, beyond its header. */
export interface RequestHeader {
  type: number;
  flags: number;
  sequence: number;
}

/**
 * Writes messages one behind the other into one growing buffer. `clear` starts anew in the same memory, so
 * that a million messages can be written without making garbage.
 */
export class MessageWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;
  #messageAt = -1;

  constructor(capacityBytes = 512) {
    this.#bytes = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  /** What has been written, as a view that the next `clear` or growth makes stale. */
  bytes(): Uint8Array {
    assert(this.#messageAt < 0, "A message is finished before it is sent");
    return this.#bytes.subarray(0, this.#at);
  }

  clear(): void {
    this.#at = 0;
    this.#messageAt = -1;
  }

  begin(header: RequestHeader): void {
    this.beginMessage(header.type, header.flags, header.sequence);
  }

  /** The same without an object: a million messages are begun without making garbage. */
  beginMessage(type: number, flags: number, sequence: number): void {
    assert(this.#messageAt < 0, "One message is written at a time");
    const at = this.#take(MESSAGE_HEADER_BYTES);
    this.#messageAt = at;
    this.#view.setUint16(at + 4, type, true);
    this.#view.setUint16(at + 6, flags, true);
    this.#view.setUint32(at + 8, sequence, true);
    // Port 0 is what requests carry: the kernel fills in the sender's.
    this.#view.setUint32(at + 12, 0, true);
  }

  /** Closes the message: its length becomes known. */
  end(): void {
    assert(this.#messageAt >= 0, "A message is begun before it is ended");
    this.#view.setUint32(this.#messageAt, this.#at - this.#messageAt, true);
    this.#messageAt = -1;
  }

  /** Raw bytes, padded to a multiple of four: a family's own header. */
  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** struct nfgenmsg: family u8, version u8, resource u16, which is zero. */
  familyHeader(family: number, version: number): void {
    const at = this.#take(4);
    this.#view.setUint32(at, (family << 24) | (version << 16));
  }

  /** Opens an attribute that holds attributes; give the result to `endNest`. */
  beginNest(type: number): number {
    const at = this.#take(ATTRIBUTE_HEADER_BYTES);
    this.#view.setUint16(at + 2, type | ATTRIBUTE_NESTED, true);
    return at;
  }

  endNest(at: number): void {
    this.#view.setUint16(at, this.#at - at, true);
  }

  attribute(type: number, value: Uint8Array): void {
    const at = this.#attribute(type, value.length);
    this.#bytes.set(value, at);
  }

  u8(type: number, value: number): void {
    const at = this.#attribute(type, 1);
    this.#bytes[at] = value;
  }

  /** Two bytes in network order, as ctnetlink has its integers. */
  u16(type: number, value: number): void {
    // Making room may replace the view, so that comes first; the same below.
    const at = this.#attribute(type, 2);
    this.#view.setUint16(at, value);
  }

  u32(type: number, value: number): void {
    const at = this.#attribute(type, 4);
    this.#view.setUint32(at, value);
  }

  /** Eight bytes in network order, of a whole number up to 2^53-1. */
  u64(type: number, value: number): void {
    const at = this.#attribute(type, 8);
    this.#view.setUint32(at, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(at + 4, value % 0x1_0000_0000);
  }

  /** `count` words in network order as one attribute: an address. */
  words(type: number, words: Uint32Array, from: number, count: number): void {
    const at = this.#attribute(type, count * 4);
    for (let index = 0; index < count; index++) {
      this.#view.setUint32(at + index * 4, words[from + index] as number);
    }
  }

  text(type: number, text: string): void {
    this.attribute(type, new TextEncoder().encode(`${text}\0`));
  }

  #attribute(type: number, length: number): number {
    const at = this.#take(ATTRIBUTE_HEADER_BYTES + length);
    this.#view.setUint16(at, ATTRIBUTE_HEADER_BYTES + length, true);
    this.#view.setUint16(at + 2, type, true);
    return at + ATTRIBUTE_HEADER_BYTES;
  }

  /** Room for `length` bytes and their padding, which is zeroed; the place of the first. */
  #take(length: number): number {
    const at = this.#at;
    const end = at + align(length);
    if (end > this.#bytes.length) this.#grow(end);
    if (end > at + length) this.#bytes.fill(0, at + length, end);
    this.#at = end;
    return at;
  }

  #grow(neededBytes: number): void {
    const grown = new Uint8Array(Math.max(neededBytes, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
