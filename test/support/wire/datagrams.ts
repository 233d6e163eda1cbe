/**
 * Words of fragments. The router puts a datagram together, asks the tracker once, and takes it apart again:
 * what comes out carries the number of the fragment that has the beginning. All fragments of the datagram
 * have its word, and those of one that never was whole did not come out.
 *
 * A fragment that lies over another in part ends its datagram, and what comes later begins a new one; one
 * that lies within another adds nothing (net/ipv4/inet_fragment.c, inet_frag_queue_insert). A first
 * fragment of IPv6 without the whole header of its protocol is not kept at all, and goes on as it is (RFC
 * 8200 4.5).
 */
import { datagramKey } from "./capture-packets.ts";
import { ipv4HeaderBytes, mendedPacket, onesSum } from "./packet-bytes.ts";
import type { WireWord } from "./wire.ts";

interface Fragment {
  place: number;
  fromBytes: number;
  toBytes: number;
  isLast: boolean;
  /** A first fragment that is too short for what it begins. */
  isStump: boolean;
}

/** Gives every fragment the word of its datagram, in the order in which they were sent. */
export function spreadWords(packets: readonly Uint8Array[], words: WireWord[]): void {
  const waiting = new Map<string, Fragment[]>();
  for (const [place, packet] of packets.entries()) {
    const key = datagramKey(packet);
    if (key === undefined) continue;
    const fragment = fragmentOf(place, packet);
    if (fragment.isStump) continue;
    const datagram = waiting.get(key) ?? [];
    waiting.set(key, datagram);
    const relation = relationOf(fragment, datagram);
    if (relation === "over") {
      waiting.delete(key);
      // A datagram that has waited while many others came is begun anew (net.ipv4.ipfrag_max_dist).
      if (words[place] !== "dropped") waiting.set(key, [fragment]);
      continue;
    }
    datagram.push(fragment);
    if (relation === "within" || !isWhole(datagram)) continue;
    waiting.delete(key);
    const first = datagram.find(({ fromBytes }) => fromBytes === 0)?.place;
    const word = first === undefined ? undefined : words[first];
    for (const one of datagram) words[one.place] = word ?? "dropped";
  }
}

function relationOf(fragment: Fragment, others: readonly Fragment[]): "beside" | "within" | "over" {
  const { fromBytes, toBytes } = fragment;
  const over = others.filter((other) => fromBytes < other.toBytes && other.fromBytes < toBytes);
  if (over.length === 0) return "beside";
  let [reached, end] = [Math.min(...over.map((other) => other.fromBytes)), 0];
  const isWithin = reached <= fromBytes;
  for (const other of over.toSorted((one, another) => one.fromBytes - another.fromBytes)) {
    if (other.fromBytes > reached) return "over";
    reached = other.toBytes;
    end = reached;
  }
  return isWithin && end >= toBytes ? "within" : "over";
}

function isWhole(fragments: readonly Fragment[]): boolean {
  const end = fragments.find(({ isLast }) => isLast)?.toBytes;
  let reached = 0;
  for (const { fromBytes, toBytes } of fragments.toSorted((one, other) => one.fromBytes - other.fromBytes)) {
    if (fromBytes > reached) return false;
    reached = Math.max(reached, toBytes);
  }
  return end !== undefined && reached >= end;
}

function half(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function fragmentOf(place: number, packet: Uint8Array): Fragment {
  if ((packet[0] as number) >> 4 === 4) {
    const fromBytes = (half(packet, 6) & 0x1fff) * 8;
    const toBytes = fromBytes + packet.length - ((packet[0] as number) & 15) * 4;
    return { place, fromBytes, toBytes, isLast: (half(packet, 6) & 0x2000) === 0, isStump: false };
  }
  let at = 40;
  for (let next = packet[6] as number; next !== 44;) {
    next = packet[at] as number;
    at += 8 + 8 * (packet[at + 1] as number);
  }
  const fromBytes = half(packet, at + 2) & 0xfff8;
  const dataBytes = packet.length - at - 8;
  const isLast = (half(packet, at + 2) & 1) === 0;
  const isStump = fromBytes === 0 && dataBytes < leastBytes(packet[at] as number);
  return { place, fromBytes, toBytes: fromBytes + dataBytes, isLast, isStump };
}

/** What the first fragment must have of a protocol's header. */
function leastBytes(protocol: number): number {
  if (protocol === 6) return 20;
  return protocol === 17 || protocol === 58 ? 8 : 1;
}

/** Where the fragment header of an IPv6 fragment is. */
function fragmentHeaderAt(packet: Uint8Array): number {
  let at = 40;
  for (let next = packet[6] as number; next !== 44;) {
    next = packet[at] as number;
    at += 8 + 8 * (packet[at + 1] as number);
  }
  return at;
}

/**
 * The packets with other numbers on their datagrams: a router keeps fragments for half a minute, and what
 * one run has left waiting must not meet the next.
 */
export function renumbered(packets: readonly Uint8Array[], run: number): Uint8Array[] {
  return packets.map((packet) => {
    if (datagramKey(packet) === undefined) return packet;
    const made = packet.slice();
    const view = new DataView(made.buffer);
    const isFour = (packet[0] as number) >> 4 === 4;
    if (!isFour) {
      const at = fragmentHeaderAt(packet) + 4;
      view.setUint32(at, (view.getUint32(at) + run * 7919) >>> 0);
      return made;
    }
    const isSound = onesSum(packet, 0, ipv4HeaderBytes(packet)) === 0xffff;
    view.setUint16(4, (view.getUint16(4) + run * 7919) & 0xffff);
    return isSound ? mendedPacket(made) : packet;
  });
}
