/**
 * Occupancy over time in a fixed number of stretches: when they are used up, neighbours are joined and a
 * stretch is twice as long. So a capture of a second and one of a year cost the same, and peaks are kept.
 */

/** Stretches there is room for. */
const STRETCHES = 2048;
const FIRST_STRETCH_MS = 1;

/** Columns of equal length, a row for each stretch of time, in order. */
export interface TimelineColumns {
  /** When each stretch begins, epoch milliseconds. */
  readonly timeMs: Float64Array;
  /** The most flows in each stretch. */
  readonly flows: Float64Array;
  /** Packets dropped in each, and flows created. */
  readonly dropped: Float64Array;
  readonly created: Float64Array;
  /** Where the last stretch ends. */
  readonly endMs: number;
  /** The limit by time, the first from the beginning. */
  readonly limits: readonly { fromMs: number; capacityFlows: number }[];
}

export class Timeline {
  /** When the stretch of now ends: `advance` must be called by then. */
  endMs: number;
  /** The most flows in the stretch of now. */
  peakFlows = 0;
  /** Packets dropped and flows created in the stretch of now. */
  droppedPackets = 0;
  createdFlows = 0;
  readonly #startMs: number;
  #lastMs: number;
  #stretchMs = FIRST_STRETCH_MS;
  /** The stretch of now. */
  #at = 0;
  readonly #flows = new Float64Array(STRETCHES);
  readonly #dropped = new Float64Array(STRETCHES);
  readonly #created = new Float64Array(STRETCHES);
  readonly #limits: { fromMs: number; capacityFlows: number }[] = [];

  constructor(startMs: number, capacityFlows: number) {
    this.#startMs = startMs;
    this.#lastMs = startMs;
    this.endMs = startMs + FIRST_STRETCH_MS;
    this.#limits.push({ fromMs: startMs, capacityFlows });
  }

  /** The limit is another one from now on. */
  limit(atMs: number, capacityFlows: number): void {
    this.#limits.push({ fromMs: atMs, capacityFlows });
  }

  /** It is `nowMs`, and there have been `flows` since the last event. */
  advance(nowMs: number, flows: number): void {
    if (nowMs > this.#lastMs) this.#lastMs = nowMs;
    if (nowMs < this.endMs) return;
    this.#close();
    let next = this.#indexOf(nowMs);
    while (next >= STRETCHES) {
      this.#join();
      next = this.#indexOf(nowMs);
    }
    this.#flows.fill(flows, this.#at + 1, next + 1);
    this.#dropped.fill(0, this.#at + 1, next + 1);
    this.#created.fill(0, this.#at + 1, next + 1);
    if (next > this.#at) this.#at = next;
    this.peakFlows = Math.max(flows, this.#flows[this.#at] as number);
    this.endMs = this.#startMs + (this.#at + 1) * this.#stretchMs;
  }

  #indexOf(ms: number): number {
    return Math.floor((ms - this.#startMs) / this.#stretchMs);
  }

  /** Writes down the stretch of now. */
  #close(): void {
    const at = this.#at;
    this.#flows[at] = Math.max(this.#flows[at] as number, this.peakFlows);
    this.#dropped[at] = (this.#dropped[at] as number) + this.droppedPackets;
    this.#created[at] = (this.#created[at] as number) + this.createdFlows;
    this.droppedPackets = 0;
    this.createdFlows = 0;
  }

  #join(): void {
    const pairs = (this.#at >>> 1) + 1;
    for (let pair = 0; pair < pairs; pair++) {
      const [left, right] = [2 * pair, 2 * pair + 1];
      const hasRight = right <= this.#at;
      const flows = hasRight ? (this.#flows[right] as number) : 0;
      this.#flows[pair] = Math.max(this.#flows[left] as number, flows);
      this.#dropped[pair] =
        (this.#dropped[left] as number) + (hasRight ? (this.#dropped[right] as number) : 0);
      this.#created[pair] =
        (this.#created[left] as number) + (hasRight ? (this.#created[right] as number) : 0);
    }
    this.#at = pairs - 1;
    this.#stretchMs *= 2;
  }

  /** All stretches up to now, as copies. */
  columns(): TimelineColumns {
    this.#close();
    const count = this.#at + 1;
    return {
      timeMs: Float64Array.from({ length: count }, (_, index) => this.#startMs + index * this.#stretchMs),
      flows: this.#flows.slice(0, count),
      dropped: this.#dropped.slice(0, count),
      created: this.#created.slice(0, count),
      endMs: Math.max(this.#lastMs, this.#startMs + this.#at * this.#stretchMs),
      limits: this.#limits.map((limit) => ({ ...limit })),
    };
  }
}
