/**
 * How long flows are held, from those that were followed from birth to end and those that are still there:
 * deaths and time lived by age, over the last minutes (a life table by period). A flow whose end is not known
 * counts for as long as it was known to live and no longer, so nothing is taken from ends alone.
 *
 * Ages lie in spans, four to each doubling; within a span the chance to end is taken as constant. Reference:
 * Kaplan and Meier 1958; piecewise exponential model, Friedman 1982.
 */

const SPANS = 84;
const SPANS_A_DOUBLING = 4;
/** The end of each span, seconds; the last has none. */
const EDGES = Float64Array.from({ length: SPANS - 1 }, (_, span) => 2 ** (span / SPANS_A_DOUBLING));
/** Fewer ends than this tell nothing of a mean. */
const LEAST_ENDS = 5;
/** Flows that outlive all that was seen: up to this share their lives cannot change the mean much. */
const UNSEEN_SHARE = 0.02;

export class Lives {
  readonly #ends = new Float64Array(SPANS);
  readonly #lived = new Float64Array(SPANS);

  /** A flow lived from one age to another, seconds. */
  addLived(fromSeconds: number, toSeconds: number): void {
    let from = Math.max(0, fromSeconds);
    for (let span = spanOf(from); from < toSeconds && span < SPANS; span++) {
      const to = Math.min(toSeconds, EDGES[span] ?? Infinity);
      this.#lived[span] = (this.#lived[span] as number) + (to - from);
      from = to;
    }
  }

  addEnd(ageSeconds: number): void {
    // The span it lived in last, where its end is the beginning of the next.
    const span = spanOf(ageSeconds - 1e-6);
    this.#ends[span] = (this.#ends[span] as number) + 1;
  }

  add(other: Lives): this {
    for (let span = 0; span < SPANS; span++) {
      this.#ends[span] = (this.#ends[span] as number) + (other.#ends[span] as number);
      this.#lived[span] = (this.#lived[span] as number) + (other.#lived[span] as number);
    }
    return this;
  }

  clear(): void {
    this.#ends.fill(0);
    this.#lived.fill(0);
  }

  /** Ends counted. */
  get ends(): number {
    return this.#ends.reduce((sum, ends) => sum + ends, 0);
  }

  /** Mean life in seconds; undefined while too few ended, or too many outlive what was seen. */
  meanSeconds(): number | undefined {
    if (this.ends < LEAST_ENDS) return undefined;
    const last = this.#lived.findLastIndex((lived) => lived > 0);
    let [alive, mean, from] = [1, 0, 0];
    for (let span = 0; span <= Math.max(0, last); span++) {
      const ends = this.#ends[span] as number;
      // A flow that was made and ended between two readings was seen to live for no time at all.
      const lived = (this.#lived[span] as number) + (span === 0 ? ends * SHORT_LIFE_SECONDS : 0);
      const to = EDGES[span] ?? Infinity;
      if (lived === 0) break;
      // Nobody was seen older, and there was time enough to grow older: here all end, as by a timeout.
      const isEnd = span === last && ends > 0 && lived / ends <= (to - from) * SLACK;
      const survives = isEnd ? 0 : Math.exp((-ends / lived) * (to - from));
      mean += alive * (ends === 0 ? to - from : ((1 - survives) * lived) / ends);
      alive *= survives;
      from = to;
    }
    return alive > UNSEEN_SHARE || !Number.isFinite(mean) ? undefined : mean;
  }
}

/** What a flow that ended in the span of its birth lived at the least, of the second it was read in. */
const SHORT_LIFE_SECONDS = 0.05;
/** Flows that are on their way through the last span live in it and have not ended yet. */
const SLACK = 1.2;

function spanOf(ageSeconds: number): number {
  if (ageSeconds < 1) return 0;
  return Math.min(SPANS - 1, Math.floor(SPANS_A_DOUBLING * Math.log2(ageSeconds)) + 1);
}
