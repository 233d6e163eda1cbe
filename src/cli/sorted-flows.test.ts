import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { addressFromBytes } from "../table/address.ts";
import type { Flow } from "../table/flow.ts";
import { SORT_KEYS, type SortKey } from "./options.ts";
import { SortedFlows } from "./sorted-flows.ts";

const address = addressFromBytes(Uint8Array.of(10, 0, 0, 1));

function flowWith(rest: Partial<Flow>): Flow {
  return {
    family: 4,
    protocol: 50,
    original: { kind: "none", protocol: 50, source: address, destination: address },
    knownStatus: 0,
    ...rest,
  };
}

test("SortedFlows keeps the greatest, whatever the order they come in", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000)), fc.integer({ min: 1, max: 20 }), (figures, wanted) => {
      const sorted = new SortedFlows("remaining", wanted);
      for (const timeoutSeconds of figures) sorted.add({ flow: flowWith({ timeoutSeconds }) });
      assert.deepEqual(
        sorted.result().map(({ flow }) => flow.timeoutSeconds),
        figures.toSorted((left, right) => right - left).slice(0, wanted),
      );
    }),
  );
});

const figures: Record<SortKey, Partial<Flow> & { idleSeconds?: number }> = {
  idle: { idleSeconds: 0 },
  remaining: { timeoutSeconds: 0 },
  age: { ageSeconds: 0 },
  bytes: { originalTraffic: { packets: 1, bytes: 0 } },
  packets: { replyTraffic: { packets: 0, bytes: 9 } },
};
for (const key of SORT_KEYS) {
  test(`SortedFlows puts flows without ${key} behind those that have none of it`, () => {
    const sorted = new SortedFlows(key, 2);
    const { idleSeconds, ...rest } = figures[key];
    const known = flowWith(rest);
    sorted.add({ flow: flowWith({}) });
    sorted.add({ flow: known, ...(idleSeconds === undefined ? {} : { idleSeconds }) });
    assert.equal(sorted.result()[0]?.flow, known);
  });
}

test("SortedFlows adds both directions", () => {
  const sorted = new SortedFlows("bytes", 1);
  const small = flowWith({ originalTraffic: { packets: 1, bytes: 60 } });
  const large = flowWith({
    originalTraffic: { packets: 1, bytes: 50 },
    replyTraffic: { packets: 1, bytes: 50 },
  });
  sorted.add({ flow: small });
  sorted.add({ flow: large });
  assert.deepEqual(sorted.result(), [{ flow: large }]);
});
