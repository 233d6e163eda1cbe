/**
 * Series: what is measured again and again. A name says the unit; a value that was not measured is absent,
 * and a gap in columns is NaN, never zero.
 */
import type { CounterName } from "./counters.ts";

/** The rates of the kernel's counters, in the order of their columns. */
export const COUNTER_SERIES = [
  ["found", "foundPerSecond"],
  ["invalid", "invalidPerSecond"],
  ["insert", "insertPerSecond"],
  ["insertFailed", "insertFailedPerSecond"],
  ["drop", "dropPerSecond"],
  ["earlyDrop", "earlyDropPerSecond"],
  ["icmpError", "icmpErrorPerSecond"],
  ["searchRestart", "searchRestartPerSecond"],
  ["clashResolved", "clashResolvedPerSecond"],
  ["chainTooLong", "chainTooLongPerSecond"],
] as const satisfies readonly (readonly [CounterName, string])[];

export const SERIES_NAMES = [
  /** Of the namespace: what counts against the limit, and the limit. */
  "occupancyFlows",
  "capacityFlows",
  "bucketCount",
  "expectationFlows",
  /** By flow events, scaled from the share of flows that is followed. */
  "arrivalsPerSecond",
  "departuresPerSecond",
  ...COUNTER_SERIES.map(([, name]) => name),
  /** Lines of the kernel log that say the table is full (a lower bound: the kernel holds lines back). */
  "tableFullLinesPerSecond",
  /** What watching costs: processor time as a share of one core, resident memory. */
  "watcherCpuShare",
  "watcherMemoryBytes",
] as const;

export type SeriesName = (typeof SERIES_NAMES)[number];

/** One second of one namespace. */
export interface Sample {
  /** Wall clock, milliseconds since 1970. */
  atMs: number;
  values: { readonly [name in SeriesName]?: number };
}

/**
 * Points in time and what was measured there: columns of one length. A point that stands for a span has the
 * span's least, mean and greatest; NaN where nothing was measured.
 */
export interface SeriesColumns {
  /** Of each point; of a span, its beginning. */
  atMs: Float64Array;
  /** Seconds a point stands for. */
  stepSeconds: number;
  columns: { readonly [name in SeriesName]?: SpanColumns };
}

export interface SpanColumns {
  min: Float64Array;
  avg: Float64Array;
  max: Float64Array;
}
