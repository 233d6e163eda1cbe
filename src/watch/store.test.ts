import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../base/clock.ts";
import type { Census } from "../census/census.ts";
import { seededRandom } from "../base/random.ts";
import type { Sample, SeriesColumns } from "../table/series.ts";
import { aCensus, anIncident } from "../../test/support/history-samples.ts";
import type { HistoryWriter } from "./history.ts";
import { StoreError } from "./store-error.ts";
import type { StoreOptions } from "./store-levels.ts";
import { openHistory, openStore } from "./store.ts";

const START = Date.UTC(2026, 2, 1);
const HOUR_MS = 3_600_000;
const clock = new ManualClock(START);
/** Memory where there is some: a disk that is asked for every second takes most of the time otherwise. */
const PLACE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

function directoryOf(context: TestContext): string {
  const directory = mkdtempSync(join(PLACE, "hr-store-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function open(directory: string, options: StoreOptions = {}): HistoryWriter {
  return openStore({ directory, clock, rename: renameSync, options });
}

function opened(context: TestContext, options: StoreOptions = {}): HistoryWriter {
  const store = open(directoryOf(context), options);
  context.after(() => store.close());
  return store;
}

function add(store: HistoryWriter, samples: readonly Sample[]): void {
  for (const sample of samples) {
    store.append({ sample });
    store.maintain(sample.atMs);
  }
}

/** Ticks of `stepMs` with whole and broken numbers; now and then one is missing, or a value of it. */
function samplesOf(seed: number, length: number, stepMs: number, fromMs = START): Sample[] {
  const random = seededRandom(seed);
  return Array.from({ length }, (_, tick) => {
    const values = {
      occupancyFlows: Math.floor(random.fraction() * 100_000),
      arrivalsPerSecond: random.fraction() * 10_000,
      capacityFlows: 262_144,
    };
    return { atMs: fromMs + tick * stepMs + Math.floor(random.fraction() * 20), values };
  })
    .filter(() => random.fraction() > 0.05)
    .map(({ atMs, values: { arrivalsPerSecond, ...others } }) =>
      random.fraction() < 0.1 ? { atMs, values: others } : { atMs, values: { ...others, arrivalsPerSecond } },
    );
}

/** What the columns must be, by going over all samples for each point. */
function expectSeries(found: SeriesColumns, samples: readonly Sample[]): void {
  const stepMs = found.stepSeconds * 1000;
  const first = found.atMs[0] ?? 0;
  for (const name of ["occupancyFlows", "arrivalsPerSecond", "capacityFlows"] as const) {
    const spans = Array.from(found.atMs, (): number[] => []);
    for (const { atMs, values } of samples) {
      const value = values[name];
      if (value !== undefined) spans[Math.floor((atMs - first) / stepMs)]?.push(value);
    }
    const columns = found.columns[name];
    assert.ok(columns !== undefined);
    spans.forEach((values, point) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const wanted = values.length === 0 ? [NaN, NaN, NaN] : [Math.min(...values), mean, Math.max(...values)];
      const got = [columns.min[point], columns.avg[point], columns.max[point]];
      got.forEach((value, part) => {
        const want = wanted[part] ?? NaN;
        const isRight =
          name === "arrivalsPerSecond"
            ? Number.isNaN(want) === Number.isNaN(value) && !(Math.abs((value ?? NaN) - want) > 1e-6 * want)
            : Object.is(value, want);
        assert.ok(
          isRight,
          `${name} at ${found.atMs[point]}: ${got.join(" ")} instead of ${wanted.join(" ")}`,
        );
      });
    });
  }
}

const NAMES = ["occupancyFlows", "arrivalsPerSecond", "capacityFlows"] as const;

function query(store: HistoryWriter, fromMs: number, toMs: number, points: number): SeriesColumns {
  return store.series({ names: NAMES, fromMs, toMs, points });
}

// --- series ---

for (const { stepMs, length, wanted } of [
  { stepMs: 1000, length: 4000, wanted: [1, 5, 10, 40, 600] },
  { stepMs: 10_000, length: 4000, wanted: [10, 20, 60, 600] },
  { stepMs: 120_000, length: 2000, wanted: [60, 600, 1200] },
  { stepMs: 3_600_000, length: 1000, wanted: [3600, 7200] },
]) {
  test(`series of ${length} samples, one in ${stepMs / 1000} s, are what all samples say`, (context) => {
    const store = opened(context);
    const samples = samplesOf(stepMs, length, stepMs);
    add(store, samples);
    const end = START + length * stepMs;
    for (const step of wanted) {
      const points = Math.ceil((length * stepMs) / (step * 1000)) + 1;
      const found = query(store, START, end, points);
      assert.ok(found.atMs.length <= points);
      assert.ok(found.stepSeconds <= step * 2, `${found.stepSeconds} for ${step}`);
      expectSeries(found, samples);
    }
  });
}

test("series of any part of the time are right and never more than the points asked for", (context) => {
  const store = opened(context);
  const samples = samplesOf(7, 3000, 7000);
  add(store, samples);
  const span = fc.integer({ min: -3_600_000, max: 24_000_000 });
  fc.assert(
    fc.property(
      span,
      fc.integer({ min: 1, max: 30_000_000 }),
      fc.integer({ min: 1, max: 2000 }),
      (from, long, most) => {
        const found = query(store, START + from, START + from + long, most);
        assert.ok(found.atMs.length <= most);
        expectSeries(found, samples);
        const within = samples.filter(({ atMs }) => atMs >= START + from && atMs < START + from + long);
        const end = (found.atMs.at(-1) ?? 0) + found.stepSeconds * 1000;
        assert.ok(within.every(({ atMs }) => atMs >= (found.atMs[0] ?? Infinity) && atMs < end));
      },
    ),
    { numRuns: 60 },
  );
});

test("a gap stays a gap at every level", (context) => {
  const store = opened(context);
  const samples = [...samplesOf(1, 2000, 10_000), ...samplesOf(2, 2000, 10_000, START + 30 * 24 * HOUR_MS)];
  add(store, samples);
  for (const points of [100, 1000, 5000]) {
    const found = query(store, START, START + 31 * 24 * HOUR_MS, points);
    const inGap = found.atMs.findIndex((atMs) => atMs > START + 10 * 24 * HOUR_MS);
    assert.ok(Number.isNaN(found.columns.occupancyFlows?.avg[inGap]));
    expectSeries(found, samples);
  }
});

test("a clock set back an hour: both passes of the hour are whole", (context) => {
  const store = opened(context);
  const once = (fromMs: number, value: number, seconds: number): Sample[] =>
    Array.from({ length: seconds }, (_, second) => ({
      atMs: fromMs + second * 1000,
      values: { occupancyFlows: value, arrivalsPerSecond: value, capacityFlows: value },
    }));
  const samples = [
    ...once(START, 1, 5400),
    ...once(START + 1800_000, 3, 5400),
    ...once(START + 7200_000, 5, 8000),
  ];
  add(store, samples);
  for (const points of [20, 300, 2000, 20_000])
    expectSeries(query(store, START, START + 16_000_000, points), samples);
  const hour = query(store, START + 1800_000, START + 5400_000, 10_000);
  assert.deepEqual(hour.atMs, Float64Array.from(hour.atMs).toSorted());
  assert.deepEqual([hour.columns.occupancyFlows?.min[7], hour.columns.occupancyFlows?.max[7]], [1, 3]);
});

test("a clock that is wildly wrong for a while makes nothing old", (context) => {
  const store = opened(context);
  const before = samplesOf(1, 3000, 1000);
  const wrong = [...samplesOf(2, 700, 1000, 0), ...samplesOf(3, 700, 1000, Date.UTC(2100, 0, 1))];
  const after = samplesOf(4, 3000, 1000, START + 3600_000);
  add(store, [...before, ...wrong, ...after]);
  expectSeries(query(store, START, START + 7200_000, 7200), [...before, ...after]);
  expectSeries(query(store, 0, 1000_000, 1000), wrong.slice(0, 700));
});

test("what is too old goes, its roll-ups stay", (context) => {
  const store = opened(context, { keepSeconds: { 1: 1000, 10: 4000 } });
  const samples = samplesOf(5, 8000, 10_000);
  add(store, samples);
  const end = START + 80_000_000;
  const all = query(store, START, end, 8000);
  assert.equal(all.stepSeconds, 60);
  expectSeries(all, samples);
  assert.equal(query(store, end - 300_000, end, 400).stepSeconds, 1);
});

test("the last point has the last sample, wherever in its second that was taken", (context) => {
  const store = opened(context);
  for (let second = 0; second < 1300; second += 1) {
    add(store, [
      { atMs: START + second * 1000 + ((second * 37) % 1000), values: { occupancyFlows: second } },
    ]);
    const { columns } = query(store, START, START + 1e7, 100_000);
    assert.equal(columns.occupancyFlows?.avg.at(-1), second);
    second += 60;
  }
});

test("no samples, no points", (context) => {
  const store = opened(context);
  const found = query(store, 0, START, 100);
  assert.equal(found.atMs.length, 0);
  assert.equal(found.columns.occupancyFlows?.avg.length, 0);
  assert.deepEqual(Object.keys(store.size()), ["sizeBytes", "boundBytes"]);
});

test("other namespaces have occupancy and capacity, at every level", (context) => {
  const store = opened(context);
  const samples = samplesOf(6, 1000, 300_000);
  for (const [second, sample] of samples.entries()) {
    const other = { atMs: sample.atMs, values: { occupancyFlows: second, bucketCount: 9 } };
    store.append({ sample, others: new Map([["blue", other]]) });
    store.maintain(sample.atMs);
  }
  assert.deepEqual(store.namespaces(), ["blue"]);
  for (const points of [10, 1000, 100_000]) {
    const { columns } = store.series({
      names: ["occupancyFlows", "bucketCount"],
      fromMs: START,
      toMs: START + 1000 * 300_000,
      points,
      namespace: "blue",
    });
    assert.equal(columns.occupancyFlows?.max.at(-1), samples.length - 1);
    assert.ok(columns.bucketCount?.max.every(Number.isNaN));
  }
  expectSeries(query(store, START, START + 1000 * 300_000, 1000), samples);
});

test("a reader beside the writer sees each second at once", (context) => {
  const directory = directoryOf(context);
  const store = open(directory);
  const reader = openHistory(directory);
  const samples = samplesOf(8, 1500, 1000);
  samples.forEach((sample, index) => {
    store.append({ sample });
    store.maintain(sample.atMs);
    if (index % 100 === 99) {
      const found = reader.series({ names: NAMES, fromMs: START, toMs: START + 2_000_000, points: 2000 });
      expectSeries(found, samples.slice(0, index + 1));
    }
  });
  assert.equal(reader.size().boundBytes, store.size().boundBytes);
  reader.close();
  store.close();
  const alone = openHistory(directory);
  expectSeries(alone.series({ names: NAMES, fromMs: START, toMs: START + 2_000_000, points: 2000 }), samples);
  alone.close();
});

// --- censuses, changes, notes, incidents, state ---

test("censuses come back as they were, thinner the older they are", (context) => {
  const store = opened(context);
  for (let second = 0; second < 15_000; second += 1) {
    const atMs = START + second * 1000;
    const census = second % 60 === 0 ? { census: { atMs, census: aCensus(second) } } : {};
    store.append({ sample: { atMs, values: {} }, ...census });
    store.maintain(atMs);
  }
  assert.deepEqual(store.censusAt(START + 14_999_000), { atMs: START + 14_940_000, census: aCensus(14_940) });
  assert.equal(store.censusAt(START - 1), undefined);
  const old = store.censusTimes(START, START + 4_000_000);
  const young = store.censusTimes(START + 5_000_000, START + 15_000_000);
  assert.ok(old.length >= 6 && old.length <= 9, `${old.length} of 67 old ones`);
  assert.ok(young.length >= 160, `${young.length} of 167 young ones`);
  assert.deepEqual(young, young.toSorted());
});

test("changes, notes, incidents and state come back as they were", (context) => {
  const directory = directoryOf(context);
  const first = open(directory);
  const change = {
    atMs: START,
    key: "nf_conntrack_max" as const,
    from: 1,
    to: 2,
    suspects: ["sysctl (4711)"],
  };
  const note = { atMs: START + 5, kind: "clock-jump" as const, text: "back", amount: -3600 };
  first.append({ sample: { atMs: START, values: {} }, changes: [change], notes: [note] });
  first.putIncident(anIncident("a", START));
  first.putIncident(anIncident("a", START, START + 1000));
  first.putIncident(anIncident("b", START + 500));
  first.writeState("outbox", { notices: [1, 2] });
  first.writeState("gone", 1);
  first.writeState("gone", undefined);
  first.close();
  const store = open(directory);
  context.after(() => store.close());
  assert.deepEqual(store.settingChanges(START, START), [change]);
  assert.deepEqual(store.notes(START, START + 5), [note]);
  assert.deepEqual(store.incidents(START, START + 10_000), [
    anIncident("a", START, START + 1000),
    anIncident("b", START + 500),
  ]);
  assert.deepEqual(store.incidents(START + 2000, START + 10_000), [anIncident("b", START + 500)]);
  assert.deepEqual(store.incident("b"), anIncident("b", START + 500));
  assert.equal(store.incident("c"), undefined);
  assert.deepEqual(store.readState("outbox"), { notices: [1, 2] });
  assert.equal(store.readState("gone"), undefined);
});

// --- the file ---

function errorOf(work: () => unknown): StoreError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof StoreError, String(error));
    return error;
  }
  throw new Error("No error came");
}

test("a second writer is refused, and told who writes", (context) => {
  const directory = directoryOf(context);
  const store = open(directory);
  const error = errorOf(() => open(directory));
  assert.equal(error.code, "in-use");
  assert.match(error.message, new RegExp(`process ${process.pid} writes it`));
  store.close();
  open(directory).close();
});

test("errors say what to do", (context) => {
  const directory = directoryOf(context);
  assert.equal(errorOf(() => openHistory(directory)).code, "not-found");
  assert.equal(errorOf(() => open(`${directory}/none`)).code, "not-found");
  const store = open(directory);
  store.close();
  assert.equal(errorOf(() => store.append({ sample: { atMs: 1, values: {} } })).code, "closed");
  const file = new DatabaseSync(`${directory}/history.sqlite`);
  file.exec("PRAGMA user_version = 99");
  file.close();
  const newer = errorOf(() => open(directory));
  assert.equal(newer.code, "newer");
  assert.match(newer.message, /written by a newer version of Headroom.*version 99/);
  assert.equal(errorOf(() => openHistory(directory)).code, "newer");
});

for (const [what, damage] of [
  ["is no database", (bytes: Uint8Array) => bytes.fill(120)],
  ["has damaged pages", (bytes: Uint8Array) => bytes.fill(7, 4096)],
  ["is of another program", (bytes: Uint8Array) => bytes.fill(0, 68, 72)],
] as const) {
  test(`a file that ${what} is kept aside, and a new one begun`, (context) => {
    const directory = directoryOf(context);
    const first = open(directory);
    add(first, samplesOf(1, 700, 1000));
    first.close();
    const path = join(directory, "history.sqlite");
    const file = new DatabaseSync(path);
    file.exec("DELETE FROM state WHERE name = 'store.closed'");
    file.close();
    const bytes = readFileSync(path);
    damage(bytes);
    writeFileSync(path, bytes);
    const store = open(directory);
    context.after(() => store.close());
    const [note] = store.notes(0, Number.MAX_SAFE_INTEGER);
    assert.match(note?.text ?? "", /was damaged and is kept as .*history\.sqlite\.damaged-2026-03-01T000000/);
    const aside = readdirSync(directory).find((name) => name.includes("damaged"));
    assert.deepEqual(readFileSync(join(directory, aside ?? "")), bytes);
    const samples = samplesOf(2, 700, 1000);
    add(store, samples);
    expectSeries(query(store, START, START + 700_000, 1000), samples);
  });
}

/** Fills the first page of a table of a history that was closed. */
function spoil(directory: string, table: string): void {
  const path = join(directory, "history.sqlite");
  const file = new DatabaseSync(path);
  const found = file.prepare("SELECT rootpage FROM sqlite_master WHERE name = ?").get(table);
  file.close();
  const page = Number(found?.["rootpage"]);
  writeFileSync(path, readFileSync(path).fill(7, (page - 1) * 4096, page * 4096));
}

test("a reader of a damaged file is told so", (context) => {
  const directory = directoryOf(context);
  open(directory).close();
  spoil(directory, "state");
  assert.equal(errorOf(() => openHistory(directory)).code, "damaged");
});

test("damage that is seen late is told, and the next start keeps the file aside", (context) => {
  const directory = directoryOf(context);
  const first = open(directory);
  add(first, samplesOf(1, 10, 1000));
  first.close();
  spoil(directory, "recent");
  assert.equal(errorOf(() => open(directory)).code, "damaged");
  const store = open(directory);
  context.after(() => store.close());
  assert.match(store.notes(0, Number.MAX_SAFE_INTEGER)[0]?.text ?? "", /was damaged and is kept as/);
});

test("the bound is never exceeded, and hours stay when finer points must go", (context) => {
  const directory = directoryOf(context);
  const store = open(directory, { maxBytes: 1 });
  context.after(() => store.close());
  const random = seededRandom(1);
  const noise = Array.from({ length: 4000 }, () => Math.floor(random.fraction() * 1e9).toString(36)).join();
  const { boundBytes } = store.size();
  assert.equal(boundBytes, 32 * 1024 * 1024);
  let largest = 0;
  const count = 6000;
  for (let tick = 0; tick < count; tick += 1) {
    const atMs = START + tick * 300_000;
    const census = { ...aCensus(tick), note: noise.slice(tick % 100) };
    const values = { occupancyFlows: tick, arrivalsPerSecond: random.fraction() };
    store.append({ sample: { atMs, values }, census: { atMs, census } });
    store.maintain(atMs);
    if (tick % 50 === 0) {
      const files = readdirSync(directory).map((name) => statSync(join(directory, name)).size);
      largest = Math.max(
        largest,
        files.reduce((sum, bytes) => sum + bytes, 0),
      );
    }
  }
  assert.ok(largest <= boundBytes, `${largest} of ${boundBytes}`);
  assert.ok(largest > boundBytes * 0.45, `${largest}: the test never came near the bound`);
  const found = query(store, START, START + count * 300_000, 1000);
  assert.equal(found.atMs[0], START);
  assert.equal(found.columns.occupancyFlows?.avg.filter(Number.isNaN).length, 0);
});

test("a bound that was lowered is kept from then on", (context) => {
  const directory = directoryOf(context);
  const random = seededRandom(2);
  const noise = (): string =>
    Array.from({ length: 5000 }, () => Math.floor(random.fraction() * 1e9).toString(36)).join();
  const noisy = (): Census => Object.assign(aCensus(1), { noise: noise() });
  const fill = (store: HistoryWriter, from: number, to: number): void => {
    for (let tick = from; tick < to; tick += 1) {
      const atMs = START + tick * 1000;
      store.append({
        sample: { atMs, values: {} },
        census: { atMs, census: noisy() },
      });
      store.maintain(atMs);
    }
  };
  const first = open(directory, { maxBytes: 128 * 1024 * 1024 });
  fill(first, 0, 1500);
  const before = first.size().sizeBytes;
  first.close();
  const store = open(directory, { maxBytes: 32 * 1024 * 1024 });
  context.after(() => store.close());
  fill(store, 1500, 1600);
  assert.ok(before > 32 * 1024 * 1024, `${before}`);
  assert.ok(store.size().sizeBytes <= 32 * 1024 * 1024, `${store.size().sizeBytes}`);
});
