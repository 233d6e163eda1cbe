/**
 * Reading live packets from the ring of a packet socket: the kernel fills blocks of many packets each, this
 * side walks a block and gives it back. Nothing is copied and nothing allocated per packet; the bytes given
 * out are those the kernel wrote.
 *
 * It waits by blocking its thread, so it belongs in a thread of its own: `openPacketSocket` in the main
 * thread, PacketRing where the packets are decoded. One ring reads one socket, and closes it.
 *
 * Invariants: a block belongs to the kernel when its status word is 0, and is not touched then; a packet's
 * bytes are good only during the call that gives them; packets the kernel had no block for are counted by it,
 * and `losses` tells.
 *
 * Source: include/uapi/linux/if_packet.h (struct tpacket_block_desc, tpacket3_hdr, sockaddr_ll),
 * Documentation/networking/packet_mmap.rst.
 */
import { assert } from "../base/assert.ts";
import { RecordFacts, type RecordSink } from "../table/record-sink.ts";
import { errnoError, errnoName } from "./error.ts";
import * as ffi from "./ffi.ts";
import { interfaceDown, type PacketSocket, VLAN_TAG_BYTES } from "./packet-socket.ts";

/** What the kernel had for the socket and what it had no room for. */
export interface RingLosses {
  receivedPackets: number;
  lostPackets: number;
}

const LINKTYPE_ETHERNET = 1;
const LINKTYPE_RAW = 101;
/** One of the numbers kept for private use: nobody takes it for IP. */
const LINKTYPE_USER = 147;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const ETH_P_8021Q = 0x8100;

/** Words of a block's header. */
const Block = { STATUS: 2, PACKETS: 3, FIRST: 4 } as const;
const STATUS_KERNEL = 0;
const STATUS_USER = 1;

/**
 * Words of a packet's header; NET_MAC is two halves (mac in the lower), VLAN_TPID the lower half of its
 * word.
 */
const Header = {
  NEXT: 0,
  SECONDS: 1,
  NANOSECONDS: 2,
  CAPTURED: 3,
  LENGTH: 4,
  STATUS: 5,
  NET_MAC: 6,
} as const;
const HeaderVlan = { TCI: 8, TPID: 9 } as const;
/** Bytes of it that are of struct sockaddr_ll. */
const ADDRESS_PROTOCOL = 48 + 2;
const ADDRESS_PACKET_TYPE = 48 + 10;
const PACKET_OUTGOING = 4;
const VLAN_VALID = 1 << 4;
const VLAN_TPID_VALID = 1 << 6;
/** The two addresses of an Ethernet header, behind which the tag was. */
const ETHERNET_ADDRESSES = 12;

const PACKET_STATISTICS = 6;
const STATISTICS_BYTES = 12;

export class PacketRing {
  readonly #socket: PacketSocket;
  readonly #calls = ffi.systemCalls();
  readonly #mapping: ffi.Mapping;
  readonly #tried: string;
  readonly #facts = new RecordFacts();
  readonly #losses: RingLosses = { receivedPackets: 0, lostPackets: 0 };
  #bytes: Uint8Array;
  #words: Int32Array;
  /** The block that is read next or now, how many of its packets are left, and where the next one is. */
  #block = 0;
  #left = 0;
  #at = 0;

  /** Throws KernelError when the ring cannot be mapped; the socket is closed then too. */
  constructor(socket: PacketSocket) {
    this.#socket = socket;
    this.#tried = `capture packets on ${socket.interfaceName}`;
    const mapping = this.#calls.map(socket.descriptor, socket.blockBytes * socket.blocks);
    if (typeof mapping === "number") {
      this.#calls.close(socket.descriptor);
      throw errnoError(-mapping, this.#tried);
    }
    this.#mapping = mapping;
    const { buffer, byteOffset, byteLength } = mapping.bytes;
    this.#bytes = mapping.bytes;
    this.#words = new Int32Array(buffer, byteOffset, byteLength / 4);
  }

  /**
   * Waits until there is something to read, at most so long; true when there is. A block that is not full
   * comes after 50 ms. Throws KernelError `interface-down` when nothing will come any more.
   */
  wait(timeoutMs: number): boolean {
    this.#assertOpen();
    if (this.#left > 0 || this.#isReady()) return true;
    const events = this.#calls.poll(this.#socket.descriptor, ffi.POLLIN | ffi.POLLERR, timeoutMs);
    if (events < 0) throw errnoError(-events, this.#tried);
    if ((events & (ffi.POLLERR | ffi.POLLHUP)) !== 0) this.#throwSocketError();
    return this.#isReady();
  }

  /** Gives all packets that are there to the sink. True when it asked for a pause before all were given. */
  read(sink: RecordSink): boolean {
    this.#assertOpen();
    while (this.#left > 0 || this.#isReady()) {
      if (this.#left === 0) this.#beginBlock();
      while (this.#left > 0) {
        const at = this.#at;
        this.#left -= 1;
        this.#at += this.#words[(at >>> 2) + Header.NEXT] as number;
        if (this.#give(at, sink)) {
          if (this.#left === 0) this.#releaseBlock();
          return true;
        }
      }
      this.#releaseBlock();
    }
    return false;
  }

  /** What was received and lost since the beginning. Also after `close`, as of then. */
  get losses(): Readonly<RingLosses> {
    if (this.#words.length > 0) this.#askForLosses();
    return this.#losses;
  }

  /** Ends the capture. Closing twice is closing once. */
  close(): void {
    if (this.#words.length === 0) return;
    this.#askForLosses();
    this.#words = new Int32Array(0);
    this.#bytes = new Uint8Array(0);
    this.#left = 0;
    this.#mapping.unmap();
    this.#calls.close(this.#socket.descriptor);
  }

  #assertOpen(): void {
    assert(this.#words.length > 0, "A closed ring is not read");
  }

  get #blockWord(): number {
    return (this.#block * this.#socket.blockBytes) >>> 2;
  }

  #isReady(): boolean {
    return (Atomics.load(this.#words, this.#blockWord + Block.STATUS) & STATUS_USER) !== 0;
  }

  #beginBlock(): void {
    const word = this.#blockWord;
    this.#left = this.#words[word + Block.PACKETS] as number;
    this.#at = word * 4 + (this.#words[word + Block.FIRST] as number);
  }

  #releaseBlock(): void {
    Atomics.store(this.#words, this.#blockWord + Block.STATUS, STATUS_KERNEL);
    this.#block = (this.#block + 1) % this.#socket.blocks;
  }

  /** One packet, whose header is at `at`. */
  #give(at: number, sink: RecordSink): boolean {
    const words = this.#words;
    const word = at >>> 2;
    const { hasEthernetHeader, isLoopback } = this.#socket;
    if (isLoopback && this.#bytes[at + ADDRESS_PACKET_TYPE] === PACKET_OUTGOING) return false;
    const facts = this.#facts;
    const milliseconds = (words[word + Header.NANOSECONDS] as number) / 1e6;
    facts.timeMs = ((words[word + Header.SECONDS] as number) >>> 0) * 1000 + milliseconds;
    let captured = words[word + Header.CAPTURED] as number;
    let original = words[word + Header.LENGTH] as number;
    let from = at + ((words[word + Header.NET_MAC] as number) & 0xffff);
    if (!hasEthernetHeader) {
      facts.linkType = linkTypeOf(this.#bytes, at);
    } else {
      facts.linkType = LINKTYPE_ETHERNET;
      if (((words[word + Header.STATUS] as number) & VLAN_VALID) !== 0 && captured >= ETHERNET_ADDRESSES) {
        this.#putTagBack(word, from);
        from -= VLAN_TAG_BYTES;
        captured += VLAN_TAG_BYTES;
        original += VLAN_TAG_BYTES;
      }
    }
    facts.originalBytes = original;
    return sink.record(this.#bytes, from, captured, facts);
  }

  /** The outermost VLAN tag comes beside the packet; PACKET_RESERVE made room for it before the addresses. */
  #putTagBack(word: number, from: number): void {
    const bytes = this.#bytes;
    const status = this.#words[word + Header.STATUS] as number;
    const tci = this.#words[word + HeaderVlan.TCI] as number;
    const given = (this.#words[word + HeaderVlan.TPID] as number) & 0xffff;
    const type = (status & VLAN_TPID_VALID) === 0 ? ETH_P_8021Q : given;
    bytes.copyWithin(from - VLAN_TAG_BYTES, from, from + ETHERNET_ADDRESSES);
    const tag = from - VLAN_TAG_BYTES + ETHERNET_ADDRESSES;
    bytes[tag] = type >>> 8;
    bytes[tag + 1] = type & 0xff;
    bytes[tag + 2] = (tci >>> 8) & 0xff;
    bytes[tag + 3] = tci & 0xff;
  }

  /** Why the socket is in trouble; most often the interface went down or is gone. */
  #throwSocketError(): void {
    const value = new Int32Array(1);
    const bytes = new Uint8Array(value.buffer);
    const result = this.#calls.getsockopt(this.#socket.descriptor, ffi.SOL_SOCKET, ffi.SO_ERROR, bytes);
    const errno = result < 0 ? -result : (value[0] as number);
    if (errno === 0) return;
    if (errnoName(errno) === "ENETDOWN") throw interfaceDown(this.#tried, "it was taken down or removed");
    throw errnoError(errno, this.#tried);
  }

  /** struct tpacket_stats_v3: packets (the lost ones too) and drops; asking sets both to zero. */
  #askForLosses(): void {
    const bytes = new Uint8Array(STATISTICS_BYTES);
    const { descriptor } = this.#socket;
    if (this.#calls.getsockopt(descriptor, ffi.SOL_PACKET, PACKET_STATISTICS, bytes) < 0) return;
    const [packets = 0, drops = 0] = new Uint32Array(bytes.buffer);
    this.#losses.receivedPackets += packets - drops;
    this.#losses.lostPackets += drops;
  }
}

/** What a packet without a link-layer header is, by the protocol the kernel gives with it. */
function linkTypeOf(bytes: Uint8Array, at: number): number {
  const high = bytes[at + ADDRESS_PROTOCOL] as number;
  const protocol = (high << 8) | (bytes[at + ADDRESS_PROTOCOL + 1] as number);
  return protocol === ETH_P_IP || protocol === ETH_P_IPV6 ? LINKTYPE_RAW : LINKTYPE_USER;
}
