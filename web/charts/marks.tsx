/** What happened, in line with the drawings: one sign each, and who and what when it is pointed at. */
import type { JSX } from "preact";
import { useRef } from "preact/hooks";

import type { HappeningsJson, SettingsJson } from "../../src/server/api-schema.ts";
import { formatSetting } from "../words/figures.ts";
import { pointInTime } from "../words/times.ts";
import { groupMarks } from "./scale.ts";

export interface Mark {
  atMs: number;
  kind: "setting" | "incident" | "note";
  title: string;
  detail: string;
  href?: string;
}

/** Notes that are worth a sign beside drops and settings. */
const TOLD_NOTES = new Set(["started", "gap", "clock-jump", "events-lost", "sight-lost", "sight-regained"]);

/** Happenings as marks, oldest first. */
export function marksOf(
  { settingChanges, incidents, notes }: HappeningsJson,
  units: ReadonlyMap<string, SettingsJson["settings"][number]>,
  linkOf: (id: string) => string,
): Mark[] {
  const changes = settingChanges.map(({ atMs, key, from, to, suspects }): Mark => {
    const unit = units.get(key)?.unit ?? "";
    const say = (value: number | undefined): string =>
      value === undefined ? "not there" : formatSetting(value, unit);
    const who = suspects.length === 0 ? "nothing points to anybody" : `clues: ${suspects.join("; ")}`;
    return { atMs, kind: "setting", title: `${key}: ${say(from)} → ${say(to)}`, detail: who };
  });
  const fired = incidents.map((incident): Mark => ({
    atMs: incident.firedAtMs ?? incident.sinceMs,
    kind: "incident",
    title: incident.title,
    detail: incident.resolvedAtMs === undefined ? "still firing" : "resolved since",
    href: linkOf(incident.id),
  }));
  const told = notes
    .filter(({ kind }) => TOLD_NOTES.has(kind))
    .map(({ atMs, kind, text }): Mark => ({
      atMs,
      kind: "note",
      title: text,
      detail: kind.replaceAll("-", " "),
    }));
  return [...changes, ...fired, ...told].toSorted((a, b) => a.atMs - b.atMs);
}

export const MARK_COLOURS = {
  setting: "--mark-setting",
  incident: "--mark-incident",
  note: "--mark-note",
} as const;

const KINDS = { setting: "Setting changed", incident: "Incident", note: "Note" } as const;
const SIGNS = { setting: "◆", incident: "▲", note: "●" } as const;

interface LaneProps {
  marks: readonly Mark[];
  fromMs: number;
  endMs: number;
  nowMs: number;
}

/** Room that a sign needs, and the width of a lane that was not drawn yet. */
const SIGN_PIXELS = 28;
const USUAL_PIXELS = 800;

/** A lane as wide as the drawings above and below it. */
export function MarksLane({ marks, fromMs, endMs, nowMs }: LaneProps): JSX.Element {
  const inside = marks
    .filter(({ atMs }) => atMs >= fromMs && atMs <= endMs)
    .map((mark) => ({ ...mark, share: (mark.atMs - fromMs) / (endMs - fromMs) }));
  const lane = useRef<HTMLDivElement>(null);
  const groups = groupMarks(inside, SIGN_PIXELS / (lane.current?.clientWidth ?? USUAL_PIXELS));
  return (
    <div class="lane" ref={lane}>
      <ul aria-label="What happened in this time">
        {groups.map((group) => (
          <MarkSign key={group[0]?.atMs} group={group} nowMs={nowMs} />
        ))}
      </ul>
      {groups.length === 0 && <p class="lane-empty">no setting changed, no incident</p>}
    </div>
  );
}

type Placed = Mark & { share: number };

function MarkSign({ group, nowMs }: { group: readonly Placed[]; nowMs: number }): JSX.Element | null {
  const [first] = group;
  if (first === undefined) return null;
  const worst = group.find(({ kind }) => kind === "incident") ?? group.find(({ kind }) => kind === "setting");
  const { kind } = worst ?? first;
  let side = "middle";
  if (first.share > 0.75) side = "end";
  if (first.share < 0.25) side = "start";
  const words = group.map(
    (mark) => `${KINDS[mark.kind]}, ${pointInTime(mark.atMs, nowMs)}: ${mark.title}, ${mark.detail}`,
  );
  const href = group.find((mark) => mark.href !== undefined)?.href ?? "#/history";
  return (
    <li style={{ "--at": String(first.share) }}>
      <a class={`mark-sign ${kind}`} href={href}>
        <span class="unseen">{words.join(". ")}</span>
        <span aria-hidden="true">{SIGNS[kind]}</span>
        {group.length > 1 && <sup aria-hidden="true">{group.length}</sup>}
      </a>
      <div class={`mark-words ${side}`} aria-hidden="true">
        {group.slice(0, 6).map((mark) => (
          <p key={`${mark.atMs} ${mark.title}`}>
            <b>{mark.title}</b>
            <span>
              {pointInTime(mark.atMs, nowMs)} · {mark.detail}
            </span>
          </p>
        ))}
        {group.length > 6 && <p>and {group.length - 6} more</p>}
      </div>
    </li>
  );
}
