/**
 * What a filter can ask about: the fields with their other names, and how the values of each kind are read
 * and written.
 */
import { formatPrefix, type Prefix } from "./address.ts";
import { parsePrefix } from "./address-text.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { DCCP, protocolName, protocolNumber, SCTP, TCP } from "./protocol.ts";
import { DccpState, SctpState, stateNumber, TcpState } from "./state.ts";
import { Status } from "./status.ts";

/** What the values of a field are. */
export type FieldKind =
  | "address"
  | "port"
  | "number"
  | "seconds"
  | "size"
  | "mark"
  | "protocol"
  | "family"
  | "state"
  | "status"
  | "nat"
  | "helper";

/** The fields, each with its kind and the other names people know it by (tcpdump's, conntrack's). */
export const filterFields = {
  protocol: { kind: "protocol", aliases: ["proto", "l4proto"] },
  family: { kind: "family", aliases: ["l3proto"] },
  state: { kind: "state", aliases: ["tcp-state"] },
  status: { kind: "status", aliases: [] },
  source: { kind: "address", aliases: ["src", "original-source", "orig-src", "saddr"] },
  destination: { kind: "address", aliases: ["dst", "original-destination", "orig-dst", "daddr"] },
  "reply-source": { kind: "address", aliases: ["reply-src"] },
  "reply-destination": { kind: "address", aliases: ["reply-dst"] },
  address: { kind: "address", aliases: ["addr", "host", "net", "ip"] },
  "source-port": { kind: "port", aliases: ["sport", "src-port", "original-source-port"] },
  "destination-port": { kind: "port", aliases: ["dport", "dst-port", "original-destination-port"] },
  "reply-source-port": { kind: "port", aliases: ["reply-sport", "reply-src-port"] },
  "reply-destination-port": { kind: "port", aliases: ["reply-dport", "reply-dst-port"] },
  port: { kind: "port", aliases: [] },
  "icmp-type": { kind: "number", aliases: [] },
  "icmp-code": { kind: "number", aliases: [] },
  "icmp-id": { kind: "number", aliases: [] },
  "source-key": { kind: "number", aliases: ["srckey"] },
  "destination-key": { kind: "number", aliases: ["dstkey"] },
  zone: { kind: "number", aliases: [] },
  "original-zone": { kind: "number", aliases: ["zone-orig", "orig-zone"] },
  "reply-zone": { kind: "number", aliases: ["zone-reply"] },
  mark: { kind: "mark", aliases: ["ctmark"] },
  nat: { kind: "nat", aliases: [] },
  idle: { kind: "seconds", aliases: ["idle-seconds", "silent"] },
  remaining: { kind: "seconds", aliases: ["timeout", "expires", "left"] },
  age: { kind: "seconds", aliases: ["delta-time"] },
  bytes: { kind: "size", aliases: [] },
  "original-bytes": { kind: "size", aliases: ["orig-bytes"] },
  "reply-bytes": { kind: "size", aliases: [] },
  packets: { kind: "size", aliases: ["pkts"] },
  "original-packets": { kind: "size", aliases: ["orig-packets"] },
  "reply-packets": { kind: "size", aliases: [] },
  helper: { kind: "helper", aliases: [] },
  id: { kind: "number", aliases: [] },
  use: { kind: "number", aliases: [] },
} as const satisfies Record<string, { kind: FieldKind; aliases: readonly string[] }>;

export type FilterField = keyof typeof filterFields;

/** A value as the filter means it. */
export type FilterValue =
  /** Whole numbers (seconds, bytes, ports, protocol numbers ...) from ... to, both included. */
  | { kind: "range"; from: number; to: number }
  | { kind: "prefix"; prefix: Prefix }
  | { kind: "masked"; value: number; mask: number }
  | { kind: "name"; name: string };

const fieldByName = new Map<string, FilterField>(
  Object.entries(filterFields).flatMap(([name, { aliases }]) =>
    [name, ...aliases].map((alias): [string, FilterField] => [alias, name as FilterField]),
  ),
);

/** The field with this name or alias, in any case; undefined when there is none. */
export function filterFieldNamed(name: string): FilterField | undefined {
  return fieldByName.get(name.toLowerCase());
}

/** Every name and alias of a field. */
export function filterFieldNames(): string[] {
  return [...fieldByName.keys()];
}

/** Kinds with an order: `<` and its like make sense, and so does `from-to`. */
export function isOrdered(kind: FieldKind): boolean {
  return kind === "port" || kind === "number" || kind === "seconds" || kind === "size";
}

const STATE_PROTOCOLS = [TCP, SCTP, DCCP];

const stateNames = [...new Set([TcpState, SctpState, DccpState].flatMap((states) => Object.keys(states)))];

/** `unreplied` is what the text form calls a flow without SEEN_REPLY. */
const statusNames = [
  ...Object.keys(Status).map((name) => name.toLowerCase().replaceAll("_", "-")),
  "unreplied",
];

export const NAT_VALUES = ["none", "source", "destination", "both", "any"] as const;

const natAliases: Readonly<Record<string, string>> = {
  snat: "source",
  dnat: "destination",
  src: "source",
  dst: "destination",
};

const FAMILIES: Readonly<Record<string, string>> = {
  ipv4: "ipv4",
  ipv6: "ipv6",
  "4": "ipv4",
  "6": "ipv6",
  inet: "ipv4",
  inet6: "ipv6",
};

/** What a value of this kind looks like, for messages. */
export const valueForms: Readonly<Record<FieldKind, string>> = {
  address: "an address or a prefix such as 10.0.0.0/8 or 2001:db8::1",
  port: "a port from 0 to 65535 or a range such as 8000-8999",
  number: "a number or a range such as 1-9",
  seconds: "a duration such as 90s, 12h or 1d12h",
  size: "a number such as 900, 10k, 5M or 1Gi",
  mark: "a mark such as 5, 0x10 or 0x10/0xff",
  protocol: "a protocol such as tcp, udp, icmp or a number up to 255",
  family: "ipv4 or ipv6",
  state: "a state such as ESTABLISHED or TIME_WAIT",
  status: "a status such as assured, unreplied or offload",
  nat: "none, source, destination, both or any",
  helper: "the name of a helper such as ftp",
};

/** Words of a kind, for "did you mean"; none for numbers and addresses. */
export function valueWords(kind: FieldKind): readonly string[] {
  switch (kind) {
    case "state":
      return stateNames;
    case "status":
      return statusNames;
    case "nat":
      return NAT_VALUES;
    case "family":
      return ["ipv4", "ipv6"];
    case "protocol":
      return ["tcp", "udp", "icmp", "icmpv6", "sctp", "dccp", "gre", "udplite"];
    default:
      return [];
  }
}

/** Reads a value; undefined when `text` is not one of this kind. */
export function parseFilterValue(kind: FieldKind, text: string): FilterValue | undefined {
  switch (kind) {
    case "address": {
      const prefix = parsePrefix(text);
      return prefix === undefined ? undefined : { kind: "prefix", prefix };
    }
    case "protocol":
      return rangeOf(protocolNumber(text));
    case "mark":
      return parseMark(text);
    case "helper":
      return text === "" ? undefined : { kind: "name", name: text };
    case "state":
      return nameOf(parseState(text));
    case "status":
      return nameOf(parseStatus(text));
    case "family":
      return nameOf(Object.hasOwn(FAMILIES, text.toLowerCase()) ? FAMILIES[text.toLowerCase()] : undefined);
    case "nat":
      return nameOf(parseNat(text.toLowerCase()));
    default:
      return parseRange(kind, text);
  }
}

function nameOf(name: string | undefined): FilterValue | undefined {
  return name === undefined ? undefined : { kind: "name", name };
}

function rangeOf(from: number | undefined, to: number | undefined = from): FilterValue | undefined {
  return from === undefined || to === undefined || from > to ? undefined : { kind: "range", from, to };
}

function parseState(text: string): string | undefined {
  const name = text.toUpperCase().replaceAll("-", "_");
  if (name === "LISTEN") return "SYN_SENT2";
  return STATE_PROTOCOLS.some((protocol) => stateNumber(protocol, name) !== undefined) ? name : undefined;
}

function parseStatus(text: string): string | undefined {
  const name = text.toLowerCase().replaceAll("_", "-");
  if (name === "replied") return "seen-reply";
  return statusNames.includes(name) ? name : undefined;
}

function parseNat(text: string): string | undefined {
  const name = Object.hasOwn(natAliases, text) ? natAliases[text] : text;
  return NAT_VALUES.find((known) => known === name);
}

function parseMark(text: string): FilterValue | undefined {
  const [valueText = "", maskText, ...rest] = text.split("/");
  const value = parseWord(valueText);
  const mask = maskText === undefined ? 0xffff_ffff : parseWord(maskText);
  if (value === undefined || mask === undefined || rest.length > 0) return undefined;
  return { kind: "masked", value: (value & mask) >>> 0, mask };
}

/** A word of 32 bits, decimal or hexadecimal. */
function parseWord(text: string): number | undefined {
  const value = parseNumber(text);
  return value === undefined || value > 0xffff_ffff ? undefined : value;
}

function parseRange(kind: FieldKind, text: string): FilterValue | undefined {
  const ends = text.split("-").map((part) => parseAmount(kind, part));
  const [from, to = from] = ends;
  return ends.length > 2 || ends.includes(undefined) ? undefined : rangeOf(from, to);
}

function parseAmount(kind: FieldKind, text: string): number | undefined {
  switch (kind) {
    case "seconds":
      return parseDuration(text.toLowerCase());
    case "size":
      return parseSize(text);
    case "port": {
      const port = parseNumber(text);
      return port === undefined || port > 65_535 ? undefined : port;
    }
    default:
      return parseNumber(text);
  }
}

function parseNumber(text: string): number | undefined {
  if (!/^(\d+|0x[\da-f]+)$/i.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

const sizeUnits = ["", "k", "m", "g", "t"];

/** `10k` is 10,000, `10Ki` is 10,240; `1.5M` and a trailing B are taken too. */
function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)(i?)b?$/i.exec(text);
  if (match === null || (match[3] !== "" && match[2] === "")) return undefined;
  const [, amount = "", unit = "", binary = ""] = match;
  const size = Number(amount) * (binary === "" ? 1000 : 1024) ** sizeUnits.indexOf(unit.toLowerCase());
  return Number.isSafeInteger(size) ? size : undefined;
}

/** Writes a value so that parseFilterValue reads it back. */
export function formatFilterValue(kind: FieldKind, value: FilterValue): string {
  switch (value.kind) {
    case "prefix":
      return formatPrefix(value.prefix);
    case "name":
      return kind === "helper" ? formatText(value.name) : value.name;
    case "masked": {
      const mark = `0x${value.value.toString(16)}`;
      return value.mask === 0xffff_ffff ? mark : `${mark}/0x${value.mask.toString(16)}`;
    }
    case "range": {
      const from = formatAmount(kind, value.from);
      return value.from === value.to ? from : `${from}-${formatAmount(kind, value.to)}`;
    }
  }
}

function formatAmount(kind: FieldKind, amount: number): string {
  if (kind === "protocol") return protocolName(amount);
  return kind === "seconds" ? formatDuration(amount) : String(amount);
}

function formatText(text: string): string {
  return /^[\w.:/-]+$/.test(text) ? text : `"${text}"`;
}
