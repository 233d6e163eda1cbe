/**
 * Flow events as a source of rates: who makes flows, how many end, and how long they are held, from the share
 * of flows that is followed.
 *
 * A fold over batches, with time as an argument. Memory is bounded: protocols, states and the most frequent
 * services have a window of a minute and a life table of some minutes; as many flows as there is room for are
 * followed from birth to end.
 *
 * Honesty: flows that were there before somebody listened may never tell of their end, so ends alone are
 * never a rate of anything but ends, and a holding time comes only from flows whose birth was seen. Events
 * that were lost are counted, what was counted is scaled by them, and the flows whose end may be among them
 * are no longer counted as alive until a census finds them again.
 */
import { type FlowColumns, Has } from "../table/columns.ts";
import { EventKind, type FlowEventBatch } from "../table/flow-event.ts";
import { hasStates } from "../table/state.ts";
import { Followed } from "./event-tally-followed.ts";
import { type Group, Groups } from "./event-tally-groups.ts";
import { Lives } from "./event-tally-lives.ts";
import { type Rate, WindowClock } from "./event-tally-window.ts";

/** Lives are counted over this long, and as long before. */
const LIVES_SECONDS = 600;

export interface GroupRate {
  protocol: string;
  port?: number;
  /** Of ends: the state in which flows ended. */
  state?: string;
  arrivals: Rate;
  ends: Rate;
  /** Mean life of those followed from birth to end; absent while too few ended or most outlive the watch. */
  livedSeconds?: number;
}

/** Events of a second, standing for all flows. */
export interface SecondOfEvents {
  arrivals: number;
  ends: number;
  /** Events that were read of the followed share. */
  events: number;
}

export class EventTally {
  readonly #followed: Followed;
  readonly #clock = new WindowClock();
  readonly #groups = new Groups();
  #second: SecondOfEvents = { arrivals: 0, ends: 0, events: 0 };
  #periodMs: number;
  #notFollowed = 0;
  #doubtful = false;

  constructor(options: { followedFlows: number; nowMs: number }) {
    this.#followed = new Followed(options.followedFlows);
    this.#periodMs = options.nowMs;
  }

  /** Flows whose birth was seen and whose end was not. */
  get followedFlows(): number {
    return this.#followed.size;
  }

  /** Births for which there was no room. */
  get notFollowed(): number {
    return this.#notFollowed;
  }

  /** Some ends may have been lost: the next census should tell which flows are still there. */
  get wantsCensus(): boolean {
    return this.#doubtful;
  }

  /**
   * Counts a batch. `oneOf` is the share that was followed when its events came; rows `follows` refuses are
   * of a larger share than that and are left out. `nowMs` is of the clock that never goes back.
   */
  add(batch: FlowEventBatch, share: { oneOf: number; follows(id: number): boolean }, nowMs: number): void {
    const { columns, kinds } = batch;
    for (let row = 0; row < columns.count; row++) {
      const id = columns.id[row] as number;
      if (!share.follows(id)) continue;
      if (kinds[row] === EventKind.NEW) this.#arrive(columns, row, id, { weight: share.oneOf, nowMs });
      else if (kinds[row] === EventKind.DESTROY) this.#end(columns, row, id, { weight: share.oneOf, nowMs });
    }
  }

  #arrive(columns: FlowColumns, row: number, id: number, { weight, nowMs }: Event): void {
    const protocol = columns.protocol[row] as number;
    const service = this.#groups.serviceAt(columns, row);
    this.#clock.see();
    this.#second.arrivals += weight;
    this.#second.events += 1;
    for (const group of this.#groups.of(protocol, service)) {
      this.#clock.count(group.window.arrivals, weight, id);
    }
    // An id that is used again tells that the end of the one before was not heard.
    this.#followed.drop(id);
    const slot = this.#followed.take(id);
    if (slot === undefined) {
      this.#notFollowed += 1;
      return;
    }
    this.#followed.bornMs[slot] = nowMs;
    this.#followed.countedMs[slot] = nowMs;
    this.#followed.protocol[slot] = protocol;
    this.#followed.service[slot] = service;
  }

  #end(columns: FlowColumns, row: number, id: number, { weight, nowMs }: Event): void {
    const protocol = columns.protocol[row] as number;
    this.#clock.see();
    this.#second.ends += weight;
    this.#second.events += 1;
    for (const group of this.#groups.of(protocol, this.#groups.serviceAt(columns, row))) {
      this.#clock.count(group.window.ends, weight, id);
    }
    const state = (columns.has[row] as number) & Has.state ? (columns.state[row] as number) : undefined;
    if (state !== undefined && hasStates(protocol)) {
      this.#clock.count(this.#groups.ofState(protocol, state).window.ends, weight, id);
    }
    const slot = this.#followed.at(id);
    if (slot === undefined) return;
    if (!this.#followed.isDoubtful(slot)) {
      this.#live(slot, nowMs);
      const age = (nowMs - (this.#followed.bornMs[slot] as number)) / 1000;
      for (const group of this.#groupsAt(slot)) group.lives.addEnd(age);
    }
    this.#followed.drop(id);
  }

  /** Counts what a flow has lived since that was counted last. */
  #live(slot: number, nowMs: number): void {
    const { bornMs, countedMs } = this.#followed;
    const born = bornMs[slot] as number;
    const counted = countedMs[slot] as number;
    if (counted >= nowMs) return;
    const [from, to] = [(counted - born) / 1000, (nowMs - born) / 1000];
    for (const group of this.#groupsAt(slot)) group.lives.addLived(from, to);
    countedMs[slot] = nowMs;
  }

  /**
   * A second is over: gives what happened in it. Losses are those of the second; `lostEvents` where the
   * kernel told how many.
   */
  endSecond(facts: {
    nowMs: number;
    seconds: number;
    losses: number;
    lostEvents: number | undefined;
  }): SecondOfEvents {
    const { nowMs, seconds, losses, lostEvents = 0 } = facts;
    const second = this.#second;
    if (losses > 0) this.#doubtAll(nowMs);
    const begins = this.#clock.pass(seconds, lostEvents);
    if (begins !== undefined) this.#beginSpan(begins);
    if (nowMs - this.#periodMs >= LIVES_SECONDS * 1000) this.#turn(nowMs);
    this.#second = { arrivals: 0, ends: 0, events: 0 };
    const scale = second.events === 0 ? 1 : 1 + lostEvents / second.events;
    return { ...second, arrivals: second.arrivals * scale, ends: second.ends * scale };
  }

  #doubtAll(nowMs: number): void {
    for (const [, slot] of this.#followed.entries()) {
      if (this.#followed.isDoubtful(slot)) continue;
      this.#live(slot, nowMs);
      this.#followed.doubt(slot);
    }
    this.#doubtful = this.#followed.size > 0;
  }

  #beginSpan(span: number): void {
    for (const group of this.#groups.each()) group.window.forget(span);
    const used = new Set<number>();
    for (const [, slot] of this.#followed.entries()) used.add(this.#followed.service[slot] as number);
    this.#groups.release(used);
  }

  /** A new period of lives begins: what the followed have lived so far belongs to the one before. */
  #turn(nowMs: number): void {
    this.#liveAll(nowMs);
    for (const group of this.#groups.each()) group.turn();
    this.#periodMs = nowMs;
  }

  #liveAll(nowMs: number): void {
    for (const [, slot] of this.#followed.entries()) {
      if (!this.#followed.isDoubtful(slot)) this.#live(slot, nowMs);
    }
  }

  /** Fewer flows are followed than before: the others are no longer watched, which is not an end. */
  keepOnly(follows: (id: number) => boolean, nowMs: number): void {
    for (const [id, slot] of this.#followed.entries()) {
      if (follows(id)) continue;
      if (!this.#followed.isDoubtful(slot)) this.#live(slot, nowMs);
      this.#followed.drop(id);
    }
  }

  /** Nobody listens any more: what was followed is not any longer. */
  stopFollowing(nowMs: number): void {
    this.keepOnly(() => false, nowMs);
    this.#doubtful = false;
  }

  /** A flow was found in a census, alive. */
  found(id: number, nowMs: number): void {
    const slot = this.#followed.at(id);
    if (slot !== undefined && this.#followed.isDoubtful(slot)) this.#followed.believe(slot, nowMs);
  }

  /**
   * A census is over that began after the loss: followed flows that it did not find, or did not look for, are
   * closed without an end.
   */
  endResync(): number {
    let closed = 0;
    for (const [id, slot] of this.#followed.entries()) {
      if (!this.#followed.isDoubtful(slot)) continue;
      this.#followed.drop(id);
      closed += 1;
    }
    this.#doubtful = false;
    return closed;
  }

  /**
   * Rates of the last minute: everything, each protocol, the services with the most arrivals, ends by state.
   */
  rates(nowMs: number, topServices: number): EventRates {
    const total = this.total(nowMs);
    return {
      ...total,
      protocols: this.#ratesOf(this.#groups.protocols(), Infinity),
      services: this.#ratesOf(this.#groups.services(), topServices),
      endsByState: this.#ratesOf(this.#groups.states(), Infinity).filter(({ ends }) => ends.perSecond > 0),
    };
  }

  /** Of all flows together, over the last minute. */
  total(nowMs: number): Pick<EventRates, "seconds" | "all"> {
    this.#liveAll(nowMs);
    return { seconds: this.#clock.seconds, all: this.#rateOf(this.#groups.all) };
  }

  /** Those with the most arrivals. A rate costs much more than a sum, and most are not asked for. */
  #ratesOf(groups: Iterable<Group>, most: number): GroupRate[] {
    return [...groups]
      .map((group) => ({ group, arrivals: this.#clock.sum(group.window.arrivals) }))
      .toSorted((one, other) => other.arrivals - one.arrivals)
      .slice(0, most)
      .map(({ group }) => this.#rateOf(group));
  }

  #rateOf(group: Group): GroupRate {
    const lived = new Lives().add(group.lives).add(group.before).meanSeconds();
    return {
      ...group.name,
      arrivals: this.#clock.rate(group.window.arrivals),
      ends: this.#clock.rate(group.window.ends),
      ...(lived === undefined ? {} : { livedSeconds: lived }),
    };
  }

  #groupsAt(slot: number): Group[] {
    const { protocol, service } = this.#followed;
    return this.#groups.of(protocol[slot] as number, service[slot] as number);
  }
}

/** What an event stands for, and when it was read. */
interface Event {
  weight: number;
  nowMs: number;
}

export interface EventRates {
  /** Seconds counted over, up to a minute. */
  seconds: number;
  all: GroupRate;
  protocols: readonly GroupRate[];
  services: readonly GroupRate[];
  endsByState: readonly GroupRate[];
}
