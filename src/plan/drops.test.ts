import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { countersOf, healthyFacts, withHost } from "../../test/support/facts-samples.ts";
import type { CounterValues } from "../table/counters.ts";
import { counterGrowth, type Drops, dropsNow, dropsSinceBoot } from "./drops.ts";

const measured: readonly (readonly [what: string, kernel: string, counters: CounterValues, drops: Drops])[] =
  [
    [
      "400 one-way UDP flows into a table of 200",
      "6.18.44",
      { drop: 199, earlyDrop: 1, insertFailed: 0, chainTooLong: 0 },
      { noRoomPackets: 199, clashPackets: 0, chainTooLongPackets: 0, evictedFlows: 1 },
    ],
    [
      "6 SYN lost to long chains",
      "6.16.12",
      { drop: 0, insertFailed: 6, chainTooLong: 6 },
      { noRoomPackets: 0, clashPackets: 0, chainTooLongPackets: 6 },
    ],
    [
      "3 SYN of one flow at once",
      "6.16.12",
      { drop: 2, insertFailed: 2, chainTooLong: 0 },
      { noRoomPackets: 0, clashPackets: 2, chainTooLongPackets: 0 },
    ],
    [
      "3 identical UDP packets: resolved, nothing lost",
      "6.16.12",
      { drop: 0, insertFailed: 0, chainTooLong: 0, clashResolved: 2 },
      { noRoomPackets: 0, clashPackets: 0, chainTooLongPackets: 0, clashesResolved: 2 },
    ],
    [
      "all of it at once",
      "6.18.44",
      { drop: 12, insertFailed: 9, chainTooLong: 6, earlyDrop: 4, clashResolved: 5, invalid: 77 },
      {
        noRoomPackets: 9,
        clashPackets: 3,
        chainTooLongPackets: 6,
        evictedFlows: 4,
        clashesResolved: 5,
        invalidPackets: 77,
      },
    ],
    [
      "a flow that died at its insertion is no clash",
      "6.1.0",
      { drop: 0, insertFailed: 3 },
      { noRoomPackets: 0, clashPackets: 0 },
    ],
    [
      "before 4.7 a lost clash counts in insert_failed alone",
      "3.10.0",
      { drop: 5, insertFailed: 3 },
      { noRoomPackets: 5, clashPackets: 3 },
    ],
    ["invalid alone is no drop", "6.1.0", { invalid: 100_000 }, { invalidPackets: 100_000 }],
  ];

for (const [what, kernelRelease, counters, drops] of measured) {
  test(`dropsSinceBoot() ${what}`, () => {
    const facts = { ...withHost(healthyFacts, { kernelRelease }), counters: countersOf(counters) };
    assert.deepEqual(dropsSinceBoot(facts), drops);
  });
}

test("dropsSinceBoot() without counters says nothing", () => {
  assert.deepEqual(dropsSinceBoot(healthyFacts), {});
  assert.equal(dropsNow({ ...healthyFacts, counters: countersOf({}) }), undefined);
});

test("dropsNow() is what moved between the readings", () => {
  const facts = {
    ...healthyFacts,
    counters: countersOf({ drop: 10, insertFailed: 4, earlyDrop: 7 }),
    later: { counters: countersOf({ drop: 16, insertFailed: 5, earlyDrop: 7 }), seconds: 2 },
  };
  assert.deepEqual(dropsNow(facts), { seconds: 2, noRoomPackets: 5, clashPackets: 1, evictedFlows: 0 });
});

test("counterGrowth() follows each CPU over the wrap at 2^32", () => {
  const before = {
    ...countersOf({ drop: 4_294_967_290 + 5 }),
    perCpu: [
      { cpu: 0, values: { drop: 4_294_967_290 } },
      { cpu: 1, values: { drop: 5 } },
    ],
  };
  const after = {
    ...countersOf({ drop: 4 + 6 }),
    perCpu: [
      { cpu: 0, values: { drop: 4 } },
      { cpu: 1, values: { drop: 6 } },
    ],
  };
  assert.deepEqual(counterGrowth(before, after), { drop: 11 });
});

test("counterGrowth() says nothing of a counter that was reset or is missing", () => {
  assert.deepEqual(counterGrowth(countersOf({ drop: 100 }), countersOf({ drop: 3 })), {});
  assert.deepEqual(counterGrowth(countersOf({}), countersOf({ drop: 3 })), {});
});

test("counterGrowth() is exact for any start", () => {
  fc.assert(
    fc.property(fc.nat(0xffff_ffff), fc.nat(0x7fff_ffff), (start, grown) => {
      const after = (start + grown) % 0x1_0000_0000;
      assert.deepEqual(counterGrowth(countersOf({ drop: start }), countersOf({ drop: after })), {
        drop: grown,
      });
    }),
  );
});
