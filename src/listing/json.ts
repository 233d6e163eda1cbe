/**
 * A flow as the object that `list --json` prints. Names are fixed: camelCase, the unit last. What is absent
 * is left out.
 */
import { addressFromWords, formatAddress } from "../table/address.ts";
import type { Rare } from "../table/columns.ts";
import { type Flow, type Traffic, type Tuple, tupleOf } from "../table/flow.ts";
import { protocolName } from "../table/protocol.ts";
import { Status, statusNames } from "../table/status.ts";

/** One direction. */
export interface TupleJson {
  source: string;
  destination: string;
  sourcePort?: number;
  destinationPort?: number;
  type?: number;
  code?: number;
  id?: number;
  sourceKey?: number;
  destinationKey?: number;
  packets?: number;
  bytes?: number;
  zone?: number;
  /** SCTP. */
  verificationTag?: number;
  /** TCP; the flags are the tracker's (enum ip_ct_tcp flags), not those of a packet. */
  windowScale?: number;
  tcpFlags?: number;
}

export interface FlowJson {
  /** The kernel's name, or the number as text where it has none. */
  protocol: string;
  protocolNumber: number;
  state?: string;
  timeoutSeconds?: number;
  original: TupleJson;
  reply?: TupleJson;
  /** Names of status bits, and `unreplied` where the lack of an answer is known. */
  status: string[];
  mark?: number;
  zone?: number;
  use?: number;
  id?: number;
  idleSeconds?: number;
  ageSeconds?: number;
  startedAtMs?: number;
  stoppedAtMs?: number;
  helper?: string;
  /** Names where the source gave names, else numbers of bits. */
  labels?: (string | number)[];
  secmark?: number;
  securityContext?: string;
  greTimeoutSeconds?: number;
  greStreamTimeoutSeconds?: number;
  /** The flow that made this one expected: its original direction. */
  master?: TupleJson & { protocol: string; protocolNumber: number };
  /** DCCP. */
  dccp?: { role: number; handshake: number };
  event?: "new" | "update" | "destroy";
  eventAtMs?: number;
  unknownWords?: readonly string[];
}

/** What is known of a flow from outside of it. */
export interface FlowExtra {
  /** Seconds without a packet, from the timeout that applies (census). */
  idleSeconds?: number;
}

/** Makes the object of a flow. */
export function flowToJson(flow: Flow, extra: FlowExtra = {}): FlowJson {
  const { rare = {} } = flow;
  return present<FlowJson>({
    protocol: protocolName(flow.protocol),
    protocolNumber: flow.protocol,
    state: flow.state,
    timeoutSeconds: flow.timeoutSeconds,
    original: originalOf(flow),
    reply: flow.reply === undefined ? undefined : replyOf(flow, flow.reply),
    status: flowStatus(flow),
    mark: flow.mark,
    zone: flow.zone,
    use: flow.use,
    id: flow.id,
    idleSeconds: extra.idleSeconds,
    ageSeconds: flow.ageSeconds,
    startedAtMs: flow.startedAtMs,
    stoppedAtMs: flow.stoppedAtMs,
    helper: rare.helper,
    labels: flowLabels(rare),
    secmark: flow.secmark,
    securityContext: rare.securityContext,
    greTimeoutSeconds: flow.greTimeouts?.timeoutSeconds,
    greStreamTimeoutSeconds: flow.greTimeouts?.streamTimeoutSeconds,
    master: masterOf(rare),
    dccp: rare.dccp,
    event: rare.eventKind,
    eventAtMs: rare.eventAtMs,
    unknownWords: rare.unknownWords,
  });
}

/** Names of the status bits that are set and can be told, and `unreplied`. */
export function flowStatus(flow: Flow): string[] {
  if (flow.status === undefined) return [];
  const names = statusNames(flow.status & flow.knownStatus);
  const isUnreplied = (flow.knownStatus & ~flow.status & Status.SEEN_REPLY) !== 0;
  return isUnreplied ? [...names, "unreplied"] : names;
}

/**
 * Labels by name, or by number: bit N of the bitmap is bit N%8 of byte N/8 (as little-endian kernels send
 * it).
 */
export function flowLabels(rare: Rare): (string | number)[] | undefined {
  if (rare.labelNames !== undefined) return [...rare.labelNames];
  const { labels } = rare;
  if (labels === undefined) return undefined;
  const numbers = Array.from({ length: labels.length * 8 }, (_, bit) => bit);
  return numbers.filter((bit) => (((labels[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1);
}

function originalOf(flow: Flow): TupleJson {
  return present<TupleJson>({
    ...tupleToJson(flow.original),
    ...trafficToJson(flow.originalTraffic),
    zone: flow.originalZone,
    verificationTag: flow.vtags?.original,
    windowScale: flow.tcpInfo?.originalScale,
    tcpFlags: flow.tcpInfo?.originalFlags,
  });
}

function replyOf(flow: Flow, reply: Tuple): TupleJson {
  return present<TupleJson>({
    ...tupleToJson(reply),
    ...trafficToJson(flow.replyTraffic),
    zone: flow.replyZone,
    verificationTag: flow.vtags?.reply,
    windowScale: flow.tcpInfo?.replyScale,
    tcpFlags: flow.tcpInfo?.replyFlags,
  });
}

function tupleToJson(tuple: Tuple): TupleJson {
  const source = formatAddress(tuple.source);
  const destination = formatAddress(tuple.destination);
  switch (tuple.kind) {
    case "ports":
      return { source, destination, sourcePort: tuple.sourcePort, destinationPort: tuple.destinationPort };
    case "icmp":
      return { source, destination, type: tuple.type, code: tuple.code, id: tuple.id };
    case "keys":
      return { source, destination, sourceKey: tuple.sourceKey, destinationKey: tuple.destinationKey };
    case "none":
      return { source, destination };
  }
}

function trafficToJson(traffic: Traffic | undefined): Partial<Traffic> {
  return traffic === undefined ? {} : { packets: traffic.packets, bytes: traffic.bytes };
}

/** The flow that made this one expected. */
export function masterOf({ master }: Rare): FlowJson["master"] {
  if (master === undefined) return undefined;
  const { family, protocol, source, destination } = master;
  const tuple = tupleOf(
    protocol,
    addressFromWords(source, 0, family),
    addressFromWords(destination, 0, family),
    master.sourceDiscriminator,
    master.destinationDiscriminator,
  );
  return { protocol: protocolName(protocol), protocolNumber: protocol, ...tupleToJson(tuple) };
}

/**
 * The object without its undefined members: absent is absent. A loop, because a listing makes three a flow.
 */
function present<Whole extends object>(fields: { [Name in keyof Whole]: Whole[Name] | undefined }): Whole {
  const kept: Partial<Whole> = {};
  for (const name in fields) {
    const value = fields[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept as Whole;
}
