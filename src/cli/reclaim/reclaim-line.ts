/**
 * The command line of `headroom reclaim`.
 */
import { type Command, Option } from "commander";

import type { Prefix } from "../../table/address.ts";
import { parsePrefix } from "../../table/address-text.ts";
import { addHostOptions, type Options, severalOption, withUnits } from "../command-options.ts";
import { parseDuration } from "../../table/duration.ts";
import { type HostOptions, readCount, readSeconds } from "../options.ts";
import { UsageError } from "../usage-error.ts";

export interface ReclaimOptions extends HostOptions {
  source?: string;
  netns?: string;
  idleSeconds?: number;
  shortenToSeconds?: number;
  yes?: true;
  dryRun?: true;
  /** Flows a second; Infinity for as fast as it goes. */
  rate?: number;
  protect?: readonly Prefix[];
  includeNat?: true;
  floorSeconds?: number;
  /** At most so many flows. */
  max?: number;
  /** File that what goes is written to. */
  removed?: string;
  emergency?: true;
  /** The number or the name of a cut. */
  cut?: string;
}

export interface ReclaimSelection {
  command: "reclaim";
  options: ReclaimOptions;
  filter: string;
}

export function addReclaim(program: Command, select: (selection: ReclaimSelection) => void): void {
  const command = program
    .command("reclaim")
    .description("free flows that serve nobody: a preview first, with protected flows kept")
    .argument("[filter...]", "only flows that match; `headroom list --help` has the words");
  addHostOptions(command)
    .option("--source <source>", "kernel; with --dry-run also a saved listing")
    .option("--netns <name|pid>", "of this network namespace")
    .addOption(seconds("--idle <duration>", "only flows that have been silent for so long, such as 1h"))
    .addOption(seconds("--shorten-to <duration>", "give them so much time instead of deleting them"))
    .option("--yes", "do not ask")
    .option("--dry-run", "only say what would go")
    .addOption(new Option("--rate <n|unlimited>", "flows a second (default: 10,000)").argParser(readRate))
    .addOption(
      severalOption(
        "--protect <network>",
        "keep flows with an address of this network; several",
        readNetwork,
      ),
    )
    .option("--include-nat", "also flows that are translated: deleting one breaks its connection")
    .addOption(
      new Option(
        "--floor <duration>",
        "silence before which a connection is left alone (default: 2h4m)",
      ).argParser((text) => readFloor(text)),
    )
    .addOption(new Option("--max <n>", "stop after so many").argParser((text) => readCount("--max", text)))
    .option("--removed <file>", "where to write what goes (default: in /var/lib/headroom/reclaimed)")
    .option("--emergency", "the table is full now: offer the three greatest safe cuts")
    .option("--cut <n|name>", "with --emergency: which of them")
    .action((words: string[], options: Options) =>
      select({
        command: "reclaim",
        options: withUnits(named(options)) as ReclaimOptions,
        filter: words.join(" "),
      }),
    );
}

/** Options of this command whose values are durations. */
function named({ idle, shortenTo, floor, ...options }: Options): Options {
  return {
    ...options,
    ...(idle === undefined ? {} : { idleSeconds: idle }),
    ...(shortenTo === undefined ? {} : { shortenToSeconds: shortenTo }),
    ...(floor === undefined ? {} : { floorSeconds: floor }),
  };
}

function seconds(flags: string, about: string): Option {
  const long = flags.split(" ")[0] ?? flags;
  return new Option(flags, about).argParser((text) => readSeconds(long, text));
}

/** Nothing at all is a floor, too. */
function readFloor(text: string): number {
  const found = parseDuration(text);
  if (found === undefined) {
    throw new UsageError(`Cannot use \`--floor ${text}\`: wanted a duration such as 2h4m, 30m or 0`);
  }
  return found;
}

function readRate(text: string): number {
  return text === "unlimited" ? Infinity : readCount("--rate", text.replace(/\/s$/, ""));
}

function readNetwork(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) {
    throw new UsageError(
      `Cannot use \`--protect ${text}\`: wanted an address or a network such as 10.0.0.0/8 or 2001:db8::/32`,
    );
  }
  return prefix;
}
