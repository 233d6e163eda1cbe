import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyRow, columnsOf } from "../../test/support/columns.ts";
import { anyKernelFlow } from "../../test/support/kernel-lines.ts";
import { listingFixture, listingFixtures, plainLine, readRows } from "../../test/support/listing-rows.ts";
import { type Flow, flowAt } from "../table/flow.ts";
import { flowToJson, flowToJsonText } from "./listing.ts";

const extras = [{}, { idleSeconds: 0 }, { idleSeconds: 431_999 }];

/** Names, order and values, as a program that parses the line and one that looks at it see them. */
function assertSame(flow: Flow): void {
  for (const extra of extras) {
    const json = flowToJson(flow, extra);
    const text = flowToJsonText(flow, extra);
    assert.equal(text, JSON.stringify(json));
    assert.deepEqual(JSON.parse(text), json);
  }
}

test("flowToJsonText() is the text of flowToJson() for any flow of netlink", () => {
  const words = fc.constantFrom(0, 6, 0xc006, 0xffff_ffff);
  fc.assert(
    fc.property(anyRow, words, (row, known) => assertSame(flowAt(columnsOf([row], known), 0))),
    { numRuns: 1000 },
  );
});

test("flowToJsonText() is the text of flowToJson() for any flow of the kernel's text", () => {
  fc.assert(fc.property(anyKernelFlow, assertSame), { numRuns: 1000 });
});

/** Other output of conntrack(8), which has no flows. */
const refused = ["conntrack-save.txt", "conntrack-statistics.txt"];

for (const name of listingFixtures.filter((fixture) => !refused.includes(fixture))) {
  test(`flowToJsonText() is the text of flowToJson() for every flow of ${name}`, () => {
    const { flows } = readRows(listingFixture(name));
    assert.ok(flows.length > 0);
    flows.forEach(assertSame);
  });
}

const [plain] = readRows(plainLine).flows as [Flow];
const words = fc.string({ unit: "binary" });
const numbers = fc.nat();
const anySeldom = fc.record(
  {
    secmark: numbers,
    stoppedAtMs: numbers,
    vtags: fc.record({ original: numbers, reply: numbers }),
    tcpInfo: fc.record({
      originalScale: numbers,
      replyScale: numbers,
      originalFlags: numbers,
      replyFlags: numbers,
    }),
    greTimeouts: fc.record({ timeoutSeconds: numbers, streamTimeoutSeconds: numbers }),
    rare: fc.record(
      {
        helper: words,
        labels: fc.uint8Array({ minLength: 16, maxLength: 16 }),
        labelNames: fc.array(words),
        securityContext: words,
        master: fc.record({
          family: fc.constantFrom(4, 6),
          protocol: fc.constantFrom(6, 1, 47, 50),
          source: fc.uint32Array({ minLength: 4, maxLength: 4 }),
          destination: fc.uint32Array({ minLength: 4, maxLength: 4 }),
          sourceDiscriminator: fc.nat(65_535),
          destinationDiscriminator: fc.nat(65_535),
        }),
        dccp: fc.record({ role: numbers, handshake: numbers }, { noNullPrototype: true }),
        unknownWords: fc.array(words),
        eventKind: fc.constantFrom("new" as const, "update" as const, "destroy" as const),
        eventAtMs: numbers,
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

test("flowToJsonText() quotes what comes from outside, and has everything that few flows have", () => {
  fc.assert(
    fc.property(anySeldom, (seldom) => assertSame({ ...plain, ...seldom })),
    { numRuns: 1000 },
  );
});

test("more status words than are kept make no difference", () => {
  for (let status = 0; status < 700; status += 1) {
    for (const knownStatus of [0xffff_ffff, -1, 0xc006]) {
      const flow = { ...plain, status, knownStatus };
      assert.equal(flowToJsonText(flow), JSON.stringify(flowToJson(flow)));
    }
  }
});
