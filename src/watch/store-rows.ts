/** Statements on an opened file of the history: prepared once, and their errors as ours. */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { guarded, StoreError, storeError } from "./store-error.ts";
import { PAGE_BYTES } from "./store-file.ts";

/** Bytes a page takes in the log: itself and its head (sqlite.org/fileformat2.html, section 4). */
const LOG_PAGE_BYTES = PAGE_BYTES + 24;

export class StoreRows {
  readonly path: string;
  readonly #database: DatabaseSync;
  #isDamaged = false;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.path = path;
  }

  get isOpen(): boolean {
    return this.#database.isOpen;
  }

  /** Whether the file was seen to be damaged: then the next start must check it whole. */
  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  statement(sql: string): StatementSync {
    const found = this.#statements.get(sql);
    if (found !== undefined) return found;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.guard("read", () => this.statement(sql).all(...values));
  }

  run(trying: string, sql: string): void {
    this.guard(trying, () => this.#database.exec(sql));
  }

  /** Pages of the file, those that are free among them. */
  pages(): { all: number; free: number } {
    const sql = "SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count";
    const row = this.guard("measure", () => this.statement(sql).get());
    return { all: Number(row?.["page_count"]), free: Number(row?.["freelist_count"]) };
  }

  /** Several readings that see the same state of the file. */
  reading<Result>(work: () => Result): Result {
    return this.guard("read", () => {
      this.#database.exec("BEGIN");
      try {
        return work();
      } finally {
        this.#database.exec("COMMIT");
      }
    });
  }

  /** Writes everything of `work`, or nothing when it throws. */
  writing<Result>(trying: string, work: () => Result): Result {
    return this.guard(trying, () => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        this.#database.exec("COMMIT");
        return result;
      } catch (error) {
        // SQLite may have rolled back itself, as when the disk is full.
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    });
  }

  /** What the log takes. */
  logBytes(): number {
    const row = this.all("PRAGMA wal_checkpoint(NOOP)")[0];
    return Math.max(0, Number(row?.["log"] ?? 0)) * LOG_PAGE_BYTES;
  }

  /** What the file and its log take. */
  sizeBytes(): number {
    return this.pages().all * PAGE_BYTES + this.logBytes();
  }

  guard<Result>(trying: string, work: () => Result): Result {
    if (!this.isOpen) throw storeError("closed", { trying, path: this.path });
    try {
      return guarded(trying, this.path, work);
    } catch (error) {
      if (error instanceof StoreError && error.code === "damaged") this.#isDamaged = true;
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}
