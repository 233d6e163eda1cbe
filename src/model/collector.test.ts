import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { UDP } from "../table/protocol.ts";
import type { Packet } from "../../test/support/packets.ts";
import { flowsOf, say, wait } from "../../test/support/tracking.ts";
import { type Generation, GENERATIONS } from "./generation.ts";
import { Tracker } from "./tracker.ts";

const DAY_MS = 86_400_000;
const query: Packet = { protocol: UDP, first: 1000, second: 53 };

function first(tracker: Tracker): void {
  say(tracker, [{ ...query, first: 1, atMs: 0 }]);
}

test("a lone flow of a second is counted for 35.8 s", () => {
  const tracker = new Tracker({ settings: { nf_conntrack_udp_timeout: 1, nf_conntrack_generic_timeout: 1 } });
  // Passes: a second after the beginning, and a minute less a jiffy after that.
  say(tracker, [{ ...query, protocol: 50, first: 0, second: 0, atMs: 0 }]);
  say(tracker, [{ ...query, atMs: 25_200 }]);
  wait(tracker, 60_900);
  assert.equal(tracker.occupancyFlows, 1);
  assert.deepEqual(flowsOf(tracker), []);
  wait(tracker, 61_000);
  assert.equal(tracker.occupancyFlows, 0);
});

test("many short flows bring the next pass nearer: the average of what is left", () => {
  const tracker = new Tracker({ settings: { nf_conntrack_udp_timeout: 4 } });
  first(tracker);
  const many = Array.from({ length: 2000 }, (_, index) => ({ ...query, first: index, atMs: 500 }));
  say(tracker, many);
  // 100 nodes of 60 s and 4000 of 3.5 s: the average, kept in whole jiffies, comes down to 8.9 s only.
  wait(tracker, 9800);
  assert.equal(tracker.occupancyFlows, 2000);
  wait(tracker, 9900);
  assert.equal(tracker.occupancyFlows, 0);
});

test("after 257 expired flows the pass rests for a jiffy", () => {
  const settings = { nf_conntrack_udp_timeout: 1, nf_conntrack_buckets: 4096 };
  const tracker = new Tracker({ settings });
  first(tracker);
  const many = Array.from({ length: 1000 }, (_, index) => ({ ...query, first: index + 2, atMs: 10_000 }));
  say(tracker, many);
  // The first flow expired in the first pass, so the second comes at 1 s + 60 s less a jiffy.
  const counts = [0, 4, 8, 12].map((later) => {
    wait(tracker, 60_996 + later);
    return tracker.occupancyFlows;
  });
  assert.deepEqual(counts, [1000 - 257, 1000 - 514, 1000 - 771, 0]);
});

const lagRows: readonly [Generation, number, number][] = [
  ["4.19", 0, 17_000],
  ["5.10", 119_000, 122_000],
  ["6.18", 59_800, 59_900],
];

for (const [generation, countedUntil, goneBy] of lagRows) {
  test(`${generation} counts a flow that expired early until ${goneBy} ms at most`, () => {
    const tracker = new Tracker({ generation, settings: { nf_conntrack_udp_timeout: 2 } });
    first(tracker);
    wait(tracker, countedUntil);
    assert.equal(tracker.occupancyFlows, 1);
    wait(tracker, goneBy);
    assert.equal(tracker.occupancyFlows, 0);
  });
}

for (const generation of GENERATIONS) {
  test(`${generation} passes a thousand silent years at once`, () => {
    const tracker = new Tracker({ generation });
    first(tracker);
    wait(tracker, 365_000 * DAY_MS);
    assert.equal(tracker.occupancyFlows, 0);
    assert.deepEqual(say(tracker, [query]), ["new"]);
    assert.equal(flowsOf(tracker)[0]?.timeoutSeconds, 30);
  });

  test(`${generation} collects a flow of 90 days when its time has come`, () => {
    const settings = { nf_conntrack_udp_timeout: 90 * 86_400 };
    const tracker = new Tracker({ generation, settings });
    first(tracker);
    wait(tracker, 90 * DAY_MS - 1000);
    assert.equal(flowsOf(tracker)[0]?.timeoutSeconds, 1);
    wait(tracker, 90 * DAY_MS + 121_000);
    assert.equal(tracker.occupancyFlows, 0);
  });
}

const gap = fc.integer({ min: 1, max: 5000 });
const arrival = fc.record({ timeout: fc.integer({ min: 1, max: 2000 }), gap });

test("time in one leap or in steps gives the same table and count", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...GENERATIONS),
      fc.array(arrival, { maxLength: 12 }),
      (generation, arrivals) => {
        const settings = { nf_conntrack_buckets: 512 };
        const leaping = new Tracker({ generation, settings });
        const stepping = new Tracker({ generation, settings });
        let atMs = 0;
        arrivals.forEach(({ timeout, gap: seconds }, index) => {
          for (const tracker of [leaping, stepping]) {
            tracker.set("nf_conntrack_udp_timeout", timeout);
            say(tracker, [{ ...query, first: index, atMs }]);
          }
          for (let step = 1; step <= seconds; step += 7) wait(stepping, atMs + step * 1000);
          atMs += seconds * 1000;
          for (const tracker of [leaping, stepping]) wait(tracker, atMs);
          assert.equal(leaping.occupancyFlows, stepping.occupancyFlows);
          assert.deepEqual(flowsOf(leaping), flowsOf(stepping));
        });
      },
    ),
    { numRuns: 60 },
  );
});
