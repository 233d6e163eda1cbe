/**
 * A packet in words that people read and a shrinking test can simplify: `tcp a:1000>b:80 SA seq=1 ack=2`.
 * Hosts are letters; which addresses they are is the sequence's matter. A field that is not named is zero.
 *
 * Fields of all: `bad` is added to the checksum, `cut` leaves so many bytes behind the IP header.
 *   tcp      flags (FSRPAUEC, `-` for none) seq ack win len; off (header words, when it lies); options scale,
 *            sackok, sack with sackto (one block), mss
 *   udp, udplite  len; size (the length field or coverage, when it lies); nosum
 *   icmp     type code id len; with `{...}` the packet it answers, `inner` bytes of it behind its IP header
 *   sctp     tag itag len, and chunks by name
 *   dccp     type seq
 *   gre      v (version) key call len
 *   ip       p (protocol number) len
 */

/** A host: `a` and `b` talk, others are on the way. */
export type Host = "a" | "b" | "c" | "d";

export interface PacketSpec {
  protocol: string;
  from: Host;
  to: Host;
  ports?: readonly [number, number];
  flags?: string;
  chunks?: readonly string[];
  fields: Readonly<Record<string, number>>;
  /** What a segment says: its data, ended by CR and LF. Text form: `say=`, with `_` for a space. */
  say?: string;
  /** What an ICMP error answers. */
  about?: PacketSpec;
}

/** Fields whose being there means something, also with the value zero. */
const ZERO_MEANS = new Set(["cut", "inner", "key", "mss", "off", "sackto", "scale", "size", "clen"]);

/** One line of text. */
export function printPacket(packet: PacketSpec): string {
  const { ports, flags, chunks, about } = packet;
  const host = (name: Host, port: number | undefined): string =>
    port === undefined ? name : `${name}:${port}`;
  const words = [packet.protocol, `${host(packet.from, ports?.[0])}>${host(packet.to, ports?.[1])}`];
  if (flags !== undefined) words.push(flags === "" ? "-" : flags);
  if (chunks !== undefined) words.push(chunks.length === 0 ? "-" : chunks.join(","));
  for (const [name, value] of Object.entries(packet.fields)) {
    if (value !== 0 || ZERO_MEANS.has(name)) words.push(`${name}=${value}`);
  }
  if (packet.say !== undefined) words.push(`say=${packet.say.replaceAll(" ", "_")}`);
  if (about !== undefined) words.push(`{ ${printPacket(about)} }`);
  return words.join(" ");
}

const SHAPE = /^(\w+) ([a-d])(?::(\d+))?>([a-d])(?::(\d+))?((?: [^{}]*)?)(?:\{ (.*) \})?$/;

/** Reads what `printPacket` writes. Throws when it is something else. */
export function parsePacket(text: string): PacketSpec {
  const match = SHAPE.exec(text.trim());
  if (match === null) throw new Error(`Cannot read the packet ${JSON.stringify(text)}`);
  const [, protocol = "", from, sourcePort, to, destinationPort, rest = "", about] = match;
  const words = rest.trim().split(" ").filter(Boolean);
  const fields: Record<string, number> = {};
  for (const word of words) {
    const [name = "", value] = word.split("=");
    if (value !== undefined && name !== "say") fields[name] = Number(value);
  }
  const plain = words.find((word) => !word.includes("="));
  const packet: PacketSpec = { protocol, from: from as Host, to: to as Host, fields };
  if (sourcePort !== undefined) packet.ports = [Number(sourcePort), Number(destinationPort)];
  if (protocol === "tcp") packet.flags = plain === undefined || plain === "-" ? "" : plain;
  if (protocol === "sctp") packet.chunks = plain === undefined || plain === "-" ? [] : plain.split(",");
  if (about !== undefined) packet.about = parsePacket(about);
  const said = words.find((word) => word.startsWith("say="));
  if (said !== undefined) packet.say = said.slice(4).replaceAll("_", " ");
  return packet;
}
