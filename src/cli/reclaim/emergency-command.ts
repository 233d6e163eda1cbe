/**
 * `headroom reclaim --emergency`: for a table that is full now. Looks at a sample, offers the greatest
 * of the safe cuts and makes the one that is chosen. Opens no connection and asks no name server: a
 * full table lets neither through.
 */
import { type Cut, cutsOf, CutTally, greatest } from "../../reclaim/reclaim.ts";
import { answerTo, ask, canAsk } from "../change/ask.ts";
import { formatPrefix } from "../../table/address.ts";
import { formatDuration } from "../../table/duration.ts";
import { type Context, print, printJson, warn } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { formatCount, formatShare } from "../figures.ts";
import { type Look, tone } from "../look.ts";
import { padLeft, visible, wrap } from "../plain-text.ts";
import { UsageError } from "../usage-error.ts";
import type { ReclaimOptions } from "./reclaim-line.ts";
import { cutsToJson } from "./reclaim-json.ts";
import { NOBODY_TO_ASK, report } from "./reclaim-report.ts";
import { wishOf } from "./wish.ts";
import { runRemoval } from "./reclaim-run.ts";
import { readTable, type ReclaimTable, sieveOf } from "./reclaim-table.ts";

/** Flows that are looked at before cuts are offered: an error of a third of a percent of the table. */
const SAMPLE_FLOWS = 20_000;
/** Faster than usual: what is full now loses connections every second. */
const EMERGENCY_RATE = 100_000;
/** A cut takes no longer than this; what is left is said. */
const MOST_MS = 60_000;

interface Offer {
  /** The greatest, greatest first. */
  cuts: readonly Cut[];
  /** All that can be named, also those that nothing fits. */
  all: readonly Cut[];
  readFlows: number;
  complete: boolean;
}

export async function runEmergency(
  context: Context,
  table: ReclaimTable,
  options: ReclaimOptions,
): Promise<ExitCode> {
  const offer = await takeOffer(context, table);
  const named = options.cut === undefined ? undefined : cutNamed(offer, options.cut);
  const looks = options.dryRun === true;
  if (named !== undefined && options.yes === true && !looks) return make(context, table, options, named);
  say(context, table, options, offer);
  if (named === undefined && offer.cuts.length === 0) return ExitCode.ok;
  if (looks) return nothingDone(context, ": --dry-run only looks", ExitCode.ok);
  if (options.json === true || !canAsk()) return unasked(context, options);
  const cut = named ?? chosenCut(context, offer.cuts);
  if (cut === undefined || (named !== undefined && !ask(context, `Make the cut ${named.name}?`))) {
    return nothingDone(context, "", ExitCode.refused);
  }
  return make(context, table, options, cut);
}

/** Where nobody can be asked everything must be said: which cut, and that it is meant. */
function unasked(context: Context, { cut, yes }: ReclaimOptions): ExitCode {
  const which = yes === true ? "choose with --cut NAME" : `${NOBODY_TO_ASK}, with --cut NAME`;
  return nothingDone(context, `: ${cut === undefined ? which : NOBODY_TO_ASK}`, ExitCode.usage);
}

function nothingDone(context: Context, why: string, code: ExitCode): ExitCode {
  warn(context, `nothing was removed${why}`);
  return code;
}

/** Counts a sample by cuts. */
async function takeOffer(context: Context, table: ReclaimTable): Promise<Offer> {
  const { protections, idle, nowMs, floorSeconds, occupancyFlows } = table;
  const tally = new CutTally({ protections, idle, nowMs, floorSeconds });
  const reading = await readTable(context, table, { sampleFlows: SAMPLE_FLOWS });
  for await (const columns of reading.batches()) tally.add(columns);
  const { complete } = reading;
  const all = cutsOf(tally, { complete, ...(occupancyFlows === undefined ? {} : { occupancyFlows }) });
  return { cuts: greatest(all), all, readFlows: tally.readFlows, complete };
}

function cutNamed({ cuts, all }: Offer, text: string): Cut {
  const found = all.find(({ name }) => name === text) ?? numbered(cuts, text);
  if (found !== undefined) return found;
  const numbers = cuts.length === 0 ? "" : ` or a number up to ${cuts.length}`;
  throw new UsageError(
    `Cannot make the cut ${text}: wanted ${all.map(({ name }) => name).join(", ")}${numbers}`,
    "`headroom reclaim --emergency` says what each is",
  );
}

function numbered(cuts: readonly Cut[], text: string): Cut | undefined {
  return /^\d+$/.test(text) ? cuts[Number(text) - 1] : undefined;
}

/** Asks until it is a cut, or nothing. */
function chosenCut(context: Context, cuts: readonly Cut[]): Cut | undefined {
  const { stderr } = context.terminal;
  for (;;) {
    const answer = answerTo(context, `Which? [1-${cuts.length}, nothing for none]`);
    if (answer === "") return undefined;
    const cut = numbered(cuts, answer) ?? cuts.find(({ name }) => name === answer);
    if (cut !== undefined) return cut;
    stderr.write(`There is no ${visible(answer)}.\n`);
  }
}

async function make(
  context: Context,
  table: ReclaimTable,
  options: ReclaimOptions,
  cut: Cut,
): Promise<ExitCode> {
  const wish = { ...(await wishOf(options, cut.filter)), rate: options.rate ?? EMERGENCY_RATE };
  if (options.json !== true) {
    context.terminal.stderr.write(
      `${tone(context.look, "dim", visible(`Removing ${cut.title} (headroom reclaim '${cut.filter}')`))}\n`,
    );
  }
  const sieve = await sieveOf(table, options, cut.filter);
  const removal = await runRemoval(context, {
    table,
    options,
    wish,
    sieve,
    expectedFlows: cut.flows,
    mostMs: MOST_MS,
  });
  return report(context, options, removal, { cut });
}

/* ---- What is said ---- */

function say(context: Context, table: ReclaimTable, options: ReclaimOptions, offer: Offer): void {
  const { occupancyFlows, capacityFlows } = table;
  if (options.json !== true) return print(context, renderOffer(table, options, offer, context.look));
  printJson(
    context,
    cutsToJson(offer.cuts, {
      readFlows: offer.readFlows,
      complete: offer.complete,
      ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
      ...(capacityFlows === undefined ? {} : { capacityFlows }),
    }),
  );
}

function renderOffer(
  table: ReclaimTable,
  options: ReclaimOptions,
  { cuts, readFlows, complete }: Offer,
  look: Look,
): string[] {
  const { occupancyFlows = readFlows, capacityFlows = 0, subject } = table;
  const of = capacityFlows > 0 ? ` of ${formatCount(capacityFlows)}` : "";
  const where = subject === undefined ? "" : ` on ${subject}`;
  const lines = [tone(look, "bold", visible(`${formatCount(occupancyFlows)}${of} flows${where}`))];
  if (!complete)
    lines.push(
      `Told from a sample of ${formatCount(readFlows)} flows; what follows ${sign(look)} ` +
        "is one standard error.",
    );
  if (cuts.length === 0) {
    return [...lines, "", ...wrap(NOTHING_SAFE, look.columns)];
  }
  const same = sameChoice(table, options);
  const translated = options.includeNat === true ? "" : "translated flows, ";
  const digits = Math.max(...cuts.map((cut) => flowsText(cut, look).length));
  for (const [index, cut] of cuts.entries()) {
    const share = formatShare(occupancyFlows === 0 ? 0 : cut.flows / occupancyFlows);
    const figure = padLeft(flowsText(cut, look), digits);
    lines.push(
      "",
      tone(look, "bold", visible(`${index + 1}  ${figure}  ${padLeft(share, 5)}  ${cut.title}`)),
    );
    for (const line of wrap(visible(`Cost: ${cut.costs}.`), look.columns - 3)) lines.push(`   ${line}`);
    lines.push(
      `   ${tone(look, "cyan", visible(`headroom reclaim --emergency --cut ${cut.name} --yes${same}`))}`,
    );
  }
  lines.push(
    "",
    ...wrap(
      `Kept in any case: login sessions, ${translated}flows of helpers ` +
        "and flow tables, connections that spoke lately.",
      look.columns,
    ),
  );
  return lines;
}

/** Options that make the same choice again, with a blank in front. */
function sameChoice(
  { place }: ReclaimTable,
  { includeNat, floorSeconds, protect = [] }: ReclaimOptions,
): string {
  const words = [
    ...(includeNat === true ? ["--include-nat"] : []),
    ...(floorSeconds === undefined ? [] : [`--floor ${formatDuration(floorSeconds)}`]),
    ...protect.map((network) => `--protect ${formatPrefix(network)}`),
  ];
  // A saved table was looked at for the host it is of: there the command is typed without it.
  const isLive = place.flows.kind === "host" && place.host?.host().root === undefined;
  return [isLive ? (place.sameOptions ?? "") : "", ...words.map((word) => ` ${word}`)].join("");
}

const NOTHING_SAFE =
  "Nothing can be cut safely: what fills the table is in use, translated (--include-nat) or protected. " +
  "`headroom explain` says what it is; `headroom plan` says how large the table must be.";

function sign({ unicode }: Look): string {
  return unicode ? "±" : "+-";
}

function flowsText({ flows, standardErrorFlows }: Cut, look: Look): string {
  if (standardErrorFlows === undefined) return formatCount(flows);
  return `${formatCount(flows)} ${sign(look)}${formatCount(standardErrorFlows)}`;
}
