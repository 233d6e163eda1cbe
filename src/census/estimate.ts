/**
 * From a sample to the table. A dump walks the hash in bucket order, which has nothing to do with what a flow
 * is, so the first n flows of a table of N are a random sample without replacement: a share p found in it is
 * the table's share with the standard error sqrt(p (1 - p) / (n - 1) * (1 - n / N)) (Cochran, Sampling
 * Techniques, 3.2). About two thirds of the figures lie within one standard error of the truth, 95 % within
 * two; shares of a few flows scatter more to one side.
 */
import type { Count } from "./shape.ts";

/** A sample when more than that many flows are in the table; n = N (nothing left out) has no error. */
export interface Sample {
  flowsRead: number;
  ofFlows: number;
}

/**
 * Makes a Count of flows counted: as they are, or scaled to the table with their error when `sample` is
 * given.
 */
export function countOf(flows: number, sample: Sample | undefined): Count {
  if (sample === undefined) return { flows };
  const { flowsRead, ofFlows } = sample;
  if (flowsRead === 0) return { flows: 0, standardErrorFlows: ofFlows };
  const share = flows / flowsRead;
  return {
    flows: Math.round(share * ofFlows),
    standardErrorFlows: ofFlows * standardError(share * (1 - share), sample),
  };
}

/** A total over all flows (packets, bytes) from the sum and the sum of squares in the sample. */
export function totalOf(
  sum: number,
  sumOfSquares: number,
  sample: Sample,
): { total: number; standardError: number } {
  const { flowsRead, ofFlows } = sample;
  if (flowsRead === 0) return { total: 0, standardError: Number.POSITIVE_INFINITY };
  const mean = sum / flowsRead;
  const variance = Math.max(0, sumOfSquares / flowsRead - mean * mean);
  return { total: mean * ofFlows, standardError: ofFlows * standardError(variance, sample) };
}

/** Standard error of a mean over the sample, from the variance within it (divided by n, not n - 1). */
function standardError(variance: number, { flowsRead, ofFlows }: Sample): number {
  const leftOut = Math.max(0, 1 - flowsRead / ofFlows);
  return Math.sqrt((variance / Math.max(1, flowsRead - 1)) * leftOut);
}

/** A key with fewer flows than this may well be missing from the sample: the chance is above 5 %. */
export function missedBelow({ flowsRead, ofFlows }: Sample): number {
  if (flowsRead >= ofFlows) return 0;
  return flowsRead === 0 ? ofFlows : Math.ceil((-Math.log(0.05) * ofFlows) / flowsRead);
}
