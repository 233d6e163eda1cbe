import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseKernelRelease } from "../table/kernel-release.ts";
import {
  type ChainLimit,
  chainLimitsOf,
  chainLossShare,
  earlyDropMissShare,
  LONG_CHAIN_LIMIT,
  SHORT_CHAIN_LIMIT,
} from "./load.ts";

/** Loss by load: within a tenth of the figure, or of its last digit. */
const losses: readonly (readonly [load: number, short: number, long: number])[] = [
  [1, 5e-6, 0],
  [2, 0.001, 0],
  [4, 0.054, 0],
  [6, 0.21, 0],
  [8, 0.38, 0],
  [12, 0.73, 6e-8],
  [16, 0.96, 0.0001],
  [20, 1, 0.009],
  [24, 1, 0.093],
  [28, 1, 0.31],
  [32, 1, 0.58],
];

for (const [load, short, long] of losses) {
  test(`chainLossShare() at ${load} flows a bucket`, () => {
    isAbout(chainLossShare(load, SHORT_CHAIN_LIMIT), short);
    isAbout(chainLossShare(load, LONG_CHAIN_LIMIT), long);
  });
}

function isAbout(found: number, expected: number): void {
  const slack = Math.max(expected * 0.12, 1e-12);
  assert.ok(Math.abs(found - expected) <= slack, `${found} is not about ${expected}`);
}

test("chainLossShare() meets what a kernel did: 45 of 12,000 flows refused up to 23.4 a bucket", () => {
  // Each flow met the load of its turn; the sum over all of them is what was counted.
  let refused = 0;
  for (let flows = 0; flows < 12_000; flows++) refused += chainLossShare(flows / 512, LONG_CHAIN_LIMIT);
  assert.ok(refused > 40 && refused < 90, String(refused));
});

test("chainLossShare() at the ends", () => {
  assert.equal(chainLossShare(0, SHORT_CHAIN_LIMIT), 0);
  assert.equal(chainLossShare(1e9, LONG_CHAIN_LIMIT), 1);
  assert.ok(chainLossShare(499, LONG_CHAIN_LIMIT) > 1 - 1e-12);
});

const anyLimit = fc.constantFrom<ChainLimit>(SHORT_CHAIN_LIMIT, LONG_CHAIN_LIMIT);

test("adding buckets never raises the predicted loss", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5_000_000 }),
      fc.integer({ min: 1, max: 2_000_000 }),
      fc.integer({ min: 0, max: 2_000_000 }),
      anyLimit,
      (flows, buckets, more, limit) => {
        const before = chainLossShare(flows / buckets, limit);
        const after = chainLossShare(flows / (buckets + more), limit);
        assert.ok(after >= 0 && before <= 1 && after <= before * (1 + 1e-9));
      },
    ),
  );
});

test("the longer limit never loses more", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 100, noNaN: true }), (load) => {
      assert.ok(chainLossShare(load, LONG_CHAIN_LIMIT) <= chainLossShare(load, SHORT_CHAIN_LIMIT));
    }),
  );
});

const limits = [
  ["5.10.262", false, undefined, undefined],
  ["5.14.21", false, undefined, undefined],
  ["5.15.0-91-generic", true, SHORT_CHAIN_LIMIT, LONG_CHAIN_LIMIT],
  ["6.1.0-21-amd64", true, SHORT_CHAIN_LIMIT, LONG_CHAIN_LIMIT],
  ["6.1.192", true, LONG_CHAIN_LIMIT, LONG_CHAIN_LIMIT],
  ["6.2", true, SHORT_CHAIN_LIMIT, LONG_CHAIN_LIMIT],
  ["6.3", true, LONG_CHAIN_LIMIT, LONG_CHAIN_LIMIT],
  ["7.3.4", true, LONG_CHAIN_LIMIT, LONG_CHAIN_LIMIT],
  // A kernel that counts refused chains has a limit, whatever it calls itself.
  ["5.14.0-427.el9.x86_64", true, SHORT_CHAIN_LIMIT, LONG_CHAIN_LIMIT],
  ["", true, SHORT_CHAIN_LIMIT, LONG_CHAIN_LIMIT],
  ["", false, SHORT_CHAIN_LIMIT, undefined],
] as const;

for (const [release, counted, worst, best] of limits) {
  const kernel = release === "" ? "an unknown kernel" : release;
  test(`chainLimitsOf() ${kernel}${counted ? ", counting" : ""}`, () => {
    const found = chainLimitsOf(parseKernelRelease(release), counted);
    assert.deepEqual([found.worst, found.best], [worst, best]);
  });
}

test("earlyDropMissShare() predicts 46 % for 100 unassured flows in 2,048 buckets", () => {
  for (const release of ["5.10", "6.1", "6.16", "7.3"]) {
    const { lowShare, highShare } = earlyDropMissShare(100 / 2048, 1, parseKernelRelease(release));
    assert.equal(lowShare, highShare);
    assert.equal(lowShare.toFixed(2), "0.46");
  }
});

const misses = [
  ["6.18", 1, 0.1, 0.2, 0.2],
  ["4.14.336", 1, 0.1, 0.2, 0.82],
  ["3.10.0", 1, 0.1, 0.43, 0.43],
  ["2.6.18", 8, 0.1, 0.2, 0.2],
  ["2.4.20", 8, 0.1, 0.04, 0.04],
  ["", 1, 0.1, 0.2, 0.82],
] as const;

for (const [release, load, evictable, low, high] of misses) {
  test(`earlyDropMissShare() of ${release === "" ? "an unknown kernel" : release}`, () => {
    const { lowShare, highShare } = earlyDropMissShare(load, evictable, parseKernelRelease(release));
    assert.deepEqual([Number(lowShare.toFixed(2)), Number(highShare.toFixed(2))], [low, high]);
  });
}

test("earlyDropMissShare() is certain when nothing may be evicted", () => {
  assert.deepEqual(earlyDropMissShare(4, 0, parseKernelRelease("6.18")), { lowShare: 1, highShare: 1 });
});
