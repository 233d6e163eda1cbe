/**
 * Settings as they are: from the files of /proc/sys and /sys, or from what `sysctl -a` printed on a host that
 * is not here. Which names there are, and which belong together, is the registry's business
 * (table/settings.ts).
 */
import type { SettingsReading } from "../table/host.ts";
import {
  SETTING_KEYS,
  type SettingKey,
  settingKeyFor,
  settingOf,
  sysctlNames,
  sysctlPath,
} from "../table/settings.ts";
import { KernelError } from "./error.ts";
import type { Files } from "./files.ts";

/**
 * A value as found: the sysctl name (or the file of a module parameter), its text, and where it was found.
 */
export interface FoundValue {
  name: string;
  text: string;
  origin: string;
}

/** Names of the tracker; the rest of /proc/sys is none of our business. */
const trackerName = /(?:^|[./])(?:nf_conntrack|ip_conntrack|nf_flowtable)(?:_|$)/;
const LINE_MAX_CHARACTERS = 4096;
const FOUND_MAX_CHARACTERS = 60;
/** Unknown names kept: a kernel has some fifty in all. */
const NAMES_MAX = 1000;

/**
 * The tracker's lines of what `sysctl -a` printed (`name = value`, also `name=value`, `name: value` and names
 * with slashes). Complaints of sysctl(8) between them are no such lines. Of a name given twice the last value
 * stands.
 */
export function parseSysctlListing(text: string, origin: string): readonly FoundValue[] {
  const found = new Map<string, FoundValue>();
  for (let from = 0; from < text.length && found.size < NAMES_MAX;) {
    const newline = text.indexOf("\n", from);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(from, Math.min(end, from + LINE_MAX_CHARACTERS));
    from = end + 1;
    const match = /^\s*([\w./-]+)\s*[=:]\s?(.*?)\s*$/.exec(line);
    const [, written = "", value = ""] = match ?? [];
    const name = written.includes("/") ? written.replace(/^\/proc\/sys\//, "").replaceAll("/", ".") : written;
    if (!trackerName.test(name)) continue;
    found.delete(name);
    found.set(name, { name, text: value, origin });
  }
  return [...found.values()];
}

/**
 * Sorts what was found into settings. Where several names of one variable were found, the first of the
 * registry wins: modern before alias before legacy.
 */
export function settingsFrom(found: Iterable<FoundValue>): SettingsReading {
  const byKey = new Map<SettingKey, { rank: number; value: number; origin: string }>();
  const unknownKeys: string[] = [];
  const unreadable: { name: string; found: string }[] = [];
  for (const { name, text, origin } of found) {
    const key = settingKeyFor(name);
    if (key === undefined) {
      unknownKeys.push(name);
      continue;
    }
    const value = wholeNumber(text);
    if (value === undefined) {
      unreadable.push({ name, found: text.slice(0, FOUND_MAX_CHARACTERS) });
      continue;
    }
    const rank = sysctlNames(settingOf(key)).indexOf(name);
    const known = byKey.get(key);
    if (known === undefined || rank < known.rank) byKey.set(key, { rank, value, origin });
  }
  const values: { [key in SettingKey]?: number } = {};
  const origins: { [key in SettingKey]?: string } = {};
  for (const key of SETTING_KEYS) {
    const row = byKey.get(key);
    if (row === undefined) continue;
    values[key] = row.value;
    origins[key] = row.origin;
  }
  return { values, origins, unknownKeys, unreadable };
}

/** A decimal integer that a number holds exactly; the kernel prints a timeout somebody set to -1 as -1. */
function wholeNumber(text: string): number | undefined {
  if (!/^-?\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Directories of /proc/sys where trackers keep settings, and the names there that are theirs. */
const sysctlDirectories = ["/proc/sys/net/netfilter", "/proc/sys/net/ipv4/netfilter"];
/** Two settings live among others. */
const loneFiles = ["/proc/sys/net/nf_conntrack_max", "/proc/sys/net/ipv4/ip_conntrack_max"];

/** A file that shows a setting. */
export interface SettingFile {
  path: string;
  /** As in FoundValue. */
  name: string;
  /** A module parameter, whose figure another setting shows as well. */
  isParameter: boolean;
}

/** Where settings may be: all sysctl names of the tracker there are, the rest whether it is there or not. */
export function settingFiles(files: Files): readonly SettingFile[] {
  const paths = sysctlDirectories.flatMap((directory) => {
    const names = files.list(directory).filter((name) => trackerName.test(name));
    return names.map((name) => `${directory}/${name}`);
  });
  const sysctls = [...paths, ...loneFiles].map((path) => ({
    path,
    name: path.slice("/proc/sys/".length).replaceAll("/", "."),
    isParameter: false,
  }));
  return [...sysctls, ...PARAMETER_PATHS.map((path) => ({ path, name: path, isParameter: true }))];
}

/**
 * Reads every setting there is under /proc/sys and /sys. A file that may not be read is reported through
 * `refused`, except a module parameter.
 */
export function readSettings(files: Files, refused: (error: KernelError) => void): readonly FoundValue[] {
  const found: FoundValue[] = [];
  for (const { path, name, isParameter } of settingFiles(files)) {
    const text = textOf(files, path, isParameter ? () => {} : refused);
    if (text !== undefined) found.push({ name, text, origin: files.named(path) });
  }
  return found;
}

const PARAMETER_PATHS: readonly string[] = SETTING_KEYS.flatMap((key) => {
  const parameter = settingOf(key).moduleParameter;
  if (parameter === undefined) return [];
  return parameter.legacyPath === undefined ? [parameter.path] : [parameter.path, parameter.legacyPath];
});

function textOf(files: Files, path: string, refused: (error: KernelError) => void): string | undefined {
  try {
    return files.textIfThere(path)?.trim();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    refused(error);
    return undefined;
  }
}

/** One setting by its key, modern name first: for a namespace whose other settings do not matter. */
export function readSetting(files: Files, key: SettingKey): number | undefined {
  for (const name of sysctlNames(settingOf(key))) {
    const text = files.textOrNothing(sysctlPath(name));
    if (text !== undefined) return wholeNumber(text.trim());
  }
  return undefined;
}
