/**
 * Packets for tests and benches of the model: rows of a batch made of plain objects, without a capture.
 * What a row leaves out is that of a plain TCP SYN.
 */
import { parseAddress } from "../../src/table/address-text.ts";
import { ADDRESS_WORDS, addressToWords } from "../../src/table/address.ts";
import { ICMP, ICMPV6, TCP } from "../../src/table/protocol.ts";
import { InnerTuple, PacketColumns, PacketKind, SctpExtra, TcpFlag } from "../../src/packet/columns.ts";
import { hashTuple } from "../../src/packet/tuple-hash.ts";

/** The packet inside an ICMP error. */
export interface InnerPacket {
  protocol: number;
  source: string;
  destination: string;
  first: number;
  second: number;
}

/** One packet; discriminators are the kernel's union (columns.ts). */
export interface Packet {
  atMs?: number;
  kind?: number;
  protocol?: number;
  source?: string;
  destination?: string;
  first?: number;
  second?: number;
  zone?: number;
  fault?: number;
  lengthBytes?: number;
  flags?: number;
  sequence?: number;
  acknowledgment?: number;
  window?: number;
  dataBytes?: number;
  inner?: InnerPacket;
  /** Data of a TCP segment, kept for helpers. */
  payload?: string;
  sctp?: { vtag: number; initTag?: number; chunks: readonly number[] };
}

/** A batch with these packets, its first the capture's record `firstRecord`. */
export function packetsOf(packets: readonly Packet[], firstRecord = 1): PacketColumns {
  const batch = new PacketColumns(Math.max(1, packets.length));
  batch.clear(firstRecord);
  packets.forEach((packet, row) => writePacket(batch, row, packet));
  batch.count = packets.length;
  return batch;
}

/** Writes one row, hash included. */
export function writePacket(batch: PacketColumns, row: number, packet: Packet): void {
  const { source = "10.0.0.1", destination = "10.0.0.2", protocol = TCP, zone = 0 } = packet;
  const family = source.includes(":") ? 6 : 4;
  const { first = 40_000, second = 80 } = packet;
  batch.kind[row] = packet.kind ?? PacketKind.IP;
  batch.timeMs[row] = packet.atMs ?? 0;
  batch.family[row] = family;
  batch.protocol[row] = protocol;
  batch.lengthBytes[row] = packet.lengthBytes ?? 40;
  writeAddress(batch.source, row * ADDRESS_WORDS, source);
  writeAddress(batch.destination, row * ADDRESS_WORDS, destination);
  batch.sourceDiscriminator[row] = first;
  batch.destinationDiscriminator[row] = second;
  batch.zone[row] = zone;
  batch.fault[row] = packet.fault ?? 0;
  batch.tcpFlags[row] = packet.flags ?? TcpFlag.SYN;
  batch.tcpSequence[row] = packet.sequence ?? 0;
  batch.tcpAcknowledgment[row] = packet.acknowledgment ?? 0;
  batch.tcpSack[row] = packet.acknowledgment ?? 0;
  batch.tcpWindow[row] = packet.window ?? 65_535;
  batch.tcpDataBytes[row] = packet.dataBytes ?? packet.payload?.length ?? 0;
  batch.tcpOptions[row] = 0;
  batch.tcpWindowScale[row] = 0;
  batch.extraAt[row] = -1;
  batch.payloadAt[row] = -1;
  if (packet.payload !== undefined) writePayload(batch, row, packet.payload);
  if (packet.inner !== undefined) writeInner(batch, row, packet.inner);
  if (packet.sctp !== undefined) writeSctp(batch, row, packet.sctp);
  const at = row * ADDRESS_WORDS;
  const [one, two] = [batch.sourceDiscriminator[row] ?? 0, batch.destinationDiscriminator[row] ?? 0];
  const kind = family | (protocol << 8) | (zone << 16);
  batch.hash[row] = hashTuple(0, kind, batch.source, batch.destination, at, one | (two << 16));
}

function writePayload(batch: PacketColumns, row: number, text: string): void {
  batch.payload.set(new TextEncoder().encode(text), batch.payloadCount);
  batch.payloadAt[row] = batch.payloadCount;
  batch.payloadBytes[row] = text.length;
  batch.payloadCount += text.length;
}

function writeInner(batch: PacketColumns, row: number, inner: InnerPacket): void {
  const at = batch.extraCount;
  const { extra } = batch;
  extra[at + InnerTuple.FAMILY] = inner.source.includes(":") ? 6 : 4;
  extra[at + InnerTuple.PROTOCOL] = inner.protocol;
  writeAddress(extra, at + InnerTuple.SOURCE, inner.source);
  writeAddress(extra, at + InnerTuple.DESTINATION, inner.destination);
  extra[at + InnerTuple.SOURCE_DISCRIMINATOR] = inner.first;
  extra[at + InnerTuple.DESTINATION_DISCRIMINATOR] = inner.second;
  batch.extraAt[row] = at;
  batch.extraCount = at + InnerTuple.WORDS;
}

function writeSctp(batch: PacketColumns, row: number, sctp: NonNullable<Packet["sctp"]>): void {
  const at = batch.extraCount;
  batch.extra[at + SctpExtra.VTAG] = sctp.vtag;
  batch.extra[at + SctpExtra.INIT_TAG] = sctp.initTag ?? 0;
  batch.extra[at + SctpExtra.CHUNKS] = sctp.chunks.length;
  sctp.chunks.forEach((type, index) => {
    batch.extra[at + SctpExtra.FIRST_CHUNK + index] = type << 8;
  });
  batch.extraAt[row] = at;
  batch.extraCount = at + SctpExtra.FIRST_CHUNK + sctp.chunks.length;
}

function writeAddress(words: Uint32Array, at: number, text: string): void {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(`Not an address: ${text}`);
  words.fill(0, at, at + ADDRESS_WORDS);
  addressToWords(address, words, at);
}

/** The packet that answers a packet: its tuple turned round. */
export function answerTo(packet: Packet, more: Packet = {}): Packet {
  const {
    source = "10.0.0.1",
    destination = "10.0.0.2",
    first = 40_000,
    second = 80,
    protocol = TCP,
  } = packet;
  const isIcmp = protocol === ICMP || protocol === ICMPV6;
  const turned = isIcmp ? { first, second: answered(second) } : { first: second, second: first };
  return { ...packet, source: destination, destination: source, ...turned, ...more };
}

function answered(typeAndCode: number): number {
  const type = typeAndCode >>> 8;
  const answers: Readonly<Record<number, number>> = {
    8: 0,
    0: 8,
    13: 14,
    15: 16,
    17: 18,
    128: 129,
    139: 140,
  };
  return ((answers[type] ?? type) << 8) | (typeAndCode & 0xff);
}
