/**
 * What the budget leaves out of the censuses is told: when it changed by much, and not often.
 */
import type { WorkPlan } from "./budget.ts";
import type { WatchNote } from "./history.ts";
import type { Tick } from "./second.ts";

/** A note of what the budget leaves out, at most once in so long. */
const QUIET_MS = 600_000;
/** So many times rarer or more frequent than was told is another thing to tell. */
const MUCH = 2;

export type CensusPace = Pick<WorkPlan, "censusIntervalSeconds" | "censusSampleFlows">;

export class SkipNotes {
  readonly #allowedCpuShare: number;
  /** What was told last; at first what is wanted, which needs no telling. */
  #told: CensusPace;
  #toldMs = -Infinity;

  constructor(wanted: CensusPace, allowedCpuShare: number) {
    this.#told = wanted;
    this.#allowedCpuShare = allowedCpuShare;
  }

  /** What there is to tell of the plan of now; `skippedCensuses` are those that were left out so far. */
  notes({ atMs, elapsedMs }: Tick, plan: CensusPace, skippedCensuses: number): readonly WatchNote[] {
    if (elapsedMs - this.#toldMs < QUIET_MS) return [];
    const { censusIntervalSeconds: seconds, censusSampleFlows: flows } = plan;
    const before = this.#told.censusIntervalSeconds;
    const isMuch = Math.max(before, seconds) >= Math.min(before, seconds) * MUCH;
    if (!isMuch && flows === this.#told.censusSampleFlows) return [];
    this.#told = plan;
    this.#toldMs = elapsedMs;
    const share = `${Number((this.#allowedCpuShare * 100).toPrecision(2))} %`;
    const text = `To stay within ${share} of one core, ${flows} flows are counted every ${seconds} s`;
    return [{ atMs, kind: "skipped", text, amount: skippedCensuses }];
  }
}
