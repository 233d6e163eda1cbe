/** What the watcher is given: the host, the history, and what the file says of watching. */
import { makeForecast } from "../../plan/plan.ts";
import { censusRowsFor } from "../../server/server.ts";
import type { AlertKeeper, HistoryWriter, WatcherOptions } from "../../watch/watch.ts";
import type { Context } from "../context.ts";
import type { Configuration } from "./configuration-schema.ts";
import type { HostToWatch } from "./host-to-watch.ts";

export interface WatcherParts {
  context: Context;
  host: HostToWatch;
  history: HistoryWriter;
  keeper: AlertKeeper;
  /** What is in force: some of it changes while the watcher runs. */
  configuration: () => Configuration;
}

export function watcherOptionsOf({
  context: { deps },
  host,
  history,
  keeper,
  configuration,
}: WatcherParts): WatcherOptions {
  const { watch, forecast, metrics } = configuration();
  return {
    host,
    history,
    clock: deps.clock,
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    memoryBytes: () => process.memoryUsage.rss(),
    allowedCpuShare: watch.cpu_budget,
    censusSampleFlows: watch.census_flows,
    leastCensusSeconds: watch.census_interval,
    mostCensusSeconds: Math.max(watch.census_interval, watch.census_longest_interval),
    censusTopRows: censusRowsFor(metrics.top),
    followEvents: watch.events,
    /** The verdict goes by what the alerts go by. */
    get thresholds() {
      const { warning, critical } = configuration().alerts["near-full"];
      return { warningShare: warning, criticalShare: critical };
    },
    alerts: keeper,
    seed: deps.seed ?? 0,
    ...(forecast.enabled
      ? { forecast: (facts) => makeForecast(facts, { horizonSeconds: forecast.horizon }) }
      : {}),
  };
}
