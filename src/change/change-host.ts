/**
 * What a change needs of the host: declared here, met by src/kernel by shape, and in tests by a host in
 * memory that fails wherever it is told to. Paths are those of the host; a root in front of them is the
 * host's affair.
 */

/** A file as it is: a change keeps everything of it. */
export interface FileImage {
  bytes: Uint8Array;
  /** Permission bits, as 0o644. */
  mode: number;
  uid: number;
  gid: number;
}

/** Whether there is something at a path, and what. */
export type FileLook =
  | {
      kind: "file";
      image: FileImage;
      /** Where the path leads, links followed. */
      path: string;
      /** Hard links: names the file has, this one with them. Absent: one. */
      links?: number;
    }
  | { kind: "missing" }
  /** A link to /dev/null. (An empty file is a file.) */
  | { kind: "masked" }
  | { kind: "directory" }
  /** Something else, in words: `a link to nothing`, `a socket`, `a link into a loop`. */
  | { kind: "other"; what: string };

/** All of it is synchronous: between a check and the write nothing else of this process runs. */
export interface ChangeHost {
  /** The tree that stands in for `/`, for commands that are shown; absent or empty: the running host. */
  readonly root?: string;
  /** Text of a setting by its file (`/proc/sys/net/netfilter/nf_conntrack_max`); undefined: no such file. */
  readValue(path: string): string | undefined;
  /** Writes a setting in place. Throws with a `code` and a sentence. */
  writeValue(path: string, text: string): void;
  look(path: string): FileLook;
  /** Names in a directory, sorted; none when it is not there. */
  list(path: string): readonly string[];
  /**
   * Why nothing can be written at this path (a file, or one yet to be made, or a setting), as access(2) of it
   * or of the nearest directory that exists tells: `the file system is read-only`, `permission denied`.
   * Undefined: nothing speaks against it.
   */
  whyNotWritable(path: string): string | undefined;
  /** Makes directories that are missing; returns those it made, outermost first. */
  makeDirectories(path: string, mode: number): readonly string[];
  /**
   * Puts a whole file there or nothing: temporary name beside it, mode and owner, fsync, rename, fsync of the
   * directory. The temporary name ends in neither `.conf` nor `.json`, and begins with a dot.
   */
  putFile(path: string, image: FileImage): void;
  /** Removes what an interrupted putFile of this path left beside it; nothing when there is nothing. */
  sweep(path: string): void;
  removeFile(path: string): void;
  /** Removes an empty directory. */
  removeDirectory(path: string): void;
  /** Only one change at a time: throws with code `busy` and who it is. Released when the process ends. */
  lock(): { release(): void };
  /**
   * Whether a network namespace is still the one its change was made in; undefined where that cannot be told,
   * as with a root.
   */
  hasNamespace(namespace: { inode: number; name?: string }): boolean | undefined;
  /** Loads a kernel module, as modprobe(8) does. Throws with a sentence. Does nothing with a root. */
  loadModule(name: string): void;
}
