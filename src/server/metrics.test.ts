import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { ManualClock } from "../base/clock.ts";
import type { Census } from "../census/census.ts";
import type { WatchNews, WatchState } from "../watch/watch.ts";
import { fakeHost } from "../../test/support/fake-watched.ts";
import { familiesOf, Metrics, type MetricsOptions, wantsOpenMetrics } from "./metrics.ts";
import { Ranking } from "./metrics-ranking.ts";

const START = Date.UTC(2026, 10, 22, 12);
const options: MetricsOptions = { top: 5, nodeExporterNames: false };
const clock = new ManualClock(START);
const host = fakeHost(clock, { flows: 4000 });
const usual = host.watched.state();

interface Made {
  metrics: Metrics;
  /** What the watcher knows from now on. */
  put(state: WatchState): void;
  tell(news: WatchNews): void;
  sizes(): number;
}

function made(state: WatchState = usual, wanted: Partial<MetricsOptions> = {}): Made {
  let [now, listener, sizes] = [state, (_news: WatchNews): void => undefined, 0];
  const metrics = new Metrics({
    watched: {
      state: () => now,
      subscribe: (given) => {
        listener = given;
        return () => undefined;
      },
    },
    history: {
      size: () => {
        sizes += 1;
        return host.history.size();
      },
    },
    clock,
    version: "1.2.3",
    ownProcess: () => ({
      userCpuSeconds: 3,
      systemCpuSeconds: 1.5,
      startedAtMs: START,
      residentBytes: 1e8,
      heapUsedBytes: 2e7,
      openFiles: 30,
    }),
    options: { ...options, ...wanted },
  });
  return {
    metrics,
    put: (next) => {
      now = next;
    },
    tell: (news) => listener(news),
    sizes: () => sizes,
  };
}

/** Values by `name{labels}`. */
async function valuesOf({ metrics }: Made, accept?: string): Promise<Map<string, number>> {
  const { text } = await metrics.text(accept);
  return new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line): [string, number] => {
        const at = line.lastIndexOf(" ");
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }),
  );
}

function named(values: ReadonlyMap<string, number>, name: string): [string, number][] {
  return [...values].filter(([key]) => key === name || key.startsWith(`${name}{`));
}

function sumOf(values: ReadonlyMap<string, number>, name: string): number {
  return named(values, name).reduce((sum, [, value]) => sum + value, 0);
}

function withFacts(facts: Partial<WatchState["facts"]>): WatchState {
  return { ...usual, facts: { ...usual.facts, ...facts } };
}

test("names are those that promtool and people expect: each once, with units, counters with _total", () => {
  const families = familiesOf({ nodeExporterNames: true });
  const names = families.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  for (const { name, type, help } of families) {
    assert.match(name, /^(headroom|node_nf_conntrack|process|nodejs)_[a-z0-9]+(_[a-z0-9]+)*$/, name);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.ok(help.length > 15, name);
    if (name.startsWith("headroom_")) assert.doesNotMatch(help, /[.]$|n't|\bentr(y|ies)\b/, name);
  }
});

test("the table is told as the last second saw it", async () => {
  const values = await valuesOf(made());
  const { occupancyFlows, capacityFlows, bucketCount } = usual.sample?.values ?? {};
  assert.equal(values.get("headroom_occupancy_flows"), occupancyFlows);
  assert.equal(values.get("headroom_capacity_flows"), capacityFlows);
  assert.equal(values.get("headroom_buckets"), bucketCount);
  assert.equal(values.get("headroom_expectation_capacity_flows"), 4096);
  assert.equal(values.get("headroom_tracker_loaded"), 1);
  assert.equal(values.get('headroom_table_memory_bytes{part="buckets"}'), (bucketCount ?? 0) * 8);
  assert.ok((values.get('headroom_table_memory_bytes{part="flows"}') ?? 0) >= (occupancyFlows ?? 0) * 256);
  const kernel = usual.facts.host.kernelRelease;
  assert.equal(values.get(`headroom_build_info{version="1.2.3",kernel="${kernel}"}`), 1);
  assert.equal(values.get("headroom_history_size_bytes"), 38_400_000);
  assert.equal(values.get("process_cpu_seconds_total"), 4.5);
  assert.equal(values.get("process_open_fds"), 30);
  assert.equal(values.has("process_max_fds"), false);
});

test("what the kernel does not count is absent, and what it counts as zero is 0", async () => {
  const counters = { perCpu: [], notCounted: [], unknown: [], source: "procfs" as const };
  const few = made(withFacts({ counters: { ...counters, total: { drop: 0, earlyDrop: 7 } } }));
  const values = await valuesOf(few);
  assert.deepEqual(
    [...values].filter(([name]) => name.startsWith("headroom_conntrack_")),
    [
      ["headroom_conntrack_drop_total", 0],
      ["headroom_conntrack_early_drop_total", 7],
    ],
  );
  const { text } = await few.metrics.text();
  assert.doesNotMatch(text, /searched|chain_too_long/);
  const { counters: _none, ...facts } = usual.facts;
  const without = await valuesOf(made({ ...usual, facts }));
  assert.equal([...without.keys()].filter((name) => name.startsWith("headroom_conntrack_")).length, 0);
});

test("a watcher that knows nothing yet has metrics of itself alone", async () => {
  const { sample: _1, census: _2, forecast: _3, events: _4, observation: _5, ...rest } = usual;
  const facts: WatchState["facts"] = {
    host: { tracker: "unknown" },
    settings: { values: {}, origins: {}, unknownKeys: [], unreadable: [] },
    atMs: START,
    unseen: [],
  };
  const values = await valuesOf(
    made({ ...rest, facts, namespaces: [], alerts: [], verdict: { level: "unknown", findings: [] } }),
  );
  const names = new Set([...values.keys()].map((key) => key.replace(/\{.*/, "")));
  for (const name of [
    "occupancy_flows",
    "flows",
    "setting",
    "namespaces",
    "census_age_seconds",
    "tracker_loaded",
  ]) {
    assert.equal(names.has(`headroom_${name}`), false, name);
  }
  assert.equal(values.get("headroom_check_level"), 3);
  assert.equal(values.get("headroom_setting_changes_total"), 0);
});

test("flows by state add up to the census, and so does every ranking with its other", async () => {
  const values = await valuesOf(made());
  const flows = usual.census?.census.flows ?? 0;
  for (const name of ["headroom_flows", "headroom_source_flows", "headroom_service_flows"]) {
    const off = Math.abs(sumOf(values, name) - flows);
    assert.ok(off <= flows * 0.001, `${name} is off by ${off} of ${flows}`);
    assert.ok(named(values, name).length > 1, name);
  }
  assert.ok(values.has('headroom_flows{protocol="tcp",state="established"}'));
  assert.ok(values.has('headroom_flows{protocol="udp"}'));
  assert.equal(named(values, "headroom_source_flows").length, options.top + 1);
  assert.ok(values.has('headroom_service_flows{service="tcp/443"}'));
  assert.equal(values.get("headroom_census_age_seconds"), 4);
  assert.equal(values.get("headroom_census_sample_flows"), usual.census?.census.flowsRead);
});

test("what rounding leaves of a protocol with states is no row, what has no state is", async () => {
  const census = usual.census?.census;
  assert.ok(census !== undefined);
  const rows = async (flows: number): Promise<[string, number][]> => {
    const byState = [
      { protocol: "tcp", state: "ESTABLISHED", flows: 10 },
      { protocol: "tcp", state: "TIME_WAIT", flows: 5 },
    ];
    const counted: Census = { ...census, byState, byProtocol: [{ protocol: "tcp", flows }] };
    const values = await valuesOf(made({ ...usual, census: { atMs: START, census: counted, seconds: 1 } }));
    return named(values, "headroom_flows");
  };
  assert.equal((await rows(17)).length, 2);
  assert.deepEqual((await rows(18)).at(-1), ['headroom_flows{protocol="tcp"}', 3]);
});

test("a census of a table that was nearly empty says nothing of one that has filled since", async () => {
  const census = usual.census?.census;
  assert.ok(census !== undefined && usual.sample !== undefined);
  const values = await valuesOf(
    made({ ...usual, census: { atMs: START, census: { ...census, flows: 3 }, seconds: 1 } }),
  );
  assert.equal(named(values, "headroom_source_flows").length, 0);
  assert.equal(named(values, "headroom_flows").length, 0);
  assert.equal(values.get("headroom_census_flows"), 3);
  assert.ok(values.has("headroom_census_age_seconds"));
  const empty = { ...usual.sample, values: { ...usual.sample.values, occupancyFlows: 0 } };
  const none = {
    ...usual,
    sample: empty,
    census: { atMs: START, census: { ...census, flows: 0 }, seconds: 1 },
  };
  assert.ok(named(await valuesOf(made(none)), "headroom_source_flows").length > 0);
});

test("names of node_exporter can come and go while it runs", async () => {
  const one = made();
  assert.equal((await valuesOf(one)).has("node_nf_conntrack_entries"), false);
  one.metrics.nameAsNodeExporter(true);
  assert.equal((await valuesOf(one)).has("node_nf_conntrack_entries"), true);
  one.metrics.nameAsNodeExporter(false);
  assert.equal((await valuesOf(one)).has("node_nf_conntrack_entries"), false);
});

test("of all statuses those are told that people count by", async () => {
  const rows = named(await valuesOf(made()), "headroom_status_flows");
  assert.ok(rows.some(([name, value]) => name.includes('"assured"') && value > 0));
  assert.ok(rows.length <= 7 && rows.every(([name]) => !name.includes("confirmed")));
});

test("flows idle for longer are never more than those idle for shorter", async () => {
  const values = await valuesOf(made());
  for (const name of ["headroom_idle_flows", "headroom_idle_established_flows"]) {
    const steps = named(values, name).map(([, value]) => value);
    assert.equal(steps.length, 6);
    assert.deepEqual(
      steps,
      steps.toSorted((a, b) => b - a),
    );
    assert.ok((steps[0] ?? 0) > 0, name);
  }
});

test("time until full is absent when it cannot be told, and shrinks between two forecasts", async () => {
  const { forecast } = usual;
  assert.ok(forecast?.fullIn?.seconds !== undefined);
  const later = withFacts({ atMs: forecast.madeAtMs + 30_000 });
  const values = await valuesOf(made(later));
  assert.equal(values.get("headroom_seconds_until_full"), forecast.fullIn.seconds - 30);
  assert.equal(values.get("headroom_seconds_until_full_earliest"), forecast.fullIn.earliestSeconds - 30);
  assert.equal(values.get("headroom_forecast_age_seconds"), 30);
  const hour = values.get('headroom_forecast_occupancy_flows{ahead_seconds="3600",bound="expected"}');
  assert.equal(hour, forecast.band.expected[4]);
  const untold = { ...forecast, unknown: "the history is 20 s long" };
  const none = await valuesOf(made({ ...usual, forecast: untold }));
  for (const name of ["seconds_until_full", "seconds_until_full_latest", "forecast_horizon_seconds"]) {
    assert.equal(none.has(`headroom_${name}`), false, name);
  }
  assert.equal(sumOf(none, "headroom_forecast_occupancy_flows"), 0);
});

test("alerts have a value for every code, findings only where they hold", async () => {
  const values = await valuesOf(made());
  assert.equal(values.get('headroom_alerts{code="filling",state="firing"}'), 1);
  assert.equal(values.get('headroom_alerts{code="namespace-near-full",state="pending"}'), 1);
  assert.equal(values.get('headroom_alerts{code="table-full",state="firing"}'), 0);
  const { findings } = usual.verdict;
  assert.equal(sumOf(values, "headroom_finding"), findings.length);
});

test("settings in force are there by key, the count is not", async () => {
  const values = await valuesOf(made());
  const { nf_conntrack_tcp_timeout_established: established } = usual.facts.settings.values;
  assert.equal(values.get('headroom_setting{key="nf_conntrack_tcp_timeout_established"}'), established);
  assert.equal(values.has('headroom_setting{key="nf_conntrack_count"}'), false);
});

test("news are counted since the start, an alert that goes on fires once", async () => {
  const one = made();
  const [alert] = usual.alerts;
  assert.ok(alert !== undefined);
  one.tell({ kind: "setting", change: { atMs: START, key: "nf_conntrack_max", to: 1, suspects: [] } });
  one.tell({ kind: "note", note: { atMs: START, kind: "gap", text: "" } });
  for (const state of ["pending", "firing", "firing", "resolved", "firing"] as const) {
    one.tell({ kind: "alert", alert: { ...alert, state } });
  }
  const values = await valuesOf(one);
  assert.equal(values.get("headroom_setting_changes_total"), 1);
  assert.equal(values.get('headroom_notes_total{kind="gap"}'), 1);
  assert.equal(values.get('headroom_notes_total{kind="clock-jump"}'), 0);
  assert.equal(values.get("headroom_alerts_fired_total"), 2);
});

test("events are told by protocol, services are not", async () => {
  const values = await valuesOf(made());
  assert.equal(values.get('headroom_arriving_flows_per_second{protocol="tcp"}'), 1812);
  assert.equal(values.get('headroom_flow_holding_seconds{protocol="udp"}'), 41);
  assert.equal(named(values, "headroom_arriving_flows_per_second").length, 3);
  assert.equal(values.get("headroom_events_followed_ratio"), 1 / 16);
  assert.equal(values.get("headroom_events_lost_total"), 1240);
});

test("the fullest namespaces are named, the rest is summed up, unread counts are left out", async () => {
  const namespaces = Array.from({ length: 40 }, (_, index) => ({
    inode: index,
    name: index < 2 ? "twin" : `ns-${index}`,
    initial: false,
    own: false,
    occupancyFlows: index * 10,
    capacityFlows: 1000,
  }));
  const blind = { inode: 99, owner: "docker:1", initial: false, own: false, unseen: "permission denied" };
  const values = await valuesOf(made({ ...usual, namespaces: [...namespaces, blind] }));
  assert.equal(values.get("headroom_namespaces"), 41);
  assert.equal(named(values, "headroom_namespace_occupancy_flows").length, 6);
  assert.equal(values.get('headroom_namespace_occupancy_flows{netns="ns-39"}'), 390);
  assert.equal(sumOf(values, "headroom_namespace_occupancy_flows"), 7800);
  assert.equal(named(values, "headroom_namespace_capacity_flows").length, 5);
  const all = await valuesOf(made({ ...usual, namespaces: namespaces.slice(0, 3) }));
  assert.deepEqual(
    named(all, "headroom_namespace_occupancy_flows").map(([name]) => name.replace(/.*=/, "")),
    ['"ns-2"}', '"net:[1]"}', '"twin"}'].map((name) => name.replace("net:", "twin net:")),
  );
});

test("labels that strangers choose are escaped", async () => {
  const namespaces = [
    { inode: 1, name: 'a"b\\c\nd', initial: false, own: false, occupancyFlows: 1, capacityFlows: 2 },
  ];
  const { text } = await made({ ...usual, namespaces }).metrics.text();
  assert.ok(text.includes('headroom_namespace_capacity_flows{netns="a\\"b\\\\c\\nd"} 2\n'));
});

test("the same text is given while nothing is new, the size of the history is kept", async () => {
  const one = made();
  const first = await one.metrics.text();
  assert.equal(await one.metrics.text("text/plain"), first);
  const open = await one.metrics.text("application/openmetrics-text");
  assert.notEqual(open, first);
  assert.equal(await one.metrics.text("application/openmetrics-text"), open);
  one.put({ ...usual });
  assert.notEqual(await one.metrics.text(), first);
  assert.equal(one.sizes(), 1);
  clock.advance(60_000);
  one.put({ ...usual });
  await one.metrics.text();
  assert.equal(one.sizes(), 2);
});

test("texts asked for at the same time are each of one state", async () => {
  const one = made(withFacts({ unseen: [] }));
  const first = one.metrics.text();
  one.put(withFacts({ host: { tracker: "none" } }));
  const second = one.metrics.text();
  assert.match((await first).text, /headroom_tracker_loaded 1\n/);
  assert.match((await second).text, /headroom_tracker_loaded 0\n/);
});

test("OpenMetrics names counters without _total, ends with EOF, leaves the other alone", async () => {
  const one = made();
  const before = (await one.metrics.text()).text;
  const open = await one.metrics.text("application/openmetrics-text; version=1.0.0");
  assert.equal(open.type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  assert.match(open.text, /\n# TYPE headroom_conntrack_drop counter\nheadroom_conntrack_drop_total \d+\n/);
  assert.doesNotMatch(open.text, /_total_total|\n\n/);
  assert.ok(open.text.endsWith("\n# EOF\n"));
  one.put({ ...usual });
  assert.equal((await one.metrics.text()).text, before);
  assert.match(before, /\n# TYPE headroom_conntrack_drop_total counter\n/);
  assert.deepEqual(await valuesOf(one), await valuesOf(one, "application/openmetrics-text"));
});

test("names of node_exporter are gauges without labels, zero where the kernel does not count", async () => {
  const one = made(usual, { nodeExporterNames: true });
  const { text } = await one.metrics.text();
  const types = text.split("\n").filter((line) => line.startsWith("# TYPE node_"));
  assert.equal(types.length, 10);
  assert.ok(types.every((line) => line.endsWith(" gauge")));
  const values = await valuesOf(one);
  assert.equal(values.get("node_nf_conntrack_entries"), usual.sample?.values.occupancyFlows);
  assert.equal(values.get("node_nf_conntrack_stat_early_drop"), 18_220);
  assert.equal(values.get("node_nf_conntrack_stat_ignore"), 0);
  const { counters: _none, ...facts } = usual.facts;
  const bare = await valuesOf(made({ ...usual, facts }, { nodeExporterNames: true }));
  assert.equal([...bare.keys()].filter((name) => name.startsWith("node_")).length, 2);
  assert.equal([...(await valuesOf(made())).keys()].filter((name) => name.startsWith("node_")).length, 0);
});

for (const [accept, wanted] of [
  [undefined, false],
  ["", false],
  ["*/*", false],
  ["text/plain", false],
  ["application/openmetrics-text", true],
  ["application/openmetrics-text; version=1.0.0", true],
  ["application/openmetrics-text;version=0.0.1", false],
  ["application/openmetrics-text;q=0.5,text/plain;q=0.8", false],
  ["application/openmetrics-text;q=0", false],
  [
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    true,
  ],
] as const) {
  test(`Accept: ${accept ?? "(none)"} gives ${wanted ? "OpenMetrics" : "text"}`, () => {
    assert.equal(wantsOpenMetrics(accept), wanted);
  });
}

const rows = (...names: readonly string[]): { name: string; flows: number }[] =>
  names.map((name, index) => ({ name, flows: 100 - index }));

test("who leaves the greatest stays for some censuses, and who comes is there at once", () => {
  const ranking = new Ranking(2);
  const shown = (...names: readonly string[]): string[] =>
    ranking.of({}, () => rows(...names)).map(({ name }) => name);
  assert.deepEqual(shown("a", "b", "c", "d"), ["a", "b"]);
  assert.deepEqual(shown("a", "c", "b", "d"), ["a", "c", "b"]);
  for (let times = 2; times < 6; times += 1)
    assert.deepEqual(shown("a", "c", "b"), ["a", "c", "b"], `${times}`);
  assert.deepEqual(shown("a", "c", "b"), ["a", "c"]);
  assert.deepEqual(shown("c", "x"), ["c", "x"]);
  assert.deepEqual(shown("a", "c", "x"), ["a", "c", "x"]);
});

test("a ranking is made anew only for another source", () => {
  const ranking = new Ranking(1);
  const source = {};
  assert.deepEqual(
    ranking.of(source, () => rows("a")),
    rows("a"),
  );
  assert.deepEqual(
    ranking.of(source, () => assert.fail("asked again")),
    rows("a"),
  );
});

test("no more than twice as many as wanted are ever named, and the greatest always are", () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-j]$/), { maxLength: 10 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4 }), fc.array(names, { maxLength: 20 }), (most, censuses) => {
      const ranking = new Ranking(most);
      for (const found of censuses) {
        const shown = ranking.of({}, () => rows(...found)).map(({ name }) => name);
        assert.ok(shown.length <= 2 * most);
        assert.deepEqual(
          shown.filter((name) => found.slice(0, most).includes(name)),
          found.slice(0, most),
        );
      }
    }),
  );
});

test("a ranking follows every census, also those between two scrapes", async () => {
  const one = made();
  const census = usual.census?.census;
  assert.ok(census !== undefined);
  const other: Census = {
    ...census,
    topSources: { ...census.topSources, rows: [{ address: "192.0.2.1", flows: 9 }] },
  };
  await one.metrics.text();
  for (let times = 0; times < 6; times += 1) one.tell({ kind: "census", atMs: START, census: { ...other } });
  one.put({ ...usual, census: { atMs: START, census: { ...other }, seconds: 1 } });
  const values = await valuesOf(one);
  assert.deepEqual(
    named(values, "headroom_source_flows").map(([name]) => name),
    ['headroom_source_flows{source="192.0.2.1"}', 'headroom_source_flows{source="other"}'],
  );
});
