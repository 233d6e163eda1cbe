import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, type Row } from "../../test/support/columns.ts";
import { TCP, UDP } from "../table/protocol.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { CensusBuilder, censusToJson, type ReadingEnd } from "./census.ts";

const rows: Row[] = [
  {
    protocol: TCP,
    state: TcpState.ESTABLISHED,
    status: Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED,
    timeoutSeconds: 431_990,
    mark: 7,
    original: { packets: 2, bytes: 90 },
  },
  { protocol: UDP, status: Status.CONFIRMED, timeoutSeconds: 31, second: 53, reply: false, ageSeconds: 3 },
];

function jsonOf(end: ReadingEnd): Record<string, unknown> {
  const builder = new CensusBuilder({
    settings: { nf_conntrack_tcp_timeout_established: 432_000, nf_conntrack_udp_timeout: 30 },
  });
  builder.add(columnsOf(rows, Status.SEEN_REPLY | Status.ASSURED));
  return JSON.parse(JSON.stringify(censusToJson(builder.finish(end)))) as Record<string, unknown>;
}

test("censusToJson() has the fixed names", () => {
  const exact = { distinct: 1, exact: true, errorBoundFlows: 0 };
  const none = { distinct: 0, exact: true, errorBoundFlows: 0 };
  assert.deepEqual(jsonOf({ complete: true, oddities: { skippedLines: 1 } }), {
    flows: 2,
    flowsRead: 2,
    complete: true,
    byFamily: [{ family: "ipv4", flows: 2 }],
    byProtocol: [
      { protocol: "tcp", flows: 1 },
      { protocol: "udp", flows: 1 },
    ],
    byState: [{ protocol: "tcp", state: "ESTABLISHED", flows: 1 }],
    byStatus: { "seen-reply": 1, assured: 1, unreplied: 1 },
    byNat: [{ nat: "none", flows: 1 }],
    natUnknownFlows: 1,
    byZone: [],
    byMark: [{ mark: 7, flows: 1 }],
    byHelper: [],
    topSources: [{ address: "10.0.0.1", flows: 2 }],
    topDestinations: [{ address: "10.0.0.2", flows: 2 }],
    topSourcePrefixes: [{ prefix: "10.0.0.0/24", flows: 2 }],
    topDestinationPrefixes: [{ prefix: "10.0.0.0/24", flows: 2 }],
    topServices: [
      { protocol: "tcp", port: 80, flows: 1 },
      { protocol: "udp", port: 53, flows: 1 },
    ],
    topPairs: [
      { source: "10.0.0.1", destination: "10.0.0.2", protocol: "tcp", port: 80, flows: 1 },
      { source: "10.0.0.1", destination: "10.0.0.2", protocol: "udp", port: 53, flows: 1 },
    ],
    topUnansweredSources: [{ address: "10.0.0.1", flows: 1 }],
    accuracy: {
      byZone: none,
      byMark: exact,
      byHelper: none,
      topSources: exact,
      topDestinations: exact,
      topSourcePrefixes: exact,
      topDestinationPrefixes: exact,
      topServices: { ...exact, distinct: 2 },
      topPairs: { ...exact, distinct: 2 },
      topUnansweredSources: exact,
    },
    remainingSeconds: [
      { fromSeconds: 0, toSeconds: 10, flows: 0 },
      { fromSeconds: 10, toSeconds: 30, flows: 0 },
      { fromSeconds: 30, toSeconds: 60, flows: 1 },
      { fromSeconds: 60, toSeconds: 120, flows: 0 },
      { fromSeconds: 120, toSeconds: 300, flows: 0 },
      { fromSeconds: 300, toSeconds: 600, flows: 0 },
      { fromSeconds: 600, toSeconds: 1800, flows: 0 },
      { fromSeconds: 1800, toSeconds: 3600, flows: 0 },
      { fromSeconds: 3600, toSeconds: 7200, flows: 0 },
      { fromSeconds: 7200, toSeconds: 21_600, flows: 0 },
      { fromSeconds: 21_600, toSeconds: 43_200, flows: 0 },
      { fromSeconds: 43_200, toSeconds: 86_400, flows: 0 },
      { fromSeconds: 86_400, toSeconds: 172_800, flows: 0 },
      { fromSeconds: 172_800, toSeconds: 259_200, flows: 0 },
      { fromSeconds: 259_200, toSeconds: 345_600, flows: 0 },
      { fromSeconds: 345_600, toSeconds: 432_000, flows: 1 },
    ],
    idleSeconds: [
      { fromSeconds: 0, toSeconds: 10, flows: 0 },
      { fromSeconds: 10, toSeconds: 30, flows: 1 },
    ],
    idleUnknown: [{ why: "longer-than-setting", flows: 1 }],
    establishedIdleSeconds: [
      { fromSeconds: 0, toSeconds: 10, flows: 0 },
      { fromSeconds: 10, toSeconds: 30, flows: 1 },
    ],
    unanswered: [{ protocol: "udp", flows: 1 }],
    traffic: { flowsCounted: 1, packets: 2, bytes: 90 },
    ageSeconds: [{ fromSeconds: 0, toSeconds: 10, flows: 1 }],
    oddities: { skippedLines: 1 },
  });
});

test("censusToJson() of a sample has an error with every figure", () => {
  const json = jsonOf({ complete: false, oddities: {}, occupancyFlows: 100, sampleMethod: "the beginning" });
  assert.deepEqual(json["sampled"], { flowsRead: 2, ofFlows: 100, method: "the beginning" });
  assert.deepEqual(json["byProtocol"], [
    { protocol: "tcp", flows: 50, standardErrorFlows: 49.5 },
    { protocol: "udp", flows: 50, standardErrorFlows: 49.5 },
  ]);
  assert.deepEqual(json["byStatusStandardErrorFlows"], {
    "seen-reply": 49.5,
    assured: 49.5,
    unreplied: 49.5,
  });
  assert.deepEqual((json["accuracy"] as Record<string, unknown>)["topServices"], {
    distinct: 2,
    exact: false,
    errorBoundFlows: 0,
    missedBelowFlows: 150,
  });
});
