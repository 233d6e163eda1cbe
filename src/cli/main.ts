/**
 * The process: gives `main` the real terminal, clock and kernel. bin/headroom loads it; so does the thread of
 * listing-ahead.ts, which runs the same program with a word for a command line.
 */
import { systemClock } from "../base/clock.ts";
import { main } from "./cli.ts";
import { processTerminal } from "./terminal.ts";
import { THREAD_WORD } from "./thread-word.ts";

const [program = "", ...words] = process.argv.slice(1);

if (words[1] === THREAD_WORD) await (await import("./listing-thread.ts")).readInThread();
else {
  process.exitCode = await main(words, processTerminal(process), {
    clock: systemClock,
    kernel: () => import("../kernel/kernel.ts"),
    program,
    seed: Math.floor(Math.random() * 0x1_0000_0000),
  });
}
