/**
 * One flow as a value: made only for what is shown (list, a filter's result, a test). A table is never held
 * as these: a million of them is a quarter of a gigabyte; the hot path stays in FlowColumns.
 */
import { type Address, addressFromWords, ADDRESS_WORDS } from "./address.ts";
import { type FlowColumns, Has, type Rare } from "./columns.ts";
import { discriminatorOf } from "./protocol.ts";
import { stateName } from "./state.ts";

/** One direction of a flow. */
export type Tuple =
  | {
      kind: "ports";
      protocol: number;
      source: Address;
      destination: Address;
      sourcePort: number;
      destinationPort: number;
    }
  | {
      kind: "icmp";
      protocol: number;
      source: Address;
      destination: Address;
      type: number;
      code: number;
      id: number;
    }
  | {
      kind: "keys";
      protocol: number;
      source: Address;
      destination: Address;
      sourceKey: number;
      destinationKey: number;
    }
  | { kind: "none"; protocol: number; source: Address; destination: Address };

/** Packets and bytes (IP total length) of one direction. */
export interface Traffic {
  packets: number;
  bytes: number;
}

export interface Flow {
  family: 4 | 6;
  protocol: number;
  original: Tuple;
  reply?: Tuple;
  /** The kernel's name of the state. */
  state?: string;
  timeoutSeconds?: number;
  /** Status bits, and which of them the source can tell. */
  status?: number;
  knownStatus: number;
  originalTraffic?: Traffic;
  replyTraffic?: Traffic;
  mark?: number;
  secmark?: number;
  zone?: number;
  originalZone?: number;
  replyZone?: number;
  use?: number;
  id?: number;
  startedAtMs?: number;
  stoppedAtMs?: number;
  ageSeconds?: number;
  vtags?: { original: number; reply: number };
  tcpInfo?: { originalScale: number; replyScale: number; originalFlags: number; replyFlags: number };
  greTimeouts?: { timeoutSeconds: number; streamTimeoutSeconds: number };
  rare?: Rare;
}

/** Copies row `row` of a batch into a Flow of its own. */
export function flowAt(columns: FlowColumns, row: number): Flow {
  const has = columns.has[row] as number;
  const family = columns.family[row] === 4 ? 4 : 6;
  const protocol = columns.protocol[row] as number;
  const flow: Flow = {
    family,
    protocol,
    original: originalTupleAt(columns, row),
    knownStatus: columns.knownStatus,
  };
  if (has & Has.reply) flow.reply = replyTupleAt(columns, row);
  if (has & Has.state) flow.state = stateName(protocol, columns.state[row] as number);
  copyNumbers(flow, columns, row, has);
  copyProtocolParts(flow, columns, row, has);
  if (has & Has.rare) {
    const rare = columns.rare.get(row);
    if (rare !== undefined) flow.rare = rare;
  }
  return flow;
}

/** The original direction of a row. */
export function originalTupleAt(columns: FlowColumns, row: number): Tuple {
  const source = addressAt(columns, columns.originalSource, row);
  const destination = addressAt(columns, columns.originalDestination, row);
  const protocol = columns.protocol[row] as number;
  if ((columns.has[row] as number) & Has.bare) return { kind: "none", protocol, source, destination };
  return tupleOf(
    protocol,
    source,
    destination,
    columns.originalSourceDiscriminator[row] as number,
    columns.originalDestinationDiscriminator[row] as number,
  );
}

/** The reply direction of a row. */
export function replyTupleAt(columns: FlowColumns, row: number): Tuple {
  const source = addressAt(columns, columns.replySource, row);
  const destination = addressAt(columns, columns.replyDestination, row);
  const protocol = columns.protocol[row] as number;
  if ((columns.has[row] as number) & Has.bare) return { kind: "none", protocol, source, destination };
  return tupleOf(
    protocol,
    source,
    destination,
    columns.replySourceDiscriminator[row] as number,
    columns.replyDestinationDiscriminator[row] as number,
  );
}

function addressAt(columns: FlowColumns, words: Uint32Array, row: number): Address {
  return addressFromWords(words, row * ADDRESS_WORDS, columns.family[row] as number);
}

/** Makes a Tuple from the kernel's union of discriminators (see columns.ts). */
export function tupleOf(
  protocol: number,
  source: Address,
  destination: Address,
  first: number,
  second: number,
): Tuple {
  const base = { protocol, source, destination };
  switch (discriminatorOf(protocol)) {
    case "ports":
      return { kind: "ports", ...base, sourcePort: first, destinationPort: second };
    case "icmp":
      return { kind: "icmp", ...base, type: second >> 8, code: second & 255, id: first };
    case "keys":
      return { kind: "keys", ...base, sourceKey: first, destinationKey: second };
    case "none":
      return { kind: "none", ...base };
  }
}

function copyNumbers(flow: Flow, columns: FlowColumns, row: number, has: number): void {
  if (has & Has.timeout) flow.timeoutSeconds = columns.timeoutSeconds[row] as number;
  if (has & Has.status) flow.status = columns.status[row] as number;
  if (has & Has.originalCounters) {
    flow.originalTraffic = {
      packets: columns.originalPackets[row] as number,
      bytes: columns.originalBytes[row] as number,
    };
  }
  if (has & Has.replyCounters) {
    flow.replyTraffic = {
      packets: columns.replyPackets[row] as number,
      bytes: columns.replyBytes[row] as number,
    };
  }
  if (has & Has.mark) flow.mark = columns.mark[row] as number;
  if (has & Has.secmark) flow.secmark = columns.secmark[row] as number;
  if (has & Has.zone) flow.zone = columns.zone[row] as number;
  if (has & Has.originalZone) flow.originalZone = columns.originalZone[row] as number;
  if (has & Has.replyZone) flow.replyZone = columns.replyZone[row] as number;
  if (has & Has.use) flow.use = columns.use[row] as number;
  if (has & Has.id) flow.id = columns.id[row] as number;
  if (has & Has.startedAt) flow.startedAtMs = columns.startedAtMs[row] as number;
  if (has & Has.stoppedAt) flow.stoppedAtMs = columns.stoppedAtMs[row] as number;
  if (has & Has.age) flow.ageSeconds = columns.ageSeconds[row] as number;
}

function copyProtocolParts(flow: Flow, columns: FlowColumns, row: number, has: number): void {
  if (has & Has.vtags) {
    flow.vtags = { original: columns.originalVtag[row] as number, reply: columns.replyVtag[row] as number };
  }
  if (has & Has.tcpInfo) {
    const info = columns.tcpInfo[row] as number;
    flow.tcpInfo = {
      originalScale: info >>> 24,
      replyScale: (info >>> 16) & 255,
      originalFlags: (info >>> 8) & 255,
      replyFlags: info & 255,
    };
  }
  if (has & Has.greTimeouts) {
    flow.greTimeouts = {
      timeoutSeconds: columns.greTimeoutSeconds[row] as number,
      streamTimeoutSeconds: columns.greStreamTimeoutSeconds[row] as number,
    };
  }
}
