/**
 * Counts flows by a key of a few 32-bit words: exactly while the distinct keys fit, with a stated error bound
 * after.
 *
 * One Int32Array of slots with linear probing; a slot is the count and then the key's words, so that a probe
 * costs one cache line. Keys come in chunks, hashed beforehand, and are looked at without branches, so that
 * the processor waits for many slots at once.
 *
 * Past its capacity the table prunes (the "Frequent" algorithm of Misra and Gries 1982, pruning by the median
 * as in Anderson et al. 2017, "A High-Performance Algorithm for Identifying Frequent Items in Data Streams"):
 * every count is lowered by the median d and keys that reach zero are dropped. A count is then too low by at
 * most the sum of all d, which is the stated bound; and as each pruning takes d from at least half of the
 * keys, the bound stays below about 2 * flows / capacity. Counts are never too high. Two tables merge by
 * adding one's counts and bound to the other. Space-Saving (Metwally et al. 2005) with the same room for the
 * same million keys gave the same bounds and took five times as long.
 */
import { assert } from "../base/assert.ts";

/** Keys handed over at once; their slots (one cache line each) stay in the first-level cache. */
export const CHUNK_KEYS = 512;

/** Slots a table starts with. */
const FIRST_SLOTS = 512;
/** Keys a pruning looks at to find the median. */
const MEDIAN_SAMPLE = 1024;
/** By how much a table grows: moving every key again and again costs more than room that stays empty. */
const GROWTH = 8;
/** Share of slots that may be taken: with more, probes get long. */
const MOST_TAKEN = 0.625;

/** Which keys of a chunk were not at their first slot. */
const probed = new Int32Array(CHUNK_KEYS);

/** Places and words of the keys that a rebuild moves; the next one uses the same memory, fresh is slow. */
let movedPlaces = new Int32Array(0);
let movedWords = new Int32Array(0);

/** Spreads 32 bits over 32 bits ("lowbias32", public domain, C. Wellons 2018). */
export function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}

/** Takes one more word of a key into its hash; the last word is taken by `mix(hash ^ word)` instead. */
export function step(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x9e3779b1);
  return product ^ (product >>> 15);
}

/**
 * The hash that `KeyTally.add` expects for a key: a step for each word but the last, beginning with the seed.
 */
export function hashKey(words: Int32Array, at: number, keyWords: number, seed: number): number {
  const last = at + keyWords - 1;
  let hash = seed;
  for (let index = at; index < last; index++) hash = step(hash, words[index] as number);
  return mix(hash ^ (words[last] as number));
}

/** A key and its count; `words` is a copy. */
export interface Tallied {
  words: Int32Array;
  flows: number;
}

export class KeyTally {
  readonly keyWords: number;
  readonly #seed: number;
  readonly #stride: number;
  readonly #capacityKeys: number;
  readonly #mostSlots: number;
  #slots: Int32Array;
  #mask: number;
  #keys = 0;
  #mostKeys = 0;
  #errorBoundFlows = 0;

  /**
   * For keys of `keyWords` words; exact up to `capacityKeys` distinct keys; `seed` as used for the hashes.
   */
  constructor(keyWords: number, capacityKeys: number, seed: number) {
    assert(keyWords > 0 && capacityKeys > 0, "a tally needs keys of some size and room for at least one");
    this.keyWords = keyWords;
    this.#stride = keyWords + 1;
    this.#capacityKeys = capacityKeys;
    this.#mostSlots = Math.max(
      FIRST_SLOTS,
      2 ** Math.ceil(Math.log2((capacityKeys + 2 * CHUNK_KEYS) / MOST_TAKEN)),
    );
    this.#seed = seed;
    this.#slots = new Int32Array(FIRST_SLOTS * this.#stride);
    this.#mask = FIRST_SLOTS - 1;
  }

  /** Distinct keys; a lower bound when not exact. */
  get distinct(): number {
    return Math.max(this.#keys, this.#mostKeys);
  }

  /** Whether every count is exact. */
  get exact(): boolean {
    return this.#errorBoundFlows === 0;
  }

  /** Flows by which a count may be too low, and up to which a key may be missing. */
  get errorBoundFlows(): number {
    return this.#errorBoundFlows;
  }

  /** Whether `count` more keys could end exactness: what depends on all keys must be taken before. */
  mayPrune(count: number): boolean {
    return this.#keys + count > this.#capacityKeys;
  }

  /**
   * Counts one flow for each of `count` keys (at most CHUNK_KEYS): the words of key number i begin at
   * `places[i]` of `words`, and `hashes[i]` is its hash, as hashKey gives it.
   */
  add(words: Int32Array, places: Int32Array, hashes: Int32Array, count: number): void {
    this.#makeRoom(count);
    if (this.keyWords === 1) this.#addSingle(words, places, hashes, count);
    else if (this.keyWords === 3) this.#addTriple(words, places, hashes, count);
    else this.#addWide(words, places, hashes, count);
  }

  /** Counts `flows` flows for the key at `at` of `words`. */
  addFlows(words: Int32Array, at: number, flows: number): void {
    this.#makeRoom(1);
    this.#addOne(words, at, hashKey(words, at, this.keyWords, this.#seed), flows);
  }

  /** Adds another tally of the same kind; bounds add up. */
  merge(other: KeyTally): void {
    assert(other.keyWords === this.keyWords, "tallies of different keys cannot be merged");
    other.forEach((words, at, flows) => {
      this.addFlows(words, at, flows);
    });
    this.#errorBoundFlows += other.#errorBoundFlows;
    this.#mostKeys = Math.max(this.#mostKeys, other.distinct);
  }

  /** Calls `visit` with every key (words from `at` on, valid during the call only) and its count. */
  forEach(visit: (words: Int32Array, at: number, flows: number) => void): void {
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += this.#stride) {
      const flows = slots[at] as number;
      if (flows > 0) visit(slots, at + 1, flows);
    }
  }

  /**
   * The `rows` greatest counts, greatest first, equal ones by key: the same whatever the seed and the order
   * were.
   */
  top(rows: number): Tallied[] {
    const kept: Tallied[] = [];
    this.forEach((words, at, flows) => {
      const last = kept[rows - 1];
      if (last !== undefined && flows < last.flows) return;
      if (last !== undefined && flows === last.flows && compareWords(words, at, last.words) > 0) return;
      insertSorted(kept, { words: words.slice(at, at + this.keyWords), flows });
      if (kept.length > rows) kept.pop();
    });
    return kept;
  }

  /**
   * Keys of one word. Most keys find themselves or a free slot at the first look, which this loop does
   * without a branch and without a call, so that the processor has many slots under way at once; the rest are
   * looked for after it.
   */
  #addSingle(words: Int32Array, places: Int32Array, hashes: Int32Array, count: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let added = 0;
    let elsewhere = 0;
    for (let index = 0; index < count; index++) {
      const key = words[places[index] as number] as number;
      const at = ((hashes[index] as number) & mask) << 1;
      const flows = slots[at] as number;
      const difference = (slots[at + 1] as number) ^ key;
      const taken = -flows >>> 31;
      const other = taken & ((difference | -difference) >>> 31);
      slots[at] = flows + 1 - other;
      slots[at + 1] = key ^ (difference & -other);
      added += 1 - taken;
      probed[elsewhere] = index;
      elsewhere += other;
    }
    for (let turn = 0; turn < elsewhere; turn++) {
      const index = probed[turn] as number;
      const key = words[places[index] as number] as number;
      let slot = (hashes[index] as number) & mask;
      let flows = 0;
      do {
        slot = (slot + 1) & mask;
        flows = slots[slot << 1] as number;
      } while (flows !== 0 && (slots[(slot << 1) + 1] as number) !== key);
      slots[slot << 1] = flows + 1;
      slots[(slot << 1) + 1] = key;
      added += flows === 0 ? 1 : 0;
    }
    this.#keys += added;
  }

  /** The same for keys of three words. */
  #addTriple(words: Int32Array, places: Int32Array, hashes: Int32Array, count: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let added = 0;
    let elsewhere = 0;
    for (let index = 0; index < count; index++) {
      const from = places[index] as number;
      const at = ((hashes[index] as number) & mask) << 2;
      const flows = slots[at] as number;
      const first = (slots[at + 1] as number) ^ (words[from] as number);
      const second = (slots[at + 2] as number) ^ (words[from + 1] as number);
      const third = (slots[at + 3] as number) ^ (words[from + 2] as number);
      const difference = first | second | third;
      const taken = -flows >>> 31;
      const other = taken & ((difference | -difference) >>> 31);
      slots[at] = flows + 1 - other;
      slots[at + 1] = (words[from] as number) ^ (first & -other);
      slots[at + 2] = (words[from + 1] as number) ^ (second & -other);
      slots[at + 3] = (words[from + 2] as number) ^ (third & -other);
      added += 1 - taken;
      probed[elsewhere] = index;
      elsewhere += other;
    }
    this.#keys += added;
    for (let turn = 0; turn < elsewhere; turn++) {
      const index = probed[turn] as number;
      this.#addOne(words, places[index] as number, (hashes[index] as number) + 1, 1);
    }
  }

  /**
   * Keys of any other size: their slots are fetched ahead, all at once, and then looked through one by one.
   */
  #addWide(words: Int32Array, places: Int32Array, hashes: Int32Array, count: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    const stride = this.#stride;
    for (let index = 0; index < count; index++) {
      const at = ((hashes[index] as number) & mask) * stride;
      // Stored so that the compiler keeps the loads: first and last word, which may lie on two lines.
      probed[index] = (slots[at] as number) ^ (slots[at + stride - 1] as number);
    }
    for (let index = 0; index < count; index++) {
      this.#addOne(words, places[index] as number, hashes[index] as number, 1);
    }
  }

  /** Looks for a key from the slot of `hash` on, and counts it where it is or in the first free slot. */
  #addOne(words: Int32Array, from: number, hash: number, flows: number): void {
    const slots = this.#slots;
    const { keyWords } = this;
    let slot = hash & this.#mask;
    for (;;) {
      const at = slot * this.#stride;
      if (slots[at] === 0) {
        for (let index = 0; index < keyWords; index++) slots[at + 1 + index] = words[from + index] as number;
        slots[at] = flows;
        this.#keys++;
        return;
      }
      let same = 0;
      while (same < keyWords && slots[at + 1 + same] === words[from + same]) same++;
      if (same === keyWords) {
        slots[at] = (slots[at] as number) + flows;
        return;
      }
      slot = (slot + 1) & this.#mask;
    }
  }

  /** Sees to it that `count` new keys find slots, and that enough slots stay free. */
  #makeRoom(count: number): void {
    assert(count <= CHUNK_KEYS, "keys come in chunks");
    while (this.#keys > this.#capacityKeys) this.#prune();
    while (this.#keys + count > (this.#mask + 1) * MOST_TAKEN) {
      this.#rebuild(Math.min((this.#mask + 1) * GROWTH, this.#mostSlots), 0);
    }
  }

  #prune(): void {
    this.#mostKeys = Math.max(this.#mostKeys, this.#keys);
    const lowerBy = this.#medianFlows();
    this.#rebuild(this.#mask + 1, lowerBy);
    this.#errorBoundFlows += lowerBy;
  }

  /**
   * The median count of the keys in the first slots: a hash has put them there, so they are a random sample.
   * At least 1, and at most the count that at least half of the sample exceed or equal.
   */
  #medianFlows(): number {
    const counts: number[] = [];
    for (let at = 0; at < this.#slots.length && counts.length < MEDIAN_SAMPLE; at += this.#stride) {
      const flows = this.#slots[at] as number;
      if (flows > 0) counts.push(flows);
    }
    counts.sort((left, right) => left - right);
    return counts[counts.length >>> 1] as number;
  }

  /**
   * Places every key anew in `slotCount` slots, its count lowered by `lowerBy`; what has none left is
   * dropped.
   */
  #rebuild(slotCount: number, lowerBy: number): void {
    const { kept, count } = this.#kept(lowerBy);
    const stride = this.#stride;
    if (slotCount === this.#mask + 1) this.#slots.fill(0);
    else this.#slots = new Int32Array(slotCount * stride);
    const mask = (this.#mask = slotCount - 1);
    const slots = this.#slots;
    this.#keys = count;
    for (let from = 0; from < count * stride; from += stride) {
      // The keys all differ: each belongs in the first free slot.
      let slot = hashKey(kept, from + 1, this.keyWords, this.#seed) & mask;
      while (slots[slot * stride] !== 0) slot = (slot + 1) & mask;
      const at = slot * stride;
      slots[at] = (kept[from] as number) - lowerBy;
      for (let word = 1; word < stride; word++) slots[at + word] = kept[from + word] as number;
    }
  }

  /** The slots with more than `above` flows, one after the other; valid until the next call. */
  #kept(above: number): { kept: Int32Array; count: number } {
    const slots = this.#slots;
    const stride = this.#stride;
    if (movedPlaces.length <= this.#keys) movedPlaces = new Int32Array(this.#keys + 1);
    const places = movedPlaces;
    let count = 0;
    for (let at = 0; at < slots.length; at += stride) {
      // Written in any case and kept only when it counts: whether a slot is taken is anybody's guess.
      places[count] = at;
      count += (above - (slots[at] as number)) >>> 31;
    }
    if (movedWords.length < count * stride) movedWords = new Int32Array(count * stride);
    const kept = movedWords;
    for (let index = 0; index < count; index++) {
      const from = places[index] as number;
      for (let word = 0; word < stride; word++) kept[index * stride + word] = slots[from + word] as number;
    }
    return { kept, count };
  }
}

function insertSorted(kept: Tallied[], row: Tallied): void {
  let index = kept.length;
  while (index > 0 && comesBefore(row, kept[index - 1] as Tallied)) index--;
  kept.splice(index, 0, row);
}

function comesBefore(row: Tallied, other: Tallied): boolean {
  if (row.flows !== other.flows) return row.flows > other.flows;
  return compareWords(row.words, 0, other.words) < 0;
}

/** Which key comes first, its words taken as unsigned. */
function compareWords(words: Int32Array, at: number, other: Int32Array): number {
  for (let index = 0; index < other.length; index++) {
    const difference = ((words[at + index] as number) >>> 0) - ((other[index] as number) >>> 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
