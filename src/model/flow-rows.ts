/**
 * The flows of a tracker: 32 words each, in one block of memory that grows. A packet touches a few flows at
 * random among a million, so what counts is how many cache lines it touches: a flow's words lie together, and
 * the first 16 are all that an IPv4 packet of a flow without windows needs. (Columns, the shape of everything
 * that is walked from end to end, would touch a line per field.)
 *
 * Invariants:
 * - flow f has words f * FLOW_WORDS to f * FLOW_WORDS + 31; flow 0 is never used, so that 0 is "none";
 * - node 2f is flow f in its original direction, node 2f + 1 in its reply direction: chains link nodes;
 * - no NAT: the reply tuple is the original one turned round (with the inverse type for ICMP), so addresses
 *   are kept once;
 * - times are jiffies since the tracker began, as signed 32-bit words that may wrap, as the kernel's do
 *   (nf_conntrack.h, nf_ct_is_expired); compare differences only.
 */
import { assert } from "../base/assert.ts";

/** Words of a flow: 128 bytes, two cache lines. */
export const FLOW_WORDS = 32;

/** Words by name. */
export const Flow = {
  /** Next node of the chain this flow's original node is in; 0 at the end. */
  NEXT_ORIGINAL: 0,
  NEXT_REPLY: 1,
  /** `hashTuple` of each direction. */
  HASH_ORIGINAL: 2,
  HASH_REPLY: 3,
  /** family | protocol << 8 | zone << 16. */
  KIND: 4,
  /** source | destination << 16, in each direction. */
  DISCRIMINATORS_ORIGINAL: 5,
  DISCRIMINATORS_REPLY: 6,
  /** First word of the original direction's addresses. */
  SOURCE: 7,
  DESTINATION: 8,
  /** When it expires, in jiffies. */
  EXPIRES: 9,
  /** Bits of table/status.ts. */
  STATUS: 10,
  /** Four bytes, see FlowByte. */
  BYTES: 11,
  /** When it was confirmed, in jiffies. */
  CREATED: 12,
  /** The other three words of each address (IPv6). */
  SOURCE_REST: 13,
  DESTINATION_REST: 16,
  /** TCP: highest sequence number and what the other side lets be sent, by direction. */
  END: 19,
  MAX_END: 21,
  MAX_WINDOW: 23,
  MAX_ACK: 25,
  /** TCP: the last packet, by which retransmissions are told. */
  LAST_SEQUENCE: 27,
  LAST_ACK: 28,
  LAST_END: 29,
  /** TCP: window of the last packet (16 bits, not scaled) | its own window scale << 16 | its flags << 24. */
  LAST_WINDOW: 30,
  /** TCP, four bytes, see FlowByte. */
  TCP_BYTES: 31,
  /** SCTP: verification tags, by direction. */
  VTAG: 19,
  /** GRE: the timeouts the flow was born with, in jiffies: first, and once answered. */
  GRE_TIMEOUT: 19,
  GRE_STREAM_TIMEOUT: 20,
} as const;

/** Bytes by name, counted from the flow's first byte. */
export const FlowByte = {
  /** The kernel's state number (table/state.ts). */
  STATE: 4 * Flow.BYTES,
  /** TCP: direction of the last packet (0 original, 1 reply). SCTP: last direction. */
  LAST_DIRECTION: 4 * Flow.BYTES + 1,
  /** TCP: what kind of packet the last one was (its row of the automaton). */
  LAST_KIND: 4 * Flow.BYTES + 2,
  /** TCP: how often the last packet came again. */
  RETRANSMISSIONS: 4 * Flow.BYTES + 3,
  /** TCP: window scale and flags (IP_CT_TCP_FLAG_*) by direction. */
  SCALE_ORIGINAL: 4 * Flow.TCP_BYTES,
  SCALE_REPLY: 4 * Flow.TCP_BYTES + 1,
  FLAGS_ORIGINAL: 4 * Flow.TCP_BYTES + 2,
  FLAGS_REPLY: 4 * Flow.TCP_BYTES + 3,
} as const;

/** Words of a flow's counters, in a block of their own that only nf_conntrack_acct = 1 makes. */
export const COUNTERS_PER_FLOW = 4;

const FIRST_CAPACITY = 1024;

/** Large blocks of memory begin 16 bytes behind a cache line (glibc); flows had better begin on one. */
const ALIGN_BYTES = 112;

/** The block of flows, and which of them are free. */
export class FlowRows {
  words: Int32Array;
  bytes: Uint8Array;
  /** Packets and bytes of the original, then of the reply direction; absent until accounting is on. */
  counters: Float64Array | undefined;
  /** Flows there is room for. */
  capacity: number;
  /** Highest flow number ever in use, plus one. */
  end = 1;
  /** First of the free flows below `end`, linked through NEXT_ORIGINAL; 0 when there is none. */
  #free = 0;
  #memory: ArrayBuffer;

  constructor(capacity: number = FIRST_CAPACITY) {
    this.capacity = capacity;
    this.#memory = new ArrayBuffer(capacity * 4 * FLOW_WORDS + ALIGN_BYTES);
    this.words = new Int32Array(this.#memory, ALIGN_BYTES);
    this.bytes = new Uint8Array(this.#memory, ALIGN_BYTES);
  }

  /** A flow nobody uses, all words zero. `words` and `bytes` may be others afterwards: read them again. */
  take(): number {
    const flow = this.#free;
    if (flow !== 0) {
      const at = flow * FLOW_WORDS;
      this.#free = this.words[at + Flow.NEXT_ORIGINAL] as number;
      const { words } = this;
      // By hand: calling fill() takes longer than what it does.
      for (let word = at; word < at + FLOW_WORDS; word++) words[word] = 0;
      this.counters?.fill(0, flow * COUNTERS_PER_FLOW, (flow + 1) * COUNTERS_PER_FLOW);
      return flow;
    }
    if (this.end === this.capacity) this.#grow();
    return this.end++;
  }

  /** Gives a flow back. Its status becomes zero, by which a walk over all flows knows it is free. */
  release(flow: number): void {
    const at = flow * FLOW_WORDS;
    this.words[at + Flow.STATUS] = 0;
    this.words[at + Flow.NEXT_ORIGINAL] = this.#free;
    this.#free = flow;
  }

  /** Makes room for counters, from now on kept for every flow. */
  keepCounters(): void {
    this.counters ??= new Float64Array(this.capacity * COUNTERS_PER_FLOW);
  }

  /**
   * Bytes the flows take, counters included: what is reserved beyond them is not touched, and so no memory.
   */
  get memoryBytes(): number {
    const counterBytes = this.counters === undefined ? 0 : COUNTERS_PER_FLOW * 8;
    return this.end * (4 * FLOW_WORDS + counterBytes);
  }

  #lay(memory: ArrayBuffer): void {
    this.#memory = memory;
    this.words = new Int32Array(memory, ALIGN_BYTES);
    this.bytes = new Uint8Array(memory, ALIGN_BYTES);
  }

  #grow(): void {
    const capacity = this.capacity * 2;
    assert(capacity < 2 ** 30, "The model has no room for more flows");
    // Memory that was never touched is none, and a transfer gives the old block back at once.
    const bytes = capacity * 4 * FLOW_WORDS + ALIGN_BYTES;
    this.#lay(this.#memory.transfer(bytes));
    if (this.counters !== undefined) {
      const counters = new Float64Array(capacity * COUNTERS_PER_FLOW);
      counters.set(this.counters);
      this.counters = counters;
    }
    this.capacity = capacity;
  }
}
