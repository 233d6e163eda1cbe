/** What uPlot is told: scales, axes, lines, bands, and what is drawn over them. */
import uPlot from "uplot";

import { colourOf, faded } from "./palette.ts";

export interface PlotSeries {
  label: string;
  values: readonly (number | null)[];
  /** A custom property of the style sheet. */
  colour: string;
  width?: number;
  dash?: readonly number[];
  /** Filled down to zero, by a share of 1. */
  fill?: number;
  /** Holds its value until the next point. */
  isStep?: boolean;
  /** Told at the cursor only: its newest figure is not how it stands. */
  isAhead?: boolean;
}

export interface PlotSpec {
  x: readonly number[];
  series: readonly PlotSeries[];
  /** Between two of the series, by index: the upper, the lower, the colour, how much shines through. */
  bands?: readonly (readonly [number, number, string, number])[];
  xRange: readonly [number, number];
  yRange: readonly [number, number];
  /** Words for the ticks. */
  xWords: (ticks: readonly number[], step: number) => string[];
  yWords: (value: number) => string;
  /** Steps between ticks from which one is chosen; those of the calendar when left out. */
  xSteps?: readonly number[];
  height: number;
  nowAt?: number;
  /** Lines from top to bottom. */
  marks?: readonly { at: number; colour: string }[];
  /** Words at a height of the scale. */
  level?: { at: number; text: string; colour: string } | undefined;
  /** Drawings of one name have one cursor. */
  group?: string;
  showsTimes?: boolean;
}

/** Width of the axis on the left, and room on the right: the same for all, so that times stand in line. */
export const PLOT_LEFT = 52;
export const PLOT_RIGHT = 18;

interface Wiring {
  width: number;
  current: () => PlotSpec;
  onCursor: (at: number | undefined) => void;
  onZoom: (from: number, to: number) => void;
}

/** What cannot be changed in a drawing without making it anew. */
export function structureOf({ series, bands, height, group, showsTimes }: PlotSpec): string {
  const lines = series.map(({ values: _, ...line }) => line);
  return JSON.stringify([lines, bands, height, group, showsTimes]);
}

export function optionsOf(spec: PlotSpec, wiring: Wiring): uPlot.Options {
  const { current, onCursor, onZoom } = wiring;
  return {
    width: wiring.width,
    height: spec.height,
    padding: [10, PLOT_RIGHT, spec.showsTimes === false ? 6 : 0, 0],
    legend: { show: false },
    scales: {
      x: { time: spec.xSteps === undefined, range: () => [...current().xRange] },
      y: { range: () => [...current().yRange] },
    },
    axes: axesOf(spec, current),
    series: [{}, ...spec.series.map(lineOf)],
    bands: (spec.bands ?? []).map(([upper, lower, colour, alpha]) => ({
      series: [upper + 1, lower + 1],
      fill: () => faded(colour, alpha),
    })),
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
      ...(spec.group === undefined ? {} : { sync: { key: spec.group, scales: ["x", null] } }),
    },
    hooks: {
      draw: [(plot) => drawOver(plot, current())],
      setCursor: [
        (plot) => {
          const { left } = plot.cursor;
          onCursor(left === undefined || left < 0 ? undefined : plot.posToVal(left, "x"));
        },
      ],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          // A drawing that follows another has its selection, too; only the one under the mouse tells.
          if (width < 8 || !plot.over.matches(":hover")) return;
          onZoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

function lineOf({ label, colour, width, dash, fill, isStep }: PlotSpec["series"][number]): uPlot.Series {
  const paths = isStep === true ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
  return {
    label,
    stroke: () => colourOf(colour),
    width: width ?? 1.5,
    spanGaps: false,
    points: { show: false },
    ...(dash === undefined ? {} : { dash: [...dash] }),
    ...(fill === undefined ? {} : { fill: () => faded(colour, fill) }),
    ...(paths === undefined ? {} : { paths }),
  };
}

function axesOf(spec: PlotSpec, current: () => PlotSpec): uPlot.Axis[] {
  const look = {
    stroke: () => colourOf("--dim"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: () => colourOf("--grid"), width: 1 },
    ticks: { show: false },
  };
  return [
    {
      ...look,
      size: spec.showsTimes === false ? 0 : 26,
      gap: 6,
      space: 72,
      ...(spec.xSteps === undefined ? {} : { incrs: [...spec.xSteps] }),
      values: (_plot, ticks, _axis, _space, step) =>
        spec.showsTimes === false ? [] : current().xWords(ticks, step),
    },
    {
      ...look,
      size: PLOT_LEFT,
      gap: 6,
      space: 34,
      values: (_plot, ticks) => ticks.map((value) => current().yWords(value)),
    },
  ];
}

/** Now, the marks, and the words at the limit. */
function drawOver(plot: uPlot, spec: PlotSpec): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.lineWidth = ratio;
  for (const { at, colour } of spec.marks ?? []) upright(plot, at, colour, [2, 3]);
  if (spec.nowAt !== undefined) upright(plot, spec.nowAt, "--now", []);
  if (spec.level !== undefined) {
    const y = Math.round(plot.valToPos(spec.level.at, "y", true));
    ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
    ctx.fillStyle = colourOf(spec.level.colour);
    ctx.textAlign = "left";
    ctx.textBaseline = y - bbox.top < 18 * ratio ? "top" : "bottom";
    const gap = ctx.textBaseline === "top" ? 4 : -4;
    ctx.fillText(spec.level.text, bbox.left + 8 * ratio, y + gap * ratio);
  }
  ctx.restore();
}

function upright(plot: uPlot, at: number, colour: string, dash: readonly number[]): void {
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(at, "x", true)) + 0.5;
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  ctx.strokeStyle = colourOf(colour);
  ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
}
