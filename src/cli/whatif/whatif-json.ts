/**
 * Machine output of `headroom whatif`: plain numbers, names with their units, what is unknown left out. Pure.
 */
import { whatIfToJson } from "../../plan/plan.ts";
import { settingName } from "../setting-words.ts";
import type { Observed } from "../observe.ts";
import type { SweepRow } from "./sweep-text.ts";
import type { WhatifReport } from "./whatif-text.ts";

/** What `headroom whatif --json` prints. */
export function whatifToJson(report: WhatifReport, observed: Observed): Record<string, unknown> {
  const { answer, sweep, seconds } = report;
  const { census, source, origin } = observed;
  return {
    schema: "headroom/whatif/v1",
    source,
    origin,
    complete: census.complete,
    ...(census.sampled === undefined ? {} : { sampled: census.sampled }),
    observedSeconds: seconds,
    method: seconds > 0 ? "life-table" : "balance",
    ...(answer === undefined ? {} : whatIfToJson(answer)),
    ...peakToJson(report),
    ...(sweep === undefined
      ? {}
      : {
          sweep: {
            key: settingName(sweep.key),
            rows: sweep.rows.map(rowToJson),
            ...(sweep.curve === undefined
              ? {}
              : { curve: sweep.curve.map(({ value, flows }) => ({ value, flows: round(flows) })) }),
          },
        }),
    oddities: census.oddities,
    interrupted: report.interrupted,
    assumedTimeouts: report.assumedTimeouts,
    unseen: report.unseen,
  };
}

/** The answer at the highest occupancy there was. */
function peakToJson({ answer, peak }: WhatifReport): Record<string, unknown> {
  if (peak === undefined) return {};
  const { occupancyFlows, atMs, fromMs, toMs, directory, place, isOfTable } = peak;
  const factor =
    answer === undefined || answer.before.flows <= 0 ? undefined : occupancyFlows / answer.before.flows;
  return {
    peak: {
      occupancyFlows,
      atMs,
      fromMs,
      toMs,
      directory,
      ...(place?.hostname === undefined ? {} : { hostname: place.hostname }),
      ...(place?.namespace === undefined ? {} : { namespace: place.namespace }),
      ...(isOfTable === undefined ? {} : { isOfTable }),
      ...(factor === undefined || answer === undefined
        ? {}
        : {
            factor,
            flows: round(answer.after.flows * factor),
            lowFlows: round(answer.after.lowFlows * factor),
            highFlows: round(answer.after.highFlows * factor),
          }),
    },
  };
}

function rowToJson({ value, answer }: SweepRow): Record<string, unknown> {
  return { value, ...whatIfToJson(answer) };
}

/** Flows are whole; a tenth is kept so that small rates do not vanish. */
function round(flows: number): number {
  return Math.round(flows * 10) / 10;
}
