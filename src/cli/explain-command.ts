/**
 * `headroom explain`: takes a census and says what it found, whole, sampled, or as far as it came before ^C;
 * of one place, or of all network namespaces together.
 */
import type { CensusBuilder } from "../census/census.ts";
import type { Owners } from "../kernel/kernel.ts";
import type { NamespaceFacts } from "../table/host.ts";
import { addOddities, type Oddities } from "../table/oddities.ts";
import type { Settings } from "../table/settings.ts";
import type { FlowReading } from "../table/source.ts";
import type { Unseen } from "../table/unseen.ts";
import type { Row } from "./state-rows.ts";
import { unseenLines } from "./check-text.ts";
import { type Context, print, printJson } from "./context.ts";
import { visitNamespaces } from "./every-namespace.ts";
import { ExitCode } from "./exit-code.ts";
import { explainToJson, namespacesToJson } from "./explain-json.ts";
import { type ExplainText, renderExplain } from "./explain-text.ts";
import { readFilter } from "./flow-filter.ts";
import { isEventListing, openPlace, openReading, type Place, readsStandardInput } from "./flow-source.ts";
import { countOf, formatCount } from "./figures.ts";
import { fullestOptions, namespaceLines, occupancyOf } from "./namespaces-text.ts";
import type { ExplainOptions } from "./options.ts";
import { OwnerTally } from "./owner-tally.ts";
import { subjectOf } from "./subject.ts";
import {
  type CensusRequest,
  type CountedFlows,
  countFlows,
  takeCensus,
  type TakenCensus,
} from "./take-census.ts";
import { UsageError } from "./usage-error.ts";

/** Rows of each ranking on the screen. */
const SHOWN_ROWS = 5;
/** Rows of each ranking that are counted: machine output shows them all. */
const COUNTED_ROWS = 20;

export async function runExplain(context: Context, options: ExplainOptions): Promise<ExitCode> {
  const place = await openPlace(context, options);
  try {
    if (options.allNetns === true) return await explainNamespaces(context, options, place);
    return await explainFlows(context, options, place);
  } finally {
    place.host?.close();
  }
}

async function explainFlows(context: Context, options: ExplainOptions, place: Place): Promise<ExitCode> {
  const matcher = await readFilter(options.filter ?? "");
  const signal = readsStandardInput(place) ? undefined : context.terminal.interruption();
  const request = await censusRequest(context, options, place, signal);
  const tally = options.owners === true ? new OwnerTally(ownersOf(place)) : undefined;
  const taken = await takeCensus(context, {
    ...request,
    ...(matcher === undefined ? {} : { matcher }),
    ...(tally === undefined ? {} : { onBatch: (columns) => tally.add(columns) }),
  });
  const report = reportOf(options, place, request, taken, tally?.rows(taken.census));
  if (options.json === true) printJson(context, explainToJson(report, request.reading.source));
  else print(context, renderExplain(report, context.look));
  return taken.interrupted ? ExitCode.interrupted : ExitCode.ok;
}

async function censusRequest(
  context: Context,
  options: ExplainOptions,
  place: Place,
  signal: AbortSignal | undefined,
): Promise<CensusRequest> {
  const { host: access } = place;
  const { sample: sampleFlows } = options;
  const settings = access?.settings();
  const occupancyFlows = settings?.values.nf_conntrack_count;
  if (sampleFlows !== undefined && occupancyFlows === undefined) {
    throw new UsageError("Cannot sample: how many flows the sample would stand for is not known here");
  }
  const kernelRelease = access?.host().kernelRelease;
  const reading = await openReading(context, place, sampleFlows);
  return {
    reading,
    topRows: Math.max(options.top ?? 0, COUNTED_ROWS),
    ...(settings === undefined ? {} : { settings }),
    ...(kernelRelease === undefined ? {} : { kernelRelease }),
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    ...(sampleFlows === undefined ? {} : { sampleFlows }),
    ...(signal === undefined ? {} : { signal }),
  };
}

function ownersOf({ host }: Place): Owners {
  if (host === undefined)
    throw new UsageError("Cannot name owners: a listing does not tell whose flows they are");
  return host.owners();
}

function reportOf(
  options: ExplainOptions,
  place: Place,
  request: CensusRequest,
  taken: TakenCensus,
  owners: readonly Row[] | undefined,
): ExplainText {
  const { host: access, sameOptions } = place;
  const { census } = taken;
  const values: Settings = request.settings?.values ?? {};
  const subject = subjectOf(access?.host(), options);
  const live = access !== undefined && access.host().root === undefined;
  const comparable = live && census.complete && census.sampled === undefined;
  const dyingFlows = comparable ? access.dyingFlows() : undefined;
  const occupancyAfterFlows = comparable ? access.counters()?.occupancyFlows : undefined;
  return {
    census,
    origin: request.reading.origin,
    top: options.top ?? SHOWN_ROWS,
    unseen: access?.unseen ?? [],
    ...(sameOptions === undefined ? {} : { sameOptions }),
    ...(subject === undefined ? {} : { subject }),
    ...(access === undefined ? {} : { tracker: access.host().tracker }),
    ...(values.nf_conntrack_count === undefined ? {} : { occupancyFlows: values.nf_conntrack_count }),
    ...(values.nf_conntrack_max === undefined ? {} : { capacityFlows: values.nf_conntrack_max }),
    ...(occupancyAfterFlows === undefined ? {} : { occupancyAfterFlows }),
    ...(dyingFlows === undefined ? {} : { dyingFlows }),
    ...(options.filter === undefined ? {} : { filter: options.filter }),
    ...(isEventListing(request.reading) ? { events: true } : {}),
    ...(taken.interrupted ? { interrupted: true } : {}),
    ...(taken.assumedTimeouts ? { assumedTimeouts: true } : {}),
    ...(owners === undefined ? {} : { owners }),
  };
}

/** The namespaces and what they hold, then the census of all of them together. */
async function explainNamespaces(context: Context, options: ExplainOptions, place: Place): Promise<ExitCode> {
  if (options.sample !== undefined) {
    throw new UsageError(
      "Cannot sample all network namespaces at once: each has a table of its own",
      "Sample one of them with --netns NAME",
    );
  }
  const { look } = context;
  const namespaces = place.host?.namespaces() ?? [];
  const together = await countNamespaces(context, options, place, namespaces);
  const unseen = [...(place.host?.unseen ?? []), ...together.unseen];
  const report = togetherReport(options, place, namespaces, together, unseen);
  if (options.json === true) {
    const explained = report === undefined ? undefined : explainToJson(report, together.source);
    printJson(context, namespacesToJson(namespaces, explained, unseen));
  } else {
    const below = report === undefined ? unseenLines(unseen, Infinity, look) : renderExplain(report, look);
    print(context, [...namespaceLines(namespaces, look), "", ...below]);
  }
  return together.interrupted ? ExitCode.interrupted : ExitCode.ok;
}

/** Counts of several namespaces, added up. */
class Together {
  builder: CensusBuilder | undefined;
  tally: OwnerTally | undefined;
  source = "";
  readonly origins = new Set<string>();
  readonly oddities: Oddities = {};
  complete = true;
  interrupted = false;
  assumedTimeouts = false;
  seen = 0;
  unseen: readonly Unseen[] = [];

  add({ source, origin, oddities }: FlowReading, counted: CountedFlows): void {
    this.builder = this.builder?.merge(counted.builder) ?? counted.builder;
    this.source = source;
    this.origins.add(origin);
    addOddities(this.oddities, oddities);
    this.complete &&= counted.complete;
    this.interrupted ||= counted.interrupted;
    this.assumedTimeouts ||= counted.assumedTimeouts;
  }

  /** Whose flows the next ones are is asked of their own namespace. */
  enter(owners: Owners): OwnerTally {
    if (this.tally === undefined) this.tally = new OwnerTally(owners);
    else this.tally.enter(owners);
    return this.tally;
  }
}

/** Each namespace by its own settings: timeouts differ, and with them idle ages. */
async function countNamespaces(
  context: Context,
  options: ExplainOptions,
  place: Place,
  namespaces: readonly NamespaceFacts[],
): Promise<Together> {
  const together = new Together();
  const matcher = await readFilter(options.filter ?? "");
  const signal = context.terminal.interruption();
  const filled = namespaces.filter(({ occupancyFlows, own }) => own || occupancyFlows !== 0);
  const visited = await visitNamespaces(context, options, place, filled, {
    isOver: () => signal.aborted,
    visit: async (there) => {
      const request = await censusRequest(context, options, there, signal);
      const tally = options.owners === true ? together.enter(ownersOf(there)) : undefined;
      const counted = await countFlows(context, {
        ...request,
        ...(matcher === undefined ? {} : { matcher }),
        ...(tally === undefined ? {} : { onBatch: (columns) => tally.add(columns) }),
      });
      together.add(request.reading, counted);
    },
  });
  together.seen = visited.seen + namespaces.length - filled.length;
  together.unseen = visited.unseen;
  together.complete &&= together.seen === namespaces.length;
  return together;
}

/** Undefined when no namespace could be read. */
function togetherReport(
  options: ExplainOptions,
  { host, sameOptions = "" }: Place,
  namespaces: readonly NamespaceFacts[],
  together: Together,
  unseen: readonly Unseen[],
): ExplainText | undefined {
  const { builder, complete, oddities, origins, seen } = together;
  if (builder === undefined) return undefined;
  const census = builder.finish({ complete, oddities });
  const all = countOf(namespaces.length, "network namespace");
  const some = seen === namespaces.length ? "" : `${formatCount(seen)} of `;
  const fullest = fullestOptions(namespaces);
  const subject = subjectOf(host?.host(), options);
  return {
    census,
    origin: `${[...origins].join(", ")} in ${some}${all}`,
    top: options.top ?? SHOWN_ROWS,
    unseen,
    sameOptions: `${sameOptions} --all-netns`,
    occupancyFlows: occupancyOf(namespaces),
    ...(fullest === undefined
      ? {}
      : { next: [{ command: `headroom explain${sameOptions}${fullest}`, why: "the fullest" }] }),
    ...(subject === undefined ? {} : { subject }),
    ...(options.filter === undefined ? {} : { filter: options.filter }),
    ...(together.interrupted ? { interrupted: true } : {}),
    ...(together.assumedTimeouts ? { assumedTimeouts: true } : {}),
    ...(together.tally === undefined ? {} : { owners: together.tally.rows(census) }),
  };
}
