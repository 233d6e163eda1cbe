/**
 * What is compared of a flow, whoever tells it: tuples, state, status, time left, and what the protocol
 * keeps. As text it is one line, so that a difference can be read and a recorded answer kept.
 */
import { type Address, formatAddress } from "../../../src/table/address.ts";
import type { Flow, Tuple } from "../../../src/table/flow.ts";
import { protocolName } from "../../../src/table/protocol.ts";
import { Status, statusNames } from "../../../src/table/status.ts";

export interface FlowFacts {
  /** Protocol and both tuples: what makes it this flow. */
  key: string;
  /** Absent for protocols without states. */
  state?: string;
  /** Names joined by `+`, CONFIRMED left out, which all have; `-` for none. */
  status: string;
  timeoutSeconds: number;
  /** TCP's flags and window scales, SCTP's tags: original/reply. */
  more: Readonly<Record<string, string>>;
}

/** What an address is called. */
export type AddressName = (address: Address) => string;

export function factsOf(flow: Flow, nameOf: AddressName = formatAddress): FlowFacts {
  const status = statusNames((flow.status ?? 0) & ~Status.CONFIRMED).join("+");
  const reply = flow.reply === undefined ? "?" : tupleText(flow.reply, nameOf);
  const facts: FlowFacts = {
    key: `${protocolName(flow.protocol)} ${tupleText(flow.original, nameOf)} ${reply}`,
    status: status === "" ? "-" : status,
    timeoutSeconds: flow.timeoutSeconds ?? Number.NaN,
    more: moreOf(flow),
  };
  if (flow.state !== undefined) facts.state = flow.state;
  return facts;
}

function tupleText(tuple: Tuple, nameOf: AddressName): string {
  const [source, destination] = [nameOf(tuple.source), nameOf(tuple.destination)];
  switch (tuple.kind) {
    case "ports":
      return `${source}:${tuple.sourcePort}>${destination}:${tuple.destinationPort}`;
    case "icmp":
      return `${source}>${destination}/${tuple.type}.${tuple.code}.${tuple.id}`;
    case "keys":
      return `${source}:${tuple.sourceKey}>${destination}:${tuple.destinationKey}`;
    case "none":
      return `${source}>${destination}`;
  }
}

function moreOf(flow: Flow): Record<string, string> {
  const more: Record<string, string> = {};
  const { tcpInfo, vtags, originalTraffic, replyTraffic, rare } = flow;
  if (tcpInfo !== undefined) {
    more["flags"] = `${tcpInfo.originalFlags.toString(16)}/${tcpInfo.replyFlags.toString(16)}`;
    more["scale"] = `${tcpInfo.originalScale}/${tcpInfo.replyScale}`;
  }
  if (vtags !== undefined) more["tags"] = `${vtags.original}/${vtags.reply}`;
  if (originalTraffic !== undefined) more["packets"] = `${originalTraffic.packets}/${replyTraffic?.packets}`;
  if (originalTraffic !== undefined) more["bytes"] = `${originalTraffic.bytes}/${replyTraffic?.bytes}`;
  if (rare?.helper !== undefined) more["helper"] = rare.helper;
  return more;
}

/** One line without `;` and without spaces at its ends. */
export function printFacts(facts: FlowFacts): string {
  const more = Object.entries(facts.more).map(([name, value]) => `${name}=${value}`);
  return [facts.key, facts.state ?? "-", facts.timeoutSeconds, facts.status, ...more].join(" ");
}

export function parseFacts(text: string): FlowFacts {
  const [protocol, original, reply, state = "-", timeout, status = "-", ...more] = text.trim().split(" ");
  const facts: FlowFacts = {
    key: `${protocol} ${original} ${reply}`,
    status,
    timeoutSeconds: Number(timeout),
    more: Object.fromEntries(more.map((word) => word.split("=") as [string, string])),
  };
  if (state !== "-") facts.state = state;
  return facts;
}

/** Seconds by which the time left may differ: both are rounded down, at instants a little apart. */
const TIMEOUT_TOLERANCE_SECONDS = 1;

/**
 * Differences between the flows of the kernel and of the model, one line each. What only one of them tells
 * (flags, tags) is not compared. `apartSeconds`: how much longer packets of the one may have been gone than
 * those of the other.
 */
export function differences(
  kernel: readonly FlowFacts[],
  model: readonly FlowFacts[],
  apartSeconds = 0,
): string[] {
  const tolerance = TIMEOUT_TOLERANCE_SECONDS + apartSeconds;
  const found: string[] = [];
  const left = new Map(model.map((facts) => [facts.key, facts]));
  for (const facts of kernel) {
    const other = left.get(facts.key);
    left.delete(facts.key);
    if (other === undefined) {
      // It may have ended between the two readings.
      if (facts.timeoutSeconds > 0) found.push(`only the kernel has ${printFacts(facts)}`);
    } else if (!alike(facts, other, tolerance)) {
      found.push(`kernel ${printFacts(facts)} | model ${printFacts(other)}`);
    }
  }
  for (const facts of left.values()) {
    if (facts.timeoutSeconds > 0) found.push(`only the model has ${printFacts(facts)}`);
  }
  return found;
}

function alike(one: FlowFacts, other: FlowFacts, tolerance: number): boolean {
  if (one.state !== other.state || one.status !== other.status) return false;
  if (!(Math.abs(one.timeoutSeconds - other.timeoutSeconds) <= tolerance)) return false;
  return Object.entries(one.more).every(([name, value]) => (other.more[name] ?? value) === value);
}
