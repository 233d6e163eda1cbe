/**
 * A notice for people: a line that says it all on a locked screen, and a text that can be acted upon at three
 * in the morning: what is, what it means, what fills the table, what to type.
 */
import {
  type FilledBy,
  isOfMoment,
  type Notice,
  type NoticeKind,
  type Part,
  plainLine,
} from "../../../watch/watch.ts";
import { roughDuration } from "../../../table/duration.ts";
import { formatCount, formatShare } from "../../figures.ts";
import { padRight, wrap } from "../../plain-text.ts";
import { linkOf } from "./incident-url.ts";

const SUBJECT_MAX = 180;
const COLUMNS = 76;

/** `CRITICAL gw1: Table full: 2,048 of 2,048 flows`. */
export function summaryOf({ kind, alert, instance }: Notice): string {
  return plainLine(`${wordOf(kind, alert.level)} ${instance}: ${alert.title}`, SUBJECT_MAX);
}

function wordOf(kind: NoticeKind, level: string): string {
  switch (kind) {
    case "resolved":
      return "RESOLVED";
    case "test":
      return "TEST";
    case "reminder":
      return `STILL ${level.toUpperCase()}`;
    case "again":
      return `AGAIN ${level.toUpperCase()}`;
    case "fired":
    case "worse":
      return level.toUpperCase();
  }
}

/** Lines of the whole notice. `lost`: notices that were never delivered before it. */
export function noticeLines(notice: Notice, lost: number, dashboardUrl?: string): string[] {
  const { alert, filledBy } = notice;
  const resolved = alert.state === "resolved";
  const remedies = resolved ? [] : alert.remedy;
  return [
    ...wrap(alert.title, COLUMNS),
    "",
    ...wrap(timesText(notice), COLUMNS),
    ...(resolved ? [] : ["", ...wrap(alert.meaning, COLUMNS)]),
    ...(filledBy === undefined || resolved ? [] : ["", ...filledLines(filledBy, notice.occupancyFlows)]),
    ...(remedies.length === 0 ? [] : ["", "What to do"]),
    ...remedies.flatMap(({ text, command }) => [
      ...wrap(text, COLUMNS - 2).map((line, index) => `${index === 0 ? "- " : "  "}${line}`),
      ...(command === undefined ? [] : [`    $ ${command}`]),
    ]),
    "",
    ...evidenceLines(notice),
    ...(lost === 0 ? [] : ["", `Before this, ${lost} notice${lost === 1 ? " was" : "s were"} lost.`]),
    ...(dashboardUrl === undefined ? [] : ["", linkOf(notice, dashboardUrl)]),
    "",
    `Alert ${alert.id}`,
  ];
}

function timesText({ kind, alert, instance }: Notice): string {
  const { sinceMs, firedAtMs = sinceMs, resolvedAtMs } = alert;
  if (kind === "test") return `A test from ${instance}: nothing is wrong. If you read this, alerts arrive.`;
  const began = `On ${instance}, ${alert.level} since ${timeText(sinceMs)}`;
  if (resolvedAtMs === undefined) return `${began}.`;
  const lasted = roughDuration(Math.max(0, resolvedAtMs - firedAtMs) / 1000);
  return `On ${instance}, over since ${timeText(resolvedAtMs)}. It was ${alert.level}, for ${lasted}.`;
}

/** `2026-11-22 14:02:03 UTC`. */
function timeText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function filledLines(filled: FilledBy, occupancyFlows: number | undefined): string[] {
  const { flows, sampleFlows, atMs, states, sources, services } = filled;
  const how = sampleFlows === undefined ? "" : `, reckoned from ${formatCount(sampleFlows)} of them`;
  const rows = (head: string, parts: readonly Part[]): string[] =>
    parts.map(({ name, flows: held, share }, index) => {
      const label = index === 0 ? head : "";
      const figures = `${formatCount(held).padStart(11)}  ${formatShare(share)}`;
      return `  ${padRight(label, 10)}${padRight(name, 26)}${figures}`;
    });
  return [
    ...wrap(`What fills the table (${formatCount(flows)} flows at ${timeText(atMs)}${how})`, COLUMNS),
    ...(isOfMoment(flows, occupancyFlows) || occupancyFlows === undefined
      ? []
      : wrap(
          `There were ${formatCount(occupancyFlows)} when this was written; this is of another moment.`,
          COLUMNS,
        )),
    ...rows("State", states),
    ...rows("Source", sources),
    ...rows("Service", services),
  ];
}

function evidenceLines({ alert }: Notice): string[] {
  const figures = Object.entries(alert.evidence).map(([name, value]) => `${name} ${String(value)}`);
  return figures.length === 0 ? [] : wrap(`Figures: ${figures.join(", ")}`, COLUMNS);
}
