/**
 * One drawing over time: uPlot within, and around it what a canvas lacks: a name, arrow keys, the figures at
 * the cursor as text, and the same as columns of text for who cannot see it.
 */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { colours } from "../state/theme.ts";
import { nearestPoint } from "./scale.ts";
import { type PlotSpec, optionsOf, structureOf } from "./plot-options.ts";

export type { PlotSeries, PlotSpec } from "./plot-options.ts";

interface PlotProps {
  spec: PlotSpec;
  /** What is drawn, in a sentence with figures. */
  summary: string;
  /** Called with the time under the cursor, or nothing when it left. */
  onCursor?: (at: number | undefined) => void;
  /** Called with a span that was drawn with the mouse. */
  onZoom?: (from: number, to: number) => void;
  /** Called with a time that was clicked, or where Enter was pressed. */
  onPick?: (at: number) => void;
}

/** Draws `spec`; keeps the drawing while only figures change. */
export function Plot({ spec, summary, onCursor, onZoom, onPick }: PlotProps): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  const drawn = useRef<uPlot | undefined>(undefined);
  const latest = useRef({ spec, onCursor, onZoom, onPick });
  latest.current = { spec, onCursor, onZoom, onPick };
  const structure = `${structureOf(spec)} ${colours.value}`;

  useEffect(() => {
    const element = holder.current;
    if (element === null) return undefined;
    const options = optionsOf(spec, {
      width: Math.max(120, element.clientWidth),
      current: () => latest.current.spec,
      onCursor: (at) => latest.current.onCursor?.(at),
      onZoom: (from, to) => latest.current.onZoom?.(from, to),
    });
    const plot = new uPlot(options, dataOf(spec), element);
    tellClicks(plot, (at) => latest.current.onPick?.(at));
    drawn.current = plot;
    const observer = new ResizeObserver(() =>
      plot.setSize({ width: Math.max(120, element.clientWidth), height: latest.current.spec.height }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
      drawn.current = undefined;
    };
  }, [structure]);

  useEffect(() => drawn.current?.setData(dataOf(spec)), [spec]);

  return (
    <div
      class="plot"
      ref={holder}
      role="group"
      aria-roledescription="chart"
      aria-label={summary}
      tabIndex={0}
      style={{ height: `${spec.height}px` }}
      onKeyDown={(event) => {
        moveCursor(event, drawn.current, spec);
        const at = drawn.current === undefined ? undefined : cursorTime(drawn.current);
        if (event.key === "Enter" && at !== undefined) onPick?.(at);
      }}
      onBlur={() => drawn.current?.setCursor({ left: -10, top: -10 })}
    />
  );
}

function cursorTime(plot: uPlot): number | undefined {
  const { left } = plot.cursor;
  return left === undefined || left < 0 ? undefined : plot.posToVal(left, "x");
}

/** The mouse may tremble this far and has not dragged. */
const TREMBLE_PIXELS = 4;

/** A click is where the button goes down and up again at one place. */
function tellClicks(plot: uPlot, onPick: (at: number) => void): void {
  let downAt = -Infinity;
  plot.over.addEventListener("mousedown", ({ clientX }) => (downAt = clientX));
  plot.over.addEventListener("click", ({ clientX }) => {
    if (Math.abs(clientX - downAt) > TREMBLE_PIXELS) return;
    onPick(plot.posToVal(clientX - plot.over.getBoundingClientRect().left, "x"));
  });
}

function dataOf({ x, series }: PlotSpec): uPlot.AlignedData {
  return [x as number[], ...series.map(({ values }) => values as (number | null)[])];
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowRight: 1,
  PageUp: -10,
  PageDown: 10,
  Home: -Infinity,
  End: Infinity,
};

/** Arrow keys walk over the points. */
function moveCursor(event: KeyboardEvent, plot: uPlot | undefined, spec: PlotSpec): void {
  const step = STEPS[event.key];
  if (plot === undefined || step === undefined) return;
  event.preventDefault();
  const index = nearestPoint(spec.x, cursorTime(plot) ?? spec.nowAt ?? spec.xRange[1]);
  const wanted = Math.max(0, Math.min(spec.x.length - 1, index + step));
  const at = spec.x[wanted];
  if (at !== undefined) plot.setCursor({ left: plot.valToPos(at, "x"), top: plot.bbox.height / 4 });
}
