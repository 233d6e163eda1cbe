/**
 * `headroom reclaim`: frees flows that serve nobody. Says what would go and what is kept, asks, and
 * does it.
 *
 * Without `--yes`, and without somebody to ask, it only says, and exits as a mistaken command line
 * does. What goes is written to a file before it goes.
 */
import { CensusBuilder } from "../../census/census.ts";
import type { Sieve } from "../../reclaim/reclaim.ts";
import { FlowColumns } from "../../table/columns.ts";
import { ask, canAsk } from "../change/ask.ts";
import { type Context, print, printJson, warn } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { tone } from "../look.ts";
import { visible } from "../plain-text.ts";
import { paced } from "../progress.ts";
import { UsageError } from "../usage-error.ts";
import type { ReclaimOptions } from "./reclaim-line.ts";
import { type Outcome, reclaimToJson } from "./reclaim-json.ts";
import { NOBODY_TO_ASK, report } from "./reclaim-report.ts";
import { removedPathOf, runRemoval } from "./reclaim-run.ts";
import { wishOf } from "./wish.ts";
import { openTable, readTable, type ReclaimTable, sieveOf } from "./reclaim-table.ts";
import { natWarning, type Preview, renderPreview, type Wish, wishText } from "./reclaim-text.ts";

export async function runReclaim(
  context: Context,
  options: ReclaimOptions,
  filter: string,
): Promise<ExitCode> {
  refuseContradictions(options, filter);
  const table = await openTable(context, options);
  try {
    if (options.emergency === true) {
      const { runEmergency } = await import("./emergency-command.ts");
      return await runEmergency(context, table, options);
    }
    const wish = await wishOf(options, filter);
    if (options.yes === true && options.dryRun !== true) return await remove(context, table, options, wish);
    return await previewAndAsk(context, table, options, wish);
  } finally {
    table.place.host?.close();
  }
}

const EXAMPLES = [
  "headroom reclaim --idle 1d                    silent for a day",
  "headroom reclaim state=TIME_WAIT              connections that are closed",
  "headroom reclaim src 10.0.0.7 unreplied       what one source left unanswered",
  "headroom reclaim --emergency                  the table is full now",
].join("\n");

function refuseContradictions(options: ReclaimOptions, filter: string): void {
  const { emergency, idleSeconds, cut, shortenToSeconds } = options;
  if (emergency === true) {
    if (filter.trim() !== "" || idleSeconds !== undefined) {
      throw new UsageError("Cannot use a filter or --idle with --emergency: it offers cuts of its own");
    }
    if (shortenToSeconds !== undefined) {
      throw new UsageError("Cannot use --shorten-to with --emergency: room is needed at once");
    }
    return;
  }
  if (cut !== undefined) throw new UsageError("Cannot use --cut without --emergency");
  if (filter.trim() === "" && idleSeconds === undefined) {
    throw new UsageError("Cannot choose flows: neither a filter nor --idle was given", EXAMPLES);
  }
}

async function previewAndAsk(
  context: Context,
  table: ReclaimTable,
  options: ReclaimOptions,
  wish: Wish,
): Promise<ExitCode> {
  const preview = await takePreview(context, table, options, wish);
  const { counts, census } = preview;
  const asks = options.dryRun !== true && options.json !== true && canAsk();
  const none = counts.chosenFlows === 0;
  const outcome: Outcome = none ? "nothing-to-do" : "previewed";
  if (options.json === true) printJson(context, reclaimToJson({ outcome, wish, counts, census }));
  else print(context, renderPreview(preview, context.look));
  if (none) return ExitCode.ok;
  if (!asks) return nothingDone(context, options);
  const verb = wish.shortenToSeconds === undefined ? "Remove" : "Shorten";
  if (!ask(context, `${verb} these flows?`)) {
    warn(context, "nothing was removed");
    return ExitCode.refused;
  }
  return remove(context, table, options, wish, Math.min(counts.chosenFlows, wish.mostFlows ?? Infinity));
}

/** To look is what --dry-run is for; without it something was wanted that was not done. */
function nothingDone(context: Context, { dryRun }: ReclaimOptions): ExitCode {
  const looks = dryRun === true;
  warn(context, `nothing was removed: ${looks ? "--dry-run only looks" : NOBODY_TO_ASK}`);
  return looks ? ExitCode.ok : ExitCode.usage;
}

/** Goes through the whole table and ends nothing. */
async function takePreview(
  context: Context,
  table: ReclaimTable,
  options: ReclaimOptions,
  wish: Wish,
): Promise<Preview> {
  const sieve = await sieveOf(table, options, wish.filter);
  const builder = new CensusBuilder({ settings: {} });
  const reading = await readTable(context, table);
  const pace = table.occupancyFlows === undefined ? {} : { expectedFlows: table.occupancyFlows };
  let chosen: FlowColumns | undefined;
  for await (const columns of paced(reading, context, pace)) {
    sieve.sift(columns);
    if (chosen === undefined || chosen.capacity < columns.count) {
      chosen = new FlowColumns(columns.capacity, columns.knownStatus);
    }
    builder.add(chosenRows(columns, sieve, chosen));
  }
  return {
    wish,
    counts: sieve.counts,
    census: builder.finish({ complete: reading.complete, oddities: reading.oddities }),
    complete: reading.complete,
    assumedTimeouts: table.assumedTimeouts,
    ...(table.subject === undefined ? {} : { subject: table.subject }),
    ...(options.dryRun === true ? {} : { removedPath: removedPathOf(table, options) }),
  };
}

function chosenRows(columns: FlowColumns, { rows, count }: Sieve, into: FlowColumns): FlowColumns {
  into.clear();
  into.knownStatus = columns.knownStatus;
  for (let index = 0; index < count; index += 1) into.append(columns, rows[index] as number);
  return into;
}

async function remove(
  context: Context,
  table: ReclaimTable,
  options: ReclaimOptions,
  wish: Wish,
  expectedFlows?: number,
): Promise<ExitCode> {
  const sieve = await sieveOf(table, options, wish.filter);
  if (expectedFlows === undefined) announce(context, options, wish, removedPathOf(table, options));
  const removal = await runRemoval(context, {
    table,
    options,
    wish,
    sieve,
    ...(expectedFlows === undefined ? {} : { expectedFlows }),
  });
  return report(context, options, removal);
}

/** What is about to be done, where no preview said it. */
function announce(context: Context, options: ReclaimOptions, wish: Wish, path: string): void {
  if (options.json === true) return;
  const verb = wish.shortenToSeconds === undefined ? "Removing" : "Shortening";
  const command =
    wish.conntrack === undefined || wish.shortenToSeconds !== undefined ? "" : ` (as ${wish.conntrack})`;
  const lines = [
    `${verb} ${wishText(wish)
      .replace(/^Flows/, "flows")
      .replace(/\.$/, "")}${command}; written first to ${path}`,
  ];
  if (wish.includeNat) lines.push(natWarning(wish));
  for (const line of lines) context.terminal.stderr.write(`${tone(context.look, "dim", visible(line))}\n`);
}
