/**
 * A record as bytes: pcapng (draft-ietf-opsawg-pcapng) whose packets are netlink datagrams as the kernel sent
 * them, behind the header that captures of an nlmon interface have (LINKTYPE_NETLINK, 253): so tools for
 * captures open it, and nothing is lost in translation.
 *
 *   section header    0 type  4 length  8 byte order mark  12 version 1.0  16 unknown length  24 options
 *   interface         0 type  4 length  8 link type (2)  12 snap length  16 options
 *   enhanced packet   0 type  4 length  8 interface  12 time, upper  16 time, lower  20 captured  24 original
 *                     28 packet: packet type (2)  ARPHRD_NETLINK (2)  10 unused  family (2); then messages
 *
 * Every block ends with its length again. Times are microseconds since 1970.
 */
import { assert } from "../base/assert.ts";
import { align, MESSAGE_HEADER_BYTES, MessageType } from "./netlink.ts";
import { NETLINK_NETFILTER } from "./netlink-socket.ts";
import { type RecordNote, writeNote } from "./record-notes.ts";

export const LINK_TYPE_NETLINK = 253;
/** Of the header before the messages; its numbers are in network order. */
export const COOKED_BYTES = 16;
export const ARPHRD_NETLINK = 824;

const BLOCK_SECTION = 0x0a0d0d0a;
const BLOCK_INTERFACE = 1;
const BLOCK_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const OPTION_COMMENT = 1;
const OPTION_NAME = 2;
/** shb_os, shb_userappl. */
const OPTION_SYSTEM = 3;
const OPTION_PROGRAM = 4;
const PACKET_AT = 28;
const PACKET_BLOCK_BYTES = PACKET_AT + 4;
const FIRST_BYTES = 256 * 1024;

/** What a capture's first blocks say of it. */
export interface SectionFacts {
  comment: string;
  system?: string;
  program: string;
  interfaceName: string;
}

/** Whole blocks, gathered until they are taken. */
export class RecordBlocks {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Bytes of whole blocks that wait to be taken. */
  get lengthBytes(): number {
    return this.#length;
  }

  /** Section and interface. */
  begin({ comment, system, program, interfaceName }: SectionFacts): void {
    this.#block(
      BLOCK_SECTION,
      [
        [8, BYTE_ORDER_MAGIC],
        // Version 1.0 in two halves; the length of the section is not known.
        [12, 1],
        [16, 0xffff_ffff],
        [20, 0xffff_ffff],
      ],
      24,
      [
        [OPTION_COMMENT, comment],
        ...(system === undefined ? [] : [[OPTION_SYSTEM, system] as const]),
        [OPTION_PROGRAM, program],
      ],
    );
    this.#block(
      BLOCK_INTERFACE,
      [
        [8, LINK_TYPE_NETLINK],
        [12, 0],
      ],
      16,
      [[OPTION_NAME, interfaceName]],
    );
  }

  #block(
    type: number,
    words: readonly (readonly [at: number, value: number])[],
    optionsAt: number,
    options: readonly (readonly [code: number, text: string])[],
  ): void {
    const encoded = options.map(([code, text]) => [code, new TextEncoder().encode(text)] as const);
    const optionBytes = encoded.reduce((sum, [, text]) => sum + 4 + align(text.length), 4);
    const length = optionsAt + optionBytes + 4;
    const at = this.#room(length);
    const view = this.#view;
    this.#bytes.fill(0, at, at + length);
    view.setUint32(at, type, true);
    view.setUint32(at + 4, length, true);
    for (const [where, value] of words) view.setUint32(at + where, value, true);
    let optionAt = at + optionsAt;
    for (const [code, text] of encoded) {
      view.setUint16(optionAt, code, true);
      view.setUint16(optionAt + 2, text.length, true);
      this.#bytes.set(text, optionAt + 4);
      optionAt += 4 + align(text.length);
    }
    view.setUint32(at + length - 4, length, true);
    this.#length += length;
  }

  /** A datagram that came at an instant, epoch milliseconds. */
  datagram(timeMs: number, bytes: Uint8Array): void {
    const at = this.#packet(timeMs, bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** A note, as the body of a message NOOP. */
  note(timeMs: number, note: RecordNote): void {
    this.#message(timeMs, MessageType.NOOP, writeNote(note));
  }

  /** A message OVERRUN: what netlink itself calls lost data. */
  overrun(timeMs: number): void {
    this.#message(timeMs, MessageType.OVERRUN, new Uint8Array(0));
  }

  #message(timeMs: number, type: number, body: Uint8Array): void {
    const length = MESSAGE_HEADER_BYTES + body.length;
    const at = this.#packet(timeMs, align(length));
    this.#bytes.fill(0, at, at + align(length));
    this.#view.setUint32(at, length, true);
    this.#view.setUint16(at + 4, type, true);
    this.#bytes.set(body, at + MESSAGE_HEADER_BYTES);
  }

  /** A packet block with room for so many bytes of messages; where they begin. */
  #packet(timeMs: number, messageBytes: number): number {
    const packetBytes = COOKED_BYTES + messageBytes;
    const length = PACKET_BLOCK_BYTES + align(packetBytes);
    const at = this.#room(length);
    const view = this.#view;
    const microseconds = Math.round(timeMs * 1000);
    assert(microseconds >= 0, "A record is of a time after 1970");
    const bytes = this.#bytes;
    view.setUint32(at, BLOCK_PACKET, true);
    view.setUint32(at + 4, length, true);
    view.setUint32(at + 8, 0, true);
    view.setUint32(at + 12, Math.floor(microseconds / 0x1_0000_0000), true);
    view.setUint32(at + 16, microseconds % 0x1_0000_0000, true);
    view.setUint32(at + 20, packetBytes, true);
    view.setUint32(at + 24, packetBytes, true);
    const packet = at + PACKET_AT;
    bytes.fill(0, packet, packet + COOKED_BYTES);
    view.setUint16(packet + 2, ARPHRD_NETLINK);
    view.setUint16(packet + 14, NETLINK_NETFILTER);
    // What fills the last word up must not be what stood there before.
    view.setUint32(at + length - 8, 0, true);
    view.setUint32(at + length - 4, length, true);
    this.#length += length;
    return packet + COOKED_BYTES;
  }

  /** All blocks since the last taking; good until the next one is written. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return taken;
  }

  #room(addedBytes: number): number {
    const needed = this.#length + addedBytes;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return this.#length;
  }
}
