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
import { discriminatorOf, protocolName } from "../table/protocol.ts";
import { hasStates, stateName } from "../table/state.ts";
import { Followed } from "./event-tally-followed.ts";
import { Lives } from "./event-tally-lives.ts";
import { GroupWindow, type Rate, WindowClock } from "./event-tally-window.ts";

/** Services that are kept at a time. */
const SERVICES = 512;
/** A service that is not among them. */
const NO_SERVICE = -1;
const NO_PORT = -1;
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

/** A group with its lives: two periods, the one under way and the one before. */
class Group {
  readonly name: { protocol: string; port?: number; state?: string };
  readonly window = new GroupWindow();
  lives = new Lives();
  before = new Lives();

  constructor(name: Group["name"]) {
    this.name = name;
  }

  turn(): void {
    [this.lives, this.before] = [this.before, this.lives];
    this.lives.clear();
  }
}

export class EventTally {
  readonly #followed: Followed;
  readonly #clock = new WindowClock();
  readonly #all = new Group({ protocol: "all" });
  readonly #protocols = new Map<number, Group>();
  readonly #states = new Map<number, Group>();
  readonly #serviceNumbers = new Map<number, number>();
  readonly #services: (Group | undefined)[] = Array.from({ length: SERVICES }, () => undefined);
  readonly #freeServices: number[] = Array.from({ length: SERVICES }, (_, index) => SERVICES - 1 - index);
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
    const service = this.#serviceAt(columns, row);
    this.#clock.see();
    this.#second.arrivals += weight;
    this.#second.events += 1;
    for (const group of this.#groupsOf(protocol, service)) {
      this.#clock.count(group.window.arrivals, weight, id);
    }
    // An id that is used again tells that the end of the one before was not heard.
    this.#forget(id);
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
    for (const group of this.#groupsOf(protocol, this.#serviceAt(columns, row))) {
      this.#clock.count(group.window.ends, weight, id);
    }
    const state = (columns.has[row] as number) & Has.state ? (columns.state[row] as number) : undefined;
    if (state !== undefined && hasStates(protocol)) {
      this.#clock.count(this.#stateGroup(protocol, state).window.ends, weight, id);
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
    const from = ((countedMs[slot] as number) - born) / 1000;
    const to = (nowMs - born) / 1000;
    for (const group of this.#groupsAt(slot)) group.lives.addLived(from, to);
    countedMs[slot] = nowMs;
  }

  /** A flow whose end is unknown: what is known of its life counts, an end does not. */
  #forget(id: number): void {
    this.#followed.drop(id);
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
    for (const group of this.#groups()) group.window.forget(span);
    const used = new Set<number>();
    for (const [, slot] of this.#followed.entries()) used.add(this.#followed.service[slot] as number);
    for (const [key, service] of this.#serviceNumbers) {
      if (used.has(service) || this.#services[service]?.window.isEmpty() === false) continue;
      this.#serviceNumbers.delete(key);
      this.#services[service] = undefined;
      this.#freeServices.push(service);
    }
  }

  /** A new period of lives begins: what the followed have lived so far belongs to the one before. */
  #turn(nowMs: number): void {
    this.#liveAll(nowMs);
    for (const group of this.#groups()) group.turn();
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
      this.#forget(id);
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
      this.#forget(id);
      closed += 1;
    }
    this.#doubtful = false;
    return closed;
  }

  /**
   * Rates of the last minute: everything, each protocol, the services with the most arrivals, ends by state.
   */
  rates(nowMs: number, topServices: number): EventRates {
    this.#liveAll(nowMs);
    const named = (groups: Iterable<Group>): GroupRate[] =>
      [...groups]
        .map((group) => this.#rateOf(group))
        .toSorted((one, other) => other.arrivals.perSecond - one.arrivals.perSecond);
    return {
      seconds: this.#clock.seconds,
      all: this.#rateOf(this.#all),
      protocols: named(this.#protocols.values()),
      services: named(this.#services.filter((group) => group !== undefined)).slice(0, topServices),
      endsByState: named(this.#states.values()).filter(({ ends }) => ends.perSecond > 0),
    };
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

  *#groups(): Iterable<Group> {
    yield this.#all;
    yield* this.#protocols.values();
    yield* this.#states.values();
    for (const group of this.#services) if (group !== undefined) yield group;
  }

  #groupsAt(slot: number): Group[] {
    const { protocol, service } = this.#followed;
    return this.#groupsOf(protocol[slot] as number, service[slot] as number);
  }

  #groupsOf(protocol: number, service: number): Group[] {
    const own = service === NO_SERVICE ? undefined : this.#services[service];
    const groups = [this.#all, this.#protocolGroup(protocol)];
    return own === undefined ? groups : [...groups, own];
  }

  #protocolGroup(protocol: number): Group {
    let group = this.#protocols.get(protocol);
    if (group === undefined) {
      group = new Group({ protocol: protocolName(protocol) });
      this.#protocols.set(protocol, group);
    }
    return group;
  }

  #stateGroup(protocol: number, state: number): Group {
    const key = protocol * 256 + state;
    let group = this.#states.get(key);
    if (group === undefined) {
      group = new Group({ protocol: protocolName(protocol), state: stateName(protocol, state) });
      this.#states.set(key, group);
    }
    return group;
  }

  /** The number of the service of a row; NO_SERVICE when there is no room for one more. */
  #serviceAt(columns: FlowColumns, row: number): number {
    const protocol = columns.protocol[row] as number;
    const bare = ((columns.has[row] as number) & Has.bare) !== 0;
    const port =
      discriminatorOf(protocol) === "ports" && !bare
        ? (columns.originalDestinationDiscriminator[row] as number)
        : NO_PORT;
    if (port === NO_PORT) return NO_SERVICE;
    const key = protocol * 65_536 + port;
    const known = this.#serviceNumbers.get(key);
    if (known !== undefined) return known;
    const free = this.#freeServices.pop();
    if (free === undefined) return NO_SERVICE;
    this.#serviceNumbers.set(key, free);
    this.#services[free] = new Group({ protocol: protocolName(protocol), port });
    return free;
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
