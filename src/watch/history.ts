/**
 * What is remembered, and how it is asked for. The store (store.ts) meets `HistoryWriter`; only the watcher
 * writes, everybody else has a `History`.
 */
import type { Census } from "../census/census.ts";
import type { SettingKey } from "../table/settings.ts";
import type { Sample, SeriesColumns, SeriesName } from "../table/series.ts";
import type { Incident } from "./alert.ts";

export interface SeriesQuery {
  names: readonly SeriesName[];
  fromMs: number;
  toMs: number;
  /** At most so many points; spans are put together until they fit. */
  points: number;
  /** Absent: the namespace that is watched. Others have occupancyFlows and capacityFlows alone. */
  namespace?: string;
}

/** A setting that had another value than before. */
export interface SettingChange {
  atMs: number;
  key: SettingKey;
  /** Absent: it was not there before, or is not any more. */
  from?: number;
  to?: number;
  /** Who may have done it, the likeliest first; for people. Empty: nothing points to anybody. */
  suspects: readonly string[];
}

/** What a reader of the history must know of the watching itself. */
export interface WatchNote {
  atMs: number;
  kind:
    | "started"
    | "stopped"
    /** No sample for longer than a few seconds, although it was running. */
    | "gap"
    /** The wall clock jumped; `amount` is by how many seconds. */
    | "clock-jump"
    /** Flow events were lost; `amount` of them where the kernel counted. */
    | "events-lost"
    /** Work was left out to stay within the budget. */
    | "skipped"
    /** Something could be seen before and cannot any more, or the other way round. */
    | "sight-lost"
    | "sight-regained"
    | "configuration-changed";
  text: string;
  amount?: number;
}

export interface StoredCensus {
  atMs: number;
  census: Census;
}

export interface HistorySize {
  sizeBytes: number;
  /** What it will never exceed. */
  boundBytes: number;
  /** The oldest sample; absent when there is none. */
  oldestAtMs?: number;
}

export interface History {
  series(query: SeriesQuery): SeriesColumns;
  /** The last census at or before an instant; undefined when none is kept from then. */
  censusAt(atMs: number): StoredCensus | undefined;
  /** When censuses were taken that are kept, ascending. */
  censusTimes(fromMs: number, toMs: number): readonly number[];
  settingChanges(fromMs: number, toMs: number): readonly SettingChange[];
  incidents(fromMs: number, toMs: number): readonly Incident[];
  incident(id: string): Incident | undefined;
  notes(fromMs: number, toMs: number): readonly WatchNote[];
  /** Namespaces of which there are samples, by label. */
  namespaces(): readonly string[];
  size(): HistorySize;
}

export interface HistoryWriter extends History {
  /** Everything of one second, in one transaction. */
  append(second: Second): void;
  putIncident(incident: Incident): void;
  /** Small state of a part of the watcher (alerts under way, notices to deliver), by name. */
  readState(name: string): unknown;
  writeState(name: string, value: unknown): void;
  /** Rolls up, prunes; a little at a time, so that no second waits for it. */
  maintain(nowMs: number): void;
  close(): void;
}

export interface Second {
  sample: Sample;
  /** Samples of other namespaces, by label. */
  others?: ReadonlyMap<string, Sample>;
  census?: StoredCensus;
  changes?: readonly SettingChange[];
  notes?: readonly WatchNote[];
}
