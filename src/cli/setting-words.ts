/**
 * Settings on the command line: `KEY=VALUE`, by any name of the setting, with durations and numbers as people
 * write them. Text in, values out; whatever cannot be meant is a UsageError that says what would do.
 */
import { formatDuration, parseDuration } from "../table/duration.ts";
import { SETTING_KEYS, type SettingKey, settingKeyFor, settingOf } from "../table/settings.ts";
import { formatCount } from "./figures.ts";
import { UsageError } from "./usage-error.ts";

export { settingName } from "../table/settings.ts";

/** One setting that was asked for. */
export interface WantedSetting {
  key: SettingKey;
  value: number;
  /** As it was typed. */
  text: string;
}

/** Reads `KEY=VALUE` of an option. */
export function readWantedSetting(option: string, text: string): WantedSetting {
  const match = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(text);
  if (match === null) {
    throw new UsageError(
      `Cannot use \`${option} ${text}\`: wanted KEY=VALUE`,
      `As in ${option} nf_conntrack_tcp_timeout_established=12h`,
    );
  }
  const [, name = "", value = ""] = match;
  const key = readSettingKey(option, text, name);
  return { key, value: readSettingValue(option, text, key, value), text: text.trim() };
}

/**
 * The key, by any of its names; the tracker's prefix may be left out, and the bucket count may be called by
 * its module parameter.
 */
export function readSettingKey(option: string, text: string, name: string): SettingKey {
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
  // A name that was cut off is nearer than another of the same length.
  const begun = SETTING_KEYS.filter((key) => short.length > 3 && shortName(key).startsWith(short));
  const near = SETTING_KEYS.map((key) => ({ key, distance: editDistance(short, shortName(key)) }))
    .filter(({ key, distance }) => distance <= Math.max(2, shortName(key).length / 4))
    .toSorted((left, right) => left.distance - right.distance);
  const guess = begun.length === 1 ? begun[0] : near[0]?.key;
  return new UsageError(
    `Cannot use \`${option} ${text}\`: there is no setting ${name}`,
    guess === undefined ? "Settings have the names of sysctl -a | grep conntrack" : `Did you mean ${guess}?`,
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
export function readSettingValue(option: string, text: string, key: SettingKey, value: string): number {
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

/** `12h`, `65,536`. */
export function settingValueText(key: SettingKey, value: number): string {
  return settingOf(key).unit === "seconds" ? formatDuration(value) : formatCount(value);
}
