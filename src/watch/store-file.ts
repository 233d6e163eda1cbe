/**
 * The files of the history in the state directory: history.sqlite (write-ahead log, so that readers in other
 * processes and the writer do not wait for each other), and writer.sqlite, whose lock says that there is a
 * writer and whose one row says who. The lock is the kernel's, so it ends with the process, however it ends.
 */
import { DatabaseSync } from "node:sqlite";
import { fromSqlite, guarded, StoreError, storeError } from "./store-error.ts";
import { LOG_BYTES } from "./store-levels.ts";

export const HISTORY_FILE = "history.sqlite";
const WRITER_FILE = "writer.sqlite";
/** "HdRm": tells our files from others (pragma application_id). */
const APPLICATION = 0x48_64_52_6d;
/** Milliseconds a reader or the writer waits for the other's short moments. */
const WAIT_MS = 2000;
export const PAGE_BYTES = 4096;

/** Each brings a file of the version before to the next; a new file goes through all of them. */
const UPGRADES: readonly string[] = [
  `
  CREATE TABLE recent (tick INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, at_ms REAL NOT NULL,
    body TEXT NOT NULL) STRICT;
  CREATE TABLE block (id INTEGER PRIMARY KEY, level INTEGER NOT NULL, namespace TEXT NOT NULL,
    epoch INTEGER NOT NULL, start_ms REAL NOT NULL, end_ms REAL NOT NULL, first_tick INTEGER NOT NULL,
    last_tick INTEGER NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
  CREATE UNIQUE INDEX block_span ON block (level, namespace, start_ms, epoch, first_tick);
  CREATE INDEX block_end ON block (level, namespace, end_ms);
  CREATE INDEX block_tick ON block (level, first_tick, last_tick, bytes);
  CREATE TABLE rolled (level INTEGER PRIMARY KEY, tick INTEGER NOT NULL) STRICT;
  CREATE TABLE census (tick INTEGER PRIMARY KEY, at_ms REAL NOT NULL, bytes INTEGER NOT NULL,
    body BLOB NOT NULL) STRICT;
  CREATE INDEX census_at ON census (at_ms, bytes);
  CREATE TABLE change (id INTEGER PRIMARY KEY, tick INTEGER NOT NULL, at_ms REAL NOT NULL,
    body TEXT NOT NULL) STRICT;
  CREATE INDEX change_at ON change (at_ms);
  CREATE TABLE note (id INTEGER PRIMARY KEY, tick INTEGER NOT NULL, at_ms REAL NOT NULL,
    body TEXT NOT NULL) STRICT;
  CREATE INDEX note_at ON note (at_ms);
  CREATE TABLE incident (id TEXT PRIMARY KEY, tick INTEGER NOT NULL, at_ms REAL NOT NULL, end_ms REAL,
    bytes INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
  CREATE INDEX incident_at ON incident (at_ms);
  CREATE TABLE state (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  `,
];

export interface OpenedFile {
  database: DatabaseSync;
  /** Where the damaged file is that was there before. */
  keptAside?: string;
}

/** Opens the history for writing, makes it where there is none, brings an older one up to date. */
export function openForWriting(
  directory: string,
  maxBytes: number,
  { rename, nowMs }: { rename: (from: string, to: string) => void; nowMs: number },
): OpenedFile {
  const path = `${directory}/${HISTORY_FILE}`;
  try {
    return { database: openChecked(path, maxBytes) };
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "damaged") throw error;
  }
  const aside = `${path}.damaged-${new Date(nowMs).toISOString().replaceAll(":", "")}`;
  keepAside(path, aside, rename);
  return { database: openChecked(path, maxBytes), keptAside: aside };
}

/** The log goes first: without its file it would be thrown away; a file without its log is still damaged. */
function keepAside(path: string, aside: string, rename: (from: string, to: string) => void): void {
  for (const ending of ["-wal", "-shm"]) {
    try {
      rename(path + ending, aside + ending);
    } catch {
      // Not there, or it cannot be renamed, which the file itself then tells.
    }
  }
  try {
    rename(path, aside);
  } catch (cause) {
    throw storeError("damaged", { trying: "keep aside", path, cause });
  }
}

function openChecked(path: string, maxBytes: number): DatabaseSync {
  const database = guarded("open", path, () => new DatabaseSync(path, { timeout: WAIT_MS }));
  try {
    guarded("open", path, () => prepareFile(database, path, maxBytes));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function prepareFile(database: DatabaseSync, path: string, maxBytes: number): void {
  const application = numberOf(database, "application_id");
  const empty = numberOf(database, "schema_version") === 0;
  if (!empty && application !== APPLICATION) {
    throw storeError("damaged", { trying: "open", path, found: "it is no history of Headroom" });
  }
  const version = numberOf(database, "user_version");
  if (version > UPGRADES.length) {
    throw storeError("newer", {
      trying: "open",
      path,
      found: `version ${version}, known ${UPGRADES.length}`,
    });
  }
  if (empty) database.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL`);
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA journal_size_limit = ${LOG_BYTES / 2};
    PRAGMA max_page_count = ${Math.floor((maxBytes - LOG_BYTES) / PAGE_BYTES)}`);
  if (!empty && !wasClosed(database)) {
    const found = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
    if (found !== "ok") throw storeError("damaged", { trying: "open", path, found: String(found) });
  }
  database.exec("BEGIN IMMEDIATE");
  for (const statements of UPGRADES.slice(version)) database.exec(statements);
  if (version < UPGRADES.length) database.exec(`PRAGMA user_version = ${UPGRADES.length}`);
  if (empty) database.exec(`PRAGMA application_id = ${APPLICATION}`);
  database.exec("DELETE FROM state WHERE name = 'store.closed'");
  database.exec("COMMIT");
}

/** Whether the writer before said goodbye: then the file is as it was left. Else it is checked whole. */
function wasClosed(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM state WHERE name = 'store.closed'").get() !== undefined;
}

/** Opens the history for reading; the writer and its log stay undisturbed. */
export function openForReading(directory: string): DatabaseSync {
  const path = `${directory}/${HISTORY_FILE}`;
  return guarded("read", path, () => {
    const database = new DatabaseSync(path, { readOnly: true, timeout: WAIT_MS });
    try {
      const version = numberOf(database, "user_version");
      if (numberOf(database, "application_id") !== APPLICATION || version === 0) {
        throw storeError("not-found", { trying: "read", path });
      }
      if (version > UPGRADES.length) {
        throw storeError("newer", { trying: "read", path, found: `version ${version}` });
      }
      if (version < UPGRADES.length) {
        throw storeError("not-found", {
          trying: "read",
          path,
          found: `version ${version} is not upgraded yet`,
        });
      }
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** A pragma's number. */
function numberOf(database: DatabaseSync, pragma: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0] ?? 0);
}

/** Becomes the one writer, until closed or dead. StoreError `in-use` names who is. */
export function becomeWriter(directory: string): DatabaseSync {
  const path = `${directory}/${WRITER_FILE}`;
  const trying = "become the writer of the history by";
  const lock = guarded(trying, path, () => new DatabaseSync(path, { timeout: 0 }));
  try {
    lock.exec("PRAGMA synchronous = OFF; BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS writer (pid INTEGER)");
    lock.exec(`DELETE FROM writer; INSERT INTO writer VALUES (${process.pid}); COMMIT; BEGIN IMMEDIATE`);
    return lock;
  } catch (cause) {
    const error = fromSqlite(cause, trying, path) ?? cause;
    const pid = error instanceof StoreError && error.code === "in-use" ? writerOf(lock) : undefined;
    lock.close();
    if (pid === undefined) throw error;
    throw storeError("in-use", { trying, path, found: `process ${pid} writes it`, cause });
  }
}

function writerOf(lock: DatabaseSync): number | undefined {
  try {
    return Number(lock.prepare("SELECT pid FROM writer").get()?.["pid"]);
  } catch {
    return undefined;
  }
}
