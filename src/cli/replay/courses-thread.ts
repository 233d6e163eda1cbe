/** What a tracking thread of a replay does: runs some of the courses over the batches of a ring. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";

import { type RingShare, RingUser } from "./batch-ring.ts";
import { plainError, type PlainError } from "./packets-thread.ts";
import { Course, type CourseSpec, reportsOf } from "./replay-course.ts";
import type { CourseReport } from "./replay-report.ts";
import type { CaptureInstant } from "./replay-settings.ts";

/** What the thread is given. */
export interface CoursesShare {
  ring: RingShare;
  /** Which of the ring's users it is. */
  user: number;
  specs: readonly CourseSpec[];
  until?: CaptureInstant;
}

export type CoursesMessage = { reports: readonly CourseReport[] } | { error: PlainError };

const WAIT_MS = 1000;

/** Runs in the thread, to the end of the ring. */
export async function trackInThread(): Promise<void> {
  if (parentPort !== null) await trackFrom(workerData as CoursesShare, parentPort);
}

async function trackFrom({ ring, user, specs, until }: CoursesShare, port: MessagePort): Promise<void> {
  const say = (message: CoursesMessage): void => port.postMessage(message);
  try {
    const courses = specs.map((spec) => new Course(spec));
    const batches = new RingUser(ring, user);
    while (!batches.isEnded) {
      const batch = batches.take(WAIT_MS);
      if (batch === undefined) continue;
      for (const course of courses) course.feed(batch);
      batches.release();
    }
    say({ reports: await reportsOf(courses, until) });
  } catch (error) {
    say({ error: plainError(error) });
  }
}
