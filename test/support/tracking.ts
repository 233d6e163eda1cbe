/** A tracker fed with packets as plain objects, for tests: words out, flows as values. */
import type { Tracker } from "../../src/model/model.ts";
import { verdictText } from "../../src/model/verdict.ts";
import { type Flow, flowAt } from "../../src/table/flow.ts";
import type { FlowColumns } from "../../src/table/columns.ts";
import { type Packet, packetsOf } from "./packets.ts";

/** When tests begin: a whole jiffy. */
export const START_MS = 1_700_000_000_000;

/**
 * Verdict words of packets; `atMs` of a packet is since the beginning, and stays until another one says
 * more.
 */
export function say(tracker: Tracker, packets: readonly Packet[]): string[] {
  let atMs = (tracker.nowMs ?? START_MS) - START_MS;
  const timed = packets.map((packet) => {
    atMs = packet.atMs ?? atMs;
    return { ...packet, atMs: START_MS + atMs };
  });
  const verdicts = new Uint8Array(timed.length);
  tracker.feed(packetsOf(timed), verdicts);
  return Array.from(verdicts, (verdict) => verdictText(verdict));
}

/** Lets the clock run to so many milliseconds since the beginning. */
export function wait(tracker: Tracker, toMs: number): void {
  tracker.advance(START_MS + toMs);
}

/** The table now, or as of a time. */
export function flowsOf(tracker: Tracker, atMs?: number): Flow[] {
  const flows: Flow[] = [];
  const reading = tracker.flows(atMs === undefined ? undefined : START_MS + atMs);
  for (const columns of reading.batches() as Iterable<FlowColumns>) {
    for (let row = 0; row < columns.count; row++) flows.push(flowAt(columns, row));
  }
  return flows;
}
