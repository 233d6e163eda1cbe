/** Use and its forecast, drops by cause beneath it on the same time axis, and between them what happened. */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";

import type { ForecastJson, HappeningsJson, SeriesJson, SettingsJson } from "../../src/server/api-schema.ts";
import { AsText, Legend } from "../charts/legend.tsx";
import { type Mark, MarksLane, MARK_COLOURS, marksOf } from "../charts/marks.tsx";
import { type PlotSpec, Plot } from "../charts/plot.tsx";
import {
  type TimeRange,
  RANGES,
  rangeQuery,
  readRange,
  refreshMs,
  spanOf,
  zoomed,
} from "../charts/ranges.ts";
import { greatest, roundUp } from "../charts/scale.ts";
import { CAUSES, columnsOfDrops, historyOf, columnsOfUse } from "../charts/timeline.ts";
import { Icon } from "../parts/icon.tsx";
import { Empty, Failure, Panel, Skeleton } from "../parts/panel.tsx";
import { connection, news, recent, status } from "../state/connection.ts";
import { goTo, linkTo, route } from "../state/route.ts";
import { useAnswer } from "../state/use-answer.ts";
import { formatCount, formatRate, shortCount } from "../words/figures.ts";
import { axisTimes, pointInTime, zoneAt } from "../words/times.ts";

const NAMES = [
  "occupancyFlows",
  "capacityFlows",
  "dropPerSecond",
  "insertFailedPerSecond",
  "chainTooLongPerSecond",
  "earlyDropPerSecond",
].join(",");

const POINTS = 600;

export function TimelinePanel(): JSX.Element {
  const range = readRange(route.value.query);
  const series = useAnswer<SeriesJson>(pathOf(range, status.value?.atMs ?? Date.now()));
  const forecast = useAnswer<ForecastJson>("forecast", { everyMs: 30_000 });
  const { data } = series;
  return (
    <Panel
      title="Use over time"
      class="timeline"
      aside={<RangeChoice range={range} isBusy={series.isLoading && data !== undefined} />}
    >
      {data === undefined && series.error !== undefined && <Failure error={series.error} />}
      {data === undefined && series.error === undefined && <Skeleton lines={1} tall />}
      {data !== undefined && <Timeline series={data} forecast={forecast.data} range={range} />}
    </Panel>
  );
}

/** The time of the server, in steps in which a new point can be seen: each step asks anew. */
function pathOf(range: TimeRange, serverMs: number): string {
  const every = refreshMs(range) ?? 1;
  const toMs = range.kind === "span" ? range.toMs : Math.ceil(serverMs / every) * every;
  const fromMs = range.kind === "span" ? range.fromMs : toMs - every - range.seconds * 1000;
  return `series?names=${NAMES}&from=${fromMs}&to=${toMs}&points=${POINTS}`;
}

function RangeChoice({ range, isBusy }: { range: TimeRange; isBusy: boolean }): JSX.Element {
  return (
    <>
      {range.kind === "span" && (
        <button type="button" class="button small" onClick={() => history.back()}>
          <Icon name="back" /> Back
        </button>
      )}
      <span class={isBusy ? "busy on" : "busy"} aria-hidden="true" />
      <div class="segmented" role="group" aria-label="Time shown">
        {RANGES.map(([name, seconds, words]) => (
          <button
            key={name}
            type="button"
            aria-pressed={range.kind === "last" && range.seconds === seconds}
            title={`The last ${words}`}
            onClick={() => goTo(linkTo("overview", { range: name }), range.kind === "last")}
          >
            {name}
          </button>
        ))}
      </div>
    </>
  );
}

interface TimelineProps {
  series: SeriesJson;
  forecast: ForecastJson | undefined;
  range: TimeRange;
}

function Timeline({ series, forecast, range }: TimelineProps): JSX.Element {
  const [at, setAt] = useState<number | undefined>(undefined);
  const [fits, setFits] = useState<boolean | undefined>(undefined);
  const isLive = range.kind === "last";
  const live = isLive ? recent.value : [];
  const newestMs = isLive ? (status.value?.atMs ?? series.toMs) : series.toMs;
  const hasForecast = forecast !== undefined && forecast.band.atMs.length > 0;
  const oldestMs = status.value?.history.oldestAtMs;
  const span = spanOf(range, newestMs, { hasForecast, oldestMs });
  const marks = useMarks(span);
  const past = useMemo(() => historyOf(series, live), [series, live]);
  const isEmpty = greatest([past.avg("occupancyFlows"), past.avg("capacityFlows")]) === 0;
  if (isEmpty) {
    return (
      <Empty title="No history of this time yet">
        A point is added each second while Headroom runs. The drawing begins with the first of them.
      </Empty>
    );
  }
  const use = specOfUse({ past, forecast, span, marks, isLive, fits });
  const drops = specOfDrops({ past, span, marks, isLive });
  const zoom = (from: number, to: number): void =>
    goTo(linkTo("overview", rangeQuery(zoomed(from, Math.min(to, newestMs / 1000)))));
  // What lies ahead has no census.
  const pick = (seconds: number): void => {
    if (seconds * 1000 <= newestMs) goTo(linkTo("fills", { at: Math.round(seconds * 1000) }));
  };
  const times = (seconds: number): string => pointInTime(seconds * 1000, newestMs);
  return (
    <>
      <div class="plot-head">
        <Legend spec={use} at={at} words={formatCount} without={["least", "greatest", "low", "high"]} />
        <p class="plot-at">
          {at === undefined
            ? `click: what filled it then · drag: closer · times in ${zoneAt(newestMs)}`
            : times(at)}
        </p>
      </div>
      <Plot
        spec={use}
        summary={summaryOfUse(use, past.times.length, times)}
        onCursor={setAt}
        onZoom={zoom}
        onPick={pick}
      />
      <MarksLane marks={marks} fromMs={span.fromMs} endMs={span.endMs} nowMs={newestMs} />
      <div class="plot-head">
        <h3>Lost, by cause</h3>
        <Legend spec={drops} at={at} words={formatRate} />
      </div>
      <Plot spec={drops} summary={summaryOfDrops(drops)} onCursor={setAt} onZoom={zoom} onPick={pick} />
      <footer class="plot-foot">
        <FitSwitch fits={fits ?? fitsByItself(use)} onChange={setFits} />
        <AsText spec={use} title="Use" timeWords={times} words={formatCount} />
        <AsText spec={drops} title="Losses" timeWords={times} words={formatRate} />
      </footer>
    </>
  );
}

/** Setting changes, incidents and notes of the span; asked for again when there is news. */
function useMarks(span: { fromMs: number; endMs: number }): readonly Mark[] {
  // By the minute, so that a second more does not ask again.
  const fromMs = Math.floor(span.fromMs / 60_000) * 60_000;
  const toMs = Math.ceil(span.endMs / 60_000) * 60_000;
  const happenings = useAnswer<HappeningsJson>(`happenings?from=${fromMs}&to=${toMs}`, {
    version: news.value,
  });
  const settings = useAnswer<SettingsJson>("settings");
  return useMemo(() => {
    if (happenings.data === undefined) return [];
    const units = new Map((settings.data?.settings ?? []).map((setting) => [setting.key, setting]));
    return marksOf(happenings.data, units, (id) => linkTo("history", {}, id));
  }, [happenings.data, settings.data]);
}

interface SpecInput {
  past: ReturnType<typeof historyOf>;
  span: { fromMs: number; toMs: number; endMs: number };
  marks: readonly Mark[];
  isLive: boolean;
}

function shared({ span, marks, isLive }: SpecInput): Pick<
  PlotSpec,
  "xRange" | "xWords" | "marks" | "group"
> & {
  nowAt?: number;
} {
  return {
    xRange: [span.fromMs / 1000, span.endMs / 1000],
    xWords: axisTimes,
    marks: marks.map(({ atMs, kind }) => ({ at: atMs / 1000, colour: MARK_COLOURS[kind] })),
    group: "timeline",
    ...(isLive && span.endMs > span.toMs ? { nowAt: span.toMs / 1000 } : {}),
  };
}

/** Below this share of the limit the drawing fits to the use, or it would be a line at the bottom. */
const FIT_BELOW = 0.2;

function specOfUse(
  input: SpecInput & { forecast: ForecastJson | undefined; fits: boolean | undefined },
): PlotSpec {
  const { past, forecast, span, fits } = input;
  const columns = columnsOfUse(past, input.isLive ? forecast : undefined, span.endMs);
  const inside = (column: readonly (number | null)[]): (number | null)[] =>
    column.filter((_, index) => (columns.x[index] ?? 0) <= span.endMs / 1000);
  const highest = greatest([columns.useHigh, columns.use, inside(columns.expected)]);
  const capacity = greatest([columns.capacity]);
  const isFit = fits ?? highest < capacity * FIT_BELOW;
  const top = isFit ? roundUp(highest * 1.15) : Math.max(capacity, highest) * 1.08;
  const limit = columns.capacity.findLast((value) => value !== null) ?? undefined;
  return {
    ...shared(input),
    x: columns.x,
    yRange: [0, top],
    yWords: shortCount,
    height: 260,
    series: [
      { label: "in use", values: columns.use, colour: "--use", width: 2, fill: 0.16 },
      { label: "least", values: columns.useLow, colour: "--clear", width: 0 },
      { label: "greatest", values: columns.useHigh, colour: "--clear", width: 0 },
      { label: "limit", values: columns.capacity, colour: "--limit", width: 1.5, isStep: true, dash: [2, 3] },
      {
        label: "expected",
        values: columns.expected,
        colour: "--forecast",
        width: 1.5,
        dash: [6, 4],
        isAhead: true,
      },
      { label: "low", values: columns.low, colour: "--clear", width: 0 },
      { label: "high", values: columns.high, colour: "--clear", width: 0 },
    ],
    bands: [
      [2, 1, "--use", 0.22],
      [6, 5, "--forecast", 0.26],
    ],
    ...(limit === undefined || limit > top
      ? {}
      : { level: { at: limit, text: `limit ${formatCount(limit)}`, colour: "--limit" } }),
  };
}

function specOfDrops(input: SpecInput): PlotSpec {
  const { past } = input;
  const columns = columnsOfDrops(past);
  const most = greatest(Object.values(columns));
  return {
    ...shared(input),
    x: past.times,
    yRange: [0, roundUp(Math.max(most * 1.1, 1))],
    yWords: (value) => (value === 0 ? "0" : `${shortCount(value)}/s`),
    height: 120,
    series: CAUSES.map(({ id, label, colour, dash }, index) => ({
      label,
      values: columns[id],
      colour,
      width: 1.5,
      ...(dash.length === 0 ? {} : { dash }),
      ...(index === 0 ? { fill: 0.2 } : {}),
    })),
  };
}

function fitsByItself({ series, yRange }: PlotSpec): boolean {
  return yRange[1] < greatest([series[3]?.values ?? []]);
}

function FitSwitch({ fits, onChange }: { fits: boolean; onChange: (fits: boolean) => void }): JSX.Element {
  return (
    <div class="segmented small" role="group" aria-label="Height of the drawing">
      <button type="button" aria-pressed={!fits} onClick={() => onChange(false)}>
        up to the limit
      </button>
      <button type="button" aria-pressed={fits} onClick={() => onChange(true)}>
        fit to the use
      </button>
    </div>
  );
}

function summaryOfUse(spec: PlotSpec, pastLength: number, times: (seconds: number) => string): string {
  const use = (spec.series[0]?.values.slice(0, pastLength) ?? []).filter((value) => value !== null);
  const first = use[0];
  const last = use.at(-1);
  if (first === undefined || last === undefined) return "Use over time, nothing was measured";
  const from = times(spec.xRange[0]);
  const most = greatest([use]);
  const limit = greatest([spec.series[3]?.values ?? []]);
  const isStale = connection.value.kind === "gone" ? ", not live" : "";
  const level = status.value?.level ?? "unknown";
  return (
    `Flows in use since ${from}${isStale}: ${formatCount(first)} at first, ${formatCount(last)} now, ` +
    `at most ${formatCount(most)}, limit ${formatCount(limit)}; level ${level}. ` +
    "Arrow keys move over the points, Enter shows what filled the table then."
  );
}

function summaryOfDrops({ series }: PlotSpec): string {
  const parts = series.map(({ label, values }) => `${label} at most ${formatRate(greatest([values]))}`);
  return (
    `Packets lost by cause: ${parts.join(", ")}. ` +
    "Arrow keys move over the points, Enter shows what filled the table then."
  );
}
