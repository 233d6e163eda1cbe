/**
 * The verdict, every ten seconds: the counters of now against those of about a minute ago, so that what is
 * judged is what happens and not what happened once.
 */
import { type Facts, judge } from "../plan/plan.ts";
import type { Verdict } from "../table/finding.ts";
import { type EarlierCounts, factsToJudge } from "./second-facts.ts";

const JUDGE_MS = 10_000;
/** Rates of judgement are over about this long. */
const EARLIER_MS = 60_000;

export class JudgeWatch {
  readonly #thresholds: Facts["thresholds"];
  /** Of the last minute, oldest first. */
  #earlier: EarlierCounts[] = [];
  #dueMs = -Infinity;

  constructor(thresholds: Facts["thresholds"]) {
    this.#thresholds = thresholds;
  }

  /** A verdict by the facts of now; undefined while it is not time for another. */
  verdict(facts: Facts, elapsedMs: number): Verdict | undefined {
    if (elapsedMs < this.#dueMs) return undefined;
    this.#dueMs = elapsedMs + JUDGE_MS;
    const judged = factsToJudge(facts, this.#earlier[0], elapsedMs);
    const { counters } = facts;
    if (counters !== undefined) {
      this.#earlier.push({ elapsedMs, counters, occupancyFlows: counters.occupancyFlows });
      this.#earlier = this.#earlier.filter(({ elapsedMs: at }) => elapsedMs - at < EARLIER_MS);
    }
    const thresholds = this.#thresholds;
    return judge(thresholds === undefined ? judged : { ...judged, thresholds });
  }
}
