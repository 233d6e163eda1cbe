/**
 * Whose flows these are, counted by name. A local flow belongs to the process that holds its socket (its
 * container or unit is the better name), a forwarded one to the namespace that has one of its addresses.
 */
import type { Census } from "../census/census.ts";
import type { Owners, SocketOwner } from "../kernel/kernel.ts";
import type { Address } from "../table/address.ts";
import { type FlowColumns, Has } from "../table/columns.ts";
import { originalTupleAt, replyTupleAt, type Tuple } from "../table/flow.ts";
import type { NamespaceFacts } from "../table/host.ts";
import type { Row } from "./state-rows.ts";

const IPV6_LOOPBACK = `${"\0".repeat(15)}\u0001`;

const NO_SOCKET = "this host, socket closed or not visible";
const NO_PORTS = "this host, protocol without ports";
const FORWARDED = "forwarded, address of no namespace here";

export class OwnerTally {
  #lookup: Owners;
  readonly #flows = new Map<string, number>();

  constructor(lookup: Owners) {
    this.#lookup = lookup;
  }

  /** From now on flows are of another network namespace, which has its own sockets and addresses. */
  enter(lookup: Owners): void {
    this.#lookup = lookup;
  }

  /** Counts every row of a batch. */
  add(columns: FlowColumns): void {
    for (let row = 0; row < columns.count; row += 1) {
      const answered = ((columns.has[row] as number) & Has.reply) !== 0;
      const name = this.#nameOf(
        originalTupleAt(columns, row),
        answered ? replyTupleAt(columns, row) : undefined,
      );
      this.#flows.set(name, (this.#flows.get(name) ?? 0) + 1);
    }
  }

  /** Owners, most flows first, scaled as the census is. */
  rows(census: Census): Row[] {
    const rows = Array.from(this.#flows, ([label, flows]) => scaled(label, flows, census));
    return rows.toSorted((left, right) => right.flows - left.flows);
  }

  /** Loopback is always here; the lookup knows the addresses of interfaces. */
  #isLocal(address: Address): boolean {
    return isLoopback(address) || this.#lookup.isLocal(address);
  }

  #nameOf(original: Tuple, reply: Tuple | undefined): string {
    const lookup = this.#lookup;
    const translated = reply === undefined ? [] : [reply.source, reply.destination];
    const ends = [original.source, original.destination, ...translated];
    const namespace = ends
      .filter((address) => !this.#isLocal(address))
      .map((address) => lookup.namespaceOfAddress(address))
      .find((found) => found !== undefined);
    // The opener of a flow made it; the listener is named where the opener is not here.
    const local = [original.source, original.destination].filter((address) => this.#isLocal(address));
    if (local.length === 0) return namespace === undefined ? FORWARDED : namespaceLabel(namespace);
    if (original.kind !== "ports") return NO_PORTS;
    const source = { address: original.source, port: original.sourcePort };
    const destination = { address: original.destination, port: original.destinationPort };
    const { protocol } = original;
    const opener = this.#isLocal(source.address)
      ? lookup.ownerOfLocalFlow(protocol, source.address, source.port, destination)
      : undefined;
    const listener = this.#isLocal(destination.address)
      ? lookup.ownerOfLocalFlow(protocol, destination.address, destination.port, source)
      : undefined;
    const owner = opener ?? listener;
    if (owner !== undefined) return processLabel(owner);
    return namespace === undefined ? NO_SOCKET : namespaceLabel(namespace);
  }
}

/** 127.0.0.0/8 and ::1. */
function isLoopback(address: Address): boolean {
  return address.length === 4 ? address.startsWith("\u007f") : address === IPV6_LOOPBACK;
}

function processLabel({ command, unit, container }: SocketOwner): string {
  const where = container ?? unit;
  return where === undefined ? command : `${command} (${where})`;
}

function namespaceLabel({ name, owner, inode, initial }: NamespaceFacts): string {
  if (initial) return "initial namespace";
  const text = name ?? owner ?? (inode === undefined ? "without a name" : `inode ${inode}`);
  return `namespace ${text}${name === undefined || owner === undefined ? "" : ` (${owner})`}`;
}

/**
 * As the census scales its counts: a share of what was read, with the binomial error and the finite table in
 * mind.
 */
function scaled(label: string, flows: number, census: Census): Row {
  const { flowsRead, sampled } = census;
  if (sampled === undefined || flowsRead === 0) return { label, flows };
  const share = flows / flowsRead;
  const whole = sampled.ofFlows;
  const left = Math.max(0, 1 - flowsRead / Math.max(1, whole));
  const error = whole * Math.sqrt((share * (1 - share) * left) / flowsRead);
  return { label, flows: Math.round(share * whole), standardErrorFlows: Math.round(error) };
}
