import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assertGolden } from "../../test/support/golden.ts";
import {
  anyFlowMessages,
  flowMessage,
  lengthsFit,
  plainTuples,
  readFlows,
  tupleAttribute,
} from "../../test/support/netlink-flows.ts";
import {
  attribute,
  datagramOf,
  doneMessage,
  flowFixtureNames,
  machineWord,
  netlinkFixture,
  replaySocket,
  replyMessage,
} from "../../test/support/netlink.ts";
import { ADDRESS_WORDS, addressFromBytes, formatAddress } from "../table/address.ts";
import { Has } from "../table/columns.ts";
import { type Flow, flowAt, type Tuple } from "../table/flow.ts";
import { statusNames } from "../table/status.ts";
import { flowLevel } from "./ctnetlink.ts";
import { netlinkFlows } from "./ctnetlink-dump.ts";
import { messagesOf } from "./netlink.ts";

/** 32 bits in network order. */
function word(value: number): Uint8Array {
  return machineWord(value).toReversed();
}

/** 64 bits in network order. */
function wide(high: number, low: number): Uint8Array {
  return Uint8Array.of(...word(high), ...word(low));
}

/** A nest. */
function nest(type: number, ...inner: Uint8Array[]): Uint8Array {
  return attribute(0x8000 | type, ...inner);
}

/** The one flow of a message with plain tuples and these attributes. */
function flowWith(...attributes: Uint8Array[]): Flow {
  const { flows, oddities } = readFlows([flowMessage(...plainTuples(), ...attributes)]);
  assert.deepEqual(oddities, {});
  assert.equal(flows.length, 1);
  return flows[0] as Flow;
}

/* ---- Captured messages ---- */

function tupleText(tuple: Tuple): string {
  const { kind, protocol, source, destination, ...rest } = tuple;
  const parts = Object.entries(rest).map(([name, value]) => `${name}=${value}`);
  return [kind, protocol, formatAddress(source), formatAddress(destination), ...parts].join(" ");
}

function flowLines(flow: Flow): string[] {
  const { original, reply, status = 0, rare, ...rest } = flow;
  const lines = [`original ${tupleText(original)}`];
  if (reply !== undefined) lines.push(`reply ${tupleText(reply)}`);
  lines.push(`status ${statusNames(status).join(" ")}`);
  for (const [name, value] of Object.entries(rest)) lines.push(`${name} ${JSON.stringify(value)}`);
  if (rare !== undefined) {
    const plain = (_: string, value: unknown): unknown =>
      value instanceof Uint8Array || value instanceof Uint32Array ? [...value] : value;
    lines.push(`rare ${JSON.stringify(rare, plain)}`);
  }
  return lines;
}

test("FlowDecoder reads every captured flow", () => {
  const lines = flowFixtureNames().flatMap((name) => {
    const socket = replaySocket([netlinkFixture(name), doneMessage(0, { port: portOf(name) })]);
    const flows: string[] = [];
    const reading = netlinkFlows({ socket });
    for (const columns of reading.batches()) flows.push(...flowLines(flowAt(columns, 0)));
    assert.deepEqual(reading.oddities, {}, name);
    return [`# ${name}`, ...flows, ""];
  });
  assertGolden("kernel/netlink-flows.txt", lines.slice(0, -1));
});

function portOf(name: string): number {
  return messagesOf(netlinkFixture(name)).messages[0]?.port ?? 0;
}

test("FlowDecoder at every cut of every captured flow gives a row or an oddity and nothing else", () => {
  for (const name of flowFixtureNames()) {
    const whole = netlinkFixture(name);
    for (let end = 16; end < whole.length; end++) {
      const message = replyMessage({ type: 0x100, flags: 2 }, whole.subarray(16, end));
      const { flows, oddities } = readFlows([message]);
      assert.equal(flows.length, end < 20 ? 0 : 1);
      const known = ["malformedAttributes", "unknownAttributes"];
      assert.ok(Object.keys(oddities).every((oddity) => known.includes(oddity)));
    }
  }
});

/* ---- Shapes ---- */

test("FlowDecoder gives each message the same row whatever came before it", () => {
  fc.assert(
    fc.property(anyFlowMessages(), (messages) => {
      const together = readFlows([...messages, ...messages]);
      const apart = [...messages, ...messages].map((message) => readFlows([message]));
      assert.deepEqual(
        together.flows,
        apart.flatMap(({ flows }) => flows),
      );
      for (const oddity of ["malformedAttributes", "unknownAttributes", "saturated"] as const) {
        const sum = apart.reduce((count, { oddities }) => count + (oddities[oddity] ?? 0), 0);
        assert.equal(together.oddities[oddity] ?? 0, sum);
      }
    }),
    { numRuns: 300 },
  );
});

test("the generated messages have values of the lengths the kernel uses", () => {
  assert.ok(lengthsFit());
});

test("FlowDecoder tells messages apart that differ in one header only", () => {
  // MARK and SECMARK are equally long; so are STATUS as a nest and as a value.
  const mark = flowMessage(...plainTuples(), attribute(8, word(5)));
  const secmark = flowMessage(...plainTuples(), attribute(17, word(6)));
  const unknown = flowMessage(...plainTuples(), attribute(99, word(7)));
  const { flows, oddities } = readFlows([mark, secmark, unknown, secmark, mark]);
  assert.deepEqual(
    flows.map((flow) => [flow.mark, flow.secmark]),
    [
      [5, undefined],
      [undefined, 6],
      [undefined, undefined],
      [undefined, 6],
      [5, undefined],
    ],
  );
  assert.deepEqual(oddities, { unknownAttributes: 1 });
});

test("FlowDecoder keeps up with more shapes of one length than it remembers", () => {
  const types = [3, 7, 8, 11, 12, 17, 21];
  const messages = types.map((type) => flowMessage(...plainTuples(), attribute(type, word(type))));
  const { flows, oddities } = readFlows([...messages, ...messages.toReversed()]);
  assert.equal(flows.length, 14);
  assert.deepEqual(flows[0], flows[13]);
  assert.deepEqual(
    flows.map(({ timeoutSeconds }) => timeoutSeconds).filter((seconds) => seconds !== undefined),
    [7, 7],
  );
  assert.deepEqual(oddities, {});
});

test("FlowDecoder leaves zeros behind IPv4 addresses in rows that held IPv6 before", () => {
  const six = (last: number): number[] => [...Array.from({ length: 15 }, () => 255), last];
  const ipv6 = flowMessage(
    tupleAttribute(1, six(1), six(2), [0, 1], [0, 2]),
    tupleAttribute(2, six(2), six(1), [0, 2], [0, 1]),
  );
  const messages = [ipv6, flowMessage(...plainTuples()), ipv6, flowMessage(), flowMessage(...plainTuples())];
  const reading = netlinkFlows({ socket: replaySocket([...messages, doneMessage()]) });
  let batch = 0;
  for (const columns of reading.batches()) {
    const words = [columns.originalSource, columns.originalDestination, columns.replySource];
    const behind = words.flatMap((column) => [...column.subarray(1, ADDRESS_WORDS)]);
    if (batch % 2 === 1 || batch === 4) assert.deepEqual(new Set(behind), new Set([0]), `batch ${batch}`);
    batch += 1;
  }
  assert.equal(batch, 5);
});

/* ---- What no kernel at hand sends ---- */

test("FlowDecoder reads the 32-bit counters of kernels up to 2.6.26", () => {
  const flow = flowWith(
    nest(9, attribute(3, word(7)), attribute(4, word(0xffff_ffff))),
    nest(10, attribute(3, word(1)), attribute(4, word(2))),
  );
  assert.deepEqual(flow.originalTraffic, { packets: 7, bytes: 0xffff_ffff });
  assert.deepEqual(flow.replyTraffic, { packets: 1, bytes: 2 });
});

test("FlowDecoder saturates counters beyond 2^53 and says so", () => {
  const counters = nest(9, attribute(1, wide(0x1f_ffff, 0xffff_ffff)), attribute(2, wide(0x20_0000, 0)));
  const { flows, oddities } = readFlows([flowMessage(...plainTuples(), counters)]);
  assert.equal(flows[0]?.originalTraffic?.bytes, Number.MAX_SAFE_INTEGER);
  assert.equal(oddities.saturated, 2, "the greatest exact number cannot be told from a saturated one");
});

test("FlowDecoder reads nanoseconds of the wall clock as milliseconds", () => {
  // 2026-11-22T12:34:56.789Z and a millisecond less a nanosecond later.
  const started = 1_795_350_896_789n * 1_000_000n;
  const stopped = started + 999_999n;
  const bytes = (value: bigint): Uint8Array => wide(Number(value >> 32n), Number(value & 0xffff_ffffn));
  const flow = flowWith(nest(20, attribute(1, bytes(started)), attribute(2, bytes(stopped))));
  assert.equal(flow.startedAtMs, 1_795_350_896_789);
  assert.equal(flow.stoppedAtMs, 1_795_350_896_789);
});

test("FlowDecoder reads a DCCP flow of kernels that track it", () => {
  const dccp = nest(
    4,
    nest(2, attribute(1, Uint8Array.of(4)), attribute(2, Uint8Array.of(1)), attribute(3, wide(1, 2))),
  );
  const flow = flowWith(dccp);
  assert.deepEqual(flow.rare?.dccp, { role: 1, handshake: 4_294_967_298 });
});

test("FlowDecoder reads SCTP state and tags", () => {
  const sctp = nest(4, nest(3, attribute(1, Uint8Array.of(4)), attribute(2, word(1)), attribute(3, word(2))));
  assert.deepEqual(flowWith(sctp).vtags, { original: 1, reply: 2 });
});

test("FlowDecoder reads helper, security context, secmark and a master tuple", () => {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const flow = flowWith(
    nest(5, attribute(1, text("ftp\0")), attribute(2, Uint8Array.of(1, 2, 3))),
    nest(19, attribute(1, text("system_u:object_r:t:s0\0"))),
    attribute(17, word(9)),
    tupleAttribute(14, [10, 0, 0, 9], [10, 0, 0, 8], [0, 20], [0, 21]),
  );
  assert.equal(flow.rare?.helper, "ftp");
  assert.equal(flow.rare?.securityContext, "system_u:object_r:t:s0");
  assert.equal(flow.secmark, 9);
  const { master } = flow.rare ?? {};
  assert.equal(master?.family, 4);
  assert.equal(master.source[0], 0x0a00_0009);
  assert.deepEqual([master.sourceDiscriminator, master.destinationDiscriminator], [20, 21]);
});

test("FlowDecoder copies labels out of the receive buffer", () => {
  const labels = Uint8Array.from({ length: 16 }, (_, index) => index);
  assert.deepEqual([...(flowWith(attribute(22, labels)).rare?.labels ?? [])], [...labels]);
});

test("FlowDecoder keeps the last of an attribute that comes twice, as the kernel does", () => {
  assert.equal(flowWith(attribute(8, word(1)), attribute(8, word(2))).mark, 2);
});

test("FlowDecoder takes attributes without the nest bit of older kernels", () => {
  const [original = new Uint8Array(0), reply = new Uint8Array(0)] = plainTuples();
  for (const tuple of [original, reply]) tuple[3] = 0;
  const { flows } = readFlows([flowMessage(original, reply)]);
  assert.deepEqual(flows[0]?.original, flowWith().original);
});

test("FlowDecoder knows the attributes that say nothing about the table and keeps none of them", () => {
  const flow = flowWith(
    nest(15, attribute(1, word(1)), attribute(2, word(2)), attribute(3, word(3))),
    nest(24, attribute(1, word(1)), attribute(2, word(2)), attribute(3, word(3))),
    attribute(27, wide(1, 2)),
  );
  assert.deepEqual(flow, flowWith());
});

/* ---- Absent and odd ---- */

test("FlowDecoder leaves absent what is absent", () => {
  const { flows } = readFlows([flowMessage(...plainTuples())]);
  const names = Object.keys(flows[0] ?? {});
  assert.deepEqual(names, ["family", "protocol", "original", "knownStatus", "reply"]);
});

test("FlowDecoder keeps zeros apart from what is absent", () => {
  const flow = flowWith(attribute(7, word(0)), attribute(8, word(0)), attribute(3, word(0)));
  assert.deepEqual([flow.timeoutSeconds, flow.mark, flow.status], [0, 0, 0]);
});

/** Every attribute of a level that has a value, with the path to it. */
const unknownPlaces: { name: string; message: Uint8Array; path: string }[] = [
  { name: "a flow", message: flowMessage(...plainTuples(), attribute(60, word(1))), path: "60" },
  {
    name: "a tuple",
    message: flowMessage(
      tupleAttribute(1, [10, 0, 0, 1], [10, 0, 0, 2], [0, 1], [0, 2], { tuple: attribute(9) }),
    ),
    path: "TUPLE_ORIG/9",
  },
  {
    name: "a tuple's addresses",
    message: flowMessage(
      ...plainTuples(),
      tupleAttribute(2, [10, 0, 0, 2], [10, 0, 0, 1], [0, 80], [4, 0], { ip: attribute(5) }),
    ),
    path: "TUPLE_REPLY/TUPLE_IP/5",
  },
  {
    name: "a tuple's protocol",
    message: flowMessage(
      tupleAttribute(14, [10, 0, 0, 1], [10, 0, 0, 2], [0, 1], [0, 2], { protocol: attribute(10) }),
    ),
    path: "TUPLE_MASTER/TUPLE_PROTO/10",
  },
  { name: "PROTOINFO", message: flowMessage(nest(4, nest(4, attribute(1)))), path: "PROTOINFO/4" },
  { name: "TCP", message: flowMessage(nest(4, nest(1, attribute(6)))), path: "PROTOINFO/PROTOINFO_TCP/6" },
  { name: "DCCP", message: flowMessage(nest(4, nest(2, attribute(5)))), path: "PROTOINFO/PROTOINFO_DCCP/5" },
  { name: "SCTP", message: flowMessage(nest(4, nest(3, attribute(4)))), path: "PROTOINFO/PROTOINFO_SCTP/4" },
  { name: "counters", message: flowMessage(nest(9, attribute(6))), path: "COUNTERS_ORIG/6" },
  { name: "a helper", message: flowMessage(nest(5, attribute(3))), path: "HELP/3" },
  { name: "a timestamp", message: flowMessage(nest(20, attribute(4))), path: "TIMESTAMP/4" },
  { name: "a security context", message: flowMessage(nest(19, attribute(2))), path: "SECCTX/2" },
  { name: "a sequence adjustment", message: flowMessage(nest(15, attribute(4))), path: "SEQ_ADJ_ORIG/4" },
  { name: "NAT", message: flowMessage(nest(6, nest(3, attribute(3)))), path: "NAT_SRC/NAT_PROTO/3" },
  { name: "SYNPROXY", message: flowMessage(nest(24, attribute(4))), path: "SYNPROXY/4" },
  { name: "a nest nobody knows", message: flowMessage(nest(61, attribute(1))), path: "61" },
];

for (const { name, message, path } of unknownPlaces) {
  test(`FlowDecoder counts an unknown attribute in ${name} and keeps the row`, () => {
    const { flows, oddities, unknown, complete } = readFlows([message, message]);
    assert.equal(flows.length, 2);
    assert.deepEqual(oddities, { unknownAttributes: 2 });
    assert.deepEqual(unknown, { [path]: 2 });
    assert.equal(complete, true);
  });
}

for (const [type, spec] of flowLevel.entries()) {
  if (spec?.kind === undefined || spec.kind === "opaque") continue;
  test(`FlowDecoder leaves ${spec.name} out when its length is impossible`, () => {
    const bad = attribute(type, new Uint8Array(spec.kind === "labels" ? 17 : 3));
    const { flows, oddities } = readFlows([flowMessage(...plainTuples(), bad)]);
    assert.deepEqual(oddities, { malformedAttributes: 1 });
    assert.deepEqual(flows[0], flowWith());
  });
}

test("FlowDecoder keeps the id of a flow whose addresses are damaged", () => {
  const broken = nest(
    1,
    nest(1, attribute(1, Uint8Array.of(10, 0, 0))),
    nest(2, attribute(1, Uint8Array.of(17))),
  );
  const { flows, oddities } = readFlows([flowMessage(broken, attribute(12, word(77)))]);
  assert.deepEqual(oddities, { malformedAttributes: 1 });
  assert.equal(flows[0]?.id, 77);
  assert.equal(flows[0].protocol, 17);
  assert.equal(flows[0].original.source, addressFromBytes(Uint8Array.of(0, 0, 0, 0)));
});

test("FlowDecoder has no reply of another family than the original", () => {
  const six = Array.from({ length: 16 }, () => 1);
  const { flows, oddities } = readFlows([
    flowMessage(
      tupleAttribute(1, [10, 0, 0, 1], [10, 0, 0, 2], [0, 1], [0, 2]),
      tupleAttribute(2, six, six, [0, 2], [0, 1]),
    ),
  ]);
  assert.deepEqual(oddities, { malformedAttributes: 1 });
  assert.equal(flows[0]?.reply, undefined);
});

test("FlowDecoder counts a message too short for a flow and makes no row of it", () => {
  const short = replyMessage({ type: 0x100, flags: 2 }, Uint8Array.of(2, 0));
  const { flows, oddities } = readFlows([short, flowMessage(...plainTuples())]);
  assert.equal(flows.length, 1);
  assert.deepEqual(oddities, { malformedAttributes: 1 });
});

test("FlowDecoder reads a message longer than those it remembers", () => {
  const long = nest(5, attribute(1, new Uint8Array(3000).fill(97)));
  const { flows } = readFlows([flowMessage(...plainTuples(), long), flowMessage(...plainTuples(), long)]);
  assert.equal(flows[1]?.rare?.helper?.length, 3000);
});

test("FlowDecoder makes no promise beyond `has`", () => {
  const messages = [flowMessage(...plainTuples(), attribute(8, word(9))), flowMessage(...plainTuples())];
  const reading = netlinkFlows({ socket: replaySocket([datagramOf(...messages), doneMessage()]) });
  for (const columns of reading.batches()) {
    assert.deepEqual(
      [...columns.has.subarray(0, 2)].map((has) => (has & Has.mark) !== 0),
      [true, false],
    );
  }
});
