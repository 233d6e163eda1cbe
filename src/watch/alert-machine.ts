/**
 * From what holds, second by second, to alerts: pending, firing, resolved; and when people are told.
 *
 * Invariants: of one code and subject at most one alert is open; a level rises at once and falls only below
 * its lower mark; within the cooldown of a code and subject nobody is told twice unless it is worse; who was
 * told that it fires is told when it is over. Durations are added up from steps, so that a clock that jumps
 * neither fires nor resolves anything.
 */
import { alertRules } from "./alert-rules.ts";
import type { Alert, AlertCode } from "./alert.ts";
import { type AlertLevel, type Condition, severityOf } from "./alert-condition.ts";
import { type AlertOptions, ruleOf } from "./alert-options.ts";
import type { NoticeKind } from "./notice.ts";

/** A step longer than this is a pause, or a jump of the clock: it counts as this much. */
const STEP_MAX_SECONDS = 10;

/** What is known of one open alert. */
interface Standing {
  alert: Alert;
  /** For how long it has held without a break; of one that is pending. */
  heldSeconds: number;
  /** For how long it has not held; of one that fires. */
  clearSeconds: number;
  /** The worst level people were told; absent while they were not. */
  toldWorst?: AlertLevel;
  /** Of something that happens: the last time that was told. */
  toldHappenedMs?: number;
  happenedMs?: number;
}

/** When people were told of a code and subject, open or not. */
interface Told {
  atMs: number;
  sinceSeconds: number;
  /** The worst level since the cooldown began. */
  level: AlertLevel;
}

/** Something to tell. */
export interface Telling {
  kind: Exclude<NoticeKind, "test">;
  alert: Alert;
  /** The worst level this alert was told with. */
  worst: AlertLevel;
}

export interface MachineNews {
  /** Pending and firing, most important first. */
  alerts: readonly Alert[];
  fired: readonly Alert[];
  resolved: readonly Alert[];
  /** Fires already, and has another level than before or happened once more. */
  changed: readonly Alert[];
  telling: readonly Telling[];
}

/** As it is kept across restarts: what fires, and when people were told. */
export interface MachineState {
  sequence: number;
  standing: readonly { alert: Alert; toldWorst?: AlertLevel; toldHappenedMs?: number }[];
  told: readonly (readonly [string, { atMs: number; level: AlertLevel }])[];
}

const rank = new Map([...alertRules.keys()].map((code, index) => [code, index]));

interface Draft {
  fired: Alert[];
  resolved: Alert[];
  changed: Alert[];
  telling: Telling[];
}

export class AlertMachine {
  #options: AlertOptions;
  #sequence = 0;
  readonly #standing = new Map<string, Standing>();
  readonly #told = new Map<string, Told>();
  #lastMs: number | undefined;

  constructor(options: AlertOptions) {
    this.#options = options;
  }

  /** Other options from now on; what is open stays open and goes by them. */
  configure(options: AlertOptions): void {
    this.#options = options;
  }

  /**
   * One step of time. `conditions` are those of the codes in `seen`; of the others nothing is known, and
   * their alerts stay as they are.
   */
  step(conditions: readonly Condition[], seen: ReadonlySet<AlertCode>, nowMs: number): MachineNews {
    const seconds = this.#secondsTo(nowMs);
    for (const told of this.#told.values()) told.sinceSeconds += seconds;
    const holding = new Map(conditions.map((condition) => [keyOf(condition), condition]));
    const draft: Draft = { fired: [], resolved: [], changed: [], telling: [] };
    for (const [key, condition] of holding) {
      if (condition.level !== "ok" && !this.#standing.has(key)) this.#open(key, condition, nowMs);
    }
    for (const [key, standing] of this.#standing) {
      if (!seen.has(standing.alert.code)) continue;
      const condition = holding.get(key);
      if (standing.alert.state === "pending") this.#wait(key, standing, condition, { seconds, nowMs, draft });
      else this.#burn(key, standing, condition, { seconds, nowMs, draft });
    }
    this.#forget();
    return { alerts: this.alerts(), ...draft };
  }

  /** Pending and firing, most important first. */
  alerts(): readonly Alert[] {
    return [...this.#standing.values()].map(({ alert }) => alert).toSorted(byImportance);
  }

  /** What must survive a restart. */
  state(): MachineState {
    const firing = [...this.#standing.values()].filter(({ alert }) => alert.state === "firing");
    return {
      sequence: this.#sequence,
      standing: firing.map(({ alert, toldWorst, toldHappenedMs }) => ({
        alert,
        ...(toldWorst === undefined ? {} : { toldWorst }),
        ...(toldHappenedMs === undefined ? {} : { toldHappenedMs }),
      })),
      told: [...this.#told].map(([key, { atMs, level }]) => [key, { atMs, level }]),
    };
  }

  /** Goes on where `state` was taken. Time that passed meanwhile counts for cooldown and reminders alone. */
  restore({ sequence, standing, told }: MachineState, nowMs: number): void {
    this.#sequence = sequence;
    for (const { alert, ...rest } of standing) {
      const { toldHappenedMs: happenedMs } = rest;
      const happened = happenedMs === undefined ? {} : { happenedMs };
      this.#standing.set(keyOf(alert), { alert, ...rest, ...happened, heldSeconds: 0, clearSeconds: 0 });
    }
    for (const [key, { atMs, level }] of told) {
      this.#told.set(key, { atMs, level, sinceSeconds: Math.max(0, nowMs - atMs) / 1000 });
    }
  }

  #secondsTo(nowMs: number): number {
    const lastMs = this.#lastMs ?? nowMs;
    this.#lastMs = nowMs;
    return Math.min(STEP_MAX_SECONDS, Math.max(0, (nowMs - lastMs) / 1000));
  }

  #open(key: string, condition: Condition, nowMs: number): void {
    this.#sequence += 1;
    const alert = alertOf(condition, condition.level === "ok" ? "warning" : condition.level, {
      id: `${stamp(nowMs)}-${condition.code}-${this.#sequence}`,
      state: "pending",
      sinceMs: nowMs,
    });
    this.#standing.set(key, { alert, heldSeconds: 0, clearSeconds: 0 });
  }

  /** An alert that is pending: fires when it has held for long enough, and is dropped when it does not. */
  #wait(key: string, standing: Standing, condition: Condition | undefined, now: Step): void {
    if (condition === undefined || condition.level === "ok") {
      this.#standing.delete(key);
      return;
    }
    const { alert } = standing;
    if (alert.sinceMs !== now.nowMs) standing.heldSeconds += now.seconds;
    standing.alert = alertOf(condition, condition.level, alert);
    const { forSeconds } = ruleOf(this.#options, condition.code);
    if (standing.heldSeconds < Math.min(forSeconds, condition.firesAfterSeconds ?? forSeconds)) return;
    standing.alert = {
      ...standing.alert,
      state: "firing",
      firedAtMs: Math.max(now.nowMs, alert.sinceMs),
    };
    if (condition.happenedMs !== undefined) standing.happenedMs = condition.happenedMs;
    now.draft.fired.push(standing.alert);
    this.#tell(key, standing, now);
  }

  /** An alert that fires. */
  #burn(key: string, standing: Standing, condition: Condition | undefined, now: Step): void {
    const before = standing.alert.level;
    const level = condition === undefined ? "ok" : levelNow(before, condition);
    if (condition?.over === true) {
      standing.alert = alertOf(condition, before, standing.alert);
      this.#end(key, standing, now);
      return;
    }
    if (condition === undefined || level === "ok") {
      standing.clearSeconds += now.seconds;
      if (standing.clearSeconds >= ruleOf(this.#options, standing.alert.code).clearSeconds) {
        this.#end(key, standing, now);
        return;
      }
    } else {
      standing.clearSeconds = 0;
      standing.alert = alertOf(condition, level, standing.alert);
      const isAgain = condition.happenedMs !== undefined && condition.happenedMs !== standing.happenedMs;
      if (condition.happenedMs !== undefined) standing.happenedMs = condition.happenedMs;
      if (level !== before || isAgain) now.draft.changed.push(standing.alert);
    }
    this.#tell(key, standing, now);
  }

  #end(key: string, standing: Standing, { nowMs, draft }: Step): void {
    const { alert, toldWorst } = standing;
    const resolvedAtMs = Math.max(nowMs, alert.firedAtMs ?? nowMs);
    const resolved: Alert = { ...alert, state: "resolved", resolvedAtMs };
    this.#standing.delete(key);
    draft.resolved.push(resolved);
    if (toldWorst !== undefined) draft.telling.push({ kind: "resolved", alert: resolved, worst: toldWorst });
  }

  #tell(key: string, standing: Standing, { nowMs, draft }: Step): void {
    const kind = this.#newsOf(key, standing);
    if (kind === undefined) return;
    const { level } = standing.alert;
    const told = this.#told.get(key);
    const cooling = told !== undefined && told.sinceSeconds < this.#options.cooldownSeconds;
    this.#told.set(key, {
      atMs: nowMs,
      sinceSeconds: 0,
      level: cooling ? worse(told.level, level) : level,
    });
    standing.toldWorst = standing.toldWorst === undefined ? level : worse(standing.toldWorst, level);
    if (standing.happenedMs !== undefined) standing.toldHappenedMs = standing.happenedMs;
    draft.telling.push({ kind, alert: standing.alert, worst: standing.toldWorst });
  }

  /** Whether there is something to tell of an alert that fires. */
  #newsOf(key: string, standing: Standing): Telling["kind"] | undefined {
    const told = this.#told.get(key);
    const { cooldownSeconds, repeatSeconds } = this.#options;
    const since = told?.sinceSeconds ?? Infinity;
    const isWorse = told !== undefined && severityOf(standing.alert.level) > severityOf(told.level);
    if (standing.toldWorst === undefined) return since >= cooldownSeconds || isWorse ? "fired" : undefined;
    if (isWorse) return "worse";
    const { happenedMs, toldHappenedMs } = standing;
    if (happenedMs !== toldHappenedMs && since >= cooldownSeconds) return "again";
    const quiet = standing.clearSeconds > 0 || repeatSeconds === 0;
    return !quiet && since >= Math.max(repeatSeconds, cooldownSeconds) ? "reminder" : undefined;
  }

  /** What was told long ago and is over has no cooldown any more. */
  #forget(): void {
    for (const [key, { sinceSeconds }] of this.#told) {
      if (sinceSeconds >= this.#options.cooldownSeconds && !this.#standing.has(key)) this.#told.delete(key);
    }
  }
}

interface Step {
  seconds: number;
  nowMs: number;
  draft: Draft;
}

function keyOf({ code, subject }: { code: AlertCode; subject?: string }): string {
  return subject === undefined ? code : `${code} ${subject}`;
}

/** What an alert of level `before` has now: up by the upper marks, down by the lower ones. */
function levelNow(before: AlertLevel, { level, keeps }: Condition): AlertLevel | "ok" {
  if (severityOf(level) >= severityOf(before)) return level;
  return severityOf(keeps) >= severityOf(before) ? before : keeps;
}

function worse(one: AlertLevel, two: AlertLevel): AlertLevel {
  return severityOf(two) > severityOf(one) ? two : one;
}

/** `condition` as an alert that keeps its identity and its times. */
function alertOf(
  condition: Condition,
  level: AlertLevel,
  kept: Pick<Alert, "id" | "state" | "sinceMs" | "firedAtMs">,
): Alert {
  const { code, subject, title, evidence, meaning, remedy } = condition;
  return {
    id: kept.id,
    code,
    ...(subject === undefined ? {} : { subject }),
    level,
    state: kept.state,
    sinceMs: kept.sinceMs,
    ...(kept.firedAtMs === undefined ? {} : { firedAtMs: kept.firedAtMs }),
    title,
    evidence,
    meaning,
    remedy,
  };
}

/** Sorts alerts: what fires first, then the worst, then what loses packets now. */
export function byImportance(one: Alert, two: Alert): number {
  return (
    Number(two.state === "firing") - Number(one.state === "firing") ||
    severityOf(two.level) - severityOf(one.level) ||
    (rank.get(one.code) ?? 0) - (rank.get(two.code) ?? 0) ||
    (one.subject ?? "").localeCompare(two.subject ?? "")
  );
}

/** `20261122-140203`, UTC: an identity sorts by time and can be read. */
function stamp(atMs: number): string {
  const digits = new Date(atMs).toISOString().replaceAll(/\D/g, "");
  return `${digits.slice(0, 8)}-${digits.slice(8, 14)}`;
}
