import assert from "node:assert/strict";
import { test } from "node:test";

import type { WhatifJson } from "../../src/server/api-schema.ts";
import { breaksOf, howKnown, keepsWords, longRunWords } from "./whatif-answer.ts";

const DAY = 86_400;
const curve: WhatifJson["curve"] = {
  afterSeconds: [0, 3600, DAY, 5 * DAY],
  flows: [60_000, 40_000, 15_000, 3000],
  low: [60_000, 30_000, 10_000, 1000],
  high: [60_000, 50_000, 30_000, 5000],
  capacityFlows: 16_384,
};
const figures = { before: { flows: 60_000, occupancyFlows: 60_000 } };

test("a limit below what is in the table comes first, with for how long", () => {
  const breaks = [
    { code: "below-rfc-floor", why: "below the floor", flows: 70_000 },
    { code: "over-capacity", why: "more than the table can hold at first", flows: 43_616 },
  ];
  const told = breaksOf({ curve }, { ...figures, breaks });
  assert.deepEqual(
    told.map(({ code, flows }) => [code, flows]),
    [
      ["over-capacity", 43_616],
      ["below-rfc-floor", 70_000],
    ],
  );
  assert.match(told[0]?.why ?? "", /new connections are dropped for about 24 h, perhaps 5 days$/);
});

test("a table that never gets below the limit says so", () => {
  const [told] = breaksOf({ curve: { ...curve, capacityFlows: 100 } }, figures);
  assert.match(told?.why ?? "", /dropped, and it does not get below it$/);
});

test("a limit with room breaks nothing; one exceeded later is told as the plan tells it", () => {
  const roomy = { curve: { ...curve, capacityFlows: 262_144 } };
  assert.deepEqual(breaksOf(roomy, figures), []);
  const later = { code: "over-capacity", why: "in the long run", flows: 9 };
  assert.deepEqual(breaksOf(roomy, { ...figures, breaks: [later] }), [later]);
});

test("flows silent for longer end when the time they were given does", () => {
  const immediately = { flows: 161, goneFlows: 59_839, medianKeepSeconds: 399_600 };
  assert.equal(
    keepsWords({ immediately: { ...immediately, longestKeepSeconds: 5 * DAY } }),
    "Nothing ends at once. 59,839 are silent for longer than that and keep what they were given: " +
      "half of them for 4.5 days, the last for 5 days.",
  );
  const alike = { flows: 9, goneFlows: 5, medianKeepSeconds: 5 * DAY - 60, longestKeepSeconds: 5 * DAY };
  assert.match(keepsWords({ immediately: alike }) ?? "", /they were given: for 5 days\.$/);
  assert.equal(keepsWords({ immediately: { flows: 9, goneFlows: 0 } }), undefined);
  assert.match(
    keepsWords({ immediately: { flows: 9, goneFlows: 1 } }) ?? "",
    /1 is silent .* it was given\.$/,
  );
});

test("too wide a range is the answer itself", () => {
  const wide = { flows: 6904, lowFlows: 0, highFlows: 17_425, occupancyFlows: 6904 };
  assert.equal(longRunWords(wide).figure, "0 to 17,425");
  const narrow = { flows: 1044, lowFlows: 925, highFlows: 1163, occupancyFlows: 1440 };
  assert.deepEqual(longRunWords(narrow), { figure: "1,440", detail: "1,321 to 1,559" });
});

test("the answer says what it rests on", () => {
  const answer = { method: "life-table", observedSeconds: 11 } as WhatifJson;
  assert.match(howKnown(answer), /read twice, 11 s apart.*as long as they go on like that/);
  assert.match(howKnown({ ...answer, method: "balance" }), /read once.*as many flows come now as before/);
});
