import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SERIES_NAMES } from "../table/series.ts";
import { SETTING_KEYS, settingOf, type Settings } from "../table/settings.ts";
import { ApiProblem } from "./problem.ts";
import { PARAMETERS, type ParameterName, Query, shown } from "./query.ts";

const NOW_MS = 1_795_383_154_000;
const ALL = Object.keys(PARAMETERS) as ParameterName[];

function queryOf(pairs: readonly (readonly [string, string])[]): Query {
  return new Query(new URLSearchParams(pairs.map(([name, value]) => [name, value])), ALL, NOW_MS);
}

/** Everything that can be read of a query. */
const READERS: readonly ((query: Query) => unknown)[] = [
  (query) => query.span(60),
  (query) => query.atMs("at"),
  (query) => query.points(),
  (query) => query.limit(),
  (query) => query.names(),
  (query) => query.namespace(["blue"]),
  (query) => query.sort(),
  (query) => query.filter(),
  (query) => query.settings(),
];

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("1", "-1", "1e9", "0x10", "NaN", "Infinity", " 5", "9".repeat(400), "%00", "__proto__"),
  fc.tuple(fc.constantFrom(...SETTING_KEYS), fc.string()).map(([key, value]) => `${key}=${value}`),
);

test("whatever a query says, it is read or refused with a problem that a person can read", () => {
  fc.assert(
    fc.property(fc.constantFrom(...ALL), anyText, (name, text) => {
      for (const read of READERS) {
        try {
          read(queryOf([[name, text]]));
        } catch (error) {
          assert.ok(error instanceof ApiProblem, String(error));
          assert.match(error.message, /^Cannot \P{C}*$/u);
          assert.ok(error.message.length < 400);
        }
      }
    }),
    { numRuns: 400 },
  );
});

test("whole numbers within their range are read as they are, others are refused", () => {
  fc.assert(
    fc.property(fc.integer({ min: -10_000, max: 10_000 }), (value) => {
      const read = (): number => queryOf([["points", String(value)]]).points();
      if (value >= 1 && value <= 5000) assert.equal(read(), value);
      else assert.throws(read, ApiProblem);
    }),
  );
});

test("settings that can be written are read with every value they take, and with no other", () => {
  const writable = SETTING_KEYS.filter((key) => settingOf(key).readOnly !== true && key !== "hashsize");
  fc.assert(
    fc.property(fc.constantFrom(...writable), fc.integer({ min: 0, max: 2 ** 33 }), (key, value) => {
      const read = (): Settings => queryOf([["set", `${key}=${value}`]]).settings();
      const { min, max } = settingOf(key);
      if (value >= min && value <= max) assert.deepEqual(read(), { [key]: value });
      else assert.throws(read, ApiProblem);
    }),
  );
});

for (const [text, wanted] of [
  ["tcp_timeout_established=12h", { nf_conntrack_tcp_timeout_established: 43_200 }],
  ["net.netfilter.nf_conntrack_max=512k", { nf_conntrack_max: 512_000 }],
  ["hashsize=65536", { nf_conntrack_buckets: 65_536 }],
  ["ip_conntrack_max = 1M", { nf_conntrack_max: 1_000_000 }],
] as const) {
  test(`set=${text} is ${JSON.stringify(wanted)}`, () => {
    assert.deepEqual(queryOf([["set", text]]).settings(), wanted);
  });
}

test("names are read in their order, each once; all of them can be asked for", () => {
  assert.deepEqual(queryOf([["names", "dropPerSecond, occupancyFlows,dropPerSecond"]]).names(), [
    "dropPerSecond",
    "occupancyFlows",
  ]);
  assert.deepEqual(queryOf([["names", SERIES_NAMES.join(",")]]).names(), [...SERIES_NAMES]);
});

test("a span that is not given ends now", () => {
  assert.deepEqual(queryOf([]).span(60), { fromMs: NOW_MS - 60_000, toMs: NOW_MS });
  assert.deepEqual(queryOf([["to", "30000"]]).span(60), { fromMs: 0, toMs: 30_000 });
});

test("text of a stranger is shown short, and on one line", () => {
  assert.equal(shown("a\nb\u202e"), "a?b?");
  assert.equal(shown("x".repeat(100)).length, 63);
});
