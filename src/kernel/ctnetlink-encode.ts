/**
 * Requests to ctnetlink as bytes: read, create, change, delete, flush. Pure; a socket sends what is
 * written here.
 *
 * What is written about a flow comes from a row of FlowColumns, so that deleting what a dump has just
 * shown needs no value in between. The kernel knows a flow by one of its tuples and its zone; the id is
 * a further condition.
 */
import { unreachable } from "../base/assert.ts";
import { addressToWords, ADDRESS_WORDS, familyOf } from "../table/address.ts";
import { FlowColumns, Has } from "../table/columns.ts";
import type { Tuple } from "../table/flow.ts";
import { DCCP, discriminatorOf, ICMPV6, SCTP, TCP } from "../table/protocol.ts";
import { ALL_STATUS } from "../table/status.ts";
import { Attribute, FlowMessage, kernelFamily, messageType, Nested, SUBSYSTEM_FLOWS } from "./ctnetlink.ts";
import { Flag, type MessageWriter } from "./netlink.ts";

/** A condition on 32 bits: the bits of `mask` must be as in `value`. */
export interface MaskedBits {
  value: number;
  mask: number;
}

/**
 * What a dump is narrowed to by the kernel, where the kernel can: kernels before the given one ignore
 * it.
 */
export interface DumpFilter {
  /** Always. */
  family?: 4 | 6;
  /** 3.x. */
  mark?: MaskedBits;
  /** 5.15. */
  status?: MaskedBits;
  /** 6.8. Flows of this zone in either direction. */
  zone?: number;
}

/** Begins a request of the flow subsystem; close it with `writer.end()`. */
export function beginFlowRequest(
  writer: MessageWriter,
  operation: number,
  flags: number,
  sequence: number,
  family?: 4 | 6,
): void {
  beginRequest(writer, messageType(SUBSYSTEM_FLOWS, operation), flags, sequence, family);
}

/** Begins a request of any nfnetlink subsystem: header and nfgenmsg. */
export function beginRequest(
  writer: MessageWriter,
  type: number,
  flags: number,
  sequence: number,
  family?: 4 | 6,
  version = 0,
): void {
  writer.beginMessage(type, flags | Flag.REQUEST, sequence);
  writer.familyHeader(kernelFamily(family), version);
}

/**
 * A dump of flows (or, with GET_DYING, of those deleted but still held). A filter is only a help: what
 * comes must be looked at again. Addresses are never filtered by the kernel: kernels of 5.8 to 6.18
 * invert it for IPv6.
 */
export function writeDump(
  writer: MessageWriter,
  operation: number,
  sequence: number,
  filter: DumpFilter = {},
): void {
  beginFlowRequest(writer, operation, Flag.DUMP, sequence, filter.family);
  if (filter.mark !== undefined) {
    writer.u32(Attribute.MARK, filter.mark.value);
    writer.u32(Attribute.MARK_MASK, filter.mark.mask);
  }
  if (filter.status !== undefined) {
    writer.u32(Attribute.STATUS, filter.status.value);
    writer.u32(Attribute.STATUS_MASK, filter.status.mask);
  }
  if (filter.zone !== undefined) writer.u16(Attribute.ZONE, filter.zone);
  writer.end();
}

/**
 * Asks for the one flow with the original tuple of `row`. The kernel answers with it, then acknowledges
 * when `flags` say so.
 */
export function writeGet(
  writer: MessageWriter,
  sequence: number,
  columns: FlowColumns,
  row: number,
  flags: number = Flag.ACK,
): void {
  beginFlowRequest(writer, FlowMessage.GET, flags, sequence, familyAt(columns, row));
  writeOriginal(writer, columns, row);
  writeZone(writer, columns, row);
  writer.end();
}

/**
 * Creates the flow of `row`: both tuples, timeout, state, mark, zone, labels, helper. Its status must
 * include CONFIRMED when it is given. `flags` are added: ACK to be answered, EXCL to refuse what
 * exists.
 */
export function writeCreate(
  writer: MessageWriter,
  sequence: number,
  columns: FlowColumns,
  row: number,
  flags: number = Flag.EXCL,
): void {
  const has = columns.has[row] as number;
  beginFlowRequest(writer, FlowMessage.NEW, Flag.CREATE | flags, sequence, familyAt(columns, row));
  writeOriginal(writer, columns, row);
  writeReply(writer, columns, row);
  writeChanges(writer, columns, row, has);
  writeZone(writer, columns, row);
  const rare = (has & Has.rare) === 0 ? undefined : columns.rare.get(row);
  if (rare?.helper !== undefined) {
    const nest = writer.beginNest(Attribute.HELP);
    writer.text(Nested.HELP_NAME, rare.helper);
    writer.endNest(nest);
  }
  writer.end();
}

/**
 * Changes the flow with the original tuple of `row` to what the row `has`: timeout, status, mark, state,
 * labels.
 */
export function writeUpdate(
  writer: MessageWriter,
  sequence: number,
  columns: FlowColumns,
  row: number,
  flags: number = Flag.ACK,
): void {
  beginFlowRequest(writer, FlowMessage.NEW, flags, sequence, familyAt(columns, row));
  writeOriginal(writer, columns, row);
  writeChanges(writer, columns, row, columns.has[row] as number);
  writeZone(writer, columns, row);
  writer.end();
}

/**
 * Deletes the flow with the original tuple of `row`, when it still has the id of the row, where the row
 * has one.
 */
export function writeDelete(
  writer: MessageWriter,
  sequence: number,
  columns: FlowColumns,
  row: number,
  flags: number = Flag.ACK,
): void {
  beginFlowRequest(writer, FlowMessage.DELETE, flags, sequence, familyAt(columns, row));
  writeOriginal(writer, columns, row);
  writeZone(writer, columns, row);
  if (((columns.has[row] as number) & Has.id) !== 0) {
    writer.u32(Attribute.ID, columns.id[row] as number);
  }
  writer.end();
}

/**
 * Gives the flow with the original tuple of `row` so many seconds from now, whatever else it is; its
 * next packet renews it. The kernel takes no id here: what has the tuple now is meant.
 */
export function writeShorten(
  writer: MessageWriter,
  sequence: number,
  columns: FlowColumns,
  row: number,
  timeoutSeconds: number,
  flags: number = Flag.ACK,
): void {
  beginFlowRequest(writer, FlowMessage.NEW, flags, sequence, familyAt(columns, row));
  writeOriginal(writer, columns, row);
  writer.u32(Attribute.TIMEOUT, timeoutSeconds);
  writeZone(writer, columns, row);
  writer.end();
}

/** Deletes all flows, or all of one family (kernels before 5.4 ignore the family and delete all). */
export function writeFlush(writer: MessageWriter, sequence: number, family?: 4 | 6): void {
  const type = messageType(SUBSYSTEM_FLOWS, FlowMessage.DELETE);
  // Version 1 makes the kernel look at the family; with version 0 it deletes everything.
  beginRequest(writer, type, Flag.ACK, sequence, family, 1);
  writer.end();
}

/** A batch of one row holding `tuple` as its original direction: what the functions above take. */
export function rowOfTuple(tuple: Tuple, zone?: number): FlowColumns {
  const columns = new FlowColumns(1, ALL_STATUS);
  columns.count = 1;
  columns.family[0] = familyOf(tuple.source);
  columns.protocol[0] = tuple.protocol;
  addressToWords(tuple.source, columns.originalSource, 0);
  addressToWords(tuple.destination, columns.originalDestination, 0);
  const [first, second] = discriminatorsOf(tuple);
  columns.originalSourceDiscriminator[0] = first;
  columns.originalDestinationDiscriminator[0] = second;
  if (zone !== undefined) {
    columns.zone[0] = zone;
    columns.has[0] = Has.zone;
  }
  return columns;
}

/** The kernel's union of discriminators (see columns.ts) of a tuple. */
export function discriminatorsOf(tuple: Tuple): [number, number] {
  switch (tuple.kind) {
    case "ports":
      return [tuple.sourcePort, tuple.destinationPort];
    case "icmp":
      return [tuple.id, (tuple.type << 8) | tuple.code];
    case "keys":
      return [tuple.sourceKey, tuple.destinationKey];
    case "none":
      return [0, 0];
    default:
      return unreachable(tuple);
  }
}

function familyAt(columns: FlowColumns, row: number): 4 | 6 {
  return columns.family[row] === 4 ? 4 : 6;
}

function writeOriginal(writer: MessageWriter, columns: FlowColumns, row: number): void {
  const nest = writer.beginNest(Attribute.TUPLE_ORIG);
  writeAddresses(writer, columns, row, columns.originalSource, columns.originalDestination);
  const first = columns.originalSourceDiscriminator[row] as number;
  const second = columns.originalDestinationDiscriminator[row] as number;
  writeDiscriminators(writer, columns.protocol[row] as number, first, second);
  if (((columns.has[row] as number) & Has.originalZone) !== 0) {
    writer.u16(Nested.TUPLE_ZONE, columns.originalZone[row] as number);
  }
  writer.endNest(nest);
}

function writeReply(writer: MessageWriter, columns: FlowColumns, row: number): void {
  const nest = writer.beginNest(Attribute.TUPLE_REPLY);
  writeAddresses(writer, columns, row, columns.replySource, columns.replyDestination);
  const first = columns.replySourceDiscriminator[row] as number;
  const second = columns.replyDestinationDiscriminator[row] as number;
  writeDiscriminators(writer, columns.protocol[row] as number, first, second);
  if (((columns.has[row] as number) & Has.replyZone) !== 0) {
    writer.u16(Nested.TUPLE_ZONE, columns.replyZone[row] as number);
  }
  writer.endNest(nest);
}

function writeAddresses(
  writer: MessageWriter,
  columns: FlowColumns,
  row: number,
  source: Uint32Array,
  destination: Uint32Array,
): void {
  const from = row * ADDRESS_WORDS;
  const nest = writer.beginNest(Nested.TUPLE_IP);
  if (columns.family[row] === 4) {
    writer.words(Nested.IP_V4_SRC, source, from, 1);
    writer.words(Nested.IP_V4_DST, destination, from, 1);
  } else {
    writer.words(Nested.IP_V6_SRC, source, from, ADDRESS_WORDS);
    writer.words(Nested.IP_V6_DST, destination, from, ADDRESS_WORDS);
  }
  writer.endNest(nest);
}

function writeDiscriminators(writer: MessageWriter, protocol: number, first: number, second: number): void {
  const nest = writer.beginNest(Nested.TUPLE_PROTO);
  writer.u8(Nested.PROTO_NUM, protocol);
  switch (discriminatorOf(protocol)) {
    case "ports":
    case "keys":
      writer.u16(Nested.PROTO_SRC_PORT, first);
      writer.u16(Nested.PROTO_DST_PORT, second);
      break;
    case "icmp": {
      const shift = protocol === ICMPV6 ? Nested.PROTO_ICMPV6_ID - Nested.PROTO_ICMP_ID : 0;
      writer.u16(Nested.PROTO_ICMP_ID + shift, first);
      writer.u8(Nested.PROTO_ICMP_TYPE + shift, second >> 8);
      writer.u8(Nested.PROTO_ICMP_CODE + shift, second & 255);
      break;
    }
    case "none":
      break;
  }
  writer.endNest(nest);
}

function writeZone(writer: MessageWriter, columns: FlowColumns, row: number): void {
  if (((columns.has[row] as number) & Has.zone) !== 0) {
    writer.u16(Attribute.ZONE, columns.zone[row] as number);
  }
}

function writeChanges(writer: MessageWriter, columns: FlowColumns, row: number, has: number): void {
  if (has & Has.timeout) writer.u32(Attribute.TIMEOUT, columns.timeoutSeconds[row] as number);
  if (has & Has.status) writer.u32(Attribute.STATUS, columns.status[row] as number);
  if (has & Has.mark) writer.u32(Attribute.MARK, columns.mark[row] as number);
  if (has & Has.state) writeState(writer, columns.protocol[row] as number, columns, row);
  const labels = (has & Has.rare) === 0 ? undefined : columns.rare.get(row)?.labels;
  if (labels !== undefined) {
    writer.attribute(Attribute.LABELS, labels);
    writer.attribute(Attribute.LABELS_MASK, new Uint8Array(labels.length).fill(0xff));
  }
}

const TCP_STATE = 1;
const TCP_SCALE_ORIGINAL = 2;
const TCP_SCALE_REPLY = 3;
const TCP_FLAGS_ORIGINAL = 4;
const TCP_FLAGS_REPLY = 5;
const SCTP_VTAG_ORIGINAL = 2;
const SCTP_VTAG_REPLY = 3;
const DCCP_ROLE = 2;
const DCCP_HANDSHAKE = 3;

function writeState(writer: MessageWriter, protocol: number, columns: FlowColumns, row: number): void {
  const nest = writer.beginNest(Attribute.PROTOINFO);
  const state = columns.state[row] as number;
  if (protocol === TCP) writeTcp(writer, state, columns, row);
  if (protocol === SCTP) {
    const inner = writer.beginNest(Nested.PROTOINFO_SCTP);
    writer.u8(1, state);
    // The kernel wants both tags with the state, zero or not.
    const known = ((columns.has[row] as number) & Has.vtags) !== 0;
    writer.u32(SCTP_VTAG_ORIGINAL, known ? (columns.originalVtag[row] as number) : 0);
    writer.u32(SCTP_VTAG_REPLY, known ? (columns.replyVtag[row] as number) : 0);
    writer.endNest(inner);
  }
  if (protocol === DCCP) {
    const inner = writer.beginNest(Nested.PROTOINFO_DCCP);
    const given = columns.rare.get(row)?.dccp;
    writer.u8(1, state);
    writer.u8(DCCP_ROLE, given?.role ?? 0);
    if (given !== undefined) writer.u64(DCCP_HANDSHAKE, given.handshake);
    writer.endNest(inner);
  }
  writer.endNest(nest);
}

function writeTcp(writer: MessageWriter, state: number, columns: FlowColumns, row: number): void {
  const inner = writer.beginNest(Nested.PROTOINFO_TCP);
  writer.u8(TCP_STATE, state);
  if (((columns.has[row] as number) & Has.tcpInfo) !== 0) {
    const info = columns.tcpInfo[row] as number;
    writer.u8(TCP_SCALE_ORIGINAL, info >>> 24);
    writer.u8(TCP_SCALE_REPLY, (info >>> 16) & 255);
    // Each pair is the flags and the mask of those to set: all.
    writer.attribute(TCP_FLAGS_ORIGINAL, Uint8Array.of((info >>> 8) & 255, 255));
    writer.attribute(TCP_FLAGS_REPLY, Uint8Array.of(info & 255, 255));
  }
  writer.endNest(inner);
}
