/**
 * What holds now, as a rule says it: the material alerts are made of. A rule is pure; it sees facts and
 * thresholds, and knows nothing of what was told before.
 */
import type { Level, Remedy } from "../table/finding.ts";
import type { SettingKey } from "../table/settings.ts";
import type { AlertOptions } from "./alert-options.ts";
import type { Alert, AlertCode } from "./alert.ts";
import type { DropsLately } from "./alert-drops.ts";
import type { SettingChange } from "./history.ts";
import type { WatchState } from "./watch-state.ts";

/** Something that is the case, or nearly so. */
export interface Condition {
  code: AlertCode;
  subject?: string;
  /** By the upper marks; `ok` where only `keeps` speaks for it. */
  level: AlertLevel | "ok";
  /** By the lower marks: an alert that stands keeps its level down to this one. Never below `level`. */
  keeps: AlertLevel | "ok";
  /** Of something that happened at one instant: when it did so last. A new one is told again. */
  happenedMs?: number;
  /** It fires after so long at the latest, although its rule would wait longer: later is too late. */
  firesAfterSeconds?: number;
  /** It is over for certain: what stands ends at once, with these words. Level and `keeps` are `ok` then. */
  over?: true;
  title: string;
  evidence: Alert["evidence"];
  meaning: string;
  remedy: readonly Remedy[];
}

export type AlertLevel = Exclude<Level, "ok">;

/** A value that somebody chose, and that the last boot took away. */
export interface LostSetting {
  key: SettingKey;
  /** Which value it should have. */
  wanted: number;
  /** When it was found to be gone. */
  atMs: number;
  /** The change of `headroom apply` that set it; absent: it was in force before the boot. */
  changeId?: string;
}

/** Something the watcher needs and does not have. */
export interface Impairment {
  /** A short stable name: `flows`, `history`, `flow events`. */
  what: string;
  /** What is wrong with it, for people. */
  why: string;
  help?: string;
  /** What to type for it. */
  command?: string;
}

export interface AlertFacts {
  nowMs: number;
  state: WatchState;
  /** Undefined: the counters cannot be read. */
  drops: DropsLately | undefined;
  /** Changes of the last day, oldest first. */
  changes: readonly SettingChange[];
  lost: readonly LostSetting[];
  impairments: readonly Impairment[];
}

/**
 * What holds, or undefined where the facts do not tell: an alert that stands then neither ends nor grows
 * worse.
 */
export type AlertRule = (facts: AlertFacts, options: AlertOptions) => readonly Condition[] | undefined;

const ORDER: Readonly<Record<Level, number>> = { ok: 0, unknown: 1, warning: 2, critical: 3 };

/** Greater is worse. */
export function severityOf(level: Level): number {
  return ORDER[level];
}
