/** Sums over ages: place `a` is flows silent for less than `a` seconds. */

/** Ages that nobody has reached follow from those before only so well. */
export const BEYOND_SHARE = 0.1;

/** The sums of one table. */
export interface AgeCurve {
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

/** `sums[n]` is the sum of the first n values, each times `weight`. */
export function cumulated(values: Uint32Array, weight = 1): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (let index = 0; index < values.length; index++) {
    sums[index + 1] = (sums[index] as number) + (values[index] as number) * weight;
  }
  return sums;
}

/** Flows of the second that begins at an age. */
export function flowsAt(sums: Float64Array, age: number): number {
  return valueAt(sums, age + 1) - valueAt(sums, age);
}

/** A sum at a fraction of an index: flows are spread evenly within a second. */
export function valueAt(sums: Float64Array, position: number): number {
  const last = sums.length - 1;
  if (position <= 0) return 0;
  if (position >= last) return sums[last] as number;
  const index = Math.floor(position);
  const low = sums[index] as number;
  return low + ((sums[index + 1] as number) - low) * (position - index);
}
