/**
 * The wire of the differential tests against itself: what it says of packets whose fate is known, that it
 * tells alike packets apart, and that the same packets have the same fate twice.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { seededRandom } from "../../src/base/random.ts";
import { formatAddress } from "../../src/table/address.ts";
import { spreadWords } from "../support/wire/datagrams.ts";
import { anySequence } from "../support/wire/generate-others.ts";
import { firstDifference } from "../support/wire/compare.ts";
import { buildPacket } from "../support/wire/packet-build.ts";
import { mendedPacket } from "../support/wire/packet-bytes.ts";
import { parsePacket } from "../support/wire/packet-spec.ts";
import { hostAddress, type Outcome, runOnKernel } from "../support/wire/rounds.ts";
import { openWire } from "../support/wire/wire.ts";

const wire = openWire({ prefix: "hr-wire" });
after(() => wire.close());

function bytes(text: string, family: 4 | 6 = 4): Uint8Array {
  return buildPacket(parsePacket(text), (host) => hostAddress(family, 0, host));
}

const SYN = "tcp a:1000>b:80 S seq=1000 win=8192";
const ASK = "udp a:1000>b:53 len=10";

const rows: readonly {
  name: string;
  family?: 4 | 6;
  packets: readonly string[];
  words: readonly string[];
}[] = [
  {
    name: "a handshake",
    packets: [SYN, "tcp b:80>a:1000 SA seq=1 ack=1001 win=1", "tcp a:1000>b:80 A seq=1001 ack=2 win=1"],
    words: ["new", "established", "established"],
  },
  { name: "IPv6", family: 6, packets: [ASK, "udp b:53>a:1000 len=10"], words: ["new", "established"] },
  { name: "a bad checksum", packets: [`${ASK} bad=1`, ASK], words: ["invalid", "new"] },
  {
    name: "an error about a flow",
    packets: [ASK, `icmp c>a type=3 code=3 { ${ASK} }`],
    words: ["new", "related"],
  },
  { name: "what is not tracked", family: 6, packets: ["icmp a>b type=135 len=16"], words: ["untracked"] },
  {
    name: "alike packets",
    packets: [ASK, ASK, `${ASK} bad=1`, ASK],
    words: ["new", "new", "invalid", "new"],
  },
];
for (const { name, family = 4, packets, words } of rows) {
  test(`wire: ${name}`, () => {
    wire.flush();
    assert.deepEqual(wire.send(packets.map((text) => bytes(text, family))).words, words);
  });
}

test("wire: what the router throws away does not come out, and the rest is told apart from it", () => {
  wire.flush();
  const broken = bytes(SYN);
  broken[10] = (broken[10] as number) ^ 1;
  const { words } = wire.send([bytes(SYN), broken, bytes(SYN), broken, bytes(ASK)]);
  assert.deepEqual(words, ["new", "dropped", "new", "dropped", "new"]);
});

test("wire: a packet of the greatest length", () => {
  wire.flush();
  assert.deepEqual(wire.send([bytes("udp a:1000>b:53 len=65507")]).words, ["new"]);
});

test("wire: loopback, class E and link-local addresses of IPv4 are forwarded", () => {
  wire.flush();
  const packets = [127, 240, 169].map((first) => {
    const packet = bytes("ip a>b p=50 len=8");
    packet.set(first === 169 ? [169, 254] : [first, 0], 12);
    return mendedPacket(packet);
  });
  assert.deepEqual(wire.send(packets).words, ["new", "new", "new"]);
});

/** An IPv4 datagram in pieces of 16 bytes. */
function fragments(packet: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 20; at < packet.length; at += 16) {
    const piece = new Uint8Array([...packet.subarray(0, 20), ...packet.subarray(at, at + 16)]);
    const view = new DataView(piece.buffer);
    view.setUint16(2, piece.length);
    view.setUint16(4, 77);
    view.setUint16(6, ((at - 20) >> 3) | (at + 16 < packet.length ? 0x2000 : 0));
    pieces.push(mendedPacket(piece));
  }
  return pieces;
}

test("wire: fragments have the word of their datagram, and none before it is whole", () => {
  wire.flush();
  const pieces = fragments(bytes("udp a:1000>b:53 len=40"));
  assert.equal(pieces.length, 3);
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ]) {
    const sent = order.map((place) => pieces[place] as Uint8Array);
    const { words } = wire.send(sent);
    spreadWords(sent, words);
    assert.deepEqual(words, ["new", "new", "new"], `order ${order.join(" ")}`);
  }
  const lacking = pieces.slice(0, 2);
  const { words } = wire.send(lacking);
  spreadWords(lacking, words);
  assert.deepEqual(words, ["dropped", "dropped"]);
});

test("wire: the table shows what was sent, and nothing after a flush", () => {
  wire.flush();
  wire.send([bytes(ASK)]);
  const { flows } = wire.table();
  assert.deepEqual(
    flows.map(({ original }) => formatAddress(original.source)),
    ["10.0.0.1"],
  );
  wire.flush();
  assert.equal(wire.table().flows.length, 0);
});

test("wire: settings are the router's own", () => {
  const before = wire.get("nf_conntrack_udp_timeout");
  wire.set("nf_conntrack_udp_timeout", 7);
  wire.flush();
  wire.send([bytes(ASK)]);
  wire.set("nf_conntrack_udp_timeout", before);
  const [flow] = wire.table().flows;
  assert.ok(flow?.timeoutSeconds !== undefined && flow.timeoutSeconds >= 6 && flow.timeoutSeconds <= 7);
});

/** When it begins to matter to the kernel how old a flow is: UDP's is a stream then. */
const ALL_YOUNG_MS = 2000;
const ROUNDS = 12;

/** Rounds whose packets were all sent, and the table read, before any flow was as old as that. */
function youngRounds({ sentAtMs, readAtMs }: Outcome): number {
  const startMs = sentAtMs[0] ?? 0;
  return readAtMs.filter((atMs) => atMs - startMs < ALL_YOUNG_MS).length;
}

test("wire: five hundred random sequences have the same fate twice", () => {
  const random = seededRandom(7);
  let compared = 0;
  for (let lot = 0; lot < 20; lot++) {
    const scripts = Array.from({ length: 25 }, () => anySequence(random, ROUNDS));
    const [one, two] = [runOnKernel(wire, { scripts }), runOnKernel(wire, { scripts })];
    for (const [place, script] of scripts.entries()) {
      const [first, second] = [one[place], two[place]];
      assert.ok(first !== undefined && second !== undefined);
      const rounds = Math.min(youngRounds(first), youngRounds(second));
      const young = { ...script, packets: script.packets.slice(0, rounds) };
      assert.equal(firstDifference(young, first, second).join("\n"), "");
      compared += rounds;
    }
  }
  assert.ok(compared > 500 * (ROUNDS / 2), `${compared} rounds were quick enough to be compared`);
});
