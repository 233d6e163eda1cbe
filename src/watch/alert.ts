/**
 * Alerts: findings that last. An alert is pending for a while, fires, and is resolved; while it fires it is
 * an incident with the evidence of its beginning.
 */
import type { Census } from "../census/census.ts";
import type { Level, Remedy } from "../table/finding.ts";

/** What can be warned of. Stable names: receivers and silences go by them. */
export const ALERT_CODES = [
  "near-full",
  "filling",
  /** Drops, by cause. */
  "table-full",
  "early-drop",
  "insert-clash",
  "chain-too-long",
  "expectations-full",
  "allocation-failed",
  "one-source-hoards",
  /** A setting has another value than it had; or one that was applied is gone. */
  "setting-changed",
  "setting-lost",
  "namespace-near-full",
  /** The watcher cannot see what it needs. */
  "watching-impaired",
] as const;

export type AlertCode = (typeof ALERT_CODES)[number];

export interface Alert {
  /** Of one code and one subject at a time there is at most one that is not resolved. */
  id: string;
  code: AlertCode;
  /** The namespace, source, setting it is about; absent: the watched table. */
  subject?: string;
  level: Exclude<Level, "ok">;
  state: "pending" | "firing" | "resolved";
  /** When what it tells of began, began to be told, and ended. */
  sinceMs: number;
  firedAtMs?: number;
  resolvedAtMs?: number;
  title: string;
  evidence: Readonly<Record<string, number | string>>;
  meaning: string;
  remedy: readonly Remedy[];
}

/** An alert that fired, kept: what filled the table at that moment goes with it. */
export interface Incident {
  id: string;
  alert: Alert;
  /** Taken when it fired; absent where flows could not be read. */
  census?: { atMs: number; census: Census };
}
