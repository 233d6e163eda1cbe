/**
 * What `headroom reclaim` says: before, what would go and what is kept; after, what became of it. Pure.
 */
import type { Census } from "../../census/census.ts";
import {
  PROTECTION_REASONS,
  protectionText,
  type ReclaimEnd,
  type SieveCounts,
} from "../../reclaim/reclaim.ts";
import { formatDuration, roughDuration } from "../../table/duration.ts";
import type { RemovalCounts } from "../../table/removal.ts";
import { layOut, type Block } from "../census-text.ts";
import { countOf, formatCount, formatShare } from "../figures.ts";
import { type Look, tone } from "../look.ts";
import { padLeft, padRight, visible, widthOf, wrap } from "../plain-text.ts";
import { rowOf, stateRows } from "../state-rows.ts";

const SHOWN_ROWS = 5;

/** What is asked for, in words. */
export interface Wish {
  /** As typed; empty when --idle alone chooses. */
  filter: string;
  idleSeconds?: number;
  shortenToSeconds?: number;
  includeNat: boolean;
  /** Flows a second. */
  rate: number;
  mostFlows?: number;
  /** The same in words of conntrack(8), where it has them. */
  conntrack?: string;
}

export interface Preview {
  wish: Wish;
  counts: SieveCounts;
  /** Of the flows that go. */
  census: Census;
  subject?: string;
  /** The table was read to its end. */
  complete: boolean;
  assumedTimeouts: boolean;
  removedPath?: string;
}

/** Lines of the preview. */
export function renderPreview(preview: Preview, look: Look): string[] {
  const { wish, counts, census, subject, removedPath } = preview;
  const flows = Math.min(counts.chosenFlows, wish.mostFlows ?? Infinity);
  const of = `${formatCount(counts.readFlows)} flows`;
  const share = counts.readFlows === 0 ? "" : ` (${formatShare(flows / counts.readFlows)})`;
  const where = subject === undefined ? "" : ` on ${subject}`;
  const verb = wish.shortenToSeconds === undefined ? "Would remove" : "Would shorten";
  const lines = [
    tone(look, "bold", visible(`${verb} ${formatCount(flows)} of ${of}${share}${where}`)),
    ...wrap(visible(wishText(wish)), look.columns),
  ];
  if (counts.chosenFlows > 0) lines.push(...censusLines(census, look));
  lines.push(...keptLines(counts, look));
  for (const text of sentences(preview)) lines.push("", ...wrap(visible(text), look.columns));
  if (flows > 0) {
    if (wish.conntrack !== undefined && wish.shortenToSeconds === undefined) {
      lines.push(
        "",
        "The same without ids, protections and a file of it:",
        `  ${tone(look, "cyan", visible(wish.conntrack))}`,
      );
    }
    const time =
      wish.rate === Infinity
        ? "as fast as it goes"
        : `${formatCount(wish.rate)} a second, ${forText(flows, wish.rate)}`;
    const file = removedPath === undefined ? "" : `; what goes is written to ${removedPath}`;
    lines.push("", ...wrap(visible(`At ${time}${file}.`.replace("At as", "As")), look.columns));
  }
  return lines;
}

function forText(flows: number, rate: number): string {
  const seconds = flows / rate;
  return seconds < 1 ? "less than a second" : `about ${roughDuration(seconds)}`;
}

/** What is asked for, as a sentence. */
export function wishText({ filter, idleSeconds, shortenToSeconds, mostFlows }: Wish): string {
  const parts = [
    ...(filter.trim() === "" ? [] : [`that match ${filter.trim()}`]),
    ...(idleSeconds === undefined ? [] : [`silent for ${formatDuration(idleSeconds)} and more`]),
  ];
  const what = `Flows ${parts.join(", ")}`;
  const most = mostFlows === undefined ? "" : `, at most ${formatCount(mostFlows)} of them`;
  const how =
    shortenToSeconds === undefined
      ? ""
      : `: each gets ${formatDuration(shortenToSeconds)} from then on; its next packet renews it`;
  return `${what}${most}${how}.`;
}

function censusLines(census: Census, look: Look): string[] {
  const states: Block = { title: "State", rows: stateRows(census).slice(0, SHOWN_ROWS) };
  const services: Block = {
    title: "Service",
    rows: census.topServices.rows
      .slice(0, SHOWN_ROWS)
      .map((row) => rowOf(`${row.protocol}/${row.port}`, row)),
  };
  const sources: Block = {
    title: "Source",
    rows: census.topSources.rows.slice(0, SHOWN_ROWS).map((row) => rowOf(row.address, row)),
    ...(census.topSources.distinct > SHOWN_ROWS
      ? { note: `${formatCount(census.topSources.distinct - SHOWN_ROWS)} more` }
      : {}),
  };
  const filled = (blocks: readonly Block[]): Block[] => blocks.filter(({ rows }) => rows.length > 0);
  return [
    "",
    ...layOut(filled([states, services]), census.flows, look),
    "",
    ...layOut(filled([sources]), census.flows, look),
  ];
}

function keptLines(counts: SieveCounts, look: Look): string[] {
  const rows: (readonly [string, number])[] = PROTECTION_REASONS.map(
    (reason) => [protectionText[reason], counts.protectedFlows[reason]] as const,
  );
  if (counts.alreadyShortFlows > 0) rows.push(["no more left than they would get", counts.alreadyShortFlows]);
  const shown = rows.filter(([, flows]) => flows > 0);
  if (shown.length === 0) return [];
  const width = Math.max(...shown.map(([text]) => widthOf(text)));
  const digits = Math.max(...shown.map(([, flows]) => formatCount(flows).length));
  return [
    "",
    tone(look, "bold", "Meant, and kept"),
    ...shown.map(([text, flows]) => `${padRight(text, width)}  ${padLeft(formatCount(flows), digits)}`),
  ];
}

/** What it costs to include translated flows. */
export function natWarning({ shortenToSeconds }: Wish): string {
  const goes =
    shortenToSeconds === undefined
      ? "When one of a living connection goes"
      : `When one of a living connection stays silent for ${formatDuration(shortenToSeconds)} more, it goes`;
  return (
    `Translated flows are included. ${goes}: the server's next packet hits this host, which answers it ` +
    "with a reset, and the client's next packet gets another port, so the connection is lost."
  );
}

function sentences({ wish, counts, complete, assumedTimeouts }: Preview): string[] {
  const said: string[] = [];
  if (wish.includeNat && counts.chosenFlows > 0) said.push(natWarning(wish));
  if (counts.idleUnknownFlows > 0) {
    said.push(
      `${countOf(counts.idleUnknownFlows, "flow")} not meant: how long they have been silent is unknown.`,
    );
  }
  if (counts.undecidedFlows > 0) {
    said.push(
      `${countOf(counts.undecidedFlows, "flow")} not meant: what the filter asks is not told of them.`,
    );
  }
  if (assumedTimeouts) said.push("No timeout of this host is known: silence is reckoned with the defaults.");
  if (!complete) said.push("The table was not read to its end.");
  return said;
}

export interface Removal {
  wish: Wish;
  counts: SieveCounts;
  removal: Readonly<RemovalCounts>;
  end: ReclaimEnd;
  interrupted: boolean;
  /** The table was read to its end. */
  complete: boolean;
  /** The table was resized or changed under the reading, which missed flows of it. */
  disturbed: boolean;
  seconds: number;
  removedPath?: string;
  occupancyFlows?: number;
  capacityFlows?: number;
}

/** Lines of what was done. */
export function renderRemoval(done: Removal, look: Look): string[] {
  const { wish, removal, end, interrupted, seconds, removedPath, occupancyFlows, capacityFlows } = done;
  const verb = wish.shortenToSeconds === undefined ? "Removed" : "Shortened";
  const stop = interrupted ? ", then stopped by ^C" : "";
  const time = seconds < 1 ? "" : ` in ${seconds.toFixed(1)} s`;
  const lines = [tone(look, "bold", `${verb} ${countOf(removal.doneFlows, "flow")}${time}${stop}`)];
  if (occupancyFlows !== undefined) {
    const of = capacityFlows === undefined || capacityFlows === 0 ? "" : ` of ${formatCount(capacityFlows)}`;
    lines.push(`The table holds ${formatCount(occupancyFlows)}${of} flows now.`);
  }
  const left = [
    [end.renewedFlows, "kept: heard a packet meanwhile, or another flow by now"],
    [removal.goneFlows, "not there any more, or another flow by now"],
    [removal.fixedFlows, "refused: the timeout is fixed"],
    [removal.busyFlows, "refused: in the hands of a flow table"],
    ...[...removal.failed].map(([name, flows]) => [flows, `refused by the kernel (${name})`] as const),
    [removal.overruns, "times answers of the kernel were lost: fewer may have gone than it says"],
  ] as const;
  for (const [flows, text] of left) if (flows > 0) lines.push(`${formatCount(flows)} ${text}`);
  if (isUnfinished(done) && !interrupted) lines.push(...wrap(unfinishedText(done), look.columns));
  lines.push(...keptLines(done.counts, look));
  if (removedPath !== undefined) lines.push("", ...removedLines(removedPath, done, look));
  return lines;
}

/** Whether flows may be left that were meant to go. */
export function isUnfinished({ complete, removal, wish, interrupted }: Removal): boolean {
  return interrupted || (!complete && removal.askedFlows < (wish.mostFlows ?? Infinity));
}

function unfinishedText({ disturbed, end, seconds }: Removal): string {
  const rest = "the same command does the rest.";
  if (end.stopped) return `Stopped after ${Math.round(seconds)} s, before the end of the table: ${rest}`;
  if (!disturbed) return `The table was not read to its end: ${rest}`;
  return `The table was resized while it was read, so flows may have been missed: ${rest}`;
}

function removedLines(path: string, { end, removal, wish }: Removal, look: Look): string[] {
  const more = end.keptFlows - removal.doneFlows;
  const note = more > 0 ? ` (and ${formatCount(more)} that stayed as they were)` : "";
  const what = wish.shortenToSeconds === undefined ? "What went" : "What was shortened";
  return [visible(`${what}${note}: ${tone(look, "cyan", `headroom list --source ${path}`)}`)];
}
