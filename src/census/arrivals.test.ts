import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, type Row } from "../../test/support/columns.ts";
import { EventKind, type FlowEventBatch } from "../table/flow-event.ts";
import { ICMP, TCP, UDP } from "../table/protocol.ts";
import { Status } from "../table/status.ts";
import { ArrivalsBuilder } from "./arrivals.ts";

const { NEW, UPDATE, DESTROY } = EventKind;
const answered = Status.CONFIRMED | Status.SEEN_REPLY;
const quiet = { seconds: 10, losses: 0, lostEvents: 0, updatesWatched: true };

/** Events of flows: their kind, and the row; the id is the number of the flow. */
function batchOf(events: readonly (readonly [number, Row])[]): FlowEventBatch {
  const rows = events.map(([, row]) => ({ status: Status.CONFIRMED, ...row }));
  return { columns: columnsOf(rows), kinds: Uint8Array.from(events, ([kind]) => kind) };
}

function query(id: number, more: Row = {}): Row {
  return { protocol: UDP, first: 1000 + id, second: 53, id, ...more };
}

test("arrivals are counted by protocol and by service of the original direction", () => {
  const builder = new ArrivalsBuilder();
  builder.add(
    batchOf([
      [NEW, query(1)],
      [NEW, query(2)],
      [NEW, { protocol: TCP, second: 80, id: 3 }],
      [NEW, { protocol: ICMP, first: 7, second: 0x0800, id: 4 }],
    ]),
  );
  const arrivals = builder.finish(quiet);
  assert.equal(arrivals.flows, 4);
  assert.equal(arrivals.perSecond, 0.4);
  assert.equal(arrivals.standardErrorPerSecond, 0.2);
  const names = arrivals.byProtocol.map(({ protocol, flows }) => [protocol, flows]);
  assert.deepEqual(names, [
    ["udp", 2],
    ["icmp", 1],
    ["tcp", 1],
  ]);
  assert.deepEqual(arrivals.services[0], {
    protocol: "udp",
    port: 53,
    flows: 2,
    perSecond: 0.2,
    standardErrorPerSecond: Math.SQRT2 / 10,
    answered: 0,
  });
  const icmp = arrivals.services.find(({ protocol }) => protocol === "icmp");
  assert.equal(Object.hasOwn(icmp ?? {}, "port"), false);
  assert.equal(arrivals.otherServices.flows, 0);
  assert.equal(arrivals.lost, undefined);
});

test("a flow is answered once, by the first event that has a reply", () => {
  const builder = new ArrivalsBuilder();
  builder.add(batchOf([1, 2, 3, 4].map((id) => [NEW, query(id)])));
  builder.add(
    batchOf([
      [UPDATE, query(1)],
      [UPDATE, query(1, { status: answered })],
      [UPDATE, query(1, { status: answered | Status.ASSURED })],
      // The update was lost: the end tells.
      [DESTROY, query(2, { status: answered })],
      [DESTROY, query(3)],
      // Made before anybody listened.
      [UPDATE, query(9, { status: answered })],
      [DESTROY, query(8, { status: answered })],
    ]),
  );
  const arrivals = builder.finish(quiet);
  assert.deepEqual([arrivals.flows, arrivals.answered], [4, 2]);
  assert.equal(arrivals.byProtocol[0]?.answered, 2);
  assert.equal(arrivals.services[0]?.answered, 2);
});

test("a flow that is made with its answer is answered", () => {
  const builder = new ArrivalsBuilder();
  builder.add(batchOf([[NEW, query(1, { status: answered })]]));
  assert.equal(builder.finish(quiet).answered, 1);
});

test("who did not watch updates knows nothing of answers", () => {
  const builder = new ArrivalsBuilder();
  builder.add(batchOf([[NEW, query(1)]]));
  const arrivals = builder.finish({ ...quiet, updatesWatched: false });
  assert.equal(Object.hasOwn(arrivals, "answered"), false);
  assert.equal(Object.hasOwn(arrivals.otherServices, "answered"), false);
});

test("services beyond the list are the others, and all of them together are all flows", () => {
  const builder = new ArrivalsBuilder();
  const events = Array.from({ length: 60 }, (_, id): [number, Row] => [
    NEW,
    query(id, { second: 1 + (id % 30) }),
  ]);
  builder.add(batchOf([...events, [NEW, query(99, { second: 443 })]]));
  const arrivals = builder.finish({ ...quiet, topServices: 10 });
  const listed = arrivals.services.reduce((sum, { flows }) => sum + flows, 0);
  assert.equal(arrivals.services.length, 10);
  assert.deepEqual([listed, arrivals.otherServices.flows], [20, 41]);
});

test("more services than fit leave a stated bound, and no flow out of the sum", () => {
  const builder = new ArrivalsBuilder();
  for (let from = 0; from < 60_000; from += 1000) {
    const events = Array.from({ length: 1000 }, (_, at): [number, Row] => [
      NEW,
      query(from + at, { second: from + at }),
    ]);
    const popular = events.map((): [number, Row] => [NEW, query(1, { second: 443 })]);
    builder.add(batchOf([...events, ...popular]));
  }
  const arrivals = builder.finish(quiet);
  const [first] = arrivals.services;
  assert.equal(arrivals.flows, 120_000);
  assert.equal(first?.port, 443);
  assert.ok(arrivals.serviceErrorBoundFlows > 0);
  assert.ok(first.flows <= 60_001 && first.flows >= 60_001 - arrivals.serviceErrorBoundFlows);
  const listed = arrivals.services.reduce((sum, { flows }) => sum + flows, 0);
  assert.equal(listed + arrivals.otherServices.flows, 120_000);
});

test("rates are scaled by what the kernel says was lost, counts are not", () => {
  const builder = new ArrivalsBuilder();
  builder.add(batchOf(Array.from({ length: 100 }, (_, id) => [NEW, query(id)])));
  const arrivals = builder.finish({ ...quiet, losses: 1, lostEvents: 50 });
  assert.deepEqual([arrivals.flows, arrivals.perSecond, arrivals.scale], [100, 15, 1.5]);
  assert.equal(arrivals.standardErrorPerSecond, 1.5);
  assert.deepEqual([arrivals.lost, arrivals.lowerBound], [{ times: 1, events: 50 }, false]);
  assert.match(arrivals.how, /50 more were lost, so rates are scaled by 1\.500/);
});

test("losses of unknown size make every figure a lower bound", () => {
  const builder = new ArrivalsBuilder();
  builder.add(batchOf([[NEW, query(1)]]));
  const { lostEvents: _, ...end } = { ...quiet, losses: 3 };
  const arrivals = builder.finish(end);
  assert.deepEqual([arrivals.lost, arrivals.lowerBound, arrivals.scale], [{ times: 3 }, true, 1]);
  assert.match(arrivals.how, /lost some 3 times .* a lower bound/);
});

test("an observation in which nothing happened says so with zeros", () => {
  const arrivals = new ArrivalsBuilder().finish(quiet);
  assert.deepEqual([arrivals.flows, arrivals.perSecond, arrivals.services], [0, 0, []]);
});
