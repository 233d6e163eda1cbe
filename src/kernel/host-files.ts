/**
 * Files of a host as its own programs see them, links included: what a forecast of the next boot is worked
 * out from. Links are followed inside of a saved tree, where an absolute one begins at the tree's root, as in
 * a chroot: nothing outside of it is ever looked at.
 *
 * What was looked at once is remembered: it is a picture of one moment, and places are asked for again and
 * again.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";

import { followLinks } from "./tree-paths.ts";

/** What is at a path; the kinds are those a boot makes a difference between. */
export interface HostLook {
  /** `null`: /dev/null, which masks. `none`: nothing there, or nothing that may be seen. */
  kind: "file" | "directory" | "null" | "other" | "none";
  /** Links followed; the path on the host. */
  path: string;
  /** Of plain files. */
  bytes?: number;
  /** Somebody may execute it. */
  executable?: boolean;
}

/** Why there is no text or no names: `none` when there is nothing, with words that follow a path. */
export interface HostRefusal {
  refused: "none" | "not-permitted" | "directory" | "too-long" | "unreadable";
  why: string;
}

export type HostText = { text: string } | HostRefusal;
export type HostNames = { names: readonly string[] } | HostRefusal;

/** Longest file read: configuration is never as long. */
const TEXT_MAX_BYTES = 4 * 1024 * 1024;
/** Names of one directory. */
const NAMES_MAX = 100_000;

const missing: HostRefusal = { refused: "none", why: "no such file or directory" };

export class HostFiles {
  readonly #root: string;
  readonly #debug: (line: string) => void;
  readonly #decoder = new TextDecoder();
  readonly #places = new Map<string, string | undefined>();
  readonly #looks = new Map<string, HostLook>();
  readonly #texts = new Map<string, HostText>();
  readonly #names = new Map<string, HostNames>();

  /** `root`: an absolute path without a slash at its end; absent on the running host. */
  constructor(root = "", debug: (line: string) => void = () => {}) {
    this.#root = root === "/" ? "" : root;
    this.#debug = debug;
  }

  look(path: string): HostLook {
    return remembered(this.#looks, path, () => this.#look(path));
  }

  #look(path: string): HostLook {
    const place = this.#place(path);
    if (place === "/dev/null") return { kind: "null", path: place };
    const none: HostLook = { kind: "none", path };
    if (place === undefined) return none;
    const found = statOf(this.#root + place);
    if (found === undefined) return none;
    if (found.isDirectory()) return { kind: "directory", path: place };
    if (!found.isFile()) return { kind: "other", path: place };
    return { kind: "file", path: place, bytes: found.size, executable: (found.mode & 0o111) !== 0 };
  }

  read(path: string): HostText {
    return remembered(this.#texts, path, () => this.#read(path));
  }

  #read(path: string): HostText {
    this.#debug(`read ${this.#root}${path}`);
    const { kind, path: place } = this.look(path);
    if (kind === "null") return { text: "" };
    if (kind === "directory") return { refused: "directory", why: "it is a directory" };
    if (kind === "none") return this.#refusedPlace(path);
    // A pipe or a device would make us wait for ever.
    if (kind === "other") return { refused: "unreadable", why: "it is not a plain file" };
    try {
      return this.#text(this.#root + place);
    } catch (cause) {
      return refusalOf(cause);
    }
  }

  #text(place: string): HostText {
    const descriptor = openSync(place, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = fstatSync(descriptor);
      if (size > TEXT_MAX_BYTES)
        return { refused: "too-long", why: `it is longer than ${TEXT_MAX_BYTES} bytes` };
      const parts: string[] = [];
      // Files of /proc have no size, and answer in pieces.
      const buffer = new Uint8Array(Math.max(4096, Math.min(size + 1, 65_536)));
      const decoder = this.#decoder;
      for (let total = 0; ;) {
        const length = readSync(descriptor, buffer, 0, buffer.length, null);
        if (length === 0) break;
        total += length;
        if (total > TEXT_MAX_BYTES) {
          decoder.decode();
          return { refused: "too-long", why: `it is longer than ${TEXT_MAX_BYTES} bytes` };
        }
        parts.push(decoder.decode(buffer.subarray(0, length), { stream: true }));
      }
      parts.push(decoder.decode());
      return { text: parts.join("") };
    } finally {
      closeSync(descriptor);
    }
  }

  list(path: string): HostNames {
    return remembered(this.#names, path, () => this.#list(path));
  }

  #list(path: string): HostNames {
    const place = this.#place(path);
    if (place === undefined) return this.#refusedPlace(path);
    try {
      return { names: readdirSync(this.#root + place).slice(0, NAMES_MAX) };
    } catch (cause) {
      return refusalOf(cause);
    }
  }

  /** Why nothing was seen at a path: there is nothing, or a directory above it keeps it from us. */
  #refusedPlace(path: string): HostRefusal {
    if (this.#isBelowNothing(path)) return missing;
    try {
      statSync(this.#root + path, { throwIfNoEntry: false });
      return missing;
    } catch (cause) {
      return refusalOf(cause);
    }
  }

  /** The path links lead to, on the host; undefined when they lead nowhere. */
  #place(path: string): string | undefined {
    return remembered(this.#places, path, () => {
      if (this.#isBelowNothing(path)) return undefined;
      return this.#root === "" ? realPlace(path) : this.#placeInTree(path);
    });
  }

  /** Its directory was looked for before, and is not there: most places of a boot are not on every host. */
  #isBelowNothing(path: string): boolean {
    const names = this.#names.get(path.slice(0, path.lastIndexOf("/")));
    return names !== undefined && "refused" in names && names.refused === "none";
  }

  #placeInTree(path: string): string | undefined {
    const place = placeWithin(this.#root, path);
    // A saved tree has no devices, but what leads there masks all the same.
    if (place === undefined || place === "/dev/null") return place;
    return statOf(this.#root + place) === undefined ? undefined : place;
  }
}

/** Undefined for links that go round. */
function placeWithin(root: string, path: string): string | undefined {
  try {
    return followLinks(root, path);
  } catch {
    return undefined;
  }
}

function remembered<Value>(known: Map<string, Value>, path: string, work: () => Value): Value {
  const before = known.get(path);
  if (before !== undefined || known.has(path)) return before as Value;
  const value = work();
  known.set(path, value);
  return value;
}

function realPlace(path: string): string | undefined {
  try {
    // Asking first is cheaper: what is not there costs no error.
    return statSync(path, { throwIfNoEntry: false }) && realpathSync.native(path);
  } catch {
    return undefined;
  }
}

function statOf(place: string): Stats | undefined {
  try {
    return statSync(place, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function refusalOf(cause: unknown): HostRefusal {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
    case "ELOOP":
      return missing;
    case "EACCES":
    case "EPERM":
      return { refused: "not-permitted", why: "permission denied" };
    case "EISDIR":
      return { refused: "directory", why: "it is a directory" };
    default:
      return { refused: "unreadable", why: cause instanceof Error ? cause.message : "it cannot be read" };
  }
}
