/**
 * Settings from one second to the next: which have another value, and which of those are worth telling.
 */
import type { SettingsReading } from "../table/host.ts";
import { SETTING_KEYS, type SettingKey, settingOf, type Settings } from "../table/settings.ts";

export interface ValueChange {
  key: SettingKey;
  /** Absent: it was not there before, or is not any more. */
  from?: number;
  to?: number;
}

/** Of the settings there were: when more than this go at once, they cannot be seen; nobody removed them. */
const HIDDEN_SHARE = 0.5;

export class SettingWatch {
  #last: Settings | undefined;
  #version: number | undefined;

  /** What changed since the last reading that was worth comparing; nothing at the first. */
  changes(reading: SettingsReading, version: number): readonly ValueChange[] {
    if (version === this.#version) return [];
    this.#version = version;
    const before = this.#last;
    const { values } = reading;
    if (before === undefined) {
      if (watchedKeys(values).length > 0) this.#last = values;
      return [];
    }
    const were = watchedKeys(before);
    const gone = were.filter((key) => values[key] === undefined);
    if (gone.length > were.length * HIDDEN_SHARE) return [];
    this.#last = values;
    return changesBetween(before, values);
  }
}

/** Settings that differ, in the order of the registry. */
export function changesBetween(before: Settings, after: Settings): readonly ValueChange[] {
  return SETTING_KEYS.filter((key) => isWatched(key) && before[key] !== after[key])
    .filter((key) => !isTwin(key, before, after))
    .map((key) => {
      const [from, to] = [before[key], after[key]];
      return { key, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
    });
}

function watchedKeys(values: Settings): SettingKey[] {
  return SETTING_KEYS.filter((key) => isWatched(key) && values[key] !== undefined);
}

/**
 * The count of flows is read like a setting and is none; the number of buckets is one on kernels since 4.7.
 */
function isWatched(key: SettingKey): boolean {
  return key === "nf_conntrack_buckets" || settingOf(key).readOnly !== true;
}

/** The module's parameter tells the number of buckets a second time. */
function isTwin(key: SettingKey, before: Settings, after: Settings): boolean {
  if (key !== "hashsize") return false;
  const { nf_conntrack_buckets: from } = before;
  const { nf_conntrack_buckets: to } = after;
  return from !== to && to === after.hashsize;
}
