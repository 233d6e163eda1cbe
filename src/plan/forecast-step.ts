/**
 * Steps: occupancy rose at once by much and has stood still since. A burst that is over is no trend, and a
 * history that is hardly longer than it would have nothing else to teach: what was there before is lifted by
 * the step, as if its flows had always been there. Steps that come again and again are how this table moves,
 * and are left.
 */
import type { Grid } from "./forecast-grid.ts";

/** A step is done within so many slots. */
const RISE_SLOTS = 3;
/** It has stood still for so many slots, and so many seconds. */
const STILL = { slots: 4, seconds: 10 };
/** Standing still is to move by less than this share of the step. */
const STILL_SHARE = 0.1;
/** More than so many are a habit. */
const STEPS_MOST = 2;

/** `grid` without its steps of at least `leastFlows`; the same grid when it has none, or many. */
export function withoutSteps(grid: Grid, leastFlows: number): Grid {
  const flows = Float64Array.from(grid.flows);
  for (let steps = 0; steps <= STEPS_MOST; steps += 1) {
    const step = lastStep(flows, grid.stepSeconds, leastFlows);
    if (step === undefined) return steps === 0 ? grid : { ...grid, flows };
    const { from, to, rise } = step;
    const after = (flows[to] ?? NaN) - STILL_SHARE * rise;
    for (let slot = 0; slot < to; slot += 1) {
      const before = flows[slot] ?? NaN;
      // On the way up it is neither before nor after.
      if (slot <= from) flows[slot] = before + rise;
      else if (!(before >= after)) flows[slot] = NaN;
    }
  }
  return grid;
}

interface Step {
  /** The last slot before it, and the first after it. */
  from: number;
  to: number;
  rise: number;
}

/** The latest step after which the table stood still until the end, or until the next one. */
function lastStep(flows: Float64Array, stepSeconds: number, leastFlows: number): Step | undefined {
  const known = [...flows.keys()].filter((slot) => !Number.isNaN(flows[slot]));
  const still = Math.max(STILL.slots, Math.ceil(STILL.seconds / stepSeconds));
  let [least, most] = [Infinity, -Infinity];
  for (let at = known.length - 1; at > 0; at -= 1) {
    const to = known[at] ?? 0;
    const after = flows[to] ?? NaN;
    [least, most] = [Math.min(least, after), Math.max(most, after)];
    if (known.length - at < still) continue;
    for (let back = 1; back <= Math.min(RISE_SLOTS, at); back += 1) {
      const from = known[at - back] ?? 0;
      const rise = after - (flows[from] ?? NaN);
      if (rise >= leastFlows && most - least <= STILL_SHARE * rise) return { from, to, rise };
    }
  }
  return undefined;
}
