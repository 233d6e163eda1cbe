/**
 * Listening to flow events: opened when it can be, followed with the share the budget allows, drained once a
 * second; what was lost is data.
 */
import type { Arrivals, Census } from "../census/census.ts";
import type { ForecastFacts } from "../plan/plan.ts";
import { FOLLOWED_FLOWS, type WorkBudget } from "./budget.ts";
import { EventTally, type EventRates, type GroupRate, type SecondOfEvents } from "./event-tally.ts";
import type { WatchNote } from "./history.ts";
import type { SampledEvents, WatchedHost } from "./watched-host.ts";
import type { EventWatch, FlowRate } from "./watch-state.ts";

/** Events read in one second at most; what waits longer is read in the next, or is lost. */
const MOST_EVENTS = 20_000;
/** A larger share is followed only when less than a quarter of what is allowed was used for so long. */
const CALM_SECONDS = 30;
/** In the first minute nothing is known yet that could be lost by being quick. */
const FIRST_CALM_SECONDS = 3;
const FIRST_MS = 60_000;
/** The share to begin with, before it is known how many events come. */
const FIRST_ONE_OF = 64;
/** Losses are noted once in so long, with what was lost since. */
const NOTE_MS = 60_000;
const TOP_SERVICES = 10;
const ARRIVAL_SERVICES = 20;
/** A rate whose error is a larger share of it says nothing of how long flows stay. */
const ERROR_SHARE = 0.3;

export class EventListener {
  readonly #tally: EventTally;
  readonly #budget: WorkBudget;
  #events: SampledEvents | undefined;
  #losses = 0;
  #lostEvents = 0;
  /** Of listeners that were closed. */
  #before = { losses: 0, lostEvents: 0 };
  #calmSeconds = 0;
  #openedMs = 0;
  #perSecond = 0;
  #noted: { atMs: number | undefined; losses: number; lostEvents: number } = {
    atMs: undefined,
    losses: 0,
    lostEvents: 0,
  };
  /** Events of flows that were not followed, by reckoning. */
  skippedEvents = 0;

  constructor(budget: WorkBudget, elapsedMs: number) {
    this.#budget = budget;
    this.#tally = new EventTally({ followedFlows: FOLLOWED_FLOWS, nowMs: elapsedMs });
  }

  get isOpen(): boolean {
    return this.#events !== undefined;
  }

  /** Events a second of all flows, on average over the last seconds. */
  get eventsPerSecond(): number {
    return this.#perSecond;
  }

  get tally(): EventTally {
    return this.#tally;
  }

  /** Begins to listen; throws what the host throws. */
  open(host: WatchedHost, elapsedMs: number): void {
    if (this.#events !== undefined) return;
    this.#events = host.events({ oneOf: FIRST_ONE_OF });
    this.#openedMs = elapsedMs;
  }

  /** Stops listening; what was followed is not any longer. */
  close(elapsedMs: number): void {
    const events = this.#events;
    if (events === undefined) return;
    this.#before = { losses: this.#losses, lostEvents: this.#lostEvents };
    this.#events = undefined;
    this.#tally.stopFollowing(elapsedMs);
    events.close();
  }

  /** Reads what has come and closes the second; undefined while nobody listens, or began to just now. */
  drain(
    { elapsedMs, atMs, seconds }: { elapsedMs: number; atMs: number; seconds: number },
    notes: WatchNote[],
  ): SecondOfEvents | undefined {
    const events = this.#events;
    if (events === undefined) return undefined;
    this.#budget.measure(
      "events",
      (count) => count,
      () => this.#read(events, elapsedMs),
    );
    // Of the time before somebody listened nothing is known: it is not counted over.
    const heardSeconds = Math.min(seconds, (elapsedMs - this.#openedMs) / 1000);
    const { losses, lostEvents } = this.#countLosses(events);
    const second = this.#tally.endSecond({ nowMs: elapsedMs, seconds: heardSeconds, losses, lostEvents });
    this.#noteLosses(notes, atMs, elapsedMs);
    if (heardSeconds <= 0) return undefined;
    // What waited since before the share became smaller is mostly not of it, and stands for nothing.
    const now = ((second.events + (lostEvents ?? 0)) * events.oneOf) / heardSeconds;
    // Up at once, down slowly: a burst must not be met with the share of a calm hour.
    this.#perSecond = now > this.#perSecond ? now : this.#perSecond + 0.1 * (now - this.#perSecond);
    this.skippedEvents += second.events * (events.oneOf - 1);
    return second;
  }

  #read(events: SampledEvents, elapsedMs: number): number {
    let read = 0;
    while (read < MOST_EVENTS) {
      const batch = events.read(0);
      if (batch === undefined) break;
      read += batch.columns.count;
      this.#tally.add(batch, events, elapsedMs);
    }
    return read;
  }

  #countLosses(events: SampledEvents): { losses: number; lostEvents: number | undefined } {
    const before = { losses: this.#losses, lostEvents: this.#lostEvents };
    this.#losses = this.#before.losses + events.losses;
    const { lostEvents } = events;
    this.#lostEvents = this.#before.lostEvents + (lostEvents ?? 0);
    const losses = Math.max(0, this.#losses - before.losses);
    const lost = Math.max(0, this.#lostEvents - before.lostEvents);
    return {
      losses: losses === 0 && lost > 0 ? 1 : losses,
      lostEvents: lostEvents === undefined ? undefined : lost,
    };
  }

  #noteLosses(notes: WatchNote[], atMs: number, elapsedMs: number): void {
    const [times, lost] = [this.#losses - this.#noted.losses, this.#lostEvents - this.#noted.lostEvents];
    if (times === 0 && lost === 0) return;
    if (this.#noted.atMs !== undefined && elapsedMs - this.#noted.atMs < NOTE_MS) return;
    this.#noted = { atMs: elapsedMs, losses: this.#losses, lostEvents: this.#lostEvents };
    const amount = lost > 0 ? `${lost} of them` : "how many is not known";
    const text = `Flow events came faster than they were read: ${amount}. Rates are scaled for it`;
    notes.push({ atMs, kind: "events-lost", text, ...(lost > 0 ? { amount: lost } : {}) });
  }

  /**
   * Follows the share that the budget allows: fewer flows at once, more when it has been calm for a while.
   */
  adapt(oneOf: number, elapsedMs: number): void {
    const events = this.#events;
    if (events === undefined) return;
    this.#calmSeconds = oneOf * 2 <= events.oneOf ? this.#calmSeconds + 1 : 0;
    const calm = elapsedMs - this.#openedMs < FIRST_MS ? FIRST_CALM_SECONDS : CALM_SECONDS;
    const wanted = this.#calmSeconds >= calm ? events.oneOf / 2 : events.oneOf;
    const next = Math.max(1, oneOf > events.oneOf ? oneOf : wanted);
    if (next === events.oneOf) return;
    this.#calmSeconds = 0;
    events.setOneOf(next);
    this.#tally.keepOnly((id) => events.follows(id), elapsedMs);
  }

  /** What is shown of it; undefined while nobody listens. */
  watch(elapsedMs: number, census: Census | undefined): EventWatch | undefined {
    const events = this.#events;
    if (events === undefined) return undefined;
    const rates = this.#tally.rates(elapsedMs, TOP_SERVICES);
    const rows = [...rates.protocols, ...rates.services];
    return {
      oneOf: events.oneOf,
      followedFlows: this.#tally.followedFlows,
      lostEvents: this.#lostEvents,
      lossTimes: this.#losses,
      rates: rows.map((rate) => flowRate(rate, census)),
      ends: rates.endsByState.map(({ protocol, state = "", ends }) => ({
        protocol,
        state,
        perSecond: ends.perSecond,
        standardErrorPerSecond: ends.standardErrorPerSecond,
      })),
    };
  }

  /** All arrivals together, as a forecast has them; undefined before there was time to count. */
  total(elapsedMs: number, census: Census | undefined): ForecastFacts["arrivals"] {
    if (this.#events === undefined) return undefined;
    const { all, seconds } = this.#tally.total(elapsedMs);
    if (seconds < 1) return undefined;
    const { holdingSeconds } = flowRate(all, census);
    return { ...all.arrivals, ...(holdingSeconds === undefined ? {} : { holdingSeconds }) };
  }

  /** Arrivals of the last minute as an observation has them; undefined before there was time to count. */
  arrivals(elapsedMs: number): Arrivals | undefined {
    const events = this.#events;
    if (events === undefined) return undefined;
    const rates = this.#tally.rates(elapsedMs, ARRIVAL_SERVICES);
    return rates.seconds < 1 ? undefined : arrivalsOf(rates, events, this.#lostEvents);
  }
}

/**
 * How long flows are held: by lives seen from birth to end, else, where most outlive the watch, by how many
 * there are and how many are made (Little's law: right while the table is in balance).
 */
function flowRate(rate: GroupRate, census: Census | undefined): FlowRate {
  const { arrivals, livedSeconds } = rate;
  const there = livedSeconds === undefined ? flowsOf(rate, census) : undefined;
  const certain = arrivals.standardErrorPerSecond <= ERROR_SHARE * arrivals.perSecond;
  const byOccupancy =
    there !== undefined && certain && arrivals.perSecond > 0 ? there / arrivals.perSecond : undefined;
  const holdingSeconds = livedSeconds ?? byOccupancy;
  return {
    protocol: rate.protocol,
    ...(rate.port === undefined ? {} : { port: rate.port }),
    arrivalsPerSecond: arrivals.perSecond,
    standardErrorPerSecond: arrivals.standardErrorPerSecond,
    ...(holdingSeconds === undefined ? {} : { holdingSeconds }),
    ...(holdingSeconds === undefined
      ? {}
      : { holdingBy: livedSeconds === undefined ? "occupancy" : "lives" }),
  };
}

function flowsOf({ protocol, port }: GroupRate, census: Census | undefined): number | undefined {
  if (census === undefined) return undefined;
  if (protocol === "all") return census.flows;
  if (port === undefined) return census.byProtocol.find((row) => row.protocol === protocol)?.flows;
  return census.topServices.rows.find((row) => row.protocol === protocol && row.port === port)?.flows;
}

function arrivalsOf(rates: EventRates, { oneOf }: SampledEvents, lostEvents: number): Arrivals {
  const { seconds, all } = rates;
  const count = ({ arrivals }: GroupRate): Omit<Arrivals["services"][number], "protocol"> => ({
    flows: Math.round(arrivals.perSecond * seconds),
    ...arrivals,
  });
  const services = rates.services.map((rate) => ({
    protocol: rate.protocol,
    ...(rate.port === undefined ? {} : { port: rate.port }),
    ...count(rate),
  }));
  const listed = services.reduce((sum, { perSecond }) => sum + perSecond, 0);
  const otherPerSecond = Math.max(0, all.arrivals.perSecond - listed);
  return {
    seconds,
    ...count(all),
    byProtocol: rates.protocols.map((rate) => ({ protocol: rate.protocol, ...count(rate) })),
    services,
    otherServices: {
      flows: Math.round(otherPerSecond * seconds),
      perSecond: otherPerSecond,
      standardErrorPerSecond: all.arrivals.standardErrorPerSecond,
    },
    serviceErrorBoundFlows: 0,
    scale: oneOf,
    lowerBound: false,
    how: `reckoned from flow events of one flow of ${oneOf} over ${seconds.toFixed(0)} s${
      lostEvents === 0 ? "" : "; some were lost, for which rates are scaled"
    }`,
  };
}
