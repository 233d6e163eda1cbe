/**
 * How many flows were made and ended over the last minute, by group: a ring of short spans. What is counted
 * is the followed share, each event standing for as many as the share says, so that the share may change at
 * any time.
 *
 * The share is one of ids, and an id is not always another: the kernel reckons it from the flow's addresses
 * and ports and from where the flow lies in memory, so ports that are used again and again (a proxy's) may
 * come with the same few ids, all of which are followed or none. What counts for the standard error is then
 * the sum over ids of the square of what each brought. It is estimated without keeping ids: by how much the
 * sums of LOTS lots differ, to which ids belong by another hash (random groups, Wolter, Introduction to
 * Variance Estimation, 2007, ch. 2). Of a share of one of k an id that brought c adds c^2 k (k - 1), and
 * flows come by chance on top of it (Poisson). Where every id comes once that is k times the root of the
 * number that was followed; where all are followed it is the root of the number, however often ids come.
 */

const SPANS = 12;
const SPAN_SECONDS = 5;

/** As many as make an error known to a sixth of itself. */
const LOTS = 64;
/** Odd; another than that of the share (kernel/event-filter.ts), whose followed ids are all alike there. */
const LOT_MULTIPLIER = 0x85eb_ca6b;

/** The lot of an id: independent of whether it is followed. */
function lotOf(id: number): number {
  const mixed = Math.imul(id ^ (id >>> 16), LOT_MULTIPLIER);
  return (Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35) >>> 16) % LOTS;
}

/** Of one group: sums that stand for all flows, in all and by lot; lots are kept from the first event on. */
class Ring {
  readonly sums = new Float64Array(SPANS);
  lots: Float32Array | undefined;
}

/** A group: its arrivals and its ends. */
export class GroupWindow {
  readonly arrivals = new Ring();
  readonly ends = new Ring();

  forget(span: number): void {
    for (const ring of [this.arrivals, this.ends]) {
      ring.sums[span] = 0;
      ring.lots?.fill(0, span * LOTS, (span + 1) * LOTS);
    }
  }

  isEmpty(): boolean {
    return this.arrivals.sums.every((sum) => sum === 0) && this.ends.sums.every((sum) => sum === 0);
  }
}

export interface Rate {
  perSecond: number;
  standardErrorPerSecond: number;
}

/** The spans all groups share: which one is being filled, how long each was, what was lost in it. */
export class WindowClock {
  /** The span that is being filled. */
  span = 0;
  readonly #seconds = new Float64Array(SPANS);
  readonly #seen = new Float64Array(SPANS);
  readonly #lost = new Float64Array(SPANS);

  /** An event of the followed share came. */
  see(): void {
    this.#seen[this.span] = (this.#seen[this.span] as number) + 1;
  }

  /**
   * Time went by, and so many events of the followed share were lost meanwhile. Gives the span that begins
   * anew, whose old counts each group must forget; undefined while the present one is filled further.
   */
  pass(seconds: number, lostEvents: number): number | undefined {
    this.#seconds[this.span] = (this.#seconds[this.span] as number) + seconds;
    this.#lost[this.span] = (this.#lost[this.span] as number) + lostEvents;
    if ((this.#seconds[this.span] as number) < SPAN_SECONDS) return undefined;
    this.span = (this.span + 1) % SPANS;
    for (const values of [this.#seconds, this.#seen, this.#lost]) values[this.span] = 0;
    return this.span;
  }

  /** Seconds counted over. */
  get seconds(): number {
    return this.#seconds.reduce((sum, seconds) => sum + seconds, 0);
  }

  rate(ring: Ring): Rate {
    const { seconds } = this;
    if (seconds === 0) return { perSecond: 0, standardErrorPerSecond: 0 };
    const sum = this.sum(ring);
    const variance = ring.lots === undefined ? 0 : this.#varianceOf(ring.lots);
    return { perSecond: sum / seconds, standardErrorPerSecond: Math.sqrt(variance + sum) / seconds };
  }

  /** All that was counted and what it stands for. */
  sum(ring: Ring): number {
    return ring.sums.reduce((sum, each, span) => sum + each * this.#scaleOf(span), 0);
  }

  /** Of the sum of all lots: on average the sum over ids of the square of what each brought. */
  #varianceOf(lots: Float32Array): number {
    const sums = new Float64Array(LOTS);
    for (let span = 0; span < SPANS; span++) {
      const scale = this.#scaleOf(span);
      for (let lot = 0; lot < LOTS; lot++) {
        sums[lot] = (sums[lot] as number) + (lots[span * LOTS + lot] as number) * scale;
      }
    }
    const mean = sums.reduce((sum, lot) => sum + lot, 0) / LOTS;
    return (sums.reduce((sum, lot) => sum + (lot - mean) ** 2, 0) * LOTS) / (LOTS - 1);
  }

  /** What was lost is taken to be of the same kinds as what came. */
  #scaleOf(span: number): number {
    const seen = this.#seen[span] as number;
    return seen === 0 ? 1 : 1 + (this.#lost[span] as number) / seen;
  }

  /** Counts an event of the flow `id` that stands for `weight` flows. */
  count(ring: Ring, weight: number, id: number): void {
    ring.sums[this.span] = (ring.sums[this.span] as number) + weight;
    if (weight === 1) return;
    ring.lots ??= new Float32Array(SPANS * LOTS);
    const at = this.span * LOTS + lotOf(id);
    ring.lots[at] = (ring.lots[at] as number) + Math.sqrt(weight * (weight - 1));
  }
}
