/**
 * A census as text: what `headroom explain` prints, and the few words `headroom check` says of it. Pure.
 *
 * Layout: blocks of rows (label, flows, share, bar). Two narrow blocks that belong together stand side by
 * side where the width allows, otherwise one below the other.
 */
import type { Census } from "../census/census.ts";
import { formatDuration } from "../table/duration.ts";
import { IDLE_UNKNOWN, idleUnknownText } from "../table/idle.ts";
import { type OddityName, oddityText } from "../table/oddities.ts";
import { countOf, formatBytes, formatCount, formatShare } from "./figures.ts";
import { bar, type Look, tone } from "./look.ts";
import { type Count, type HistogramBin, rowOf, type Row, stateRows, type Top } from "./state-rows.ts";
import { fit, padLeft, padRight, visible, widthOf, wrap } from "./plain-text.ts";

/** Rows of the breakdown by state; the rest is one row `other`. */
const MOST_STATES = 8;
/** Widest bar, columns. */
const WIDEST_BAR = 40;

export interface Block {
  title: string;
  rows: readonly Row[];
  /** Said below the rows: how many more there are, how sure the figures are. */
  note?: string;
}

/**
 * All blocks of a census, those that say nothing left out; `owners` are whose flows these are, where that was
 * asked.
 */
export function renderCensus(census: Census, top: number, look: Look, owners: readonly Row[] = []): string[] {
  const whole = census.flows;
  const lines: string[] = [];
  const add = (blocks: readonly Block[]): void => {
    const filled = blocks.filter(({ rows }) => rows.length > 0);
    if (filled.length > 0) lines.push("", ...layOut(filled, whole, look));
  };
  add([stateBlock(census)]);
  add([silenceBlock(census)]);
  add([{ title: "Owners", rows: owners.slice(0, top) }]);
  add([
    topBlock("Sources", census.topSources, top, ({ address }) => address),
    topBlock("Destinations", census.topDestinations, top, ({ address }) => address),
  ]);
  add(prefixBlocks(census, top));
  add([
    topBlock("Services", census.topServices, top, ({ protocol, port }) => `${protocol}/${port}`),
    statusBlock(census),
  ]);
  add([pairBlock(census, top)]);
  add(unansweredBlocks(census, top));
  add(markingBlocks(census, top));
  const sentences = censusSentences(census);
  if (sentences.length > 0) lines.push("", ...sentences.flatMap((text) => wrap(text, look.columns)));
  return lines;
}

function stateBlock(census: Census): Block {
  const rows = stateRows(census);
  if (rows.length <= MOST_STATES) return { title: "State", rows };
  const rest = rows.slice(MOST_STATES - 1);
  const flows = rest.reduce((sum, row) => sum + row.flows, 0);
  return {
    title: "State",
    rows: [...rows.slice(0, MOST_STATES - 1), { label: `${rest.length} others`, flows }],
  };
}

/**
 * Where the rows of idle ages begin, seconds: coarser than what is counted, fine where timeouts are usually
 * set.
 */
const SILENCE_EDGES_SECONDS = [0, 60, 600, 3600, 21_600, 43_200, 86_400, 172_800, 259_200, 345_600, 432_000];

function silenceBlock(census: Census): Block {
  const bins = trimEmpty(coarser(census.establishedIdleSeconds));
  return { title: "tcp ESTABLISHED, silent for", rows: bins.map((bin) => rowOf(spanText(bin), bin)) };
}

/** Bins gathered into rows; errors are added as if they were independent, which is a little too much. */
function coarser(bins: readonly HistogramBin[]): HistogramBin[] {
  return SILENCE_EDGES_SECONDS.map((fromSeconds, index) => {
    const toSeconds = SILENCE_EDGES_SECONDS[index + 1];
    const within = bins.filter(
      (bin) => bin.fromSeconds >= fromSeconds && bin.fromSeconds < (toSeconds ?? Infinity),
    );
    const variance = within.reduce((sum, { standardErrorFlows = 0 }) => sum + standardErrorFlows ** 2, 0);
    const sampled = within.some(({ standardErrorFlows }) => standardErrorFlows !== undefined);
    return {
      fromSeconds,
      ...(toSeconds === undefined ? {} : { toSeconds }),
      flows: within.reduce((sum, { flows }) => sum + flows, 0),
      ...(sampled ? { standardErrorFlows: Math.sqrt(variance) } : {}),
    };
  });
}

/** Bins without the empty ones before the first and after the last that holds something. */
function trimEmpty(bins: readonly HistogramBin[]): readonly HistogramBin[] {
  const first = bins.findIndex(({ flows }) => flows > 0);
  const last = bins.findLastIndex(({ flows }) => flows > 0);
  return first < 0 ? [] : bins.slice(first, last + 1);
}

function spanText({ fromSeconds, toSeconds }: HistogramBin): string {
  if (toSeconds === undefined) return `${formatDuration(fromSeconds)} and more`;
  if (fromSeconds === 0) return `less than ${formatDuration(toSeconds)}`;
  return `${formatDuration(fromSeconds)} to ${formatDuration(toSeconds)}`;
}

function topBlock<Kind extends Count>(
  title: string,
  ranking: Top<Kind>,
  top: number,
  label: (row: Kind) => string,
): Block {
  const rows = ranking.rows.slice(0, top).map((row) => rowOf(visible(label(row)), row));
  const left = ranking.distinct - rows.length;
  const notes: string[] = [];
  if (left > 0) notes.push(`${ranking.exact ? "" : "at least "}${formatCount(left)} more`);
  const low = ranking.errorBoundFlows;
  if (low > 0) notes.push(`each up to ${formatCount(low)} too low`);
  return { title, rows, ...(notes.length === 0 ? {} : { note: notes.join("; ") }) };
}

/** A pair or source below this share of the table is not what fills it. */
const NOTABLE = 0.01;

function pairBlock(census: Census, top: number): Block {
  const [first] = census.topPairs.rows;
  const notable = first !== undefined && first.flows >= census.flows * NOTABLE;
  return notable ? topBlock("Pairs", census.topPairs, top, pairText) : { title: "Pairs", rows: [] };
}

function pairText(row: Census["topPairs"]["rows"][number]): string {
  const service = row.port === undefined ? row.protocol : `${row.protocol}/${row.port}`;
  return `${row.source} -> ${row.destination} ${service}`;
}

/** Prefixes say something only where they gather more than the single addresses do. */
function prefixBlocks(census: Census, top: number): Block[] {
  const gathers = (prefixes: Top<Count>, addresses: Top<Count>): boolean =>
    prefixes.distinct < addresses.distinct &&
    (prefixes.rows[0]?.flows ?? 0) > (addresses.rows[0]?.flows ?? 0);
  const blocks: Block[] = [];
  if (gathers(census.topSourcePrefixes, census.topSources)) {
    blocks.push(topBlock("Source prefixes", census.topSourcePrefixes, top, ({ prefix }) => prefix));
  }
  if (gathers(census.topDestinationPrefixes, census.topDestinations)) {
    blocks.push(topBlock("Destination prefixes", census.topDestinationPrefixes, top, ({ prefix }) => prefix));
  }
  return blocks;
}

const shownStatus = ["assured", "unreplied", "offload", "hw-offload", "fixed-timeout", "nat-clash"] as const;

function statusBlock(census: Census): Block {
  const rows: Row[] = [];
  for (const name of shownStatus) {
    const count = census.byStatus[name];
    if (count !== undefined && count.flows > 0) rows.push(rowOf(name, count));
  }
  for (const row of census.byNat) {
    if (row.nat !== "none" && row.flows > 0) rows.push(rowOf(natText[row.nat], row));
  }
  return { title: "Status", rows };
}

const natText: Record<"source" | "destination" | "both", string> = {
  source: "source translated",
  destination: "destination translated",
  both: "both translated",
};

/** Share of unanswered flows from which it is worth saying who sends them. */
const MANY_UNANSWERED = 0.2;

function unansweredBlocks(census: Census, top: number): Block[] {
  const flows = census.unanswered.reduce((sum, row) => sum + row.flows, 0);
  if (flows < census.flows * MANY_UNANSWERED) return [];
  const rows = census.unanswered.map((row) =>
    rowOf(row.state === undefined ? row.protocol : `${row.protocol} ${row.state}`, row),
  );
  rows.sort((left, right) => right.flows - left.flows);
  return [
    { title: "Unanswered", rows: rows.slice(0, top) },
    topBlock("Unanswered, by source", census.topUnansweredSources, top, ({ address }) => address),
  ];
}

/** Zones, marks and helpers, where there is more than the one that means none. */
function markingBlocks(census: Census, top: number): Block[] {
  const blocks: Block[] = [];
  if (census.byZone.rows.some(({ zone }) => zone !== 0)) {
    blocks.push(
      topBlock("Zones", census.byZone, top, ({ zone }) => (zone === 0 ? "default zone" : `zone ${zone}`)),
    );
  }
  if (census.byMark.rows.some(({ mark }) => mark !== 0)) {
    blocks.push(topBlock("Marks", census.byMark, top, markText));
  }
  blocks.push(topBlock("Helpers", census.byHelper, top, ({ helper }) => helper));
  return blocks;
}

function markText({ mark }: { mark: number }): string {
  return mark === 0 ? "no mark" : `0x${mark.toString(16)} (${mark})`;
}

/** What is odd, unknown or remarkable, a sentence each. */
export function censusSentences(census: Census): string[] {
  const sentences: string[] = [];
  const { traffic } = census;
  if (traffic !== undefined && traffic.flowsCounted > 0) {
    const carried = `${formatBytes(traffic.bytes)} in ${countOf(traffic.packets, "packet")}`;
    sentences.push(`${countOf(traffic.flowsCounted, "flow")} with counters carried ${carried}.`);
  }
  const unknown = census.idleUnknown.filter(({ flows }) => flows > 0);
  if (unknown.length > 0) {
    const reasons = unknown.map(({ why, flows }) => `${countOf(flows, "flow")} (${idleUnknownWords(why)})`);
    sentences.push(visible(`How long silent is unknown for ${reasons.join(", ")}.`));
  }
  for (const name of Object.keys(census.oddities) as OddityName[]) {
    const count = census.oddities[name] ?? 0;
    if (count > 0) sentences.push(`Odd: ${oddityText[name]} (${formatCount(count)}).`);
  }
  return sentences;
}

/** The reason in words; one that this program has no words for stays as it is. */
function idleUnknownWords(why: string): string {
  const known = IDLE_UNKNOWN.find((reason) => reason === why);
  return known === undefined ? why : idleUnknownText[known];
}

interface Widths {
  label: number;
  flows: number;
  error: number;
}

/** Blocks side by side where two fit, else one below the other. */
export function layOut(blocks: readonly Block[], whole: number, look: Look): string[] {
  const [left, right] = blocks;
  const half = Math.floor((look.columns - 3) / 2);
  if (blocks.length === 2 && left !== undefined && right !== undefined) {
    const narrow = blocks.every((block) => blockWidth(block, look) <= half);
    if (narrow)
      return sideBySide(blockLines(left, whole, half, look), blockLines(right, whole, half, look), half);
  }
  return blocks.flatMap((block, index) => [
    ...(index === 0 ? [] : [""]),
    ...blockLines(block, whole, look.columns, look).map(({ text }) => text),
  ]);
}

interface Line {
  text: string;
  width: number;
}

function sideBySide(left: readonly Line[], right: readonly Line[], half: number): string[] {
  const lines: string[] = [];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const { text, width } = left[index] ?? { text: "", width: 0 };
    const other = right[index]?.text ?? "";
    lines.push(other === "" ? text : `${text}${" ".repeat(half - width + 3)}${other}`);
  }
  return lines;
}

const SHARE_WIDTH = 5;

function widthsOf(block: Block, look: Look): Widths {
  return {
    label: Math.max(...block.rows.map(({ label }) => widthOf(label))),
    flows: Math.max(...block.rows.map(({ flows }) => formatCount(flows).length), "flows".length),
    error: Math.max(0, ...block.rows.map((row) => errorText(row, look).length)),
  };
}

function blockWidth(block: Block, look: Look): number {
  const { label, flows, error } = widthsOf(block, look);
  const rows = label + 2 + flows + error + 2 + SHARE_WIDTH;
  return Math.max(rows, widthOf(block.title), widthOf(block.note ?? ""));
}

/** ` ±120`, or nothing when the figure is exact. */
function errorText({ standardErrorFlows }: Count, look: Look): string {
  return standardErrorFlows === undefined
    ? ""
    : ` ${look.unicode ? "±" : "+-"}${formatCount(standardErrorFlows)}`;
}

function blockLines(block: Block, whole: number, columns: number, look: Look): Line[] {
  const widths = widthsOf(block, look);
  const fixed = widths.flows + widths.error + 4 + SHARE_WIDTH;
  const label = Math.min(widths.label, columns - fixed);
  const barRoom = Math.min(WIDEST_BAR, columns - label - fixed - 2);
  const most = Math.max(...block.rows.map(({ flows }) => flows));
  const title = fit(block.title, columns);
  const lines: Line[] = [{ text: tone(look, "bold", title), width: widthOf(title) }];
  for (const row of block.rows) {
    const share = whole > 0 ? row.flows / whole : 0;
    const name = padRight(fit(row.label, label), label);
    const flows = padLeft(formatCount(row.flows), widths.flows);
    const error = padRight(errorText(row, look), widths.error);
    const text = `${name}  ${flows}${error}  ${padLeft(formatShare(share), SHARE_WIDTH)}`;
    const drawn = barRoom >= 8 && most > 0 ? bar(look, share, barRoom) : "";
    lines.push({
      text: drawn === "" ? text : `${text}  ${tone(look, "cyan", drawn)}`,
      width: widthOf(text) + (drawn === "" ? 0 : 2 + widthOf(drawn)),
    });
  }
  if (block.note !== undefined) {
    const note = fit(block.note, columns);
    lines.push({ text: tone(look, "dim", note), width: widthOf(note) });
  }
  return lines;
}
