/**
 * A watcher through simulated days: the table of flows.ts is the kernel, the clock is set by hand, everything
 * else is what runs on a host: Watcher, store, alerts, forecasts. What was true is kept aside.
 */
import { renameSync } from "node:fs";
import type { Clock } from "../../src/base/clock.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Forecast, makeForecast } from "../../src/plan/plan.ts";
import {
  type Alert,
  AlertKeeper,
  DEFAULT_ALERT_OPTIONS,
  type HistoryWriter,
  type Notice,
  openStore,
  Watcher,
} from "../../src/watch/watch.ts";
import { FakeWatchedHost } from "../support/fake-watched-host.ts";
import { SimulatedTable } from "./flows.ts";
import type { Happening, Story } from "./month-stories.ts";

const START_MS = Date.UTC(2026, 0, 5);
const HOUR_MS = 3_600_000;
const RECEIVER = { receiver: "phone", least: "warning", resolved: true } as const;

/** The clocks of a host. */
class HostClock implements Clock {
  #wallMs = START_MS;
  #sinceBootMs = 864_000_000;

  nowMs(): number {
    return this.#wallMs;
  }

  elapsedMs(): number {
    return this.#sinceBootMs;
  }

  pass(seconds: number): void {
    this.#wallMs += seconds * 1000;
    this.#sinceBootMs += seconds * 1000;
  }

  set(bySeconds: number): void {
    this.#wallMs += bySeconds * 1000;
  }

  boot(): void {
    this.#sinceBootMs = 0;
  }
}

/** What was true at a look of the watcher. */
export interface Truth {
  wallMs: number[];
  flows: number[];
  dropsPerSecond: number[];
}

export interface MonthRun {
  story: Story;
  /** At each look that there was. */
  truth: Truth;
  /** Occupancy as a share of capacity at each step, looked at or not. */
  useShares: Float64Array;
  /** By seconds since the beginning. */
  notices: { atSeconds: number; notice: Notice }[];
  alerts: { atSeconds: number; alert: Alert }[];
  forecasts: { atSeconds: number; forecast: Forecast }[];
  /** Greatest sizes of the history, bytes. */
  sizeBytes: number;
  boundBytes: number;
  history: HistoryWriter;
  clock: Clock;
}

/** Plays a story. The history is in `directory` and stays open. */
export async function runMonth(story: Story, directory: string): Promise<MonthRun> {
  const month = new Month(story, directory);
  await month.play();
  return month.run;
}

class Month {
  readonly #story: Story;
  readonly #directory: string;
  readonly #clock = new HostClock();
  readonly #host = new FakeWatchedHost();
  readonly #table: SimulatedTable;
  readonly #world: { habits: Story["habits"]; capacityFlows: number; collectorSeconds: number };
  readonly #first: FakeWatchedHost["values"];
  readonly #happenings: Happening[];
  readonly run: MonthRun;
  #history: HistoryWriter;
  #keeper: AlertKeeper;
  #watcher: Watcher;
  #lastForecast: Forecast | undefined;
  #seconds = 0;
  /** No look before then. */
  #blindUntil = 0;
  #refused = 0;
  #looked: number | undefined;

  constructor(story: Story, directory: string) {
    this.#story = story;
    this.#directory = directory;
    const { habits, capacityFlows, stepSeconds, days } = story;
    this.#world = { habits, capacityFlows, collectorSeconds: 30 };
    this.#table = new SimulatedTable(this.#world, seededRandom(11), stepSeconds);
    this.#host.values = { ...this.#host.values, nf_conntrack_max: capacityFlows };
    this.#first = this.#host.values;
    this.#happenings = [...story.happenings];
    this.#watchUptime();
    [this.#history, this.#keeper, this.#watcher] = this.#begin();
    this.run = {
      story,
      truth: { wallMs: [], flows: [], dropsPerSecond: [] },
      useShares: new Float64Array((days * 86_400) / stepSeconds),
      notices: [],
      alerts: [],
      forecasts: [],
      sizeBytes: 0,
      boundBytes: this.#history.size().boundBytes,
      history: this.#history,
      clock: this.#clock,
    };
  }

  async play(): Promise<void> {
    const { days, stepSeconds } = this.#story;
    for (let step = 0; step < (days * 86_400) / stepSeconds; step++) {
      this.#seconds = step * stepSeconds;
      const freed = this.#happen();
      const { occupancyFlows, refused } = this.#table.advance(freed);
      this.run.useShares[step] = occupancyFlows / this.#world.capacityFlows;
      this.#refused += refused;
      if (this.#seconds >= this.#blindUntil) await this.#look(occupancyFlows);
      this.#clock.pass(stepSeconds);
    }
  }

  /** The share of flows that is taken out. */
  #happen(): number {
    const [next] = this.#happenings;
    if (next === undefined || next.atSeconds > this.#seconds) return 0;
    this.#happenings.shift();
    if (next.set !== undefined) this.#set({ ...this.#host.values, ...next.set });
    if (next.clockSeconds !== undefined) this.#clock.set(next.clockSeconds);
    if (next.gapSeconds !== undefined) this.#blindUntil = this.#seconds + next.gapSeconds;
    if (next.rebootSeconds === undefined) return next.freed ?? 0;
    this.#reboot(next.rebootSeconds);
    return 1;
  }

  #set(values: FakeWatchedHost["values"]): void {
    this.#host.values = values;
    this.#world.capacityFlows = values.nf_conntrack_max ?? this.#world.capacityFlows;
  }

  /** Nobody says goodbye: the history is as the last second left it. */
  #reboot(seconds: number): void {
    this.#history.close();
    this.#blindUntil = this.#seconds + seconds;
    this.#clock.boot();
    this.#refused = 0;
    this.#looked = undefined;
    this.#set(this.#first);
    [this.#history, this.#keeper, this.#watcher] = this.#begin();
    this.run.history = this.#history;
  }

  #begin(): [HistoryWriter, AlertKeeper, Watcher] {
    const clock = this.#clock;
    const { maxBytes, forecastSeconds } = this.#story;
    const parts = { directory: this.#directory, clock, rename: renameSync, options: { maxBytes } };
    const history = openStore(parts);
    const keeper = new AlertKeeper({
      store: history,
      options: DEFAULT_ALERT_OPTIONS,
      receivers: [RECEIVER],
      random: seededRandom(1),
      nowMs: clock.nowMs(),
      instance: "gw",
    });
    const watcher = new Watcher({
      host: this.#host,
      history,
      clock,
      cpuSeconds: () => 0,
      pause: () => Promise.resolve(),
      followEvents: false,
      censusSampleFlows: 500,
      leastCensusSeconds: 600,
      leastForecastSeconds: forecastSeconds,
      forecast: makeForecast,
      alerts: keeper,
    });
    watcher.subscribe((news) => {
      if (news.kind === "alert") this.run.alerts.push({ atSeconds: this.#seconds, alert: news.alert });
    });
    return [history, keeper, watcher];
  }

  #watchUptime(): void {
    const facts = this.#host.facts.bind(this.#host);
    this.#host.facts = () => {
      const { host, ...rest } = facts();
      return { ...rest, host: { ...host, uptimeSeconds: this.#clock.elapsedMs() / 1000 } };
    };
  }

  async #look(occupancyFlows: number): Promise<void> {
    const atMs = this.#clock.nowMs();
    this.#host.occupancyFlows = occupancyFlows;
    const isFirst = this.#looked === undefined;
    this.#host.counted = isFirst ? undefined : { drop: this.#refused, insertFailed: 0, found: 0 };
    const perSecond = isFirst ? NaN : this.#refused / (this.#seconds - (this.#looked ?? 0));
    if (this.#refused > 0) this.#logFull(atMs);
    this.#refused = 0;
    this.#looked = this.#seconds;
    await this.#watcher.second();
    await this.#watcher.settled();
    this.#deliver(atMs);
    const { truth } = this.run;
    truth.wallMs.push(atMs);
    truth.flows.push(occupancyFlows);
    truth.dropsPerSecond.push(perSecond);
    const { forecast } = this.#watcher.state();
    if (forecast !== undefined && forecast !== this.#lastForecast) {
      // The bands of a month are much memory, and are scored as they come.
      const { band: _band, ...rest } = forecast;
      const none = { atMs: [], expected: [], low: [], high: [] };
      this.run.forecasts.push({ atSeconds: this.#seconds, forecast: { ...rest, band: none } });
      this.#lastForecast = forecast;
    }
    if (this.#seconds % (HOUR_MS / 1000) < this.#story.stepSeconds) {
      this.run.sizeBytes = Math.max(this.run.sizeBytes, this.#history.size().sizeBytes);
    }
  }

  #deliver(atMs: number): void {
    for (const delivery of this.#keeper.due(atMs)) {
      this.run.notices.push({ atSeconds: this.#seconds, notice: delivery.notice });
      this.#keeper.delivered(delivery, atMs);
    }
  }

  #logFull(atMs: number): void {
    const sample = "nf_conntrack: nf_conntrack: table full, dropping packet";
    this.#host.log.push({ kind: "table-full", firstAtMs: atMs, atMs, lines: 1, sample });
  }
}
