/**
 * The command line of `headroom replay`.
 */
import { type Command, Option } from "commander";

import { addHostOptions, choiceOption, type Options, severalOption, withUnits } from "../command-options.ts";
import { type HostOptions, readChoice, readCount, readSeconds } from "../options.ts";
import {
  type CaptureInstant,
  readScenario,
  readSettingChange,
  readUntil,
  type Scenario,
  type SettingChange,
} from "./replay-settings.ts";

export interface ReplayOptions extends HostOptions {
  set?: readonly SettingChange[];
  compare?: readonly Scenario[];
  kernel?: ReplayKernel;
  helper?: readonly ReplayHelper[];
  /** A file, or `-`. */
  table?: string;
  verdicts?: string;
  until?: CaptureInstant;
  zoneByVlan?: true;
  trustChecksums?: true;
  /** An interface. */
  live?: string;
  netns?: string;
  forSeconds?: number;
  seed?: number;
  top?: number;
}

/** Kernels the model knows the rules of (model/generation.ts). */
export const REPLAY_KERNELS = ["4.19", "5.10", "6.1", "6.12", "6.18", "7.3"] as const;
export type ReplayKernel = (typeof REPLAY_KERNELS)[number];

/** Helpers the model has. */
export const REPLAY_HELPERS = ["ftp"] as const;
export type ReplayHelper = (typeof REPLAY_HELPERS)[number];

export interface ReplaySelection {
  command: "replay";
  options: ReplayOptions;
  capture?: string;
}

export function addReplay(program: Command, select: (selection: ReplaySelection) => void): void {
  const command = program
    .command("replay")
    .description("say what the tracker would have done with captured packets under given settings")
    .argument("[capture]", "a file of tcpdump (pcap, pcapng; gzip, zstd), - for standard input");
  addReplayOutput(addSettingOptions(command));
  addLiveOptions(addHostOptions(command, "settings of a saved host; / is this one"))
    .addOption(
      new Option("--top <n>", "rows of each ranking (default: 5)").argParser((text) =>
        readCount("--top", text),
      ),
    )
    .addOption(
      new Option("--seed <n>", "draws of the model, such as chain limits, begin with this").argParser(
        (text) => readCount("--seed", text, 0),
      ),
    )
    .action((capture: string | undefined, options: Options) =>
      select({
        command: "replay",
        options: withUnits(options) as ReplayOptions,
        ...(capture === undefined ? {} : { capture }),
      }),
    );
}

function addSettingOptions(command: Command): Command {
  return command
    .addOption(
      severalOption("--set <key=value>", "a setting, by its sysctl name; KEY=VALUE@TIME for later", (text) =>
        readSettingChange("--set", text),
      ),
    )
    .addOption(
      severalOption("--compare <settings>", "side by side with others: a list of settings", (text) =>
        readScenario("--compare", text),
      ),
    )
    .addOption(choiceOption("--kernel <generation>", "whose rules apply (default: 6.18)", REPLAY_KERNELS))
    .addOption(
      severalOption("--helper <name>", "follow this protocol's expected flows", helperOf, REPLAY_HELPERS),
    )
    .option("--zone-by-vlan", "a zone for each VLAN, as where rules put them there")
    .option("--trust-checksums", "take all as right: the sender's card fills them in")
    .addOption(
      new Option("--until <time>", "run the clock on to these epoch seconds, or +10m").argParser((text) =>
        readUntil("--until", text),
      ),
    );
}

function helperOf(text: string): (typeof REPLAY_HELPERS)[number] {
  return readChoice("--helper", text, REPLAY_HELPERS);
}

function addReplayOutput(command: Command): Command {
  return command
    .option("--table <file>", "write what is left, as /proc/net/nf_conntrack; - for standard output")
    .option("--verdicts <file>", "write a line for each packet: number, ct state, drop");
}

function addLiveOptions(command: Command): Command {
  return command
    .addOption(new Option("--live <interface>", "packets of this interface, as they pass (root)"))
    .option("--netns <name|pid>", "the interface is in this network namespace")
    .addOption(
      new Option("--for <duration>", "end by itself; otherwise ^C ends it").argParser((text) =>
        readSeconds("--for", text),
      ),
    );
}
