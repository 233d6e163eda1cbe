/** What a simulated month came to: roll-ups against the truth, forecasts against what came, alerts. */
import type { ForecastRecord } from "../../src/plan/plan.ts";
import type { SeriesColumns, SeriesName } from "../../src/table/series.ts";
import type { MonthRun } from "./month.ts";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 24 * HOUR;

/** A stretch of the history, asked for by so many points. */
export interface Window {
  name: string;
  /** Before the end. */
  fromSeconds: number;
  toSeconds: number;
  points: number;
}

export interface RolledScore {
  window: Window;
  stepSeconds: number;
  spans: number;
  /** Spans without a sample, as it was. */
  empty: number;
  wrong: number;
}

/** Compares what the history tells of a stretch with the samples it was made of. */
export function rolledScore(run: MonthRun, window: Window): RolledScore {
  const nowMs = run.clock.nowMs();
  const names: SeriesName[] = ["occupancyFlows", "dropPerSecond"];
  const series = run.history.series({
    names,
    fromMs: nowMs - window.fromSeconds * 1000,
    toMs: nowMs - window.toSeconds * 1000,
    points: window.points,
  });
  const flows = wrongSpans(series, "occupancyFlows", run.truth.wallMs, run.truth.flows);
  const drops = wrongSpans(series, "dropPerSecond", run.truth.wallMs, run.truth.dropsPerSecond);
  return {
    window,
    stepSeconds: series.stepSeconds,
    spans: flows.spans,
    empty: flows.empty,
    wrong: flows.wrong + drops.wrong,
  };
}

/** The first and the last span are left out: they have a part of their samples only. */
function wrongSpans(
  { atMs, stepSeconds, columns }: SeriesColumns,
  name: SeriesName,
  wallMs: readonly number[],
  values: readonly number[],
): { spans: number; empty: number; wrong: number } {
  const truth = Array.from(atMs, () => ({ count: 0, sum: 0, min: Infinity, max: -Infinity }));
  for (const [index, at] of wallMs.entries()) {
    const span = truth[Math.floor((at - (atMs[0] ?? 0)) / (stepSeconds * 1000))];
    const value = values[index] ?? NaN;
    if (span === undefined || Number.isNaN(value)) continue;
    span.count += 1;
    span.sum += value;
    span.min = Math.min(span.min, value);
    span.max = Math.max(span.max, value);
  }
  const { min, avg, max } = columns[name] ?? { min: atMs, avg: atMs, max: atMs };
  let [empty, wrong] = [0, 0];
  for (let at = 1; at < atMs.length - 1; at += 1) {
    const { count, sum, ...ends } = truth[at] ?? { count: 0, sum: 0, min: 0, max: 0 };
    if (count === 0) empty += 1;
    const same =
      count === 0
        ? Number.isNaN(avg[at])
        : isNear(avg[at], sum / count) && isNear(min[at], ends.min) && isNear(max[at], ends.max);
    if (!same) wrong += 1;
  }
  return { spans: Math.max(0, atMs.length - 2), empty, wrong };
}

/** Whole numbers are kept as they are, fractions to seven digits. */
function isNear(value: number | undefined, truth: number): boolean {
  return Math.abs((value ?? NaN) - truth) <= 1e-6 * Math.max(1, Math.abs(truth));
}

/** A time at which the table became full, after hours in which it was not. */
export interface Fill {
  atSeconds: number;
  /** From four fifths of capacity. */
  riseSeconds: number;
  /** How long before it was full people were told; absent when they were not. */
  nearFullLead: number | undefined;
  fillingLead: number | undefined;
  /** What the forecast said so long before: seconds to full, Infinity for "not to be seen". */
  said: { beforeSeconds: number; saidSeconds: number | undefined }[];
}

export const SAID_BEFORE_SECONDS = [12 * HOUR, 3 * HOUR, HOUR, 10 * MINUTE, MINUTE] as const;
const APART_SECONDS = 6 * HOUR;

export function fillsOf(run: MonthRun): Fill[] {
  const { stepSeconds } = run.story;
  const fills: Fill[] = [];
  let fullAt = -Infinity;
  for (const [step, share] of run.useShares.entries()) {
    if (share < 1) continue;
    const atSeconds = step * stepSeconds;
    if (atSeconds - fullAt > APART_SECONDS) {
      const below = run.useShares.subarray(0, step).findLastIndex((before) => before < 0.8);
      fills.push({
        atSeconds,
        riseSeconds: (step - 1 - below) * stepSeconds,
        nearFullLead: leadOf(run, "near-full", atSeconds),
        fillingLead: leadOf(run, "filling", atSeconds),
        said: SAID_BEFORE_SECONDS.map((beforeSeconds) => ({
          beforeSeconds,
          saidSeconds: saidAt(run, atSeconds - beforeSeconds),
        })),
      });
    }
    fullAt = atSeconds;
  }
  return fills;
}

/** By the notice of the alert that was open when it became full. */
function leadOf({ notices }: MonthRun, code: string, atSeconds: number): number | undefined {
  const before = notices.filter((told) => told.notice.alert.code === code && told.atSeconds <= atSeconds);
  const since = before.findLastIndex(({ notice }) => notice.kind === "resolved");
  const first = before.slice(since + 1)[0];
  return first === undefined ? undefined : atSeconds - first.atSeconds;
}

/** Counted from `atSeconds`; undefined where no forecast was made in the quarter of an hour before. */
function saidAt({ forecasts }: MonthRun, atSeconds: number): number | undefined {
  const last = forecasts.findLast((made) => made.atSeconds <= atSeconds);
  if (last === undefined || atSeconds - last.atSeconds > 15 * MINUTE) return undefined;
  const { fullIn, unknown } = last.forecast;
  if (unknown !== undefined) return undefined;
  return (fullIn?.seconds ?? Infinity) - (atSeconds - last.atSeconds);
}

export interface AlertScore {
  code: string;
  fired: number;
  notices: number;
  /** Fired again within an hour after it was resolved. */
  flaps: number;
}

export function alertScores({ alerts, notices }: MonthRun): AlertScore[] {
  const codes = [...new Set(alerts.map(({ alert }) => alert.code))].toSorted();
  return codes.map((code) => {
    const own = alerts.filter(({ alert }) => alert.code === code);
    const fired = new Map(
      own.filter(({ alert }) => alert.state === "firing").map((one) => [one.alert.id, one]),
    );
    const resolved = own.filter(({ alert }) => alert.state === "resolved");
    const flaps = [...fired.values()].filter(({ alert }) =>
      resolved.some(({ alert: before }) => {
        const apart = (alert.firedAtMs ?? 0) - (before.resolvedAtMs ?? Infinity);
        return before.subject === alert.subject && apart >= 0 && apart < HOUR * 1000;
      }),
    ).length;
    const told = notices.filter(({ notice }) => notice.alert.code === code).length;
    return { code, fired: fired.size, notices: told, flaps };
  });
}

/** Warnings that a table fills which was not full within twice what is warned of, nor freed by hand. */
export function falseWarnings(run: MonthRun): number {
  const { happenings, stepSeconds } = run.story;
  const told = run.notices.filter(({ notice }) => notice.alert.code === "filling" && notice.kind === "fired");
  return told.filter(({ atSeconds }) => {
    const until = atSeconds + 4 * DAY;
    const soon = run.useShares.subarray(atSeconds / stepSeconds, until / stepSeconds);
    const freed = happenings.some((one) => one.atSeconds > atSeconds && one.atSeconds < until && one.freed);
    return soon.every((share) => share < 1) && !freed;
  }).length;
}

/** How far off forecasts were, by how far ahead: as the watcher itself keeps it. */
export function forecastScores({ history }: MonthRun): ForecastRecord["byHorizon"] {
  const record = history.readState("forecast") as ForecastRecord | undefined;
  return (record?.byHorizon ?? []).toSorted((a, b) => a.horizonSeconds - b.horizonSeconds);
}
