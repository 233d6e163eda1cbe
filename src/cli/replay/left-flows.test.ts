import assert from "node:assert/strict";
import { test } from "node:test";

import { FlowColumns, Has } from "../../table/columns.ts";
import { TCP, UDP } from "../../table/protocol.ts";
import type { FlowReading } from "../../table/source.ts";
import { TcpState } from "../../table/state.ts";
import { countLeft } from "./left-flows.ts";

/** A table of so many flows: every third is UDP, all others TCP, from two addresses. */
function readingOf(flows: number): FlowReading {
  return {
    source: "model",
    origin: "model",
    oddities: {},
    complete: true,
    *batches() {
      const columns = new FlowColumns(1024, 0);
      for (let flow = 0; flow < flows; flow += 1) {
        const row = columns.count;
        columns.count = row + 1;
        columns.has[row] = flow % 3 === 0 ? 0 : Has.state;
        columns.family[row] = 4;
        columns.protocol[row] = flow % 3 === 0 ? UDP : TCP;
        columns.state[row] = flow % 3 === 1 ? TcpState.ESTABLISHED : TcpState.TIME_WAIT;
        columns.originalSource[row * 4] = 0x0a_00_00_01 + (flow % 2);
        columns.originalDestinationDiscriminator[row] = 443;
        if (columns.count < columns.capacity) continue;
        yield columns;
        columns.clear();
      }
      if (columns.count > 0) yield columns;
    },
  };
}

test("countLeft() counts a small table whole", async () => {
  const left = await countLeft(readingOf(10), 5);
  assert.deepEqual(left.byState, [
    { protocol: "udp", flows: 4 },
    { protocol: "tcp", state: "ESTABLISHED", flows: 3 },
    { protocol: "tcp", state: "TIME_WAIT", flows: 3 },
  ]);
  assert.deepEqual([left.flows, left.sampledFlows], [10, undefined]);
  assert.deepEqual(left.topSources, [
    { address: "10.0.0.1", flows: 5 },
    { address: "10.0.0.2", flows: 5 },
  ]);
});

test("countLeft() counts states of a large table whole, and ranks by a sample with its error", async () => {
  const left = await countLeft(readingOf(60_000), 5);
  assert.deepEqual(
    left.byState.map(({ flows }) => flows),
    [20_000, 20_000, 20_000],
  );
  assert.deepEqual([left.flows, left.sampledFlows], [60_000, 8192]);
  for (const { flows, standardErrorFlows = 0 } of left.topSources) {
    assert.ok(Math.abs(flows - 30_000) < 3 * standardErrorFlows);
  }
});

test("countLeft() counts an empty table", async () => {
  assert.deepEqual(await countLeft(readingOf(0), 5), {
    flows: 0,
    byState: [],
    topSources: [],
    topServices: [],
  });
});
