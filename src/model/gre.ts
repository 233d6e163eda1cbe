/**
 * GRE: two timeouts, which a flow keeps from its birth whatever the settings say later. Source:
 * nf_conntrack_proto_gre.c, measured on 6.18.
 */
import { Status } from "../table/status.ts";
import { Flow, FLOW_WORDS, type FlowRows } from "./flow-rows.ts";
import type { TrackerSettings } from "./tracker-settings.ts";

/** Begins a flow: any GRE packet may. */
export function greNew(rows: FlowRows, flow: number, settings: TrackerSettings): void {
  const at = flow * FLOW_WORDS;
  rows.words[at + Flow.GRE_TIMEOUT] = settings.greTimeout;
  rows.words[at + Flow.GRE_STREAM_TIMEOUT] = settings.greStreamTimeout;
}

/** A packet of a flow: the jiffies it now has left. Sets ASSURED. */
export function grePacket(rows: FlowRows, flow: number): number {
  const { words } = rows;
  const at = flow * FLOW_WORDS;
  const status = words[at + Flow.STATUS] as number;
  if ((status & Status.SEEN_REPLY) === 0) return words[at + Flow.GRE_TIMEOUT] as number;
  words[at + Flow.STATUS] = status | Status.ASSURED;
  return words[at + Flow.GRE_STREAM_TIMEOUT] as number;
}
