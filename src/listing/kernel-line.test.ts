import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyKernelFlow } from "../../test/support/kernel-lines.ts";
import { listingFixture, plainLine, readRows } from "../../test/support/listing-rows.ts";
import { parseKernelRelease } from "../table/kernel-release.ts";
import { UDPLITE } from "../table/protocol.ts";
import { formatFlow, unnamedProtocols } from "./kernel-line.ts";

test("any flow the kernel prints is read back, and written again as the same line", () => {
  fc.assert(
    fc.property(anyKernelFlow, (flow) => {
      const line = formatFlow(flow);
      const { flows, listing } = readRows(`${line}\n`, { batchRows: 2 });
      assert.deepEqual(flows, [flow]);
      assert.deepEqual(listing.oddities, {});
      assert.equal(formatFlow(flows[0] ?? flow, listing.style), line);
    }),
    { numRuns: 2000 },
  );
});

const [flow] = readRows(plainLine).flows;
const [gre] = readRows(
  "gre      47 28 src=10.0.0.1 dst=10.0.0.2 srckey=0x0 dstkey=0x4d [UNREPLIED] " +
    "src=10.0.0.2 dst=10.0.0.1 srckey=0x4d dstkey=0x0 mark=0 use=1\n",
).flows;

test("a flow that came over netlink gets what netlink leaves out", () => {
  assert.ok(flow !== undefined && gre !== undefined);
  const { zone: _zone, ...bare } = flow;
  const netlink = { ...bare, use: 1, startedAtMs: 1_000_000, knownStatus: 0xffff_ffff };
  const line = plainLine.trimEnd();
  assert.equal(formatFlow(netlink), line.replace(" zone=0", "").replace("use=2", "use=1"));
  assert.equal(formatFlow(netlink, { zones: true, useAdded: 1 }), line);
  assert.equal(
    formatFlow(netlink, { zones: true, useAdded: 1, nowMs: 1_003_999 }),
    line.replace("use=2", "delta-time=3 use=2"),
  );
  // The clock was set back.
  assert.match(formatFlow(netlink, { nowMs: 0 }), / delta-time=0 /);
  assert.doesNotMatch(formatFlow({ ...netlink, originalZone: 5 }, { zones: true }), / zone=/);
  assert.match(
    formatFlow(gre, { greTimeouts: { timeoutSeconds: 30, streamTimeoutSeconds: 180 } }),
    /^ipv4 {5}2 gre {6}47 28 timeout=30, stream_timeout=180 src=/,
  );
});

test("without a known status no mark is printed", () => {
  assert.ok(flow !== undefined);
  assert.doesNotMatch(formatFlow({ ...flow, knownStatus: 0 }), /\[/);
  assert.match(formatFlow({ ...flow, status: 0 }), /\[UNREPLIED\]/);
});

const releases = [
  ["4.18.0-553.el8.x86_64", []],
  ["4.19.78", [58]],
  ["5.11.0", [58]],
  ["5.12.0", []],
  ["6.16.12", []],
  ["6.18.44", [33]],
  ["7.3.4", [33, 136]],
] as const;

for (const [release, numbers] of releases) {
  test(`Linux ${release} prints as unknown: ${numbers.join(" and ") || "none of ours"}`, () => {
    const parsed = parseKernelRelease(release);
    assert.ok(parsed !== undefined);
    assert.deepEqual([...unnamedProtocols(parsed)], numbers);
  });
}

test("a forgotten protocol is printed without name and ports, as 7.3 does", () => {
  const { flows } = readRows(listingFixture("nf_conntrack-2.6.32.txt"));
  const udplite = flows.find(({ protocol }) => protocol === UDPLITE);
  assert.ok(udplite !== undefined);
  const unnamed = new Set([UDPLITE]);
  assert.match(formatFlow(udplite, { unnamed }), /^ipv4 {5}2 unknown {2}136 25 src=\S+ dst=\S+ \[/);
  assert.match(formatFlow(udplite), /^ipv4 {5}2 udplite {2}136 25 src=\S+ dst=\S+ sport=5004 dport=5004 \[/);
});
