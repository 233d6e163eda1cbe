/**
 * Random packets of every protocol but TCP, and of ICMP about flows of any: one a round, between a few
 * hosts.
 */
import type { Random } from "../../../src/base/random.ts";
import { tcpConversation } from "./generate-tcp.ts";
import type { Host, PacketSpec } from "./packet-spec.ts";

type Make = (random: Random, rounds: number, family: 4 | 6) => PacketSpec[];

function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random.below(items.length)] as Item;
}

function repeat(rounds: number, make: (round: number) => PacketSpec): PacketSpec[] {
  return Array.from({ length: rounds }, (_, round) => make(round));
}

/** Now and then something is wrong with a packet. */
function spoiled(random: Random, packet: PacketSpec): PacketSpec {
  const fields = { ...packet.fields };
  switch (random.below(24)) {
    case 0:
      fields["bad"] = 1;
      break;
    case 1:
      fields["cut"] = random.below(14);
      break;
    case 2:
      fields["size"] = random.below(12);
      break;
    case 3:
      fields["nosum"] = 1;
      break;
    default:
      return packet;
  }
  return { ...packet, fields };
}

/** A packet between a and b, from either. */
function either(
  random: Random,
  protocol: string,
  ports: readonly [number, number],
  isReply: boolean,
): PacketSpec {
  const [one, other] = ports;
  return isReply
    ? { protocol, from: "b", to: "a", ports: [other, one], fields: { len: random.below(3) * 10 } }
    : { protocol, from: "a", to: "b", ports: [one, other], fields: { len: random.below(3) * 10 } };
}

const udp: Make = (random, rounds) => {
  const protocol = random.below(4) === 0 ? "udplite" : "udp";
  const replies = pick(random, [0, 30, 50]);
  const ports = [1000, pick(random, [53, 1000, 5000, 0])] as const;
  return repeat(rounds, () => {
    const packet = either(random, protocol, ports, random.below(100) < replies);
    // The kernel takes the sum of UDP-Lite with the number of UDP: only a wrong one is right to it.
    const isPassing = protocol === "udplite" && random.below(8) > 0;
    return spoiled(random, isPassing ? { ...packet, fields: { ...packet.fields, bad: 119 } } : packet);
  });
};

const ECHO = { 4: [8, 0], 6: [128, 129] } as const;
const TYPES = {
  4: [0, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 40, 255],
  6: [0, 1, 2, 3, 4, 100, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 139, 140, 143, 150, 151, 255],
} as const;

const icmp: Make = (random, rounds, family) =>
  repeat(rounds, () => {
    const isReply = random.below(2) === 0;
    const isEcho = random.below(3) > 0;
    const type = isEcho ? ECHO[family][isReply ? 1 : 0] : pick(random, TYPES[family]);
    return spoiled(random, {
      protocol: "icmp",
      from: isReply ? "b" : "a",
      to: isReply ? "a" : "b",
      fields: {
        type,
        code: random.below(8) === 0 ? 3 : 0,
        id: pick(random, [7, 7, 7, 8]),
        len: random.below(2) * 8,
      },
    });
  });

const ERRORS: Readonly<Record<4 | 6, readonly (readonly [type: number, code: number])[]>> = {
  4: [
    [3, 1],
    [3, 3],
    [3, 4],
    [4, 0],
    [5, 0],
    [5, 1],
    [11, 0],
    [12, 0],
  ],
  6: [
    [1, 0],
    [1, 4],
    [2, 0],
    [3, 0],
    [4, 1],
    [137, 0],
  ],
};

/** A conversation with ICMP errors about its packets, and about packets that never were. */
const errors: Make = (random, rounds, family) => {
  const talk = pick(random, [udp, icmp, tcpConversation, sctp, gre, generic])(random, rounds, family);
  const sent: PacketSpec[] = [];
  return talk.map((packet) => {
    if (random.below(3) > 0 || sent.length === 0) {
      sent.push(packet);
      return packet;
    }
    return icmpError(random, family, pick(random, sent));
  });
};

function icmpError(random: Random, family: 4 | 6, about: PacketSpec): PacketSpec {
  const [type, code] = pick(random, ERRORS[family]);
  const fields: Record<string, number> = { type, code };
  const from: Host = pick(random, ["c", "c", about.to]);
  const to: Host = random.below(8) === 0 ? pick(random, ["a", "b", "d"]) : about.from;
  if (random.below(2) === 0) fields["inner"] = pick(random, [0, 3, 4, 7, 8, 8, 8, 20]);
  if (random.below(12) === 0) fields["bad"] = 1;
  const other = random.below(8) === 0 && about.ports !== undefined;
  const inner: PacketSpec = other ? { ...about, ports: [about.ports?.[0] ?? 0, 9] } : about;
  return { protocol: "icmp", from, to, fields, about: inner };
}

const CHUNK_ORDER = [
  ["a", "INIT"],
  ["b", "INIT_ACK"],
  ["a", "COOKIE_ECHO"],
  ["b", "COOKIE_ACK"],
  ["a", "DATA"],
  ["b", "SACK"],
  ["a", "HEARTBEAT"],
  ["b", "HEARTBEAT_ACK"],
  ["a", "SHUTDOWN"],
  ["b", "SHUTDOWN_ACK"],
  ["a", "SHUTDOWN_COMPLETE"],
] as const;

const CHUNKS = [...new Set(CHUNK_ORDER.map(([, name]) => name)), "ABORT", "ERROR", "ASCONF", "200"] as const;

const sctp: Make = (random, rounds) => {
  const tags = { a: pick(random, [11, 0x8000_0001]), b: pick(random, [22, 0xffff_fff0]) };
  const oddness = pick(random, [5, 20, 60]);
  let at = random.below(6) === 0 ? random.below(CHUNK_ORDER.length) : 0;
  return repeat(rounds, () => {
    const isOdd = random.below(100) < oddness;
    const [usualFrom, usual] = CHUNK_ORDER[at % CHUNK_ORDER.length] as (typeof CHUNK_ORDER)[number];
    if (!isOdd) at += 1;
    const from = isOdd ? pick(random, ["a", "b"] as const) : usualFrom;
    const chunks: string[] = [isOdd ? pick(random, CHUNKS) : usual];
    if (random.below(10) === 0) chunks.push(pick(random, CHUNKS));
    const fields: Record<string, number> = {
      tag: sctpTag(random, chunks, from === "a" ? tags.b : tags.a, isOdd),
    };
    fields["itag"] = random.below(20) === 0 ? pick(random, [0, 33]) : tags[from];
    if (random.below(12) === 0) fields["cflags"] = 1;
    if (random.below(40) === 0) fields["clen"] = random.below(6);
    const ports: [number, number] = from === "a" ? [1000, 2000] : [2000, 1000];
    const packet = { protocol: "sctp", from, to: from === "a" ? "b" : "a", ports, chunks, fields } as const;
    return spoiled(random, packet);
  });
};

function sctpTag(random: Random, chunks: readonly string[], right: number, isOdd: boolean): number {
  if (isOdd && random.below(3) === 0) return pick(random, [0, 99, right]);
  return chunks.includes("INIT") ? 0 : right;
}

const gre: Make = (random, rounds) =>
  repeat(rounds, () => {
    const isReply = random.below(2) === 0;
    const fields: Record<string, number> = { len: random.below(3) * 10 };
    const kind = random.below(6);
    if (kind === 0) fields["v"] = 1;
    if (kind === 0) fields["call"] = pick(random, [5, 6]);
    if (kind === 1) fields["key"] = pick(random, [7, 0x1_0007]);
    return spoiled(random, { protocol: "gre", from: isReply ? "b" : "a", to: isReply ? "a" : "b", fields });
  });

const generic: Make = (random, rounds) => {
  const protocol = pick(random, [2, 4, 41, 50, 51, 89, 253]);
  return repeat(rounds, () => {
    const isReply = random.below(2) === 0;
    const fields = { p: protocol, len: random.below(3) * 10 };
    return { protocol: "ip", from: isReply ? "b" : "a", to: isReply ? "a" : "b", fields };
  });
};

const dccp: Make = (random, rounds) =>
  repeat(rounds, () => {
    const packet = either(random, "dccp", [1000, 2000], random.below(2) === 0);
    const fields = { type: random.below(10), seq: random.below(100), ack: random.below(100) };
    return spoiled(random, { ...packet, fields });
  });

/** Kinds of sequences, and how many of a hundred are of each. */
export const KINDS: readonly { name: string; share: number; make: Make }[] = [
  { name: "tcp", share: 55, make: (random, rounds) => tcpConversation(random, rounds) },
  { name: "udp", share: 10, make: udp },
  { name: "icmp", share: 8, make: icmp },
  { name: "errors", share: 10, make: errors },
  { name: "sctp", share: 10, make: sctp },
  { name: "gre", share: 3, make: gre },
  { name: "generic", share: 2, make: generic },
  { name: "dccp", share: 2, make: dccp },
];

/** A sequence of a random kind. */
export function anySequence(
  random: Random,
  rounds: number,
): { kind: string; family: 4 | 6; packets: PacketSpec[] } {
  const family = random.below(4) === 0 ? 6 : 4;
  let drawn = random.below(100);
  for (const { name, share, make } of KINDS) {
    if (drawn < share) return { kind: name, family, packets: make(random, rounds, family) };
    drawn -= share;
  }
  return { kind: "tcp", family, packets: tcpConversation(random, rounds) };
}
