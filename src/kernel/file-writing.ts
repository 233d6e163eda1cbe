/**
 * Files put in place whole or not at all: written under a temporary name in the same directory, given
 * their mode, owner and extended attributes, synced, renamed, and the directory synced. Whoever looks at
 * any instant sees the old file or the new one.
 *
 * A process that dies on the way leaves its temporary file. Only one change is made at a time
 * (change-lock.ts), so whoever holds the lock knows every such file for a leftover and removes it.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from "node:fs";

import { errnoOf, errnoText, KernelError } from "./error.ts";
import { splitPath } from "./tree-paths.ts";
import { copyAttributes } from "./file-attributes.ts";

/** A file as it is: bytes, permission bits, owner. */
export interface WholeFile {
  bytes: Uint8Array;
  mode: number;
  uid: number;
  gid: number;
}

const MODE_BITS = 0o7777;

/** Names of temporary files: hidden, and with an ending that no reader of configuration takes. */
function temporaryName(name: string): string {
  return `.${name}.headroom-${process.pid}`;
}

/** Whether a name is one of our temporary files, of whatever process. */
export function isTemporaryName(name: string): boolean {
  return /^\..+\.headroom-\d+$/.test(name);
}

/**
 * Puts the file at `path` (links already followed). Returns what of the old file could not be kept, as
 * sentences. Throws KernelError; then the old file is as it was.
 */
export function putWholeFile(path: string, file: WholeFile): readonly string[] {
  const { directory, name } = splitPath(path);
  const temporary = `${directory}/${temporaryName(name)}`;
  const notes: string[] = [];
  try {
    const before = plainFileAt(path);
    sweepBeside(path);
    notes.push(...writeTemporary(temporary, file, before === undefined ? undefined : path));
    renameSync(temporary, path);
  } catch (cause) {
    dropTemporary(temporary);
    throw fileWriteError(cause, `write ${path}`, path);
  }
  syncDirectory(directory);
  return notes;
}

/** The file that is there, if any. Throws KernelError when it is no plain file. */
function plainFileAt(path: string): Stats | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile()) return found;
  const what = found.isDirectory() ? "a directory" : "a device or something else that is no plain file";
  throw new KernelError("invalid", `Cannot write ${path}: it is ${what}`);
}

function writeTemporary(temporary: string, file: WholeFile, like: string | undefined): readonly string[] {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const descriptor = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const { uid, gid } = fstatSync(descriptor);
    // Who is not root can work on a tree of his own, where every file is his.
    const isRoot = process.getuid?.() === 0;
    if (isRoot && (uid !== file.uid || gid !== file.gid)) fchownSync(descriptor, file.uid, file.gid);
    const notes = like === undefined ? [] : copyAttributes(like, descriptor);
    // Last: a change of owner takes bits away, and an access list sets those of the group.
    fchmodSync(descriptor, file.mode & MODE_BITS);
    for (let at = 0; at < file.bytes.length;) {
      at += writeSync(descriptor, file.bytes, at, file.bytes.length - at, at);
    }
    fsyncSync(descriptor);
    return notes;
  } finally {
    closeSync(descriptor);
  }
}

function dropTemporary(temporary: string): void {
  try {
    unlinkSync(temporary);
  } catch {
    // It was never made, or the next who holds the lock will find it.
  }
}

/** Removes a file; one that is not there is not missed. Throws KernelError. */
export function removeWholeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    if (errnoOf(cause)?.name === "ENOENT") return;
    throw fileWriteError(cause, `remove ${path}`, path);
  }
  syncDirectory(splitPath(path).directory);
}

/** Makes what happened in a directory last. Throws KernelError. */
export function syncDirectory(directory: string): void {
  try {
    const descriptor = openSync(
      directory === "" ? "/" : directory,
      constants.O_RDONLY | constants.O_DIRECTORY,
    );
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    const name = errnoOf(cause)?.name;
    // Some file systems have nothing to sync for a directory, fsync(2).
    if (name === "EINVAL" || name === "EROFS") return;
    throw fileWriteError(cause, `sync ${directory}`, directory);
  }
}

/** Removes temporary files of this path that a dead process left. For whoever holds the lock. */
export function sweepBeside(path: string): void {
  const { directory, name } = splitPath(path);
  for (const each of namesIn(directory)) {
    if (isTemporaryName(each) && each.startsWith(`.${name}.headroom-`)) dropTemporary(`${directory}/${each}`);
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** What a file system refused, as a sentence that says what would help. */
export function fileWriteError(cause: unknown, tried: string, path: string): KernelError {
  if (cause instanceof KernelError) return cause;
  const errno = errnoOf(cause);
  if (errno === undefined) throw cause;
  const code = errno.name === "ENOSPC" ? "disk-full" : errno.code;
  const message = `Cannot ${tried}: ${whyFileRefused(cause, path)}`;
  return new KernelError(code, message, { errno: errno.number, cause });
}

/** `no space left on device (ENOSPC); the disk is full: ...`. */
export function whyFileRefused(cause: unknown, path: string): string {
  const errno = errnoOf(cause);
  if (errno === undefined) throw cause;
  const help = helpFor(errno.name, path);
  return `${errnoText(errno.number)} (${errno.name})${help === undefined ? "" : `; ${help}`}`;
}

function helpFor(name: string, path: string): string | undefined {
  const isRoot = process.getuid?.() === 0;
  switch (name) {
    case "EACCES":
      return isRoot ? "a security policy (SELinux, AppArmor) keeps it from root" : "run as root";
    case "EPERM":
      return isRoot ? `it may be immutable: \`lsattr -d ${path}\` shows an i` : "run as root";
    case "EROFS":
      return "the file system is mounted read-only";
    case "ENOSPC":
    case "EDQUOT":
      return `the disk is full: \`df -h ${splitPath(path).directory}\` and \`df -i\` show it`;
    default:
      return undefined;
  }
}
