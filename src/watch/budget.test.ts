import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { WorkBudget } from "./budget.ts";

function budgetWith(allowedCpuShare = 0.01): { budget: WorkBudget; spend: (seconds: number) => void } {
  let cpu = 0;
  const budget = new WorkBudget({
    allowedCpuShare,
    cpuSeconds: () => cpu,
    leastCensusSeconds: 10,
    mostCensusSeconds: 600,
    sampleFlows: 20_000,
    leastForecastSeconds: 10,
  });
  return { budget, spend: (seconds) => (cpu += seconds) };
}

test("what was used is told over the last minute", () => {
  const { budget, spend } = budgetWith();
  equal(budget.usedCpuShare, undefined);
  for (let second = 0; second < 30; second++) {
    spend(0.02);
    budget.endSecond(1);
  }
  ok(Math.abs((budget.usedCpuShare ?? 0) - 0.02) < 1e-9);
  for (let second = 0; second < 60; second++) budget.endSecond(1);
  equal(budget.usedCpuShare, 0);
});

/** Does a kind of work so often that its cost is known. */
function practise(
  { budget, spend }: ReturnType<typeof budgetWith>,
  work: "census" | "events",
  unitSeconds: number,
): void {
  for (let again = 0; again < 60; again++) {
    budget.measure(
      work,
      () => 1000,
      () => spend(unitSeconds * 1000),
    );
  }
}

test("the cost of a kind of work is learnt, and rarer work follows from a dearer unit", () => {
  const rig = budgetWith();
  const demand = { occupancyFlows: 1_000_000, eventsPerSecond: 0 };
  practise(rig, "census", 1e-6);
  const cheap = rig.budget.plan(demand);
  practise(rig, "census", 1e-5);
  const dear = rig.budget.plan(demand);
  equal(cheap.censusIntervalSeconds, 10);
  ok(dear.censusIntervalSeconds > 40, `${dear.censusIntervalSeconds}`);
  equal(dear.censusSampleFlows, 20_000);
});

test("one slow time is no lesson, and a call that found nothing tells nothing of an event", () => {
  const { budget, spend } = budgetWith();
  const demand = { occupancyFlows: 1000, eventsPerSecond: 400 };
  const before = budget.plan(demand);
  budget.measure(
    "events",
    () => 3,
    () => spend(0.2),
  );
  deepEqual(budget.plan(demand), before);
  budget.measure(
    "events",
    () => 1000,
    () => spend(100),
  );
  ok(budget.plan(demand).oneOf <= before.oneOf * 2);
});

test("few flows of a small table are counted often, however many a census may have", () => {
  const { budget } = budgetWith();
  const { censusIntervalSeconds, oneOf } = budget.plan({ occupancyFlows: 300, eventsPerSecond: 2 });
  deepEqual([censusIntervalSeconds, oneOf], [10, 1]);
});

test("a table of flows that stay is followed by a share that fits the memory", () => {
  const { budget } = budgetWith();
  equal(budget.plan({ occupancyFlows: 1_000_000, eventsPerSecond: 0 }).oneOf, 32);
});

test("whatever is asked, a plan is within its bounds, and what it costs within the budget", () => {
  fc.assert(
    fc.property(
      fc.record({
        occupancyFlows: fc.nat(4_000_000),
        eventsPerSecond: fc.nat(200_000),
        flowCost: fc.double({ min: 1e-7, max: 2e-5, noNaN: true }),
        eventCost: fc.double({ min: 1e-7, max: 2e-5, noNaN: true }),
        restShare: fc.double({ min: 0, max: 0.02, noNaN: true }),
      }),
      ({ occupancyFlows, eventsPerSecond, flowCost, eventCost, restShare }) => {
        const rig = budgetWith();
        const { budget, spend } = rig;
        practise(rig, "census", flowCost);
        practise(rig, "events", eventCost);
        budget.endSecond(0);
        for (let second = 0; second < 60; second++) {
          spend(restShare);
          budget.endSecond(1);
        }
        const plan = budget.plan({ occupancyFlows, eventsPerSecond });
        ok(plan.censusIntervalSeconds >= 10 && plan.censusIntervalSeconds <= 600);
        ok(plan.censusSampleFlows >= 1000 && plan.censusSampleFlows <= 20_000);
        ok(Number.isInteger(Math.log2(plan.oneOf)) && plan.oneOf >= 1);
        const flows = Math.min(plan.censusSampleFlows, occupancyFlows);
        const cost =
          (flows * flowCost) / plan.censusIntervalSeconds + (eventsPerSecond / plan.oneOf) * eventCost;
        const room = Math.max(0.002, 0.0085 - restShare);
        ok(cost <= room * 0.85 + (1000 * flowCost) / 600, `${cost} of ${room}`);
      },
    ),
  );
});
