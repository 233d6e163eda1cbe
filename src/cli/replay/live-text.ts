/** What `headroom replay --live` shows while it runs. Pure. */
import type { TimelineColumns } from "../../model/model.ts";
import { roughDuration } from "../../table/duration.ts";
import { countOf, formatCount } from "../figures.ts";
import { bar, inLevel, type Look, tone } from "../look.ts";
import { fit, padLeft, padRight, visible, widthOf } from "../plain-text.ts";
import { drawTimeline } from "../timeline-drawing.ts";

export interface LiveText {
  interfaceName: string;
  seconds: number;
  packets: number;
  lostPackets: number;
  courses: readonly LiveCourse[];
}

export interface LiveCourse {
  label: string;
  flows: number;
  peakFlows: number;
  /** 0: no limit. */
  capacityFlows: number;
  droppedPackets: number;
  /** Absent before the first packet. */
  timeline?: TimelineColumns;
}

const LABEL_WIDTH = 36;
const BAR_WIDTH = 20;
const LEAST_BAR = 8;

/** Lines of the screen, the first of which says it all. */
export function liveLines(live: LiveText, look: Look): string[] {
  const { courses, lostPackets, packets, seconds } = live;
  const [first] = courses;
  const now = courses.length === 1 && first !== undefined ? `, ${flowsText(first)}` : "";
  const lost = lostPackets === 0 ? "" : `, ${formatCount(lostPackets)} lost`;
  const rate = seconds > 0 ? ` (${formatCount(packets / seconds)} a second)` : "";
  const what = `${visible(live.interfaceName)} for ${roughDuration(seconds)}${now}`;
  const lines = [fit(`${what}; ${countOf(packets, "packet")}${rate}${lost}; ^C ends`, look.columns), ""];
  if (courses.length > 1) return [...lines, ...courseLines(courses, look)];
  if (first?.timeline !== undefined) lines.push(...drawTimeline(first.timeline, look));
  return lines;
}

function flowsText({ flows, peakFlows, capacityFlows, droppedPackets }: LiveCourse): string {
  const of = capacityFlows === 0 ? "" : ` of ${formatCount(capacityFlows)}`;
  const dropped = droppedPackets === 0 ? "" : `, ${countOf(droppedPackets, "packet")} dropped`;
  return `${formatCount(flows)} flows now, ${formatCount(peakFlows)}${of} at most${dropped}`;
}

/** A line for each: its flows, a bar of its use, its drops. */
function courseLines(courses: readonly LiveCourse[], look: Look): string[] {
  const figures = courses.map(({ peakFlows }) => formatCount(peakFlows).length);
  const flowsWidth = Math.max(...figures, "at most".length);
  const most = Math.min(LABEL_WIDTH, look.columns - 2 * flowsWidth - 13);
  const labels = courses.map(({ label }) => fit(visible(label === "" ? "as --set has it" : label), most));
  const width = Math.max(...labels.map(widthOf));
  const head = `${" ".repeat(width)}  ${padLeft("now", flowsWidth)}  ${padLeft("at most", flowsWidth)}`;
  return [
    tone(look, "bold", `${head}  dropped`),
    ...courses.map((course, index) => {
      const { flows, peakFlows, capacityFlows, droppedPackets } = course;
      const [now = "", peak = ""] = [flows, peakFlows].map((count) =>
        padLeft(formatCount(count), flowsWidth),
      );
      const dropped = padLeft(formatCount(droppedPackets), "dropped".length);
      const share = capacityFlows === 0 ? 0 : flows / capacityFlows;
      const room = look.columns - width - 2 * flowsWidth - "dropped".length - 8;
      const drawn = room < LEAST_BAR ? "" : bar(look, share, Math.min(BAR_WIDTH, room));
      const shown = droppedPackets === 0 ? dropped : inLevel(look, "critical", dropped, false);
      const line = `${padRight(labels[index] ?? "", width)}  ${now}  ${peak}  ${shown}`;
      return drawn === "" ? line : `${line}  ${tone(look, "cyan", drawn)}`;
    }),
  ];
}
