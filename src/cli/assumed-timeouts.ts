/**
 * Timeouts to reckon with when a listing comes without the host it was taken from: those whose default has
 * been the same in every kernel. Where kernels differ nothing is assumed, and the idle age stays unknown.
 */
import { SETTING_KEYS, type SettingKey, settingOf, type Settings } from "../table/settings.ts";

/** The settings to reckon idle age with, and whether they had to be assumed. */
export function timeoutsOf(settings: Settings | undefined): { settings: Settings; assumed: boolean } {
  const known = Object.keys(settings ?? {}).some((key) => settingOf(key as SettingKey).unit === "seconds");
  return settings !== undefined && known
    ? { settings, assumed: false }
    : { settings: { ...assumedTimeouts(), ...settings }, assumed: true };
}

/** The one default of every timeout that has only ever had one. */
export function assumedTimeouts(): Settings {
  const settings: { -readonly [key in SettingKey]?: number } = {};
  for (const key of SETTING_KEYS) {
    const { unit, defaults = [], until } = settingOf(key);
    const [only] = defaults;
    if (unit === "seconds" && until === undefined && only !== undefined && defaults.length === 1) {
      settings[key] = only.value;
    }
  }
  return settings;
}
