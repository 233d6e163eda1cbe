/**
 * What a boot is worked out from: the files of a host, and what is known of its kernel. Everything is an
 * argument, so a saved tree, a test and a tree with edits that are not written yet are all the same.
 */

import type { Unseen } from "../table/unseen.ts";

/** What is at a path. */
export interface BootLook {
  /**
   * `null`: /dev/null, or a link to it, which is how a file is masked. `none`: nothing there, a link that
   * leads nowhere or in a circle, or a place that may not be seen.
   */
  kind: "file" | "directory" | "null" | "other" | "none";
  /** The path it is really at, links followed. */
  path: string;
  /** Of plain files. */
  bytes?: number;
  /** Anybody may execute it: rc.local runs only then. */
  executable?: boolean;
}

/** Why something could not be read: `none` there is nothing, the rest is worth a line to the operator. */
export type BootRefusal = "none" | "not-permitted" | "directory" | "too-long" | "unreadable";

/** The whole text, or why there is none, in words that follow a path: `permission denied`. */
export type BootText = { text: string } | { refused: BootRefusal; why: string };

export type BootNames = { names: readonly string[] } | { refused: BootRefusal; why: string };

/**
 * Files of the host as its own programs see them: every path is absolute, symbolic links are followed inside
 * of the host's own tree (an absolute link begins at its root, as in a chroot). Nothing here throws.
 */
export interface BootFiles {
  look(path: string): BootLook;
  /** Text decoded as UTF-8, what is none replaced; a missing file is refused with `none`. */
  read(path: string): BootText;
  /** Names in a directory, in any order, those with a dot in front included. */
  list(path: string): BootNames;
}

export interface BootInput {
  files: BootFiles;
  /** Release of the kernel that will boot; absent when unknown: the newest rules apply then. */
  kernelRelease?: string;
  /** The tracker is part of the kernel. Absent: looked up in /lib/modules, /boot and /sys. */
  trackerBuiltin?: boolean;
  /** MemTotal, for the sizes the kernel chooses itself. */
  memoryBytes?: number;
  /** 8 when not given. */
  pointerBytes?: 4 | 8;
  /** 4096 when not given. */
  pageBytes?: number;
  /** Processors, for owners that reckon by them (kube-proxy's maxPerCore). */
  cpus?: number;
}

/** The text of a file, or undefined for whatever reason there is none. */
export function textAt(files: BootFiles, path: string): string | undefined {
  const reading = files.read(path);
  return "text" in reading ? reading.text : undefined;
}

/** Names in a directory that match, sorted by their bytes; none for whatever reason. */
export function namesAt(files: BootFiles, path: string, pattern?: RegExp): readonly string[] {
  const listing = files.list(path);
  const names = "names" in listing ? listing.names : [];
  return (pattern === undefined ? names : names.filter((name) => pattern.test(name))).toSorted(byName);
}

/** A file or directory that should be read and cannot. */
export interface Closed {
  path: string;
  why: string;
  refused: BootRefusal;
}

/** The line to the operator about it. */
export function unseenOf({ path, why, refused }: Closed): Unseen {
  return { what: path, why, cause: refused === "not-permitted" ? "not-permitted" : "unreadable" };
}

/** The order of strcmp(3), as good as UTF-16 gives it: not that of a language. */
export function byName(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
