/**
 * The log of `serve`: one line for what happened, for people on a terminal and as JSON otherwise. The only
 * file that loads pino.
 */
import { pino } from "pino";

import type { Clock } from "../../base/clock.ts";
import { visible } from "../plain-text.ts";
import type { Sink } from "../terminal.ts";
import type { Configuration } from "./configuration-schema.ts";

export type LogFields = Readonly<Record<string, unknown>>;

/** What may be logged. Fields are figures and names; text is a sentence. */
export interface ServeLog {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
  /** From now on lines of this level and above. */
  setLevel(level: Configuration["log"]["level"]): void;
}

export interface LogTarget {
  sink: Sink;
  isTerminal: boolean;
  clock: Clock;
}

/** Opens the log. Lines go to the sink as they come; none is held back. */
export function openLog({ level, format }: Configuration["log"], target: LogTarget): ServeLog {
  const asText = format === "text" || (format === "auto" && target.isTerminal);
  const logger = pino(
    {
      level,
      base: null,
      messageKey: "message",
      timestamp: () => `,"atMs":${Math.round(target.clock.nowMs())}`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => target.sink.write(asText ? textLine(line) : line) },
  );
  return {
    debug: (text, fields = {}) => logger.debug(fields, text),
    info: (text, fields = {}) => logger.info(fields, text),
    warn: (text, fields = {}) => logger.warn(fields, text),
    error: (text, fields = {}) => logger.error(fields, text),
    setLevel: (wanted) => {
      logger.level = wanted;
    },
  };
}

/** `14:02:07 warn  the table is 91 % full  subject=k1`; the time is that of the place. */
function textLine(line: string): string {
  const { level, atMs, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const time = new Date(Number(atMs)).toTimeString().slice(0, "14:02:07".length);
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${wordOf(value)}`);
  const word = String(level).padEnd("error".length);
  return `${visible(`${time} ${word} ${String(message)}${rest.length === 0 ? "" : ` ${rest.join("")}`}`)}\n`;
}

function wordOf(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /[\s"=]/.test(text) ? JSON.stringify(text) : text;
}
