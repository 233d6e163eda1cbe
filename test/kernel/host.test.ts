/** What is read of the running host, against what its own tools say of the same thing at the same time. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { systemClock } from "../../src/base/clock.ts";
import { parseConntrackStatistics } from "../../src/kernel/conntrack-stat.ts";
import { netlinkCounters } from "../../src/kernel/ctnetlink-stats.ts";
import { type HostAccess, KernelError, openHost } from "../../src/kernel/kernel.ts";
import { insideNamespace, namedNamespace } from "../../src/kernel/namespace-enter.ts";
import { parseSysctlListing, settingsFrom } from "../../src/kernel/settings-reading.ts";
import { parseAddress } from "../../src/table/address-text.ts";
import { type Address, formatAddress } from "../../src/table/address.ts";
import type { CounterValues } from "../../src/table/counters.ts";
import { isSince, parseKernelRelease } from "../../src/table/kernel-release.ts";
import { TCP } from "../../src/table/protocol.ts";
import {
  CLIENT_ADDRESS,
  firstLine,
  HOLDING_CLIENT,
  HOLDING_SERVER,
  LOG_WINDOW_MS,
  makeRouter,
  SERVER_ADDRESS,
} from "../support/router.ts";

const routed = makeRouter("hr-host");
after(() => routed.close());

function open(namespace?: string): HostAccess {
  return openHost({ clock: systemClock, ...(namespace === undefined ? {} : { namespace }) });
}

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
}

/** Lines of the procfs listing that `host` offers. */
function listingLines(host: HostAccess): number {
  const flows = host.flows({ source: "procfs" });
  assert.ok(flows.kind === "listing");
  let lines = 0;
  for (const chunk of flows.bytes()) lines += chunk.filter((byte) => byte === 10).length;
  return lines;
}

test("every setting of this kernel is known and read as sysctl reads it", () => {
  const printed = execFileSync("sysctl", ["-a"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const expected = settingsFrom(parseSysctlListing(printed, "sysctl -a"));
  const reading = open().settings();
  assert.deepEqual([reading.unknownKeys, reading.unreadable], [[], []]);
  assert.ok(Object.keys(expected.values).length > 30);
  for (const [key, value] of Object.entries(expected.values)) {
    if (key === "nf_conntrack_count") continue;
    assert.equal(reading.values[key as keyof typeof reading.values], value, key);
  }
  assert.equal(reading.values.hashsize, reading.values.nf_conntrack_buckets);
});

test("the host knows its release, its memory and where it is", () => {
  const facts = open().host();
  assert.equal(facts.kernelRelease, execFileSync("uname", ["-r"], { encoding: "utf8" }).trim());
  assert.equal(facts.cpus, Number(execFileSync("nproc", ["--all"], { encoding: "utf8" })));
  assert.equal(facts.pageBytes, Number(execFileSync("getconf", ["PAGESIZE"], { encoding: "utf8" })));
  assert.equal(facts.tracker, "nf_conntrack");
  assert.equal(facts.initialNamespace, true);
  assert.equal(facts.namespaceInode, statSync("/proc/self/ns/net").ino);
  assert.ok((facts.flowSlotBytes ?? 0) >= (facts.flowObjectBytes ?? 0));
  assert.equal(facts.root, undefined);
});

test("a namespace is looked at by name, by path and by process, and is not the initial one", async () => {
  const sleeper = routed.start(routed.router, "sh", "-c", "echo up; exec sleep 60");
  await firstLine(sleeper);
  for (const name of [routed.router, `/run/netns/${routed.router}`, String(sleeper.pid)]) {
    const facts = open(name).host();
    assert.equal(facts.namespaceInode, routed.routerInode, name);
    assert.equal(facts.initialNamespace, false, name);
  }
  sleeper.kill();
});

for (const name of ["hr-nowhere", "4000000000", "/proc/version"]) {
  test(`a namespace that is not there is refused before anything is read: ${name}`, () => {
    assert.throws(
      () => open(name),
      (error) => error instanceof KernelError && /network namespace/.test(error.message),
    );
  });
}

test("counts of a namespace with traffic equal conntrack -C, sysctl and wc -l", async () => {
  const server = routed.start(routed.server, process.execPath, "-e", HOLDING_SERVER, "80");
  assert.equal(await firstLine(server), "ready");
  const wanted = [SERVER_ADDRESS, "80", "40"];
  const client = routed.start(routed.client, process.execPath, "-e", HOLDING_CLIENT, ...wanted);
  assert.deepEqual(JSON.parse(await firstLine(client)), { opened: 40, failed: 0 });

  const host = open(routed.router);
  const expected = Number(routed.run(routed.router, "conntrack", "-C"));
  assert.ok(expected >= 40);
  assert.equal(host.settings().values.nf_conntrack_count, expected);
  assert.equal(host.counters()?.occupancyFlows, expected);
  assert.equal(
    listingLines(host),
    Number(routed.run(routed.router, "wc", "-l", "/proc/net/nf_conntrack").split(" ")[0]),
  );
  const listed = open()
    .namespaces()
    .find(({ inode }) => inode === routed.routerInode);
  assert.deepEqual(
    [listed?.name, listed?.occupancyFlows, listed?.own, listed?.initial],
    [routed.router, expected, false, false],
  );
  assert.equal(listed?.capacityFlows, open().settings().values.nf_conntrack_max);
  host.close();
});

test("counters equal conntrack -S, name by name and CPU by CPU", () => {
  const host = open(routed.router);
  const printed = parseConntrackStatistics(
    routed.run(routed.router, "conntrack", "-S"),
    host.host().kernelRelease,
  );
  const counters = host.counters();
  assert.ok(counters !== undefined && printed !== undefined);
  assert.deepEqual(counters.unknown, []);
  for (const [name, total] of Object.entries(printed.total)) {
    assert.equal(counters.total[name as keyof typeof counters.total], total, name);
  }
  assert.equal(counters.perCpu.length, printed.perCpu.length);
  for (const row of counters.perCpu) {
    const twin: CounterValues = printed.perCpu.find(({ cpu }) => cpu === row.cpu)?.values ?? {};
    for (const [name, value] of Object.entries(twin)) {
      assert.equal(row.values[name as keyof typeof row.values], value, `CPU ${row.cpu} ${name}`);
    }
  }
});

test("counters are the same by netlink and from the file", () => {
  const byFile = open(routed.router).counters();
  const { kernelRelease: release } = open().host();
  const target = namedNamespace(routed.router);
  const byNetlink = insideNamespace(target, () => netlinkCounters(release === undefined ? {} : { release }));
  assert.ok(byFile !== undefined);
  assert.equal(byNetlink.occupancyFlows, byFile.occupancyFlows);
  assert.deepEqual(sorted(byNetlink.total), sorted(byFile.total));
  assert.deepEqual(
    byNetlink.notCounted.map(({ name }) => name).toSorted(),
    byFile.notCounted.map(({ name }) => name).toSorted(),
  );
});

function sorted(values: CounterValues): [string, number][] {
  return Object.entries(values).toSorted(([left], [right]) => (left < right ? -1 : 1));
}

test("a namespace that only a process holds is found, counted and named after the process", async () => {
  const child = spawn("unshare", ["-n", "sh", "-c", "echo up; exec sleep 60"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await firstLine(child);
    const inode = statSync(`/proc/${child.pid}/ns/net`).ino;
    const found = open()
      .namespaces()
      .find((each) => each.inode === inode);
    assert.deepEqual([found?.name, found?.occupancyFlows, found?.pid], [undefined, 0, child.pid]);
    assert.match(found?.owner ?? "", new RegExp(`^pid ${child.pid} \\((?:sleep|sh)\\)$|\\.service$`));
  } finally {
    child.kill("SIGKILL");
  }
});

test("each namespace is listed once, this program's own first, and a name left behind is none", () => {
  const left = `/run/netns/hr-host-${process.pid}-left`;
  writeFileSync(left, "");
  try {
    const namespaces = open().namespaces();
    const inodes = namespaces.map(({ inode }) => inode).filter((inode) => inode !== undefined);
    assert.equal(new Set(inodes).size, inodes.length);
    assert.deepEqual([namespaces[0]?.own, namespaces[0]?.initial], [true, true]);
    assert.equal(namespaces.filter(({ own }) => own).length, 1);
    assert.ok(!namespaces.some(({ name }) => name !== undefined && left.endsWith(name)));
  } finally {
    rmSync(left);
  }
});

test("flows of a host are attributed to its processes, those of others to their namespace", () => {
  const owners = open(routed.server).owners();
  const held = routed.run(routed.client, "cat", "/proc/net/tcp").split("\n");
  const localPort = held
    .map((line) => / \w{8}:(\w{4}) \w{8}:0050 01 /.exec(line)?.[1])
    .find((port) => port !== undefined);
  assert.ok(localPort !== undefined, "the client holds connections");
  const remote = { address: address(CLIENT_ADDRESS), port: Number.parseInt(localPort, 16) };
  const owner = owners.ownerOfLocalFlow(TCP, address(SERVER_ADDRESS), 80, remote);
  assert.ok(owner !== undefined && owner.pid > 1 && owner.command !== "", JSON.stringify(owner));
  assert.equal(readFileSync(`/proc/${owner.pid}/comm`, "utf8").trim(), owner.command);
  assert.equal(owners.namespaceOfAddress(address(CLIENT_ADDRESS))?.name, routed.client);
  assert.equal(owners.namespaceOfAddress(address("10.77.1.1"))?.name, routed.router);
  assert.deepEqual(
    [SERVER_ADDRESS, CLIENT_ADDRESS].map((each) => owners.isLocal(address(each))),
    [true, false],
  );
  const own = open()
    .namespaces({ addresses: true })
    .find(({ name }) => name === routed.router);
  assert.deepEqual(
    own?.addresses
      ?.filter((each) => each.length === 4)
      .map(formatAddress)
      .toSorted(),
    ["10.77.1.1", "10.77.2.1"],
  );
});

test("a table driven over its limit is in the kernel log, with its namespace, and counted", async () => {
  const release = parseKernelRelease(open().host().kernelRelease ?? "");
  await sleep(LOG_WINDOW_MS);
  const occupancy = Number(routed.run(routed.router, "conntrack", "-C"));
  const capacity = open().settings().values.nf_conntrack_max;
  assert.ok(capacity !== undefined);
  const startedAtMs = Date.now();
  routed.lowerCapacity(occupancy);
  try {
    const client = [SERVER_ADDRESS, "80", "20"];
    const child = routed.start(routed.client, process.execPath, "-e", HOLDING_CLIENT, ...client);
    await firstLine(child);
  } finally {
    routed.lowerCapacity(capacity);
  }
  await sleep(100);
  const log = open().kernelLog();
  assert.equal(log?.source, "kmsg");
  const named = release !== undefined && isSince(release, "6.17") ? routed.routerInode : undefined;
  const tally = log.tallies.find((each) => each.kind === "table-full" && each.namespaceInode === named);
  assert.ok(tally !== undefined && tally.lines > 0, JSON.stringify(log.tallies));
  // Not by how many lines there are: a ring that is full has as many as before.
  assert.ok((tally.lastAtMs ?? 0) >= startedAtMs - 5000 && (tally.lastAtMs ?? 0) <= Date.now() + 5000);
  assert.match(tally.sample, /table full/);
  assert.ok((open(routed.router).counters()?.total.drop ?? 0) > 0);
});

test("flows come by netlink, or as the text of the kernel, and a closed host is done with", () => {
  const host = open(routed.router);
  const flows = host.flows();
  assert.equal(flows.kind, "reading");
  const listing = host.flows({ source: "procfs" });
  assert.ok(listing.kind === "listing");
  assert.equal(listing.path, "/proc/net/nf_conntrack");
  host.close();
  assert.deepEqual(host.unseen, []);
});
