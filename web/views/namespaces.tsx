/** All network namespaces, the fullest first; one of them over time. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";

import type { NamespacesJson, SeriesJson } from "../../src/server/api-schema.ts";
import { type PlotSpec, Plot } from "../charts/plot.tsx";
import { greatest, roundUp } from "../charts/scale.ts";
import { historyOf } from "../charts/timeline.ts";
import { LevelIcon } from "../parts/icon.tsx";
import { Answered, Empty, Panel } from "../parts/panel.tsx";
import { status } from "../state/connection.ts";
import { goTo, linkTo, route } from "../state/route.ts";
import { useAnswer } from "../state/use-answer.ts";
import { countOf, formatCount, formatShare, shortCount } from "../words/figures.ts";
import { axisTimes } from "../words/times.ts";
import { NoNamespace } from "./namespace-strip.tsx";
import { fullestFirst, levelOfUse, type NamespaceRow, shareOf } from "./namespace-order.ts";

export function NamespacesView(): JSX.Element {
  const answer = useAnswer<NamespacesJson>("namespaces", { everyMs: 5000 });
  return (
    <div class="namespaces">
      <header class="view-head">
        <h1>Namespaces</h1>
        <p class="quiet">Each has a table of its own; the one limit holds for each of them.</p>
      </header>
      <Answered answer={answer} lines={8}>
        {({ namespaces }) => <All rows={fullestFirst(namespaces)} />}
      </Answered>
    </div>
  );
}

function All({ rows }: { rows: readonly NamespaceRow[] }): JSX.Element {
  const [find, setFind] = useState("");
  if (rows.length === 0) return <NoNamespace />;
  const needle = find.toLowerCase();
  const shown = rows.filter(({ label, name, owner }) =>
    `${label} ${name ?? ""} ${owner ?? ""}`.toLowerCase().includes(needle),
  );
  const sum = rows.reduce((total, { occupancyFlows }) => total + (occupancyFlows ?? 0), 0);
  const chosen = rows.find(({ label }) => label === route.value.rest);
  return (
    <>
      <p class="total">
        <b>{countOf(rows.length, "namespace")}</b>, {countOf(sum, "flow")} in all
      </p>
      {rows.length > 12 && (
        <input
          class="find"
          aria-label="Find a namespace"
          placeholder="find by name or owner"
          value={find}
          onInput={(event) => setFind(event.currentTarget.value)}
        />
      )}
      {chosen !== undefined && <OverTime row={chosen} />}
      <div class="scroller panel" tabIndex={0} role="region" aria-label="Namespaces, the fullest first">
        <table class="ns-table">
          <thead>
            <tr>
              <th scope="col">Namespace</th>
              <th scope="col">Owner</th>
              <th scope="col" class="number">
                In use
              </th>
              <th scope="col" class="number">
                Limit
              </th>
              <th scope="col">Share</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <NamespaceLine key={row.label} row={row} isChosen={row === chosen} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function NamespaceLine({ row, isChosen }: { row: NamespaceRow; isChosen: boolean }): JSX.Element {
  const share = shareOf(row);
  const level = levelOfUse(share);
  const isOwned = row.owner !== undefined && row.owner !== row.label;
  const kinds = [row.initial ? "the host" : "", row.watched ? "watched" : ""].filter((word) => word !== "");
  return (
    <tr class={isChosen ? "chosen" : ""}>
      <th scope="row">
        <a href={isChosen ? linkTo("namespaces") : linkTo("namespaces", {}, row.label)}>
          {row.name ?? row.label}
        </a>
        {kinds.length > 0 && <small> {kinds.join(", ")}</small>}
      </th>
      <td class={isOwned ? "ns-owner" : "ns-owner none"}>
        {isOwned ? row.owner : <span class="quiet">–</span>}
      </td>
      <td class="number" data-name="in use">
        {row.occupancyFlows === undefined ? "–" : formatCount(row.occupancyFlows)}
      </td>
      <td class="number" data-name="limit">
        {row.capacityFlows === undefined ? "–" : formatCount(row.capacityFlows)}
      </td>
      <td class="ns-share">
        <div class={`ns-use level-${level}`}>
          {share === undefined ? (
            <span class="quiet">{row.unseen ?? "not known"}</span>
          ) : (
            <>
              <span class="ns-track" aria-hidden="true">
                <span style={{ "--share": String(Math.min(1, share)) }} />
              </span>
              <b>{formatShare(share)}</b>
              {level !== "ok" && (
                <span class="ns-level">
                  <LevelIcon level={level} />
                  <span class="unseen">{level}</span>
                </span>
              )}
            </>
          )}
        </div>
      </td>
    </tr>
  );
}

const DAY_MS = 86_400_000;

function OverTime({ row }: { row: NamespaceRow }): JSX.Element {
  const now = Math.floor((status.value?.atMs ?? 0) / 60_000) * 60_000;
  const own = row.watched ? "" : `&namespace=${encodeURIComponent(row.label)}`;
  const answer = useAnswer<SeriesJson>(`series?from=${now - DAY_MS}&to=${now}&points=600${own}`);
  return (
    <Panel
      title={`${row.name ?? row.label}, the last day`}
      aside={
        <button type="button" class="button small" onClick={() => goTo(linkTo("namespaces"))}>
          Close
        </button>
      }
    >
      <Answered answer={answer} lines={3}>
        {(series) => {
          const spec = specOf(series);
          if (spec === undefined) return <Empty title="No history of this namespace yet" />;
          const most = greatest([spec.series[0]?.values ?? []]);
          return (
            <Plot spec={spec} summary={`Flows in use over the last day, at most ${formatCount(most)}`} />
          );
        }}
      </Answered>
    </Panel>
  );
}

function specOf(series: SeriesJson): PlotSpec | undefined {
  const past = historyOf(series, []);
  const use = past.avg("occupancyFlows");
  const capacity = past.avg("capacityFlows");
  const most = greatest([use]);
  if (use.every((value) => value === null)) return undefined;
  const limit = greatest([capacity]);
  const end = series.toMs / 1000;
  const first = use.findIndex((value) => value !== null);
  return {
    x: past.times,
    // A young one begins with what is known of it.
    xRange: [Math.min(past.times[Math.max(0, first)] ?? end, end - 120), end],
    yRange: [0, most < limit * 0.2 ? roundUp(Math.max(1, most * 1.15)) : limit * 1.08],
    xWords: axisTimes,
    yWords: shortCount,
    height: 160,
    series: [
      { label: "in use", values: use, colour: "--use", width: 2, fill: 0.16 },
      { label: "limit", values: capacity, colour: "--limit", dash: [2, 3], isStep: true },
    ],
  };
}
