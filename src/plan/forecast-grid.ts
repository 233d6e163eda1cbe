/**
 * Occupancy on an even grid of time that ends now. Where several series tell of the same slot, the one of the
 * closest points is believed; a slot nobody measured is NaN.
 */
import type { SeriesColumns } from "../table/series.ts";

export interface Grid {
  stepSeconds: number;
  /** Mean occupancy of each slot, oldest first; the last slot ends now. NaN where nothing was measured. */
  flows: Float64Array;
  /** What single readings lie below and above the mean of their slot, in three slots of four at most. */
  belowFlows: number;
  aboveFlows: number;
  /** The same for one slot of twenty: how high the teeth go. */
  teethFlows: number;
}

/** The instant of the oldest point that was measured; undefined when there is none. */
export function oldestPointMs(history: readonly SeriesColumns[]): number | undefined {
  let oldest: number | undefined;
  for (const { atMs, columns } of history) {
    const index = columns.occupancyFlows?.avg.findIndex((flows) => !Number.isNaN(flows)) ?? -1;
    const at = atMs[index];
    if (at !== undefined && (oldest === undefined || at < oldest)) oldest = at;
  }
  return oldest;
}

/**
 * The last `spanSeconds` before `nowMs` in slots of `stepSeconds`. Points much longer than a slot are left
 * out.
 */
export function gridOf(
  history: readonly SeriesColumns[],
  nowMs: number,
  spanSeconds: number,
  stepSeconds: number,
): Grid {
  const slots = Math.max(1, Math.ceil(spanSeconds / stepSeconds));
  const startMs = nowMs - slots * stepSeconds * 1000;
  const flows = new Float64Array(slots).fill(NaN);
  const below = new Float64Array(slots).fill(NaN);
  const above = new Float64Array(slots).fill(NaN);
  const byStep = history.toSorted((a, b) => b.stepSeconds - a.stepSeconds);
  for (const series of byStep) {
    if (series.stepSeconds > LONGEST_POINT_SLOTS * stepSeconds) continue;
    const laid = layOut(series, startMs, slots, stepSeconds);
    for (let slot = 0; slot < slots; slot += 1) {
      const count = laid.count[slot] ?? 0;
      if (count === 0) continue;
      const mean = (laid.sum[slot] ?? 0) / count;
      flows[slot] = mean;
      below[slot] = mean - (laid.min[slot] ?? mean);
      above[slot] = (laid.max[slot] ?? mean) - mean;
    }
  }
  const [known, teeth] = [sortedOf(below), sortedOf(above)];
  return {
    stepSeconds,
    flows,
    belowFlows: shareOf(known, SPREAD_SHARE),
    aboveFlows: shareOf(teeth, SPREAD_SHARE),
    teethFlows: shareOf(teeth, TEETH_SHARE),
  };
}

const SPREAD_SHARE = 0.75;
const TEETH_SHARE = 0.95;

/** A point may stand for so many slots at most; longer ones say nothing of what happened within. */
const LONGEST_POINT_SLOTS = 6;

interface Laid {
  sum: Float64Array;
  count: Float64Array;
  min: Float64Array;
  max: Float64Array;
}

function layOut({ atMs, stepSeconds: pointSeconds, columns }: SeriesColumns, ...to: LayTo): Laid {
  const [startMs, slots, stepSeconds] = to;
  const laid: Laid = {
    sum: new Float64Array(slots),
    count: new Float64Array(slots),
    min: new Float64Array(slots).fill(Infinity),
    max: new Float64Array(slots).fill(-Infinity),
  };
  const span = columns.occupancyFlows;
  if (span === undefined) return laid;
  for (let index = 0; index < atMs.length; index += 1) {
    const value = span.avg[index] ?? NaN;
    const at = ((atMs[index] ?? NaN) - startMs) / (stepSeconds * 1000);
    if (Number.isNaN(value) || Number.isNaN(at)) continue;
    // A point is where its middle is, unless it is longer than a slot.
    const isLong = pointSeconds > stepSeconds;
    const first = Math.floor(isLong ? at : at + pointSeconds / stepSeconds / 2);
    const last = isLong ? Math.ceil(at + pointSeconds / stepSeconds) - 1 : first;
    for (let slot = Math.max(0, first); slot <= last; slot += 1) {
      // A reading of the very end belongs to the last slot.
      const inside = slot === slots && at <= slots ? slots - 1 : slot;
      if (inside >= slots) break;
      laid.sum[inside] = (laid.sum[inside] ?? 0) + value;
      laid.count[inside] = (laid.count[inside] ?? 0) + 1;
      laid.min[inside] = Math.min(laid.min[inside] ?? value, span.min[index] ?? value);
      laid.max[inside] = Math.max(laid.max[inside] ?? value, span.max[index] ?? value);
    }
  }
  return laid;
}

type LayTo = [startMs: number, slots: number, stepSeconds: number];

/** About two hundred of the values that are known, ascending. */
function sortedOf(values: Float64Array): Float64Array {
  const stride = Math.max(1, Math.floor(values.length / 200));
  return values.filter((value, index) => index % stride === 0 && !Number.isNaN(value)).toSorted();
}

function shareOf(sorted: Float64Array, share: number): number {
  return sorted[Math.floor(share * sorted.length)] ?? 0;
}
