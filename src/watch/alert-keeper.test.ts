import assert from "node:assert/strict";
import { test } from "node:test";

import { censusWith, Killed, MemoryStore, NOW_MS, watchState } from "../../test/support/alert-samples.ts";
import { seededRandom } from "../base/random.ts";
import type { Sample } from "../table/series.ts";
import type { SettingKey } from "../table/settings.ts";
import type { AppliedSetting } from "./alert-boots.ts";
import { AlertKeeper } from "./alert-keeper.ts";
import { DEFAULT_ALERT_OPTIONS } from "./alert-options.ts";
import type { WatchState } from "./watch-state.ts";

const FULL = { occupancyFlows: 10_000, dropPerSecond: 5 };

function keeperOn(store: MemoryStore, nowMs = NOW_MS, applied: readonly AppliedSetting[] = []): AlertKeeper {
  return new AlertKeeper({
    store,
    options: DEFAULT_ALERT_OPTIONS,
    receivers: [{ receiver: "a", least: "warning", resolved: true }],
    random: seededRandom(1),
    nowMs,
    instance: "gw",
    applied,
  });
}

/** So many seconds of a state like this; what was sent meanwhile, by code and kind. */
function live(
  keeper: AlertKeeper,
  fromMs: number,
  seconds: number,
  values: Sample["values"],
  more: Partial<WatchState> = {},
): string[] {
  const sent: string[] = [];
  for (let second = 0; second < seconds; second += 1) {
    const nowMs = fromMs + second * 1000;
    keeper.evaluate(watchState(values, more, nowMs), nowMs);
    for (const delivery of keeper.due(nowMs)) {
      sent.push(`${delivery.notice.alert.code} ${delivery.notice.kind}`);
      keeper.delivered(delivery, nowMs);
    }
  }
  return sent;
}

test("a table that fills and empties is told, kept as an incident with its census, and over", () => {
  const store = new MemoryStore();
  const keeper = keeperOn(store);
  const census = { atMs: NOW_MS, census: censusWith(10_000, { "10.0.0.1": 200 }), seconds: 0.1 };
  assert.deepEqual(live(keeper, NOW_MS, 40, FULL, { census }), ["table-full fired", "near-full fired"]);
  const [incident] = store.incidents();
  assert.deepEqual([incident?.alert.state, incident?.census?.census.flows], ["firing", 10_000]);
  keeper.completeIncident(incident?.id ?? "", { atMs: NOW_MS + 9, census: censusWith(9999, {}) });
  const over = live(keeper, NOW_MS + 40_000, 400, {});
  assert.deepEqual(over.toSorted(), ["near-full resolved", "table-full resolved"]);
  const ended = store.incident(incident?.id ?? "");
  assert.deepEqual([ended?.alert.state, ended?.census?.census.flows], ["resolved", 9999]);
  assert.deepEqual(keeper.alerts(), []);
});

test("killed before any write, it goes on: nothing is forgotten, nothing stays open", () => {
  const whole = new MemoryStore();
  live(keeperOn(whole), NOW_MS, 400, FULL);
  for (let writesLeft = 0; writesLeft <= whole.writes; writesLeft += 1) {
    const store = new MemoryStore();
    store.writesLeft = writesLeft;
    let seconds = 0;
    const sent: string[] = [];
    const keeper = keeperOn(store);
    try {
      for (; seconds < 40; seconds += 1) sent.push(...live(keeper, NOW_MS + seconds * 1000, 1, FULL));
    } catch (error) {
      assert.ok(error instanceof Killed);
    }
    store.writesLeft = undefined;
    const after = keeperOn(store, NOW_MS + seconds * 1000);
    sent.push(...live(after, NOW_MS + seconds * 1000, 40, FULL));
    assert.deepEqual(
      [...new Set(sent)].toSorted(),
      ["near-full fired", "table-full fired"],
      `${writesLeft} writes`,
    );
    sent.push(...live(after, NOW_MS + (seconds + 40) * 1000, 400, {}));
    assert.equal(new Set(sent).size, 4);
    assert.deepEqual(
      store.incidents().filter(({ alert }) => alert.state !== "resolved"),
      [],
    );
  }
});

test("a restart in the middle neither tells again nor forgets", () => {
  const store = new MemoryStore();
  live(keeperOn(store), NOW_MS, 40, FULL);
  const keeper = keeperOn(store, NOW_MS + 60_000);
  assert.equal(keeper.alerts().length, 2);
  assert.deepEqual(live(keeper, NOW_MS + 60_000, 100, FULL), []);
  assert.equal(store.incidents().length, 2);
});

test("a full disk: alerts go on, say so, and are kept when there is room again", () => {
  const store = new MemoryStore();
  const keeper = keeperOn(store);
  store.full = true;
  const sent = live(keeper, NOW_MS, 100, FULL);
  assert.deepEqual(sent, ["table-full fired", "near-full fired", "watching-impaired fired"]);
  assert.match(
    keeper.alerts().find(({ code }) => code === "watching-impaired")?.meaning ?? "",
    /history: the disk is full/,
  );
  store.full = false;
  live(keeper, NOW_MS + 100_000, 1, FULL);
  assert.equal(store.incidents().length, 3);
  assert.deepEqual(live(keeper, NOW_MS + 101_000, 400, FULL), ["watching-impaired resolved"]);
});

test("a notice carries who fills the table, bounded and without control characters", () => {
  const store = new MemoryStore();
  const keeper = keeperOn(store);
  const census = {
    atMs: NOW_MS,
    census: censusWith(10_000, { "10.0.0.1": 6000, "evil\u001b[2J\n": 900 }),
    seconds: 1,
  };
  keeper.evaluate(watchState(FULL, { census }), NOW_MS);
  const [delivery] = keeper.due(NOW_MS);
  assert.deepEqual(delivery?.notice.filledBy?.sources[0], { name: "10.0.0.1", flows: 6000, share: 0.6 });
  assert.equal(delivery.notice.filledBy.sources[1]?.name, "evil [2J");
  assert.deepEqual(delivery.notice.filledBy.states[0]?.name, "tcp ESTABLISHED");
});

test("a changed setting is told once, also over a restart, and is over after an hour", () => {
  const store = new MemoryStore();
  store.changes = [{ atMs: NOW_MS, key: "nf_conntrack_max", from: 2, to: 1, suspects: [] }];
  const keeper = keeperOn(store);
  assert.deepEqual(live(keeper, NOW_MS, 10, {}), ["setting-changed fired"]);
  const after = keeperOn(store, NOW_MS + 20_000);
  assert.deepEqual(live(after, NOW_MS + 20_000, 3700, {}), ["setting-changed resolved"]);
});

test("what was not seen from the beginning is no alert, what is lost later is", () => {
  const { facts } = watchState();
  const blind = (...names: string[]): Partial<WatchState> => ({
    facts: {
      ...facts,
      unseen: names.map((what) => ({ what, why: "permission denied", cause: "not-permitted" })),
    },
  });
  const keeper = keeperOn(new MemoryStore());
  assert.deepEqual(live(keeper, NOW_MS, 100, {}, blind("kernel log")), []);
  const sent = live(keeper, NOW_MS + 100_000, 100, {}, blind("kernel log", "flows"));
  assert.deepEqual(sent, ["watching-impaired fired"]);
  assert.equal(keeper.alerts()[0]?.subject, "flows");
});

test("flow events that are lost again and again are an alert", () => {
  const keeper = keeperOn(new MemoryStore());
  const sent: string[] = [];
  for (let second = 0; second < 200; second += 1) {
    const events = { oneOf: 16, lostEvents: second, lossTimes: Math.floor(second / 10), rates: [] };
    sent.push(...live(keeper, NOW_MS + second * 1000, 1, {}, { events }));
  }
  assert.deepEqual(sent, ["watching-impaired fired"]);
});

// ---- across boots

const DAY_MS = 86_400_000;

function booted(bootAtMs: number, nowMs: number, capacity: number): WatchState {
  const state = watchState({}, {}, nowMs);
  const { host, settings } = state.facts;
  return {
    ...state,
    facts: {
      ...state.facts,
      host: { ...host, uptimeSeconds: (nowMs - bootAtMs) / 1000 },
      settings: { ...settings, values: { ...settings.values, nf_conntrack_max: capacity } },
    },
  };
}

const applied = (changeId: string, value: number, atMs: number): AppliedSetting => ({
  key: "nf_conntrack_max" satisfies SettingKey,
  value,
  changeId,
  atMs,
});

/** Watches, boots, watches again: the titles of what fires then. */
function acrossBoot(before: number, after: number, changes: readonly AppliedSetting[] = []): string[] {
  const store = new MemoryStore();
  const first = keeperOn(store, NOW_MS, changes);
  first.evaluate(booted(NOW_MS - DAY_MS, NOW_MS, before), NOW_MS);
  const bootMs = NOW_MS + 60_000;
  const second = keeperOn(store, bootMs, changes);
  for (let at = bootMs + 10_000; at < bootMs + 300_000; at += 1000)
    second.evaluate(booted(bootMs, at, after), at);
  return second.alerts().map(({ title }) => title);
}

test("a value that is gone after a boot is an alert, one that is there is not", () => {
  assert.deepEqual(acrossBoot(524_288, 524_288), []);
  assert.deepEqual(acrossBoot(524_288, 65_536), [
    "nf_conntrack_max is 65,536 since the boot; 524,288 was lost",
  ]);
});

test("what headroom apply set goes before what was in force", () => {
  assert.deepEqual(acrossBoot(1000, 524_288, [applied("c1", 524_288, NOW_MS - 5)]), []);
  assert.deepEqual(
    acrossBoot(524_288, 1000, [applied("c1", 4000, NOW_MS - 9), applied("c2", 1000, NOW_MS - 5)]),
    [],
  );
});

test("a lost value is over when it is back, its change was taken back, or somebody chose another", () => {
  for (const end of ["back", "taken back", "chosen", "nothing"] as const) {
    const store = new MemoryStore();
    const changes = [applied("c1", 524_288, NOW_MS - DAY_MS)];
    const bootMs = NOW_MS - 600_000;
    const keeper = keeperOn(store, NOW_MS, changes);
    keeper.evaluate(booted(bootMs, NOW_MS, 65_536), NOW_MS);
    assert.deepEqual(
      keeper.alerts().map(({ code }) => code),
      ["setting-lost"],
    );
    const later = NOW_MS + 5000;
    if (end === "taken back") keeper.configure(DEFAULT_ALERT_OPTIONS, [], []);
    if (end === "chosen")
      store.changes = [{ atMs: later, key: "nf_conntrack_max", from: 65_536, to: 7, suspects: [] }];
    const capacity = { back: 524_288, chosen: 7, "taken back": 65_536, nothing: 65_536 }[end];
    keeper.evaluate(booted(bootMs, later, capacity), later);
    const open = keeper.alerts().some(({ code }) => code === "setting-lost");
    assert.equal(open, end === "nothing", end);
  }
});

// ---- the census of the moment

const OLD = { atMs: NOW_MS - 11_000, census: censusWith(100, { "10.0.0.1": 100 }), seconds: 0.1 };
const FRESH = { atMs: NOW_MS + 400, census: censusWith(10_000, { "10.0.0.9": 9000 }) };

test("a notice waits for the census of its moment, and has it", () => {
  const keeper = keeperOn(new MemoryStore());
  keeper.evaluate(watchState(FULL, { census: OLD }), NOW_MS);
  assert.deepEqual(keeper.due(NOW_MS), []);
  assert.equal(keeper.waitMs(NOW_MS), 3000);
  // One that was under way as it began does not tell of it.
  keeper.completeNotices({ ...OLD, atMs: NOW_MS + 100 });
  assert.deepEqual(keeper.due(NOW_MS + 100), []);
  keeper.completeNotices(FRESH);
  const [delivery] = keeper.due(NOW_MS + 400);
  assert.equal(delivery?.notice.filledBy?.sources[0]?.name, "10.0.0.9");
  assert.equal(delivery.notice.occupancyFlows, 10_000);
});

test("without a census a notice goes after three seconds, with the old one and the true count", () => {
  const store = new MemoryStore();
  keeperOn(store).evaluate(watchState(FULL, { census: OLD }), NOW_MS);
  // Killed meanwhile: the notice was kept.
  const after = keeperOn(store, NOW_MS + 1000);
  assert.deepEqual(after.due(NOW_MS + 1000), []);
  const [delivery] = after.due(NOW_MS + 3000);
  assert.deepEqual([delivery?.notice.filledBy?.flows, delivery?.notice.occupancyFlows], [100, 10_000]);
  const setBack = keeperOn(store, NOW_MS);
  assert.equal(setBack.due(NOW_MS - 3_600_000).length, 1, "a clock that is set back holds nothing up");
});

// ---- what is over at once

test("a setting that is put back is over, and several changes are one course", () => {
  const store = new MemoryStore();
  const keeper = keeperOn(store);
  const change = (second: number, from: number, to: number): void => {
    store.changes.push({ atMs: NOW_MS + second * 1000, key: "nf_conntrack_max", from, to, suspects: [] });
  };
  const titles = (): readonly (string | undefined)[] => [
    keeper.alerts()[0]?.title,
    store.incidents().at(-1)?.alert.title,
  ];
  change(0, 5000, 9000);
  assert.deepEqual(live(keeper, NOW_MS, 10, {}), ["setting-changed fired"]);
  change(10, 9000, 4000);
  live(keeper, NOW_MS + 10_000, 10, {});
  // What is open and what is kept say the same.
  const course = "nf_conntrack_max changed from 5,000 to 4,000";
  assert.deepEqual(titles(), [course, course]);
  assert.match(keeper.alerts()[0]?.meaning ?? "", /Changed 2 times, from \d\d:\d\d:\d\d UTC to/);
  change(20, 4000, 5000);
  assert.deepEqual(live(keeper, NOW_MS + 20_000, 2, {}), ["setting-changed resolved"]);
  assert.deepEqual(titles(), [undefined, "nf_conntrack_max is 5,000 again"]);
  assert.deepEqual(live(keeper, NOW_MS + 22_000, 7300, {}), []);
  assert.equal(store.incidents().length, 1);
});

test("a value that was put back while nobody watched is over after the restart", () => {
  const store = new MemoryStore();
  const { nf_conntrack_max: from = 0 } = watchState().facts.settings.values;
  store.changes = [{ atMs: NOW_MS, key: "nf_conntrack_max", from, to: 7, suspects: [] }];
  live(keeperOn(store), NOW_MS, 10, {});
  const after = keeperOn(store, NOW_MS + 100_000);
  assert.deepEqual(live(after, NOW_MS + 100_000, 10, {}), ["setting-changed resolved"]);
});

test("the alert of a namespace ends with the namespace, and not while none can be counted", () => {
  const store = new MemoryStore();
  const keeper = keeperOn(store);
  const own = { initial: true, own: true, inode: 4_026_531_840, occupancyFlows: 9 };
  const blue = { initial: false, own: false, name: "blue", inode: 5, occupancyFlows: 9900 };
  const step = (at: number, namespaces: WatchState["namespaces"]): string[] => {
    const nowMs = NOW_MS + at * 1000;
    return keeper
      .evaluate(watchState({}, { namespaces, alerts: keeper.alerts() }, nowMs), nowMs)
      .resolved.map(({ title }) => title);
  };
  for (let at = 0; at < 40; at += 1) step(at, [own, blue]);
  assert.equal(keeper.alerts()[0]?.state, "firing");
  assert.deepEqual(step(40, []), []);
  assert.deepEqual(step(41, [own]), ["Namespace blue is gone"]);
  assert.deepEqual(keeper.alerts(), []);
});
