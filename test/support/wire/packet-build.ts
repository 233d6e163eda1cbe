/**
 * Specified packets as bytes: whole IPv4 and IPv6 packets with right checksums, unless the specification says
 * wrong ones. Field layouts: RFC 791, 8200, 9293, 768, 3828, 792, 4443, 9260, 2784, 2890, 2637, 4340.
 */
import { mendedPacket, onesSum } from "./packet-bytes.ts";
import { crc32c } from "./crc32c.ts";
import type { Host, PacketSpec } from "./packet-spec.ts";

/** Addresses of hosts: 4 or 16 bytes, all of one length. */
export type HostAddresses = (host: Host) => Uint8Array;

const PROTOCOLS: Readonly<Record<string, number>> = {
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  sctp: 132,
  udplite: 136,
};

const ICMP = 1;
const ICMPV6 = 58;
const TCP_FLAGS = "FSRPAUEC";

export const SCTP_CHUNK: Readonly<Record<string, number>> = {
  DATA: 0,
  INIT: 1,
  INIT_ACK: 2,
  SACK: 3,
  HEARTBEAT: 4,
  HEARTBEAT_ACK: 5,
  ABORT: 6,
  SHUTDOWN: 7,
  SHUTDOWN_ACK: 8,
  ERROR: 9,
  COOKIE_ECHO: 10,
  COOKIE_ACK: 11,
  ECNE: 12,
  CWR: 13,
  SHUTDOWN_COMPLETE: 14,
  ASCONF: 193,
};

/** The whole packet. */
export function buildPacket(packet: PacketSpec, addresses: HostAddresses): Uint8Array {
  const source = addresses(packet.from);
  const destination = addresses(packet.to);
  const six = source.length === 16;
  const protocol = protocolOf(packet, six);
  let inside = buildInside(packet, addresses, six);
  writeChecksum(packet, inside, protocol, source, destination);
  const cut = packet.fields["cut"];
  if (cut !== undefined) inside = inside.subarray(0, cut);
  return six ? ipv6(protocol, source, destination, inside) : ipv4(protocol, source, destination, inside);
}

function protocolOf(packet: PacketSpec, six: boolean): number {
  if (packet.protocol === "icmp") return six ? ICMPV6 : ICMP;
  return PROTOCOLS[packet.protocol] ?? packet.fields["p"] ?? 0;
}

function ipv4(protocol: number, source: Uint8Array, destination: Uint8Array, inside: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(20 + inside.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x45;
  view.setUint16(2, bytes.length);
  bytes[8] = 64;
  bytes[9] = protocol;
  bytes.set(source, 12);
  bytes.set(destination, 16);
  bytes.set(inside, 20);
  return mendedPacket(bytes);
}

function ipv6(protocol: number, source: Uint8Array, destination: Uint8Array, inside: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(40 + inside.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x60;
  view.setUint16(4, inside.length);
  bytes[6] = protocol;
  bytes[7] = 64;
  bytes.set(source, 8);
  bytes.set(destination, 24);
  bytes.set(inside, 40);
  return bytes;
}

/** Everything behind the IP header, the checksum still zero. */
function buildInside(packet: PacketSpec, addresses: HostAddresses, six: boolean): Uint8Array {
  switch (packet.protocol) {
    case "tcp":
      return buildTcp(packet);
    case "udp":
    case "udplite":
      return buildUdp(packet);
    case "icmp":
      return buildIcmp(packet, addresses, six);
    case "sctp":
      return buildSctp(packet);
    case "dccp":
      return buildDccp(packet);
    case "gre":
      return buildGre(packet);
    default:
      return new Uint8Array(field(packet, "len"));
  }
}

function field(packet: PacketSpec, name: string): number {
  return packet.fields[name] ?? 0;
}

function withPorts(packet: PacketSpec, length: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, packet.ports?.[0] ?? 0);
  view.setUint16(2, packet.ports?.[1] ?? 0);
  return { bytes, view };
}

function buildTcp(packet: PacketSpec): Uint8Array {
  const options = tcpOptions(packet);
  const headerBytes = 20 + options.length;
  const said = packet.say === undefined ? undefined : new TextEncoder().encode(`${packet.say}\r\n`);
  const { bytes, view } = withPorts(packet, headerBytes + (said?.length ?? field(packet, "len")));
  if (said !== undefined) bytes.set(said, headerBytes);
  view.setUint32(4, field(packet, "seq"));
  view.setUint32(8, field(packet, "ack"));
  const offset = packet.fields["off"] ?? headerBytes / 4;
  bytes[12] = offset << 4;
  for (const letter of packet.flags ?? "")
    bytes[13] = (bytes[13] as number) | (1 << TCP_FLAGS.indexOf(letter));
  view.setUint16(14, field(packet, "win"));
  bytes.set(options, 20);
  return bytes;
}

function tcpOptions(packet: PacketSpec): Uint8Array {
  const { mss, scale, sackok, sack, sackto } = packet.fields;
  const options: number[] = [];
  if (mss !== undefined) options.push(2, 4, mss >> 8, mss & 255);
  if (sackok !== undefined && sackok !== 0) options.push(1, 1, 4, 2);
  if (scale !== undefined) options.push(1, 3, 3, scale);
  if (sackto !== undefined) options.push(1, 1, 5, 10, ...word(sack ?? 0), ...word(sackto));
  return Uint8Array.from(options);
}

function word(value: number): [number, number, number, number] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function buildUdp(packet: PacketSpec): Uint8Array {
  const { bytes, view } = withPorts(packet, 8 + field(packet, "len"));
  view.setUint16(4, packet.fields["size"] ?? bytes.length);
  return bytes;
}

/** An error carries what it answers; anything else an identifier. */
function buildIcmp(packet: PacketSpec, addresses: HostAddresses, six: boolean): Uint8Array {
  const { about } = packet;
  const answered = about === undefined ? undefined : buildPacket(about, addresses);
  const kept = answered?.subarray(0, (six ? 40 : 20) + (packet.fields["inner"] ?? answered.length));
  const redirects = six && packet.fields["type"] === REDIRECT6 && kept !== undefined;
  const inside = redirects ? redirection(kept, addresses(packet.to)) : kept;
  const bytes = new Uint8Array(8 + (inside?.length ?? field(packet, "len")));
  const view = new DataView(bytes.buffer);
  bytes[0] = field(packet, "type");
  bytes[1] = field(packet, "code");
  view.setUint16(4, field(packet, "id"));
  if (inside !== undefined) bytes.set(inside, 8);
  return bytes;
}

const REDIRECT6 = 137;

/** RFC 4861 4.5: target, destination, and the packet in an option of whole eights of bytes. */
function redirection(packet: Uint8Array, target: Uint8Array): Uint8Array {
  const optionBytes = 8 + ((packet.length + 7) & ~7);
  const bytes = new Uint8Array(32 + optionBytes);
  bytes.set(target, 0);
  bytes.set(packet.subarray(24, 40), 16);
  bytes[32] = 4;
  bytes[33] = optionBytes / 8;
  bytes.set(packet, 40);
  return bytes;
}

function buildSctp(packet: PacketSpec): Uint8Array {
  const chunks = (packet.chunks ?? []).map((name) => sctpChunk(packet, name));
  const { bytes, view } = withPorts(packet, 12 + chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  view.setUint32(4, field(packet, "tag"));
  let at = 12;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function sctpChunk(packet: PacketSpec, name: string): Uint8Array {
  const type = SCTP_CHUNK[name] ?? Number(name);
  const dataBytes = type === 0 ? 12 + field(packet, "len") : 0;
  const lengthBytes = type === 1 || type === 2 ? 20 : 4 + dataBytes;
  const bytes = new Uint8Array((lengthBytes + 3) & ~3);
  const view = new DataView(bytes.buffer);
  bytes[0] = type;
  bytes[1] = field(packet, "cflags");
  view.setUint16(2, packet.fields["clen"] ?? lengthBytes);
  if (lengthBytes === 20) {
    view.setUint32(4, field(packet, "itag"));
    view.setUint32(8, 65_536);
    view.setUint16(12, 1);
    view.setUint16(14, 1);
  }
  return bytes;
}

/** DCCP's Response and Reset: they have a code besides an acknowledgment number. */
const DCCP_WITH_CODE = [1, 7];

/** With a long sequence number (X = 1): 16 bytes, and 8 of acknowledgment or service code, or 12 of both. */
function buildDccp(packet: PacketSpec): Uint8Array {
  const type = field(packet, "type");
  const { bytes, view } = withPorts(packet, DCCP_WITH_CODE.includes(type) ? 28 : 24);
  bytes[4] = bytes.length / 4;
  bytes[8] = (type << 1) | 1;
  view.setUint32(12, field(packet, "seq"));
  view.setUint32(20, field(packet, "ack"));
  return bytes;
}

function buildGre(packet: PacketSpec): Uint8Array {
  const version = field(packet, "v");
  const { key } = packet.fields;
  const bytes = new Uint8Array((key === undefined && version === 0 ? 4 : 8) + field(packet, "len"));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, (key === undefined && version === 0 ? 0 : 0x2000) | version);
  view.setUint16(2, version === 1 ? 0x880b : 0x0800);
  if (version === 1) view.setUint16(6, field(packet, "call"));
  else if (key !== undefined) view.setUint32(4, key);
  return bytes;
}

/** Where the checksum is, by protocol; ICMP is the same in both families. */
const CHECKSUM_AT: Readonly<Record<number, number>> = { 1: 2, 6: 16, 17: 6, 33: 6, 58: 2, 132: 8, 136: 6 };

function writeChecksum(
  packet: PacketSpec,
  inside: Uint8Array,
  protocol: number,
  source: Uint8Array,
  destination: Uint8Array,
): void {
  const at = CHECKSUM_AT[protocol];
  if (at === undefined || inside.length < at + 2 || field(packet, "nosum") !== 0) return;
  const view = new DataView(inside.buffer, inside.byteOffset, inside.length);
  const bad = field(packet, "bad");
  if (protocol === 132) return view.setUint32(at, (crc32c(inside) + bad) >>> 0, true);
  let start = 0;
  if (protocol !== ICMP) {
    start = onesSum(source, 0, source.length, inside.length + protocol);
    start = onesSum(destination, 0, destination.length, start);
  }
  const covered = protocol === 136 ? coverage(packet, inside.length) : inside.length;
  const sum = ~onesSum(inside, 0, covered, start) & 0xffff;
  const sent = sum === 0 && (protocol === 17 || protocol === 136) ? 0xffff : sum;
  view.setUint16(at, (sent + bad) & 0xffff);
}

/** UDP-Lite: 0 is everything; nonsense is summed as everything, too. */
function coverage(packet: PacketSpec, lengthBytes: number): number {
  const told = packet.fields["size"] ?? lengthBytes;
  return told === 0 || told < 8 || told > lengthBytes ? lengthBytes : told;
}
