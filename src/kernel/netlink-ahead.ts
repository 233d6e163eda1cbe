/**
 * Receiving ahead: a thread that fetches the datagrams of a dump while this one makes sense of those
 * already here. The kernel takes over a microsecond to give a flow, and decoding and counting it a
 * third of that, so with two processors a large table takes hardly longer than the kernel needs.
 *
 * The thread is never waited for: until it is up, and when it never comes up, datagrams are received
 * here as ever. From the moment it takes over, only it receives. Between the two lies a ring of slots
 * in shared memory: the thread fills slots and raises PRODUCED, this side copies them out and raises
 * CONSUMED, both in lots, because waking a thread costs as much as receiving a datagram.
 */
import { constants } from "node:os";
import { Worker } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { KernelError } from "./error.ts";
import { MSG_DONTWAIT, MSG_TRUNC, receiveSignatures } from "./ffi.ts";
import { type AheadShare, Control, Order, receiveIntoRing } from "./netlink-ahead-thread.ts";
import {
  type KernelSocket,
  type NetlinkSocket,
  RECEIVE_BUFFER_BYTES,
  receiveError,
} from "./netlink-socket.ts";

/** The ring: how many slots, and how many are handed over at once. */
export interface AheadRing {
  slots: number;
  lot: number;
}

/** 4 MiB, twenty milliseconds of the kernel's work. */
const WIDE_RING: AheadRing = { slots: 128, lot: 16 };
/**
 * For whoever acts on what it reads: what waits in the ring grows old. Some five milliseconds of work.
 */
export const PROMPT_RING: AheadRing = { slots: 24, lot: 8 };

/** How long this side waits for a lot: far longer than the kernel has ever taken for one. */
const WAIT_MS = 10_000;

/**
 * The same socket, received from by a thread as soon as there is one: for one dump. Where no thread may
 * be started it is the socket itself.
 */
export function receiveAhead(socket: KernelSocket, ring: AheadRing = WIDE_RING): NetlinkSocket {
  try {
    return new AheadSocket(socket, ring);
  } catch {
    // A process may be forbidden to have threads (Node's --permission); nothing is lost but the overlap.
    return socket;
  }
}

/** What `receiveAhead` makes. */
export class AheadSocket implements NetlinkSocket {
  readonly port: number;
  readonly #socket: KernelSocket;
  readonly #ring: AheadRing;
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #slots: Uint8Array<SharedArrayBuffer>;
  readonly #stamps: Float64Array<SharedArrayBuffer>;
  readonly #worker: Worker;
  #handedOver = false;
  #consumed = 0;
  #produced = 0;

  /**
   * When what `receive` gave last was made by the kernel at the earliest; absent when it was received
   * here.
   */
  madeMs: number | undefined;

  constructor(socket: KernelSocket, ring: AheadRing = WIDE_RING) {
    this.port = socket.port;
    this.#socket = socket;
    this.#ring = ring;
    this.#control = new Int32Array(new SharedArrayBuffer(4 * (Control.LENGTHS + ring.slots)));
    this.#slots = new Uint8Array(new SharedArrayBuffer(ring.slots * RECEIVE_BUFFER_BYTES));
    this.#stamps = new Float64Array(new SharedArrayBuffer(8 * ring.slots));
    const share: AheadShare = {
      descriptor: socket.descriptor,
      control: this.#control,
      slots: this.#slots,
      slotBytes: RECEIVE_BUFFER_BYTES,
      stamps: this.#stamps,
      lot: ring.lot,
      signatures: receiveSignatures,
      flags: MSG_TRUNC | MSG_DONTWAIT,
      overrun: constants.errno.ENOBUFS,
      Control,
      Order,
    };
    const text = `(${receiveIntoRing.toString()})(require("node:worker_threads").workerData)`;
    this.#worker = new Worker(text, { eval: true, workerData: share });
    this.#worker.unref();
    // A thread that cannot start is one that never takes over.
    this.#worker.on("error", () => {});
  }

  /** Whether the thread is up; the next receive hands over to it. */
  get threadUp(): boolean {
    return Atomics.load(this.#control, Control.READY) === 1;
  }

  send(bytes: Uint8Array): void {
    assert(!this.#handedOver, "A socket that is received from ahead is asked for nothing more");
    this.#socket.send(bytes);
  }

  receive(buffer: Uint8Array): number {
    if (!this.#handedOver && this.threadUp) {
      this.#order(Order.RECEIVE);
      this.#handedOver = true;
    }
    if (!this.#handedOver) return this.#socket.receive(buffer);
    this.#waitForSlot();
    const slot = this.#consumed % this.#ring.slots;
    this.madeMs = this.#stamps[slot];
    const length = Atomics.load(this.#control, Control.LENGTHS + slot);
    if (length > 0) {
      const from = slot * RECEIVE_BUFFER_BYTES;
      const stored = Math.min(length, buffer.length, RECEIVE_BUFFER_BYTES);
      buffer.set(this.#slots.subarray(from, from + stored));
    }
    this.#release();
    if (length === -constants.errno.EAGAIN) throw unfinished("nothing is queued");
    if (length < 0) throw receiveError(-length);
    return length;
  }

  close(): void {
    this.#order(Order.END);
    if (this.#handedOver) {
      // The descriptor must not be closed, and its number used anew, under the thread's hands.
      Atomics.notify(this.#control, Control.CONSUMED);
      Atomics.wait(this.#control, Control.ENDED, 0, WAIT_MS);
    }
    this.#socket.close();
    void this.#worker.terminate();
  }

  #order(order: number): void {
    Atomics.store(this.#control, Control.ORDER, order);
    Atomics.notify(this.#control, Control.ORDER);
  }

  #waitForSlot(): void {
    while (this.#produced === this.#consumed) {
      if (Atomics.wait(this.#control, Control.PRODUCED, this.#produced, WAIT_MS) === "timed-out") {
        throw unfinished("the receiving thread is gone");
      }
      this.#produced = Atomics.load(this.#control, Control.PRODUCED);
    }
  }

  #release(): void {
    this.#consumed += 1;
    if (this.#consumed % this.#ring.lot !== 0) return;
    Atomics.store(this.#control, Control.CONSUMED, this.#consumed);
    Atomics.notify(this.#control, Control.CONSUMED);
  }
}

function unfinished(found: string): KernelError {
  const message = `Cannot receive over netlink: ${found}, and the dump has not said that it is over`;
  return new KernelError("timed-out", message);
}
