/**
 * Spans of seconds: the bins of every histogram of a census. Their edges are the ones people set timeouts to
 * (10 s, 30 s, 1 min ... half a day, 1 to 5 days), so that a bin can be held against a setting.
 */

/**
 * Where each span begins; the last has no end. At most two edges lie between two neighbouring powers of two.
 */
export const SPAN_EDGES_SECONDS = [
  0, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 259_200, 345_600, 432_000,
] as const;

/**
 * By leading zeros of the seconds: the span of the smallest such number, and the last seconds before each of
 * the two edges its neighbours may pass (or the greatest such number where there is no edge), as signed
 * words.
 */
const firstSpan = new Uint8Array(33);
const beforeNextEdge = new Int32Array(33);
const beforeSecondEdge = new Int32Array(33);

for (let zeros = 0; zeros <= 32; zeros++) {
  const smallest = zeros === 32 ? 0 : 2 ** (31 - zeros);
  const greatest = zeros === 32 ? 0 : 2 ** (32 - zeros) - 1;
  const span = SPAN_EDGES_SECONDS.findLastIndex((edge) => edge <= smallest);
  firstSpan[zeros] = span;
  beforeNextEdge[zeros] = Math.min((SPAN_EDGES_SECONDS[span + 1] ?? Infinity) - 1, greatest);
  beforeSecondEdge[zeros] = Math.min((SPAN_EDGES_SECONDS[span + 2] ?? Infinity) - 1, greatest);
}

/**
 * The span of `seconds`, a signed word that stands for 0 to 2^32 - 1; without a division, a loop or a branch
 * (the processor guesses wrong).
 */
export function spanOf(seconds: number): number {
  const zeros = Math.clz32(seconds);
  const passedNext = ((beforeNextEdge[zeros] as number) - seconds) >>> 31;
  const passedSecond = ((beforeSecondEdge[zeros] as number) - seconds) >>> 31;
  return (firstSpan[zeros] as number) + passedNext + passedSecond;
}

/** Flows by span. */
export type Spans = Uint32Array;

/** Spans with nothing counted. */
export function newSpans(): Spans {
  return new Uint32Array(SPAN_EDGES_SECONDS.length);
}

/** Counts one flow of that many seconds (below 2^32; a fraction is cut off). */
export function countSpan(spans: Spans, seconds: number): void {
  const span = spanOf(seconds | 0);
  spans[span] = (spans[span] as number) + 1;
}

/** Adds all counts of `from` to `into`; both may be any typed counts of the same length. */
export function addCounts(into: Uint32Array, from: Uint32Array): void {
  for (let index = 0; index < into.length; index++)
    into[index] = (into[index] as number) + (from[index] as number);
}
