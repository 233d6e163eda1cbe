/** What can go wrong with the file of the history, and what to do about it. */

/** Stable names: callers decide by them. */
export type StoreErrorCode =
  /** Nothing was written; the store is usable and goes on when there is room. */
  | "disk-full"
  /** Another process writes this history, or holds it for longer than can be waited for. */
  | "in-use"
  /** The file was written by a newer Headroom. */
  | "newer"
  /** The file is not what was written to it. */
  | "damaged"
  | "not-permitted"
  /** There is no history or no such directory, or it may not be opened: SQLite does not tell which. */
  | "not-found"
  /** The disk failed. */
  | "io"
  /** It was closed before. */
  | "closed";

export class StoreError extends Error {
  override name = "StoreError";
  readonly code: StoreErrorCode;
  /** The file it is about, where it is about one. */
  readonly path: string | undefined;

  constructor(code: StoreErrorCode, message: string, about: { cause?: unknown; path?: string } = {}) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.code = code;
    this.path = about.path;
  }
}

/**
 * Result codes of SQLite (sqlite.org/rescode.html), the low byte of an extended one, as far as a user can do
 * something about them.
 */
const CODES = new Map<number, StoreErrorCode>([
  [3, "not-permitted"],
  [5, "in-use"],
  [6, "in-use"],
  [8, "not-permitted"],
  [10, "io"],
  [11, "damaged"],
  [13, "disk-full"],
  [14, "not-found"],
  [23, "not-permitted"],
  [26, "damaged"],
]);

/** SQLITE_IOERR_SHMSIZE: the shared memory of the log could not grow, which is a full disk. */
const SHARED_MEMORY_SIZE = 4874;

const WHAT_TO_DO: Readonly<Record<StoreErrorCode, string>> = {
  "disk-full": "the disk is full: make room; nothing that was written before is lost",
  "in-use": "another process holds it: stop that one, or wait for it",
  newer: "it was written by a newer version of Headroom: use that, or another directory",
  damaged: "the file is damaged: start the watcher again, which keeps it aside and begins a new one",
  "not-permitted": "not permitted: use the account that the watcher has",
  "not-found":
    "it is not there or may not be opened: give the state directory of the watcher, and use its account",
  io: "the disk failed: look at the kernel log",
  closed: "it was closed before",
};

/** An error about `path` while `trying`, with what was `found` and what to do. */
export function storeError(
  code: StoreErrorCode,
  { trying, path, found, cause }: { trying: string; path: string; found?: string; cause?: unknown },
): StoreError {
  const detail = found === undefined ? "" : ` (${found})`;
  return new StoreError(code, `Cannot ${trying} ${path}: ${WHAT_TO_DO[code]}${detail}`, { cause, path });
}

/** An error of node:sqlite as ours; undefined for anything else, which is our mistake. */
export function fromSqlite(cause: unknown, trying: string, path: string): StoreError | undefined {
  if (!(cause instanceof Error) || !("errcode" in cause) || typeof cause.errcode !== "number")
    return undefined;
  const code = cause.errcode === SHARED_MEMORY_SIZE ? "disk-full" : CODES.get(cause.errcode & 0xff);
  return code && storeError(code, { trying, path, found: cause.message, cause });
}

/** Does something with the file at `path`; errors of SQLite come out as ours. */
export function guarded<Result>(trying: string, path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw fromSqlite(error, trying, path) ?? error;
  }
}
