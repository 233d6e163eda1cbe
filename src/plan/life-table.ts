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

/** Ages that must be followed to know survival: they are told in whole seconds. */
const FOLLOWED_SECONDS = 1;
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
/** Ages that nobody has reached follow from those before only so well. */
const BEYOND_SHARE = 0.1;
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

/** Sums over the ages of one table: place `a` is flows silent for less than `a` seconds. */
interface Curve {
  /** Where survival is unknown, flows leave at the last known rate; or none leaves. */
  low: Float64Array;
  high: Float64Array;
  /** Of the sums, without what is unknown of survival. */
  variance: Float64Array;
  /** What is in them for being in balance; absent: all. */
  balance?: Float64Array;
  /** Square of a relative error that all sums share. */
  drift: number;
  /** From this age on survival is not known: nobody is as old. */
  unknownFrom: number;
}

/** The stationary population by age. */
export class LifeTable {
  /** Whether two readings went into it. */
  readonly followed: boolean;
  readonly #curve: Curve;
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
      this.#curve = new Walk({ ...input, first, longestSeconds: this.#longest }, known).curve();
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
function balanceCurve(second: Uint32Array, known: number, longest: number): Curve {
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
class Walk {
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

  constructor(input: LifeTableInput & { first: Uint32Array }, known: number) {
    const { first, second, seconds, longestSeconds, firstWeight = 1 } = input;
    this.#first = cumulated(first, firstWeight);
    this.#second = cumulated(second);
    this.#seconds = Math.max(1, seconds);
    this.#step = Math.round(this.#seconds);
    this.#longest = longestSeconds;
    this.#known = Math.min(known, longestSeconds);
    this.#weight = firstWeight;
    this.#low = new Float64Array(longestSeconds + 1);
    this.#high = new Float64Array(longestSeconds + 1);
    this.#variance = new Float64Array(longestSeconds + 1);
    this.#balance = new Float64Array(longestSeconds + 1);
  }

  curve(): Curve {
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

/** `sums[n]` is the sum of the first n values, each times `weight`. */
function cumulated(values: Uint32Array, weight = 1): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (let index = 0; index < values.length; index++) {
    sums[index + 1] = (sums[index] as number) + (values[index] as number) * weight;
  }
  return sums;
}

/** Flows of the second that begins at an age. */
function flowsAt(sums: Float64Array, age: number): number {
  return valueAt(sums, age + 1) - valueAt(sums, age);
}

/** A sum at a fraction of an index: flows are spread evenly within a second. */
function valueAt(sums: Float64Array, position: number): number {
  const last = sums.length - 1;
  if (position <= 0) return 0;
  if (position >= last) return sums[last] as number;
  const index = Math.floor(position);
  const low = sums[index] as number;
  return low + ((sums[index + 1] as number) - low) * (position - index);
}
