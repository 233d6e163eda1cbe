/**
 * What a history teaches of its own future: every way is tried from many slots of the past, its errors are
 * kept by how far ahead it looked, and the ways are put together by them. The errors of what was put together
 * are the band: no distribution is assumed.
 */
import type { Grid } from "./forecast-grid.ts";
import { type Slots, type Way, waysFor } from "./forecast-ways.ts";

/** What is told for one instant ahead. */
export interface Told {
  flows: number;
  /** Added to `flows`: what occupancy should be between, 9 times of 10. */
  lowError: number;
  highError: number;
}

export interface Learnt {
  grid: Grid;
  /** Farthest ahead that was tried. */
  reachSlots: number;
  /** From the end of the grid, with `level` flows there. */
  tell(level: number, aheadSlots: number): Told;
  /** From slot `at`, for which nothing behind it is read. */
  tellFrom(at: number, aheadSlots: number): number;
  /** Errors seen `aheadSlots` ahead at slots before `before`, ascending. */
  errorsAt(aheadSlots: number, before: number): Float64Array;
  /** The way that counts most so far ahead. */
  foremost(aheadSlots: number): { way: Way; share: number };
}

/** Tried from about so many slots of the past. */
const ORIGINS = 90;
/** Multiples of it fall evenly between two whole numbers, and never repeat. */
const GOLDEN_SHARE = 0.618;
/** Errors that are needed to say anything of a distance. */
const FEWEST = 8;
/** The better of two ways counts by this power of how much better it is. */
const SHARPNESS = 5;
const LOW_SHARE = 0.025;
/** Half as much counts what is older by this share of the history: for the choice of ways, for the band. */
const CHOICE_HALF_LIFE_SHARE = 0.2;
const BAND_HALF_LIFE_SHARE = 0.35;
/** Beyond what was tried errors grow with this power of the distance. */
const GROWTH = 0.75;

interface Distance {
  ahead: number;
  shares: readonly number[];
  /** Of all ways put together, ascending by slot that was told. */
  errors: readonly Tried[];
  /** The same, ascending by error. */
  sorted: readonly Tried[];
}

interface Tried {
  /** The slot that was told. */
  at: number;
  error: number;
  /** What happened lately counts more. */
  weight: number;
}

/** Undefined when the history is too short to try anything. */
export function learn(grid: Grid): Learnt | undefined {
  const { flows: slots, stepSeconds } = grid;
  const ways = waysFor(slots.length, stepSeconds);
  const distances = tryOut(slots, ways, distancesFor(slots.length));
  const known = distances.filter(({ errors }) => errors.length >= FEWEST);
  const farthest = known.at(-1);
  if (farthest === undefined) return undefined;
  const end = slots.length - 1;
  const mixed = (at: number, level: number, ahead: number): number => {
    const [near, far, farShare] = around(known, ahead);
    const told = ways.map((way) => way.tell(slots, at, level, ahead));
    const nearFlows = weigh(told, near.shares, level);
    return nearFlows + (weigh(told, far.shares, level) - nearFlows) * farShare;
  };
  return {
    grid,
    reachSlots: farthest.ahead,
    tell: (level, ahead) => ({ flows: mixed(end, level, ahead), ...bandAt(known, ahead, slots.length) }),
    tellFrom: (at, ahead) => mixed(at, slots[at] ?? NaN, ahead),
    errorsAt: (ahead, before) => {
      const [near, far, farShare] = around(known, ahead);
      const { errors } = farShare > 0.5 ? far : near;
      return Float64Array.from(errors.filter(({ at }) => at < before).map(({ error }) => error)).toSorted();
    },
    foremost: (ahead) => {
      const [near, far, farShare] = around(known, ahead);
      return foremostOf(ways, farShare > 0.5 ? far.shares : near.shares);
    },
  };
}

/** 1, 2, 4, 8, ... up to half of the history. */
function distancesFor(slotCount: number): number[] {
  const found: number[] = [];
  for (let ahead = 1; ahead <= slotCount / 2; ahead = Math.max(ahead + 1, Math.round(ahead * 2))) {
    found.push(ahead);
  }
  return found;
}

interface Tries {
  origins: { at: number; flows: number; level: number }[];
  told: number[][];
}

function tryOut(slots: Slots, ways: readonly Way[], aheads: readonly number[]): Distance[] {
  const tries = aheads.map((): Tries => ({ origins: [], told: [] }));
  const first = Math.max(2, Math.floor(slots.length / 10));
  const stride = Math.max(1, (slots.length - 1 - first) / ORIGINS);
  for (let turn = 0; turn * stride < slots.length - 1 - first; turn += 1) {
    // Never in step with a day, or with the collector.
    const at = slots.length - 2 - Math.floor(turn * stride + stride * ((turn * GOLDEN_SHARE) % 1));
    if (at < first) continue;
    const level = slots[at] ?? NaN;
    if (Number.isNaN(level)) continue;
    for (const [index, ahead] of aheads.entries()) {
      const flows = slots[at + ahead] ?? NaN;
      if (Number.isNaN(flows)) continue;
      tries[index]?.origins.push({ at: at + ahead, flows, level });
      tries[index]?.told.push(ways.map((way) => way.tell(slots, at, level, ahead)));
    }
  }
  return tries.map((tried, index) => distanceOf(aheads[index] ?? 1, ways, tried, slots.length - 1));
}

function distanceOf(ahead: number, ways: readonly Way[], { origins, told }: Tries, end: number): Distance {
  const shares = sharesOf(ways, origins, told, end);
  const errors = origins.map(({ at, flows, level }, index) => ({
    at,
    error: flows - weigh(told[index] ?? [], shares, level),
    weight: 2 ** ((at - end) / (BAND_HALF_LIFE_SHARE * end)),
  }));
  return { ahead, shares, errors, sorted: errors.toSorted((a, b) => a.error - b.error) };
}

/** How much each way counts, by its mean error where it and "stays as it is" could both tell. */
function sharesOf(
  ways: readonly Way[],
  origins: readonly { at: number; flows: number; level: number }[],
  told: readonly (readonly number[])[],
  end: number,
): number[] {
  const weights = origins.map(({ at }) => 2 ** ((at - end) / (CHOICE_HALF_LIFE_SHARE * end)));
  const worth = ways.map((_way, index) => {
    let [own, still, count, total] = [0, 0, 0, 0];
    for (const [at, { flows, level }] of origins.entries()) {
      const value = told[at]?.[index] ?? NaN;
      if (Number.isNaN(value)) continue;
      const weight = weights[at] ?? 0;
      own += weight * Math.abs(flows - value);
      still += weight * Math.abs(flows - level);
      total += weight;
      count += 1;
    }
    if (count < FEWEST || count * 3 < origins.length) return index === 0 ? 1 : 0;
    // A flow of error on average is noise wherever it is.
    return ((still + total) / (own + total)) ** SHARPNESS;
  });
  const sum = worth.reduce((total, value) => total + value, 0);
  return worth.map((value) => value / sum);
}

/** Ways that cannot tell leave their share to the others. */
function weigh(told: readonly number[], shares: readonly number[], level: number): number {
  let [sum, total] = [0, 0];
  for (const [index, share] of shares.entries()) {
    const value = told[index] ?? NaN;
    if (Number.isNaN(value)) continue;
    sum += share * value;
    total += share;
  }
  return total === 0 ? level : sum / total;
}

/** The distances tried next to `ahead`, and how far it is from the nearer to the farther. */
function around(known: readonly Distance[], ahead: number): [Distance, Distance, number] {
  const above = known.findIndex((distance) => distance.ahead >= ahead);
  const far = known.at(above === -1 ? -1 : above);
  const near = above > 0 ? known[above - 1] : far;
  if (near === undefined || far === undefined) throw new RangeError("Cannot look ahead: nothing was tried");
  if (near === far) return [near, far, 0];
  return [near, far, Math.log(ahead / near.ahead) / Math.log(far.ahead / near.ahead)];
}

function bandAt(
  known: readonly Distance[],
  ahead: number,
  slotCount: number,
): { lowError: number; highError: number } {
  const [near, far, farShare] = around(known, ahead);
  const beyond = Math.max(1, ahead / far.ahead) ** GROWTH;
  const at = (distance: Distance, share: number): number =>
    weightedQuantile(distance.sorted, share) * fewness(distance, slotCount);
  const between = (share: number): number => at(near, share) + (at(far, share) - at(near, share)) * farShare;
  // Whatever it was on average, what is told lies within its own band.
  return {
    lowError: Math.min(0, between(LOW_SHARE)) * beyond,
    highError: Math.max(0, between(1 - LOW_SHARE)) * beyond,
  };
}

/** Tries that overlap are not many: the band is widened by how few there are that do not. */
function fewness({ ahead }: Distance, slotCount: number): number {
  return 1 + ahead / Math.max(1, slotCount - ahead);
}

/** Of ascending values; between two of them in proportion. */
export function quantile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return NaN;
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? 0;
  return low + ((sorted[Math.ceil(at)] ?? low) - low) * (at - Math.floor(at));
}

function weightedQuantile(sorted: readonly Tried[], share: number): number {
  const wanted = share * sorted.reduce((sum, { weight }) => sum + weight, 0);
  let sum = 0;
  for (const { error, weight } of sorted) {
    sum += weight;
    if (sum >= wanted) return error;
  }
  return sorted.at(-1)?.error ?? 0;
}

function foremostOf(ways: readonly Way[], shares: readonly number[]): { way: Way; share: number } {
  const byName = new Map<string, { way: Way; share: number; best: number }>();
  for (const [index, way] of ways.entries()) {
    const share = shares[index] ?? 0;
    const found = byName.get(way.name);
    if (found === undefined) byName.set(way.name, { way, share, best: share });
    else {
      found.share += share;
      if (share > found.best) Object.assign(found, { way, best: share });
    }
  }
  const [first] = [...byName.values()].toSorted((a, b) => b.share - a.share);
  if (first === undefined) throw new RangeError("Cannot name a way: there is none");
  return first;
}
