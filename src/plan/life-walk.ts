/**
 * The walk over the ages of two readings, by which a life table is made (life-table.ts says how it goes).
 */
import { type AgeCurve, BEYOND_SHARE, cumulated, flowsAt, valueAt } from "./age-curve.ts";

/** Survival is that of so many flows at least. */
const POOL_FLOWS = 30;
/** Fewer at the end of the ages belong to the pool before them. */
const LEAST_POOL_FLOWS = 10;
/** The last known rate is that of so many flows, the oldest. */
const TRUSTED_FLOWS = 300;
/** A pool with more than twice the flows that were foretold, or less than half, is unlike what will come. */
const UNLIKE_FACTOR = 2;
/** How far from balance a table usually is without two readings showing it. */
const BALANCE_SHARE = 0.05;
/** A change of the entries is one when it is more than so many standard errors, */
const SURE_ERRORS = 2;
/** and may go on until it is so many times as large. */
const DRIFT_FACTOR = 3;

export interface WalkInput {
  /** Flows by whole second of silence, in both readings. */
  first: Uint32Array;
  second: Uint32Array;
  /** Time between the readings. */
  seconds: number;
  /** Below it all ages are known. */
  knownSeconds: number;
  /** Up to which age the table will be asked for. */
  longestSeconds: number;
  /** What a flow of the first reading counts in terms of the second. */
  firstWeight: number;
}

/** Ages of the first reading that are followed together, and what became of their flows. */
interface Pool {
  start: number;
  /** The first age behind them. */
  end: number;
  flows: number;
  /** Flows of the second reading that are as much older as the readings are apart. */
  left: number;
}

/** How far the table at the age that was reached may be off, relatively, and what that makes of the sums. */
interface Errors {
  level: number;
  /** Covariance of the level with the sum, and the variance of the sum. */
  common: number;
  sum: number;
  /** How much of the level, and of the sum, is believed for being in balance. */
  balance: number;
  balanceSum: number;
}

/** From the entries on, segment by segment, to the stationary population of every age. */
export class Walk {
  readonly #first: Float64Array;
  readonly #second: Float64Array;
  /** Between the readings; a second at least, so that a step leads to an age that is known already. */
  readonly #seconds: number;
  readonly #step: number;
  readonly #known: number;
  readonly #longest: number;
  readonly #weight: number;
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  readonly #variance: Float64Array;
  readonly #balance: Float64Array;
  readonly #errors: Errors = { level: 0, common: 0, sum: 0, balance: 0, balanceSum: 0 };
  #drift = 0;
  #pool: Pool | undefined;
  #share = 1;
  /** The last pools that were as foretold, together of TRUSTED_FLOWS. */
  #trusted: Pool[] = [];
  /** From this age on survival is not known. */
  #unknownFrom = Number.POSITIVE_INFINITY;

  constructor({ first, second, seconds, knownSeconds, longestSeconds, firstWeight }: WalkInput) {
    this.#first = cumulated(first, firstWeight);
    this.#second = cumulated(second);
    this.#seconds = Math.max(1, seconds);
    this.#step = Math.round(this.#seconds);
    this.#longest = longestSeconds;
    this.#known = Math.min(knownSeconds, longestSeconds);
    this.#weight = firstWeight;
    this.#low = new Float64Array(longestSeconds + 1);
    this.#high = new Float64Array(longestSeconds + 1);
    this.#variance = new Float64Array(longestSeconds + 1);
    this.#balance = new Float64Array(longestSeconds + 1);
  }

  curve(): AgeCurve {
    const entriesEnd = Math.min(this.#step, this.#known);
    this.#enter(entriesEnd);
    for (let start = entriesEnd; start < this.#longest;) {
      const end = this.#segmentEnd(start);
      this.#foretell(start, end);
      this.#correct(start, end);
      start = end;
    }
    return {
      low: this.#low,
      high: this.#high,
      variance: this.#variance,
      balance: this.#balance,
      drift: this.#drift,
      unknownFrom: this.#unknownFrom,
    };
  }

  /** Entries are in both readings; those of the first count less the more they differ. */
  #enter(end: number): void {
    const [before, after] = [valueAt(this.#first, end), valueAt(this.#second, end)];
    // Few are not known to be so few: one more is reckoned with.
    const [earlier, later] = [before * this.#weight + 1, after + 1];
    const change = (after - before) ** 2;
    this.#drift = driftOf(medianFlows(this.#first, end), medianFlows(this.#second, end), end);
    const share = later / (later + earlier + Math.max(0, change - earlier - later));
    // Nobody came is not that nobody comes: while there are flows at all, one is taken to have come.
    const least = (this.#second.at(-1) ?? 0) > 0 ? 1 : 0;
    const counted = after + share * (before - after);
    const flows = Math.max(least, counted);
    const variance = later * (1 - share);
    for (let age = 1; age <= end; age++) {
      const found = (1 - share) * (this.#second[age] as number) + share * valueAt(this.#first, age);
      const mixed = found + ((flows - counted) * age) / end;
      this.#low[age] = mixed;
      this.#high[age] = mixed;
      this.#variance[age] = flows === 0 ? variance : (variance * mixed) / flows;
    }
    const errors = this.#errors;
    errors.level = flows === 0 ? 1 : variance / flows ** 2;
    errors.common = errors.level * flows;
    errors.sum = variance;
  }

  /** As far as the readings are apart, or farther, until there are flows that can be followed. */
  #segmentEnd(start: number): number {
    if (start >= this.#known) return this.#longest;
    // Where nobody is as old, what is known of survival reaches farther by and by, not to the end at once.
    if (this.#sourceFlows(start, this.#known) < LEAST_POOL_FLOWS) {
      return Math.min(this.#known, Math.max(start + this.#step, 2 * start));
    }
    let end = Math.min(this.#known, start + this.#step);
    while (end < this.#known && this.#sourceFlows(start, end) < POOL_FLOWS) {
      end = Math.min(this.#known, end + this.#step);
    }
    return this.#known - end < this.#step / 2 ? this.#known : end;
  }

  /** Flows of the first reading that are in the segment by the second if they stay. */
  #sourceFlows(start: number, end: number): number {
    return valueAt(this.#first, end - this.#seconds) - valueAt(this.#first, start - this.#seconds);
  }

  /** Every age from the one that is so much younger, by the survival of the pool it is in. */
  #foretell(start: number, end: number): void {
    for (let age = start + 1; age <= end; age++) {
      const from = age - 1 - this.#seconds;
      if (age > this.#known) this.#beKnownUntil(age - 1);
      else if (this.#pool === undefined || from >= this.#pool.end - 1e-9) this.#enterPool(from, age - 1);
      const share = this.#share;
      const highShare = age - 1 >= this.#unknownFrom ? 1 : share;
      this.#low[age] = (this.#low[age - 1] as number) + share * flowsAt(this.#low, from);
      this.#high[age] = (this.#high[age - 1] as number) + highShare * flowsAt(this.#high, from);
    }
  }

  #beKnownUntil(age: number): void {
    this.#unknownFrom = Math.min(this.#unknownFrom, age);
    this.#share = Math.min(1, shareOf(this.#trusted));
  }

  /** A pool unlike what is foretold for its youngest ages is given the survival of those before it. */
  #enterPool(start: number, age: number): void {
    const pool = this.#poolFrom(start);
    const end = Math.min(pool.end, start + this.#seconds, age);
    const found = valueAt(this.#first, end) - valueAt(this.#first, start);
    const expected = valueAt(this.#low, end) - valueAt(this.#low, start);
    const isFew = UNLIKE_FACTOR * (found + 2 * Math.sqrt(found) + 2) < expected;
    const isMany = found - 2 * Math.sqrt(found) > UNLIKE_FACTOR * (expected + 2 * Math.sqrt(expected) + 2);
    if ((!isFew && !isMany) || this.#trusted.length === 0) this.#trust(pool);
    if (isFew || this.#isTail(pool, expected / Math.max(1, end - start))) {
      this.#unknownFrom = Math.min(this.#unknownFrom, age);
    }
    this.#pool = pool;
    this.#share = Math.min(1, shareOf(isFew || isMany ? this.#trusted : [pool]));
  }

  /** Where no flow is as old it may be that none lives so long, or that none had the time to. */
  #isTail({ start, end }: Pool, flowsPerSecond: number): boolean {
    const middle = (start + end) / 2;
    const older = valueAt(this.#first, end) - valueAt(this.#first, middle);
    if (older >= 1) return false;
    // As many should be there if flows leave at the last known rate.
    const rate = -Math.log(Math.min(1, shareOf(this.#trusted))) / this.#seconds;
    const staying = (seconds: number): number => (rate < 1e-9 ? -seconds : Math.exp(-rate * seconds) / rate);
    return flowsPerSecond * (staying(middle - start) - staying(end - start)) > LEAST_POOL_FLOWS;
  }

  /**
   * An age with many flows is a pool of its own, so that a batch opened at once says nothing about its
   * neighbours.
   */
  #poolFrom(start: number): Pool {
    const last = this.#known - this.#seconds;
    const flowsTo = (end: number): number => valueAt(this.#first, end) - valueAt(this.#first, start);
    let end = start;
    while (end < last && flowsTo(end) < POOL_FLOWS) end = Math.min(last, end + 1);
    if (last - end < end - start && flowsTo(last) - flowsTo(end) < LEAST_POOL_FLOWS) end = last;
    const left = valueAt(this.#second, end + this.#seconds) - valueAt(this.#second, start + this.#seconds);
    return { start, end, flows: flowsTo(end), left };
  }

  #trust(pool: Pool): void {
    this.#trusted.push(pool);
    let flows = this.#trusted.reduce((sum, one) => sum + one.flows, 0);
    for (;;) {
      flows -= this.#trusted[0]?.flows ?? 0;
      if (this.#trusted.length < 2 || flows < TRUSTED_FLOWS) return;
      this.#trusted = this.#trusted.slice(1);
    }
  }

  /** Weighs what is foretold of a segment with what is there, and carries the errors on. */
  #correct(start: number, end: number): void {
    const errors = this.#errors;
    const isKnown = start < this.#known;
    const found = valueAt(this.#second, end) - valueAt(this.#second, start);
    const foretold = (this.#low[end] as number) - (this.#low[start] as number);
    // On average half of the steps of a segment have to be survived.
    const steps = Math.max(1, (end - start) / this.#seconds);
    // Low and high say what is unknown of survival at ages that nobody can have.
    errors.level += isKnown ? this.#survivalVariance(start, end) * ((steps + 1) / 2) ** 2 : BEYOND_SHARE ** 2;
    const gain = isKnown ? gainOf(foretold, found, errors.level) : 0;
    if (gain > 0) this.#mix(start, end, gain);
    const flows = foretold + gain * (found - foretold);
    // Errors are relative: to what is said now, no longer to what was foretold.
    const scale = flows === 0 ? 1 : foretold / flows;
    errors.level *= (1 - gain) * scale ** 2;
    errors.common *= (1 - gain) * scale;
    errors.balance = flows === 0 ? 0 : (1 - gain) * scale * errors.balance + (gain * found) / flows;
    this.#carryOn(start, end);
  }

  /** Of the logarithm of what a step leaves. At none and at all the binomial variance would be 0. */
  #survivalVariance(start: number, end: number): number {
    const source = this.#sourceFlows(start, end);
    const own: Pool = {
      start,
      end,
      flows: source,
      left: valueAt(this.#second, end) - valueAt(this.#second, start),
    };
    const pools = source >= LEAST_POOL_FLOWS ? [own] : this.#trusted;
    const flows = pools.reduce((sum, pool) => sum + pool.flows, 0);
    const left = pools.reduce((sum, pool) => sum + pool.left, 0);
    return Math.max(0, 1 - (left + 0.5) / (flows + 1)) / (left + 0.5);
  }

  /**
   * In a segment of one step flows are spread as they were found. In a longer one there are too few for that:
   * they are spread as foretold.
   */
  #mix(start: number, end: number, gain: number): void {
    const below = this.#second[start] as number;
    const foretoldBelow = this.#low[start] as number;
    const foretold = (this.#low[end] as number) - foretoldBelow;
    const isLong = end - start >= 2 * this.#step && foretold > 0;
    const ratio = isLong ? ((this.#second[end] as number) - below) / foretold : 0;
    for (let age = start + 1; age <= end; age++) {
      const flows = (this.#low[age] as number) - foretoldBelow;
      const found = isLong ? flows * ratio : (this.#second[age] as number) - below;
      const more = gain * (found - flows);
      this.#low[age] = (this.#low[age] as number) + more;
      if (age <= this.#unknownFrom) this.#high[age] = (this.#high[age] as number) + more;
    }
  }

  #carryOn(start: number, end: number): void {
    const errors = this.#errors;
    const below = this.#low[start] as number;
    const whole = (this.#low[end] as number) - below;
    for (let age = start + 1; age <= end; age++) {
      const flows = (this.#low[age] as number) - below;
      // How the flows of a segment are spread over its ages is chance, too.
      const spread = whole === 0 ? 0 : flows * (1 - flows / whole);
      const balance = errors.balanceSum + flows * errors.balance;
      const chance = errors.sum + 2 * flows * errors.common + flows ** 2 * errors.level + spread;
      this.#balance[age] = balance;
      this.#variance[age] = chance + (BALANCE_SHARE * balance) ** 2;
    }
    errors.sum += 2 * whole * errors.common + whole ** 2 * errors.level;
    errors.common += whole * errors.level;
    errors.balanceSum += whole * errors.balance;
  }
}

/**
 * Entries may grow or fall while they are observed, and nobody knows how they go on: the square of their
 * relative change in so many seconds, as far as it is more than noise. Of medians, so that a batch opened at
 * once is no growth; the variance of one is about pi / 2 of that of a mean. Less than none cannot come: what
 * falls is off by no more than it fell.
 */
function driftOf(before: number, after: number, seconds: number): number {
  const noise = ((Math.PI / 2) * (before + after)) / seconds;
  const sure = Math.max(0, (after - before) ** 2 - SURE_ERRORS ** 2 * noise);
  const factor = after > before ? DRIFT_FACTOR : 1;
  return sure === 0 ? 0 : (factor ** 2 * sure) / Math.max(before, after) ** 2;
}

/** Of the first seconds, the flows of the middle one. */
function medianFlows(sums: Float64Array, seconds: number): number {
  const flows = Array.from({ length: seconds }, (_, age) => flowsAt(sums, age));
  const sorted = flows.toSorted((one, other) => one - other);
  return ((sorted[Math.ceil(seconds / 2) - 1] ?? 0) + (sorted[Math.floor(seconds / 2)] ?? 0)) / 2;
}

/**
 * The share that what was found has in what is said. The table need not be in balance: besides its chance it
 * is BALANCE_SHARE off, or as far as it is seen to be.
 */
function gainOf(foretold: number, found: number, level: number): number {
  const variance = foretold ** 2 * level;
  const chance = found + 1;
  const seen = (found - foretold) ** 2 - variance - chance;
  const trust = Math.max((BALANCE_SHARE * foretold) ** 2, seen);
  return variance / (variance + chance + trust);
}

/** Survival over all of some pools; 1 of nobody. */
function shareOf(pools: readonly Pool[]): number {
  const flows = pools.reduce((sum, pool) => sum + pool.flows, 0);
  return flows === 0 ? 1 : pools.reduce((sum, pool) => sum + pool.left, 0) / flows;
}
