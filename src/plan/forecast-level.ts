/** Where occupancy is now, by the last readings, and whether it has just jumped there. */
import type { SeriesColumns } from "../table/series.ts";

/** A jump is that for so long, and if it brought so much of all that came within half a minute. */
const JUST_SECONDS = 14;
const JUMP_SHARE = 0.8;

/** How far four of five earlier stretches of so many slots moved at most: teeth move all the time. */
function usualMove(flows: Float64Array, slots: number): number {
  const moves: number[] = [];
  for (let to = flows.length - 1 - slots; to - slots >= 0; to -= Math.max(1, slots >> 1)) {
    const move = Math.abs((flows[to] ?? NaN) - (flows[to - slots] ?? NaN));
    if (!Number.isNaN(move)) moves.push(move);
  }
  return moves.toSorted((a, b) => a - b)[Math.floor(moves.length * 0.8)] ?? 0;
}

/** A minute that moved by this share of the capacity, nearly straight on, is on its way. */
const MOVING_SHARE = 0.02;
/** A minute of fewer values has no shape. */
const MINUTE_LEAST = 12;
/** A third of a minute that moved by less than this share of what the whole minute did stands still. */
const STILL_SHARE = 0.1;
/** What is left of the scatter when a straight line is taken out of it: less is nearly straight. */
const STRAIGHT_SHARE = 0.35;

/**
 * Where occupancy is, by the values of the last minute: their mean, which a tooth of expired flows does not
 * move; where they go nearly straight on, by more than is usual, the end of the line; and where a move is
 * over, what they stand at: the mean is old then. `hour` has the last hour in slots of the same length.
 */
export function levelOf(minute: readonly number[], hour: Float64Array, capacityFlows: number): number {
  const leastMove = Math.max(MOVING_SHARE * capacityFlows, 2 * usualMove(hour, minute.length));
  const middle = (minute.length - 1) / 2;
  const mean = minute.reduce((sum, flows) => sum + flows, 0) / minute.length;
  if (minute.length < MINUTE_LEAST) return mean;
  const spread = minute.reduce((sum, _flows, at) => sum + (at - middle) ** 2, 0);
  const slope =
    spread === 0 ? 0 : minute.reduce((sum, flows, at) => sum + (at - middle) * (flows - mean), 0) / spread;
  const total = Math.sqrt(minute.reduce((sum, flows) => sum + (flows - mean) ** 2, 0));
  const left = Math.sqrt(
    minute.reduce((sum, flows, at) => sum + (flows - mean - slope * (at - middle)) ** 2, 0),
  );
  const isMoving = Math.abs(slope) * 2 * middle > leastMove;
  if (isMoving && left < STRAIGHT_SHARE * total) return mean + slope * middle;
  const lately = minute.slice(-Math.ceil(minute.length / 3));
  const now = lately.at(-1) ?? mean;
  const stands = Math.max(...lately) - Math.min(...lately) < STILL_SHARE * Math.abs(now - mean);
  return stands ? now : mean;
}

/** Whether by far the most of what came lately came within a second or two, and not long ago. */
export function hasJustJumped(seconds: Float64Array, leastFlows: number): boolean {
  const known = [...seconds].filter((flows) => !Number.isNaN(flows));
  const [first = NaN, last = NaN] = [known[0], known.at(-1)];
  const rises = known.map((flows, at) => flows - (known[at - 2] ?? known[0] ?? NaN));
  const steepest = Math.max(0, ...rises.slice(-JUST_SECONDS));
  return steepest > leastFlows && steepest > JUMP_SHARE * (last - first);
}

/** In a surge seconds count. */
export function lastReading(history: readonly SeriesColumns[]): number | undefined {
  const readings = history.flatMap(({ atMs, columns }) => {
    const flows = columns.occupancyFlows?.avg;
    const at = flows?.findLastIndex((value) => !Number.isNaN(value)) ?? -1;
    return at === -1 ? [] : [{ atMs: atMs[at] ?? 0, flows: flows?.[at] }];
  });
  return readings.toSorted((a, b) => a.atMs - b.atMs).at(-1)?.flows;
}

/** Those of the last `slots` that were measured. */
export function lastKnown(flows: Float64Array, slots: number): number[] {
  return Array.from(flows.subarray(-slots)).filter((value) => !Number.isNaN(value));
}
