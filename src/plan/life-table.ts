/**
 * How many flows of one regime there will be when a timeout has been in force for long: a life table, as
 * demographers make it for people, whose age here is the time a flow has been silent.
 *
 * A packet makes a flow newborn; it dies of its next packet, of being closed, or of reaching the timeout. In
 * balance the ages of ONE reading are the table: as many flows are silent for `a` seconds as came per second
 * and stayed silent for so long. Nothing else is needed, but balance is assumed.
 *
 * From TWO readings `w` seconds apart less need be assumed: flows younger than `w` are the entries; of
 * those that were `a` old in the first, so many are `a + w` old in the second. The walk goes from the entries
 * on, in segments of `w`: what is foretold of a segment is the one before it times its survival. Where the
 * table has about as many flows as are foretold, both are weighed by their errors, so that a table in balance
 * is known as well as one reading knows it. Where it has not (nobody has been silent for so long yet, or a
 * batch came at once), what is foretold stands. This is a Kalman filter whose time is the age.
 *
 * Flows that meet the old timeout between the readings die of it and tell nothing: they are left out. Beyond
 * the oldest flow survival is unknown: between nobody leaving and leaving at the last known rate. The
 * estimate is the middle, with the error of not knowing.
 *
 * Decision 010 has the figures. The period life table: any textbook of demography; the variance of survival
 * is binomial (Greenwood 1926), that of entries Poisson.
 */
import { type AgeCurve, BEYOND_SHARE, cumulated, flowsAt, valueAt } from "./age-curve.ts";
import { Walk } from "./life-walk.ts";

/** Ages that must be followed to know survival: they are told in whole seconds. */
const FOLLOWED_SECONDS = 1;
/** An array of ages is never longer (48 days). */
const LONGEST_SECONDS = 4_194_304;

/** Flows by whole second of silence; both readings counted over the same part of the table. */
export interface LifeTableInput {
  /** Absent: only one reading was made. */
  first?: Uint32Array;
  second: Uint32Array;
  /** Time between the readings. */
  seconds: number;
  /** Below it all ages are known. */
  knownSeconds: number;
  /** Up to which age the table will be asked for. */
  longestSeconds: number;
  /** What a flow of the first reading counts in terms of the second: 1 when both read the whole table. */
  firstWeight?: number;
}

/** Flows silent for less than some seconds; `variance` is that of the estimate, with all that is unknown. */
export interface Estimate {
  flows: number;
  variance: number;
  /** Where survival is unknown: nobody leaves (high), or as many as at the last known age (low). */
  lowFlows: number;
  highFlows: number;
  /** The part that is believed only because a table usually is in balance. */
  balanceFlows: number;
}

/** The stationary population by age. */
export class LifeTable {
  /** Whether two readings went into it. */
  readonly followed: boolean;
  readonly #curve: AgeCurve;
  readonly #longest: number;

  constructor(input: LifeTableInput) {
    const { first, second, seconds, knownSeconds } = input;
    this.#longest = Math.max(1, Math.min(LONGEST_SECONDS, Math.ceil(input.longestSeconds)));
    const known = Math.max(0, Math.min(second.length, Math.floor(knownSeconds)));
    // Of ages hardly longer than the time between the readings nobody can be followed: all are newborn.
    const isShort = known < seconds + FOLLOWED_SECONDS && known < this.#longest;
    if (first === undefined || seconds < 0.5 || known === 0 || isShort) {
      this.followed = false;
      this.#curve = balanceCurve(second, known, this.#longest);
    } else {
      this.followed = true;
      const { firstWeight = 1 } = input;
      const longestSeconds = this.#longest;
      const walk = new Walk({ first, second, seconds, knownSeconds: known, longestSeconds, firstWeight });
      this.#curve = walk.curve();
    }
  }

  /** Nobody has been silent for longer than that, so far. */
  get unknownFromSeconds(): number {
    return this.#curve.unknownFrom;
  }

  /** Flows silent for less than `seconds` in the long run, if nothing ended them before. */
  upTo(seconds: number): Estimate {
    const { low, high, variance, balance, drift } = this.#curve;
    const at = Math.max(0, Math.min(this.#longest, Math.ceil(seconds)));
    const lowFlows = low[at] as number;
    const highFlows = Math.max(lowFlows, high[at] as number);
    const flows = (lowFlows + highFlows) / 2;
    // The error of an even spread between low and high.
    const unknown = (highFlows - lowFlows) ** 2 / 12;
    return {
      flows,
      variance: (variance[at] as number) + unknown + drift * flows ** 2,
      lowFlows,
      highFlows,
      balanceFlows: balance === undefined ? flows : (balance[at] as number),
    };
  }
}

/** One reading: the ages as they are; beyond them, as the last quarter follows from the one before. */
function balanceCurve(second: Uint32Array, known: number, longest: number): AgeCurve {
  const step = Math.max(1, Math.floor(known / 4));
  const counts = cumulated(second.subarray(0, known));
  const before = valueAt(counts, known - step) - valueAt(counts, known - 2 * step);
  const last = valueAt(counts, known) - valueAt(counts, known - step);
  const survival = before === 0 ? 0 : Math.min(1, last / before);
  const [low, high] = [new Float64Array(longest + 1), new Float64Array(longest + 1)];
  const variance = new Float64Array(longest + 1);
  const reached = Math.min(known, longest);
  for (const sums of [low, high]) sums.set(counts.subarray(0, reached + 1));
  variance.set(counts.subarray(0, reached + 1));
  const relative = 1 / Math.max(1, last) + 1 / Math.max(1, before) + BEYOND_SHARE ** 2;
  for (let age = reached + 1; age <= longest; age++) {
    const from = age - 1 - step;
    low[age] = (low[age - 1] as number) + flowsAt(low, from) * survival;
    high[age] = (high[age - 1] as number) + flowsAt(high, from);
    variance[age] = (low[age] as number) + ((low[age] as number) - (counts[known] as number)) ** 2 * relative;
  }
  return { low, high, variance, drift: 0, unknownFrom: known };
}
