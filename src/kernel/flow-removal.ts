/**
 * Ending flows over ctnetlink: deleting them, or shortening the time they have left. A lot of flows is
 * one buffer and one send; nothing is allocated per flow.
 *
 * A flow is meant by its original tuple, its zone (of either direction) and, when it is deleted, its
 * id: the kernel refuses with ENOENT when another flow has the tuple by now. It answers what it
 * refuses, and the last message of a lot in any case; so what was not refused by then was done.
 *
 * The id is a keyed hash of where the flow lies in memory and of its tuple, so a flow that was made in
 * the same place with the same tuple has the same id (measured on 6.18: every time). Who waits between
 * reading a flow and ending it reads it again first.
 */
import type { FlowColumns } from "../table/columns.ts";
import { type FlowRemover, noRemovals } from "../table/removal.ts";
import type { Oddities } from "../table/oddities.ts";
import { FlowDecoder, type MessageCursor } from "./ctnetlink-decode.ts";
import { writeDelete, writeGet, writeShorten } from "./ctnetlink-encode.ts";
import { errnoError, errnoName, KernelError } from "./error.ts";
import { align, Flag, MESSAGE_HEADER_BYTES, MessageType, MessageWriter } from "./netlink.ts";
import {
  NETLINK_NETFILTER,
  type NetlinkSocket,
  openNetlink,
  ReceiveBuffer,
  type WireSink,
} from "./netlink-socket.ts";

/**
 * Messages of a lot at most. Each may be refused, and an answer takes up to 1 KiB of the 208 KiB that a
 * socket has by default.
 */
export const LOT_FLOWS = 128;
/** The same when each answer is a flow: those take up to 4.5 KiB. */
export const REREAD_FLOWS = 32;

const LOT_BYTES = 64 * 1024;

/** Ends flows of one namespace. Close it in a `finally`. */
export interface FlowRemoval extends FlowRemover {
  close(): void;
}

export interface FlowRemovalOptions {
  sink?: WireSink;
  /** For tests: the socket to use instead of the kernel's. It is closed in the end. */
  socket?: NetlinkSocket;
}

/** A way to end flows of the namespace this thread is in. Throws KernelError. */
export function openFlowRemoval(options: FlowRemovalOptions = {}): FlowRemoval {
  return new NetlinkRemoval(options.socket ?? openNetlink(NETLINK_NETFILTER, options.sink));
}

class NetlinkRemoval implements FlowRemoval {
  readonly counts = noRemovals();
  readonly #socket: NetlinkSocket;
  readonly #writer = new MessageWriter(LOT_BYTES);
  readonly #answers: Answers;
  readonly #decoder: FlowDecoder;
  readonly #oddities: Oddities = {};
  #sequence = 1;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
    this.#answers = new Answers(socket);
    this.#decoder = new FlowDecoder(this.#oddities);
  }

  remove(columns: FlowColumns, rows: Uint16Array, from: number, to: number): void {
    this.#inLots(from, to, LOT_FLOWS, (first, end) => {
      const writer = this.#writer;
      let sequence = this.#sequence;
      for (let index = first; index < end; index += 1, sequence += 1) {
        writeDelete(writer, sequence, columns, rows[index] as number, index === end - 1 ? Flag.ACK : 0);
      }
      this.#carryOut(end - first, "delete flows", "delete");
    });
  }

  shorten(columns: FlowColumns, rows: Uint16Array, from: number, to: number, seconds: number): void {
    this.#inLots(from, to, LOT_FLOWS, (first, end) => {
      const writer = this.#writer;
      let sequence = this.#sequence;
      for (let index = first; index < end; index += 1, sequence += 1) {
        const flags = index === end - 1 ? Flag.ACK : 0;
        writeShorten(writer, sequence, columns, rows[index] as number, seconds, flags);
      }
      this.#carryOut(end - first, "shorten the timeouts of flows", "shorten");
    });
  }

  reread(
    columns: FlowColumns,
    rows: Uint16Array,
    from: number,
    to: number,
    { fresh, origins }: { fresh: FlowColumns; origins: Uint16Array },
  ): void {
    fresh.clear();
    this.#inLots(from, to, REREAD_FLOWS, (first, end) => {
      const writer = this.#writer;
      const base = this.#sequence;
      for (let index = first; index < end; index += 1) {
        const flags = index === end - 1 ? Flag.ACK : 0;
        writeGet(writer, base + index - first, columns, rows[index] as number, flags);
      }
      this.#send(end - first);
      const answers = this.#answers;
      while (!answers.done) {
        this.#receive();
        while (this.#decoder.decode(answers, fresh, 1) > 0) {
          origins[fresh.count - 1] = rows[first + answers.sequence - base] as number;
        }
      }
      this.#throwUnexpected("read flows again");
      this.counts.goneFlows += answers.refused.get("ENOENT") ?? 0;
    });
  }

  close(): void {
    this.#socket.close();
  }

  #inLots(from: number, to: number, most: number, work: (first: number, end: number) => void): void {
    for (let first = from; first < to; first += most) {
      this.#writer.clear();
      work(first, Math.min(first + most, to));
    }
  }

  /** Sends the messages that were written, whose numbers begin at the present one. */
  #send(messages: number): void {
    const base = this.#sequence;
    this.#sequence = base + messages;
    this.#answers.begin(base, base + messages - 1);
    this.#socket.send(this.#writer.bytes());
  }

  #carryOut(flows: number, tried: string, kind: "delete" | "shorten"): void {
    this.#send(flows);
    const answers = this.#answers;
    while (!answers.done) {
      this.#receive();
      while (answers.next()) continue;
    }
    const counts = this.counts;
    counts.askedFlows += flows;
    let refused = 0;
    for (const [name, times] of answers.refused) {
      refused += times;
      if (name === "ENOENT") counts.goneFlows += times;
      else if (name === "EBUSY") counts.busyFlows += times;
      else if (name === "EPERM" && kind === "shorten") counts.fixedFlows += times;
      else if (name === "EPERM" || name === "EACCES") throw notPermitted(tried);
      else counts.failed.set(name, (counts.failed.get(name) ?? 0) + times);
    }
    counts.doneFlows += flows - refused;
  }

  #throwUnexpected(tried: string): void {
    for (const [name] of this.#answers.refused)
      if (name === "EPERM" || name === "EACCES") throw notPermitted(tried);
  }

  /** After an overrun the last answer may be among what was lost, so the kernel is asked for another. */
  #receive(): void {
    try {
      this.#answers.receive();
    } catch (cause) {
      if (!(cause instanceof KernelError) || cause.code !== "no-buffer-space") throw cause;
      this.counts.overruns += 1;
      this.#writer.clear();
      this.#writer.begin({
        type: MessageType.NOOP,
        flags: Flag.REQUEST | Flag.ACK,
        sequence: this.#sequence,
      });
      this.#writer.end();
      this.#answers.waitFor(this.#sequence);
      this.#sequence += 1;
      this.#socket.send(this.#writer.bytes());
    }
  }
}

function notPermitted(tried: string): KernelError {
  return errnoError(EPERM, tried, "run as root or with CAP_NET_ADMIN");
}

const EPERM = 1;

/** The answers to one lot: flows are walked over, refusals counted. */
class Answers implements MessageCursor {
  readonly buffer = new ReceiveBuffer();
  /** Refusals of this lot by the name of the error number. */
  readonly refused = new Map<string, number>();
  at = 0;
  length = 0;
  /** Of the present message. */
  sequence = 0;
  done = false;
  readonly #socket: NetlinkSocket;
  #first = 0;
  #last = 0;
  #next = 0;
  #end = 0;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** What is asked next has these numbers; the last of them is acknowledged. */
  begin(first: number, last: number): void {
    this.refused.clear();
    this.done = false;
    this.#first = first;
    this.#last = last;
    this.#next = 0;
    this.#end = 0;
  }

  waitFor(last: number): void {
    this.#last = last;
  }

  receive(): void {
    this.#next = 0;
    this.#end = 0;
    this.#end = Math.min(this.#socket.receive(this.buffer.bytes), this.buffer.bytes.length);
  }

  next(): boolean {
    const { view } = this.buffer;
    while (this.#end - this.#next >= MESSAGE_HEADER_BYTES) {
      const at = this.#next;
      const length = view.getUint32(at, true);
      if (length < MESSAGE_HEADER_BYTES || length > this.#end - at) break;
      this.#next = at + align(length);
      const sequence = view.getUint32(at + 8, true);
      if (sequence < this.#first || sequence > this.#last) continue;
      const type = view.getUint16(at + 4, true);
      this.sequence = sequence;
      if (type >= MessageType.FIRST_OF_FAMILY) {
        this.at = at;
        this.length = length;
        return true;
      }
      if (type !== MessageType.ERROR || length < MESSAGE_HEADER_BYTES + 4) continue;
      const errno = -view.getInt32(at + MESSAGE_HEADER_BYTES, true);
      if (errno !== 0) {
        const name = errnoName(errno);
        this.refused.set(name, (this.refused.get(name) ?? 0) + 1);
      }
      if (sequence === this.#last) this.done = true;
    }
    return false;
  }
}
