/**
 * `headroom replay --live`: a shadow of the tracker on packets as they pass an interface. A thread takes them
 * from the kernel's ring; this one tracks them and shows how full the table would be.
 */
import type { Worker } from "node:worker_threads";

import { assert } from "../../base/assert.ts";
import { BATCH_ROWS } from "../../packet/packet.ts";
import { makeRing, type RingShare, RingUser, stopRing } from "./batch-ring.ts";
import type { Context } from "../context.ts";
import { liveLines } from "./live-text.ts";
import type { BatchOptions, ReadCapture } from "./packet-batches.ts";
import type { PacketsMessage, PacketsShare } from "./packets-thread.ts";
import { Progress, TURN_MS, turnOfTheLoop } from "../progress.ts";
import { Course, type CourseSpec, reportsOf } from "./replay-course.ts";
import { readOf, type Run, type RunRequest, startThread } from "./replay-run.ts";
import { READ_PACKETS_WORD } from "../thread-word.ts";
import { UsageError } from "../usage-error.ts";

export interface LiveRequest {
  interfaceName: string;
  /** A name of `ip netns`, a process or a path; absent: this one. */
  namespace?: string;
  /** How long; absent: until the signal. */
  seconds?: number;
  batches: BatchOptions;
  specs: readonly CourseSpec[];
  signal: AbortSignal;
  onBatch?: RunRequest["onBatch"];
}

const REPAINT_MS = 500;
/** Bytes of a packet that helpers may want to read, where there are any. */
const HELPER_SNAP_BYTES = 2048;
/** Packets come this late at most; without any, the clock of the table goes on so far behind ours. */
const LATE_MS = 1000;

/** Runs until ^C, until its time is over, or until the interface goes down. Throws KernelError. */
export async function runLive(context: Context, request: LiveRequest): Promise<Run> {
  const { program } = context.deps;
  const { openPacketSocket } = await context.deps.kernel();
  assert(openPacketSocket !== undefined, "The kernel's door opens packet sockets");
  if (program === undefined) throw new UsageError("Cannot read live packets: no thread can be started here");
  const { interfaceName, namespace, batches } = request;
  const socket = openPacketSocket({
    interfaceName,
    ...(namespace === undefined ? {} : { namespace }),
    ...(batches.decoder.payloadPorts === undefined ? {} : { snapBytes: HELPER_SNAP_BYTES }),
  });
  const ring = makeRing(1, BATCH_ROWS);
  const lostPackets = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT));
  const share: PacketsShare = { ...batches, ring, packets: { socket, lostPackets } };
  const { worker, message } = startThread<PacketsMessage>(program, READ_PACKETS_WORD, share);
  const live = new LiveRun(context, request, ring, lostPackets);
  try {
    return await live.run(message.then(readOf));
  } finally {
    await endThread(worker, ring, message);
  }
}

/** The thread closes its ring by itself; it is ended only after that. */
async function endThread(worker: Worker, ring: RingShare, message: Promise<unknown>): Promise<void> {
  stopRing(ring);
  await message.catch(() => {});
  await worker.terminate();
}

/** This side: tracks, paints, and decides when it is over. */
class LiveRun {
  readonly #context: Context;
  readonly #request: LiveRequest;
  readonly #ring: RingShare;
  readonly #lostPackets: Float64Array;
  readonly #courses: readonly Course[];
  readonly #progress: Progress;
  readonly #startedMs: number;
  #packets = 0;
  #paintedMs = -Infinity;
  /** Lines on the screen that the next painting goes over. */
  #painted = 0;

  constructor(context: Context, request: LiveRequest, ring: RingShare, lostPackets: Float64Array) {
    this.#context = context;
    this.#request = request;
    this.#ring = ring;
    this.#lostPackets = lostPackets;
    this.#courses = request.specs.map((spec) => new Course(spec));
    this.#progress = new Progress(context.terminal, context.deps.clock);
    this.#startedMs = context.deps.clock.elapsedMs();
  }

  async run(reading: Promise<ReadCapture>): Promise<Run> {
    const [first] = this.#courses as [Course];
    const batches = new RingUser(this.#ring, 0);
    let hasFailed = false;
    reading.catch(() => (hasFailed = true));
    try {
      while (!batches.isEnded) {
        this.#track(batches, first);
        await turnOfTheLoop();
        if (hasFailed) await reading;
        if (this.#isOver) stopRing(this.#ring);
        this.#paint();
      }
    } finally {
      this.#clear();
    }
    const read = await reading;
    this.#goOn();
    return { read, reports: await reportsOf(this.#courses), first, threads: 2 };
  }

  /** Tracks what has come, for not longer than a turn. */
  #track(batches: RingUser, first: Course): void {
    const { clock } = this.#context.deps;
    const untilMs = clock.elapsedMs() + TURN_MS;
    for (let batch = batches.take(TURN_MS); batch !== undefined; batch = batches.take(0)) {
      for (const course of this.#courses) course.feed(batch);
      this.#request.onBatch?.(batch, first.verdicts);
      this.#packets += batch.count;
      batches.release();
      if (clock.elapsedMs() > untilMs) return;
    }
  }

  get #elapsedSeconds(): number {
    return (this.#context.deps.clock.elapsedMs() - this.#startedMs) / 1000;
  }

  get #isOver(): boolean {
    const { signal, seconds = Infinity } = this.#request;
    return signal.aborted || this.#elapsedSeconds >= seconds;
  }

  /** Flows expire although nothing comes. */
  #goOn(): void {
    const nowMs = this.#context.deps.clock.nowMs() - LATE_MS;
    for (const { tracker } of this.#courses) if (tracker.nowMs !== undefined) tracker.advance(nowMs);
  }

  #paint(): void {
    const { terminal, look, deps } = this.#context;
    const nowMs = deps.clock.elapsedMs();
    if (nowMs - this.#paintedMs < REPAINT_MS) return;
    this.#paintedMs = nowMs;
    this.#goOn();
    const lines = liveLines(
      {
        interfaceName: this.#request.interfaceName,
        seconds: this.#elapsedSeconds,
        packets: this.#packets,
        lostPackets: this.#lostPackets[0] ?? 0,
        courses: this.#courses.map(({ tracker, label }) => {
          const timeline = tracker.timeline();
          return {
            label,
            flows: tracker.occupancyFlows,
            peakFlows: tracker.tally.peakFlows,
            capacityFlows: tracker.settings.capacityFlows,
            droppedPackets: tracker.tally.droppedByCause.reduce((sum, packets) => sum + packets, 0),
            ...(timeline === undefined ? {} : { timeline }),
          };
        }),
      },
      look,
    );
    if (!terminal.stdoutIsTerminal) return this.#progress.show(() => lines[0] ?? "");
    const home = this.#painted === 0 ? "" : `\u001b[${this.#painted}A\r`;
    terminal.stdout.write(`${home}${lines.map((line) => `${line}\u001b[K\n`).join("")}\u001b[J`);
    this.#painted = lines.length;
  }

  #clear(): void {
    this.#progress.clear();
    if (this.#painted > 0) this.#context.terminal.stdout.write(`\u001b[${this.#painted}A\r\u001b[J`);
    this.#painted = 0;
  }
}
