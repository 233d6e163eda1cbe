/**
 * The part of a tuple that a transport protocol gives, as nf_ct_get_tuple (net/netfilter/nf_conntrack_core.c)
 * finds it, for protocols that are not met in every other packet and for packets quoted in ICMP errors.
 */
import { u16 } from "./big-endian.ts";
import { IpProtocol, type PortProtocols } from "./ip-protocol.ts";

const PORTS_BYTES = 4;
const ICMP_HEADER_BYTES = 8;
/** Version bits of GRE, the version of PPTP, and the only protocol it carries. */
const GRE_VERSION = 7;
const PPTP_VERSION = 1;
const PPTP_HEADER_BYTES = 8;
const GRE_PPP = 0x880b;

export class TupleReader {
  /** Discriminators of the tuple read last, as PacketColumns has them. */
  source = 0;
  destination = 0;
  readonly #ports: PortProtocols;

  constructor(ports: PortProtocols) {
    this.#ports = ports;
  }

  /** Whether this protocol's tuple has ports. */
  hasPorts(protocol: number): boolean {
    switch (protocol) {
      case IpProtocol.TCP:
      case IpProtocol.UDP:
      case IpProtocol.SCTP:
        return true;
      case IpProtocol.UDPLITE:
        return this.#ports.udplite;
      case IpProtocol.DCCP:
        return this.#ports.dccp;
      default:
        return false;
    }
  }

  /** Reads the `captured` bytes from `at` on; false when the kernel would find no tuple. */
  read(bytes: Uint8Array, at: number, captured: number, protocol: number): boolean {
    this.source = 0;
    this.destination = 0;
    if (protocol === IpProtocol.ICMP || protocol === IpProtocol.ICMPV6) {
      if (captured < ICMP_HEADER_BYTES) return false;
      this.source = u16(bytes, at + 4);
      this.destination = u16(bytes, at);
      return true;
    }
    if (protocol === IpProtocol.GRE) return this.#readGre(bytes, at, captured);
    if (!this.hasPorts(protocol)) return true;
    if (captured < PORTS_BYTES) return false;
    this.source = u16(bytes, at);
    this.destination = u16(bytes, at + 2);
    return true;
  }

  /** Only PPTP's GRE has a key: its call. The key of the other direction is known to a helper alone. */
  #readGre(bytes: Uint8Array, at: number, captured: number): boolean {
    if (captured < 4 || ((bytes[at + 1] as number) & GRE_VERSION) !== PPTP_VERSION) return true;
    if (captured < PPTP_HEADER_BYTES) return true;
    if (u16(bytes, at + 2) !== GRE_PPP) return false;
    this.destination = u16(bytes, at + 6);
    return true;
  }
}
