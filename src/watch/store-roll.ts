/**
 * Rolling up: a block's time is over when there is something of later; then the seconds of it become a block,
 * or the blocks of the level before one of the next. One block at a time, each in one transaction with the
 * mark up to where it was done: done again after a crash or not at all, never twice.
 *
 * Order is by tick, the number of a second in the order of writing, not by the clock: where the clock was set
 * back a new epoch begins, and blocks of two epochs are never mixed.
 */
import type { StatementSync } from "node:sqlite";
import { type Level, LEVELS } from "./store-levels.ts";
import { kept, ofSingles, packPoints, type PointColumns, type Points, unpackPoints } from "./store-points.ts";
import { type RecentBody, WATCHED } from "./store-read.ts";
import { Spans } from "./store-spans.ts";

export type Statements = (sql: string) => StatementSync;

/** A block's time: of one epoch, from `fromMs` to before `toMs`, from `firstTick` to before `nextTick`. */
interface BlockTime {
  epoch: number;
  fromMs: number;
  toMs: number;
  firstTick: number;
  nextTick: number;
}

/** Makes the next block that is due; false when none is. Within a transaction. */
export function rollUp(statement: Statements): boolean {
  if (rollSeconds(statement)) return true;
  return LEVELS.some((level, index) => {
    const finer = LEVELS[index - 1];
    return finer !== undefined && rollBlocks(statement, finer, level);
  });
}

function rollSeconds(statement: Statements): boolean {
  const [level] = LEVELS;
  const time = timeOf(
    level,
    statement("SELECT tick, epoch, at_ms FROM recent ORDER BY tick LIMIT 1").get(),
    statement("SELECT tick, epoch, at_ms FROM recent ORDER BY tick DESC LIMIT 1").get(),
  );
  if (time === undefined) return false;
  const later = "SELECT min(tick) AS tick FROM recent WHERE epoch <> ? OR at_ms < ? OR at_ms >= ?";
  time.nextTick = Number(statement(later).get(time.epoch, time.fromMs, time.toMs)?.["tick"]);
  const rows = statement("SELECT at_ms, body FROM recent WHERE tick < ? ORDER BY tick").all(time.nextTick);
  const atMs = Float64Array.from(rows, (row) => Number(row["at_ms"]));
  const bodies = rows.map((row) => JSON.parse(String(row["body"])) as RecentBody);
  for (const namespace of new Set(bodies.flatMap(Object.keys))) {
    write(statement, { level, namespace, time, points: pointsOf(atMs, bodies, namespace) });
  }
  statement("DELETE FROM recent WHERE tick < ?").run(time.nextTick);
  mark(statement, level, time);
  return true;
}

/** The seconds of one namespace as points. */
function pointsOf(atMs: Float64Array, bodies: readonly RecentBody[], namespace: string): Points {
  const rows = bodies.map((body) => body[namespace]);
  const taken = [...rows.keys()].filter((row) => rows[row] !== undefined);
  const names = new Set(rows.flatMap((values) => Object.keys(values ?? {})));
  const series = new Map<string, PointColumns>();
  for (const name of names) {
    series.set(name, ofSingles(Float64Array.from(taken, (row) => kept(rows[row]?.[name] ?? Number.NaN))));
  }
  return { atMs: Float64Array.from(taken, (row) => atMs[row] as number), series };
}

function rollBlocks(statement: Statements, finer: Level, level: Level): boolean {
  const rolled = statement("SELECT tick FROM rolled WHERE level = ?").get(level.stepSeconds)?.["tick"] ?? -1;
  const next = `SELECT first_tick AS tick, epoch, start_ms AS at_ms FROM block
    WHERE level = ${finer.stepSeconds} AND first_tick > ? AND namespace = ''`;
  const time = timeOf(
    level,
    statement(`${next} ORDER BY first_tick LIMIT 1`).get(Number(rolled)),
    statement(`${next} ORDER BY first_tick DESC LIMIT 1`).get(Number(rolled)),
  );
  if (time === undefined) return false;
  const later = `${next} AND (epoch <> ? OR start_ms < ? OR start_ms >= ?) ORDER BY first_tick LIMIT 1`;
  time.nextTick = Number(statement(later).get(Number(rolled), time.epoch, time.fromMs, time.toMs)?.["tick"]);
  const stepMs = level.stepSeconds * 1000;
  const blocks = `SELECT namespace, body FROM block WHERE level = ${finer.stepSeconds} AND first_tick > ?
    AND first_tick < ? ORDER BY first_tick`;
  const byNamespace = new Map<string, Spans>();
  for (const row of statement(blocks).all(Number(rolled), time.nextTick)) {
    const namespace = String(row["namespace"]);
    const spans =
      byNamespace.get(namespace) ?? new Spans(time.fromMs, stepMs, level.blockSeconds / level.stepSeconds);
    byNamespace.set(namespace, spans);
    // What cannot be unpacked is damaged, and a gap from here on.
    const points = row["body"] instanceof Uint8Array ? unpackPoints(row["body"]) : undefined;
    if (points !== undefined) spans.addPoints(points);
  }
  for (const [namespace, spans] of byNamespace) {
    write(statement, { level, namespace, time, points: spans.toPoints() });
  }
  mark(statement, level, time);
  return true;
}

/** The time of the block that `first` belongs to, when it is over, which `last` tells. */
function timeOf(
  { blockSeconds }: Level,
  first: Record<string, unknown> | undefined,
  last: Record<string, unknown> | undefined,
): BlockTime | undefined {
  if (first === undefined || last === undefined) return undefined;
  const blockMs = blockSeconds * 1000;
  const fromMs = Math.floor(Number(first["at_ms"]) / blockMs) * blockMs;
  const [epoch, lastMs] = [Number(first["epoch"]), Number(last["at_ms"])];
  const over = last["epoch"] !== epoch || lastMs < fromMs || lastMs >= fromMs + blockMs;
  const firstTick = Number(first["tick"]);
  return over ? { epoch, fromMs, toMs: fromMs + blockMs, firstTick, nextTick: firstTick + 1 } : undefined;
}

function write(
  statement: Statements,
  block: { level: Level; namespace: string; time: BlockTime; points: Points },
): void {
  const { level, namespace, time, points } = block;
  if (points.atMs.length === 0 && namespace !== WATCHED) return;
  const body = packPoints(points, level.stepSeconds === 1);
  const startMs = points.atMs[0] ?? time.fromMs;
  // A sample ends where it begins: no empty point comes after the last one.
  const lengthMs = level.stepSeconds === 1 ? 1 : level.stepSeconds * 1000;
  const endMs = (points.atMs.at(-1) ?? time.fromMs) + lengthMs;
  statement(
    `INSERT INTO block (level, namespace, epoch, start_ms, end_ms, first_tick, last_tick, bytes, body)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    level.stepSeconds,
    namespace,
    time.epoch,
    startMs,
    endMs,
    time.firstTick,
    time.nextTick - 1,
    body.length,
    body,
  );
}

function mark(statement: Statements, { stepSeconds }: Level, { nextTick }: BlockTime): void {
  statement("INSERT INTO rolled VALUES (?, ?) ON CONFLICT (level) DO UPDATE SET tick = excluded.tick").run(
    stepSeconds,
    nextTick - 1,
  );
}
