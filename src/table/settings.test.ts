import assert from "node:assert/strict";
import { test } from "node:test";

import { isSince, parseKernelRelease } from "./kernel-release.ts";
import { SETTING_KEYS, type Setting, settingKeyFor, settingOf, sysctlNames, sysctlPath } from "./settings.ts";

const rows: readonly (readonly [string, Setting])[] = SETTING_KEYS.map((key) => [key, settingOf(key)]);

test("every setting has a name in the kernel, an order of kernels and a range", () => {
  for (const [key, setting] of rows) {
    const names = [...sysctlNames(setting), setting.moduleParameter?.path].filter(
      (name) => name !== undefined,
    );
    assert.ok(names.length > 0, `${key} has no name`);
    assert.ok(setting.min <= setting.max, `${key} has an empty range`);
    const since = parseKernelRelease(setting.since);
    assert.ok(since !== undefined, `${key} since ${setting.since}`);
    if (setting.until === undefined) continue;
    const until = parseKernelRelease(setting.until);
    assert.ok(until !== undefined && isSince(until, setting.since), `${key} until ${setting.until}`);
  }
});

test("no two settings share a name", () => {
  const names = rows.flatMap(([, setting]) => sysctlNames(setting));
  assert.equal(new Set(names).size, names.length);
  const paths = rows.map(([, setting]) => setting.moduleParameter?.path).filter((path) => path !== undefined);
  assert.equal(new Set(paths).size, paths.length);
});

test("defaults are in the order of kernels, and the newest is in range", () => {
  for (const [key, { defaults = [], min, max, since, until }] of rows) {
    let last = since;
    for (const row of defaults) {
      const release = parseKernelRelease(row.since);
      assert.ok(release !== undefined && isSince(release, last), `${key}: default since ${row.since}`);
      if (until !== undefined) assert.ok(!isSince(release, until), `${key}: default after its end`);
      assert.ok(row.value >= min, `${key}: default ${row.value}`);
      last = row.since;
    }
    const newest = defaults.at(-1);
    if (newest !== undefined) assert.ok(newest.value <= max, `${key}: default ${newest.value}`);
  }
});

test("names with an until are those that kernels have lost", () => {
  const lost = new Set(rows.filter(([, { until }]) => until !== undefined).map(([key]) => key));
  for (const key of ["nf_conntrack_helper", "nf_conntrack_dccp_loose", "nf_conntrack_udplite_timeout"]) {
    assert.ok(lost.has(key), key);
  }
});

const meant = [
  ["nf_conntrack_max", "nf_conntrack_max"],
  ["net.netfilter.nf_conntrack_max", "nf_conntrack_max"],
  ["net.nf_conntrack_max", "nf_conntrack_max"],
  ["net/nf_conntrack_max", "nf_conntrack_max"],
  ["/proc/sys/net/nf_conntrack_max", "nf_conntrack_max"],
  ["ip_conntrack_max", "nf_conntrack_max"],
  ["net.ipv4.ip_conntrack_max", "nf_conntrack_max"],
  ["net.ipv4.netfilter.ip_conntrack_tcp_timeout_established", "nf_conntrack_tcp_timeout_established"],
  ["ip_conntrack_tcp_timeout_established", "nf_conntrack_tcp_timeout_established"],
  ["ip_conntrack_tcp_timeout_syn_sent2", "ip_conntrack_tcp_timeout_syn_sent2"],
  [" net.netfilter.nf_conntrack_acct\n", "nf_conntrack_acct"],
  ["hashsize", "hashsize"],
  ["/sys/module/nf_conntrack/parameters/hashsize", "hashsize"],
  ["/sys/module/ip_conntrack/parameters/hashsize", "hashsize"],
  ["nf_conntrack.hashsize", "hashsize"],
  ["nf_conntrack.expect_hashsize", "expect_hashsize"],
] as const;

for (const [text, key] of meant) {
  test(`settingKeyFor() finds ${key} by ${JSON.stringify(text)}`, () => {
    assert.equal(settingKeyFor(text), key);
  });
}

for (const text of ["", "nf_conntrack", "constructor", "__proto__", "net.ipv4.ip_forward", "conntrack_max"]) {
  test(`settingKeyFor() knows nothing named ${JSON.stringify(text)}`, () => {
    assert.equal(settingKeyFor(text), undefined);
  });
}

test("sysctlPath() turns dots into directories", () => {
  assert.equal(sysctlPath("net.nf_conntrack_max"), "/proc/sys/net/nf_conntrack_max");
});
