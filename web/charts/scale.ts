/** What an axis spans, and how points are put together for drawing. Pure. */

/** A round figure at or above `value`: 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten. */
export function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

/** The greatest number of columns with holes; 0 when there is none. */
export function greatest(columns: readonly (readonly (number | null)[])[]): number {
  let most = 0;
  for (const column of columns) for (const value of column) if (value !== null && value > most) most = value;
  return most;
}

/** Index of the point nearest to `at` in ascending `times`; -1 when there is none. */
export function nearestPoint(times: readonly number[], at: number): number {
  let low = 0;
  let high = times.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  const before = times[low - 1];
  const here = times[low] ?? 0;
  return before !== undefined && at - before < here - at ? low - 1 : low;
}

/** Columns over one ascending x, from two pieces that follow each other: what was, and what comes. */
export function joinTimes(
  past: readonly number[],
  ahead: readonly number[],
): { x: number[]; pastLength: number } {
  const last = past.at(-1) ?? -Infinity;
  const later = ahead.filter((at) => at > last);
  return { x: [...past, ...later], pastLength: past.length };
}

/** Marks that would cover each other put together: ascending shares of 1 into groups. */
export function groupMarks<Mark extends { share: number }>(
  marks: readonly Mark[],
  leastDistance: number,
): Mark[][] {
  const groups: Mark[][] = [];
  for (const mark of marks.toSorted((a, b) => a.share - b.share)) {
    const group = groups.at(-1);
    if (group !== undefined && mark.share - (group[0]?.share ?? 0) < leastDistance) group.push(mark);
    else groups.push([mark]);
  }
  return groups;
}
