import assert from "node:assert/strict";
import { test } from "node:test";
import { GRE, SCTP, UDP } from "../table/protocol.ts";
import { Status } from "../table/status.ts";
import type { FlowColumns } from "../table/columns.ts";
import type { Packet } from "../../test/support/packets.ts";
import { flowsOf, say, START_MS, wait } from "../../test/support/tracking.ts";
import { Tracker } from "./tracker.ts";

const query: Packet = { protocol: UDP, first: 1000, second: 53 };

test("a reading gives every flow once, in batches, and is complete when all were taken", () => {
  const tracker = new Tracker();
  say(
    tracker,
    Array.from({ length: 5000 }, (_, first) => ({ ...query, first })),
  );
  const reading = tracker.flows();
  const seen = new Set<number>();
  for (const columns of reading.batches() as Iterable<FlowColumns>) {
    for (let row = 0; row < columns.count; row++)
      seen.add(columns.originalSourceDiscriminator[row] as number);
  }
  assert.equal(seen.size, 5000);
  assert.equal(reading.complete, true);
  assert.equal(reading.source, "model");
});

test("an empty tracker has an empty table", () => {
  assert.deepEqual(flowsOf(new Tracker()), []);
  assert.equal(new Tracker().timeline(), undefined);
});

test("an SCTP flow tells its tags, a GRE flow its timeouts", () => {
  const tracker = new Tracker();
  say(tracker, [
    { protocol: SCTP, sctp: { vtag: 0, initTag: 0xffff_fff0, chunks: [1] } },
    { protocol: GRE, first: 0, second: 0 },
  ]);
  const flows = flowsOf(tracker);
  const sctp = flows.find(({ protocol }) => protocol === SCTP);
  assert.equal(sctp?.state, "CLOSED");
  assert.deepEqual(sctp?.vtags, { original: 0, reply: 0xffff_fff0 });
  const gre = flows.find(({ protocol }) => protocol === GRE);
  assert.deepEqual(gre?.greTimeouts, { timeoutSeconds: 30, streamTimeoutSeconds: 180 });
});

test("a flow tells when it began where timestamps are on", () => {
  const tracker = new Tracker({ settings: { nf_conntrack_timestamp: 1 } });
  say(tracker, [query, { ...query, first: 2, atMs: 10_000 }]);
  wait(tracker, 20_000);
  const starts = flowsOf(tracker).map(({ startedAtMs }) => (startedAtMs ?? 0) - START_MS);
  assert.deepEqual(
    starts.toSorted((left, right) => left - right),
    [0, 10_000],
  );
});

test("marks of the model are not shown as status", () => {
  const settings = { nf_conntrack_timestamp: 1, nf_conntrack_acct: 1 };
  const tracker = new Tracker({ settings, helpers: ["ftp"] });
  say(tracker, [{ first: 40_000, second: 21, sequence: 1 }]);
  assert.equal(flowsOf(tracker)[0]?.status, Status.CONFIRMED | Status.HELPER);
});

test("facts are those of a host with this table", () => {
  const tracker = new Tracker({ generation: "5.10", settings: { nf_conntrack_max: 100 } });
  say(tracker, [query]);
  const facts = tracker.facts();
  assert.equal(facts.host.kernelRelease, "5.10");
  assert.equal(facts.settings.values.nf_conntrack_max, 100);
  assert.equal(facts.settings.values.nf_conntrack_count, 1);
  assert.equal(facts.counters.occupancyFlows, 1);
  assert.equal(facts.atMs, START_MS);
});
