/** The peak that a history tells: of the last week, of the very table, and said with its span. */
import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { FakeTerminal } from "../../test/support/terminal.ts";
import { ManualClock } from "../base/clock.ts";
import { type HistoryWriter, openStore, type PlaceFacts, rememberPlace, StoreError } from "../watch/watch.ts";
import type { Context } from "./context.ts";
import { historyName, type HistoryPeak, historyPeak, peakSpanText, tableOf } from "./history-peak.ts";
import { UsageError } from "./usage-error.ts";

const START = Date.UTC(2026, 9, 1);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const web = { hostname: "web", namespaceInode: 7 };

/** A directory with the history that `fill` writes. */
function filled(context: TestContext, fill: (store: HistoryWriter) => void): string {
  const directory = mkdtempSync(join(tmpdir(), "headroom-peak-"));
  context.after(() => rmSync(directory, { recursive: true }));
  const store = openStore({ directory, clock: new ManualClock(START), rename: renameSync });
  try {
    fill(store);
  } finally {
    store.close();
  }
  return directory;
}

function sample(store: HistoryWriter, atMs: number, occupancyFlows: number): void {
  store.append({ sample: { atMs, values: { occupancyFlows, capacityFlows: 10_000 } } });
}

/** By the hour since the beginning; what is not here is 100. */
const FLOWS = new Map([
  [3 * 24, 5000],
  [27 * 24 + 6, 4000],
]);

/** A month by the hour: 5,000 on the third day, 4,000 on the 28th, else 100. */
function month(store: HistoryWriter, place: PlaceFacts = web): void {
  rememberPlace(store, place, START);
  for (let hour = 0; hour < 30 * 24; hour += 1) {
    sample(store, START + hour * HOUR_MS, FLOWS.get(hour) ?? 100);
  }
}

function peakAt(
  nowMs: number,
  query: Parameters<typeof historyPeak>[1],
  environment: Record<string, string> = {},
): Promise<HistoryPeak | undefined> {
  const terminal = new FakeTerminal();
  Object.assign(terminal, { environment });
  return historyPeak({ deps: { clock: new ManualClock(nowMs) }, terminal } as unknown as Context, query);
}

test("the peak is the highest of the last week, and when that was", async (context) => {
  const named = filled(context, month);
  const nowMs = START + 30 * DAY_MS - HOUR_MS + 1000;
  const peak = await peakAt(nowMs, { named, table: web });
  assert.ok(peak !== undefined);
  assert.equal(peak.occupancyFlows, 4000);
  // To within a span of a thousandth of a week.
  assert.ok(Math.abs(peak.atMs - (START + 27 * DAY_MS + 6 * HOUR_MS)) <= HOUR_MS);
  assert.equal(peak.isOfTable, true);
  assert.match(peakSpanText(peak), /^the last (7d|6d)/u);
  assert.equal(historyName(peak), `the history of web, in ${named}`);
});

test("a file of a history stands for its directory", async (context) => {
  const named = filled(context, month);
  const peak = await peakAt(START + 5 * DAY_MS, { named: `${named}/history.sqlite` });
  assert.deepEqual([peak?.occupancyFlows, peak?.directory, peak?.isOfTable], [5000, named, undefined]);
});

test("a history of seconds says that it is of seconds", async (context) => {
  const named = filled(context, (store) => {
    rememberPlace(store, web, START);
    for (let second = 0; second < 12; second += 1) sample(store, START + second * 1000, 50 + second);
  });
  const peak = await peakAt(START + 12_000, { named });
  assert.ok(peak !== undefined);
  assert.deepEqual([peak.occupancyFlows, peakSpanText(peak)], [61, "the last 12s"]);
});

test("a history that ended says until when it was", async (context) => {
  const named = filled(context, (store) => {
    rememberPlace(store, web, START);
    for (let hour = 0; hour < 4; hour += 1) sample(store, START + hour * HOUR_MS, 80);
  });
  const peak = await peakAt(START + 2 * DAY_MS, { named });
  assert.ok(peak !== undefined);
  assert.match(peakSpanText(peak), /^the 3h until 2026-10-01 03:\d\d UTC$/u);
});

test("one without a sample of the last week has no peak, and says so when it was named", async (context) => {
  const directory = filled(context, month);
  const nowMs = START + 60 * DAY_MS;
  await assert.rejects(
    peakAt(nowMs, { named: directory }),
    (error) => error instanceof UsageError && /holds no sample of the last 7 days/u.test(error.message),
  );
  assert.equal(await peakAt(nowMs, {}, { STATE_DIRECTORY: directory }), undefined);
});

test("the usual place is looked at when none is named, and may be empty", async (context) => {
  const directory = filled(context, month);
  const nowMs = START + 5 * DAY_MS;
  assert.equal((await peakAt(nowMs, {}, { STATE_DIRECTORY: directory }))?.occupancyFlows, 5000);
  assert.equal(await peakAt(nowMs, {}, { STATE_DIRECTORY: `${directory}/none` }), undefined);
  await assert.rejects(peakAt(nowMs, { named: `${directory}/none` }), StoreError);
});

const tables: readonly [what: string, of: PlaceFacts, wanted: PlaceFacts, isSame: boolean][] = [
  ["the same", web, web, true],
  ["another host", web, { ...web, hostname: "db" }, false],
  ["a named namespace, for the host", { ...web, namespace: "blue", namespaceInode: 9 }, web, false],
  ["the host, for a named namespace", web, { ...web, namespace: "blue", namespaceInode: 9 }, false],
  [
    "a namespace made anew under its name",
    { ...web, namespace: "blue" },
    { ...web, namespace: "blue", namespaceInode: 9 },
    true,
  ],
  ["another namespace without a name", web, { ...web, namespaceInode: 8 }, false],
  ["one whose inode is not told", { hostname: "web" }, web, true],
];
for (const [what, of, wanted, isSame] of tables) {
  test(`a history of another table is known as that: ${what}`, async (context) => {
    const named = filled(context, (store) => month(store, of));
    const table = tableOf({ tracker: "nf_conntrack", ...wanted }, wanted.namespace);
    assert.equal((await peakAt(START + 5 * DAY_MS, { named, table }))?.isOfTable, isSame);
  });
}

test("samples from before a directory was used for this table are not of it", async (context) => {
  const named = filled(context, (store) => {
    rememberPlace(store, { ...web, namespace: "blue", namespaceInode: 9 }, START);
    sample(store, START, 9000);
    rememberPlace(store, web, START + HOUR_MS);
    sample(store, START + HOUR_MS, 70);
    // Started again: it has been this table all the time.
    rememberPlace(store, web, START + 2 * HOUR_MS);
    sample(store, START + 2 * HOUR_MS, 60);
  });
  assert.equal((await peakAt(START + 3 * HOUR_MS, { named, table: web }))?.occupancyFlows, 70);
});

test("a history that does not tell of which table it is does not pass for this one's", async (context) => {
  const named = filled(context, (store) => sample(store, START, 9000));
  const peak = await peakAt(START + 1000, { named, table: web });
  assert.ok(peak !== undefined);
  assert.equal(peak.isOfTable, undefined);
  assert.match(historyName(peak), /which does not say of which table$/u);
});

test("a damaged file and one that is no history are refused with what to do", async (context) => {
  const named = filled(context, month);
  truncateSync(`${named}/history.sqlite`, 5000);
  await assert.rejects(
    peakAt(START + DAY_MS, { named }),
    (error) => error instanceof StoreError && error.message.includes(named),
  );
  writeFileSync(`${named}/history.sqlite`, "no database at all, only words");
  await assert.rejects(peakAt(START + DAY_MS, { named }), StoreError);
});
