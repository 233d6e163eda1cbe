import assert from "node:assert/strict";
import { test } from "node:test";

import { parseFilter } from "../../src/table/filter.ts";
import { censusTimesPath, rankingsOf } from "./census-rows.ts";

const census = {
  flows: 100,
  flowsRead: 100,
  complete: true,
  byState: [{ protocol: "tcp", state: "ESTABLISHED", flows: 60, standardErrorFlows: 2 }],
  byProtocol: [
    { protocol: "tcp", flows: 60 },
    { protocol: "50", flows: 40 },
  ],
  byStatus: { assured: 60, unreplied: 30, offload: 0, "seen-reply": 70 },
  topSources: [{ address: "10.0.0.1", flows: 9 }],
  topDestinations: [{ address: "2001:db8::1", flows: 9 }],
  topSourcePrefixes: [{ prefix: "10.0.0.0/24", flows: 9 }],
  topDestinationPrefixes: [{ prefix: "2001:db8::/64", flows: 9 }],
  topUnansweredSources: [{ address: "10.0.0.1", flows: 3 }],
  topServices: [{ protocol: "udp", port: 53, flows: 5 }],
  accuracy: { topSources: { distinct: 400, exact: false, errorBoundFlows: 2 } },
};

test("every row of a census has a term that the language of list reads", () => {
  const rows = rankingsOf(census).flatMap((ranked) => ranked.rows);
  assert.equal(rows.length, 12);
  for (const { term, label } of rows) {
    assert.ok(term !== undefined, label);
    assert.doesNotThrow(() => parseFilter(term), term);
  }
});

test("how many there are in all goes with the ranking", () => {
  const sources = rankingsOf(census).find(({ title }) => title === "Sources");
  assert.deepEqual([sources?.distinct, sources?.isExact], [400, false]);
});

test("a status nobody has is not shown", () => {
  const status = rankingsOf(census).find(({ title }) => title === "Status");
  assert.deepEqual(
    status?.rows.map(({ label }) => label),
    ["answered", "assured", "not answered"],
  );
});

test("the oldest census is looked for as far back as any is kept, once an hour", () => {
  const nowMs = 1_700_000_123_000;
  const { searchParams } = new URL(censusTimesPath(nowMs), "http://localhost");
  assert.ok(Number(searchParams.get("from")) <= nowMs - 30 * 86_400_000);
  assert.ok(Number(searchParams.get("to")) > nowMs);
  assert.equal(censusTimesPath(nowMs + 60_000), censusTimesPath(nowMs));
});
