/**
 * Random TCP conversations that are likely to be interesting: two hosts that mostly do what TCP does next,
 * and now and then something else: a segment again, a guess, a new SYN, a field that lies.
 */
import type { Random } from "../../../src/base/random.ts";
import type { Host, PacketSpec } from "./packet-spec.ts";

interface Side {
  host: Host;
  port: number;
  /** What it sends next. */
  next: number;
  /** What it has been sent. */
  heard: number;
  window: number;
  finished: boolean;
  last?: PacketSpec;
}

const CLIENT_PORT = 1000;
const SERVER_PORT = 80;
const FIRST_SEQUENCES = [1000, 5000, 0x7fff_fff0, 0xffff_ff00, 0xffff_ffff, 0] as const;
const WINDOWS = [0, 1, 100, 1000, 8192, 65_535] as const;
const SHIFTS = [
  1, -1, 2, 100, -100, 1000, -1000, 66_000, -66_001, -65_536, 8192, 0x7fff_ffff, 0x8000_0000,
] as const;
const LENGTHS = [1, 10, 100, 1000, 1400] as const;
const FLAG_WORDS = [
  "S",
  "SA",
  "A",
  "PA",
  "FA",
  "R",
  "RA",
  "F",
  "",
  "SU",
  "AU",
  "FAU",
  "SAU",
  "SF",
  "SR",
  "FPU",
] as const;

/** The packets of one conversation, one a round. */
export function tcpConversation(random: Random, rounds: number): PacketSpec[] {
  return new Conversation(random).packets(rounds);
}

class Conversation {
  readonly #random: Random;
  readonly #sides: readonly [Side, Side];
  /** How often a packet is not what comes next, in hundredths. */
  readonly #oddness: number;
  /** How far the handshake is: 0 nothing, 1 SYN, 2 SYN/ACK, 3 done. */
  #handshake = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#sides = [this.#side("a", CLIENT_PORT), this.#side("b", SERVER_PORT)];
    this.#oddness = this.#pick([5, 20, 40, 80]);
    // In mid-stream there was a handshake that nobody saw.
    if (random.below(8) === 0) {
      this.#handshake = 3;
      this.#sides[0].heard = this.#sides[1].next;
      this.#sides[1].heard = this.#sides[0].next;
    }
  }

  packets(rounds: number): PacketSpec[] {
    return Array.from({ length: rounds }, () => this.#packet());
  }

  #side(host: Host, port: number): Side {
    const next = this.#pick(FIRST_SEQUENCES);
    return { host, port, next, heard: 0, window: this.#pick(WINDOWS), finished: false };
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)] as Item;
  }

  #oneIn(chance: number): boolean {
    return this.#random.below(chance) === 0;
  }

  #packet(): PacketSpec {
    const isOdd = this.#random.below(100) < this.#oddness;
    const side = this.#pick(this.#sides);
    if (isOdd && side.last !== undefined && this.#oneIn(4)) return side.last;
    const packet = isOdd ? this.#oddMove(side) : this.#usualMove();
    const sent = isOdd && this.#oneIn(2) ? this.#mutated(packet) : packet;
    const sender = this.#sides.find(({ host }) => host === sent.from);
    if (sender !== undefined) sender.last = sent;
    return sent;
  }

  #usualMove(): PacketSpec {
    const [client, server] = this.#sides;
    switch (this.#handshake) {
      case 0:
        this.#handshake = 1;
        return this.#syn(client, "S");
      case 1:
        this.#handshake = 2;
        return this.#syn(server, "SA");
      case 2:
        this.#handshake = 3;
        return this.#segment(client, "A", 0);
      default:
        return this.#talk();
    }
  }

  #talk(): PacketSpec {
    const side = this.#pick(this.#sides);
    const other = side === this.#sides[0] ? this.#sides[1] : this.#sides[0];
    const choice = this.#random.below(10);
    if (side.finished || choice < 3) {
      side.heard = other.next;
      return this.#segment(side, "A", 0);
    }
    if (choice < 7) return this.#segment(side, this.#oneIn(3) ? "A" : "PA", this.#pick(LENGTHS));
    if (choice < 8) {
      side.heard = other.next;
      return this.#segment(side, "A", this.#pick(LENGTHS));
    }
    if (choice < 9 && !this.#oneIn(4)) {
      side.finished = true;
      return this.#segment(side, "FA", this.#oneIn(4) ? 10 : 0);
    }
    return this.#segment(side, this.#pick(["R", "RA"]), 0);
  }

  #oddMove(side: Side): PacketSpec {
    switch (this.#random.below(8)) {
      case 0:
        if (this.#oneIn(2)) side.next = (side.next + this.#pick([1, 70_000, 1_000_000])) >>> 0;
        return this.#syn(side, "S");
      case 1:
        return this.#syn(side, "SA");
      case 2:
        return this.#segment(side, this.#pick(["R", "RA"]), 0);
      case 3:
        // A keep-alive, or a probe of a closed window.
        return this.#keepAlive(side);
      case 4:
        return this.#segment(side, "FA", 0);
      case 5:
        return this.#guess(side);
      case 6:
        side.window = this.#pick(WINDOWS);
        return this.#segment(side, "A", 0);
      default:
        return this.#segment(side, this.#pick(FLAG_WORDS), this.#random.below(2) * 10);
    }
  }

  #keepAlive(side: Side): PacketSpec {
    const { next } = side;
    const packet = this.#segment(side, "A", this.#random.below(2));
    side.next = next;
    return { ...packet, fields: { ...packet.fields, seq: (next - 1) >>> 0 } };
  }

  /** What somebody sends who does not know the numbers, or knows one of them. */
  #guess(side: Side): PacketSpec {
    const packet = this.#segment(side, this.#pick(["R", "RA", "S", "SA", "FA", "A"]), 0);
    const fields = { ...packet.fields };
    const other = side === this.#sides[0] ? this.#sides[1] : this.#sides[0];
    fields["seq"] = this.#pick([0, side.next, other.heard, this.#random.next(), (side.next + 100) >>> 0]);
    fields["ack"] = this.#pick([0, side.heard, other.next, this.#random.next()]);
    return { ...packet, fields };
  }

  #syn(side: Side, flags: "S" | "SA"): PacketSpec {
    const other = side === this.#sides[0] ? this.#sides[1] : this.#sides[0];
    const fields: Record<string, number> = { seq: side.next, win: side.window };
    if (flags === "SA") fields["ack"] = side.heard = other.next;
    if (this.#oneIn(2)) fields["mss"] = 1460;
    if (this.#oneIn(2)) fields["sackok"] = 1;
    if (this.#oneIn(2)) fields["scale"] = this.#pick([0, 2, 7, 14, 15]);
    if (this.#oneIn(20)) fields["len"] = 10;
    side.next = (side.next + 1) >>> 0;
    return this.#from(side, flags, fields);
  }

  #segment(side: Side, flags: string, lengthBytes: number): PacketSpec {
    const other = side === this.#sides[0] ? this.#sides[1] : this.#sides[0];
    const fields: Record<string, number> = { seq: side.next, win: side.window, len: lengthBytes };
    if (flags.includes("A")) fields["ack"] = side.heard === 0 ? (side.heard = other.next) : side.heard;
    if (this.#oneIn(12)) {
      fields["sack"] = (side.heard + 100) >>> 0;
      fields["sackto"] = (side.heard + 200) >>> 0;
    }
    const ends = flags.includes("F") || flags.includes("S") ? 1 : 0;
    if (!flags.includes("R")) side.next = (side.next + lengthBytes + ends) >>> 0;
    return this.#from(side, flags, fields);
  }

  #from(side: Side, flags: string, fields: Record<string, number>): PacketSpec {
    const other = side === this.#sides[0] ? this.#sides[1] : this.#sides[0];
    return {
      protocol: "tcp",
      from: side.host,
      to: other.host,
      ports: [side.port, other.port],
      flags,
      fields,
    };
  }

  /** The same with one field that lies. */
  #mutated(packet: PacketSpec): PacketSpec {
    const fields = { ...packet.fields };
    const shift = (name: string): void => {
      fields[name] = ((fields[name] ?? 0) + this.#pick(SHIFTS)) >>> 0;
    };
    switch (this.#random.below(9)) {
      case 0:
      case 1:
      case 2:
        shift("seq");
        break;
      case 3:
      case 4:
        shift("ack");
        break;
      case 5:
        fields["win"] = this.#pick(WINDOWS);
        break;
      case 6:
        fields["sack"] = (fields["ack"] ?? 0) >>> 0;
        fields["sackto"] = ((fields["ack"] ?? 0) + this.#pick(SHIFTS)) >>> 0;
        break;
      case 7:
        return { ...packet, flags: this.#pick(FLAG_WORDS), fields };
      default:
        if (this.#oneIn(3)) fields["bad"] = 1;
        else if (this.#oneIn(2)) fields["cut"] = this.#random.below(24);
        else fields["off"] = this.#random.below(16);
    }
    return { ...packet, fields };
  }
}
