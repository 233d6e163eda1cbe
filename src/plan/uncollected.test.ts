import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Packet } from "../../test/support/packets.ts";
import { say, wait } from "../../test/support/tracking.ts";
import { Tracker } from "../model/model.ts";
import { parseKernelRelease } from "../table/kernel-release.ts";
import { UDP } from "../table/protocol.ts";
import { type ExpiryFacts, uncollectedFlows } from "./uncollected.ts";

/** Flows that arrive at a rate and live as long as their timeout. */
function steady(perSecond: number, timeoutSeconds: number, release?: string): ExpiryFacts {
  const kernelRelease = release === undefined ? undefined : parseKernelRelease(release);
  return {
    expiriesPerSecond: perSecond,
    remaining: [{ flows: perSecond * timeoutSeconds, fromSeconds: 0, toSeconds: timeoutSeconds }],
    ...(kernelRelease === undefined ? {} : { kernelRelease }),
  };
}

const releases: readonly (readonly [string, number])[] = [
  ["2.6.32", 0],
  ["4.8.17", 0],
  ["4.9.1", 16],
  ["5.4.100", 16],
  ["5.4.273", 120],
  ["5.10.40", 16],
  ["5.10.262", 120],
  ["5.13.0", 16],
  ["5.14.2", 120],
  ["5.19.0", 60],
];

for (const [release, seconds] of releases) {
  test(`kernel ${release} collects every ${seconds} s`, () => {
    const found = uncollectedFlows(steady(100, 20, release));
    assert.equal(found.intervalSeconds, seconds);
    assert.ok(Math.abs(found.meanFlows - 50 * seconds) < 1e-6);
    assert.match(found.how, new RegExp(release.replaceAll(".", "\\.")));
  });
}

/** Measured on 6.18.44 (HZ 250): rate, timeout, seconds of a tooth, and its mean and peak with what lives. */
const measured: readonly (readonly [number, number, number, number, number])[] = [[500, 4, 7.43, 3830, 5611]];

for (const [perSecond, timeout, seconds, mean, peak] of measured) {
  test(`${perSecond} flows of ${timeout} s a second are collected as measured`, () => {
    const found = uncollectedFlows({ ...steady(perSecond, timeout, "6.18.44"), bucketCount: 262_144 });
    const alive = perSecond * timeout;
    assertNear(found.intervalSeconds, seconds, 0.03);
    assertNear(alive + found.meanFlows, mean, 0.02);
    assertNear(alive + found.peakFlows, peak, 0.02);
  });
}

/** What 4.19 does follows chance more than a rule, so it is foretold roughly. */
const modelled = [
  ["4.19", "4.19.78", 0.25],
  ["5.10", "5.10.262", 0.02],
  ["6.18", "6.18.44", 0.02],
] as const;

for (const [generation, release, share] of modelled) {
  test(`the model of ${generation} holds as many expired flows as are foretold`, () => {
    const settings = {
      nf_conntrack_udp_timeout: 5,
      nf_conntrack_buckets: 65_536,
      nf_conntrack_max: 1_000_000,
    };
    const tracker = new Tracker({ generation, settings });
    const [perSecond, quietSeconds, wholeSeconds] = [300, 250, 360];
    let sum = 0;
    for (let second = 0; second < quietSeconds + wholeSeconds; second++) {
      const packets = Array.from({ length: perSecond }, (_, index): Packet => {
        const made = second * perSecond + index;
        const source = `10.0.${Math.floor(made / 50_000)}.1`;
        const atMs = second * 1000 + Math.floor((index * 1000) / perSecond);
        return { protocol: UDP, source, first: made % 50_000, second: 53, atMs };
      });
      say(tracker, packets);
      wait(tracker, (second + 1) * 1000);
      if (second >= quietSeconds) sum += tracker.occupancyFlows;
    }
    const found = uncollectedFlows({ ...steady(perSecond, 5, release), bucketCount: 65_536 });
    assertNear(sum / wholeSeconds, perSecond * 5 + found.meanFlows, share);
  });
}

test("passing packets reap some before the collector comes, and never more than all", () => {
  const alone = uncollectedFlows(steady(1000, 5));
  const little = uncollectedFlows({ ...steady(1000, 5), bucketCount: 1e9 });
  const busy = uncollectedFlows({ ...steady(1000, 5), lookupsPerSecond: 50_000, bucketCount: 65_536 });
  assertNear(little.meanFlows, alone.meanFlows, 1e-3);
  assert.ok(busy.meanFlows < alone.meanFlows / 2 && busy.peakFlows < alone.peakFlows);
  // In balance as many are reaped as expire: 1000 / (2 * 50000 / 65536).
  assert.ok(busy.peakFlows <= 1000 / (100_000 / 65_536));
});

const facts = fc.record({
  expiriesPerSecond: fc.integer({ min: 0, max: 60_000 }),
  remaining: fc.array(
    fc.record({
      flows: fc.integer({ min: 0, max: 5000 }),
      fromSeconds: fc.integer({ min: 0, max: 500 }),
      toSeconds: fc.integer({ min: 500, max: 432_000 }),
    }),
    { maxLength: 4 },
  ),
  lookupsPerSecond: fc.integer({ min: 0, max: 1_000_000 }),
  bucketCount: fc.integer({ min: 512, max: 1_000_000 }),
  kernelRelease: fc.constantFrom("4.4.0", "4.19.0", "5.10.262", "5.15.100", "5.19.0", "6.18.2"),
});

test("the interval keeps its bounds and the mean lies between nothing and the peak", () => {
  fc.assert(
    fc.property(facts, ({ kernelRelease, ...rest }) => {
      const release = parseKernelRelease(kernelRelease);
      assert.ok(release !== undefined);
      const found = uncollectedFlows({ ...rest, kernelRelease: release });
      assert.ok(found.intervalSeconds >= 0 && found.intervalSeconds <= 120);
      assert.ok(found.meanFlows >= 0 && found.meanFlows <= found.peakFlows);
      assert.ok(found.peakFlows <= rest.expiriesPerSecond * 120 + 1e-9);
    }),
  );
});

test("a table without flows is walked once a minute, one of short flows more often", () => {
  assert.equal(uncollectedFlows({ expiriesPerSecond: 0, remaining: [] }).intervalSeconds, 60);
  const often = uncollectedFlows(steady(30, 1)).intervalSeconds;
  const oftener = uncollectedFlows(steady(3000, 1)).intervalSeconds;
  assert.ok(oftener < often && often < 60);
});

function assertNear(found: number, expected: number, share: number): void {
  assert.ok(Math.abs(found - expected) <= share * expected, `${found} is not about ${expected}`);
}
