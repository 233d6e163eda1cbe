/**
 * `headroom explain`: takes a census and says what it found, whole, sampled, or as far as it came before ^C.
 */
import type { Owners } from "../kernel/kernel.ts";
import type { Settings } from "../table/settings.ts";
import type { Row } from "./state-rows.ts";
import { unseenLines } from "./check-text.ts";
import { type Context, print, printJson } from "./context.ts";
import { ExitCode } from "./exit-code.ts";
import { explainToJson, namespacesToJson } from "./explain-json.ts";
import { type ExplainText, renderExplain } from "./explain-text.ts";
import { readFilter } from "./flow-filter.ts";
import { openPlace, openReading, type Place, readsStandardInput } from "./flow-source.ts";
import { nextCommands } from "./look.ts";
import { fullestOptions, namespaceLines } from "./namespaces-text.ts";
import type { ExplainOptions } from "./options.ts";
import { OwnerTally } from "./owner-tally.ts";
import { subjectOf } from "./subject.ts";
import { type CensusRequest, takeCensus, type TakenCensus } from "./take-census.ts";
import { UsageError } from "./usage-error.ts";

/** Rows of each ranking on the screen. */
const SHOWN_ROWS = 5;
/** Rows of each ranking that are counted: machine output shows them all. */
const COUNTED_ROWS = 20;

export async function runExplain(context: Context, options: ExplainOptions): Promise<ExitCode> {
  const place = await openPlace(context, options);
  try {
    if (options.allNetns === true) return explainNamespaces(context, options, place);
    return await explainFlows(context, options, place);
  } finally {
    place.host?.close();
  }
}

async function explainFlows(context: Context, options: ExplainOptions, place: Place): Promise<ExitCode> {
  const matcher = await readFilter(options.filter ?? "");
  const request = await censusRequest(context, options, place);
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
    ...(readsStandardInput(place) ? {} : { signal: context.terminal.interruption() }),
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
    sameOptions,
    ...(subject === undefined ? {} : { subject }),
    ...(access === undefined ? {} : { tracker: access.host().tracker }),
    ...(values.nf_conntrack_count === undefined ? {} : { occupancyFlows: values.nf_conntrack_count }),
    ...(values.nf_conntrack_max === undefined ? {} : { capacityFlows: values.nf_conntrack_max }),
    ...(occupancyAfterFlows === undefined ? {} : { occupancyAfterFlows }),
    ...(dyingFlows === undefined ? {} : { dyingFlows }),
    ...(options.filter === undefined ? {} : { filter: options.filter }),
    ...(taken.interrupted ? { interrupted: true } : {}),
    ...(taken.assumedTimeouts ? { assumedTimeouts: true } : {}),
    ...(owners === undefined ? {} : { owners }),
  };
}

function explainNamespaces(context: Context, options: ExplainOptions, place: Place): ExitCode {
  const { host: access } = place;
  const namespaces = access?.namespaces() ?? [];
  const unseen = access?.unseen ?? [];
  if (options.json === true) printJson(context, namespacesToJson(namespaces, unseen));
  else {
    const { look } = context;
    const next = fullestOptions(namespaces);
    const command = `headroom explain${place.sameOptions}${next ?? ""}`;
    print(context, [
      ...namespaceLines(namespaces, look),
      ...(next === undefined ? [] : ["", ...nextCommands(look, [{ command, why: "the fullest" }])]),
      ...unseenLines(unseen, Infinity, look),
    ]);
  }
  return ExitCode.ok;
}
