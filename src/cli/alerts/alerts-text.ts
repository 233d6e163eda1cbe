/** `headroom alerts` for people. Pure. */
import { lowerFirst } from "../../table/sentence.ts";
import type { Alert, Incident } from "../../watch/watch.ts";
import { roughDuration } from "../../table/duration.ts";
import { countOf } from "../figures.ts";
import { inLevel, type Look, tone } from "../look.ts";
import { fit, padRight, visible, wrap } from "../plain-text.ts";

/** What became of one test notice. */
export interface Tested {
  receiver: string;
  kind: string;
  where: string;
  delivered: boolean;
  milliseconds: number;
  /** What a command printed. */
  said?: string;
  why?: string;
  help?: string;
}

/** What fires, with its words; then what fired lately, a line each. */
export function renderAlerts(
  incidents: readonly Incident[],
  { nowMs, days, look }: { nowMs: number; days: number; look: Look },
): string[] {
  const firing = incidents.map(({ alert }) => alert).filter(({ state }) => state === "firing");
  const over = incidents.filter(({ alert }) => alert.state !== "firing");
  return [
    ...(firing.length === 0 ? [inLevel(look, "ok", "Nothing fires")] : []),
    ...firing.flatMap((alert, index) => [...(index === 0 ? [] : [""]), ...firingLines(alert, nowMs, look)]),
    "",
    ...(over.length === 0
      ? [`Nothing was resolved in the last ${countOf(days, "day")}`]
      : [
          tone(look, "bold", `Resolved in the last ${countOf(days, "day")}`),
          ...overLines(over, nowMs, look),
        ]),
  ];
}

function firingLines(alert: Alert, nowMs: number, look: Look): string[] {
  const { level, title, meaning, remedy, firedAtMs = alert.sinceMs } = alert;
  const head = `${inLevel(look, level, level.toUpperCase())}  ${visible(title)}`;
  const indent = (line: string): string => `   ${line}`;
  const commands = remedy.flatMap(({ command }) => (command === undefined ? [] : [command])).slice(0, 3);
  return [
    head,
    ...wrap(`${visible(meaning)} Fires for ${agoText(firedAtMs, nowMs)}.`, look.columns - 3).map(indent),
    ...commands.map((command) => indent(tone(look, "cyan", `$ ${visible(command)}`))),
  ];
}

function overLines(incidents: readonly Incident[], nowMs: number, look: Look): string[] {
  return incidents.map(({ alert }) => {
    const { level, title, firedAtMs = alert.sinceMs, resolvedAtMs = nowMs } = alert;
    const when = `${agoText(resolvedAtMs, nowMs)} ago`;
    const lasted = agoText(firedAtMs, resolvedAtMs);
    const lead = `${padRight(when, 12)}${padRight(`for ${lasted}`, 14)}`;
    const word = inLevel(look, level, padRight(level, 10), false);
    return `${lead}${word}${fit(visible(title), Math.max(10, look.columns - 36))}`;
  });
}

function agoText(fromMs: number, toMs: number): string {
  return roughDuration(Math.max(0, toMs - fromMs) / 1000);
}

/** One line for each receiver, and what to do where it failed. */
export function renderTested(tested: readonly Tested[], look: Look): string[] {
  const width = Math.max(...tested.map(({ receiver }) => receiver.length)) + 2;
  return tested.flatMap((one) => {
    const name = padRight(one.receiver, width);
    if (one.delivered) {
      const said = one.said === undefined ? "" : `: ${visible(one.said)}`;
      const done = inLevel(look, "ok", `delivered in ${Math.max(1, one.milliseconds)} ms`);
      return [`${name}${done} to ${visible(one.where)}${said}`];
    }
    const why = visible(one.why ?? "");
    return [
      `${name}${inLevel(look, "critical", "FAILED")} ${lowerFirst(why)}`,
      ...(one.help === undefined
        ? []
        : wrap(visible(one.help), look.columns - width).map((line) => " ".repeat(width) + line)),
    ];
  });
}
