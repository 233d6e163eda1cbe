import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { everySplit } from "../../test/support/streams.ts";
import type { KernelLog } from "../table/host.ts";
import { scanKernelLog, type ScanOptions } from "./kernel-log.ts";
import { classifyMessage, parseLogLine } from "./kernel-log-line.ts";

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const BOOT_MS = NOW_MS - 10_000_000;
const options: ScanOptions = { nowMs: NOW_MS, bootAtMs: BOOT_MS };

function scan(text: string, given: ScanOptions = options): KernelLog {
  return scanKernelLog([new TextEncoder().encode(text)], given, "file", "saved");
}

const wordings = [
  ["ip_conntrack: maximum limit of 65536 entries exceeded", { kind: "table-full", limitFlows: 65_536 }],
  ["ip_conntrack: table full, dropping packet.", { kind: "table-full" }],
  ["nf_conntrack: table full, dropping packet.", { kind: "table-full" }],
  ["nf_conntrack: table full, dropping packet", { kind: "table-full" }],
  ["nf_conntrack: nf_conntrack: table full, dropping packet", { kind: "table-full" }],
  [
    "nf_conntrack: nf_conntrack: table full in netns 4026532177, dropping packet",
    { kind: "table-full", namespaceInode: 4_026_532_177 },
  ],
  [
    "nf_conntrack: table full in netns 4026532177, dropping packet",
    { kind: "table-full", namespaceInode: 4_026_532_177 },
  ],
  ["ip_conntrack: VPS 101 table full, dropping packet.", { kind: "table-full", container: "101" }],
  ["nf_conntrack: CT web01: table full, dropping packet.", { kind: "table-full", container: "web01" }],
  ["nf_conntrack: expectation table full", { kind: "expectation-table-full" }],
  ["nf_conntrack: nf_conntrack: expectation table full", { kind: "expectation-table-full" }],
  ["nf_conntrack: falling back to vmalloc.", { kind: "vmalloc-fallback" }],
  ["Can't alloc conntrack.", { kind: "allocation-failed" }],
  ["nf_conntrack: Can't alloc conntrack.", { kind: "allocation-failed" }],
  ["ip_conntrack: Can't allocate conntrack", { kind: "allocation-failed" }],
] as const;

for (const [message, expected] of wordings) {
  test(`classifyMessage() knows: ${message}`, () => {
    assert.deepEqual(classifyMessage(message), { messages: 1, ...expected });
  });
}

const heldBack = [
  ["net_ratelimit: 5988 callbacks suppressed", 5988],
  ["__ratelimit: 12 callbacks suppressed", 12],
  ["printk: 62 messages suppressed.", 62],
] as const;

for (const [message, messages] of heldBack) {
  test(`classifyMessage() counts what was held back: ${message}`, () => {
    assert.deepEqual(classifyMessage(message), { kind: "suppressed", messages });
  });
}

const others = [
  "nf_conntrack version 0.5.0 (16384 buckets, 65536 max)",
  "nf_conntrack: default automatic helper assignment has been turned off for security reasons",
  "kauditd_printk_skb: 4 callbacks suppressed",
  "the table full of nf_conntrack: table full, dropping packet",
  "xt_conntrack: table full",
  "nf_conntrack: tablefull",
  "nf_conntrack: table fullness",
  "",
];

for (const message of others) {
  test(`classifyMessage() leaves alone: ${JSON.stringify(message)}`, () => {
    assert.equal(classifyMessage(message), undefined);
  });
}

const FULL = "nf_conntrack: nf_conntrack: table full, dropping packet";
const local = (month: number, day: number, hour = 10, year = 2026): number =>
  new Date(year, month - 1, day, hour).getTime();

const styles: readonly (readonly [string, string, { atMs?: number; uptimeSeconds?: number }])[] = [
  ["dmesg", `[12345.678901] ${FULL}`, { uptimeSeconds: 12_345.678_901 }],
  ["dmesg early", `[    5.123456] ${FULL}`, { uptimeSeconds: 5.123_456 }],
  ["dmesg with the thread", `[   12.345678][  T123] ${FULL}`, { uptimeSeconds: 12.345_678 }],
  ["dmesg with the processor", `[   12.345678] [ C3] ${FULL}`, { uptimeSeconds: 12.345_678 }],
  ["dmesg -x", `kern  :warn  : [   12.345678] ${FULL}`, { uptimeSeconds: 12.345_678 }],
  ["dmesg -T", `[Sun Nov 22 10:00:00 2026] ${FULL}`, { atMs: local(11, 22) }],
  ["dmesg -T, one digit", `[Sun Nov  1 10:00:00 2026] ${FULL}`, { atMs: local(11, 1) }],
  [
    "dmesg --time-format iso",
    `2026-11-22T10:00:00,250000+00:00 ${FULL}`,
    { atMs: Date.UTC(2026, 10, 22, 10, 0, 0, 250) },
  ],
  ["a raw ring", `<4>[  100.000000] ${FULL}`, { uptimeSeconds: 100 }],
  ["a raw ring without times", `<4>${FULL}`, {}],
  ["no times at all", FULL, {}],
  ["a serial console", `kernel: ${FULL}`, {}],
  ["syslog", `Nov 22 10:00:00 web01 kernel: ${FULL}`, { atMs: local(11, 22) }],
  [
    "syslog with the uptime",
    `Nov 22 10:00:00 web01 kernel: [  100.000000] ${FULL}`,
    { atMs: local(11, 22), uptimeSeconds: 100 },
  ],
  ["syslog of last year", `Dec 24 10:00:00 web01 kernel: ${FULL}`, { atMs: local(12, 24, 10, 2025) }],
  ["syslog with the level", `Nov 22 10:00:00 router kern.warn kernel: ${FULL}`, { atMs: local(11, 22) }],
  [
    "rsyslog with a zone",
    `2026-11-22T10:00:00.123456+02:00 web01 kernel: ${FULL}`,
    { atMs: Date.UTC(2026, 10, 22, 8, 0, 0, 123) },
  ],
  [
    "logread",
    `Sun Nov 22 10:00:00 2026 kern.warn kernel: [  100.000000] ${FULL}`,
    { atMs: local(11, 22), uptimeSeconds: 100 },
  ],
  ["journalctl", `Nov 22 10:00:00 web01 kernel: ${FULL}`, { atMs: local(11, 22) }],
  [
    "journalctl -o short-precise",
    `Nov 22 10:00:00.500000 web01 kernel: ${FULL}`,
    { atMs: local(11, 22) + 500 },
  ],
  ["journalctl -o short-monotonic", `[  100.000000] web01 kernel: ${FULL}`, { uptimeSeconds: 100 }],
  [
    "journalctl -o short-iso",
    `2026-11-22T10:00:00+0000 web01 kernel: ${FULL}`,
    { atMs: Date.UTC(2026, 10, 22, 10) },
  ],
  [
    "journalctl -o short-full",
    `Sun 2026-11-22 10:00:00 UTC web01 kernel: ${FULL}`,
    { atMs: Date.UTC(2026, 10, 22, 10) },
  ],
  [
    "journalctl -o json",
    JSON.stringify({
      MESSAGE: FULL,
      _TRANSPORT: "kernel",
      __REALTIME_TIMESTAMP: "1795341600000000",
      _SOURCE_MONOTONIC_TIMESTAMP: "100000000",
    }),
    { atMs: 1_795_341_600_000, uptimeSeconds: 100 },
  ],
];

for (const [style, line, times] of styles) {
  test(`a line of ${style} is taken apart`, () => {
    assert.deepEqual(parseLogLine(line, NOW_MS), { message: FULL, ...times });
  });
  test(`a line of ${style} is counted`, () => {
    const [tally] = scan(`first line\n${line}\nlast line\n`).tallies;
    assert.equal(tally?.kind, "table-full");
    assert.equal(tally.lines, 1);
    assert.equal(tally.sample, line.slice(0, 300));
    if (times.atMs !== undefined) assert.equal(tally.firstAtMs, times.atMs);
    else if (times.uptimeSeconds !== undefined) {
      assert.equal(tally.lastAtMs, Math.round(BOOT_MS + times.uptimeSeconds * 1000));
    }
  });
}

const foreign = [
  `Nov 22 10:00:00 web01 sudo: root : COMMAND=/bin/grep ${FULL} /var/log/messages`,
  `Nov 22 10:00:00 web01 bash[123]: ${FULL}`,
  `2026-11-22T10:00:00+00:00 web01 puppet[1]: ${FULL}`,
  `alert: somebody says ${FULL}`,
  JSON.stringify({ MESSAGE: FULL, _TRANSPORT: "syslog" }),
  `{"MESSAGE": "${FULL}`,
];

for (const line of foreign) {
  test(`what another program wrote does not count: ${line.slice(0, 60)}`, () => {
    assert.deepEqual(scan(`${line}\n`).tallies, []);
  });
}

test("tallies keep kinds, namespaces and containers apart, first and last times and the last line", () => {
  const log = scan(
    [
      "[    0.000000] Linux version 6.18.44",
      "[  100.000000] nf_conntrack: nf_conntrack: table full, dropping packet",
      "[  105.000000] net_ratelimit: 40 callbacks suppressed",
      "[  105.000001] nf_conntrack: nf_conntrack: table full in netns 4026532177, dropping packet",
      "[  110.000000] net_ratelimit: 2 callbacks suppressed",
      "[  200.500000] nf_conntrack: nf_conntrack: table full, dropping packet",
      "[  201.000000] nf_conntrack: nf_conntrack: expectation table full",
      "",
    ].join("\n"),
  );
  assert.deepEqual(
    log.tallies.map(({ kind, lines, namespaceInode }) => [kind, lines, namespaceInode]),
    [
      ["table-full", 2, undefined],
      ["suppressed", 2, undefined],
      ["table-full", 1, 4_026_532_177],
      ["expectation-table-full", 1, undefined],
    ],
  );
  const [full] = log.tallies;
  assert.equal(full?.firstUptimeSeconds, 100);
  assert.equal(full.lastUptimeSeconds, 200.5);
  assert.equal(full.firstAtMs, BOOT_MS + 100_000);
  assert.equal(full.lastAtMs, BOOT_MS + 200_500);
  assert.match(full.sample, /^\[ {2}200\.5/);
  assert.equal(log.suppressedMessages, 42);
  assert.equal(log.linesRead, 7);
  assert.equal(log.wrapped, false);
  assert.equal(log.oldestUptimeSeconds, 0);
});

test("last message repeated counts for the line directly before, and for no other", () => {
  const log = scan(
    [
      "Jan 14 03:12:40 gate kernel: ip_conntrack: table full, dropping packet.",
      "Jan 14 03:12:45 gate last message repeated 9 times",
      "Jan 14 03:12:50 gate sshd[1]: something else",
      "Jan 14 03:12:55 gate last message repeated 100 times",
      "Jan 14 03:13:00 gate kernel: printk: 131 messages suppressed.",
      "Jan 14 03:13:05 gate last message repeated 3 times",
      "",
    ].join("\n"),
  );
  assert.equal(log.tallies[0]?.lines, 10);
  assert.equal(log.suppressedMessages, 131);
});

test("rsyslog's repetition quotes the message", () => {
  const log = scan(`Nov 22 10:00:00 a kernel: message repeated 4 times: [ [  100.000000] ${FULL}]\n`);
  assert.equal(log.tallies[0]?.lines, 4);
});

test("a ring that has wrapped says so, a file of syslog does not know", () => {
  assert.equal(scan(`[ 5000.000000] ${FULL}\n`).wrapped, true);
  assert.equal(scan(`Nov 22 10:00:00 a kernel: [ 5000.000000] ${FULL}\n`).wrapped, undefined);
  assert.equal(scan(`${FULL}\n`).wrapped, undefined);
});

test("without the time of boot an uptime stays an uptime", () => {
  const [tally] = scan(`[  100.000000] ${FULL}\n`, { nowMs: NOW_MS }).tallies;
  assert.equal(tally?.firstAtMs, undefined);
  assert.equal(tally?.firstUptimeSeconds, 100);
});

test("lines that end in CR, and a last line without an end, count", () => {
  assert.equal(scan(`[1.000000] ${FULL}\r\n[2.000000] ${FULL}`).tallies[0]?.lines, 2);
});

test("the result is the same wherever the bytes are cut", () => {
  const text = [
    "[    0.000000] Linux version é",
    `[  100.000000] ${FULL}`,
    "[  105.000000] net_ratelimit: 40 callbacks suppressed",
    `Nov 22 10:00:00 a kernel: ${FULL}`,
    "Nov 22 10:00:01 a last message repeated 2 times",
    "",
  ].join("\n");
  const bytes = new TextEncoder().encode(text);
  const whole = scan(text);
  for (const [head, tail] of everySplit(bytes)) {
    assert.deepEqual(scanKernelLog([head, tail], options, "file", "saved"), whole);
  }
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.deepEqual(scanKernelLog(single, options, "file", "saved"), whole);
});

test("a line of ten megabytes is passed over, what follows is read", () => {
  const long = new TextEncoder().encode("conntrack ".repeat(100_000));
  const chunks = [
    ...Array.from({ length: 10 }, () => long),
    new TextEncoder().encode(`\n[1.000000] ${FULL}\n`),
  ];
  const log = scanKernelLog(chunks, options, "file", "saved");
  assert.equal(log.tallies[0]?.lines, 1);
  assert.equal(log.linesRead, 2);
});

test("binary input and huge numbers do no harm", () => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 256);
  assert.deepEqual(scanKernelLog([bytes], options, "file", "saved").tallies, []);
  const huge = "9".repeat(20);
  const log = scan(`[${huge}.000000] ${FULL}\nnet_ratelimit: ${huge} callbacks suppressed\n`);
  assert.ok(Number.isFinite(log.suppressedMessages));
  fc.assert(
    fc.property(
      fc.string(),
      (garbage) => scan(`${garbage}\n${garbage} nf_conntrack ${garbage}\n`) !== undefined,
    ),
  );
});

test("a log that names more namespaces than are kept is still read to its end", () => {
  const lines = Array.from(
    { length: 5000 },
    (_, index) => `[1.000000] nf_conntrack: table full in netns ${index}, dropping`,
  );
  const log = scan(lines.join("\n"));
  assert.equal(log.tallies.length, 1000);
  assert.equal(log.linesRead, 5000);
});
