/**
 * What systemd-sysctl writes, in its order.
 *
 * It reads all files first and keeps one value a name; a name that is set again with another value moves to
 * the end, one that is set again with the same value keeps its place. Then it writes them in that order, and
 * expands patterns while it does, leaving out names that have a line of their own. A mask needs no rule:
 * /dev/null and an empty file have no lines, and shadow the others of their name.
 *
 * Source: sysctl.d(5), src/sysctl/sysctl.c and src/basic/conf-files.c of systemd 219 (as in RHEL 7), 239 (as
 * in RHEL 8) and 252; held against the program of Debian 12 in test/kernel/boot-order.test.ts.
 */
import type { BootFiles } from "./boot-input.ts";
import { closedDirectories, confFiles } from "./conf-directory.ts";
import {
  readLines,
  type LineParser,
  type SysctlLine,
  type SysctlReading,
  type SysctlWrite,
} from "./sysctl-line.ts";
import { expandPattern, isPattern, plainTarget, sysctlTarget } from "./sysctl-name.ts";

const DIRECTORIES = [
  "/etc/sysctl.d",
  "/run/sysctl.d",
  "/usr/local/lib/sysctl.d",
  "/usr/lib/sysctl.d",
  "/lib/sysctl.d",
];

/** The file that Debian and RHEL link to as 99-sysctl.conf, and RHEL 7 reads as well. */
const SYSCTL_CONF = "/etc/sysctl.conf";

/** Patterns, and names that are kept out of them. */
const PATTERNS_SINCE = 245;
/** Until RHEL 8, RHEL's own patch reads /etc/sysctl.conf after all others. */
const SYSCTL_CONF_UNTIL = 220;

export function readSystemdSysctl(
  files: BootFiles,
  targets: readonly string[],
  version = Number.POSITIVE_INFINITY,
): SysctlReading {
  const patterns = version >= PATTERNS_SINCE;
  const parse = patterns ? parseLine : parseOldLine;
  const closed = [...closedDirectories(files, DIRECTORIES)];
  const notRead: { line: SysctlLine; why: string }[] = [];
  const kept = new Map<string, SysctlLine>();
  const repeated: { line: SysctlLine; first: SysctlLine }[] = [];
  const replaced: SysctlLine[] = [];
  const all = [...confFiles(files, DIRECTORIES, ".conf"), ...plainFile(files, version)];
  for (const { path, notRead: why } of all) {
    const lines = readLines(files, path, splitLines, parse, why === undefined ? closed : []);
    if (why !== undefined) {
      notRead.push(...lines.map((line) => ({ line, why })));
      continue;
    }
    for (const line of lines) {
      const before = kept.get(line.target);
      if (before !== undefined && before.text === line.text) {
        repeated.push({ line, first: before });
        continue;
      }
      if (before !== undefined) replaced.push(before);
      kept.delete(line.target);
      kept.set(line.target, line);
    }
  }
  const writes = [
    ...replaced.flatMap((line) =>
      dropped(line, targets, `${placeOf(kept.get(line.target))} sets the name again`),
    ),
    ...[...kept.values()].flatMap((line) => written(line, kept, targets, patterns)),
  ];
  return { writes: withRepeated(writes, repeated, targets), notRead, closed };
}

/** A line that repeats the value stands behind the one it repeats, to be seen. */
function withRepeated(
  writes: readonly SysctlWrite[],
  repeated: readonly { line: SysctlLine; first: SysctlLine }[],
  targets: readonly string[],
): readonly SysctlWrite[] {
  const extra = repeated.flatMap(({ line, first }) =>
    dropped(line, targets, `${placeOf(first)} sets the same value before, and keeps its place`),
  );
  return [...extra, ...writes];
}

/** /etc/sysctl.conf itself: read by the old one; else only by a link to it, which is among the others. */
function plainFile(files: BootFiles, version: number): readonly { path: string; notRead?: string }[] {
  if (files.look(SYSCTL_CONF).kind !== "file") return [];
  if (version < SYSCTL_CONF_UNTIL) return [{ path: SYSCTL_CONF }];
  const real = files.look(SYSCTL_CONF).path;
  const linked = confFiles(files, DIRECTORIES, ".conf").some(
    ({ path, notRead }) => notRead === undefined && files.look(path).path === real,
  );
  if (linked) return [];
  return [
    {
      path: SYSCTL_CONF,
      notRead: "systemd-sysctl does not read it, and no link in /etc/sysctl.d leads to it",
    },
  ];
}

function written(
  line: SysctlLine,
  kept: ReadonlyMap<string, SysctlLine>,
  targets: readonly string[],
  patterns: boolean,
): readonly SysctlWrite[] {
  if (line.text === undefined) return [];
  if (!patterns || !isPattern(line.target)) return [{ line, target: line.target }];
  return expandPattern(line.target, targets).map((target) => {
    const own = kept.get(target);
    if (own === undefined) return { line, target };
    return { line, target, dropped: `${placeOf(own)} names it without a pattern` };
  });
}

function dropped(line: SysctlLine, targets: readonly string[], why: string): readonly SysctlWrite[] {
  if (line.text === undefined) return [];
  const found = isPattern(line.target) ? expandPattern(line.target, targets) : [line.target];
  return found.map((target) => ({ line, target, dropped: why }));
}

function placeOf(line: SysctlLine | undefined): string {
  return line === undefined ? "another line" : `${line.path}:${line.line}`;
}

/** A line ends with a line feed, a carriage return, both, or a zero byte. */
function splitLines(text: string): readonly string[] {
  return text.split(/\r\n|\n\r|\n|\r|\0/);
}

const WHITESPACE = /^[ \t\n\r]+|[ \t\n\r]+$/g;

function strip(text: string): string {
  return text.replaceAll(WHITESPACE, "");
}

const parseLine: LineParser = (text) => {
  const line = strip(text);
  if (line === "" || line.startsWith("#") || line.startsWith(";")) return undefined;
  const optional = line.startsWith("-");
  const equals = line.indexOf("=");
  if (equals < 0 && !optional) return undefined;
  const name = strip(
    line.slice(optional ? 1 : 0, equals < 0 ? undefined : Math.max(equals, optional ? 1 : 0)),
  );
  const target = plainTarget(sysctlTarget(name));
  if (equals < 0) return { name, target, optional };
  return { name, target, text: strip(line.slice(equals + 1)), optional };
};

/** Until 244: no patterns and no exclusions; the minus is known since 239. */
const parseOldLine: LineParser = (text) => {
  const line = strip(text);
  if (!line.includes("=")) return undefined;
  return parseLine(text);
};
