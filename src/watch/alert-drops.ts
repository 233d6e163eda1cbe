/**
 * What the kernel dropped in the last minute, by cause: the counters of the seconds, added up and taken apart
 * as `check` does it.
 */
import { type Drops, dropsApart } from "../plan/plan.ts";
import type { CounterName } from "../table/counters.ts";
import { COUNTER_SERIES, type Sample } from "../table/series.ts";

/** Long enough for a slow trickle to be seen, short enough to be "now". */
export const DROPS_SECONDS = 60;

/** A pause between samples longer than this is a gap: its rates are believed for this long. */
const STEP_MAX_SECONDS = 5;

export interface DropsLately extends Drops {
  /** Seconds that were counted, at most DROPS_SECONDS. */
  seconds: number;
  /** Lines of the kernel log that say the table is full: a lower bound, and absent where it is not seen. */
  tableFullLines?: number;
  /** The greatest occupancy as a share of capacity. */
  peakUseShare?: number;
}

interface Counted {
  atMs: number;
  seconds: number;
  sample: Sample;
}

export class DropWindow {
  #counted: Counted[] = [];

  /** Adds the sample of a second. Told of the same one again, it changes nothing. */
  add(sample: Sample): void {
    const last = this.#counted.at(-1);
    if (last?.atMs === sample.atMs) return;
    // The clock was set back: what was counted cannot be placed any more.
    if (last !== undefined && sample.atMs < last.atMs) this.#counted = [];
    const sinceMs = last === undefined ? 1000 : sample.atMs - last.atMs;
    const seconds = Math.min(STEP_MAX_SECONDS, Math.max(0, sinceMs / 1000));
    this.#counted.push({ atMs: sample.atMs, seconds, sample });
    const fromMs = sample.atMs - DROPS_SECONDS * 1000;
    while ((this.#counted[0]?.atMs ?? Infinity) <= fromMs) this.#counted.shift();
  }

  /** Of the last minute; undefined where no sample of it has the counters. */
  lately(kernelRelease: string | undefined): DropsLately | undefined {
    const amounts: { [name in CounterName]?: number } = {};
    let [seconds, lines, peakUseShare]: [number, number | undefined, number | undefined] = [
      0,
      undefined,
      undefined,
    ];
    for (const { seconds: step, sample } of this.#counted) {
      const { values } = sample;
      for (const [counter, series] of COUNTER_SERIES) {
        const perSecond = values[series];
        if (perSecond !== undefined) amounts[counter] = (amounts[counter] ?? 0) + perSecond * step;
      }
      if (values.dropPerSecond !== undefined) seconds += step;
      if (values.tableFullLinesPerSecond !== undefined) {
        lines = (lines ?? 0) + values.tableFullLinesPerSecond * step;
      }
      const { occupancyFlows, capacityFlows } = values;
      if (occupancyFlows !== undefined && capacityFlows !== undefined && capacityFlows > 0) {
        peakUseShare = Math.max(peakUseShare ?? 0, occupancyFlows / capacityFlows);
      }
    }
    if (seconds === 0 && lines === undefined) return undefined;
    return {
      ...dropsApart(amounts, kernelRelease),
      seconds,
      ...(lines === undefined ? {} : { tableFullLines: lines }),
      ...(peakUseShare === undefined ? {} : { peakUseShare }),
    };
  }
}
