import assert from "node:assert/strict";
import { test } from "node:test";

import { type Plan, propose } from "../../plan/plan.ts";
import type { Look } from "../look.ts";
import { type PlanReport, renderPlan } from "./plan-text.ts";

const GIB = 1_073_741_824;
const look: Look = { columns: 100, colour: false, unicode: false };
const host = { tracker: "nf_conntrack", memoryBytes: 8 * GIB, kernelRelease: "6.1.0" } as const;
const settings = {
  nf_conntrack_max: 65_536,
  nf_conntrack_buckets: 65_536,
  nf_conntrack_udp_timeout: 30,
};

/** As many UDP flows a second as fill the table twice, with a part of them expired. */
function planned(initialNamespace: boolean, load = true): Plan {
  return propose({
    host: { ...host, initialNamespace },
    settings,
    goal: { targetShare: 0.5, peakFactor: 1 },
    how: "a test",
    namespacesInUse: 1,
    otherFlows: 0,
    ...(load
      ? {
          expected: ({ nf_conntrack_udp_timeout: seconds = 30 }) => ({
            flows: 5000 * seconds,
            uncollectedFlows: 1000,
            uncollectedPeakFlows: 2000,
          }),
        }
      : {}),
  });
}

function textOf(plan: Plan, more: Partial<PlanReport> = {}): string[] {
  return renderPlan({ plan, host, settings, notes: [], unseen: [], sameOptions: "", ...more }, look);
}

function nextOf(lines: readonly string[]): string[] {
  const start = lines.findIndex((line) => line.startsWith("Next: "));
  return start < 0 ? [] : lines.slice(start).map((line) => line.slice(6).trim());
}

test("on the host one plan sets everything", () => {
  assert.deepEqual(nextOf(textOf(planned(true))), [
    "headroom plan --json > plan.json  this plan, to keep",
    "headroom apply --plan plan.json   shows what it will do, and asks",
  ]);
});

test("in a namespace timeouts are set there and sizes on the host, each by a command that works", () => {
  const lines = textOf(planned(false), { netns: "blue", sameOptions: " --netns blue" });
  assert.deepEqual(nextOf(lines), [
    "headroom apply --netns blue --set nf_conntrack_udp_timeout=15",
    "headroom apply --set nf_conntrack_buckets=163840 --set nf_conntrack_max=163840",
  ]);
  assert.match(lines.join(" "), /Capacity and buckets are one for all namespaces/);
});

test("a namespace whose sizes stay needs one command", () => {
  const { settings: all, ...rest } = planned(false);
  const plan = { ...rest, settings: all.filter(({ key }) => key.includes("timeout")) };
  assert.deepEqual(nextOf(textOf(plan, { netns: "blue", sameOptions: " --netns blue" })), [
    "headroom plan --netns blue --json > plan.json  this plan, to keep",
    "headroom apply --netns blue --plan plan.json   shows what it will do, and asks",
  ]);
});

test("what counts is told apart: alive, and expired", () => {
  const text = textOf(planned(true)).join(" ").replaceAll(/ +/g, " ");
  const shown = "Of the 75,000 at this load a listing shows 74,000; ";
  assert.ok(text.includes(`${shown}1,000 on average, 2,000 at most have expired and count until`), text);
});

test("without a load the text speaks of a full table alone", () => {
  const lines = textOf(planned(true, false));
  assert.ok(
    lines.some((line) => line === "Load    1.00 flows a bucket when full (262,144 buckets)."),
    lines.join("\n"),
  );
});

test("memory of several namespaces is a product that can be checked", () => {
  const plan = propose({
    host: { ...host, initialNamespace: true },
    settings,
    goal: { targetShare: 0.5, peakFactor: 1 },
    how: "a test",
    namespacesInUse: 3,
    otherFlows: 10_000,
  });
  assert.match(
    textOf(plan).join(" "),
    /Memory +194 MiB when full in 3 namespaces, .* Flows 192 MiB +\(3 x 262,144 x 256 bytes a flow/,
  );
});

test("a wide range is shown as one, and not as an error", () => {
  const plan = planned(true);
  assert.ok(plan.predicted !== undefined);
  const use = { occupancyFlows: 15_898, useShare: 0.1, standardErrorFlows: 19_195 };
  const predicted = { ...plan.predicted, ...use, lowFlows: 0, highFlows: 54_288 };
  const lines = textOf({ ...plan, predicted });
  assert.ok(
    lines.some((line) => line.includes(" 15,898 (0 to 54,288) of 163,840")),
    lines.join("\n"),
  );
});

test("what is not known is said in the first line, and shown by its ends", () => {
  const plan = planned(true);
  assert.ok(plan.predicted !== undefined);
  const ends = { lowFlows: 5414, highFlows: 36_546_752 };
  const predicted = { ...plan.predicted, ...ends, uncertain: true as const };
  const peak = { ...predicted.peak, ...ends };
  const lines = textOf({ ...plan, settings: [], capacityFlows: 262_144, predicted: { ...predicted, peak } });
  assert.equal(
    lines.slice(0, 2).join(" "),
    "nothing that must be changed for certain; the peak uses at least 2 % of the capacity, and how much " +
      "is not known yet",
  );
  assert.ok(
    lines.some((line) => line.endsWith("  2 %  5,414 at least, 36,546,752 at most, of 262,144")),
    lines.join("\n"),
  );
});

test("the first line says that a budget does not hold the peak, and what it holds", () => {
  const plan = propose({
    host,
    settings,
    goal: { targetShare: 0.5, peakFactor: 1, budgetBytes: 16 * 1024 * 1024 },
    how: "a test",
    namespacesInUse: 1,
    otherFlows: 0,
    onPaper: true,
    isReckoned: true,
    expected: () => ({ flows: 6_000_000 }),
  });
  const lines = textOf(plan);
  assert.equal(
    lines.slice(0, 2).join(" ").trim(),
    "change 2 settings; the budget of 16 MiB does not hold the peak: 61,440 of 6,000,000 flows, 1 %",
  );
});
