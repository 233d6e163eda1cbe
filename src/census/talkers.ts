/**
 * Who talks to whom: sources, destinations, their prefixes, services, pairs, and the sources of unanswered
 * flows, all of the original direction. IPv4 and IPv6 keys have tables of their own, so that an IPv4 address
 * costs one word.
 *
 * A batch is taken in chunks: first the keys of the chunk are gathered and hashed, then each table counts
 * them at once.
 */
import {
  ADDRESS_WORDS,
  type Address,
  addressFromWords,
  formatAddress,
  formatPrefix,
} from "../table/address.ts";
import { type FlowColumns, Has } from "../table/columns.ts";
import { discriminatorOf, protocolName } from "../table/protocol.ts";
import { Status } from "../table/status.ts";
import { CHUNK_KEYS, KeyTally, mix, step } from "./key-tally.ts";
import { PAGE_SHIFT, SparseCounts } from "./sparse-counts.ts";

/** How large tables may grow, and how their keys are hashed. */
export interface TallyLimits {
  capacityKeys: number;
  seed: number;
}

/** What a table holds, greatest first, before it is made text of or scaled. */
export interface TopTally<Key> {
  rows: readonly (Key & { flows: number })[];
  distinct: number;
  errorBoundFlows: number;
}

/** One word for the prefix of an IPv4 address, two for that of an IPv6 address. */
const PREFIX4_BITS = 24;
const PREFIX4_MASK = 0xffff_ff00;
const PREFIX6_BITS = 64;
const PREFIX6_WORDS = 2;

/** Key of a pair: source, destination, protocol and destination port. */
const PAIR4_WORDS = 3;
const PAIR6_WORDS = 9;

const PORTS = 65_536;

const STATUS_BIT = Math.log2(Has.status);
const SEEN_REPLY_BIT = Math.log2(Status.SEEN_REPLY);

/** Protocols that have ports, and for each protocol its place among them from 1 on, 0 when it has none. */
const portProtocols = Array.from({ length: 256 }, (_, protocol) => protocol).filter(
  (protocol) => discriminatorOf(protocol) === "ports",
);
const portSlots = Uint8Array.from({ length: 256 }, (_, protocol) => portProtocols.indexOf(protocol) + 1);
const hasPorts = portSlots.map((slot) => Math.min(slot, 1));

/** Where keys begin that lie `words` words apart, the first at `from`. */
function placesApart(words: number, from: number): Int32Array {
  return Int32Array.from({ length: CHUNK_KEYS }, (_, index) => index * words + from);
}

/** Places of keys of one word, one after the other. */
export const SIDE_BY_SIDE = placesApart(1, 0);

/**
 * Addresses of one family with their prefixes, which are derived at the end while every address has its
 * place.
 */
class FamilyTally {
  readonly addresses: KeyTally;
  #prefixes: KeyTally | undefined;
  readonly #family: 4 | 6;
  readonly #limits: TallyLimits;
  readonly #prefixWords = new Int32Array(CHUNK_KEYS);
  readonly #prefixHashes = new Int32Array(CHUNK_KEYS);

  constructor(family: 4 | 6, limits: TallyLimits) {
    this.#family = family;
    this.#limits = limits;
    this.addresses = new KeyTally(family === 4 ? 1 : ADDRESS_WORDS, limits.capacityKeys, limits.seed);
  }

  /** As KeyTally.add. */
  add(words: Int32Array, places: Int32Array, hashes: Int32Array, count: number): void {
    if (this.#prefixes === undefined && this.addresses.mayPrune(count))
      this.#prefixes = this.#derivePrefixes();
    if (this.#prefixes !== undefined) this.#addPrefixes(this.#prefixes, words, places, count);
    this.addresses.add(words, places, hashes, count);
  }

  merge(other: FamilyTally): void {
    if (this.#prefixes !== undefined || this.addresses.mayPrune(other.addresses.distinct)) {
      this.#prefixes ??= this.#derivePrefixes();
      this.#prefixes.merge(other.prefixes());
    } else if (other.#prefixes !== undefined) {
      this.#prefixes = this.#derivePrefixes();
      this.#prefixes.merge(other.#prefixes);
    }
    this.addresses.merge(other.addresses);
  }

  prefixes(): KeyTally {
    return this.#prefixes ?? this.#derivePrefixes();
  }

  #derivePrefixes(): KeyTally {
    const { capacityKeys, seed } = this.#limits;
    const prefixes = new KeyTally(this.#family === 4 ? 1 : PREFIX6_WORDS, capacityKeys, seed);
    const masked = new Int32Array(1);
    this.addresses.forEach((words, at, flows) => {
      if (this.#family === 6) {
        prefixes.addFlows(words, at, flows);
        return;
      }
      masked[0] = (words[at] as number) & PREFIX4_MASK;
      prefixes.addFlows(masked, 0, flows);
    });
    return prefixes;
  }

  /** An IPv6 prefix is the beginning of its address; an IPv4 prefix has to be cut out. */
  #addPrefixes(prefixes: KeyTally, words: Int32Array, places: Int32Array, count: number): void {
    const [prefixWords, hashes] = [this.#prefixWords, this.#prefixHashes];
    const { seed } = this.#limits;
    if (this.#family === 6) {
      for (let index = 0; index < count; index++) {
        const at = places[index] as number;
        hashes[index] = mix(step(seed, words[at] as number) ^ (words[at + 1] as number));
      }
      prefixes.add(words, places, hashes, count);
      return;
    }
    for (let index = 0; index < count; index++) {
      const prefix = (words[places[index] as number] as number) & PREFIX4_MASK;
      prefixWords[index] = prefix;
      hashes[index] = mix(seed ^ prefix);
    }
    prefixes.add(prefixWords, SIDE_BY_SIDE, hashes, count);
  }
}

/**
 * The tables of one address family. The words of a row's pair (source, destination, service) are gathered
 * side by side: the keys of its addresses are parts of them.
 */
class FamilyTalkers {
  readonly family: 4 | 6;
  readonly sources: FamilyTally;
  readonly destinations: FamilyTally;
  readonly unansweredSources: KeyTally;
  readonly pairs: KeyTally;
  readonly #seed: number;
  readonly #words: Int32Array;
  readonly #pairPlaces: Int32Array;
  readonly #destinationPlaces: Int32Array;
  readonly #sourceHashes = new Int32Array(CHUNK_KEYS);
  readonly #destinationHashes = new Int32Array(CHUNK_KEYS);
  readonly #pairHashes = new Int32Array(CHUNK_KEYS);
  readonly #unansweredPlaces = new Int32Array(CHUNK_KEYS);
  readonly #unansweredHashes = new Int32Array(CHUNK_KEYS);

  constructor(family: 4 | 6, limits: TallyLimits) {
    const addressWords = family === 4 ? 1 : ADDRESS_WORDS;
    const pairWords = family === 4 ? PAIR4_WORDS : PAIR6_WORDS;
    this.family = family;
    this.sources = new FamilyTally(family, limits);
    this.destinations = new FamilyTally(family, limits);
    this.unansweredSources = new KeyTally(addressWords, limits.capacityKeys, limits.seed);
    this.pairs = new KeyTally(pairWords, limits.capacityKeys, limits.seed);
    this.#seed = limits.seed;
    this.#words = new Int32Array(CHUNK_KEYS * pairWords);
    this.#pairPlaces = placesApart(pairWords, 0);
    this.#destinationPlaces = placesApart(pairWords, addressWords);
  }

  /** Counts the rows whose numbers are the first `count` of `rows`. */
  add(columns: FlowColumns, rows: Int32Array, count: number): void {
    const [words, sourcePlaces] = [this.#words, this.#pairPlaces];
    if (this.family === 4) this.#gather4(columns, rows, count);
    else this.#gather6(columns, rows, count);
    const unanswered = this.#gatherUnanswered(columns, rows, count);
    this.sources.add(words, sourcePlaces, this.#sourceHashes, count);
    this.destinations.add(words, this.#destinationPlaces, this.#destinationHashes, count);
    this.pairs.add(words, this.#pairPlaces, this.#pairHashes, count);
    if (unanswered === 0) return;
    this.unansweredSources.add(words, this.#unansweredPlaces, this.#unansweredHashes, unanswered);
  }

  merge(other: FamilyTalkers): void {
    this.sources.merge(other.sources);
    this.destinations.merge(other.destinations);
    this.unansweredSources.merge(other.unansweredSources);
    this.pairs.merge(other.pairs);
  }

  /** Words and hashes of IPv4 rows. */
  #gather4(columns: FlowColumns, rows: Int32Array, count: number): void {
    const { originalSource, originalDestination, protocol: protocols } = columns;
    const ports = columns.originalDestinationDiscriminator;
    const [words, seed] = [this.#words, this.#seed];
    const [sourceHashes, destinationHashes] = [this.#sourceHashes, this.#destinationHashes];
    const pairHashes = this.#pairHashes;
    for (let index = 0; index < count; index++) {
      const row = rows[index] as number;
      const source = originalSource[row * ADDRESS_WORDS] as number;
      const destination = originalDestination[row * ADDRESS_WORDS] as number;
      const protocol = protocols[row] as number;
      const service = (protocol << 16) | ((ports[row] as number) * (hasPorts[protocol] as number));
      words[index * PAIR4_WORDS] = source;
      words[index * PAIR4_WORDS + 1] = destination;
      words[index * PAIR4_WORDS + 2] = service;
      sourceHashes[index] = mix(seed ^ source);
      destinationHashes[index] = mix(seed ^ destination);
      pairHashes[index] = mix(step(step(seed, source), destination) ^ service);
    }
  }

  /**
   * The same of IPv6 rows. The hash of a pair goes on where that of its source stood before the last word.
   */
  #gather6(columns: FlowColumns, rows: Int32Array, count: number): void {
    const { originalSource: sources, originalDestination: destinations, protocol: protocols } = columns;
    const ports = columns.originalDestinationDiscriminator;
    const [words, seed] = [this.#words, this.#seed];
    for (let index = 0; index < count; index++) {
      const row = rows[index] as number;
      const at = row * ADDRESS_WORDS;
      const to = index * PAIR6_WORDS;
      const protocol = protocols[row] as number;
      const service = (protocol << 16) | ((ports[row] as number) * (hasPorts[protocol] as number));
      const [source0, source1] = [sources[at] as number, sources[at + 1] as number];
      const [source2, source3] = [sources[at + 2] as number, sources[at + 3] as number];
      const [destination0, destination1] = [destinations[at] as number, destinations[at + 1] as number];
      const [destination2, destination3] = [destinations[at + 2] as number, destinations[at + 3] as number];
      words[to] = source0;
      words[to + 1] = source1;
      words[to + 2] = source2;
      words[to + 3] = source3;
      words[to + 4] = destination0;
      words[to + 5] = destination1;
      words[to + 6] = destination2;
      words[to + 7] = destination3;
      words[to + 8] = service;
      const source = step(step(step(seed, source0), source1), source2);
      const destination = step(step(step(seed, destination0), destination1), destination2);
      const half = step(step(step(source, source3), destination0), destination1);
      this.#sourceHashes[index] = mix(source ^ source3);
      this.#destinationHashes[index] = mix(destination ^ destination3);
      this.#pairHashes[index] = mix(step(step(half, destination2), destination3) ^ service);
    }
  }

  /** Places and hashes of the sources whose SEEN_REPLY is known to be clear; returns how many they are. */
  #gatherUnanswered(columns: FlowColumns, rows: Int32Array, count: number): number {
    const [places, sourceHashes] = [this.#pairPlaces, this.#sourceHashes];
    const [unansweredPlaces, unansweredHashes] = [this.#unansweredPlaces, this.#unansweredHashes];
    const { has, status } = columns;
    const seenReplyKnown = columns.knownStatus & Status.SEEN_REPLY;
    let unanswered = 0;
    for (let index = 0; index < count; index++) {
      const row = rows[index] as number;
      // Written in any case and kept only when counted: a branch would be mispredicted for every other flow.
      unansweredPlaces[unanswered] = places[index] as number;
      unansweredHashes[unanswered] = sourceHashes[index] as number;
      const open = (seenReplyKnown & ~(status[row] as number)) >>> SEEN_REPLY_BIT;
      unanswered += open & ((has[row] as number) >>> STATUS_BIT);
    }
    return unanswered;
  }
}

export class Talkers {
  readonly #limits: TallyLimits;
  readonly #ipv4: FamilyTalkers;
  /** Made with the first IPv6 flow. */
  #ipv6: FamilyTalkers | undefined;
  /**
   * Flows by destination port, PORTS for each protocol that has ports: few enough to need no hashing. The
   * first PORTS are where flows of all other protocols land, uncounted.
   */
  readonly #flowsByPort = new SparseCounts((1 + portProtocols.length) * PORTS);
  readonly #rows4 = new Int32Array(CHUNK_KEYS);
  readonly #rows6 = new Int32Array(CHUNK_KEYS);

  constructor(limits: TallyLimits) {
    this.#limits = limits;
    this.#ipv4 = new FamilyTalkers(4, limits);
  }

  /** Counts rows `from` up to, not including, `to`: at most CHUNK_KEYS of them. */
  add(columns: FlowColumns, from: number, to: number): void {
    this.#addServices(columns, from, to);
    const { family } = columns;
    const [rows4, rows6] = [this.#rows4, this.#rows6];
    let count4 = 0;
    for (let row = from; row < to; row++) {
      // Each row is written to both lists and kept in one: see gatherUnanswered.
      rows4[count4] = row;
      rows6[row - from - count4] = row;
      count4 += family[row] === 4 ? 1 : 0;
    }
    const count6 = to - from - count4;
    if (count4 > 0) this.#ipv4.add(columns, this.#rows4, count4);
    if (count6 > 0) (this.#ipv6 ??= new FamilyTalkers(6, this.#limits)).add(columns, this.#rows6, count6);
  }

  #addServices(columns: FlowColumns, from: number, to: number): void {
    const { protocol, originalDestinationDiscriminator: ports } = columns;
    const { counts, pages } = this.#flowsByPort;
    for (let row = from; row < to; row++) {
      const slot = portSlots[protocol[row] as number] as number;
      const place = slot * PORTS + (ports[row] as number);
      counts[place] = (counts[place] as number) + 1;
      pages[place >>> PAGE_SHIFT] = 1;
    }
  }

  merge(other: Talkers): void {
    this.#ipv4.merge(other.#ipv4);
    if (other.#ipv6 !== undefined) (this.#ipv6 ??= new FamilyTalkers(6, this.#limits)).merge(other.#ipv6);
    this.#flowsByPort.merge(other.#flowsByPort);
  }

  topSources(rows: number): TopTally<{ address: string }> {
    return this.#top(rows, (talkers) => talkers.sources.addresses, addressKey);
  }

  topDestinations(rows: number): TopTally<{ address: string }> {
    return this.#top(rows, (talkers) => talkers.destinations.addresses, addressKey);
  }

  topUnansweredSources(rows: number): TopTally<{ address: string }> {
    return this.#top(rows, (talkers) => talkers.unansweredSources, addressKey);
  }

  topSourcePrefixes(rows: number): TopTally<{ prefix: string }> {
    return this.#top(rows, (talkers) => talkers.sources.prefixes(), prefixKey);
  }

  topDestinationPrefixes(rows: number): TopTally<{ prefix: string }> {
    return this.#top(rows, (talkers) => talkers.destinations.prefixes(), prefixKey);
  }

  topPairs(rows: number): TopTally<PairKey> {
    return this.#top(rows, (talkers) => talkers.pairs, pairKey);
  }

  topServices(rows: number): TopTally<{ protocol: string; port: number }> {
    const found: { protocol: string; port: number; flows: number }[] = [];
    let least = 1;
    let distinct = 0;
    this.#flowsByPort.forEach((flows, place) => {
      const slot = Math.floor(place / PORTS);
      if (slot === 0) return;
      distinct++;
      if (flows < least) return;
      found.push({ protocol: protocolName(portProtocols[slot - 1] as number), port: place % PORTS, flows });
      if (found.length >= rows * 2) least = keepGreatest(found, rows);
    });
    keepGreatest(found, rows);
    return { rows: found, distinct, errorBoundFlows: 0 };
  }

  #top<Key>(
    rows: number,
    tallyOf: (talkers: FamilyTalkers) => KeyTally,
    keyOf: (words: Int32Array, family: 4 | 6) => Key,
  ): TopTally<Key> {
    const families = this.#ipv6 === undefined ? [this.#ipv4] : [this.#ipv4, this.#ipv6];
    const tallies = families.map((talkers) => ({ family: talkers.family, tally: tallyOf(talkers) }));
    const found = tallies.flatMap(({ family, tally }) =>
      tally.top(rows).map(({ words, flows }) => ({ ...keyOf(words, family), flows })),
    );
    keepGreatest(found, rows);
    return {
      rows: found,
      distinct: tallies.reduce((sum, { tally }) => sum + tally.distinct, 0),
      errorBoundFlows: Math.max(...tallies.map(({ tally }) => tally.errorBoundFlows)),
    };
  }
}

/**
 * Sorts by flows (equal ones stay in order) and cuts to `rows`; returns the flows a further row needs to
 * matter.
 */
function keepGreatest(found: { flows: number }[], rows: number): number {
  found.sort((left, right) => right.flows - left.flows);
  if (found.length > rows) found.length = rows;
  return found.length < rows ? 1 : (found.at(-1)?.flows ?? 0) + 1;
}

function addressAt(words: Int32Array, at: number, family: 4 | 6): Address {
  return addressFromWords(Uint32Array.from(words), at, family);
}

function addressKey(words: Int32Array, family: 4 | 6): { address: string } {
  return { address: formatAddress(addressAt(words, 0, family)) };
}

function prefixKey(words: Int32Array, family: 4 | 6): { prefix: string } {
  const whole = new Int32Array(ADDRESS_WORDS);
  whole.set(words);
  const bits = family === 4 ? PREFIX4_BITS : PREFIX6_BITS;
  return { prefix: formatPrefix({ address: addressAt(whole, 0, family), bits }) };
}

export interface PairKey {
  source: string;
  destination: string;
  protocol: string;
  port?: number;
}

function pairKey(words: Int32Array, family: 4 | 6): PairKey {
  const addressWords = family === 4 ? 1 : ADDRESS_WORDS;
  const service = words[addressWords * 2] as number;
  const protocol = service >>> 16;
  const pair: PairKey = {
    source: formatAddress(addressAt(words, 0, family)),
    destination: formatAddress(addressAt(words, addressWords, family)),
    protocol: protocolName(protocol),
  };
  if (hasPorts[protocol] === 1) pair.port = service & (PORTS - 1);
  return pair;
}
