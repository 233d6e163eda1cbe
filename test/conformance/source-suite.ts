/**
 * What every source of flows must give of the same flows: the same lines, the same census, the same
 * judgement. The model is held to it without root (model-source.test.ts), the running kernel with it
 * (test/kernel/conformance.test.ts).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CensusBuilder, censusToJson } from "../../src/census/census.ts";
import { formatFlow, type LineStyle } from "../../src/listing/listing.ts";
import { Tracker } from "../../src/model/model.ts";
import { judge } from "../../src/plan/plan.ts";
import { flowAt } from "../../src/table/flow.ts";
import { ICMP, TCP, UDP } from "../../src/table/protocol.ts";
import type { FlowReading } from "../../src/table/source.ts";
import { TcpState } from "../../src/table/state.ts";
import { Status } from "../../src/table/status.ts";
import type { Row } from "../support/columns.ts";
import { answerTo, type Packet } from "../support/packets.ts";
import { say } from "../support/tracking.ts";

const ANSWERED = Status.CONFIRMED | Status.SEEN_REPLY;

/** A flow as it is put into a table, and the packets that make it. */
export interface SampleFlow {
  row: Row;
  packets: readonly Packet[];
}

const query: Packet = { protocol: UDP, source: "10.1.0.1", destination: "10.2.0.1", first: 5353, second: 53 };
const answered: Packet = { ...query, first: 5354 };
const query6: Packet = { protocol: UDP, source: "fd00::1", destination: "fd00::2", first: 5353, second: 53 };
const syn: Packet = {
  source: "10.1.0.2",
  destination: "10.2.0.1",
  first: 40_000,
  second: 443,
  sequence: 100,
};
const synAck = answerTo(syn, { flags: 18, sequence: 500, acknowledgment: 101 });
const ack: Packet = { ...syn, flags: 16, sequence: 101, acknowledgment: 501 };
const lost: Packet = { ...syn, first: 40_001 };
const echo: Packet = {
  protocol: ICMP,
  source: "10.1.0.3",
  destination: "10.2.0.1",
  first: 7,
  second: 8 << 8,
};
const esp: Packet = { protocol: 50, source: "10.1.0.4", destination: "10.2.0.1", first: 0, second: 0 };

function sample(packet: Packet, more: Row, rest: readonly Packet[] = []): SampleFlow {
  const { protocol = TCP, source = "", destination = "", first = 0, second = 0 } = packet;
  const tuple = { protocol, source, destination, first, second };
  return { row: { ...tuple, status: Status.CONFIRMED, ...more }, packets: [packet, ...rest] };
}

/** One flow of each kind. */
export const sampleFlows: readonly SampleFlow[] = [
  sample(query, { timeoutSeconds: 30 }),
  sample(answered, { timeoutSeconds: 30, status: ANSWERED }, [answerTo(answered)]),
  sample(query6, { timeoutSeconds: 30 }),
  sample(syn, { timeoutSeconds: 432_000, state: TcpState.ESTABLISHED, status: ANSWERED | Status.ASSURED }, [
    synAck,
    ack,
  ]),
  sample(lost, { timeoutSeconds: 120, state: TcpState.SYN_SENT }),
  sample(echo, { timeoutSeconds: 30 }),
  sample(esp, { timeoutSeconds: 600 }),
];

const CLIENT6 = "fd00:0000:0000:0000:0000:0000:0000:0001";
const SERVER6 = "fd00:0000:0000:0000:0000:0000:0000:0002";

/** The lines of the sample in order, each with its seconds left when it began, which stand where the # is. */
const LINES: readonly (readonly [seconds: number, ...parts: string[]])[] = [
  [
    30,
    "ipv4     2 icmp     1 #",
    "src=10.1.0.3 dst=10.2.0.1 type=8 code=0 id=7 [UNREPLIED]",
    "src=10.2.0.1 dst=10.1.0.3 type=0 code=0 id=7",
  ],
  [
    432_000,
    "ipv4     2 tcp      6 #",
    "ESTABLISHED src=10.1.0.2 dst=10.2.0.1 sport=40000 dport=443",
    "src=10.2.0.1 dst=10.1.0.2 sport=443 dport=40000 [ASSURED]",
  ],
  [
    120,
    "ipv4     2 tcp      6 #",
    "SYN_SENT src=10.1.0.2 dst=10.2.0.1 sport=40001 dport=443 [UNREPLIED]",
    "src=10.2.0.1 dst=10.1.0.2 sport=443 dport=40001",
  ],
  [
    30,
    "ipv4     2 udp      17 #",
    "src=10.1.0.1 dst=10.2.0.1 sport=5353 dport=53 [UNREPLIED]",
    "src=10.2.0.1 dst=10.1.0.1 sport=53 dport=5353",
  ],
  [
    30,
    "ipv4     2 udp      17 #",
    "src=10.1.0.1 dst=10.2.0.1 sport=5354 dport=53",
    "src=10.2.0.1 dst=10.1.0.1 sport=53 dport=5354",
  ],
  [600, "ipv4     2 unknown  50 #", "src=10.1.0.4 dst=10.2.0.1 [UNREPLIED]", "src=10.2.0.1 dst=10.1.0.4"],
  [
    30,
    "ipv6     10 udp      17 #",
    `src=${CLIENT6} dst=${SERVER6} sport=5353 dport=53 [UNREPLIED]`,
    `src=${SERVER6} dst=${CLIENT6} sport=53 dport=5353`,
  ],
];
/** What ends every line. */
const LINE_END = "mark=0 zone=0 use=2";

/** Seconds that may have passed since the flows were made. */
const LATE_SECONDS = 3;

/** A source that holds the sample flows and nothing else. */
export interface HoldingSource {
  name: string;
  /** A new reading each time. */
  read(): FlowReading;
  /** What its flows lack of a line of the kernel. */
  style: LineStyle;
}

/** Registers the tests of a source. `open` may make it anew for each. */
export function conformanceTests(name: string, open: () => HoldingSource): void {
  void test(`${name} gives the lines of the sample`, async () => {
    const source = open();
    const lines = await linesOf(source);
    assert.equal(lines.length, LINES.length);
    lines.forEach((line, index) => {
      const [wanted, ...parts] = LINES[index] ?? [0];
      assert.equal(line.text, [...parts, LINE_END].join(" "));
      assert.ok(
        line.seconds <= wanted && line.seconds >= wanted - LATE_SECONDS,
        `${line.seconds}: ${line.text}`,
      );
    });
  });

  void test(`${name} gives the census of the sample`, async () => {
    assert.deepEqual(await censusOf(open()), await censusOf(modelOfSample()));
  });

  void test(`${name} is judged as the sample is`, async () => {
    for (const capacityFlows of [7, 8, 100, 262_144]) {
      const wanted = await judgementOf(modelOfSample(), capacityFlows);
      assert.deepEqual(await judgementOf(open(), capacityFlows), wanted);
    }
  });
}

async function linesOf(source: HoldingSource): Promise<{ text: string; seconds: number }[]> {
  const lines: { text: string; seconds: number }[] = [];
  const reading = source.read();
  for await (const columns of reading.batches()) {
    for (let row = 0; row < columns.count; row++) {
      const flow = flowAt(columns, row);
      const text = formatFlow(flow, source.style).trimEnd();
      lines.push({ text: text.replace(/ (\d+) (?=[A-Z]|src)/, " # "), seconds: flow.timeoutSeconds ?? -1 });
    }
  }
  assert.equal(reading.complete, true);
  assert.deepEqual(reading.oddities, {});
  return lines.toSorted((left, right) => (left.text < right.text ? -1 : 1));
}

/** Counts of kinds; spans of time are left out, because one table was read a moment later than the other. */
async function censusOf(source: HoldingSource): Promise<Record<string, unknown>> {
  const { settings } = new Tracker();
  const builder = new CensusBuilder({ settings: settings.values });
  const reading = source.read();
  for await (const columns of reading.batches()) builder.add(columns);
  const census = censusToJson(builder.finish({ complete: true, oddities: reading.oddities }));
  return Object.fromEntries(
    Object.entries(census).filter(([key]) => !/idle|timeout|expir|remaining|age|span/i.test(key)),
  );
}

/** Level and codes, of a table of this capacity. */
async function judgementOf(source: HoldingSource, capacityFlows: number): Promise<unknown> {
  const tracker = new Tracker({ settings: { nf_conntrack_max: capacityFlows } });
  const builder = new CensusBuilder({ settings: tracker.settings.values });
  for await (const columns of source.read().batches()) builder.add(columns);
  const census = builder.finish({ complete: true, oddities: {} });
  const facts = tracker.facts();
  const values = { ...facts.settings.values, nf_conntrack_count: census.flows };
  const settings = { ...facts.settings, values };
  const counters = { ...facts.counters, occupancyFlows: census.flows };
  const { level, findings } = judge({ ...facts, settings, counters, census });
  return { level, codes: findings.map(({ code }) => code) };
}

/** The model, given the packets of the sample. */
export function modelOfSample(): HoldingSource {
  const tracker = new Tracker();
  say(
    tracker,
    sampleFlows.flatMap(({ packets }) => packets),
  );
  return { name: "model", read: () => tracker.flows(), style: { zones: true } };
}
