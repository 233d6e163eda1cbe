/**
 * Where the history is kept: which directory it is when nobody says so, and making it.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

import type { Environment } from "../look.ts";
import { ServeError } from "./serve-error.ts";
import { HOST_DIRECTORY, OWN_DIRECTORY } from "./usual-directories.ts";

/** The history tells who talked to whom. */
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
/** Bits of those who are not the owner. */
const OTHERS = 0o077;

/**
 * `/var/lib/headroom/history` as root: beside the receipts of changes, which belong to root whoever watches.
 * Elsewhere what systemd gives (`StateDirectory=`), or the place of a user's own state (XDG Base Directory
 * Specification). Undefined where the environment names no home.
 */
export function defaultStateDirectory(environment: Environment, isRoot: boolean): string | undefined {
  // systemd.exec(5): several are separated by colons.
  const given = environment["STATE_DIRECTORY"]?.split(":")[0] ?? "";
  if (given !== "") return given;
  if (isRoot) return HOST_DIRECTORY;
  const own = environment["XDG_STATE_HOME"] ?? "";
  if (own.startsWith("/")) return `${own}/headroom`;
  const home = environment["HOME"] ?? "";
  return home.startsWith("/") ? `${home}/${OWN_DIRECTORY}` : undefined;
}

/** The directory that is named, else the usual one. Throws ServeError where there is none. */
export function stateDirectoryOf(named: string, environment: Environment): string {
  if (named !== "") return named;
  const usual = defaultStateDirectory(environment, process.geteuid?.() === 0);
  if (usual !== undefined) return usual;
  throw new ServeError(
    "no-directory",
    "Cannot tell where to keep the history: this user has no home directory",
    "Name a directory with --state, or as `directory` in [history] of headroom.toml",
  );
}

/** Where a history is to be read: a user who keeps none asks for that of the host. */
export function directoryToRead(named: string, environment: Environment): string {
  if (named !== "") return named;
  const usual = defaultStateDirectory(environment, process.geteuid?.() === 0);
  return usual === undefined || !existsSync(usual) ? HOST_DIRECTORY : usual;
}

/** Makes it where it is not there. Throws ServeError. */
export function makeStateDirectory(path: string): void {
  try {
    makeWithParents(resolve(path));
  } catch (cause) {
    const { code = "failed", message } = cause as NodeJS.ErrnoException;
    throw new ServeError(
      code,
      `Cannot keep the history in ${path}: ${reasons[code] ?? message}`,
      "Name another directory with --state, or as `directory` in [history] of headroom.toml",
      cause,
    );
  }
}

/**
 * What `open` makes is the owner's alone, and so is what it finds there of its own. A directory that was
 * there keeps its mode: it may be somebody else's, such as /tmp. SQLite gives its log the mode of its file.
 */
export function withPrivateFiles<Opened>(directory: string, open: () => Opened): Opened {
  const before = process.umask(OTHERS);
  try {
    const opened = open();
    for (const name of readdirSync(directory)) {
      const path = `${directory}/${name}`;
      if (/^(history|writer)\.sqlite/.test(name) && (statSync(path).mode & OTHERS) !== 0)
        chmodSync(path, FILE_MODE);
    }
    return opened;
  } finally {
    process.umask(before);
  }
}

/** Node's own way tries for ever in /proc, where a directory is there and takes no other. */
function makeWithParents(path: string): void {
  if (existsSync(path) && statSync(path).isDirectory()) return;
  const parent = dirname(path);
  if (!existsSync(parent)) makeWithParents(parent);
  mkdirSync(path, { mode: DIRECTORY_MODE });
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of the path is not a directory",
  EEXIST: "it is not a directory",
  ENOENT: "no directory can be made there",
};
