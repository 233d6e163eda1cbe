import assert from "node:assert/strict";
import { test } from "node:test";

import { fullestFirst, levelOfUse, shareOf } from "./namespace-order.ts";

const row = { own: false, watched: false, initial: false };

test("the fullest namespace comes first, what could not be read last", () => {
  const sorted = fullestFirst([
    { ...row, label: "unread", unseen: "not permitted" },
    { ...row, label: "low", occupancyFlows: 1, capacityFlows: 100 },
    { ...row, label: "high", occupancyFlows: 90, capacityFlows: 100 },
    { ...row, label: "empty", occupancyFlows: 0, capacityFlows: 100 },
  ]);
  assert.deepEqual(
    sorted.map(({ label }) => label),
    ["high", "low", "empty", "unread"],
  );
});

test("a share needs both figures, and has a level", () => {
  assert.equal(shareOf({ ...row, label: "a", occupancyFlows: 5 }), undefined);
  assert.deepEqual([undefined, 0.1, 0.8, 0.9].map(levelOfUse), ["unknown", "ok", "warning", "critical"]);
});
