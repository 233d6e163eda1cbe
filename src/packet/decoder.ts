/**
 * From one capture record to one row of PacketColumns: link layer, IP header as the kernel's IP layer checks
 * it, fragments, transport. It takes records as a capture parser gives them and asks for a pause when the
 * batch has no room for one more of any kind.
 *
 * Nothing is allocated per record, except for fragments, which must be kept.
 */
import { assert } from "../base/assert.ts";
import { ADDRESS_WORDS } from "../table/address.ts";
import { i32, u16 } from "./big-endian.ts";
import { ByteSums, foldSum } from "./checksum.ts";
import { Fault, type PacketColumns, PacketKind, SCTP_CHUNKS, SctpExtra } from "./columns.ts";
import { Datagram } from "./datagram.ts";
import { type DecodeCounts, noCounts } from "./decode-counts.ts";
import { ExtensionWalk, FRAGMENT_HEADER_BYTES } from "./extension-headers.ts";
import { Fragment, Fragments, Gathered } from "./fragments.ts";
import { areHopOptionsGood } from "./hop-options.ts";
import { IpProtocol, type PortProtocols } from "./ip-protocol.ts";
import { isKnownLinkType, LinkLayer } from "./link-layer.ts";
import type { RecordFacts, RecordSink } from "../table/record-sink.ts";
import { TransportDecoder } from "./transport.ts";
import { hashTuple } from "./tuple-hash.ts";
import { type ZoneRules, ZoneTable } from "./zone-table.ts";

const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
/** More fragments, and the offset, in IPv4's flags. */
const FRAGMENT_BITS = 0x3fff;
const OFFSET_BITS = 0x1fff;
const MORE_FRAGMENTS = 0x2000;
const RIGHT_SUM = 0xffff;
const LARGEST_BYTES = 65_535;
/** A packet without a length was left to the network card to cut only when it is longer than this. */
const NEVER_CUT_BYTES = 576;
/** The most words of `extra` that one row takes. */
const MOST_EXTRA = SctpExtra.FIRST_CHUNK + SCTP_CHUNKS;
const LEAST_ROWS = 4;

export interface DecoderOptions {
  /** Of `hashTuple`: the same as the trackers' that read the batches. */
  readonly seed: number;
  /** Protocols besides TCP, UDP and SCTP that this kernel generation tracks by ports. */
  readonly ports: PortProtocols;
  /** TCP ports, of either side, whose payload is kept for helpers. */
  readonly payloadPorts?: readonly number[];
  readonly zones?: ZoneRules;
  /**
   * Wrong checksums are counted and count for nothing, also those of IPv4 headers: for captures made where a
   * network card fills them in later.
   */
  readonly trustsChecksums?: boolean;
  /**
   * The capture is of a host, loopback and all, and not of what a router forwards: IPv6 packets from or to
   * ::1, which the kernel refuses from a wire, are let by. (It lets 127.0.0.1 by to the tracker in any case.)
   */
  readonly hasLocalTraffic?: boolean;
}

export class PacketDecoder implements RecordSink {
  readonly counts: DecodeCounts = noCounts();
  readonly #seed: number;
  readonly #isPayloadPort = new Uint8Array(65_536);
  readonly #keepsPayload: boolean;
  readonly #zones: ZoneTable;
  readonly #hasLocalTraffic: boolean;
  readonly #trustsChecksums: boolean;
  readonly #sums = new ByteSums();
  readonly #link = new LinkLayer();
  readonly #walk = new ExtensionWalk();
  readonly #datagram = new Datagram();
  readonly #fragment = new Fragment();
  readonly #fragments = new Fragments();
  readonly #transport: TransportDecoder;
  #columns: PacketColumns | undefined;
  #row = 0;
  /** Never goes back, as the kernel's clock: fragments wait by it. */
  #timeMs = 0.5;

  constructor(options: DecoderOptions) {
    this.#seed = options.seed | 0;
    this.#transport = new TransportDecoder(options.ports, this.#sums);
    for (const port of options.payloadPorts ?? []) this.#isPayloadPort[port] = 1;
    this.#keepsPayload = (options.payloadPorts ?? []).length > 0;
    this.#zones = new ZoneTable(options.zones ?? {});
    this.#hasLocalTraffic = options.hasLocalTraffic ?? false;
    this.#trustsChecksums = options.trustsChecksums ?? false;
    this.#timeMs = -Infinity;
  }

  /** Empties `columns` and fills them from now on. */
  begin(columns: PacketColumns): void {
    assert(columns.capacity >= LEAST_ROWS, "A batch has room for at least four rows");
    columns.clear(this.counts.records + 1);
    this.#columns = columns;
    this.#row = 0;
    this.#tellLost(columns);
  }

  record(bytes: Uint8Array, at: number, capturedBytes: number, facts: RecordFacts): boolean {
    const columns = this.#columns;
    assert(columns !== undefined, "A decoder was given no columns");
    const row = this.#row;
    const { timeMs } = facts;
    columns.timeMs[row] = timeMs;
    if (timeMs > this.#timeMs) this.#timeMs = timeMs;
    if (this.#timeMs >= this.#fragments.nextDeadlineMs) this.#fragments.expire(this.#timeMs);
    const link = this.#link;
    const wireEnd = at + facts.originalBytes - facts.fcsBytes;
    const end = Math.min(at + capturedBytes, wireEnd);
    const ip = link.locate(bytes, at, end, facts.linkType);
    columns.interfaceIndex[row] = facts.interfaceIndex;
    columns.vlan[row] = link.vlan;
    columns.zone[row] = this.#zones.isEmpty ? 0 : this.#zones.zoneOf(link.vlan, facts.interfaceIndex);
    columns.datagram[row] = 0;
    columns.fault[row] = 0;
    columns.extraAt[row] = -1;
    columns.payloadAt[row] = -1;
    columns.family[row] = link.family;
    if (link.family === 4) columns.kind[row] = this.#decodeIpv4(columns, bytes, ip, end, wireEnd);
    else if (link.family === 6) columns.kind[row] = this.#decodeIpv6(columns, bytes, ip, end, wireEnd);
    else columns.kind[row] = this.#notIp(facts.linkType);
    this.#row = row + 1;
    columns.count = row + 1;
    this.counts.records += 1;
    if (this.#fragments.lost.length > 0) this.#tellLost(columns);
    if (row + 1 === columns.capacity) return true;
    const hasMore = columns.extraAt[row] !== -1 || columns.payloadAt[row] !== -1;
    return hasMore && this.#lacksRoom(columns);
  }

  /** Nothing more will come: datagrams that wait are lost. */
  end(): void {
    this.#fragments.end();
    if (this.#columns !== undefined) this.#tellLost(this.#columns);
  }

  /** What fragments that wait take, by the kernel's account: bounded. */
  get fragmentMemoryBytes(): number {
    return this.#fragments.memoryBytes;
  }

  /** Whether there are lost datagrams that no batch had room for. */
  get hasMoreLost(): boolean {
    return this.#fragments.lost.length > 0;
  }

  /** Whether the next row may need more than what is left of `extra` and `payload`. */
  #lacksRoom(columns: PacketColumns): boolean {
    return (
      columns.extraCount + MOST_EXTRA > columns.extra.length ||
      columns.payloadCount + LARGEST_BYTES > columns.payload.length
    );
  }

  #tellLost(columns: PacketColumns): void {
    const { lost } = this.#fragments;
    const told = lost.splice(0, columns.lost.length - columns.lostCount);
    for (const datagram of told) {
      columns.lost[columns.lostCount] = datagram;
      columns.lostCount += 1;
    }
    this.counts.datagramsLost += told.length;
  }

  #notIp(linkType: number): number {
    this.counts.notIp += 1;
    if (!isKnownLinkType(linkType)) this.counts.unknownLinkType += 1;
    return PacketKind.NOT_IP;
  }

  #decodeIpv4(columns: PacketColumns, bytes: Uint8Array, ip: number, end: number, wireEnd: number): number {
    if (end - ip < IPV4_HEADER_BYTES) return this.#tooShort(end < wireEnd);
    const first = i32(bytes, ip);
    const second = i32(bytes, ip + 4);
    const third = i32(bytes, ip + 8);
    const source = i32(bytes, ip + 12);
    const destination = i32(bytes, ip + 16);
    const headerBytes = (first >>> 22) & 0x3c;
    if (first >>> 28 !== 4 || headerBytes < IPV4_HEADER_BYTES) return this.#refuse("header");
    let total = first & 0xffff;
    const protocol = (third >>> 16) & 0xff;
    const isAssumed = total === 0 && this.#isUncut(protocol, wireEnd - ip);
    const transport = ip + headerBytes;
    if (isAssumed) {
      // The header of a packet that a network card is to cut has no checksum yet either.
      total = wireEnd - ip;
    } else if (transport <= end) {
      let sum = halves(first) + halves(second) + halves(third) + halves(source) + halves(destination);
      if (headerBytes !== IPV4_HEADER_BYTES) sum += this.#sums.sum(bytes, ip + IPV4_HEADER_BYTES, transport);
      if (foldSum(sum) !== RIGHT_SUM) {
        if (!this.#trustsChecksums) return this.#refuse("headerChecksum");
        this.counts.badChecksums += 1;
      }
    }
    if (total < headerBytes || ip + total > wireEnd) return this.#refuse("length");
    const row = this.#row;
    const address = row * ADDRESS_WORDS;
    columns.source[address] = source;
    columns.source[address + 1] = 0;
    columns.source[address + 2] = 0;
    columns.source[address + 3] = 0;
    columns.destination[address] = destination;
    columns.destination[address + 1] = 0;
    columns.destination[address + 2] = 0;
    columns.destination[address + 3] = 0;
    columns.lengthBytes[row] = total;
    const datagram = this.#datagram;
    datagram.family = 4;
    datagram.protocol = protocol;
    datagram.addressSum = halves(source) + halves(destination);
    datagram.bytes = bytes;
    datagram.at = transport;
    datagram.length = total - headerBytes;
    datagram.captured = Math.max(0, Math.min(end, ip + total) - transport);
    const fragmentBits = second & FRAGMENT_BITS;
    if (fragmentBits !== 0) return this.#gatherIpv4(columns, ip, second);
    return this.#finish(columns);
  }

  #refuse(reason: keyof DecodeCounts["refused"]): number {
    this.counts.refused[reason] += 1;
    return PacketKind.REFUSED;
  }

  /** Less than an IP header: cut by the capture, or sent so. */
  #tooShort(isSnapped: boolean): number {
    if (isSnapped) {
      this.counts.notIp += 1;
      return PacketKind.NOT_IP;
    }
    return this.#refuse("header");
  }

  /** Whether a packet without a length is one that the sender's network card was still to cut in pieces. */
  #isUncut(protocol: number, wireBytes: number): boolean {
    if (protocol !== IpProtocol.TCP || wireBytes <= NEVER_CUT_BYTES) return false;
    this.counts.assumedLengths += 1;
    return true;
  }

  /** `word` is the second of the header: identification, flags and offset. */
  #gatherIpv4(columns: PacketColumns, ip: number, word: number): number {
    const fragment = this.#fragment;
    fragment.family = 4;
    fragment.identification = word >>> 16;
    fragment.offset = (word & OFFSET_BITS) << 3;
    fragment.isLast = (word & MORE_FRAGMENTS) === 0;
    fragment.headerBytes = this.#datagram.at - ip;
    return this.#gather(columns);
  }

  /** Gathers the fragment whose data are in `#datagram`. */
  #gather(columns: PacketColumns): number {
    const row = this.#row;
    const { counts } = this;
    const [datagram, fragment, fragments] = [this.#datagram, this.#fragment, this.#fragments];
    fragment.source = columns.source;
    fragment.destination = columns.destination;
    fragment.addressAt = row * ADDRESS_WORDS;
    fragment.zone = columns.zone[row] as number;
    fragment.protocol = datagram.protocol;
    fragment.bytes = datagram.bytes;
    fragment.at = datagram.at;
    fragment.length = datagram.length;
    fragment.captured = datagram.captured;
    fragment.timeMs = this.#timeMs;
    counts.fragments += 1;
    const gathered = fragments.gather(fragment);
    columns.protocol[row] = datagram.protocol;
    if (gathered === Gathered.PASSED) {
      // The tracker sees the fragment header still in it, and no transport behind one that is not the first.
      return fragment.offset === 0 ? this.#finishIpv6(columns) : this.#withoutTuple(columns);
    }
    columns.datagram[row] = fragments.datagram;
    if (gathered === Gathered.HELD) return PacketKind.HELD;
    counts.datagramsWhole += 1;
    datagram.bytes = fragments.whole;
    datagram.at = 0;
    datagram.length = fragments.wholeBytes;
    datagram.captured = fragments.wholeCaptured;
    datagram.protocol = fragments.wholeProtocol;
    columns.lengthBytes[row] = fragments.wholeHeaderBytes + fragments.wholeBytes;
    return datagram.family === 4 ? this.#finish(columns) : this.#finishIpv6(columns);
  }

  #decodeIpv6(columns: PacketColumns, bytes: Uint8Array, ip: number, end: number, wireEnd: number): number {
    if (end - ip < IPV6_HEADER_BYTES) return this.#tooShort(end < wireEnd);
    const row = this.#row;
    if ((bytes[ip] as number) >>> 4 !== 6) return this.#refuse("header");
    const first = bytes[ip + 6] as number;
    let payload = u16(bytes, ip + 4);
    // A jumbogram has no length either, and says so in its hop-by-hop options.
    if (payload === 0 && (first === IpProtocol.HOP_BY_HOP || this.#isUncut(first, wireEnd - ip))) {
      payload = wireEnd - ip - IPV6_HEADER_BYTES;
    }
    const data = ip + IPV6_HEADER_BYTES;
    const packetEnd = data + payload;
    if (packetEnd > wireEnd) return this.#refuse("length");
    if (bytes[ip + 8] === 0xff) return this.#refuse("address");
    if (first === IpProtocol.HOP_BY_HOP && isWrong(bytes, ip, end, packetEnd)) return this.#refuse("options");
    const address = row * ADDRESS_WORDS;
    let addressSum = 0;
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      const source = i32(bytes, ip + 8 + 4 * word);
      const destination = i32(bytes, ip + 24 + 4 * word);
      columns.source[address + word] = source;
      columns.destination[address + word] = destination;
      addressSum += halves(source) + halves(destination);
    }
    const isLocal = isLoopback(columns.source, address) || isLoopback(columns.destination, address);
    if (isLocal && !this.#hasLocalTraffic) return this.#refuse("address");
    columns.lengthBytes[row] = IPV6_HEADER_BYTES + payload;
    const datagram = this.#datagram;
    datagram.family = 6;
    datagram.protocol = first;
    datagram.addressSum = addressSum;
    datagram.bytes = bytes;
    datagram.at = data;
    datagram.length = payload;
    datagram.captured = Math.min(end, packetEnd) - data;
    if (first === IpProtocol.TCP || first === IpProtocol.UDP) return this.#finish(columns);
    const walk = this.#walk;
    if (u16(bytes, ip + 4) === 0 || !walk.toFragment(bytes, data, Math.min(end, packetEnd), first)) {
      return this.#finishIpv6(columns);
    }
    return this.#gatherIpv6(columns, ip, walk.at);
  }

  /** A fragment header stands at `at`; `#datagram` has all that is behind the IPv6 header. */
  #gatherIpv6(columns: PacketColumns, ip: number, at: number): number {
    const datagram = this.#datagram;
    const { bytes, length, captured } = datagram;
    const [end, wireEnd] = [datagram.at + captured, datagram.at + length];
    // A first fragment that ends before the transport header does is let by as it is (measured on 6.18, where
    // RFC 8200, section 4.5, would have it dropped).
    if (this.#lacksHeaders(bytes, at, end, wireEnd)) return this.#finishIpv6(columns);
    // The kernel drops half a header; a capture that was cut here leaves no more to say than that.
    if (at + FRAGMENT_HEADER_BYTES > end) return this.#dropFragment(columns);
    const bits = u16(bytes, at + 2);
    const data = at + FRAGMENT_HEADER_BYTES;
    const fragment = this.#fragment;
    fragment.family = 6;
    fragment.identification = i32(bytes, at + 4);
    fragment.offset = bits & ~7;
    fragment.isLast = (bits & 1) === 0;
    fragment.headerBytes = at - ip;
    datagram.protocol = bytes[at] as number;
    datagram.at = data;
    datagram.length = wireEnd - data;
    datagram.captured = end - data;
    return this.#gather(columns);
  }

  /** Whether the fragment with its header at `at` is a first one, and ends before its transport header. */
  #lacksHeaders(bytes: Uint8Array, at: number, end: number, wireEnd: number): boolean {
    const walk = this.#walk;
    if (!walk.toTransport(bytes, at, end, IpProtocol.FRAGMENT)) return false;
    return walk.at + leastHeaderBytes(walk.protocol) > wireEnd;
  }

  #dropFragment(columns: PacketColumns): number {
    this.counts.fragments += 1;
    this.#fragments.drop();
    columns.datagram[this.#row] = this.#fragments.datagram;
    columns.protocol[this.#row] = IpProtocol.FRAGMENT;
    return PacketKind.HELD;
  }

  /** Walks the extension headers that `#datagram` begins with, then decodes what is behind them. */
  #finishIpv6(columns: PacketColumns): number {
    const datagram = this.#datagram;
    const walk = this.#walk;
    const { bytes, at, captured } = datagram;
    const isFound = walk.toTransport(bytes, at, at + captured, datagram.protocol);
    const skipped = walk.at - at;
    datagram.protocol = walk.protocol;
    datagram.at = walk.at;
    datagram.length = Math.max(0, datagram.length - skipped);
    datagram.captured = Math.max(0, captured - skipped);
    return isFound ? this.#finish(columns) : this.#withoutTuple(columns);
  }

  /** A packet that the tracker finds no transport in. */
  #withoutTuple(columns: PacketColumns): number {
    const row = this.#row;
    const datagram = this.#datagram;
    columns.protocol[row] = datagram.protocol;
    columns.sourceDiscriminator[row] = 0;
    columns.destinationDiscriminator[row] = 0;
    columns.fault[row] = Fault.NO_TUPLE | (datagram.isSnapped ? Fault.SNAPPED : 0);
    columns.hash[row] = 0;
    return PacketKind.IP;
  }

  /** Transport, hash and payload of the datagram that is whole now. */
  #finish(columns: PacketColumns): number {
    const row = this.#row;
    const datagram = this.#datagram;
    columns.protocol[row] = datagram.protocol;
    let fault = this.#transport.decode(columns, row, datagram);
    if (fault !== 0) {
      if ((fault & Fault.SNAPPED) !== 0) this.counts.snapped += 1;
      if ((fault & Fault.BAD_CHECKSUM) !== 0) this.counts.badChecksums += 1;
      if (this.#trustsChecksums) fault &= ~Fault.BAD_CHECKSUM;
    }
    columns.fault[row] = fault;
    const kind = datagram.family | (datagram.protocol << 8) | ((columns.zone[row] as number) << 16);
    const discriminators =
      (columns.sourceDiscriminator[row] as number) |
      ((columns.destinationDiscriminator[row] as number) << 16);
    const { source, destination } = columns;
    const address = row * ADDRESS_WORDS;
    columns.hash[row] = hashTuple(this.#seed, kind, source, destination, address, discriminators);
    if (this.#keepsPayload && datagram.protocol === IpProtocol.TCP) this.#keepPayload(columns, row, fault);
    return PacketKind.IP;
  }

  #keepPayload(columns: PacketColumns, row: number, fault: number): void {
    const ports = this.#isPayloadPort;
    const { sourceDiscriminator, destinationDiscriminator } = columns;
    const isKept =
      ports[sourceDiscriminator[row] as number] === 1 || ports[destinationDiscriminator[row] as number] === 1;
    if (!isKept || (fault & (Fault.SHORT_HEADER | Fault.BAD_LENGTH | Fault.NO_TUPLE)) !== 0) return;
    const { bytes, at, captured } = this.#datagram;
    const headerBytes = ((bytes[at + 12] as number) >>> 4) << 2;
    const size = captured - headerBytes;
    if (size <= 0) return;
    const to = columns.payloadCount;
    const from = at + headerBytes;
    for (let index = 0; index < size; index++) columns.payload[to + index] = bytes[from + index] as number;
    columns.payloadAt[row] = to;
    columns.payloadBytes[row] = size;
    columns.payloadCount = to + size;
  }
}

/** Whether it is ::1, which the IPv6 layer takes from no wire. */
function isLoopback(address: Uint32Array, at: number): boolean {
  if (address[at] !== 0 || address[at + 1] !== 0) return false;
  return address[at + 2] === 0 && address[at + 3] === 1;
}

/** The sum of a word's two halves, as the internet checksum adds them. */
function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}

/** Whether hop-by-hop options are there to be read, and bad. */
function isWrong(bytes: Uint8Array, ip: number, end: number, packetEnd: number): boolean {
  const start = ip + IPV6_HEADER_BYTES;
  if (end < packetEnd) {
    if (start + 2 > end || start + (((bytes[start + 1] as number) + 1) << 3) > end) return false;
  }
  return !areHopOptionsGood(bytes, ip, packetEnd);
}

/** What ipv6frag_thdr_truncated wants to see of a transport header. */
function leastHeaderBytes(protocol: number): number {
  if (protocol === IpProtocol.TCP) return 20;
  return protocol === IpProtocol.UDP || protocol === IpProtocol.ICMPV6 ? 8 : 1;
}
