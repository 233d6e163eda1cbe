/**
 * The command line of `headroom whatif`.
 */
import { type Command, Option } from "commander";

import type { SettingKey } from "../../table/settings.ts";
import { parseDuration } from "../../table/duration.ts";
import { addHostOptions, type Options, severalOption, withUnits } from "../command-options.ts";
import { type HostOptions, readCount } from "../options.ts";
import { readSettingKey, readSettingValue, readWantedSetting, type WantedSetting } from "../setting-words.ts";
import { UsageError } from "../usage-error.ts";

/** Several values of one setting, each to be tried. */
export interface Sweep {
  key: SettingKey;
  values: readonly number[];
}

export interface WhatifOptions extends HostOptions {
  source?: string;
  netns?: string;
  sample?: number;
  set?: readonly WantedSetting[];
  sweep?: Sweep;
  /** 0: one reading. */
  observeSeconds?: number;
  /** Answer for the peak of a history too; true: of the one in the usual place. */
  history?: string | true;
}

export interface WhatifSelection {
  command: "whatif";
  options: WhatifOptions;
}

/** More than this fit no screen. */
const MOST_VALUES = 24;

export function addWhatif(program: Command, select: (selection: WhatifSelection) => void): void {
  const command = program
    .command("whatif")
    .description("what this table would be under other settings, and what that would break")
    .addOption(
      severalOption("--set <key=value>", "a setting, by its sysctl name; durations as 12h or 43200", (text) =>
        readWantedSetting("--set", text),
      ),
    )
    .addOption(
      new Option("--sweep <key=v1,v2,...>", "try several values of one setting").argParser((text) =>
        readSweep("--sweep", text),
      ),
    )
    .addOption(
      new Option(
        "--observe <duration>",
        "time between two readings, 0 for one (default: 10s, and 0 of what is saved)",
      ).argParser((text) => readObserve("--observe", text)),
    )
    .option("--source <source>", "where flows come from (default: kernel); see headroom --help")
    .option("--netns <name|pid>", "look at this network namespace")
    .option("--history [directory]", "at the peak of the last week too, by the history of headroom serve")
    .addOption(
      new Option("--sample <n>", "read only about this many flows; figures then carry their error").argParser(
        (text) => readCount("--sample", text, 100),
      ),
    );
  addHostOptions(command).action(({ observe, ...options }: Options) =>
    select({
      command: "whatif",
      options: {
        ...(withUnits(options) as WhatifOptions),
        ...(observe === undefined ? {} : { observeSeconds: observe as number }),
      },
    }),
  );
}

/** `0`, `10s`, `5m`. */
export function readObserve(option: string, text: string): number {
  const seconds = parseDuration(text);
  if (seconds === undefined) {
    throw new UsageError(`Cannot use \`${option} ${text}\`: wanted a duration such as 10s or 5m, or 0`);
  }
  return seconds;
}

/** `KEY=v1,v2,...`: each value as `--set` takes it, in ascending order, each once. */
export function readSweep(option: string, text: string): Sweep {
  const match = /^\s*([^=\s]+)\s*=\s*(.+?)\s*$/.exec(text);
  if (match === null) {
    throw new UsageError(
      `Cannot use \`${option} ${text}\`: wanted KEY=VALUE,VALUE,...`,
      `As in ${option} nf_conntrack_tcp_timeout_established=1h,12h,1d`,
    );
  }
  const [, name = "", list = ""] = match;
  const key = readSettingKey(option, text, name);
  const values = list.split(",").map((value) => readSettingValue(option, text, key, value.trim()));
  const sorted = [...new Set(values)].toSorted((left, right) => left - right);
  if (sorted.length < 2 || sorted.length > MOST_VALUES) {
    throw new UsageError(`Cannot use \`${option} ${text}\`: wanted 2 to ${MOST_VALUES} different values`);
  }
  return { key, values: sorted };
}
