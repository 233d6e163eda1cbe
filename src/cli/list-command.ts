/**
 * `headroom list`: flows as text, JSON or CSV, in constant memory however many there are. Text is what
 * /proc/net/nf_conntrack of this kernel prints for the same flow, wherever it was read from.
 */
import type { HostAccess } from "../kernel/kernel.ts";
import type { LineStyle } from "../listing/listing.ts";
import type { FlowColumns } from "../table/columns.ts";
import type { RowTruth } from "../table/filter-match.ts";
import { flowAt } from "../table/flow.ts";
import { IdleLookup } from "../table/idle.ts";
import { parseKernelRelease } from "../table/kernel-release.ts";
import { addOddities, type Oddities, type OddityName, oddityText } from "../table/oddities.ts";
import type { FlowReading } from "../table/source.ts";
import type { Unseen } from "../table/unseen.ts";
import { timeoutsOf } from "./assumed-timeouts.ts";
import { type Context, warn } from "./context.ts";
import { visitNamespaces } from "./every-namespace.ts";
import { ExitCode } from "./exit-code.ts";
import { countOf, formatCount } from "./figures.ts";
import { type FlowMatcher, readFilter } from "./flow-filter.ts";
import {
  isEventListing,
  listingOf,
  openPlace,
  openReading,
  type Place,
  readsStandardInput,
} from "./flow-source.ts";
import { type FlowWriter, flowWriter, type ListedFlow } from "./flow-writer.ts";
import { netlinkLineStyle } from "./line-style.ts";
import type { ListOptions } from "./options.ts";
import { visible } from "./plain-text.ts";
import { paced } from "./progress.ts";
import { SORTED_FLOWS_MAX, SortedFlows } from "./sorted-flows.ts";
import { CHARACTER_BYTES } from "./terminal.ts";

/** Bytes gathered before they are written: a write per line would be most of what a listing costs. */
const ROOM_BYTES = 64 * 1024;
const LINE_FEED = 10;

export async function runList(context: Context, options: ListOptions, filter: string): Promise<ExitCode> {
  const matcher = await readFilter(filter);
  const place = await openPlace(context, options);
  try {
    const signal = readsStandardInput(place) ? undefined : context.terminal.interruption();
    const listing = new ListingRun(context, options, matcher, signal);
    if (options.allNetns === true) await listNamespaces(context, options, place, listing);
    else await listing.list(place);
    return listing.end();
  } finally {
    place.host?.close();
  }
}

/** Every namespace after the other; when none of them can be read, that is an error. */
async function listNamespaces(
  context: Context,
  options: ListOptions,
  place: Place,
  listing: ListingRun,
): Promise<void> {
  const { seen, unseen, error } = await visitNamespaces(
    context,
    options,
    place,
    place.host?.namespaces() ?? [],
    { visit: (there, label) => listing.list(there, label), isOver: () => listing.isOver },
  );
  if (seen === 0 && error !== undefined) throw error;
  listing.noteUnseen(unseen);
}

/** One listing of one or several places, from its first line to its footer. */
class ListingRun {
  readonly #context: Context;
  readonly #options: ListOptions;
  readonly #matcher: FlowMatcher | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #writer: FlowWriter;
  readonly #sorted: SortedFlows | undefined;
  readonly #limit: number;
  readonly #origins = new Set<string>();
  readonly #oddities: Oddities = {};
  readonly #unseen: Unseen[] = [];
  /** Lines that were not written yet, as bytes: held as text they would outlive the rows they came from. */
  readonly #room = new Uint8Array(ROOM_BYTES);
  readonly #encoder = new TextEncoder();
  #roomUsed = 0;
  #flowsRead = 0;
  #flowsMatched = 0;
  #flowsListed = 0;
  /** The source does not tell what the filter asks. */
  #flowsUndecided = 0;
  #areEvents = false;
  /** How the lines of the place being read look; for sorted flows, those of the last place. */
  #style: LineStyle = {};

  constructor(
    context: Context,
    options: ListOptions,
    matcher: FlowMatcher | undefined,
    signal: AbortSignal | undefined,
  ) {
    this.#context = context;
    this.#options = options;
    this.#matcher = matcher;
    this.#signal = signal;
    this.#writer = flowWriter(options);
    const { sort, limit } = options;
    this.#limit = Math.min(limit ?? Infinity, sort === undefined ? Infinity : SORTED_FLOWS_MAX);
    this.#sorted = sort === undefined ? undefined : new SortedFlows(sort, this.#limit);
    for (const line of this.#writer.header) this.#put(line);
  }

  /** Nothing more is wanted: the limit is reached, or ^C was pressed. */
  get isOver(): boolean {
    const full = this.#sorted === undefined && this.#flowsListed >= this.#limit;
    return full || this.#signal?.aborted === true;
  }

  async list(place: Place, namespace?: string): Promise<void> {
    const { host } = place;
    const nowMs = this.#context.deps.clock.nowMs();
    const { kernelRelease } = host?.host() ?? {};
    const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
    const { settings } = timeoutsOf(host?.settings().values);
    const idle = new IdleLookup({ settings, nowMs, ...(release === undefined ? {} : { release }) });
    const match = this.#matcher?.({ idle, nowMs });
    const occupancyFlows = host?.settings().values.nf_conntrack_count;
    const reading = await openReading(this.#context, place, this.#options.sample);
    const styleOf = styleReader(reading, host, nowMs);
    const pace = {
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
      ...(occupancyFlows === undefined ? {} : { expectedFlows: occupancyFlows }),
    };
    for await (const columns of paced(reading, this.#context, pace)) {
      this.#style = styleOf();
      this.#take(columns, idle, match, namespace);
      if (this.isOver) break;
    }
    this.#origins.add(reading.origin);
    addOddities(this.#oddities, reading.oddities);
    this.#areEvents ||= isEventListing(reading);
    this.noteUnseen(host?.unseen ?? []);
  }

  /** What the footer shall name. */
  noteUnseen(unseen: readonly Unseen[]): void {
    this.#unseen.push(...unseen);
  }

  #take(
    columns: FlowColumns,
    idle: IdleLookup,
    match: RowTruth | undefined,
    namespace: string | undefined,
  ): void {
    for (let row = 0; row < columns.count; row += 1) {
      this.#flowsRead += 1;
      const truth = match === undefined ? 1 : match(columns, row);
      if (truth === 0) this.#flowsUndecided += 1;
      if (truth <= 0) continue;
      this.#flowsMatched += 1;
      const idleSeconds = idle.secondsAt(columns, row);
      const listed: ListedFlow = {
        flow: flowAt(columns, row),
        ...(idleSeconds < 0 ? {} : { idleSeconds }),
        ...(namespace === undefined ? {} : { namespace }),
      };
      if (this.#sorted !== undefined) this.#sorted.add(listed);
      else this.#print(listed);
      if (this.isOver) return;
    }
  }

  #print(listed: ListedFlow): void {
    this.#put(this.#writer.line(listed, this.#style));
    this.#flowsListed += 1;
  }

  #put(line: string): void {
    const most = line.length * CHARACTER_BYTES + 1;
    if (this.#roomUsed + most > ROOM_BYTES) this.#flush();
    if (most > ROOM_BYTES) return this.#context.terminal.stdout.write(`${line}\n`);
    this.#roomUsed += this.#encoder.encodeInto(line, this.#room.subarray(this.#roomUsed)).written;
    this.#room[this.#roomUsed] = LINE_FEED;
    this.#roomUsed += 1;
  }

  #flush(): void {
    if (this.#roomUsed > 0) this.#context.terminal.stdout.write(this.#room.subarray(0, this.#roomUsed));
    this.#roomUsed = 0;
  }

  /** The rest of the output, and on standard error what it is. */
  end(): ExitCode {
    for (const listed of this.#sorted?.result() ?? []) this.#print(listed);
    this.#flush();
    const interrupted = this.#signal?.aborted === true;
    warn(this.#context, visible(this.#footer(interrupted)));
    for (const name of Object.keys(this.#oddities) as OddityName[]) {
      warn(this.#context, `${oddityText[name]} (${formatCount(this.#oddities[name] ?? 0)})`);
    }
    for (const { what, why } of this.#unseen) warn(this.#context, visible(`not seen: ${what}: ${why}`));
    return interrupted ? ExitCode.interrupted : ExitCode.ok;
  }

  #footer(interrupted: boolean): string {
    const listed = countOf(this.#flowsListed, this.#areEvents ? "event" : "flow");
    const from = [...this.#origins].join(", ");
    const parts = [`${listed} listed from ${from}`];
    if (this.#matcher !== undefined) {
      parts.push(`${formatCount(this.#flowsMatched)} of ${formatCount(this.#flowsRead)} read match`);
    }
    if (this.#flowsUndecided > 0) {
      parts.push(`${formatCount(this.#flowsUndecided)} undecided, as the source does not tell`);
    }
    const { sort } = this.#options;
    const unsorted = this.#sorted?.hasFigures === false && this.#flowsListed > 0;
    if (unsorted) {
      parts.push(`not sorted: no flow tells its ${sort ?? ""}${sortHelp(sort)}`);
    }
    if (interrupted) parts.push("interrupted, there are more");
    else if (!unsorted && this.#sorted !== undefined && this.#flowsMatched > this.#flowsListed) {
      parts.push(`the greatest by ${sort ?? ""} of ${formatCount(this.#flowsMatched)}`);
    } else if (this.isOver) parts.push("stopped at the limit, there may be more");
    else if (this.#options.sample !== undefined) parts.push("a sample");
    return parts.join("; ");
  }
}

/** Which setting makes the kernel keep the figure, for flows that begin after it is set. */
function sortHelp(sort: ListOptions["sort"]): string {
  if (sort === "bytes" || sort === "packets") return " (nf_conntrack_acct is off)";
  return sort === "age" ? " (nf_conntrack_timestamp is off)" : "";
}

/** The style is the listing's own, known better with every batch; netlink's is asked of the host once. */
function styleReader(reading: FlowReading, host: HostAccess | undefined, nowMs: number): () => LineStyle {
  const listing = listingOf(reading);
  if (listing !== undefined) return () => listing.style;
  const style = host === undefined ? {} : netlinkLineStyle(host, nowMs);
  return () => style;
}
