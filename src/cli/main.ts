/**
 * The process: gives `main` the real terminal, clock and kernel. bin/headroom loads it; so do the threads of
 * listing-ahead.ts and replay-run.ts, which run the same program with a word for a command line.
 */
import { fstatSync } from "node:fs";

import { systemClock } from "../base/clock.ts";
import { GUARD_WORD } from "./change/guard-word.ts";
import { main } from "./cli.ts";
import { processTerminal } from "./terminal.ts";
import { READ_PACKETS_WORD, THREAD_WORD, TRACK_PACKETS_WORD } from "./thread-word.ts";

const [program = "", ...words] = process.argv.slice(1);

if (words[0] === READ_PACKETS_WORD) await (await import("./replay/packets-thread.ts")).readPacketsInThread();
else if (words[0] === TRACK_PACKETS_WORD) await (await import("./replay/courses-thread.ts")).trackInThread();
else if (words[1] === THREAD_WORD) await (await import("./listing-thread.ts")).readInThread();
else if (words[0] === GUARD_WORD) {
  const { runGuard } = await import("./change/guard-process.ts");
  process.exitCode = await runGuard({ clock: systemClock, kernel: () => import("../kernel/kernel.ts") });
} else {
  process.exitCode = await main(words, processTerminal(process), {
    clock: systemClock,
    kernel: () => import("../kernel/kernel.ts"),
    program,
    standardInput,
    seed: Math.floor(Math.random() * 0x1_0000_0000),
  });
}

/** What comes, until it ends or the signal says so. A file is read as files are. */
function standardInput(signal: AbortSignal): AsyncIterable<Uint8Array> | undefined {
  return fstatSync(0).isFile() ? undefined : streamOf(process.stdin, signal);
}

async function* streamOf(stdin: typeof process.stdin, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  signal.addEventListener("abort", () => stdin.destroy());
  try {
    yield* stdin as AsyncIterable<Uint8Array>;
  } catch (error) {
    // A stream that is ended from outside complains.
    if (!signal.aborted) throw error;
  }
}
