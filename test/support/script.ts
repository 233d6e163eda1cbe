/**
 * Tests of the command as text. One file in test/scripts holds commands, what each must print and how it must
 * end, and the files it works on:
 *
 *     What this script shows, in a sentence or two.
 *
 *     $ headroom check --root tree
 *     ok: 12 of 65536 flows
 *
 *     $ headroom list --source absent
 *     2> headroom: cannot read absent: no such file
 *     [exit 1]
 *
 *     -- tree/proc/sys/net/netfilter/nf_conntrack_count --
 *     12
 *
 * A command is a line for `sh -c`, run in a new directory that holds the files, with a clean environment in
 * which `headroom` is the one of this checkout and $FIXTURES is test/fixtures. Lines of standard error begin
 * with `2> `; without `[exit N]` the command must end with 0; `[no newline]` says that standard output does
 * not end with one; output that looks like a command or the name of a file has a `\` in front. `<...>` stands
 * for any text within a line, and alone on a line for any number of lines. Blank lines at the end of output
 * do not count. UPDATE=1 rewrites the output of every command whose output does not match.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const FIXTURES = `${ROOT}/test/fixtures`;

/**
 * Where scripts run: not the system's choice, because paths are printed in lines that are laid out by their
 * length, and what a script expects must not depend on where the checkout or the temporary directory is.
 */
const PLACE = "/tmp/hr-";

/** A command that takes longer hangs. */
const COMMAND_LIMIT_MS = 60_000;
const WILDCARD = "<...>";

export interface ScriptCommand {
  /** What `sh -c` runs. */
  readonly line: string;
  /** Line of the file it stands on, from 1. */
  readonly at: number;
  /** Expected output as it stands in the file, without blank lines at its end. */
  readonly expected: readonly string[];
}

export interface Script {
  readonly about: readonly string[];
  readonly commands: readonly ScriptCommand[];
  /** Text by relative path. */
  readonly files: ReadonlyMap<string, string>;
}

/** What a command did. */
export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code, or the name of the signal that ended it. */
  readonly exit: number | string;
}

/**
 * Reads a script. Throws an Error that names the line for a file that would leave the directory of the
 * script.
 */
export function parseScript(text: string): Script {
  const about: string[] = [];
  const commands: { line: string; at: number; expected: string[] }[] = [];
  const files = new Map<string, string>();
  let file: string | undefined;
  for (const [index, line] of text.replace(/\n$/, "").split("\n").entries()) {
    const heading = /^-- (\S+) --$/.exec(line)?.[1];
    if (heading !== undefined) {
      if (heading.startsWith("/") || heading.split("/").includes("..") || files.has(heading)) {
        throw new Error(
          `Cannot read script: line ${index + 1} names "${heading}", wanted a new path below it`,
        );
      }
      file = heading;
      files.set(file, "");
    } else if (file !== undefined) files.set(file, `${files.get(file) ?? ""}${line}\n`);
    else if (line.startsWith("$ ")) commands.push({ line: line.slice(2), at: index + 1, expected: [] });
    else (commands.at(-1)?.expected ?? about).push(line);
  }
  for (const lines of [about, ...commands.map((command) => command.expected)]) trimEnd(lines);
  return { about, commands, files };
}

/** The text of a script; `parseScript` reads it back to the same. */
export function formatScript(script: Script): string {
  const parts = [
    script.about,
    ...script.commands.map((command) => [`$ ${command.line}`, ...command.expected]),
  ];
  const blocks = parts.filter((lines) => lines.length > 0).map((lines) => `${lines.join("\n")}\n`);
  const files = [...script.files].map(([path, content]) => `-- ${path} --\n${content}`);
  return [...blocks, ...(files.length > 0 ? [files.join("")] : [])].join("\n");
}

/** Output as a script shows it. */
export function formatEnded(ended: Ended): readonly string[] {
  const lines: string[] = [];
  if (ended.stdout !== "") lines.push(...ended.stdout.replace(/\n$/, "").split("\n").map(noCommand));
  if (ended.stdout !== "" && !ended.stdout.endsWith("\n")) lines.push("[no newline]");
  trimEnd(lines);
  if (ended.stderr !== "") {
    const errors = ended.stderr.trimEnd().split("\n");
    lines.push(...errors.map((line) => `2> ${line}`.trimEnd()));
  }
  if (ended.exit !== 0) lines.push(`[exit ${ended.exit}]`);
  return lines;
}

/** Output that looks like a command must never be run as one. */
function noCommand(line: string): string {
  return line.replace(/^\\*(\$ |-- \S+ --$)/, "\\$&");
}

/** Whether `found` is what `expected` says, `<...>` standing for anything. */
export function outputMatches(expected: readonly string[], found: readonly string[]): boolean {
  const [first, ...rest] = expected;
  if (first === undefined) return found.length === 0;
  if (first === WILDCARD) {
    for (let at = 0; at <= found.length; at += 1) if (outputMatches(rest, found.slice(at))) return true;
    return false;
  }
  const [line, ...others] = found;
  return line !== undefined && lineMatches(first, line) && outputMatches(rest, others);
}

function lineMatches(expected: string, found: string): boolean {
  if (!expected.includes(WILDCARD)) return expected.trimEnd() === found.trimEnd();
  const parts = expected.split(WILDCARD).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}\\s*$`).test(found);
}

function trimEnd(lines: string[]): void {
  while (lines.at(-1)?.trim() === "") lines.pop();
}

/** Makes a new place: an empty directory `work`, and `fixtures`, a copy of the fixtures of this checkout. */
function makePlace(): string {
  const place = mkdtempSync(PLACE);
  mkdirSync(join(place, "work"));
  // A link would not do: some commands print the path it leads to.
  cpSync(FIXTURES, join(place, "fixtures"), { recursive: true, verbatimSymlinks: true });
  return place;
}

/** Runs one line in a place; paths of this machine are replaced by $FIXTURES, $ROOT and $WORK. */
function runLine(line: string, place: string): Promise<Ended> {
  const directory = join(place, "work");
  const fixtures = join(place, "fixtures");
  const env = {
    PATH: `${ROOT}/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: directory,
    TZ: "UTC",
    LC_ALL: "C",
    NO_COLOR: "1",
    COLUMNS: "100",
    FIXTURES: fixtures,
  };
  const neutral = (text: string): string =>
    text.replaceAll(fixtures, "$FIXTURES").replaceAll(ROOT, "$ROOT").replaceAll(directory, "$WORK");
  return new Promise((resolve, reject) => {
    const stdio = ["ignore", "pipe", "pipe"] as const;
    const child = spawn("sh", ["-c", line], {
      cwd: directory,
      env,
      stdio: [...stdio],
      timeout: COMMAND_LIMIT_MS,
    });
    const text = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (piece: string) => (text.stdout += piece));
    child.stderr.setEncoding("utf8").on("data", (piece: string) => (text.stderr += piece));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({ stdout: neutral(text.stdout), stderr: neutral(text.stderr), exit: signal ?? code ?? -1 });
    });
  });
}

/**
 * Runs every command of the script in `path` in a new directory. Returns what did not match, as text for
 * people; with `update` rewrites the file instead, keeping what did match with its `<...>`.
 */
export async function runScript(path: string, update: boolean): Promise<readonly string[]> {
  const script = parseScript(readFileSync(path, "utf8"));
  const place = makePlace();
  const problems: string[] = [];
  const commands: ScriptCommand[] = [];
  try {
    for (const [name, content] of script.files) writeBelow(join(place, "work"), name, content);
    for (const command of script.commands) {
      const found = formatEnded(await runLine(command.line, place));
      const matches = outputMatches(command.expected, found);
      commands.push(matches ? command : { ...command, expected: found });
      if (!matches) problems.push(describe(path, command, found));
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
  if (script.commands.length === 0) return [`${path}: has no line beginning with "$ "`];
  if (!update) return problems;
  if (problems.length > 0) writeFileSync(path, formatScript({ ...script, commands }));
  return [];
}

function writeBelow(directory: string, name: string, content: string): void {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function describe(path: string, command: ScriptCommand, found: readonly string[]): string {
  const wanted = new Set(command.expected);
  const shown = [
    ...command.expected.filter((line) => !found.includes(line)).map((line) => `- ${line}`),
    ...found.map((line) => (wanted.has(line) ? `  ${line}` : `+ ${line}`)),
  ];
  return `${path}:${command.at}: $ ${command.line}\n${shown.join("\n")}`;
}
