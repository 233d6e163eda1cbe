/**
 * The moments at which a tracker dropped packets, and whose they were: stretches of drops, the first packets
 * of each one by one, and a count by source address. All of it is bounded; what does not fit is counted.
 */
import { type Address, ADDRESS_WORDS, addressFromWords } from "../table/address.ts";
import type { PacketColumns } from "../packet/packet.ts";

/** Why the tracker dropped a packet. */
export const DropCause = { TABLE_FULL: 0, CHAIN_TOO_LONG: 1, CLASH: 2, PROTOCOL: 3 } as const;
const CAUSES = 4;

export type DropCauseName = "tableFull" | "chainTooLong" | "clash" | "protocol";
const causeNames: readonly DropCauseName[] = ["tableFull", "chainTooLong", "clash", "protocol"];

/** Drops further apart than this belong to different stretches. */
const APART_MS = 1000;
const EPISODES = 512;
const SAMPLES = 1024;
/** Sources that are counted; a power of two, filled to three quarters. */
const SOURCE_SLOTS = 16_384;
const SOURCES = (SOURCE_SLOTS / 4) * 3;

/** Drops one after the other, less than a second apart. */
export interface DropEpisode {
  readonly fromMs: number;
  readonly toMs: number;
  /** Record of the first one. */
  readonly firstRecord: number;
  readonly packets: Readonly<Record<DropCauseName, number>>;
}

/** One dropped packet. */
export interface DroppedPacket {
  readonly record: number;
  readonly atMs: number;
  readonly cause: DropCauseName;
  readonly family: 4 | 6;
  readonly protocol: number;
  readonly source: Address;
  readonly destination: Address;
  readonly sourceDiscriminator: number;
  readonly destinationDiscriminator: number;
}

export interface DropReport {
  /** In order of time. */
  readonly episodes: readonly DropEpisode[];
  /** Drops of stretches beyond those listed. */
  readonly packetsBeyondEpisodes: number;
  /** The first packets dropped. */
  readonly first: readonly DroppedPacket[];
  /** Who lost most, most first. */
  readonly sources: readonly { readonly address: Address; readonly packets: number }[];
  /** Drops of sources beyond those counted one by one. */
  readonly packetsOfOtherSources: number;
}

interface OpenEpisode {
  fromMs: number;
  toMs: number;
  firstRecord: number;
  counts: Float64Array;
}

export class DropLog {
  readonly #episodes: OpenEpisode[] = [];
  #beyondEpisodes = 0;
  readonly #first: DroppedPacket[] = [];
  /** Per source: family and four words; open addressing. */
  #sourceKeys: Uint32Array | undefined;
  readonly #sourcePackets = new Float64Array(SOURCE_SLOTS);
  #sources = 0;
  #otherSources = 0;

  /** The packet of a row was dropped at `atMs`. */
  note(batch: PacketColumns, row: number, atMs: number, cause: number): void {
    const record = batch.firstRecord + row;
    this.#noteEpisode(record, atMs, cause);
    this.#noteSource(batch.family[row] as number, batch.source, row * ADDRESS_WORDS);
    if (this.#first.length < SAMPLES) this.#first.push(droppedPacket(batch, row, record, atMs, cause));
  }

  #noteEpisode(record: number, atMs: number, cause: number): void {
    let episode = this.#episodes.at(-1);
    if (episode === undefined || atMs - episode.toMs > APART_MS) {
      if (this.#episodes.length === EPISODES) {
        this.#beyondEpisodes += 1;
        return;
      }
      episode = { fromMs: atMs, toMs: atMs, firstRecord: record, counts: new Float64Array(CAUSES) };
      this.#episodes.push(episode);
    }
    episode.toMs = atMs;
    episode.counts[cause] = (episode.counts[cause] as number) + 1;
  }

  #noteSource(family: number, words: Uint32Array, at: number): void {
    const keys = (this.#sourceKeys ??= new Uint32Array(SOURCE_SLOTS * (ADDRESS_WORDS + 1)));
    let hash = family;
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      hash = Math.imul(hash ^ (words[at + word] as number), 0x9e37_79b1);
      hash ^= hash >>> 15;
    }
    let slot = hash & (SOURCE_SLOTS - 1);
    for (;;) {
      const key = slot * (ADDRESS_WORDS + 1);
      if (keys[key] === 0) {
        if (this.#sources === SOURCES) {
          this.#otherSources += 1;
          return;
        }
        this.#sources += 1;
        keys[key] = family;
        for (let word = 0; word < ADDRESS_WORDS; word++) keys[key + 1 + word] = words[at + word] as number;
        break;
      }
      if (keys[key] === family && isSame(keys, key + 1, words, at)) break;
      slot = (slot + 1) & (SOURCE_SLOTS - 1);
    }
    this.#sourcePackets[slot] = (this.#sourcePackets[slot] as number) + 1;
  }

  /** All of it as values; `sources` is how many of the sources at most. */
  report(sources: number): DropReport {
    return {
      episodes: this.#episodes.map(({ fromMs, toMs, firstRecord, counts }) => ({
        fromMs,
        toMs,
        firstRecord,
        packets: {
          tableFull: counts[DropCause.TABLE_FULL] ?? 0,
          chainTooLong: counts[DropCause.CHAIN_TOO_LONG] ?? 0,
          clash: counts[DropCause.CLASH] ?? 0,
          protocol: counts[DropCause.PROTOCOL] ?? 0,
        },
      })),
      packetsBeyondEpisodes: this.#beyondEpisodes,
      first: this.#first.slice(),
      sources: this.#topSources(sources),
      packetsOfOtherSources: this.#otherSources,
    };
  }

  #topSources(limit: number): { address: Address; packets: number }[] {
    const keys = this.#sourceKeys;
    if (keys === undefined) return [];
    const counted: { address: Address; packets: number }[] = [];
    this.#sourcePackets.forEach((packets, slot) => {
      if (packets === 0) return;
      const key = slot * (ADDRESS_WORDS + 1);
      counted.push({ address: addressFromWords(keys, key + 1, keys[key] === 6 ? 6 : 4), packets });
    });
    return counted.toSorted((left, right) => right.packets - left.packets).slice(0, limit);
  }
}

function isSame(keys: Uint32Array, key: number, words: Uint32Array, at: number): boolean {
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    if (keys[key + word] !== words[at + word]) return false;
  }
  return true;
}

function droppedPacket(
  batch: PacketColumns,
  row: number,
  record: number,
  atMs: number,
  cause: number,
): DroppedPacket {
  const family = batch.family[row] === 6 ? 6 : 4;
  return {
    record,
    atMs,
    cause: causeNames[cause] ?? "protocol",
    family,
    protocol: batch.protocol[row] as number,
    source: addressFromWords(batch.source, row * ADDRESS_WORDS, family),
    destination: addressFromWords(batch.destination, row * ADDRESS_WORDS, family),
    sourceDiscriminator: batch.sourceDiscriminator[row] as number,
    destinationDiscriminator: batch.destinationDiscriminator[row] as number,
  };
}
