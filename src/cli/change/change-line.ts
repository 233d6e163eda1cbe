/**
 * The command line of `headroom apply`, `headroom confirm`, `headroom rollback`, `headroom history`.
 */
import { type Command, Option } from "commander";

import { addHostOptions, type Options, severalOption, withUnits } from "../command-options.ts";
import { type HostOptions, readSeconds } from "../options.ts";
import { UsageError } from "../usage-error.ts";
import { readWantedSetting, type WantedSetting } from "../setting-words.ts";

export interface ApplyOptions extends HostOptions {
  set?: readonly WantedSetting[];
  /** A file, or `-`. */
  plan?: string;
  yes?: true;
  /** False with `--no-persist`. */
  persist?: boolean;
  confirmWithinSeconds?: number;
  dryRun?: true;
  netns?: string;
}

export interface ApplySelection {
  command: "apply";
  options: ApplyOptions;
}

export interface ConfirmOptions extends HostOptions {}

export interface ConfirmSelection {
  command: "confirm";
  options: ConfirmOptions;
  /** Absent: the change that waits. */
  id?: string;
}

export interface RollbackOptions extends HostOptions {
  yes?: true;
}

export interface RollbackSelection {
  command: "rollback";
  options: RollbackOptions;
  /** Absent: the last change that stands. */
  id?: string;
}

export interface HistoryOptions extends HostOptions {}

export interface HistorySelection {
  command: "history";
  options: HistoryOptions;
}

const ABOUT_ROOT = "a directory that stands in for /: only files in it are changed";

/** Beyond a day it is not a guard any more: nobody remembers what waits. */
const CONFIRM_WITHIN_MAX_SECONDS = 86_400;

function readConfirmWithin(text: string): number {
  const seconds = readSeconds("--confirm-within", text);
  if (seconds <= CONFIRM_WITHIN_MAX_SECONDS) return seconds;
  throw new UsageError(`Cannot use \`--confirm-within ${text}\`: wanted at most 24h`);
}

export function addApply(program: Command, select: (selection: ApplySelection) => void): void {
  const command = program
    .command("apply")
    .description("make a change: now, and so that it survives a reboot")
    .addOption(
      severalOption("--set <key=value>", "what shall be; may be given several times", (text) =>
        readWantedSetting("--set", text),
      ).conflicts("plan"),
    )
    .option("--plan <file>", "what `headroom plan --json` printed; - is standard input")
    .option("--yes", "do not ask")
    .option("--no-persist", "until the next boot only: no file is written")
    .addOption(
      new Option(
        "--confirm-within <duration>",
        "take everything back unless `headroom confirm` comes in time, also when this session is lost",
      ).argParser(readConfirmWithin),
    )
    .option("--dry-run", "print what would be done, and do nothing")
    .option("--netns <name|pid>", "settings of this network namespace, until it ends");
  addHostOptions(command, ABOUT_ROOT).action((options: Options) =>
    select({ command: "apply", options: withUnits(options) as ApplyOptions }),
  );
}

export function addConfirm(program: Command, select: (selection: ConfirmSelection) => void): void {
  const command = program
    .command("confirm")
    .description("keep a change that waits to be confirmed")
    .argument("[id]", "the change (default: the one that waits)");
  addHostOptions(command, ABOUT_ROOT).action((id: string | undefined, options: Options) =>
    select({
      command: "confirm",
      options: withUnits(options) as ConfirmOptions,
      ...(id === undefined ? {} : { id }),
    }),
  );
}

export function addRollback(program: Command, select: (selection: RollbackSelection) => void): void {
  const command = program
    .command("rollback")
    .description("take a change back: values and files as they were")
    .argument("[id]", "the change, or how its name begins (default: the last that stands)")
    .option("--yes", "do not ask");
  addHostOptions(command, ABOUT_ROOT).action((id: string | undefined, options: Options) =>
    select({
      command: "rollback",
      options: withUnits(options) as RollbackOptions,
      ...(id === undefined ? {} : { id }),
    }),
  );
}

export function addHistory(program: Command, select: (selection: HistorySelection) => void): void {
  const command = program
    .command("history")
    .description("list what was changed, when, by whom, and how it ended");
  addHostOptions(command).action((options: Options) =>
    select({ command: "history", options: withUnits(options) as HistoryOptions }),
  );
}
