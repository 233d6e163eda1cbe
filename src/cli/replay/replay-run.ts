/**
 * Runs a capture through its courses, on one thread or several: one reads packets into a ring, this one
 * tracks them, and where settings are compared other threads track their share of the courses. All use the
 * same batches, so the capture is read once. Small captures, pipes, and processes that may have no threads do
 * with this one.
 */
import { fstatSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

import { BATCH_ROWS, PacketColumns } from "../../packet/packet.ts";
import { makeRing, type RingShare, RingUser, stopRing } from "./batch-ring.ts";
import type { Context } from "../context.ts";
import type { CoursesMessage, CoursesShare } from "./courses-thread.ts";
import { formatCount } from "../figures.ts";
import { type BatchOptions, BatchSink, type ReadCapture, readPackets } from "./packet-batches.ts";
import { type PacketsMessage, type PacketsShare, ThreadError } from "./packets-thread.ts";
import { Progress, TURN_MS, turnOfTheLoop } from "../progress.ts";
import { Course, type CourseSpec, reportsOf } from "./replay-course.ts";
import type { CourseReport } from "./replay-report.ts";
import type { CaptureInstant } from "./replay-settings.ts";
import { READ_PACKETS_WORD, TRACK_PACKETS_WORD } from "../thread-word.ts";

/** A capture of so many bytes is worth the start of a thread. */
const LARGE_BYTES = 8 * 1024 * 1024;

export interface RunRequest {
  /** A file, or `-`. */
  path: string;
  /** Its bytes, where somebody looked into a pipe before. */
  bytes?: AsyncIterable<Uint8Array>;
  origin: string;
  batches: BatchOptions;
  specs: readonly CourseSpec[];
  until?: CaptureInstant;
  signal: AbortSignal;
  /** Sees every batch after the first course has: its verdicts. */
  onBatch?: (batch: PacketColumns, verdicts: Uint8Array) => void;
  /** Of the greatest batch, and from how many bytes on threads help; for tests. */
  largeBytes?: number;
}

export interface Run {
  read: ReadCapture;
  reports: readonly CourseReport[];
  /** The first course, whose table can still be read. */
  first: Course;
  threads: number;
}

/** Runs to the end of the capture, or to the signal; what was known by then is a result, too. */
export async function runCapture(context: Context, request: RunRequest): Promise<Run> {
  const { path, largeBytes = LARGE_BYTES } = request;
  const { program } = context.deps;
  const threads =
    program !== undefined && request.bytes === undefined && isWorthThreads(path, largeBytes)
      ? ReplayThreads.start(program, request, availableParallelism())
      : undefined;
  if (threads === undefined) return runHere(context, request);
  try {
    return await threads.run(context);
  } finally {
    await threads.end();
  }
}

/** Large, on two processors, and a file: of a pipe nobody knows when it will end. */
function isWorthThreads(path: string, largeBytes: number): boolean {
  const file = path === "-" ? fstatSync(0) : statSync(path, { throwIfNoEntry: false });
  return file?.isFile() === true && file.size >= largeBytes && availableParallelism() > 1;
}

/** Says how far it has come, and lets the event loop turn, when it is time to. */
class Pace {
  readonly #context: Context;
  readonly #progress: Progress;
  #turnedMs: number;

  constructor(context: Context) {
    this.#context = context;
    this.#progress = new Progress(context.terminal, context.deps.clock);
    this.#turnedMs = context.deps.clock.elapsedMs();
  }

  /** Undefined when it is not time yet. */
  breathe(records: number, course: Course | undefined): Promise<void> | undefined {
    const nowMs = this.#context.deps.clock.elapsedMs();
    if (nowMs - this.#turnedMs < TURN_MS) return undefined;
    this.#turnedMs = nowMs;
    const flows = course === undefined ? "" : `, ${formatCount(course.tracker.occupancyFlows)} flows`;
    this.#progress.show(() => `${formatCount(records)} packets read${flows}`);
    return turnOfTheLoop();
  }

  end(): void {
    this.#progress.clear();
  }
}

async function runHere(context: Context, request: RunRequest): Promise<Run> {
  const { path, origin, batches, specs, until, signal, onBatch } = request;
  const courses = specs.map((spec) => new Course(spec));
  const [first] = courses as [Course];
  const batch = new PacketColumns(BATCH_ROWS);
  const sink = new BatchSink(batch, batches, (filled) => {
    for (const course of courses) course.feed(filled);
    onBatch?.(filled, first.verdicts);
    return signal.aborted ? undefined : batch;
  });
  const pace = new Pace(context);
  try {
    const read = await readPackets(request.bytes ?? (await bytesOf(context, path, signal)), sink, {
      origin,
      breathe: () => pace.breathe(sink.counts.records, first),
    });
    const reports = await reportsOf(courses, until);
    return { read, reports, first, threads: 1 };
  } finally {
    pace.end();
  }
}

/** A pipe is waited for without being deaf: what feeds it may take its time. */
async function bytesOf(
  context: Context,
  path: string,
  signal: AbortSignal,
): Promise<Iterable<Uint8Array> | AsyncIterable<Uint8Array>> {
  const { deps } = context;
  const stream = path === "-" ? deps.standardInput?.(signal) : undefined;
  return stream ?? (await deps.kernel()).openBytes(path);
}

/** One reader, this thread, and others that track. */
class ReplayThreads {
  readonly #request: RunRequest;
  readonly #ring: RingShare;
  readonly #courses: readonly Course[];
  readonly #workers: Worker[] = [];
  readonly #read: Promise<ReadCapture>;
  readonly #others: readonly Promise<readonly CourseReport[]>[];
  #isDone = false;

  /** Undefined where a process may have no threads (Node's --permission). */
  static start(program: string, request: RunRequest, processors: number): ReplayThreads | undefined {
    try {
      return new ReplayThreads(program, request, processors);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ERR_ACCESS_DENIED") return undefined;
      throw error;
    }
  }

  constructor(program: string, request: RunRequest, processors: number) {
    const { path, origin, batches, specs, until } = request;
    this.#request = request;
    const lots = lotsOf(specs, processors);
    this.#ring = makeRing(lots.length, BATCH_ROWS);
    const reader: PacketsShare = { ...batches, packets: { path, origin }, ring: this.#ring };
    this.#read = this.#start<PacketsMessage>(program, READ_PACKETS_WORD, reader).then(readOf);
    this.#others = lots.slice(1).map(async (lot, index) => {
      const share: CoursesShare = {
        ring: this.#ring,
        user: index + 1,
        specs: lot,
        ...(until === undefined ? {} : { until }),
      };
      const message = await this.#start<CoursesMessage>(program, TRACK_PACKETS_WORD, share);
      if ("error" in message) throw new ThreadError(message.error);
      return message.reports;
    });
    // Whoever waits for them hears of it; until then it is no error that nobody does.
    for (const promise of [this.#read, ...this.#others]) promise.catch(() => {});
    this.#courses = (lots[0] ?? []).map((spec) => new Course(spec));
  }

  #start<Message>(program: string, word: string, workerData: object): Promise<Message> {
    const { worker, message } = startThread<Message>(program, word, workerData);
    this.#workers.push(worker);
    return message;
  }

  async run(context: Context): Promise<Run> {
    const { signal, onBatch, until } = this.#request;
    const [first] = this.#courses as [Course];
    const batches = new RingUser(this.#ring, 0);
    const pace = new Pace(context);
    let records = 0;
    try {
      while (!batches.isEnded) {
        const batch = batches.take(TURN_MS);
        if (batch !== undefined) {
          for (const course of this.#courses) course.feed(batch);
          onBatch?.(batch, first.verdicts);
          records += batch.count;
          batches.release();
        }
        const pause = pace.breathe(records, first);
        if (pause === undefined) continue;
        await pause;
        if (signal.aborted) stopRing(this.#ring);
        await this.#failure();
      }
      const own = await reportsOf(this.#courses, until);
      const read = await this.#read;
      const others = await Promise.all(this.#others);
      this.#isDone = true;
      return { read, reports: [...own, ...others.flat()], first, threads: 1 + this.#workers.length };
    } finally {
      pace.end();
    }
  }

  /** Throws when a thread has failed: the ring would never end. */
  async #failure(): Promise<void> {
    await Promise.race([...this.#others, this.#read, Promise.resolve()]);
  }

  /** Ends the threads, wherever they are. Those that are done end by themselves. */
  async end(): Promise<void> {
    if (this.#isDone) return;
    stopRing(this.#ring);
    for (const worker of this.#workers) await worker.terminate();
  }
}

/** Courses for each thread that tracks, in order, the first ones for this thread. */
function lotsOf(specs: readonly CourseSpec[], processors: number): CourseSpec[][] {
  const threads = Math.min(specs.length, Math.max(2, processors - 1));
  const least = Math.floor(specs.length / threads);
  const more = specs.length % threads;
  let at = 0;
  return Array.from({ length: threads }, (_, index) => {
    // Who has one more is behind: this thread also says how far it has come.
    const count = least + (index >= threads - more ? 1 : 0);
    at += count;
    return specs.slice(at - count, at);
  });
}

/** Starts a thread of this program; `message` is the one that it says. */
export function startThread<Message>(
  program: string,
  word: string,
  workerData: object,
): { worker: Worker; message: Promise<Message> } {
  const worker = new Worker(program, { argv: [word], workerData });
  const message = new Promise<Message>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`A thread of the replay ended with ${code}`)));
  });
  return { worker, message };
}

/** What a reading thread found; throws what it failed with. */
export function readOf(message: PacketsMessage): ReadCapture {
  if ("error" in message) throw new ThreadError(message.error);
  return message.read;
}
