/**
 * Alerts as the watcher has them: asked once a second of whoever judges and keeps them, told where they
 * changed; and a census is taken at once for those that begin or fire and are about the table, so that
 * notices and incidents say who filled it then.
 */
import { type AlertNews, OF_TABLE } from "./alert-keeper.ts";
import type { Impairment } from "./alert-condition.ts";
import type { Alert } from "./alert.ts";
import type { StoredCensus } from "./history.ts";
import type { WatchState } from "./watch-state.ts";

/** Judges what lasts, and keeps it (AlertKeeper). It is asked once a second, in order. */
export interface AlertEvaluator {
  evaluate(state: WatchState, nowMs: number, impairments?: readonly Impairment[]): AlertNews;
  /** A census of the moment at which an alert fired. */
  completeIncident(id: string, census: StoredCensus): void;
  /** A census was taken, for the notices that wait for one. */
  completeNotices?(census: StoredCensus): void;
}

export interface AlertStep {
  /** Pending and firing. */
  alerts: readonly Alert[];
  /** Those that are new, or changed their state or level. */
  changed: readonly Alert[];
}

export class AlertWatch {
  readonly #evaluator: AlertEvaluator;
  #known: ReadonlySet<string> = new Set();
  /** Incidents that wait for a census of their moment. */
  readonly #waiting = new Set<string>();
  /** Something about the table began, became worse or fired, and no census was taken since. */
  #isUrgent = false;

  constructor(evaluator: AlertEvaluator) {
    this.#evaluator = evaluator;
  }

  /** Something fired and its census is still to be taken. */
  get wantsCensus(): boolean {
    return this.#waiting.size > 0;
  }

  /** A census is to be taken in this second. */
  get wantsCensusNow(): boolean {
    return this.#isUrgent;
  }

  step(state: WatchState, nowMs: number, impairments: readonly Impairment[]): AlertStep {
    const { alerts, fired, resolved, changed } = this.#evaluator.evaluate(state, nowMs, impairments);
    for (const { id } of fired) this.#waiting.add(id);
    for (const { id } of resolved) this.#waiting.delete(id);
    const begun = alerts.filter((alert) => alert.state === "pending" && !this.#known.has(alert.id));
    this.#known = new Set(alerts.map(({ id }) => id));
    this.#isUrgent ||= [...begun, ...fired, ...changed].some(({ code }) => OF_TABLE.has(code));
    return { alerts, changed: [...fired, ...changed, ...resolved, ...begun] };
  }

  /** A census was taken that began after everything that waits for one had fired. */
  complete(census: StoredCensus): void {
    for (const id of this.#waiting) this.#evaluator.completeIncident(id, census);
    this.#waiting.clear();
    this.#isUrgent = false;
    this.#evaluator.completeNotices?.(census);
  }
}
