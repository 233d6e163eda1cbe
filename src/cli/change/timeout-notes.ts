/** What a shorter timeout does to connections, in one line each. Pure. */
import { floorsCrossed } from "../../plan/plan.ts";
import { type SettingKey, settingOf, type Settings } from "../../table/settings.ts";

/** Sentences about timeouts that go below what the RFCs ask for, or to nothing. */
export function timeoutNotes(now: Settings, wanted: Settings): readonly string[] {
  const keys = Object.keys(wanted) as SettingKey[];
  const ending = keys.filter(
    (key) => wanted[key] === 0 && now[key] !== 0 && settingOf(key).unit === "seconds",
  );
  const crossed = floorsCrossed(now, wanted).filter(({ key }) => !ending.includes(key));
  return [...ending.map((key) => `With ${key} = 0 flows end at once`), ...crossed.map(({ why }) => why)];
}
