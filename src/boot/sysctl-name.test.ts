import assert from "node:assert/strict";
import { test } from "node:test";

import { expandPattern, foundTarget, matchesAnywhere, plainTarget, sysctlTarget } from "./sysctl-name.ts";

const MAX = "net/netfilter/nf_conntrack_max";

for (const [name, target] of [
  ["net.netfilter.nf_conntrack_max", MAX],
  ["net/netfilter/nf_conntrack_max", MAX],
  ["net.ipv4.conf.eth0/200.forwarding", "net/ipv4/conf/eth0.200/forwarding"],
  ["net/ipv4/conf/eth0.200/forwarding", "net/ipv4/conf/eth0.200/forwarding"],
  ["net/netfilter.nf_conntrack_max", "net/netfilter.nf_conntrack_max"],
  ["net.netfilter/nf_conntrack_max", "net/netfilter.nf_conntrack_max"],
  ["hostname", "hostname"],
] as const) {
  test(`${name} is ${target}`, () => {
    assert.equal(plainTarget(sysctlTarget(name)), target);
  });
}

for (const [target, found] of [
  ["/net//netfilter/./nf_conntrack_max", MAX],
  ["net/../net/netfilter/nf_conntrack_max", MAX],
  ["nowhere/../net/netfilter/nf_conntrack_max", "nowhere/../net/netfilter/nf_conntrack_max"],
  ["net/netfilter/nf_conntrack_max/", `${MAX}/`],
] as const) {
  test(`${target} is found at ${found}`, () => {
    assert.equal(foundTarget(target), found);
  });
}

const TARGETS = [MAX, "net/netfilter/nf_conntrack_buckets", "net/nf_conntrack_max", "net/netfilter/.hidden"];

for (const [pattern, matched] of [
  ["net/*/nf_conntrack_max", [MAX]],
  ["net/*", ["net/nf_conntrack_max"]],
  ["net/netfilter/nf_conntrack_[a-m]*", ["net/netfilter/nf_conntrack_buckets", MAX]],
  ["net/netfilter/nf_conntrack_[!a-b]*", [MAX]],
  ["net/netfilter/nf_conntrack_[^a-b]*", [MAX]],
  ["net/n?tfilter/nf_conntrack_ma?", [MAX]],
  ["net/netfilter/nf_conntrack_[max", []],
  ["net/netfilter/nf_conntrack_\\max", [MAX]],
  ["net/netfilter/*", ["net/netfilter/nf_conntrack_buckets", MAX]],
  ["net/netfilter/nf_conntrack_{max,buckets}", []],
  ["net[/]netfilter/nf_conntrack_max", []],
  ["net/netfilter/nf_conntrack_[z-a]*", []],
] as const) {
  test(`the pattern ${pattern}`, () => {
    assert.deepEqual(expandPattern(pattern, TARGETS), matched);
  });
}

test("a name kept out by a pattern: wildcards go over slashes", () => {
  assert.equal(matchesAnywhere("net*max", MAX), true);
  assert.equal(matchesAnywhere("net?netfilter*", MAX), true);
  assert.equal(matchesAnywhere("net*buckets", MAX), false);
});
