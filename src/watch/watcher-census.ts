/**
 * A census in slices: a batch of the dump is counted, then others get their turn. Idle ages are counted with
 * it; two readings after each other are an observation, from which "what if" is answered at any time.
 */
import { type Arrivals, type Census, CensusBuilder, IdleAges } from "../census/census.ts";
import type { AgesReading, Observation } from "../plan/plan.ts";
import type { FlowColumns } from "../table/columns.ts";
import type { IdleContext } from "../table/idle.ts";
import { type KernelRelease, parseKernelRelease } from "../table/kernel-release.ts";
import { SETTING_KEYS, settingOf, type Settings } from "../table/settings.ts";
import type { FlowReading } from "../table/source.ts";
import type { WorkBudget } from "./budget.ts";

/** Rows of every ranking of a census that is kept, where nobody wants more. */
const TOP_ROWS = 20;
/** Distinct addresses, pairs and so on that are counted exactly: a sample has no more. */
const EXACT_KEYS = 20_000;
const SAMPLE_METHOD = "the beginning of a dump, which is in hash order";

export interface CensusPlan {
  settings: Settings;
  kernelRelease: string | undefined;
  occupancyFlows: number | undefined;
  /** Absent: the whole table. */
  sampleFlows: number | undefined;
  nowMs: number;
  seed: number;
  /** Rows of every ranking; 20 when absent. */
  topRows?: number;
}

/** A reading of the table that is over. */
export interface TakenCensus {
  census: Census;
  ages: AgesReading;
  /** When flows were met, on average, by the clock that never goes back. */
  meanMs: number;
  /** Wall time it took. */
  seconds: number;
  settings: Settings;
  release: KernelRelease | undefined;
  /** The kernel's own count as it began. */
  occupancyFlows: number | undefined;
}

/** What a census is taken with. */
export interface CensusTools {
  budget: WorkBudget;
  elapsedMs: () => number;
  /** Lets others have their turn. */
  pause: () => Promise<void>;
  /** Sees every batch. */
  onBatch?: (columns: FlowColumns) => void;
  /** Ends the reading early. */
  isStopped: () => boolean;
}

/**
 * Reads and counts; undefined when it was stopped. What reading throws is thrown on. Processor time is learnt
 * batch by batch, the reading of a batch included.
 */
export async function takeCensus(
  open: () => FlowReading,
  plan: CensusPlan,
  tools: CensusTools,
): Promise<TakenCensus | undefined> {
  const startedMs = tools.elapsedMs();
  const release = plan.kernelRelease === undefined ? undefined : parseKernelRelease(plan.kernelRelease);
  const context: IdleContext = {
    settings: plan.settings,
    nowMs: plan.nowMs,
    ...(release === undefined ? {} : { release }),
  };
  const once = tools.budget.tallyOnce();
  const counting = once.add(() => new Counting(context, plan, tools));
  const reading = once.add(open);
  if (!(await counting.readAll(reading))) return undefined;
  const taken = once.add(() => ({
    census: counting.censusOf(reading, plan),
    ages: counting.agesOf(reading, plan.occupancyFlows),
    meanMs: counting.meanMs,
    seconds: (tools.elapsedMs() - startedMs) / 1000,
    settings: plan.settings,
    release,
    occupancyFlows: plan.occupancyFlows,
  }));
  once.end();
  return taken;
}

class Counting {
  readonly #builder: CensusBuilder;
  readonly #ages: IdleAges;
  readonly #tools: CensusTools;
  #timeSum = 0;

  constructor(context: IdleContext, { seed, topRows = TOP_ROWS }: CensusPlan, tools: CensusTools) {
    this.#builder = new CensusBuilder({ ...context, topRows, exactKeys: EXACT_KEYS, seed });
    this.#ages = new IdleAges(context);
    this.#tools = tools;
  }

  /** False when it was stopped on the way. */
  async readAll(reading: FlowReading): Promise<boolean> {
    const { budget, pause, isStopped } = this.#tools;
    const batches = reading.batches();
    const iterator =
      Symbol.iterator in batches ? batches[Symbol.iterator]() : batches[Symbol.asyncIterator]();
    let done = false;
    try {
      while (!done) {
        if (isStopped()) return false;
        const step = budget.measure(
          "census",
          (next) => (next instanceof Promise || next.done === true ? 0 : next.value.count),
          () => {
            const next = iterator.next();
            if (!(next instanceof Promise) && next.done !== true) this.#add(next.value);
            return next;
          },
        );
        const next = await step;
        if (step instanceof Promise && next.done !== true) this.#addMeasured(next.value);
        done = next.done === true;
        if (!done) await pause();
      }
      return true;
    } finally {
      if (!done) await iterator.return?.();
    }
  }

  #addMeasured(columns: FlowColumns): void {
    this.#tools.budget.measure(
      "census",
      () => columns.count,
      () => this.#add(columns),
    );
  }

  #add(columns: FlowColumns): void {
    this.#timeSum += this.#tools.elapsedMs() * columns.count;
    this.#builder.add(columns);
    this.#ages.add(columns);
    this.#tools.onBatch?.(columns);
  }

  get meanMs(): number {
    const { flows } = this.#ages;
    return flows === 0 ? this.#tools.elapsedMs() : this.#timeSum / flows;
  }

  censusOf(reading: FlowReading, { occupancyFlows, sampleFlows }: CensusPlan): Census {
    const sampled = sampleFlows !== undefined && !reading.complete && occupancyFlows !== undefined;
    return this.#builder.finish({
      complete: reading.complete,
      oddities: reading.oddities,
      ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
      ...(sampled ? { sampleMethod: SAMPLE_METHOD } : {}),
    });
  }

  /** A sample stands for the occupancy, the whole table for itself. */
  agesOf(reading: FlowReading, occupancyFlows: number | undefined): AgesReading {
    const flowsRead = this.#ages.flows;
    const ofFlows = reading.complete ? flowsRead : Math.max(flowsRead, occupancyFlows ?? flowsRead);
    return { regimes: this.#ages.regimes(), flowsRead, ofFlows };
  }
}

/**
 * Two readings as an observation. The earlier one counts only where the same timeouts were in force: an idle
 * age is reckoned from them.
 */
export function observationOf(
  earlier: TakenCensus | undefined,
  later: TakenCensus,
  arrivals: Arrivals | undefined,
): Observation {
  const usable =
    earlier !== undefined && sameTimeouts(earlier.settings, later.settings) ? earlier : undefined;
  const seconds = usable === undefined ? 0 : (later.meanMs - usable.meanMs) / 1000;
  return {
    ...(usable === undefined || seconds <= 0 ? {} : { first: usable.ages }),
    second: later.ages,
    seconds: Math.max(0, seconds),
    settings: later.settings,
    ...(later.release === undefined ? {} : { release: later.release }),
    census: later.census,
    ...(arrivals === undefined ? {} : { arrivals }),
  };
}

function sameTimeouts(one: Settings, other: Settings): boolean {
  return SETTING_KEYS.every((key) => settingOf(key).unit !== "seconds" || one[key] === other[key]);
}
