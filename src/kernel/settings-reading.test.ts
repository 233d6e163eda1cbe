import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { type FoundValue, parseSysctlListing, settingsFrom } from "./settings-reading.ts";

function read(text: string): ReturnType<typeof settingsFrom> {
  return settingsFrom(parseSysctlListing(text, "saved"));
}

const lines = [
  ["net.netfilter.nf_conntrack_max = 262144", "nf_conntrack_max", 262_144],
  ["net.netfilter.nf_conntrack_max=262144", "nf_conntrack_max", 262_144],
  ["  net.netfilter.nf_conntrack_max\t=\t262144  ", "nf_conntrack_max", 262_144],
  ["net.netfilter.nf_conntrack_max: 262144", "nf_conntrack_max", 262_144],
  ["net/netfilter/nf_conntrack_max = 262144", "nf_conntrack_max", 262_144],
  ["/proc/sys/net/netfilter/nf_conntrack_max = 262144", "nf_conntrack_max", 262_144],
  ["net.nf_conntrack_max = 262144\r", "nf_conntrack_max", 262_144],
  ["net.ipv4.ip_conntrack_max = 65536", "nf_conntrack_max", 65_536],
  [
    "net.ipv4.netfilter.ip_conntrack_tcp_timeout_established = 432000",
    "nf_conntrack_tcp_timeout_established",
    432_000,
  ],
  ["net.netfilter.nf_flowtable_tcp_timeout = 30", "nf_flowtable_tcp_timeout", 30],
  ["net.netfilter.nf_conntrack_udp_timeout = -1", "nf_conntrack_udp_timeout", -1],
  ["net.netfilter.nf_conntrack_udp_timeout = 0", "nf_conntrack_udp_timeout", 0],
] as const;

for (const [line, key, value] of lines) {
  test(`a saved sysctl -a is read: ${JSON.stringify(line)}`, () => {
    const reading = read(`kernel.hostname = a\n${line}\nvm.swappiness = 60\n`);
    assert.deepEqual(reading.values, { [key]: value });
    assert.deepEqual(reading.origins, { [key]: "saved" });
    assert.deepEqual([reading.unknownKeys, reading.unreadable], [[], []]);
  });
}

for (const found of ["", "many", "1.5", "0x10", "1 2 3", "99999999999999999999", "9007199254740993"]) {
  test(`a value that is no number is said, not guessed: ${JSON.stringify(found)}`, () => {
    const reading = read(`net.netfilter.nf_conntrack_max = ${found}\n`);
    assert.deepEqual(reading.values, {});
    assert.deepEqual(reading.unreadable, [{ name: "net.netfilter.nf_conntrack_max", found }]);
  });
}

test("names of the tracker that are not known are listed, others are not", () => {
  const reading = read(
    [
      "net.netfilter.nf_conntrack_quantum = 1",
      "net.netfilter.nf_flowtable_sctp_timeout = 1",
      "net.ipv4.netfilter.ip_conntrack_quux = 1",
      "net.netfilter.nf_log_all_netns = 0",
      "net.netfilter.nf_hooks_lwtunnel = 0",
      "net.ipv4.tcp_rmem = 4096 131072 6291456",
      "sysctl: permission denied on key 'net.netfilter.nf_conntrack_x'",
      'sysctl: reading key "net.ipv6.conf.all.stable_secret"',
    ].join("\n"),
  );
  assert.deepEqual(reading.unknownKeys, [
    "net.netfilter.nf_conntrack_quantum",
    "net.netfilter.nf_flowtable_sctp_timeout",
    "net.ipv4.netfilter.ip_conntrack_quux",
  ]);
  assert.deepEqual(reading.values, {});
});

test("of the names of one variable the modern one is taken, in whatever order they come", () => {
  const found: FoundValue[] = [
    { name: "net.ipv4.ip_conntrack_max", text: "1", origin: "oldest" },
    { name: "net.ipv4.netfilter.ip_conntrack_max", text: "2", origin: "old" },
    { name: "net.nf_conntrack_max", text: "3", origin: "alias" },
    { name: "net.netfilter.nf_conntrack_max", text: "4", origin: "modern" },
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(found, { minLength: 1 }), (some) => {
      const reading = settingsFrom(some);
      const best = some.toSorted((left, right) => Number(right.text) - Number(left.text))[0];
      assert.equal(reading.origins.nf_conntrack_max, best?.origin);
    }),
  );
});

test("of a name given twice the last value stands, as it does for the kernel", () => {
  assert.equal(read("net.nf_conntrack_max = 1\nnet.nf_conntrack_max = 2\n").values.nf_conntrack_max, 2);
});

test("hostile listings do no harm", () => {
  const long = `net.netfilter.nf_conntrack_max = ${"9".repeat(10_000_000)}`;
  const reading = read(long);
  assert.deepEqual(reading.values, {});
  assert.ok((reading.unreadable[0]?.found.length ?? 0) <= 60);
  assert.deepEqual(read(`${"x".repeat(10_000_000)}\nnet.nf_conntrack_max = 7`).values, {
    nf_conntrack_max: 7,
  });
  const many = Array.from({ length: 5000 }, (_, index) => `net.netfilter.nf_conntrack_${index} = 1`).join(
    "\n",
  );
  assert.equal(read(many).unknownKeys.length, 1000);
  fc.assert(
    fc.property(fc.string(), (garbage) => read(`${garbage}nf_conntrack_max = ${garbage}`) !== undefined),
  );
});
