/**
 * Going through a reading without being deaf: now and then the event loop turns, so that ^C is heard and
 * progress is shown on a terminal when it takes longer than a second.
 */
import type { Clock } from "../base/clock.ts";
import type { FlowColumns } from "../table/columns.ts";
import type { FlowReading } from "../table/source.ts";
import type { Context } from "./context.ts";
import { formatCount } from "./figures.ts";
import type { Terminal } from "./terminal.ts";

/** Longest the event loop stands still, milliseconds. */
export const TURN_MS = 50;
/** What is over by then needs no progress. */
const QUIET_MS = 1000;
const REPAINT_MS = 200;

export interface PaceOptions {
  /** Ends the reading early; what has come so far stands. */
  signal?: AbortSignal;
  /** How many flows are expected, where that is known. */
  expectedFlows?: number;
}

/** The batches of a reading, one by one. Each is overwritten by the next. */
export async function* paced(
  reading: FlowReading,
  context: Context,
  options: PaceOptions = {},
): AsyncGenerator<FlowColumns, void, undefined> {
  const { clock } = context.deps;
  const { signal } = options;
  const progress = new Progress(context.terminal, clock);
  const of = options.expectedFlows === undefined ? "" : ` of about ${formatCount(options.expectedFlows)}`;
  let turnedMs = clock.elapsedMs();
  let flows = 0;
  try {
    for await (const columns of reading.batches()) {
      flows += columns.count;
      yield columns;
      const nowMs = clock.elapsedMs();
      if (nowMs - turnedMs < TURN_MS) continue;
      turnedMs = nowMs;
      progress.show(() => `${formatCount(flows)}${of} flows read`);
      await turnOfTheLoop();
      if (signal?.aborted === true) return;
    }
  } finally {
    progress.clear();
  }
}

/** Lets the event loop turn once: what has happened meanwhile (a signal, a message) is heard. */
export function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** One line on standard error that repaints itself; nothing where standard error is no terminal. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #startedMs: number;
  #paintedMs = 0;
  #painted = false;

  constructor(terminal: Terminal, clock: Clock) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#startedMs = clock.elapsedMs();
  }

  /** Paints what `text` says, when it is time to. */
  show(text: () => string): void {
    const nowMs = this.#clock.elapsedMs();
    if (!this.#terminal.stderrIsTerminal || nowMs - this.#startedMs < QUIET_MS) return;
    if (this.#painted && nowMs - this.#paintedMs < REPAINT_MS) return;
    this.#terminal.stderr.write(`\r${text()}\u001b[K`);
    this.#paintedMs = nowMs;
    this.#painted = true;
  }

  clear(): void {
    if (this.#painted) this.#terminal.stderr.write("\r\u001b[K");
    this.#painted = false;
  }
}
