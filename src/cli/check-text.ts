/**
 * The verdict as a tired person reads it: one line of verdict, a bar of use, what fills the table, the
 * findings that matter, what to type next. At 80 columns the short form fits 23 lines. Pure: values in, lines
 * out.
 */
import { stripVTControlCharacters } from "node:util";

import type { Facts } from "../plan/plan.ts";
import type { Census } from "../census/census.ts";
import type { Finding, Remedy, Verdict } from "../table/finding.ts";
import type { Unseen } from "../table/unseen.ts";
import { formatCount, formatShare } from "./figures.ts";
import { gauge, inLevel, type Look, nextCommands, tone } from "./look.ts";
import { fit, padRight, visible, widthOf, wrap, wrapAtMost } from "./plain-text.ts";
import { stateRows } from "./state-rows.ts";

/** Findings of the short form. */
const SHORT_FINDINGS = 3;
/** Lines of the short form: a screen of 24 keeps one for the prompt. */
const SHORT_LINES = 23;

/**
 * How many lines a finding's title and meaning may take, and whether every remedy is shown with the evidence.
 */
interface Room {
  titleLines: number;
  meaningLines: number;
  verbose: boolean;
}

/** The short form takes the first of these that fits the screen. */
const shortRooms: readonly Room[] = [
  { titleLines: 2, meaningLines: 4, verbose: false },
  { titleLines: 2, meaningLines: 2, verbose: false },
  { titleLines: 1, meaningLines: 2, verbose: false },
  { titleLines: 1, meaningLines: 1, verbose: false },
];

export interface CheckText {
  verdict: Verdict;
  facts: Facts;
  occupancyFlows?: number;
  capacityFlows?: number;
  /** What was looked at: host name, namespace or file. */
  subject?: string;
  /** `short`: the three that matter; `all`: every finding; `verbose`: with evidence and every remedy. */
  detail: "short" | "all" | "verbose";
  /** Options that lead another command to the same place: ` --root DIR`; absent when none can go there. */
  sameOptions?: string;
}

/** Lines of `headroom check`. */
export function renderCheck(report: CheckText, look: Look): string[] {
  const { verdict, detail } = report;
  if (detail !== "short") {
    const room = { titleLines: Infinity, meaningLines: Infinity, verbose: detail === "verbose" };
    return reportLines(report, verdict.findings, room, look);
  }
  const shown = verdict.findings.filter(({ level }) => level !== "ok").slice(0, SHORT_FINDINGS);
  let lines: string[] = [];
  for (const room of shortRooms) {
    lines = reportLines(report, shown, room, look);
    if (screenLines(lines, look) <= SHORT_LINES) break;
  }
  return lines;
}

function reportLines(report: CheckText, findings: readonly Finding[], room: Room, look: Look): string[] {
  const { verdict, facts, detail } = report;
  const lines = headerLines(report, look);
  for (const [index, finding] of findings.entries()) {
    lines.push("", ...findingLines(finding, index + 1, room, look));
  }
  if (lines.at(-1) !== "") lines.push("");
  if (findings.length === 0) lines.push(...calmLines(verdict, look));
  lines.push(...nextLines(report, verdict.findings.length - findings.length, look));
  if (lines.at(-1) === "" && facts.unseen.length === 0) lines.pop();
  const left = detail === "short" ? Math.max(1, SHORT_LINES - screenLines(lines, look)) : Infinity;
  lines.push(...unseenLines(facts.unseen, left, look));
  return lines;
}

/** Notes named when there is nothing to do. */
const SHORT_NOTES = 5;

/** Nothing to do; what is worth knowing all the same, a line each. */
function calmLines({ level, findings }: Verdict, look: Look): string[] {
  if (level !== "ok") return [];
  if (findings.length === 0) return ["Nothing to do."];
  const notes = findings.slice(0, SHORT_NOTES).map(({ title }) => fit(`- ${visible(title)}`, look.columns));
  return ["Nothing to do now. Worth knowing:", ...notes, ""];
}

/** Lines that these take on the screen: commands are not wrapped by us, so the terminal does. */
function screenLines(lines: readonly string[], look: Look): number {
  return lines.reduce((sum, line) => {
    const width = widthOf(stripVTControlCharacters(line));
    return sum + Math.max(1, Math.ceil(width / look.columns));
  }, 0);
}

function headerLines(report: CheckText, look: Look): string[] {
  const { verdict, occupancyFlows, capacityFlows, facts } = report;
  const subject = report.subject === undefined ? "" : `${visible(report.subject)}: `;
  const level = verdict.level.toUpperCase();
  const lines = [`${inLevel(look, verdict.level, level)}  ${subject}${fillText(report)}`];
  if (occupancyFlows !== undefined && capacityFlows !== undefined && capacityFlows > 0) {
    const share = occupancyFlows / capacityFlows;
    const percent = formatShare(share);
    const width = Math.min(look.columns, 100) - widthOf(percent) - 2;
    lines.push(`${gauge(look, share, width, verdict.level)}  ${tone(look, "bold", percent)}`);
  }
  if (facts.census !== undefined && facts.census.flows > 0) {
    lines.push(tone(look, "dim", fit(fillersText(facts.census), look.columns)));
  }
  return lines;
}

/** `49,140 of 65,536 flows, 16,396 left`. */
function fillText({ occupancyFlows, capacityFlows, facts }: CheckText): string {
  if (occupancyFlows === undefined) {
    return facts.host.tracker === "none" ? "connection tracking is not loaded" : "occupancy unknown";
  }
  const flows = formatCount(occupancyFlows);
  const word = occupancyFlows === 1 ? "flow" : "flows";
  if (capacityFlows === undefined) return `${flows} ${word}, capacity unknown`;
  if (capacityFlows === 0) return `${flows} ${word}, no limit set`;
  const left = capacityFlows - occupancyFlows;
  return `${flows} of ${formatCount(capacityFlows)} flows, ${left > 0 ? formatCount(left) : "none"} left`;
}

/** `Mostly tcp ESTABLISHED 83 %, udp 9 %; busiest source 10.0.0.7 (41 %)`. */
function fillersText(census: Census): string {
  const parts = stateRows(census)
    .slice(0, 3)
    .map(({ label, flows }) => `${label} ${formatShare(flows / census.flows)}`);
  const source = census.topSources.rows[0];
  const busiest =
    source === undefined
      ? ""
      : `; busiest source ${source.address} ${formatShare(source.flows / census.flows)}`;
  return `${visible(parts.join(", "))}${busiest}`;
}

function findingLines(finding: Finding, number: number, room: Room, look: Look): string[] {
  const indent = "   ";
  const level = finding.level === "ok" ? "NOTE" : finding.level.toUpperCase();
  const hanging = indent + " ".repeat(level.length + 2);
  const titles = wrapAtMost(visible(finding.title), look.columns - hanging.length, room.titleLines);
  const meaning = wrapAtMost(visible(finding.meaning), look.columns - indent.length, room.meaningLines);
  const head = `${padRight(String(number), indent.length)}${inLevel(look, finding.level, level)}  `;
  return [
    ...titles.map((line, index) => (index === 0 ? head : hanging) + tone(look, "bold", line)),
    ...meaning.map((line) => indent + line),
    ...(room.verbose ? evidenceLines(finding, indent, look) : []),
    ...remedyLines(finding.remedy, room, indent, look),
  ];
}

function evidenceLines(finding: Finding, indent: string, look: Look): string[] {
  const values = Object.entries(finding.evidence).map(([name, value]) => `${name}=${visible(String(value))}`);
  const text = [finding.code, ...values].join("  ");
  return wrap(text, look.columns - indent.length).map((line) => tone(look, "dim", indent + line));
}

/** Commands are never cut or wrapped: they are there to be copied. */
function remedyLines(remedies: readonly Remedy[], room: Room, indent: string, look: Look): string[] {
  const columns = look.columns - indent.length;
  if (room.verbose) {
    return remedies.flatMap(({ text, command }) => [
      ...wrap(`- ${visible(text)}`, columns).map((line) => indent + line),
      ...(command === undefined ? [] : commandLines(command, `${indent}  `, look)),
    ]);
  }
  const first = remedies.find(({ command }) => command !== undefined) ?? remedies[0];
  if (first === undefined) return [];
  if (first.command !== undefined) return commandLines(first.command, indent, look);
  return wrapAtMost(visible(first.text), columns, room.titleLines).map((line) => indent + line);
}

/** Commands that follow each other get a line each. */
function commandLines(command: string, indent: string, look: Look): string[] {
  return command.split(" && ").map((part) => `${indent}$ ${tone(look, "cyan", visible(part))}`);
}

function nextLines(report: CheckText, left: number, look: Look): string[] {
  const { facts, sameOptions, occupancyFlows } = report;
  const more = `${left} more ${left === 1 ? "finding" : "findings"}`;
  if (sameOptions === undefined) return left > 0 ? [`--all shows ${more}.`] : [];
  const next: { command: string; why: string }[] = [];
  if (occupancyFlows !== 0 && (occupancyFlows !== undefined || facts.census !== undefined)) {
    next.push({ command: `headroom explain${sameOptions}`, why: "what fills the table" });
  }
  if (left > 0) {
    next.push({ command: `headroom check${sameOptions} --all`, why: more });
  }
  return nextCommands(look, next);
}

/**
 * `Not seen: kernel log: permission denied ...; run as root`; in at most `room` lines, or how many there are.
 */
export function unseenLines(unseen: readonly Unseen[], room: number, look: Look): string[] {
  const lines = unseen.flatMap(({ what, why, help }) =>
    wrap(visible(`Not seen: ${what}: ${why}${help === undefined ? "" : `; ${help}`}`), look.columns),
  );
  if (lines.length <= room) return lines.map((line) => tone(look, "dim", line));
  const names = unseen.map(({ what }) => visible(what)).join(", ");
  const rest = "; --verbose says why";
  return [tone(look, "dim", fit(`Not seen: ${names}`, look.columns - rest.length) + rest)];
}
