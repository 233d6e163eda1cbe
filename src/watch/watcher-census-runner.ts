/**
 * When a census is taken: as often as the budget allows, one at a time, behind the seconds. What one gave is
 * taken over by the next second; the one before stays for an observation of the two.
 */
import type { Clock } from "../base/clock.ts";
import type { Arrivals } from "../census/census.ts";
import type { Observation } from "../plan/plan.ts";
import { type FlowColumns, Has } from "../table/columns.ts";
import type { Settings } from "../table/settings.ts";
import type { WorkBudget, WorkPlan } from "./budget.ts";
import type { EventTally } from "./event-tally.ts";
import { isRefusal } from "./sight.ts";
import type { WatchedHost } from "./watched-host.ts";
import { observationOf, type TakenCensus, takeCensus } from "./watcher-census.ts";

export interface RunnerTools {
  budget: WorkBudget;
  host: WatchedHost;
  clock: Clock;
  tally: EventTally;
  pause: () => Promise<void>;
  /** Between two of them where the budget has room; what is rarer than that was left out. */
  wantedSeconds: number;
  seed: number;
  /** Rows of every ranking. */
  topRows?: number;
}

export interface CensusWish {
  plan: WorkPlan;
  settings: Settings;
  kernelRelease: string | undefined;
  occupancyFlows: number | undefined;
}

/** Why a census cannot wait. */
export type Urgency = "alert" | "jump";

export type EndedCensus =
  | { taken: TakenCensus; atMs: number; observe: (arrivals: Arrivals | undefined) => Observation }
  | { error: Error };

/** The shortest time between two; and between two that cannot wait, for one reason. */
const LEAST_MS = 10_000;

export class CensusRunner {
  readonly #tools: RunnerTools;
  #running: Promise<void> | undefined;
  #ended: EndedCensus | undefined;
  #earlier: TakenCensus | undefined;
  #startedMs = -Infinity;
  #hurry = false;
  /** Why the next one cannot wait. */
  #urgent: Urgency | undefined;
  readonly #urgentMs = new Map<Urgency, number>();
  #stopped = false;
  #fault: Error | undefined;
  /** Censuses that the budget had no room for, and flows that were not looked at. */
  #skippedCensuses = 0;
  skippedFlows = 0;

  constructor(tools: RunnerTools) {
    this.#tools = tools;
  }

  get skippedCensuses(): number {
    return Math.floor(this.#skippedCensuses);
  }

  /** The next one is to come as soon as it can. */
  hurry(): void {
    this.#hurry = true;
  }

  /**
   * The next one is to come at once, with time that the budget gets back afterwards: an alert begins, or
   * there are many more or fewer flows than at the last. At most one in ten seconds for either reason.
   */
  hurryNow(why: Urgency): void {
    const lastMs = this.#urgentMs.get(why) ?? -Infinity;
    if (this.#tools.clock.elapsedMs() - lastMs >= LEAST_MS) this.#urgent = why;
  }

  /** Starts one if it is due and none is under way. */
  start(wish: CensusWish): void {
    const { clock } = this.#tools;
    const waitedMs = clock.elapsedMs() - this.#startedMs;
    const intervalMs = wish.plan.censusIntervalSeconds * 1000;
    if (this.#stopped || this.#running !== undefined || this.#ended !== undefined) return;
    if (this.#urgent === undefined && waitedMs < (this.#hurry ? Math.min(LEAST_MS, intervalMs) : intervalMs))
      return;
    // A first one waited for nobody, and what was waited for beyond the plan is not the budget's doing.
    const plannedMs = Number.isFinite(waitedMs) ? Math.min(waitedMs, intervalMs) : 0;
    this.#skippedCensuses += Math.max(0, plannedMs / 1000 / this.#tools.wantedSeconds - 1);
    this.#startedMs = clock.elapsedMs();
    if (this.#urgent !== undefined) this.#urgentMs.set(this.#urgent, this.#startedMs);
    this.#hurry = false;
    this.#urgent = undefined;
    this.#running = this.#run(wish).finally(() => {
      this.#running = undefined;
    });
  }

  async #run({ plan, settings, kernelRelease, occupancyFlows }: CensusWish): Promise<void> {
    const { budget, host, clock, tally, pause, seed, topRows } = this.#tools;
    const isWhole = occupancyFlows !== undefined && occupancyFlows <= plan.censusSampleFlows;
    const sampleFlows = isWhole ? undefined : plan.censusSampleFlows;
    const resyncs = tally.wantsCensus;
    try {
      const taken = await takeCensus(
        () => host.flows(sampleFlows),
        {
          settings,
          kernelRelease,
          occupancyFlows,
          sampleFlows,
          nowMs: clock.nowMs(),
          seed,
          ...(topRows === undefined ? {} : { topRows }),
        },
        {
          budget,
          elapsedMs: () => clock.elapsedMs(),
          pause,
          isStopped: () => this.#stopped,
          ...(resyncs ? { onBatch: (columns: FlowColumns) => this.#find(columns) } : {}),
        },
      );
      if (taken === undefined) return;
      if (resyncs) tally.endResync();
      const earlier = this.#earlier;
      this.#earlier = taken;
      this.skippedFlows += Math.max(0, taken.census.flows - taken.census.flowsRead);
      this.#ended = {
        taken,
        atMs: clock.nowMs(),
        observe: (arrivals) => observationOf(earlier, taken, arrivals),
      };
    } catch (error) {
      if (isRefusal(error)) this.#ended = { error };
      else this.#fault = error instanceof Error ? error : new Error("A census failed", { cause: error });
    }
  }

  /** Flows that are followed and were found alive. */
  #find(columns: FlowColumns): void {
    const { tally, clock } = this.#tools;
    const nowMs = clock.elapsedMs();
    for (let row = 0; row < columns.count; row++) {
      if (((columns.has[row] as number) & Has.id) !== 0) tally.found(columns.id[row] as number, nowMs);
    }
  }

  /** What ended since it was asked last. */
  takeOver(): EndedCensus | undefined {
    const ended = this.#ended;
    this.#ended = undefined;
    return ended;
  }

  /** Throws what went wrong by our own mistake. */
  throwFault(): void {
    const fault = this.#fault;
    this.#fault = undefined;
    if (fault !== undefined) throw fault;
  }

  async settled(): Promise<void> {
    await this.#running;
  }

  /** Gives up the one under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}
