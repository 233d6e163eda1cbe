/**
 * The store: what the watcher remembers, in one SQLite file. It keeps to its bound, survives the death of the
 * process and of the machine at any point, and goes on after a full disk. docs/decisions/013 has the figures.
 *
 * Read first: store-levels.ts (what is kept for how long), store-roll.ts (how), store-read.ts (how it is
 * asked). store-file.ts opens, upgrades, and sets aside what is damaged.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { zstdCompressSync } from "node:zlib";
import type { Clock } from "../base/clock.ts";
import type { Incident } from "./alert.ts";
import type { HistoryWriter, Second, WatchNote } from "./history.ts";
import { StoreError, storeError } from "./store-error.ts";
import { becomeWriter, HISTORY_FILE, openForReading, openForWriting, PAGE_BYTES } from "./store-file.ts";
import { DEFAULT_MAX_BYTES, LEAST_MAX_BYTES, LOG_BYTES, type StoreOptions } from "./store-levels.ts";
import { kept } from "./store-points.ts";
import { pruneLargest, pruneOld } from "./store-prune.ts";
import { StoredHistory, WATCHED } from "./store-read.ts";
import { rollUp } from "./store-roll.ts";
import { StoreRows } from "./store-rows.ts";

/** Milliseconds `maintain` takes, and what it had begun by then. */
const MAINTENANCE_MS = 4;
/** Of the pages that may be used, above this share the largest part is pruned. */
const FULL_SHARE = 0.94;
/** Seconds between looks for what is too old. */
const PRUNE_EVERY = 60;

export interface StoreParts {
  /** The state directory; it must exist. */
  directory: string;
  clock: Clock;
  /** Renames a file: a damaged history is kept aside by it. */
  rename: (from: string, to: string) => void;
  options?: StoreOptions;
}

/**
 * Opens the history for writing, and makes it where there is none. Throws StoreError: `in-use` when another
 * process writes it, `newer`, `not-found`, `not-permitted`, `disk-full`. A damaged file is kept aside under
 * another name and a new one begun, which the first note says.
 */
export function openStore({ directory, clock, rename, options = {} }: StoreParts): HistoryWriter {
  const maxBytes = Math.max(options.maxBytes ?? DEFAULT_MAX_BYTES, LEAST_MAX_BYTES);
  const nowMs = clock.nowMs();
  const lock = becomeWriter(directory);
  let file: StoreRows | undefined;
  try {
    const { database, keptAside } = openForWriting(directory, maxBytes, { rename, nowMs });
    file = new StoreRows(database, `${directory}/${HISTORY_FILE}`);
    const store = new Store({ file, lock, maxBytes, clock, options });
    if (keptAside !== undefined) {
      const text = `The history was damaged and is kept as ${keptAside}; a new one was begun.`;
      store.addNote({ atMs: nowMs, kind: "gap", text });
    }
    return store;
  } catch (error) {
    file?.close();
    lock.close();
    throw error;
  }
}

/**
 * Opens the history of a directory for reading, beside the process that writes it. Throws StoreError:
 * `not-found`, `not-permitted`, `newer`, `damaged`. The caller closes it.
 */
export function openHistory(directory: string): StoredHistory {
  const file = new StoreRows(openForReading(directory), `${directory}/${HISTORY_FILE}`);
  try {
    const [bound] = file.all("SELECT body FROM state WHERE name = 'store.bound'");
    return new StoredHistory(file, Number(bound?.["body"] ?? DEFAULT_MAX_BYTES));
  } catch (error) {
    file.close();
    throw error;
  }
}

class Store extends StoredHistory implements HistoryWriter {
  readonly #file: StoreRows;
  readonly #lock: DatabaseSync;
  readonly #clock: Clock;
  readonly #options: StoreOptions;
  /** Pages of the file at most, without the log. */
  readonly #mostPages: number;
  /** Of the last second: its number, its pass of the clock, its time. */
  #tick: number;
  #epoch: number;
  #atMs: number;
  #prunedTick = 0;

  constructor(parts: {
    file: StoreRows;
    lock: DatabaseSync;
    maxBytes: number;
    clock: Clock;
    options: StoreOptions;
  }) {
    super(parts.file, parts.maxBytes);
    this.#file = parts.file;
    this.#lock = parts.lock;
    this.#clock = parts.clock;
    this.#options = parts.options;
    this.#mostPages = Math.floor((parts.maxBytes - LOG_BYTES) / PAGE_BYTES);
    const [last] = this.#file.all("SELECT tick, epoch, at_ms FROM recent ORDER BY tick DESC LIMIT 1");
    this.#tick = Number(last?.["tick"] ?? 0);
    this.#epoch = Number(last?.["epoch"] ?? 0);
    this.#atMs = Number(last?.["at_ms"] ?? Number.NEGATIVE_INFINITY);
    this.writeState("store.bound", parts.maxBytes);
  }

  append(second: Second): void {
    try {
      this.#append(second);
    } catch (error) {
      // Full by our own bound, not the disk: room is made of what is oldest.
      if (!(error instanceof StoreError) || error.code !== "disk-full" || !this.#isFull()) throw error;
      this.#file.writing("prune", () => pruneLargest((sql) => this.#file.statement(sql), this.#tick));
      this.#append(second);
    }
  }

  #append({ sample, others, census, changes = [], notes = [] }: Second): void {
    if (this.#tick % 64 === 0) this.#boundLog();
    const tick = this.#tick + 1;
    const epoch = sample.atMs < this.#atMs ? this.#epoch + 1 : this.#epoch;
    const body: Record<string, Record<string, number>> = { [WATCHED]: measured(sample.values) };
    // Of a namespace that is not watched only these are kept.
    for (const [label, { values }] of others ?? []) {
      const { occupancyFlows, capacityFlows } = values;
      body[label] = measured({ occupancyFlows, capacityFlows });
    }
    this.#file.writing("append to", () => {
      this.#file
        .statement("INSERT INTO recent VALUES (?, ?, ?, ?)")
        .run(tick, epoch, sample.atMs, JSON.stringify(body));
      if (census !== undefined) {
        const bytes = deflated(census.census);
        const insert = "INSERT OR REPLACE INTO census VALUES (?, ?, ?, ?)";
        this.#file.statement(insert).run(tick, census.atMs, bytes.length, bytes);
      }
      for (const change of changes) this.#insertEvent("change", tick, change);
      for (const note of notes) this.#insertEvent("note", tick, note);
    });
    [this.#tick, this.#epoch, this.#atMs] = [tick, epoch, sample.atMs];
  }

  addNote(note: WatchNote): void {
    this.#file.writing("append to", () => this.#insertEvent("note", this.#tick, note));
  }

  putIncident(incident: Incident): void {
    const { sinceMs, firedAtMs, resolvedAtMs } = incident.alert;
    const bytes = deflated(incident);
    this.#file.writing("append to", () => {
      this.#file
        .statement(
          `INSERT INTO incident VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id)
          DO UPDATE SET at_ms = excluded.at_ms,
          end_ms = excluded.end_ms, bytes = excluded.bytes, body = excluded.body`,
        )
        .run(incident.id, this.#tick, firedAtMs ?? sinceMs, resolvedAtMs ?? null, bytes.length, bytes);
    });
  }

  writeState(name: string, value: unknown): void {
    this.#file.writing("append to", () => {
      if (value === undefined) this.#file.statement("DELETE FROM state WHERE name = ?").run(name);
      else
        this.#file.statement("INSERT OR REPLACE INTO state VALUES (?, ?)").run(name, JSON.stringify(value));
    });
  }

  /** One thing after the other until some milliseconds are over; the rest waits for the next call. */
  maintain(): void {
    const statement = (sql: string): StatementSync => this.#file.statement(sql);
    const begunMs = this.#clock.elapsedMs();
    const isTime = (): boolean => this.#clock.elapsedMs() - begunMs < MAINTENANCE_MS;
    const repeat = (trying: string, work: () => boolean): void => {
      while (isTime() && this.#file.writing(trying, work)) continue;
    };
    // Full first: rolling up needs room.
    repeat("prune", () => this.#isFull() && pruneLargest(statement, this.#tick));
    repeat("roll up", () => rollUp(statement));
    if (this.#tick - this.#prunedTick >= PRUNE_EVERY) {
      repeat("prune", () => pruneOld(statement, this.#tick, this.#options) || !this.#hasPruned());
    }
    this.#giveBack();
  }

  override close(): void {
    if (!this.#file.isOpen) return;
    try {
      if (!this.#file.isDamaged) this.writeState("store.closed", true);
    } catch (error) {
      // Without that mark the next start checks the file whole, which does no harm.
      if (!(error instanceof StoreError)) throw error;
    } finally {
      super.close();
      this.#lock.close();
    }
  }

  /** Notes that nothing more is too old, for a while. */
  #hasPruned(): boolean {
    this.#prunedTick = this.#tick;
    return true;
  }

  #insertEvent(table: "change" | "note", tick: number, event: { atMs: number }): void {
    const insert = `INSERT INTO ${table} (tick, at_ms, body) VALUES (?, ?, ?)`;
    this.#file.statement(insert).run(tick, event.atMs, JSON.stringify(event));
  }

  #isFull(): boolean {
    const { all, free } = this.#file.pages();
    return all - free > this.#mostPages * FULL_SHARE;
  }

  /** Gives pages that are free back to the disk when they are many. */
  #giveBack(): void {
    const { all, free } = this.#file.pages();
    if (free < 1024 || free * 4 < all) return;
    this.#file.run("prune", "PRAGMA incremental_vacuum(256)");
  }

  /** A reader that does not end keeps the log growing; before it is too long nothing more is written. */
  #boundLog(): void {
    if (this.#file.logBytes() < LOG_BYTES / 2) return;
    this.#file.run("append to", "PRAGMA wal_checkpoint(RESTART)");
    if (this.#file.logBytes() < LOG_BYTES / 2) return;
    const found = "it has been reading for so long that the log is full";
    throw storeError("in-use", { trying: "append to", path: this.#file.path, found });
  }
}

/** The values that were measured, as they are kept. */
function measured(values: Readonly<Record<string, number | undefined>>): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && Number.isFinite(value)) numbers[name] = kept(value);
  }
  return numbers;
}

function deflated(value: unknown): Uint8Array {
  return zstdCompressSync(new TextEncoder().encode(JSON.stringify(value)));
}
