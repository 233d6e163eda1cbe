import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyCensus, hoardCensus, sampledCensus } from "../../test/support/cli-samples.ts";
import { assertGolden } from "../../test/support/golden.ts";
import { renderCensus } from "./census-text.ts";
import { stateRows } from "./state-rows.ts";
import type { Look } from "./look.ts";
import { widthOf } from "./plain-text.ts";

const narrow: Look = { columns: 80, colour: false, unicode: true };

for (const [name, census] of [
  ["hoard", hoardCensus],
  ["sampled", sampledCensus],
] as const) {
  for (const columns of [80, 120]) {
    test(`renderCensus() draws ${name} at ${columns} columns`, () => {
      const lines = renderCensus(census, 5, { ...narrow, columns });
      for (const line of lines) assert.ok(widthOf(line) <= columns, line);
      assertGolden(`cli/census-${name}-${columns}.txt`, lines);
    });
  }
}

test("renderCensus() of an empty table says nothing", () => {
  assert.deepEqual(renderCensus(emptyCensus, 5, narrow), []);
});

test("stateRows() keeps flows that lack the state of their protocol", () => {
  assert.deepEqual(
    stateRows(hoardCensus).map(({ label, flows }) => `${label} ${flows}`),
    [
      "tcp ESTABLISHED 54400",
      "udp 5200",
      "tcp TIME_WAIT 4100",
      "tcp SYN_SENT 1200",
      "tcp CLOSE 300",
      "icmp 250",
      "50 50",
      "tcp, no state 36",
    ],
  );
});
