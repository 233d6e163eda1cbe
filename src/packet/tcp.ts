/**
 * A TCP segment as the tracker reads it: fields, and of the options those it looks at (tcp_options and
 * tcp_sack of net/netfilter/nf_conntrack_proto_tcp.c): malformed options end the reading, what came before
 * them counts.
 */
import { i32, u16 } from "./big-endian.ts";
import { Fault, type PacketColumns, TcpOption } from "./columns.ts";
import type { Datagram } from "./datagram.ts";

const LEAST_HEADER_BYTES = 20;
const Option = { END: 0, PADDING: 1, WINDOW_SCALE: 3, SACK_PERMITTED: 4, SACK: 5 } as const;
/** Two paddings, then a timestamp: what nearly all segments of nearly all flows have, and nothing else. */
const ONLY_TIMESTAMP = 0x0101_080a;

/** Writes the columns of a segment, its ports included; returns fault bits. Does not look at the checksum. */
export function decodeTcp(columns: PacketColumns, row: number, datagram: Datagram): number {
  const { bytes, at, captured, length } = datagram;
  if (captured < LEAST_HEADER_BYTES) return decodeShort(columns, row, datagram);
  columns.sourceDiscriminator[row] = u16(bytes, at);
  columns.destinationDiscriminator[row] = u16(bytes, at + 2);
  columns.tcpSequence[row] = i32(bytes, at + 4);
  const acknowledgment = i32(bytes, at + 8);
  columns.tcpAcknowledgment[row] = acknowledgment;
  columns.tcpSack[row] = acknowledgment;
  columns.tcpOptions[row] = 0;
  columns.tcpFlags[row] = bytes[at + 13] as number;
  columns.tcpWindow[row] = u16(bytes, at + 14);
  const headerBytes = ((bytes[at + 12] as number) >>> 4) << 2;
  columns.tcpDataBytes[row] = Math.max(0, length - headerBytes);
  if (headerBytes < LEAST_HEADER_BYTES) return Fault.SHORT_HEADER;
  if (headerBytes > length) return Fault.BAD_LENGTH;
  if (headerBytes === LEAST_HEADER_BYTES) return 0;
  columns.tcpOptions[row] = TcpOption.OTHER;
  if (headerBytes === 32 && captured >= 32 && i32(bytes, at + 20) === ONLY_TIMESTAMP) return 0;
  decodeOptions(columns, row, bytes, at + LEAST_HEADER_BYTES, at + Math.min(headerBytes, captured));
  return 0;
}

/** Less than a header: by the end of the packet, or by the capture. */
function decodeShort(columns: PacketColumns, row: number, datagram: Datagram): number {
  const { bytes, at, captured } = datagram;
  columns.tcpSequence[row] = captured < 8 ? 0 : i32(bytes, at + 4);
  columns.tcpAcknowledgment[row] = captured < 12 ? 0 : i32(bytes, at + 8);
  columns.tcpSack[row] = captured < 12 ? 0 : i32(bytes, at + 8);
  columns.tcpOptions[row] = 0;
  columns.tcpFlags[row] = captured < 14 ? 0 : (bytes[at + 13] as number);
  columns.tcpWindow[row] = captured < 16 ? 0 : u16(bytes, at + 14);
  columns.tcpDataBytes[row] = 0;
  return Fault.SHORT_HEADER | decodePorts(columns, row, datagram);
}

/** Ports, which four protocols have in the same place; returns NO_TUPLE when they are not there. */
export function decodePorts(columns: PacketColumns, row: number, datagram: Datagram): number {
  if (datagram.captured < 4) {
    columns.sourceDiscriminator[row] = 0;
    columns.destinationDiscriminator[row] = 0;
    return Fault.NO_TUPLE;
  }
  columns.sourceDiscriminator[row] = u16(datagram.bytes, datagram.at);
  columns.destinationDiscriminator[row] = u16(datagram.bytes, datagram.at + 2);
  return 0;
}

function decodeOptions(
  columns: PacketColumns,
  row: number,
  bytes: Uint8Array,
  from: number,
  end: number,
): void {
  let found: number = TcpOption.OTHER;
  let at = from;
  while (at < end) {
    const kind = bytes[at] as number;
    if (kind === Option.END) break;
    if (kind === Option.PADDING) {
      at += 1;
      continue;
    }
    if (at + 2 > end) break;
    const size = bytes[at + 1] as number;
    if (size < 2 || at + size > end) break;
    if (kind === Option.SACK_PERMITTED && size === 2) found |= TcpOption.SACK_PERMITTED;
    else if (kind === Option.WINDOW_SCALE && size === 3) {
      found |= TcpOption.WINDOW_SCALE;
      columns.tcpWindowScale[row] = bytes[at + 2] as number;
    } else if (kind === Option.SACK && size >= 10 && (size - 2) % 8 === 0 && (found & TcpOption.SACK) === 0) {
      // The tracker reads the first option of this kind only.
      found |= TcpOption.SACK;
      decodeSack(columns, row, bytes, at + 2, at + size);
    }
    at += size;
  }
  columns.tcpOptions[row] = found;
}

/** The furthest of the acknowledgment and the right edges, where "further" is modulo 2^32. */
function decodeSack(columns: PacketColumns, row: number, bytes: Uint8Array, from: number, end: number): void {
  let furthest = (columns.tcpAcknowledgment[row] as number) | 0;
  for (let at = from; at < end; at += 8) {
    const edge = i32(bytes, at + 4);
    if (((furthest - edge) | 0) < 0) furthest = edge;
  }
  columns.tcpSack[row] = furthest;
}
