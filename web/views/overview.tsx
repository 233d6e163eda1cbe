/** How it stands: in words, as a figure, over time, and what to do. */
import { Fragment, type JSX } from "preact";

import type { CensusJson, NamespacesJson, StatusJson } from "../../src/server/api-schema.ts";
import { LevelIcon } from "../parts/icon.tsx";
import { Judgement } from "../parts/judgement.tsx";
import { Answered, Empty, Failure, Panel, Skeleton } from "../parts/panel.tsx";
import { partsOf, UseBar } from "../parts/use-bar.tsx";
import { censusNews, connection, nowMs, status, statusProblem } from "../state/connection.ts";
import type { CensusFigures } from "../state/census-shape.ts";
import { linkTo } from "../state/route.ts";
import { useAnswer } from "../state/use-answer.ts";
import { nameWords } from "../words/evidence.ts";
import { formatBytes, formatCount, formatRate, formatShare, roughDuration } from "../words/figures.ts";
import {
  attentionOf,
  headlineOf,
  LEVEL_WORDS,
  methodWords,
  ownLevelOf,
  timeToFull,
} from "../words/outlook.ts";
import { NamespaceStrip } from "./namespace-strip.tsx";
import { TimelinePanel } from "./timeline-panel.tsx";

export function OverviewView(): JSX.Element {
  const known = status.value;
  if (known === undefined) {
    if (statusProblem.value !== undefined) return <Failure error={statusProblem.value} />;
    return connection.value.kind === "gone" ? <NobodyYet /> : <OverviewSkeleton />;
  }
  return (
    <div class="overview">
      <Standing known={known} />
      <div class="rail">
        <Attention known={known} />
        <Watching known={known} />
      </div>
      <TimelinePanel />
      <div class="below">
        <Namespaces />
        <Arrivals events={known.events} />
      </div>
    </div>
  );
}

function NobodyYet(): JSX.Element {
  return (
    <Empty title="Nothing was heard from Headroom yet">
      Is <code>headroom serve</code> running on that host? This page fills in by itself as soon as it answers.
    </Empty>
  );
}

function OverviewSkeleton(): JSX.Element {
  return (
    <div class="overview">
      <section class="standing panel" aria-label="How it stands">
        <Skeleton lines={4} />
      </section>
      <section class="panel attention" aria-label="What needs attention">
        <Skeleton lines={6} />
      </section>
      <section class="panel timeline" aria-label="Use over time">
        <Skeleton lines={1} tall />
      </section>
    </div>
  );
}

function Standing({ known }: { known: StatusJson }): JSX.Element {
  const { occupancyFlows, capacityFlows, useShare, level } = known;
  const { title, here } = headlineOf(known);
  const limit = capacityFlows === undefined ? "?" : formatCount(capacityFlows);
  const census = useAnswer<CensusJson>("census", { version: censusNews.value });
  const figures = census.data?.census as CensusFigures | undefined;
  const parts = partsOf(figures?.byState ?? [], figures?.byProtocol ?? [], occupancyFlows ?? 0);
  return (
    <section class={`standing panel level-${level}`} aria-label="How it stands">
      <div class="standing-words">
        <p class="standing-level">
          <LevelIcon level={level} />
          {LEVEL_WORDS[level]}
          <span class="standing-host">
            {known.host.hostname}
            {known.host.namespace !== undefined && ` · namespace ${known.host.namespace}`}
          </span>
        </p>
        <h1>{title}</h1>
        {here !== undefined && <p class="quiet">{here}</p>}
      </div>
      <dl class={`figures level-${ownLevelOf(known)}`}>
        <BigFigure
          name="In use"
          figure={useShare === undefined ? "–" : formatShare(useShare)}
          detail={
            occupancyFlows === undefined
              ? "the count could not be read"
              : `${formatCount(occupancyFlows)} of ${limit} flows`
          }
          isGreat
        />
        <BigFigure
          name="Headroom"
          figure={
            occupancyFlows === undefined || capacityFlows === undefined
              ? "–"
              : formatCount(Math.max(0, capacityFlows - occupancyFlows))
          }
          detail="flows until it is full"
        />
        <TimeToFullFigure known={known} />
        <BigFigure
          name="Memory"
          figure={known.memoryBytes === undefined ? "–" : formatBytes(known.memoryBytes)}
          detail={
            known.fullMemoryBytes === undefined ? "" : `${formatBytes(known.fullMemoryBytes)} when full`
          }
        />
      </dl>
      {occupancyFlows !== undefined && (
        <UseBar occupancyFlows={occupancyFlows} capacityFlows={capacityFlows} parts={parts} />
      )}
    </section>
  );
}

function TimeToFullFigure({ known }: { known: StatusJson }): JSX.Element {
  const { occupancyFlows, capacityFlows, forecast } = known;
  const isFull =
    occupancyFlows !== undefined && capacityFlows !== undefined && occupancyFlows >= capacityFlows;
  const told = timeToFull(forecast, isFull);
  const method = told.fills && forecast !== undefined && !isFull ? `, ${methodWords(forecast)}` : "";
  return <BigFigure name="Time to full" figure={told.figure} detail={`${told.detail}${method}`} />;
}

function BigFigure({
  name,
  figure,
  detail,
  isGreat = false,
}: {
  name: string;
  figure: string;
  detail: string;
  isGreat?: boolean;
}): JSX.Element {
  return (
    <div class={isGreat ? "figure great" : "figure"}>
      <dt>{name}</dt>
      <dd>
        <span class="figure-value">{figure}</span>
        <span class="figure-detail">{detail}</span>
      </dd>
    </div>
  );
}

function Attention({ known }: { known: StatusJson }): JSX.Element {
  const all = attentionOf(known);
  return (
    <Panel
      title="Needs attention"
      class="attention"
      aside={all.length > 0 && <span class="count">{all.length}</span>}
    >
      {all.length === 0 && <Empty title="Nothing">No finding, no alert.</Empty>}
      {all.map((judged, index) => (
        <Judgement
          key={"id" in judged ? judged.id : judged.code}
          judged={judged}
          nowMs={nowMs.value}
          isOpen={index === 0}
        />
      ))}
      <Unseen unseen={known.unseen} />
    </Panel>
  );
}

/** What could not be looked at, and what would help. */
function Unseen({ unseen }: { unseen: StatusJson["unseen"] }): JSX.Element | null {
  if (unseen.length === 0) return null;
  return (
    <details class="unseen-list">
      <summary>{unseen.length === 1 ? "One thing" : `${unseen.length} things`} could not be seen</summary>
      <ul>
        {unseen.map(({ what, why, help }) => (
          <li key={`${what} ${why}`}>
            <b>{what}</b>: {why}
            {help !== undefined && <span class="quiet"> {help}</span>}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Namespaces(): JSX.Element {
  const answer = useAnswer<NamespacesJson>("namespaces", { everyMs: 15_000 });
  return (
    <Panel title="Namespaces" aside={<a href={linkTo("namespaces")}>all</a>}>
      <Answered answer={answer} lines={3}>
        {({ namespaces }) => <NamespaceStrip namespaces={namespaces} most={4} />}
      </Answered>
    </Panel>
  );
}

function Arrivals({ events }: { events: StatusJson["events"] }): JSX.Element | null {
  if (events === undefined || events.rates.length === 0) return null;
  const rates = events.rates.toSorted((a, b) => b.arrivalsPerSecond - a.arrivalsPerSecond).slice(0, 6);
  const how = events.oneOf > 1 ? `one of ${formatCount(events.oneOf)} flows followed` : "every flow followed";
  const lost = events.lostEvents > 0 ? `, ${formatCount(events.lostEvents)} events lost` : "";
  return (
    <Panel title="New flows" aside={<span class="quiet">{how + lost}</span>}>
      <table class="rates">
        <thead>
          <tr>
            <th scope="col">of</th>
            <th scope="col">come</th>
            <th scope="col">stay</th>
          </tr>
        </thead>
        <tbody>
          {rates.map(({ protocol, port, arrivalsPerSecond, standardErrorPerSecond, holdingSeconds }) => (
            <tr key={`${protocol} ${port ?? ""}`} class={port === undefined ? "" : "within"}>
              <th scope="row">{port === undefined ? protocol : `${protocol} ${port}`}</th>
              <td>
                {formatRate(arrivalsPerSecond)}
                {standardErrorPerSecond > 0 && (
                  <small> ± {formatRate(2 * standardErrorPerSecond).replace(" /s", "")}</small>
                )}
              </td>
              <td>{holdingSeconds === undefined ? "–" : roughDuration(holdingSeconds)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function Watching({ known }: { known: StatusJson }): JSX.Element {
  const { budget, history } = known;
  const skipped = Object.entries(budget.skipped).filter(([, count]) => count > 0);
  const percent = (share: number): string => `${Number((share * 100).toFixed(2))} %`;
  return (
    <Panel title="Watching" class="watching">
      <dl class="pairs">
        <dt>processor</dt>
        <dd>
          {budget.usedCpuShare === undefined ? "–" : percent(budget.usedCpuShare)}{" "}
          <small>of {percent(budget.allowedCpuShare)} of a core</small>
        </dd>
        {budget.censusIntervalSeconds !== undefined && (
          <>
            <dt>census</dt>
            <dd>
              every {roughDuration(budget.censusIntervalSeconds)}
              {budget.censusSampleFlows !== undefined && (
                <small> of {formatCount(budget.censusSampleFlows)} flows</small>
              )}
            </dd>
          </>
        )}
        <dt>history</dt>
        <dd>
          {formatBytes(history.sizeBytes)} <small>of at most {formatBytes(history.boundBytes)}</small>
        </dd>
        {history.oldestAtMs !== undefined && (
          <>
            <dt>back to</dt>
            <dd>{roughDuration((known.atMs - history.oldestAtMs) / 1000)} ago</dd>
          </>
        )}
        {skipped.map(([what, count]) => (
          <Fragment key={what}>
            <dt>{nameWords(what)} left out</dt>
            <dd>{formatCount(count)}</dd>
          </Fragment>
        ))}
      </dl>
    </Panel>
  );
}
