/**
 * What the thread of netlink-ahead.ts does. The function is handed to the thread as its own text, so
 * that it runs the same from a source file, a bundle or a single executable, and the thread loads
 * nothing else (which keeps it at 9 MB and up in 15 ms). It must therefore use nothing but its argument
 * and what is built in.
 *
 * It receives without ever waiting for the kernel: of a dump that runs, the next datagram is made
 * before the present one is handed out, so an empty queue is the end of the dump.
 */
import type { receiveSignatures } from "./ffi.ts";

/** Words of the shared control block; the lengths of the slots follow. */
export const Control = {
  /** 1 when the thread is up. */
  READY: 0,
  /** One of Order. */
  ORDER: 1,
  /** Slots filled so far. */
  PRODUCED: 2,
  /** Slots emptied so far. */
  CONSUMED: 3,
  /** 1 when the thread will not touch the socket any more. */
  ENDED: 4,
  LENGTHS: 5,
} as const;

/** What the thread is to do: nothing yet, receive, or end. */
export const Order = { NONE: 0, RECEIVE: 1, END: 2 } as const;

/** What the thread is given. */
export interface AheadShare {
  descriptor: number;
  /** Control words and the slots' lengths (negative error numbers in place of a failed receive). */
  control: Int32Array<SharedArrayBuffer>;
  slots: Uint8Array<SharedArrayBuffer>;
  slotBytes: number;
  /** When what is in a slot was made at the earliest, milliseconds since this process began. */
  stamps: Float64Array<SharedArrayBuffer>;
  /** Slots that are handed over at once. */
  lot: number;
  /** The system call: its signature, that of errno, and its flags. */
  signatures: typeof receiveSignatures;
  flags: number;
  /** The error number after which more may come. */
  overrun: number;
  Control: typeof Control;
  Order: typeof Order;
}

/** Fills the slots of the ring in turn until the dump is over or the order is to end. */
export function receiveIntoRing(share: AheadShare): void {
  const { control, slotBytes, Control: word, Order: order } = share;
  const slotCount = share.slots.length / slotBytes;
  const slots = Array.from({ length: slotCount }, (_, slot) => {
    return share.slots.subarray(slot * slotBytes, (slot + 1) * slotBytes);
  });
  const ffi = process.getBuiltinModule("node:ffi");
  const { functions } = ffi.dlopen(null, share.signatures);
  const errnoAt = functions.__errno_location();

  const waitForRoom = (produced: number): void => {
    for (;;) {
      const consumed = Atomics.load(control, word.CONSUMED);
      if (produced - consumed < slotCount || Atomics.load(control, word.ORDER) !== order.RECEIVE) return;
      Atomics.wait(control, word.CONSUMED, consumed, 100);
    }
  };
  const receiveAll = (): void => {
    let madeMs = process.uptime() * 1000;
    for (let produced = 0; Atomics.load(control, word.ORDER) === order.RECEIVE;) {
      waitForRoom(produced);
      const slot = produced % slotCount;
      const bytes = slots[slot] as Uint8Array;
      share.stamps[slot] = madeMs;
      // What comes next is made while this one is fetched.
      madeMs = process.uptime() * 1000;
      const result = functions.recv(share.descriptor, bytes, BigInt(slotBytes), share.flags);
      const length = result < 0 ? -ffi.getInt32(errnoAt, 0) : result;
      Atomics.store(control, word.LENGTHS + slot, length);
      produced += 1;
      const ended = length <= 0 && length !== -share.overrun;
      if (ended || produced % share.lot === 0) {
        Atomics.store(control, word.PRODUCED, produced);
        Atomics.notify(control, word.PRODUCED);
      }
      if (ended) return;
    }
  };

  Atomics.store(control, word.READY, 1);
  Atomics.wait(control, word.ORDER, order.NONE);
  receiveAll();
  Atomics.store(control, word.ENDED, 1);
  Atomics.notify(control, word.ENDED);
}
