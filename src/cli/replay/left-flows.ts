/**
 * What is left in a table at the end: counted exactly by protocol and state; by address and service from its
 * beginning where it is large, which is a random sample, because buckets are in hash order.
 */
import { type Census, CensusBuilder } from "../../census/census.ts";
import { type FlowColumns, Has } from "../../table/columns.ts";
import { protocolName } from "../../table/protocol.ts";
import type { FlowReading } from "../../table/source.ts";
import { stateName } from "../../table/state.ts";

/** Flows whose addresses are counted: ranking all of a million takes longer than the replay. */
const SAMPLE_FLOWS = 8192;
/** States of a protocol; the last slot is for flows without one. */
const STATES = 16;
const NO_STATE = STATES - 1;

export interface LeftFlows {
  flows: number;
  /** Most first. */
  byState: readonly { protocol: string; state?: string; flows: number }[];
  topSources: Census["topSources"]["rows"];
  topServices: Census["topServices"]["rows"];
  /** Flows the rankings go by, where these are not all. */
  sampledFlows?: number;
}

/** Goes through a table; `top` is rows of the rankings. */
export async function countLeft(reading: FlowReading, top: number): Promise<LeftFlows> {
  const counts = new Float64Array(256 * STATES);
  const builder = new CensusBuilder({ settings: {}, topRows: top });
  let flows = 0;
  let sampledFlows = 0;
  for await (const columns of reading.batches()) {
    countStates(columns, counts);
    flows += columns.count;
    if (sampledFlows >= SAMPLE_FLOWS) continue;
    builder.add(columns);
    sampledFlows = flows;
  }
  const isSample = sampledFlows < flows;
  const { topSources, topServices } = builder.finish({
    complete: !isSample,
    oddities: {},
    occupancyFlows: flows,
    ...(isSample ? { sampleMethod: "the beginning of the table, which is in hash order" } : {}),
  });
  return {
    flows,
    byState: statesOf(counts),
    topSources: topSources.rows,
    topServices: topServices.rows,
    ...(isSample ? { sampledFlows } : {}),
  };
}

function countStates({ count, has, protocol, state }: FlowColumns, counts: Float64Array): void {
  for (let row = 0; row < count; row += 1) {
    const hasState = ((has[row] as number) & Has.state) !== 0;
    const slot = hasState ? Math.min(state[row] as number, NO_STATE - 1) : NO_STATE;
    const at = (protocol[row] as number) * STATES + slot;
    counts[at] = (counts[at] as number) + 1;
  }
}

function statesOf(counts: Float64Array): LeftFlows["byState"] {
  const rows: { protocol: string; state?: string; flows: number }[] = [];
  counts.forEach((flows, at) => {
    if (flows === 0) return;
    const number = Math.floor(at / STATES);
    const slot = at % STATES;
    const state = slot === NO_STATE ? {} : { state: stateName(number, slot) };
    rows.push({ protocol: protocolName(number), ...state, flows });
  });
  return rows.toSorted((left, right) => right.flows - left.flows);
}
