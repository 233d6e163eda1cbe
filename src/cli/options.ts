/**
 * What may stand on the command line, as values. An option that was not given is absent; its default belongs
 * to the command that reads it, so a command run without options needs no parser.
 *
 * The readers here take one text and give the value or throw a UsageError that says what was found and what
 * is wanted.
 */
import { parseDuration } from "../table/duration.ts";
import { parseKernelRelease } from "../table/kernel-release.ts";
import { parseMemory } from "./figures.ts";
import type { ColourMode } from "./look.ts";
import { UsageError } from "./usage-error.ts";

/** Options of every command that looks at a host. */
export interface HostOptions {
  json?: true;
  root?: string;
  color?: ColourMode;
}

/** Options of every command that reads flows. */
export interface FlowOptions extends HostOptions {
  source?: string;
  netns?: string;
  allNetns?: true;
  sample?: number;
}

export interface CheckOptions extends FlowOptions {
  format?: CheckFormat;
  /** Shares of 1. */
  warning?: number;
  critical?: number;
  intervalSeconds?: number;
  all?: true;
  verbose?: true;
}

export interface ExplainOptions extends FlowOptions {
  top?: number;
  owners?: true;
  filter?: string;
}

export interface ListOptions extends FlowOptions {
  csv?: true;
  limit?: number;
  sort?: SortKey;
  format?: ListFormat;
}

export interface DefaultsOptions extends HostOptions {
  memoryBytes?: number;
  kernel?: string;
  pointerBytes?: 4 | 8;
  hashsize?: number;
}

export const CHECK_FORMATS = ["text", "json", "nagios"] as const;
export type CheckFormat = (typeof CHECK_FORMATS)[number];

export const LIST_FORMATS = ["kernel", "wide"] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

export const SORT_KEYS = ["idle", "remaining", "bytes", "packets", "age"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export const COLOUR_MODES = ["auto", "always", "never"] as const;

export const POINTER_BITS = ["32", "64"] as const;

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

const countFactors: Readonly<Record<string, number>> = { k: 1000, K: 1000, M: 1_000_000 };

/** A whole number of at least `least`; `1,000,000`, `1_000_000`, `20k` and `1M` are understood. */
export function readCount(option: string, text: string, least = 1): number {
  const match = /^(\d+)([kKM]?)$/.exec(text.replaceAll(/(?<=\d)[,_](?=\d{3})/g, ""));
  const value = Number(match?.[1]) * (countFactors[match?.[2] ?? ""] ?? 1);
  if (!Number.isSafeInteger(value) || value < least) {
    throw new UsageError(`Cannot use \`${option} ${text}\`: wanted a whole number of at least ${least}`);
  }
  return value;
}

/** One of a closed list of words. */
export function readChoice<Choice extends string>(
  option: string,
  text: string,
  choices: readonly Choice[],
): Choice {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) {
    throw new UsageError(`Cannot use \`${option} ${text}\`: wanted one of ${choices.join(", ")}`);
  }
  return found;
}

/** A duration of more than nothing as seconds: `5`, `5s`, `1m30s`. */
export function readSeconds(option: string, text: string): number {
  const seconds = parseDuration(text);
  if (seconds === undefined || seconds === 0) {
    throw new UsageError(`Cannot use \`${option} ${text}\`: wanted a duration such as 5s or 1m30s`);
  }
  return seconds;
}

/**
 * A threshold of monitoring plugins as a share of 1: `80`, `80%`, and the range forms that alert above a
 * value (`0:80`, `:80`, `~:80`). Ranges that alert below a value or inside of one make no sense here.
 */
export function readThreshold(option: string, text: string): number {
  const percent = Number(/^(?:~:|0?:)?(\d+(?:\.\d+)?)%?$/.exec(text)?.[1]);
  if (!(percent > 0 && percent <= 100)) {
    throw new UsageError(
      `Cannot use \`${option} ${text}\`: wanted percent of capacity, above 0 and up to 100`,
    );
  }
  return percent / 100;
}

export function readMemory(option: string, text: string): number {
  const bytes = parseMemory(text);
  if (bytes === undefined || bytes === 0) {
    throw new UsageError(`Cannot use \`${option} ${text}\`: wanted a memory size such as 1G, 512M or bytes`);
  }
  return bytes;
}

export function readKernel(option: string, text: string): string {
  if (parseKernelRelease(text) === undefined) {
    throw new UsageError(`Cannot use \`${option} ${text}\`: wanted a kernel release such as 2.6.18 or 6.1`);
  }
  return text;
}

export function readPointer(option: string, text: string): 4 | 8 {
  return readChoice(option, text, POINTER_BITS) === "32" ? 4 : 8;
}
