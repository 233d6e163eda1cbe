/**
 * The command line of `headroom serve`.
 */
import type { Command } from "commander";

import { addHostOptions, type Options, withUnits } from "../command-options.ts";
import type { HostOptions } from "../options.ts";
import { USUAL_DIRECTORIES } from "./usual-directories.ts";

export interface ServeOptions extends HostOptions {
  /** Path of headroom.toml. Absent: /etc/headroom/headroom.toml where it is there, else the defaults. */
  config?: string;
  /** `ADDRESS:PORT`, before what the file says. */
  listen?: string;
  /** Directory of the history, before what the file says. */
  state?: string;
  /** Watch the table of this network namespace; the others are counted. Absent: the own one. */
  netns?: string;
  /** Read the file, say what is wrong with it, and end. */
  checkConfig?: true;
}

export interface ServeSelection {
  command: "serve";
  options: ServeOptions;
}

export function addServe(program: Command, select: (selection: ServeSelection) => void): void {
  const command = program
    .command("serve")
    .description("watch this host: history, forecast, alerts, metrics, HTTP API and dashboard")
    .option("--config <file>", "headroom.toml (default: /etc/headroom/headroom.toml where it is there)")
    .option("--listen <address:port>", "listen here (default: 127.0.0.1:9466)")
    .option("--state <directory>", `keep the history here (default: ${USUAL_DIRECTORIES})`)
    .option("--netns <name|pid>", "watch the table of this network namespace; the others are counted")
    .option("--check-config", "read the file, say what is wrong with it, and end");
  addHostOptions(command).action((options: Options) =>
    select({ command: "serve", options: withUnits(options) as ServeOptions }),
  );
}
