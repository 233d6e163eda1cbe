/**
 * How fast flows go: so many a second, in small bursts, so that whoever listens to the events of it can
 * keep up.
 */

/** Bursts a second at least, while the rate allows one flow in each. */
const BURSTS_PER_SECOND = 20;
/**
 * Events of so many flows take less than half of the buffer that a socket has by default (208 KiB, 166
 * events).
 */
const BURST_FLOWS_MAX = 64;

export class Pace {
  readonly #perSecond: number;
  #startedMs: number | undefined;
  #flows = 0;

  /** `perSecond` may be Infinity. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Flows that may go at once. */
  get burstFlows(): number {
    if (this.#perSecond === Infinity) return Infinity;
    return Math.min(BURST_FLOWS_MAX, Math.max(1, Math.floor(this.#perSecond / BURSTS_PER_SECOND)));
  }

  /** How long to wait before the next burst, now; zero when it may go. */
  waitMs(elapsedMs: number): number {
    if (this.#perSecond === Infinity || this.#startedMs === undefined) return 0;
    const due = this.#startedMs + (this.#flows / this.#perSecond) * 1000;
    return Math.max(0, due - elapsedMs);
  }

  /** Notes that flows went. Time nothing was done in is not made up for. */
  took(flows: number, elapsedMs: number): void {
    if (this.#startedMs === undefined || this.waitMs(elapsedMs) === 0) {
      this.#startedMs = elapsedMs;
      this.#flows = 0;
    }
    this.#flows += flows;
  }
}
