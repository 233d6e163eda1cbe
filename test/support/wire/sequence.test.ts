import assert from "node:assert/strict";
import { test } from "node:test";

import { seededRandom } from "../../../src/base/random.ts";
import { crc32c } from "./crc32c.ts";
import { spreadWords } from "./datagrams.ts";
import { differences, parseFacts, printFacts } from "./flow-facts.ts";
import { anySequence } from "./generate-others.ts";
import { onesSum } from "./packet-bytes.ts";
import { buildPacket } from "./packet-build.ts";
import { parsePacket, printPacket } from "./packet-spec.ts";
import { hostAddress } from "./rounds.ts";
import { parseSequences } from "./sequence.ts";
import { shrink } from "./shrink.ts";
import type { WireWord } from "./wire.ts";

test("CRC-32C of the usual nine digits (RFC 9260 appendix A)", () => {
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe306_9283);
});

test("a packet is read as it was written, and is the same bytes", () => {
  const random = seededRandom(3);
  for (let made = 0; made < 300; made++) {
    const { family, packets } = anySequence(random, 6);
    for (const packet of packets) {
      const again = parsePacket(printPacket(packet));
      const [one, other] = [packet, again].map((each) =>
        buildPacket(each, (host) => hostAddress(family, 0, host)),
      );
      assert.deepEqual(other, one, printPacket(packet));
    }
  }
});

test("an IPv4 header and a UDP datagram sum up to all ones", () => {
  const packet = buildPacket(parsePacket("udp a:1>b:2 len=7"), (host) => hostAddress(4, 0, host));
  assert.equal(onesSum(packet, 0, 20), 0xffff);
  assert.equal(onesSum(packet, 12, packet.length, 17 + 15), 0xffff);
});

const FLOW = "tcp a:1>b:2 b:2>a:1 ESTABLISHED 299 seen-reply+assured flags=23/23";
const comparisons: readonly (readonly [string, string, number])[] = [
  ["the same", FLOW, 0],
  ["a second less", FLOW.replace("299", "298"), 0],
  ["two seconds less", FLOW.replace("299", "297"), 1],
  ["another state", FLOW.replace("ESTABLISHED", "CLOSE"), 1],
  ["another status", FLOW.replace("+assured", ""), 1],
  ["other flags", FLOW.replace("23/23", "33/23"), 1],
  ["no flags told", FLOW.replace(" flags=23/23", ""), 0],
  ["another reply", FLOW.replace("b:2>a:1", "b:3>a:1"), 2],
];
for (const [name, other, wanted] of comparisons) {
  test(`differences of flows: ${name}`, () => {
    assert.equal(differences([parseFacts(FLOW)], [parseFacts(other)]).length, wanted);
    assert.equal(printFacts(parseFacts(other)), other);
  });
}

test("a line that is no packet is refused with its number", () => {
  assert.throws(() => parseSequences("== a\nfamily 4\n0 tcp a:1>b:2 S => maybe\n"), /line 3/);
});

/** A fragment of an IPv4 datagram of eights of bytes. */
function fragment(from: number, to: number, isLast: boolean): Uint8Array {
  const packet = new Uint8Array(20 + (to - from) * 8);
  packet.set([0x45, 0, 0, packet.length, 0, 7, isLast ? 0 : 0x20, from]);
  return packet;
}

const spreads: readonly {
  name: string;
  packets: readonly Uint8Array[];
  first: number;
  whole: readonly boolean[];
}[] = [
  { name: "in order", packets: [fragment(0, 1, false), fragment(1, 2, true)], first: 0, whole: [true, true] },
  {
    name: "backwards",
    packets: [fragment(1, 2, true), fragment(0, 1, false)],
    first: 1,
    whole: [true, true],
  },
  {
    name: "with a gap",
    packets: [fragment(0, 1, false), fragment(2, 3, true)],
    first: -1,
    whole: [false, false],
  },
  {
    name: "twice the same",
    packets: [fragment(0, 1, false), fragment(0, 1, false), fragment(1, 2, true)],
    first: 0,
    whole: [true, true, true],
  },
  {
    name: "overlapping",
    packets: [fragment(0, 2, false), fragment(1, 3, true), fragment(2, 3, true)],
    first: -1,
    whole: [false, false, false],
  },
];
for (const { name, packets, first, whole } of spreads) {
  test(`words of fragments: ${name}`, () => {
    const words = packets.map((_packet, place): WireWord => (place === first ? "new" : "dropped"));
    spreadWords(packets, words);
    assert.deepEqual(
      words.map((word) => word === "new"),
      whole,
    );
  });
}

test("a script is made as short and plain as still shows the difference", () => {
  const packets = [
    "udp a:1>b:2 len=7",
    "tcp a:1>b:2 S seq=5 win=9",
    "udp b:2>a:1",
    "tcp b:2>a:1 R seq=8 win=3",
  ];
  const script = { family: 4 as const, packets: packets.map((text) => parsePacket(text)) };
  const { script: short } = shrink({ script, gapsMs: [0, 2000] }, ({ scripts }) =>
    scripts.map((one) => one.packets.some((packet) => packet?.flags === "R" && packet.fields["seq"] === 8)),
  );
  const left = short.packets.flatMap((packet) => (packet === undefined ? [] : [printPacket(packet)]));
  assert.deepEqual(left, ["tcp b:2>a:1 R seq=8"]);
});
