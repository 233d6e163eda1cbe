/**
 * The highest occupancy that the history of `headroom serve` remembers: what a table must bear, where it is
 * known, instead of an assumption.
 */
import { existsSync } from "node:fs";

import { roughDuration } from "../table/duration.ts";
import type { Host } from "../table/host.ts";
import type { History, PlaceFacts, WatchedPlace } from "../watch/watch.ts";
import type { Context } from "./context.ts";
import { visible } from "./plain-text.ts";
import { defaultStateDirectory } from "./serve/state-directory.ts";
import { UsageError } from "./usage-error.ts";

/** So far back: a week has the days that differ. */
const PEAK_DAYS = 7;
const DAY_MS = 86_400_000;
/** Points asked for; each keeps the highest of its span. */
const POINTS = 1000;
/** As the store names it. */
const HISTORY_FILE = "history.sqlite";
/** A history whose last sample is no older goes up to now. */
const RECENT_MS = 120_000;

export interface HistoryPeak {
  occupancyFlows: number;
  atMs: number;
  /** The first and the last sample that was looked at, a week apart at most, and when that was. */
  fromMs: number;
  toMs: number;
  nowMs: number;
  /** Where it was found. */
  directory: string;
  /** Of which table it is; absent where the history does not tell. */
  place?: WatchedPlace;
  /** Whether that is the table it was asked for; absent where one of them is not known. */
  isOfTable?: boolean;
}

/** The table of a host, as a history is told of which it is. */
export function tableOf({ hostname, namespaceInode }: Host, netns: string | undefined): PlaceFacts {
  return {
    ...(hostname === undefined ? {} : { hostname }),
    ...(netns === undefined ? {} : { namespace: netns }),
    ...(namespaceInode === undefined ? {} : { namespaceInode }),
  };
}

/** Which history, and for which table. */
export interface PeakQuery {
  /** A directory, or the file of a history; absent: the usual place. */
  named?: string;
  table?: PlaceFacts;
}

/**
 * The peak of a history; undefined where none is named and there is none in the usual place, or it has no
 * sample of the last week. Throws StoreError where it cannot be read, UsageError where a named one holds
 * nothing.
 */
export async function historyPeak(
  context: Context,
  { named, table }: PeakQuery,
): Promise<HistoryPeak | undefined> {
  const usual = defaultStateDirectory(context.terminal.environment, process.geteuid?.() === 0);
  const directory = named === undefined ? usual : directoryOf(named);
  if (directory === undefined) return undefined;
  if (named === undefined && !existsSync(`${directory}/${HISTORY_FILE}`)) return undefined;
  const { isSamePlace, openHistory, watchedPlaceOf } = await import("../watch/watch.ts");
  const history = openHistory(directory);
  try {
    const nowMs = context.deps.clock.nowMs();
    const place = watchedPlaceOf(history);
    // What is older than this may be of another table that was watched with the same directory.
    const weekAgoMs = nowMs - PEAK_DAYS * DAY_MS;
    const found = highest(history, Math.max(weekAgoMs, place?.sinceMs ?? weekAgoMs), nowMs);
    if (found !== undefined) {
      const isKnown = place !== undefined && table !== undefined;
      return {
        ...found,
        nowMs,
        directory,
        ...(place === undefined ? {} : { place }),
        ...(isKnown ? { isOfTable: isSamePlace(place, table) } : {}),
      };
    }
  } finally {
    history.close();
  }
  if (named === undefined) return undefined;
  throw new UsageError(
    `Cannot tell a peak from ${directory}: it holds no sample of the last ${PEAK_DAYS} days`,
  );
}

function highest(
  history: History,
  fromMs: number,
  toMs: number,
): Pick<HistoryPeak, "occupancyFlows" | "atMs" | "fromMs" | "toMs"> | undefined {
  const names = ["occupancyFlows"] as const;
  const { atMs, stepSeconds, columns } = history.series({ names, fromMs, toMs, points: POINTS });
  const most = columns.occupancyFlows?.max ?? new Float64Array(0);
  let [first, last, best] = [-1, -1, -1];
  for (let point = 0; point < most.length; point += 1) {
    const flows = most[point] as number;
    if (Number.isNaN(flows)) continue;
    if (first < 0) first = point;
    last = point;
    if (best < 0 || flows > (most[best] as number)) best = point;
  }
  if (best < 0) return undefined;
  return {
    occupancyFlows: most[best] as number,
    atMs: atMs[best] as number,
    // Spans begin before their first sample and end behind their last.
    fromMs: Math.max(fromMs, atMs[first] as number),
    toMs: Math.min(toMs, (atMs[last] as number) + stepSeconds * 1000),
  };
}

/** `the last 7d`, `the 3d until 2026-11-20 14:00 UTC`. */
export function peakSpanText({ fromMs, toMs, nowMs }: HistoryPeak): string {
  const span = roughDuration(Math.max(1, (toMs - fromMs) / 1000));
  return nowMs - toMs <= RECENT_MS ? `the last ${span}` : `the ${span} until ${instantText(toMs)}`;
}

/** `the history of web-3, namespace blue, in /var/lib/headroom/history`. */
export function historyName({ place, directory }: HistoryPeak): string {
  const { hostname, namespace } = place ?? {};
  const parts = [
    ...(hostname === undefined ? [] : [visible(hostname)]),
    ...(namespace === undefined ? [] : [`namespace ${visible(namespace)}`]),
  ];
  if (place === undefined) return `the history in ${visible(directory)}, which does not say of which table`;
  return `the history of ${parts.length === 0 ? "this table" : parts.join(", ")}, in ${visible(directory)}`;
}

/** `2026-11-20 14:00 UTC`. */
export function instantText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** A file of a history stands for the directory it is in. */
function directoryOf(named: string): string {
  if (named === HISTORY_FILE) return ".";
  return named.endsWith(`/${HISTORY_FILE}`) ? named.slice(0, -HISTORY_FILE.length - 1) : named;
}
