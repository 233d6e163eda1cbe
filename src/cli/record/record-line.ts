/**
 * The command line of `headroom record`.
 */
import { type Command, Option } from "commander";

import { addHostOptions, type Options, withUnits } from "../command-options.ts";
import { type HostOptions, readCount, readSeconds } from "../options.ts";
import { UsageError } from "../usage-error.ts";

export interface RecordOptions extends HostOptions {
  netns?: string;
  /** How long; absent: until ^C. */
  forSeconds?: number;
  /** Only the events of one flow of so many, a power of two. */
  oneOf?: number;
}

export interface RecordSelection {
  command: "record";
  options: RecordOptions;
  file: string;
}

/** What the kernel's filter can choose (kernel/event-filter.ts). */
const SHARE_MAX = 2 ** 20;

export function addRecord(program: Command, select: (selection: RecordSelection) => void): void {
  const command = program
    .command("record")
    .description("write flow events to a file that replay and whatif read")
    .argument("<file>", "the file to write, - for standard output")
    .option("--netns <name|pid>", "of this network namespace")
    .addOption(
      new Option("--for <duration>", "end after this long (default: at ^C)").argParser((value) =>
        readSeconds("--for", value),
      ),
    )
    .addOption(
      new Option("--one-of <n>", "events of one flow in n, a power of two: where all are too many").argParser(
        readShare,
      ),
    );
  addHostOptions(command).action((file: string, { for: forSeconds, ...options }: Options) =>
    select({
      command: "record",
      options: {
        ...(withUnits(options) as RecordOptions),
        ...(forSeconds === undefined ? {} : { forSeconds: forSeconds as number }),
      },
      file,
    }),
  );
}

function readShare(text: string): number {
  const share = readCount("--one-of", text, 1);
  if (Number.isInteger(Math.log2(share)) && share <= SHARE_MAX) return share;
  const found = `\`--one-of ${text}\``;
  throw new UsageError(`Cannot use ${found}: wanted a power of two up to ${SHARE_MAX}`, "As in --one-of 16");
}
