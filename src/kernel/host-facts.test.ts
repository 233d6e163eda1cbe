import assert from "node:assert/strict";
import { test } from "node:test";

import {
  INITIAL_NAMESPACE_INODE,
  isInitialNamespace,
  pageBytesOf,
  parseBootTime,
  parseCpuInfo,
  parseCpuList,
  parseDate,
  parseKernelVersion,
  parseMemory,
  parseNamespaceLink,
  parsePointerBytes,
  parseSlabInfo,
  parseUname,
  parseUptime,
  parseUptimeCommand,
} from "./host-facts.ts";

test("parseMemory() reads total and available as bytes; kernels before 3.14 have no estimate", () => {
  const text = "MemTotal:       24683656 kB\nMemFree:        100 kB\nMemAvailable:   24326068 kB\n";
  assert.deepEqual(parseMemory(text), { memoryBytes: 25_276_063_744, availableBytes: 24_909_893_632 });
  assert.deepEqual(parseMemory("MemTotal:      1003520 kB\n"), { memoryBytes: 1_027_604_480 });
  assert.deepEqual(parseMemory("        total:    used:\nMem:  1 2\n"), {});
});

test("parsePointerBytes() goes by the room for vmalloc", () => {
  assert.equal(parsePointerBytes("VmallocTotal:   34359738367 kB\n"), 8);
  assert.equal(parsePointerBytes("VmallocTotal:     122880 kB\n"), 4);
  assert.equal(parsePointerBytes("VmallocTotal:     0 kB\n"), undefined);
  assert.equal(parsePointerBytes("MemTotal: 1 kB\n"), undefined);
});

test("parseUptime() reads /proc/uptime", () => {
  assert.equal(parseUptime("1011.07 1900.77\n"), 1011.07);
  assert.equal(parseUptime("0.00 0.00\n"), 0);
  assert.equal(parseUptime("up 3 days\n"), undefined);
});

const uptimes = [
  [" 09:15:02 up 12 days,  3:04,  2 users,  load average: 0.42, 0.30, 0.28", 1_047_840],
  [" 09:15:02 up 1 day,  3:04,  1 user,  load average: 0.42", 97_440],
  [" 09:15:02 up  3:04,  1 user,  load average: 0.42", 11_040],
  [" 09:15:02 up 7 min,  1 user,  load average: 0.42", 420],
  [" 09:15:02 up 12 days, 4 min,  1 user", 1_037_040],
] as const;

for (const [text, seconds] of uptimes) {
  test(`parseUptimeCommand() reads ${text.trim()}`, () => {
    assert.equal(parseUptimeCommand(text), seconds);
  });
}

test("parseUptimeCommand() refuses what is no uptime", () => {
  assert.equal(parseUptimeCommand("bash: uptime: command not found"), undefined);
  assert.equal(parseUptimeCommand("the host is up and well"), undefined);
});

test("parseBootTime() reads btime of /proc/stat", () => {
  assert.equal(parseBootTime("cpu 1 2\nbtime 1600000000\nprocesses 5\n"), 1_600_000_000);
  assert.equal(parseBootTime("cpu 1 2\n"), undefined);
});

const cpuLists = [
  ["0\n", 1],
  ["0-3\n", 4],
  ["0-3,8,10-11\n", 7],
  ["", undefined],
  ["all", undefined],
] as const;

for (const [text, cpus] of cpuLists) {
  test(`parseCpuList() counts ${JSON.stringify(text)}`, () => {
    assert.equal(parseCpuList(text), cpus);
  });
}

test("parseCpuInfo() counts processors, or takes the word of lscpu", () => {
  assert.equal(parseCpuInfo("processor\t: 0\nmodel name\t: x\n\nprocessor\t: 1\n"), 2);
  assert.equal(
    parseCpuInfo("Architecture:        x86_64\nCPU(s):              64\nOn-line CPU(s) list: 0-63\n"),
    64,
  );
  assert.equal(parseCpuInfo("nothing"), undefined);
});

test("parseKernelVersion() reads the release of /proc/version", () => {
  assert.equal(parseKernelVersion("Linux version 2.6.18-274.el5 (mockbuild@x) (gcc)"), "2.6.18-274.el5");
  assert.equal(parseKernelVersion("FreeBSD 14"), undefined);
});

const unames = [
  [
    "Linux edge61 6.1.0-13-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.55-1 (2023-09-29) x86_64 GNU/Linux",
    { hostname: "edge61", release: "6.1.0-13-amd64", pointerBytes: 8 },
  ],
  [
    "Linux pi 6.1.21-v7+ #1642 SMP armv7l GNU/Linux",
    { hostname: "pi", release: "6.1.21-v7+", pointerBytes: 4 },
  ],
  ["Linux old 2.4.20 #1 i686 unknown", { hostname: "old", release: "2.4.20", pointerBytes: 4 }],
  ["Linux x 9.9 #1", { hostname: "x", release: "9.9" }],
  ["Darwin mac 23.0", {}],
  ["", {}],
] as const;

for (const [text, expected] of unames) {
  test(`parseUname() reads ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parseUname(text), expected);
  });
}

const slabs = [
  ["nf_conntrack           0      0    256   16    1 : tunables    0    0    0", 256],
  ["nf_conntrack_ffffffff81cd8e80     12     12    320   12    1 : tunables", 320],
  ["ip_conntrack          15     15    304   13    1 : tunables", 304],
  ["nf_conntrack_expect    0      0    224   18    1 : tunables", undefined],
  ["ip_conntrack_expect    0      0    224   18    1 : tunables", undefined],
  ["", undefined],
] as const;

for (const [line, bytes] of slabs) {
  test(`parseSlabInfo() finds ${bytes} bytes in ${JSON.stringify(line.slice(0, 30))}`, () => {
    const text = `slabinfo - version: 2.1\n${line}\nnf_conntrack_expect 0 0 224 18 1 : x\n`;
    assert.equal(parseSlabInfo(text).flowSlotBytes, bytes);
  });
}

test("pageBytesOf() finds the page size among the pairs of the auxiliary vector", () => {
  const auxv = new Uint8Array(BigUint64Array.of(33n, 1n, 6n, 65_536n, 0n, 0n).buffer);
  assert.equal(pageBytesOf(auxv), 65_536);
  for (let end = 0; end < 32; end += 1) assert.equal(pageBytesOf(auxv.subarray(0, end)), undefined);
});

test("parseNamespaceLink() reads the inode of a network namespace and of nothing else", () => {
  assert.equal(parseNamespaceLink("net:[4026531840]"), 4_026_531_840);
  assert.equal(parseNamespaceLink("mnt:[4026531840]"), undefined);
});

const dates = [
  ["Thu Nov 20 09:15:02 UTC 2025\n", Date.UTC(2025, 10, 20, 9, 15, 2)],
  ["Thu Nov  6 09:15:02 PM CET 2025\n", Date.UTC(2025, 10, 6, 21, 15, 2)],
  ["Thu Nov  6 12:15:02 AM EST 2025\n", Date.UTC(2025, 10, 6, 0, 15, 2)],
  ["2025-11-20T09:15:02+01:00\n", Date.UTC(2025, 10, 20, 8, 15, 2)],
  ["Do 20. Nov 09:15:02 CET 2025\n", undefined],
  ["", undefined],
] as const;

for (const [text, atMs] of dates) {
  test(`parseDate() reads ${JSON.stringify(text)}`, () => {
    assert.equal(parseDate(text), atMs);
  });
}

const initials = [
  ["the limit that only the initial one has", { hasGlobalLimit: true, hasNamespaceLimit: true }, true],
  ["the limit of every namespace alone", { hasGlobalLimit: false, hasNamespaceLimit: true }, false],
  [
    "nothing loaded, an old kernel",
    { hasGlobalLimit: false, hasNamespaceLimit: false, inode: 4_026_531_840 },
    undefined,
  ],
  [
    "nothing loaded, the fixed inode",
    { hasGlobalLimit: false, hasNamespaceLimit: false, inode: INITIAL_NAMESPACE_INODE },
    true,
  ],
  [
    "nothing loaded, another inode on 6.18",
    { hasGlobalLimit: false, hasNamespaceLimit: false, inode: 4_026_532_177, release: "6.18.44" },
    false,
  ],
  ["nothing seen at all", { hasGlobalLimit: false, hasNamespaceLimit: false, release: "6.18.44" }, undefined],
] as const;

for (const [what, seen, initial] of initials) {
  test(`isInitialNamespace() says ${initial} of ${what}`, () => {
    assert.equal(isInitialNamespace(seen), initial);
  });
}
