/**
 * What a replay found, as plain values that can cross from thread to thread: what was read of the capture,
 * and for each way it was run what the tracker made of it. Rendered by replay-text.ts, replay-json.ts.
 */
import type { Census } from "../../census/census.ts";
import type { RecordFigures } from "./record-reading.ts";
import type { LeftFlows } from "./left-flows.ts";
import type { CaptureSummary, DecodeCounts } from "../../packet/packet.ts";
import type { Generation, TimelineColumns } from "../../model/model.ts";
import type { SettingKey, Settings } from "../../table/settings.ts";

/** Why the tracker dropped packets, in the order of reports: names of machine output. */
export const DROP_NAMES = ["tableFull", "chainTooLong", "clash", "protocol"] as const;
export type DropName = (typeof DROP_NAMES)[number];

/** What each means, for people. */
export const dropText: Record<DropName, string> = {
  tableFull: "table full",
  chainTooLong: "chain too long",
  clash: "clash lost",
  protocol: "by its protocol",
};

/** The capture, as far as it was read. */
export interface CaptureFigures {
  /** For people: a path, `standard input`, `eth0`. */
  origin: string;
  /** Absent of live packets. */
  summary?: CaptureSummary;
  /** What its records were. */
  counts: DecodeCounts;
  /** How it was packed, and whether the packed data ended too early or was broken. */
  compression?: "gzip" | "zstd";
  brokenPacking?: true;
  /** Epoch milliseconds of the first record, and the latest of all times; absent without records. */
  firstMs?: number;
  lastMs?: number;
  /** Packets that the machine lost before they could be seen, of live ones; why no more came. */
  lostPackets?: number;
  endedBy?: string;
  /** Of a record of flow events: what was in it. Its packets are those that the events imply. */
  record?: RecordFigures;
}

/** Classes of packets that reached the tracker (`ct state`). */
export interface VerdictCounts {
  new: number;
  established: number;
  related: number;
  invalid: number;
  untracked: number;
}

/** A stretch of time in which packets were dropped. */
export interface DropMoment {
  fromMs: number;
  toMs: number;
  packets: number;
  /** Record of the first of them. */
  firstRecord: number;
}

/** One way the capture was run. */
export interface CourseReport {
  /** The settings it has and others do not, as typed; empty for one without. */
  label: string;
  /** Settings that were asked for. */
  given: readonly SettingKey[];
  /** All settings in force at the end, and what changed in mid-run. */
  settings: Settings;
  changes: readonly { atMs: number; key: SettingKey; value: number }[];
  /** Packets that reached the tracker. */
  packets: number;
  flowsCreated: number;
  flowsAtEnd: number;
  peakFlows: number;
  drops: Record<DropName, number>;
  /** Flows evicted to make room for a new one, and those the collector evicted to make room at all. */
  earlyDropFlows: number;
  evictedFlows: number;
  expiredFlows: number;
  verdicts: VerdictCounts;
  timeline: TimelineColumns;
  moments: readonly DropMoment[];
  /** Of the packets that were dropped, by who sent them. */
  dropped?: Census;
  /** Of the flows that are left. */
  left: LeftFlows;
  /** Memory of the model. */
  modelBytes: number;
  /** Only of a record of events. */
  record?: CourseRecord;
}

/** What cannot be told from events, as a bound; and how near the model is to what the kernel counted. */
export interface CourseRecord {
  /** Flows that may have spoken where these settings would have ended them: they are taken as silent. */
  uncertainFlows: number;
  /** The peak and the flows left at the end if they had talked all the time. */
  mostPeakFlows?: number;
  mostFlowsAtEnd?: number;
  /** A timeout is longer than it was: flows that had ended before the record began would still be there. */
  lacksEarlierFlows?: true;
  /** Against nf_conntrack_count in the record, under the settings that were in force. */
  difference?: { samples: number; meanShare: number; mostShare: number };
}

export interface ReplayReport {
  capture: CaptureFigures;
  generation: Generation;
  helpers: readonly string[];
  /** One, or those that were compared. */
  courses: readonly CourseReport[];
  /** How long it took. */
  seconds: number;
  threads: number;
  /** ^C ended it. */
  interrupted?: true;
}

/** Packets the tracker dropped, for whatever cause. */
export function droppedPackets({ drops }: CourseReport): number {
  return DROP_NAMES.reduce((sum, name) => sum + drops[name], 0);
}

/** Flows that had to go for others. */
export function evictedFlows({ earlyDropFlows, evictedFlows: collected }: CourseReport): number {
  return earlyDropFlows + collected;
}

/** IP packets that no router forwards: their header is broken. */
export function refusedRecords({ counts: { refused } }: CaptureFigures): number {
  const { header, headerChecksum, length, options, address } = refused;
  return header + headerChecksum + length + options + address;
}

/** The limit that was in force last; undefined when there was none. */
export function lastLimit({ timeline }: CourseReport): number | undefined {
  const capacityFlows = timeline.limits.at(-1)?.capacityFlows ?? 0;
  return capacityFlows === 0 ? undefined : capacityFlows;
}
