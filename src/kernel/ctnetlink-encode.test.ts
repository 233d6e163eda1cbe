import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseHex, replyMessage } from "../../test/support/netlink.ts";
import { readFlows } from "../../test/support/netlink-flows.ts";
import { type Address, addressFromBytes, addressToWords } from "../table/address.ts";
import { type FlowColumns, Has } from "../table/columns.ts";
import { type Flow, flowAt, type Tuple } from "../table/flow.ts";
import { DCCP, discriminatorOf, GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE } from "../table/protocol.ts";
import { ALL_STATUS } from "../table/status.ts";
import { FlowMessage } from "./ctnetlink.ts";
import {
  discriminatorsOf,
  rowOfTuple,
  writeCreate,
  writeDelete,
  writeDump,
  writeFlush,
  writeGet,
  writeUpdate,
} from "./ctnetlink-encode.ts";
import { messagesOf, MessageWriter } from "./netlink.ts";

function address(...bytes: number[]): Address {
  return addressFromBytes(Uint8Array.from(bytes));
}

const HERE = address(10, 0, 0, 1);
const THERE = address(10, 0, 0, 2);

const tcp: Tuple = {
  kind: "ports",
  protocol: TCP,
  source: HERE,
  destination: THERE,
  sourcePort: 1024,
  destinationPort: 80,
};

const TCP_TUPLE = `3400 0180  1400 0180 0800 0100 0a000001 0800 0200 0a000002
  1c00 0280 0500 0100 06000000 0600 0200 04000000 0600 0300 00500000`;

/* ---- Requests, byte by byte ---- */

const requests: { name: string; write: (writer: MessageWriter) => void; hex: string }[] = [
  {
    name: "a dump of everything",
    write: (writer) => writeDump(writer, FlowMessage.GET, 1),
    hex: "14000000 0101 0103 01000000 00000000 00000000",
  },
  {
    name: "a dump of dying flows of IPv6",
    write: (writer) => writeDump(writer, FlowMessage.GET_DYING, 2, { family: 6 }),
    hex: "14000000 0601 0103 02000000 00000000 0a000000",
  },
  {
    name: "a dump with every filter",
    write: (writer) =>
      writeDump(writer, FlowMessage.GET, 1, {
        family: 4,
        mark: { value: 1, mask: 255 },
        status: { value: 0, mask: 2 },
        zone: 7,
      }),
    hex: `3c000000 0101 0103 01000000 00000000 02000000
      0800 0800 00000001 0800 1500 000000ff 0800 0300 00000000 0800 1a00 00000002 0600 1200 00070000`,
  },
  {
    name: "a flow asked for by its tuple and zone",
    write: (writer) => writeGet(writer, 1, rowOfTuple(tcp, 7), 0),
    hex: `50000000 0101 0500 01000000 00000000 02000000 ${TCP_TUPLE} 0600 1200 00070000`,
  },
  {
    name: "a deletion by tuple and id",
    write: (writer) => {
      const row = rowOfTuple(tcp);
      row.id[0] = 0xa1b2_c3d4;
      row.has[0] = Has.id;
      writeDelete(writer, 1, row, 0);
    },
    hex: `50000000 0201 0500 01000000 00000000 02000000 ${TCP_TUPLE} 0800 0c00 a1b2c3d4`,
  },
  {
    name: "a change of the timeout",
    write: (writer) => {
      const row = rowOfTuple(tcp);
      row.timeoutSeconds[0] = 43_200;
      row.has[0] = Has.timeout;
      writeUpdate(writer, 1, row, 0);
    },
    hex: `50000000 0001 0500 01000000 00000000 02000000 ${TCP_TUPLE} 0800 0700 0000a8c0`,
  },
  {
    name: "a flush of everything, which looks at the family",
    write: (writer) => writeFlush(writer, 1),
    hex: "14000000 0201 0500 01000000 00000000 00010000",
  },
  {
    name: "a flush of IPv4",
    write: (writer) => writeFlush(writer, 1, 4),
    hex: "14000000 0201 0500 01000000 00000000 02010000",
  },
];

for (const { name, write, hex } of requests) {
  test(`the request for ${name}`, () => {
    const writer = new MessageWriter();
    write(writer);
    assert.equal(writer.bytes().toHex(), parseHex(hex).toHex());
  });
}

const discriminators: { name: string; tuple: Tuple; hex: string }[] = [
  {
    name: "ICMP",
    tuple: { kind: "icmp", protocol: ICMP, source: HERE, destination: THERE, type: 8, code: 1, id: 77 },
    hex: "2400 0280 0500 0100 01000000 0600 0400 004d0000 0500 0500 08000000 0500 0600 01000000",
  },
  {
    name: "ICMPv6, which has attributes of its own",
    tuple: { kind: "icmp", protocol: ICMPV6, source: HERE, destination: THERE, type: 128, code: 0, id: 77 },
    hex: "2400 0280 0500 0100 3a000000 0600 0700 004d0000 0500 0800 80000000 0500 0900 00000000",
  },
  {
    name: "GRE, with keys for ports",
    tuple: { kind: "keys", protocol: GRE, source: HERE, destination: THERE, sourceKey: 1, destinationKey: 2 },
    hex: "1c00 0280 0500 0100 2f000000 0600 0200 00010000 0600 0300 00020000",
  },
  {
    name: "a protocol without anything of the kind",
    tuple: { kind: "none", protocol: 99, source: HERE, destination: THERE },
    hex: "0c00 0280 0500 0100 63000000",
  },
];

for (const { name, tuple, hex } of discriminators) {
  test(`the tuple of ${name}`, () => {
    const writer = new MessageWriter();
    writeGet(writer, 1, rowOfTuple(tuple), 0);
    const behindAddresses = writer.bytes().subarray(44);
    assert.equal(behindAddresses.toHex(), parseHex(hex).toHex());
  });
}

/* ---- There and back ---- */

function anyAddress(family: 4 | 6): fc.Arbitrary<Address> {
  const length = family === 4 ? 4 : 16;
  return fc.uint8Array({ minLength: length, maxLength: length }).map(addressFromBytes);
}

/** Records as the code makes them, with a prototype. */
function plain<T>(members: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(members, { noNullPrototype: true });
}

function anyTuple(family: 4 | 6, protocol: number): fc.Arbitrary<Tuple> {
  const port = fc.nat({ max: 65_535 });
  const ends = {
    protocol: fc.constant(protocol),
    source: anyAddress(family),
    destination: anyAddress(family),
  };
  switch (discriminatorOf(protocol)) {
    case "ports":
      return plain({ kind: fc.constant("ports"), ...ends, sourcePort: port, destinationPort: port });
    case "keys":
      return plain({ kind: fc.constant("keys"), ...ends, sourceKey: port, destinationKey: port });
    case "icmp": {
      const byte = fc.nat({ max: 255 });
      return plain({ kind: fc.constant("icmp"), ...ends, type: byte, code: byte, id: port });
    }
    case "none":
      return plain({ kind: fc.constant("none"), ...ends });
  }
}

const word = fc.nat({ max: 0xffff_ffff });

const anyFlow: fc.Arbitrary<Flow> = fc
  .record({
    family: fc.constantFrom(4 as const, 6 as const),
    protocol: fc.constantFrom(ICMP, TCP, UDP, DCCP, GRE, ICMPV6, SCTP, UDPLITE, 50),
  })
  .chain(({ family, protocol }) =>
    fc.record(
      {
        family: fc.constant(family),
        protocol: fc.constant(protocol),
        original: anyTuple(family, protocol),
        reply: anyTuple(family, protocol),
        knownStatus: fc.constant(ALL_STATUS),
        timeoutSeconds: word,
        status: word,
        mark: word,
        zone: fc.nat({ max: 65_535 }),
        originalZone: fc.nat({ max: 65_535 }),
        replyZone: fc.nat({ max: 65_535 }),
      },
      { requiredKeys: ["family", "protocol", "original", "reply", "knownStatus"], noNullPrototype: true },
    ),
  );

/** The flow as a row: what flowAt() makes a flow of. */
function rowOf(flow: Flow): FlowColumns {
  const columns = rowOfTuple(flow.original);
  const { reply } = flow;
  assert.ok(reply !== undefined);
  addressToWords(reply.source, columns.replySource, 0);
  addressToWords(reply.destination, columns.replyDestination, 0);
  const [first, second] = discriminatorsOf(reply);
  columns.replySourceDiscriminator[0] = first;
  columns.replyDestinationDiscriminator[0] = second;
  const { timeoutSeconds, status, mark, zone, originalZone, replyZone } = flow;
  columns.timeoutSeconds[0] = timeoutSeconds ?? 0;
  columns.status[0] = status ?? 0;
  columns.mark[0] = mark ?? 0;
  columns.zone[0] = zone ?? 0;
  columns.originalZone[0] = originalZone ?? 0;
  columns.replyZone[0] = replyZone ?? 0;
  columns.has[0] =
    Has.reply |
    (timeoutSeconds === undefined ? 0 : Has.timeout) |
    (status === undefined ? 0 : Has.status) |
    (mark === undefined ? 0 : Has.mark) |
    (zone === undefined ? 0 : Has.zone) |
    (originalZone === undefined ? 0 : Has.originalZone) |
    (replyZone === undefined ? 0 : Has.replyZone);
  return columns;
}

/** The request as if the kernel dumped it. */
function dumped(writer: MessageWriter): Uint8Array {
  const body = messagesOf(writer.bytes()).messages[0]?.body ?? new Uint8Array(0);
  return replyMessage({ type: 0x100, flags: 2 }, body.slice());
}

test("what writeCreate() writes of a flow reads back as that flow", () => {
  fc.assert(
    fc.property(fc.array(anyFlow, { minLength: 1, maxLength: 6 }), (flows) => {
      const messages = flows.map((flow) => {
        const writer = new MessageWriter(8);
        writeCreate(writer, 1, rowOf(flow), 0);
        return dumped(writer);
      });
      const found = readFlows(messages);
      assert.deepEqual(found.oddities, {});
      assert.deepEqual(found.flows, flows);
    }),
  );
});

const states: { name: string; protocol: number; set: (columns: FlowColumns) => void; flow: Partial<Flow> }[] =
  [
    {
      name: "TCP with scales and flags",
      protocol: TCP,
      set: (columns) => {
        columns.state[0] = 3;
        columns.tcpInfo[0] = 0x0708_230a;
        columns.has[0] = (columns.has[0] as number) | Has.state | Has.tcpInfo;
      },
      flow: {
        state: "ESTABLISHED",
        tcpInfo: { originalScale: 7, replyScale: 8, originalFlags: 0x23, replyFlags: 10 },
      },
    },
    {
      name: "SCTP with its tags",
      protocol: SCTP,
      set: (columns) => {
        columns.state[0] = 4;
        columns.originalVtag[0] = 1;
        columns.replyVtag[0] = 0xffff_ffff;
        columns.has[0] = (columns.has[0] as number) | Has.state | Has.vtags;
      },
      flow: { state: "ESTABLISHED", vtags: { original: 1, reply: 0xffff_ffff } },
    },
    {
      name: "DCCP with role and sequence",
      protocol: DCCP,
      set: (columns) => {
        columns.state[0] = 4;
        columns.has[0] = (columns.has[0] as number) | Has.state;
        columns.rareAt(0).dccp = { role: 1, handshake: 281_474_976_710_655 };
      },
      flow: { state: "OPEN", rare: { dccp: { role: 1, handshake: 281_474_976_710_655 } } },
    },
    {
      name: "UDP with labels and a helper",
      protocol: UDP,
      set: (columns) => {
        columns.rareAt(0).labels = new Uint8Array(16).fill(5);
        columns.rareAt(0).helper = "tftp";
      },
      flow: { rare: { helper: "tftp", labels: new Uint8Array(16).fill(5) } },
    },
  ];

for (const { name, protocol, set, flow } of states) {
  test(`what writeCreate() writes of ${name} reads back`, () => {
    const columns = rowOf({ ...flowAt(rowOfTuple(tcp), 0), reply: tcp });
    columns.protocol[0] = protocol;
    set(columns);
    const writer = new MessageWriter();
    writeCreate(writer, 1, columns, 0);
    const { flows, oddities } = readFlows([dumped(writer)]);
    assert.deepEqual(oddities, {});
    for (const [key, value] of Object.entries(flow)) assert.deepEqual(flows[0]?.[key as keyof Flow], value);
  });
}
