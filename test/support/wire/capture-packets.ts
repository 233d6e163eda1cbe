/**
 * The packets of a capture that a router would forward: whole, IP, from and to one host each. What is left
 * out, and why it never reaches the tracker of a router or cannot be sent again:
 *
 *   not IP                 ARP, LLC, SLARP, an unknown link layer
 *   snapped                fewer bytes than the packet had: the rest is not known
 *   not unicast            to or from a multicast group, to everybody (255.255.255.255)
 *   unspecified            to or from 0.0.0.0 or ::
 *   link-local             fe80::/10 on either side: a router does not forward it (RFC 4291 2.5.6)
 *   loopback               ::1 on either side; no router takes it in (127.0.0.0/8 it may be told to)
 *   mapped                 ::ffff:0:0/96 on either side: thrown away on arrival
 *   refused                a header the IP layer throws away: these are sent, and must not come out
 *
 * Link layers are read here once more, in the plainest way, so that the decoder is held against something.
 */
import { CaptureError, readCapture } from "../../../src/packet/capture.ts";
import { ipv4HeaderBytes, mendedPacket, onesSum } from "./packet-bytes.ts";

export interface CapturedPacket {
  /** Number of the record, from 1. */
  record: number;
  timeMs: number;
  /** As captured, without padding. */
  packet: Uint8Array;
}

export interface CapturedPackets {
  packets: CapturedPacket[];
  records: number;
  /** How many records were left out, by reason. */
  leftOut: Record<string, number>;
}

/** Reads a capture; of a broken one, what comes before the break. */
export function readPackets(bytes: Uint8Array, origin: string): CapturedPackets {
  const found: CapturedPackets = { packets: [], records: 0, leftOut: {} };
  const leaveOut = (reason: string): void => {
    found.leftOut[reason] = (found.leftOut[reason] ?? 0) + 1;
  };
  const sink = {
    record: (
      from: Uint8Array,
      at: number,
      lengthBytes: number,
      facts: { timeMs: number; linkType: number },
    ) => {
      found.records += 1;
      const packet = ipPacket(from.subarray(at, at + lengthBytes), facts.linkType);
      const reason = packet === undefined ? "not IP" : whyNotForwarded(packet);
      if (packet === undefined || reason !== undefined) leaveOut(reason ?? "not IP");
      else {
        const whole = packet.slice(0, totalBytes(packet));
        found.packets.push({ record: found.records, timeMs: facts.timeMs, packet: whole });
      }
      return false;
    },
  };
  try {
    // A copy that is no Buffer, whose `slice` would share its memory.
    readCapture([new Uint8Array(bytes)], sink, origin);
  } catch (cause) {
    if (!(cause instanceof CaptureError)) throw cause;
    leaveOut(cause.message);
  }
  return found;
}

/** IP bytes of a frame, padding included; undefined when it holds none. */
function ipPacket(frame: Uint8Array, linkType: number): Uint8Array | undefined {
  switch (linkType) {
    case 0:
      return rawIp(frame.subarray(4));
    case 1:
      return behindType(frame, 12);
    case 9:
      return behindPpp(frame[0] === 0xff ? frame.subarray(2) : frame);
    case 50:
    case 104:
      return linkType === 104 || frame[0] === 0x0f ? behindType(frame, 2) : behindPpp(frame.subarray(2));
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      return rawIp(frame);
    case 113:
      return behindType(frame, 14);
    case 276:
      return behindType(frame, 0, 20);
    default:
      return undefined;
  }
}

/** From an EtherType on, through VLAN tags, PPPoE sessions and MPLS labels. */
function behindType(frame: Uint8Array, typeAt: number, nextAt: number = typeAt + 2): Uint8Array | undefined {
  const type = half(frame, typeAt);
  const next = frame.subarray(nextAt);
  switch (type) {
    case 0x0800:
    case 0x86dd:
      return rawIp(next);
    case 0x8100:
    case 0x88a8:
    case 0x9100:
      return behindType(next, 2);
    case 0x8864:
      return behindPpp(next.subarray(6));
    case 0x8847: {
      let at = 0;
      while (at + 4 < next.length && ((next[at + 2] as number) & 1) === 0) at += 4;
      return rawIp(next.subarray(at + 4));
    }
    default:
      return undefined;
  }
}

function behindPpp(frame: Uint8Array): Uint8Array | undefined {
  const short = ((frame[0] ?? 0) & 1) === 1;
  const protocol = short ? frame[0] : half(frame, 0);
  return protocol === 0x21 || protocol === 0x57 ? rawIp(frame.subarray(short ? 1 : 2)) : undefined;
}

function rawIp(bytes: Uint8Array): Uint8Array | undefined {
  const version = (bytes[0] ?? 0) >> 4;
  return (version === 4 && bytes.length >= 20) || (version === 6 && bytes.length >= 40) ? bytes : undefined;
}

function half(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** What the header says the packet is long. */
export function totalBytes(packet: Uint8Array): number {
  return (packet[0] as number) >> 4 === 4 ? half(packet, 2) : 40 + half(packet, 4);
}

/** Why a router does not forward a packet; undefined when it does. */
export function whyNotForwarded(packet: Uint8Array): string | undefined {
  if (totalBytes(packet) > packet.length) return "snapped";
  if ((packet[0] as number) >> 4 === 6) return whyNotForwarded6(packet);
  if (totalBytes(packet) < 20) return "snapped";
  for (const at of [12, 16]) {
    const first = packet[at] as number;
    if (first >= 224 && first < 240) return "not unicast";
    const address = packet.subarray(at, at + 4);
    if (address.every((byte) => byte === 255)) return "not unicast";
    if (first === 0) return "unspecified";
  }
  return undefined;
}

function whyNotForwarded6(packet: Uint8Array): string | undefined {
  for (const at of [8, 24]) {
    const address = packet.subarray(at, at + 16);
    if (address[0] === 0xff) return "not unicast";
    if (address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80) return "link-local";
    if (address.subarray(0, 15).every((byte) => byte === 0)) {
      if (address[15] === 0) return "unspecified";
      if (address[15] === 1) return "loopback";
    }
    const isMapped = address[10] === 255 && address[11] === 255;
    if (isMapped && address.subarray(0, 10).every((byte) => byte === 0)) return "mapped";
  }
  return undefined;
}

/** The packet with hops left; a wrong IPv4 header checksum stays wrong. The tracker looks at neither. */
export function withHops(packet: Uint8Array): Uint8Array {
  const sent = packet.slice();
  if ((packet[0] as number) >> 4 === 6) {
    sent[7] = 64;
    return sent;
  }
  const headerBytes = ipv4HeaderBytes(packet);
  if (headerBytes < 20 || headerBytes > packet.length || onesSum(packet, 0, headerBytes) !== 0xffff)
    return sent;
  sent[8] = 64;
  return mendedPacket(sent);
}

/** Which datagram a fragment is of, as a key; undefined for a packet that is whole. */
export function datagramKey(packet: Uint8Array): string | undefined {
  if ((packet[0] as number) >> 4 === 4) {
    if ((half(packet, 6) & 0x3fff) === 0) return undefined;
    return String.fromCharCode(packet[9] as number, ...packet.subarray(12, 20), ...packet.subarray(4, 6));
  }
  let next = packet[6] as number;
  for (let at = 40; at + 8 <= packet.length;) {
    if (next === 44) {
      // A fragment of itself alone is passed on as it is (RFC 6946).
      if ((half(packet, at + 2) & 0xfff9) === 0) return undefined;
      return String.fromCharCode(...packet.subarray(8, 40), ...packet.subarray(at + 4, at + 8));
    }
    if (next !== 0 && next !== 43 && next !== 60) return undefined;
    next = packet[at] as number;
    at += 8 + 8 * (packet[at + 1] as number);
  }
  return undefined;
}
