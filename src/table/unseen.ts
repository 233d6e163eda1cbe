/**
 * What could not be seen, in one line each: what, why, and what would help. Every report carries these;
 * nothing is silently left out.
 */

export interface Unseen {
  /** `flows`, `kernel log`, `namespaces of other users`, ... */
  what: string;
  /** The cause in words: `permission denied: reading /dev/kmsg needs CAP_SYSLOG`. */
  why: string;
  /** What the operator can do about it; absent when nothing would help. */
  help?: string;
  /** For programs. */
  cause: "not-permitted" | "missing" | "unsupported" | "unreadable" | "not-loaded" | "incomplete";
}

/** What the code of an error that refused something says of why it is not seen. */
export function unseenCause(code: string): Unseen["cause"] {
  switch (code) {
    case "not-permitted":
      return "not-permitted";
    case "not-found":
      return "missing";
    case "module-missing":
      return "not-loaded";
    case "unsupported":
    case "no-ffi":
      return "unsupported";
    default:
      return "unreadable";
  }
}
