/**
 * Runs a record of flow events through courses: what its flows are known to have said, as packets. Where they
 * may have said more than is known, each course is run once more as if they had talked all the time: what
 * would have happened lies between the two.
 */
import {
  BATCH_ROWS,
  EventPackets,
  isRenewable,
  PacketColumns,
  talking,
  timeoutMsOf,
  type Words,
} from "../../packet/packet.ts";
import { type SettingKey, settingOf, type Settings } from "../../table/settings.ts";
import type { Context } from "../context.ts";
import { TURN_MS, turnOfTheLoop } from "../progress.ts";
import { idleContextOf, type RecordRead } from "./record-reading.ts";
import { Course, type CourseSpec } from "./replay-course.ts";
import type { CourseRecord, CourseReport } from "./replay-report.ts";
import type { Run } from "./replay-run.ts";
import { type CaptureInstant, instantMs } from "./replay-settings.ts";

export interface RecordRun {
  record: RecordRead;
  specs: readonly CourseSpec[];
  until?: CaptureInstant;
  signal: AbortSignal;
}

/** Runs every course; `first` is the one whose table can be read. */
export async function runRecord(context: Context, request: RecordRun): Promise<Run> {
  const { record, specs } = request;
  const { history } = record;
  // A flow that was there at its next word had spoken before its time was up.
  const words = talkingWords(record, history.words(), record.settings, RARELY).words;
  const reports: CourseReport[] = [];
  let first: Course | undefined;
  let packets = 0;
  for (const spec of specs) {
    const told = {
      ...ofShare(spec, record.figures.oneOf),
      beginsMs: history.beginsMs ?? 0,
      // One collector serves all namespaces, and who lists a table helps it: when it came is better than a
      // rule, under other settings too.
      passesMs: history.passesMs,
    };
    const silent = await runOnce(context, request, told, words);
    first ??= silent.course;
    packets = silent.packets;
    const more = talkingWords(record, words, told.settings, OFTEN);
    const talked = more.flows === 0 ? undefined : await runOnce(context, request, told, more.words);
    reports.push({
      ...silent.report,
      record: courseRecord(record, told, silent.report, more.flows, talked?.report),
    });
  }
  return {
    read: {
      summary: { ...record.summary, records: packets },
      counts: noCounts(packets),
      ...(record.compression === undefined ? {} : { compression: record.compression }),
      ...(record.brokenPacking === true ? { brokenPacking: true } : {}),
      ...(history.beginsMs === undefined ? {} : { firstMs: history.beginsMs, lastMs: history.endsMs }),
    },
    reports,
    first: first as Course,
    threads: 1,
  };
}

async function runOnce(
  context: Context,
  { record, until, signal }: RecordRun,
  spec: CourseSpec & { beginsMs: number },
  words: Words,
): Promise<{ course: Course; report: CourseReport; packets: number }> {
  const { clock } = context.deps;
  const course = new Course(spec);
  const cutsMs = [
    spec.beginsMs,
    ...spec.changes.map(({ at }) => (at === undefined ? 0 : instantMs(at, spec.beginsMs))),
  ];
  const packets = new EventPackets({
    flows: record.history.flows,
    words,
    seed: spec.seed,
    cutsMs: cutsMs.toSorted((one, other) => one - other),
  });
  const batch = new PacketColumns(BATCH_ROWS);
  let turnedMs = clock.elapsedMs();
  const filling = packets.into(batch, (filled) => {
    course.feed(filled);
    return signal.aborted ? undefined : batch;
  });
  for (const _ of filling) {
    if (clock.elapsedMs() - turnedMs < TURN_MS) continue;
    turnedMs = clock.elapsedMs();
    await turnOfTheLoop();
  }
  course.endAt(record.history.endsMs);
  if (until !== undefined) course.runOn(until);
  return { course, report: await course.report(), packets: packets.packets };
}

/** How much of its timeout a flow that talks is silent: as much as it can be, or less. */
const RARELY = 0.98;
const OFTEN = 0.9;

function talkingWords(
  record: RecordRead,
  words: Words,
  settings: Settings,
  share: number,
): { words: Words; flows: number } {
  const context = idleContextOf({ ...record.settings, ...settings }, record.figures.kernelRelease);
  return talking(
    record.history.flows,
    words,
    (protocol, state, status) => timeoutMsOf(context, protocol, state, status),
    isRenewable,
    share,
  );
}

function courseRecord(
  { counted, figures, settings }: RecordRead,
  spec: CourseSpec,
  report: CourseReport,
  uncertainFlows: number,
  talked: CourseReport | undefined,
): CourseRecord {
  const difference = isAsRecorded(spec) ? differenceOf(report, counted, figures.oneOf) : undefined;
  return {
    uncertainFlows,
    ...(talked === undefined
      ? {}
      : {
          mostPeakFlows: Math.max(talked.peakFlows, report.peakFlows),
          mostFlowsAtEnd: Math.max(talked.flowsAtEnd, report.flowsAtEnd),
        }),
    ...(hasLongerTimeout(spec, settings) ? { lacksEarlierFlows: true } : {}),
    ...(difference === undefined ? {} : { difference }),
  };
}

/** Whether a flow may live longer than it did when it was recorded. */
function hasLongerTimeout({ settings, changes }: CourseSpec, recorded: Settings): boolean {
  const before = idleContextOf(recorded, undefined).settings;
  const isLonger = (key: SettingKey, value: number): boolean =>
    settingOf(key).unit === "seconds" && value > (before[key] ?? Infinity);
  return (
    Object.entries(settings).some(([key, value]) => isLonger(key as SettingKey, value)) ||
    changes.some(({ key, value, text }) => text !== "" && isLonger(key, value))
  );
}

/** Where one flow in so many was recorded, the table is as much smaller. */
function ofShare(spec: CourseSpec, oneOf: number): CourseSpec {
  if (oneOf === 1) return spec;
  const share = (key: string, value: number): number =>
    key === "nf_conntrack_max" || key === "nf_conntrack_buckets" ? Math.ceil(value / oneOf) : value;
  const settings = Object.entries(spec.settings).map(([key, value]) => [key, share(key, value)] as const);
  return {
    ...spec,
    settings: Object.fromEntries(settings),
    changes: spec.changes.map((change) => ({ ...change, value: share(change.key, change.value) })),
  };
}

/** Whether it runs under the settings that were in force. */
function isAsRecorded({ given, changes }: CourseSpec): boolean {
  return given.length === 0 && changes.every(({ text }) => text === "");
}

/** How far the model is from what the kernel counted, where both ran under the same settings. */
function differenceOf(
  { timeline }: CourseReport,
  counted: RecordRead["counted"],
  oneOf: number,
): CourseRecord["difference"] {
  const { timeMs, flows } = timeline;
  let [samples, sum, most, at] = [0, 0, 0, 0];
  for (const { atMs, flows: all } of counted) {
    const counts = all / oneOf;
    while (at + 1 < timeMs.length && (timeMs[at + 1] as number) <= atMs) at += 1;
    if (timeMs.length === 0 || counts === 0) continue;
    const share = Math.abs((flows[at] as number) - counts) / counts;
    samples += 1;
    sum += share;
    if (share > most) most = share;
  }
  return samples === 0 ? undefined : { samples, meanShare: sum / samples, mostShare: most };
}

function noCounts(records: number): Run["read"]["counts"] {
  return {
    records,
    notIp: 0,
    unknownLinkType: 0,
    refused: { header: 0, headerChecksum: 0, length: 0, options: 0, address: 0 },
    fragments: 0,
    datagramsWhole: 0,
    datagramsLost: 0,
    snapped: 0,
    badChecksums: 0,
    assumedLengths: 0,
  };
}
