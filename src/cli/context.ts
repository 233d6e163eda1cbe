/**
 * What a command is given: the terminal, how text shall look, the clock, and the way to a host.
 */
import type { Clock } from "../base/clock.ts";
import type * as kernelDoor from "../kernel/kernel.ts";
import { type ColourMode, decideColour, decideUnicode, type Look } from "./look.ts";
import type { Terminal } from "./terminal.ts";

/** What commands use of the door of src/kernel; tests give their own. */
export type KernelDoor = Pick<typeof kernelDoor, "openHost" | "openBytes"> &
  Partial<
    Pick<
      typeof kernelDoor,
      "FlowRecorder" | "openPacketSocket" | "openServiceNotify" | "openWritableHost" | "RecordReader"
    >
  >;

export interface Deps {
  clock: Clock;
  /** Loads src/kernel when it is first needed. */
  kernel(): Promise<KernelDoor>;
  /** The program's own file, for a thread that helps to read; absent where there shall be none. */
  program?: string;
  /** Standard input as a stream that ends when the signal says so; undefined when it is a file. */
  standardInput?: (signal: AbortSignal) => AsyncIterable<Uint8Array> | undefined;
  /** Keys the tables of a census: strangers choose the addresses that are hashed there. A 32-bit number. */
  seed?: number;
}

export interface Context {
  terminal: Terminal;
  look: Look;
  deps: Deps;
  /** Where `HEADROOM_DEBUG=netlink` prints; absent when it is off. */
  debug?: (line: string) => void;
}

/** Width of text where there is no terminal to ask. */
const DEFAULT_COLUMNS = 80;
/** Narrower than this nothing fits; wider, lines are hard to read. */
const LEAST_COLUMNS = 40;
const MOST_COLUMNS = 120;

/** How text shall look on this terminal. */
export function lookOf(terminal: Terminal, colour: ColourMode): Look {
  const columns = terminal.columns ?? DEFAULT_COLUMNS;
  return {
    columns: Math.min(MOST_COLUMNS, Math.max(LEAST_COLUMNS, columns)),
    colour: decideColour(colour, terminal.stdoutIsTerminal, terminal.environment),
    unicode: decideUnicode(terminal.environment),
  };
}

/** Writes lines to standard output. */
export function print(context: Context, lines: readonly string[]): void {
  if (lines.length > 0) context.terminal.stdout.write(`${lines.join("\n")}\n`);
}

/** Writes one value as one line of JSON. Numbers keep their digits; absent properties are left out. */
export function printJson(context: Context, value: unknown): void {
  context.terminal.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Says something beside the output. */
export function warn(context: Pick<Context, "terminal">, text: string): void {
  context.terminal.stderr.write(`headroom: ${text}\n`);
}
