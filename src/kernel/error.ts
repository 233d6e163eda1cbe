/**
 * What went wrong between this program and the running kernel, as one class with a closed set of codes. The
 * message is for an operator: what was tried, on what, what the kernel said, what would help. The code is
 * for programs.
 */
import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";

export type KernelErrorCode =
  /** EPERM, EACCES: a capability or root is missing. */
  | "not-permitted"
  /** The part of the kernel that would answer is not loaded. */
  | "module-missing"
  /** This kernel does not know the request. */
  | "unsupported"
  /** ENOBUFS: the kernel could not queue messages for us and lost some. */
  | "no-buffer-space"
  /** ENOMEM: no memory, or for a new flow: the table is full. */
  | "out-of-memory"
  /** ENOSPC: the flow's hash chain has reached its length limit. */
  | "chain-too-long"
  | "not-found"
  | "already-exists"
  | "busy"
  | "invalid"
  /** The table changed under the dump, or a signal broke the call. */
  | "interrupted"
  /** EROFS: the file system is mounted read-only, as /proc/sys is in a container. */
  | "read-only"
  /** A file system has no room left, or the user's share of it is used up. */
  | "disk-full"
  /** The kernel did not answer in time. */
  | "timed-out"
  /** The network interface is down, or was taken down or removed meanwhile. */
  | "interface-down"
  /** Anything else a system call reported. */
  | "io"
  /** System calls cannot be made from this program here; procfs is the way left. */
  | "no-ffi";

export interface KernelErrorOptions {
  /** The kernel's error number, positive. */
  errno?: number;
  cause?: unknown;
}

export class KernelError extends Error {
  override name = "KernelError";
  readonly code: KernelErrorCode;
  /** The kernel's error number by name (`EPERM`), where it gave one. */
  readonly errnoName?: string;

  constructor(code: KernelErrorCode, message: string, options: KernelErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.errno !== undefined) this.errnoName = errnoName(options.errno);
  }
}

const numbers = constants.errno;

/** errno(3) numbers to codes; what is missing here is `io`. */
const codeByErrno = new Map<number, KernelErrorCode>([
  [numbers.EPERM, "not-permitted"],
  [numbers.EACCES, "not-permitted"],
  [numbers.EPROTONOSUPPORT, "module-missing"],
  [numbers.EAFNOSUPPORT, "module-missing"],
  [numbers.EOPNOTSUPP, "unsupported"],
  [numbers.ENOSYS, "unsupported"],
  [numbers.ENOPROTOOPT, "unsupported"],
  [numbers.ENOBUFS, "no-buffer-space"],
  [numbers.ENOMEM, "out-of-memory"],
  [numbers.ENOSPC, "chain-too-long"],
  [numbers.ENOENT, "not-found"],
  [numbers.ESRCH, "not-found"],
  [numbers.ENOTDIR, "not-found"],
  [numbers.EEXIST, "already-exists"],
  [numbers.EBUSY, "busy"],
  [numbers.EROFS, "read-only"],
  [numbers.EDQUOT, "disk-full"],
  [numbers.EINVAL, "invalid"],
  [numbers.ERANGE, "invalid"],
  [numbers.EINTR, "interrupted"],
  [numbers.EAGAIN, "timed-out"],
  [numbers.ETIMEDOUT, "timed-out"],
]);

/** The code for a positive error number. */
export function codeOfErrno(errno: number): KernelErrorCode {
  return codeByErrno.get(errno) ?? "io";
}

/** Number 95 has two names and the C library's text is about sockets; what the kernel means is wider. */
const renamed = new Map<number, readonly [string, string]>([
  [numbers.EOPNOTSUPP, ["EOPNOTSUPP", "operation not supported"]],
]);

function entryOf(errno: number): readonly [string, string] | undefined {
  return renamed.get(errno) ?? getSystemErrorMap().get(-errno);
}

/** `EPERM` for 1; a number without a name as `errno 4095`. */
export function errnoName(errno: number): string {
  return entryOf(errno)?.[0] ?? `errno ${errno}`;
}

/** `operation not permitted` for 1. */
export function errnoText(errno: number): string {
  return entryOf(errno)?.[1] ?? `error number ${errno}`;
}

/**
 * A KernelError for a positive error number: `Cannot ${tried}: operation not permitted (EPERM); ${help}`.
 * `tried` begins with a verb and names what it was done on; `help` says what the operator can do.
 */
export function errnoError(errno: number, tried: string, help?: string): KernelError {
  const advice = help === undefined ? "" : `; ${help}`;
  const message = `Cannot ${tried}: ${errnoText(errno)} (${errnoName(errno)})${advice}`;
  return new KernelError(codeOfErrno(errno), message, { errno });
}

/**
 * A KernelError for what node:fs threw (its `errno` is negative, its `code` a name); other causes become
 * `io`. Gives KernelErrors back as they are.
 */
export function fileError(cause: unknown, tried: string, help?: string): KernelError {
  if (cause instanceof KernelError) return cause;
  const errno = fileErrno(cause);
  if (errno !== undefined) {
    const error = errnoError(errno, tried, help);
    return new KernelError(error.code, error.message, { errno, cause });
  }
  const found = cause instanceof Error ? cause.message : String(cause);
  return new KernelError("io", `Cannot ${tried}: ${found}`, { cause });
}

function fileErrno(cause: unknown): number | undefined {
  if (!(cause instanceof Error) || !("errno" in cause)) return undefined;
  return typeof cause.errno === "number" && cause.errno < 0 ? -cause.errno : undefined;
}

/** The error number of what node:fs threw, by number, name and code; undefined for anything else. */
export function errnoOf(cause: unknown): { number: number; name: string; code: KernelErrorCode } | undefined {
  const number = fileErrno(cause);
  return number === undefined ? undefined : { number, name: errnoName(number), code: codeOfErrno(number) };
}
