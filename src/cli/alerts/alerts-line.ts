/**
 * The command line of `headroom alerts`.
 */
import { Argument, type Command } from "commander";

import { addHostOptions, type Options, withUnits } from "../command-options.ts";
import type { HostOptions } from "../options.ts";
import { USUAL_DIRECTORIES } from "../serve/usual-directories.ts";

export interface AlertsOptions extends HostOptions {
  config?: string;
  /** Directory of the history, before what the file says. */
  state?: string;
}

export interface AlertsSelection {
  command: "alerts";
  options: AlertsOptions;
  /** Absent: list what fires and what fired. `test` sends a test alert to every receiver, or to this one. */
  action?: "test";
  receiver?: string;
}

export function addAlerts(program: Command, select: (selection: AlertsSelection) => void): void {
  const command = program
    .command("alerts")
    .description("the alerts of headroom serve; `alerts test` sends one to every receiver")
    .addArgument(new Argument("[test]", "send a test alert and say what became of it").choices(["test"]))
    .argument("[receiver]", "to this receiver alone")
    .option("--config <file>", "headroom.toml (default: /etc/headroom/headroom.toml where it is there)")
    .option("--state <directory>", `the history is here (default: ${USUAL_DIRECTORIES})`);
  addHostOptions(command).action(
    (action: string | undefined, receiver: string | undefined, options: Options) =>
      select({
        command: "alerts",
        options: withUnits(options) as AlertsOptions,
        ...(action === undefined ? {} : { action: "test" }),
        ...(receiver === undefined ? {} : { receiver }),
      }),
  );
}
