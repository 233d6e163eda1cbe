/**
 * Netlink datagrams as lines for people: every message sent and received, attribute by attribute with the
 * kernel's names. Behind a debug switch, and in the messages of failing tests. What it cannot name it
 * prints as numbers and bytes; it never refuses.
 */
import { addressFromBytes, formatAddress } from "../table/address.ts";
import { statusNames } from "../table/status.ts";
import {
  AF_INET,
  AF_INET6,
  type AttributeSpec,
  FAMILY_HEADER_BYTES,
  fitsKind,
  FlowMessage,
  flowLevel,
  type Level,
  SUBSYSTEM_EXPECTATIONS,
  SUBSYSTEM_FLOWS,
  type ValueKind,
} from "./ctnetlink.ts";
import { errnoName } from "./error.ts";
import {
  acknowledgementOf,
  attributesOf,
  Flag,
  type Message,
  messagesOf,
  MessageType,
  textOf,
} from "./netlink.ts";
import type { WireSink } from "./netlink-socket.ts";

/** Bytes of an unknown value shown at most. */
const SHOWN_BYTES_MAX = 32;

/** A sink that writes every datagram as lines: what is sent begins with `>`, what comes with `<`. */
export function wireLines(write: (line: string) => void): WireSink {
  return (direction, datagram) => {
    const mark = direction === "sent" ? ">" : "<";
    for (const line of describeDatagram(datagram)) write(`${mark} ${line}`);
  };
}

/** A line per message and per attribute, indented as they nest. */
export function describeDatagram(datagram: Uint8Array): string[] {
  const { messages, leftBytes } = messagesOf(datagram);
  const lines = messages.flatMap(describeMessage);
  if (leftBytes > 0) lines.push(`${leftBytes} bytes that are no message`);
  return lines;
}

function describeMessage(message: Message): string[] {
  const { type, flags, sequence, port, body } = message;
  const head = `${nameOfType(type)} flags=${flagNames(message).join("|") || "0"} (0x${flags.toString(16)})`;
  const first = `${head} sequence=${sequence} port=${port} body=${body.length}`;
  if (type === MessageType.ERROR || type === MessageType.DONE) return [first, ...describeOutcome(message)];
  const subsystem = type >> 8;
  if (subsystem !== SUBSYSTEM_FLOWS && subsystem !== SUBSYSTEM_EXPECTATIONS) {
    return body.length === 0 ? [first] : [first, `  ${hex(body)}`];
  }
  if (body.length < FAMILY_HEADER_BYTES) return [first, `  ${hex(body)} (no family header)`];
  const [family = 0, version = 0, high = 0, low = 0] = body;
  const header = `  family=${familyName(family)} version=${version} resource=${(high << 8) | low}`;
  return [first, header, ...describeAttributes(body, FAMILY_HEADER_BYTES, levelOf(type, flags), "  ")];
}

function describeOutcome(message: Message): string[] {
  if (message.type === MessageType.ERROR && message.body.length < 4) return [`  ${hex(message.body)} (cut)`];
  if (message.body.length > 0 && message.body.length < 4) return [`  ${hex(message.body)} (cut)`];
  const { errno, text, offsetBytes } = acknowledgementOf(message);
  const lines = [errno === 0 ? "  success" : `  error ${errno} ${errnoName(errno)}`];
  if (text !== undefined) lines.push(`  "${text}"`);
  if (offsetBytes !== undefined) lines.push(`  at byte ${offsetBytes} of the request`);
  return lines;
}

function describeAttributes(bytes: Uint8Array, start: number, level: Level, indent: string): string[] {
  const { attributes, leftBytes } = attributesOf(bytes, start);
  const lines: string[] = [];
  for (const { type, nested, value } of attributes) {
    const spec = level[type];
    if (spec?.level !== undefined) {
      lines.push(`${indent}${spec.name}`, ...describeAttributes(value, 0, spec.level, `${indent}  `));
    } else if (spec !== undefined) {
      lines.push(`${indent}${spec.name} ${describeValue(spec, value)}`);
    } else {
      lines.push(`${indent}${type}${nested ? " (nested)" : ""} ${value.length} bytes ${hex(value)}`);
    }
  }
  if (leftBytes > 0) lines.push(`${indent}${leftBytes} bytes that are no attribute`);
  return lines;
}

function describeValue(spec: AttributeSpec, value: Uint8Array): string {
  const kind = spec.kind ?? "opaque";
  if (!fitsKind(kind, value.length)) return `${hex(value)} (${value.length} bytes, not a ${kind})`;
  const text = formatValue(kind, value);
  return spec.field === "status" ? `${text} ${statusNames(Number(text)).join(" ")}`.trimEnd() : text;
}

function formatValue(kind: ValueKind, value: Uint8Array): string {
  switch (kind) {
    case "u8":
    case "u16":
    case "u32":
    case "u64":
      return String(value.reduce((number, byte) => number * 256n + BigInt(byte), 0n));
    case "address4":
    case "address6":
      return formatAddress(addressFromBytes(value));
    case "flags":
      return `0x${value.toHex().slice(0, 2)} mask 0x${value.toHex().slice(2)}`;
    case "text":
      return JSON.stringify(textOf(value));
    case "labels":
    case "opaque":
      return hex(value);
  }
}

function hex(bytes: Uint8Array): string {
  const shown = bytes
    .subarray(0, SHOWN_BYTES_MAX)
    .toHex()
    .replaceAll(/(..)(?=.)/g, "$1 ");
  return bytes.length > SHOWN_BYTES_MAX ? `${shown} ... (${bytes.length} bytes)` : shown;
}

function familyName(family: number): string {
  switch (family) {
    case 0:
      return "all";
    case AF_INET:
      return "ipv4";
    case AF_INET6:
      return "ipv6";
    default:
      return String(family);
  }
}

const sharedTypes = new Map<number, string>(
  Object.entries(MessageType).map(([name, type]) => [type, name] as const),
);
const flowOperations = Object.keys(FlowMessage);
const expectationOperations = ["NEW", "GET", "DELETE", "GET_STATS_CPU"];

function nameOfType(type: number): string {
  if (type < MessageType.FIRST_OF_FAMILY) return sharedTypes.get(type) ?? `type ${type}`;
  const operation = type & 0xff;
  switch (type >> 8) {
    case SUBSYSTEM_FLOWS:
      return `CT ${flowOperations[operation] ?? operation}`;
    case SUBSYSTEM_EXPECTATIONS:
      return `EXP ${expectationOperations[operation] ?? operation}`;
    default:
      return `type ${type}`;
  }
}

/** The flags by name, of which the upper byte depends on what the message is. */
function flagNames(message: Message): string[] {
  const { type, flags } = message;
  const known: [number, string][] = [
    [Flag.REQUEST, "REQUEST"],
    [Flag.MULTI, "MULTI"],
    [Flag.ACK, "ACK"],
    [Flag.DUMP_INTR, "DUMP_INTR"],
    [Flag.DUMP_FILTERED, "DUMP_FILTERED"],
  ];
  if (type < MessageType.FIRST_OF_FAMILY) known.push([Flag.CAPPED, "CAPPED"], [Flag.ACK_TLVS, "ACK_TLVS"]);
  else if ((type & 0xff) === FlowMessage.NEW) {
    known.push([Flag.REPLACE, "REPLACE"], [Flag.EXCL, "EXCL"], [Flag.CREATE, "CREATE"]);
  } else known.push([Flag.DUMP, "DUMP"]);
  return known.filter(([bits]) => (flags & bits) === bits).map(([, name]) => name);
}

const counter = (name: string): AttributeSpec => ({ name, kind: "u32" });

/** enum ctattr_stats_cpu, of subsystem 1 operation 4. */
const flowStatsLevel: Level = [
  undefined,
  ...["SEARCHED", "FOUND", "NEW", "INVALID", "IGNORE", "DELETE", "DELETE_LIST", "INSERT"].map(counter),
  ...["INSERT_FAILED", "DROP", "EARLY_DROP", "ERROR", "SEARCH_RESTART"].map(counter),
  ...["CLASH_RESOLVE", "CHAIN_TOOLONG"].map(counter),
];
const globalStatsLevel: Level = [undefined, ...["GLOBAL_ENTRIES", "GLOBAL_MAX_ENTRIES"].map(counter)];
const expectationStatsLevel: Level = [undefined, ...["EXP_NEW", "EXP_CREATE", "EXP_DELETE"].map(counter)];

function levelOf(type: number, flags: number): Level {
  const operation = type & 0xff;
  if (type >> 8 === SUBSYSTEM_EXPECTATIONS) return [];
  // The kernel answers GET_STATS_CPU of expectations with the type of a flow's GET_CTRZERO, which it never
  // answers with.
  if (operation === FlowMessage.GET_CTRZERO && (flags & Flag.MULTI) !== 0) return expectationStatsLevel;
  if (operation === FlowMessage.GET_STATS_CPU) return flowStatsLevel;
  return operation === FlowMessage.GET_STATS ? globalStatsLevel : flowLevel;
}
