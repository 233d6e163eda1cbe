/** A record as an observation: the whole table, or one flow in so many of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../base/clock.ts";
import { isOfShare } from "../../kernel/event-filter.ts";
import * as kernel from "../../kernel/kernel.ts";
import { type Piece, recordOf, START_MS } from "../../../test/support/record-samples.ts";
import { FakeTerminal } from "../../../test/support/terminal.ts";
import type { Context } from "../context.ts";
import type { Observed } from "../observed.ts";
import { observeRecord } from "./observe-record.ts";

const context = {
  deps: { clock: new ManualClock(START_MS), kernel: async () => kernel },
  terminal: new FakeTerminal(),
} as unknown as Context;

async function* bytesOf(pieces: readonly Piece[], oneOf: number): AsyncGenerator<Uint8Array> {
  yield recordOf(pieces, oneOf);
}

function observed(pieces: readonly Piece[], oneOf: number): Promise<Observed> {
  return observeRecord(context, "-", { isRecord: true, bytes: bytesOf(pieces, oneOf) }, {});
}

/** Ids that a record of one flow in `oneOf` is of. */
function idsOf(oneOf: number, count: number): number[] {
  const all = Array.from({ length: 100 * oneOf * count }, (_, id) => id + 1);
  return all.filter((id) => isOfShare(id, oneOf)).slice(0, count);
}

for (const oneOf of [1, 4, 16]) {
  test(`of one flow in ${oneOf} figures stand for the whole table`, async () => {
    const ids = idsOf(oneOf, 30);
    const { observation, census } = await observed(
      [
        { kind: "table", reason: "start", ids: ids.slice(0, 20) },
        ...ids.slice(20).map((id): Piece => ({ kind: "new", id })),
        { kind: "table", reason: "end", ids },
      ],
      oneOf,
    );
    const { first, second, arrivals } = observation;
    assert.deepEqual([first?.flowsRead, first?.ofFlows], [20, 20 * oneOf]);
    assert.deepEqual([second.flowsRead, second.ofFlows], [30, 30 * oneOf]);
    assert.deepEqual([census.flows, census.complete], [30 * oneOf, oneOf === 1]);
    assert.deepEqual(census.sampled?.ofFlows, oneOf === 1 ? undefined : 30 * oneOf);
    const perSecond = (10 * oneOf) / (arrivals?.seconds ?? NaN);
    assert.ok(Math.abs((arrivals?.perSecond ?? NaN) - perSecond) < 1e-9, "all that came");
    assert.equal(arrivals?.byProtocol[0]?.perSecond, arrivals?.perSecond);
    assert.equal(arrivals?.services[0]?.perSecond, arrivals?.perSecond);
  });
}
