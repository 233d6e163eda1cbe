/**
 * Real captures through the running kernel and through the model, the same packets at the same times: the
 * word on every packet, and every flow at the end with its tuples, state, status and time left. No
 * exceptions.
 *
 * Packets follow each other as fast as they are forwarded, not in the capture's own time; the model is told
 * the times at which they were sent. Which packets are sent: test/support/wire/capture-packets.ts.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { after, test } from "node:test";

import { type Random, seededRandom } from "../../src/base/random.ts";
import type { Settings } from "../../src/table/settings.ts";
import { readPackets, withHops } from "../support/wire/capture-packets.ts";
import { renumbered, spreadWords } from "../support/wire/datagrams.ts";
import { differences, factsOf } from "../support/wire/flow-facts.ts";
import { ModelSide } from "../support/wire/model-side.ts";
import { mutated } from "../support/wire/mutate.ts";
import { mendedPacket } from "../support/wire/packet-bytes.ts";
import { openWire, type Wire } from "../support/wire/wire.ts";

const FOLDER = new URL("../../../shared/captures/", import.meta.url).pathname;
/** Differences that are shown of one capture. */
const SHOWN = 5;
const SEED = Number(process.env["HEADROOM_SEED"] ?? 1);

const captures = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => /\.pcap(ng)?$/.test(name)) : [];
const wire: Wire | undefined = captures.length > 0 ? openWire({ prefix: "hr-replay" }) : undefined;
after(() => wire?.close());

/**
 * Ways to send a capture once more, all of them in one test: what they show that the capture itself does
 * not.
 */
const ways: readonly {
  name: string;
  settings: Settings;
  change?: (packets: Uint8Array[], random: Random) => Uint8Array[];
}[] = [
  {
    name: "with IPv4 header checksums mended",
    settings: {},
    change: (packets) => packets.map((packet) => mended(packet)),
  },
  { name: "with wrong checksums let by", settings: { nf_conntrack_checksum: 0 } },
  {
    name: "with windows not looked at",
    settings: { nf_conntrack_checksum: 0, nf_conntrack_tcp_be_liberal: 1 },
  },
  { name: "with nothing picked up", settings: { nf_conntrack_checksum: 0, nf_conntrack_tcp_loose: 0 } },
  { name: "mutated", settings: {}, change: (packets, random) => mutated(random, packets) },
  {
    name: "mutated, with wrong checksums let by",
    settings: { nf_conntrack_checksum: 0 },
    change: (packets, random) => mutated(random, packets),
  },
];

if (wire === undefined) {
  test("captures: the kernel and the model agree", (context) => context.skip("no captures"));
} else {
  for (const name of captures) {
    test(`captures: the kernel and the model agree on ${name}`, () => {
      assert.equal(disagreement(wire, name, packetsOf(name), {}).slice(0, SHOWN).join("\n"), "");
    });
  }
  for (const [place, { name: way, settings, change }] of ways.entries()) {
    const seed = SEED * 100 + place;
    test(`captures: the kernel and the model agree on all ${way}, seed ${seed}`, () => {
      const random = seededRandom(seed);
      const before = Object.keys(settings).map((name) => [name, wire.get(name)] as const);
      try {
        for (const [name, value] of Object.entries(settings)) wire.set(name, value);
        const found = captures.flatMap((name) => {
          const packets = packetsOf(name);
          const sent = change === undefined ? packets : change(packets, random);
          return disagreement(wire, name, sent, settings).slice(0, SHOWN);
        });
        assert.equal(found.join("\n"), "");
      } finally {
        for (const [name, value] of before) wire.set(name, value);
      }
    });
  }
}

function packetsOf(name: string): Uint8Array[] {
  const { packets } = readPackets(readFileSync(`${FOLDER}${name}`), name);
  return packets.map(({ packet }) => withHops(packet));
}

let runs = 0;

/** Captures of a host's own packets often have no IPv4 checksum yet. */
function mended(packet: Uint8Array): Uint8Array {
  return (packet[0] as number) >> 4 === 4 ? mendedPacket(packet.slice()) : packet;
}

function disagreement(
  kernel: Wire,
  name: string,
  given: readonly Uint8Array[],
  settings: Settings,
): string[] {
  runs += 1;
  const packets = renumbered(given, runs);
  kernel.flush();
  const { words, sentAtMs } = kernel.send(packets);
  spreadWords(packets, words);
  const table = kernel.table();
  const model = new ModelSide({ settings });
  const told = model.feed(packets, sentAtMs);
  const lines = words.flatMap((word, place) =>
    word === told[place]
      ? []
      : [`packet ${place + 1}: kernel ${word}, model ${told[place]}: ${shownBytes(packets[place])}`],
  );
  const flows = model.table((table.fromMs + table.toMs) / 2);
  const compared = [table.flows, flows].map((side) => side.map((flow) => factsOf(flow)));
  return [...lines, ...differences(compared[0] ?? [], compared[1] ?? [])].map((line) => `${name}: ${line}`);
}

function shownBytes(packet: Uint8Array | undefined): string {
  return packet === undefined ? "" : packet.subarray(0, 64).toHex();
}
