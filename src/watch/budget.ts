/**
 * What watching may cost, and what follows: how often a census is taken and of how many flows, which share of
 * flows is followed by their events, how often the other namespaces are counted and the rest of the facts
 * read.
 *
 * Processor time of the whole process is what counts, whoever uses it. The cost of each kind of work is
 * learnt as it is done; what cannot be put off (the second itself, the store, requests to the server) is what
 * remains of the time used, and the work that can be put off is planned into the rest.
 */

/**
 * Kinds of work that are planned; a unit is an event, a forecast, a round of namespaces or facts, and of a
 * census a flow (`census`) or, for what it costs however few flows there are, the whole (`census-once`).
 */
export type Work = "census" | "census-once" | "events" | "namespaces" | "facts" | "forecast";

export interface BudgetOptions {
  /** Of one core. */
  allowedCpuShare: number;
  /** Processor time of the process so far, all threads. */
  cpuSeconds: () => number;
  /** Seconds between censuses, at least and at most. */
  leastCensusSeconds: number;
  mostCensusSeconds: number;
  /** Flows of a census where there is room for so many. */
  sampleFlows: number;
  /** Between forecasts, at least. */
  leastForecastSeconds: number;
}

/** What the budget is divided by. */
export interface Demand {
  occupancyFlows: number;
  /** Events a second of all flows, followed or not, as far as is known. */
  eventsPerSecond: number;
}

export interface WorkPlan {
  censusIntervalSeconds: number;
  censusSampleFlows: number;
  /** One flow of so many: a power of two. */
  oneOf: number;
  namespaceIntervalSeconds: number;
  factsIntervalSeconds: number;
  forecastIntervalSeconds: number;
}

/** Of what may be planned, for each kind. */
const SHARES = { census: 0.42, events: 0.28, namespaces: 0.1, facts: 0.06, forecast: 0.14 } as const;
/** Kept free, for what costs more once than it did before. */
const RESERVE_SHARE = 0.15;
/** Of what is allowed, this is planned whatever the rest costs: watching never stops. */
const FLOOR_SHARE = 0.2;
/** Seconds over which the time used is told. */
const USED_SECONDS = 60;
/** Weight of the newest cost; and by what factor it may differ from what was known: first times are slow. */
const LEARNING = 0.25;
const SURPRISE = 4;
/** Fewer units than this at a time tell what a call costs, and nothing of a unit. */
const LEAST_UNITS: Readonly<Record<Work, number>> = {
  census: 200,
  "census-once": 1,
  events: 50,
  namespaces: 1,
  facts: 1,
  forecast: 1,
};
/** What a unit is taken to cost at first: rather too much than too little. */
const FIRST_COSTS: Readonly<Record<Work, number>> = {
  census: 4e-6,
  "census-once": 5e-3,
  events: 8e-6,
  namespaces: 2e-3,
  facts: 0.1,
  forecast: 8e-3,
};
const LEAST_SAMPLE_FLOWS = 1000;
const MOST_ONE_OF = 65_536;
/** Flows whose lives are followed at most; more would be memory, not knowledge. */
export const FOLLOWED_FLOWS = 32_768;
const NAMESPACE_SECONDS = { least: 5, most: 300 };
const FACTS_SECONDS = { least: 120, most: 3600 };
const MOST_FORECAST_SECONDS = 120;

export class WorkBudget {
  readonly allowedCpuShare: number;
  readonly #options: BudgetOptions;
  readonly #costs: Record<Work, number> = { ...FIRST_COSTS };
  /** Processor seconds of planned work in the second under way. */
  #planned = 0;
  #lastCpuSeconds: number;
  readonly #used = new Float64Array(USED_SECONDS);
  readonly #plannedUsed = new Float64Array(USED_SECONDS);
  readonly #lengths = new Float64Array(USED_SECONDS);
  #at = 0;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.allowedCpuShare = options.allowedCpuShare;
    this.#lastCpuSeconds = options.cpuSeconds();
  }

  /** Does a piece of work and learns from it what it costs. `units` tells how much it was, afterwards. */
  measure<Result>(work: Work, units: (result: Result) => number, run: () => Result): Result {
    const { result, spent } = this.#spend(run);
    this.#learn(work, spent, units(result));
    return result;
  }

  /** Does planned work; gives the processor time that it took with what it gave. */
  #spend<Result>(run: () => Result): { result: Result; spent: number } {
    const before = this.#options.cpuSeconds();
    const result = run();
    const spent = Math.max(0, this.#options.cpuSeconds() - before);
    this.#planned += spent;
    return { result, spent };
  }

  /** So much processor time was spent on so many units; too few of them only cost. */
  #learn(work: Work, spent: number, units: number): void {
    if (units < LEAST_UNITS[work]) return;
    const known = this.#costs[work];
    const cost = Math.min(known * SURPRISE, Math.max(known / SURPRISE, spent / units));
    this.#costs[work] = known + LEARNING * (cost - known);
  }

  /** Measures what is done in pieces, as one unit at its end. */
  tallyOnce(): { add<Result>(run: () => Result): Result; end(): void } {
    let sum = 0;
    return {
      add: (run) => {
        const { result, spent } = this.#spend(run);
        sum += spent;
        return result;
      },
      end: () => this.#learn("census-once", sum, 1),
    };
  }

  /** A second (or longer, after a gap) is over. */
  endSecond(elapsedSeconds: number): void {
    const now = this.#options.cpuSeconds();
    this.#used[this.#at] = Math.max(0, now - this.#lastCpuSeconds);
    this.#plannedUsed[this.#at] = this.#planned;
    this.#lengths[this.#at] = elapsedSeconds;
    this.#at = (this.#at + 1) % USED_SECONDS;
    this.#lastCpuSeconds = now;
    this.#planned = 0;
  }

  /** Of one core, over the last minute; undefined before the first second is over. */
  get usedCpuShare(): number | undefined {
    const seconds = sumOf(this.#lengths);
    return seconds === 0 ? undefined : sumOf(this.#used) / seconds;
  }

  /** Of one core, in the last second. */
  get lastCpuShare(): number | undefined {
    const last = (this.#at + USED_SECONDS - 1) % USED_SECONDS;
    const seconds = this.#lengths[last] as number;
    return seconds === 0 ? undefined : (this.#used[last] as number) / seconds;
  }

  /** Of one core: what is left for planned work when the rest has had its part. */
  #room(): number {
    const seconds = sumOf(this.#lengths);
    const rest = seconds === 0 ? 0 : (sumOf(this.#used) - sumOf(this.#plannedUsed)) / seconds;
    const allowed = this.allowedCpuShare;
    return Math.max(allowed * FLOOR_SHARE, allowed * (1 - RESERVE_SHARE) - Math.max(0, rest));
  }

  /** What can be afforded now. */
  plan({ occupancyFlows, eventsPerSecond }: Demand): WorkPlan {
    const room = this.#room();
    const costs = this.#costs;
    const { leastForecastSeconds } = this.#options;
    return {
      ...this.#censusPlan(occupancyFlows, room * SHARES.census),
      oneOf: powerOfTwoFrom(
        Math.max(
          (eventsPerSecond * costs.events) / (room * SHARES.events),
          // Not more flows than can be followed, also where few come and all of them stay.
          occupancyFlows / FOLLOWED_FLOWS,
        ),
      ),
      namespaceIntervalSeconds: between(NAMESPACE_SECONDS, costs.namespaces / (room * SHARES.namespaces)),
      factsIntervalSeconds: between(FACTS_SECONDS, costs.facts / (room * SHARES.facts)),
      forecastIntervalSeconds: between(
        { least: leastForecastSeconds, most: Math.max(leastForecastSeconds, MOST_FORECAST_SECONDS) },
        costs.forecast / (room * SHARES.forecast),
      ),
    };
  }

  #censusPlan(
    occupancyFlows: number,
    room: number,
  ): Pick<WorkPlan, "censusIntervalSeconds" | "censusSampleFlows"> {
    const { sampleFlows, leastCensusSeconds: least, mostCensusSeconds: most } = this.#options;
    const wanted = Math.max(1, Math.min(sampleFlows, occupancyFlows));
    const { census: flow, "census-once": once } = this.#costs;
    const interval = (wanted * flow + once) / room;
    if (interval <= most) {
      return { censusIntervalSeconds: between({ least, most }, interval), censusSampleFlows: sampleFlows };
    }
    const affordable = Math.floor((room * most - once) / flow);
    return {
      censusIntervalSeconds: most,
      censusSampleFlows: Math.max(Math.min(LEAST_SAMPLE_FLOWS, sampleFlows), affordable),
    };
  }
}

function between({ least, most }: { least: number; most: number }, seconds: number): number {
  return Math.min(most, Math.max(least, Math.ceil(seconds)));
}

function powerOfTwoFrom(value: number): number {
  let power = 1;
  while (power < value && power < MOST_ONE_OF) power *= 2;
  return power;
}

function sumOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
