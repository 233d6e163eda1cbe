import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyRows, columnsOf, type Row } from "../../test/support/columns.ts";
import { TCP, UDP } from "../table/protocol.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { type Census, CensusBuilder, compareCensus } from "./census.ts";

function censusOf(rows: readonly Row[], topRows = 100): Census {
  const builder = new CensusBuilder({ settings: {}, topRows });
  builder.add(columnsOf(rows));
  return builder.finish({ complete: true, oddities: {} });
}

const quiet: Row[] = [
  { protocol: TCP, state: TcpState.ESTABLISHED, status: Status.SEEN_REPLY, source: "10.0.0.1" },
  { protocol: UDP, source: "10.0.0.2" },
];
const flood: Row[] = Array.from({ length: 5 }, (_, index) => ({
  protocol: TCP,
  state: TcpState.SYN_SENT,
  status: Status.CONFIRMED,
  source: `10.0.1.${index % 2}`,
}));

test("compareCensus() names what came and what went, greatest change first", () => {
  const difference = compareCensus(censusOf(quiet), censusOf([...quiet.slice(0, 1), ...flood]));
  assert.deepEqual(difference.flows, { key: {}, beforeFlows: 2, afterFlows: 6, changeFlows: 4 });
  assert.deepEqual(difference.byProtocol, [
    { key: { protocol: "tcp" }, beforeFlows: 1, afterFlows: 6, changeFlows: 5 },
    { key: { protocol: "udp" }, beforeFlows: 1, afterFlows: 0, changeFlows: -1 },
  ]);
  assert.deepEqual(difference.byState, [
    { key: { protocol: "tcp", state: "SYN_SENT" }, beforeFlows: 0, afterFlows: 5, changeFlows: 5 },
  ]);
  assert.deepEqual(difference.topSources, [
    { key: { address: "10.0.1.0" }, beforeFlows: 0, afterFlows: 3, changeFlows: 3 },
    { key: { address: "10.0.1.1" }, beforeFlows: 0, afterFlows: 2, changeFlows: 2 },
    { key: { address: "10.0.0.2" }, beforeFlows: 1, afterFlows: 0, changeFlows: -1 },
  ]);
  assert.deepEqual(
    difference.byStatus.find(({ key }) => key["status"] === "unreplied"),
    { key: { status: "unreplied" }, beforeFlows: 0, afterFlows: 5, changeFlows: 5 },
  );
});

test("compareCensus() does not take a key below the last row for absent", () => {
  const before = censusOf([{ source: "10.0.0.1" }, { source: "10.0.0.1" }, { source: "10.0.0.2" }], 1);
  const after = censusOf(
    Array.from({ length: 7 }, () => ({ source: "10.0.0.2" })),
    1,
  );
  assert.deepEqual(compareCensus(before, after).topSources, [
    { key: { address: "10.0.0.2" }, afterFlows: 7, changeFlows: 5, atLeast: true },
    { key: { address: "10.0.0.1" }, beforeFlows: 2, afterFlows: 0, changeFlows: -2 },
  ]);
});

test("compareCensus() adds the errors of two samples", () => {
  const end = { complete: false, oddities: {}, occupancyFlows: 1000, sampleMethod: "begin" };
  const sampled = (rows: readonly Row[]): Census => {
    const builder = new CensusBuilder({ settings: {} });
    builder.add(columnsOf(rows));
    return builder.finish(end);
  };
  const [change] = compareCensus(sampled([...quiet, ...quiet]), sampled([...quiet, ...flood])).byProtocol;
  assert.ok((change?.standardErrorFlows ?? 0) > 100);
});

test("compareCensus() of a census with itself finds nothing", () => {
  fc.assert(
    fc.property(anyRows, (rows) => {
      const census = censusOf(rows);
      const { flows, ...lists } = compareCensus(census, census);
      assert.equal(flows.changeFlows, 0);
      assert.ok(Object.values(lists).every((list) => list.length === 0));
    }),
    { numRuns: 30 },
  );
});

test("a change is never greater than the true one and has its sign", () => {
  fc.assert(
    fc.property(anyRows, anyRows, fc.integer({ min: 1, max: 5 }), (first, second, topRows) => {
      const difference = compareCensus(censusOf(first, topRows), censusOf(second, topRows));
      const truth = compareCensus(censusOf(first), censusOf(second));
      for (const { key, changeFlows, atLeast } of difference.topPairs) {
        const name = JSON.stringify(key);
        const real = truth.topPairs.find((row) => JSON.stringify(row.key) === name)?.changeFlows ?? 0;
        assert.ok(
          Math.sign(real) === Math.sign(changeFlows) && Math.abs(changeFlows) <= Math.abs(real),
          name,
        );
        if (atLeast !== true) assert.equal(changeFlows, real);
      }
    }),
    { numRuns: 50 },
  );
});
