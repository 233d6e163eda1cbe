/**
 * What the thread of listing-ahead.ts does: reads a listing and hands its batches over. A batch goes two
 * ways: its columns through a ring in shared memory, the rest in a message. Whatever goes wrong here ends the
 * thread, and the other side reads on where the batches end.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";

import { openBytes } from "../kernel/kernel.ts";
import { type Listing, readListing } from "../listing/listing.ts";
import { FlowColumns, type Rare } from "../table/columns.ts";

/** What the thread is given. */
export interface ListingShare {
  path: string;
  origin: string;
  /** Rows of a batch: both sides cut the listing into the same ones. */
  batchRows: number;
  /** Batches that are handed over at once: to wake the other side costs as much as reading 500 lines. */
  lot: number;
  /** One number: batches of the ring that were used up. */
  consumed: Int32Array<SharedArrayBuffer>;
  /** Memory of the batches of the ring. */
  ring: SharedArrayBuffer[];
}

/** What is known of a listing so far. */
export type ListingFacts = Omit<Listing, "batches" | "source">;

/** What a batch has besides its columns; the last one is the end of the listing and has no rows. */
export interface HandedBatch {
  rows: number;
  knownStatus: number;
  rare: Map<number, Rare>;
  facts: ListingFacts;
  isEnd: boolean;
}

/** Runs in the thread, to the end of the listing. */
export async function readInThread(): Promise<void> {
  if (parentPort !== null) await handOver(workerData as ListingShare, parentPort);
}

async function handOver(share: ListingShare, port: MessagePort): Promise<void> {
  const { path, origin, batchRows, lot, consumed } = share;
  const ring = share.ring.map((memory) => new FlowColumns(batchRows, 0, memory));
  const listing = readListing(openBytes(path), { origin, batchRows });
  let handedOver = 0;
  let ready: HandedBatch[] = [];
  for await (const columns of listing.batches()) {
    waitForMore(consumed, handedOver - ring.length);
    ring[handedOver % ring.length]?.copyColumns(columns);
    handedOver += 1;
    const { count: rows, knownStatus } = columns;
    const rare = new Map(columns.rare);
    ready.push({ rows, knownStatus, rare, facts: factsOf(listing), isEnd: false });
    // The first lots are small: the other side has nothing to do yet.
    if (ready.length < Math.min(lot, handedOver / 2)) continue;
    port.postMessage(ready);
    ready = [];
  }
  ready.push({ rows: 0, knownStatus: 0, rare: new Map(), facts: factsOf(listing), isEnd: true });
  port.postMessage(ready);
}

/** Waits until more than `batches` batches were used up. */
function waitForMore(consumed: Int32Array<SharedArrayBuffer>, batches: number): void {
  for (let sofar = Atomics.load(consumed, 0); sofar <= batches; sofar = Atomics.load(consumed, 0)) {
    Atomics.wait(consumed, 0, sofar);
  }
}

function factsOf(listing: Listing): ListingFacts {
  const { origin, oddities, complete, format, compression, style, expectations } = listing;
  return { origin, oddities: { ...oddities }, complete, format, compression, style, expectations };
}
