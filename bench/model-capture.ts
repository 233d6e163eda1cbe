/**
 * A capture for the model's benchmark: the traffic of a small gateway, the same for the same size on every
 * machine. Flows begin, talk and end beside each other: TCP with handshake, timestamps, data and close, some
 * of it refused or never answered; DNS and longer UDP; a little ping. Every checksum is right.
 *
 * Read `FlowScripts` first: it says which packets a flow has. The rest puts them in order and into bytes.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { type Random, seededRandom } from "../src/base/random.ts";

/** How much is written. */
export interface CaptureSize {
  readonly packets: number;
  /** At most a third of the packets: flows of TCP need eight each. */
  readonly flows: number;
}

/** What was written. */
export interface WrittenCapture {
  readonly bytes: number;
  /** FNV-1a over the 32-bit words of all records, so that a change of the traffic is seen. */
  readonly checksum: number;
}

/** Flows that talk at the same time, unless there are fewer. */
const BESIDE_EACH_OTHER = 20_000;
/** Ten thousand packets a second: 300,000 flows in 300 s, so that most end and expire in the capture. */
const MEAN_GAP_US = 100;
/** Of 256 packets, how many come from the flow of the packet before: answers come in trains. */
const TRAIN_OF_256 = 96;
const START_SECONDS = 1_700_000_000;

const Kind = { dns: 0, udp: 1, ping: 2, unanswered: 3, refused: 4, tcp: 5 } as const;
type Kind = (typeof Kind)[keyof typeof Kind];

const Flag = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10 } as const;

/** Writes a pcap of `size` to `path`. Throws on a size that cannot be made. */
export function writeCapture(path: string, size: CaptureSize): WrittenCapture {
  const random = seededRandom(0x4845_4144);
  const scripts = new FlowScripts(size, random);
  const file = openSync(path, "w");
  try {
    const bytes = new RecordBytes((chunk) => writeSync(file, chunk));
    writeInterleaved(scripts, size, random, bytes);
    return bytes.close();
  } finally {
    closeSync(file);
  }
}

/** Chooses whose packet is next: any of the flows that are in progress, often the same again. */
function writeInterleaved(scripts: FlowScripts, size: CaptureSize, random: Random, bytes: RecordBytes): void {
  const active = new Int32Array(Math.min(BESIDE_EACH_OTHER, size.flows));
  let activeCount = active.length;
  for (let slot = 0; slot < activeCount; slot += 1) active[slot] = slot;
  let nextFlow = activeCount;
  let slot = 0;
  let timeUs = 0;
  while (activeCount > 0) {
    const choice = random.next();
    if ((choice & 255) >= TRAIN_OF_256 || slot >= activeCount) slot = random.below(activeCount);
    // The sum of two even draws: never below zero, and with the mean that is wanted.
    timeUs += ((choice >>> 8) % MEAN_GAP_US) + ((choice >>> 16) % MEAN_GAP_US) + 1;
    const flow = active[slot] as number;
    bytes.timeUs = timeUs;
    scripts.writeNext(flow, bytes);
    if (scripts.left(flow) > 0) continue;
    if (nextFlow < size.flows) active[slot] = nextFlow++;
    else active[slot] = active[--activeCount] as number;
  }
}

/** What every flow says, packet by packet. */
class FlowScripts {
  readonly #kind: Uint8Array;
  readonly #length: Int32Array;
  readonly #done: Int32Array;
  /** Next sequence numbers of the client and the server. */
  readonly #client: Uint32Array;
  readonly #server: Uint32Array;

  constructor({ packets, flows }: CaptureSize, random: Random) {
    this.#kind = new Uint8Array(flows);
    this.#length = new Int32Array(flows);
    this.#done = new Int32Array(flows);
    this.#client = new Uint32Array(flows);
    this.#server = new Uint32Array(flows);
    for (let flow = 0; flow < flows; flow += 1) {
      const kind = drawKind(random.below(100));
      this.#kind[flow] = kind;
      this.#length[flow] = leastLength(kind, random);
      this.#client[flow] = random.next();
      this.#server[flow] = random.next();
    }
    this.#lengthen(packets, random);
  }

  /** Gives the packets that are left to flows that can take more: in unequal portions, as in life. */
  #lengthen(packets: number, random: Random): void {
    let left = packets;
    for (const length of this.#length) left -= length;
    if (left < 0) throw new Error(`Cannot write ${this.#length.length} flows in ${packets} packets`);
    while (left > 0) {
      const flow = random.below(this.#kind.length);
      const kind = this.#kind[flow] as Kind;
      if (kind !== Kind.tcp && kind !== Kind.udp) continue;
      const portion = Math.min(left, random.below(16) === 0 ? 160 : random.below(16));
      this.#length[flow] = (this.#length[flow] as number) + portion;
      left -= portion;
    }
  }

  /** Packets the flow still has. */
  left(flow: number): number {
    return (this.#length[flow] as number) - (this.#done[flow] as number);
  }

  writeNext(flow: number, bytes: RecordBytes): void {
    const step = this.#done[flow] as number;
    this.#done[flow] = step + 1;
    const kind = this.#kind[flow] as Kind;
    if (kind >= Kind.unanswered) this.#writeTcp(kind, flow, step, bytes);
    else if (kind === Kind.ping) bytes.echo(flow, (step & 1) === 1, step >> 1);
    else bytes.udp(flow, (step & 1) === 1, kind === Kind.dns ? 53 : 5001, 22 + ((flow + step) % 37));
  }

  #writeTcp(kind: Kind, flow: number, step: number, bytes: RecordBytes): void {
    const { ack, fin, rst, syn } = Flag;
    const length = this.#length[flow] as number;
    if (kind === Kind.unanswered) bytes.tcp(flow, false, syn, this.#client[flow] as number, 0, 0);
    else if (step === 0) this.#say(flow, false, syn, 0, bytes);
    else if (kind === Kind.refused) this.#say(flow, true, rst | ack, 0, bytes);
    else if (step === 1) this.#say(flow, true, syn | ack, 0, bytes);
    else if (step === 2) this.#say(flow, false, ack, 0, bytes);
    else if (step === length - 3) this.#say(flow, false, fin | ack, 0, bytes);
    else if (step === length - 2) this.#say(flow, true, fin | ack, 0, bytes);
    else if (step === length - 1) this.#say(flow, false, ack, 0, bytes);
    else this.#talk(flow, step & 3, bytes);
  }

  /** Two packets of data with an acknowledgement of each, the client's and then the server's. */
  #talk(flow: number, turn: number, bytes: RecordBytes): void {
    if (turn === 3) this.#say(flow, false, Flag.psh | Flag.ack, 8 + (flow % 27), bytes);
    else if (turn === 1) this.#say(flow, true, Flag.psh | Flag.ack, 34, bytes);
    else this.#say(flow, turn === 0, Flag.ack, 0, bytes);
  }

  #say(flow: number, reply: boolean, flags: number, data: number, bytes: RecordBytes): void {
    const from = reply ? this.#server : this.#client;
    const to = reply ? this.#client : this.#server;
    const sequence = from[flow] as number;
    bytes.tcp(flow, reply, flags, sequence, flags & Flag.ack ? (to[flow] as number) : 0, data);
    from[flow] = sequence + data + (flags & (Flag.syn | Flag.fin) ? 1 : 0);
  }
}

/** The mix of flows of a gateway in front of browsers: as many lookups as connections. */
function drawKind(percent: number): Kind {
  if (percent < 42) return Kind.dns;
  if (percent < 45) return Kind.udp;
  if (percent < 47) return Kind.ping;
  if (percent < 51) return Kind.unanswered;
  return percent < 53 ? Kind.refused : Kind.tcp;
}

function leastLength(kind: Kind, random: Random): number {
  if (kind === Kind.tcp) return 8;
  if (kind === Kind.ping) return 2 * (1 + random.below(4));
  if (kind === Kind.unanswered) return 1 + random.below(3);
  return 2;
}

/* ---- Bytes ---- */

const CHUNK_BYTES = 4 << 20;
const LONGEST_RECORD = 16 + 128;
const RECORD = 16;
const ETHERNET = 14;
const IP = 20;
/** Offset of the transport header from the begin of a record. */
const TRANSPORT = RECORD + ETHERNET + IP;
const UDP_HEADER = 8;
const ECHO_HEADER = 8;
const ECHO_BYTES = 56;
/** The fixed header and a timestamp option with two fillers, as every stack sends it. */
const TCP_HEADER = 32;
/** The fixed header and maximum segment size, SACK permitted, timestamp, filler and window scale. */
const SYN_HEADER = 40;
const Protocol = { icmp: 1, tcp: 6, udp: 17 } as const;

/** Records of a pcap as tcpdump writes it on this kind of machine: microseconds, little-endian. */
class RecordBytes {
  readonly #write: (chunk: Uint8Array) => void;
  readonly #bytes = new Uint8Array(CHUNK_BYTES);
  readonly #words = new DataView(this.#bytes.buffer);
  /** When the next packet is, from the begin of the capture. */
  timeUs = 0;
  #at = 0;
  #written = 0;
  #checksum = 0x811c_9dc5;

  constructor(write: (chunk: Uint8Array) => void) {
    this.#write = write;
    // Magic, version 2.4, zone and accuracy, greatest record, Ethernet: pcap-savefile(5).
    for (const word of [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1]) this.#word(word);
  }

  #word(value: number): void {
    this.#words.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  close(): WrittenCapture {
    this.#flush();
    return { bytes: this.#written, checksum: this.#checksum >>> 0 };
  }

  #flush(): void {
    const chunk = this.#bytes.subarray(0, this.#at);
    for (let at = 0; at + 4 <= chunk.length; at += 4) {
      this.#checksum = Math.imul(this.#checksum ^ this.#words.getUint32(at), 0x0100_0193);
    }
    this.#write(chunk);
    this.#written += chunk.length;
    this.#at = 0;
  }

  tcp(
    flow: number,
    reply: boolean,
    flags: number,
    sequence: number,
    acknowledged: number,
    data: number,
  ): void {
    const header = flags & Flag.syn ? SYN_HEADER : TCP_HEADER;
    const at = this.#begin(flow, reply, Protocol.tcp, header + data);
    const transport = at + TRANSPORT;
    this.#ports(transport, clientPort(flow), 443, reply);
    this.#words.setUint32(transport + 4, sequence);
    this.#words.setUint32(transport + 8, acknowledged);
    this.#words.setUint32(
      transport + 12,
      ((header >> 2) << 28) | (flags << 16) | (flags & Flag.syn ? 64_240 : 501),
    );
    this.#words.setUint32(transport + 16, 0);
    let option = transport + 20;
    if (flags & Flag.syn) {
      this.#words.setUint32(option, 0x0204_05b4);
      this.#words.setUint16(option + 4, 0x0402);
      this.#words.setUint32(option + 16, 0x0103_0307);
      option += 6;
    } else {
      this.#words.setUint16(option, 0x0101);
      option += 2;
    }
    this.#words.setUint16(option, 0x080a);
    this.#words.setUint32(option + 2, Math.floor(this.timeUs / 1000) + flow);
    this.#words.setUint32(option + 6, flags & Flag.ack ? Math.floor(this.timeUs / 1000) + 7 : 0);
    this.#fill(transport + header, data);
    this.#end(at, Protocol.tcp, header + data, transport + 16);
  }

  udp(flow: number, reply: boolean, serverPort: number, data: number): void {
    const at = this.#begin(flow, reply, Protocol.udp, UDP_HEADER + data);
    const transport = at + TRANSPORT;
    this.#ports(transport, clientPort(flow), serverPort, reply);
    this.#words.setUint32(transport + 4, (UDP_HEADER + data) << 16);
    this.#fill(transport + UDP_HEADER, data);
    this.#end(at, Protocol.udp, UDP_HEADER + data, transport + 6);
  }

  echo(flow: number, reply: boolean, sequence: number): void {
    const at = this.#begin(flow, reply, Protocol.icmp, ECHO_BYTES);
    const transport = at + TRANSPORT;
    this.#words.setUint32(transport, reply ? 0 : 0x0800_0000);
    this.#words.setUint32(transport + 4, ((clientPort(flow) << 16) | sequence) >>> 0);
    this.#fill(transport + ECHO_HEADER, ECHO_BYTES - ECHO_HEADER);
    this.#end(at, Protocol.icmp, ECHO_BYTES, transport + 2);
  }

  /** Writes all before the transport header; returns where the record begins. */
  #begin(flow: number, reply: boolean, protocol: number, length: number): number {
    const timeUs = this.timeUs;
    if (this.#at + LONGEST_RECORD > CHUNK_BYTES) this.#flush();
    const at = this.#at;
    const words = this.#words;
    words.setUint32(at, START_SECONDS + Math.floor(timeUs / 1e6), true);
    words.setUint32(at + 4, timeUs % 1e6, true);
    words.setUint32(at + 8, ETHERNET + IP + length, true);
    words.setUint32(at + 12, ETHERNET + IP + length, true);
    const frame = at + RECORD;
    // Locally administered addresses, ending in 1 and 2.
    words.setUint32(frame, 0x0200_0000);
    words.setUint32(frame + 4, reply ? 0x0001_0200 : 0x0002_0200);
    words.setUint32(frame + 8, reply ? 0x0000_0002 : 0x0000_0001);
    words.setUint16(frame + 12, 0x0800);
    const ip = frame + ETHERNET;
    words.setUint32(ip, 0x4500_0000 | (IP + length));
    words.setUint32(ip + 4, (((flow * 7 + timeUs) & 0xffff) << 16) | 0x4000);
    words.setUint32(ip + 8, (64 << 24) | (protocol << 16));
    words.setUint32(ip + 12, reply ? serverAddress(flow) : clientAddress(flow));
    words.setUint32(ip + 16, reply ? clientAddress(flow) : serverAddress(flow));
    return at;
  }

  #ports(at: number, client: number, server: number, reply: boolean): void {
    this.#words.setUint16(at, reply ? server : client);
    this.#words.setUint16(at + 2, reply ? client : server);
  }

  #fill(at: number, data: number): void {
    this.#bytes.fill(0x61, at, at + data);
  }

  /** Both checksums: RFC 1071, over the header of IP, and over pseudo-header and transport but for ICMP. */
  #end(at: number, protocol: number, length: number, checksumAt: number): void {
    const ip = at + RECORD + ETHERNET;
    this.#words.setUint16(ip + 10, folded(this.#sum(ip, IP)));
    const pseudo = protocol === Protocol.icmp ? 0 : this.#sum(ip + 12, 8) + protocol + length;
    const checksum = folded(pseudo + this.#sum(at + TRANSPORT, length));
    // In UDP a checksum of zero means that there is none.
    this.#words.setUint16(checksumAt, checksum === 0 && protocol === Protocol.udp ? 0xffff : checksum);
    this.#at = at + TRANSPORT + length;
  }

  #sum(from: number, length: number): number {
    const bytes = this.#bytes;
    const even = from + (length & ~1);
    let sum = 0;
    for (let at = from; at < even; at += 2) sum += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    return (length & 1) === 1 ? sum + ((bytes[even] as number) << 8) : sum;
  }
}

function folded(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return ~(once + (once >>> 16)) & 0xffff;
}

/** 64 Ki clients in 10.0.0.0/16; each has its own ports, so that no two flows are the same. */
function clientAddress(flow: number): number {
  return 0x0a00_0000 | (Math.imul(flow, 40_503) & 0xffff);
}

function clientPort(flow: number): number {
  return 20_000 + (((flow >>> 16) * 97 + (flow & 0xff)) % 40_000);
}

/** 4096 servers in 198.18.0.0/15, the network for benchmarks of RFC 2544. */
function serverAddress(flow: number): number {
  return (0xc612_0000 | (Math.imul(flow, 2_654_435_761) >>> 20)) >>> 0;
}
