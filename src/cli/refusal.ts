/**
 * What the kernel's door refused, as a note beside what could be seen. Its errors are told by their name, so
 * that a command does not load the door for their class.
 */
import { lowerFirst } from "../table/sentence.ts";
import type { Unseen } from "../table/unseen.ts";

/** Whether src/kernel threw it; everything else is not for a command to pass over. */
export function isKernelError(error: unknown): error is Error {
  return error instanceof Error && error.name === "KernelError";
}

/** The note that `what` could not be seen because of `error`. */
export function refusal(what: string, error: Error): Unseen {
  const refused = "code" in error && error.code === "not-permitted";
  const why = lowerFirst(error.message);
  return { what, why, cause: refused ? "not-permitted" : "unreadable" };
}
