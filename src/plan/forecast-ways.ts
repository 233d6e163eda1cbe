/**
 * Ways to tell occupancy some slots ahead of a slot, from what was before it alone. Each is simple; which of
 * them are believed, and how far, is decided by how they did on the same history (forecast-learn.ts).
 */

/** Occupancy by slot; NaN where nothing was measured. */
export type Slots = Float64Array;

export interface Way {
  name: "level" | "usual" | "trend" | "daily" | "weekly";
  /** For people. */
  how: string;
  /**
   * Flows `ahead` slots after slot `at`, when there are `level` at `at`; NaN where it cannot be told. Reads
   * nothing behind `at`.
   */
  tell(slots: Slots, at: number, level: number, ahead: number): number;
}

/** Seasons that are put together: a median of so many. */
const DAYS = 7;
const WEEKS = 3;
/** A trend goes on for about three times as long as it has been seen, and for some minutes at least. */
export const TREND_PERSISTENCE = 3;
export const LEAST_PERSISTENCE_SECONDS = 900;

/** It stays as it is. */
const level: Way = {
  name: "level",
  how: "occupancy stays as it is",
  tell: (_slots, _at, now) => now,
};

/** It returns to what it mostly was in the last `window` slots. */
function usual(window: number): Way {
  const memory = { slots: new Float64Array(0), at: -1, value: NaN };
  return {
    name: "usual",
    how: "occupancy returns to what it mostly was",
    tell: (slots, at, now, ahead) => {
      if (memory.slots !== slots || memory.at !== at) {
        Object.assign(memory, { slots, at, value: medianBetween(slots, at - window + 1, at + 1) });
      }
      return memory.value + (now - memory.value) * Math.exp((-4 * ahead) / window);
    },
  };
}

/** It goes on as in the last `window` slots, ever slower. */
function trend(window: number, stepSeconds: number): Way {
  const memory = { slots: new Float64Array(0), at: -1, slope: NaN };
  const wearing = Math.max(TREND_PERSISTENCE * window, LEAST_PERSISTENCE_SECONDS / stepSeconds);
  return {
    name: "trend",
    how: `the trend of the last ${durationWords(window * stepSeconds)} goes on, ever slower`,
    tell: (slots, at, now, ahead) => {
      if (memory.slots !== slots || memory.at !== at) {
        Object.assign(memory, { slots, at, slope: slopeBetween(slots, at - window + 1, at + 1) });
      }
      return now + memory.slope * dampedLength(ahead, wearing);
    },
  };
}

/**
 * It changes from now on as it did from the same time of day (of the week) on in earlier periods, and moves
 * on from one period to the next as it did. `returning`: what is unusual now wears off within half a day.
 */
function seasonal(name: "daily" | "weekly", period: number, returning: number | undefined): Way {
  const periods = name === "daily" ? DAYS : WEEKS;
  const memory = { slots: new Float64Array(0), at: -1, drift: 0, usual: NaN };
  return {
    name,
    how: name === "daily" ? "the shape of its days" : "the shape of its weeks",
    tell: (slots, at, now, ahead) => {
      if (memory.slots !== slots || memory.at !== at) {
        const drift = driftAt(slots, at, period, periods);
        Object.assign(memory, { slots, at, drift, usual: medianBack(slots, at, period, periods) });
      }
      const whole = Math.floor(ahead / period);
      const rest = ahead - whole * period;
      if (returning !== undefined) {
        const then = medianBack(slots, at + rest, period, periods);
        return then + (now - memory.usual) * Math.exp(-ahead / returning);
      }
      return now + medianChange(slots, at, rest, period, periods) + whole * memory.drift;
    },
  };
}

/** The ways for a grid: those that need days or weeks only where there are two of them. */
export function waysFor(slotCount: number, stepSeconds: number): readonly Way[] {
  const ways: Way[] = [level];
  for (const share of [4, 12, 48]) {
    const window = Math.floor(slotCount / share);
    if (window >= 6) ways.push(trend(window, stepSeconds));
  }
  const hour = Math.round(3600 / stepSeconds);
  if (hour >= 4 && slotCount >= 24 * hour) ways.push(trend(hour, stepSeconds), trend(6 * hour, stepSeconds));
  ways.push(usual(Math.max(6, Math.min(Math.floor(slotCount / 4), 24 * Math.max(hour, 1)))));
  const day = Math.round(86_400 / stepSeconds);
  if (slotCount >= 2 * day) {
    ways.push(seasonal("daily", day, undefined), seasonal("daily", day, day / 4));
  }
  if (slotCount >= 14 * day) {
    ways.push(seasonal("weekly", 7 * day, undefined), seasonal("weekly", 7 * day, day / 4));
  }
  return ways;
}

/** The length that is left of `length` when everything wears off with a constant of `wearing`. */
export function dampedLength(length: number, wearing: number): number {
  return Number.isFinite(wearing) ? -wearing * Math.expm1(-length / wearing) : length;
}

/** For people: about how long. */
export function durationWords(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** Change per slot: the middle of the last third against the middle of the first. */
function slopeBetween(slots: Slots, from: number, to: number): number {
  if (from < 0) return NaN;
  const third = Math.max(1, Math.floor((to - from) / 3));
  const before = medianBetween(slots, from, from + third);
  return (medianBetween(slots, to - third, to) - before) / (to - from - third);
}

const SEEN_AT_MOST = 24;

/** Of about two dozen slots, evenly spread; NaN when fewer than half of them were measured. */
function medianBetween(slots: Slots, from: number, to: number): number {
  const start = Math.max(0, from);
  const stride = Math.max(1, Math.floor((to - start) / SEEN_AT_MOST));
  const seen: number[] = [];
  let asked = 0;
  for (let slot = to - 1; slot >= start; slot -= stride) {
    asked += 1;
    const flows = slots[slot] ?? NaN;
    if (!Number.isNaN(flows)) seen.push(flows);
  }
  return seen.length * 2 < asked ? NaN : medianOfSmall(seen);
}

/** What it was one, two, ... periods before slot `at`, which may lie ahead by less than a period. */
function medianBack(slots: Slots, at: number, period: number, periods: number): number {
  const seen: number[] = [];
  for (let k = 1; k <= periods && at - k * period >= 0; k += 1) {
    const flows = slots[at - k * period] ?? NaN;
    if (!Number.isNaN(flows)) seen.push(flows);
  }
  return medianOfSmall(seen);
}

function medianChange(slots: Slots, at: number, ahead: number, period: number, periods: number): number {
  if (ahead === 0) return 0;
  const seen: number[] = [];
  for (let k = 1; k <= periods && at - k * period >= 0; k += 1) {
    const change = (slots[at + ahead - k * period] ?? NaN) - (slots[at - k * period] ?? NaN);
    if (!Number.isNaN(change)) seen.push(change);
  }
  return medianOfSmall(seen);
}

/** From one period to the next; none while fewer than two such steps are known. */
function driftAt(slots: Slots, at: number, period: number, periods: number): number {
  const seen: number[] = [];
  for (let k = 1; k <= periods && at - k * period >= 0; k += 1) {
    const step = (slots[at - (k - 1) * period] ?? NaN) - (slots[at - k * period] ?? NaN);
    if (!Number.isNaN(step)) seen.push(step);
  }
  return seen.length < 2 ? 0 : medianOfSmall(seen);
}

/** Sorts what it is given; NaN of nothing. */
function medianOfSmall(values: number[]): number {
  for (let i = 1; i < values.length; i += 1) {
    const value = values[i] ?? 0;
    let j = i - 1;
    for (; j >= 0 && (values[j] ?? 0) > value; j -= 1) values[j + 1] = values[j] ?? 0;
    values[j + 1] = value;
  }
  const middle = values.length >> 1;
  if (values.length === 0) return NaN;
  return values.length % 2 === 1
    ? (values[middle] ?? NaN)
    : ((values[middle - 1] ?? NaN) + (values[middle] ?? NaN)) / 2;
}
