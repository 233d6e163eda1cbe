import { deepEqual } from "node:assert/strict";
import { test } from "node:test";

import type { SettingsReading } from "../table/host.ts";
import type { Settings } from "../table/settings.ts";
import { usualTimeouts } from "../../test/support/observations.ts";
import { changesBetween, SettingWatch } from "./setting-watch.ts";

const before: Settings = {
  ...usualTimeouts,
  nf_conntrack_max: 65_536,
  nf_conntrack_buckets: 16_384,
  hashsize: 16_384,
};

function reading(values: Settings): SettingsReading {
  return { values, origins: {}, unknownKeys: [], unreadable: [] };
}

for (const [name, after, found] of [
  ["another value", { ...before, nf_conntrack_max: 1000 }, [["nf_conntrack_max", 65_536, 1000]]],
  ["a setting that came", { ...before, nf_conntrack_acct: 1 }, [["nf_conntrack_acct", undefined, 1]]],
  ["the count of flows is none", { ...before, nf_conntrack_count: 7 }, []],
  [
    "buckets are told once",
    { ...before, nf_conntrack_buckets: 32_768, hashsize: 32_768 },
    [["nf_conntrack_buckets", 16_384, 32_768]],
  ],
] as const) {
  test(`settings compared: ${name}`, () => {
    deepEqual(
      changesBetween(before, after).map(({ key, from, to }) => [key, from, to]),
      found,
    );
  });
}

test("one setting that goes is told; all at once are out of sight", () => {
  const watch = new SettingWatch();
  watch.changes(reading(before), 1);
  const { nf_conntrack_udp_timeout: _gone, ...rest } = before;
  deepEqual(watch.changes(reading(rest), 2), [{ key: "nf_conntrack_udp_timeout", from: 30 }]);
  deepEqual(watch.changes(reading({}), 3), []);
  deepEqual(watch.changes(reading({ nf_conntrack_max: 65_536 }), 4), []);
  deepEqual(watch.changes(reading({ ...rest, nf_conntrack_max: 5 }), 5), [
    { key: "nf_conntrack_max", from: 65_536, to: 5 },
  ]);
});

test("nothing is compared while the reading says that nothing changed", () => {
  const watch = new SettingWatch();
  watch.changes(reading(before), 1);
  deepEqual(watch.changes(reading({ ...before, nf_conntrack_max: 1 }), 1), []);
});
