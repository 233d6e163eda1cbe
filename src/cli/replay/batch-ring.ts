/**
 * A ring of packet batches in shared memory: one thread fills them, one or several others use each of them
 * up, all in order. Handing over is a counter and a wake-up; nothing is copied and no message is sent.
 *
 * A slot is filled again when every user is done with it, so the slowest one sets the pace.
 */
import { packetColumnBytes, PacketColumns } from "../../packet/packet.ts";

/** Batches under way, of a millisecond each: for so long users may be slower or faster than the filler. */
const RING_BATCHES = 8;
/** Looks at a counter that is about to change before falling asleep: waking up takes longer than a batch. */
const SPINS = 2000;
/**
 * The filling thread, when it is ahead by the whole ring, is woken for half a ring: waking costs more than
 * a batch does. A user falls asleep only when it has used up all there is, so never while the other sleeps.
 */
const WAKE_BATCHES = RING_BATCHES / 2;
/** A sleeper looks by itself whether the run was stopped. */
const SLEEP_MS = 100;

/** Words of `control`: batches handed over times two, plus one at the end; whether to stop; the users. */
const HANDED_OVER = 0;
const STOP = 1;
const FIRST_USER = 2;

/** What threads are given to take part. */
export interface RingShare {
  capacity: number;
  memory: SharedArrayBuffer[];
  control: Int32Array<SharedArrayBuffer>;
}

/** A ring for so many users, of batches of `capacity` rows. */
export function makeRing(users: number, capacity: number): RingShare {
  const words = (FIRST_USER + users) * Int32Array.BYTES_PER_ELEMENT;
  return {
    capacity,
    memory: Array.from({ length: RING_BATCHES }, () => new SharedArrayBuffer(packetColumnBytes(capacity))),
    control: new Int32Array(new SharedArrayBuffer(words)),
  };
}

/** Asks the filling thread to end: what it has handed over is still used up, by everybody. */
export function stopRing({ control }: RingShare): void {
  Atomics.store(control, STOP, 1);
}

/** The side that fills. */
export class RingFiller {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #batches: readonly PacketColumns[];
  #handedOver = 0;

  constructor({ capacity, memory, control }: RingShare) {
    this.#control = control;
    this.#batches = memory.map((bytes) => new PacketColumns(capacity, bytes));
  }

  /**
   * The batch to fill next, once everybody is done with it; undefined when nothing more is wanted. The first
   * one is given in every case.
   */
  next(): PacketColumns | undefined {
    const least = this.#handedOver - this.#batches.length + 1;
    for (let user = FIRST_USER; user < this.#control.length; user += 1) {
      if (!this.#waitFor(user, least)) return undefined;
    }
    if (this.isStopped && this.#handedOver > 0) return undefined;
    return this.#batches[this.#handedOver % this.#batches.length];
  }

  get isStopped(): boolean {
    return Atomics.load(this.#control, STOP) !== 0;
  }

  /** Hands the batch over that `next` gave. */
  handOver(): void {
    this.#handedOver += 1;
    this.#publish(this.#handedOver * 2);
  }

  /** Nothing more will come. */
  end(): void {
    this.#publish(this.#handedOver * 2 + 1);
  }

  #publish(word: number): void {
    Atomics.store(this.#control, HANDED_OVER, word);
    Atomics.notify(this.#control, HANDED_OVER);
  }

  #waitFor(user: number, least: number): boolean {
    for (let spins = 0; ; spins += 1) {
      const done = Atomics.load(this.#control, user);
      if (done >= least) return true;
      if (spins < SPINS) continue;
      if (this.isStopped) return false;
      Atomics.wait(this.#control, user, done, SLEEP_MS);
    }
  }
}

/** One user's side. */
export class RingUser {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #batches: readonly PacketColumns[];
  readonly #user: number;
  #done = 0;

  /** `user` counts from 0. */
  constructor({ capacity, memory, control }: RingShare, user: number) {
    this.#control = control;
    this.#batches = memory.map((bytes) => new PacketColumns(capacity, bytes));
    this.#user = FIRST_USER + user;
  }

  /** The next batch, waiting at most so long for it; undefined when none came. */
  take(waitMs: number): PacketColumns | undefined {
    for (let spins = 0; ; spins += 1) {
      const word = Atomics.load(this.#control, HANDED_OVER);
      if (word >> 1 > this.#done) return this.#batches[this.#done % this.#batches.length];
      if ((word & 1) === 1) return undefined;
      if (spins < SPINS) continue;
      if (Atomics.wait(this.#control, HANDED_OVER, word, waitMs) === "timed-out") return undefined;
    }
  }

  /** Everything was taken, and nothing more will come. */
  get isEnded(): boolean {
    return Atomics.load(this.#control, HANDED_OVER) === this.#done * 2 + 1;
  }

  /** Done with the batch that `take` gave. */
  release(): void {
    this.#done += 1;
    Atomics.store(this.#control, this.#user, this.#done);
    if (this.#done % WAKE_BATCHES === 0) Atomics.notify(this.#control, this.#user);
  }
}
