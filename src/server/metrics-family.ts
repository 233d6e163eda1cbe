/**
 * What a metric of /metrics is: a name, what it says, and how its values follow from what the watcher knows.
 * A metric without values is left out of the text: absent is not zero.
 */
import type { HistorySize, WatchNote, WatchState } from "../watch/watch.ts";

/** What all values are made from: of one second, nothing read for it. */
export interface Figures {
  state: WatchState;
  /** Counted since this program began. */
  counts: NewsCounts;
  history: HistorySize;
  /** What this process costs. */
  own: OwnProcess;
  /** Whoever is shown by name, of each ranking. */
  sources: readonly Ranked[];
  services: readonly Ranked[];
  namespaces: readonly RankedNamespace[];
  version: string;
}

/** News of the watcher, counted. */
export interface NewsCounts {
  settingChanges: number;
  alertsFired: number;
  notes: Readonly<Record<WatchNote["kind"], number>>;
}

export interface OwnProcess {
  userCpuSeconds: number;
  systemCpuSeconds: number;
  startedAtMs: number;
  residentBytes: number;
  heapUsedBytes: number;
  /** Absent where they cannot be counted. */
  openFiles?: number;
  mostFiles?: number;
}

/** One of a ranking that is shown by name. */
export interface Ranked {
  name: string;
  flows: number;
}

export interface RankedNamespace extends Ranked {
  capacityFlows?: number;
}

export interface Value {
  value: number;
  labels?: Readonly<Record<string, string>>;
}

export interface Family {
  /** Of a counter with its `_total`. */
  name: string;
  /** For operators: what it is, its unit, how it was obtained. */
  help: string;
  type: "gauge" | "counter";
  labels?: readonly string[];
  values: (figures: Figures) => readonly Value[];
}

/** What all that is summed up is called in a ranking. */
export const OTHER = "other";

/** A metric of one value, absent where it is not known. */
export function only(value: number | undefined): readonly Value[] {
  return value === undefined || !Number.isFinite(value) ? [] : [{ value }];
}

/** A gauge of one value. */
export function gauge(name: string, help: string, of: (figures: Figures) => number | undefined): Family {
  return { name, help, type: "gauge", values: (figures) => only(of(figures)) };
}

/** A counter of one value. */
export function counter(name: string, help: string, of: (figures: Figures) => number | undefined): Family {
  return { ...gauge(name, help, of), type: "counter" };
}

/** `insertFailed` as metrics are written: `insert_failed`. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What a counter or a table of it is, by name; names without a value are left out. */
export function byLabel(label: string, rows: Readonly<Record<string, number | undefined>>): readonly Value[] {
  return Object.entries(rows).flatMap(([name, value]) =>
    value === undefined ? [] : [{ value, labels: { [label]: name } }],
  );
}
