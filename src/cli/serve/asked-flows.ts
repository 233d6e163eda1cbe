/**
 * Flows and censuses that somebody asks for over HTTP: the table is read once for each, as `list` and
 * `explain` do, and the watch goes on in between.
 */
import type { HostAccess } from "../../kernel/kernel.ts";
import { flowToJson } from "../../listing/listing.ts";
import type { Census } from "../../census/census.ts";
import type { CensusAsked, FlowsAsked, FlowsFound } from "../../server/server.ts";
import type { Filter } from "../../table/filter.ts";
import { compileTruth } from "../../table/filter-match.ts";
import { flowAt } from "../../table/flow.ts";
import { IdleLookup } from "../../table/idle.ts";
import { parseKernelRelease } from "../../table/kernel-release.ts";
import { timeoutsOf } from "../assumed-timeouts.ts";
import type { Context } from "../context.ts";
import { type FlowMatcher, MatchingRows } from "../flow-filter.ts";
import { openPlace, openReading, type Place } from "../flow-source.ts";
import type { ListedFlow } from "../flow-writer.ts";
import type { FlowOptions } from "../options.ts";
import { paced } from "../progress.ts";
import { SortedFlows } from "../sorted-flows.ts";
import { takeCensus } from "../take-census.ts";

/** Rows of each ranking that a page may show. */
const RANKED_ROWS = 20;

/** Reads the table of the place the options name. Throws KernelError. */
export async function askedFlows(
  context: Context,
  options: FlowOptions,
  asked: FlowsAsked,
): Promise<FlowsFound> {
  return atPlace(context, options, async (place, access) => {
    const { sort, limit, signal } = asked;
    const nowMs = context.deps.clock.nowMs();
    const idle = idleLookupOf(access, nowMs);
    const match = matcherOf(asked.filter)?.({ idle, nowMs });
    const matching = match === undefined ? undefined : new MatchingRows(match);
    const sorted = sort === undefined ? undefined : new SortedFlows(sort, limit);
    const found: ListedFlow[] = [];
    const reading = await openReading(context, place, undefined);
    let [lookedAtFlows, matchedFlows] = [0, 0];
    for await (const columns of paced(reading, context, { signal })) {
      lookedAtFlows += columns.count;
      const kept = matching?.of(columns) ?? columns;
      matchedFlows += kept.count;
      for (let row = 0; row < kept.count; row += 1) {
        if (sorted === undefined && found.length >= limit) break;
        const idleSeconds = idle.secondsAt(kept, row);
        const listed = { flow: flowAt(kept, row), ...(idleSeconds < 0 ? {} : { idleSeconds }) };
        if (sorted === undefined) found.push(listed);
        else sorted.add(listed);
      }
    }
    const flows = (sorted?.result() ?? found).map(({ flow, ...outside }) => flowToJson(flow, outside));
    const complete = reading.complete && !signal.aborted;
    return { atMs: nowMs, flows, lookedAtFlows, matchedFlows, complete };
  });
}

/** Counts what matches of the table of the place the options name. Throws KernelError. */
export async function askedCensus(
  context: Context,
  options: FlowOptions,
  { filter, signal }: CensusAsked,
): Promise<{ atMs: number; census: Census }> {
  return atPlace(context, options, async (place, access) => {
    const atMs = context.deps.clock.nowMs();
    const settings = access.settings();
    const { kernelRelease } = access.host();
    const { nf_conntrack_count: occupancyFlows } = settings.values;
    const matcher = matcherOf(filter);
    const { census } = await takeCensus(context, {
      reading: await openReading(context, place, undefined),
      settings,
      signal,
      topRows: RANKED_ROWS,
      ...(kernelRelease === undefined ? {} : { kernelRelease }),
      ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
      ...(matcher === undefined ? {} : { matcher }),
    });
    return { atMs, census };
  });
}

/** A host opened for one question: everything it says is of now. */
async function atPlace<Result>(
  context: Context,
  options: FlowOptions,
  work: (place: Place, access: HostAccess) => Promise<Result>,
): Promise<Result> {
  const place = await openPlace(context, options);
  const { host } = place;
  try {
    if (host === undefined) throw new TypeError("A place without a source of its own has a host");
    return await work(place, host);
  } finally {
    host?.close();
  }
}

function idleLookupOf(access: HostAccess, nowMs: number): IdleLookup {
  const { kernelRelease } = access.host();
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  const { settings } = timeoutsOf(access.settings().values);
  return new IdleLookup({ settings, nowMs, ...(release === undefined ? {} : { release }) });
}

function matcherOf(filter: Filter): FlowMatcher | undefined {
  return filter.kind === "all" ? undefined : (reading) => compileTruth(filter, reading);
}
