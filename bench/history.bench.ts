/**
 * The history of a busy host: what a second costs to write, what days take on the disk, and how long a query
 * over all of it takes. Days are filled as the store fills them, but thousands of seconds in a transaction.
 */
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { ManualClock, systemClock } from "../src/base/clock.ts";
import { type Random, seededRandom } from "../src/base/random.ts";
import { COUNTER_SERIES, SERIES_NAMES } from "../src/table/series.ts";
import { rollUp } from "../src/watch/store-roll.ts";
import type { HistoryWriter, Second } from "../src/watch/history.ts";
import { openStore } from "../src/watch/store.ts";
import { type BenchOutput, medianMs } from "./bench.ts";

export const name = "history";
export const about = "a second written and rolled up, and a query over all days for 1,000 points";
/** Days. */
export const small = 0.05;
export const smallResult = "864 points of 5 s";
export const large = 30;

const DAY_SECONDS = 86_400;
const START = Date.UTC(2026, 2, 1);
const POINTS = 1000;
/** Milliseconds that drawing 30 days may wait for. */
const MOST_MS = 50;
const RUNS = 9;

export function run(days: number, out: BenchOutput): void {
  const directory = mkdtempSync(join(tmpdir(), "hr-bench-history-"));
  try {
    measure(directory, days, out);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function measure(directory: string, days: number, out: BenchOutput): void {
  const seconds = Math.round(days * DAY_SECONDS);
  const options = { maxBytes: 1024 ** 3 };
  const clock = new ManualClock(START);
  openStore({ directory, clock, rename: renameSync, options }).close();
  const random = seededRandom(1);
  const begun = performance.now();
  fillDays(`${directory}/history.sqlite`, seconds, random);
  out.figure("filling", ((performance.now() - begun) * 1000) / seconds, "us a second");
  const store = openStore({ directory, clock: systemClock, rename: renameSync, options });
  try {
    const toMs = START + seconds * 1000;
    const one = (): number =>
      store.series({ names: ["occupancyFlows"], fromMs: START, toMs, points: POINTS }).atMs.length;
    const all = (): unknown => store.series({ names: SERIES_NAMES, fromMs: START, toMs, points: POINTS });
    const millis = medianMs(RUNS, one);
    out.figure("occupancy of all days, 1,000 points", millis, "ms");
    out.ratio("that against 50 ms", millis / MOST_MS, seconds >= large * DAY_SECONDS ? 1 : undefined);
    out.figure("all series of all days, 1,000 points", medianMs(RUNS, all), "ms");
    const hour = { names: SERIES_NAMES, fromMs: toMs - 3_600_000, toMs, points: 3600 };
    out.figure(
      "all series of the last hour, every second",
      medianMs(RUNS, () => store.series(hour)),
      "ms",
    );
    out.figure(
      "size",
      medianMs(RUNS, () => store.size()),
      "ms",
    );
    const found = store.series({ names: ["occupancyFlows"], fromMs: START, toMs, points: POINTS });
    writing(store, seconds, random, out);
    out.figure("on the disk", store.size().sizeBytes / 1024 ** 2, "MiB");
    sizes(directory, seconds, out);
    out.result(`${found.atMs.length} points of ${found.stepSeconds} s`);
  } finally {
    store.close();
  }
}

/** What a day takes at each level. */
function sizes(directory: string, seconds: number, out: BenchOutput): void {
  const database = new DatabaseSync(`${directory}/history.sqlite`, { readOnly: true });
  const sql =
    "SELECT level, sum(bytes) AS bytes, sum(last_tick - first_tick + 1) AS ticks FROM block GROUP BY level";
  for (const row of database.prepare(sql).all()) {
    const days = Math.min(Number(row["ticks"]), seconds) / DAY_SECONDS;
    out.figure(`a day of points of ${String(row["level"])} s`, Number(row["bytes"]) / days / 1024, "KiB");
  }
  database.close();
}

/** Seconds as the watcher writes them: each is on the disk before the next. */
function writing(store: HistoryWriter, from: number, random: Random, out: BenchOutput): void {
  const times: number[] = [];
  let longest = 0;
  const count = Math.min(Math.ceil(from / 40), 2000);
  for (let second = from; second < from + count; second += 1) {
    const next = secondOf(second, random);
    const begun = performance.now();
    store.append(next);
    times.push(performance.now() - begun);
    const written = performance.now();
    store.maintain(next.sample.atMs);
    longest = Math.max(longest, performance.now() - written);
  }
  const sorted = times.toSorted((a, b) => a - b);
  out.figure("a second written, median", sorted[Math.floor(count / 2)] ?? 0, "ms");
  out.figure("a second written, 99 of 100", sorted[Math.floor(count * 0.99)] ?? 0, "ms");
  out.figure("longest maintenance", longest, "ms");
}

function fillDays(path: string, seconds: number, random: Random): void {
  const database = new DatabaseSync(path);
  const made = new Map<string, StatementSync>();
  const statement = (sql: string): StatementSync => {
    const found = made.get(sql) ?? database.prepare(sql);
    made.set(sql, found);
    return found;
  };
  database.exec("PRAGMA synchronous = OFF");
  for (let from = 0; from < seconds; from += 3600) {
    database.exec("BEGIN");
    for (let second = from; second < Math.min(from + 3600, seconds); second += 1) {
      const { atMs, values } = secondOf(second, random).sample;
      statement("INSERT INTO recent VALUES (?, 0, ?, ?)").run(
        second + 1,
        atMs,
        JSON.stringify({ "": values }),
      );
    }
    while (rollUp(statement));
    const old = "DELETE FROM block WHERE level = 1 AND last_tick < ?";
    statement(old).run(from - 2 * DAY_SECONDS);
    database.exec("COMMIT");
  }
  database.close();
}

/** A busy host's second: rates are fractions that never repeat, which is the worst for size. */
function secondOf(second: number, random: Random): Second {
  const day = Math.sin((second / DAY_SECONDS) * 2 * Math.PI);
  const values: Record<string, number> = {
    occupancyFlows: Math.floor(600_000 + 300_000 * day + 5000 * random.fraction()),
    capacityFlows: 1_048_576,
    bucketCount: 262_144,
    expectationFlows: random.below(5),
    arrivalsPerSecond: Math.fround(8000 + 4000 * day + 500 * random.fraction()),
    departuresPerSecond: Math.fround(8000 + 4000 * day + 500 * random.fraction()),
    tableFullLinesPerSecond: 0,
    watcherCpuShare: Math.fround(0.01 * random.fraction()),
    watcherMemoryBytes: 4096 * (30_000 + random.below(200)),
  };
  for (const [index, [, series]] of COUNTER_SERIES.entries()) {
    values[series] = index % 3 === 0 ? 0 : Math.fround(random.fraction() * 10 ** (index % 4));
  }
  return { sample: { atMs: START + second * 1000 + random.below(4), values } };
}
