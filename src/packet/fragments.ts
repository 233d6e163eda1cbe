/**
 * Fragments on their way to be datagrams again, as the kernel keeps them in front of the tracker: ip_defrag
 * for IPv4 (net/ipv4/ip_fragment.c), nf_ct_frag6_gather for IPv6 (net/ipv6/netfilter/nf_conntrack_reasm.c),
 * both on net/ipv4/inet_fragment.c, as they are since 4.19.
 *
 * Invariants:
 * - every fragment is answered with the number of a datagram; a number is given up at most once, then it is
 *   in
 *   `lost`, or becomes a whole datagram, never both;
 * - fragments of a datagram do not overlap: the kernel drops the datagram, unless the fragment brings only
 *   what
 *   is there already;
 * - memory is bounded as the kernel bounds it: beyond the threshold new fragments are dropped, nothing else.
 */
import { ADDRESS_WORDS } from "../table/address.ts";

/** What became of a fragment. */
export const Gathered = {
  /** It waits for the rest of its datagram, or was dropped: `lost` will say so. */
  HELD: 0,
  /** It was the last that was missing: the datagram is in `whole`. */
  WHOLE: 1,
  /** IPv6 only: too crooked to be kept, and let by as it is. */
  PASSED: 2,
} as const;

/**
 * Kernel defaults: ipfrag_time and nf_conntrack_frag6_timeout, ipfrag_high_thresh, ipfrag_max_dist. The
 * kernel's timers of this length ring up to two seconds late, by its clock's position, which no capture
 * tells.
 */
const TIMEOUT_MS = { 4: 30_000, 6: 60_000 } as const;
const MEMORY_BYTES = 4 * 1024 * 1024;
const MOST_BETWEEN = 64;

/**
 * What the kernel accounts for a datagram that waits, for a fragment besides its buffer, and the sizes a
 * buffer can have: measured on 6.18 (/proc/net/sockstat), where 4065 fragments of 24 bytes fill the queue.
 */
const DATAGRAM_OVERHEAD_BYTES = 200;
const FRAGMENT_OVERHEAD_BYTES = 576;
const bufferBytes: readonly number[] = [256, 704, 1728];
const BUFFER_HEADERS_BYTES = 64;

const LARGEST_BYTES = 65_535;
/** Senders of fragments that are remembered; more than that, and all are forgotten. */
const MOST_SENDERS = 16_384;

/** One fragment, in an object that is used again and again. */
export class Fragment {
  family: 4 | 6 = 4;
  /** Addresses: four words each from `addressAt` on. */
  source: Uint32Array = new Uint32Array(ADDRESS_WORDS);
  destination: Uint32Array = new Uint32Array(ADDRESS_WORDS);
  addressAt = 0;
  zone = 0;
  identification = 0;
  /** Of the data; in IPv6 what the fragment header names, which is no part of the datagram's identity. */
  protocol = 0;
  /** Bytes of header in front of the data in the datagram when it is whole. */
  headerBytes = 0;
  offset = 0;
  /** Bytes of data on the wire, and how many of them were captured. */
  length = 0;
  captured = 0;
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  isLast = false;
  timeMs = 0.5;
}

interface Piece {
  offset: number;
  length: number;
  bytes: Uint8Array;
}

/** A stretch of data without holes, in the order the kernel found it: stretches that touch are not joined. */
interface Run {
  from: number;
  to: number;
}

/** A datagram that is not whole yet. */
class Waiting {
  datagram = 0;
  readonly hash: number;
  readonly family: 4 | 6;
  readonly words: readonly number[];
  deadlineMs: number;
  /** Others with the same hash; then neighbours by deadline. */
  next: Waiting | undefined;
  older: Waiting | undefined;
  newer: Waiting | undefined;
  pieces: Piece[] = [];
  runs: Run[] = [];
  /** Bytes of data, as far as it is known. */
  length = 0;
  hasEnd = false;
  present = 0;
  memoryBytes = 0;
  firstProtocol = 0;
  firstHeaderBytes = 0;
  /** How many fragments its sender had sent when it got its last one. */
  sent = 0;

  constructor(hash: number, family: 4 | 6, words: readonly number[], deadlineMs: number) {
    this.hash = hash;
    this.family = family;
    this.words = words;
    this.deadlineMs = deadlineMs;
  }
}

/** Datagrams of one family, oldest first, and their memory. */
class Queue {
  oldest: Waiting | undefined;
  newest: Waiting | undefined;
  memoryBytes = 0;

  push(waiting: Waiting): void {
    waiting.older = this.newest;
    waiting.newer = undefined;
    if (this.newest === undefined) this.oldest = waiting;
    else this.newest.newer = waiting;
    this.newest = waiting;
  }

  remove(waiting: Waiting): void {
    if (waiting.older === undefined) this.oldest = waiting.newer;
    else waiting.older.newer = waiting.newer;
    if (waiting.newer === undefined) this.newest = waiting.older;
    else waiting.newer.older = waiting.older;
  }
}

export class Fragments {
  /** Number of the datagram that the fragment gathered last belongs to. */
  datagram = 0;
  /** After WHOLE: the data of the datagram, how much of it was captured, and what its first fragment said. */
  readonly whole = new Uint8Array(LARGEST_BYTES + 1);
  wholeBytes = 0;
  wholeCaptured = 0;
  wholeProtocol = 0;
  wholeHeaderBytes = 0;
  /** Numbers of datagrams given up; whoever reads them empties it. */
  readonly lost: number[] = [];
  /** When the next datagram is given up: nothing is to be done before. */
  nextDeadlineMs = Infinity;

  readonly #byHash = new Map<number, Waiting>();
  readonly #queues = { 4: new Queue(), 6: new Queue() } as const;
  readonly #sentBySender = new Map<number, number>();
  #lastNumber = 0;

  /** Takes a fragment. Time never goes back from one call to the next. */
  gather(fragment: Fragment): number {
    const queue = this.#queues[fragment.family];
    // The kernel asks this first, also for fragments of datagrams it knows already.
    if (queue.memoryBytes > MEMORY_BYTES) return this.drop();
    const words = wordsOf(fragment);
    const hash = hashOf(words);
    let waiting = this.#find(hash, words);
    waiting ??= this.#begin(fragment, hash, words);
    if (fragment.family === 4) this.#forgetWhenTooFar(waiting, fragment);
    this.datagram = waiting.datagram;
    return this.#place(waiting, fragment);
  }

  /** Gives up what has waited for too long at `timeMs`. */
  expire(timeMs: number): void {
    for (const queue of [this.#queues[4], this.#queues[6]]) {
      while (queue.oldest !== undefined && queue.oldest.deadlineMs <= timeMs) this.#lose(queue.oldest);
    }
    this.#setNextDeadline();
  }

  /** Gives up everything: nothing more will come. */
  end(): void {
    this.expire(Infinity);
  }

  /** Bytes that fragments take by the kernel's account. */
  get memoryBytes(): number {
    return this.#queues[4].memoryBytes + this.#queues[6].memoryBytes;
  }

  #find(hash: number, words: readonly number[]): Waiting | undefined {
    let waiting = this.#byHash.get(hash);
    while (waiting !== undefined && !areSame(waiting.words, words)) waiting = waiting.next;
    return waiting;
  }

  #begin(fragment: Fragment, hash: number, words: readonly number[]): Waiting {
    const deadlineMs = fragment.timeMs + TIMEOUT_MS[fragment.family];
    const waiting = new Waiting(hash, fragment.family, words, deadlineMs);
    waiting.datagram = this.#number();
    waiting.next = this.#byHash.get(hash);
    this.#byHash.set(hash, waiting);
    const queue = this.#queues[fragment.family];
    queue.push(waiting);
    this.#account(waiting, DATAGRAM_OVERHEAD_BYTES);
    this.#setNextDeadline();
    return waiting;
  }

  #place(waiting: Waiting, fragment: Fragment): number {
    const { family, offset, isLast } = fragment;
    let end = offset + fragment.length;
    if (family === 6 && end > LARGEST_BYTES) return this.drop();
    if (!isLast && (end & 7) !== 0) {
      if (family === 6) {
        this.#lose(waiting);
        return Gathered.PASSED;
      }
      end &= ~7;
    }
    if (this.#contradictsEnd(waiting, end, isLast) || end === offset) {
      if (family === 6) return this.drop();
      this.#lose(waiting);
      return Gathered.HELD;
    }
    const fit = fitOf(waiting.runs, offset, end);
    if (fit === "there") return Gathered.HELD;
    if (fit === "overlaps") {
      this.#lose(waiting);
      return Gathered.HELD;
    }
    this.#keep(waiting, fragment, end);
    const hasAll = waiting.hasEnd && waiting.present === waiting.length && waiting.runs[0]?.from === 0;
    return hasAll ? this.#complete(waiting) : Gathered.HELD;
  }

  /** Notes what a fragment says of the datagram's end; true when that cannot be. */
  #contradictsEnd(waiting: Waiting, end: number, isLast: boolean): boolean {
    if (isLast) {
      if (end < waiting.length || (waiting.hasEnd && end !== waiting.length)) return true;
      waiting.hasEnd = true;
      waiting.length = end;
    } else if (end > waiting.length) {
      if (waiting.hasEnd) return true;
      waiting.length = end;
    }
    return false;
  }

  #keep(waiting: Waiting, fragment: Fragment, end: number): void {
    const { offset, at } = fragment;
    const length = end - offset;
    const bytes = fragment.bytes.slice(at, at + Math.min(length, fragment.captured));
    waiting.pieces.push({ offset, length, bytes });
    addRun(waiting.runs, offset, end);
    waiting.present += length;
    this.#account(waiting, fragmentMemoryBytes(length));
    if (offset !== 0) return;
    waiting.firstProtocol = fragment.protocol;
    waiting.firstHeaderBytes = fragment.headerBytes;
  }

  #complete(waiting: Waiting): number {
    const headerBytes = waiting.firstHeaderBytes - (waiting.family === 6 ? 40 : 0);
    if (headerBytes + waiting.length > LARGEST_BYTES) {
      this.#lose(waiting);
      return Gathered.HELD;
    }
    waiting.pieces.sort((one, other) => one.offset - other.offset);
    let captured = 0;
    for (const piece of waiting.pieces) {
      this.whole.set(piece.bytes, piece.offset);
      // What lies behind the first hole that the capture left is of no use.
      if (captured === piece.offset) captured += piece.bytes.length;
    }
    this.wholeCaptured = captured;
    this.wholeBytes = waiting.length;
    this.wholeProtocol = waiting.firstProtocol;
    this.wholeHeaderBytes = waiting.firstHeaderBytes;
    this.#remove(waiting);
    return Gathered.WHOLE;
  }

  /**
   * IPv4: when its sender has sent many other fragments since the last one of this datagram, it has begun to
   * use the same identification again: the kernel starts over (ip_frag_too_far).
   */
  #forgetWhenTooFar(waiting: Waiting, fragment: Fragment): void {
    const sender = fragment.source[fragment.addressAt] as number;
    if (this.#sentBySender.size > MOST_SENDERS) this.#sentBySender.clear();
    const sent = (this.#sentBySender.get(sender) ?? 0) + 1;
    this.#sentBySender.set(sender, sent);
    const between = sent - waiting.sent;
    waiting.sent = sent;
    if (waiting.pieces.length === 0 || between <= MOST_BETWEEN) return;
    const queue = this.#queues[4];
    this.lost.push(waiting.datagram);
    waiting.datagram = this.#number();
    queue.memoryBytes -= waiting.memoryBytes;
    waiting.memoryBytes = 0;
    this.#account(waiting, DATAGRAM_OVERHEAD_BYTES);
    waiting.pieces = [];
    waiting.runs = [];
    waiting.length = 0;
    waiting.present = 0;
    waiting.hasEnd = false;
    queue.remove(waiting);
    waiting.deadlineMs = fragment.timeMs + TIMEOUT_MS[4];
    queue.push(waiting);
    this.#setNextDeadline();
  }

  /** A fragment that is dropped alone: it has a number of its own, which is lost. */
  drop(): number {
    this.datagram = this.#number();
    this.lost.push(this.datagram);
    return Gathered.HELD;
  }

  #lose(waiting: Waiting): void {
    this.lost.push(waiting.datagram);
    this.#remove(waiting);
  }

  #remove(waiting: Waiting): void {
    const queue = this.#queues[waiting.family];
    queue.remove(waiting);
    queue.memoryBytes -= waiting.memoryBytes;
    const first = this.#byHash.get(waiting.hash);
    if (first !== waiting) {
      let before = first;
      while (before?.next !== waiting && before !== undefined) before = before.next;
      if (before !== undefined) before.next = waiting.next;
    } else if (waiting.next === undefined) this.#byHash.delete(waiting.hash);
    else this.#byHash.set(waiting.hash, waiting.next);
    this.#setNextDeadline();
  }

  #account(waiting: Waiting, bytes: number): void {
    waiting.memoryBytes += bytes;
    this.#queues[waiting.family].memoryBytes += bytes;
  }

  #number(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }

  #setNextDeadline(): void {
    const first = this.#queues[4].oldest?.deadlineMs ?? Infinity;
    this.nextDeadlineMs = Math.min(first, this.#queues[6].oldest?.deadlineMs ?? Infinity);
  }
}

function fragmentMemoryBytes(length: number): number {
  const wanted = length + BUFFER_HEADERS_BYTES;
  return FRAGMENT_OVERHEAD_BYTES + (bufferBytes.find((size) => size >= wanted) ?? wanted);
}

function wordsOf(fragment: Fragment): readonly number[] {
  const { family, source, destination, addressAt, zone, identification, protocol } = fragment;
  const words = [family | (zone << 8), identification, family === 4 ? protocol : 0];
  for (let word = 0; word < (family === 4 ? 1 : ADDRESS_WORDS); word++) {
    words.push(source[addressAt + word] as number, destination[addressAt + word] as number);
  }
  return words;
}

function hashOf(words: readonly number[]): number {
  let hash = 0;
  for (const word of words) hash = Math.imul(hash ^ word ^ (hash >>> 15), 0x85eb_ca6b);
  return hash ^ (hash >>> 13);
}

function areSame(one: readonly number[], other: readonly number[]): boolean {
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}

/** How data from `from` to `to` fit in between those that are there. */
function fitOf(runs: readonly Run[], from: number, to: number): "new" | "there" | "overlaps" {
  const last = runs.at(-1);
  if (last === undefined) return "new";
  // What reaches behind the end is judged by the last stretch alone.
  if (to > last.to) return from < last.to ? "overlaps" : "new";
  const run = runs.find((candidate) => from < candidate.to && to > candidate.from);
  if (run === undefined) return "new";
  return from >= run.from && to <= run.to ? "there" : "overlaps";
}

function addRun(runs: Run[], from: number, to: number): void {
  const last = runs.at(-1);
  if (last !== undefined && last.to === from) {
    last.to = to;
    return;
  }
  const place = runs.findIndex((run) => run.from > from);
  runs.splice(place === -1 ? runs.length : place, 0, { from, to });
}
