/**
 * What `headroom record` says when it is done: what is in the file, what was lost, what to do with it. Pure.
 */
import type { Unseen } from "../../table/unseen.ts";
import { countOf, formatBytes, formatCount } from "../figures.ts";
import { type Look, nextCommands } from "../look.ts";
import { visible, wrap } from "../plain-text.ts";
import type { RecordJson } from "./record-schema.ts";

export function recordLines(
  report: RecordJson,
  { unseen, next }: { unseen: readonly Unseen[]; next: string },
  look: Look,
): string[] {
  const { file, seconds, events, eventsPerSecond, flowsAtStart, flowsAtEnd, bytes, oneOf } = report;
  const where = file === "-" ? "standard output" : visible(file);
  const share = oneOf === 1 ? "" : `, of one flow in ${formatCount(oneOf)}`;
  const table =
    flowsAtEnd === undefined
      ? `the table of the start (${countOf(flowsAtStart, "flow")})`
      : `the table before (${countOf(flowsAtStart, "flow")}) and after (${formatCount(flowsAtEnd)})`;
  const head =
    `${where}: ${countOf(events, "event")} in ${seconds.toFixed(1)} s ` +
    `(${formatCount(eventsPerSecond)}/s${share}), ${table}, ${formatBytes(bytes)}`;
  const sentences = [lossText(report), coverageText(report), ...unseen.map(unseenText)];
  const lines = wrap(head, look.columns);
  lines.push(...sentences.flatMap((text) => (text === "" ? [] : wrap(text, look.columns))));
  if (file === "-" || report.endedBy === "disk-full") return lines;
  const commands = [
    { command: `headroom replay ${next} --set KEY=VALUE`, why: "the same under other settings" },
    { command: `headroom whatif --source ${next} --set KEY=VALUE`, why: "where it would lead" },
  ];
  return [...lines, ...nextCommands(look, commands)];
}

function lossText({ losses, lostEvents, endedBy }: RecordJson): string {
  if (losses === 0) return endedBy === "disk-full" ? "No event was lost until then." : "No event was lost.";
  const events = lostEvents === undefined ? "events" : countOf(lostEvents, "event");
  return (
    `Lost ${events}, ${countOf(losses, "time")}: they came faster than they were fetched. ` +
    "The table was read again behind them. --one-of 16 follows one flow in 16."
  );
}

function coverageText({ coverage }: RecordJson): string {
  switch (coverage) {
    case "none":
      return "nf_conntrack_events is 0: the kernel sends no events, so only the table is in it.";
    case "new-flows":
      return (
        "Flows that were there before have no events (nf_conntrack_events=2): the last table tells of " +
        "them."
      );
    default:
      return "";
  }
}

function unseenText({ what, why, help }: Unseen): string {
  return visible(`Not seen: ${what}: ${why}${help === undefined ? "" : ` (${help})`}.`);
}
