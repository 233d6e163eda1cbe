/**
 * When the table will be full, foretold again and again: every ten seconds, at once when occupancy rises
 * fast, less often where the budget says so. What was foretold is compared with what came, and the score of
 * that is kept across restarts.
 */
import {
  backtest,
  backtestOf,
  emptyRecord,
  type Forecast,
  type ForecastFacts,
  type ForecastRecord,
  recordForecast,
} from "../plan/plan.ts";
import type { SeriesColumns } from "../table/series.ts";
import type { History, HistoryWriter } from "./history.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/**
 * More than there was lately, by this share of capacity and of how far it went up and down, asks for another
 * forecast at once. Lately is longer than it takes the collector to come round: what waits for it rises and
 * falls each time like the teeth of a saw, and whoever looks at the highest teeth alone sees a surge.
 */
const RISE_SHARE = 0.01;
const SWING_SHARE = 0.5;
const LATELY_MS = 2 * MINUTE_MS;
/** At once is after this part of the interval. */
const AT_ONCE_PART = 0.2;
/** The score is kept when it is so old: what a crash takes of it is no loss. */
const KEPT_EACH_MS = 10 * MINUTE_MS;
const STATE_NAME = "forecast";

/** What is asked for, and when, by the clock that never goes back and by the wall. */
export interface ForecastMoment {
  atMs: number;
  elapsedMs: number;
  occupancyFlows: number | undefined;
  capacityFlows: number;
}

export class Forecaster {
  readonly #history: HistoryWriter;
  readonly #forecast: (facts: ForecastFacts) => Forecast;
  readonly #past = new PastSeries();
  #record: ForecastRecord | undefined;
  #madeAtMs: number | undefined;
  /** Occupancy of the last minutes. */
  #lately: { elapsedMs: number; flows: number }[] = [];
  /** More flows than this are a rise. */
  #risenAbove = NaN;
  #keptAtMs: number | undefined;

  constructor(history: HistoryWriter, forecast: (facts: ForecastFacts) => Forecast) {
    this.#history = history;
    this.#forecast = forecast;
  }

  /** Whether it is time for a forecast, when there is one every `intervalSeconds`. Asked once a second. */
  isDue({ elapsedMs, occupancyFlows }: ForecastMoment, intervalSeconds: number): boolean {
    if (occupancyFlows !== undefined) this.#lately.push({ elapsedMs, flows: occupancyFlows });
    while ((this.#lately[0]?.elapsedMs ?? Infinity) <= elapsedMs - LATELY_MS) this.#lately.shift();
    if (this.#madeAtMs === undefined) return true;
    const isRisen = (occupancyFlows ?? NaN) > this.#risenAbove;
    // A second begins some milliseconds early or late.
    const part = Math.round((elapsedMs - this.#madeAtMs) / 1000) / intervalSeconds;
    return part >= (isRisen ? AT_ONCE_PART : 1);
  }

  /** Foretells from what the history has and from the arrivals. Throws what the history throws. */
  make(moment: ForecastMoment, arrivals: ForecastFacts["arrivals"]): Forecast {
    const { atMs, elapsedMs, occupancyFlows, capacityFlows } = moment;
    this.#madeAtMs = elapsedMs;
    const lately = this.#lately.map(({ flows }) => flows);
    const [least, most] = [Math.min(...lately), Math.max(...lately)];
    this.#risenAbove = most + Math.max(RISE_SHARE * capacityFlows, SWING_SHARE * (most - least));
    const history = this.#past.until(this.#history, { atMs, elapsedMs });
    const facts: ForecastFacts = { nowMs: atMs, history, capacityFlows };
    const forecast = this.#forecast(arrivals === undefined ? facts : { ...facts, arrivals });
    const before = this.#record ?? this.#recordOf(facts);
    this.#record =
      occupancyFlows === undefined
        ? before
        : recordForecast(before, forecast, { occupancyFlows, capacityFlows });
    const score = backtestOf(this.#record);
    return score === undefined ? forecast : { ...forecast, backtest: score };
  }

  /** Keeps the score when that was not done for a while, or `now` must be. Throws what the history throws. */
  keep(elapsedMs: number, now = false): void {
    this.#keptAtMs ??= elapsedMs;
    if (this.#record === undefined || (!now && elapsedMs - this.#keptAtMs < KEPT_EACH_MS)) return;
    this.#keptAtMs = elapsedMs;
    this.#history.writeState(STATE_NAME, this.#record);
  }

  /** What was kept; else the score of forecasts of the past that was recorded. */
  #recordOf({ history, nowMs, capacityFlows }: ForecastFacts): ForecastRecord {
    const kept = recordKept(this.#history.readState(STATE_NAME));
    if (kept !== undefined) return kept;
    const [weeks] = history;
    return weeks === undefined || weeks.atMs.length === 0
      ? emptyRecord()
      : backtest(history, { nowMs, capacityFlows });
  }
}

/** Of this program, or of an earlier one that kept it otherwise. */
function recordKept(found: unknown): ForecastRecord | undefined {
  if (typeof found !== "object" || found === null) return undefined;
  const { pending, byHorizon } = found as Partial<Record<keyof ForecastRecord, unknown>>;
  return Array.isArray(pending) && Array.isArray(byHorizon) ? (found as ForecastRecord) : undefined;
}

/** A part of the past: how old its end is at least, how far apart its points, when it is asked for again. */
interface Part {
  endAgeMs: number;
  stepMs: number;
  againMs: number;
}

/**
 * Weeks by quarters of an hour, then hours by half minutes, the last hour as a forecast divides it (coarser
 * points would hide how high single moments went), the last minutes by seconds.
 */
const PARTS: readonly Part[] = [
  { endAgeMs: 6 * HOUR_MS, stepMs: HOUR_MS / 4, againMs: HOUR_MS / 2 },
  { endAgeMs: 70 * MINUTE_MS, stepMs: MINUTE_MS / 2, againMs: 5 * MINUTE_MS },
  { endAgeMs: 10 * MINUTE_MS, stepMs: 10_000, againMs: MINUTE_MS },
  { endAgeMs: -1, stepMs: 1000, againMs: 0 },
];
const WEEKS_MS = 28 * DAY_MS;

/**
 * The past as a forecast wants it. What is old is asked for again only now and then: it hardly changes, and
 * to ask costs. The parts lie side by side without a gap.
 */
export class PastSeries {
  readonly #known = new Map<Part, { columns: SeriesColumns; elapsedMs: number; toMs: number }>();

  /** Occupancy until `atMs`, oldest first. Throws what the history throws. */
  until(history: History, { atMs, elapsedMs }: { atMs: number; elapsedMs: number }): SeriesColumns[] {
    let fromMs = atMs - WEEKS_MS;
    let isNew = false;
    return PARTS.map((part) => {
      const latestMs = atMs - part.endAgeMs;
      const before = this.#known.get(part);
      // After a jump of the wall clock the old part may lie in the future. What follows a new part is new.
      isNew ||=
        before === undefined || elapsedMs - before.elapsedMs >= part.againMs || before.toMs > latestMs;
      const toMs = isNew || before === undefined ? latestMs : before.toMs;
      const columns =
        isNew || before === undefined ? occupancyOf(history, fromMs, toMs, part.stepMs) : before.columns;
      if (isNew) this.#known.set(part, { columns, elapsedMs, toMs });
      fromMs = toMs;
      return columns;
    });
  }
}

function occupancyOf(history: History, fromMs: number, toMs: number, stepMs: number): SeriesColumns {
  const points = Math.max(1, Math.ceil((toMs - fromMs) / stepMs) + 1);
  return history.series({ names: ["occupancyFlows"], fromMs, toMs, points });
}
