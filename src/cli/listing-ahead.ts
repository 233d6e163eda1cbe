/**
 * Reading a large listing with two processors: a thread makes columns of its lines while this one counts
 * them. Where no thread can be started, or it fails, this side reads the listing itself, past the batches
 * that have come; so nothing is lost, and an error of the listing always comes from here.
 */
import { on } from "node:events";
import { Worker } from "node:worker_threads";

import { type Listing, readListing } from "../listing/listing.ts";
import { columnBytes, FlowColumns } from "../table/columns.ts";
import type { HandedBatch, ListingFacts, ListingShare } from "./listing-thread.ts";
import { THREAD_WORD } from "./thread-word.ts";

/** Batches under way between the two: 20 ms of work, for which this side may be slower than the thread. */
const RING_BATCHES = 32;
/** Batches that the thread hands over at once. */
const LOT_BATCHES = 8;
const BATCH_ROWS = 2048;

export interface ListingAheadOptions {
  path: string;
  /** The file's name, for people. */
  origin: string;
  /** The program's own file, which runs `readInThread` when it is given THREAD_WORD. */
  program: string;
  openBytes: (path: string) => Iterable<Uint8Array>;
  /** Rows of a batch, for tests. */
  batchRows?: number;
}

/** As `readListing(openBytes(path), { origin })`. */
export function readListingAhead(options: ListingAheadOptions): Listing {
  return new ListingAhead(options);
}

class ListingAhead implements Listing {
  readonly source = "file";
  readonly #options: ListingAheadOptions;
  readonly #batchRows: number;
  readonly #own: Listing;
  /** What the thread said last; absent while this side reads. */
  #told: ListingFacts | undefined;

  constructor(options: ListingAheadOptions) {
    const { path, origin, openBytes, batchRows = BATCH_ROWS } = options;
    this.#options = options;
    this.#batchRows = batchRows;
    this.#own = readListing(openBytes(path), { origin, batchRows });
  }

  get #facts(): ListingFacts {
    return this.#told ?? this.#own;
  }

  get origin(): string {
    return this.#facts.origin;
  }
  get oddities(): Listing["oddities"] {
    return this.#facts.oddities;
  }
  get complete(): boolean {
    return this.#facts.complete;
  }
  get format(): Listing["format"] {
    return this.#facts.format;
  }
  get compression(): Listing["compression"] {
    return this.#facts.compression;
  }
  get style(): Listing["style"] {
    return this.#facts.style;
  }
  get expectations(): number {
    return this.#facts.expectations;
  }

  async *batches(): AsyncGenerator<FlowColumns, void, undefined> {
    const { path, origin, program } = this.#options;
    const thread = ListingThread.start(program, { path, origin, batchRows: this.#batchRows });
    let taken = 0;
    try {
      for await (const { columns, facts, isEnd } of thread?.batches() ?? []) {
        this.#told = facts;
        if (isEnd) return;
        yield columns;
        taken += 1;
      }
    } finally {
      await thread?.end();
    }
    this.#told = undefined;
    let index = 0;
    for await (const columns of this.#own.batches()) {
      if (index >= taken) yield columns;
      index += 1;
    }
  }
}

type ListingFile = Pick<ListingShare, "path" | "origin" | "batchRows">;

/** This side of the thread. */
class ListingThread {
  readonly #worker: Worker;
  readonly #share: ListingShare;
  readonly #messages: AsyncIterable<[HandedBatch[]]>;

  /** Undefined where a process may have no threads (Node's --permission). */
  static start(program: string, file: ListingFile): ListingThread | undefined {
    try {
      return new ListingThread(program, file);
    } catch {
      return undefined;
    }
  }

  constructor(program: string, file: ListingFile) {
    const ring = Array.from(
      { length: RING_BATCHES },
      () => new SharedArrayBuffer(columnBytes(file.batchRows)),
    );
    const consumed = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    this.#share = { ...file, lot: LOT_BATCHES, consumed, ring };
    this.#worker = new Worker(program, { argv: ["explain", THREAD_WORD], workerData: this.#share });
    this.#worker.on("error", () => {});
    this.#messages = on(this.#worker, "message", { close: ["exit"] }) as AsyncIterable<[HandedBatch[]]>;
  }

  /** What the thread hands over: to the end of the listing, or until the thread fails. */
  async *batches(): AsyncGenerator<HandedBatch & { columns: FlowColumns }, void, undefined> {
    const { batchRows, consumed } = this.#share;
    const ring = this.#share.ring.map((memory) => new FlowColumns(batchRows, 0, memory));
    let done = 0;
    try {
      for await (const [lot] of this.#messages) {
        for (const batch of lot) {
          const columns = ring[done % ring.length] as FlowColumns;
          columns.clear();
          columns.count = batch.rows;
          columns.knownStatus = batch.knownStatus;
          for (const [row, rare] of batch.rare) columns.rare.set(row, rare);
          yield { ...batch, columns };
          done += 1;
          Atomics.store(consumed, 0, done);
        }
        Atomics.notify(consumed, 0);
      }
    } catch {
      // The thread has failed.
    }
  }

  /** Ends the thread, wherever it is; what it has open is closed with it. */
  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
