/**
 * A census of a place: whole, sampled, or as far as it came before ^C.
 */
import { CensusBuilder, type Census } from "../census/census.ts";
import type { FlowColumns } from "../table/columns.ts";
import { parseKernelRelease } from "../table/kernel-release.ts";
import type { SettingsReading } from "../table/host.ts";
import type { FlowReading } from "../table/source.ts";
import { IdleLookup } from "../table/idle.ts";
import { timeoutsOf } from "./assumed-timeouts.ts";
import type { Context } from "./context.ts";
import { type FlowMatcher, MatchingRows } from "./flow-filter.ts";
import { paced } from "./progress.ts";

export interface CensusRequest {
  reading: FlowReading;
  settings?: SettingsReading;
  kernelRelease?: string;
  /** The kernel's own count: what a sample stands for. */
  occupancyFlows?: number;
  /** The reading was asked for about so many flows. */
  sampleFlows?: number;
  topRows?: number;
  signal?: AbortSignal;
  /** Only flows that match are counted. */
  matcher?: FlowMatcher;
  /** Sees every batch that is counted. */
  onBatch?: (columns: FlowColumns) => void;
}

export interface TakenCensus {
  census: Census;
  interrupted: boolean;
  /** No timeout was known; defaults stood in. */
  assumedTimeouts: boolean;
}

/** Flows that were counted, and what the census of them has to say. */
export interface CountedFlows {
  builder: CensusBuilder;
  /** Flows read; with a filter, more than were counted. */
  lookedAtFlows: number;
  /** The whole table was read. */
  complete: boolean;
  interrupted: boolean;
  assumedTimeouts: boolean;
}

/** Reads to the end, to the sample's size or to the signal, whichever comes first. */
export async function takeCensus(context: Context, request: CensusRequest): Promise<TakenCensus> {
  const { reading, occupancyFlows, sampleFlows, matcher } = request;
  const { builder, lookedAtFlows, complete, interrupted, assumedTimeouts } = await countFlows(
    context,
    request,
  );
  const wanted = sampleFlows !== undefined || (interrupted && inHashOrder(reading));
  const sampled = wanted && !reading.complete && occupancyFlows !== undefined;
  const census = builder.finish({
    complete,
    oddities: reading.oddities,
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    ...(matcher === undefined ? {} : { lookedAtFlows }),
    ...(sampled ? { sampleMethod: "the beginning of a dump, which is in hash order" } : {}),
  });
  return { census, interrupted, assumedTimeouts };
}

/** As `takeCensus`, for a census of several readings together. */
export async function countFlows(context: Context, request: CensusRequest): Promise<CountedFlows> {
  const { reading, settings, occupancyFlows, sampleFlows, signal, topRows } = request;
  const release = request.kernelRelease === undefined ? undefined : parseKernelRelease(request.kernelRelease);
  const timeouts = timeoutsOf(settings?.values);
  const nowMs = context.deps.clock.nowMs();
  const idleContext = { settings: timeouts.settings, nowMs, ...(release === undefined ? {} : { release }) };
  const match = request.matcher?.({ idle: new IdleLookup(idleContext), nowMs });
  const matching = match === undefined ? undefined : new MatchingRows(match);
  const builder = new CensusBuilder({
    ...idleContext,
    ...(topRows === undefined ? {} : { topRows }),
    ...(context.deps.seed === undefined ? {} : { seed: context.deps.seed }),
  });
  const expectedFlows = sampleFlows ?? occupancyFlows;
  const pace = {
    ...(signal === undefined ? {} : { signal }),
    ...(expectedFlows === undefined ? {} : { expectedFlows }),
  };
  let lookedAtFlows = 0;
  for await (const columns of paced(reading, context, pace)) {
    lookedAtFlows += columns.count;
    const counted = matching?.of(columns) ?? columns;
    request.onBatch?.(counted);
    builder.add(counted);
  }
  const interrupted = signal?.aborted === true;
  const complete = reading.complete && !interrupted;
  return { builder, lookedAtFlows, complete, interrupted, assumedTimeouts: timeouts.assumed };
}

/**
 * The beginning of what the kernel gives is a random sample: the hash is keyed at random. A file may be
 * sorted.
 */
function inHashOrder({ source }: FlowReading): boolean {
  return source === "netlink" || source === "procfs";
}
