/**
 * Notices on their way: every notice reaches every receiver at least once, in order. Pure: who delivers asks
 * what is due and says what became of it; `state` is what must be on disk before anything is sent.
 *
 * - A receiver that does not take a notice is tried again after 1 s, 2 s, 4 s ... up to 5 minutes (each
 *   shortened by up to a half, so that many hosts do not come at once). What comes later waits behind it.
 * - A reminder that still waits goes when something newer of the same alert comes: it would say nothing new.
 *   Everything else is delivered, also when the alert is over meanwhile.
 * - A receiver has a bound of notices that wait. Beyond it reminders go first, then the oldest; what is lost
 *   is counted, and the next notice that is delivered says so.
 * - A notice may wait some seconds for what belongs to it (`notBeforeMs`); it is kept meanwhile, and goes as
 *   it is when that does not come.
 * - A notice that the receiver itself refuses (and not only fails to take) is given up after a day.
 */
import type { Random } from "../base/random.ts";
import type { AlertLevel } from "./alert-condition.ts";
import { severityOf } from "./alert-condition.ts";
import type { Notice } from "./notice.ts";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 300_000;
const GIVE_UP_AFTER_MS = 86_400_000;
const WAITING_MAX = 500;
/** No notice is held back for longer, whatever the clock does. */
const LONGEST_HOLD_MS = 10_000;

/** Who is told what. */
export interface Subscription {
  receiver: string;
  /** Notices of this level and above. */
  least: AlertLevel;
  /** Also told when it is over. */
  resolved: boolean;
}

/** One notice to one receiver. */
export interface Delivery {
  receiver: string;
  notice: Notice;
  /** Notices that this receiver will never see, since it was last told. */
  lost: number;
  /** Counted from 1. */
  attempt: number;
}

export interface Queue {
  receiver: string;
  waiting: readonly Notice[];
  lost: number;
}

export interface OutboxState {
  queues: readonly Queue[];
}

/** How a receiver stands. */
export interface ReceiverStanding {
  receiver: string;
  waiting: number;
  lost: number;
  /** Attempts in a row that failed. */
  failures: number;
  /** Of the last of them. */
  why?: string;
  nextAttemptMs?: number;
  deliveredMs?: number;
}

interface Line {
  waiting: Notice[];
  lost: number;
  failures: number;
  busy: boolean;
  subscription?: Subscription;
  why?: string;
  nextAttemptMs?: number;
  deliveredMs?: number;
}

export class Outbox {
  readonly #lines = new Map<string, Line>();
  readonly #random: Random;
  readonly #waitingMax: number;

  constructor(random: Random, waitingMax: number = WAITING_MAX) {
    this.#random = random;
    this.#waitingMax = waitingMax;
  }

  /**
   * Who is told from now on. What waits for a receiver that is not among them waits on, for a day: a name may
   * have been mistyped.
   */
  subscribe(subscriptions: readonly Subscription[]): void {
    for (const line of this.#lines.values()) delete line.subscription;
    for (const subscription of subscriptions) this.#line(subscription.receiver).subscription = subscription;
  }

  /** Puts a notice in line for everybody who wants it. */
  put(notice: Notice): void {
    for (const line of this.#lines.values()) {
      if (line.subscription === undefined || !wants(line.subscription, notice)) continue;
      // The one that is on its way stays: it may have arrived already.
      line.waiting = line.waiting.filter(
        (other, index) =>
          other.kind !== "reminder" || other.alert.id !== notice.alert.id || (line.busy && index === 0),
      );
      line.waiting.push(notice);
      while (line.waiting.length > this.#waitingMax) loseOne(line);
    }
  }

  /**
   * Completes the notices that are held back; what `completed` gives without `notBeforeMs` waits no longer.
   * Tells whether any was changed.
   */
  complete(completed: (notice: Notice) => Notice): boolean {
    let some = false;
    for (const line of this.#lines.values()) {
      line.waiting = line.waiting.map((notice, index) => {
        if (notice.notBeforeMs === undefined || (line.busy && index === 0)) return notice;
        const whole = completed(notice);
        some ||= whole !== notice;
        return whole;
      });
    }
    return some;
  }

  /** What can be sent now, at most one notice for each receiver; each must be answered. */
  due(nowMs: number): readonly Delivery[] {
    return [...this.#lines].flatMap(([receiver, line]): readonly Delivery[] => {
      this.#prune(line, nowMs);
      const [notice] = line.waiting;
      if (notice === undefined || line.busy || line.subscription === undefined) return [];
      if (waitMs(line, nowMs) > 0 || holdMs(notice, nowMs) > 0) return [];
      line.busy = true;
      return [{ receiver, notice, lost: line.lost, attempt: line.failures + 1 }];
    });
  }

  /** Milliseconds until something is due; undefined when nothing waits that could be sent. */
  waitMs(nowMs: number): number | undefined {
    const waits = [...this.#lines.values()]
      .filter((line) => line.waiting.length > 0 && !line.busy && line.subscription !== undefined)
      .map((line) => Math.max(waitMs(line, nowMs), holdMs(line.waiting[0], nowMs)));
    return waits.length === 0 ? undefined : Math.min(...waits);
  }

  /** The receiver has it. */
  delivered({ receiver, notice, lost }: Delivery, nowMs: number): void {
    const line = this.#line(receiver);
    line.busy = false;
    line.waiting = line.waiting.filter(({ id }) => id !== notice.id);
    line.lost = Math.max(0, line.lost - lost);
    line.failures = 0;
    line.deliveredMs = nowMs;
    delete line.why;
    delete line.nextAttemptMs;
  }

  /** It did not take it; `refused`: it answered that it will not. Returns whether it is given up. */
  failed({ receiver, notice }: Delivery, nowMs: number, why: string, refused: boolean): boolean {
    const line = this.#line(receiver);
    line.busy = false;
    line.failures += 1;
    line.why = why;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(30, line.failures - 1));
    line.nextAttemptMs = nowMs + Math.round(longest * (1 - this.#random.fraction() / 2));
    const tooOld = nowMs - notice.atMs > GIVE_UP_AFTER_MS;
    if (!refused || !tooOld) return false;
    line.waiting = line.waiting.filter(({ id }) => id !== notice.id);
    line.lost += 1;
    return true;
  }

  /** How every receiver stands. */
  standing(): readonly ReceiverStanding[] {
    return [...this.#lines].map(
      ([receiver, { waiting, lost, failures, why, nextAttemptMs, deliveredMs }]) => ({
        receiver,
        waiting: waiting.length,
        lost,
        failures,
        ...(why === undefined ? {} : { why }),
        ...(nextAttemptMs === undefined ? {} : { nextAttemptMs }),
        ...(deliveredMs === undefined ? {} : { deliveredMs }),
      }),
    );
  }

  /** What must survive. */
  state(): OutboxState {
    return {
      queues: [...this.#lines]
        .filter(([, { waiting, lost }]) => waiting.length > 0 || lost > 0)
        .map(([receiver, { waiting, lost }]) => ({ receiver, waiting, lost })),
    };
  }

  /** Goes on where `state` was taken: what was on its way then is sent again. */
  restore({ queues }: OutboxState): void {
    for (const { receiver, waiting, lost } of queues) {
      const line = this.#line(receiver);
      line.waiting = [...waiting];
      line.lost = lost;
    }
  }

  #line(receiver: string): Line {
    const known = this.#lines.get(receiver);
    if (known !== undefined) return known;
    const line: Line = { waiting: [], lost: 0, failures: 0, busy: false };
    this.#lines.set(receiver, line);
    return line;
  }

  /** What waits for nobody any more. */
  #prune(line: Line, nowMs: number): void {
    if (line.subscription !== undefined) return;
    line.waiting = line.waiting.filter(({ atMs }) => nowMs - atMs <= GIVE_UP_AFTER_MS);
  }
}

function wants({ least, resolved }: Subscription, { kind, alert, worst }: Notice): boolean {
  if (kind === "test") return true;
  if (kind === "resolved") return resolved && severityOf(worst) >= severityOf(least);
  return severityOf(alert.level) >= severityOf(least);
}

function waitMs({ nextAttemptMs }: Line, nowMs: number): number {
  if (nextAttemptMs === undefined) return 0;
  const wait = nextAttemptMs - nowMs;
  // The clock was set back: nothing waits for longer than the longest.
  return wait > LONGEST_WAIT_MS ? 0 : Math.max(0, wait);
}

function holdMs(notice: Notice | undefined, nowMs: number): number {
  const wait = (notice?.notBeforeMs ?? nowMs) - nowMs;
  return wait > LONGEST_HOLD_MS ? 0 : Math.max(0, wait);
}

/** A reminder where there is one, else the oldest; never what is on its way. */
function loseOne(line: Line): void {
  const first = line.busy ? 1 : 0;
  const reminder = line.waiting.findIndex(({ kind }, index) => index >= first && kind === "reminder");
  line.waiting.splice(reminder === -1 ? first : reminder, 1);
  line.lost += 1;
}
