/**
 * A surge: occupancy rises as nothing in the history foretold. What history teaches is of no use then; what
 * counts is how many flows come and how long each is held. With arrivals that go on, occupancy grows by
 *
 *     s * W * (1 - exp(-t / W))
 *
 * where s is how fast it rises now and W the holding time: "arrivals times holding time" is where it ends,
 * and flows that were there before and stay (a hoard) do not matter. W is seen in the rise itself: it bends.
 */
import { type Learnt, quantile } from "./forecast-learn.ts";
import { dampedLength, LEAST_PERSISTENCE_SECONDS, TREND_PERSISTENCE } from "./forecast-ways.ts";

export interface Surge {
  /** How fast occupancy rises beyond what was foretold, and between what that lies. */
  perSecond: number;
  lowPerSecond: number;
  highPerSecond: number;
  /** How long it has been going on, and how many flows it has brought. */
  ageSeconds: number;
  flows: number;
  /** How long its flows are held; absent while none seems to have ended. */
  holdingSeconds?: number;
  /** Where the holding time is from. */
  holdingBy?: "bend" | "events";
}

export interface SurgeFacts {
  /** Flows that make it worth telling. */
  leastFlows: number;
  /** Whether it is told on top of what the history foretells; otherwise on top of the present level. */
  onTop: boolean;
  /** Flows made per second now, and how long each is held; absent where not known. */
  arrivals?: { perSecond: number; holdingSeconds?: number };
}

/** Rises are looked for over so many slots. */
const WINDOWS = [2, 3, 4, 6, 9, 12, 24, 48, 96, 144, 288, 576] as const;
/** Beyond so many standard deviations, and beyond nearly everything that was seen before. */
const SIGMAS = 4;
const SEEN_SHARE = 0.98;
const BEYOND_SEEN = 1.3;
/** The share of a normal distribution below one standard deviation. */
const ONE_SIGMA_SHARE = 0.841;
/** The later half of a rise must bring this share of it; otherwise it was a step and is over. */
const LATER_SHARE = 0.3;
/** 19 times of 20 something of age a ends before 19 a (nothing else being known of it). */
const AGES_AT_MOST = 19;

/** What rises in a grid beyond what was foretold; undefined when nothing does. */
export function surgeIn(learnt: Learnt, level: number, facts: SurgeFacts): Surge | undefined {
  let steepest: Surge | undefined;
  for (const window of WINDOWS) {
    if (window > learnt.reachSlots || window * 3 > learnt.grid.flows.length) break;
    const rise = riseOver(learnt, level, window);
    const least = leastRise(learnt, level, window, facts);
    const later = laterRise(learnt, level, window, facts.onTop);
    if (!(level - usuallyAtMost(learnt, window) > facts.leastFlows)) continue;
    if (!(rise > least) || !(later > LATER_SHARE * rise) || !wasRisen(learnt, window, rise)) continue;
    const surge = surgeOf(learnt, { window, rise, later }, facts);
    if (surge.lowPerSecond > (steepest?.lowPerSecond ?? 0)) steepest = surge;
  }
  return steepest;
}

/** How much more there is than was foretold `window` slots ago. */
function riseOver(learnt: Learnt, level: number, window: number): number {
  return level - learnt.tellFrom(learnt.grid.flows.length - 1 - window, window);
}

/** What the later half brought, beyond what was foretold then and beyond what is foretold now. */
function laterRise(learnt: Learnt, level: number, window: number, onTop: boolean): number {
  const half = Math.max(1, window >> 1);
  const { flows } = learnt.grid;
  const inFact = level - (flows[flows.length - 1 - half] ?? NaN);
  const foretold = onTop ? Math.max(0, learnt.tellFrom(flows.length - 1, half) - level) : 0;
  return Math.min(riseOver(learnt, level, half), inFact - foretold);
}

/**
 * The most there was within the last hour, before the rise: flows that have expired and wait for the
 * collector come and go like the teeth of a saw, and each tooth looks like a surge from below.
 */
function usuallyAtMost({ grid }: Learnt, window: number): number {
  const end = grid.flows.length - window;
  let most = 0;
  for (let slot = Math.max(0, end - Math.ceil(3600 / grid.stepSeconds)); slot < end; slot += 1) {
    const flows = grid.flows[slot] ?? NaN;
    if (flows > most) most = flows;
  }
  return most;
}

/** Whether the reading before the last shows it, too: one wild reading is no surge. */
function wasRisen(learnt: Learnt, window: number, rise: number): boolean {
  const { flows } = learnt.grid;
  const before = flows[flows.length - 2] ?? NaN;
  const told = learnt.tellFrom(flows.length - 1 - window, window - 1);
  return before - told > (LATER_SHARE * rise * (window - 1)) / window;
}

function leastRise(learnt: Learnt, level: number, window: number, facts: SurgeFacts): number {
  const errors = learnt.errorsAt(window, learnt.grid.flows.length - window);
  const middle = quantile(errors, 0.5) || 0;
  const sigma = (quantile(errors, ONE_SIGMA_SHARE) || 0) - middle;
  // Where little was seen, chance alone makes this much.
  const chance = SIGMAS * Math.sqrt(Math.max(level, 1));
  const seen = errors.length === 0 ? 0 : BEYOND_SEEN * Math.max(0, quantile(errors, SEEN_SHARE));
  return Math.max(facts.leastFlows, chance, seen, middle + SIGMAS * sigma);
}

function surgeOf(
  learnt: Learnt,
  { window, rise, later }: { window: number; rise: number; later: number },
  { arrivals }: SurgeFacts,
): Surge {
  const { stepSeconds } = learnt.grid;
  const course = courseOver(learnt, window, rise);
  const ageSeconds = course.ageSlots * stepSeconds;
  const halfSeconds = (course.slots * stepSeconds) / 2;
  const laterFlows = Math.min(course.later, (later * course.slots) / Math.min(course.slots, window));
  // As many flows as came are there by chance, give or take their root.
  const cameFlows = Math.max(laterFlows, (arrivals?.perSecond ?? 0) * halfSeconds);
  const errorFlows = 2 * Math.sqrt(Math.max(1, cameFlows)) + 2 * noiseOf(learnt, Math.ceil(course.slots / 2));
  const earlier = { flows: course.earlier, seconds: halfSeconds };
  const holding = holdingOf(earlier, { flows: laterFlows, seconds: halfSeconds }, errorFlows, arrivals);
  // What was measured is the rise in the middle of the later half; it has bent since.
  const bent = Math.exp(-halfSeconds / 2 / (holding.holdingSeconds ?? Infinity));
  const perSecond = (laterFlows / halfSeconds) * bent;
  return {
    perSecond,
    lowPerSecond: Math.max(0, perSecond - errorFlows / halfSeconds),
    highPerSecond: perSecond + errorFlows / halfSeconds,
    ageSeconds,
    flows: rise,
    ...holding,
  };
}

/** Seen at so many instants. */
const COURSE_POINTS = 24;
/** It has begun where this share of the rise was there. */
const BEGUN_SHARE = 0.1;

/** When within the window the rise began, and what both halves since then brought beyond what was told. */
function courseOver(
  learnt: Learnt,
  window: number,
  rise: number,
): { slots: number; ageSlots: number; earlier: number; later: number } {
  const { flows } = learnt.grid;
  const end = flows.length - 1;
  const beyond = (ahead: number): number =>
    (flows[end - window + ahead] ?? NaN) - (ahead === 0 ? 0 : learnt.tellFrom(end - window, ahead));
  const stride = Math.max(1, Math.floor(window / COURSE_POINTS));
  let begun = window - stride;
  while (begun > 0 && !(beyond(begun) <= BEGUN_SHARE * rise)) begun -= stride;
  begun = Math.max(0, Math.min(begun, window - 2));
  // The slot in which it began has a part of it only.
  const from = window - begun >= 3 ? begun + 1 : begun;
  const middle = from + ((window - from) >> 1);
  const [start, atMiddle] = [from === 0 ? 0 : beyond(from), beyond(middle)];
  // In an odd number of slots one half is longer.
  const half = (window - from) / 2;
  return {
    slots: window - from,
    ageSlots: window - begun,
    earlier: ((atMiddle - start) * half) / Math.max(1, middle - from),
    later: ((rise - atMiddle) * half) / (window - middle),
  };
}

function noiseOf(learnt: Learnt, window: number): number {
  const errors = learnt.errorsAt(window, learnt.grid.flows.length - window);
  return errors.length === 0 ? 0 : quantile(errors, ONE_SIGMA_SHARE) - quantile(errors, 0.5);
}

/** A holding time of more ages of the rise than this is not seen in it. */
const BEND_AGES = 3;

interface Part {
  flows: number;
  seconds: number;
}

/**
 * A rise that wears off with W falls by exp(-t / W) from one half to the next. What events say of W is
 * believed only where the bend allows it: flows of a surge that is younger than they live have not ended, and
 * those that did end are others.
 */
function holdingOf(
  earlier: Part,
  later: Part,
  errorFlows: number,
  arrivals: SurgeFacts["arrivals"],
): Pick<Surge, "holdingSeconds" | "holdingBy"> {
  const apart = (earlier.seconds + later.seconds) / 2;
  const before = earlier.flows / earlier.seconds;
  const after = later.flows / later.seconds;
  const error = errorFlows / later.seconds;
  const holding = (ratio: number): number => {
    if (ratio <= 0) return 0;
    return ratio >= 1 ? Infinity : -apart / Math.log(ratio);
  };
  const [least, most] = [
    holding((after - error) / (before + error)),
    holding((after + error) / (before - error)),
  ];
  const events = arrivals?.holdingSeconds;
  if (events !== undefined && events >= least && events <= most) {
    return { holdingSeconds: events, holdingBy: "events" };
  }
  const bent = before > 0 ? holding(after / before) : Infinity;
  const isSeen = Number.isFinite(most) && before > error && bent < BEND_AGES * 2 * apart;
  return isSeen ? { holdingSeconds: bent, holdingBy: "bend" } : {};
}

/** A surge whose last seconds brought less than this share of what they should is over. */
const OVER_SHARE = 0.1;
/** Of the last seconds these at either end are compared. */
const END_SECONDS = 3;

/** Whether the last `seconds` stood still; seconds in which chance moves as much as the surge do not tell. */
export function isOver({ perSecond }: Surge, seconds: Float64Array): boolean {
  const [first, last] = [seconds.subarray(0, END_SECONDS), seconds.subarray(-END_SECONDS)].map(
    (few) => few.reduce((sum, flows) => sum + flows, 0) / END_SECONDS,
  );
  const [from, to] = [first ?? NaN, last ?? NaN];
  const wanted = perSecond * (seconds.length - END_SECONDS);
  return wanted > SIGMAS * Math.sqrt(Math.max(1, to)) && to - from < OVER_SHARE * wanted;
}

/** What a surge adds `aheadSeconds` from now, and between what that lies. */
export function surgeAdds(
  surge: Surge,
  aheadSeconds: number,
): { flows: number; lowFlows: number; highFlows: number } {
  const { ageSeconds, holdingSeconds = Infinity } = surge;
  const persistence = Math.max(LEAST_PERSISTENCE_SECONDS, TREND_PERSISTENCE * ageSeconds);
  const wearing = 1 / (1 / holdingSeconds + 1 / persistence);
  const longest = Math.min(aheadSeconds, Math.max(LEAST_PERSISTENCE_SECONDS, AGES_AT_MOST * ageSeconds));
  // It may end at any time; then its flows go as they came.
  const ended = aheadSeconds * AGES_AT_MOST > ageSeconds;
  const drained = ended ? -surge.flows * -Math.expm1(-aheadSeconds / Math.max(ageSeconds, 60)) : 0;
  const held = Math.min(aheadSeconds, ageSeconds / AGES_AT_MOST);
  return {
    flows: surge.perSecond * dampedLength(aheadSeconds, wearing),
    lowFlows: surge.lowPerSecond * dampedLength(held, wearing) + drained,
    highFlows: surge.highPerSecond * dampedLength(longest, 2 * holdingSeconds),
  };
}
