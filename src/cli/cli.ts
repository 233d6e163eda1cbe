/**
 * The command `headroom`: reads the command line, runs one command, and turns whatever happens into an exit
 * code and one sentence. The only folder where the others are wired together.
 *
 * It refuses to compute: counting is src/census, judging is src/plan, reading is src/kernel and src/listing.
 *
 * Invariants:
 * - standard output carries what was asked for and nothing else; all that is said beside it goes to standard
 *   error;
 * - a stack trace is shown for nothing but our own mistakes, and only with HEADROOM_DEBUG=1;
 * - a module is loaded when it is needed: `headroom check` starts in a few dozen milliseconds, without a
 *   parser.
 *
 * Read first: command-tree.ts (what can be typed), context.ts (what a command is given), check-command.ts.
 */
import { AssertionError } from "../base/assert.ts";
import { type Context, type Deps, lookOf, warn } from "./context.ts";
import type { Selection } from "./command-tree.ts";
import { ExitCode, levelExitCode } from "./exit-code.ts";
import type { ColourMode } from "./look.ts";
import { UsageError } from "./usage-error.ts";
import { visible } from "./plain-text.ts";
import { HEADROOM_VERSION } from "./version.ts";
import { ReaderGone, type Terminal } from "./terminal.ts";

/**
 * Runs the command line `argv` (without `node` and the program) and resolves to the exit code; never rejects.
 * Everything it touches comes in by `terminal` and `deps`.
 */
export async function main(argv: readonly string[], terminal: Terminal, deps: Deps): Promise<number> {
  let selection: Selection | undefined;
  try {
    selection = await select(argv, terminal);
    return await run(selection, contextOf(selection, terminal, deps));
  } catch (error) {
    if (error instanceof ReaderGone) return ExitCode.ok;
    return explainError(error, argv, terminal, selection);
  }
}

async function select(argv: readonly string[], terminal: Terminal): Promise<Selection> {
  if (argv.length === 0 || (argv.length === 1 && argv[0] === "check")) {
    return { command: "check", options: {} };
  }
  const { parseCommandLine } = await import("./command-tree.ts");
  return parseCommandLine(argv, lookOf(terminal, "auto").columns);
}

function contextOf(selection: Selection, terminal: Terminal, deps: Deps): Context {
  const colour: ColourMode = "options" in selection ? (selection.options.color ?? "auto") : "auto";
  const debug = terminal.environment["HEADROOM_DEBUG"] ?? "";
  return {
    terminal,
    deps,
    look: lookOf(terminal, colour),
    ...(debug.split(",").includes("netlink")
      ? { debug: (line: string) => terminal.stderr.write(`${line}\n`) }
      : {}),
  };
}

async function run(selection: Selection, context: Context): Promise<ExitCode> {
  switch (selection.command) {
    case "check":
      return (await import("./check-command.ts")).runCheck(context, selection.options);
    case "explain":
      return (await import("./explain-command.ts")).runExplain(context, selection.options);
    case "list":
      return (await import("./list-command.ts")).runList(context, selection.options, selection.filter);
    case "defaults":
      return (await import("./defaults-command.ts")).runDefaults(context, selection.options);
    case "replay":
      return (await import("./replay/replay-command.ts")).runReplay(
        context,
        selection.options,
        selection.capture,
      );
    case "whatif":
      return (await import("./whatif/whatif-command.ts")).runWhatif(context, selection.options);
    case "plan":
      return (await import("./plan/plan-command.ts")).runPlan(context, selection.options);
    case "apply":
      return (await import("./change/apply-command.ts")).runApply(context, selection.options);
    case "confirm":
      return (await import("./change/confirm-command.ts")).runConfirm(
        context,
        selection.options,
        selection.id,
      );
    case "rollback":
      return (await import("./change/rollback-command.ts")).runRollback(
        context,
        selection.options,
        selection.id,
      );
    case "history":
      return (await import("./change/history-command.ts")).runHistory(context, selection.options);
    case "record":
      return (await import("./record/record-command.ts")).runRecord(
        context,
        selection.options,
        selection.file,
      );
    case "serve":
      return (await import("./serve/serve-command.ts")).runServe(context, selection.options);
    case "alerts":
      return (await import("./alerts/alerts-command.ts")).runAlerts(context, selection);
    case "verify":
      return (await import("./verify/verify-command.ts")).runVerify(context, selection.options);
    case "reclaim":
      return (await import("./reclaim/reclaim-command.ts")).runReclaim(
        context,
        selection.options,
        selection.filter,
      );
    case "completion": {
      const { completionScript } = await import("./completion.ts");
      context.terminal.stdout.write(completionScript(selection.shell));
      return ExitCode.ok;
    }
    case "help":
      return (await import("./help-command.ts")).runHelp(context, selection);
    case "print":
      context.terminal.stdout.write(selection.text);
      return ExitCode.ok;
  }
}

/** Says what went wrong and gives the exit code of it. */
function explainError(
  error: unknown,
  argv: readonly string[],
  terminal: Terminal,
  selection: Selection | undefined,
): number {
  try {
    if (!isExplained(error)) return reportMistake(error, argv, terminal);
    // A message may have several lines: a filter is shown with a mark below the mistake.
    const lines = lowerFirst(error.message).split("\n").map(visible);
    warn({ terminal }, lines.join("\n"));
    if (error instanceof UsageError && error.hint !== undefined) terminal.stderr.write(`${error.hint}\n`);
    if (!isCheck(argv, selection)) return exitCodeOf(error);
    // A monitoring plugin speaks on standard output, whatever happens.
    if (wantsNagios(argv, selection)) terminal.stdout.write(`CONNTRACK UNKNOWN: ${lines.join(" ")}\n`);
    return levelExitCode.unknown;
  } catch (cause) {
    if (cause instanceof ReaderGone) return ExitCode.failed;
    throw cause;
  }
}

/** Errors made to be read have a code. Node's own `ERR_...` codes say that this program called it wrongly. */
function isExplained(error: unknown): error is Error & { code: string } {
  if (error instanceof AssertionError || !(error instanceof Error) || !("code" in error)) return false;
  return typeof error.code === "string" && !error.code.startsWith("ERR_");
}

function exitCodeOf({ name, code }: Error & { code: string }): ExitCode {
  if (code === "usage" || name === "FilterError") return ExitCode.usage;
  if (["not-permitted", "EACCES", "EPERM"].includes(code)) return ExitCode.notPermitted;
  const ofKernel = name === "KernelError";
  return ofKernel && ["module-missing", "unsupported"].includes(code)
    ? ExitCode.unsupported
    : ExitCode.failed;
}

function isCheck(argv: readonly string[], selection: Selection | undefined): boolean {
  if (selection !== undefined) return selection.command === "check";
  const first = argv[0] ?? "check";
  return first === "check" || first.startsWith("-");
}

function wantsNagios(argv: readonly string[], selection: Selection | undefined): boolean {
  if (selection?.command === "check") return selection.options.format === "nagios";
  return argv.some((word) => /^(--format=)?nagios$/.test(word));
}

function reportMistake(error: unknown, argv: readonly string[], terminal: Terminal): number {
  const name = error instanceof Error ? error.name : "Error";
  const text = error instanceof Error ? error.message : String(error);
  const line = ["headroom", ...argv].join(" ");
  const lines = [
    `headroom: this is a mistake in headroom itself, not in your system: ${name}: ${text}`,
    `Please report it with this line: ${line} (version ${HEADROOM_VERSION}, Node ${terminal.runtime})`,
  ];
  if ((terminal.environment["HEADROOM_DEBUG"] ?? "") === "") lines.push("HEADROOM_DEBUG=1 shows where.");
  else if (error instanceof Error) lines.push(error.stack ?? "");
  terminal.stderr.write(`${lines.map((part) => part.split("\n").map(visible).join("\n")).join("\n")}\n`);
  return ExitCode.ourMistake;
}

/** Messages begin with a capital, which looks odd behind a colon. */
function lowerFirst(text: string): string {
  return /^[A-Z][a-z ]/.test(text) ? (text[0] ?? "").toLowerCase() + text.slice(1) : text;
}
