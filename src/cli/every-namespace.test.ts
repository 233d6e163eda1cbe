/** Commands over all network namespaces, on a host made up of saved listings: one for each namespace. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeTerminal } from "../../test/support/terminal.ts";
import { ManualClock } from "../base/clock.ts";
import { type HostAccess, KernelError } from "../kernel/kernel.ts";
import { addressFromBytes } from "../table/address.ts";
import type { NamespaceFacts } from "../table/host.ts";
import type { Settings } from "../table/settings.ts";
import { main } from "./cli.ts";
import type { Deps } from "./context.ts";
import { explainSchema, namespacesSchema } from "./schemas.ts";

interface Made {
  listing?: string;
  settings?: Settings;
}

function line(source: string, left: number): string {
  const there = `src=${source} dst=192.0.2.1 sport=4000 dport=443`;
  const back = `src=192.0.2.1 dst=${source} sport=443 dport=4000`;
  return `ipv4     2 tcp      6 ${left} ESTABLISHED ${there} ${back} [ASSURED] mark=0 use=2\n`;
}

/** Established flows are forgotten after five days here and after an hour in k1. */
const days = { nf_conntrack_tcp_timeout_established: 432_000 };
const hour = { nf_conntrack_tcp_timeout_established: 3600 };
const own: Made = { listing: line("10.0.0.1", 431_990) + line("10.0.0.2", 431_990), settings: days };
const k1: Made = { listing: line("10.0.0.1", 3590), settings: hour };
const locked = new KernelError("not-permitted", "Cannot enter network namespace locked");

const facts: readonly NamespaceFacts[] = [
  { inode: 1, initial: true, own: true, occupancyFlows: 2, capacityFlows: 100 },
  { inode: 2, name: "k1", initial: false, own: false, occupancyFlows: 1, capacityFlows: 100 },
  { inode: 3, name: "empty", initial: false, own: false, occupancyFlows: 0, capacityFlows: 100 },
  { inode: 4, pid: 77, initial: false, own: false, capacityFlows: 100, unseen: "permission denied" },
  { inode: 5, initial: false, own: false },
];

function hostOf(made: Made, namespaces: readonly NamespaceFacts[]): HostAccess {
  return {
    host: () => ({ tracker: "nf_conntrack", hostname: "made" }),
    settings: () => ({ values: made.settings ?? {}, origins: {}, unknownKeys: [], unreadable: [] }),
    counters: () => undefined,
    events: () => assert.fail("not asked for"),
    flowRemoval: () => assert.fail("not asked for"),
    occupancy: () => undefined,
    sessions: () => assert.fail("not asked for"),
    expectations: () => undefined,
    kernelLog: () => undefined,
    namespaces: () => namespaces,
    dyingFlows: () => undefined,
    flows: () => {
      if (made.listing === undefined) throw new KernelError("not-permitted", "Cannot read flows");
      const bytes = new TextEncoder().encode(made.listing);
      return { kind: "listing", source: "procfs", origin: "made", path: "made", bytes: () => [bytes] };
    },
    owners: () => ({
      isLocal: (address) => address === addressFromBytes(Uint8Array.from([192, 0, 2, 1])),
      ownerOfLocalFlow: () => ({ pid: 1, command: made === k1 ? "caddy" : "nginx" }),
      namespaceOfAddress: () => undefined,
    }),
    bootFiles: () => assert.fail("not asked for"),
    live: () => assert.fail("not asked for"),
    followLog: () => assert.fail("not asked for"),
    refresh: () => {},
    unseen: [],
    close: () => {},
  };
}

async function run(
  argv: readonly string[],
  { here = own, namespaces = facts }: { here?: Made; namespaces?: readonly NamespaceFacts[] } = {},
): Promise<{ code: number; out: string; err: string; opened: string[] }> {
  const opened: string[] = [];
  const openHost = ({ namespace }: { namespace?: string }): HostAccess => {
    opened.push(namespace ?? "own");
    if (namespace === "77") throw locked;
    return hostOf(namespace === "k1" ? k1 : here, namespaces);
  };
  const openBytes = (): never => {
    throw new TypeError("No file is read here");
  };
  const deps: Deps = { clock: new ManualClock(0), kernel: async () => ({ openHost, openBytes }) };
  const terminal = new FakeTerminal();
  const code = await main(argv, terminal, deps);
  return { code, out: terminal.out, err: terminal.err, opened };
}

test("explain --all-netns has the table of namespaces, then one census of all", async () => {
  const { code, out } = await run(["explain", "--all-netns"]);
  assert.equal(code, 0);
  assert.match(out, /^3 flows in 5 network namespaces\n/);
  assert.match(
    out,
    /\n\n3 flows on made\nRead from made in 3 of 5 network namespaces, but not all of it\.\n/,
  );
  assert.match(out, /\n10\.0\.0\.1 +2 .*\n10\.0\.0\.2 +1 /);
  assert.match(out, /\nNot seen: flows of network namespace 4: cannot enter network namespace locked/);
  assert.match(out, /\nNot seen: flows of network namespace 5: it has no name and no process/);
  assert.match(out, /\nNext: headroom explain +the fullest\n {6}headroom list --all-netns src 10\.0\.0\.1 /);
});

test("explain --all-netns --json has the namespaces and the census, by each one's timeouts", async () => {
  const { out, opened } = await run(["explain", "--all-netns", "--json", "--owners"]);
  const json = explainSchema.parse(JSON.parse(out));
  assert.equal(json.namespaces?.length, 5);
  assert.equal(json.flows, 3);
  assert.equal(json.occupancyFlows, 3);
  assert.equal(json.complete, false);
  assert.deepEqual(
    json.establishedIdleSeconds.filter(({ flows }) => flows > 0),
    [{ fromSeconds: 10, toSeconds: 30, flows: 3 }],
  );
  assert.deepEqual(json.owners, [
    { owner: "nginx", flows: 2 },
    { owner: "caddy", flows: 1 },
  ]);
  // An empty namespace is not opened.
  assert.deepEqual(opened, ["own", "k1", "77"]);
});

test("explain --all-netns counts what a filter keeps", async () => {
  const { out } = await run(["explain", "--all-netns", "--json", "--filter", "src=10.0.0.1"]);
  const { flows, flowsRead, filter } = explainSchema.parse(JSON.parse(out));
  assert.deepEqual({ flows, flowsRead, filter }, { flows: 2, flowsRead: 2, filter: "src=10.0.0.1" });
});

test("explain --all-netns of nothing but refusals still has the table of namespaces", async () => {
  const namespaces = facts.slice(0, 1);
  const { code, out } = await run(["explain", "--all-netns"], { here: {}, namespaces });
  assert.equal(code, 0);
  assert.match(
    out,
    /^2 flows in 1 network namespace\n[^]*\n\nNot seen: flows of this network namespace: cannot /,
  );
  const json = await run(["explain", "--all-netns", "--json"], { here: {}, namespaces });
  const { occupancyFlows, unseen } = namespacesSchema.parse(JSON.parse(json.out));
  assert.equal(occupancyFlows, 2);
  assert.deepEqual(
    unseen.map(({ cause }) => cause),
    ["not-permitted"],
  );
});

test("explain --all-netns is complete when every namespace was read", async () => {
  const { out } = await run(["explain", "--all-netns"], { namespaces: facts.slice(0, 3) });
  assert.match(out, /\nRead from made in 3 network namespaces\.\n/);
});

test("explain --all-netns --sample is refused: one size fits not all", async () => {
  const { code, err } = await run(["explain", "--all-netns", "--sample", "1000"]);
  assert.equal(code, 2);
  assert.match(err, /^headroom: cannot sample all network namespaces at once/);
});

test("list --all-netns names each flow's namespace and those that were not seen", async () => {
  const { code, out, err } = await run(["list", "--all-netns", "--json"], {
    namespaces: facts.toSpliced(2, 1),
  });
  const rows = out
    .trimEnd()
    .split("\n")
    .map((row) => JSON.parse(row) as { namespace: string });
  assert.deepEqual(
    rows.map(({ namespace }) => namespace),
    ["this", "this", "k1"],
  );
  assert.equal(code, 0);
  assert.match(err, /^headroom: 3 flows listed from made\n/);
  assert.match(err, /not seen: flows of network namespace 4: cannot enter/);
  assert.match(err, /not seen: flows of network namespace 5: it has no name/);
});

test("list --all-netns of nothing but refusals is an error", async () => {
  const { code, err } = await run(["list", "--all-netns"], { here: {}, namespaces: facts.slice(0, 1) });
  assert.equal(code, 3);
  assert.match(err, /cannot read flows/);
});
