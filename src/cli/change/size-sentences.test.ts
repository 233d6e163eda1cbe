import assert from "node:assert/strict";
import { test } from "node:test";
import type { Host } from "../../table/host.ts";
import type { Settings } from "../../table/settings.ts";
import { sizeSentences } from "./size-sentences.ts";

function said(kernelRelease: string, now: Settings, wanted: Settings): string {
  const host = { kernelRelease, pointerBytes: 8, pageBytes: 4096 } as unknown as Host;
  return sizeSentences(host, now, wanted).join(" | ");
}

const now: Settings = { nf_conntrack_max: 65_536, nf_conntrack_buckets: 65_536 };

test("sizeSentences() says nothing where no size changes", () => {
  assert.equal(said("6.12.1", now, { nf_conntrack_udp_timeout: 5 }), "");
});

const costs: readonly [string, Settings, RegExp | undefined][] = [
  ["6.12.1", { nf_conntrack_max: 131_072 }, undefined],
  ["6.12.1", { nf_conntrack_max: 131_073 }, /2\.0 flows share a bucket: every packet takes longer/],
  [
    "6.12.1",
    { nf_conntrack_max: 1_572_864 },
    /24\.0 flows share a bucket: 9 % of new flows are lost by then, in silence/,
  ],
  [
    "5.15.0",
    { nf_conntrack_max: 262_144 },
    /4\.0 flows share a bucket: from none \(.* of 6\.3\) to 5 % of new flows/,
  ],
  [
    "5.10.0",
    { nf_conntrack_max: 2_000_000 },
    /30\.5 flows share a bucket: every packet takes longer .*=2000384/,
  ],
  ["6.12.1", { nf_conntrack_buckets: 512 }, /128\.0 flows share a bucket: >99 % of new flows are lost/],
];

for (const [release, wanted, cost] of costs) {
  test(`sizeSentences() on ${release} for ${JSON.stringify(wanted)}`, () => {
    const text = said(release, now, wanted);
    assert.match(text, /Memory when full: .* \(before: /);
    if (cost === undefined) assert.doesNotMatch(text, /share a bucket/);
    else assert.match(text, cost);
  });
}

test("sizeSentences() has no memory figure for a table without a limit", () => {
  const none: Settings = { ...now, nf_conntrack_max: 0 };
  assert.equal(said("6.1.0", none, { nf_conntrack_buckets: 131_072 }), "");
  assert.match(said("6.1.0", none, { nf_conntrack_max: 65_536 }), /\(before: no limit, all there is\)/);
});
