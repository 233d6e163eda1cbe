import assert from "node:assert/strict";
import { test } from "node:test";

import { censusWith, NOW_MS, watchState } from "../../test/support/alert-samples.ts";
import type { Forecast } from "../plan/plan.ts";
import type { KernelLogTally } from "../table/host.ts";
import type { Sample } from "../table/series.ts";
import type { AlertFacts } from "./alert-condition.ts";
import { DropWindow } from "./alert-drops.ts";
import { DEFAULT_ALERT_OPTIONS } from "./alert-options.ts";
import { alertRules } from "./alert-rules.ts";
import { ALERT_CODES, type AlertCode } from "./alert.ts";
import type { WatchState } from "./watch-state.ts";

/** Facts after a minute of seconds like this one. */
function factsOf(
  values: Sample["values"] = {},
  state: Partial<WatchState> = {},
  more: Partial<AlertFacts> = {},
): AlertFacts {
  const watched = watchState(values, state);
  const window = new DropWindow();
  for (let second = 59; second >= 0; second -= 1) {
    window.add({ atMs: NOW_MS - second * 1000, values: watched.sample?.values ?? {} });
  }
  const drops = window.lately("6.18.0");
  return { nowMs: NOW_MS, state: watched, drops, changes: [], lost: [], impairments: [], ...more };
}

/** `warning/critical`: by the upper marks, and by the lower ones; `unknown`: the facts do not tell. */
function judged(code: AlertCode, facts: AlertFacts): string {
  const found = alertRules.get(code)?.(facts, DEFAULT_ALERT_OPTIONS);
  if (found === undefined) return "unknown";
  return (
    found.map(({ level, keeps }) => (level === keeps ? level : `${level}/${keeps}`)).join(" ") || "nothing"
  );
}

function forecast(fullIn: Forecast["fullIn"], more: Partial<Forecast> = {}): { forecast: Forecast } {
  const band = { atMs: [], expected: [], low: [], high: [] };
  const made = { madeAtMs: NOW_MS, band, horizonSeconds: 1e6, method: "trend" as const, how: "A line." };
  return { forecast: { ...made, ...(fullIn === undefined ? {} : { fullIn }), ...more } };
}

function withLog(tally: Partial<KernelLogTally>): Partial<WatchState> {
  const facts = watchState().facts;
  const whole: KernelLogTally = {
    kind: "table-full",
    lines: 1,
    sample: "said",
    lastAtMs: NOW_MS - 1000,
    ...tally,
  };
  const kernelLog = {
    source: "kmsg" as const,
    origin: "",
    tallies: [whole],
    suppressedMessages: 0,
    linesRead: 1,
  };
  return { facts: { ...facts, kernelLog } };
}

const census = (flows: number, sources: Record<string, number>): Partial<WatchState> => ({
  census: { atMs: NOW_MS, census: censusWith(flows, sources), seconds: 0.1 },
});

const HOUR = 3600;

for (const [code, about, facts, wanted] of [
  ["near-full", "half full", factsOf({ occupancyFlows: 5000 }), "nothing"],
  ["near-full", "below the mark, above the lower one", factsOf({ occupancyFlows: 7600 }), "ok/warning"],
  ["near-full", "at 80 %", factsOf({ occupancyFlows: 8000 }), "warning"],
  ["near-full", "at 86 %", factsOf({ occupancyFlows: 8600 }), "warning/critical"],
  ["near-full", "at 90 %", factsOf({ occupancyFlows: 9000 }), "critical"],
  ["near-full", "full", factsOf({ occupancyFlows: 10_000 }), "critical"],
  ["near-full", "without a limit", factsOf({ capacityFlows: 0 }), "unknown"],
  ["near-full", "before the first second", { ...factsOf(), state: noSample() }, "unknown"],
  ["filling", "no forecast", factsOf({ occupancyFlows: 5000 }), "unknown"],
  [
    "filling",
    "one that cannot tell",
    factsOf({ occupancyFlows: 5000 }, forecast(undefined, { unknown: "new" })),
    "unknown",
  ],
  [
    "filling",
    "an old one",
    factsOf(
      { occupancyFlows: 5000 },
      forecast({ seconds: 60, earliestSeconds: 1 }, { madeAtMs: NOW_MS - 7_200_000 }),
    ),
    "unknown",
  ],
  ["filling", "not within the horizon", factsOf({ occupancyFlows: 5000 }, forecast(undefined)), "nothing"],
  [
    "filling",
    "only the earliest is near",
    factsOf({ occupancyFlows: 5000 }, forecast({ earliestSeconds: 60 })),
    "nothing",
  ],
  [
    "filling",
    "in an hour",
    factsOf({ occupancyFlows: 5000 }, forecast({ seconds: HOUR, earliestSeconds: 60 })),
    "critical",
  ],
  [
    "filling",
    "in two and a half",
    factsOf({ occupancyFlows: 5000 }, forecast({ seconds: 2.5 * HOUR, earliestSeconds: 60 })),
    "warning/critical",
  ],
  [
    "filling",
    "in two days, on Wednesday",
    factsOf({ occupancyFlows: 5000 }, forecast({ seconds: 47 * HOUR, earliestSeconds: 60 })),
    "warning",
  ],
  [
    "filling",
    "in three days",
    factsOf({ occupancyFlows: 5000 }, forecast({ seconds: 71 * HOUR, earliestSeconds: 60 })),
    "ok/warning",
  ],
  [
    "filling",
    "soon, and nearly empty",
    factsOf({ occupancyFlows: 100 }, forecast({ seconds: 60, earliestSeconds: 6 })),
    "nothing",
  ],
  [
    "filling",
    "full already",
    factsOf({ occupancyFlows: 10_000 }, forecast({ seconds: 0, earliestSeconds: 0 })),
    "nothing",
  ],
  ["table-full", "near full without drops", factsOf({ occupancyFlows: 9990 }), "nothing"],
  ["table-full", "at the limit", factsOf({ occupancyFlows: 10_000 }), "critical"],
  ["table-full", "drops, and nearly full", factsOf({ occupancyFlows: 9600, dropPerSecond: 3 }), "critical"],
  [
    "table-full",
    "drops that are clashes",
    factsOf({ occupancyFlows: 9600, dropPerSecond: 3, insertFailedPerSecond: 3 }),
    "nothing",
  ],
  ["table-full", "drops with room", factsOf({ dropPerSecond: 3 }), "nothing"],
  [
    "table-full",
    "the kernel says so of a table that is nearly full",
    factsOf({ occupancyFlows: 9600, tableFullLinesPerSecond: 1 }),
    "critical",
  ],
  ["table-full", "the kernel says so, of another table", factsOf({ tableFullLinesPerSecond: 1 }), "nothing"],
  ["early-drop", "none", factsOf(), "nothing"],
  ["early-drop", "one a minute", factsOf({ earlyDropPerSecond: 1 / 60 }), "ok/warning"],
  ["early-drop", "one a second", factsOf({ earlyDropPerSecond: 1 }), "warning"],
  [
    "insert-clash",
    "ten a minute",
    factsOf({ insertFailedPerSecond: 1 / 6, dropPerSecond: 1 / 6 }),
    "nothing",
  ],
  ["insert-clash", "two a second", factsOf({ insertFailedPerSecond: 2, dropPerSecond: 2 }), "warning"],
  [
    "insert-clash",
    "chains, not clashes",
    factsOf({ insertFailedPerSecond: 2, chainTooLongPerSecond: 2 }),
    "nothing",
  ],
  ["chain-too-long", "none", factsOf(), "nothing"],
  ["chain-too-long", "some", factsOf({ insertFailedPerSecond: 2, chainTooLongPerSecond: 2 }), "critical"],
  ["expectations-full", "room", factsOf(), "nothing"],
  ["expectations-full", "full", factsOf({ expectationFlows: 4096 }), "warning"],
  [
    "expectations-full",
    "logged just now",
    factsOf({}, withLog({ kind: "expectation-table-full" })),
    "warning",
  ],
  [
    "expectations-full",
    "logged an hour ago",
    factsOf({}, withLog({ kind: "expectation-table-full", lastAtMs: NOW_MS - 3_600_000 })),
    "nothing",
  ],
  ["allocation-failed", "nothing dropped", factsOf(), "nothing"],
  ["allocation-failed", "dropped with room", factsOf({ dropPerSecond: 1 }), "warning"],
  [
    "allocation-failed",
    "dropped when full",
    factsOf({ dropPerSecond: 1, occupancyFlows: 10_000 }),
    "nothing",
  ],
  ["allocation-failed", "logged", factsOf({}, withLog({ kind: "allocation-failed" })), "critical/warning"],
  ["one-source-hoards", "no census", factsOf(), "unknown"],
  [
    "one-source-hoards",
    "many sources",
    factsOf({}, census(5000, { "10.0.0.1": 900, "10.0.0.2": 800 })),
    "nothing",
  ],
  ["one-source-hoards", "most of few", factsOf({}, census(500, { "10.0.0.1": 500 })), "nothing"],
  ["one-source-hoards", "half", factsOf({}, census(5000, { "10.0.0.1": 2600 })), "warning"],
  [
    "one-source-hoards",
    "a little less than half",
    factsOf({}, census(5000, { "10.0.0.1": 2100 })),
    "ok/warning",
  ],
  ["one-source-hoards", "half of capacity", factsOf({}, census(9000, { "10.0.0.1": 5000 })), "critical"],
  ["namespace-near-full", "none", factsOf(), "nothing"],
  ["namespace-near-full", "one at 95 %", factsOf({}, namespaces(9500)), "critical"],
  ["namespace-near-full", "one at 50 %", factsOf({}, namespaces(5000)), "nothing"],
  [
    "namespace-near-full",
    "the watched one is not another",
    factsOf({}, { namespaces: [{ initial: true, own: true, inode: 4_026_531_840, occupancyFlows: 9999 }] }),
    "nothing",
  ],
  ["setting-changed", "one", factsOf({}, {}, { changes: [changed(262_144, 65_536)] }), "warning"],
  [
    "setting-changed",
    "buckets and their parameter",
    factsOf(
      {},
      {},
      {
        changes: [
          { ...changed(1, 2), key: "nf_conntrack_buckets" },
          { ...changed(1, 2), key: "hashsize" },
        ],
      },
    ),
    "warning",
  ],
  [
    "setting-lost",
    "one",
    factsOf({}, {}, { lost: [{ key: "nf_conntrack_max", wanted: 524_288, atMs: NOW_MS }] }),
    "warning",
  ],
  [
    "setting-lost",
    "it is back",
    factsOf({}, {}, { lost: [{ key: "nf_conntrack_max", wanted: 262_144, atMs: NOW_MS }] }),
    "nothing",
  ],
  [
    "watching-impaired",
    "the history",
    factsOf({}, {}, { impairments: [{ what: "history", why: "the disk is full" }] }),
    "warning",
  ],
] as const) {
  test(`${code}: ${about} is ${wanted}`, () => assert.equal(judged(code, facts), wanted));
}

function noSample(): WatchState {
  const { sample: _sample, ...state } = watchState();
  return state;
}

function namespaces(occupancyFlows: number): Partial<WatchState> {
  return {
    namespaces: [
      { initial: false, own: false, inode: 7, name: "blue", occupancyFlows, capacityFlows: 10_000 },
    ],
  };
}

function changed(from: number, to: number): AlertFacts["changes"][number] {
  return { atMs: NOW_MS, key: "nf_conntrack_max", from, to, suspects: ["ufw (it wants 65,536)"] };
}

for (const code of [
  "table-full",
  "early-drop",
  "insert-clash",
  "chain-too-long",
  "allocation-failed",
] as const) {
  test(`${code}: without counters nothing is known`, () => {
    const facts = factsOf();
    assert.equal(judged(code, { ...facts, drops: undefined, state: noSample() }), "unknown");
  });
}

test("every code has a rule, and each condition is whole: words, figures, a way out", () => {
  assert.deepEqual([...alertRules.keys()].toSorted(), [...ALERT_CODES].toSorted());
  const facts = factsOf(
    {
      occupancyFlows: 10_000,
      dropPerSecond: 5,
      earlyDropPerSecond: 5,
      chainTooLongPerSecond: 5,
      insertFailedPerSecond: 9,
    },
    { ...namespaces(9500), ...census(9000, { "10.0.0.1": 6000 }) },
    {
      changes: [changed(262_144, 65_536)],
      lost: [{ key: "nf_conntrack_udp_timeout", wanted: 60, atMs: NOW_MS, changeId: "20261122-192859" }],
      impairments: [{ what: "flows", why: "permission denied", help: "Give it CAP_NET_ADMIN." }],
    },
  );
  for (const [code, rule] of alertRules) {
    for (const { title, meaning, remedy, evidence } of rule(facts, DEFAULT_ALERT_OPTIONS) ?? []) {
      assert.ok(title.length > 10 && !title.endsWith("."), code);
      assert.ok(meaning.length > 20 && Object.keys(evidence).length > 0 && remedy.length > 0, code);
      // A capacity is never set without its buckets.
      for (const { command = "" } of remedy) {
        if (/sysctl -w \S*conntrack_max=/.test(command)) assert.match(command, /buckets=|hashsize/, code);
      }
    }
  }
});

test("of a forecast that was made a while ago all is told from now on", () => {
  const told = (spans: Forecast["fullIn"], ageSeconds: number): unknown => {
    const made = forecast(spans, { madeAtMs: NOW_MS - ageSeconds * 1000 });
    return alertRules.get("filling")?.(factsOf({ occupancyFlows: 5000 }, made), DEFAULT_ALERT_OPTIONS);
  };
  assert.deepEqual(
    told({ seconds: 7200, earliestSeconds: 1200, latestSeconds: 36_000 }, 1800),
    told({ seconds: 5400, earliestSeconds: 0, latestSeconds: 34_200 }, 0),
  );
});

test("filling waits to be sure for a tenth of what is left at most", () => {
  const facts = factsOf({ occupancyFlows: 5000 }, forecast({ seconds: 600, earliestSeconds: 60 }));
  const [condition] = alertRules.get("filling")?.(facts, DEFAULT_ALERT_OPTIONS) ?? [];
  assert.equal(condition?.firesAfterSeconds, 60);
});

test("a setting that changed is told with who may have done it, and how to put it back", () => {
  const [condition] =
    alertRules.get("setting-changed")?.(
      factsOf({}, {}, { changes: [changed(262_144, 65_536)] }),
      DEFAULT_ALERT_OPTIONS,
    ) ?? [];
  assert.equal(condition?.title, "nf_conntrack_max changed from 262,144 to 65,536");
  assert.match(condition.meaning, /ufw \(it wants 65,536\)/);
  assert.equal(condition.remedy[1]?.command, "headroom apply --set nf_conntrack_max=262144");
});

test("DropWindow counts a minute, a gap for 5 s, and begins anew when the clock is set back", () => {
  const window = new DropWindow();
  const add = (second: number): void =>
    window.add({ atMs: NOW_MS + second * 1000, values: { dropPerSecond: 2 } });
  const lost = (): number | undefined => window.lately("6.18.0")?.noRoomPackets;
  assert.equal(lost(), undefined);
  for (let second = 0; second < 200; second += 1) add(second);
  assert.equal(lost(), 120);
  add(199);
  assert.equal(lost(), 120);
  add(250);
  assert.equal(lost(), 2 * (9 + 5));
  add(10);
  assert.ok((lost() ?? 0) <= 2);
});
