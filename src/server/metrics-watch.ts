/**
 * Metrics of judgement and of the watching itself: forecast, alerts, findings, what watching costs and leaves
 * out, the history, this process.
 */
import type { Forecast } from "../plan/plan.ts";
import type { Level } from "../table/finding.ts";
import { ALERT_CODES } from "../watch/watch.ts";
import { counter, type Family, type Figures, gauge, snakeCase, type Value } from "./metrics-family.ts";

/** As monitoring plugins number them. */
const LEVELS: Readonly<Record<Level, number>> = { ok: 0, warning: 1, critical: 2, unknown: 3 };
/** What may be left out; a counter that begins with its first event would hide it from rate(). */
const NOTHING_SKIPPED = { censuses: 0, censusFlows: 0, flowEvents: 0, secondsOfHistory: 0 };
/** How far ahead the expected occupancy is told. */
const AHEAD_SECONDS = [3600, 21_600, 86_400, 604_800];

export const judgementFamilies: readonly Family[] = [
  gauge(
    "headroom_seconds_until_full",
    "Seconds until the table is full, likely; absent when that is not within the horizon or cannot be told",
    (figures) => fullIn(figures, ({ seconds }) => seconds),
  ),
  gauge(
    "headroom_seconds_until_full_earliest",
    "Seconds until the table is full at the earliest (9 times of 10 between this and the latest); " +
      "absent when not within the horizon",
    (figures) => fullIn(figures, ({ earliestSeconds }) => earliestSeconds),
  ),
  gauge(
    "headroom_seconds_until_full_latest",
    "Seconds until the table is full at the latest: see the earliest; absent when beyond the horizon",
    (figures) => fullIn(figures, ({ latestSeconds }) => latestSeconds),
  ),
  gauge(
    "headroom_forecast_horizon_seconds",
    "How far ahead the forecast reaches; absent while it cannot tell",
    ({ state }) => told(state.forecast)?.horizonSeconds,
  ),
  gauge(
    "headroom_forecast_age_seconds",
    "Seconds since the forecast was made",
    ({ state: { forecast, facts } }) =>
      forecast === undefined ? undefined : Math.max(0, facts.atMs - forecast.madeAtMs) / 1000,
  ),
  {
    name: "headroom_forecast_occupancy_flows",
    help:
      "Occupancy foretold for so many seconds ahead: expected, and the low and high between which it " +
      "should be 9 times of 10; absent beyond the horizon",
    type: "gauge",
    labels: ["ahead_seconds", "bound"],
    values: ({ state }) => AHEAD_SECONDS.flatMap((seconds) => foretold(told(state.forecast), seconds)),
  },
  gauge(
    "headroom_forecast_error_ratio",
    "How far off such forecasts were on the recorded past: mean error as a share of the capacity",
    ({ state }) => state.forecast?.backtest?.meanErrorShare,
  ),
  {
    name: "headroom_alerts",
    help: "Alerts by code and state: pending until they last long enough, then firing",
    type: "gauge",
    labels: ["code", "state"],
    values: ({ state }) =>
      ALERT_CODES.flatMap((code) =>
        (["firing", "pending"] as const).map((wanted) => ({
          value: state.alerts.filter((alert) => alert.code === code && alert.state === wanted).length,
          labels: { code, state: wanted },
        })),
      ),
  },
  counter(
    "headroom_alerts_fired_total",
    "Alerts that began to fire since this program started",
    ({ counts }) => counts.alertsFired,
  ),
  {
    name: "headroom_finding",
    help: "1 for each finding of headroom check that holds now, with its level",
    type: "gauge",
    labels: ["code", "level"],
    values: ({ state }) =>
      state.verdict.findings.map(({ code, level }) => ({ value: 1, labels: { code, level } })),
  },
  gauge(
    "headroom_check_level",
    "What headroom check says: 0 ok, 1 warning, 2 critical, 3 unknown",
    ({ state }) => LEVELS[state.verdict.level],
  ),
];

function told(forecast: Forecast | undefined): Forecast | undefined {
  return forecast === undefined || forecast.unknown !== undefined ? undefined : forecast;
}

/** What the forecast says, with the time since it was made taken off. */
function fullIn(
  { state }: Figures,
  of: (fullIn: NonNullable<Forecast["fullIn"]>) => number | undefined,
): number | undefined {
  const forecast = told(state.forecast);
  const seconds = forecast?.fullIn === undefined ? undefined : of(forecast.fullIn);
  if (forecast === undefined || seconds === undefined) return undefined;
  return Math.max(0, seconds - Math.max(0, state.facts.atMs - forecast.madeAtMs) / 1000);
}

/** The band between its two points around an instant. */
function foretold(forecast: Forecast | undefined, aheadSeconds: number): readonly Value[] {
  if (forecast === undefined) return [];
  const { band, madeAtMs } = forecast;
  const wantedMs = madeAtMs + aheadSeconds * 1000;
  const after = band.atMs.findIndex((atMs) => atMs >= wantedMs);
  if (after === -1) return [];
  const before = Math.max(0, after - 1);
  const [fromMs = wantedMs, toMs = wantedMs] = [band.atMs[before], band.atMs[after]];
  const part = toMs === fromMs ? 0 : (wantedMs - fromMs) / (toMs - fromMs);
  return (["expected", "low", "high"] as const).flatMap((bound) => {
    const [from, to] = [band[bound][before], band[bound][after]];
    if (from === undefined || to === undefined) return [];
    const labels = { ahead_seconds: String(aheadSeconds), bound };
    return [{ value: from + part * (to - from), labels }];
  });
}

export const watchFamilies: readonly Family[] = [
  {
    name: "headroom_build_info",
    help: "1, with the version of this program and the release of the kernel it watches",
    type: "gauge",
    labels: ["version", "kernel"],
    values: ({ version, state }) => [
      { value: 1, labels: { version, kernel: state.facts.host.kernelRelease ?? "unknown" } },
    ],
  },
  gauge(
    "headroom_last_second_timestamp_seconds",
    "When the watcher looked last, in seconds since 1970. An old one says that it stands still",
    ({ state }) => (state.sample === undefined ? undefined : state.sample.atMs / 1000),
  ),
  gauge(
    "headroom_unseen",
    "Things this program would look at and cannot see; headroom check names them",
    ({ state }) => state.facts.unseen.length,
  ),
  gauge(
    "headroom_cpu_budget_ratio",
    "Share of one core that watching may cost",
    ({ state }) => state.budget.allowedCpuShare,
  ),
  gauge(
    "headroom_cpu_used_ratio",
    "Share of one core that watching did cost over the last minute",
    ({ state }) => state.budget.usedCpuShare,
  ),
  gauge(
    "headroom_census_interval_seconds",
    "Seconds between two censuses at present, by what the budget allows",
    ({ state }) => state.budget.censusIntervalSeconds,
  ),
  {
    name: "headroom_skipped_total",
    help: "What was left out since this program started: for the budget, or since it could not be kept",
    type: "counter",
    labels: ["what"],
    values: ({ state }) =>
      Object.entries({ ...NOTHING_SKIPPED, ...state.budget.skipped }).map(([what, value]) => ({
        value,
        labels: { what: snakeCase(what) },
      })),
  },
  {
    name: "headroom_notes_total",
    help: "What happened to the watching itself since this program started: gaps, clock jumps, sight lost",
    type: "counter",
    labels: ["kind"],
    values: ({ counts }) =>
      Object.entries(counts.notes).map(([kind, value]) => ({ value, labels: { kind } })),
  },
  gauge("headroom_history_size_bytes", "Size of the history on disk", ({ history }) => history.sizeBytes),
  gauge(
    "headroom_history_bound_bytes",
    "Size the history never exceeds",
    ({ history }) => history.boundBytes,
  ),
  gauge(
    "headroom_history_oldest_timestamp_seconds",
    "The oldest second that is remembered, in seconds since 1970",
    ({ history }) => (history.oldestAtMs === undefined ? undefined : history.oldestAtMs / 1000),
  ),
];

export const processFamilies: readonly Family[] = [
  counter(
    "process_cpu_user_seconds_total",
    "Processor time of headroom serve in user mode",
    ({ own }) => own.userCpuSeconds,
  ),
  counter(
    "process_cpu_system_seconds_total",
    "Processor time of headroom serve in the kernel",
    ({ own }) => own.systemCpuSeconds,
  ),
  counter(
    "process_cpu_seconds_total",
    "Processor time of headroom serve, all its threads",
    ({ own }) => own.userCpuSeconds + own.systemCpuSeconds,
  ),
  gauge(
    "process_start_time_seconds",
    "When headroom serve was started, in seconds since 1970",
    ({ own }) => own.startedAtMs / 1000,
  ),
  gauge("process_resident_memory_bytes", "Memory of headroom serve", ({ own }) => own.residentBytes),
  gauge("nodejs_heap_size_used_bytes", "Of it, objects of JavaScript", ({ own }) => own.heapUsedBytes),
  gauge("process_open_fds", "Open files and sockets of headroom serve", ({ own }) => own.openFiles),
  gauge("process_max_fds", "Files and sockets headroom serve may have open", ({ own }) => own.mostFiles),
];
