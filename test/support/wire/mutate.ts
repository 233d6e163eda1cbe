/**
 * Packets of captures with something wrong, odd or rare about them: bytes changed, ends cut off, options and
 * extension headers put in, fragments in every order, doubled and overlapping. IPv4 header checksums are
 * right again afterwards, mostly.
 */
import type { Random } from "../../../src/base/random.ts";
import { totalBytes, whyNotForwarded } from "./capture-packets.ts";
import { ipv4HeaderBytes, mendedPacket } from "./packet-bytes.ts";

/** Largest packet that is mutated: what is larger is only copied. */
const LARGEST_BYTES = 9000;

/** The packets, some of them other than they were, some in pieces, some twice, some out of order. */
export function mutated(random: Random, packets: readonly Uint8Array[]): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const packet of packets) {
    const made = random.below(3) === 0 && packet.length <= LARGEST_BYTES ? oneOf(random, packet) : [packet];
    found.push(...made.filter((one) => isSendable(one)));
    if (random.below(40) === 0) found.push(packet);
  }
  for (let at = 1; at < found.length; at++) {
    if (random.below(20) > 0) continue;
    [found[at - 1], found[at]] = [found[at] as Uint8Array, found[at - 1] as Uint8Array];
  }
  return found;
}

function isSendable(packet: Uint8Array): boolean {
  if (packet.length < 20 || packet.length > 65_535) return false;
  const version = (packet[0] as number) >> 4;
  if (version === 6) return packet.length >= 40 && whyNotForwarded(packet) === undefined;
  // A total length may say more than there is, which is to be seen, but nothing becomes another packet.
  return version === 4 && (whyNotForwarded(packet) ?? "snapped") === "snapped";
}

function oneOf(random: Random, packet: Uint8Array): Uint8Array[] {
  const isFour = (packet[0] as number) >> 4 === 4;
  switch (random.below(7)) {
    case 0:
    case 1:
      return [withByte(random, packet)];
    case 2:
      return [cut(random, packet)];
    case 3:
      return [isFour ? withOptions(random, packet) : withExtension(random, packet)];
    case 4:
      return [withProtocol(random, packet)];
    default:
      return isFour ? fragments4(random, packet) : fragments6(random, packet);
  }
}

/** Leaves hops to go, and mends the header checksum of IPv4, or now and then does not. */
function sent(random: Random, packet: Uint8Array): Uint8Array {
  if ((packet[0] as number) >> 4 === 6) packet[7] = 64;
  if ((packet[0] as number) >> 4 !== 4 || random.below(30) === 0) return packet;
  if (ipv4HeaderBytes(packet) < 20 || ipv4HeaderBytes(packet) > packet.length) return packet;
  packet[8] = 64;
  return mendedPacket(packet);
}

/** One byte near the beginning is another; of the addresses only the last one of each. */
function withByte(random: Random, packet: Uint8Array): Uint8Array {
  const made = packet.slice();
  const isFour = (packet[0] as number) >> 4 === 4;
  const addresses = isFour ? [12, 19] : [8, 39];
  let at = random.below(Math.min(made.length, 96));
  if (at === 0 && !isFour) at = 40;
  if (at >= (addresses[0] as number) && at < (addresses[1] as number)) at = addresses[1] as number;
  if (at >= made.length) at = made.length - 1;
  // A router drops what has broken options, after the tracker has seen it: none are made.
  if (isFour && at < ipv4HeaderBytes(packet)) at = Math.min(at, 19);
  if (at === 0) made[0] = 0x40 + random.below(6);
  else made[at] = random.below(2) === 0 ? random.below(256) : (made[at] as number) ^ (1 << random.below(8));
  return sent(random, made);
}

/** Fewer bytes, and a header that says so, or says so wrongly. */
function cut(random: Random, packet: Uint8Array): Uint8Array {
  const headerBytes = (packet[0] as number) >> 4 === 4 ? ipv4HeaderBytes(packet) : 40;
  const room = Math.min(packet.length - headerBytes, 64);
  if (room <= 0) return packet;
  const made = packet.slice(0, headerBytes + random.below(room));
  return random.below(6) === 0 ? sent(random, made) : sent(random, withLength(made));
}

function withLength(packet: Uint8Array): Uint8Array {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  if ((packet[0] as number) >> 4 === 4) view.setUint16(2, packet.length);
  else view.setUint16(4, packet.length - 40);
  return packet;
}

function withProtocol(random: Random, packet: Uint8Array): Uint8Array {
  const made = packet.slice();
  const protocols = [1, 4, 6, 17, 33, 41, 47, 50, 51, 58, 132, 136, 253, 0, 59, 60];
  made[(packet[0] as number) >> 4 === 4 ? 9 : 6] = protocols[random.below(protocols.length)] as number;
  return sent(random, made);
}

/** Options of IPv4 that a router lets pass: padding, a stream id, security. */
const OPTIONS = [
  [1, 1, 1, 1],
  [1, 1, 1, 0],
  [0, 0, 0, 0],
  [0x88, 4, 0, 1],
  [0x82, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [1, 0x88, 4, 0, 7, 1, 1, 1],
] as const;

function withOptions(random: Random, packet: Uint8Array): Uint8Array {
  const headerBytes = ipv4HeaderBytes(packet);
  const options = OPTIONS[random.below(OPTIONS.length)] ?? [];
  if (headerBytes !== 20) return packet;
  const made = new Uint8Array([...packet.subarray(0, 20), ...options, ...packet.subarray(20)]);
  made[0] = 0x45 + options.length / 4;
  return sent(random, withLength(made));
}

/**
 * Extension headers of IPv6: hop-by-hop (first only), destination, routing, and a fragment of itself alone.
 */
function withExtension(random: Random, packet: Uint8Array): Uint8Array {
  const next = packet[6] as number;
  const [kind, extension] = [
    [0, [next, 0, 1, 4, 0, 0, 0, 0]],
    [60, [next, 0, 1, 4, 0, 0, 0, 0]],
    [60, [next, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    [43, [next, 0, 0, 0, 0, 0, 0, 0]],
    [44, [next, 0, 0, 0, 0, 0, 0, 7]],
    [51, [next, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    [0, [60, 0, 1, 4, 0, 0, 0, 0, next, 0, 1, 4, 0, 0, 0, 0]],
  ][random.below(7)] as [number, number[]];
  const made = new Uint8Array([...packet.subarray(0, 40), ...extension, ...packet.subarray(40)]);
  made[6] = kind;
  return withLength(made);
}

/** Where a datagram is cut, in eights of bytes; now and then pieces lie over each other. */
function cuts(random: Random, dataBytes: number): { from: number; to: number }[] {
  const eights = Math.ceil(dataBytes / 8);
  const pieces: { from: number; to: number }[] = [];
  for (let at = 0; at < eights;) {
    const length = 1 + random.below(Math.max(1, Math.min(eights, 180)));
    const overlap = at > 0 && random.below(30) === 0 ? 1 : 0;
    pieces.push({ from: (at - overlap) * 8, to: Math.min((at + length) * 8, dataBytes) });
    at += length;
  }
  return ordered(random, pieces);
}

function ordered<Item>(random: Random, items: Item[]): Item[] {
  const kind = random.below(6);
  if (kind === 0) return items.toReversed();
  if (kind === 1) return items.toSorted(() => random.below(3) - 1);
  if (kind === 2 && items.length > 1) return items.toSpliced(random.below(items.length), 1);
  if (kind === 3) return [...items, items[random.below(items.length)] as Item];
  return items;
}

function fragments4(random: Random, packet: Uint8Array): Uint8Array[] {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const headerBytes = ipv4HeaderBytes(packet);
  if (headerBytes < 20 || (view.getUint16(6) & 0x3fff) !== 0 || totalBytes(packet) !== packet.length)
    return [packet];
  const id = random.below(65_536);
  const dontFragment = random.below(4) === 0 ? 0x4000 : 0;
  return cuts(random, packet.length - headerBytes).map(({ from, to }) => {
    const head = packet.subarray(0, headerBytes);
    const piece = new Uint8Array([...head, ...packet.subarray(headerBytes + from, headerBytes + to)]);
    const pieceView = new DataView(piece.buffer);
    pieceView.setUint16(4, id);
    const isLast = headerBytes + to === packet.length;
    pieceView.setUint16(6, dontFragment | (from / 8) | (isLast ? 0 : 0x2000));
    piece[8] = 64;
    return mendedPacket(withLength(piece));
  });
}

function fragments6(random: Random, packet: Uint8Array): Uint8Array[] {
  if (packet[6] === 44 || packet[6] === 0 || totalBytes(packet) !== packet.length) return [packet];
  const id = random.next();
  return cuts(random, packet.length - 40).map(({ from, to }) => {
    const isLast = 40 + to === packet.length;
    const piece = new Uint8Array(48 + to - from);
    piece.set(packet.subarray(0, 40));
    const view = new DataView(piece.buffer);
    piece[40] = packet[6] as number;
    piece[6] = 44;
    view.setUint16(42, from | (isLast ? 0 : 1));
    view.setUint32(44, id);
    piece.set(packet.subarray(40 + from, 40 + to), 48);
    return withLength(piece);
  });
}
