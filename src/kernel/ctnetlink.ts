/**
 * What ctnetlink is made of: message types, headers, and every attribute of a flow with its width and
 * place, as one table. The decoder finds its way by this table and the wire printer takes its names from
 * it.
 *
 * Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h of 2.6.14 to 7.3; the kernel's names are
 * beside ours with CTA_ left out. Integers are in network order but for the nfgenmsg header's family and
 * version (bytes).
 *
 * History: ZONE 2.6.34 (in tuples 4.4), SCTP 2.6.28, DCCP 2.6.26 to 6.15, SECMARK 2.6.18 to 2.6.36 then
 * SECCTX, TIMESTAMP 2.6.39, LABELS 3.9, SYNPROXY 4.18, FILTER 5.8, STATUS_MASK 5.15, TIMESTAMP_EVENT 6.14;
 * 32-bit counters up to 2.6.26.
 */

/** Subsystems of nfnetlink: the upper byte of a message type. */
export const SUBSYSTEM_FLOWS = 1;
export const SUBSYSTEM_EXPECTATIONS = 2;

/** IPCTNL_MSG_CT_*: the lower byte. */
export const FlowMessage = {
  NEW: 0,
  GET: 1,
  DELETE: 2,
  GET_CTRZERO: 3,
  GET_STATS_CPU: 4,
  GET_STATS: 5,
  GET_DYING: 6,
  GET_UNCONFIRMED: 7,
} as const;

/** IPCTNL_MSG_EXP_*. */
export const ExpectationMessage = { NEW: 0, GET: 1, DELETE: 2, GET_STATS_CPU: 3 } as const;

/** The type of a message: subsystem and operation. */
export function messageType(subsystem: number, operation: number): number {
  return (subsystem << 8) | operation;
}

/** struct nfgenmsg: 0 family u8, 1 version u8, 2 resource id be16. */
export const FAMILY_HEADER_BYTES = 4;

/** AF_INET and AF_INET6, as nfgenmsg has them. */
export const AF_INET = 2;
export const AF_INET6 = 10;

/** The kernel's number of an address family; 0 stands for all. */
export function kernelFamily(family: 4 | 6 | undefined): number {
  if (family === undefined) return 0;
  return family === 4 ? AF_INET : AF_INET6;
}

/** How a value is written: a width in network order, or what it is. */
export type ValueKind =
  | "u8"
  | "u16"
  | "u32"
  | "u64"
  | "address4"
  | "address6"
  /** A pair of bytes: flags and the mask of those that count. */
  | "flags"
  /** Up to 16 bytes of bits. */
  | "labels"
  | "text"
  /** Private to a helper or padding; not looked into. */
  | "opaque";

const bytesByKind: Readonly<Record<ValueKind, { least: number; most: number }>> = {
  u8: { least: 1, most: 1 },
  u16: { least: 2, most: 2 },
  u32: { least: 4, most: 4 },
  u64: { least: 8, most: 8 },
  address4: { least: 4, most: 4 },
  address6: { least: 16, most: 16 },
  flags: { least: 2, most: 2 },
  labels: { least: 1, most: 16 },
  text: { least: 1, most: 4096 },
  opaque: { least: 0, most: 65_535 },
};

/** Whether a value of `length` bytes can be of this kind. */
export function fitsKind(kind: ValueKind, length: number): boolean {
  const { least, most } = bytesByKind[kind];
  return length >= least && length <= most;
}

/** Which part of a flow an attribute is; the decoder keeps the place of each. Absent: known, but not kept. */
export type TupleField =
  | "source"
  | "destination"
  | "source6"
  | "destination6"
  | "protocol"
  | "sourcePort"
  | "destinationPort"
  | "icmpId"
  | "icmpType"
  | "icmpCode"
  | "zone";

export type FlowField =
  | "status"
  | "timeout"
  | "mark"
  | "use"
  | "id"
  | "zone"
  | "secmark"
  | "state"
  | "originalScale"
  | "replyScale"
  | "originalFlags"
  | "replyFlags"
  | "originalVtag"
  | "replyVtag"
  | "dccpRole"
  | "dccpHandshake"
  | "originalPackets"
  | "originalBytes"
  | "replyPackets"
  | "replyBytes"
  | "originalPackets32"
  | "originalBytes32"
  | "replyPackets32"
  | "replyBytes32"
  | "startedAt"
  | "stoppedAt"
  | "helper"
  | "labels"
  | "securityContext";

/** The three tuples a flow can have. */
export type TupleName = "original" | "reply" | "master";

export interface AttributeSpec {
  /** The kernel's name without its prefix. */
  name: string;
  /** How its value is written; absent when it holds attributes. */
  kind?: ValueKind;
  level?: Level;
  /** Of a level inside of a tuple: the field of the tuple it is. */
  tupleField?: TupleField;
  field?: FlowField;
  /** Of an attribute that holds a tuple: which. */
  tuple?: TupleName;
}

/** Attributes by number; a gap is a number no kernel has used. */
export type Level = readonly (AttributeSpec | undefined)[];

const value = (name: string, kind: ValueKind, field?: FlowField): AttributeSpec =>
  field === undefined ? { name, kind } : { name, kind, field };
const inTuple = (name: string, kind: ValueKind, tupleField: TupleField): AttributeSpec => ({
  name,
  kind,
  tupleField,
});
const nest = (name: string, level: Level): AttributeSpec => ({ name, level });

const tupleIp: Level = [
  undefined,
  inTuple("IP_V4_SRC", "address4", "source"),
  inTuple("IP_V4_DST", "address4", "destination"),
  inTuple("IP_V6_SRC", "address6", "source6"),
  inTuple("IP_V6_DST", "address6", "destination6"),
];

/** GRE keeps its keys where others have ports. */
const tupleProtocol: Level = [
  undefined,
  inTuple("PROTO_NUM", "u8", "protocol"),
  inTuple("PROTO_SRC_PORT", "u16", "sourcePort"),
  inTuple("PROTO_DST_PORT", "u16", "destinationPort"),
  inTuple("PROTO_ICMP_ID", "u16", "icmpId"),
  inTuple("PROTO_ICMP_TYPE", "u8", "icmpType"),
  inTuple("PROTO_ICMP_CODE", "u8", "icmpCode"),
  inTuple("PROTO_ICMPV6_ID", "u16", "icmpId"),
  inTuple("PROTO_ICMPV6_TYPE", "u8", "icmpType"),
  inTuple("PROTO_ICMPV6_CODE", "u8", "icmpCode"),
];

const tuple: Level = [
  undefined,
  nest("TUPLE_IP", tupleIp),
  nest("TUPLE_PROTO", tupleProtocol),
  inTuple("TUPLE_ZONE", "u16", "zone"),
];

const tcp: Level = [
  undefined,
  value("PROTOINFO_TCP_STATE", "u8", "state"),
  value("PROTOINFO_TCP_WSCALE_ORIGINAL", "u8", "originalScale"),
  value("PROTOINFO_TCP_WSCALE_REPLY", "u8", "replyScale"),
  value("PROTOINFO_TCP_FLAGS_ORIGINAL", "flags", "originalFlags"),
  value("PROTOINFO_TCP_FLAGS_REPLY", "flags", "replyFlags"),
];

const dccp: Level = [
  undefined,
  value("PROTOINFO_DCCP_STATE", "u8", "state"),
  value("PROTOINFO_DCCP_ROLE", "u8", "dccpRole"),
  value("PROTOINFO_DCCP_HANDSHAKE_SEQ", "u64", "dccpHandshake"),
  value("PROTOINFO_DCCP_PAD", "opaque"),
];

const sctp: Level = [
  undefined,
  value("PROTOINFO_SCTP_STATE", "u8", "state"),
  value("PROTOINFO_SCTP_VTAG_ORIGINAL", "u32", "originalVtag"),
  value("PROTOINFO_SCTP_VTAG_REPLY", "u32", "replyVtag"),
];

const protoinfo: Level = [
  undefined,
  nest("PROTOINFO_TCP", tcp),
  nest("PROTOINFO_DCCP", dccp),
  nest("PROTOINFO_SCTP", sctp),
];

const originalCounters: Level = [
  undefined,
  value("COUNTERS_PACKETS", "u64", "originalPackets"),
  value("COUNTERS_BYTES", "u64", "originalBytes"),
  value("COUNTERS32_PACKETS", "u32", "originalPackets32"),
  value("COUNTERS32_BYTES", "u32", "originalBytes32"),
  value("COUNTERS_PAD", "opaque"),
];

const replyCounters: Level = [
  undefined,
  value("COUNTERS_PACKETS", "u64", "replyPackets"),
  value("COUNTERS_BYTES", "u64", "replyBytes"),
  value("COUNTERS32_PACKETS", "u32", "replyPackets32"),
  value("COUNTERS32_BYTES", "u32", "replyBytes32"),
  value("COUNTERS_PAD", "opaque"),
];

const help: Level = [undefined, value("HELP_NAME", "text", "helper"), value("HELP_INFO", "opaque")];
const securityContext: Level = [undefined, value("SECCTX_NAME", "text", "securityContext")];

/** Nanoseconds since 1970, wall clock. */
const timestamp: Level = [
  undefined,
  value("TIMESTAMP_START", "u64", "startedAt"),
  value("TIMESTAMP_STOP", "u64", "stoppedAt"),
  value("TIMESTAMP_PAD", "opaque"),
];

const sequenceAdjustment: Level = [
  undefined,
  value("SEQADJ_CORRECTION_POS", "u32"),
  value("SEQADJ_OFFSET_BEFORE", "u32"),
  value("SEQADJ_OFFSET_AFTER", "u32"),
];

const protocolNat: Level = [undefined, value("PROTONAT_PORT_MIN", "u16"), value("PROTONAT_PORT_MAX", "u16")];

const nat: Level = [
  undefined,
  value("NAT_V4_MINIP", "address4"),
  value("NAT_V4_MAXIP", "address4"),
  nest("NAT_PROTO", protocolNat),
  value("NAT_V6_MINIP", "address6"),
  value("NAT_V6_MAXIP", "address6"),
];

const synproxy: Level = [
  undefined,
  value("SYNPROXY_ISN", "u32"),
  value("SYNPROXY_ITS", "u32"),
  value("SYNPROXY_TSOFF", "u32"),
];

/** These two are in the order of the machine. */
const filter: Level = [
  undefined,
  value("FILTER_ORIG_FLAGS", "opaque"),
  value("FILTER_REPLY_FLAGS", "opaque"),
];

/** enum ctattr_type: the attributes of a flow. */
export const flowLevel: Level = [
  undefined,
  { name: "TUPLE_ORIG", level: tuple, tuple: "original" },
  { name: "TUPLE_REPLY", level: tuple, tuple: "reply" },
  value("STATUS", "u32", "status"),
  nest("PROTOINFO", protoinfo),
  nest("HELP", help),
  nest("NAT_SRC", nat),
  value("TIMEOUT", "u32", "timeout"),
  value("MARK", "u32", "mark"),
  nest("COUNTERS_ORIG", originalCounters),
  nest("COUNTERS_REPLY", replyCounters),
  value("USE", "u32", "use"),
  // Its bytes are a machine-order hash; read as network order they give the number conntrack(8) prints.
  value("ID", "u32", "id"),
  nest("NAT_DST", nat),
  { name: "TUPLE_MASTER", level: tuple, tuple: "master" },
  nest("SEQ_ADJ_ORIG", sequenceAdjustment),
  nest("SEQ_ADJ_REPLY", sequenceAdjustment),
  value("SECMARK", "u32", "secmark"),
  value("ZONE", "u16", "zone"),
  nest("SECCTX", securityContext),
  nest("TIMESTAMP", timestamp),
  value("MARK_MASK", "u32"),
  value("LABELS", "labels", "labels"),
  value("LABELS_MASK", "labels"),
  nest("SYNPROXY", synproxy),
  nest("FILTER", filter),
  value("STATUS_MASK", "u32"),
  value("TIMESTAMP_EVENT", "u64"),
];

/** Numbers of the attributes that requests are written with; the table above says what they are. */
export const Attribute = {
  TUPLE_ORIG: 1,
  TUPLE_REPLY: 2,
  STATUS: 3,
  PROTOINFO: 4,
  HELP: 5,
  NAT_SRC: 6,
  TIMEOUT: 7,
  MARK: 8,
  USE: 11,
  ID: 12,
  NAT_DST: 13,
  TUPLE_MASTER: 14,
  ZONE: 18,
  MARK_MASK: 21,
  LABELS: 22,
  LABELS_MASK: 23,
  STATUS_MASK: 26,
} as const;

/** CTA_TUPLE_*, CTA_IP_*, CTA_PROTO_*, CTA_PROTOINFO_*, CTA_NAT_* that requests are written with. */
export const Nested = {
  TUPLE_IP: 1,
  TUPLE_PROTO: 2,
  TUPLE_ZONE: 3,
  IP_V4_SRC: 1,
  IP_V4_DST: 2,
  IP_V6_SRC: 3,
  IP_V6_DST: 4,
  PROTO_NUM: 1,
  PROTO_SRC_PORT: 2,
  PROTO_DST_PORT: 3,
  PROTO_ICMP_ID: 4,
  PROTO_ICMP_TYPE: 5,
  PROTO_ICMP_CODE: 6,
  PROTO_ICMPV6_ID: 7,
  PROTO_ICMPV6_TYPE: 8,
  PROTO_ICMPV6_CODE: 9,
  PROTOINFO_TCP: 1,
  PROTOINFO_DCCP: 2,
  PROTOINFO_SCTP: 3,
  HELP_NAME: 1,
} as const;
