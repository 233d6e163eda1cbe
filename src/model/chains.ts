/**
 * The hash table of a tracker: buckets of chains of nodes, two nodes a flow. Order within a chain, the
 * reaping of expired flows by whoever walks past them, and early drop are the kernel's (nf_conntrack_core.c
 * of 4.9 and newer), because they decide which flows survive a full table.
 *
 * Invariants:
 * - a linked flow is in the chains of both of its tuples, a new one at their heads;
 * - `lengths` has the nodes of each chain, so that nobody walks one to count it; MANY is that or more;
 * - `occupancyFlows` counts flows from allocation on, linked or not, expired or not.
 */
import { TCP } from "../table/protocol.ts";
import { Status } from "../table/status.ts";
import { FlowMark } from "./flow-mark.ts";
import { Flow, FLOW_WORDS, type FlowRows } from "./flow-rows.ts";

/** Buckets that early drop looks at (4.7 and newer). */
const EVICTION_RANGE = 8;
/** Packets whose flows are brought into the cache together. */
export const AHEAD_ROWS = 32;
/** Nodes of a chain that are looked at for it. */
const AHEAD_LEVELS = 3;
const TWO_32 = 0x1_0000_0000;
/** Buckets of a group, and its logarithm. */
const GROUP_BUCKETS = 512;
const GROUP_SHIFT = 9;
/** No chain limit is as high (81 at most), and the smaller the lengths, the more of them are in the cache. */
const MANY = 255;

export class Chains {
  readonly rows: FlowRows;
  /** First node of each chain; 0 when it is empty. */
  heads: Int32Array;
  lengths: Uint8Array;
  /** Nodes in each group of buckets: a walk over a nearly empty table passes over whole groups. */
  groups: Uint32Array;
  occupancyFlows = 0;
  /** Told of a flow with the RELATED_TO mark before it goes. */
  onRelatedFlow: ((flow: number) => void) | undefined;
  /** Nodes on the way, and what keeps the touching from being left out as useless. */
  readonly ahead = new Int32Array(AHEAD_ROWS);
  touched = 0;
  #scale: number;

  constructor(rows: FlowRows, buckets: number) {
    this.rows = rows;
    this.heads = new Int32Array(buckets);
    this.lengths = new Uint8Array(buckets);
    this.groups = groupsFor(buckets);
    this.#scale = buckets / TWO_32;
  }

  get memoryBytes(): number {
    return this.heads.byteLength + this.lengths.byteLength + this.groups.byteLength;
  }

  /** The bucket of a hash: its share of 2^32, as the kernel scales it. */
  bucketOf(hash: number): number {
    return Math.floor((hash >>> 0) * this.#scale);
  }

  /**
   * The node with this tuple, or 0. Expired flows met on the way are removed, whichever they are
   * (____nf_conntrack_find). Addresses are four words each; `kind` and `discriminators` are words of a flow.
   */
  // oxlint-disable-next-line max-params -- asked for every packet: an object of them would have to be made
  find(
    now: number,
    hash: number,
    kind: number,
    discriminators: number,
    source: Uint32Array,
    sourceAt: number,
    destination: Uint32Array,
    destinationAt: number,
  ): number {
    const from = (source[sourceAt] as number) | 0;
    const to = (destination[destinationAt] as number) | 0;
    const { words } = this.rows;
    let node = this.heads[this.bucketOf(hash)] as number;
    while (node !== 0) {
      const flow = node >>> 1;
      const at = flow * FLOW_WORDS;
      const direction = node & 1;
      if ((((words[at + Flow.EXPIRES] as number) - now) | 0) <= 0) {
        node = this.nextBehind(node);
        this.remove(flow);
        continue;
      }
      if (
        words[at + Flow.HASH_ORIGINAL + direction] === hash &&
        words[at + Flow.KIND] === kind &&
        words[at + Flow.DISCRIMINATORS_ORIGINAL + direction] === discriminators &&
        words[at + Flow.SOURCE + direction] === from &&
        words[at + Flow.DESTINATION - direction] === to &&
        ((kind & 0xff) !== 6 || this.#isRest(at, direction, source, sourceAt, destination, destinationAt))
      ) {
        return node;
      }
      node = words[at + direction] as number;
    }
    return 0;
  }

  /**
   * Touches the flows that rows are about to find, all at once: a table of a million flows is in no cache,
   * and what one row waits for, thirty can wait for together. Changes nothing.
   */
  lookAhead(hashes: Int32Array, from: number, to: number): void {
    const { heads, ahead } = this;
    const { words } = this.rows;
    const scale = this.#scale;
    const count = to - from;
    for (let index = 0; index < count; index++) {
      ahead[index] = heads[Math.floor(((hashes[from + index] as number) >>> 0) * scale)] as number;
    }
    const levels = Math.min(AHEAD_LEVELS, 1 + Math.floor((2 * this.occupancyFlows) / heads.length));
    for (let level = 0; level < levels; level++) {
      for (let index = 0; index < count; index++) {
        const node = ahead[index] as number;
        const at = (node >>> 1) * FLOW_WORDS + (node & 1);
        // All ones where the hash is another one: a branch here would be guessed wrong every other time.
        const difference = (words[at + Flow.HASH_ORIGINAL] as number) ^ (hashes[from + index] as number);
        const isOther = (difference | -difference) >> 31;
        ahead[index] = node ^ ((node ^ (words[at] as number)) & isOther);
      }
    }
    let sum = 0;
    for (let index = 0; index < count; index++) {
      const at = ((ahead[index] as number) >>> 1) * FLOW_WORDS;
      // Only the flows of TCP need their second cache line.
      const protocol = ((words[at + Flow.KIND] as number) >>> 8) & 0xff;
      sum ^= words[at + (protocol === TCP ? Flow.TCP_BYTES : 0)] as number;
    }
    this.touched = sum;
  }

  /** The same for the first flows of some buckets. */
  touchHeads(from: number, to: number): void {
    const { heads } = this;
    const { words } = this.rows;
    const end = Math.min(to, heads.length);
    let sum = 0;
    for (let bucket = from; bucket < end; bucket++) {
      sum ^= words[((heads[bucket] as number) >>> 1) * FLOW_WORDS] as number;
    }
    this.touched = sum;
  }

  /** Whether the other words of IPv6 addresses are the flow's. */
  #isRest(
    at: number,
    direction: number,
    source: Uint32Array,
    sourceAt: number,
    destination: Uint32Array,
    destinationAt: number,
  ): boolean {
    const { words } = this.rows;
    const sourceRest = at + (direction === 0 ? Flow.SOURCE_REST : Flow.DESTINATION_REST);
    const destinationRest = at + (direction === 0 ? Flow.DESTINATION_REST : Flow.SOURCE_REST);
    for (let word = 0; word < 3; word++) {
      if (words[sourceRest + word] !== ((source[sourceAt + 1 + word] as number) | 0)) return false;
      if (words[destinationRest + word] !== ((destination[destinationAt + 1 + word] as number) | 0))
        return false;
    }
    return true;
  }

  /** The first bucket from `bucket` on that may have nodes; as many as there are buckets when none has. */
  nextInUse(bucket: number): number {
    const { groups } = this;
    let next = bucket;
    if (next % GROUP_BUCKETS !== 0) return next;
    for (let group = next / GROUP_BUCKETS; group < groups.length && groups[group] === 0; group++) {
      next += GROUP_BUCKETS;
    }
    return Math.min(next, this.heads.length);
  }

  /** Nodes in the chain of a hash. */
  lengthOf(hash: number): number {
    return this.lengths[this.bucketOf(hash)] as number;
  }

  /** The next node of the chain that is of another flow. */
  nextBehind(node: number): number {
    const { words } = this.rows;
    const flow = node >>> 1;
    let next = words[flow * FLOW_WORDS + (node & 1)] as number;
    while (next !== 0 && next >>> 1 === flow) next = words[flow * FLOW_WORDS + (next & 1)] as number;
    return next;
  }

  /** Puts a flow at the head of both its chains, the reply node last. */
  link(flow: number): void {
    this.#put(2 * flow);
    this.#put(2 * flow + 1);
  }

  #put(node: number): void {
    const { words } = this.rows;
    const at = (node >>> 1) * FLOW_WORDS + (node & 1);
    const bucket = this.bucketOf(words[at + Flow.HASH_ORIGINAL] as number);
    words[at] = this.heads[bucket] as number;
    this.heads[bucket] = node;
    const length = this.lengths[bucket] as number;
    if (length !== MANY) this.lengths[bucket] = length + 1;
    const group = bucket >>> GROUP_SHIFT;
    this.groups[group] = (this.groups[group] as number) + 1;
  }

  /** Takes a linked flow out of the table, for good. */
  remove(flow: number): void {
    this.#take(2 * flow);
    this.#take(2 * flow + 1);
    this.drop(flow);
  }

  /** Gives back a flow that is not linked. */
  drop(flow: number): void {
    const status = this.rows.words[flow * FLOW_WORDS + Flow.STATUS] as number;
    if ((status & FlowMark.RELATED_TO) !== 0) this.onRelatedFlow?.(flow);
    this.rows.release(flow);
    this.occupancyFlows -= 1;
  }

  #take(node: number): void {
    const { words } = this.rows;
    const at = (node >>> 1) * FLOW_WORDS + (node & 1);
    const bucket = this.bucketOf(words[at + Flow.HASH_ORIGINAL] as number);
    this.#unlink(bucket, node, words[at] as number);
    const length = this.lengths[bucket] as number;
    this.lengths[bucket] = length === MANY ? this.#countNodes(bucket) : length - 1;
    const group = bucket >>> GROUP_SHIFT;
    this.groups[group] = (this.groups[group] as number) - 1;
  }

  /** Links what is before a node with what is behind it. */
  #unlink(bucket: number, node: number, next: number): void {
    const { words } = this.rows;
    let before = this.heads[bucket] as number;
    if (before === node) {
      this.heads[bucket] = next;
      return;
    }
    for (;;) {
      const place = (before >>> 1) * FLOW_WORDS + (before & 1);
      before = words[place] as number;
      if (before !== node) continue;
      words[place] = next;
      return;
    }
  }

  /** Nodes of a chain, as far as MANY. */
  #countNodes(bucket: number): number {
    const { words } = this.rows;
    let count = 0;
    for (let node = this.heads[bucket] as number; node !== 0 && count < MANY; count++) {
      node = words[(node >>> 1) * FLOW_WORDS + (node & 1)] as number;
    }
    return count;
  }

  /**
   * Room for a new flow whose original tuple has this hash: removes every flow that is not ASSURED from the
   * first of eight buckets that has one (4.20 and newer). Returns how many; 0: none of them may go. Expired
   * flows are removed on the way and are not counted.
   */
  earlyDrop(hash: number, now: number, oneBucket: boolean): number {
    const { length } = this.heads;
    const range = oneBucket ? 1 : EVICTION_RANGE;
    let bucket = this.bucketOf(hash);
    for (let step = 0; step < range; step++) {
      const dropped = this.#earlyDropFrom(bucket, now);
      if (dropped > 0) return dropped;
      bucket = (bucket + 1) % length;
    }
    return 0;
  }

  #earlyDropFrom(bucket: number, now: number): number {
    const { words } = this.rows;
    let dropped = 0;
    let node = this.heads[bucket] as number;
    while (node !== 0) {
      const flow = node >>> 1;
      const at = flow * FLOW_WORDS;
      const isExpired = (((words[at + Flow.EXPIRES] as number) - now) | 0) <= 0;
      const isVictim = isExpired || ((words[at + Flow.STATUS] as number) & Status.ASSURED) === 0;
      node = isVictim ? this.nextBehind(node) : (words[at + (node & 1)] as number);
      if (!isVictim) continue;
      this.remove(flow);
      if (!isExpired) dropped += 1;
    }
    return dropped;
  }

  /**
   * Another number of buckets: chains are taken apart from their heads, so that a chain comes out turned
   * round (nf_conntrack_hash_resize). Nothing is removed, and no chain is too long for it.
   */
  rehash(buckets: number): void {
    const { words } = this.rows;
    const old = this.heads;
    this.heads = new Int32Array(buckets);
    this.lengths = new Uint8Array(buckets);
    this.groups = groupsFor(buckets);
    this.#scale = buckets / TWO_32;
    for (let bucket = 0; bucket < old.length; bucket++) {
      let node = old[bucket] as number;
      while (node !== 0) {
        const next = words[(node >>> 1) * FLOW_WORDS + (node & 1)] as number;
        this.#put(node);
        node = next;
      }
    }
  }
}

function groupsFor(buckets: number): Uint32Array {
  return new Uint32Array(Math.ceil(buckets / GROUP_BUCKETS));
}
