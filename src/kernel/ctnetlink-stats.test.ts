import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attribute,
  datagramOf,
  doneMessage,
  errorMessage,
  functionSocket,
  type FunctionSocket,
  machineWord,
  netlinkFixture,
  replyMessage,
} from "../../test/support/netlink.ts";
import { netlinkCounters, netlinkExpectations, netlinkOccupancy } from "./ctnetlink-stats.ts";
import { messagesOf } from "./netlink.ts";

const FLOW_STATS = 0x104;
const TABLE_STATS = 0x105;
const EXPECTATION_STATS = 0x203;

/** The captured answers of the kernel, and its port. */
function capturedSocket(): FunctionSocket {
  const byType: Record<number, string> = {
    [FLOW_STATS]: "counters",
    [EXPECTATION_STATS]: "expectation-counters",
    [TABLE_STATS]: "occupancy",
  };
  const { port } = portOf("counters");
  return functionSocket(({ type }) => [netlinkFixture(byType[type] ?? "done")], port);
}

function portOf(name: string): { port: number } {
  const bytes = netlinkFixture(name);
  return { port: new DataView(bytes.buffer).getUint32(12, true) };
}

/** The answer of one CPU: attribute numbers with counts. */
function cpuMessage(cpu: number, counts: Record<number, number>, sequence: number): Uint8Array {
  const attributes = Object.entries(counts).map(([type, count]) =>
    attribute(Number(type), machineWord(count).toReversed()),
  );
  const body = datagramOf(Uint8Array.of(0, 0, cpu >> 8, cpu & 255), ...attributes);
  return replyMessage({ type: FLOW_STATS, flags: 2, sequence }, body);
}

test("netlinkCounters() reads what this kernel answers", () => {
  const counters = netlinkCounters({ socket: capturedSocket(), release: "6.18.44" });
  assert.equal(counters.source, "netlink");
  assert.equal(counters.occupancyFlows, 2);
  assert.equal(counters.perCpu.length, 2);
  assert.deepEqual(counters.total, {
    found: 0,
    invalid: 0,
    insert: 1,
    insertFailed: 0,
    drop: 0,
    earlyDrop: 0,
    icmpError: 0,
    searchRestart: 0,
    clashResolved: 0,
    chainTooLong: 0,
    expectNew: 0,
    expectCreate: 0,
    expectDelete: 0,
  });
  assert.deepEqual(
    counters.notCounted.map(({ name }) => name),
    ["searched", "new", "ignore", "delete", "deleteList"],
  );
  assert.deepEqual(counters.unknown, []);
});

test("netlinkCounters() sums up by name over CPUs in any order and keeps unknown attributes", () => {
  const socket = functionSocket(({ type, sequence }) => {
    if (type !== FLOW_STATS) return [errorMessage(95, { sequence })];
    const cpus = [
      cpuMessage(300, { 10: 5, 40: 2 }, sequence),
      cpuMessage(0, { 10: 0xffff_ffff, 40: 1 }, sequence),
    ];
    return [datagramOf(...cpus), doneMessage(0, { sequence })];
  });
  const counters = netlinkCounters({ socket });
  assert.deepEqual(counters.total, { drop: 0x1_0000_0004 });
  assert.deepEqual(counters.perCpu, [
    { cpu: 0, values: { drop: 0xffff_ffff } },
    { cpu: 300, values: { drop: 5 } },
  ]);
  assert.deepEqual(counters.unknown, [{ name: "attribute 40", total: 3 }]);
  assert.equal(counters.occupancyFlows, undefined);
  assert.ok(counters.notCounted.some(({ name }) => name === "expectNew"));
  assert.equal(socket.closed, true);
});

test("netlinkCounters() leaves out what is no number", () => {
  const socket = functionSocket(({ type, sequence }) => {
    if (type !== FLOW_STATS) return [errorMessage(22, { sequence })];
    const body = datagramOf(new Uint8Array(4), attribute(10, Uint8Array.of(1, 2, 3)));
    return [replyMessage({ type, flags: 2, sequence }, body), doneMessage(0, { sequence })];
  });
  assert.deepEqual(netlinkCounters({ socket }).total, {});
});

test("netlinkCounters() fails in a sentence", () => {
  const refused = functionSocket(() => [errorMessage(1)]);
  assert.throws(() => netlinkCounters({ socket: refused }), {
    code: "not-permitted",
    message:
      /^Cannot read the counters of connection tracking over netlink: .*; run as root or with CAP_NET_ADMIN$/,
  });
  assert.equal(refused.closed, true);
  const damaged = functionSocket(() => [replyMessage({ type: FLOW_STATS, flags: 2 }, Uint8Array.of(0, 0))]);
  assert.throws(() => netlinkCounters({ socket: damaged }), { code: "io", message: /damaged answer/ });
});

test("every cut of a captured answer gives counters or a KernelError", () => {
  for (const [name, type] of [
    ["counters", FLOW_STATS],
    ["occupancy", TABLE_STATS],
  ] as const) {
    const [message] = messagesOf(netlinkFixture(name)).messages;
    for (let end = 0; end <= (message?.body.length ?? 0); end++) {
      const body = message?.body.subarray(0, end) ?? new Uint8Array(0);
      const socket = functionSocket(({ type: asked, sequence }) =>
        asked === type
          ? [replyMessage({ type, flags: 2, sequence }, body), doneMessage(0, { sequence })]
          : [errorMessage(95, { sequence })],
      );
      const read = type === FLOW_STATS ? netlinkCounters : netlinkOccupancy;
      if (type === FLOW_STATS && end < 4) assert.throws(() => read({ socket }), { code: "io" });
      else assert.doesNotThrow(() => read({ socket }));
    }
  }
});

test("netlinkOccupancy() reads flows and limit", () => {
  const bytes = netlinkFixture("occupancy");
  const { sequence, port } = {
    sequence: new DataView(bytes.buffer).getUint32(8, true),
    ...portOf("occupancy"),
  };
  assert.equal(sequence, 3, "the third of the captured requests");
  const counters = netlinkCounters({ socket: capturedSocket() });
  assert.equal(counters.occupancyFlows, 2);
  const first = netlinkFixture("occupancy");
  new DataView(first.buffer).setUint32(8, 1, true);
  new DataView(first.buffer).setUint32(36 + 8, 1, true);
  const socket = functionSocket(() => [first], port);
  assert.deepEqual(netlinkOccupancy({ socket }), { occupancyFlows: 2, capacityFlows: 262_144 });
});

test("netlinkOccupancy() of a kernel that does not tell is undefined", () => {
  assert.equal(netlinkOccupancy({ socket: functionSocket(() => [errorMessage(22)]) }), undefined);
});

test("netlinkExpectations() counts a dump of expectations", () => {
  const expectation = replyMessage({ type: 0x200, flags: 2 }, new Uint8Array(4));
  const socket = functionSocket(() => [datagramOf(expectation, expectation), doneMessage()]);
  assert.equal(netlinkExpectations({ socket }), 2);
  assert.equal(socket.requests[0]?.type, 0x201);
});
