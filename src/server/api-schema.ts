/**
 * The HTTP API as schemas: what /api/v1 answers, and with them the OpenAPI document and the types of the
 * dashboard. Names are fixed; others may be added. Times are `atMs`, milliseconds since 1970; what was not
 * seen is absent; gaps in columns are null.
 *
 *   GET  /api/v1/status                    how it stands: figures, findings, alerts, forecast in one line
 *   GET  /api/v1/series                    ?names=a,b&from=MS&to=MS&points=N&namespace=LABEL: columns
 *   GET  /api/v1/forecast                  the band ahead
 *   GET  /api/v1/census                    ?at=MS of the past; ?filter=TEXT narrows a fresh reading down
 *   GET  /api/v1/census/times              ?from=MS&to=MS: instants of which there is a census
 *   GET  /api/v1/flows                     ?filter=TEXT&sort=KEY&limit=N: entries, as `headroom list --json`
 *   GET  /api/v1/namespaces
 *   GET  /api/v1/settings                  values in force, where they come from, what is known of each
 *   GET  /api/v1/happenings                ?from=MS&to=MS: settings changed, incidents, notes, on one axis
 *   GET  /api/v1/alerts, /incidents, /incidents/:id
 *   GET  /api/v1/whatif                    ?set=KEY=VALUE&set=...: the table under other settings
 *   GET  /api/v1/plan                      as `headroom plan --json`
 *   POST /api/v1/changes                   {settings: {KEY: VALUE}}; only where allow_changes = true
 *   GET  /api/v1/live                      Server-Sent Events: sample, census, alert, setting, note, state
 *   GET  /api/v1/openapi.json
 */
import * as z from "zod/mini";

import { ALERT_CODES } from "../watch/watch.ts";
import { SERIES_NAMES } from "../table/series.ts";

const count = z.number().check(z.nonnegative());
const whole = z.int().check(z.nonnegative());
const text = z.string();
const atMs = z.number();
const nullable = z.array(z.nullable(z.number()));

export const unseenSchema = z.array(z.object({ what: text, why: text, help: z.optional(text), cause: text }));

const remedySchema = z.array(z.object({ text, command: z.optional(text) }));

const levelSchema = z.enum(["ok", "warning", "critical", "unknown"]);

export const findingSchema = z.object({
  code: text,
  level: levelSchema,
  title: text,
  evidence: z.record(text, z.union([z.number(), text])),
  meaning: text,
  remedy: remedySchema,
});

export const alertSchema = z.object({
  id: text,
  code: z.enum(ALERT_CODES),
  subject: z.optional(text),
  level: levelSchema,
  state: z.enum(["pending", "firing", "resolved"]),
  sinceMs: atMs,
  firedAtMs: z.optional(atMs),
  resolvedAtMs: z.optional(atMs),
  title: text,
  evidence: z.record(text, z.union([z.number(), text])),
  meaning: text,
  remedy: remedySchema,
});

export const forecastSchema = z.object({
  madeAtMs: atMs,
  band: z.object({
    atMs: z.array(atMs),
    expected: z.array(z.number()),
    low: z.array(z.number()),
    high: z.array(z.number()),
  }),
  fullIn: z.optional(
    z.object({ seconds: z.optional(count), earliestSeconds: count, latestSeconds: z.optional(count) }),
  ),
  horizonSeconds: count,
  method: z.enum(["trend", "daily", "weekly", "arrivals", "none"]),
  unknown: z.optional(text),
  how: text,
  backtest: z.optional(
    z.object({
      forecasts: whole,
      horizonSeconds: count,
      meanErrorShare: count,
      insideShare: count,
    }),
  ),
});

const rateSchema = z.object({
  protocol: text,
  port: z.optional(whole),
  arrivalsPerSecond: count,
  standardErrorPerSecond: count,
  holdingSeconds: z.optional(count),
});

export const statusSchema = z.object({
  version: text,
  atMs,
  startedAtMs: atMs,
  host: z.object({
    hostname: z.optional(text),
    kernelRelease: z.optional(text),
    memoryBytes: z.optional(count),
    cpus: z.optional(whole),
    tracker: text,
    /** The network namespace that is watched, where it is not the host's own. */
    namespace: z.optional(text),
  }),
  /** The worst of the verdict and of the alerts that fire. */
  level: levelSchema,
  occupancyFlows: z.optional(count),
  capacityFlows: z.optional(count),
  bucketCount: z.optional(count),
  useShare: z.optional(count),
  /** Of the kernel's table at present, and at its limit. */
  memoryBytes: z.optional(count),
  fullMemoryBytes: z.optional(count),
  findings: z.array(findingSchema),
  alerts: z.array(alertSchema),
  forecast: z.optional(z.omit(forecastSchema, { band: true })),
  events: z.optional(
    z.object({
      oneOf: whole,
      /** Flows whose birth was seen and whose end is waited for. */
      followedFlows: z.optional(whole),
      lostEvents: count,
      lossTimes: count,
      rates: z.array(rateSchema),
      /** Ends per second by the state flows ended in. */
      ends: z.optional(
        z.array(z.object({ protocol: text, state: text, perSecond: count, standardErrorPerSecond: count })),
      ),
    }),
  ),
  budget: z.object({
    allowedCpuShare: count,
    usedCpuShare: z.optional(count),
    censusIntervalSeconds: z.optional(count),
    censusSampleFlows: z.optional(count),
    skipped: z.record(text, count),
  }),
  history: z.object({ sizeBytes: count, boundBytes: count, oldestAtMs: z.optional(atMs) }),
  /** Whether POST /api/v1/changes is there. */
  allowChanges: z.boolean(),
  unseen: unseenSchema,
});

export const seriesSchema = z.object({
  fromMs: atMs,
  toMs: atMs,
  stepSeconds: z.number(),
  atMs: z.array(atMs),
  /** By name; every column as long as `atMs`. Where a point is one second, min and max are left out. */
  series: z.partialRecord(
    z.enum(SERIES_NAMES),
    z.object({ avg: nullable, min: z.optional(nullable), max: z.optional(nullable) }),
  ),
});

/** The figures of a census are those of `headroom explain --json`. */
export const censusSchema = z.object({
  atMs,
  filter: z.optional(text),
  census: z.record(text, z.unknown()),
});

export const flowsSchema = z.object({
  atMs,
  filter: text,
  /** As lines of `headroom list --json`. */
  flows: z.array(z.record(text, z.unknown())),
  /** Flows looked at and flows that matched; `complete`: the whole table was read. */
  lookedAtFlows: whole,
  matchedFlows: whole,
  complete: z.boolean(),
});

export const namespacesSchema = z.object({
  namespaces: z.array(
    z.object({
      label: text,
      name: z.optional(text),
      owner: z.optional(text),
      inode: z.optional(whole),
      /** The one this program runs in; the one whose table it watches. */
      own: z.boolean(),
      watched: z.boolean(),
      initial: z.boolean(),
      occupancyFlows: z.optional(count),
      capacityFlows: z.optional(count),
      /** Why the count could not be read. */
      unseen: z.optional(text),
    }),
  ),
});

export const settingsSchema = z.object({
  atMs,
  settings: z.array(
    z.object({
      key: text,
      sysctl: z.optional(text),
      value: z.number(),
      defaultValue: z.optional(z.number()),
      unit: text,
      min: z.number(),
      max: z.number(),
      about: text,
      /** It cannot be written while the kernel runs. */
      readOnly: z.optional(z.boolean()),
      /** Where the value in force was read. */
      origin: z.optional(text),
      /** What the next boot makes of it; absent where the files of the host cannot be looked at. */
      boot: z.optional(
        z.object({
          /** Absent where it cannot be told. */
          value: z.optional(z.number()),
          /** Who sets it in the end; absent where nobody does. */
          place: z.optional(text),
          /** Places of other values, or of a program that sets it again while the host runs. */
          others: z.array(text),
        }),
      ),
    }),
  ),
});

/** When censuses were taken that are kept, ascending. */
export const censusTimesSchema = z.object({ atMs: z.array(atMs) });

export const settingChangeSchema = z.object({
  atMs,
  key: text,
  from: z.optional(z.number()),
  to: z.optional(z.number()),
  suspects: z.array(text),
});

export const noteSchema = z.object({ atMs, kind: text, text, amount: z.optional(z.number()) });

export const happeningsSchema = z.object({
  settingChanges: z.array(settingChangeSchema),
  incidents: z.array(alertSchema),
  notes: z.array(noteSchema),
});

export const alertsSchema = z.object({ alerts: z.array(alertSchema) });
export const incidentsSchema = z.object({ incidents: z.array(alertSchema) });
export const incidentSchema = z.object({ incident: alertSchema, census: z.optional(censusSchema) });

/** `answer` is what `headroom whatif --json` prints; the curve is occupancy from the change on. */
export const whatifSchema = z.object({
  answer: z.record(text, z.unknown()),
  /** Two readings of idle ages were followed, or one was taken to be in balance; how far they are apart. */
  method: z.enum(["life-table", "balance"]),
  observedSeconds: count,
  curve: z.object({
    afterSeconds: z.array(z.number()),
    flows: z.array(z.number()),
    low: z.array(z.number()),
    high: z.array(z.number()),
    capacityFlows: z.optional(count),
  }),
  memoryBytes: z.optional(count),
  fullMemoryBytes: z.optional(count),
  /** The command that makes the change; absent when nothing would change. */
  command: z.optional(text),
});

/** What `headroom plan --json` and `headroom apply --json` print. */
export const planSchema = z.record(text, z.unknown());
export const changedSchema = z.record(text, z.unknown());

/** Events of /live; `data` is one of these, by the name of the event. */
export const liveSchemas = {
  sample: z.object({ atMs, values: z.partialRecord(z.enum(SERIES_NAMES), z.number()) }),
  /** The most frequent of each, of the table as a whole; ask /census for the rest. */
  census: z.object({
    atMs,
    flows: count,
    byProtocol: z.array(z.object({ protocol: text, flows: count })),
    byState: z.array(z.object({ protocol: text, state: text, flows: count })),
    topSources: z.array(z.object({ address: text, flows: count })),
    topServices: z.array(z.object({ protocol: text, port: whole, flows: count })),
  }),
  alert: alertSchema,
  setting: settingChangeSchema,
  note: noteSchema,
  /** Verdict, forecast, namespaces or budget are new: ask /status. */
  state: z.object({ atMs, level: levelSchema }),
} as const;

/** POST /api/v1/changes: values by key, in the unit of the setting. */
export const changeRequestSchema = z.strictObject({ settings: z.record(text, z.number()) });

/** What went wrong: what was tried, what was found, what to do. */
export const problemSchema = z.object({
  code: text,
  message: text,
  help: z.optional(text),
  /** Of a filter: where it is wrong, from its beginning. */
  at: z.optional(whole),
  length: z.optional(whole),
});

export type StatusJson = z.infer<typeof statusSchema>;
export type SeriesJson = z.infer<typeof seriesSchema>;
export type ForecastJson = z.infer<typeof forecastSchema>;
export type AlertJson = z.infer<typeof alertSchema>;
export type FindingJson = z.infer<typeof findingSchema>;
export type CensusJson = z.infer<typeof censusSchema>;
export type FlowsJson = z.infer<typeof flowsSchema>;
export type NamespacesJson = z.infer<typeof namespacesSchema>;
export type SettingsJson = z.infer<typeof settingsSchema>;
export type HappeningsJson = z.infer<typeof happeningsSchema>;
export type IncidentJson = z.infer<typeof incidentSchema>;
export type WhatifJson = z.infer<typeof whatifSchema>;
export type CensusTimesJson = z.infer<typeof censusTimesSchema>;
export type LiveEvent = keyof typeof liveSchemas;
export type LiveSample = z.infer<typeof liveSchemas.sample>;
export type LiveCensus = z.infer<typeof liveSchemas.census>;
export type ProblemJson = z.infer<typeof problemSchema>;
