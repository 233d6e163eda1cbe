/**
 * Small files of the host: the running one under `/`, or a saved tree that stands in for it. Every path in
 * this folder is written as it is on the host (`/proc/meminfo`); only this file puts the root in front of it.
 *
 * With a root nothing outside of it is ever read: a link in a saved tree that leads out of it (as `var/run ->
 * /run` does) is refused, because it would mix figures of this machine into those of another.
 */
import { closeSync, openSync, readdirSync, readlinkSync, readSync, realpathSync, statSync } from "node:fs";

import { fileError, KernelError } from "./error.ts";

/** Longest file read as one text. The largest there is, a saved `sysctl -a`, has a few hundred kilobytes. */
export const TEXT_MAX_BYTES = 16 * 1024 * 1024;

/** What is asked of a file besides its contents. */
export interface FileFacts {
  device: number;
  inode: number;
  bytes: number;
  changedAtMs: number;
  isFile: boolean;
}

/** Bytes asked for in one read: files of /proc answer short reads, so a loop follows. */
const READ_BYTES = 64 * 1024;

export class Files {
  /** Absolute path of the saved tree; undefined on the running host. */
  readonly root: string | undefined;
  readonly #debug: (line: string) => void;
  readonly #decoder = new TextDecoder();
  readonly #buffer = new Uint8Array(READ_BYTES);

  /** Throws KernelError when `root` is not a directory that can be read. */
  constructor(root: string | undefined, debug: (line: string) => void = () => {}) {
    this.#debug = debug;
    this.root = root === undefined ? undefined : openRoot(root);
  }

  /**
   * Where a path of the host is on this machine, links followed. Throws KernelError `not-found` when it is
   * not there or leads out of the saved tree.
   */
  locate(path: string): string {
    if (this.root === undefined) return path;
    let real: string;
    try {
      real = realpathSync.native(this.root + path);
    } catch (cause) {
      throw fileError(cause, `read ${this.root}${path}`);
    }
    if (real === this.root || real.startsWith(this.root === "/" ? "/" : `${this.root}/`)) return real;
    throw new KernelError(
      "not-found",
      `Cannot read ${this.root}${path}: it is a link to ${real}, outside of the saved tree`,
    );
  }

  /** The file as people should see it named: with the root where there is one. */
  named(path: string): string {
    return this.root === undefined ? path : `${this.root}${path}`;
  }

  /**
   * The whole file as text. Throws KernelError, `not-found` when there is none, `invalid` when it is too
   * long.
   */
  text(path: string, maxBytes = TEXT_MAX_BYTES): string {
    this.#debug(`read ${this.named(path)}`);
    const place = this.locate(path);
    // A pipe or a device in a saved tree would make us wait for ever.
    if (this.root !== undefined && this.stat(path)?.isFile === false) {
      throw new KernelError("invalid", `Cannot read ${this.named(path)}: it is not a plain file`);
    }
    try {
      const descriptor = openSync(place, "r");
      try {
        return this.#readAll(descriptor, path, maxBytes);
      } finally {
        closeSync(descriptor);
      }
    } catch (cause) {
      throw fileError(cause, `read ${this.named(path)}`);
    }
  }

  #readAll(descriptor: number, path: string, maxBytes: number): string {
    let text = "";
    for (let total = 0; ;) {
      const length = readSync(descriptor, this.#buffer, 0, READ_BYTES, null);
      if (length === 0) break;
      total += length;
      if (total > maxBytes) {
        throw new KernelError(
          "invalid",
          `Cannot read ${this.named(path)}: it is longer than ${maxBytes} bytes`,
        );
      }
      text += this.#decoder.decode(this.#buffer.subarray(0, length), { stream: true });
    }
    return text + this.#decoder.decode();
  }

  /** The file's text, or undefined when there is no such file; other refusals throw KernelError. */
  textIfThere(path: string, maxBytes = TEXT_MAX_BYTES): string | undefined {
    try {
      return this.text(path, maxBytes);
    } catch (error) {
      if (error instanceof KernelError && error.code === "not-found") return undefined;
      throw error;
    }
  }

  /** The file's text, or undefined for whatever reason there is none: for facts that have another source. */
  textOrNothing(path: string): string | undefined {
    try {
      return this.text(path);
    } catch (error) {
      if (error instanceof KernelError) return undefined;
      throw error;
    }
  }

  /** The first of several paths that has a file with something in it, and its text. */
  first(paths: readonly string[]): { path: string; text: string } | undefined {
    for (const path of paths) {
      const text = this.textOrNothing(path);
      if (text !== undefined && text !== "") return { path, text };
    }
    return undefined;
  }

  /** Names in a directory, sorted. Throws KernelError. */
  listOrThrow(path: string): readonly string[] {
    try {
      return readdirSync(this.locate(path)).sort();
    } catch (cause) {
      throw fileError(cause, `list ${this.named(path)}`);
    }
  }

  /** Names in a directory, sorted; none when it is not there or may not be read. */
  list(path: string): readonly string[] {
    try {
      return this.listOrThrow(path);
    } catch {
      return [];
    }
  }

  /** Whether there is something at `path`, whatever it is. */
  has(path: string): boolean {
    return this.stat(path) !== undefined;
  }

  /**
   * Whether there is a file with something in it at `path`; only of use for saved trees, /proc has no
   * lengths.
   */
  hasFile(path: string): boolean {
    return (this.stat(path)?.bytes ?? 0) > 0 && this.stat(path)?.isFile === true;
  }

  /** What is at `path`; undefined when it cannot be seen. */
  stat(path: string): FileFacts | undefined {
    try {
      const found = statSync(this.locate(path), { throwIfNoEntry: false });
      if (found === undefined) return undefined;
      const { dev: device, ino: inode, size: bytes, ctimeMs: changedAtMs } = found;
      return { device, inode, bytes, changedAtMs, isFile: found.isFile() };
    } catch {
      return undefined;
    }
  }

  /**
   * Where a symbolic link points, as text. Throws KernelError. Not for saved trees, whose links mean nothing
   * here.
   */
  link(path: string): string {
    try {
      return readlinkSync(this.named(path));
    } catch (cause) {
      throw fileError(cause, `read the link ${this.named(path)}`);
    }
  }
}

function openRoot(root: string): string {
  try {
    const real = realpathSync(root);
    if (statSync(real).isDirectory()) return real;
  } catch (cause) {
    throw fileError(cause, `use ${root} as a saved tree`, "name a directory that stands in for /");
  }
  throw new KernelError(
    "invalid",
    `Cannot use ${root} as a saved tree: it is not a directory; ` +
      "name an unpacked sosreport or a directory that stands in for /",
  );
}
