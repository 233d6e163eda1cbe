/**
 * What goes into the history, and waits in memory while it cannot be written: a full disk stops no watching.
 * The queue is bounded; when it overflows, the oldest seconds go first, but what changed in them and what was
 * noted moves on to the next.
 */
import type { HistoryWriter, Second } from "./history.ts";
import { isRefusal } from "./sight.ts";

/** Seconds that wait at most: a quarter of an hour. */
const WAITING_SECONDS = 900;
/** Of these, so many may hold their census: one is some hundred kilobytes. */
const WAITING_CENSUSES = 3;
/** Happenings that a second may inherit from those that were given up. */
const INHERITED = 500;
/** Waiting seconds written in one second, so that catching up delays nothing. */
const CATCH_UP_SECONDS = 30;

export class WatcherMemory {
  readonly #history: HistoryWriter;
  #waiting: Second[] = [];
  #lostSeconds = 0;
  #refused: Error | undefined;

  constructor(history: HistoryWriter) {
    this.#history = history;
  }

  /** Seconds that were given up because too many waited. */
  get lostSeconds(): number {
    return this.#lostSeconds;
  }

  /** Why the last writing failed; undefined when it did not. */
  get refused(): Error | undefined {
    return this.#refused;
  }

  /** Writes a second, after those that wait; gives the error when that fails. Our own mistakes are thrown. */
  append(second: Second): Error | undefined {
    this.#waiting.push(second);
    const error = this.#write();
    this.#bound();
    this.#refused = error;
    return error;
  }

  #write(): Error | undefined {
    try {
      for (let done = 0; done < CATCH_UP_SECONDS; done++) {
        const [next] = this.#waiting;
        if (next === undefined) break;
        this.#history.append(next);
        this.#waiting.shift();
      }
      return undefined;
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** Work on the history that can as well be done later; gives the error when that fails. */
  attempt(work: (history: HistoryWriter) => void): Error | undefined {
    try {
      work(this.#history);
      return undefined;
    } catch (error) {
      return refusalOf(error);
    }
  }

  #bound(): void {
    const withCensus = this.#waiting.filter(({ census }) => census !== undefined);
    for (const second of withCensus.slice(0, -WAITING_CENSUSES)) {
      const { census: _given, ...rest } = second;
      this.#waiting[this.#waiting.indexOf(second)] = rest;
    }
    while (this.#waiting.length > WAITING_SECONDS) {
      const [oldest, next] = this.#waiting;
      if (oldest === undefined || next === undefined) return;
      this.#waiting.splice(0, 2, inheriting(next, oldest));
      this.#lostSeconds += 1;
    }
  }
}

function inheriting(next: Second, oldest: Second): Second {
  const changes = [...(oldest.changes ?? []), ...(next.changes ?? [])].slice(-INHERITED);
  const notes = [...(oldest.notes ?? []), ...(next.notes ?? [])].slice(-INHERITED);
  return {
    ...next,
    ...(changes.length === 0 ? {} : { changes }),
    ...(notes.length === 0 ? {} : { notes }),
  };
}

function refusalOf(error: unknown): Error {
  if (isRefusal(error)) return error;
  throw error;
}
