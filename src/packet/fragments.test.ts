import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fragment6, ipv4, ipv6, udp } from "../../test/support/ip-bytes.ts";
import { Fault, PacketColumns, PacketKind } from "./columns.ts";
import { PacketDecoder } from "./decoder.ts";
import { LinkType } from "./link-layer.ts";
import { RecordFacts } from "../table/record-sink.ts";

const { HELD, IP } = PacketKind;
const MORE = 0x2000;
const whole = udp(
  7,
  8,
  Uint8Array.from({ length: 64 }, (_, index) => index),
);
const whole6 = udp(
  7,
  8,
  Uint8Array.from({ length: 64 }, (_, index) => index),
  6,
);

/** A fragment: bytes `from` to `to` of a datagram, and whether more come. */
interface Part {
  from: number;
  to: number;
  more: boolean;
  identification?: number;
  source?: string;
  atMs?: number;
  protocol?: number;
}

const part = (from: number, to: number, more = to < 72, other: Partial<Part> = {}): Part => ({
  from,
  to,
  more,
  ...other,
});

function packetOf(
  family: 4 | 6,
  { from, to, more, identification = 1, source, protocol = 17 }: Part,
): Uint8Array {
  const from4 = source === undefined ? {} : { source };
  if (family === 4) {
    const fragment = (more ? MORE : 0) | (from >> 3);
    return ipv4(protocol, whole.slice(from, to), { identification, fragment, ...from4 });
  }
  return ipv6(44, fragment6(protocol, from, more, identification, whole6.slice(from, to)), from4);
}

/** Feeds fragments, all captured; returns the batch after the capture's end, and the decoder. */
function feed(family: 4 | 6, parts: readonly Part[]): { columns: PacketColumns; decoder: PacketDecoder } {
  const decoder = new PacketDecoder({ seed: 1, ports: { udplite: true, dccp: true } });
  const columns = new PacketColumns(2 * parts.length + 8);
  decoder.begin(columns);
  const facts = new RecordFacts();
  facts.linkType = LinkType.RAW;
  for (const fragment of parts) {
    const bytes = packetOf(family, fragment);
    facts.originalBytes = bytes.length;
    facts.timeMs = fragment.atMs ?? 0;
    decoder.record(bytes, 0, bytes.length, facts);
  }
  return { columns, decoder };
}

/** How many datagrams came through whole, right, and as one. */
function wholeIn(columns: PacketColumns): number {
  let count = 0;
  for (let row = 0; row < columns.count; row++) {
    if (columns.kind[row] !== IP) continue;
    assert.equal(columns.fault[row], 0);
    assert.deepEqual([columns.sourceDiscriminator[row], columns.destinationDiscriminator[row]], [7, 8]);
    count += 1;
  }
  return count;
}

const a = part(0, 24);
const b = part(24, 48);
const c = part(48, 72);
const others = (count: number): Part[] =>
  Array.from({ length: count }, (_, index) => part(0, 24, true, { identification: 100 + index }));

// Each was sent through the tracker of 6.18.44, which let by as many packets.
const cases4: [string, Part[], number][] = [
  ["in order", [a, b, c], 1],
  ["backwards", [c, b, a], 1],
  ["one again", [a, b, b, c], 1],
  ["bytes again that came in a row", [a, b, part(16, 32), c], 1],
  ["bytes again of which each half came alone", [b, a, part(16, 32), c], 0],
  ["an overlap", [a, part(16, 40), b, c], 0],
  ["an overlap, then all anew", [a, part(16, 40), a, b, c], 1],
  ["two different ends", [c, part(40, 64, false), a, b], 0],
  ["data behind the end", [part(24, 48, false), part(48, 72, true), a], 0],
  ["an end that is not a multiple of eight, with more to come: cut", [part(0, 27, true), b, c], 1],
  ["an empty fragment", [a, part(24, 24, true), b, c], 0],
  ["the same identification of another protocol", [a, { ...b, protocol: 6 }, b, c], 1],
  ["the same identification from another address", [a, { ...b, source: "192.0.2.9" }, b, c], 1],
  ["63 others between", [a, ...others(63), part(24, 72)], 1],
  ["64 others between: started over", [a, ...others(64), part(24, 72)], 0],
  ["within 29 s", [a, part(24, 72, false, { atMs: 29_000 })], 1],
  ["after 31 s", [a, part(24, 72, false, { atMs: 31_000 })], 0],
  ["the time is that of the first, not of the last", [a, { ...b, atMs: 20_000 }, { ...c, atMs: 31_000 }], 0],
  [
    "a clock that goes back",
    [
      { ...a, atMs: 50_000 },
      { ...b, atMs: 0 },
      { ...c, atMs: 60_000 },
    ],
    1,
  ],
];

const cases6: [string, Part[], number][] = [
  ["in order", [a, b, c], 1],
  ["backwards", [c, b, a], 1],
  ["one again", [a, a, b, c], 1],
  ["an overlap", [a, part(16, 40), b, c], 0],
  ["a fragment that is all", [part(0, 72)], 1],
  ["a fragment that is all, while others wait", [a, part(0, 72), b, c], 0],
  ["two different ends: the second is dropped alone", [c, part(40, 64, false), a, b], 1],
  ["an empty fragment is dropped alone", [a, part(24, 24, true), b, c], 1],
  ["the protocol is that of the first fragment", [a, { ...part(24, 72), protocol: 6 }], 1],
  ["within 59 s", [a, part(24, 72, false, { atMs: 59_000 })], 1],
  ["after 61 s", [a, part(24, 72, false, { atMs: 61_000 })], 0],
];

for (const [family, cases] of [
  [4, cases4],
  [6, cases6],
] as const) {
  for (const [name, parts, expected] of cases) {
    test(`fragments of IPv${family}: ${name}`, () => {
      const { columns, decoder } = feed(family, parts);
      assert.equal(wholeIn(columns), expected);
      decoder.end();
      agrees(columns);
    });
  }
}

/** Every fragment's datagram is either whole or lost, and no datagram is both or twice. */
function agrees(columns: PacketColumns): void {
  const lost = columns.lost.slice(0, columns.lostCount);
  assert.equal(new Set(lost).size, lost.length);
  const complete = new Set<number>();
  for (let row = 0; row < columns.count; row++) {
    const datagram = columns.datagram[row] as number;
    if (columns.kind[row] !== IP || datagram === 0) continue;
    assert.ok(!complete.has(datagram));
    complete.add(datagram);
  }
  for (let row = 0; row < columns.count; row++) {
    const datagram = columns.datagram[row] as number;
    if (columns.kind[row] === HELD) assert.notEqual(complete.has(datagram), lost.includes(datagram));
  }
}

test("IPv6: a fragment whose end is not a multiple of eight is let by, and ends its datagram", () => {
  const { columns } = feed(6, [a, part(24, 51, true), b, c]);
  assert.deepEqual(Array.from(columns.kind.subarray(0, 4)), [HELD, IP, HELD, HELD]);
  assert.equal(columns.fault[1], Fault.NO_TUPLE);
  assert.deepEqual(Array.from(columns.lost.subarray(0, columns.lostCount)), [1]);
  assert.equal(feed(6, [part(0, 27, true)]).columns.fault[0], Fault.BAD_LENGTH);
});

test("IPv6: a first fragment without all of the transport header is let by, gathered with nothing", () => {
  const tooShort = (bytes: number, next: number): number[] => {
    const { columns } = feed(6, [part(0, bytes, true, { protocol: next }), a, b, c]);
    assert.equal(columns.datagram[0], 0);
    assert.equal(columns.kind[3], IP);
    return [columns.kind[0] as number, columns.fault[0] as number];
  };
  assert.deepEqual(tooShort(0, 17), [IP, Fault.SHORT_HEADER | Fault.NO_TUPLE]);
  assert.deepEqual(tooShort(16, 6), [IP, Fault.SHORT_HEADER]);
});

test("any order of any cut, with repeats, gives the datagram once it is whole", () => {
  const cuts = fc.subarray([8, 16, 24, 32, 40, 48, 56, 64]);
  fc.assert(
    fc.property(
      cuts,
      fc.constantFrom(4 as const, 6 as const),
      fc.infiniteStream(fc.nat()),
      (inner, family, noise) => {
        const edges = [0, ...inner, 72];
        const parts = edges.slice(1).map((to, index) => part(edges[index] ?? 0, to));
        const shuffled = parts.toSorted(() => ((noise.next().value as number) % 2 === 0 ? -1 : 1));
        const repeated = shuffled.flatMap((one, index) => (index < shuffled.length - 1 ? [one, one] : [one]));
        // A datagram that is not in pieces is no fragment in IPv4.
        if (parts.length === 1) return;
        const { columns, decoder } = feed(family, repeated);
        assert.equal(wholeIn(columns), 1);
        assert.equal(columns.kind[columns.count - 1], IP);
        decoder.end();
        agrees(columns);
      },
    ),
  );
});

test("any fragments at all: every one is accounted for", () => {
  const any = fc.record({
    from: fc.nat(8).map((units) => units * 8),
    length: fc.nat(30),
    more: fc.boolean(),
    identification: fc.nat(2),
    seconds: fc.nat(40),
  });
  fc.assert(
    fc.property(fc.array(any, { maxLength: 40 }), fc.constantFrom(4 as const, 6 as const), (list, family) => {
      const parts = list.map(({ from, length, more, identification, seconds }) =>
        part(from, Math.min(72, from + length), more, { identification, atMs: seconds * 1000 }),
      );
      const { columns, decoder } = feed(family, parts);
      decoder.end();
      agrees(columns);
      assert.equal(decoder.counts.datagramsLost, columns.lostCount);
    }),
  );
});

test("a datagram of the largest size comes through; one byte more does not", () => {
  const run = (bytes: number): number => {
    const decoder = new PacketDecoder({ seed: 1, ports: { udplite: true, dccp: true } });
    const columns = new PacketColumns(64);
    decoder.begin(columns);
    const facts = new RecordFacts();
    facts.linkType = LinkType.RAW;
    for (let from = 0; from < bytes; from += 1480) {
      const to = Math.min(bytes, from + 1480);
      const packet = ipv4(50, new Uint8Array(to - from), { fragment: (to < bytes ? MORE : 0) | (from >> 3) });
      facts.originalBytes = packet.length;
      decoder.record(packet, 0, packet.length, facts);
    }
    const last = columns.count - 1;
    return columns.kind[last] === IP ? (columns.lengthBytes[last] as number) : 0;
  };
  assert.equal(run(65_515), 65_535);
  assert.equal(run(65_516), 0);
});

test("fragments take no more memory than the kernel allows, and what goes beyond is lost at once", () => {
  const parts = Array.from({ length: 4100 }, (_, index) =>
    part(0, 24, true, { identification: index, source: `192.0.${index % 200}.9` }),
  );
  const { columns, decoder } = feed(4, parts);
  // Measured on 6.18: 4065 datagrams of which 24 bytes came.
  assert.equal(columns.lostCount, 4100 - 4065);
  decoder.end();
  assert.equal(decoder.counts.datagramsLost, 4100);
});

test("lost datagrams that a batch has no room for are told in the next", () => {
  const decoder = new PacketDecoder({ seed: 1, ports: { udplite: true, dccp: true } });
  const facts = new RecordFacts();
  facts.linkType = LinkType.RAW;
  const columns = new PacketColumns(4);
  for (let batch = 0; batch < 5; batch++) {
    decoder.begin(columns);
    for (let row = 0; row < 4; row++) {
      const bytes = packetOf(4, part(0, 24, true, { identification: batch * 4 + row }));
      facts.originalBytes = bytes.length;
      decoder.record(bytes, 0, bytes.length, facts);
    }
  }
  decoder.end();
  const told: number[] = [];
  do {
    told.push(...columns.lost.slice(0, columns.lostCount));
    decoder.begin(columns);
  } while (columns.lostCount > 0);
  assert.deepEqual(
    told,
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
});

test("fragments that were not captured whole give a snapped datagram", () => {
  const decoder = new PacketDecoder({ seed: 1, ports: { udplite: true, dccp: true } });
  const columns = new PacketColumns(4);
  decoder.begin(columns);
  const facts = new RecordFacts();
  facts.linkType = LinkType.RAW;
  for (const one of [part(0, 40), part(40, 72)]) {
    const bytes = packetOf(4, one);
    facts.originalBytes = bytes.length;
    decoder.record(bytes, 0, 40, facts);
  }
  assert.deepEqual([columns.kind[1], columns.fault[1], columns.lengthBytes[1]], [IP, Fault.SNAPPED, 92]);
  assert.equal(columns.sourceDiscriminator[1], 7);
});
