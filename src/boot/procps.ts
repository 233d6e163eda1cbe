/**
 * What sysctl(8) of procps writes, in its order: `sysctl --system` over all directories, `sysctl -p FILE`.
 *
 * Unlike systemd-sysctl it writes every line, so the last one wins; and at the end it reads /etc/sysctl.conf
 * itself. Version 4 reads everything before it writes, and knows patterns (since 4.0.4 also names kept out by
 * a pattern); 3.3 writes line by line and knows none, and there /run goes before /etc.
 *
 * Source: sysctl(8), src/sysctl.c of 4.0.4, sysctl.c of 3.3.17; held against the program of Debian 12 (4.0.2)
 * in test/kernel/boot-order.test.ts.
 */
import type { BootFiles, Closed } from "./boot-input.ts";
import { closedDirectories, confFiles } from "./conf-directory.ts";
import {
  parseLines,
  readLines,
  type LineParser,
  type SysctlLine,
  type SysctlReading,
  type SysctlWrite,
} from "./sysctl-line.ts";
import { expandPattern, isPattern, foundTarget, matchesAnywhere, sysctlTarget } from "./sysctl-name.ts";

/** Versions between which the rules changed; each stands for those from it to the next. */
export type ProcpsVersion = "3.3" | "4.0.2" | "4.0.4";

const SYSCTL_CONF = "/etc/sysctl.conf";
const LOWER_DIRECTORIES = ["/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

function directoriesOf(version: ProcpsVersion): readonly string[] {
  const upper = ["/etc/sysctl.d", "/run/sysctl.d"];
  return [...(version !== "3.3" ? upper : upper.toReversed()), ...LOWER_DIRECTORIES];
}

/** `sysctl --system`. */
export function readProcpsSystem(
  files: BootFiles,
  targets: readonly string[],
  version: ProcpsVersion = "4.0.4",
): SysctlReading {
  const directories = directoriesOf(version);
  const found = confFiles(files, directories, ".conf", { hidden: true });
  const last = files.look(SYSCTL_CONF).kind === "file" ? [{ path: SYSCTL_CONF }] : [];
  const reading = readProcpsFiles(files, [...found, ...last], targets, version);
  return { ...reading, closed: [...closedDirectories(files, directories), ...reading.closed] };
}

/** `sysctl -p` of these files in turn; those with `notRead` only to be shown. */
export function readProcpsFiles(
  files: BootFiles,
  paths: readonly { path: string; notRead?: string }[],
  targets: readonly string[],
  version: ProcpsVersion = "4.0.4",
): SysctlReading {
  const closed: Closed[] = [];
  const notRead: { line: SysctlLine; why: string }[] = [];
  const lines: SysctlLine[] = [];
  for (const { path, notRead: why } of paths) {
    const found = readLines(files, path, splitLines, parserOf(version), why === undefined ? closed : []);
    if (why === undefined) lines.push(...found);
    else notRead.push(...found.map((line) => ({ line, why })));
  }
  return { writes: writesOf(lines, targets, version), notRead, closed };
}

/** What `sysctl -p` makes of a text, for programs that hand their own files to it. */
export function procpsLines(
  text: string,
  path: string,
  version: ProcpsVersion = "4.0.4",
): readonly SysctlLine[] {
  return parseLines(splitLines(text), path, parserOf(version));
}

function writesOf(
  lines: readonly SysctlLine[],
  targets: readonly string[],
  version: ProcpsVersion,
): readonly SysctlWrite[] {
  return lines.flatMap((line): readonly SysctlWrite[] => {
    if (line.text === undefined) return [];
    if (version === "3.3" || !isPattern(line.target)) return [{ line, target: foundTarget(line.target) }];
    return expandPattern(line.target, targets).map((target) => {
      const own = lines.find((other) => namesIt(other, target, version));
      if (own === undefined) return { line, target };
      return { line, target, dropped: `${own.path}:${own.line} names it without a pattern` };
    });
  });
}

/** Whether a line keeps a pattern away from `target`: names are compared with all their slashes. */
function namesIt(line: SysctlLine, target: string, version: ProcpsVersion): boolean {
  if (line.target === target) return true;
  if (version !== "4.0.4") return false;
  return line.text === undefined && matchesAnywhere(line.target, target);
}

function splitLines(text: string): readonly string[] {
  return text.split("\n");
}

function parserOf(version: ProcpsVersion): LineParser {
  return version !== "3.3" ? parseLine : parseOldLine;
}

const parseLine: LineParser = (text) => {
  const line = untilZero(text).replace(/^\s+/, "");
  if (line.length < 2 || line.startsWith("#") || line.startsWith(";")) return undefined;
  const optional = line.startsWith("-");
  const equals = line.indexOf("=");
  if (equals < 0 && !optional) return undefined;
  const name = line.slice(optional ? 1 : 0, equals < 0 ? undefined : equals).trimEnd();
  const target = sysctlTarget(name);
  if (equals < 0) return { name, target, optional };
  return { name, target, text: line.slice(equals + 1).trim(), optional };
};

/** 3.3: a line without a value says nothing. */
const parseOldLine: LineParser = (text) => {
  const line = untilZero(text).trim();
  if (line.length < 2 || line.startsWith("#") || line.startsWith(";")) return undefined;
  const match = /^=*([^=]+)=(.+)$/s.exec(line);
  if (match === null) return undefined;
  const optional = line.startsWith("-");
  const name = (match[1] ?? "").slice(optional ? 1 : 0).trim();
  return { name, target: sysctlTarget(name), text: (match[2] ?? "").split("\r")[0]?.trim() ?? "", optional };
};

function untilZero(text: string): string {
  return text.split("\0", 1)[0] ?? "";
}
