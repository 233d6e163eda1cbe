/**
 * Messages of flows for tests: any, as fast-check makes them, and written by hand with attributes no kernel
 * here sends.
 */
import fc from "fast-check";
import { fitsKind, flowLevel, type Level, type ValueKind } from "../../src/kernel/ctnetlink.ts";
import { netlinkFlows } from "../../src/kernel/ctnetlink-dump.ts";
import { align } from "../../src/kernel/netlink.ts";
import { type Flow, flowAt } from "../../src/table/flow.ts";
import type { Oddities } from "../../src/table/oddities.ts";
import { attribute, datagramOf, doneMessage, functionSocket, replyMessage } from "./netlink.ts";

/** A message of a flow (IPCTNL_MSG_CT_NEW) with these attributes. */
export function flowMessage(...attributes: readonly Uint8Array[]): Uint8Array {
  return replyMessage({ type: 0x100, flags: 2 }, datagramOf(Uint8Array.of(2, 0, 0, 0), ...attributes));
}

/** What a dump that consists of these messages is read as. */
export function readFlows(messages: readonly Uint8Array[]): {
  flows: Flow[];
  oddities: Readonly<Oddities>;
  unknown: Record<string, number>;
  complete: boolean;
} {
  const socket = functionSocket(() => [...messages.map((message) => datagramOf(message)), doneMessage()]);
  const reading = netlinkFlows({ socket });
  const flows: Flow[] = [];
  for (const columns of reading.batches()) {
    for (let row = 0; row < columns.count; row++) flows.push(flowAt(columns, row));
  }
  const unknown = Object.fromEntries(reading.unknownAttributes);
  return { flows, oddities: reading.oddities, unknown, complete: reading.complete };
}

/** Tuples of TCP over IPv4 from 10.0.0.1:1024 to 10.0.0.2:80, as the kernel writes them. */
export function plainTuples(): Uint8Array[] {
  return [
    tupleAttribute(1, [10, 0, 0, 1], [10, 0, 0, 2], [4, 0], [0, 80]),
    tupleAttribute(2, [10, 0, 0, 2], [10, 0, 0, 1], [0, 80], [4, 0]),
  ];
}

/** A tuple of TCP with further attributes behind its parts. */
export function tupleAttribute(
  type: number,
  source: readonly number[],
  destination: readonly number[],
  sourcePort: readonly number[],
  destinationPort: readonly number[],
  more: { ip?: Uint8Array; protocol?: Uint8Array; tuple?: Uint8Array } = {},
): Uint8Array {
  const none = new Uint8Array(0);
  const [first, second] = source.length === 4 ? [1, 2] : [3, 4];
  return attribute(
    0x8000 | type,
    attribute(
      0x8001,
      attribute(first, Uint8Array.from(source)),
      attribute(second, Uint8Array.from(destination)),
      more.ip ?? none,
    ),
    attribute(
      0x8002,
      attribute(1, Uint8Array.of(6)),
      attribute(2, Uint8Array.from(sourcePort)),
      attribute(3, Uint8Array.from(destinationPort)),
      more.protocol ?? none,
    ),
    more.tuple ?? none,
  );
}

/* ---- Any message ---- */

/** How an attribute is, but for its bytes: messages with equal plans have equal headers. */
type Plan =
  | { kind: "value"; type: number; length: number }
  | { kind: "nest"; type: number; inner: readonly Plan[]; flag: boolean }
  | { kind: "cut"; length: number };

const exactLength: Readonly<Record<ValueKind, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  address4: 4,
  address6: 16,
  flags: 2,
  labels: 16,
  text: 5,
  opaque: 4,
};

/**
 * Plans of the attributes of a level: mostly as the kernel writes them, now and then of a wrong length or
 * unknown.
 */
function anyPlans(level: Level, depth: number): fc.Arbitrary<readonly Plan[]> {
  const known = level.flatMap((spec, type) => (spec === undefined ? [] : [{ spec, type }]));
  const usual = known.map(({ spec, type }): fc.Arbitrary<Plan> => {
    if (spec.level !== undefined) {
      return fc
        .record({ inner: anyPlans(spec.level, depth + 1), flag: fc.boolean() })
        .map(({ inner, flag }) => ({ kind: "nest", type, inner, flag }));
    }
    return fc.constant({ kind: "value", type, length: exactLength[spec.kind ?? "opaque"] });
  });
  const wrong = fc.record({
    kind: fc.constant("value" as const),
    type: fc.integer({ min: 0, max: 40 }),
    length: fc.integer({ min: 0, max: 20 }),
  });
  const cut = fc.record({ kind: fc.constant("cut" as const), length: fc.integer({ min: 1, max: 7 }) });
  const one: fc.Arbitrary<Plan> = fc.oneof(
    { weight: 12, arbitrary: fc.oneof(...usual) },
    { weight: 1, arbitrary: wrong },
    { weight: depth > 0 ? 1 : 0, arbitrary: cut },
  );
  return fc.array(one, { maxLength: depth === 0 ? 10 : 6 });
}

/** The attributes of a plan with bytes drawn from `bytes` one after the other. */
function fill(plans: readonly Plan[], draw: () => number): Uint8Array {
  return datagramOf(...plans.map((plan) => fillOne(plan, draw)));
}

function fillOne(plan: Plan, draw: () => number): Uint8Array {
  switch (plan.kind) {
    case "value":
      return attribute(plan.type, Uint8Array.from({ length: plan.length }, draw));
    case "nest":
      return attribute(plan.type | (plan.flag ? 0x8000 : 0), fill(plan.inner, draw));
    case "cut":
      // A header that claims more than there is.
      return new Uint8Array(align(plan.length)).fill(0xff);
  }
}

/**
 * Some messages of flows in any order: of each plan several with other values, so that a reader that goes
 * by the headers of earlier messages has something to go by, and something to fall for.
 */
export function anyFlowMessages(): fc.Arbitrary<Uint8Array[]> {
  const plans = fc.array(fc.oneof(anyPlans(flowLevel, 0), anyKernelPlan()), { minLength: 1, maxLength: 4 });
  const picks = fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 12 });
  return fc.record({ plans, picks, seed: fc.uint8Array({ minLength: 16, maxLength: 64 }) }).map((any) => {
    let at = 0;
    const draw = (): number => {
      at = (at * 31 + 7) % 65_521;
      return any.seed[at % any.seed.length] as number;
    };
    return any.picks.map((pick) => {
      const plan = any.plans[pick % any.plans.length] as readonly Plan[];
      return replyMessage({ type: 0x100, flags: 2 }, datagramOf(Uint8Array.of(2, 0, 0, 0), fill(plan, draw)));
    });
  });
}

/** What kernels write: both tuples first, of one family and with ports, then some of the rest in order. */
function anyKernelPlan(): fc.Arbitrary<readonly Plan[]> {
  const value = (type: number, length: number): Plan => ({ kind: "value", type, length });
  const nest = (type: number, ...inner: Plan[]): Plan => ({ kind: "nest", type, inner, flag: true });
  const tuple = (type: number, six: boolean): Plan =>
    nest(
      type,
      six ? nest(1, value(3, 16), value(4, 16)) : nest(1, value(1, 4), value(2, 4)),
      nest(2, value(1, 1), value(2, 2), value(3, 2)),
    );
  const tcp = nest(4, nest(1, value(1, 1), value(2, 1), value(3, 1), value(4, 2), value(5, 2)));
  const counters = (type: number): Plan => nest(type, value(1, 8), value(2, 8));
  const rest = [value(18, 2), value(3, 4), value(8, 4), value(12, 4), value(11, 4), value(7, 4), tcp];
  return fc
    .record({
      six: fc.boolean(),
      rest: fc.subarray([...rest, counters(9), counters(10), nest(20, value(1, 8)), value(22, 16)]),
    })
    .map((any) => [tuple(1, any.six), tuple(2, any.six), ...any.rest]);
}

/** Whether the lengths used above are ones the kinds allow: a check of this file against the table. */
export function lengthsFit(): boolean {
  return Object.entries(exactLength).every(([kind, length]) => fitsKind(kind as ValueKind, length));
}
