/**
 * What is known and remembered, as the JSON of the schemas. Pure.
 */
import { type Census, censusToJson } from "../census/census.ts";
import {
  bootOutlook,
  type Facts,
  type Forecast,
  memoryOf,
  type OutlookRow,
  tableFigures,
  worseLevel,
} from "../plan/plan.ts";
import type { Level } from "../table/finding.ts";
import type { Definition } from "../table/boot.ts";
import { isLookedAt } from "../table/host.ts";
import type { SeriesColumns } from "../table/series.ts";
import { SETTING_KEYS, settingOf } from "../table/settings.ts";
import { defaultSizesOf } from "../table/sizes.ts";
import { parseKernelRelease, isSince } from "../table/kernel-release.ts";
import {
  type Alert,
  type EventWatch,
  type HistorySize,
  type Incident,
  namespaceLabel,
  type WatchState,
} from "../watch/watch.ts";
import type {
  AlertJson,
  CensusJson,
  ForecastJson,
  IncidentJson,
  LiveCensus,
  NamespacesJson,
  SeriesJson,
  SettingsJson,
  StatusJson,
} from "./api-schema.ts";

export interface StatusFacts {
  version: string;
  nowMs: number;
  size: HistorySize;
  allowChanges: boolean;
}

/** How it stands. */
export function statusJson(
  state: WatchState,
  { version, nowMs, size, allowChanges }: StatusFacts,
): StatusJson {
  const { facts, sample, forecast, events } = state;
  const { host } = facts;
  const figures = tableFigures(facts);
  // Facts are of a while ago: what the last second did not see is not known now.
  const occupancyFlows = sample === undefined ? figures.occupancyFlows : sample.values.occupancyFlows;
  const capacityFlows = sample?.values.capacityFlows ?? figures.capacityFlows;
  const { bucketCount } = figures;
  const limited = occupancyFlows !== undefined && capacityFlows !== undefined && capacityFlows > 0;
  return {
    version,
    atMs: sample?.atMs ?? nowMs,
    startedAtMs: state.startedAtMs,
    host: {
      tracker: host.tracker,
      ...(host.hostname === undefined ? {} : { hostname: host.hostname }),
      ...(host.kernelRelease === undefined ? {} : { kernelRelease: host.kernelRelease }),
      ...(host.memoryBytes === undefined ? {} : { memoryBytes: host.memoryBytes }),
      ...(host.cpus === undefined ? {} : { cpus: host.cpus }),
      ...watchedNamespace(state),
    },
    level: levelOf(state),
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    ...(capacityFlows === undefined ? {} : { capacityFlows }),
    ...(bucketCount === undefined ? {} : { bucketCount }),
    ...(limited ? { useShare: occupancyFlows / capacityFlows } : {}),
    ...(bucketCount === undefined ? {} : memories(facts, bucketCount, occupancyFlows, capacityFlows)),
    findings: state.verdict.findings.map((finding) => ({ ...finding, remedy: [...finding.remedy] })),
    alerts: state.alerts.map(alertJson),
    ...(forecast === undefined ? {} : { forecast: withoutBand(forecast) }),
    ...(events === undefined ? {} : { events: eventsJson(events) }),
    budget: state.budget,
    history: size,
    allowChanges,
    unseen: [...facts.unseen],
  };
}

/** How it stands: as it is judged now, or worse where an alert still fires. */
export function levelOf({ verdict, alerts }: Pick<WatchState, "verdict" | "alerts">): Level {
  const firing = alerts.filter(({ state }) => state === "firing");
  return firing.reduce((worst, { level }) => worseLevel(worst, level), verdict.level);
}

/** By the name it was asked for by, where there is one: that is what a command takes. */
function watchedNamespace({ facts, namespaces }: WatchState): { namespace?: string } {
  if (facts.netns !== undefined) return { namespace: facts.netns };
  const watched = namespaces.find((namespace) => isLookedAt(namespace, facts.host.namespaceInode));
  if (watched === undefined || watched.initial) return {};
  return { namespace: namespaceLabel(watched) };
}

function eventsJson({ rates, ends, ...rest }: EventWatch): NonNullable<StatusJson["events"]> {
  return { ...rest, rates: [...rates], ...(ends === undefined ? {} : { ends: [...ends] }) };
}

function memories(
  facts: Facts,
  buckets: number,
  occupancyFlows: number | undefined,
  capacityFlows: number | undefined,
): Pick<StatusJson, "memoryBytes" | "fullMemoryBytes"> {
  const bytesOf = (flows: number): number => memoryOf(facts, flows, buckets).bytes;
  return {
    ...(occupancyFlows === undefined ? {} : { memoryBytes: bytesOf(occupancyFlows) }),
    ...(capacityFlows === undefined || capacityFlows === 0
      ? {}
      : { fullMemoryBytes: bytesOf(capacityFlows) }),
  };
}

export function alertJson(alert: Alert): AlertJson {
  return { ...alert, remedy: [...alert.remedy] };
}

export function forecastJson({ band, ...rest }: Forecast): ForecastJson {
  const { atMs, expected, low, high } = band;
  return { ...rest, band: { atMs: [...atMs], expected: [...expected], low: [...low], high: [...high] } };
}

function withoutBand({ band: _band, ...rest }: Forecast): Omit<ForecastJson, "band"> {
  return rest;
}

/** Columns as JSON has them: gaps are null, and no more digits than were measured. */
export function seriesJson(series: SeriesColumns, span: { fromMs: number; toMs: number }): SeriesJson {
  const { atMs, stepSeconds, columns } = series;
  const isSpans = stepSeconds > 1;
  const entries = Object.entries(columns).map(([name, { avg, min, max }]) => [
    name,
    { avg: nullable(avg), ...(isSpans ? { min: nullable(min), max: nullable(max) } : {}) },
  ]);
  return {
    ...span,
    stepSeconds,
    atMs: Array.from(atMs),
    series: Object.fromEntries(entries) as SeriesJson["series"],
  };
}

function nullable(values: Float64Array): (number | null)[] {
  return Array.from(values, (value) => (Number.isFinite(value) ? Math.round(value * 1e6) / 1e6 : null));
}

export function censusJson({ atMs, census }: { atMs: number; census: Census }, filter?: string): CensusJson {
  return { atMs, ...(filter === undefined ? {} : { filter }), census: censusToJson(census) };
}

/** Rows of each kind in a census of /live. */
const LIVE_ROWS = 8;

export function liveCensusJson({ atMs, census }: { atMs: number; census: Census }): LiveCensus {
  return {
    atMs,
    flows: census.flows,
    byProtocol: census.byProtocol.slice(0, LIVE_ROWS).map(({ protocol, flows }) => ({ protocol, flows })),
    byState: census.byState
      .slice(0, LIVE_ROWS)
      .map(({ protocol, state, flows }) => ({ protocol, state, flows })),
    topSources: census.topSources.rows.slice(0, LIVE_ROWS).map(({ address, flows }) => ({ address, flows })),
    topServices: census.topServices.rows
      .slice(0, LIVE_ROWS)
      .map(({ protocol, port, flows }) => ({ protocol, port, flows })),
  };
}

export function incidentJson({ alert, census }: Incident): IncidentJson {
  return { incident: alertJson(alert), ...(census === undefined ? {} : { census: censusJson(census) }) };
}

export function namespacesJson({ namespaces, facts }: WatchState): NamespacesJson {
  return {
    namespaces: namespaces.map((namespace) => {
      const { addresses: _addresses, createdAtMs: _createdAtMs, pid: _pid, ...rest } = namespace;
      const watched = isLookedAt(namespace, facts.host.namespaceInode);
      return { label: namespaceLabel(namespace), ...rest, watched };
    }),
  };
}

type SettingRow = SettingsJson["settings"][number];

/** Values in force with what the registry knows of each. */
export function settingsJson({ settings, host, boot, atMs }: Facts): SettingsJson {
  const outlook = boot === undefined ? undefined : bootOutlook({ settings, host, boot });
  const ahead = new Map([...(outlook?.rows ?? []), ...(outlook?.others ?? [])].map((row) => [row.key, row]));
  const sizes = defaultSizesOf(host);
  const computed: Readonly<Record<string, number | undefined>> = {
    nf_conntrack_max: sizes?.capacityFlows,
    nf_conntrack_buckets: sizes?.buckets,
  };
  const release = host.kernelRelease === undefined ? undefined : parseKernelRelease(host.kernelRelease);
  return {
    atMs,
    settings: SETTING_KEYS.flatMap((key) => {
      const value = settings.values[key];
      if (value === undefined) return [];
      const { sysctl, unit, min, max, about, defaults = [], readOnly } = settingOf(key);
      const known =
        release === undefined ? undefined : defaults.findLast(({ since }) => isSince(release, since));
      const defaultValue = known?.value ?? computed[key];
      const origin = settings.origins[key];
      const row = ahead.get(key);
      return [
        {
          key,
          ...(sysctl === undefined ? {} : { sysctl }),
          value,
          ...(defaultValue === undefined ? {} : { defaultValue }),
          unit,
          min,
          max,
          about,
          ...(readOnly === undefined ? {} : { readOnly }),
          ...(origin === undefined ? {} : { origin }),
          ...(row === undefined ? {} : { boot: bootJson(row) }),
        },
      ];
    }),
  };
}

function bootJson({ after, winner, definitions }: OutlookRow): NonNullable<SettingRow["boot"]> {
  const others = definitions.filter(({ definition, fate }) => definition !== winner && fate !== "not-read");
  return {
    ...(after === undefined ? {} : { value: after }),
    ...(winner === undefined ? {} : { place: placeOf(winner) }),
    others: [...new Set(others.map(({ definition }) => placeOf(definition)))],
  };
}

function placeOf({ path, line }: Definition): string {
  return line === undefined ? path : `${path}:${line}`;
}
