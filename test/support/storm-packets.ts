/**
 * Packets of the flows of a storm: Ethernet, IPv4, and UDP or TCP, written into one buffer again and again.
 * Which flow it is, is a number; flows of numbers that are near each other are of many sources.
 */

/** A packet within a conversation. */
export interface StormStep {
  isTcp: boolean;
  /** From the side that was called. */
  isAnswer: boolean;
  flags: number;
  /** What the sequence and acknowledgement numbers have grown by. */
  sequence: number;
  acknowledgement: number;
}

const [FIN, SYN, ACK] = [0x01, 0x02, 0x10];

const SHOUT: StormStep = { isTcp: false, isAnswer: false, flags: 0, sequence: 0, acknowledgement: 0 };
const CONVERSATIONS: Readonly<Record<"shouted" | "asked" | "talked", readonly StormStep[]>> = {
  shouted: [SHOUT],
  asked: [SHOUT, { ...SHOUT, isAnswer: true }],
  talked: [
    { isTcp: true, isAnswer: false, flags: SYN, sequence: 0, acknowledgement: 0 },
    { isTcp: true, isAnswer: true, flags: SYN | ACK, sequence: 0, acknowledgement: 1 },
    { isTcp: true, isAnswer: false, flags: ACK, sequence: 1, acknowledgement: 1 },
    { isTcp: true, isAnswer: false, flags: FIN | ACK, sequence: 1, acknowledgement: 1 },
    { isTcp: true, isAnswer: true, flags: FIN | ACK, sequence: 1, acknowledgement: 2 },
    { isTcp: true, isAnswer: false, flags: ACK, sequence: 2, acknowledgement: 2 },
  ],
};

export function conversation(kind: keyof typeof CONVERSATIONS): readonly StormStep[] {
  return CONVERSATIONS[kind];
}

const ETHERNET = 14;
const IPV4 = 20;
const TRANSPORT = ETHERNET + IPV4;
const UDP_BYTES = 8;
const TCP_BYTES = 20;
const PAYLOAD = 4;
const SOURCES = 4096;
const PORTS = 60_000;
const FIRST_PORT = 1024;
/** Some services have most of the flows. */
const SERVICES = [53, 53, 443, 443, 443, 80, 80, 123, 3478, 8080] as const;
const FIRST_SOURCE = 0x0a40_0000;
const FIRST_DESTINATION = 0xc633_6400;

export class StormPackets {
  readonly #bytes = new Uint8Array(TRANSPORT + TCP_BYTES + PAYLOAD);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #udp = this.#bytes.subarray(0, TRANSPORT + UDP_BYTES + PAYLOAD);
  readonly #tcp = this.#bytes.subarray(0, TRANSPORT + TCP_BYTES);

  /** Hardware addresses as `ip link` writes them. */
  constructor(from: string, to: string) {
    const hardware = (text: string): number[] => text.split(":").map((part) => Number.parseInt(part, 16));
    this.#bytes.set([...hardware(to), ...hardware(from), 0x08, 0x00]);
    this.#bytes.set([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64], ETHERNET);
  }

  /** The bytes are good until the next packet. */
  of(flow: number, { isTcp, isAnswer, flags, sequence, acknowledgement }: StormStep): Uint8Array {
    const view = this.#view;
    const source = FIRST_SOURCE + (flow % SOURCES);
    const destination = FIRST_DESTINATION + (flow % 7);
    const port = FIRST_PORT + (Math.floor(flow / SOURCES) % PORTS);
    const service = SERVICES[Math.floor(flow / 10) % SERVICES.length] as number;
    const packet = isTcp ? this.#tcp : this.#udp;
    view.setUint16(ETHERNET + 2, packet.length - ETHERNET);
    view.setUint8(ETHERNET + 9, isTcp ? 6 : 17);
    view.setUint32(ETHERNET + 12, isAnswer ? destination : source);
    view.setUint32(ETHERNET + 16, isAnswer ? source : destination);
    view.setUint16(ETHERNET + 10, 0);
    view.setUint16(ETHERNET + 10, this.#headerChecksum());
    view.setUint16(TRANSPORT, isAnswer ? service : port);
    view.setUint16(TRANSPORT + 2, isAnswer ? port : service);
    if (isTcp)
      this.#writeTcp(isAnswer ? 9_000_000 : 1_000_000, isAnswer ? 1_000_000 : 9_000_000, flags, {
        sequence,
        acknowledgement,
      });
    else {
      view.setUint16(TRANSPORT + 4, UDP_BYTES + PAYLOAD);
      // No checksum (RFC 768).
      view.setUint16(TRANSPORT + 6, 0);
    }
    return packet;
  }

  #writeTcp(
    first: number,
    firstOfOther: number,
    flags: number,
    { sequence, acknowledgement }: Pick<StormStep, "sequence" | "acknowledgement">,
  ): void {
    const view = this.#view;
    view.setUint32(TRANSPORT + 4, first + sequence);
    view.setUint32(TRANSPORT + 8, (flags & ACK) === 0 ? 0 : firstOfOther + acknowledgement);
    view.setUint8(TRANSPORT + 12, (TCP_BYTES / 4) << 4);
    view.setUint8(TRANSPORT + 13, flags);
    view.setUint16(TRANSPORT + 14, 65_535);
    view.setUint32(TRANSPORT + 16, 0);
  }

  /** RFC 1071, of the IPv4 header. */
  #headerChecksum(): number {
    let sum = 0;
    for (let at = ETHERNET; at < TRANSPORT; at += 2) sum += this.#view.getUint16(at);
    sum = (sum & 0xffff) + (sum >>> 16);
    return ~(sum + (sum >>> 16)) & 0xffff;
  }
}
