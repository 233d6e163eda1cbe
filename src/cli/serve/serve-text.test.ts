import assert from "node:assert/strict";
import { test } from "node:test";

import { watchState } from "../../../test/support/alert-samples.ts";
import { defaultConfiguration } from "./configuration.ts";
import { startLines, statusText } from "./serve-text.ts";

const URL = "http://127.0.0.1:9466/";

function firstLine(values: Parameters<typeof watchState>[0]): string {
  const [line = ""] = startLines({
    state: watchState(values),
    configuration: defaultConfiguration(),
    stateDirectory: "/s",
    historyBoundBytes: 1024,
    url: URL,
    look: { columns: 80, colour: false, unicode: true },
  });
  return line.replace(/^Watching   [^:,]*[:,] /, "");
}

for (const [values, first, status] of [
  [{}, "1,000 of 10,000 flows (10 %), within 1 % of one core", "1,000 of 10,000 flows"],
  [{ capacityFlows: 0 }, "1,000 flows, no limit, within 1 % of one core", "1,000 flows, no limit"],
] as const) {
  test(`a table of ${status} is told as that`, () => {
    assert.equal(firstLine(values), first);
    assert.equal(statusText(watchState(values), URL), `${status}; no alerts; ${URL}`);
  });
}

test("a table that the last second did not see is not told by what was known before", () => {
  const { sample: _sample, ...state } = watchState();
  assert.equal(statusText(state, URL), `the table cannot be seen; no alerts; ${URL}`);
});
