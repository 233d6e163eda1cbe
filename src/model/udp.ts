/**
 * UDP and UDP-Lite: no state, two timeouts. Source: nf_conntrack_proto_udp.c; the two-second rule and ASSURED
 * measured on 6.18.
 */
import { Status } from "../table/status.ts";
import { Flow, FLOW_WORDS, type FlowRows } from "./flow-rows.ts";
import type { TrackerSettings } from "./tracker-settings.ts";

/** A conversation is one that still goes on after so many seconds (5.0). */
const STREAM_AFTER_SECONDS = 2;

/** A UDP packet of a flow: the jiffies it now has left. Sets ASSURED. */
export function udpPacket(rows: FlowRows, flow: number, now: number, settings: TrackerSettings): number {
  const { words } = rows;
  const at = flow * FLOW_WORDS;
  const status = words[at + Flow.STATUS] as number;
  if ((status & Status.SEEN_REPLY) === 0) return settings.udpTimeout;
  if (settings.rules.udpStreamAfterTwoSeconds) {
    const ageJiffies = (now - (words[at + Flow.CREATED] as number)) | 0;
    if (ageJiffies <= STREAM_AFTER_SECONDS * settings.hz) return settings.udpTimeout;
  }
  words[at + Flow.STATUS] = status | Status.ASSURED;
  return settings.udpStreamTimeout;
}

/** The same for UDP-Lite, which has no two-second rule. */
export function udplitePacket(rows: FlowRows, flow: number, settings: TrackerSettings): number {
  const at = flow * FLOW_WORDS + Flow.STATUS;
  const status = rows.words[at] as number;
  if ((status & Status.SEEN_REPLY) === 0) return settings.udpTimeout;
  rows.words[at] = status | Status.ASSURED;
  return settings.udpStreamTimeout;
}
