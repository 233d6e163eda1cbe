/**
 * What a table would be under other settings: how many of its flows would already be gone, how many there
 * will be in the long run, what breaks, and what limit and buckets would make of it.
 *
 * It previews what idle ages tell (timeouts) and what arithmetic tells (limit, buckets). Settings that change
 * how packets are judged are named as not previewed: packets are needed for them.
 */
import type { RegimeAges, SilentService } from "../census/census.ts";
import { type SettingKey, SETTING_KEYS, settingOf, type Settings } from "../table/settings.ts";
import {
  balancedModel,
  isUntold,
  type Observation,
  type Predicted,
  scaleOf,
  type StationaryFlows,
  wantedTimeout,
} from "./stationary.ts";
import { type RemainingSpan, type Uncollected, uncollectedFlows } from "./uncollected.ts";
import { type Break, breaksOf } from "./whatif-breaks.ts";
import type { WhatIfFacts } from "./whatif-facts.ts";
import { type TableState, tableStateOf } from "./whatif-table.ts";

/** One row of a change: what a setting is, and what it would be. */
export interface WantedChange {
  key: SettingKey;
  /** Absent: not known here. */
  from?: number;
  to: number;
}

/** What another timeout does to flows of one state. */
export interface StateChange extends Predicted {
  protocol: string;
  state?: string;
  /** Only where one protocol has several timeouts and no states. */
  key?: SettingKey;
  inForceSeconds?: number;
  timeoutSeconds?: number;
  beforeFlows: number;
  goneFlows: number;
}

/** Flows that would already be gone; they keep their old time until their next packet. */
export interface GoneFlows {
  goneFlows: number;
  goneTranslatedFlows: number;
  /** Of a sample. */
  standardErrorFlows?: number;
  /** How long they stay nevertheless when they stay silent: the longest, and half of them. */
  longestKeepSeconds?: number;
  medianKeepSeconds?: number;
  /** Flows with a changed timeout whose idle age is unknown: some of them may be gone, too. */
  unknownFlows: number;
}

export interface WhatIf {
  changes: readonly WantedChange[];
  before: { flows: number; occupancyFlows?: number };
  immediately: GoneFlows & { flows: number };
  after: Predicted;
  /** Expired flows that still count then; absent where their rate is not known. */
  uncollected: Uncollected;
  /** Flows with more time left than their timeout gives: how many of them stay is not known. */
  leftoverFlows: number;
  /** Flows whose timeout is not known here, and is to be changed: how many of them stay is not known. */
  untoldFlows: number;
  /** Until the steady state is reached; absent when no timeout changes for any flow. */
  reachedAfterSeconds?: number;
  byState: readonly StateChange[];
  breaks: readonly Break[];
  /** Counts of what was read; times `silentScale` they stand for the table. */
  silentServices: readonly SilentService[];
  silentScale: number;
  table: { before: TableState; after: TableState };
  notPreviewed: readonly { key: SettingKey; why: string }[];
  stationary: StationaryFlows;
}

/** The answer for `wanted`; what it does not name stays as it is. `model` is kept where there are many. */
export function whatIf(
  facts: WhatIfFacts,
  wanted: Settings,
  model: (wanted: Settings) => StationaryFlows = balancedModel(facts.observation),
): WhatIf {
  const { observation, settings, occupancyFlows } = facts;
  const changes = changesOf(settings, wanted);
  const stationary = model(wanted);
  const flows = observation.second.ofFlows;
  const gone = goneFlows(observation, wanted);
  const { total } = stationary;
  const uncollected = expiredFlows(facts, wanted, stationary);
  const reachedAfterSeconds = reachedAfter(observation, wanted);
  const tableBefore = tableStateOf(facts, settings, occupancyFlows ?? flows);
  const tableAfter = tableStateOf(facts, { ...settings, ...wanted }, total.flows + uncollected.meanFlows);
  return {
    changes,
    before: { flows, ...(occupancyFlows === undefined ? {} : { occupancyFlows }) },
    immediately: { flows: flows - gone.goneFlows, ...gone },
    after: total,
    uncollected,
    leftoverFlows: leftovers(observation),
    untoldFlows: untold(observation, wanted),
    ...(reachedAfterSeconds === undefined ? {} : { reachedAfterSeconds }),
    byState: stateChanges(observation, stationary, wanted),
    breaks: breaksOf(facts, wanted, {
      peakFlows: total.flows + uncollected.peakFlows,
      before: tableBefore,
      after: tableAfter,
    }),
    silentServices: facts.silentServices,
    silentScale: scaleOf(observation.second),
    table: { before: tableBefore, after: tableAfter },
    notPreviewed: changes.flatMap(({ key }) => notPreviewed(key)),
    stationary,
  };
}

/** What the collector is taken to meet of other namespaces: flows with so much left (uncollected.ts). */
const LONG_LEFT_SECONDS = 300;

/**
 * Expired flows that still count. The collector is the machine's: what flows of other namespaces have left
 * nobody has read, so on average they are taken to be like ours, and at worst to last long.
 */
function expiredFlows(
  { observation, settings, otherFlows = 0 }: WhatIfFacts,
  wanted: Settings,
  { regimes }: StationaryFlows,
): Uncollected {
  const buckets = wanted.nf_conntrack_buckets ?? settings.nf_conntrack_buckets;
  const remaining = regimes.flatMap((regime) => regime.remaining);
  const of = (spans: readonly RemainingSpan[]): Uncollected =>
    uncollectedFlows({
      expiriesPerSecond: regimes.reduce((sum, { expiriesPerSecond }) => sum + expiriesPerSecond, 0),
      remaining: spans,
      ...(observation.release === undefined ? {} : { kernelRelease: observation.release }),
      ...(buckets === undefined || buckets <= 0 ? {} : { bucketCount: buckets }),
    });
  const alone = of(remaining);
  if (otherFlows <= 0) return alone;
  const shared = of([...remaining, { flows: otherFlows, fromSeconds: LONG_LEFT_SECONDS }]);
  return { ...alone, peakFlows: Math.max(alone.peakFlows, shared.peakFlows) };
}

function changesOf(settings: Settings, wanted: Settings): WantedChange[] {
  return SETTING_KEYS.flatMap((key) => {
    const to = wanted[key];
    const from = settings[key];
    return to === undefined ? [] : [{ key, ...(from === undefined ? {} : { from }), to }];
  });
}

/** Regimes whose timeout changes, with what it is and would be. */
function changedRegimes(
  observation: Observation,
  wanted: Settings,
): { regime: RegimeAges; inForce: number; after: number }[] {
  return observation.second.regimes.flatMap((regime) => {
    const { timeoutSeconds: inForce } = regime;
    const after = wantedTimeout(observation, regime, wanted);
    if (inForce === undefined || after === undefined || after === inForce) return [];
    return [{ regime, inForce, after }];
  });
}

/** Counts every flow that is silent for as long as its new timeout, or longer. */
function goneFlows(observation: Observation, wanted: Settings): GoneFlows {
  const scale = scaleOf(observation.second);
  let [gone, translated, unknown] = [0, 0, 0];
  const byRemaining = new Map<number, number>();
  for (const { regime, inForce, after } of changedRegimes(observation, wanted)) {
    if (after >= inForce) continue;
    unknown += regime.unknown.reduce((sum, { flows }) => sum + flows, 0);
    for (let age = after; age < regime.ages.length; age++) {
      const flows = regime.ages[age] as number;
      if (flows === 0) continue;
      gone += flows;
      translated += regime.translatedAges[age] as number;
      const remaining = inForce - age;
      byRemaining.set(remaining, (byRemaining.get(remaining) ?? 0) + flows);
    }
  }
  return {
    goneFlows: gone * scale,
    goneTranslatedFlows: translated * scale,
    ...(scale === 1 ? {} : { standardErrorFlows: Math.sqrt(gone) * scale }),
    ...keptTimes(byRemaining, gone),
    unknownFlows: unknown * scale + untold(observation, wanted),
  };
}

function untold(observation: Observation, wanted: Settings): number {
  const regimes = observation.second.regimes.filter((regime) => isUntold(observation, regime, wanted));
  return regimes.reduce((sum, { flows }) => sum + flows, 0) * scaleOf(observation.second);
}

function leftovers(observation: Observation): number {
  const unknown = observation.second.regimes.flatMap((regime) => regime.unknown);
  const found = unknown.filter(({ why }) => why === "longer-than-setting");
  return found.reduce((sum, { flows }) => sum + flows, 0) * scaleOf(observation.second);
}

function keptTimes(
  byRemaining: ReadonlyMap<number, number>,
  flows: number,
): Pick<GoneFlows, "longestKeepSeconds" | "medianKeepSeconds"> {
  if (flows === 0) return {};
  const times = [...byRemaining.keys()].toSorted((left, right) => left - right);
  let seen = 0;
  const medianKeepSeconds = times.find((time) => (seen += byRemaining.get(time) ?? 0) >= flows / 2);
  return {
    longestKeepSeconds: times.at(-1) ?? 0,
    ...(medianKeepSeconds === undefined ? {} : { medianKeepSeconds }),
  };
}

/**
 * A flow that was refreshed just before the change keeps its old timeout for all of its length; a longer one
 * takes as long to fill up.
 */
function reachedAfter(observation: Observation, wanted: Settings): number | undefined {
  const changed = changedRegimes(observation, wanted);
  if (changed.length === 0) return undefined;
  return Math.max(...changed.map(({ inForce, after }) => Math.max(inForce, after)));
}

/** Regimes of one state together; of protocols without states, by the setting that governs. */
function stateChanges(
  observation: Observation,
  stationary: StationaryFlows,
  wanted: Settings,
): StateChange[] {
  const rows = new Map<string, StateChange>();
  const scale = scaleOf(observation.second);
  for (const [index, regime] of observation.second.regimes.entries()) {
    const then = stationary.regimes[index];
    if (then === undefined) continue;
    const { protocol, state, key } = regime;
    const name = `${protocol} ${state ?? key ?? ""}`;
    const timeoutSeconds = wantedTimeout(observation, regime, wanted);
    const row: StateChange = {
      protocol,
      ...(state === undefined ? {} : { state }),
      ...(state !== undefined || key === undefined ? {} : { key }),
      ...(regime.timeoutSeconds === undefined ? {} : { inForceSeconds: regime.timeoutSeconds }),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      beforeFlows: regime.flows * scale,
      goneFlows: goneOf(regime, timeoutSeconds) * scale,
      flows: then.flows,
      standardErrorFlows: then.standardErrorFlows,
      lowFlows: then.lowFlows,
      highFlows: then.highFlows,
    };
    const before = rows.get(name);
    rows.set(name, before === undefined ? row : together(before, row));
  }
  return [...rows.values()].toSorted((left, right) => right.beforeFlows - left.beforeFlows);
}

function goneOf({ ages }: RegimeAges, timeoutSeconds = Number.POSITIVE_INFINITY): number {
  let gone = 0;
  for (let age = timeoutSeconds; age < ages.length; age++) gone += ages[age] as number;
  return gone;
}

/** The longer timeout names the row: the other is a cap on it. */
function together(one: StateChange, other: StateChange): StateChange {
  const [longer, shorter] =
    (one.inForceSeconds ?? 0) >= (other.inForceSeconds ?? 0) ? [one, other] : [other, one];
  return {
    ...longer,
    beforeFlows: longer.beforeFlows + shorter.beforeFlows,
    goneFlows: longer.goneFlows + shorter.goneFlows,
    flows: longer.flows + shorter.flows,
    standardErrorFlows: Math.hypot(longer.standardErrorFlows, shorter.standardErrorFlows),
    lowFlows: longer.lowFlows + shorter.lowFlows,
    highFlows: longer.highFlows + shorter.highFlows,
  };
}

/** Settings whose effect neither idle ages nor arithmetic tell. */
function notPreviewed(key: SettingKey): { key: SettingKey; why: string }[] {
  const { unit } = settingOf(key);
  if (key === "nf_conntrack_max" || key === "nf_conntrack_buckets" || key === "hashsize") return [];
  switch (key) {
    case "nf_conntrack_acct":
    case "nf_conntrack_timestamp":
    case "nf_conntrack_events":
      return [{ key, why: "it changes what flows made from then on take in memory, not how many there are" }];
    case "nf_conntrack_expect_max":
      return [{ key, why: "expected flows are not part of this table" }];
    case "nf_conntrack_frag6_timeout":
    case "nf_conntrack_events_retry_timeout":
    case "nf_flowtable_tcp_timeout":
    case "nf_flowtable_udp_timeout":
      return [{ key, why: "no listing tells which flows it governs" }];
    default:
      return unit === "seconds"
        ? []
        : [{ key, why: "it decides how packets are judged, which idle ages do not tell" }];
  }
}
