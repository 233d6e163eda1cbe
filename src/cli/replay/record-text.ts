/**
 * What a replay of a record says of the record: how it was made, what was lost, and what events cannot tell.
 * Pure.
 */
import { countOf, formatCount, formatShare } from "../figures.ts";
import { visible } from "../plain-text.ts";
import type { RecordFigures } from "./record-reading.ts";
import type { CourseReport } from "./replay-report.ts";

/** `3,107 flows and 34,768 events`. */
export function eventsText({ tableFlows, events }: RecordFigures): string {
  return `${countOf(tableFlows, "flow")} and ${countOf(events, "event")}`;
}

/** Sentences, most important first. */
export function recordSentences(record: RecordFigures, courses: readonly CourseReport[]): string[] {
  const { lostEvents, losses, oneOf, complete, leftOutFlows, hostname, namespace, kernelRelease } = record;
  const sentences: string[] = [];
  const host = hostname === undefined ? "" : ` of ${visible(hostname)}`;
  const where = namespace === undefined ? "" : `, network namespace ${visible(namespace)}`;
  const release = kernelRelease === undefined ? "" : `, kernel ${visible(kernelRelease)}`;
  sentences.push(`A record of flow events${host}${where}${release}: its packets are those the events imply.`);
  if (losses > 0) {
    const events = lostEvents === undefined ? "Events" : countOf(lostEvents, "event");
    sentences.push(
      `${events} were lost, ${countOf(losses, "time")}; tables read behind tell what became of the flows.`,
    );
  }
  if (oneOf > 1) {
    sentences.push(
      `Events of one flow in ${formatCount(oneOf)} were recorded: figures are of that share, under a limit ` +
        "and buckets of that share.",
    );
  }
  if (!complete) sentences.push("The record has no table at its end: it was cut off there.");
  if (leftOutFlows > 0) {
    sentences.push(
      `${countOf(leftOutFlows, "flow")} of SCTP or DCCP are left out: events do not tell enough.`,
    );
  }
  const [course] = courses;
  if (courses.length === 1 && course !== undefined) sentences.push(...boundSentences(course));
  return sentences;
}

/** How near it is, and between what the truth lies. */
export function boundSentences({ record, peakFlows, flowsAtEnd }: CourseReport): string[] {
  if (record === undefined) return [];
  const { difference, uncertainFlows, mostPeakFlows = 0, mostFlowsAtEnd = 0, lacksEarlierFlows } = record;
  const sentences: string[] = [];
  if (difference !== undefined) {
    const { samples, meanShare, mostShare } = difference;
    sentences.push(
      `Against nf_conntrack_count, ${countOf(samples, "time")}: ${precise(meanShare)} off on average, ` +
        `${precise(mostShare)} at most.`,
    );
  }
  if (uncertainFlows > 0) {
    sentences.push(
      `${countOf(uncertainFlows, "flow")} may have spoken more often than events tell. They are taken as ` +
        `silent; had they talked all the time, the peak would be ${formatCount(mostPeakFlows)} instead of ` +
        `${formatCount(peakFlows)}, and ${formatCount(mostFlowsAtEnd)} would be left instead of ` +
        `${formatCount(flowsAtEnd)}.`,
    );
  }
  if (lacksEarlierFlows === true) {
    sentences.push(
      "A timeout is longer than it was: flows that had ended before the record began would still be there, " +
        "and are not in it. headroom whatif --source tells where it leads.",
    );
  }
  return sentences;
}

function precise(share: number): string {
  return share < 0.1 ? `${(share * 100).toFixed(1)} %` : formatShare(share);
}
