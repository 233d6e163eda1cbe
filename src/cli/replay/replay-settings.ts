/**
 * Settings on the command line of `headroom replay`: `KEY=VALUE`, `KEY=VALUE@TIME`, and lists of them to
 * compare. Text in, values out; whatever cannot be meant is a UsageError that says what would do.
 */
import { parseDuration } from "../../table/duration.ts";
import type { SettingKey, Settings } from "../../table/settings.ts";
import { readSettingKey, readSettingValue } from "../setting-words.ts";
import { UsageError } from "../usage-error.ts";

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
  const key = readSettingKey(option, text, name);
  const change: SettingChange = { key, value: readSettingValue(option, text, key, value), text: text.trim() };
  return instant === undefined ? change : { ...change, at: readInstant(option, text, instant) };
}

/** Reads a list as `nf_conntrack_max=65536 nf_conntrack_tcp_timeout_established=12h`; commas do as well. */
export function readScenario(option: string, text: string): Scenario {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  return { label: words.join(" "), changes: words.map((word) => readSettingChange(option, word)) };
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
