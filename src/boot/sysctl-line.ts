/**
 * One line of a sysctl file, and what becomes of it; shared by systemd-sysctl and procps, who read the same
 * files by rules of their own.
 */
import type { BootFiles, Closed } from "./boot-input.ts";

export interface SysctlLine {
  /** As written, without the minus. */
  name: string;
  /** Path under /proc/sys, or a pattern of such paths. */
  target: string;
  /** Absent: the line only keeps its name out of patterns (`-net.ipv4.conf.all.rp_filter`). */
  text?: string;
  /** A minus in front: failure is not reported. */
  optional: boolean;
  path: string;
  line: number;
}

/** One value for one file under /proc/sys, in the order in which they are written. */
export interface SysctlWrite {
  line: SysctlLine;
  /** Path under /proc/sys, never a pattern. */
  target: string;
  /** Why it is not written after all; absent when it is. */
  dropped?: string;
}

export interface SysctlReading {
  writes: readonly SysctlWrite[];
  /** Lines of files that nobody reads, each with the reason. */
  notRead: readonly { line: SysctlLine; why: string }[];
  /** Files that are read and cannot be looked into. */
  closed: readonly Closed[];
}

/** Parses one line of a file; undefined for one that says nothing. */
export type LineParser = (text: string) => Omit<SysctlLine, "path" | "line"> | undefined;

/** The lines of a text. */
export function parseLines(texts: readonly string[], path: string, parse: LineParser): readonly SysctlLine[] {
  return texts.flatMap((text, index) => {
    const parsed = parse(text);
    return parsed === undefined ? [] : [{ ...parsed, path, line: index + 1 }];
  });
}

/** The lines of a file; a missing one has none, one that cannot be read is noted in `closed`. */
export function readLines(
  files: BootFiles,
  path: string,
  split: (text: string) => readonly string[],
  parse: LineParser,
  closed: Closed[],
): readonly SysctlLine[] {
  const reading = files.read(path);
  if ("text" in reading) return parseLines(split(reading.text), path, parse);
  if (reading.refused !== "none") closed.push({ path, ...reading });
  return [];
}
