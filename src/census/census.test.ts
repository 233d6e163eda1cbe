import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyRow, anyRows, columnsOf, type Row } from "../../test/support/columns.ts";
import { type Address, formatAddress, formatPrefix, maskAddress } from "../table/address.ts";
import { parseAddress } from "../table/address-text.ts";
import type { FlowColumns } from "../table/columns.ts";
import { type Flow, flowAt } from "../table/flow.ts";
import { IdleLookup, idleUnknownReason } from "../table/idle.ts";
import { ICMP, protocolName, TCP, UDP } from "../table/protocol.ts";
import { SETTING_KEYS, settingOf, type Settings } from "../table/settings.ts";
import { stateName, TcpState } from "../table/state.ts";
import { ALL_STATUS, Status, statusNames, TEXT_STATUS } from "../table/status.ts";
import { type Census, CensusBuilder, type CensusOptions } from "./census.ts";
import type { Count, Top } from "./shape.ts";
import { SPAN_EDGES_SECONDS } from "./spans.ts";

const settings: Settings = Object.fromEntries(
  SETTING_KEYS.flatMap((key) => {
    const value = settingOf(key).defaults?.at(-1)?.value;
    return value === undefined ? [] : [[key, value]];
  }),
);
const NOW_MS = 2_000_000;
const whole = { complete: true, oddities: {} };

function censusOf(columns: FlowColumns, options: Partial<CensusOptions> = {}): Census {
  return builderOf(columns, options).finish(whole);
}

function builderOf(columns: FlowColumns, options: Partial<CensusOptions> = {}): CensusBuilder {
  const builder = new CensusBuilder({ settings, nowMs: NOW_MS, topRows: 1000, ...options });
  builder.add(columns);
  return builder;
}

/** Counts by a name, greatest first; equal ones in any order. */
function tally(names: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return sorted([...counts]);
}

function sorted(counts: [string, number][]): [string, number][] {
  return counts.sort(([left, many], [right, more]) => more - many || (left < right ? -1 : 1));
}

/** Rows of a census as names and counts. */
function named(rows: readonly Count[]): [string, number][] {
  return sorted(
    rows.map(({ flows, standardErrorFlows: _error, ...key }): [string, number] => [
      Object.values(key).join(" "),
      flows,
    ]),
  );
}

function histogram(seconds: readonly number[]): [string, number][] {
  return tally(
    seconds.map((value) => {
      const span = SPAN_EDGES_SECONDS.findLastIndex((edge) => edge <= value);
      return [SPAN_EDGES_SECONDS[span], SPAN_EDGES_SECONDS[span + 1]]
        .filter((edge) => edge !== undefined)
        .join(" ");
    }),
  );
}

function binned(
  census: Census,
  name: "remainingSeconds" | "idleSeconds" | "establishedIdleSeconds",
): [string, number][] {
  return named(census[name].filter(({ flows }) => flows > 0));
}

/** The census again, by way of Flow objects and names. */
function assertCensus(census: Census, columns: FlowColumns): void {
  const rows = Array.from({ length: columns.count }, (_, row) => row);
  const flows = rows.map((row) => flowAt(columns, row));
  const stateOf = (flow: Flow): string => `${protocolName(flow.protocol)} ${flow.state ?? ""}`.trim();
  const unanswered = flows.filter((flow) => knows(flow, Status.SEEN_REPLY) && !has(flow, Status.SEEN_REPLY));

  assert.equal(census.flows, flows.length);
  assert.deepEqual(named(census.byFamily), tally(flows.map(({ family }) => `ipv${family}`)));
  assert.deepEqual(named(census.byProtocol), tally(flows.map(({ protocol }) => protocolName(protocol))));
  assert.deepEqual(
    named(census.byState),
    tally(flows.filter(({ state }) => state !== undefined).map(stateOf)),
  );
  assert.deepEqual(named(census.unanswered), tally(unanswered.map(stateOf)));
  assertStatus(census, flows, columns.knownStatus, unanswered.length);
  assertTalkers(census, flows, unanswered);
  assertTags(census, flows);
  assertSeconds(census, columns, flows);
  assertTraffic(census, flows);
}

function knows(flow: Flow, bit: number): boolean {
  return flow.status !== undefined && (flow.knownStatus & bit) !== 0;
}

function has(flow: Flow, bit: number): boolean {
  return ((flow.status ?? 0) & bit) !== 0;
}

function assertStatus(census: Census, flows: readonly Flow[], known: number, unanswered: number): void {
  const expected = statusNames(known & 0xffff).map((name): [string, number] => {
    const count = flows.filter(({ status = 0 }) => statusNames(status & known).includes(name)).length;
    return [name, count];
  });
  const all = known & Status.SEEN_REPLY ? [...expected, ["unreplied", unanswered]] : expected;
  assert.deepEqual(
    Object.entries(census.byStatus).map(([name, { flows: count }]) => [name, count]),
    flows.length === 0 ? [] : all,
  );
}

function prefixOf(address: Address): string {
  const bits = address.length === 4 ? 24 : 64;
  return formatPrefix({ address: maskAddress(address, bits), bits });
}

function assertTalkers(census: Census, flows: readonly Flow[], unanswered: readonly Flow[]): void {
  const sources = flows.map(({ original }) => original.source);
  const destinations = flows.map(({ original }) => original.destination);
  const services = flows.flatMap(({ original, protocol }) =>
    original.kind === "ports" ? [`${protocolName(protocol)} ${original.destinationPort}`] : [],
  );
  const pairs = flows.map(({ original, protocol }) => {
    const pair = [
      formatAddress(original.source),
      formatAddress(original.destination),
      protocolName(protocol),
    ];
    return [...pair, ...(original.kind === "ports" ? [original.destinationPort] : [])].join(" ");
  });
  assertTop(census.topSources, sources.map(formatAddress));
  assertTop(census.topDestinations, destinations.map(formatAddress));
  assertTop(census.topSourcePrefixes, sources.map(prefixOf));
  assertTop(census.topDestinationPrefixes, destinations.map(prefixOf));
  assertTop(census.topServices, services);
  assertTop(census.topPairs, pairs);
  assertTop(
    census.topUnansweredSources,
    unanswered.map(({ original }) => formatAddress(original.source)),
  );
}

function assertTop(top: Top<Count>, names: readonly string[]): void {
  const truth = tally(names);
  assert.deepEqual(named(top.rows), truth);
  assert.deepEqual([top.distinct, top.exact, top.errorBoundFlows], [truth.length, true, 0]);
  assert.deepEqual(
    top.rows.map(({ flows }) => flows),
    truth.map(([, flows]) => flows),
    "greatest first",
  );
}

function assertTags(census: Census, flows: readonly Flow[]): void {
  const zones = flows.map(({ zone, originalZone }) => zone ?? originalZone ?? 0);
  assertTop(census.byZone, zones.some((zone) => zone > 0) ? zones.map(String) : []);
  const marks = flows.flatMap(({ mark }) => mark ?? []);
  assertTop(census.byMark, marks.some((mark) => mark > 0) ? marks.map(String) : []);
  assertTop(
    census.byHelper,
    flows.flatMap(({ rare }) => rare?.helper ?? []),
  );
}

function assertSeconds(census: Census, columns: FlowColumns, flows: readonly Flow[]): void {
  const lookup = new IdleLookup({ settings, nowMs: NOW_MS });
  const idle = flows.map((_, row) => lookup.secondsAt(columns, row));
  const known = (seconds: number): boolean => seconds >= 0;
  const established = idle.filter(
    (_, row) => flows[row]?.protocol === TCP && flows[row]?.state === "ESTABLISHED",
  );
  assert.deepEqual(
    binned(census, "remainingSeconds"),
    histogram(flows.flatMap((flow) => flow.timeoutSeconds ?? [])),
  );
  assert.deepEqual(binned(census, "idleSeconds"), histogram(idle.filter(known)));
  assert.deepEqual(binned(census, "establishedIdleSeconds"), histogram(established.filter(known)));
  assert.deepEqual(
    named(census.idleUnknown),
    tally(idle.flatMap((seconds) => idleUnknownReason(seconds) ?? [])),
  );
  const ages = flows.flatMap(({ ageSeconds, startedAtMs }) => {
    if (ageSeconds !== undefined) return ageSeconds;
    return startedAtMs === undefined ? [] : (NOW_MS - startedAtMs) / 1000;
  });
  assert.deepEqual(named((census.ageSeconds ?? []).filter((bin) => bin.flows > 0)), histogram(ages));
}

function assertTraffic(census: Census, flows: readonly Flow[]): void {
  const counted = flows.filter(
    ({ originalTraffic, replyTraffic }) => (originalTraffic ?? replyTraffic) !== undefined,
  );
  const sum = (of: "packets" | "bytes"): number =>
    counted.reduce(
      (total, flow) => total + (flow.originalTraffic?.[of] ?? 0) + (flow.replyTraffic?.[of] ?? 0),
      0,
    );
  assert.deepEqual(
    census.traffic,
    counted.length === 0
      ? undefined
      : { flowsCounted: counted.length, packets: sum("packets"), bytes: sum("bytes") },
  );
}

test("CensusBuilder counts what Flow objects count", () => {
  fc.assert(
    fc.property(anyRows, fc.constantFrom(ALL_STATUS, TEXT_STATUS), fc.integer(), (rows, known, seed) => {
      const columns = columnsOf(rows, known);
      assertCensus(censusOf(columns, { seed }), columns);
    }),
  );
});

test("CensusBuilder counts a batch of many chunks", () => {
  const rows = fc.sample(anyRow, { numRuns: 3000, seed: 5 });
  const columns = columnsOf(rows);
  assertCensus(censusOf(columns, { topRows: 5000 }), columns);
});

test("merging the halves is counting the whole, wherever it is cut", () => {
  fc.assert(
    fc.property(anyRows, fc.nat(60), fc.integer(), (rows, at, seed) => {
      const first = builderOf(columnsOf(rows.slice(0, at)), { seed });
      const second = builderOf(columnsOf(rows.slice(at)));
      assert.deepEqual(first.merge(second).finish(whole), censusOf(columnsOf(rows)));
    }),
  );
});

test("the order of flows and the cut into batches do not matter", () => {
  fc.assert(
    fc.property(anyRows, fc.nat(60), (rows, at) => {
      const builder = builderOf(columnsOf(rows.slice(at).toReversed()));
      builder.add(columnsOf(rows.slice(0, at)));
      assert.deepEqual(builder.finish(whole), censusOf(columnsOf(rows)));
    }),
  );
});

/** Rows from many sources in few prefixes: more keys than the tables below have room for. */
const crowd: Row[] = Array.from({ length: 4000 }, (_, index) => ({
  protocol: index % 3 === 0 ? UDP : TCP,
  source:
    index % 2 === 0 ? `10.${index % 7}.1.${index % 251}` : `fd00:0:0:${index % 5}::${(index % 997) + 1}`,
  destination: index % 2 === 0 ? `192.0.2.${index % 3}` : "fd00::1",
  first: 1024 + index,
  second: index % 10 === 0 ? index : 443,
  status: index % 4 === 0 ? Status.CONFIRMED : Status.CONFIRMED | Status.SEEN_REPLY,
}));

function inBatches(rows: readonly Row[], options: Partial<CensusOptions>, batchRows = 50): CensusBuilder {
  const builder = new CensusBuilder({ settings, nowMs: NOW_MS, topRows: 1000, ...options });
  for (let from = 0; from < rows.length; from += batchRows)
    builder.add(columnsOf(rows.slice(from, from + batchRows)));
  return builder;
}

test("prefixes stay exact when their addresses no longer fit", () => {
  const exact = censusOf(columnsOf(crowd), { topRows: 5000 });
  const bounded = inBatches(crowd, { exactKeys: 200, topRows: 5000 }).finish(whole);
  assert.ok(!bounded.topSources.exact && !bounded.topPairs.exact);
  assert.deepEqual(bounded.topSourcePrefixes, exact.topSourcePrefixes);
  assert.deepEqual(bounded.topDestinations, exact.topDestinations);
  assert.deepEqual(bounded.byState, exact.byState);
  for (const { address, flows } of bounded.topSources.rows) {
    const truth = exact.topSources.rows.find((row) => row.address === address)?.flows ?? 0;
    assert.ok(flows <= truth && truth - flows <= bounded.topSources.errorBoundFlows, address);
  }
});

test("prefixes stay exact when tables that no longer fit are merged", () => {
  const exact = censusOf(columnsOf(crowd));
  for (const at of [150, 4000]) {
    for (const [left, right] of [
      [200, 200],
      [5000, 200],
      [200, 5000],
    ]) {
      const first = inBatches(crowd.slice(0, at), { exactKeys: left as number });
      const second = inBatches(crowd.slice(at), { exactKeys: right as number });
      const merged = first.merge(second).finish(whole);
      assert.deepEqual(merged.topSourcePrefixes, exact.topSourcePrefixes, `cut at ${at}`);
    }
  }
});

test("a census of nothing has no rows", () => {
  const census = new CensusBuilder({ settings }).finish({ complete: false, oddities: { skippedLines: 3 } });
  assert.deepEqual([census.flows, census.flowsRead, census.complete], [0, 0, false]);
  assert.deepEqual(census.byProtocol, []);
  assert.deepEqual(census.byStatus, {});
  assert.deepEqual(census.idleSeconds, []);
  assert.deepEqual(census.topPairs, { rows: [], distinct: 0, exact: true, errorBoundFlows: 0 });
  assert.deepEqual(census.oddities, { skippedLines: 3 });
});

test("status bits that one of the batches cannot tell are left out", () => {
  const builder = builderOf(columnsOf([{ status: ALL_STATUS }], ALL_STATUS));
  builder.add(columnsOf([{ status: Status.ASSURED }], TEXT_STATUS));
  assert.deepEqual(builder.finish(whole).byStatus, {
    "seen-reply": { flows: 1 },
    assured: { flows: 2 },
    offload: { flows: 1 },
    "hw-offload": { flows: 1 },
    unreplied: { flows: 1 },
  });
});

test("top lists have as many rows as asked for, equal ones in order of their keys", () => {
  const rows = ["10.0.0.3", "10.0.0.1", "200.0.0.1", "10.0.0.2", "fd00::1", "fd00::1"].map((source) => ({
    source,
    destination: source,
  }));
  const census = censusOf(columnsOf(rows), { topRows: 3 });
  assert.deepEqual(census.topSources, {
    rows: [
      { address: "fd00::1", flows: 2 },
      { address: "10.0.0.1", flows: 1 },
      { address: "10.0.0.2", flows: 1 },
    ],
    distinct: 5,
    exact: true,
    errorBoundFlows: 0,
  });
});

test("pairs without ports have no port, and services leave them out", () => {
  const census = censusOf(columnsOf([{ protocol: ICMP, first: 9, second: 0x800 }, { protocol: TCP }]));
  assert.deepEqual(census.topPairs.rows, [
    { source: "10.0.0.1", destination: "10.0.0.2", protocol: "icmp", flows: 1 },
    { source: "10.0.0.1", destination: "10.0.0.2", protocol: "tcp", port: 80, flows: 1 },
  ]);
  assert.deepEqual(census.topServices.rows, [{ protocol: "tcp", port: 80, flows: 1 }]);
});

test("flows without a reply direction are counted apart", () => {
  const census = censusOf(columnsOf([{}, { reply: false }]));
  assert.deepEqual(census.byNat, [{ nat: "none", flows: 1 }]);
  assert.deepEqual(census.natUnknown, { flows: 1 });
});

test("a sample is scaled to the table and says how wrong it may be", () => {
  const rows: Row[] = Array.from({ length: 100 }, (_, index) => ({
    state: index < 75 ? TcpState.ESTABLISHED : TcpState.TIME_WAIT,
    status: Status.ASSURED,
    source: index < 50 ? "10.0.0.1" : `10.0.1.${index}`,
    original: { packets: 1, bytes: index < 50 ? 100 : 300 },
  }));
  const end = { complete: false, oddities: {}, occupancyFlows: 10_000, sampleMethod: "by hand" };
  const census = builderOf(columnsOf(rows), { topRows: 1 }).finish(end);
  const error = 10_000 * Math.sqrt(((0.75 * 0.25) / 99) * 0.99);
  assert.deepEqual([census.flows, census.flowsRead], [10_000, 100]);
  assert.deepEqual(census.sampled, { flowsRead: 100, ofFlows: 10_000, method: "by hand" });
  assert.deepEqual(census.byState, [
    { protocol: "tcp", state: stateName(TCP, TcpState.ESTABLISHED), flows: 7500, standardErrorFlows: error },
    { protocol: "tcp", state: stateName(TCP, TcpState.TIME_WAIT), flows: 2500, standardErrorFlows: error },
  ]);
  assert.equal(census.topSources.rows[0]?.flows, 5000);
  assert.deepEqual([census.topSources.exact, census.topSources.missedBelowFlows], [false, 300]);
  assert.deepEqual([census.traffic?.packets, census.traffic?.bytes], [10_000, 2_000_000]);
  assert.equal(census.traffic?.packetsStandardError, 0);
  assert.ok(
    Math.abs((census.traffic?.bytesStandardError ?? 0) - 10_000 * Math.sqrt((10_000 / 99) * 0.99)) < 1e-6,
  );
});

test("a sample that holds everything has no error", () => {
  const end = { complete: true, oddities: {}, occupancyFlows: 5, sampleMethod: "all" };
  const census = builderOf(columnsOf([{}, { protocol: UDP }])).finish(end);
  assert.equal(census.flows, 2);
  assert.deepEqual(census.byProtocol[0], { protocol: "tcp", flows: 1, standardErrorFlows: 0 });
  assert.ok(census.topSources.exact);
});

test("a filtered sample estimates how many flows would match", () => {
  const end = {
    complete: false,
    oddities: {},
    occupancyFlows: 1000,
    sampleMethod: "begin",
    lookedAtFlows: 100,
  };
  const census = builderOf(columnsOf([{}, { protocol: UDP }])).finish(end);
  assert.equal(census.flows, 20);
  assert.ok((census.standardErrorFlows ?? 0) > 0);
  assert.equal(census.byProtocol[0]?.flows, 10);
});

test("addresses of all ones and beyond the sign bit keep their text", () => {
  const rows = ["255.255.255.255", "128.0.0.1", "fd00::8000:0"].map((source) => ({
    source,
    destination: source,
  }));
  const census = censusOf(columnsOf(rows));
  for (const { source } of rows) {
    assert.ok(parseAddress(source) !== undefined);
    assert.ok(census.topSources.rows.some(({ address }) => address === source));
    assert.ok(census.topPairs.rows.some((pair) => pair.source === source && pair.destination === source));
  }
});
