/**
 * The story on the terminal: a line for what happens, with the time since the beginning and how full the
 * table is; on a terminal a bar below it that moves. Times and streams are arguments.
 */
import { styleText } from "node:util";

import { formatCount } from "../src/cli/figures.ts";

export type Tone = Parameters<typeof styleText>[0];

export interface Screen {
  write(text: string): void;
  columns: number;
  /** Whether a line may be written again: a terminal. */
  moves: boolean;
  /** Escape codes for colours. */
  colours: boolean;
}

const BAR_COLUMNS = 32;
const EIGHTHS = " ▏▎▍▌▋▊▉";
const WARNING_SHARE = 0.8;
const CRITICAL_SHARE = 0.9;
/** `mm:ss   100 %  `. */
const INDENT = 14;
const MOST_COLUMNS = 110;

export class Telling {
  readonly #screen: Screen;
  readonly #seconds: () => number;
  #share: number | undefined;
  #bar = "";

  constructor(screen: Screen, seconds: () => number) {
    this.#screen = screen;
    this.#seconds = seconds;
  }

  /** Text before and after the story, without time. */
  plain(text: string, tone?: Tone): void {
    for (const line of text.split("\n")) {
      for (const part of wrapped(line, this.#columns())) this.#line(this.#toned(part, tone));
    }
  }

  /** What happens. */
  say(text: string, tone?: Tone): void {
    const [first = "", ...rest] = wrapped(text, this.#columns() - INDENT);
    this.#line(`${this.#stamp()}${this.#toned(first, tone)}`);
    for (const line of rest) this.#line(`${" ".repeat(INDENT)}${this.#toned(line, tone)}`);
  }

  /** A command, as it would be typed. */
  command(text: string): void {
    this.#line(`${" ".repeat(INDENT)}${this.#toned(`$ ${text}`, "cyan")}`);
  }

  /** How full the table is now. */
  use(flows: number, capacityFlows: number): void {
    this.#share = flows / capacityFlows;
    if (!this.#screen.moves) return;
    const eighths = Math.round(Math.min(1, this.#share) * BAR_COLUMNS * 8);
    const full = "█".repeat(Math.floor(eighths / 8));
    const bar = `${full}${eighths % 8 === 0 ? "" : EIGHTHS[eighths % 8]}`.padEnd(BAR_COLUMNS, "·");
    const figures = `${formatCount(flows)} of ${formatCount(capacityFlows)} flows`;
    this.#bar = `${this.#stamp()}${this.#toned(bar, toneOf(this.#share))} ${figures}`;
    this.#screen.write(`\r\x1b[K${this.#bar}`);
  }

  /** The bar is left behind; what follows stands below it. */
  close(): void {
    if (this.#bar !== "") this.#screen.write("\r\x1b[K");
    this.#bar = "";
  }

  #columns(): number {
    return Math.min(this.#screen.columns, MOST_COLUMNS);
  }

  #stamp(): string {
    const share = this.#share === undefined ? "" : `${Math.floor(this.#share * 100)} %`;
    return `${clock(this.#seconds()).padStart(5)}${share.padStart(7)}  `;
  }

  #line(text: string): void {
    this.#screen.write(this.#bar === "" ? `${text}\n` : `\r\x1b[K${text}\n${this.#bar}`);
  }

  #toned(text: string, tone: Tone | undefined): string {
    if (tone === undefined || !this.#screen.colours) return text;
    return styleText(tone, text, { validateStream: false });
  }
}

function toneOf(share: number): Tone {
  if (share >= CRITICAL_SHARE) return "red";
  return share >= WARNING_SHARE ? "yellow" : "green";
}

/** `1:23`. */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function wrapped(text: string, columns: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= columns) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
