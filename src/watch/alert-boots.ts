/**
 * Settings across boots: which values somebody chose are gone since the last one. Judged once for each boot,
 * when it has had time to set them; an alert of it stays until the value is back, the change was taken back,
 * or somebody has chosen another value.
 */
import type { SettingKey, Settings } from "../table/settings.ts";
import type { LostSetting } from "./alert-condition.ts";
import type { SettingChange } from "./history.ts";

/** What sets values at a boot is done by then. */
const BOOT_SETTLED_MS = 120_000;
/** Two boots are told apart by when they began, which is known to some seconds. */
const SAME_BOOT_MS = 60_000;

/** A value that a change of `headroom apply` set so that it stays, and that was not taken back. */
export interface AppliedSetting {
  key: SettingKey;
  value: number;
  changeId: string;
  atMs: number;
}

export interface BootsState {
  /** The boot that was judged last; absent before the first. */
  bootAtMs?: number;
  /** What was in force when it was looked at last. */
  values: Settings;
  lost: readonly LostSetting[];
}

/** What is known of this second. */
export interface BootFacts {
  nowMs: number;
  /** Absent where it is not known when the host was booted. */
  bootAtMs?: number;
  values: Settings;
  changes: readonly SettingChange[];
  applied: readonly AppliedSetting[];
}

export class SettingsAcrossBoots {
  #state: BootsState;

  constructor(state: BootsState = { values: {}, lost: [] }) {
    this.#state = state;
  }

  get state(): BootsState {
    return this.#state;
  }

  /** Looks at this second; returns whether there is something new to keep. */
  observe(facts: BootFacts): boolean {
    const { bootAtMs, nowMs, values } = facts;
    if (bootAtMs === undefined || nowMs - bootAtMs < BOOT_SETTLED_MS) return false;
    if (Object.keys(values).length === 0) return false;
    const before = this.#state;
    const sameBoot = before.bootAtMs !== undefined && Math.abs(bootAtMs - before.bootAtMs) <= SAME_BOOT_MS;
    const lost = sameBoot
      ? before.lost.filter((each) => isStillLost(each, facts))
      : lostAtBoot(before, facts);
    const isNew =
      !sameBoot || lost.length !== before.lost.length || !haveSameValues(before.values, withoutCount(values));
    if (!isNew) return false;
    this.#state = {
      bootAtMs: sameBoot ? (before.bootAtMs ?? bootAtMs) : bootAtMs,
      values: withoutCount(values),
      lost,
    };
    return true;
  }
}

function lostAtBoot(before: BootsState, facts: BootFacts): readonly LostSetting[] {
  const { nowMs, bootAtMs = 0, values, applied } = facts;
  const wanted = new Map<SettingKey, Omit<LostSetting, "atMs">>();
  for (const [name, value] of Object.entries(before.values)) {
    const key = name as SettingKey;
    wanted.set(key, { key, wanted: value });
  }
  // The newest change has the last word.
  for (const { key, value, changeId, atMs } of applied.toSorted((one, two) => one.atMs - two.atMs)) {
    if (atMs < bootAtMs) wanted.set(key, { key, wanted: value, changeId });
  }
  // The module's parameter is the same variable as the sysctl of the buckets.
  if (wanted.has("nf_conntrack_buckets")) wanted.delete("hashsize");
  return [...wanted.values()]
    .filter(({ key, wanted: value }) => values[key] !== undefined && values[key] !== value)
    .map((each) => ({ ...each, atMs: nowMs }));
}

function isStillLost(lost: LostSetting, { values, changes, applied }: BootFacts): boolean {
  if (values[lost.key] === lost.wanted) return false;
  if (changes.some(({ key, atMs }) => key === lost.key && atMs > lost.atMs)) return false;
  return lost.changeId === undefined || applied.some(({ changeId }) => changeId === lost.changeId);
}

/** The count of flows is among the settings of the kernel, and is none. */
function withoutCount(values: Settings): Settings {
  const { nf_conntrack_count: _count, ...settings } = values;
  return settings;
}

function haveSameValues(one: Settings, two: Settings): boolean {
  const keys = Object.keys(one) as SettingKey[];
  return keys.length === Object.keys(two).length && keys.every((key) => one[key] === two[key]);
}
