/**
 * The command line of `headroom verify`.
 */
import { type Command, Option } from "commander";

import { addHostOptions, type Options, withUnits } from "../command-options.ts";
import type { HostOptions } from "../options.ts";

export interface VerifyOptions extends HostOptions {
  /** Every place that names a setting, with what becomes of it. */
  all?: true;
  /** Only this setting, by any of its names. */
  setting?: string;
  /** Another network namespace, by name or process. */
  netns?: string;
}

export interface VerifySelection {
  command: "verify";
  options: VerifyOptions;
}

export function addVerify(program: Command, select: (selection: VerifySelection) => void): void {
  const command = program
    .command("verify")
    .description("say what the next boot will make of the settings, and who sets them")
    .argument("[setting]", "only this one, by any of its names, with every place that sets it");
  addHostOptions(command)
    .addOption(new Option("--netns <name|pid>", "look at this network namespace"))
    .option("--all", "every place that sets anything, in the order in which it is read")
    .action((setting: string | undefined, options: Options) =>
      select({
        command: "verify",
        options: {
          ...(withUnits(options) as VerifyOptions),
          ...(setting === undefined ? {} : { setting }),
        },
      }),
    );
}
