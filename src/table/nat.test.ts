import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyRows, columnsOf, type Row } from "../../test/support/columns.ts";
import type { Flow, Tuple } from "./flow.ts";
import { flowAt } from "./flow.ts";
import { fillNat, NAT_NAMES, natAt } from "./nat.ts";
import { GRE, ICMP, UDP } from "./protocol.ts";

const client = { source: "10.0.0.1", destination: "10.0.0.2", first: 40_000, second: 80 };
const answer = { source: "10.0.0.2", destination: "10.0.0.1", first: 80, second: 40_000 };

const cases: readonly [string, Row, string][] = [
  ["nothing translated", { ...client, reply: answer }, "none"],
  ["another source address", { ...client, reply: { ...answer, destination: "192.0.2.1" } }, "source"],
  ["another source port", { ...client, reply: { ...answer, second: 1024 } }, "source"],
  ["another destination address", { ...client, reply: { ...answer, source: "10.9.9.9" } }, "destination"],
  ["another destination port", { ...client, reply: { ...answer, first: 8080 } }, "destination"],
  [
    "both",
    { ...client, reply: { source: "10.9.9.9", destination: "192.0.2.1", first: 80, second: 40_000 } },
    "both",
  ],
  ["no reply direction given", { ...client, reply: false }, "unknown"],
  [
    "an echo",
    { ...client, protocol: ICMP, first: 7, second: 0x800, reply: { ...answer, first: 7, second: 0 } },
    "none",
  ],
  [
    "an echo whose id was changed",
    { ...client, protocol: ICMP, first: 7, second: 0x800, reply: { ...answer, first: 9, second: 0 } },
    "source",
  ],
  [
    "GRE with a call id",
    { ...client, protocol: GRE, first: 0, second: 77, reply: { ...answer, first: 77, second: 0 } },
    "none",
  ],
  [
    "IPv6, a difference in the last word alone",
    {
      protocol: UDP,
      source: "fd00::1",
      destination: "fd00::2",
      first: 1,
      second: 2,
      reply: { source: "fd00::3", destination: "fd00::1", first: 2, second: 1 },
    },
    "destination",
  ],
];

for (const [name, row, expected] of cases) {
  test(`natAt() tells ${expected}: ${name}`, () => {
    assert.equal(nameOf(natAt(columnsOf([{}, row]), 1)), expected);
  });
}

test("fillNat() of any rows is what their tuples say", () => {
  fc.assert(
    fc.property(anyRows, fc.nat(5), (rows, from) => {
      const columns = columnsOf(rows);
      const found = new Uint8Array(Math.max(0, rows.length - from));
      fillNat(columns, from, rows.length, found);
      const expected = rows.slice(from).map((_, index) => natOf(flowAt(columns, from + index)));
      assert.deepEqual(Array.from(found, nameOf), expected);
    }),
  );
});

function nameOf(nat: number): string {
  return NAT_NAMES[nat] ?? "unknown";
}

/** The same from the flow as a value. */
function natOf({ original, reply }: Flow): string {
  if (reply === undefined) return "unknown";
  const source = reply.destination !== original.source || numbers(original, reply).source;
  const destination = reply.source !== original.destination || numbers(original, reply).destination;
  if (source) return destination ? "both" : "source";
  return destination ? "destination" : "none";
}

function numbers(original: Tuple, reply: Tuple): { source: boolean; destination: boolean } {
  if (original.kind === "ports" && reply.kind === "ports") {
    return {
      source: reply.destinationPort !== original.sourcePort,
      destination: reply.sourcePort !== original.destinationPort,
    };
  }
  if (original.kind === "keys" && reply.kind === "keys") {
    return {
      source: reply.destinationKey !== original.sourceKey,
      destination: reply.sourceKey !== original.destinationKey,
    };
  }
  return {
    source: original.kind === "icmp" && reply.kind === "icmp" && reply.id !== original.id,
    destination: false,
  };
}
