/**
 * The running values beside those of the next boot: which will be the same, which will not, and why. One row
 * a setting, from plain facts; rules make findings of them, `headroom verify` prints them.
 *
 * A value that some kernel would choose by itself counts as its default: distributions carry the defaults of
 * later kernels back, and a stock host must not be told that it loses something.
 */
import type { BootDefinition, BootForecast, BootSetting, Definition } from "../table/boot.ts";
import type { Level } from "../table/finding.ts";
import type { Host, SettingsReading } from "../table/host.ts";
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import { SETTING_KEYS, type SettingKey, settingOf } from "../table/settings.ts";
import { defaultSizesOf } from "../table/sizes.ts";

/** What is the matter with a setting, worst first. */
export const OUTLOOK_TROUBLES = [
  /** In force now, and nothing sets it at boot: the kernel's default comes back, whichever it is. */
  "lost",
  /** Something sets another value at boot than the one in force now. */
  "changes",
  /** In force now, and what the boot makes of it cannot be told. */
  "unknown",
  /** A file wants another value, and a service sets its own again and again. */
  "set-again",
  /** A file sets it before the tracker is there; nothing sets that value later. */
  "too-early",
  /** The kernel will not take what a file says. */
  "refused",
  /** Files disagree; the last one wins. */
  "contradicting",
] as const;

export type OutlookTrouble = (typeof OUTLOOK_TROUBLES)[number];

export interface OutlookRow {
  key: SettingKey;
  /** In force; absent when it was not there to be read. */
  now?: number;
  /** After the next boot; absent when it cannot be told. */
  after?: number;
  /** Where `after` comes from. `namespace`: another namespace's own value, which ends with it. */
  from: "set" | "hashsize" | "default" | "namespace" | "unknown";
  /** Who sets it in the end. */
  winner?: Definition;
  troubles: readonly OutlookTrouble[];
  /** What it is after the boot cannot be told, but that it is not what it is now can. */
  isNoMore?: true;
  /** Every place that names it, in the order of reading. */
  definitions: readonly BootDefinition[];
}

export interface BootOutlook {
  /** Settings that anybody names, or that do not keep a default; in the order of the registry. */
  rows: readonly OutlookRow[];
  /** All others: nobody names them, and the kernel's default stays. */
  others: readonly OutlookRow[];
  /** Every value in force is known to be the same after the next boot, and every line has its effect. */
  holds: boolean;
  /** Settings that can be set and have a value now. */
  settingsInForce: number;
  /** Of these, those whose value after the boot cannot be told. */
  settingsUnknown: number;
}

/** The facts an outlook is made of. */
export interface OutlookFacts {
  host: Host;
  settings: SettingsReading;
  boot: BootForecast;
}

/** Buckets are one variable with two names: the parameter's places are shown with the setting's. */
const HIDDEN: ReadonlySet<SettingKey> = new Set(["hashsize", "expect_hashsize"]);

export function bootOutlook(facts: OutlookFacts): BootOutlook {
  const keys = SETTING_KEYS.filter((key) => !HIDDEN.has(key) && settingOf(key).readOnly !== true);
  return outlookOf(keys.map((key) => rowOf(facts, key)));
}

/** The outlook of these settings alone. */
export function outlookOf(all: readonly OutlookRow[]): BootOutlook {
  const inForce = all.filter(({ now }) => now !== undefined);
  const isNotable = (row: OutlookRow): boolean =>
    row.definitions.length > 0 || row.from === "hashsize" || row.troubles.length > 0;
  return {
    rows: all.filter(isNotable),
    others: all.filter((row) => !isNotable(row)),
    holds: outlookLevel(all) === "ok",
    settingsInForce: inForce.length,
    settingsUnknown: inForce.filter(isUnknown).length,
  };
}

/** `warning`: something is lost, or a line sets nothing; `unknown`: of something it cannot be told. */
export function outlookLevel(rows: readonly OutlookRow[]): Level {
  if (rows.some((row) => isDifferent(row) || isWithoutEffect(row))) return "warning";
  return rows.some(isUnknown) ? "unknown" : "ok";
}

/** Whether the value in force will not be there after the boot. */
export function isDifferent({ now, after, isNoMore }: OutlookRow): boolean {
  return isNoMore === true || (now !== undefined && after !== undefined && now !== after);
}

/** A file wants a value, comes too early, and nobody else sets any. */
export function isWithoutEffect({ winner, troubles }: OutlookRow): boolean {
  return winner === undefined && troubles.includes("too-early") && !troubles.includes("unknown");
}

function isUnknown({ now, after, isNoMore }: OutlookRow): boolean {
  return now !== undefined && after === undefined && isNoMore !== true;
}

function rowOf(facts: OutlookFacts, key: SettingKey): OutlookRow {
  const { values } = facts.settings;
  const now = values[key] ?? (key === "nf_conntrack_buckets" ? values.hashsize : undefined);
  // Files of the host set nothing in another namespace.
  const setting = isNamespaces(facts, key) ? undefined : bootSettingOf(facts.boot, key);
  const definitions = setting?.definitions ?? [];
  const ahead = afterBoot(facts, key, now, setting);
  const row: OutlookRow = {
    key,
    ...(now === undefined ? {} : { now }),
    ...ahead,
    ...(setting?.winner === undefined ? {} : { winner: setting.winner }),
    troubles: [],
    definitions,
    ...(isFromNobody(facts, key, now, { ...ahead, definitions }) ? { isNoMore: true } : {}),
  };
  return { ...row, troubles: troublesOf(row) };
}

/**
 * Whether no file and no kernel gives the value in force, in whichever order they come. A kernel that
 * chooses its sizes itself has a most it gives any machine.
 */
function isFromNobody(
  facts: OutlookFacts,
  key: SettingKey,
  now: number | undefined,
  { after, from, definitions }: Pick<OutlookRow, "after" | "from" | "definitions">,
): boolean {
  if (now === undefined || after !== undefined || from !== "unknown" || !isCertain(facts.boot)) return false;
  if (key !== "nf_conntrack_max" && key !== "nf_conntrack_buckets") return false;
  const widest = { ...facts.host, memoryBytes: Number.MAX_SAFE_INTEGER };
  const most = [facts.host.kernelRelease, ...SIZE_GENERATIONS].map((release) => {
    const sizes = defaultSizesOf(widest, release);
    return (key === "nf_conntrack_max" ? sizes?.capacityFlows : sizes?.buckets) ?? 0;
  });
  return now > Math.max(...most) && definitions.every(({ definition }) => isOther(definition, now));
}

function isOther({ value }: Definition, now: number): boolean {
  return value !== undefined && value !== now;
}

/** A setting of the forecast, the bucket count with the places of its parameter. */
function bootSettingOf(boot: BootForecast, key: SettingKey): BootSetting | undefined {
  const own = boot.settings.find((setting) => setting.key === key);
  if (key !== "nf_conntrack_buckets") return own;
  const parameter = boot.settings.find((setting) => setting.key === "hashsize");
  if (parameter === undefined || own === undefined) return own ?? parameter;
  return { ...parameter, ...own, definitions: [...parameter.definitions, ...own.definitions] };
}

function afterBoot(
  facts: OutlookFacts,
  key: SettingKey,
  now: number | undefined,
  setting: BootSetting | undefined,
): Pick<OutlookRow, "after" | "from"> {
  if (setting?.value !== undefined) {
    return { after: setting.value, from: setting.because === "hashsize" ? "hashsize" : "set" };
  }
  if (setting?.winner !== undefined) return { from: "unknown" };
  if (now !== undefined && isSomeDefault(facts, key, now)) return { after: now, from: "default" };
  if (now !== undefined && isNamespaces(facts, key)) return { from: "namespace" };
  const value = defaultOf(facts, key);
  // What somebody set is set again, perhaps, by what could not be looked at.
  const isTold = value !== undefined && (now === undefined || isCertain(facts.boot));
  return isTold ? { after: value, from: "default" } : { from: "unknown" };
}

/** The setting is a network namespace's own, and this is not the initial one, whose files these are. */
function isNamespaces({ host }: OutlookFacts, key: SettingKey): boolean {
  return host.initialNamespace === false && settingOf(key).scope === "namespace";
}

/** Whether everything that may set a value was there to be read, and it is known who reads it. */
function isCertain({ sysctlReader, unseen }: BootForecast): boolean {
  const closed = unseen.some(({ cause }) => cause === "not-permitted" || cause === "incomplete");
  return sysctlReader !== "unknown" && !closed;
}

/** What this kernel takes when nobody says anything. */
function defaultOf(facts: OutlookFacts, key: SettingKey): number | undefined {
  const release = parseKernelRelease(facts.host.kernelRelease ?? "");
  if (key === "nf_conntrack_max" || key === "nf_conntrack_buckets") {
    const sizes = defaultSizesOf(facts.host);
    return key === "nf_conntrack_max" ? sizes?.capacityFlows : sizes?.buckets;
  }
  if (key === "nf_conntrack_expect_max") {
    const parameter = facts.boot.settings.find((setting) => setting.key === "hashsize")?.winner;
    const buckets = parameter?.value ?? defaultSizesOf(facts.host)?.buckets;
    return buckets === undefined ? undefined : expectationsOf(buckets);
  }
  const { defaults } = settingOf(key);
  if (release === undefined) return defaults?.length === 1 ? defaults[0]?.value : undefined;
  return defaults?.findLast(({ since }) => isSince(release, since))?.value;
}

/** Expected flows a kernel allows by itself: 4 for each 256 buckets it was loaded with. */
function expectationsOf(buckets: number): number {
  return 4 * Math.max(1, Math.floor(buckets / 256));
}

/** First kernels of each way to choose sizes. Distributions carry later ones back, none forward. */
const SIZE_GENERATIONS = ["2.6.18", "2.6.23", "4.4", "5.15"] as const;

function isSomeDefault(facts: OutlookFacts, key: SettingKey, now: number): boolean {
  if (key !== "nf_conntrack_max" && key !== "nf_conntrack_buckets" && key !== "nf_conntrack_expect_max") {
    return (settingOf(key).defaults ?? []).some(({ value }) => value === now);
  }
  const { values } = facts.settings;
  const buckets = values.nf_conntrack_buckets ?? values.hashsize;
  if (key === "nf_conntrack_expect_max" && buckets !== undefined && expectationsOf(buckets) === now)
    return true;
  const own = parseKernelRelease(facts.host.kernelRelease ?? "");
  const possible = SIZE_GENERATIONS.filter((_, index) => {
    const next = SIZE_GENERATIONS[index + 1];
    return own === undefined || next === undefined || !isSince(own, next);
  });
  return possible.some((release) => {
    const sizes = defaultSizesOf(facts.host, release);
    if (sizes === undefined) return false;
    // Both of one kernel: a capacity that only looks like another kernel's was set by somebody.
    if (key === "nf_conntrack_buckets") return sizes.buckets === now;
    if (key === "nf_conntrack_expect_max") return expectationsOf(sizes.buckets) === now;
    return sizes.capacityFlows === now && (buckets === undefined || sizes.buckets === buckets);
  });
}

function troublesOf(row: OutlookRow): readonly OutlookTrouble[] {
  const has: Record<OutlookTrouble, boolean> = {
    lost: isDifferent(row) && (row.from === "default" || row.isNoMore === true),
    changes: isDifferent(row) && row.from !== "default" && row.isNoMore !== true,
    unknown: isUnknown(row),
    "set-again": fileDefeated(row) !== undefined,
    "too-early": tooEarly(row) !== undefined,
    refused: row.definitions.some(({ fate }) => fate === "refused"),
    contradicting: contradictions(row).length > 1,
  };
  return OUTLOOK_TROUBLES.filter((trouble) => has[trouble]);
}

/** The service whose own value stands in the end, and which sets it again and again. */
export function ownerOf(row: OutlookRow): Definition | undefined {
  return row.definitions.findLast(({ fate, definition }) => isOwners(row, fate, definition))?.definition;
}

/** The file's value that a service's own defeats; undefined where nobody wanted anything else. */
export function fileDefeated(row: OutlookRow): Definition | undefined {
  const owner = ownerOf(row);
  if (owner === undefined || owner.value === undefined) return undefined;
  return row.definitions.find(
    ({ fate, definition }) =>
      (fate === "overridden" || fate === "too-early" || fate === "wins") &&
      definition.value !== undefined &&
      definition.value !== row.after,
  )?.definition;
}

/** A service's own value stands in the end; tuned's second reading of the host's files is the host's. */
function isOwners(row: OutlookRow, fate: BootDefinition["fate"], definition: Definition): boolean {
  return fate === "sets-again" && definition.path === row.winner?.path && definition.line === row.winner.line;
}

/** The place that comes too early and whose value is not there in the end. */
export function tooEarly(row: OutlookRow): Definition | undefined {
  return row.definitions.find(
    ({ fate, definition }) =>
      fate === "too-early" && definition.value !== undefined && definition.value !== row.after,
  )?.definition;
}

/** Places of files that were meant to count, one a value, where there is more than one value. */
export function contradictions(row: OutlookRow): readonly Definition[] {
  const byValue = new Map<number, Definition>();
  for (const { fate, definition } of row.definitions) {
    const counts = fate === "wins" || fate === "overridden" || fate === "too-early";
    if (counts && definition.value !== undefined) byValue.set(definition.value, definition);
  }
  return byValue.size > 1 ? [...byValue.values()] : [];
}
