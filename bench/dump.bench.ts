/**
 * What reading a table over netlink costs beyond what the kernel takes to give it: a dump decoded, and one
 * counted as well, against a loop that receives the same dump and looks at nothing. The small size decodes
 * captured messages and needs no privilege; the large one injects a table into a namespace and needs root.
 */
import { spawnSync } from "node:child_process";
import { CensusBuilder } from "../src/census/census.ts";
import { FlowMessage } from "../src/kernel/ctnetlink.ts";
import { type NetlinkReading, netlinkFlows, type NetlinkReadOptions } from "../src/kernel/ctnetlink-dump.ts";
import { writeDump } from "../src/kernel/ctnetlink-encode.ts";
import { insideNamespace, namedNamespace } from "../src/kernel/namespace-enter.ts";
import { MessageType, MessageWriter } from "../src/kernel/netlink.ts";
import {
  NETLINK_NETFILTER,
  type NetlinkSocket,
  openNetlink,
  RECEIVE_BUFFER_BYTES,
  ReceiveBuffer,
} from "../src/kernel/netlink-socket.ts";
import type { FlowColumns } from "../src/table/columns.ts";
import { injectTable } from "../test/support/inject.ts";
import { datagramOf, doneMessage, flowFixtureNames, netlinkFixture } from "../test/support/netlink.ts";
import { type BenchOutput, median } from "./bench.ts";

export const name = "dump";
export const about = "reading a table over netlink against receiving it only";
export const small = { from: "captured messages", flows: 3600 } as const;
export const smallResult = "3600 flows, status 255378, ports 9af624d8";
export const large = { from: "the kernel", flows: 1_000_000 } as const;

/** Rounds of the large size: in each, everything is measured once, in turn. */
const ROUNDS = 7;
/** Flows of the sample. */
const SAMPLE_FLOWS = 20_000;

export function run(size: typeof small | typeof large, out: BenchOutput): void {
  if (size.from === "captured messages") runCaptured(size.flows, out);
  else if (process.getuid?.() === 0) runKernel(size.flows, out);
  else out.skip("needs root, to inject a table into a network namespace");
}

/* ---- Small: captured messages ---- */

function runCaptured(flows: number, out: BenchOutput): void {
  const datagrams = capturedDatagrams(flows);
  const start = performance.now();
  const sums = { flows: 0, status: 0, ports: 0 };
  for (const columns of netlinkFlows({ socket: repeating(datagrams) }).batches()) {
    sums.flows += columns.count;
    for (let row = 0; row < columns.count; row += 1) addRow(columns, row, sums);
  }
  out.figure("decoding captured messages", ((performance.now() - start) * 1e6) / flows, "ns a flow");
  const { status, ports } = sums;
  out.result(`${sums.flows} flows, status ${status.toString(16)}, ports ${ports.toString(16)}`);
}

function addRow(columns: FlowColumns, row: number, sums: { status: number; ports: number }): void {
  sums.status += columns.status[row] as number;
  sums.ports += (columns.originalSourceDiscriminator[row] as number) << (row & 7);
  sums.ports += columns.replyDestinationDiscriminator[row] as number;
}

/** The captured flows again and again, as many a datagram as the kernel sends. */
function capturedDatagrams(flows: number): Uint8Array[] {
  const messages = flowFixtureNames().map((fixture) => netlinkFixture(fixture));
  const datagrams: Uint8Array[] = [];
  let lot: Uint8Array[] = [];
  let bytes = 0;
  for (let index = 0; index < flows; index += 1) {
    const message = messages[index % messages.length] as Uint8Array;
    if (bytes + message.length > RECEIVE_BUFFER_BYTES) {
      datagrams.push(datagramOf(...lot));
      lot = [];
      bytes = 0;
    }
    lot.push(message);
    bytes += message.length;
  }
  const port = capturedPort(messages);
  return [...datagrams, datagramOf(...lot), doneMessage(0, { port })];
}

function capturedPort(messages: readonly Uint8Array[]): number {
  const [first = new Uint8Array(16)] = messages;
  return new DataView(first.buffer, first.byteOffset).getUint32(12, true);
}

function repeating(datagrams: readonly Uint8Array[]): NetlinkSocket {
  let next = 0;
  return {
    port: capturedPort(datagrams),
    send: () => {},
    receive: (buffer) => {
      const datagram = datagrams[next] as Uint8Array;
      next += 1;
      buffer.set(datagram);
      return datagram.length;
    },
    close: () => {},
  };
}

/* ---- Large: the kernel ---- */

function runKernel(flows: number, out: BenchOutput): void {
  const table = injectTable({ flows, prefix: "hr-bench" });
  try {
    const ways = waysOf(table.name);
    const times = ways.map((): number[] => []);
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const [index, { work }] of ways.entries()) {
        const start = performance.now();
        work();
        // The first round is for the compiler.
        if (round > 0) times[index]?.push(performance.now() - start);
      }
    }
    report(ways, times, flows, out);
    out.result(countFlows(read(table.name)));
  } finally {
    table.close();
  }
}

interface Way {
  name: string;
  work: () => void;
  /** Promises: against which other way, and at most what. */
  against?: readonly { name: string; atMost?: number }[];
}

function waysOf(namespace: string): Way[] {
  return [
    { name: "receive only", work: () => receiveOnly(namespace) },
    {
      name: "decode, one thread",
      work: () => void countFlows(read(namespace, { aheadFromFlows: Infinity })),
      against: [{ name: "receive only" }],
    },
    {
      name: "census, one thread",
      work: () => takeCensus(read(namespace, { aheadFromFlows: Infinity })),
      against: [{ name: "receive only" }],
    },
    {
      name: "census",
      work: () => takeCensus(read(namespace)),
      against: [
        { name: "receive only", atMost: 1.1 },
        { name: "conntrack -L", atMost: 0.45 },
        { name: "cat /proc/net/nf_conntrack" },
      ],
    },
    {
      name: "census of a sample",
      work: () => takeCensus(read(namespace, { sampleFlows: SAMPLE_FLOWS })),
      against: [{ name: "conntrack -L", atMost: 0.05 }],
    },
    { name: "conntrack -L", work: () => runInside(namespace, "conntrack -L > /dev/null 2>&1") },
    {
      name: "cat /proc/net/nf_conntrack",
      work: () => runInside(namespace, "cat /proc/net/nf_conntrack > /dev/null"),
    },
  ];
}

function read(namespace: string, options: NetlinkReadOptions = {}): NetlinkReading {
  return insideNamespace(namedNamespace(namespace), () => netlinkFlows(options));
}

function countFlows(reading: NetlinkReading): number {
  let flows = 0;
  for (const columns of reading.batches()) flows += columns.count;
  return flows;
}

function takeCensus(reading: NetlinkReading): void {
  const builder = new CensusBuilder({ settings: {} });
  for (const columns of reading.batches()) builder.add(columns);
  builder.finish({ complete: reading.complete, oddities: reading.oddities });
}

/** The same dump into the same buffer, looked at no further than for its end. */
function receiveOnly(namespace: string): void {
  const socket = insideNamespace(namedNamespace(namespace), () => openNetlink(NETLINK_NETFILTER));
  try {
    const buffer = new ReceiveBuffer();
    const writer = new MessageWriter();
    writeDump(writer, FlowMessage.GET, 1);
    socket.send(writer.bytes());
    do socket.receive(buffer.bytes);
    while (buffer.view.getUint16(4, true) >= MessageType.FIRST_OF_FAMILY);
  } finally {
    socket.close();
  }
}

function runInside(namespace: string, command: string): void {
  spawnSync("ip", ["netns", "exec", namespace, "sh", "-c", command]);
}

/** Ratios are medians of the ratios within each round: a machine busy with other things slows both sides. */
function report(ways: readonly Way[], times: readonly number[][], flows: number, out: BenchOutput): void {
  for (const [index, way] of ways.entries()) {
    const own = times[index] ?? [];
    out.figure(way.name, (median(own) * 1e6) / flows, "ns a flow of the table");
    for (const { name: otherName, atMost } of way.against ?? []) {
      const other = times[ways.findIndex((each) => each.name === otherName)] ?? [];
      const ratios = own.map((ms, round) => ms / (other[round] ?? Number.NaN));
      out.ratio(`${way.name} / ${otherName}`, median(ratios), atMost);
    }
  }
}
