/** What happened, newest first, in days. Pure. */
import type { HappeningsJson } from "../../src/server/api-schema.ts";
import { formatSetting, roughDuration } from "../words/figures.ts";
import { weekdayOf } from "../words/times.ts";

export interface Happening {
  atMs: number;
  kind: "incident" | "setting" | "note";
  title: string;
  detail: string;
  /** Of a note: what it is about. */
  about?: string;
  /** Of an incident. */
  id?: string;
  level?: "ok" | "warning" | "critical" | "unknown";
}

export function happeningsOf(
  { settingChanges, incidents, notes }: HappeningsJson,
  units: ReadonlyMap<string, string>,
): Happening[] {
  const changes = settingChanges.map(({ atMs, key, from, to, suspects }): Happening => {
    const say = (value: number | undefined): string =>
      value === undefined ? "not there" : formatSetting(value, units.get(key) ?? "");
    const detail = suspects.length === 0 ? "nothing points to who did it" : `clues: ${suspects.join("; ")}`;
    return { atMs, kind: "setting", title: `${key}: ${say(from)} → ${say(to)}`, detail };
  });
  const fired = incidents.map((incident): Happening => {
    const atMs = incident.firedAtMs ?? incident.sinceMs;
    const over =
      incident.resolvedAtMs === undefined
        ? "still firing"
        : `over after ${roughDuration((incident.resolvedAtMs - atMs) / 1000)}`;
    return {
      atMs,
      kind: "incident",
      title: incident.title,
      detail: over,
      id: incident.id,
      level: incident.level,
    };
  });
  const told = notes.map(({ atMs, kind, text }): Happening => ({
    atMs,
    kind: "note",
    title: text,
    detail: "",
    about: kind.replaceAll("-", " "),
  }));
  return [...changes, ...fired, ...told].toSorted((a, b) => b.atMs - a.atMs);
}

/** Rows by local day, in their order. */
export function daysOf(happenings: readonly Happening[]): { day: string; rows: Happening[] }[] {
  const days: { day: string; rows: Happening[] }[] = [];
  for (const row of happenings) {
    const day = weekdayOf(row.atMs);
    const last = days.at(-1);
    if (last?.day === day) last.rows.push(row);
    else days.push({ day, rows: [row] });
  }
  return days;
}
