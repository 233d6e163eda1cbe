import assert from "node:assert/strict";
import { test } from "node:test";
import { flowMessage, plainTuples } from "../../test/support/netlink-flows.ts";
import {
  type Answer,
  attribute,
  datagramOf,
  doneMessage,
  errorMessage,
  functionSocket,
  type FunctionSocket,
  machineWord,
  netlinkFixture,
  replaySocket,
} from "../../test/support/netlink.ts";
import { addressFromBytes } from "../table/address.ts";
import type { Tuple } from "../table/flow.ts";
import { type NetlinkReadOptions, netlinkDyingFlows, netlinkFlow, netlinkFlows } from "./ctnetlink-dump.ts";
import { KernelError } from "./error.ts";

/** A flow with this mark and further attributes. */
function marked(mark: number, ...more: Uint8Array[]): Uint8Array {
  return flowMessage(...plainTuples(), attribute(8, machineWord(mark).toReversed()), ...more);
}

function socketOf(...datagrams: Answer[]): FunctionSocket {
  return functionSocket(() => datagrams);
}

interface Read {
  marks: number[];
  batches: number;
  complete: boolean;
  oddities: object;
}

function read(socket: FunctionSocket, options: NetlinkReadOptions = {}): Read {
  const reading = netlinkFlows({ ...options, socket });
  const marks: number[] = [];
  let batches = 0;
  for (const columns of reading.batches()) {
    batches += 1;
    marks.push(...columns.mark.subarray(0, columns.count));
  }
  return { marks, batches, complete: reading.complete, oddities: reading.oddities };
}

test("netlinkFlows() gives every flow, a batch a datagram, and closes its socket", () => {
  const socket = socketOf(datagramOf(marked(1), marked(2)), marked(3), doneMessage());
  assert.deepEqual(read(socket), { marks: [1, 2, 3], batches: 2, complete: true, oddities: {} });
  assert.equal(socket.closed, true);
});

test("netlinkFlows() gives the same flows however the dump is split", () => {
  const messages = [marked(1), marked(2), marked(3), doneMessage()];
  for (let cut = 1; cut < messages.length; cut++) {
    const parts = [messages.slice(0, cut), messages.slice(cut)].map((part) => datagramOf(...part));
    assert.deepEqual(read(socketOf(...parts)).marks, [1, 2, 3]);
  }
});

test("netlinkFlows() of an empty table has no batch and is complete", () => {
  assert.deepEqual(read(socketOf(doneMessage())), { marks: [], batches: 0, complete: true, oddities: {} });
});

test("netlinkFlows() refuses at once, with what helps", () => {
  const socket = replaySocket([netlinkFixture("error-not-permitted")]);
  assert.throws(() => netlinkFlows({ socket }), {
    code: "not-permitted",
    message:
      "Cannot read the connection-tracking table over netlink: operation not permitted (EPERM); " +
      "run as root or with CAP_NET_ADMIN",
  });
  assert.equal(socket.closed, true);
});

const refusals: { errno: number; code: string; help: RegExp }[] = [
  { errno: 22, code: "module-missing", help: /nf_conntrack_netlink/ },
  { errno: 95, code: "unsupported", help: /does not know the request/ },
  { errno: 12, code: "out-of-memory", help: /short of memory/ },
  { errno: 5, code: "io", help: /\(EIO\)$/ },
];

for (const { errno, code, help } of refusals) {
  test(`netlinkFlows() turns error number ${errno} into a sentence`, () => {
    assert.throws(() => netlinkFlows({ socket: socketOf(errorMessage(errno)) }), { code, message: help });
  });
}

test("netlinkFlows() fails when the dump ends in an error", () => {
  const socket = socketOf(marked(1), doneMessage(12));
  assert.throws(() => read(socket), { code: "out-of-memory" });
  assert.equal(socket.closed, true);
});

test("netlinkFlows() reports a disturbed dump and keeps its flows", () => {
  const socket = socketOf(marked(1), doneMessage(0, { flags: 0x12 }));
  assert.deepEqual(read(socket), { marks: [1], batches: 1, complete: false, oddities: { interrupted: 1 } });
});

test("netlinkFlows() reports an overrun and goes on", () => {
  const overrun = new KernelError("no-buffer-space", "Cannot receive over netlink");
  assert.deepEqual(read(socketOf(marked(1), overrun, marked(2), doneMessage())), {
    marks: [1, 2],
    batches: 2,
    complete: false,
    oddities: { overruns: 1 },
  });
});

test("netlinkFlows() reports a message cut by the buffer and goes on", () => {
  const cut = datagramOf(marked(1), flowMessage(attribute(0x8005, attribute(1, new Uint8Array(40_000)))));
  assert.deepEqual(read(socketOf(cut, marked(2), doneMessage())), {
    marks: [1, 2],
    batches: 2,
    complete: false,
    oddities: { truncatedMessages: 1 },
  });
});

test("netlinkFlows() fails rather than hang when the end never comes", () => {
  assert.throws(() => read(socketOf(marked(1))), { code: "timed-out" });
});

/* ---- Samples ---- */

test("netlinkFlows() as a sample stops after the datagram that makes it full", () => {
  const socket = socketOf(
    datagramOf(marked(1), marked(2)),
    datagramOf(marked(3), marked(4)),
    marked(5),
    doneMessage(),
  );
  assert.deepEqual(read(socket, { sampleFlows: 3 }), {
    marks: [1, 2, 3, 4],
    batches: 2,
    complete: false,
    oddities: {},
  });
  assert.equal(socket.closed, true);
});

test("netlinkFlows() as a sample of more than there is reads everything", () => {
  const socket = socketOf(datagramOf(marked(1), marked(2)), doneMessage());
  assert.deepEqual(read(socket, { sampleFlows: 3 }), {
    marks: [1, 2],
    batches: 1,
    complete: true,
    oddities: {},
  });
});

test("netlinkFlows() closes its socket when the reader leaves early, or never begins", () => {
  const left = socketOf(marked(1), marked(2), doneMessage());
  const reading = netlinkFlows({ socket: left });
  for (const columns of reading.batches()) {
    assert.equal(columns.count, 1);
    break;
  }
  assert.equal(left.closed, true);
  assert.equal(reading.complete, false);
  const unread = socketOf(marked(1), doneMessage());
  netlinkFlows({ socket: unread }).close();
  assert.equal(unread.closed, true);
});

test("netlinkFlows() is read once", () => {
  const reading = netlinkFlows({ socket: socketOf(doneMessage()) });
  assert.deepEqual([...reading.batches()], []);
  assert.throws(() => [...reading.batches()], /read once/);
});

/* ---- Filters ---- */

function status(bits: number): Uint8Array {
  return attribute(3, machineWord(bits).toReversed());
}

function zone(number: number): Uint8Array {
  return attribute(18, Uint8Array.of(number >> 8, number & 255));
}

const filters: { name: string; options: NetlinkReadOptions; messages: Uint8Array[]; marks: number[] }[] = [
  {
    name: "mark",
    options: { mark: { value: 1, mask: 3 } },
    messages: [marked(1), marked(2), marked(5), marked(0)],
    marks: [1, 5],
  },
  {
    name: "status",
    options: { status: { value: 0, mask: 2 } },
    messages: [marked(1, status(2)), marked(2, status(4)), marked(3, status(0))],
    marks: [2, 3],
  },
  {
    name: "family",
    options: { family: 6 },
    messages: [marked(1), marked(2)],
    marks: [],
  },
  {
    name: "zone",
    options: { zone: 7 },
    messages: [marked(1), marked(2, zone(7)), marked(3, zone(8))],
    marks: [2],
  },
  {
    name: "zone 0, which flows without a zone are in",
    options: { zone: 0 },
    messages: [marked(1), marked(2, zone(7))],
    marks: [1],
  },
];

for (const { name, options, messages, marks } of filters) {
  test(`netlinkFlows() holds every row against the ${name}, whatever the kernel makes of it`, () => {
    const socket = socketOf(datagramOf(...messages), doneMessage());
    assert.deepEqual(read(socket, options).marks, marks);
  });
}

test("netlinkFlows() drops the rare fields of a row with the row", () => {
  const labels = attribute(22, new Uint8Array(16).fill(1));
  const socket = socketOf(datagramOf(marked(1, labels), marked(2)), doneMessage());
  for (const columns of netlinkFlows({ socket, mark: { value: 2, mask: 255 } }).batches()) {
    assert.equal(columns.count, 1);
    assert.equal(columns.rare.size, 0);
  }
});

/* ---- One flow, dying flows ---- */

const tuple: Tuple = {
  kind: "ports",
  protocol: 6,
  source: addressFromBytes(Uint8Array.of(10, 0, 0, 1)),
  destination: addressFromBytes(Uint8Array.of(10, 0, 0, 2)),
  sourcePort: 1024,
  destinationPort: 80,
};

test("netlinkFlow() gives the flow of a tuple", () => {
  const socket = socketOf(marked(5), errorMessage(0));
  const flow = netlinkFlow(tuple, { socket });
  assert.equal(flow?.mark, 5);
  assert.deepEqual(flow.original, tuple);
  assert.equal(socket.closed, true);
});

test("netlinkFlow() gives undefined when there is no such flow, and other errors as they are", () => {
  assert.equal(netlinkFlow(tuple, { socket: socketOf(errorMessage(2)) }), undefined);
  const refused = socketOf(errorMessage(1));
  assert.throws(() => netlinkFlow(tuple, { socket: refused }), { code: "not-permitted" });
  assert.equal(refused.closed, true);
});

test("netlinkDyingFlows() counts what GET_DYING gives", () => {
  const socket = socketOf(datagramOf(marked(1), marked(2)), marked(3), doneMessage());
  assert.equal(netlinkDyingFlows({ socket }), 3);
  assert.equal(socket.requests[0]?.type, 0x106);
});
