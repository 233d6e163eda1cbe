/**
 * From the data of an IP datagram to tuple, faults and protocol columns. What is a fault is what the
 * tracker's own checks find at PREROUTING (net/netfilter/nf_conntrack_proto_*.c and nf_checksum of
 * net/netfilter/utils.c,
 * 6.18), whether or not other implementations mind.
 */
import { u16 } from "./big-endian.ts";
import { type ByteSums, foldSum, sctpChecksum } from "./checksum.ts";
import { Fault, type PacketColumns } from "./columns.ts";
import type { Datagram } from "./datagram.ts";
import { IcmpErrorReader } from "./icmp-error.ts";
import { IpProtocol, type PortProtocols } from "./ip-protocol.ts";
import { dccpCoverage, decodeDccp, decodeSctp } from "./sctp.ts";
import { decodePorts, decodeTcp } from "./tcp.ts";
import { TupleReader } from "./tuple-reader.ts";

const UDP_HEADER_BYTES = 8;
const ICMP_HEADER_BYTES = 8;
const DCCP_HEADER_BYTES = 12;
/** A sum that verifies, folded. */
const RIGHT_SUM = 0xffff;
/** Faults after which the tracker does not get to the checksum. */
const BEFORE_CHECKSUM = Fault.SHORT_HEADER | Fault.BAD_LENGTH | Fault.NO_TUPLE | Fault.BAD_PROTOCOL;

export class TransportDecoder {
  readonly #sums: ByteSums;
  readonly #tuples: TupleReader;
  readonly #icmpErrors: IcmpErrorReader;
  readonly #udpliteHasPorts: boolean;
  readonly #dccpHasPorts: boolean;

  constructor(ports: PortProtocols, sums: ByteSums) {
    this.#sums = sums;
    this.#tuples = new TupleReader(ports);
    this.#icmpErrors = new IcmpErrorReader(this.#tuples);
    this.#udpliteHasPorts = ports.udplite;
    this.#dccpHasPorts = ports.dccp;
  }

  /**
   * Writes the columns of the datagram's protocol, whose addresses are in `row` already; returns fault bits.
   */
  decode(columns: PacketColumns, row: number, datagram: Datagram): number {
    const isWhole = datagram.captured >= datagram.length;
    let fault = 0;
    switch (datagram.protocol) {
      case IpProtocol.TCP:
        fault = decodeTcp(columns, row, datagram);
        if (fault === 0 && isWhole) fault = this.#verify(datagram, datagram.length);
        break;
      case IpProtocol.UDP:
        fault = decodeUdp(columns, row, datagram);
        if (fault === 0 && isWhole && u16(datagram.bytes, datagram.at + 6) !== 0) {
          fault = this.#verify(datagram, datagram.length);
        }
        break;
      case IpProtocol.ICMP:
      case IpProtocol.ICMPV6:
        fault = this.#decodeIcmp(columns, row, datagram);
        break;
      default:
        fault = this.#decodeRarer(columns, row, datagram, isWhole);
    }
    return isWhole ? fault : fault | Fault.SNAPPED;
  }

  #decodeRarer(columns: PacketColumns, row: number, datagram: Datagram, isWhole: boolean): number {
    const { protocol } = datagram;
    if (protocol === IpProtocol.SCTP) {
      const fault = decodeSctp(columns, row, datagram);
      return isWhole && (fault & Fault.SHORT_HEADER) === 0 ? fault | verifySctp(datagram) : fault;
    }
    if (protocol === IpProtocol.UDPLITE && this.#udpliteHasPorts) {
      const fault = decodeUdplite(columns, row, datagram);
      if (!isWhole || (fault & BEFORE_CHECKSUM) !== 0) return fault;
      return this.#verify(datagram, udpliteCoverage(datagram));
    }
    if (protocol === IpProtocol.DCCP && this.#dccpHasPorts) {
      const fault = decodeDccp(columns, row, datagram);
      const isRefused = (fault & BEFORE_CHECKSUM & ~Fault.SHORT_HEADER) !== 0;
      if (!isWhole || isRefused || datagram.length < DCCP_HEADER_BYTES) return fault;
      return fault | this.#verify(datagram, dccpCoverage(datagram));
    }
    return this.#decodeTuple(columns, row, datagram);
  }

  #decodeTuple(columns: PacketColumns, row: number, datagram: Datagram): number {
    const tuples = this.#tuples;
    const isRead = tuples.read(datagram.bytes, datagram.at, datagram.captured, datagram.protocol);
    columns.sourceDiscriminator[row] = tuples.source;
    columns.destinationDiscriminator[row] = tuples.destination;
    return isRead ? 0 : Fault.NO_TUPLE;
  }

  #decodeIcmp(columns: PacketColumns, row: number, datagram: Datagram): number {
    const { protocol, family, captured, length } = datagram;
    let fault = this.#decodeTuple(columns, row, datagram);
    // The ICMP of the other family has a tuple, but no one looks at the rest of it.
    if ((protocol === IpProtocol.ICMP) !== (family === 4)) return fault;
    if (captured < ICMP_HEADER_BYTES) return fault | Fault.SHORT_HEADER;
    if (captured >= length) fault = this.#verify(datagram, length);
    // Whether a wrong checksum matters is a setting of the tracker's.
    if ((fault & ~Fault.BAD_CHECKSUM) === 0) this.#icmpErrors.decode(columns, row, datagram);
    return fault;
  }

  /**
   * BAD_CHECKSUM when the sum over the first `covered` bytes and the pseudo header (none for ICMP) is wrong.
   * The pseudo header has the length of the data as IP says it, whatever the protocol's own length field
   * says.
   */
  #verify(datagram: Datagram, covered: number): number {
    const { bytes, at, length, protocol } = datagram;
    let sum = this.#sums.sum(bytes, at, at + covered);
    if (protocol !== IpProtocol.ICMP) {
      sum += protocol === IpProtocol.UDPLITE ? udplitePseudo(datagram) : length + protocol;
      sum += datagram.addressSum;
    }
    return foldSum(sum) === RIGHT_SUM ? 0 : Fault.BAD_CHECKSUM;
  }
}

function decodeUdp(columns: PacketColumns, row: number, datagram: Datagram): number {
  const fault = decodePorts(columns, row, datagram);
  if (datagram.captured < UDP_HEADER_BYTES) return fault | Fault.SHORT_HEADER;
  const lengthField = u16(datagram.bytes, datagram.at + 4);
  return lengthField > datagram.length || lengthField < UDP_HEADER_BYTES ? Fault.BAD_LENGTH : 0;
}

function decodeUdplite(columns: PacketColumns, row: number, datagram: Datagram): number {
  const fault = decodePorts(columns, row, datagram);
  if (datagram.captured < UDP_HEADER_BYTES) return fault | Fault.SHORT_HEADER;
  const covered = udpliteCoverage(datagram);
  if (covered > datagram.length || covered < UDP_HEADER_BYTES) return Fault.BAD_LENGTH;
  return u16(datagram.bytes, datagram.at + 6) === 0 ? Fault.BAD_PROTOCOL : 0;
}

function udpliteCoverage(datagram: Datagram): number {
  const field = u16(datagram.bytes, datagram.at + 4);
  return field === 0 ? datagram.length : field;
}

/**
 * Length and protocol number as the tracker adds them for UDP-Lite: with the number of UDP, and over IPv4
 * with a length cut to eight bits (measured on 6.18.44). So it finds nearly every right checksum wrong.
 */
function udplitePseudo({ family, length }: Datagram): number {
  return IpProtocol.UDP + (family === 4 ? length & 0xff : length);
}

function verifySctp(datagram: Datagram): number {
  const { bytes, at, length } = datagram;
  const found = (u16(bytes, at + 8) << 16) | u16(bytes, at + 10);
  // It stands in the packet with its last byte first.
  const sum = sctpChecksum(bytes, at, at + length);
  const asWritten = (u16Swapped(sum) << 16) | u16Swapped(sum >>> 16);
  return found === asWritten ? 0 : Fault.BAD_CHECKSUM;
}

function u16Swapped(word: number): number {
  return ((word & 0xff) << 8) | ((word >>> 8) & 0xff);
}
