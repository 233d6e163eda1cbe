/**
 * The writing side: the only part of this program that changes the running system, or a tree that stands
 * in for it. It meets what src/change asks of a host by shape.
 *
 * It decides nothing: which value, which file and in which order is the business of whoever calls. Inside
 * a tree every path stays inside, links included; its settings are plain files.
 */
import { spawnSync } from "node:child_process";
import {
  accessSync,
  chmodSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  statSync,
  type Stats,
} from "node:fs";

import { lockDirectory } from "./change-lock.ts";
import { errnoOf, fileError, KernelError } from "./error.ts";
import { Files } from "./files.ts";
import {
  fileWriteError,
  isTemporaryName,
  putWholeFile,
  removeWholeFile,
  sweepBeside,
  syncDirectory,
  whyFileRefused,
  type WholeFile,
} from "./file-writing.ts";
import { isNamespaceThere } from "./namespaces.ts";
import { insideNamespace, namedTarget, type NamespaceTarget } from "./namespace-enter.ts";
import { readValueText, whyNotValue, writeKernelValue, writePlainValue } from "./setting-writing.ts";
import { followLinks, splitPath } from "./tree-paths.ts";

/** Whether there is something at a path, and what. */
export type FileSight =
  | { kind: "file"; image: WholeFile; path: string; links: number }
  | { kind: "missing" }
  | { kind: "masked" }
  | { kind: "directory" }
  | { kind: "other"; what: string };

/** Where changes keep their receipts, and the directory that is locked. */
export const STATE_DIRECTORY = "/var/lib/headroom";

/** Longest file that is edited; the largest sysctl.conf seen has a few hundred lines. */
const FILE_MAX_BYTES = 1024 * 1024;

const MODE_BITS = 0o7777;

export interface WritableHostOptions {
  /** A tree that stands in for `/`. Absent: the running host. */
  root?: string;
  /** A network namespace whose settings are written: a name of `ip netns`, a process number or a path. */
  namespace?: string;
}

/** The host to write to. Throws KernelError when the root or the namespace is not there. */
export function openWritableHost(options: WritableHostOptions): WritableHost {
  return new WritableHost(options);
}

export class WritableHost {
  /** Sentences about what could not be kept of a file that was replaced. */
  readonly notes: string[] = [];
  /** The tree, empty for the running host. */
  readonly #root: string;
  readonly #live: boolean;
  readonly #target: NamespaceTarget | undefined;

  constructor(options: WritableHostOptions) {
    const { root, namespace } = options;
    this.#live = root === undefined;
    this.#root = root === undefined ? "" : openTree(root);
    this.#target = namespace === undefined ? undefined : namedTarget(new Files(undefined), namespace);
    if (this.#target !== undefined) insideNamespace(this.#target, () => undefined);
  }

  /** The tree, as a whole path; empty for the running host. */
  get root(): string {
    return this.#root;
  }

  /** Text of a setting by its file on the host; undefined when there is no such file. Throws KernelError. */
  readValue(path: string): string | undefined {
    const read = (): string | undefined => readValueText(this.#locate(path));
    // What is not of the network can be read even when the namespace has ended meanwhile.
    return path.startsWith("/proc/sys/net/") ? this.#inside(read) : read();
  }

  /** Writes a setting in place, by one write(2). Throws KernelError. */
  writeValue(path: string, text: string): void {
    const write = this.#live ? writeKernelValue : writePlainValue;
    this.#inside(() => write(this.#locate(path), text));
  }

  /** What is at a path, links followed. Throws KernelError when that cannot be seen. */
  look(path: string): FileSight {
    const end = endOf(this.#root, path);
    if (end === undefined) return { kind: "other", what: "a link into a loop" };
    if (end === "/dev/null") return { kind: "masked" };
    const place = this.#root + end;
    try {
      const found = statSync(place, { throwIfNoEntry: false });
      if (found === undefined) {
        const isLink = isThere(this.#ownPlace(path));
        return isLink ? { kind: "other", what: "a link to nothing" } : { kind: "missing" };
      }
      if (found.isDirectory()) return { kind: "directory" };
      if (!found.isFile()) return { kind: "other", what: whatIs(found) };
      if (found.size > FILE_MAX_BYTES) return { kind: "other", what: `a file of ${found.size} bytes` };
      const bytes = new Uint8Array(readFileSync(place));
      const image = { bytes, mode: found.mode & MODE_BITS, ...ownerOf(found) };
      return { kind: "file", path: end, image, links: found.nlink };
    } catch (cause) {
      if (errnoOf(cause)?.name === "ENOTDIR") return { kind: "missing" };
      throw fileError(cause, `read ${place}`);
    }
  }

  /** Names in a directory, sorted, without temporary files of ours; none when it is not there. */
  list(path: string): readonly string[] {
    const place = this.#locate(path);
    try {
      return readdirSync(place)
        .filter((name) => !isTemporaryName(name))
        .toSorted();
    } catch (cause) {
      const name = errnoOf(cause)?.name;
      if (name === "ENOENT" || name === "ENOTDIR") return [];
      throw fileError(cause, `list ${place}`);
    }
  }

  /** Makes directories that are missing; returns those it made, outermost first. Throws KernelError. */
  makeDirectories(path: string, mode: number): readonly string[] {
    const made: string[] = [];
    const names = path.split("/").filter(Boolean);
    for (const [index] of names.entries()) {
      const each = `/${names.slice(0, index + 1).join("/")}`;
      if (this.#makeDirectory(each, mode)) made.push(each);
    }
    return made;
  }

  #makeDirectory(path: string, mode: number): boolean {
    const place = this.#locate(path);
    try {
      if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) return false;
      mkdirSync(place, { mode });
      // The umask may have taken bits away.
      if ((statSync(place).mode & MODE_BITS) !== mode) chmodSync(place, mode);
    } catch (cause) {
      throw fileWriteError(cause, `make the directory ${place}`, place);
    }
    syncDirectory(splitPath(place).directory);
    return true;
  }

  /**
   * Puts a whole file there or nothing; a link stays, and what it leads to is replaced. Throws
   * KernelError.
   */
  putFile(path: string, image: WholeFile): void {
    const end = followLinks(this.#root, path);
    const place = this.#root + end;
    if (end === "/dev/null") {
      throw new KernelError(
        "invalid",
        `Cannot write ${this.#root}${path}: it is masked by a link to /dev/null`,
      );
    }
    this.notes.push(...putWholeFile(place, image));
  }

  /** Removes a file or a link; nothing happens when it is not there. Throws KernelError. */
  removeFile(path: string): void {
    removeWholeFile(this.#ownPlace(path));
  }

  /** Removes an empty directory; one that holds something, or is not there, stays. Throws KernelError. */
  removeDirectory(path: string): void {
    const place = this.#ownPlace(path);
    try {
      rmdirSync(place);
    } catch (cause) {
      const name = errnoOf(cause)?.name;
      if (name === "ENOENT" || name === "ENOTEMPTY" || name === "EEXIST") return;
      throw fileWriteError(cause, `remove the directory ${place}`, place);
    }
    syncDirectory(splitPath(place).directory);
  }

  /** Removes what an interrupted putFile of this path left beside it. For whoever holds the lock. */
  sweep(path: string): void {
    // What is written to the kernel leaves nothing.
    if (this.#live && isKernelPath(path)) return;
    sweepBeside(this.#locate(path));
  }

  /**
   * Takes the lock of this host, for which the state directory is made when it is missing. Throws
   * KernelError, `busy` when somebody else has it.
   */
  lock(): { release(): void } {
    this.makeDirectories(STATE_DIRECTORY, 0o755);
    return lockDirectory(this.#locate(STATE_DIRECTORY));
  }

  /** Whether a network namespace is still there; undefined for a tree, and where that cannot be told. */
  hasNamespace(namespace: { inode: number; name?: string }): boolean | undefined {
    return this.#live ? isNamespaceThere(new Files(undefined), namespace) : undefined;
  }

  /** Loads a kernel module as modprobe(8) does. Does nothing for a tree. Throws KernelError. */
  loadModule(name: string): void {
    if (!this.#live) return;
    const { error, status, stderr } = spawnSync("modprobe", ["--", name], {
      encoding: "utf8",
      env: { PATH: "/usr/sbin:/sbin:/usr/bin:/bin", LC_ALL: "C" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    if (error !== undefined) throw fileError(error, "run modprobe", `load ${name} by hand`);
    if (status === 0) return;
    const said = stderr.trim().split("\n")[0] ?? "";
    throw new KernelError("module-missing", `Cannot load ${name}: ${said === "" ? "modprobe failed" : said}`);
  }

  /**
   * Why nothing can be written at this path, be it a setting, a file or one yet to be made; undefined when
   * nothing speaks against it. Nothing is written to find out.
   */
  whyNotWritable(path: string): string | undefined {
    if (isKernelPath(path)) return this.#inside(() => whyNotValue(this.#locate(path)));
    return whyNotFile(this.#locate(path));
  }

  #inside<Result>(work: () => Result): Result {
    return this.#target === undefined ? work() : insideNamespace(this.#target, work);
  }

  #locate(path: string): string {
    return this.#root + followLinks(this.#root, path);
  }

  /** The place of a path itself: links on the way are followed, the last one is not. */
  #ownPlace(path: string): string {
    const { directory, name } = splitPath(path);
    const there = this.#locate(directory === "" ? "/" : directory);
    return there === "/" ? `/${name}` : `${there}/${name}`;
  }
}

function isKernelPath(path: string): boolean {
  return /^\/(proc|sys)\//.test(path);
}

function openTree(root: string): string {
  try {
    const real = realpathSync(root);
    if (!statSync(real).isDirectory()) {
      throw new KernelError("invalid", `Cannot use ${root}: it is not a directory that stands in for /`);
    }
    return real === "/" ? "" : real;
  } catch (cause) {
    throw fileError(cause, `use ${root}`, "name a directory that stands in for /");
  }
}

/** Files are renamed into place, so it is the directory that counts: the nearest one that is there. */
function whyNotFile(place: string): string | undefined {
  let { directory } = splitPath(place);
  while (directory !== "" && !isThere(directory)) directory = splitPath(directory).directory;
  try {
    accessSync(directory === "" ? "/" : directory, constants.W_OK);
    return undefined;
  } catch (cause) {
    return whyFileRefused(cause, place);
  }
}

function endOf(root: string, path: string): string | undefined {
  try {
    return followLinks(root, path);
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

/**
 * Who works on a tree without being root owns what is root's on the host it stands for, as under fakeroot(1):
 * the files written are this user's, whatever the owner asked for.
 */
function ownerOf({ uid, gid }: Stats): { uid: number; gid: number } {
  const own = process.getuid?.() ?? 0;
  return own !== 0 && uid === own ? { uid: 0, gid: 0 } : { uid, gid };
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function whatIs(found: Stats): string {
  if (found.isFIFO()) return "a named pipe";
  if (found.isSocket()) return "a socket";
  return "a device";
}
