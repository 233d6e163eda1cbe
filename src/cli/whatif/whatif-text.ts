/**
 * What `headroom whatif` prints: the table now, at once and in the long run, by state; what would break; what
 * limit and buckets make of it; how it is known; and the command that makes the change. Pure.
 */
import type { Break, StateChange, WhatIf } from "../../plan/plan.ts";
import { formatDuration, roughDuration } from "../../table/duration.ts";
import { historyName, type HistoryPeak, instantText, peakSpanText } from "../history-peak.ts";
import type { SettingKey } from "../../table/settings.ts";
import type { Unseen } from "../../table/unseen.ts";
import { unseenLines } from "../check-text.ts";
import { countOf, formatCount, formatShare } from "../figures.ts";
import { bar, type Look, nextCommands, tone } from "../look.ts";
import { fit, padLeft, padRight, visible, widthOf, wrap } from "../plain-text.ts";
import { settingName, settingValueText } from "../setting-words.ts";
import { sweepLines, type SweepRow } from "./sweep-text.ts";
import { tableLines } from "./table-text.ts";

/** Everything there is to say. */
export interface WhatifReport {
  /** Absent when only a sweep was asked for. */
  answer?: WhatIf;
  sweep?: { key: SettingKey; rows: readonly SweepRow[]; curve?: readonly CurvePoint[] };
  subject?: string;
  /** For people: `ctnetlink`. */
  origin: string;
  /** Between the readings; 0 with one. */
  seconds: number;
  /** Of a sample: flows read. */
  sampledFlows?: number;
  interrupted: boolean;
  assumedTimeouts: boolean;
  unseen: readonly Unseen[];
  sameOptions?: string;
  /** Whether a change can be made there: not of a saved table. */
  canApply: boolean;
  /** The highest occupancy of a history, for which it is answered too. */
  peak?: HistoryPeak;
}

export interface CurvePoint {
  value: number;
  flows: number;
}

/** States shown; the rest is one row. */
const MOST_STATES = 9;
/** Services named among what breaks. */
const MOST_SERVICES = 5;
const WIDEST_BAR = 30;

/** Lines of `headroom whatif`. */
export function renderWhatif(report: WhatifReport, look: Look): string[] {
  const { answer, sweep } = report;
  const lines: string[] = [];
  if (answer !== undefined) lines.push(...answerLines(answer, report, look));
  if (sweep !== undefined) {
    if (lines.length > 0) lines.push("");
    const { subject } = report;
    lines.push(...sweepLines({ ...sweep, ...(subject === undefined ? {} : { subject }) }, look));
  }
  lines.push("", ...wrap(howKnown(report), look.columns));
  const next = nextOf(report);
  if (next.length > 0) lines.push("", ...nextCommands(look, next));
  lines.push(...unseenLines(report.unseen, Infinity, look));
  return lines;
}

function answerLines(answer: WhatIf, report: WhatifReport, look: Look): string[] {
  const lines = wrap(headline(answer, report), look.columns).map((line) => tone(look, "bold", line));
  lines.push(...answer.changes.map((change) => `  ${changeText(change)}`));
  lines.push("", ...totalLines(answer, look));
  const atPeak = peakSentence(answer, report);
  if (atPeak !== undefined) lines.push("", ...wrap(atPeak, look.columns));
  const said = goneSentence(answer);
  if (said !== undefined) lines.push("", ...wrap(said, look.columns));
  lines.push("", ...stateLines(answer.byState, look));
  if (answer.leftoverFlows >= 0.5) {
    const text =
      `${countOf(answer.leftoverFlows, "flow")} with more time left than the timeout gives: it was ` +
      "lowered since, or they have their own. How many of them stay is not known: half are counted " +
      `(${formatCount(answer.leftoverFlows / 2)} of the long run), and the range has all and none.`;
    lines.push(...wrap(text, look.columns));
  }
  if (answer.untoldFlows >= 0.5) {
    const text =
      `${countOf(answer.untoldFlows, "flow")} of which the timeout is not known here: kernels differ. ` +
      "How many of them stay is not known: all are counted, and the range has all and none. " +
      "--root DIR with the settings of that host, or its release, tells.";
    lines.push(...wrap(text, look.columns));
  }
  const unseen = unseenSentence(answer);
  if (unseen !== undefined) lines.push(...wrap(unseen, look.columns));
  lines.push(...breakLines(answer, look));
  lines.push(...tableLines(answer, look));
  for (const { key, why } of answer.notPreviewed) {
    const how = "`headroom replay CAPTURE --set KEY=VALUE` tells it from packets.";
    const text = `Not previewed: ${settingName(key)}: ${why}. ${how}`;
    lines.push("", ...wrap(text, look.columns));
  }
  return lines;
}

/** Below this share of the table it is not worth a sentence. */
const LEAST_UNSEEN_SHARE = 0.02;

/** Where no flow has been silent for as long as the timeout would let it: how many will be is not known. */
function unseenSentence({ stationary, after }: WhatIf): string | undefined {
  const [worst] = stationary.regimes
    .filter(
      ({ unseenFromSeconds, timeoutSeconds = 0, inForceSeconds = 0, mostFlows, leastFlows }) =>
        unseenFromSeconds !== undefined &&
        (timeoutSeconds > inForceSeconds || mostFlows - leastFlows > LEAST_UNSEEN_SHARE * after.flows),
    )
    .toSorted((one, other) => other.flows - one.flows);
  if (worst?.unseenFromSeconds === undefined || worst.flows < 1) return undefined;
  const name = worst.state === undefined ? worst.protocol : `${worst.protocol} ${worst.state}`;
  return (
    `No flow of ${name} has been silent for longer than ${roughDuration(worst.unseenFromSeconds)}: how ` +
    "many will be is reckoned from those before, and the range is as wide as that is uncertain."
  );
}

/** The same, scaled to the highest occupancy there was: the mix is taken to be that of now. */
function peakSentence({ before, after, table }: WhatIf, { peak }: WhatifReport): string | undefined {
  if (peak === undefined) return undefined;
  const { occupancyFlows, atMs } = peak;
  const source = ` By ${historyName(peak)}${peak.isOfTable === false ? ", which is another table" : ""}.`;
  const most = `${countOf(occupancyFlows, "flow")} on ${instantText(atMs)}`;
  const span = peakSpanText(peak);
  if (before.flows <= 0) {
    return `The highest of ${span}: ${most}. No flow is here now that it could be scaled from.${source}`;
  }
  const factor = occupancyFlows / before.flows;
  if (factor <= 1) return `The highest of ${span}: ${most}, no more than now.${source}`;
  const flows = (count: number): string => formatCount(count * factor);
  const capacity = table.after.capacityFlows ?? 0;
  const share = capacity === 0 ? "" : ` (${formatShare((after.flows * factor) / capacity)} of the limit)`;
  const range = `${flows(after.lowFlows)} to ${flows(after.highFlows)}`;
  return (
    `At the highest of ${span} (${most}, ${formatFactor(factor)} x now): ` +
    `about ${flows(after.flows)}${share} in the long run, ${range}, if the mix is that of now.${source}`
  );
}

function formatFactor(factor: number): string {
  return factor < 10 ? factor.toFixed(2) : formatCount(factor);
}

function headline(
  { before, after, reachedAfterSeconds, untoldFlows }: WhatIf,
  { subject }: WhatifReport,
): string {
  const place = subject === undefined ? "" : `${visible(subject)}: `;
  const now = countOf(before.flows, "flow");
  if (reachedAfterSeconds === undefined && untoldFlows >= 0.5) {
    return `${place}${now} now; what becomes of ${formatCount(untoldFlows)} of them is not known`;
  }
  if (reachedAfterSeconds === undefined) return `${place}${now} now; no timeout changes for any of them`;
  return `${place}${now} now, about ${formatCount(after.flows)} in the long run`;
}

/** `nf_conntrack_tcp_timeout_established 5d -> 12h`. */
function changeText({ key, from, to }: WhatIf["changes"][number]): string {
  const before = from === undefined ? "" : `${settingValueText(key, from)} -> `;
  return `${settingName(key)} ${before}${settingValueText(key, to)}${from === to ? " (as it is)" : ""}`;
}

function totalLines(answer: WhatIf, look: Look): string[] {
  const { before, immediately, after, reachedAfterSeconds, table } = answer;
  const capacity = table.after.capacityFlows ?? 0;
  const rows = [{ label: "Now", flows: before.flows, note: "" }];
  if (reachedAfterSeconds !== undefined) {
    const gone = immediately.goneFlows;
    const error = errorText(immediately.standardErrorFlows, look);
    rows.push({
      label: "At once",
      flows: immediately.flows,
      note:
        gone === 0 ? "nothing is silent for longer" : `${formatCount(gone)}${error} are silent for longer`,
    });
  }
  const within = reachedAfterSeconds === undefined ? "" : `, within ${roughDuration(reachedAfterSeconds)}`;
  rows.push({
    label: "Long run",
    flows: after.flows,
    note: `${formatCount(after.lowFlows)} to ${formatCount(after.highFlows)}${within}`,
  });
  const most = Math.max(...rows.map(({ flows }) => flows), capacity === 0 ? 1 : 0);
  const whole = capacity === 0 ? most : Math.max(capacity, most);
  const labels = Math.max(...rows.map(({ label }) => label.length));
  const counts = Math.max(...rows.map(({ flows }) => formatCount(flows).length));
  // A table may hold more than its limit: `1,488 %`.
  const shares = Math.max(4, ...rows.map(({ flows }) => formatShare(flows / Math.max(1, capacity)).length));
  const notes = Math.max(...rows.map(({ note }) => widthOf(note)));
  const bars = Math.min(WIDEST_BAR, look.columns - labels - counts - notes - shares - 9);
  return rows.map(({ label, flows, note }) => {
    const share = capacity === 0 ? "" : `  ${padLeft(formatShare(flows / capacity), shares)}`;
    const drawn = bars < 5 ? "" : `  ${padRight(bar(look, flows / Math.max(1, whole), bars), bars)}`;
    const count = padLeft(formatCount(flows), counts);
    return `${padRight(label, labels)}  ${count}${share}${drawn}  ${note}`.trimEnd();
  });
}

/** They keep their old time: the table does not fall at once. */
function goneSentence({ immediately }: WhatIf): string | undefined {
  const { goneFlows, longestKeepSeconds, medianKeepSeconds, unknownFlows } = immediately;
  const unknown =
    unknownFlows < 0.5 ? "" : ` The idle age of ${formatCount(unknownFlows)} more is not known.`;
  if (goneFlows < 0.5 || longestKeepSeconds === undefined) return unknown === "" ? undefined : unknown.trim();
  const half =
    medianKeepSeconds === undefined ? "" : `half of them for another ${roughDuration(medianKeepSeconds)}, `;
  return (
    "A flow takes a new timeout with its next packet. Those that are silent keep what they were given: " +
    `${half}the last for ${roughDuration(longestKeepSeconds)}.${unknown}`
  );
}

function stateLines(states: readonly StateChange[], look: Look): string[] {
  const shown = states.slice(0, MOST_STATES);
  const rest = states.slice(MOST_STATES);
  const rows = shown.map((state) => ({
    label: labelOf(state),
    cells: [
      formatCount(state.beforeFlows),
      formatCount(state.beforeFlows - state.goneFlows),
      `${formatCount(state.flows)}${errorText(state.standardErrorFlows, look)}`,
    ],
    note: timeoutText(state),
  }));
  if (rest.length > 0) {
    const sum = (of: (state: StateChange) => number): string =>
      formatCount(rest.reduce((total, state) => total + of(state), 0));
    rows.push({
      label: `${rest.length} others`,
      cells: [sum((s) => s.beforeFlows), sum((s) => s.beforeFlows - s.goneFlows), sum((s) => s.flows)],
      note: "",
    });
  }
  return columnsOf(["State", "now", "at once", "long run"], rows, look);
}

function labelOf({ protocol, state, key, inForceSeconds }: StateChange): string {
  if (state !== undefined) return `${protocol} ${state}`;
  if (key?.endsWith("_stream") === true) return `${protocol}, two-way`;
  return inForceSeconds === undefined ? `${protocol}, timeout unknown` : protocol;
}

function timeoutText({ inForceSeconds, timeoutSeconds }: StateChange): string {
  if (inForceSeconds === undefined || timeoutSeconds === undefined || inForceSeconds === timeoutSeconds)
    return "";
  return `${formatDuration(inForceSeconds)} -> ${formatDuration(timeoutSeconds)}`;
}

function errorText(standardError: number | undefined, look: Look): string {
  if (standardError === undefined || standardError < 0.5) return "";
  return ` ${look.unicode ? "±" : "+-"}${formatCount(standardError)}`;
}

interface ColumnRow {
  label: string;
  cells: readonly string[];
  note: string;
}

/** A heading and rows below it; cells to the right. */
function columnsOf(heading: readonly string[], rows: readonly ColumnRow[], look: Look): string[] {
  const labels = Math.max(widthOf(heading[0] ?? ""), ...rows.map(({ label }) => widthOf(label)));
  const widths = heading
    .slice(1)
    .map((title, at) => Math.max(widthOf(title), ...rows.map(({ cells }) => widthOf(cells[at] ?? ""))));
  const line = (label: string, cells: readonly string[], note: string): string =>
    fit(
      [padRight(label, labels), ...cells.map((cell, at) => padLeft(cell, widths[at] ?? 0)), note]
        .join("  ")
        .trimEnd(),
      look.columns,
    );
  return [
    tone(look, "bold", line(heading[0] ?? "", heading.slice(1), "")),
    ...rows.map(({ label, cells, note }) => line(label, cells, note)),
  ];
}

function breakLines(
  { breaks, silentServices, silentScale, reachedAfterSeconds }: WhatIf,
  look: Look,
): string[] {
  if (breaks.length === 0) {
    if (reachedAfterSeconds === undefined) return [];
    return ["", "What would break: nothing that the table shows."];
  }
  const lines = ["", tone(look, "bold", "What would break")];
  const width = Math.max(...breaks.map(({ flows }) => formatCount(flows).length));
  for (const one of breaks) {
    const [first = "", ...more] = wrap(breakText(one), look.columns - width - 2);
    lines.push(`${padLeft(formatCount(one.flows), width)}  ${first}`);
    lines.push(...more.map((line) => `${" ".repeat(width + 2)}${line}`));
    if (one.code === "silent-flows") {
      const services = silentServices
        .slice(0, MOST_SERVICES)
        .map(
          ({ protocol, port, flows }) =>
            `${protocol}${port === undefined ? "" : `/${port}`} ${formatCount(flows * silentScale)}`,
        );
      const others = silentServices.length - services.length;
      const text = `${services.join(", ")}${others > 0 ? ` and ${countOf(others, "other service")}` : ""}`;
      lines.push(...wrap(text, look.columns - width - 2).map((line) => `${" ".repeat(width + 2)}${line}`));
    }
  }
  return lines;
}

function breakText({ code, why }: Break): string {
  return code === "below-rfc-floor" ? `${why}; flows it governs now` : why;
}

/** Every figure says how it was obtained. */
function howKnown(report: WhatifReport): string {
  const { origin, seconds, sampledFlows, interrupted, assumedTimeouts, answer, sweep } = report;
  const last = answer ?? sweep?.rows.at(-1)?.answer;
  const from = visible(origin);
  const sample = sampledFlows === undefined ? "" : `a sample of ${formatCount(sampledFlows)} flows, `;
  const parts: string[] = [];
  if (seconds > 0) {
    parts.push(
      `Known from: ${sample}idle ages read twice from ${from}, ${seconds.toFixed(1)} s apart; the long run ` +
        `follows from who came and who stayed silent in between, and holds as long as they go on like that.`,
    );
  } else {
    parts.push(
      `Known from: ${sample}idle ages read once from ${from}; the long run is right if as many flows come ` +
        `now as before (--observe 10s on the running kernel needs no such assumption).`,
    );
  }
  if (seconds > 0 && last !== undefined && restsOnBalance(last)) {
    parts.push(
      "Against such timeouts that is short: most of the long run is right if as many flows come now as " +
        "before (a longer --observe tells more).",
    );
  }
  if (answer !== undefined && answer.uncollected.meanFlows >= 1) {
    const { meanFlows, peakFlows } = answer.uncollected;
    parts.push(
      `nf_conntrack_count will say up to ${formatCount(peakFlows)} more, ${formatCount(meanFlows)} on ` +
        `average: expired flows count until the collector of all namespaces comes.`,
    );
  }
  if (interrupted) parts.push("Interrupted: the last reading is not whole.");
  if (assumedTimeouts) {
    parts.push("Silence is reckoned with the kernel's default timeouts, as the source does not tell them.");
  }
  return parts.join(" ");
}

function restsOnBalance({ stationary, after }: WhatIf): boolean {
  const flows = stationary.regimes.reduce((sum, { balanceFlows }) => sum + balanceFlows, 0);
  return flows > after.flows / 2;
}

function nextOf({
  answer,
  sameOptions = "",
  canApply,
  sweep,
}: WhatifReport): { command: string; why: string }[] {
  if (!canApply) return [];
  if (answer === undefined) {
    const name = sweep === undefined ? "KEY" : settingName(sweep.key);
    return [{ command: `headroom whatif${sameOptions} --set ${name}=VALUE`, why: "one value in full" }];
  }
  const sets = answer.changes
    .filter(({ from, to }) => from !== to)
    .map(({ key, to }) => ` --set ${settingName(key)}=${plainValue(key, to)}`);
  if (sets.length === 0) return [];
  const next = [{ command: `headroom apply${sameOptions}${sets.join("")}`, why: "make this change" }];
  const shortened = answer.byState.find(
    ({ goneFlows, timeoutSeconds }) => goneFlows >= 0.5 && timeoutSeconds !== undefined,
  );
  if (shortened !== undefined) {
    const which = shortened.state === undefined ? shortened.protocol : `state=${shortened.state}`;
    const idle = formatDuration(shortened.timeoutSeconds ?? 0);
    const command = `headroom reclaim${sameOptions} --idle ${idle} ${which}`;
    next.push({ command, why: "free what is silent for longer, now" });
  }
  return next;
}

function plainValue(key: SettingKey, value: number): string {
  return settingValueText(key, value).replaceAll(",", "");
}
