/**
 * A row of the batch while its fields come in by name, whatever the notation: the general line reader and the
 * XML reader both work on one. Names are those of the text form (nf_conntrack_standalone.c, and
 * snprintf_default.c of libnetfilter_conntrack); XML uses nearly the same.
 *
 * The fields go straight into the row behind the last one. It becomes a row of the batch by `put`; until then
 * it leaves no trace: what was odd about it is counted with the row.
 */
import { SATURATED } from "../base/bytes.ts";
import { ADDRESS_WORDS } from "../table/address.ts";
import { type FlowColumns, Has, type Rare } from "../table/columns.ts";
import { countOddity, type Oddities } from "../table/oddities.ts";
import { discriminatorOf } from "../table/protocol.ts";
import { stateNumber } from "../table/state.ts";
import { numberOf, readIpv4, readIpv6, textOf } from "./ascii.ts";

const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffff_ffff;

/** Unknown words kept of one flow; the others are only counted. */
const WORDS_KEPT = 8;

/** Numbers of the flow as a whole: the column, its bit, and the greatest number it holds. */
const flowNumbers = {
  timeout: { column: "timeoutSeconds", bit: Has.timeout, limit: U32 },
  mark: { column: "mark", bit: Has.mark, limit: U32 },
  secmark: { column: "secmark", bit: Has.secmark, limit: U32 },
  zone: { column: "zone", bit: Has.zone, limit: U16 },
  "zone-orig": { column: "originalZone", bit: Has.originalZone, limit: U16 },
  "zone-reply": { column: "replyZone", bit: Has.replyZone, limit: U16 },
  use: { column: "use", bit: Has.use, limit: U32 },
  id: { column: "id", bit: Has.id, limit: U32 },
  "gre-timeout": { column: "greTimeoutSeconds", bit: 0, limit: U32 },
  stream_timeout: { column: "greStreamTimeoutSeconds", bit: Has.greTimeouts, limit: U32 },
  "delta-time": { column: "ageSeconds", bit: Has.age, limit: SATURATED },
} as const;

/** What of one direction has been given. */
const Given = {
  source: 1,
  destination: 2,
  first: 4,
  second: 8,
  type: 16,
  code: 32,
  packets: 64,
  bytes: 128,
} as const;

const ADDRESSES = Given.source | Given.destination;
const PORTS = Given.first | Given.second;
const ICMP_WORDS = Given.type | Given.code | Given.first;
const COUNTERS = Given.packets | Given.bytes;

/** Numbers of one direction; ports and keys are the same two columns. */
const tupleNumbers = {
  sport: { part: "first", limit: U16 },
  dport: { part: "second", limit: U16 },
  srckey: { part: "first", limit: U16 },
  dstkey: { part: "second", limit: U16 },
  type: { part: "type", limit: U8 },
  code: { part: "code", limit: U8 },
  packets: { part: "packets", limit: SATURATED },
  bytes: { part: "bytes", limit: SATURATED },
} as const;

/** The columns of one direction. */
interface Direction {
  source: Uint32Array;
  destination: Uint32Array;
  first: Uint16Array;
  second: Uint16Array;
  packets: Float64Array;
  bytes: Float64Array;
  /** Bits of Given. */
  given: number;
}

export class OpenRow {
  readonly original: Direction;
  readonly reply: Direction;
  /** The direction that addresses, ports and counters belong to. */
  direction: Direction;
  /** 4 or 6; 0 until an address or the beginning of the line says it. */
  family = 0;
  protocol = 0;
  status = 0;
  /** Whether the input came to the place where status words stand. */
  statusGiven = false;
  /** The notation leaves ports or ICMP words out (XML; protocols printed as `unknown`). */
  bareTuples = false;
  /** Two statements that cannot both be true, as an IPv6 address in an IPv4 flow. */
  contradicts = false;
  readonly #columns: FlowColumns;
  readonly #oddities: Oddities;
  #row = 0;
  #has = 0;
  #rare: Rare | undefined;
  #saturated = 0;
  #unknownWords = 0;

  constructor(columns: FlowColumns, oddities: Oddities) {
    this.#columns = columns;
    this.#oddities = oddities;
    this.original = {
      source: columns.originalSource,
      destination: columns.originalDestination,
      first: columns.originalSourceDiscriminator,
      second: columns.originalDestinationDiscriminator,
      packets: columns.originalPackets,
      bytes: columns.originalBytes,
      given: 0,
    };
    this.reply = {
      source: columns.replySource,
      destination: columns.replyDestination,
      first: columns.replySourceDiscriminator,
      second: columns.replyDestinationDiscriminator,
      packets: columns.replyPackets,
      bytes: columns.replyBytes,
      given: 0,
    };
    this.direction = this.original;
  }

  /** Opens the row behind the last one of the batch, which must not be full. */
  begin(): void {
    const row = this.#columns.count;
    this.#row = row;
    for (const direction of [this.original, this.reply]) {
      direction.given = direction.first[row] = direction.second[row] = 0;
    }
    this.#columns.greTimeoutSeconds[row] = 0;
    this.direction = this.original;
    this.family = this.protocol = this.status = this.#has = this.#saturated = this.#unknownWords = 0;
    this.statusGiven = this.bareTuples = this.contradicts = false;
    this.#rare = undefined;
  }

  /** What few flows have; made on first use. */
  get rare(): Rare {
    return (this.#rare ??= {});
  }

  /** Whether the row is a flow: its original direction is complete and nothing contradicts. */
  get isFlow(): boolean {
    return !this.contradicts && this.isComplete(this.original);
  }

  /** Whether both addresses of a direction were given, and what tells the protocol's flows apart. */
  isComplete(direction: Direction): boolean {
    return hasAll(direction, ADDRESSES) && (this.bareTuples || this.#isTold(direction));
  }

  /** Whether the ports, keys or ICMP words that the protocol has were given for a direction. */
  #isTold(direction: Direction): boolean {
    const kind = discriminatorOf(this.protocol);
    if (kind === "none") return true;
    return hasAll(direction, kind === "icmp" ? ICMP_WORDS : PORTS);
  }

  /**
   * Takes the field `name`, whose value is the bytes `from` to `to`; false when name or value is not known.
   */
  set(name: string, bytes: Uint8Array, from: number, to: number): boolean {
    switch (name) {
      case "src":
        return this.#setAddress(Given.source, bytes, from, to);
      case "dst":
        return this.#setAddress(Given.destination, bytes, from, to);
      case "secctx":
        this.rare.securityContext = textOf(bytes, from, to);
        return true;
      case "helper":
        this.rare.helper = textOf(bytes, from, to);
        return true;
      case "labels":
        this.rare.labelNames = textOf(bytes, from, to).split(",");
        return true;
      default: {
        const value = name === "mark" ? markOf(bytes, from, to) : numberOf(bytes, from, to);
        return !Number.isNaN(value) && this.#setNumber(name, value);
      }
    }
  }

  /** Takes the wall clock of creation or of the end. */
  setInstant(which: "start" | "stop", atMs: number): void {
    const column = which === "start" ? this.#columns.startedAtMs : this.#columns.stoppedAtMs;
    column[this.#row] = atMs;
    this.#has |= which === "start" ? Has.startedAt : Has.stoppedAt;
  }

  /** Takes a state by name; false when the protocol has no such state. */
  setState(name: string): boolean {
    const state = stateNumber(this.protocol, name);
    if (state === undefined) return false;
    this.#columns.state[this.#row] = state;
    this.#has |= Has.state;
    return true;
  }

  /** Keeps a word that this program does not know. */
  addUnknown(word: string): void {
    this.#unknownWords++;
    const words = this.rare.unknownWords ?? [];
    if (words.length < WORDS_KEPT) this.rare.unknownWords = [...words, word];
  }

  /** Makes the row one of the batch. */
  put(): void {
    const columns = this.#columns;
    const row = this.#row;
    let has = this.#has;
    if (this.bareTuples && !this.#isTold(this.original)) has |= Has.bare;
    if (this.isComplete(this.reply)) has |= Has.reply;
    if (hasAll(this.original, COUNTERS)) has |= Has.originalCounters;
    if (hasAll(this.reply, COUNTERS)) has |= Has.replyCounters;
    if (this.statusGiven) has |= Has.status;
    columns.family[row] = this.family;
    columns.protocol[row] = this.protocol;
    columns.status[row] = this.status;
    if (this.#rare !== undefined) {
      has |= Has.rare;
      columns.rare.set(row, this.#rare);
    }
    columns.has[row] = has;
    columns.count = row + 1;
    if (this.#saturated > 0) countOddity(this.#oddities, "saturated", this.#saturated);
    if (this.#unknownWords > 0) countOddity(this.#oddities, "unknownWords", this.#unknownWords);
  }

  #setAddress(given: number, bytes: Uint8Array, from: number, to: number): boolean {
    if ((this.direction.given & given) !== 0) {
      // A second `src=` begins the reply direction.
      if (given !== Given.source || this.direction === this.reply) return false;
      this.direction = this.reply;
    }
    const words = given === Given.source ? this.direction.source : this.direction.destination;
    const index = this.#row * ADDRESS_WORDS;
    let family = 4;
    if (readIpv4(bytes, from, words, index) !== to) {
      if (readIpv6(bytes, from, words, index) !== to) {
        // A later `src=` must not be taken for this one.
        if (this.direction === this.original) this.contradicts = true;
        return false;
      }
      family = 6;
    }
    if (this.family !== 0 && this.family !== family) this.contradicts = true;
    this.family = family;
    this.direction.given |= given;
    return true;
  }

  #setNumber(name: string, value: number): boolean {
    if (name === "id" && this.#setIcmpId(value)) return true;
    if (Object.hasOwn(flowNumbers, name)) {
      const { column, bit, limit } = flowNumbers[name as keyof typeof flowNumbers];
      this.#columns[column][this.#row] = this.#limited(value, limit);
      this.#has |= bit;
      return true;
    }
    if (!Object.hasOwn(tupleNumbers, name)) return false;
    const { part, limit } = tupleNumbers[name as keyof typeof tupleNumbers];
    this.#setPart(part, this.#limited(value, limit));
    this.direction.given |= Given[part];
    return true;
  }

  /** ICMP is (id, type << 8 | code); see columns.ts. */
  #setPart(part: "first" | "second" | "type" | "code" | "packets" | "bytes", value: number): void {
    const { second } = this.direction;
    const row = this.#row;
    if (part === "type") second[row] = ((second[row] as number) & U8) | (value << 8);
    else if (part === "code") second[row] = ((second[row] as number) & ~U8) | value;
    else this.direction[part][row] = value;
  }

  /** The first `id=` after an ICMP type is the identifier of the echo; any later one is the flow's own. */
  #setIcmpId(value: number): boolean {
    const { given, first } = this.direction;
    if (discriminatorOf(this.protocol) !== "icmp" || (given & (Given.type | Given.first)) !== Given.type)
      return false;
    first[this.#row] = this.#limited(value, U16);
    this.direction.given |= Given.first;
    return true;
  }

  #limited(value: number, limit: number): number {
    if (value <= limit) return value;
    this.#saturated++;
    return limit;
  }
}

function hasAll(direction: Direction, needed: number): boolean {
  return (direction.given & needed) === needed;
}

/** A mark; 2.6.10 to 2.6.13 printed it as a signed number. */
function markOf(bytes: Uint8Array, from: number, to: number): number {
  if (bytes[from] !== 45) return numberOf(bytes, from, to);
  const value = numberOf(bytes, from + 1, to);
  return value <= 0x8000_0000 ? -value >>> 0 : Number.NaN;
}
