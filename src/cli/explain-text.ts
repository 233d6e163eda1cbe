/**
 * What `headroom explain` prints around a census: how many flows and how that is known, why the kernel's own
 * count may differ, whose they are, and what to type next. Pure.
 */
import type { Census } from "../census/census.ts";
import type { Host } from "../table/host.ts";
import type { Unseen } from "../table/unseen.ts";
import { renderCensus } from "./census-text.ts";
import type { Row } from "./state-rows.ts";
import { unseenLines } from "./check-text.ts";
import { countOf, formatCount, formatShare } from "./figures.ts";
import { type Look, nextCommands, tone } from "./look.ts";
import { fit, visible, wrap } from "./plain-text.ts";

export interface ExplainText {
  census: Census;
  /** For people: `ctnetlink`, `saved.txt (conntrack -o extended)`. */
  origin: string;
  subject?: string;
  tracker?: Host["tracker"];
  /** The kernel's own count, before and after reading. */
  occupancyFlows?: number;
  occupancyAfterFlows?: number;
  /** Flows that are deleted but still held by somebody, where that can be told. */
  dyingFlows?: number;
  capacityFlows?: number;
  /** The filter that was applied, as typed. */
  filter?: string;
  /** ^C ended the reading. */
  interrupted?: true;
  /** Timeouts were not to be had; the kernel's defaults stand in for them. */
  assumedTimeouts?: true;
  /** A listing of events was read: a flow is in it each time it changed. */
  events?: true;
  owners?: readonly Row[];
  top: number;
  unseen: readonly Unseen[];
  /** Options that lead another command to the same place; absent when none can go there. */
  sameOptions?: string;
  /** Commands that are worth more than the usual next one. */
  next?: readonly NextCommand[];
}

interface NextCommand {
  command: string;
  why: string;
}

/** Lines of `headroom explain`. */
export function renderExplain(report: ExplainText, look: Look): string[] {
  const { census, owners } = report;
  const said = [...howKnown(report, look), ...differenceSentences(report)];
  const lines = [
    tone(look, "bold", fit(headline(report), look.columns)),
    ...said.flatMap((text) => wrap(text, look.columns)),
    ...renderCensus(census, report.top, look, owners),
  ];
  const next = [...(report.next ?? []), ...usualNext(report)];
  if (next.length > 0) lines.push("", ...nextCommands(look, next));
  lines.push(...unseenLines(report.unseen, Infinity, look));
  return lines;
}

/** `14,471 of 65,536 flows (22 %) on web-3`. */
function headline({ census, capacityFlows, subject, filter, events }: ExplainText): string {
  const place = subject === undefined ? "" : ` on ${visible(subject)}`;
  const count = countOf(census.flows, events === true ? "event" : "flow");
  const about = census.sampled === undefined ? "" : "About ";
  if (filter !== undefined) return `${about}${count}${place} match: ${visible(filter)}`;
  if (capacityFlows === undefined || capacityFlows === 0) return `${about}${count}${place}`;
  const share = formatShare(census.flows / capacityFlows);
  return `${about}${formatCount(census.flows)} of ${formatCount(capacityFlows)} flows (${share})${place}`;
}

/** Every figure says how it was obtained. */
function howKnown(report: ExplainText, { unicode }: Look): string[] {
  const { census, interrupted, assumedTimeouts } = report;
  const origin = visible(report.origin);
  const sentences: string[] = [];
  if (census.sampled !== undefined) {
    const share = formatShare(census.sampled.flowsRead / Math.max(1, census.sampled.ofFlows));
    sentences.push(
      `${interrupted === true ? "Interrupted" : "Sampled"}: ${formatCount(census.sampled.flowsRead)} flows ` +
        `(${share}) were read from ${origin}; ` +
        `what follows ${unicode ? "±" : "+-"} is one standard error.${missedText(census)}`,
    );
  } else if (interrupted === true) {
    sentences.push(`Interrupted: only ${countOf(census.flowsRead, "flow")} were read from ${origin}.`);
  } else if (census.complete) sentences.push(`Read from ${origin}.`);
  else sentences.push(`Read from ${origin}, but not all of it.`);
  if (report.events === true) {
    sentences.push("These are events, not flows: a flow is counted each time it changed.");
  }
  if (assumedTimeouts === true) {
    sentences.push(
      "Silence is reckoned with the kernel's default timeouts, as the source does not tell them.",
    );
  }
  return sentences;
}

function missedText({ topSources: { missedBelowFlows } }: Census): string {
  if (missedBelowFlows === undefined || missedBelowFlows < 2) return "";
  return ` An address with fewer than ${formatCount(missedBelowFlows)} flows may be missing.`;
}

/**
 * Why the lines of a listing and nf_conntrack_count differ. Only a whole, unfiltered reading can be compared.
 * Reading itself collects expired flows (4.9 and later), so the count may fall meanwhile.
 */
export function differenceSentences(report: ExplainText): string[] {
  const { census, occupancyFlows, occupancyAfterFlows, filter, interrupted } = report;
  if (filter !== undefined || interrupted === true || !census.complete || census.sampled !== undefined)
    return [];
  if (occupancyFlows === undefined) return [];
  const listed = census.flowsRead;
  const collected = occupancyFlows - (occupancyAfterFlows ?? occupancyFlows);
  const after =
    collected > 0 ? ` (${formatCount(collected)} fewer after reading, which collects expired ones)` : "";
  const name = report.tracker === "ip_conntrack" ? "ip_conntrack_count" : "nf_conntrack_count";
  const count = `${name} says ${formatCount(occupancyFlows)}${after}`;
  if (occupancyFlows > listed) {
    const dying = report.dyingFlows ?? 0;
    const more = formatCount(occupancyFlows - listed);
    return [
      `${count}, ${more} more than are listed: flows that have expired and wait to be collected, that are ` +
        `not confirmed yet, or that are dying${dying > 0 ? ` (${formatCount(dying)} of these now)` : ""} ` +
        "count as well, but no listing shows them.",
    ];
  }
  if (occupancyFlows < listed) {
    const fewer = formatCount(listed - occupancyFlows);
    return [`${count}, ${fewer} fewer than are listed: flows came and went while the table was read.`];
  }
  return [];
}

function usualNext({ census, sameOptions }: ExplainText): NextCommand[] {
  if (sameOptions === undefined) return [];
  const unanswered = census.unanswered.reduce((sum, row) => sum + row.flows, 0);
  const [source] = census.topSources.rows;
  if (source !== undefined && source.flows > census.flows / 4) {
    const command = `headroom list${sameOptions} src ${source.address} --limit 20`;
    return [{ command, why: "the busiest source" }];
  }
  if (unanswered > census.flows / 2) {
    const command = `headroom list${sameOptions} unreplied --limit 20`;
    return [{ command, why: "flows nobody answered" }];
  }
  return [{ command: `headroom check${sameOptions}`, why: "what that means" }];
}
