/**
 * Settings on the command line of `headroom replay`: `KEY=VALUE`, `KEY=VALUE@TIME`, and lists of them to
 * compare. Text in, values out; whatever cannot be meant is a UsageError that says what would do.
 */
import { formatDuration, parseDuration } from "../table/duration.ts";
import {
  SETTING_KEYS,
  type SettingKey,
  settingKeyFor,
  settingOf,
  type Settings,
  sysctlNames,
} from "../table/settings.ts";
import { formatCount } from "./figures.ts";
import { UsageError } from "./usage-error.ts";

/** An instant of a capture: so long after its first packet, or by the clock. */
export type CaptureInstant = { afterSeconds: number } | { epochSeconds: number };

/** One setting, from the beginning or from an instant on. */
export interface SettingChange {
  key: SettingKey;
  value: number;
  /** As it was typed. */
  text: string;
  /** Absent: from the beginning. */
  at?: CaptureInstant;
}

/** One way to run a capture, of several that are compared. */
export interface Scenario {
  /** As it was typed. */
  label: string;
  changes: readonly SettingChange[];
}

/** Reads `KEY=VALUE` or `KEY=VALUE@TIME` of an option. */
export function readSettingChange(option: string, text: string): SettingChange {
  const match = /^\s*([^=\s]+)\s*=\s*([^@\s]*)(?:@(\S*))?\s*$/.exec(text);
  if (match === null) {
    throw new UsageError(
      `Cannot use \`${option} ${text}\`: wanted KEY=VALUE`,
      `As in ${option} nf_conntrack_max=65536, or KEY=VALUE@+30s to change it in mid-run`,
    );
  }
  const [, name = "", value = "", instant] = match;
  const key = readKey(option, text, name);
  const change: SettingChange = { key, value: readValue(option, text, key, value), text: text.trim() };
  return instant === undefined ? change : { ...change, at: readInstant(option, text, instant) };
}

/** Reads a list as `nf_conntrack_max=65536 nf_conntrack_tcp_timeout_established=12h`; commas do as well. */
export function readScenario(option: string, text: string): Scenario {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  return { label: words.join(" "), changes: words.map((word) => readSettingChange(option, word)) };
}

/**
 * The key, by any of its names; the tracker's prefix may be left out, and the bucket count may be called by
 * its module parameter.
 */
function readKey(option: string, text: string, name: string): SettingKey {
  const key = settingKeyFor(name) ?? settingKeyFor(`nf_conntrack_${name}`);
  if (key === undefined) throw unknownKey(option, text, name);
  if (key === "hashsize") return "nf_conntrack_buckets";
  if (settingOf(key).readOnly === true) {
    throw new UsageError(`Cannot use \`${option} ${text}\`: ${name} is read-only`);
  }
  return key;
}

function unknownKey(option: string, text: string, name: string): UsageError {
  const short = shortName(name);
  const near = SETTING_KEYS.map((key) => ({ key, distance: editDistance(short, shortName(key)) }))
    .filter(({ key, distance }) => distance <= Math.max(2, shortName(key).length / 4))
    .toSorted((left, right) => left.distance - right.distance)
    .slice(0, 1)
    .map(({ key }) => `Did you mean ${key}?`);
  return new UsageError(
    `Cannot use \`${option} ${text}\`: there is no setting ${name}`,
    near[0] ?? "Settings have the names of sysctl -a | grep conntrack",
  );
}

function shortName(name: string): string {
  return name.replace(/^.*[./]/, "").replace(/^(nf|ip)_conntrack_/, "");
}

/** Letters to change, add or remove to make one word of the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let at = 1; at <= from.length; at += 1) {
    const next = [at];
    for (let other = 1; other <= to.length; other += 1) {
      const same = from[at - 1] === to[other - 1] ? 0 : 1;
      const replaced = (row[other - 1] ?? 0) + same;
      next.push(Math.min(replaced, (row[other] ?? 0) + 1, (next[other - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

const factors: Readonly<Record<string, number>> = { "": 1, k: 1000, K: 1000, M: 1_000_000 };

/** Seconds are read both ways (`12h`, `43200`), numbers with `k` and `M`. */
function readValue(option: string, text: string, key: SettingKey, value: string): number {
  const { unit, min, max } = settingOf(key);
  const number = unit === "seconds" ? parseDuration(value) : numberOf(value);
  if (number === undefined) {
    const wanted = unit === "seconds" ? "seconds or a duration such as 12h" : "a whole number";
    throw new UsageError(`Cannot use \`${option} ${text}\`: ${key} wants ${wanted}`);
  }
  if (number < min || number > max) {
    const limits = `${formatCount(min)} to ${unit === "seconds" ? formatDuration(max) : formatCount(max)}`;
    throw new UsageError(`Cannot use \`${option} ${text}\`: ${key} takes ${limits}`);
  }
  return number;
}

function numberOf(text: string): number | undefined {
  const match = /^(\d+)([kKM]?)$/.exec(text.replaceAll("_", ""));
  if (match === null) return undefined;
  return Number(match[1]) * (factors[match[2] ?? ""] ?? 1);
}

/** `+30s` after the first packet, or epoch seconds. */
function readInstant(option: string, text: string, instant: string): CaptureInstant {
  const found = instantOf(instant);
  if (found !== undefined) return found;
  throw new UsageError(
    `Cannot use \`${option} ${text}\`: wanted a time behind @`,
    "+30s is after the first packet, 1700000000 is seconds since 1970",
  );
}

function instantOf(text: string): CaptureInstant | undefined {
  const number = /^\+?(\d+(?:\.\d+)?)s?$/.exec(text)?.[1];
  if (text.startsWith("+")) {
    const afterSeconds = number === undefined ? parseDuration(text.slice(1)) : Number(number);
    return afterSeconds === undefined ? undefined : { afterSeconds };
  }
  return number === undefined || text.endsWith("s") ? undefined : { epochSeconds: Number(number) };
}

/** The instant up to which the clock shall run: epoch seconds, or `+10m` after the last packet. */
export function readUntil(option: string, text: string): CaptureInstant {
  const found = instantOf(text);
  if (found !== undefined) return found;
  throw new UsageError(
    `Cannot use \`${option} ${text}\`: wanted seconds since 1970, such as 1700000000`,
    "+10m is ten minutes after the last packet",
  );
}

/** The instant as epoch milliseconds, for a capture whose packet of reference was at `ofMs`. */
export function instantMs(instant: CaptureInstant, ofMs: number): number {
  return "epochSeconds" in instant ? instant.epochSeconds * 1000 : ofMs + instant.afterSeconds * 1000;
}

/** Settings from the beginning, later ones over earlier ones. */
export function settingsAtStart(base: Settings, changes: readonly SettingChange[]): Settings {
  const given = changes.filter(({ at }) => at === undefined).map(({ key, value }) => [key, value] as const);
  return { ...base, ...Object.fromEntries(given) };
}

/** The name people know a setting by: its sysctl file, without the path. */
export function settingName(key: SettingKey): string {
  const [name = key] = sysctlNames(settingOf(key));
  return name.replace(/^.*\./, "");
}

/** `12h`, `65,536`. */
export function settingValueText(key: SettingKey, value: number): string {
  return settingOf(key).unit === "seconds" ? formatDuration(value) : formatCount(value);
}
