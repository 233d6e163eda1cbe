/** SCTP and DCCP: what the tracker reads of them goes to `extra`. */
import { i32, u16 } from "./big-endian.ts";
import { DccpExtra, Fault, type PacketColumns, SCTP_CHUNKS, SctpExtra } from "./columns.ts";
import type { Datagram } from "./datagram.ts";
import { decodePorts } from "./tcp.ts";

const HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 4;
/** An INIT or INIT ACK without parameters (RFC 9260, section 3.3.2). */
const INIT_BYTES = 20;
/** Chunk types (RFC 9260, section 3.2) that must be the first, or the only one, of their packet. */
const Chunk = { INIT: 1, INIT_ACK: 2, COOKIE_ECHO: 10, COOKIE_ACK: 11, SHUTDOWN_COMPLETE: 14 } as const;

/** Writes tags and chunks; returns fault bits. Does not look at the checksum. */
export function decodeSctp(columns: PacketColumns, row: number, datagram: Datagram): number {
  const { bytes, at, captured } = datagram;
  const fault = decodePorts(columns, row, datagram);
  if (captured < HEADER_BYTES) return fault | Fault.SHORT_HEADER;
  const extraAt = columns.extraCount;
  columns.extraAt[row] = extraAt;
  columns.extra[extraAt + SctpExtra.VTAG] = i32(bytes, at + 4);
  columns.extra[extraAt + SctpExtra.INIT_TAG] = 0;
  const end = at + captured;
  let count = 0;
  let wrong = 0;
  for (let chunk = at + HEADER_BYTES; chunk + CHUNK_HEADER_BYTES <= end;) {
    const type = bytes[chunk] as number;
    const size = u16(bytes, chunk + 2);
    if (count < SCTP_CHUNKS) columns.extra[extraAt + SctpExtra.FIRST_CHUNK + count] = u16(bytes, chunk);
    else if (mustBeFirst(type)) wrong = Fault.BAD_PROTOCOL;
    if (type === Chunk.INIT || type === Chunk.INIT_ACK) {
      if (chunk + INIT_BYTES > at + datagram.length) wrong = Fault.BAD_PROTOCOL;
      if (chunk + 8 <= end) columns.extra[extraAt + SctpExtra.INIT_TAG] = i32(bytes, chunk + 4);
    }
    count += 1;
    // The tracker refuses a chunk without a length; it would also be one without an end.
    if (size === 0) {
      wrong = Fault.BAD_PROTOCOL;
      break;
    }
    chunk += (size + 3) & ~3;
  }
  columns.extra[extraAt + SctpExtra.CHUNKS] = Math.min(count, SCTP_CHUNKS);
  columns.extraCount = extraAt + SctpExtra.FIRST_CHUNK + Math.min(count, SCTP_CHUNKS);
  return fault | wrong;
}

function mustBeFirst(type: number): boolean {
  return (
    type === Chunk.INIT ||
    type === Chunk.INIT_ACK ||
    type === Chunk.COOKIE_ECHO ||
    type === Chunk.COOKIE_ACK ||
    type === Chunk.SHUTDOWN_COMPLETE
  );
}

/**
 * Bytes behind DCCP's sequence number by type (RFC 4340, sections 5.1 to 5.7): service code, acknowledgment
 * number, reset code. Types beyond are reserved. (Measured on 5.10.262, 6.1.192 and 6.12.117, every type in
 * every length up to 40 bytes.)
 */
const DCCP_REST_BYTES = [4, 12, 0, 8, 8, 8, 8, 12, 8, 8] as const;
/** Data, Ack and DataAck: the types that may have a sequence number of 24 bits. */
const DCCP_MAY_BE_SHORT = (1 << 2) | (1 << 3) | (1 << 4);

/**
 * DCCP (RFC 4340, section 5.1): type, sequence number, and the acknowledgment number (5.3) of the types that
 * have one, zero for the others; returns fault bits but not of the checksum. SHORT_HEADER alone is a datagram
 * without the least header, or one that is only too short for its type: there the checksum still matters.
 */
export function decodeDccp(columns: PacketColumns, row: number, datagram: Datagram): number {
  const { bytes, at, captured, length } = datagram;
  const fault = decodePorts(columns, row, datagram);
  if (captured < HEADER_BYTES) return fault | Fault.SHORT_HEADER;
  const isLong = ((bytes[at + 8] as number) & 1) !== 0;
  const type = ((bytes[at + 8] as number) >>> 1) & 15;
  const restBytes = DCCP_REST_BYTES[type];
  if (restBytes === undefined) return fault | Fault.BAD_PROTOCOL;
  if (!isLong && ((1 << type) & DCCP_MAY_BE_SHORT) === 0) return fault | Fault.BAD_PROTOCOL;
  const headerBytes = (bytes[at + 4] as number) * 4;
  if (headerBytes < HEADER_BYTES || headerBytes > length || dccpCoverage(datagram) > length) {
    return fault | Fault.BAD_LENGTH;
  }
  const numberBytes = isLong ? 4 : 0;
  if (length < HEADER_BYTES + numberBytes + restBytes || captured < HEADER_BYTES + numberBytes) {
    return fault | Fault.SHORT_HEADER;
  }
  const extraAt = columns.extraCount;
  columns.extraAt[row] = extraAt;
  columns.extraCount = extraAt + DccpExtra.WORDS;
  columns.extra[extraAt + DccpExtra.TYPE] = type;
  columns.extra[extraAt + DccpExtra.SEQUENCE_HIGH] = isLong ? u16(bytes, at + 10) : 0;
  columns.extra[extraAt + DccpExtra.SEQUENCE_LOW] = isLong
    ? i32(bytes, at + 12)
    : i32(bytes, at + 8) & 0xffffff;
  decodeDccpAck(columns.extra, extraAt, datagram, isLong);
  return fault;
}

/** Requests and data have no acknowledgment number; everything else has, if it was captured. */
function decodeDccpAck(extra: Uint32Array, extraAt: number, datagram: Datagram, isLong: boolean): void {
  const { bytes, at, captured } = datagram;
  const type = extra[extraAt + DccpExtra.TYPE];
  const ackAt = at + HEADER_BYTES + (isLong ? 4 : 0);
  const isThere = type !== 0 && type !== 2 && ackAt + (isLong ? 8 : 4) <= at + captured;
  extra[extraAt + DccpExtra.ACK_HIGH] = isThere && isLong ? u16(bytes, ackAt + 2) : 0;
  const low = isLong ? ackAt + 4 : ackAt;
  extra[extraAt + DccpExtra.ACK_LOW] = isThere ? i32(bytes, low) & (isLong ? -1 : 0xffffff) : 0;
}

/**
 * Bytes of the datagram that the tracker takes DCCP's checksum over. (RFC 4340, section 9.2, counts them from
 * the end of the header; nf_conntrack_proto_dccp.c counts from its beginning, and what it does is what
 * matters.)
 */
export function dccpCoverage(datagram: Datagram): number {
  const coverage = (datagram.bytes[datagram.at + 5] as number) & 15;
  return coverage === 0 ? datagram.length : (coverage - 1) * 4;
}
