import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { test } from "node:test";

import { ManualClock } from "../base/clock.ts";
import type { Forecast } from "../plan/plan.ts";
import type { COUNTER_SERIES } from "../table/series.ts";
import { FakeRefusal, FakeWatchedHost, MemoryHistory } from "../../test/support/fake-watched-host.ts";
import type { Alert, AlertNews, StoredCensus, WatchNews, WatchNote } from "./watch.ts";
import { Watcher, type WatcherOptions } from "./watcher.ts";

const START_MS = Date.UTC(2026, 10, 20, 18);

/** A wall clock that can be set. */
class TwoClocks extends ManualClock {
  #setBy = 0;

  override nowMs(): number {
    return super.nowMs() + this.#setBy;
  }

  set(byMs: number): void {
    this.#setBy += byMs;
  }
}

class Rig {
  readonly clock = new TwoClocks(START_MS);
  readonly history = new MemoryHistory();
  readonly host: FakeWatchedHost;
  readonly watcher: Watcher;

  constructor(host = new FakeWatchedHost(), more: Partial<WatcherOptions> = {}) {
    this.host = host;
    this.watcher = new Watcher({
      host,
      history: this.history,
      clock: this.clock,
      cpuSeconds: () => host.cpuSeconds,
      pause: () => Promise.resolve(),
      ...more,
    });
  }

  /** So many seconds, one after the other; censuses end between them. */
  async pass(seconds: number, each?: (second: number) => void): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      each?.(second);
      await this.watcher.second();
      await this.watcher.settled();
      this.clock.advance(1000);
    }
  }

  notes(kind: WatchNote["kind"]): string[] {
    return this.history
      .notes()
      .filter((note) => note.kind === kind)
      .map(({ text }) => text);
  }

  rates(name: (typeof COUNTER_SERIES)[number][1]): (number | undefined)[] {
    return this.history.seconds.map(({ sample }) => sample.values[name]);
  }
}

test("each second is one write with the figures of that second", async () => {
  const rig = new Rig();
  rig.host.counted = { insertFailed: 4, drop: 2 };
  await rig.pass(3, (second) => (rig.host.occupancyFlows = 1000 + second));
  equal(rig.history.seconds.length, 3);
  deepEqual(
    rig.history.seconds.map(({ sample }) => [sample.atMs - START_MS, sample.values.occupancyFlows]),
    [
      [0, 1000],
      [1000, 1001],
      [2000, 1002],
    ],
  );
  deepEqual(rig.rates("insertFailedPerSecond"), [undefined, 4, 4]);
  equal(rig.history.seconds[2]?.sample.values.capacityFlows, 262_144);
  equal(rig.history.maintained, 3);
  deepEqual(rig.notes("started"), ["Watching began"]);
});

test("rates are per second by the clock that never goes back", async () => {
  const rig = new Rig();
  await rig.pass(2);
  rig.clock.advance(1500);
  rig.host.counted = { drop: 10 };
  await rig.pass(1);
  deepEqual(rig.rates("dropPerSecond").at(-1), 4);
});

test("a wall clock set back an hour is noted, and makes no rate negative or wild", async () => {
  const rig = new Rig();
  rig.host.counted = { drop: 7 };
  await rig.pass(3);
  rig.clock.set(-3_600_000);
  await rig.pass(3);
  deepEqual(rig.rates("dropPerSecond").slice(1), [7, 7, 7, 7, 7]);
  deepEqual(rig.notes("clock-jump"), ["The wall clock jumped back by 3600.0 s"]);
});

test("seconds that were missed are one gap, and what was counted meanwhile is spread over them", async () => {
  const rig = new Rig();
  await rig.pass(2);
  rig.clock.advance(9000);
  rig.host.counted = { drop: 100 };
  await rig.pass(1);
  deepEqual(rig.rates("dropPerSecond").at(-1), 10);
  equal(rig.notes("gap").length, 1);
  deepEqual(rig.notes("clock-jump"), []);
});

test("counters that begin anew are a gap of one second and no negative rate", async () => {
  const rig = new Rig();
  rig.host.counted = { drop: 5 };
  await rig.pass(2);
  rig.host.counted = undefined;
  await rig.pass(1);
  rig.host.counted = { drop: 3 };
  await rig.pass(1);
  deepEqual(rig.rates("dropPerSecond"), [undefined, 5, undefined, 3]);
});

test("a setting that was changed is told with who may have done it", async () => {
  const rig = new Rig();
  const news: WatchNews[] = [];
  rig.watcher.subscribe((each) => news.push(each));
  await rig.pass(2);
  rig.host.values = { ...rig.host.values, nf_conntrack_max: 65_536 };
  await rig.pass(2);
  deepEqual(rig.history.settingChanges(), [
    {
      atMs: START_MS + 2000,
      key: "nf_conntrack_max",
      from: 262_144,
      to: 65_536,
      suspects: ["sysctl -w by root on pts/0"],
    },
  ]);
  equal(news.filter(({ kind }) => kind === "setting").length, 1);
});

test("a change is told although nobody can say who did it", async () => {
  const rig = new Rig();
  await rig.pass(1);
  rig.host.faults.set("suspects", new FakeRefusal("not-permitted"));
  rig.host.values = { ...rig.host.values, nf_conntrack_udp_timeout: 5 };
  await rig.pass(1);
  deepEqual(
    rig.history.settingChanges().map(({ key, suspects }) => [key, suspects]),
    [["nf_conntrack_udp_timeout", []]],
  );
});

test("an unloaded tracker takes no setting away; what is different when it is back is told", async () => {
  const rig = new Rig();
  await rig.pass(2);
  rig.host.tracker = "none";
  await rig.pass(3);
  deepEqual(rig.history.settingChanges(), []);
  equal(rig.host.events_?.isOpen, false);
  rig.host.tracker = "nf_conntrack";
  rig.host.counted = undefined;
  rig.host.values = { ...rig.host.values, nf_conntrack_tcp_timeout_established: 3600 };
  await rig.pass(2);
  equal(rig.host.events_?.isOpen, true);
  deepEqual(
    rig.history.settingChanges().map(({ key, from, to }) => [key, from, to]),
    [["nf_conntrack_tcp_timeout_established", 432_000, 3600]],
  );
});

test("a census comes at once, then as the budget allows; the second makes an observation", async () => {
  const rig = new Rig();
  await rig.pass(12);
  equal(rig.host.readings, 2);
  const state = rig.watcher.state();
  equal(state.census?.census.flows, 1000);
  equal(state.census.census.complete, true);
  equal(state.observation?.seconds, 10);
  equal(state.observation.first?.flowsRead, 1000);
  deepEqual(state.facts.census, state.census.census);
  equal(rig.history.censusTimes().length, 2);
});

test("a large table is sampled and the sample stands for all of it", async () => {
  const rig = new Rig();
  rig.host.occupancyFlows = 1_000_000;
  await rig.pass(2);
  const census = rig.watcher.state().census?.census;
  equal(census?.flowsRead, 20_000);
  equal(census.flows, 1_000_000);
  equal(census.complete, false);
});

test("two readings under different timeouts are no observation of both", async () => {
  const rig = new Rig();
  await rig.pass(5);
  rig.host.values = { ...rig.host.values, nf_conntrack_tcp_timeout_established: 86_400 };
  await rig.pass(7);
  equal(rig.host.readings, 2);
  equal(rig.watcher.state().observation?.first, undefined);
});

test("the watcher stays within its budget at a million flows and 10,000 new ones a second", async () => {
  const host = new FakeWatchedHost({
    read: 0.0015,
    flow: 2.5e-6,
    event: 4e-6,
    facts: 0.08,
    counts: 0.004,
  });
  host.occupancyFlows = 1_000_000;
  const rig = new Rig(host);
  let id = 0;
  const load = (): void => {
    for (let made = 0; made < 10_000; made++) {
      host.events_?.happen({ kind: "new", id: id++ }, { kind: "destroy", id: id - 1 });
    }
  };
  await rig.pass(120, load);
  const before = host.cpuSeconds;
  const readings = host.readings;
  await rig.pass(600, load);
  const share = (host.cpuSeconds - before) / 600;
  ok(share < 0.01, `${share} of a core`);
  ok(host.readings - readings >= 600 / 60, `${host.readings - readings} censuses`);
  const state = rig.watcher.state();
  const tcp = state.events?.rates.find(({ protocol, port }) => protocol === "tcp" && port === undefined);
  ok(tcp !== undefined && Math.abs(tcp.arrivalsPerSecond - 10_000) < 100, `${tcp?.arrivalsPerSecond}`);
  ok((state.budget.skipped["flowEvents"] ?? 0) > 0);
  ok((state.budget.usedCpuShare ?? 1) < 0.01);
  ok(rig.notes("skipped").length <= 3, "what is skipped is told now and then, not every second");
});

test("a host too dear for the budget is still counted now and then", async () => {
  const host = new FakeWatchedHost({ read: 0.02, flow: 1e-4 });
  host.occupancyFlows = 500_000;
  const rig = new Rig(host);
  await rig.pass(1300);
  ok(host.readings >= 3, `${host.readings} censuses`);
  equal(rig.watcher.state().budget.censusIntervalSeconds, 600);
  ok((rig.watcher.state().budget.censusSampleFlows ?? 0) < 6001, "a fifth of the budget is always there");
  ok(rig.notes("skipped").length >= 1);
});

test("what cannot be seen is noted once, asked again, and noted when it is seen again", async () => {
  const rig = new Rig();
  await rig.pass(2);
  rig.host.faults.set("read", new FakeRefusal("not-found", "Cannot look at namespace blue: it is gone"));
  await rig.pass(80);
  deepEqual(rig.notes("sight-lost"), ["Unavailable: the table. Cannot look at namespace blue: it is gone"]);
  equal(rig.history.seconds.length, 82);
  equal(rig.history.seconds.at(-1)?.sample.values.occupancyFlows, undefined);
  deepEqual(
    rig.watcher.state().facts.unseen.map(({ what, cause }) => [what, cause]),
    [["the table", "missing"]],
  );
  equal(rig.host.events_?.isOpen, false, "a namespace that is gone is not held");
  rig.host.faults.clear();
  await rig.pass(40);
  deepEqual(rig.notes("sight-regained"), ["Available again: the table"]);
  equal(rig.history.seconds.at(-1)?.sample.values.occupancyFlows, 1000);
});

test("a census that is refused half way is given up, noted and tried again", async () => {
  const rig = new Rig();
  await rig.pass(2);
  rig.host.faults.set("flows", new FakeRefusal("not-permitted"));
  await rig.pass(30);
  equal(rig.host.openReadings, 0);
  deepEqual(rig.notes("sight-lost"), ["Unavailable: flows. refused: not-permitted"]);
  rig.host.faults.clear();
  await rig.pass(60);
  deepEqual(rig.notes("sight-regained"), ["Available again: flows"]);
});

test("our own mistake is thrown", async () => {
  const rig = new Rig();
  rig.host.faults.set("read", new TypeError("undefined is not a function"));
  await rejects(rig.watcher.second(), TypeError);
  const other = new Rig();
  other.host.faults.set("flows", new RangeError("of a census"));
  await other.pass(1);
  await rejects(other.watcher.second(), RangeError);
});

test("while the disk is full everything waits in memory, and is written when there is room", async () => {
  const rig = new Rig();
  await rig.pass(5);
  rig.history.fault = new FakeRefusal("disk-full", "Cannot write the history: the disk is full");
  rig.host.values = { ...rig.host.values, nf_conntrack_max: 1000 };
  await rig.pass(100);
  equal(rig.history.seconds.length, 5);
  equal(rig.watcher.state().sample?.values.occupancyFlows, 1000, "it goes on watching");
  rig.history.fault = undefined;
  await rig.pass(10);
  deepEqual(
    rig.history.seconds.map(({ sample }) => (sample.atMs - START_MS) / 1000),
    Array.from({ length: 115 }, (_, index) => index),
  );
  equal(rig.history.settingChanges().length, 1);
  deepEqual(rig.notes("sight-lost"), ["Unavailable: history. Cannot write the history: the disk is full"]);
});

test("a disk that stays full costs bounded memory and no happening", async () => {
  const rig = new Rig();
  rig.history.fault = new FakeRefusal("disk-full");
  await rig.pass(1000, (second) => {
    if (second === 3) rig.host.values = { ...rig.host.values, nf_conntrack_max: 1000 };
  });
  equal(rig.watcher.state().budget.skipped["secondsOfHistory"], 99);
  rig.history.fault = undefined;
  await rig.pass(40);
  equal(rig.history.seconds.length, 940);
  equal(rig.history.settingChanges().length, 1);
  ok(rig.history.censusTimes().length <= 3 + 4);
});

test("forty subscribers leave no trace, and one that throws is dropped", async () => {
  const rig = new Rig();
  const heard: string[] = [];
  const ends = Array.from({ length: 40 }, () => rig.watcher.subscribe(() => {}));
  rig.watcher.subscribe(() => {
    throw new Error("A subscriber fell over");
  });
  rig.watcher.subscribe(({ kind }) => heard.push(kind));
  await rig.pass(2);
  equal(rig.watcher.listeners, 41);
  for (const end of ends) end();
  for (const end of ends) end();
  equal(rig.watcher.listeners, 1);
  deepEqual(heard, ["sample", "note", "state", "sample", "census"]);
  await rig.watcher.stop();
  equal(rig.watcher.listeners, 0);
});

test("stopping gives up the census under way, closes the events and is noted", async () => {
  let goOn = (): void => {};
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  const rig = new Rig(new FakeWatchedHost(), { pause: () => gate });
  await rig.watcher.second();
  equal(rig.host.openReadings, 1);
  const stopped = rig.watcher.stop();
  goOn();
  await stopped;
  equal(rig.host.openReadings, 0);
  equal(rig.host.events_?.isOpen, false);
  deepEqual(rig.notes("stopped"), ["Watching was ended"]);
  await rig.watcher.second();
  equal(rig.history.seconds.length, 2);
});

test("a slow census delays no second and is not begun twice", async () => {
  let goOn = (): void => {};
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  const rig = new Rig(new FakeWatchedHost(), { pause: () => gate });
  for (let second = 0; second < 30; second++) {
    await rig.watcher.second();
    rig.clock.advance(1000);
  }
  equal(rig.history.seconds.length, 30);
  equal(rig.host.readings, 1);
  goOn();
  await rig.watcher.settled();
  await rig.watcher.second();
  ok(rig.watcher.state().census !== undefined);
});

test("other namespaces have samples of their own under their names", async () => {
  const rig = new Rig();
  const counts = { initial: false, own: false, occupancyFlows: 5, capacityFlows: 10 };
  rig.host.namespaces = [
    { inode: 4_026_531_840, own: true, initial: true, occupancyFlows: 1000, capacityFlows: 262_144 },
    { inode: 7, name: "blue", ...counts },
    { inode: 8, owner: "docker:4f1c", ...counts },
    { inode: 9, initial: false, own: false, unseen: "permission denied" },
  ];
  await rig.pass(1);
  deepEqual(
    [...(rig.history.seconds[0]?.others ?? [])],
    [
      ["blue", { atMs: START_MS, values: { occupancyFlows: 5, capacityFlows: 10 } }],
      ["docker:4f1c", { atMs: START_MS, values: { occupancyFlows: 5, capacityFlows: 10 } }],
    ],
  );
  equal(rig.watcher.state().namespaces.length, 4);
});

test("lines of the kernel log that say the table is full are a rate, other namespaces' are not", async () => {
  const rig = new Rig();
  const line = { kind: "table-full", firstAtMs: START_MS, atMs: START_MS, sample: "table full" } as const;
  await rig.pass(1);
  rig.host.log = [
    { ...line, lines: 3 },
    { ...line, lines: 50, namespaceInode: 77 },
  ];
  await rig.pass(1);
  rig.host.logUnseen = [{ what: "the kernel log", why: "not permitted", cause: "not-permitted" }];
  await rig.pass(1);
  deepEqual(
    rig.history.seconds.map(({ sample }) => sample.values.tableFullLinesPerSecond),
    [undefined, 3, undefined],
  );
});

test("alerts hear every second, and those that fire get a census of their moment", async () => {
  const alert: Alert = {
    id: "near-full-1",
    code: "near-full",
    level: "warning",
    state: "firing",
    sinceMs: START_MS,
    firedAtMs: START_MS,
    title: "near full",
    evidence: {},
    meaning: "",
    remedy: [],
  };
  const completed: [string, StoredCensus][] = [];
  let asked = 0;
  const quiet: AlertNews = { alerts: [], fired: [], resolved: [], changed: [] };
  const rig = new Rig(new FakeWatchedHost(), {
    leastCensusSeconds: 300,
    alerts: {
      evaluate: () => {
        asked += 1;
        if (asked < 20) return quiet;
        return { ...quiet, alerts: [alert], fired: asked === 20 ? [alert] : [] };
      },
      completeIncident: (id, census) => completed.push([id, census]),
    },
  });
  const news: WatchNews[] = [];
  rig.watcher.subscribe((each) => news.push(each));
  await rig.pass(25);
  equal(asked, 25);
  deepEqual(rig.watcher.state().alerts, [alert]);
  equal(news.filter(({ kind }) => kind === "alert").length, 1);
  deepEqual(
    completed.map(([id, { atMs }]) => [id, atMs]),
    [["near-full-1", START_MS + 19_000]],
  );
});

test("what begins about the table has a census at once, and again when it fires", async () => {
  const alert: Alert = {
    id: "near-full-1",
    code: "near-full",
    level: "warning",
    state: "pending",
    sinceMs: START_MS,
    title: "near full",
    evidence: {},
    meaning: "",
    remedy: [],
  };
  const completed: number[] = [];
  let asked = 0;
  const rig = new Rig(new FakeWatchedHost(), {
    leastCensusSeconds: 300,
    alerts: {
      evaluate: () => {
        asked += 1;
        const [alerts, fired] = [asked < 13 ? [] : [alert], asked === 33 ? [alert] : []];
        return { alerts, fired, resolved: [], changed: [] };
      },
      completeIncident: () => {},
      completeNotices: ({ atMs }) => completed.push((atMs - START_MS) / 1000),
    },
  });
  await rig.pass(50);
  deepEqual(completed, [0, 12, 32]);
});

test("censuses that nobody wants more often are not left out, and nobody is told that they are", async () => {
  const rig = new Rig(new FakeWatchedHost(), { leastCensusSeconds: 90 });
  await rig.pass(1200);
  equal(rig.host.readings, 14);
  deepEqual([rig.watcher.state().budget.skipped, rig.notes("skipped")], [{}, []]);
});

test("that fewer flows are counted than wanted is told, although as often", async () => {
  const host = new FakeWatchedHost({ flow: 1e-4 });
  host.occupancyFlows = 500_000;
  const rig = new Rig(host, { leastCensusSeconds: 60, mostCensusSeconds: 60 });
  await rig.pass(700);
  const told = /one core, (\d+) flows are counted every 60 s$/.exec(rig.notes("skipped")[0] ?? "");
  ok(Number(told?.[1]) < 20_000, `${rig.notes("skipped")[0]}`);
});

test("a jump of the count has a census within a second, and not more than one in ten", async () => {
  const rig = new Rig(new FakeWatchedHost(), { leastCensusSeconds: 300 });
  const times = (): number[] => rig.history.censusTimes().map((atMs) => (atMs - START_MS) / 1000);
  await rig.pass(5);
  rig.host.occupancyFlows = 1500;
  await rig.pass(5);
  deepEqual(times(), [0], "half as many again, and 500 only");
  rig.host.occupancyFlows = 60_000;
  await rig.pass(20, () => (rig.host.occupancyFlows *= 1.3));
  deepEqual(times(), [0, 10, 20]);
});

test("of the second in which listening begins again there is no rate of arrivals", async () => {
  const rig = new Rig();
  await rig.pass(3);
  rig.host.tracker = "none";
  await rig.pass(1);
  rig.host.tracker = "nf_conntrack";
  await rig.pass(2);
  deepEqual(
    rig.history.seconds.map(({ sample }) => sample.values.arrivalsPerSecond),
    [undefined, 0, 0, undefined, undefined, 0],
  );
});

test("events of before the share became smaller stand for no more than they are", async () => {
  const rig = new Rig();
  await rig.pass(120);
  const burst = Array.from({ length: 60_000 }, (_, id) => ({ kind: "new", id: id + 1 }) as const);
  rig.host.events_?.happen(...burst);
  await rig.pass(10);
  ok((rig.watcher.state().budget.skipped["flowEvents"] ?? 0) <= 60_000);
});

test("a forecast is made every ten seconds from the history", async () => {
  const made: number[] = [];
  const rig = new Rig(new FakeWatchedHost(), {
    forecast: ({ nowMs, history, capacityFlows }) => {
      made.push(history.reduce((points, columns) => points + columns.atMs.length, 0));
      equal(capacityFlows, 262_144);
      return noForecast(nowMs);
    },
  });
  await rig.pass(35);
  deepEqual(made, [0, 10, 20, 30]);
  equal(rig.watcher.state().forecast?.madeAtMs, START_MS + 30_000);
});

test("what rises by more than a hundredth of capacity has a forecast at once, not each second", async () => {
  const made: number[] = [];
  const rig = new Rig(new FakeWatchedHost(), {
    forecast: ({ nowMs }) => {
      made.push((nowMs - START_MS) / 1000);
      return noForecast(nowMs);
    },
  });
  await rig.pass(40, (second) => {
    if (second >= 13 && second < 19) rig.host.occupancyFlows += 2700;
    if (second === 25) rig.host.occupancyFlows += 2000;
  });
  deepEqual(made, [0, 10, 13, 15, 17, 27, 37]);
});

test("forecasts that cost much are made less often", async () => {
  const made: number[] = [];
  const host = new FakeWatchedHost();
  const rig = new Rig(host, {
    forecast: ({ nowMs }) => {
      made.push(nowMs);
      host.cpuSeconds += 0.08;
      return noForecast(nowMs);
    },
  });
  await rig.pass(1200);
  const lately = made.filter((atMs) => atMs >= START_MS + 600_000).length;
  ok(lately >= 5 && lately <= 12, `${lately} in ten minutes`);
});

test("what was foretold is compared with what came, and the score outlives the watcher", async () => {
  const flows = 20_000;
  const forecast = ({ nowMs }: { nowMs: number }): Forecast => ({
    ...noForecast(nowMs),
    band: { atMs: [nowMs + 600_000], expected: [flows], low: [flows], high: [flows] },
    horizonSeconds: 600,
  });
  const more = { forecast, leastForecastSeconds: 300, leastCensusSeconds: 600 };
  const rig = new Rig(new FakeWatchedHost(), more);
  rig.host.occupancyFlows = flows + 2621.44;
  for (let turn = 0; turn < 600; turn++) {
    await rig.pass(1);
    rig.clock.advance(9000);
  }
  const { backtest } = rig.watcher.state().forecast ?? {};
  deepEqual([backtest?.forecasts, backtest?.horizonSeconds, backtest?.insideShare], [9, 600, 0]);
  ok(Math.abs((backtest?.meanErrorShare ?? 0) - 0.01) < 1e-9);
  await rig.watcher.stop();
  const { host, history, clock } = rig;
  const again = new Watcher({ host, history, clock, cpuSeconds: () => 0, forecast });
  await again.second();
  // What was said ten minutes before has come.
  equal(again.state().forecast?.backtest?.forecasts, 10);
});

test("a history without a score is scored once, from what was recorded", async () => {
  const { clock, history, host } = new Rig();
  for (let minute = 24 * 60; minute > 0; minute -= 1) {
    const values = { occupancyFlows: 5000 };
    history.append({ sample: { atMs: START_MS - minute * 60_000, values } });
  }
  const forecast = ({ nowMs }: { nowMs: number }): Forecast => noForecast(nowMs);
  const watcher = new Watcher({ host, history, clock, cpuSeconds: () => 0, forecast });
  await watcher.second();
  const backtest = watcher.state().forecast?.backtest;
  ok((backtest?.forecasts ?? 0) >= 8);
  ok((backtest?.meanErrorShare ?? 1) < 0.01);
});

test("a score that cannot be kept stops nothing", async () => {
  const rig = new Rig(new FakeWatchedHost(), { forecast: ({ nowMs }) => noForecast(nowMs) });
  const write = rig.history.writeState.bind(rig.history);
  rig.history.writeState = () => {
    throw new FakeRefusal("disk-full");
  };
  await rig.pass(700);
  equal(rig.history.readState("forecast"), undefined);
  rig.history.writeState = write;
  await rig.pass(700);
  ok(rig.history.readState("forecast") !== undefined);
});

function noForecast(madeAtMs: number): Forecast {
  return {
    madeAtMs,
    band: { atMs: [], expected: [], low: [], high: [] },
    horizonSeconds: 0,
    method: "none",
    how: "none",
  };
}
