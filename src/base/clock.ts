/**
 * Time as an argument. Only this file reads the system's clocks; everything else is handed a Clock or an
 * instant, so that a test decides what time it is.
 */

export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01 UTC. It may jump. */
  nowMs(): number;
  /** Milliseconds since an arbitrary instant; never goes back. For durations. */
  elapsedMs(): number;
}

/** The clocks of this machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  // What `performance` would tell, without loading it.
  elapsedMs: () => process.uptime() * 1000,
};

/** A clock that stands still at `nowMs` until it is advanced. */
export class ManualClock implements Clock {
  #nowMs: number;
  #elapsedMs = 0;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** Moves both clocks forward by `byMs`. */
  advance(byMs: number): void {
    this.#nowMs += byMs;
    this.#elapsedMs += byMs;
  }
}
