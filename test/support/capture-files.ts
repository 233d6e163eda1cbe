/**
 * The captures of test/fixtures/captures, packet by packet: traffic of an office with a web server and a name
 * server, and what goes wrong there. Run as a program it writes them.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { type RecordToWrite, writeCapture } from "../../src/packet/write-capture.ts";
import { onesSum } from "./wire/packet-bytes.ts";

const ETHERNET = 1;
const START_MS = 1_700_000_000_000;
const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
const TCP = 6;
const UDP = 17;
const ICMP = 1;

const client = "192.0.2.10";
const server = "198.51.100.80";
const resolver = "198.51.100.53";

function bytesOf(address: string): number[] {
  return address.split(".").map(Number);
}

function word(value: number): number[] {
  return [(value >>> 8) & 255, value & 255];
}

function long(value: number): number[] {
  return [...word(value >>> 16), ...word(value)];
}

function filling(count: number): number[] {
  return Array.from({ length: count }, () => 120);
}

/** `bytes` with the checksum over them, after `start`, at `at`. */
function summed(bytes: readonly number[], at: number, start = 0): number[] {
  const sum = ~onesSum(Uint8Array.from(bytes), 0, bytes.length, start) & 0xffff;
  return bytes.with(at, sum >> 8).with(at + 1, sum & 255);
}

interface Ip {
  from: string;
  to: string;
  protocol: number;
  /** Behind the header. */
  data: readonly number[];
  id?: number;
  /** Flags and offset of a fragment. */
  fragment?: number;
}

/** An Ethernet frame with an IPv4 packet. */
function frame({ from, to, protocol, data, id = 0, fragment = 0 }: Ip): Uint8Array {
  const head = [0x45, 0, ...word(20 + data.length), ...word(id), ...word(fragment), 64, protocol, 0, 0];
  const header = summed([...head, ...bytesOf(from), ...bytesOf(to)], 10);
  return Uint8Array.from([...ethernet(0x0800), ...header, ...data]);
}

function ethernet(type: number): number[] {
  return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...word(type)];
}

/** Sum of the pseudo-header. */
function pseudo(from: string, to: string, protocol: number, lengthBytes: number): number {
  return onesSum(
    Uint8Array.from([...bytesOf(from), ...bytesOf(to), ...word(protocol), ...word(lengthBytes)]),
  );
}

interface Segment {
  from: string;
  to: string;
  ports: readonly [number, number];
  flags: number;
  sequence?: number;
  acknowledgment?: number;
  dataBytes?: number;
}

function tcp(segment: Segment): Uint8Array {
  const { from, to, ports, flags, sequence = 0, acknowledgment = 0, dataBytes = 0 } = segment;
  const head = [...word(ports[0]), ...word(ports[1]), ...long(sequence), ...long(acknowledgment)];
  const bytes = [...head, 0x50, flags, ...word(64_240), 0, 0, 0, 0, ...filling(dataBytes)];
  return frame({ from, to, protocol: TCP, data: summed(bytes, 16, pseudo(from, to, TCP, bytes.length)) });
}

function udpBytes(from: string, to: string, ports: readonly [number, number], dataBytes: number): number[] {
  const head = [...word(ports[0]), ...word(ports[1]), ...word(8 + dataBytes), 0, 0];
  const bytes = [...head, ...filling(dataBytes)];
  return summed(bytes, 6, pseudo(from, to, UDP, bytes.length));
}

function udp(from: string, to: string, ports: readonly [number, number], dataBytes = 40): Uint8Array {
  return frame({ from, to, protocol: UDP, data: udpBytes(from, to, ports, dataBytes) });
}

function ping(from: string, to: string, type: 0 | 8, id: number): Uint8Array {
  return frame({ from, to, protocol: ICMP, data: summed([type, 0, 0, 0, ...word(id), 0, 1], 2) });
}

function arp(): Uint8Array {
  const asked = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2];
  return Uint8Array.from([
    ...ethernet(0x0806),
    ...asked,
    ...bytesOf(client),
    0,
    0,
    0,
    0,
    0,
    0,
    ...bytesOf(server),
  ]);
}

/** One request over TCP, from the handshake to the close. */
function request(port: number): Uint8Array[] {
  const out = { from: client, to: server, ports: [port, 443] } as const;
  const back = { from: server, to: client, ports: [443, port] } as const;
  return [
    tcp({ ...out, flags: SYN, sequence: 1000 }),
    tcp({ ...back, flags: SYN | ACK, sequence: 5000, acknowledgment: 1001 }),
    tcp({ ...out, flags: ACK, sequence: 1001, acknowledgment: 5001 }),
    tcp({ ...out, flags: PSH | ACK, sequence: 1001, acknowledgment: 5001, dataBytes: 100 }),
    tcp({ ...back, flags: PSH | ACK, sequence: 5001, acknowledgment: 1101, dataBytes: 200 }),
    tcp({ ...out, flags: FIN | ACK, sequence: 1101, acknowledgment: 5201 }),
    tcp({ ...back, flags: FIN | ACK, sequence: 5201, acknowledgment: 1102 }),
    tcp({ ...out, flags: ACK, sequence: 1102, acknowledgment: 5202 }),
  ];
}

/** A datagram in two fragments, of 32 bytes and the rest. */
function fragments(from: string, to: string, id: number): [Uint8Array, Uint8Array] {
  const data = udpBytes(from, to, [40_000, 4500], 56);
  const ip = { from, to, protocol: UDP, id };
  return [
    frame({ ...ip, data: data.slice(0, 32), fragment: 0x2000 }),
    frame({ ...ip, data: data.slice(32), fragment: 4 }),
  ];
}

/** Records so many milliseconds apart. */
function spaced(packets: readonly Uint8Array[], stepMs: number, fromMs = START_MS): RecordToWrite[] {
  return packets.map((packet, index) => ({ timeMs: fromMs + index * stepMs, packet }));
}

/** A little of everything: 18 records, with a datagram whose fragments have another packet between them. */
function office(): Uint8Array {
  const [first, second] = fragments(client, server, 7);
  const [lost] = fragments(client, resolver, 8);
  return writeCapture(
    ETHERNET,
    spaced(
      [
        arp(),
        udp(client, resolver, [50_001, 53]),
        udp(resolver, client, [53, 50_001]),
        ...request(40_001),
        ping(client, server, 8, 77),
        ping(server, client, 0, 77),
        first,
        udp(client, resolver, [50_002, 53]),
        second,
        lost,
        tcp({ from: server, to: client, ports: [443, 40_009], flags: RST, sequence: 9 }),
      ],
      250,
    ),
  );
}

/** 600 connections that are opened and never answered, 20 a second, two thirds of them from one address. */
function flood(): Uint8Array {
  const packets = Array.from({ length: 600 }, (_, index) => {
    const from = index % 3 === 2 ? `203.0.113.${index % 7}` : "203.0.113.99";
    return tcp({ from, to: server, ports: [10_000 + index, 443], flags: SYN, sequence: index });
  });
  return writeCapture(ETHERNET, spaced(packets, 50));
}

/** 600 connections that stay open, one every 100 ms, from three addresses. */
function hoard(): Uint8Array {
  const packets = Array.from({ length: 600 }, (_, index) => {
    const from = `192.0.2.${10 + (index % 3)}`;
    const out = { from, to: server, ports: [20_000 + index, 443] } as const;
    const back = { from: server, to: from, ports: [443, 20_000 + index] } as const;
    return [
      tcp({ ...out, flags: SYN, sequence: 100 }),
      tcp({ ...back, flags: SYN | ACK, sequence: 900, acknowledgment: 101 }),
      tcp({ ...out, flags: ACK, sequence: 101, acknowledgment: 901 }),
    ];
  });
  return writeCapture(ETHERNET, spaced(packets.flat(), 33));
}

/** A request twenty times, the client's checksums left to the network card, as a sender captures it. */
function offload(): Uint8Array {
  const packets = Array.from({ length: 20 }, (_, index) => request(41_000 + index)).flat();
  for (const packet of packets) {
    const isClients = packet[14 + 12] === 192;
    // Behind Ethernet and IP, at offset 16 of TCP.
    if (isClients) packet.set([0xbe, 0xef], 14 + 20 + 16);
  }
  return writeCapture(ETHERNET, spaced(packets, 10));
}

/** No packet of it is IP. */
function neighbours(): Uint8Array {
  return writeCapture(ETHERNET, spaced([arp(), arp(), arp()], 1000));
}

/** Every capture by its file name. */
export const captureFiles: Readonly<Record<string, () => Uint8Array>> = {
  "office.pcap": office,
  "flood.pcap": flood,
  "hoard.pcap": hoard,
  "offload.pcap": offload,
  "neighbours.pcap": neighbours,
};

if (import.meta.main) {
  for (const [name, make] of Object.entries(captureFiles)) {
    writeFileSync(fileURLToPath(new URL(`../fixtures/captures/${name}`, import.meta.url)), make());
  }
}
