/**
 * The collector: the worker that finds expired flows nobody walks past, and makes room after a full table.
 * Its cadence decides how far the count runs behind the timeouts, and so when a table is full.
 *
 * Source: gc_worker() of 4.19, 5.10.262, 6.1 and 6.18; the lag of 35.8 s for one flow of a second, and a
 * table cut to 95 % of its limit, were measured. A pass takes no time here: what the kernel spends in
 * slices of 10 ms is not modelled, its pauses after many expired flows are.
 *
 * Times are jiffies as plain numbers that do not wrap; the words of flows do.
 */
import { SCTP, TCP, DCCP } from "../table/protocol.ts";
import { DccpState, SctpState, TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import type { Chains } from "./chains.ts";
import { Flow, FLOW_WORDS, FlowByte } from "./flow-rows.ts";
import type { TrackerSettings } from "./tracker-settings.ts";

/** Since 5.15: the average begins as if a hundred nodes had a minute left. */
const AVERAGE_SECONDS = 60;
const AVERAGE_NODES = 100;
const CLAMP_LEAST_SECONDS = 1;
const CLAMP_MOST_SECONDS = 300;
const LONGEST_SECONDS = 60;
/** Flows removed in a slice, times the tick: more, and the worker pauses for a jiffy. */
const REMOVED_PER_SECOND = 64_000;
const TWO_MINUTES_SECONDS = 120;
/** Until 5.13: so many runs for all buckets, in no more than so many seconds. */
const SHARES = 128;
const SHARES_SECONDS = 16;
const BUSY_PERCENT = 50;

/** Buckets whose first flows are brought into the cache together. */
const AHEAD_BUCKETS = 32;

/** Passes to come that are worth a look at whether they would find anything. */
const PASSES_WORTH_SKIPPING = 3;

/** States in which an ASSURED flow may go when room is short, as bits. */
const closingTcp = bits([
  TcpState.FIN_WAIT,
  TcpState.CLOSE_WAIT,
  TcpState.LAST_ACK,
  TcpState.TIME_WAIT,
  TcpState.CLOSE,
]);
const closingSctp = bits([SctpState.SHUTDOWN_SENT, SctpState.SHUTDOWN_RECD, SctpState.SHUTDOWN_ACK_SENT]);
const closingDccp = bits([DccpState.CLOSEREQ, DccpState.CLOSING, DccpState.TIMEWAIT]);

function bits(states: readonly number[]): number {
  return states.reduce((all, state) => all | (1 << state), 0);
}

export class Collector {
  /** When it runs next, jiffies. */
  nextAt: number;
  /** A packet found no room: the next pass makes some. */
  isRoomWanted = false;
  /** Flows it removed because they had expired, and to make room. */
  expiredFlows = 0;
  evictedFlows = 0;
  /** Told of the time of every pass that may remove flows, before it does. */
  onPass: ((atJiffies: number) => void) | undefined;

  readonly #chains: Chains;
  readonly #settings: TrackerSettings;
  /** Passes whose times are known, jiffies, ascending, and the next of them. */
  #known: readonly number[] = [];
  #nextKnown = 0;
  /** Where a pass goes on that rests: at a bucket, or at a flow when that is not 0. */
  #bucket = 0;
  #flow = 0;
  #average = 0;
  #nodes = 0;
  #startedAt = 0;
  #shareDelay: number;

  /** The first pass is a second after the tracker began. */
  constructor(chains: Chains, settings: TrackerSettings) {
    this.#chains = chains;
    this.#settings = settings;
    this.nextAt = settings.hz;
    this.#shareDelay = settings.hz;
  }

  /** All passes that are due up to and including `until`. Time in which nothing can expire is jumped over. */
  run(until: number): void {
    while (this.nextAt <= until) {
      const at = this.nextAt;
      if (this.#jump(at, until)) continue;
      this.onPass?.(at);
      const delay = this.#pass(at);
      this.nextAt = this.#knownAfter(at, delay) ?? at + delay;
    }
  }

  /**
   * From now on it comes when it was seen to come; behind the last of these times by its own rule again. The
   * kernel has one collector for all namespaces, so one table does not tell when it comes.
   */
  follow(passesAt: readonly number[]): void {
    this.#known = passesAt;
    this.#nextKnown = 0;
    const [first] = passesAt;
    if (first !== undefined) this.nextAt = first;
  }

  /** The next known pass; undefined when there is none, or when this one only rests for a jiffy. */
  #knownAfter(at: number, delay: number): number | undefined {
    if (delay <= 1) return undefined;
    while (this.#nextKnown < this.#known.length && (this.#known[this.#nextKnown] as number) <= at) {
      this.#nextKnown += 1;
    }
    return this.#known[this.#nextKnown];
  }

  #pass(at: number): number {
    switch (this.#settings.rules.collector) {
      case "by-average":
        return this.#averagePass(at);
      case "every-two-minutes":
        return this.#wholePass(at);
      case "by-share":
        return this.#sharePass(at);
    }
  }

  /** Leaves out passes that find nothing and whose interval is known; whether there were any. */
  #jump(at: number, until: number): boolean {
    const { hz, rules } = this.#settings;
    if (this.isRoomWanted || this.#nextKnown < this.#known.length) return false;
    let period: number;
    let quietBefore = 1;
    if (rules.collector === "by-average") {
      period = LONGEST_SECONDS * hz - 1;
      // The average stays at the longest interval while every flow has at least that left.
      quietBefore = LONGEST_SECONDS * hz;
      if (this.#bucket !== 0 || this.#flow !== 0) return false;
    } else if (rules.collector === "every-two-minutes") {
      period = TWO_MINUTES_SECONDS * hz;
    } else {
      const delay = this.#longestShareDelay();
      if (this.#shareDelay !== delay) return false;
      period = SHARES * delay;
    }
    if (until - at < PASSES_WORTH_SKIPPING * period) return false;
    const lastQuiet = Math.min(until, at + this.#leastRemaining(at) - quietBefore);
    const passes = Math.floor((lastQuiet - at) / period) + (rules.collector === "by-share" ? 0 : 1);
    if (passes <= 0) return false;
    this.nextAt = at + passes * period;
    return true;
  }

  /** Jiffies until the first flow of all expires; Infinity without flows. */
  #leastRemaining(at: number): number {
    const { rows } = this.#chains;
    const { words } = rows;
    const now = at | 0;
    let least = Infinity;
    for (let flow = 1; flow < rows.end; flow++) {
      const word = flow * FLOW_WORDS;
      if (words[word + Flow.STATUS] === 0) continue;
      const remaining = ((words[word + Flow.EXPIRES] as number) - now) | 0;
      if (remaining < least) least = remaining;
    }
    return least;
  }

  /** 5.15 and newer: the next pass comes after the average of what flows have left. */
  #averagePass(at: number): number {
    if (this.#flow !== 0) return this.#sweepRest(at, 0);
    const { hz } = this.#settings;
    const { heads, rows } = this.#chains;
    const { words } = rows;
    const budget = Math.floor(REMOVED_PER_SECOND / hz);
    const least = CLAMP_LEAST_SECONDS * hz;
    const most = CLAMP_MOST_SECONDS * hz;
    const roomAbove = this.#roomAbove();
    const now = at | 0;
    if (this.#bucket === 0) {
      this.#average = AVERAGE_SECONDS * hz;
      this.#nodes = AVERAGE_NODES;
      this.#startedAt = at;
    }
    // Divided by more nodes than this, no difference is a whole jiffy: the average stays what it is.
    const isSettledAt = roomAbove === Infinity ? most - least + 1 : Infinity;
    let average = this.#average;
    let nodes = this.#nodes;
    let removed = 0;
    const { length } = heads;
    let bucket = this.#chains.nextInUse(this.#bucket);
    for (; bucket < length && nodes < isSettledAt; bucket = this.#chains.nextInUse(bucket + 1)) {
      if (bucket % AHEAD_BUCKETS === 0) this.#chains.touchHeads(bucket, bucket + AHEAD_BUCKETS);
      let node = heads[bucket] as number;
      while (node !== 0) {
        if (removed > budget) {
          this.#bucket = bucket;
          this.#average = average;
          this.#nodes = nodes;
          return this.#pause(at);
        }
        const flow = node >>> 1;
        const remaining = ((words[flow * FLOW_WORDS + Flow.EXPIRES] as number) - now) | 0;
        if (remaining <= 0) {
          node = this.#chains.nextBehind(node);
          this.#chains.remove(flow);
          removed += 1;
          this.expiredFlows += 1;
          continue;
        }
        nodes += 1;
        const clamped = Math.min(Math.max(remaining, least), most);
        average += ((clamped - average) / nodes) | 0;
        node = this.#evict(node, roomAbove);
      }
    }
    this.#average = average;
    if (nodes < isSettledAt) return this.#finish(at);
    this.#flow = 1;
    return this.#sweepRest(at, removed);
  }

  /**
   * The rest of a pass whose average is settled: only expired flows are left to find, and they are found
   * faster in the order they lie in than in that of the buckets. Which go before a pause is up to chance in
   * the kernel too.
   */
  #sweepRest(at: number, removedBefore: number): number {
    const { rows } = this.#chains;
    const { words } = rows;
    const budget = Math.floor(REMOVED_PER_SECOND / this.#settings.hz);
    const now = at | 0;
    let removed = removedBefore;
    for (let flow = this.#flow; flow < rows.end; flow++) {
      const word = flow * FLOW_WORDS;
      if ((((words[word + Flow.EXPIRES] as number) - now) | 0) > 0 || words[word + Flow.STATUS] === 0)
        continue;
      if (removed > budget) {
        this.#flow = flow;
        return this.#pause(at);
      }
      this.#chains.remove(flow);
      removed += 1;
      this.expiredFlows += 1;
    }
    return this.#finish(at);
  }

  /** Too many have expired: a jiffy for others, unless the pass has taken its minute already. */
  #pause(at: number): number {
    if (at - this.#startedAt >= LONGEST_SECONDS * this.#settings.hz) return 0;
    this.isRoomWanted = false;
    return 1;
  }

  #finish(at: number): number {
    const { hz } = this.#settings;
    this.#bucket = 0;
    this.#flow = 0;
    this.isRoomWanted = false;
    const delay = Math.min(Math.max(this.#average, CLAMP_LEAST_SECONDS * hz), LONGEST_SECONDS * hz);
    return Math.max(1, delay - Math.max(at - this.#startedAt, 1));
  }

  /** 5.14, and 5.10 by backport. */
  #wholePass(at: number): number {
    const chains = this.#chains;
    const { length } = chains.heads;
    const roomAbove = this.#roomAbove();
    for (let bucket = chains.nextInUse(0); bucket < length; bucket = chains.nextInUse(bucket + 1)) {
      this.#sweep(bucket, at | 0, roomAbove);
    }
    this.isRoomWanted = false;
    return TWO_MINUTES_SECONDS * this.#settings.hz;
  }

  /** 4.9 to 5.13: a share of the buckets, more often while most flows met have expired. */
  #sharePass(at: number): number {
    const { length } = this.#chains.heads;
    const roomAbove = this.#roomAbove();
    const removedBefore = this.expiredFlows;
    this.#nodes = 0;
    for (let step = Math.floor(length / SHARES); step > 0; step--) {
      this.#bucket = this.#bucket + 1 >= length ? 0 : this.#bucket + 1;
      this.#sweep(this.#bucket, at | 0, roomAbove);
    }
    this.isRoomWanted = false;
    const removed = this.expiredFlows - removedBefore;
    const shortest = Math.max(1, Math.floor(this.#settings.hz / SHARES));
    const isBusy = this.#nodes > 0 && Math.floor((removed * 100) / this.#nodes) > BUSY_PERCENT;
    this.#shareDelay = isBusy ? shortest : Math.min(this.#shareDelay + shortest, this.#longestShareDelay());
    return this.#shareDelay;
  }

  #longestShareDelay(): number {
    return Math.floor((SHARES_SECONDS * this.#settings.hz) / SHARES);
  }

  /** One bucket: expired flows go, and what may go to make room. */
  #sweep(bucket: number, now: number, roomAbove: number): void {
    const { words } = this.#chains.rows;
    let node = this.#chains.heads[bucket] as number;
    while (node !== 0) {
      const flow = node >>> 1;
      this.#nodes += 1;
      if ((((words[flow * FLOW_WORDS + Flow.EXPIRES] as number) - now) | 0) > 0) {
        node = this.#evict(node, roomAbove);
        continue;
      }
      node = this.#chains.nextBehind(node);
      this.#chains.remove(flow);
      this.expiredFlows += 1;
    }
  }

  /** Flows from which on the pass makes room: 95 % of the limit, when a packet found none. */
  #roomAbove(): number {
    const share = Math.floor(this.#settings.capacityFlows / 100) * 95;
    return this.isRoomWanted && share > 0 ? share : Infinity;
  }

  /** Removes the node's flow when there must be room and it may go; returns the node behind. */
  #evict(node: number, roomAbove: number): number {
    const flow = node >>> 1;
    const { words } = this.#chains.rows;
    if (this.#chains.occupancyFlows < roomAbove || !this.#mayGo(flow)) {
      return words[flow * FLOW_WORDS + (node & 1)] as number;
    }
    const next = this.#chains.nextBehind(node);
    this.#chains.remove(flow);
    this.evictedFlows += 1;
    return next;
  }

  #mayGo(flow: number): boolean {
    const { words, bytes } = this.#chains.rows;
    const word = flow * FLOW_WORDS;
    if (((words[word + Flow.STATUS] as number) & Status.ASSURED) === 0) return true;
    const state = 1 << (bytes[4 * word + FlowByte.STATE] as number);
    const protocol = ((words[word + Flow.KIND] as number) >>> 8) & 0xff;
    if (protocol === TCP) return (closingTcp & state) !== 0;
    if (protocol === SCTP) return (closingSctp & state) !== 0;
    return protocol === DCCP && (closingDccp & state) !== 0;
  }
}
