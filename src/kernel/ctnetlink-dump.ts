/**
 * Reading flows over netlink: a whole table, its first part as a sample, what is dying, or one flow by
 * its tuple.
 *
 * A dump walks the kernel's hash bucket by bucket. The hash is keyed at random, so the beginning of a
 * dump is a random sample of the table; a reading that wants no more closes its socket. The kernel
 * locks nothing for longer than a bucket: flows may come and go meanwhile, and when the kernel notices
 * that the walk itself was disturbed it says so (`interrupted` among the oddities).
 *
 * Asking makes the kernel load nf_conntrack_netlink where it is a module, and with it the tracker. Who
 * only looks asks only where the tracker is there already.
 */
import { availableParallelism } from "node:os";
import { assert } from "../base/assert.ts";
import { FlowColumns, Has } from "../table/columns.ts";
import { type Flow, flowAt, type Tuple } from "../table/flow.ts";
import type { Oddities } from "../table/oddities.ts";
import type { FlowReading } from "../table/source.ts";
import { ALL_STATUS } from "../table/status.ts";
import { FAMILY_HEADER_BYTES, FlowMessage } from "./ctnetlink.ts";
import { FlowDecoder } from "./ctnetlink-decode.ts";
import { type DumpFilter, rowOfTuple, writeDump, writeGet } from "./ctnetlink-encode.ts";
import { netlinkOccupancy } from "./ctnetlink-stats.ts";
import { KernelError } from "./error.ts";
import { MESSAGE_HEADER_BYTES, MessageWriter } from "./netlink.ts";
import { type AheadRing, receiveAhead } from "./netlink-ahead.ts";
import {
  Exchange,
  NETLINK_NETFILTER,
  type NetlinkSocket,
  openKernelSocket,
  openNetlink,
  type Purpose,
  RECEIVE_BUFFER_BYTES,
  type WireSink,
} from "./netlink-socket.ts";

/** No datagram holds more messages of flows than this: each has at least its two headers. */
const ROWS_PER_DATAGRAM_MAX = Math.floor(RECEIVE_BUFFER_BYTES / (MESSAGE_HEADER_BYTES + FAMILY_HEADER_BYTES));

/** See `openForDump`. */
const AHEAD_FROM_FLOWS = 200_000;

export interface NetlinkReadOptions extends DumpFilter {
  /** Stop after about this many flows: a random sample, and an incomplete reading. */
  sampleFlows?: number;
  /** Read flows that were deleted but are still held by somebody (GET_DYING) instead of the table. */
  dying?: boolean;
  /** Watches every datagram. */
  sink?: WireSink;
  /** Tables of so many flows are received by a thread of their own; 200,000 when absent. */
  aheadFromFlows?: number;
  /** Milliseconds since this process began: lets the reading tell how old a batch is. */
  elapsedMs?: () => number;
  /** How much is received ahead; twenty milliseconds' worth when absent. */
  ring?: AheadRing;
  /** For tests: the socket to use instead of the kernel's. It is closed in the end. */
  socket?: NetlinkSocket;
}

export interface NetlinkReading extends FlowReading {
  /** Unknown attributes by name, as `TUPLE_ORIG/TUPLE_PROTO/12`, and how often they came. */
  readonly unknownAttributes: ReadonlyMap<string, number>;
  /** All batches, once. Leaving the loop early closes the socket. */
  batches(): Iterable<FlowColumns>;
  /** Releases the socket of a reading that is not read to its end. */
  close(): void;
}

/**
 * Begins to read the table of the namespace this thread is in. The request is sent and its first answer
 * fetched before this returns, so what is refused is refused here: KernelError `not-permitted`
 * (CAP_NET_ADMIN is needed), `module-missing`, `unsupported`, `no-ffi`; procfs may then do. Read its
 * batches or close it.
 *
 * A filter holds for every row that comes, whatever this kernel makes of it.
 */
export function netlinkFlows(options: NetlinkReadOptions = {}): NetlinkReading {
  const socket = options.socket ?? openForDump(options);
  try {
    return new DumpReading(socket, options);
  } catch (cause) {
    socket.close();
    throw cause;
  }
}

/**
 * A socket that is received from ahead where that pays: all of a large table, and a second processor. Its
 * thread takes as long to come up as the kernel to give some 30,000 flows.
 */
function openForDump(options: NetlinkReadOptions): NetlinkSocket {
  const { sampleFlows, sink, dying, aheadFromFlows = AHEAD_FROM_FLOWS } = options;
  const whole = sampleFlows === undefined && sink === undefined && dying !== true;
  if (!whole || availableParallelism() < 2) return openNetlink(NETLINK_NETFILTER, sink);
  const socket = openKernelSocket(NETLINK_NETFILTER);
  return occupancyOrNone() >= aheadFromFlows ? receiveAhead(socket, options.ring) : socket;
}

/** Flows of the table, as far as the kernel tells; 0 when it does not, and the dump will say why. */
function occupancyOrNone(): number {
  try {
    return netlinkOccupancy()?.occupancyFlows ?? 0;
  } catch (cause) {
    if (cause instanceof KernelError) return 0;
    throw cause;
  }
}

class DumpReading implements NetlinkReading {
  readonly source = "netlink";
  readonly origin: string;
  readonly oddities: Oddities = {};
  readonly #socket: NetlinkSocket;
  readonly #exchange: Exchange;
  readonly #decoder: FlowDecoder;
  readonly #keep: RowTest | undefined;
  readonly #sampleFlows: number;
  readonly #columns: FlowColumns;
  #begun = false;
  #complete = false;
  /** When the present batch and the next one were made, at the earliest, where this thread receives. */
  #madeMs: number;
  #nextMadeMs: number;
  readonly #elapsedMs: (() => number) | undefined;

  constructor(socket: NetlinkSocket, options: NetlinkReadOptions) {
    this.origin = options.dying === true ? "ctnetlink (dying flows)" : "ctnetlink";
    this.#socket = socket;
    this.#keep = rowTestOf(options);
    this.#sampleFlows = options.sampleFlows ?? Infinity;
    this.#elapsedMs = options.elapsedMs;
    this.#madeMs = this.#nextMadeMs = options.elapsedMs?.() ?? 0;
    this.#decoder = new FlowDecoder(this.oddities);
    const operation = options.dying === true ? FlowMessage.GET_DYING : FlowMessage.GET;
    const writer = new MessageWriter();
    writeDump(writer, operation, 1, options);
    this.#exchange = new Exchange(socket, writer.bytes(), 1, readingPurpose, { oddities: this.oddities });
    this.#columns = new FlowColumns(ROWS_PER_DATAGRAM_MAX, ALL_STATUS);
    this.#decodeDatagram();
  }

  get unknownAttributes(): ReadonlyMap<string, number> {
    return this.#decoder.unknown;
  }

  get complete(): boolean {
    return this.#complete;
  }

  ageMs(): number {
    if (this.#elapsedMs === undefined) return Infinity;
    return this.#elapsedMs() - (this.#socket.madeMs ?? this.#madeMs);
  }

  close(): void {
    this.#socket.close();
  }

  *batches(): Generator<FlowColumns, void, undefined> {
    assert(!this.#begun, "A dump is read once");
    this.#begun = true;
    try {
      yield* this.#read();
    } finally {
      this.#socket.close();
    }
  }

  /** A batch is what one datagram holds: small enough to stay in the nearest cache until it is folded. */
  *#read(): Generator<FlowColumns, void, undefined> {
    const exchange = this.#exchange;
    const columns = this.#columns;
    for (let flows = 0; ; this.#decodeDatagram()) {
      flows += columns.count;
      const done = exchange.state === "done";
      if (done) this.#complete = exchange.whole;
      if (columns.count > 0) yield columns;
      if (done || flows >= this.#sampleFlows) return;
    }
  }

  #decodeDatagram(): void {
    const exchange = this.#exchange;
    const columns = this.#columns;
    const keep = this.#keep;
    // The kernel makes the next datagram while it hands out this one.
    this.#madeMs = this.#nextMadeMs;
    this.#nextMadeMs = this.#elapsedMs?.() ?? 0;
    exchange.receive();
    columns.clear();
    if (keep === undefined) this.#decoder.decode(exchange, columns);
    else while (this.#decoder.decode(exchange, columns, 1) > 0) dropUnwanted(columns, keep);
  }
}

/* ---- Filters, again in user space ---- */

type RowTest = (columns: FlowColumns, row: number) => boolean;

function dropUnwanted(columns: FlowColumns, keep: RowTest): void {
  const row = columns.count - 1;
  if (row < 0 || keep(columns, row)) return;
  columns.count = row;
  columns.rare.delete(row);
}

/** Whether a row is wanted; undefined when every row is. */
function rowTestOf(filter: DumpFilter): RowTest | undefined {
  const { family, mark, status, zone } = filter;
  const tests: RowTest[] = [];
  if (family !== undefined) tests.push((columns, row) => columns.family[row] === family);
  if (mark !== undefined) {
    tests.push((columns, row) => (((columns.mark[row] as number) ^ mark.value) & mark.mask) === 0);
  }
  if (status !== undefined) {
    tests.push((columns, row) => (((columns.status[row] as number) ^ status.value) & status.mask) === 0);
  }
  if (zone !== undefined) tests.push((columns, row) => isOfZone(columns, row, zone));
  return tests.length === 0 ? undefined : (columns, row) => tests.every((test) => test(columns, row));
}

/** A flow without a zone is of zone 0; one with a zone in one direction only is of that zone. */
function isOfZone(columns: FlowColumns, row: number, zone: number): boolean {
  const has = columns.has[row] as number;
  if (has & Has.zone) return columns.zone[row] === zone;
  if (has & Has.originalZone) return columns.originalZone[row] === zone;
  if (has & Has.replyZone) return columns.replyZone[row] === zone;
  return zone === 0;
}

/* ---- One flow, and counts ---- */

/** The flow with this original (or reply) tuple, or undefined when there is none. Throws KernelError. */
export function netlinkFlow(tuple: Tuple, options: FlowQuery = {}): Flow | undefined {
  const socket = options.socket ?? openNetlink(NETLINK_NETFILTER, options.sink);
  try {
    const writer = new MessageWriter();
    writeGet(writer, 1, rowOfTuple(tuple, options.zone), 0);
    const columns = new FlowColumns(1, ALL_STATUS);
    const exchange = new Exchange(socket, writer.bytes(), 1, readingPurpose);
    const decoder = new FlowDecoder(exchange.oddities);
    let flow: Flow | undefined;
    while (exchange.state === "running") {
      exchange.receive();
      while (decoder.decode(exchange, columns, 1) > 0) {
        if (columns.count > 0) flow = flowAt(columns, 0);
        columns.clear();
      }
    }
    return flow;
  } catch (cause) {
    if (cause instanceof KernelError && cause.code === "not-found") return undefined;
    throw cause;
  } finally {
    socket.close();
  }
}

export interface FlowQuery {
  zone?: number;
  sink?: WireSink;
  socket?: NetlinkSocket;
}

/** Flows that were deleted but are still held: they count against the limit and no listing shows them. */
export function netlinkDyingFlows(options: { sink?: WireSink; socket?: NetlinkSocket } = {}): number {
  let flows = 0;
  for (const columns of netlinkFlows({ ...options, dying: true }).batches()) flows += columns.count;
  return flows;
}

/** What reading flows is called in errors, and what helps. */
const readingPurpose: Purpose = {
  tried: "read the connection-tracking table over netlink",
  // What nfnetlink says when nobody has registered for flows.
  codeOf: (errnoName) => (errnoName === "EINVAL" ? "module-missing" : undefined),
  help: (errnoName) => {
    switch (errnoName) {
      case "EPERM":
      case "EACCES":
        return "run as root or with CAP_NET_ADMIN";
      case "EINVAL":
        return "this kernel has no ctnetlink; `modprobe nf_conntrack_netlink` loads it where there is one";
      case "EOPNOTSUPP":
        return "this kernel does not know the request";
      case "ENOMEM":
      case "ENOBUFS":
        return "the kernel is short of memory; try again";
      default:
        return undefined;
    }
  },
};
