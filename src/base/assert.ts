/**
 * Assertions for our own mistakes. Anything the kernel, a file or a user can cause is an operating error and
 * has its own class; an AssertionError is never caught below `main` and ends the program with exit code 70.
 */

export class AssertionError extends Error {
  override name = "AssertionError";
}

/** Throws AssertionError when `condition` does not hold; `message` says what was expected. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Ends a `switch` over a closed union: the compiler proves that no case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`Unreachable case: ${String(value)}`);
}
