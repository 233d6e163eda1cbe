/**
 * Flow events as they happen, over ctnetlink's groups: NEW, UPDATE, DESTROY (kernel: nf_conntrack_netlink.c,
 * measured on 6.18).
 *
 * The kernel sends one datagram an event and queues what fits the socket's buffer; what does not fit is lost.
 * Loss is told, never thrown: `losses` counts the times, `lostEvents` the events, which the kernel counts for
 * us. What was lost came after everything that was queued when the loss was noticed.
 *
 * Reading never blocks the caller for longer than it asks for, and nothing is allocated per event: a batch is
 * the same columns again and again.
 *
 * Listening is seen by the kernel: with nf_conntrack_events=2 (the default since 5.19) flows made while
 * somebody listens get the room that events need, and only those ever have events of their own.
 */
import { FlowColumns } from "../table/columns.ts";
import type { EventKindName, FlowEventBatch } from "../table/flow-event.ts";
import { countOddity, type Oddities } from "../table/oddities.ts";
import { ALL_STATUS } from "../table/status.ts";
import { FlowDecoder, type MessageCursor } from "./ctnetlink-decode.ts";
import { errnoError, errnoName } from "./error.ts";
import { assertShare, isOfShare, shareProgram } from "./event-filter.ts";
import * as ffi from "./ffi.ts";
import { eventKindOf } from "./flow-event-kind.ts";
import { align, MESSAGE_HEADER_BYTES } from "./netlink.ts";
import { type KernelSocket, NETLINK_NETFILTER, openKernelSocket, ReceiveBuffer } from "./netlink-socket.ts";

export interface FlowEventOptions {
  /** What to listen to; all when absent. Fewer kinds are fewer events to lose. */
  kinds?: readonly EventKindName[];
  /** Of the socket's buffer; 32 MiB when absent. It takes memory only while events wait in it. */
  bufferBytes?: number;
  /** Events of a batch at most; 1024 when absent. */
  batchEvents?: number;
  /** Only the events of one flow of so many, a power of two up to 2^20: chosen by the kernel. All: 1. */
  oneOf?: number;
}

/** Which flows have events, as far as nf_conntrack_events tells. */
export type EventCoverage =
  /** All, while somebody listens (1). */
  | "all"
  /** Those made while somebody listens; older ones stay silent for life, also when they end (2). */
  | "new-flows"
  /** None (0). */
  | "none"
  | "unknown";

/** Events of one network namespace. Close it in a `finally`. */
export interface FlowEvents {
  readonly coverage: EventCoverage;
  /** Bytes the socket's buffer holds: fewer than asked for where only the host's root may have more. */
  readonly bufferBytes: number;
  /** Times events were lost because they were not read in time. */
  readonly losses: number;
  /** Events lost so far, of the kinds listened to; undefined where the kernel counts none (before 4.12). */
  readonly lostEvents: number | undefined;
  readonly oddities: Readonly<Oddities>;
  /**
   * One flow of so many has its events here: all of one flow or none (event-filter.ts). An event whose flow
   * has no id (`Has.id`) is here whatever the share is.
   */
  readonly oneOf: number;
  /**
   * Another share from now on; the flows of a smaller share are among those of a larger one. Events that wait
   * already may still be of the old share: `follows` tells. Throws KernelError when the kernel refuses.
   */
  setOneOf(oneOf: number): void;
  /** Whether the flow of this id (`columns.id`) is of the present share. */
  follows(id: number): boolean;
  /**
   * The events that have come, at most a batch; undefined when none came within `waitMs`. With 0 it never
   * waits, which is what a caller with an event loop asks between its own turns. The batch is good until the
   * next call. Throws KernelError when the kernel refuses for another reason than loss.
   */
  read(waitMs: number): FlowEventBatch | undefined;
  /**
   * One datagram as the kernel sent it, undecoded, to the beginning of `into`: for whoever keeps events as
   * they are. Gives its bytes, 0 when none is waiting. What does not fit is cut and counted as an oddity.
   * Throws as `read` does.
   */
  receive(into: Uint8Array): number;
  /** Stops listening. Reading afterwards gives undefined. */
  close(): void;
}

/** NFNLGRP_CONNTRACK_*. */
const GROUPS: Readonly<Record<EventKindName, number>> = { new: 1, update: 2, destroy: 3 };
const ALL_KINDS: readonly EventKindName[] = ["new", "update", "destroy"];
const NETLINK_ADD_MEMBERSHIP = 1;

/** See FlowEventOptions. */
export const DEFAULT_EVENT_BUFFER_BYTES = 32 * 1024 * 1024;
const DEFAULT_BATCH_EVENTS = 1024;
/** struct sk_meminfo as SO_MEMINFO gives it: words, the ninth of which counts drops (4.12 and newer). */
const MEMINFO_WORDS = 9;
const MEMINFO_DROPS = 8;
const TRIED = "listen to flow events";

/**
 * Listens in the network namespace this thread is in, from now on and until closed, wherever the thread goes.
 * `eventsSetting` is nf_conntrack_events there; `closed` is called when it is closed. Throws KernelError
 * `not-permitted` (CAP_NET_ADMIN is needed), `module-missing`, `no-ffi`. Asking makes the kernel load
 * nf_conntrack_netlink where it is a module.
 */
export function listenToFlows(
  options: FlowEventOptions = {},
  eventsSetting?: number,
  closed: () => void = () => {},
): FlowEvents {
  const socket = openKernelSocket(NETLINK_NETFILTER);
  try {
    return new KernelEvents(socket, options, coverageOf(eventsSetting), closed);
  } catch (cause) {
    socket.close();
    throw cause;
  }
}

function coverageOf(setting: number | undefined): EventCoverage {
  switch (setting) {
    case 0:
      return "none";
    case 1:
      return "all";
    case 2:
      return "new-flows";
    default:
      return "unknown";
  }
}

class KernelEvents implements FlowEvents {
  readonly coverage: EventCoverage;
  readonly bufferBytes: number;
  readonly oddities: Oddities = {};
  readonly #calls = ffi.systemCalls();
  readonly #socket: KernelSocket;
  readonly #decoder: FlowDecoder;
  readonly #cursor: EventCursor;
  readonly #batch: FlowEventBatch;
  readonly #closed: () => void;
  #isOpen = true;
  #oneOf = 1;
  #losses = 0;
  /** What the kernel counted until the socket was closed. */
  #lostAtClose: number | undefined;

  constructor(socket: KernelSocket, options: FlowEventOptions, coverage: EventCoverage, closed: () => void) {
    this.#socket = socket;
    this.#closed = closed;
    this.coverage = coverage;
    this.bufferBytes = this.#enlarge(options.bufferBytes ?? DEFAULT_EVENT_BUFFER_BYTES);
    const columns = new FlowColumns(options.batchEvents ?? DEFAULT_BATCH_EVENTS, ALL_STATUS);
    this.#batch = { columns, kinds: new Uint8Array(columns.capacity) };
    this.#decoder = new FlowDecoder(this.oddities);
    this.#cursor = new EventCursor(this.#batch, this.oddities);
    // Before the first event can come.
    if (options.oneOf !== undefined) this.setOneOf(options.oneOf);
    for (const kind of options.kinds ?? ALL_KINDS) this.#join(GROUPS[kind]);
  }

  get oneOf(): number {
    return this.#oneOf;
  }

  setOneOf(oneOf: number): void {
    assertShare(oneOf);
    if (oneOf === this.#oneOf || !this.#isOpen) return;
    const result = oneOf === 1 ? this.#detach() : this.#attach(shareProgram(oneOf));
    if (result < 0) throw errnoError(-result, `choose one of ${oneOf} flows inside the kernel`);
    this.#oneOf = oneOf;
  }

  follows(id: number): boolean {
    return isOfShare(id, this.#oneOf);
  }

  get losses(): number {
    return this.#losses;
  }

  get lostEvents(): number | undefined {
    return this.#isOpen ? this.#countLost() : this.#lostAtClose;
  }

  read(waitMs: number): FlowEventBatch | undefined {
    const { columns } = this.#batch;
    columns.clear();
    let hasWaited = waitMs <= 0;
    while (this.#isOpen && columns.count < columns.capacity) {
      if (this.#receive()) continue;
      if (columns.count > 0 || hasWaited) break;
      hasWaited = true;
      // Also ends, early, for an error that the next receive tells.
      this.#calls.poll(this.#socket.descriptor, ffi.POLLIN | ffi.POLLERR, waitMs);
    }
    return columns.count === 0 ? undefined : this.#batch;
  }

  receive(into: Uint8Array): number {
    while (this.#isOpen) {
      const length = this.#calls.recv(this.#socket.descriptor, into, ffi.MSG_DONTWAIT | ffi.MSG_TRUNC);
      if (length > into.length) countOddity(this.oddities, "truncatedMessages");
      if (length >= 0) return Math.min(length, into.length);
      if (!this.#canGoOnAfter(-length)) return 0;
    }
    return 0;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#lostAtClose = this.#countLost();
    this.#isOpen = false;
    this.#socket.close();
    this.#closed();
  }

  /** One datagram into the batch, which has room; false when none is waiting. */
  #receive(): boolean {
    const length = this.receive(this.#cursor.buffer.bytes);
    if (length === 0) return false;
    this.#cursor.begin(length);
    this.#decoder.decode(this.#cursor, this.#batch.columns, this.#batch.columns.capacity);
    return true;
  }

  #canGoOnAfter(errno: number): boolean {
    switch (errnoName(errno)) {
      case "EAGAIN":
      case "EWOULDBLOCK":
        return false;
      case "ENOBUFS":
        this.#losses += 1;
        countOddity(this.oddities, "overruns");
        return true;
      default:
        throw errnoError(errno, "receive flow events");
    }
  }

  #join(group: number): void {
    const { descriptor } = this.#socket;
    const value = new Uint8Array(Int32Array.of(group).buffer);
    const result = this.#calls.setsockopt(descriptor, ffi.SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, value);
    if (result >= 0) return;
    const denied = ["EPERM", "EACCES"].includes(errnoName(-result));
    throw errnoError(-result, TRIED, denied ? "run as root or with CAP_NET_ADMIN" : undefined);
  }

  #detach(): number {
    const { descriptor } = this.#socket;
    return this.#calls.setsockopt(descriptor, ffi.SOL_SOCKET, ffi.SO_DETACH_FILTER, new Uint8Array(4));
  }

  /** Takes the place of the filter before, between two events. struct sock_fprog: 0 length u16, 8 address. */
  #attach(program: Uint8Array): number {
    const { descriptor } = this.#socket;
    const place = new Uint8Array(16);
    const view = new DataView(place.buffer);
    view.setUint16(0, program.length / 8, true);
    view.setBigUint64(8, this.#calls.addressOf(program), true);
    return this.#calls.setsockopt(descriptor, ffi.SOL_SOCKET, ffi.SO_ATTACH_FILTER, place);
  }

  /** As large as asked for where this user may, else as the host allows everybody; gives what it became. */
  #enlarge(wantedBytes: number): number {
    const { descriptor } = this.#socket;
    const wanted = new Uint8Array(Int32Array.of(wantedBytes).buffer);
    if (this.#calls.setsockopt(descriptor, ffi.SOL_SOCKET, ffi.SO_RCVBUFFORCE, wanted) < 0) {
      this.#calls.setsockopt(descriptor, ffi.SOL_SOCKET, ffi.SO_RCVBUF, wanted);
    }
    const got = new Int32Array(1);
    const result = this.#calls.getsockopt(
      descriptor,
      ffi.SOL_SOCKET,
      ffi.SO_RCVBUF,
      new Uint8Array(got.buffer),
    );
    // The kernel doubles what is asked for, to cover its own bookkeeping, and tells the double.
    return result < 0 ? 0 : (got[0] as number) / 2;
  }

  #countLost(): number | undefined {
    const words = new Uint32Array(MEMINFO_WORDS);
    const bytes = new Uint8Array(words.buffer);
    const result = this.#calls.getsockopt(this.#socket.descriptor, ffi.SOL_SOCKET, ffi.SO_MEMINFO, bytes);
    return result < 0 ? undefined : words[MEMINFO_DROPS];
  }
}

/** The messages of one datagram that are events; notes the kind of each for the row it becomes. */
class EventCursor implements MessageCursor {
  readonly buffer = new ReceiveBuffer();
  at = 0;
  length = 0;
  readonly #batch: FlowEventBatch;
  readonly #oddities: Oddities;
  #next = 0;
  #end = 0;

  constructor(batch: FlowEventBatch, oddities: Oddities) {
    this.#batch = batch;
    this.#oddities = oddities;
  }

  /** A new datagram of so many bytes is in the buffer. */
  begin(lengthBytes: number): void {
    this.#next = 0;
    this.#end = lengthBytes;
  }

  next(): boolean {
    const { view } = this.buffer;
    while (this.#end - this.#next >= MESSAGE_HEADER_BYTES) {
      const at = this.#next;
      const length = view.getUint32(at, true);
      if (length < MESSAGE_HEADER_BYTES || length > this.#end - at) {
        countOddity(this.#oddities, "malformedAttributes");
        return false;
      }
      this.#next = at + align(length);
      const kind = eventKindOf(view.getUint16(at + 4, true), view.getUint16(at + 6, true));
      if (kind === 0) continue;
      this.at = at;
      this.length = length;
      this.#batch.kinds[this.#batch.columns.count] = kind;
      return true;
    }
    return false;
  }
}
