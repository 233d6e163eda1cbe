/** What happened, day by day: settings that changed, incidents, notes; and one incident in full. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";

import type { HappeningsJson, IncidentJson, SettingsJson } from "../../src/server/api-schema.ts";
import { Icon, LevelIcon } from "../parts/icon.tsx";
import { Judgement } from "../parts/judgement.tsx";
import { Answered, Empty } from "../parts/panel.tsx";
import type { CensusFigures } from "../state/census-shape.ts";
import { news, nowMs, status } from "../state/connection.ts";
import { linkTo, route } from "../state/route.ts";
import { useAnswer } from "../state/use-answer.ts";
import { countOf, roughDuration } from "../words/figures.ts";
import { clockTime, pointInTime, zoneAt } from "../words/times.ts";
import { CensusPanels } from "./census-panels.tsx";
import { countedHow } from "./census-rows.ts";
import { daysOf, type Happening, happeningsOf } from "./happenings.ts";

export function HistoryView(): JSX.Element {
  const { rest } = route.value;
  return rest === "" ? <Happenings /> : <OneIncident id={rest} />;
}

const DAYS = [
  [1, "1 day"],
  [7, "7 days"],
  [30, "30 days"],
] as const;

const KINDS = [
  ["incident", "Incidents"],
  ["setting", "Settings"],
  ["note", "Notes"],
] as const;

function Happenings(): JSX.Element {
  const [days, setDays] = useState(7);
  const [hidden, setHidden] = useState<readonly Happening["kind"][]>([]);
  const now = Math.ceil((status.value?.atMs ?? Date.now()) / 60_000) * 60_000;
  const path = `happenings?from=${now - days * 86_400_000}&to=${now}`;
  const answer = useAnswer<HappeningsJson>(path, { version: news.value });
  const settings = useAnswer<SettingsJson>("settings");
  const toggle = (kind: Happening["kind"]): void =>
    setHidden(hidden.includes(kind) ? hidden.filter((other) => other !== kind) : [...hidden, kind]);
  return (
    <div class="history">
      <header class="view-head">
        <h1>History</h1>
        <div class="segmented" role="group" aria-label="Shown">
          {KINDS.map(([kind, words]) => (
            <button
              key={kind}
              type="button"
              aria-pressed={!hidden.includes(kind)}
              onClick={() => toggle(kind)}
            >
              {words}
            </button>
          ))}
        </div>
        <div class="segmented" role="group" aria-label="Time shown">
          {DAYS.map(([count, words]) => (
            <button key={count} type="button" aria-pressed={days === count} onClick={() => setDays(count)}>
              {words}
            </button>
          ))}
        </div>
        <span class="quiet">times in {zoneAt(now)}</span>
      </header>
      <Answered answer={answer} lines={10}>
        {(data) => {
          const units = new Map((settings.data?.settings ?? []).map(({ key, unit }) => [key, unit]));
          const all = happeningsOf(data, units).filter(({ kind }) => !hidden.includes(kind));
          return <Days happenings={all} />;
        }}
      </Answered>
    </div>
  );
}

function Days({ happenings }: { happenings: readonly Happening[] }): JSX.Element {
  if (happenings.length === 0) {
    return (
      <Empty title="Nothing happened in this time">
        A setting that changes, an alert that fires and a gap in the watching would stand here.
      </Empty>
    );
  }
  return (
    <>
      {daysOf(happenings).map(({ day, rows }) => (
        <section key={day} class="day" aria-label={day}>
          <h2>{day}</h2>
          <ol class="happenings panel">
            {rows.map((row, index) => (
              <li key={`${row.atMs} ${index}`} class={`happening ${row.kind}`}>
                <HappeningLine row={row} />
              </li>
            ))}
          </ol>
        </section>
      ))}
    </>
  );
}

function HappeningLine({ row }: { row: Happening }): JSX.Element {
  return (
    <>
      <time dateTime={new Date(row.atMs).toISOString()}>{clockTime(row.atMs)}</time>
      <span class="happening-kind">
        {row.kind === "incident" && <LevelIcon level={row.level ?? "unknown"} />}
        {row.about ?? row.kind}
      </span>
      <span class="happening-words">
        {row.id === undefined ? <b>{row.title}</b> : <a href={linkTo("history", {}, row.id)}>{row.title}</a>}
        {row.detail !== "" && <span class="quiet">{row.detail}</span>}
      </span>
    </>
  );
}

function OneIncident({ id }: { id: string }): JSX.Element {
  const answer = useAnswer<IncidentJson>(`incidents/${encodeURIComponent(id)}`, { version: news.value });
  return (
    <div class="incident">
      <p>
        <a class="back" href={linkTo("history")}>
          <Icon name="back" /> History
        </a>
      </p>
      <Answered answer={answer} lines={10}>
        {({ incident, census }) => {
          const at = incident.firedAtMs ?? incident.sinceMs;
          const figures = census?.census as unknown as CensusFigures | undefined;
          const from = at - 1_800_000;
          const to = (incident.resolvedAtMs ?? at) + 1_800_000;
          return (
            <>
              <header class="view-head">
                <h1>{incident.title}</h1>
                <p class="quiet">
                  {pointInTime(at, nowMs.value)}
                  {incident.resolvedAtMs === undefined
                    ? ", still firing"
                    : `, over after ${roughDuration((incident.resolvedAtMs - at) / 1000)}`}
                  {incident.subject !== undefined && `, ${incident.subject}`}
                </p>
                <a
                  class="button"
                  href={linkTo("overview", { from, to: Math.min(to, status.value?.atMs ?? to) })}
                >
                  See it over time
                </a>
              </header>
              <section class="panel" aria-label="The alert">
                <Judgement judged={incident} nowMs={nowMs.value} isOpen />
              </section>
              {figures === undefined ? (
                <Empty title="No census of that moment">Flows could not be read then.</Empty>
              ) : (
                <>
                  <h2 class="section">
                    What filled the table at that moment <small>{countOf(figures.flows, "flow")}</small>
                  </h2>
                  <p class="quiet counted-how">
                    Counted {census === undefined ? "" : `${clockTime(census.atMs)}, `}
                    {countedHow(figures)}.
                  </p>
                  <CensusPanels census={figures} />
                </>
              )}
            </>
          );
        }}
      </Answered>
    </div>
  );
}
