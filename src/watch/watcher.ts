/**
 * The watcher: once a second it looks at a host, and remembers. The shell calls `second()`; what time it is,
 * is the clock's to say.
 *
 * A second is: the live reading, settings compared with the last, what the kernel logged, flow events that
 * came; now and then, as the budget allows, namespaces, the facts that hardly change, judgement, a forecast;
 * alerts; and one write to the history. A census runs beside it, a batch at a time. What fails is noted and
 * tried again; only our own mistakes are thrown.
 */
import type { Clock } from "../base/clock.ts";
import type { Facts, Forecast, ForecastFacts } from "../plan/plan.ts";
import type { KernelLog, NamespaceFacts } from "../table/host.ts";
import type { Sample } from "../table/series.ts";
import { historyImpaired } from "./alert-sight.ts";
import type { Alert } from "./alert.ts";
import { WorkBudget, type WorkPlan } from "./budget.ts";
import type { SecondOfEvents } from "./event-tally.ts";
import type { HistoryWriter, Second, SettingChange, WatchNote } from "./history.ts";
import { factsOfNow, logWith, noFacts } from "./second-facts.ts";
import { otherSamples, sampleOf, SecondClock, type Tick } from "./second.ts";
import { SettingWatch } from "./setting-watch.ts";
import { Sight } from "./sight.ts";
import type { Watched, WatchNews, WatchState } from "./watch-state.ts";
import type { KernelLogEvent, LiveReading } from "../table/live-reading.ts";
import type { WatchedHost } from "./watched-host.ts";
import { type AlertEvaluator, AlertWatch } from "./watcher-alerts.ts";
import { CensusRunner } from "./watcher-census-runner.ts";
import { EventListener } from "./watcher-events.ts";
import { Forecaster } from "./watcher-forecast.ts";
import { JudgeWatch } from "./watcher-judge.ts";
import { WatcherMemory } from "./watcher-memory.ts";
import { Listeners } from "./watcher-news.ts";
import { SkipNotes } from "./watcher-skips.ts";

export interface WatcherOptions {
  host: WatchedHost;
  history: HistoryWriter;
  clock: Clock;
  /** Processor time of this process so far, all its threads. */
  cpuSeconds: () => number;
  /** Resident memory of this process. */
  memoryBytes?: () => number;
  /** Of one core; 0.01 when absent. */
  allowedCpuShare?: number;
  /** Flows of a census, 20,000 when absent; and seconds between two of them, 10 to 600 when absent. */
  censusSampleFlows?: number;
  leastCensusSeconds?: number;
  mostCensusSeconds?: number;
  /** Rows of every ranking of a census; 20 when absent. */
  censusTopRows?: number;
  /** Whether flow events are followed; they are when absent. */
  followEvents?: boolean;
  thresholds?: NonNullable<Facts["thresholds"]>;
  forecast?: (facts: ForecastFacts) => Forecast;
  /** Seconds between two forecasts at least, 10 when absent; what rises fast has one at once. */
  leastForecastSeconds?: number;
  alerts?: AlertEvaluator;
  /** Lets everything else have its turn; the event loop's when absent. */
  pause?: () => Promise<void>;
  /** Of the hashes of a census: random, where strangers choose the addresses. */
  seed?: number;
}

export const DEFAULT_CPU_SHARE = 0.01;
const DEFAULT_SAMPLE_FLOWS = 20_000;
const DEFAULT_CENSUS_SECONDS = { least: 10, most: 600 };
const DEFAULT_FORECAST_SECONDS = 10;

export class Watcher implements Watched {
  readonly #options: WatcherOptions;
  readonly #host: WatchedHost;
  readonly #clock: Clock;
  readonly #budget: WorkBudget;
  readonly #sight = new Sight();
  readonly #seconds = new SecondClock();
  readonly #settings = new SettingWatch();
  readonly #events: EventListener;
  readonly #census: CensusRunner;
  readonly #memory: WatcherMemory;
  readonly #skips: SkipNotes;
  readonly #listeners = new Listeners();
  readonly #judge: JudgeWatch;
  readonly #forecaster: Forecaster | undefined;
  readonly #alerts: AlertWatch | undefined;
  #state: WatchState;
  #base: Facts;
  #kernelLog: KernelLog | undefined;
  #namespaces: readonly NamespaceFacts[] | undefined;
  #plan: WorkPlan;
  /** When each of what is not done every second is due, by the clock that never goes back. */
  readonly #due = { namespaces: -Infinity, facts: -Infinity };
  #stopped = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
    const { host, history, clock, alerts, forecast } = options;
    const wanted = {
      censusIntervalSeconds: options.leastCensusSeconds ?? DEFAULT_CENSUS_SECONDS.least,
      censusSampleFlows: options.censusSampleFlows ?? DEFAULT_SAMPLE_FLOWS,
    };
    this.#host = host;
    this.#clock = clock;
    this.#budget = new WorkBudget({
      allowedCpuShare: options.allowedCpuShare ?? DEFAULT_CPU_SHARE,
      cpuSeconds: options.cpuSeconds,
      leastCensusSeconds: wanted.censusIntervalSeconds,
      mostCensusSeconds: options.mostCensusSeconds ?? DEFAULT_CENSUS_SECONDS.most,
      sampleFlows: wanted.censusSampleFlows,
      leastForecastSeconds: options.leastForecastSeconds ?? DEFAULT_FORECAST_SECONDS,
    });
    this.#skips = new SkipNotes(wanted, this.#budget.allowedCpuShare);
    this.#plan = this.#budget.plan({ occupancyFlows: 0, eventsPerSecond: 0 });
    this.#events = new EventListener(this.#budget, clock.elapsedMs());
    this.#census = new CensusRunner({
      budget: this.#budget,
      host,
      clock,
      tally: this.#events.tally,
      pause: options.pause ?? turnOfTheLoop,
      wantedSeconds: wanted.censusIntervalSeconds,
      seed: options.seed ?? 0,
      ...(options.censusTopRows === undefined ? {} : { topRows: options.censusTopRows }),
    });
    this.#memory = new WatcherMemory(history);
    this.#judge = new JudgeWatch(options.thresholds);
    this.#forecaster = forecast === undefined ? undefined : new Forecaster(history, forecast);
    this.#alerts = alerts === undefined ? undefined : new AlertWatch(alerts);
    const atMs = clock.nowMs();
    this.#base = noFacts(atMs);
    this.#state = {
      startedAtMs: atMs,
      facts: this.#base,
      verdict: { level: "unknown", findings: [] },
      namespaces: [],
      alerts: [],
      budget: { allowedCpuShare: this.#budget.allowedCpuShare, skipped: {} },
    };
  }

  state(): WatchState {
    return this.#state;
  }

  subscribe(listener: (news: WatchNews) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Subscribers at present. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Resolves when no census is under way. */
  settled(): Promise<void> {
    return this.#census.settled();
  }

  /**
   * Looks once and remembers. Resolves when the second is written, or waits in memory because it could not
   * be; a census that it begins goes on behind it. Rejects for our own mistakes alone.
   */
  async second(): Promise<void> {
    if (this.#stopped) return;
    this.#census.throwFault();
    const notes: WatchNote[] = [];
    const tick = this.#tick(notes);
    const look = this.#look(tick, notes);
    const news: WatchNews[] = [];
    const census = this.#takeOverCensus(tick, news);
    this.#refreshFacts(tick, look);
    const others = this.#countNamespaces(tick);
    const sample = this.#sampleOf(tick, look);
    const isNewVerdict = this.#replaceState(tick, look, sample);
    this.#judgeAlerts(tick, news);
    notes.push(...this.#skips.notes(tick, this.#plan, this.#census.skippedCensuses));
    notes.push(...this.#sight.notes(tick.atMs, tick.elapsedMs));
    this.#remember(tick, {
      sample,
      ...(others === undefined ? {} : { others }),
      ...(census === undefined ? {} : { census }),
      ...(look.changes.length === 0 ? {} : { changes: look.changes }),
      ...(notes.length === 0 ? {} : { notes }),
    });
    this.#tell(sample, look.changes, notes, news, isNewVerdict);
    this.#startCensus(tick, look.live);
    await Promise.resolve();
  }

  /** Ends the watching: the census under way is given up, and that it ended is noted. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#census.stop();
    const atMs = this.#clock.nowMs();
    this.#events.close(this.#clock.elapsedMs());
    const note: WatchNote = { atMs, kind: "stopped", text: "Watching was ended" };
    this.#memory.append({ sample: { atMs, values: {} }, notes: [note] });
    this.#memory.attempt(() => this.#forecaster?.keep(this.#clock.elapsedMs(), true));
    this.#listeners.tell({ kind: "note", note });
    this.#listeners.clear();
  }

  #tick(notes: WatchNote[]): Tick {
    const tick = this.#seconds.tick(this.#clock.nowMs(), this.#clock.elapsedMs(), notes);
    if (tick.seconds === undefined) {
      notes.push({ atMs: tick.atMs, kind: "started", text: "Watching began" });
      return tick;
    }
    this.#budget.endSecond(tick.seconds);
    return tick;
  }

  /** What is asked every second. */
  #look(tick: Tick, notes: WatchNote[]): Look {
    const { elapsedMs } = tick;
    const live = this.#sight.ask("the table", elapsedMs, () => this.#host.read());
    if (live !== undefined) this.#sight.tell("live", live.unseen);
    const changes = live === undefined ? [] : this.#changesOf(live, tick);
    const log = this.#host.drainLog();
    this.#sight.tell("log", log.unseen);
    if (this.#kernelLog !== undefined) this.#kernelLog = logWith(this.#kernelLog, log.events);
    const events = this.#listen(tick, live, notes);
    return { live, changes, log: log.events, logFollowed: log.unseen.length === 0, events };
  }

  #changesOf(live: LiveReading, { atMs, elapsedMs }: Tick): SettingChange[] {
    return this.#settings.changes(live.settings, live.settingsVersion).map((change) => {
      const dated = { atMs, ...change };
      const suspects = this.#sight.ask("who changes settings", elapsedMs, () => this.#host.suspectsOf(dated));
      return { ...dated, suspects: suspects ?? [] };
    });
  }

  /**
   * Listens while there is something to listen to: a namespace that is gone is not held by us. Gives what
   * came; a listener that fails is closed, and opened again later.
   */
  #listen(tick: Tick, live: LiveReading | undefined, notes: WatchNote[]): SecondOfEvents | undefined {
    if (this.#options.followEvents === false) return undefined;
    const { elapsedMs, atMs, seconds = 0 } = tick;
    if (live === undefined || live.tracker !== "nf_conntrack") {
      this.#events.close(elapsedMs);
      return undefined;
    }
    return this.#sight.ask("flow events", elapsedMs, () => {
      try {
        this.#events.open(this.#host, elapsedMs);
        return this.#events.drain({ elapsedMs, atMs, seconds }, notes);
      } catch (error) {
        this.#events.close(elapsedMs);
        throw error;
      }
    });
  }

  #refreshFacts(tick: Tick, { changes }: Look): void {
    const { elapsedMs } = tick;
    // What a setting is at the next boot, and who says so, may be new with it.
    if (changes.length > 0) this.#due.facts = Math.min(this.#due.facts, elapsedMs + SETTLED_MS);
    if (elapsedMs < this.#due.facts) return;
    const facts = this.#sight.ask("facts of the host", elapsedMs, () =>
      this.#budget.measure(
        "facts",
        () => 1,
        () => this.#host.facts(),
      ),
    );
    if (facts === undefined) return;
    this.#due.facts = elapsedMs + this.#plan.factsIntervalSeconds * 1000;
    this.#base = facts;
    this.#kernelLog = facts.kernelLog;
    this.#sight.tell("facts", facts.unseen);
  }

  #countNamespaces({ atMs, elapsedMs }: Tick): ReadonlyMap<string, Sample> | undefined {
    if (elapsedMs < this.#due.namespaces) return undefined;
    const counts = this.#sight.ask("network namespaces", elapsedMs, () =>
      this.#budget.measure(
        "namespaces",
        () => 1,
        () => this.#host.counts(),
      ),
    );
    if (counts === undefined) return undefined;
    this.#due.namespaces = elapsedMs + this.#plan.namespaceIntervalSeconds * 1000;
    this.#namespaces = counts.namespaces;
    this.#sight.tell("namespaces", counts.unseen);
    const samples = otherSamples(counts.namespaces, this.#base.host.namespaceInode, atMs);
    return samples.size === 0 ? undefined : samples;
  }

  #sampleOf(tick: Tick, look: Look): Sample {
    return sampleOf({
      tick,
      ...look,
      namespaceInode: this.#base.host.namespaceInode,
      cpuShare: this.#budget.lastCpuShare,
      memoryBytes: this.#options.memoryBytes?.(),
    });
  }

  /** True when verdict, forecast or the like are new. */
  #replaceState(tick: Tick, look: Look, sample: Sample): boolean {
    const { elapsedMs, atMs } = tick;
    const facts = factsOfNow(this.#base, {
      atMs,
      live: look.live,
      namespaces: this.#namespaces,
      census: this.#state.census?.census,
      kernelLog: this.#kernelLog,
      unseen: this.#sight.unseen,
    });
    const { events: shown, ...rest } = this.#state;
    const verdict = this.#judge.verdict(facts, elapsedMs);
    const events = verdict === undefined ? shown : this.#events.watch(elapsedMs, facts.census);
    const forecast = this.#forecastOf(tick, facts);
    this.#replan(tick, look.live);
    this.#state = {
      ...rest,
      facts,
      verdict: verdict ?? rest.verdict,
      sample,
      namespaces: this.#namespaces ?? [],
      budget: this.#budgetNow(),
      ...(forecast === undefined ? {} : { forecast }),
      ...(events === undefined || !this.#events.isOpen ? {} : { events }),
    };
    return verdict !== undefined || forecast !== undefined;
  }

  /** A forecast, when it is time for one. */
  #forecastOf({ atMs, elapsedMs }: Tick, facts: Facts): Forecast | undefined {
    const forecaster = this.#forecaster;
    const { nf_conntrack_max: capacityFlows, nf_conntrack_count: occupancyFlows } = facts.settings.values;
    if (forecaster === undefined || capacityFlows === undefined) return undefined;
    const moment = { atMs, elapsedMs, occupancyFlows, capacityFlows };
    if (!forecaster.isDue(moment, this.#plan.forecastIntervalSeconds)) return undefined;
    return this.#sight.ask("the past", elapsedMs, () =>
      this.#budget.measure(
        "forecast",
        () => 1,
        () => forecaster.make(moment, this.#events.total(elapsedMs, facts.census)),
      ),
    );
  }

  #replan({ elapsedMs }: Tick, live: LiveReading | undefined): void {
    this.#plan = this.#budget.plan({
      occupancyFlows: live?.occupancyFlows ?? this.#state.sample?.values.occupancyFlows ?? 0,
      eventsPerSecond: this.#events.eventsPerSecond,
    });
    this.#events.adapt(this.#plan.oneOf, elapsedMs);
  }

  #budgetNow(): WatchState["budget"] {
    const used = this.#budget.usedCpuShare;
    const skipped = {
      censuses: this.#census.skippedCensuses,
      censusFlows: this.#census.skippedFlows,
      flowEvents: this.#events.skippedEvents,
      secondsOfHistory: this.#memory.lostSeconds,
    };
    return {
      allowedCpuShare: this.#budget.allowedCpuShare,
      ...(used === undefined ? {} : { usedCpuShare: used }),
      censusIntervalSeconds: this.#plan.censusIntervalSeconds,
      censusSampleFlows: this.#plan.censusSampleFlows,
      skipped: Object.fromEntries(Object.entries(skipped).filter(([, amount]) => amount > 0)),
    };
  }

  #judgeAlerts({ atMs }: Tick, news: WatchNews[]): void {
    if (this.#alerts === undefined) return;
    const { refused } = this.#memory;
    const impairments = refused === undefined ? [] : [historyImpaired(refused)];
    const step = this.#alerts.step(this.#state, atMs, impairments);
    this.#state = { ...this.#state, alerts: step.alerts };
    if (this.#alerts.wantsCensusNow) this.#census.hurryNow("alert");
    else if (this.#alerts.wantsCensus) this.#census.hurry();
    news.push(...step.changed.map((alert: Alert): WatchNews => ({ kind: "alert", alert })));
  }

  #remember({ atMs, elapsedMs }: Tick, second: Second): void {
    const error =
      this.#memory.append(second) ??
      this.#memory.attempt((history) => history.maintain(atMs)) ??
      this.#memory.attempt(() => this.#forecaster?.keep(elapsedMs));
    if (error === undefined) this.#sight.see(WRITING);
    else this.#sight.fail(WRITING, elapsedMs, error);
  }

  #tell(
    sample: Sample,
    changes: readonly SettingChange[],
    notes: readonly WatchNote[],
    news: readonly WatchNews[],
    isNewState: boolean,
  ): void {
    this.#listeners.tell({ kind: "sample", sample });
    for (const change of changes) this.#listeners.tell({ kind: "setting", change });
    for (const note of notes) this.#listeners.tell({ kind: "note", note });
    for (const each of news) this.#listeners.tell(each);
    if (isNewState) this.#listeners.tell({ kind: "state" });
  }

  /** The census that ended since the last second, if one did. */
  #takeOverCensus({ elapsedMs }: Tick, news: WatchNews[]): Second["census"] {
    const ended = this.#census.takeOver();
    if (ended === undefined) return undefined;
    if ("error" in ended) {
      this.#sight.fail("flows", elapsedMs, ended.error);
      return undefined;
    }
    this.#sight.see("flows");
    const { census, seconds, occupancyFlows } = ended.taken;
    const counted = occupancyFlows === undefined ? {} : { occupancyFlows };
    this.#state = {
      ...this.#state,
      census: { atMs: ended.atMs, census, seconds, ...counted },
      observation: ended.observe(this.#events.arrivals(elapsedMs)),
    };
    this.#alerts?.complete({ atMs: ended.atMs, census });
    news.push({ kind: "census", atMs: ended.atMs, census });
    return { atMs: ended.atMs, census };
  }

  #startCensus({ elapsedMs }: Tick, live: LiveReading | undefined): void {
    if (live === undefined || live.tracker === "none" || live.tracker === "unknown") return;
    if (!this.#sight.mayAsk("flows", elapsedMs)) return;
    if (isJump(this.#state.census, live.occupancyFlows)) this.#census.hurryNow("jump");
    this.#census.start({
      plan: this.#plan,
      settings: live.settings.values,
      kernelRelease: this.#base.host.kernelRelease,
      occupancyFlows: live.occupancyFlows,
    });
  }
}

/** What was seen this second. */
interface Look {
  live: LiveReading | undefined;
  changes: SettingChange[];
  log: readonly KernelLogEvent[];
  logFollowed: boolean;
  events: SecondOfEvents | undefined;
}

/** The thing that is not there while the history cannot be written. */
const WRITING = "history";
/** After a setting changed, files may still be written that say so. */
const SETTLED_MS = 5000;

/** So much more or fewer than at the last census is another table. */
const JUMP = { share: 0.2, flows: 1000 };

/** Whether what the last census tells is no longer what is there. */
function isJump(last: WatchState["census"], occupancyFlows: number | undefined): boolean {
  if (last === undefined || occupancyFlows === undefined) return false;
  const before = last.occupancyFlows ?? last.census.flows;
  const by = Math.abs(occupancyFlows - before);
  return by > JUMP.flows && by > JUMP.share * before;
}

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
