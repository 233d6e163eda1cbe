/**
 * `headroom replay --json`: schema headroom/replay/v1. Figures of one run stand at the top; those that were
 * compared are a list. Names are fixed, see schemas.ts.
 */
import { extensionBytesOf, tableMemory } from "../../plan/plan.ts";
import type { Census } from "../../census/census.ts";
import {
  type CaptureFigures,
  type CourseReport,
  evictedFlows,
  refusedRecords,
  type ReplayReport,
} from "./replay-report.ts";

/** What `replay --json` prints. */
export function replayToJson(report: ReplayReport): object {
  const { capture, generation, helpers, courses, seconds, threads, interrupted } = report;
  const [course] = courses;
  const one = courses.length === 1 && course !== undefined;
  return {
    schema: "headroom/replay/v1",
    origin: capture.origin,
    kernel: generation,
    helpers,
    ...(interrupted === true ? { interrupted } : {}),
    packets: capture.counts.records,
    ...(one ? courseToJson(course, report) : {}),
    capture: captureToJson(capture),
    seconds,
    packetsPerSecond: seconds > 0 ? Math.round(capture.counts.records / seconds) : 0,
    threads,
    ...(one
      ? {}
      : { compared: courses.map((each) => ({ settings: each.label, ...courseToJson(each, report) })) }),
  };
}

function captureToJson({ origin: _, summary, counts, ...rest }: CaptureFigures): object {
  const { records: __, ...about } = summary ?? { records: 0 };
  const { notIp, unknownLinkType, refused, snapped, badChecksums, assumedLengths, fragments } = counts;
  return {
    ...about,
    notIpRecords: notIp,
    unknownLinkTypeRecords: unknownLinkType,
    refusedPackets: refused,
    fragments,
    datagramsWhole: counts.datagramsWhole,
    datagramsLost: counts.datagramsLost,
    snappedPackets: snapped,
    badChecksumPackets: badChecksums,
    assumedLengthPackets: assumedLengths,
    ...rest,
  };
}

function courseToJson(course: CourseReport, { generation, capture }: ReplayReport): object {
  const { timeline, moments, dropped, left, verdicts } = course;
  const { timeMs, flows, dropped: droppedColumn, created, endMs, limits } = timeline;
  const memory = tableMemory({
    flows: course.peakFlows,
    buckets: course.settings.nf_conntrack_buckets ?? 0,
    extensionBytes: extensionBytesOf(course.settings),
    kernelRelease: generation,
  });
  return {
    trackedPackets: course.packets,
    flowsCreated: course.flowsCreated,
    flowsAtEnd: course.flowsAtEnd,
    peakFlows: course.peakFlows,
    drops: { ...course.drops, earlyDrop: course.earlyDropFlows, invalid: verdicts.invalid },
    verdicts: { none: capture.counts.notIp + refusedRecords(capture), ...verdicts },
    evictedFlows: evictedFlows(course),
    expiredFlows: course.expiredFlows,
    settingsInForce: course.settings,
    settingsChanged: course.changes,
    timeline: {
      timeMs: Array.from(timeMs),
      flows: Array.from(flows),
      dropped: Array.from(droppedColumn),
      created: Array.from(created),
    },
    endMs,
    limits,
    dropMoments: moments,
    ...(dropped === undefined ? {} : { droppedFrom: addressesOf(dropped), droppedTo: servicesOf(dropped) }),
    left,
    ...(course.record === undefined ? {} : { bound: course.record }),
    memoryBytes: memory.bytes,
    memoryHow: memory.how,
    modelMemoryBytes: course.modelBytes,
  };
}

function addressesOf({ topSources }: Census): object[] {
  return topSources.rows.map(({ address, flows }) => ({ address, packets: flows }));
}

function servicesOf({ topServices }: Census): object[] {
  return topServices.rows.map(({ protocol, port, flows }) => ({ protocol, port, packets: flows }));
}
