/**
 * The packet that an ICMP error quotes, as nf_conntrack_inet_error (net/netfilter/nf_conntrack_proto_icmp.c)
 * reads it: only its tuple counts, no checksum, and not even its version.
 */
import { i32, u16 } from "./big-endian.ts";
import { InnerTuple, type PacketColumns } from "./columns.ts";
import type { Datagram } from "./datagram.ts";
import { ExtensionWalk } from "./extension-headers.ts";
import type { TupleReader } from "./tuple-reader.ts";

const ICMP_HEADER_BYTES = 8;
/** Unreachable, source quench, redirect, time exceeded, parameter problem. */
const errorsOfIcmp: readonly number[] = [3, 4, 5, 11, 12];
const FIRST_ICMPV6_MESSAGE = 128;

/** A redirect of ICMPv6 (RFC 4861, section 4.5) quotes in an option behind two addresses. */
const Redirect = { TYPE: 137, HEADER_BYTES: 40, OPTION: 4, OPTION_BYTES: 8 } as const;

export class IcmpErrorReader {
  readonly #tuples: TupleReader;
  readonly #walk = new ExtensionWalk();

  constructor(tuples: TupleReader) {
    this.#tuples = tuples;
  }

  /** Writes the quoted tuple of an error to `extra`; does nothing for messages that quote no packet. */
  decode(columns: PacketColumns, row: number, datagram: Datagram): void {
    const quotedAt = quotedPacketAt(datagram);
    if (quotedAt === -1) return;
    const { bytes, at, captured, length } = datagram;
    const extraAt = columns.extraCount;
    columns.extraAt[row] = extraAt;
    columns.extraCount = extraAt + InnerTuple.WORDS;
    columns.extra.fill(0, extraAt, extraAt + InnerTuple.WORDS);
    const [end, wireEnd] = [at + captured, at + length];
    const isRead =
      datagram.family === 4
        ? this.#readIpv4(columns.extra, extraAt, bytes, quotedAt, end, wireEnd)
        : this.#readIpv6(columns.extra, extraAt, bytes, quotedAt, end);
    columns.extra[extraAt + InnerTuple.FAMILY] = isRead ? datagram.family : 0;
  }

  #readIpv4(
    extra: Uint32Array,
    to: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    wireEnd: number,
  ): boolean {
    if (at + 20 > end) return false;
    // A fragment that is not the first has no transport header.
    if ((u16(bytes, at + 6) & 0x1fff) !== 0) return false;
    const transportAt = at + (((bytes[at] as number) & 15) << 2);
    if (transportAt > wireEnd) return false;
    extra[to + InnerTuple.SOURCE] = i32(bytes, at + 12);
    extra[to + InnerTuple.DESTINATION] = i32(bytes, at + 16);
    return this.#readTransport(extra, to, bytes, transportAt, end, bytes[at + 9] as number);
  }

  #readIpv6(extra: Uint32Array, to: number, bytes: Uint8Array, at: number, end: number): boolean {
    if (at + 40 > end) return false;
    const walk = this.#walk;
    if (!walk.toTransport(bytes, at + 40, end, bytes[at + 6] as number)) return false;
    for (let word = 0; word < 4; word++) {
      extra[to + InnerTuple.SOURCE + word] = i32(bytes, at + 8 + 4 * word);
      extra[to + InnerTuple.DESTINATION + word] = i32(bytes, at + 24 + 4 * word);
    }
    return this.#readTransport(extra, to, bytes, walk.at, end, walk.protocol);
  }

  #readTransport(
    extra: Uint32Array,
    to: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    protocol: number,
  ): boolean {
    if (!this.#tuples.read(bytes, at, Math.max(0, end - at), protocol)) return false;
    extra[to + InnerTuple.PROTOCOL] = protocol;
    extra[to + InnerTuple.SOURCE_DISCRIMINATOR] = this.#tuples.source;
    extra[to + InnerTuple.DESTINATION_DISCRIMINATOR] = this.#tuples.destination;
    return true;
  }
}

/** Where the quoted packet begins; -1 when this message is no error. */
function quotedPacketAt(datagram: Datagram): number {
  const { bytes, at, captured } = datagram;
  if (captured < ICMP_HEADER_BYTES) return -1;
  const type = bytes[at] as number;
  if (datagram.family === 4) return errorsOfIcmp.includes(type) ? at + ICMP_HEADER_BYTES : -1;
  if (type < FIRST_ICMPV6_MESSAGE) return at + ICMP_HEADER_BYTES;
  if (type !== Redirect.TYPE || bytes[at + 1] !== 0) return -1;
  const option = at + Redirect.HEADER_BYTES;
  if (captured < Redirect.HEADER_BYTES + Redirect.OPTION_BYTES) return -1;
  if (bytes[option] !== Redirect.OPTION || bytes[option + 1] === 0) return -1;
  return option + Redirect.OPTION_BYTES;
}
