/**
 * The command line: every command, option and example, as a commander tree. Parsing, help, completion and the
 * manual page all come from this one tree. Loaded only when there is something to parse: `headroom` alone
 * does without.
 */
import { Argument, Command, CommanderError, Option } from "commander";

import {
  CHECK_FORMATS,
  type CheckOptions,
  type DefaultsOptions,
  type ExplainOptions,
  LIST_FORMATS,
  POINTER_BITS,
  type ListOptions,
  readChoice,
  readCount,
  readKernel,
  readMemory,
  readPointer,
  readSeconds,
  readThreshold,
  type Shell,
  SHELLS,
  SORT_KEYS,
} from "./options.ts";
import { addFlowOptions, addHostOptions, choiceOption, type Options, withUnits } from "./command-options.ts";
import { type WhatifSelection, addWhatif } from "./whatif/whatif-line.ts";
import { type PlanSelection, addPlan } from "./plan/plan-line.ts";
import {
  type ApplySelection,
  type ConfirmSelection,
  type HistorySelection,
  type RollbackSelection,
  addApply,
  addConfirm,
  addHistory,
  addRollback,
} from "./change/change-line.ts";
import { type VerifySelection, addVerify } from "./verify/verify-line.ts";
import { type ReclaimSelection, addReclaim } from "./reclaim/reclaim-line.ts";
import { addReplay, type ReplaySelection } from "./replay/replay-line.ts";
import { addRecord, type RecordSelection } from "./record/record-line.ts";
import { addServe, type ServeSelection } from "./serve/serve-line.ts";
import { addAlerts, type AlertsSelection } from "./alerts/alerts-line.ts";
import { commandTopics, generalTopics, type Topic } from "./topics.ts";
import { UsageError } from "./usage-error.ts";
import { HEADROOM_VERSION } from "./version.ts";

/** What was asked for. */
export type Selection =
  | { command: "check"; options: CheckOptions }
  | { command: "explain"; options: ExplainOptions }
  | { command: "list"; options: ListOptions; filter: string }
  | { command: "defaults"; options: DefaultsOptions }
  | ReplaySelection
  | WhatifSelection
  | PlanSelection
  | ApplySelection
  | ConfirmSelection
  | RollbackSelection
  | HistorySelection
  | VerifySelection
  | ReclaimSelection
  | RecordSelection
  | ServeSelection
  | AlertsSelection
  | { command: "completion"; shell: Shell }
  | { command: "help"; topic?: string; form: "text" | "manual" | "schema" }
  /** Help or the version was asked for by an option: this is it. */
  | { command: "print"; text: string };

/**
 * Reads the command line (without `node` and the program). A line that begins with an option is one for
 * `check`. Throws UsageError. `columns` is the width of help.
 */
export function parseCommandLine(argv: readonly string[], columns: number): Selection {
  let selected: Selection | undefined;
  let printed = "";
  const line = withCommand(argv);
  const program = buildProgram((selection) => (selected = selection), columns, line[0]);
  const output = { writeOut: (text: string) => void (printed += text), outputError: () => {} };
  for (const command of [program, ...program.commands]) command.exitOverride().configureOutput(output);
  try {
    program.parse(line, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageErrorOf(error, argv);
  }
  return selected ?? { command: "print", text: printed };
}

/** `--json` means `check --json`; `--help` and `--version` belong to the program. */
function withCommand(argv: readonly string[]): string[] {
  const first = argv[0];
  if (first === undefined) return ["check"];
  const ofProgram = ["-h", "--help", "-V", "--version"].includes(first);
  return first.startsWith("-") && !ofProgram ? ["check", ...argv] : [...argv];
}

function usageErrorOf(error: CommanderError, argv: readonly string[]): UsageError {
  const message = error.message.replace(/^error: /, "").replace(/\.?$/, "");
  const guess = /\n\((Did you mean .*)\?\)$/.exec(message)?.[1];
  const text = message.replace(/\n\(.*$/s, "");
  const late = argv.slice(1).find((word) => adders.has(word));
  if (error.code === "commander.excessArguments" && late !== undefined) {
    return new UsageError(
      `Cannot read the command line: ${text}`,
      `The command comes first: headroom ${late} ...`,
    );
  }
  const first = withCommand(argv)[0];
  const help = `headroom ${first !== undefined && adders.has(first) ? `${first} ` : ""}--help`;
  return new UsageError(
    `Cannot read the command line: ${text}`,
    guess === undefined ? `See ${help}` : `${guess}? See ${help}`,
  );
}

type Select = (selection: Selection) => void;

/** What adds each command to the tree, in the order of help. */
const adders: ReadonlyMap<string, (program: Command, select: Select) => void> = new Map([
  ["check", addCheck],
  ["explain", addExplain],
  ["list", addList],
  ["whatif", addWhatif],
  ["plan", addPlan],
  ["apply", addApply],
  ["confirm", addConfirm],
  ["rollback", addRollback],
  ["history", addHistory],
  ["verify", addVerify],
  ["reclaim", addReclaim],
  ["replay", addReplay],
  ["record", addRecord],
  ["serve", addServe],
  ["alerts", addAlerts],
  ["defaults", addDefaults],
  ["completion", addCompletion],
  ["help", addHelp],
]);

/**
 * The whole tree, or what a line that begins with the command `only` needs of it. `select` is told what a
 * line asked for.
 */
export function buildProgram(select: Select, columns = 80, only = ""): Command {
  const program = new Command("headroom")
    .description("Keeps the connection-tracking table of a Linux host (nf_conntrack) from filling up.")
    .usage("[command] [options]")
    .version(HEADROOM_VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand(false)
    .configureHelp({ helpWidth: columns });
  const wanted = adders.get(only);
  for (const add of wanted === undefined ? adders.values() : [wanted]) add(program, select);
  program.addHelpText("after", `\n${topicsText(generalTopics)}`);
  for (const command of program.commands) {
    command.helpOption("-h, --help", "print help").configureHelp({ helpWidth: columns });
    const topics = commandTopics[command.name()];
    if (topics !== undefined) command.addHelpText("after", `\n${topicsText(topics)}`);
  }
  return program;
}

function topicsText(topics: readonly Topic[]): string {
  return topics
    .map(({ title, lines }) => `${title}:\n${lines.map((line) => `  ${line}`.trimEnd()).join("\n")}\n`)
    .join("\n");
}

function addCheck(program: Command, select: Select): void {
  const command = program
    .command("check")
    .description(
      "judge this host: how full, what fills it, what was dropped, what to do first (the default)",
    );
  addFlowOptions(addHostOptions(command))
    .addOption(choiceOption("--format <format>", "output", CHECK_FORMATS).conflicts("json"))
    .addOption(
      new Option("-w, --warning <percent>", "warn from this share of capacity on (default: 80)").argParser(
        (text) => readThreshold("--warning", text),
      ),
    )
    .addOption(
      new Option(
        "-c, --critical <percent>",
        "critical from this share of capacity on (default: 90)",
      ).argParser((text) => readThreshold("--critical", text)),
    )
    .addOption(
      new Option(
        "--interval <duration>",
        "read the counters twice, this far apart, for rates of now",
      ).argParser((text) => readSeconds("--interval", text)),
    )
    .option("--all", "all findings, not only the three that matter most")
    .option("-v, --verbose", "all findings with evidence and every remedy")
    .action((options: Options) => select({ command: "check", options: withUnits(options) as CheckOptions }));
}

function addExplain(program: Command, select: Select): void {
  const command = program.command("explain").description("say what fills the table");
  addFlowOptions(addHostOptions(command))
    .addOption(
      new Option("--top <n>", "rows of each ranking (default: 5)").argParser((text) =>
        readCount("--top", text),
      ),
    )
    .option("--owners", "name the process, unit or container behind the flows")
    .option("--filter <filter>", "only flows that match; see headroom list --help")
    .action((options: Options) =>
      select({ command: "explain", options: withUnits(options) as ExplainOptions }),
    );
}

function addList(program: Command, select: Select): void {
  const command = program
    .command("list")
    .description("print flows, in the words of /proc/net/nf_conntrack")
    .argument("[filter...]", "only flows that match, see below");
  addFlowOptions(addHostOptions(command))
    .addOption(new Option("--csv", "comma-separated values with a header").conflicts("json"))
    .addOption(
      new Option("--limit <n>", "at most so many flows").argParser((text) => readCount("--limit", text)),
    )
    .addOption(choiceOption("--sort <key>", "greatest first", SORT_KEYS))
    .addOption(choiceOption("--format <format>", "text form", LIST_FORMATS).conflicts(["json", "csv"]))
    .action((words: string[], options: Options) =>
      select({ command: "list", options: withUnits(options) as ListOptions, filter: words.join(" ") }),
    );
}

function addDefaults(program: Command, select: Select): void {
  const command = program
    .command("defaults")
    .description("say what a kernel chooses by itself for a given memory size, and how");
  addHostOptions(command)
    .addOption(
      new Option("--memory <size>", "memory the kernel sees, such as 1G (default: this host's)").argParser(
        (text) => readMemory("--memory", text),
      ),
    )
    .addOption(
      new Option("--kernel <release>", "kernel release, such as 2.6.18 (default: this host's)").argParser(
        (text) => readKernel("--kernel", text),
      ),
    )
    .addOption(
      choiceOption(
        "--pointer <bits>",
        "word size of the kernel (default: this host's)",
        POINTER_BITS,
      ).argParser((text) => readPointer("--pointer", text)),
    )
    .addOption(
      new Option("--hashsize <n>", "when this module parameter is given at load").argParser((text) =>
        readCount("--hashsize", text),
      ),
    )
    .action((options: Options) =>
      select({ command: "defaults", options: withUnits(options) as DefaultsOptions }),
    );
}

function addCompletion(program: Command, select: Select): void {
  const shell = new Argument("<shell>", "the shell").choices(SHELLS);
  program
    .command("completion")
    .description("print the completion script of a shell")
    .addArgument(shell.argParser((text) => readChoice("completion", text, SHELLS)))
    .action((name: Shell) => select({ command: "completion", shell: name }));
}

function addHelp(program: Command, select: Select): void {
  program
    .command("help")
    .description("print help, the manual page, or the schema of machine output")
    .argument("[command]", "of this command")
    .option("--man", "the manual page, in roff")
    .addOption(new Option("--schema", "the JSON schema of what --json prints").conflicts("man"))
    .action((topic: string | undefined, options: Options) =>
      select({ command: "help", form: helpForm(options), ...(topic === undefined ? {} : { topic }) }),
    );
}

function helpForm({ man, schema }: Options): "text" | "manual" | "schema" {
  if (man === true) return "manual";
  return schema === true ? "schema" : "text";
}
