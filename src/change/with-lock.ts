/** One change at a time: what two of us would do at once is refused for the second. */
import type { ChangeHost } from "./change-host.ts";
import type { Refusal } from "./steps.ts";
import { becauseOf } from "./undo.ts";

/** Runs `work` under the host's lock; `tried` as in `Cannot make a change`. */
export function withLock<Outcome>(
  host: ChangeHost,
  tried: string,
  work: () => Outcome,
): Outcome | { kind: "refused"; refusal: Refusal } {
  let lock: { release(): void };
  try {
    lock = host.lock();
  } catch (cause) {
    const busy = cause instanceof Error && "code" in cause && cause.code === "busy";
    const code = busy ? "busy" : "not-writable";
    return { kind: "refused", refusal: { code, message: `Cannot ${tried}: ${becauseOf(cause)}` } };
  }
  try {
    return work();
  } finally {
    lock.release();
  }
}
