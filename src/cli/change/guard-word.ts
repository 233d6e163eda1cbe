/**
 * The first word of the command line of a guard, which is the program once more (guard-start.ts). It is no
 * command: help and completion do not know it.
 */
export const GUARD_WORD = "guard-change";

/** What the guard says when all its code is loaded and nothing can go wrong any more but the host. */
export const GUARD_READY = "ready\n";

/** What the guard is told, in one line of JSON. */
export interface GuardOrder {
  /** The change to take back. */
  id: string;
  withinSeconds: number;
  confirmByMs: number;
  root?: string;
  netns?: string;
}
