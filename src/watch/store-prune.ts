/**
 * Pruning: what is older than it is kept, and what the bound leaves no room for. Age is counted in seconds
 * that were written since (ticks), not by the clock: a clock that is wrong for a while makes nothing old.
 * Nothing goes before it was rolled up to the next level.
 */
import {
  CENSUS_DENSITY,
  EVENT_KEEP_SECONDS,
  EVENTS_KEPT,
  LEVELS,
  type StoreOptions,
} from "./store-levels.ts";
import type { Statements } from "./store-roll.ts";

/** Rows that go at a time. */
const BATCH = 16;

/** Prunes some of what is too old; whether there was any. Within a transaction. */
export function pruneOld(statement: Statements, tick: number, options: StoreOptions): boolean {
  const levels = LEVELS.map(({ stepSeconds, keepSeconds }, index) => {
    const keep = options.keepSeconds?.[stepSeconds as 1 | 10 | 60] ?? keepSeconds;
    return pruneLevel(statement, index, tick - keep);
  });
  const events = (["change", "note", "incident"] as const).map((table) =>
    pruneEvents(statement, table, tick),
  );
  const pruned = [...levels, ...events, thinCensuses(statement, tick)];
  return pruned.some((rows) => rows > 0);
}

/**
 * Prunes some of what takes most room, the oldest first; whether there was any. Hours go last, so that of
 * any time there is something as long as possible.
 */
export function pruneLargest(statement: Statements, tick: number): boolean {
  const bytes = `SELECT level, sum(bytes) AS bytes FROM block GROUP BY level
    UNION ALL SELECT 0, sum(bytes) FROM census ORDER BY 2 DESC`;
  const last = LEVELS.length - 1;
  const largest = statement(bytes)
    .all()
    .map((row) => LEVELS.findIndex(({ stepSeconds }) => stepSeconds === row["level"]));
  for (const index of [...largest.filter((level) => level !== last), last]) {
    const census = `DELETE FROM census WHERE tick IN (SELECT tick FROM census ORDER BY tick LIMIT ${BATCH})`;
    const rows = index === -1 ? statement(census).run().changes : pruneLevel(statement, index, tick);
    if (Number(rows) > 0) return true;
  }
  return false;
}

/** Some blocks of a level whose last second was before `beforeTick`. */
function pruneLevel(statement: Statements, index: number, beforeTick: number): number {
  const coarser = LEVELS[index + 1]?.stepSeconds;
  const rolled =
    coarser === undefined
      ? beforeTick
      : Number(statement("SELECT tick FROM rolled WHERE level = ?").get(coarser)?.["tick"] ?? -1) + 1;
  const sql = `DELETE FROM block WHERE id IN (SELECT id FROM block WHERE level = ? AND last_tick < ?
    AND first_tick < ? ORDER BY first_tick LIMIT ${BATCH})`;
  const before = Math.min(beforeTick, rolled);
  return Number(statement(sql).run(LEVELS[index]?.stepSeconds ?? 0, before, before).changes);
}

function pruneEvents(statement: Statements, table: keyof typeof EVENTS_KEPT, tick: number): number {
  const old = `DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} ORDER BY rowid LIMIT ${BATCH})
    AND (tick < ? OR rowid <= (SELECT max(rowid) FROM ${table}) - ${EVENTS_KEPT[table]})`;
  return Number(statement(old).run(tick - EVENT_KEEP_SECONDS).changes);
}

/** Of each span one census stays, the first. */
function thinCensuses(statement: Statements, tick: number): number {
  const rows = CENSUS_DENSITY.map(({ afterSeconds, onePerSeconds }) => {
    const span = (column: string): string => `CAST(${column} / ${onePerSeconds} AS INTEGER)`;
    const another = Number.isFinite(onePerSeconds)
      ? `AND EXISTS (SELECT 1 FROM census AS before WHERE before.tick < census.tick
          AND before.tick >= ${span("census.tick")} * ${onePerSeconds})`
      : "";
    const sql = `DELETE FROM census WHERE tick IN
      (SELECT tick FROM census WHERE tick < ? ${another} ORDER BY tick LIMIT ${BATCH})`;
    return Number(statement(sql).run(tick - afterSeconds).changes);
  });
  return rows.reduce((sum, count) => sum + count, 0);
}
