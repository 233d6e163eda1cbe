/**
 * The extension headers of IPv6 as the kernel walks them: ipv6_skip_exthdr of net/ipv6/exthdr_core.c, by
 * which the tracker finds the transport protocol, and find_prev_fhdr of
 * net/ipv6/netfilter/nf_conntrack_reasm.c, by which it finds a fragment header. ESP, Mobility and whatever is
 * not listed end the walk: they are transport.
 */
import { u16 } from "./big-endian.ts";
import { IpProtocol } from "./ip-protocol.ts";

function isExtension(protocol: number): boolean {
  switch (protocol) {
    case IpProtocol.HOP_BY_HOP:
    case IpProtocol.ROUTING:
    case IpProtocol.FRAGMENT:
    case IpProtocol.AUTHENTICATION:
    case IpProtocol.NO_NEXT:
    case IpProtocol.DESTINATION:
      return true;
    default:
      return false;
  }
}

/** Bits of a fragment header's second word that are the offset, in units of 8 bytes. */
const OFFSET_BITS = 0xfff8;
export const FRAGMENT_HEADER_BYTES = 8;

/** One walk; the fields say where it ended. Reads nothing at or behind `end`. */
export class ExtensionWalk {
  /** The protocol it ended at. */
  protocol = 0;
  /**
   * Where that begins: may be behind the packet's end, when a header says that it is longer than the packet.
   */
  at = 0;

  /**
   * Goes to the transport protocol, from the header `first` at `at`. False when there is none to be found: no
   * next header, a fragment that is not the first, or headers that do not fit.
   */
  toTransport(bytes: Uint8Array, at: number, end: number, first: number): boolean {
    this.#begin(at, first);
    while (isExtension(this.protocol)) {
      if (this.protocol === IpProtocol.NO_NEXT || this.at + 2 > end) return false;
      if (this.protocol === IpProtocol.FRAGMENT) {
        if (this.at + 4 > end || (u16(bytes, this.at + 2) & OFFSET_BITS) !== 0) return false;
      }
      this.#step(bytes);
    }
    return true;
  }

  /** Goes to the fragment header; false when there is none. */
  toFragment(bytes: Uint8Array, at: number, end: number, first: number): boolean {
    this.#begin(at, first);
    while (this.protocol !== IpProtocol.FRAGMENT) {
      if (!isExtension(this.protocol) || this.protocol === IpProtocol.NO_NEXT) return false;
      if (this.at + 2 > end) return false;
      this.#step(bytes);
    }
    return this.at <= end;
  }

  #begin(at: number, first: number): void {
    this.protocol = first;
    this.at = at;
  }

  #step(bytes: Uint8Array): void {
    const length = bytes[this.at + 1] as number;
    const next = bytes[this.at] as number;
    if (this.protocol === IpProtocol.FRAGMENT) this.at += FRAGMENT_HEADER_BYTES;
    else if (this.protocol === IpProtocol.AUTHENTICATION) this.at += (length + 2) << 2;
    else this.at += (length + 1) << 3;
    this.protocol = next;
  }
}
