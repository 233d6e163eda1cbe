/**
 * When the kernel's collector came round, as a record of flow events tells.
 *
 * It removes all that have expired at once, whereas a lookup that meets an expired flow removes that one:
 * many ends at one instant are a pass. Flows made before anybody listened end without an event
 * (nf_conntrack_events = 2); a pass over those is seen by the kernel's own count, which falls below what the
 * events make of the count before. How long flows wait for it is also seen at those that cannot have spoken
 * again, such as those in TIME_WAIT.
 */
import { EventKind } from "../table/flow-event.ts";

/** Ends of expired flows at one instant from which on the collector has come round, not a lookup. */
const PASS_ENDS = 3;
/** Lookups remove so many an instant at most, as a multiple of what they do on average. */
const PASS_TIMES_USUAL = 8;
/** Events are fetched so often. */
const INSTANT_MS = 20;
/** The collector does not come twice within a second; a pass over a large table lasts. */
const PASS_APART_MS = 900;
/** No flow waits longer for the collector (nf_conntrack_core.c, GC_SCAN_INTERVAL_MAX), and a little. */
const COLLECTOR_MS = 62_000;
/** So long the collector's delay that was seen last is believed. */
const DELAY_KEPT_MS = 60_000;
/** How long the average of lookups reaches back. */
const USUAL_MS = 5000;

/** Flows that went without an event between two counts, from which on that was a pass: these, ... */
const SILENT_ENDS = 3;
/** ... and a share of the count: lookups remove some, */
const SILENT_SHARE = 0.01;
/** ... and a share of what happened meanwhile: events are fetched a little after the kernel counted them, */
const SILENT_OF_EVENTS = 0.05;
/** ... and what chance makes of a sample, as a multiple of its standard deviation. */
const SILENT_DEVIATIONS = 4;

interface Counted {
  atMs: number;
  flows: number;
}

export class CollectorPasses {
  /** Epoch milliseconds, ascending. */
  readonly passesMs: number[] = [];
  #counted: Counted | undefined;
  /** Flows made and ended since that count, by their events. */
  #made = 0;
  #ended = 0;
  #instantMs = -Infinity;
  #ends = 0;
  /** Ends of an instant that is no pass, on average. */
  #usualEnds = 0;
  /** The longest it was seen to take lately, and when. */
  #delayMs = COLLECTOR_MS;
  #delaySeenMs = -Infinity;

  /** An expired flow ended, at `atMs` or not long before. */
  noteEnd(atMs: number): void {
    if (atMs !== this.#instantMs) this.#begin(atMs);
    this.#ends += 1;
    if (this.#ends < Math.max(PASS_ENDS, this.#usualEnds * PASS_TIMES_USUAL)) return;
    const last = this.passesMs.at(-1) ?? -Infinity;
    if (atMs - last >= PASS_APART_MS) this.passesMs.push(atMs);
  }

  /** Any event, in its order among the counts. */
  noteEvent(kind: number): void {
    if (kind === EventKind.NEW) this.#made += 1;
    else if (kind === EventKind.DESTROY) this.#ended += 1;
  }

  /** The kernel's own count; events are of one flow in `oneOf`. A pass it tells of is taken as half way. */
  noteCount(atMs: number, flows: number, oneOf: number): void {
    const before = this.#counted;
    const [made, ended] = [this.#made, this.#ended];
    this.#counted = { atMs, flows };
    [this.#made, this.#ended] = [0, 0];
    if (before === undefined || (this.passesMs.at(-1) ?? -Infinity) > before.atMs) return;
    const silentEnds = before.flows + (made - ended) * oneOf - flows;
    const events = made + ended;
    const chance = oneOf === 1 ? 0 : SILENT_DEVIATIONS * Math.sqrt(events) * oneOf;
    const usual = SILENT_SHARE * before.flows + SILENT_OF_EVENTS * events * oneOf + chance;
    if (silentEnds >= SILENT_ENDS && silentEnds > usual) this.passesMs.push((before.atMs + atMs) / 2);
  }

  /** The whole table is listed: that collects what has expired, as a pass does. */
  noteListing(atMs: number): void {
    this.passesMs.push(atMs);
    this.#counted = undefined;
  }

  /** What happened since the last count is not known whole. */
  noteLoss(): void {
    this.#counted = undefined;
  }

  /** A flow that cannot have spoken again was gone so long after its time. */
  noteDelay(delayMs: number, atMs: number): void {
    const isOld = atMs - this.#delaySeenMs > DELAY_KEPT_MS;
    if (delayMs < this.#delayMs && !isOld) return;
    this.#delayMs = Math.min(Math.max(0, delayMs), COLLECTOR_MS);
    this.#delaySeenMs = atMs;
  }

  /** How long a flow that is gone now may have waited: had it expired at the pass before, it went then. */
  longestDelayMs(atMs: number): number {
    const passMs = this.before(atMs);
    if (passMs !== undefined) return Math.min(atMs - passMs, COLLECTOR_MS);
    return atMs - this.#delaySeenMs > 2 * DELAY_KEPT_MS ? COLLECTOR_MS : this.#delayMs;
  }

  #begin(atMs: number): void {
    const instants = Math.max(1, (atMs - this.#instantMs) / INSTANT_MS);
    const perInstant = this.#ends < PASS_ENDS ? this.#ends / instants : this.#usualEnds;
    const weight = 1 - Math.exp((-instants * INSTANT_MS) / USUAL_MS);
    this.#usualEnds += (perInstant - this.#usualEnds) * weight;
    this.#instantMs = atMs;
    this.#ends = 0;
  }

  /** The pass before the one at this instant, if that is one. */
  before(atMs: number): number | undefined {
    const last = this.passesMs.at(-1);
    if (last === undefined || atMs - last >= PASS_APART_MS) return last;
    return this.passesMs.at(-2);
  }
}
