/**
 * The beat of a watch: work once a second, at the whole seconds of the wall clock, paced by the clock that
 * never goes back. Work that takes longer than its second makes the next ones fall out, counted; it never
 * runs twice at a time.
 */
import type { Clock } from "../../base/clock.ts";

const SECOND_MS = 1000;
/** The wall clock is followed so much a second when it is slewed; a clock that was set is not chased. */
const FOLLOW_MS = 2;

export interface Beat {
  clock: Clock;
  /** Resolves after so many milliseconds, or earlier when it is all over. */
  wait: (ms: number) => Promise<void>;
  isOver: () => boolean;
  /** What is done each second; `missedSeconds` are those that fell out since the last. */
  work: (missedSeconds: number) => void | Promise<void>;
}

/** Works until it is over. Rejects with what the work throws. */
export async function eachSecond({ clock, wait, isOver, work }: Beat): Promise<void> {
  let dueMs = clock.elapsedMs() + untilWholeSecond(clock.nowMs());
  while (!isOver()) {
    const waitMs = dueMs - clock.elapsedMs();
    if (waitMs > 0) {
      await wait(waitMs);
      continue;
    }
    const lateMs = Math.abs(waitMs);
    const missedSeconds = Math.floor(lateMs / SECOND_MS);
    dueMs += missedSeconds * SECOND_MS;
    // What a slewed wall clock has gained or lost at the instant this second was due.
    const offsetMs = offsetOf(clock.nowMs() - (clock.elapsedMs() - dueMs));
    await work(missedSeconds);
    dueMs += SECOND_MS - Math.max(-FOLLOW_MS, Math.min(FOLLOW_MS, offsetMs));
  }
}

function untilWholeSecond(nowMs: number): number {
  return (SECOND_MS - (nowMs % SECOND_MS)) % SECOND_MS;
}

/** From the nearest whole second, -500 to 500. */
function offsetOf(nowMs: number): number {
  return nowMs - Math.round(nowMs / SECOND_MS) * SECOND_MS;
}
