/** The process: gives `main` the real terminal, clock and kernel. bin/headroom loads it. */
import { systemClock } from "../base/clock.ts";
import { main } from "./cli.ts";
import { processTerminal } from "./terminal.ts";

process.exitCode = await main(process.argv.slice(2), processTerminal(process), {
  clock: systemClock,
  kernel: () => import("../kernel/kernel.ts"),
  seed: Math.floor(Math.random() * 0x1_0000_0000),
});
