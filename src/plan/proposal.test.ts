import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import type { Settings } from "../table/settings.ts";
import type { Expectation, Plan, PlanFacts, PlanGoal } from "./plan-shape.ts";
import { propose } from "./proposal.ts";

const GIB = 1_073_741_824;

/** In force on a new host of 8 GiB with a present kernel. */
const usual: Settings = {
  nf_conntrack_max: 262_144,
  nf_conntrack_buckets: 262_144,
  nf_conntrack_tcp_timeout_established: 432_000,
  nf_conntrack_tcp_timeout_time_wait: 120,
  nf_conntrack_tcp_timeout_syn_sent: 120,
  nf_conntrack_udp_timeout: 30,
  nf_conntrack_udp_timeout_stream: 120,
};

/** Flows that come and are never heard of again: each stays for the timeout. */
function arriving(perSecond: Settings, inForce: Settings = usual): Expectation {
  return (wanted) => {
    const parts = (Object.keys(perSecond) as (keyof Settings)[]).map((key) => {
      const heldSeconds = wanted[key] ?? inForce[key] ?? 0;
      const arrivalsPerSecond = perSecond[key] ?? 0;
      return { key, arrivalsPerSecond, heldSeconds, flows: arrivalsPerSecond * heldSeconds };
    });
    return { flows: parts.reduce((sum, { flows }) => sum + flows, 0), parts };
  };
}

interface Wanted {
  memoryBytes?: number;
  settings?: Settings;
  goal?: Partial<PlanGoal>;
  facts?: Partial<PlanFacts>;
  kernelRelease?: string;
}

function planFor(perSecond: Settings | undefined, wanted: Wanted = {}): Plan {
  const { memoryBytes = 8 * GIB, kernelRelease = "6.1.0", settings = usual } = wanted;
  return propose({
    host: { tracker: "nf_conntrack", memoryBytes, kernelRelease, initialNamespace: true },
    settings,
    goal: { targetShare: 0.5, peakFactor: 1, ...wanted.goal },
    how: "a test",
    namespacesInUse: 1,
    otherFlows: 0,
    ...(perSecond === undefined ? {} : { expected: arriving(perSecond, settings) }),
    ...wanted.facts,
  });
}

function changes({ settings }: Plan): Record<string, number> {
  return Object.fromEntries(settings.map(({ key, to }) => [key.replace("nf_conntrack_", ""), to]));
}

/** What the plan makes of the settings. */
function carriedOut(settings: Settings, plan: Plan): Settings {
  return { ...settings, ...Object.fromEntries(plan.settings.map(({ key, to }) => [key, to])) };
}

test("a host with room at the peak has nothing to change", () => {
  const plan = planFor({
    nf_conntrack_tcp_timeout_time_wait: 100,
    nf_conntrack_tcp_timeout_established: 0.1,
  });
  assert.deepEqual(plan.settings, []);
  assert.deepEqual(plan.predicted?.occupancyFlows, 55_200);
  assert.ok(Math.abs((plan.predicted?.useShare ?? 0) - 55_200 / 262_144) < 1e-9);
});

test("a peak a little above the target changes nothing, and is said to be within a twentieth of it", () => {
  const plan = planFor({ nf_conntrack_udp_timeout_stream: 1110 });
  assert.deepEqual(plan.settings, []);
  assert.deepEqual(plan.notes, [
    "nf_conntrack_max stays at 262,144: the peak uses 50.8 % of it, within 5 % of the target of 50 %.",
  ]);
  const exact = planFor({ nf_conntrack_udp_timeout_stream: 1110 }, { facts: { isReckoned: true } });
  assert.ok((exact.predicted?.peak.useShare ?? 1) <= 0.5);
});

test("a hoard of dead connections costs the established timeout, and no capacity", () => {
  const plan = planFor({ nf_conntrack_tcp_timeout_established: 0.5, nf_conntrack_udp_timeout: 20 });
  assert.deepEqual(changes(plan), { tcp_timeout_established: 86_400 });
  assert.equal(plan.predicted?.occupancyFlows, 43_800);
  assert.equal(plan.predicted?.unchanged.occupancyFlows, 216_600);
  assert.equal(
    plan.settings[0]?.reason,
    "0.50 a second x 5d held = 216,000 established TCP flows; 1d saves 172,800 flows of 216,600 (80 %). " +
      "What still lives sends keepalives, every 2h by default.",
  );
});

test("a timeout that would save little is left alone", () => {
  const plan = planFor({ nf_conntrack_tcp_timeout_time_wait: 3000, nf_conntrack_udp_timeout: 10 });
  assert.deepEqual(Object.keys(changes(plan)), ["tcp_timeout_time_wait", "buckets", "max"]);
});

test("what gentle timeouts cannot do the capacity does, with its buckets before it", () => {
  const plan = planFor({ nf_conntrack_tcp_timeout_time_wait: 5000 });
  assert.deepEqual(changes(plan), { tcp_timeout_time_wait: 60, buckets: 655_360, max: 655_360 });
  assert.ok((plan.predicted?.peak.useShare ?? 1) <= 0.5);
  assert.equal(plan.load?.fullFlowsPerBucket, 1);
});

test("where the memory allows no more, timeouts are shortened to the RFC's floor, and not below", () => {
  const load = { nf_conntrack_tcp_timeout_established: 20 };
  const plan = planFor(load, { memoryBytes: GIB });
  assert.equal(changes(plan)["tcp_timeout_established"], 7440);
  assert.match(plan.settings[0]?.reason ?? "", /merely quiet/);
  assert.ok((plan.memory?.bytes ?? Infinity) <= GIB * 0.1);
  const below = planFor(
    { nf_conntrack_tcp_timeout_established: 200 },
    { memoryBytes: GIB, goal: { belowRfc: true } },
  );
  assert.equal(changes(below)["tcp_timeout_established"], 1200);
});

test("a peak that no budget holds is said to be one", () => {
  const plan = planFor({ nf_conntrack_udp_timeout_stream: 10_000 }, { goal: { budgetBytes: 100_000_000 } });
  assert.ok(plan.notes.some((note) => note.startsWith("The table will be full at the peak all the same")));
  assert.ok((plan.memory?.bytes ?? Infinity) <= 100_000_000);
});

test("a table that was full since boot has a peak of at least its capacity", () => {
  const busy = planFor({ nf_conntrack_tcp_timeout_time_wait: 400 }, { facts: { wasFullFlows: 262_144 } });
  assert.deepEqual(changes(busy), { tcp_timeout_time_wait: 60 });
  assert.equal(busy.predicted?.peak.occupancyFlows, 131_072);
  const idle = planFor({ nf_conntrack_tcp_timeout_time_wait: 1 }, { facts: { wasFullFlows: 262_144 } });
  assert.deepEqual(changes(idle), { buckets: 524_288, max: 524_288 });
  assert.ok(idle.notes.some((note) => note.includes("tell nothing of those that filled it")));
});

test("what the table holds now is a peak that has been", () => {
  const plan = planFor({ nf_conntrack_udp_timeout: 10 }, { facts: { presentFlows: 200_000 } });
  assert.equal(plan.predicted?.unchanged.peak.occupancyFlows, 200_000);
  assert.deepEqual(changes(plan), { udp_timeout: 15 });
});

test("without a load the plan is what the kernel would choose, and says that it knows no more", () => {
  const low = { nf_conntrack_max: 8192, nf_conntrack_buckets: 2048 };
  const plan = planFor(undefined, { settings: low });
  assert.deepEqual(changes(plan), { buckets: 262_144, max: 262_144 });
  assert.equal(plan.predicted, undefined);
  assert.match(plan.notes[0] ?? "", /^Nothing is known of the load/);
  assert.deepEqual(planFor(undefined).settings, []);
});

test("a capacity that could take half of the memory stays, and is named", () => {
  const settings = { ...usual, nf_conntrack_max: 2_000_000, nf_conntrack_buckets: 2_000_384 };
  const plan = planFor({ nf_conntrack_udp_timeout: 100 }, { settings, memoryBytes: GIB });
  assert.deepEqual(plan.settings, []);
  assert.ok(
    plan.notes.some((note) => note.includes("more than the budget of 102 MiB, which holds 393,216 flows")),
  );
});

test("no limit at all is made one", () => {
  const plan = planFor({ nf_conntrack_udp_timeout: 10 }, { settings: { ...usual, nf_conntrack_max: 0 } });
  assert.deepEqual(changes(plan), { max: 262_144 });
});

test("memory counts every namespace that may hold the capacity", () => {
  const one = planFor({ nf_conntrack_udp_timeout: 10 });
  const three = planFor({ nf_conntrack_udp_timeout: 10 }, { facts: { namespacesInUse: 3 } });
  assert.equal(three.memory?.flowBytes, 3 * (one.memory?.flowBytes ?? 0));
  assert.ok(three.notes.some((note) => note.includes("3 hold flows")));
});

test("flows of other namespaces need buckets, too", () => {
  const plan = planFor({ nf_conntrack_udp_timeout: 1000 }, { facts: { otherFlows: 300_000 } });
  assert.deepEqual(changes(plan), { buckets: 330_240 });
});

test("timeouts compiled into 2.4 are not proposed", () => {
  const plan = planFor(
    { nf_conntrack_tcp_timeout_established: 2 },
    { kernelRelease: "2.4.20", memoryBytes: GIB },
  );
  assert.ok(!Object.keys(changes(plan)).some((key) => key.includes("timeout")));
});

test("a hoard that nobody joins is freed by its timeout, not housed by a capacity", () => {
  // As many are silent for every hour of the five days; nothing comes, so nothing is expected.
  const expected: Expectation = ({ nf_conntrack_tcp_timeout_established: seconds = 432_000 }) => ({
    flows: 0,
    keptFlows: 200_000 * (seconds / 432_000),
    parts: [{ key: "nf_conntrack_tcp_timeout_established", flows: 0, nowFlows: 200_000 }],
  });
  const plan = planFor(undefined, { facts: { expected, presentFlows: 200_000, wasFullFlows: 262_144 } });
  assert.deepEqual(changes(plan), { tcp_timeout_established: 86_400 });
  assert.equal(plan.predicted?.peak.occupancyFlows, Math.round(262_144 / 5));
  assert.equal(
    plan.settings[0]?.reason,
    "200,000 established TCP flows now; 160,000 of the 200,000 flows (80 %) are silent for longer than 1d. " +
      "What still lives sends keepalives, every 2h by default.",
  );
});

/** An expectation that is known only to lie between two figures. */
function between(expected: Expectation, low: number, high: number): Expectation {
  return (wanted) => {
    const { flows, ...rest } = expected(wanted);
    return { ...rest, flows, lowFlows: flows * low, highFlows: flows * high };
  };
}

test("of a load that was hardly watched nothing is changed that the least there may be does not need", () => {
  const expected = between(arriving({ nf_conntrack_tcp_timeout_established: 2 }), 0.05, 4);
  const plan = planFor(undefined, { facts: { expected } });
  assert.deepEqual(plan.settings, []);
  assert.match(
    plan.notes[0] ?? "",
    /^Flows at the peak are not known better than between 43,200 and 3,456,000: too few/,
  );
  assert.equal(plan.predicted?.occupancyFlows, 864_000);
  assert.equal(plan.predicted?.lowFlows, 43_200);
  assert.equal(plan.predicted?.highFlows, 3_456_000);
});

test("what the least there may be needs is changed, and no more", () => {
  const expected = between(arriving({ nf_conntrack_udp_timeout_stream: 10_000 }), 0.4, 1.6);
  const plan = planFor(undefined, { facts: { expected } });
  assert.deepEqual(changes(plan), { buckets: 983_040, max: 983_040 });
  assert.match(
    plan.settings.at(-1)?.reason ?? "",
    /^At least 480,000 flows at the peak \/ 50 % use = 960,000/,
  );
});

test("a wide range that fits all the same is not worth a word", () => {
  const expected = between(arriving({ nf_conntrack_udp_timeout: 100 }), 0, 3);
  const plan = planFor(undefined, { facts: { expected } });
  assert.deepEqual([plan.settings, plan.notes], [[], []]);
});

test("what is known within a tenth is not called uncertain", () => {
  const expected = between(arriving({ nf_conntrack_udp_timeout_stream: 10_000 }), 0.9, 1.1);
  const plan = planFor(undefined, { facts: { expected } });
  assert.deepEqual(plan.notes, []);
  assert.equal(changes(plan)["max"], 2_621_440);
});

test("a few flows are chance, whatever the factor: no timeout is shortened for them", () => {
  const plan = planFor({ nf_conntrack_tcp_timeout_established: 0.00001 }, { goal: { peakFactor: 1e6 } });
  assert.deepEqual(Object.keys(changes(plan)), ["buckets", "max"]);
});

test("what counts is said in both parts: alive, and expired but not yet collected", () => {
  const expected: Expectation = () => ({ flows: 7160, uncollectedFlows: 2750, uncollectedPeakFlows: 5512 });
  const { predicted } = planFor(undefined, { facts: { expected } });
  assert.equal(predicted?.occupancyFlows, 7160);
  assert.equal(predicted?.aliveFlows, 4410);
  assert.equal(predicted?.uncollectedFlows, 2750);
  assert.equal(predicted?.uncollectedPeakFlows, 5512);
  assert.equal(predicted?.useShare, 7160 / 262_144);
});

const keys = [
  "nf_conntrack_tcp_timeout_established",
  "nf_conntrack_tcp_timeout_time_wait",
  "nf_conntrack_tcp_timeout_syn_sent",
  "nf_conntrack_udp_timeout",
  "nf_conntrack_udp_timeout_stream",
] as const;

/** Arrivals by timeout, from a trickle to a flood. */
const loads = fc
  .array(fc.double({ min: -3, max: 4.5, noNaN: true }), { minLength: keys.length, maxLength: keys.length })
  .map((powers): Settings => Object.fromEntries(keys.map((key, at) => [key, 10 ** (powers[at] ?? 0)])));

const sizes = fc.record({
  capacity: fc.constantFrom(8192, 65_536, 262_144, 1_210_856, 5_000_000),
  perBucket: fc.constantFrom(1, 2, 4, 8),
});

const hosts = fc.record({
  memoryBytes: fc.double({ min: 0.4, max: 256, noNaN: true }).map((gib) => Math.round(gib * GIB)),
  kernelRelease: fc.constantFrom("2.6.18", "3.10.0", "4.19.0", "5.10.0", "5.15.0", "6.1.0", "6.18.44"),
  peakFactor: fc.double({ min: 0.5, max: 50, noNaN: true }),
  wasFull: fc.boolean(),
});

function settingsOf({ capacity, perBucket }: { capacity: number; perBucket: number }): Settings {
  return { ...usual, nf_conntrack_max: capacity, nf_conntrack_buckets: capacity / perBucket };
}

const properties = fc.tuple(loads, sizes, hosts);
type Drawn = typeof properties extends fc.Arbitrary<infer Value> ? Value : never;

function drawnPlan(
  [load, size, host]: Drawn,
  more: Partial<{ memoryBytes: number; peakFactor: number }> = {},
): Plan {
  const { memoryBytes, kernelRelease, peakFactor, wasFull } = { ...host, ...more };
  return planFor(load, {
    memoryBytes,
    kernelRelease,
    settings: settingsOf(size),
    goal: { peakFactor },
    facts: wasFull ? { wasFullFlows: size.capacity } : {},
  });
}

test("more memory never lowers the capacity", () => {
  fc.assert(
    fc.property(properties, fc.double({ min: 1, max: 20, noNaN: true }), (drawn, factor) => {
      const more = drawnPlan(drawn, { memoryBytes: drawn[2].memoryBytes * factor });
      assert.ok((more.capacityFlows ?? 0) >= (drawnPlan(drawn).capacityFlows ?? 0));
    }),
  );
});

test("a higher peak never lowers the capacity", () => {
  fc.assert(
    fc.property(properties, fc.double({ min: 1, max: 20, noNaN: true }), (drawn, factor) => {
      const higher = drawnPlan(drawn, { peakFactor: drawn[2].peakFactor * factor });
      assert.ok((higher.capacityFlows ?? 0) >= (drawnPlan(drawn).capacityFlows ?? 0));
    }),
  );
});

test("the peak that fits into the table has never more than two flows a bucket", () => {
  fc.assert(
    fc.property(properties, (drawn) => {
      const { predicted, capacityFlows = 0, bucketCount = 0 } = drawnPlan(drawn);
      const heldFlows = Math.min(capacityFlows, predicted?.peak.occupancyFlows ?? 0);
      assert.ok(heldFlows <= 2 * bucketCount, `${heldFlows} flows in ${bucketCount} buckets`);
    }),
  );
});

test("a full table takes no more than the budget, or the plan says so", () => {
  fc.assert(
    fc.property(properties, (drawn) => {
      const { memory, notes } = drawnPlan(drawn);
      const over = (memory?.bytes ?? 0) > (memory?.budgetBytes ?? Infinity);
      assert.ok(!over || notes.some((note) => note.includes("more than the budget")), notes.join("\n"));
    }),
  );
});

test("a host that has the plan's values has nothing to change", () => {
  fc.assert(
    fc.property(properties, ([load, size, host]) => {
      const { memoryBytes, kernelRelease, peakFactor } = host;
      const wanted = { memoryBytes, kernelRelease, goal: { peakFactor } };
      const settings = settingsOf(size);
      const after = carriedOut(settings, planFor(load, { ...wanted, settings }));
      assert.deepEqual(planFor(load, { ...wanted, settings: after }).settings, []);
    }),
  );
});

test("no timeout is shortened below what RFC 5382 and RFC 4787 ask, unless asked", () => {
  fc.assert(
    fc.property(properties, (drawn) => {
      const planned = changes(drawnPlan(drawn));
      assert.ok((planned["tcp_timeout_established"] ?? 7440) >= 7440);
      assert.ok((planned["udp_timeout_stream"] ?? 120) >= 120);
    }),
  );
});
