/** What would be: the curve, figures before and after, what would break, and the command. */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";

import type { WhatifJson } from "../../src/server/api-schema.ts";
import { AsText, Legend } from "../charts/legend.tsx";
import { type PlotSpec, Plot } from "../charts/plot.tsx";
import { greatest } from "../charts/scale.ts";
import { breakable } from "../parts/breakable.tsx";
import { Command } from "../parts/command.tsx";
import { LevelIcon } from "../parts/icon.tsx";
import { Panel } from "../parts/panel.tsx";
import { status } from "../state/connection.ts";
import {
  countOf,
  formatBytes,
  formatCount,
  formatDuration,
  formatShare,
  roughDuration,
  shortCount,
} from "../words/figures.ts";
import { ApplyButton } from "./apply.tsx";
import {
  type Break,
  breaksOf,
  howKnown,
  isCritical,
  keepsWords,
  longRunWords,
  type StateFigures,
  stateName,
  statesThatMatter,
  type WhatifFigures,
} from "./whatif-answer.ts";
import type { Wish } from "./whatif-wish.ts";

interface OutcomeProps {
  answer: WhatifJson;
  wish: Wish;
  onApplied: () => void;
}

export function Outcome({ answer, wish, onApplied }: OutcomeProps): JSX.Element {
  const figures = answer.answer as unknown as WhatifFigures;
  const { command } = answer;
  return (
    <>
      <section class="panel outcome" aria-label="What it would be">
        <BeforeAfter answer={answer} figures={figures} />
        <Curve answer={answer} figures={figures} />
      </section>
      <Panel title="How to do it" class="how-to">
        {command === undefined ? (
          <p class="quiet">Move a slider: the command for it will stand here.</p>
        ) : (
          <>
            <Command text={command} />
            {status.value?.allowChanges === true && (
              <ApplyButton command={command} wish={wish} onApplied={onApplied} />
            )}
          </>
        )}
      </Panel>
      <Panel title="By state" aside={<span class="quiet">now → in the long run</span>}>
        <States states={statesThatMatter(figures.byState ?? [])} />
      </Panel>
    </>
  );
}

function BeforeAfter({ answer, figures }: { answer: WhatifJson; figures: WhatifFigures }): JSX.Element {
  const { before, after, table, reachedAfterSeconds } = figures;
  const now = before?.occupancyFlows ?? before?.flows;
  const then = after?.occupancyFlows ?? after?.flows;
  const capacity = answer.curve.capacityFlows ?? table?.after?.capacityFlows;
  const longRun = after === undefined ? undefined : longRunWords(after);
  const isOver = now !== undefined && capacity !== undefined && now > capacity;
  const keeps = keepsWords(figures);
  return (
    <>
      <dl class="figures">
        <Pair
          name="In use"
          from={now === undefined ? "–" : formatCount(now)}
          to={longRun?.figure ?? "–"}
          detail={longRun?.detail ?? ""}
        />
        <Pair
          name="Of the limit"
          from={isOver ? formatShare(now / capacity) : shareWords(table?.before?.useShare)}
          to={then === undefined || capacity === undefined ? "–" : formatShare(then / capacity)}
          detail={capacity === undefined ? "" : `limit ${formatCount(capacity)}`}
        />
        <Pair
          name="Memory when full"
          from={bytesWords(table?.before?.fullMemoryBytes ?? status.value?.fullMemoryBytes)}
          to={bytesWords(answer.fullMemoryBytes)}
          detail={
            answer.memoryBytes === undefined ? "" : `${formatBytes(answer.memoryBytes)} in the long run`
          }
        />
        <Pair
          name="Settled after"
          from=""
          to={reachedAfterSeconds === undefined ? "–" : roughDuration(reachedAfterSeconds)}
          detail={reachedAfterSeconds === undefined ? "no timeout changes" : "at the latest"}
        />
      </dl>
      {keeps !== undefined && <p class="keeps">{keeps}</p>}
    </>
  );
}

function shareWords(share: number | undefined): string {
  return share === undefined ? "–" : formatShare(share);
}

function bytesWords(bytes: number | undefined): string {
  return bytes === undefined ? "–" : formatBytes(bytes);
}

function Pair({
  name,
  from,
  to,
  detail,
}: {
  name: string;
  from: string;
  to: string;
  detail: string;
}): JSX.Element {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>
        <span class="figure-value">
          {from === to || from === "" ? (
            to
          ) : (
            <>
              <span class="figure-from">{from}</span> <span class="unseen">becomes</span>
              <span class="figure-arrow" aria-hidden="true">
                →
              </span>{" "}
              {to}
            </>
          )}
        </span>
        <span class="figure-detail">{detail}</span>
      </dd>
    </div>
  );
}

/** Steps between ticks of the time from now, seconds. */
const STEPS = [60, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 432_000];

function Curve({ answer, figures }: { answer: WhatifJson; figures: WhatifFigures }): JSX.Element | null {
  const [at, setAt] = useState<number | undefined>(undefined);
  const spec = useMemo(() => curveSpec(answer, figures), [answer]);
  if (answer.curve.afterSeconds.length < 2) return null;
  const { flows, capacityFlows } = answer.curve;
  const last = flows.at(-1) ?? 0;
  const summary =
    `Flows in use after the change: ${formatCount(flows[0] ?? 0)} now, ${formatCount(last)} in the long run` +
    `${capacityFlows === undefined ? "" : `, limit ${formatCount(capacityFlows)}`}. ` +
    "Arrow keys move over the points.";
  const times = (seconds: number): string => (seconds <= 0 ? "now" : `after ${roughDuration(seconds)}`);
  return (
    <>
      <div class="plot-head">
        <Legend spec={spec} at={at} words={formatCount} without={["low", "high"]} />
        <p class="plot-at">{at === undefined ? "time from the change on" : times(at)}</p>
      </div>
      <Plot spec={spec} summary={summary} onCursor={setAt} />
      <p class="quiet how-known">{howKnown(answer)}</p>
      <footer class="plot-foot">
        <AsText spec={spec} title="The curve" timeWords={times} words={formatCount} />
      </footer>
    </>
  );
}

function curveSpec({ curve }: WhatifJson, figures: WhatifFigures): PlotSpec {
  const { afterSeconds: x, flows, low, high, capacityFlows } = curve;
  const inForce = figures.table?.before?.capacityFlows;
  const now = figures.before?.occupancyFlows ?? figures.before?.flows ?? flows[0] ?? 0;
  const limits = [capacityFlows, inForce].filter((value) => value !== undefined);
  const highest = greatest([flows, high, [now]]);
  // A limit far above would press the curve to the bottom.
  const shownLimits = limits.filter((value) => value < highest * 4);
  const top = Math.max(highest, ...shownLimits, 1) * 1.08;
  const level = (value: number): (number | null)[] => x.map(() => value);
  return {
    x,
    xRange: [0, x.at(-1) ?? 1],
    yRange: [0, top],
    xWords: (ticks) => ticks.map((tick) => (tick === 0 ? "now" : `+${formatDuration(tick)}`)),
    yWords: shortCount,
    xSteps: STEPS,
    height: 240,
    series: [
      { label: "in use", values: flows, colour: "--use", width: 2, fill: 0.16 },
      { label: "low", values: low, colour: "--clear", width: 0 },
      { label: "high", values: high, colour: "--clear", width: 0 },
      { label: "now", values: level(now), colour: "--dim", dash: [2, 4], width: 1 },
      ...(capacityFlows === undefined
        ? []
        : [{ label: "limit", values: level(capacityFlows), colour: "--limit", dash: [2, 3] }]),
    ],
    bands: [[2, 1, "--use", 0.2]],
    ...(capacityFlows === undefined || capacityFlows > top
      ? {}
      : { level: { at: capacityFlows, text: `limit ${formatCount(capacityFlows)}`, colour: "--limit" } }),
  };
}

/** What would break: it stands beside the sliders, as it is what they are moved with care for. */
export function Breaks({
  answer,
  isChange,
  isOld,
}: {
  answer: WhatifJson;
  isChange: boolean;
  isOld: boolean;
}): JSX.Element {
  const figures = answer.answer as unknown as WhatifFigures;
  return (
    <Panel title="What would break" class={isOld ? "breaks-panel old" : "breaks-panel"}>
      <BreakRows breaks={breaksOf(answer, figures)} isChange={isChange} />
    </Panel>
  );
}

function BreakRows({ breaks, isChange }: { breaks: readonly Break[]; isChange: boolean }): JSX.Element {
  if (breaks.length === 0) {
    return (
      <p class="nothing">
        <LevelIcon level="ok" />{" "}
        {isChange ? "Nothing that could be found." : "Nothing is changed, nothing breaks."}
      </p>
    );
  }
  return (
    <ul class="breaks">
      {breaks.map((told) => (
        <li key={`${told.code} ${told.key ?? ""} ${told.why}`}>
          <LevelIcon level={isCritical(told) ? "critical" : "warning"} />
          <span>{breakable(told.why)}</span>
          {told.flows >= 1 && <b>{countOf(told.flows, "flow")}</b>}
        </li>
      ))}
    </ul>
  );
}

function States({ states }: { states: readonly StateFigures[] }): JSX.Element {
  const most = Math.max(1, ...states.map(({ before, after }) => Math.max(before, after)));
  if (states.length === 0) return <p class="quiet">There are no flows.</p>;
  return (
    <ul class="states">
      {states.map((row) => (
        <li key={stateName(row)}>
          <span class="rank-label">
            {stateName(row)}
            {row.timeoutSeconds !== undefined && row.timeoutSeconds !== row.inForceSeconds && (
              <small>
                {" "}
                {row.inForceSeconds === undefined ? "" : `${formatDuration(row.inForceSeconds)} → `}
                {formatDuration(row.timeoutSeconds)}
              </small>
            )}
          </span>
          <span class="rank-flows">
            {formatCount(row.before)} <span class="unseen">becomes</span>
            <span aria-hidden="true">→</span> <b>{formatCount(row.after)}</b>
          </span>
          <span class="state-bars" aria-hidden="true">
            <span class="was" style={{ "--share": String(row.before / most) }} />
            <span class="is" style={{ "--share": String(row.after / most) }} />
          </span>
        </li>
      ))}
    </ul>
  );
}
