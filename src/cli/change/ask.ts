/** The question before something is written. */
import { readSync } from "node:fs";
import { isatty } from "node:tty";

import type { Context } from "../context.ts";
import { UsageError } from "../usage-error.ts";

/** Whether there is somebody to ask. */
export function canAsk(): boolean {
  return isatty(0);
}

/** Throws UsageError where nobody can be asked and `--yes` was not given. */
export function refuseUnasked(yes: boolean | undefined): void {
  if (yes === true || canAsk()) return;
  throw new UsageError(
    "Cannot ask whether to go on: standard input is no terminal, so nothing was changed",
    "Give --yes to go on without being asked, or --dry-run to look only",
  );
}

const ANSWER_BYTES = 256;

/**
 * Asks on the terminal; anything but `y` or `yes` is no. ^C ends the program as always: nothing is written
 * yet.
 */
export function ask(context: Context, question: string): boolean {
  return /^y(es)?$/i.test(answerTo(context, `${question} [y/N]`));
}

/** What is answered on the terminal, without blanks around it; empty at the end of input. */
export function answerTo(context: Context, question: string): string {
  context.terminal.stderr.write(`${question} `);
  const answer = readLine();
  // The end of input leaves the cursor behind the question.
  if (!answer.endsWith("\n")) context.terminal.stderr.write("\n");
  return answer.trim();
}

/** A line as typed, its end with it; empty at the end of input. */
function readLine(): string {
  const buffer = new Uint8Array(ANSWER_BYTES);
  for (;;) {
    try {
      return new TextDecoder().decode(buffer.subarray(0, readSync(0, buffer)));
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
      // Somebody made the terminal non-blocking.
      if (code !== "EAGAIN") return "";
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}
