/**
 * How text shall look: width, colour and characters, decided once for a whole run. Rendering functions take
 * it as an argument and touch no stream, so every screen is a text fixture.
 */
import { styleText } from "node:util";

import type { Level } from "../table/finding.ts";
import { padRight, visible, widthOf } from "./plain-text.ts";

export interface Look {
  /** Width of the text, columns. */
  columns: number;
  colour: boolean;
  /** Whether block characters may be used; ASCII otherwise. */
  unicode: boolean;
}

type Tone = "bold" | "dim" | "red" | "yellow" | "green" | "magenta" | "cyan";

/** `text` in a tone, or as it is when colour is off. Pad before toning: escape codes have no width. */
export function tone(look: Look, tones: Tone | readonly Tone[], text: string): string {
  if (!look.colour || text === "") return text;
  return styleText(typeof tones === "string" ? tones : [...tones], text, { validateStream: false });
}

const levelTones: Record<Level, Tone> = {
  ok: "green",
  warning: "yellow",
  critical: "red",
  unknown: "magenta",
};

/** `text` in the colour of a level. */
export function inLevel(look: Look, level: Level, text: string, bold = true): string {
  return tone(look, bold ? ["bold", levelTones[level]] : levelTones[level], text);
}

const EIGHTHS = " ▏▎▍▌▋▊▉";

/**
 * A bar of `columns` for a share of 1, without colour. With block characters in eighths of a column;
 * otherwise `#`. A share above zero shows at least the smallest mark, a share below one never fills the bar.
 */
export function bar(look: Look, share: number, columns: number): string {
  const exact = Math.max(0, Math.min(1, share)) * columns;
  if (!look.unicode) {
    const whole = wholeMarks(exact, columns, share);
    return "#".repeat(whole);
  }
  let eighths = Math.round(exact * 8);
  if (share > 0) eighths = Math.max(1, eighths);
  if (share < 1) eighths = Math.min(columns * 8 - 1, eighths);
  const rest = eighths % 8;
  return "█".repeat((eighths - rest) / 8) + (rest === 0 ? "" : (EIGHTHS[rest] ?? ""));
}

function wholeMarks(exact: number, columns: number, share: number): number {
  let whole = Math.round(exact);
  if (share > 0) whole = Math.max(1, whole);
  if (share < 1) whole = Math.min(columns - 1, whole);
  return Math.max(0, whole);
}

/**
 * A bar on a ground that shows the whole: `████░░░░`, or `[####----]` in ASCII. `columns` is the width of all
 * of it.
 */
export function gauge(look: Look, share: number, columns: number, level: Level): string {
  if (!look.unicode) {
    const inner = columns - 2;
    const filled = wholeMarks(Math.max(0, Math.min(1, share)) * inner, inner, share);
    return `[${inLevel(look, level, "#".repeat(filled))}${"-".repeat(inner - filled)}]`;
  }
  const filled = wholeMarks(Math.max(0, Math.min(1, share)) * columns, columns, share);
  return inLevel(look, level, "█".repeat(filled), false) + tone(look, "dim", "░".repeat(columns - filled));
}

/** Commands worth typing next, each with what it is for; the reason is left out where it does not fit. */
export function nextCommands(look: Look, next: readonly { command: string; why: string }[]): string[] {
  const commands = next.map(({ command }) => visible(command));
  const width = Math.max(0, ...commands.map(widthOf));
  return next.map(({ why }, index) => {
    const lead = index === 0 ? "Next: " : "      ";
    const command = commands[index] ?? "";
    const fits = lead.length + width + 2 + widthOf(why) <= look.columns;
    return (
      lead +
      (fits
        ? `${tone(look, "cyan", padRight(command, width))}  ${tone(look, "dim", why)}`
        : tone(look, "cyan", command))
    );
  });
}

/** The environment's part in how text looks. */
export type Environment = Readonly<Record<string, string | undefined>>;

export type ColourMode = "auto" | "always" | "never";

/**
 * Whether to colour: `--color` decides; with `auto`, FORCE_COLOR (not `0`), then NO_COLOR, then whether it is
 * a terminal that can (https://no-color.org, https://force-color.org).
 */
export function decideColour(mode: ColourMode, isTerminal: boolean, environment: Environment): boolean {
  if (mode !== "auto") return mode === "always";
  const forced = environment["FORCE_COLOR"];
  if (forced !== undefined && forced !== "") return forced !== "0";
  if ((environment["NO_COLOR"] ?? "") !== "") return false;
  return isTerminal && environment["TERM"] !== "dumb";
}

/** Whether the locale says UTF-8: LC_ALL before LC_CTYPE before LANG, the first one set. */
export function decideUnicode(environment: Environment): boolean {
  const locale = [environment["LC_ALL"], environment["LC_CTYPE"], environment["LANG"]].find(
    (value) => value !== undefined && value !== "",
  );
  return /utf-?8/i.test(locale ?? "");
}
