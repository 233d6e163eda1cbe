/**
 * The alerts of a watcher: rules, their course over time, incidents, and the notices on their way, kept in
 * the store so that a restart neither forgets nor tells again.
 *
 * Each second `evaluate`; when there is a fresh census, it goes to `completeNotices`, and for each alert that
 * fired to `completeIncident`. A notice about the table waits some seconds for that census, on disk.
 * Beside that whoever delivers asks `due` and answers `delivered` or `failed`. Everything is on disk before
 * it is returned; where the disk refuses, it goes on in memory and says so as an alert.
 */
import type { Random } from "../base/random.ts";
import { remediesIn } from "../table/namespace-command.ts";
import { AlertMachine, type MachineNews, type MachineState, type Telling } from "./alert-machine.ts";
import { type AppliedSetting, type BootsState, SettingsAcrossBoots } from "./alert-boots.ts";
import type { AlertFacts, Condition, Impairment } from "./alert-condition.ts";
import { DropWindow } from "./alert-drops.ts";
import { type AlertOptions, ruleOf } from "./alert-options.ts";
import { alertRules } from "./alert-rules.ts";
import { historyImpaired, LostSight } from "./alert-sight.ts";
import type { Alert, AlertCode } from "./alert.ts";
import type { HistoryWriter, SettingChange, StoredCensus } from "./history.ts";
import { filledBy, isOfMoment, type Notice, plainAlert } from "./notice.ts";
import {
  type Delivery,
  Outbox,
  type OutboxState,
  type ReceiverStanding,
  type Subscription,
} from "./outbox.ts";
import { isRefusal } from "./sight.ts";
import type { WatchState } from "./watch-state.ts";

/** What it uses of the store. */
export type AlertStore = Pick<
  HistoryWriter,
  "readState" | "writeState" | "putIncident" | "incident" | "incidents" | "settingChanges"
>;

export interface KeeperOptions {
  store: AlertStore;
  options: AlertOptions;
  receivers: readonly Subscription[];
  random: Random;
  nowMs: number;
  /** The host in notices, and the namespace where it is not the host's own. */
  instance: string;
  /** What changes of `headroom apply` set so that it stays. */
  applied?: readonly AppliedSetting[];
}

/** What became of the alerts in this second. `fired` want a fresh census. */
export type AlertNews = Omit<MachineNews, "telling">;

interface Kept {
  version: 1;
  machine: MachineState;
  outbox: OutboxState;
  boots: BootsState;
}

const STATE_NAME = "alerts";
/** Changes of settings that belong together are looked for so far back. */
const CHANGES_MS = 86_400_000;
/** An older census does not tell who fills the table now. */
const CENSUS_AGE_MAX_MS = 900_000;
/** A census of so long ago is of this moment, unless the table is another size now. */
const CENSUS_FRESH_MS = 5000;
/** So long a notice waits for one. */
const CENSUS_WAIT_MS = 3000;
/** Incidents that were left open by a program that was killed are looked for so far back. */
const ORPHANS_MS = 31 * 86_400_000;

/** Alerts that are about what is in the watched table: a census of their moment belongs to them. */
export const OF_TABLE: ReadonlySet<AlertCode> = new Set<AlertCode>([
  "near-full",
  "filling",
  "table-full",
  "early-drop",
  "chain-too-long",
  "one-source-hoards",
]);

export class AlertKeeper {
  readonly #store: AlertStore;
  readonly #instance: string;
  readonly #machine: AlertMachine;
  readonly #outbox: Outbox;
  readonly #drops = new DropWindow();
  readonly #sight = new LostSight();
  readonly #boots: SettingsAcrossBoots;
  /** Incidents whose writing failed, and is tried again. */
  readonly #unwritten = new Map<string, { alert: Alert; census?: StoredCensus }>();
  #options: AlertOptions;
  #applied: readonly AppliedSetting[];
  #bootAtMs: number | undefined;
  #unsaved = false;
  /** Why the store refused last. */
  #refused: Error | undefined;
  #notices = 0;

  /** Reads what was kept. Throws what the store throws. */
  constructor({ store, options, receivers, random, nowMs, instance, applied = [] }: KeeperOptions) {
    this.#store = store;
    this.#options = options;
    this.#instance = instance;
    this.#applied = applied;
    this.#machine = new AlertMachine(options);
    this.#outbox = new Outbox(random);
    const kept = keptOf(store.readState(STATE_NAME));
    this.#boots = new SettingsAcrossBoots(kept?.boots);
    if (kept !== undefined) {
      this.#machine.restore(kept.machine, nowMs);
      this.#outbox.restore(kept.outbox);
    }
    this.#outbox.subscribe(receivers);
    this.#endOrphans(nowMs);
  }

  /** Other options, receivers and changes from now on. */
  configure(
    options: AlertOptions,
    receivers: readonly Subscription[],
    applied: readonly AppliedSetting[],
  ): void {
    this.#options = options;
    this.#applied = applied;
    this.#machine.configure(options);
    this.#outbox.subscribe(receivers);
  }

  /** Judges one second. `impairments` are what the watcher itself knows to be wrong with it. */
  evaluate(state: WatchState, nowMs: number, impairments: readonly Impairment[] = []): AlertNews {
    const facts = this.#factsOf(state, nowMs, impairments);
    const seen = new Set<AlertCode>();
    const conditions: Condition[] = [];
    for (const [code, rule] of alertRules) {
      const found = ruleOf(this.#options, code).enabled ? rule(facts, this.#options) : [];
      if (found === undefined) continue;
      seen.add(code);
      const { netns } = state.facts;
      conditions.push(...found.map((row) => ({ ...row, remedy: remediesIn(row.remedy, netns) })));
    }
    const { telling, ...news } = this.#machine.step(conditions, seen, nowMs);
    for (const told of telling) this.#outbox.put(this.#noticeOf(told, state, nowMs));
    const census = censusOf(state, nowMs);
    for (const alert of news.fired) this.#keepIncident(alert, census);
    for (const alert of [...news.changed, ...news.resolved]) this.#keepIncident(alert, undefined);
    if (telling.length > 0 || news.fired.length > 0 || news.resolved.length > 0 || news.changed.length > 0) {
      this.#unsaved = true;
    }
    this.#save();
    return news;
  }

  /** Pending and firing, most important first. */
  alerts(): readonly Alert[] {
    return this.#machine.alerts();
  }

  /** The census of the moment at which an alert fired, when it is taken. */
  completeIncident(id: string, census: StoredCensus): void {
    const kept = this.#unwritten.get(id)?.alert ?? this.#tried(() => this.#store.incident(id))?.alert;
    if (kept !== undefined) this.#keepIncident(kept, census);
  }

  /** A census was taken: notices that wait for it have it now. */
  completeNotices({ atMs, census }: StoredCensus): void {
    const done = this.#outbox.complete((notice) => {
      if (atMs < notice.atMs - CENSUS_FRESH_MS) return notice;
      const { notBeforeMs, ...rest } = notice;
      // One that was under way as something broke in tells of before: another follows at once.
      const waits = notBeforeMs !== undefined && !isOfMoment(census.flows, notice.occupancyFlows);
      return { ...rest, filledBy: filledBy(atMs, census), ...(waits ? { notBeforeMs } : {}) };
    });
    if (!done) return;
    this.#unsaved = true;
    this.#save();
  }

  /** Notices to send now; each must be answered by `delivered` or `failed`. */
  due(nowMs: number): readonly Delivery[] {
    return this.#outbox.due(nowMs);
  }

  /** Milliseconds until something is due; undefined when nothing waits. */
  waitMs(nowMs: number): number | undefined {
    return this.#outbox.waitMs(nowMs);
  }

  delivered(delivery: Delivery, nowMs: number): void {
    this.#outbox.delivered(delivery, nowMs);
    this.#unsaved = true;
    this.#save();
  }

  /** Returns whether the notice is given up. */
  failed(delivery: Delivery, nowMs: number, why: string, refused: boolean): boolean {
    const givenUp = this.#outbox.failed(delivery, nowMs, why, refused);
    if (givenUp) this.#unsaved = true;
    this.#save();
    return givenUp;
  }

  /** How every receiver stands. */
  receivers(): readonly ReceiverStanding[] {
    return this.#outbox.standing();
  }

  #factsOf(state: WatchState, nowMs: number, known: readonly Impairment[]): AlertFacts {
    const { sample, facts } = state;
    if (sample !== undefined) this.#drops.add(sample);
    const changes = this.#tried(() => this.#store.settingChanges(nowMs - CHANGES_MS, nowMs + 1000)) ?? [];
    const lost = this.#lostSettings(state, nowMs, changes);
    const impairments = [...known, ...this.#sight.impairments(state, nowMs)];
    if (this.#refused !== undefined && !known.some(({ what }) => what === "history")) {
      impairments.push(historyImpaired(this.#refused));
    }
    return {
      nowMs,
      state,
      drops: this.#drops.lately(facts.host.kernelRelease),
      changes,
      lost,
      impairments,
    };
  }

  #lostSettings(state: WatchState, nowMs: number, changes: readonly SettingChange[]): AlertFacts["lost"] {
    const { host, settings, atMs } = state.facts;
    if (this.#bootAtMs === undefined && host.uptimeSeconds !== undefined) {
      this.#bootAtMs = atMs - host.uptimeSeconds * 1000;
    }
    const isNew = this.#boots.observe({
      nowMs,
      ...(this.#bootAtMs === undefined ? {} : { bootAtMs: this.#bootAtMs }),
      values: settings.values,
      changes,
      applied: this.#applied,
    });
    if (isNew) this.#unsaved = true;
    return this.#boots.state.lost;
  }

  #noticeOf({ kind, alert, worst }: Telling, state: WatchState, nowMs: number): Notice {
    this.#notices += 1;
    const ofTable = OF_TABLE.has(alert.code) && kind !== "resolved";
    const census = ofTable ? censusOf(state, nowMs) : undefined;
    const occupancyFlows = ofTable ? state.sample?.values.occupancyFlows : undefined;
    const canCount = !state.facts.unseen.some(({ what }) => what === "flows");
    const isFresh =
      census !== undefined &&
      Math.abs(nowMs - census.atMs) <= CENSUS_FRESH_MS &&
      isOfMoment(census.census.flows, occupancyFlows);
    return {
      id: `${alert.id}-${kind}-${Math.floor(nowMs / 1000)}-${this.#notices}`,
      kind,
      atMs: nowMs,
      alert: plainAlert(alert),
      worst,
      instance: this.#instance,
      ...(census === undefined ? {} : { filledBy: filledBy(census.atMs, census.census) }),
      ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
      ...(!ofTable || isFresh || !canCount ? {} : { notBeforeMs: nowMs + CENSUS_WAIT_MS }),
    };
  }

  #keepIncident(alert: Alert, census: StoredCensus | undefined): void {
    const before = this.#unwritten.get(alert.id) ?? this.#tried(() => this.#store.incident(alert.id));
    const kept = census ?? before?.census;
    this.#unwritten.set(alert.id, { alert, ...(kept === undefined ? {} : { census: kept }) });
    this.#writeIncidents();
  }

  #writeIncidents(): void {
    for (const [id, incident] of this.#unwritten) {
      const done = this.#tried(() => {
        this.#store.putIncident({ id, ...incident });
        return true;
      });
      if (done !== true) return;
      this.#unwritten.delete(id);
    }
  }

  /** Keeps what must survive, incidents first: an alert without its incident would be a riddle. */
  #save(): void {
    if (this.#unwritten.size > 0) this.#writeIncidents();
    if (!this.#unsaved) return;
    const kept: Kept = {
      version: 1,
      machine: this.#machine.state(),
      outbox: this.#outbox.state(),
      boots: this.#boots.state,
    };
    const done = this.#tried(() => {
      this.#store.writeState(STATE_NAME, kept);
      return true;
    });
    if (done !== true) return;
    this.#unsaved = false;
    this.#refused = undefined;
  }

  /** Asks the store; what it refuses is remembered and no reason to stop. */
  #tried<Answer>(question: () => Answer): Answer | undefined {
    try {
      return question();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#refused = error;
      // Something must be written for it to be known that it can be written again.
      this.#unsaved = true;
      return undefined;
    }
  }

  /** Incidents of a program that was killed before it could keep that they are its own. */
  #endOrphans(nowMs: number): void {
    const open = new Set(this.#machine.alerts().map(({ id }) => id));
    for (const incident of this.#store.incidents(nowMs - ORPHANS_MS, nowMs)) {
      if (incident.alert.state !== "firing" || open.has(incident.id)) continue;
      const alert: Alert = { ...incident.alert, state: "resolved", resolvedAtMs: nowMs };
      this.#unwritten.set(incident.id, { ...incident, alert });
    }
    this.#writeIncidents();
  }
}

function censusOf({ census }: WatchState, nowMs: number): StoredCensus | undefined {
  if (census === undefined || Math.abs(nowMs - census.atMs) > CENSUS_AGE_MAX_MS) return undefined;
  return { atMs: census.atMs, census: census.census };
}

/** What was kept; undefined when nothing was, or by a program that kept it otherwise. */
function keptOf(found: unknown): Kept | undefined {
  if (typeof found !== "object" || found === null) return undefined;
  return "version" in found && found.version === 1 ? (found as Kept) : undefined;
}
