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
