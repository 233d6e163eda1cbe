/**
 * What `headroom replay` prints: the verdict first, occupancy over time, when and whose packets were dropped,
 * what is left, the figures of the run, and what to type next. Pure.
 */
import { lowerFirst } from "../../table/sentence.ts";
import type { Level } from "../../table/finding.ts";
import { roughDuration } from "../../table/duration.ts";
import type { SettingKey } from "../../table/settings.ts";
import { type Block, layOut } from "../census-text.ts";
import { countOf, formatBytes, formatCount, formatShare } from "../figures.ts";
import { type Look, nextCommands, tone } from "../look.ts";
import { fit, padLeft, padRight, visible, widthOf, wrap } from "../plain-text.ts";
import { comparisonLines, leveledLines } from "./replay-compare-text.ts";
import {
  type CaptureFigures,
  type CourseReport,
  DROP_NAMES,
  droppedPackets,
  dropText,
  evictedFlows,
  lastLimit,
  refusedRecords,
  type ReplayReport,
} from "./replay-report.ts";
import { settingName, settingValueText } from "../setting-words.ts";
import { eventsText, recordSentences } from "./record-text.ts";
import { rowOf } from "../state-rows.ts";
import { drawTimeline, instantText } from "../timeline-drawing.ts";

export interface ReplayText extends ReplayReport {
  top: number;
  /** The command line again, without where its output goes; absent when the capture cannot be read twice. */
  sameCommand?: string;
  /** Where the flows that are left were written, as typed. */
  table?: string;
}

/** Use of the limit from which it is worth a warning, as `headroom check` has it. */
const WARNING_SHARE = 0.8;

/** Lines of `headroom replay`. */
export function renderReplay(report: ReplayText, look: Look): string[] {
  const { courses } = report;
  const [course] = courses;
  if (course === undefined) return [];
  const about = aboutSentences(report);
  if (courses.length > 1) return [...comparisonLines(report, look), "", ...wrapped(about, look)];
  const { level, text } = headline(report, course);
  const lines = [...leveledLines(level, text, look), ...wrapped(about, look)];
  const add = (block: readonly string[]): void => {
    if (block.length > 0) lines.push("", ...block);
  };
  add(drawTimeline(course.timeline, look));
  add(momentLines(report, course, look));
  add(whoseLines(report, course, look));
  add(leftLines(course, look));
  add(figureLines(report, course, look));
  add(wrapped(hints(report, course), look));
  add(nextLines(report, course, look));
  return lines;
}

function wrapped(sentences: readonly string[], look: Look): string[] {
  return sentences.flatMap((text) => wrap(visible(text), look.columns));
}

/** The verdict in a line, and how bad it is. */
export function headline({ capture }: ReplayReport, course: CourseReport): { level: Level; text: string } {
  const origin = visible(capture.origin);
  const limit = lastLimit(course);
  const dropped = droppedPackets(course);
  const { moments, peakFlows, packets } = course;
  const evicted = evictedFlows(course);
  if (packets === 0 && capture.record === undefined) {
    return {
      level: "unknown",
      text: `${origin}: nothing for the tracker in ${countOf(capture.counts.records, "record")}`,
    };
  }
  const peak =
    limit === undefined
      ? countOf(peakFlows, "flow")
      : `${formatCount(peakFlows)} of ${countOf(limit, "flow")}`;
  if (dropped > 0) {
    const [first] = moments;
    const from = first === undefined ? "" : ` from ${instantText(first.fromMs, spanOf(capture))} on`;
    const share = smallShare(dropped / packets);
    const full =
      first === undefined || course.drops.tableFull === 0 ? undefined : limitAt(course, first.fromMs);
    const flows = full === undefined ? peak : `${formatCount(full)} of ${countOf(full, "flow")}`;
    return { level: "critical", text: `${flows}${from}: ${countOf(dropped, "packet")} dropped, ${share}` };
  }
  if (evicted > 0) {
    return {
      level: "warning",
      text: `${peak}: no packet dropped, but ${countOf(evicted, "flow")} evicted to make room`,
    };
  }
  const share = limit === undefined ? 0 : peakFlows / limit;
  const use = limit === undefined ? "" : ` (${formatShare(share)})`;
  return {
    level: share >= WARNING_SHARE ? "warning" : "ok",
    text: `at most ${peak}${use}: no packet would have been dropped`,
  };
}

/** The limit that was in force then. */
function limitAt({ timeline: { limits } }: CourseReport, ms: number): number | undefined {
  return limits.findLast(({ fromMs }) => fromMs <= ms)?.capacityFlows;
}

/** `0.4 %`: what is there never reads as nothing. */
export function smallShare(share: number): string {
  if (share >= 0.1 || share === 0) return formatShare(share);
  return share < 0.0005 ? "<0.1 %" : `${(share * 100).toFixed(1)} %`;
}

function spanOf({ firstMs = 0, lastMs = 0 }: CaptureFigures): number {
  return lastMs - firstMs;
}

/** What was read, under which rules, and what is wrong with it. */
function aboutSentences(report: ReplayReport): string[] {
  const { capture, generation, courses, helpers, interrupted } = report;
  const { origin, summary, counts, firstMs, lostPackets, endedBy } = capture;
  const sentences: string[] = [];
  const { record } = capture;
  const when = firstMs === undefined ? "" : ` in ${roughSpan(spanOf(capture))} from ${dateText(firstMs)}`;
  const packed = capture.compression === undefined ? "" : `, ${capture.compression}`;
  const format = summary === undefined ? "" : ` (${summary.format}${packed})`;
  const helper = helpers.length === 0 ? "" : `, helper ${helpers.join(", ")}`;
  const settings = courses.length > 1 ? "" : `, ${settingsText(courses[0])}`;
  const held = record === undefined ? countOf(counts.records, "record") : eventsText(record);
  const what = `${origin}${format}: ${held}${when}`;
  sentences.push(`${what}; rules of kernel ${generation}${helper}${settings}.`);
  if (record !== undefined) sentences.push(...recordSentences(record, courses));
  if (summary?.break !== undefined) {
    const { kind, offsetBytes, reason } = summary.break;
    const how = kind === "cut-off" ? "is cut off" : "is damaged";
    sentences.push(
      `The capture ${how} at byte ${formatCount(offsetBytes)}: ${reason}. All before it counts.`,
    );
  }
  if (capture.brokenPacking === true) {
    sentences.push("The packed data is broken or ends too early. All before that place counts.");
  }
  if (interrupted === true && lostPackets === undefined)
    sentences.push("Interrupted: this is what was known by then.");
  if (endedBy !== undefined) sentences.push(`No more came: ${lowerFirst(endedBy)}.`);
  if (lostPackets === 0) sentences.push("No packet was lost on the way here.");
  else if (lostPackets !== undefined) {
    sentences.push(
      `${countOf(lostPackets, "packet")} were lost before they could be seen: figures are too low.`,
    );
  }
  return sentences;
}

/** An instant in full; a capture may say one that no calendar has. */
function dateText(ms: number): string {
  if (!(Math.abs(ms) < 8.64e15)) return `${ms} ms`;
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Seconds with what matters of them. */
function roughSpan(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : roughDuration(ms / 1000);
}

const ALWAYS_NAMED: readonly SettingKey[] = ["nf_conntrack_max", "nf_conntrack_buckets"];

function settingsText(course: CourseReport | undefined): string {
  if (course === undefined) return "";
  const keys = new Set([...ALWAYS_NAMED, ...course.given]);
  const named = [...keys].flatMap((key) => {
    const value = course.settings[key];
    return value === undefined ? [] : [`${settingName(key)} ${settingValueText(key, value)}`];
  });
  const changes = course.changes.map(
    ({ atMs, key, value }) =>
      `${settingName(key)} ${settingValueText(key, value)} from ${instantText(atMs, 60_000)} on`,
  );
  return [...named, ...changes].join(", ");
}

const LEFT_STATES = 8;
const LEFT_SOURCES = 5;

/** Moments shown; of more, those with most packets. */
const SHOWN_MOMENTS = 8;

function momentLines({ capture }: ReplayReport, course: CourseReport, look: Look): string[] {
  const { moments } = course;
  if (moments.length === 0) return [];
  const shown = moments
    .toSorted((left, right) => right.packets - left.packets)
    .slice(0, SHOWN_MOMENTS)
    .toSorted((left, right) => left.fromMs - right.fromMs);
  const span = spanOf(capture);
  const rows = shown.map(({ fromMs, toMs, packets }) => {
    const from = instantText(fromMs, span);
    const to = instantText(toMs, span);
    return { when: from === to ? from : `${from} to ${to}`, packets: formatCount(packets) };
  });
  const whenWidth = Math.max(...rows.map(({ when }) => widthOf(when)));
  const width = Math.max(...rows.map(({ packets }) => packets.length));
  const lines = [tone(look, "bold", "Packets dropped")];
  for (const { when, packets } of rows)
    lines.push(`${padRight(when, whenWidth)}  ${padLeft(packets, width)}`);
  const hidden = moments.length - shown.length;
  if (hidden > 0) lines.push(tone(look, "dim", `and ${formatCount(hidden)} shorter times`));
  return lines;
}

function whoseLines({ top }: ReplayText, { dropped }: CourseReport, look: Look): string[] {
  if (dropped === undefined) return [];
  const blocks: Block[] = [
    {
      title: "Dropped, from",
      rows: dropped.topSources.rows.slice(0, top).map(({ address, flows }) => ({ label: address, flows })),
    },
    {
      title: "Dropped, to",
      rows: dropped.topServices.rows
        .slice(0, top)
        .map(({ protocol, port, flows }) => ({ label: `${protocol}/${port}`, flows })),
    },
  ];
  return layOut(
    blocks.filter(({ rows }) => rows.length > 0),
    dropped.flows,
    look,
  );
}

function leftLines({ left }: CourseReport, look: Look): string[] {
  const { flows, byState, topSources } = left;
  if (flows === 0) return [];
  const states = byState.map(({ protocol, state, flows: count }) => ({
    label: state === undefined ? protocol : `${protocol} ${state}`,
    flows: count,
  }));
  const sources = topSources.slice(0, LEFT_SOURCES).map((row) => rowOf(row.address, row));
  const blocks: Block[] = [
    { title: `Left at the end: ${countOf(flows, "flow")}`, rows: states.slice(0, LEFT_STATES) },
    { title: "From", rows: sources },
  ];
  return layOut(blocks, flows, look);
}

/** Figures by their names, in two columns where they fit. */
function figureLines(report: ReplayReport, course: CourseReport, look: Look): string[] {
  const { capture, seconds } = report;
  const { verdicts, drops } = course;
  const { counts } = capture;
  const figures: [string, number | string][] = [
    ["flows created", course.flowsCreated],
    ["most at once", course.peakFlows],
    ["left at the end", course.flowsAtEnd],
    ["packets new", verdicts.new],
    ["established", verdicts.established],
    ["related", verdicts.related],
    ["invalid", verdicts.invalid],
    ["untracked", verdicts.untracked],
    ...DROP_NAMES.map((name): [string, number] => [`dropped, ${dropText[name]}`, drops[name]]),
    ["flows evicted", evictedFlows(course)],
    ["fragments", counts.fragments],
    ["datagrams never whole", counts.datagramsLost],
    ["records not IP", counts.notIp],
    ["broken IP headers", refusedRecords(capture)],
    ["bad checksums", counts.badChecksums],
    ["cut by the capture", counts.snapped],
  ];
  const shown = figures.filter(
    ([name, value]) => value !== 0 || name === "left at the end" || name === "invalid",
  );
  const speed = seconds > 0 ? `, ${formatCount(counts.records / seconds)} packets a second` : "";
  const took = `${seconds < 10 ? seconds.toFixed(2) : formatCount(seconds)} s${speed}`;
  const memory = `the model took ${formatBytes(course.modelBytes)}`;
  return [
    tone(look, "bold", "The run"),
    ...inColumns(
      shown.map(([name, value]) => [name, typeof value === "number" ? formatCount(value) : value]),
      look,
    ),
    tone(look, "dim", fit(`in ${took}; ${memory}`, look.columns)),
  ];
}

function inColumns(rows: readonly (readonly [string, string])[], look: Look): string[] {
  const nameWidth = Math.max(...rows.map(([name]) => name.length));
  const valueWidth = Math.max(...rows.map(([, value]) => value.length));
  const cells = rows.map(([name, value]) => `${padRight(name, nameWidth)}  ${padLeft(value, valueWidth)}`);
  const width = nameWidth + valueWidth + 2;
  const columns = Math.max(1, Math.min(3, Math.floor((look.columns + 4) / (width + 4))));
  const height = Math.ceil(cells.length / columns);
  const lines: string[] = [];
  for (let row = 0; row < height; row += 1) {
    const line = cells.filter((_, index) => index % height === row);
    lines.push(line.join("    ").trimEnd());
  }
  return lines;
}

/** Share of packets that makes something worth explaining. */
const NOTABLE_SHARE = 0.02;

/** What figures that surprise may come from. */
function hints({ capture: { counts, lostPackets, record } }: ReplayReport, course: CourseReport): string[] {
  const { packets, verdicts, drops } = course;
  // Packets that events imply are never damaged, and what they lack is said where the record is.
  if (record !== undefined) return [];
  const many = (value: number): boolean => value > 0 && value >= packets * NOTABLE_SHARE;
  const sentences: string[] = [];
  const { headerChecksum } = counts.refused;
  const isVerified = course.settings.nf_conntrack_checksum !== 0 && verdicts.invalid > 0;
  const wrong = headerChecksum + (isVerified ? counts.badChecksums : 0);
  if (many(wrong)) {
    sentences.push(
      `${formatShare(wrong / (packets + headerChecksum))} of the packets have a wrong checksum: ` +
        "the tracker calls them invalid, or, when it is the IPv4 header's, never sees them. A capture made " +
        "on the sender, whose network card fills checksums in later, looks like this. Try --trust-checksums.",
    );
  } else if (many(verdicts.invalid)) {
    sentences.push(
      `${formatShare(verdicts.invalid / packets)} of the packets are invalid: they do not fit the flow ` +
        "they name. A capture that lacks packets, or one direction, looks like this; " +
        "nf_conntrack_tcp_be_liberal=1 accepts what is out of window.",
    );
  }
  if (drops.chainTooLong > 0) {
    const { nf_conntrack_buckets: buckets = 0 } = course.settings;
    sentences.push(
      `${countOf(drops.chainTooLong, "packet")} were dropped because chains were too long, which no kernel ` +
        `logs: ${formatCount(buckets)} buckets are too few for ${countOf(course.peakFlows, "flow")}.`,
    );
  }
  if (counts.datagramsLost > 0 && many(counts.datagramsLost)) {
    sentences.push(
      "Fragments of datagrams that never became whole reach neither the tracker nor the other side.",
    );
  }
  if (many(counts.notIp) && packets === 0) {
    sentences.push("No record of the capture is an IP packet, or its link layer is not known.");
  }
  const isLive = lostPackets !== undefined || record !== undefined;
  if (!isLive && course.flowsAtEnd > 0 && course.flowsAtEnd === course.flowsCreated) {
    sentences.push(
      "No flow has ended: the capture is shorter than their timeouts; --until +5d lets the clock run on.",
    );
  }
  return sentences;
}

function nextLines({ sameCommand, table }: ReplayText, course: CourseReport, look: Look): string[] {
  if (sameCommand === undefined) return [];
  const next: { command: string; why: string }[] = [];
  const limit = lastLimit(course);
  if (droppedPackets(course) > 0 && limit !== undefined) {
    const raised = `nf_conntrack_max=${limit * 2}`;
    const compared = `--compare nf_conntrack_max=${limit} --compare ${raised}`;
    next.push({ command: `${sameCommand} ${compared}`, why: "twice the room" });
  }
  if (course.flowsAtEnd > 0 && table === undefined) {
    const command = `${sameCommand} --table - | headroom explain --source -`;
    next.push({ command, why: "what is left" });
  }
  return nextCommands(look, next);
}
