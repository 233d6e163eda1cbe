import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { ManualClock } from "../base/clock.ts";
import { formatAddress } from "../table/address.ts";
import { isSince, type KernelRelease, parseKernelRelease } from "../table/kernel-release.ts";
import { SETTING_KEYS, type Setting, settingOf } from "../table/settings.ts";
import { KernelError } from "./error.ts";
import type { HostAccess } from "./host-access.ts";
import { openHost } from "./kernel.ts";

const trees = fileURLToPath(new URL("../../test/fixtures/trees/", import.meta.url));
const clock = new ManualClock(Date.UTC(2026, 10, 22));

function open(name: string, namespace?: string): HostAccess {
  return openHost({ root: join(trees, name), clock, ...(namespace === undefined ? {} : { namespace }) });
}

/** Lines of the listing a host offers. */
function listingLines(host: HostAccess): string[] {
  const flows = host.flows();
  assert.ok(flows.kind === "listing");
  const decoder = new TextDecoder();
  let text = "";
  for (const chunk of flows.bytes()) text += decoder.decode(chunk, { stream: true });
  return text.split("\n").filter((line) => line !== "");
}

function releaseOf(host: HostAccess): KernelRelease {
  const release = parseKernelRelease(host.host().kernelRelease ?? "");
  assert.ok(release !== undefined);
  return release;
}

const generations = [
  {
    tree: "2.6.18",
    buckets: 3920,
    capacity: 31_360,
    columns: 16,
    hidden: 2,
    slot: 304,
    tracker: "ip_conntrack",
  },
  {
    tree: "3.10",
    buckets: 16_384,
    capacity: 65_536,
    columns: 17,
    hidden: 0,
    slot: 320,
    tracker: "nf_conntrack",
  },
  {
    tree: "4.19",
    buckets: 65_536,
    capacity: 262_144,
    columns: 17,
    hidden: 1,
    slot: 320,
    tracker: "nf_conntrack",
  },
  {
    tree: "5.4",
    buckets: 16_384,
    capacity: 65_536,
    columns: 17,
    hidden: 0,
    slot: 320,
    tracker: "nf_conntrack",
  },
  {
    tree: "5.10",
    buckets: 8192,
    capacity: 32_768,
    columns: 17,
    hidden: 0,
    slot: 320,
    tracker: "nf_conntrack",
  },
  {
    tree: "5.15",
    buckets: 262_144,
    capacity: 262_144,
    columns: 17,
    hidden: 4,
    slot: 320,
    tracker: "nf_conntrack",
  },
  {
    tree: "6.18",
    buckets: 262_144,
    capacity: 262_144,
    columns: 17,
    hidden: 0,
    slot: 256,
    tracker: "nf_conntrack",
  },
] as const;

for (const { tree, buckets, capacity, columns, hidden, slot, tracker } of generations) {
  test(`the tree of ${tree} is read whole and agrees with itself`, () => {
    const host = open(tree);
    const facts = host.host();
    assert.equal(facts.kernelRelease?.startsWith(tree), true);
    assert.equal(facts.tracker, tracker);
    assert.equal(facts.root, join(trees, tree));
    assert.equal(facts.pointerBytes, 8);
    assert.equal(facts.flowSlotBytes, slot);
    for (const fact of [facts.memoryBytes, facts.cpus, facts.uptimeSeconds, facts.hostname]) {
      assert.ok(fact !== undefined);
    }
    const { values, unknownKeys, unreadable } = host.settings();
    assert.deepEqual([unknownKeys, unreadable], [[], []]);
    assert.equal(values.nf_conntrack_buckets, buckets);
    assert.equal(values.hashsize, buckets);
    assert.equal(values.nf_conntrack_max, capacity);
    const counters = host.counters();
    assert.equal(counters?.occupancyFlows, values.nf_conntrack_count);
    assert.equal(listingLines(host).length, (values.nf_conntrack_count ?? 0) - hidden);
    const [row] = counters?.perCpu ?? [];
    assert.ok(counters !== undefined && row !== undefined);
    assert.equal(counters.perCpu.length, facts.cpus);
    const named = Object.keys(row.values).length + counters.notCounted.length;
    assert.equal(named, 18, `${columns} columns and what they lack name every counter`);
    assert.notEqual(host.kernelLog(), undefined);
    host.close();
  });

  test(`the tree of ${tree} has every setting its kernel has, at its default`, () => {
    const host = open(tree);
    const release = releaseOf(host);
    const { values } = host.settings();
    for (const key of SETTING_KEYS) {
      const setting: Setting = settingOf(key);
      const { since, until } = setting;
      const had = isSince(release, since) && (until === undefined || !isSince(release, until));
      const named = tracker === "nf_conntrack" || setting.legacy !== undefined || key === "hashsize";
      // Time limits of flow tables exist where flow tables were compiled in.
      if (!had || (values[key] === undefined && key.startsWith("nf_flowtable_"))) {
        assert.equal(values[key], undefined, key);
        continue;
      }
      if (!named) continue;
      assert.notEqual(values[key], undefined, key);
      const expected = setting.defaults?.findLast((row) => isSince(release, row.since));
      // Accounting and time stamps are on in trees whose listing shows them.
      if (expected === undefined || /_(?:acct|timestamp)$/.test(key)) continue;
      assert.equal(values[key], expected.value, key);
    }
  });
}

test("legacy names alone are read under their modern keys", () => {
  const { values, origins } = open("2.6.18").settings();
  assert.equal(values.nf_conntrack_tcp_timeout_established, 432_000);
  assert.match(
    origins.nf_conntrack_tcp_timeout_established ?? "",
    /ipv4\/netfilter\/ip_conntrack_tcp_timeout_established$/,
  );
  assert.equal(values.nf_conntrack_acct, undefined);
});

test("where both generations have a name the modern file is the origin", () => {
  const { origins } = open("3.10").settings();
  assert.match(origins.nf_conntrack_max ?? "", /netfilter\/nf_conntrack_max$/);
  assert.match(origins.ip_conntrack_tcp_timeout_syn_sent2 ?? "", /ip_conntrack_tcp_timeout_syn_sent2$/);
});

const logs = [
  ["2.6.18", [["table-full", 11]], 131],
  [
    "3.10",
    [
      ["table-full", 3],
      ["expectation-table-full", 1],
    ],
    5988,
  ],
  ["4.19", [], 0],
  ["5.4", [["table-full", 2]], 210],
  ["5.10", [["vmalloc-fallback", 1]], 0],
  ["5.15", [["table-full", 1]], 0],
  ["6.18", [["table-full", 10]], 0],
  ["sosreport", [["table-full", 4]], 71],
  ["4.10", [["table-full", 1]], 15],
] as const;

for (const [tree, tallies, suppressed] of logs) {
  const said = tallies.map(([kind, lines]) => `${kind} ${lines}`).join(", ") || "nothing";
  test(`the log of ${tree} says ${said}`, () => {
    const log = open(tree).kernelLog();
    const found = log?.tallies.filter(({ kind }) => kind !== "suppressed");
    assert.deepEqual(
      found?.map(({ kind, lines }) => [kind, lines]),
      tallies,
    );
    assert.equal(log?.suppressedMessages, suppressed);
  });
}

test("times of a saved log are those of its own boot, and its year that of its own days", () => {
  const [full] = open("5.15").kernelLog()?.tallies ?? [];
  assert.equal(full?.firstAtMs, 1_650_000_000_000 + 650_000_120);
  const [old] = open("2.6.18").kernelLog()?.tallies ?? [];
  assert.equal(new Date(old?.firstAtMs ?? 0).getFullYear(), 2010);
  assert.equal(open("6.18").kernelLog()?.tallies[0]?.namespaceInode, 4_026_532_177);
});

test("a saved tree tells when it was saved: by its date, else by its boot and uptime, else not", () => {
  const savedAt = (name: string): string | undefined => {
    const { savedAtMs } = open(name).host();
    return savedAtMs === undefined ? undefined : new Date(savedAtMs).toISOString().slice(0, 10);
  };
  assert.equal(savedAt("sosreport"), "2025-11-20");
  assert.equal(savedAt("2.6.18"), "2010-01-15");
  assert.equal(savedAt("4.10"), undefined);
});

test("expected flows are counted where their file was saved", () => {
  assert.deepEqual(open("5.15").expectations(), { occupancyFlows: 1, capacityFlows: 4096 });
  assert.deepEqual(open("2.6.18").expectations(), { occupancyFlows: 0 });
  assert.equal(open("sosreport").expectations(), undefined);
});

const ROUTER = "qrouter-1f0f7a4e-5a2c-4d0e-9d53-2f6a8f1f9b11";

for (const name of ["sosreport", "sosreport/sosreport-edge61-2025-11-20-krtpqzd"]) {
  test(`a sosreport is found in ${name}`, () => {
    const host = open(name);
    const facts = host.host();
    assert.equal(facts.kernelRelease, "6.1.0-13-amd64");
    assert.deepEqual(
      [facts.hostname, facts.cpus, facts.uptimeSeconds, facts.tracker, facts.initialNamespace],
      ["edge61", 4, 1_047_840, "nf_conntrack", true],
    );
    const { values, origins, unknownKeys } = host.settings();
    assert.equal(values.nf_conntrack_max, 1_048_576);
    assert.match(origins.nf_conntrack_max ?? "", /sysctl_-a \(saved\)$/);
    assert.deepEqual(unknownKeys, []);
    assert.equal(host.counters()?.total.chainTooLong, 12);
    assert.equal(listingLines(host).length, 16);
  });
}

test("namespaces a sosreport looked into are listed with their counts and addresses", () => {
  const [own, router, ...more] = open("sosreport").namespaces({ addresses: true });
  assert.equal(more.length, 0);
  assert.deepEqual([own?.own, own?.occupancyFlows, own?.capacityFlows], [true, 18, 1_048_576]);
  assert.deepEqual([router?.name, router?.own, router?.occupancyFlows], [ROUTER, false, 4]);
  assert.deepEqual(router?.addresses?.map(formatAddress), ["10.0.0.1", "2001:db8:1::1"]);
  const owners = open("sosreport").owners();
  const [address] = router?.addresses ?? [];
  assert.ok(address !== undefined);
  assert.equal(owners.namespaceOfAddress(address)?.name, ROUTER);
});

test("a namespace of a sosreport is looked at by its name", () => {
  const host = open("sosreport", ROUTER);
  assert.equal(host.host().initialNamespace, false);
  assert.equal(host.settings().values.nf_conntrack_count, 4);
  assert.equal(host.counters()?.total.invalid, 12);
  assert.equal(listingLines(host).length, 5);
  assert.throws(
    () => open("sosreport", "elsewhere"),
    (error) => error instanceof KernelError && error.message.includes(ROUTER),
  );
});

test("what a tree does not have is said, each thing once", () => {
  const directory = mkdtempSync(join(tmpdir(), "headroom-saved-"));
  after(() => rmSync(directory, { recursive: true }));
  const host = openHost({ root: directory, clock });
  assert.equal(host.host().tracker, "unknown");
  assert.equal(host.counters(), undefined);
  assert.equal(host.counters(), undefined);
  assert.equal(host.kernelLog(), undefined);
  assert.throws(() => host.flows(), KernelError);
  assert.throws(() => host.flows({ source: "netlink" }), KernelError);
  assert.deepEqual(
    host.unseen.map(({ what, cause }) => [what, cause]),
    [
      ["settings of the tracker", "missing"],
      ["counters", "missing"],
      ["kernel log", "missing"],
    ],
  );
});

/** A tree of these files. */
function treeOf(written: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), "headroom-tree-"));
  after(() => rmSync(directory, { recursive: true }));
  for (const [path, text] of Object.entries(written)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

test("files with names of their own are found: sysctl -a, conntrack -L, uname -a, logread", () => {
  const host = open("4.10");
  const facts = host.host();
  assert.deepEqual(
    [facts.kernelRelease, facts.hostname, facts.tracker, facts.pointerBytes, facts.initialNamespace],
    ["4.10.17-lede", "edge410", "nf_conntrack", 8, true],
  );
  const { values, unknownKeys, unreadable } = host.settings();
  assert.deepEqual([values.nf_conntrack_count, values.nf_conntrack_default_on], [15_872, 1]);
  assert.deepEqual([unknownKeys, unreadable], [[], []]);
  assert.ok(listingLines(host).length > 10);
  assert.equal(host.counters(), undefined);
});

test("a directory somebody filled by hand is enough", () => {
  const root = treeOf({
    "sysctl-a.txt": "net.netfilter.nf_conntrack_max = 65536\nnet.netfilter.nf_conntrack_count = 65536\n",
    "conntrack-L.txt":
      "udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1\n",
    "dmesg.txt": "nf_conntrack: table full, dropping packet\n",
  });
  const host = openHost({ root, clock });
  assert.equal(host.host().tracker, "nf_conntrack");
  assert.equal(host.settings().values.nf_conntrack_count, 65_536);
  assert.equal(listingLines(host).length, 1);
  assert.equal(host.kernelLog()?.tallies[0]?.lines, 1);
});

test("a tree whose kernel has no tracker loaded says so", () => {
  const root = treeOf({ "proc/sys/net/ipv4/ip_forward": "1\n", "proc/sys/kernel/osrelease": "6.1.0\n" });
  const host = openHost({ root, clock });
  assert.equal(host.host().tracker, "none");
});

test("the log that speaks of the tracker is taken before those that do not", () => {
  const root = treeOf({
    "sos_commands/kernel/dmesg": "[    0.000000] Linux version 6.1\n",
    "var/log/messages": "Nov 22 10:00:00 a kernel: nf_conntrack: table full, dropping packet\n",
  });
  const log = openHost({ root, clock }).kernelLog();
  assert.match(log?.origin ?? "", /messages$/);
  assert.equal(log?.tallies[0]?.lines, 1);
});

test("links of a sosreport to the output of a command are followed, links out of it are not", () => {
  const root = treeOf({ "sos_commands/host/uptime": " 09:15:02 up  3:04,  1 user\n", "proc/meminfo": "" });
  symlinkSync("sos_commands/host/uptime", join(root, "uptime"));
  symlinkSync("/proc/sys/kernel/hostname", join(root, "hostname"));
  const facts = openHost({ root, clock }).host();
  assert.equal(facts.uptimeSeconds, 11_040);
  assert.equal(facts.hostname, undefined);
});

test("a saved host is not watched, and says so", () => {
  const host = open("6.18");
  for (const watch of [() => host.live(), () => host.followLog(), () => host.events()]) {
    assert.throws(watch, (error) => error instanceof KernelError && error.message.includes("saved"));
  }
  const before = host.settings();
  host.refresh();
  assert.deepEqual(host.settings(), before);
});
