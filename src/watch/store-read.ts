/** Reading the history: what the writer and the readers in other processes have in common. */
import { zstdDecompressSync } from "node:zlib";
import type { SeriesColumns, SeriesName, SpanColumns } from "../table/series.ts";
import type { Incident } from "./alert.ts";
import type { History, HistorySize, SeriesQuery, SettingChange, StoredCensus, WatchNote } from "./history.ts";
import { StoreError, storeError } from "./store-error.ts";
import { LEVELS } from "./store-levels.ts";
import { unpackPoints } from "./store-points.ts";
import type { StoreRows } from "./store-rows.ts";
import { meansOf, Spans } from "./store-spans.ts";

/** The name under which samples of the watched namespace are kept. */
export const WATCHED = "";
/** A point of the least step, and the most points of a query. */
const MOST_POINTS = 1_000_000;

/** One second as it was appended: values by namespace. */
export type RecentBody = Readonly<Record<string, Readonly<Record<string, number>>>>;

interface Grid {
  /** Index of the level that is read. */
  level: number;
  startMs: number;
  stepMs: number;
  length: number;
}

export class StoredHistory implements History {
  readonly #file: StoreRows;
  readonly #boundBytes: number;

  constructor(file: StoreRows, boundBytes: number) {
    this.#file = file;
    this.#boundBytes = boundBytes;
  }

  /**
   * Spans lie side by side and begin at multiples of their length since 1970. They begin with the oldest and
   * end with the newest sample there is of the time asked for. Where the clock was set back, a span has what
   * was measured in both passes.
   */
  series(query: SeriesQuery): SeriesColumns {
    return this.#file.reading(() => {
      const names = new Set<string>(query.names);
      const grid = this.#gridOf(query);
      const spans = new Spans(grid.startMs, grid.stepMs, grid.length);
      if (grid.length > 0) this.#fill(spans, grid.level, query.namespace ?? WATCHED, names);
      return columnsOf(spans, query.names);
    });
  }

  censusAt(atMs: number): StoredCensus | undefined {
    const sql = "SELECT at_ms, body FROM census WHERE at_ms <= ? ORDER BY at_ms DESC, tick DESC LIMIT 1";
    const row = this.#file.all(sql, atMs)[0];
    if (row === undefined) return undefined;
    return { atMs: Number(row["at_ms"]), census: this.#inflate(row["body"]) as StoredCensus["census"] };
  }

  censusTimes(fromMs: number, toMs: number): readonly number[] {
    const sql = "SELECT at_ms FROM census WHERE at_ms BETWEEN ? AND ? ORDER BY at_ms, tick";
    return this.#file.all(sql, fromMs, toMs).map((row) => Number(row["at_ms"]));
  }

  settingChanges(fromMs: number, toMs: number): readonly SettingChange[] {
    const sql = "SELECT body FROM change WHERE at_ms BETWEEN ? AND ? ORDER BY at_ms, id";
    return this.#file.all(sql, fromMs, toMs).map((row) => JSON.parse(String(row["body"])) as SettingChange);
  }

  /** Those that were under way at some time in between; by their beginning. */
  incidents(fromMs: number, toMs: number): readonly Incident[] {
    const sql = `SELECT body FROM incident WHERE at_ms <= ? AND (end_ms IS NULL OR end_ms >= ?)
      ORDER BY at_ms, tick, id`;
    return this.#file.all(sql, toMs, fromMs).map((row) => this.#inflate(row["body"]) as Incident);
  }

  incident(id: string): Incident | undefined {
    const row = this.#file.all("SELECT body FROM incident WHERE id = ?", id)[0];
    return row && (this.#inflate(row["body"]) as Incident);
  }

  notes(fromMs: number, toMs: number): readonly WatchNote[] {
    const sql = "SELECT body FROM note WHERE at_ms BETWEEN ? AND ? ORDER BY at_ms, id";
    return this.#file.all(sql, fromMs, toMs).map((row) => JSON.parse(String(row["body"])) as WatchNote);
  }

  namespaces(): readonly string[] {
    const ofRecent = this.#file.all("SELECT DISTINCT key AS label FROM recent, json_each(body)");
    const ofLevels = LEVELS.flatMap(({ stepSeconds }) =>
      this.#file.all("SELECT DISTINCT namespace AS label FROM block WHERE level = ?", stepSeconds),
    );
    const labels = new Set([...ofRecent, ...ofLevels].map(({ label }) => String(label)));
    return [...labels].filter((label) => label !== WATCHED).toSorted();
  }

  /** The oldest sample is the one that was written first, whatever the clock said then. */
  size(): HistorySize {
    const firstOf = "SELECT start_ms AS at_ms FROM block WHERE level = ? ORDER BY first_tick LIMIT 1";
    const coarsestFirst = LEVELS.toReversed().flatMap(({ stepSeconds }) =>
      this.#file.all(firstOf, stepSeconds),
    );
    const oldest = coarsestFirst[0] ?? this.#file.all("SELECT at_ms FROM recent ORDER BY tick LIMIT 1")[0];
    const size = { sizeBytes: this.#file.sizeBytes(), boundBytes: this.#boundBytes };
    return oldest === undefined ? size : { ...size, oldestAtMs: Number(oldest["at_ms"]) };
  }

  readState(name: string): unknown {
    const body = this.#file.all("SELECT body FROM state WHERE name = ?", name)[0]?.["body"];
    return typeof body === "string" ? JSON.parse(body) : undefined;
  }

  close(): void {
    this.#file.close();
  }

  /** Which level answers a query, and the spans of the answer. */
  #gridOf({ fromMs, toMs, points, namespace }: SeriesQuery): Grid {
    const most = Math.min(Math.max(Math.floor(points), 1), MOST_POINTS);
    const { first, end } = this.#extent(fromMs, toMs, namespace ?? WATCHED);
    if (first === undefined) return { level: 0, startMs: fromMs, stepMs: 1000, length: 0 };
    const wantedMs = (end - first) / most;
    const fits = LEVELS.findLastIndex(({ stepSeconds }) => stepSeconds * 1000 <= wantedMs);
    const level = this.#reachingBack(Math.max(fits, 0), first, end);
    const unit = (LEVELS[level]?.stepSeconds ?? 1) * 1000;
    let stepMs = Math.max(1, Math.ceil(wantedMs / unit)) * unit;
    for (; ; stepMs += unit) {
      const startMs = Math.floor(first / stepMs) * stepMs;
      const length = Math.ceil((end - startMs) / stepMs);
      if (length <= most) return { level, startMs, stepMs, length };
    }
  }

  /** When the samples between two instants begin and end; `first` is absent when there are none. */
  #extent(fromMs: number, toMs: number, namespace: string): { first?: number; end: number } {
    let first = Number.POSITIVE_INFINITY;
    let end = Number.NEGATIVE_INFINITY;
    const widen = (row: Record<string, unknown> | undefined): void => {
      if (row === undefined || row["first"] === null || row["last"] === null) return;
      first = Math.min(first, Number(row["first"]));
      end = Math.max(end, Number(row["last"]));
    };
    for (const { stepSeconds, blockSeconds } of LEVELS) {
      const where = `FROM block WHERE level = ${stepSeconds} AND namespace = ?`;
      const within = `${where} AND start_ms >= ? AND start_ms < ? AND end_ms > ?`;
      const oldest = `SELECT min(start_ms) AS first, max(end_ms) AS last ${within}`;
      widen(this.#file.statement(oldest).get(namespace, fromMs - (blockSeconds + 1) * 1000, toMs, fromMs));
    }
    const recent =
      "SELECT min(at_ms) AS first, max(at_ms) + 1 AS last FROM recent WHERE at_ms >= ? AND at_ms < ?";
    widen(this.#file.statement(recent).get(fromMs, toMs));
    if (first === Number.POSITIVE_INFINITY) return { end };
    return { first: Math.max(first, fromMs), end: Math.min(end, toMs) };
  }

  /** The first level from `level` on that has everything of the time asked for which a coarser one has. */
  #reachingBack(level: number, first: number, end: number): number {
    const oldest = `SELECT ifnull(min(first_tick), (SELECT ifnull(max(last_tick), -1) + 1 FROM block))
      AS tick FROM block WHERE level <= ?`;
    const older = `SELECT 1 FROM block WHERE level = ? AND namespace = '' AND start_ms >= ? AND start_ms < ?
      AND end_ms > ? AND last_tick < ? LIMIT 1`;
    for (let reaching = level; reaching < LEVELS.length - 1; reaching += 1) {
      const tick = Number(
        this.#file.statement(oldest).get(LEVELS[reaching]?.stepSeconds ?? 1)?.["tick"] ?? 0,
      );
      const hasOlder = LEVELS.slice(reaching + 1).some(({ stepSeconds, blockSeconds }) => {
        const from = first - (blockSeconds + 1) * 1000;
        return this.#file.statement(older).get(stepSeconds, from, end, first, tick) !== undefined;
      });
      if (!hasOlder) return reaching;
    }
    return LEVELS.length - 1;
  }

  /** Reads a level, and what is not rolled up to it yet from the finer ones. */
  #fill(spans: Spans, level: number, namespace: string, names: ReadonlySet<string>): void {
    const end = spans.startMs + spans.length * spans.stepMs;
    let rolled = -1;
    for (const { stepSeconds, blockSeconds } of LEVELS.slice(0, level + 1).toReversed()) {
      const sql = `SELECT body FROM block WHERE level = ${stepSeconds} AND namespace = ? AND start_ms >= ?
        AND start_ms < ? AND end_ms > ? AND first_tick > ? ORDER BY first_tick`;
      const from = spans.startMs - (blockSeconds + 1) * 1000;
      for (const row of this.#file.statement(sql).iterate(namespace, from, end, spans.startMs, rolled)) {
        const points = row["body"] instanceof Uint8Array ? unpackPoints(row["body"], names) : undefined;
        if (points !== undefined) spans.addPoints(points);
      }
      rolled = Math.max(rolled, this.#rolledTick(stepSeconds));
    }
    const recent = "SELECT at_ms, body FROM recent WHERE at_ms >= ? AND at_ms < ? ORDER BY tick";
    for (const row of this.#file.statement(recent).iterate(spans.startMs, end)) {
      const values = (JSON.parse(String(row["body"])) as RecentBody)[namespace];
      if (values !== undefined) spans.addSample(Number(row["at_ms"]), values, names);
    }
  }

  /** Up to which tick a level has everything; -1 when nothing. */
  #rolledTick(stepSeconds: number): number {
    return Number(
      this.#file.statement("SELECT tick FROM rolled WHERE level = ?").get(stepSeconds)?.["tick"] ?? -1,
    );
  }

  #inflate(body: unknown): unknown {
    try {
      if (body instanceof Uint8Array) return JSON.parse(new TextDecoder().decode(zstdDecompressSync(body)));
    } catch (cause) {
      throw storeError("damaged", { trying: "read", path: this.#file.path, cause });
    }
    throw new StoreError("damaged", `Cannot read ${this.#file.path}: a census is no census`);
  }
}

function columnsOf(spans: Spans, names: readonly SeriesName[]): SeriesColumns {
  const nothing = new Float64Array(spans.length).fill(Number.NaN);
  const columns: { [name in SeriesName]?: SpanColumns } = {};
  for (const name of names) {
    const found = spans.series.get(name);
    columns[name] =
      found === undefined
        ? { min: nothing, avg: nothing, max: nothing }
        : { min: found.min, avg: meansOf(found), max: found.max };
  }
  const atMs = Float64Array.from({ length: spans.length }, (_, span) => spans.startMs + span * spans.stepMs);
  return { atMs, stepSeconds: spans.stepMs / 1000, columns };
}
