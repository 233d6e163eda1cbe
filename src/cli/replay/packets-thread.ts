/**
 * What the reading thread of a replay does: reads a capture, or packets as they pass an interface, into the
 * batches of a ring. What it found besides goes in one message at the end, an error too.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";

import { assert } from "../../base/assert.ts";
import { openBytes, PacketRing, type PacketSocket } from "../../kernel/kernel.ts";
import { type BatchOptions, BatchSink, type ReadCapture, readPackets } from "./packet-batches.ts";
import { RingFiller, type RingShare } from "./batch-ring.ts";

/** What the thread is given. */
export interface PacketsShare extends BatchOptions {
  ring: RingShare;
  packets: { path: string; origin: string } | LivePackets;
}

/** Packets as they pass. */
export interface LivePackets {
  socket: PacketSocket;
  /** One number: packets that were lost so far. */
  lostPackets: Float64Array<SharedArrayBuffer>;
}

/** Longest wait for packets: a batch that is not full is handed over then. */
const LIVE_WAIT_MS = 50;

/** What it says in the end. An error is a plain copy of one. */
export type PacketsMessage = { read: ReadCapture } | { error: PlainError };

/** An error as it crosses from thread to thread: its class is lost on the way. */
export interface PlainError {
  name: string;
  message: string;
  code?: string;
}

/** Runs in the thread, to the end of the capture, or until it is stopped. */
export async function readPacketsInThread(): Promise<void> {
  if (parentPort !== null) await readInto(workerData as PacketsShare, parentPort);
}

async function readInto(share: PacketsShare, port: MessagePort): Promise<void> {
  const { ring, packets, decoder, cuts } = share;
  const filler = new RingFiller(ring);
  const say = (message: PacketsMessage): void => port.postMessage(message);
  try {
    const first = filler.next();
    assert(first !== undefined, "A ring begins with a batch");
    const sink = new BatchSink(first, { decoder, cuts }, () => {
      filler.handOver();
      return filler.next();
    });
    if ("path" in packets) say({ read: await readPackets(openBytes(packets.path), sink, packets) });
    else say({ read: readLive(packets, sink, filler) });
  } catch (error) {
    say({ error: plainError(error) });
  } finally {
    // Behind the message: who sees the end finds it.
    filler.end();
  }
}

/** Packets until nobody wants more, or until the interface goes down. */
function readLive({ socket, lostPackets }: LivePackets, sink: BatchSink, filler: RingFiller): ReadCapture {
  const ring = new PacketRing(socket);
  let endedBy: string | undefined;
  try {
    while (!sink.isStopped && !filler.isStopped) {
      if (ring.wait(LIVE_WAIT_MS)) ring.read(sink);
      sink.flush();
      lostPackets[0] = ring.losses.lostPackets;
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "interface-down")) throw error;
    endedBy = error.message;
  } finally {
    ring.close();
  }
  sink.end();
  return {
    counts: sink.counts,
    lostPackets: ring.losses.lostPackets,
    ...(endedBy === undefined ? {} : { endedBy }),
    ...sink.times,
  };
}

/** What is left of an error on the other side. */
export function plainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  return "code" in error && typeof error.code === "string"
    ? { name, message, code: error.code }
    : { name, message };
}

/** An error of another thread, as one of this: whoever explains errors goes by name and code. */
export class ThreadError extends Error {
  override name: string;
  readonly code?: string;

  constructor({ name, message, code }: PlainError) {
    super(message);
    this.name = name;
    if (code !== undefined) this.code = code;
  }
}
