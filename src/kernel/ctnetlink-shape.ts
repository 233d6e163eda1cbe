/**
 * Where the values of a ctnetlink message stand, and how to know it without looking at every attribute.
 *
 * The kernel writes flows of the same kind (say, TCP over IPv4) with the same attributes in the same order,
 * so all attribute headers of their messages are equal, word for word, and every value stands at the same
 * place. That is a message's *shape*. `locate` walks a message attribute by attribute and notes the headers
 * it met and the place of each value. When another message of the same length has equal headers at those
 * places, a walk over it would go the same way step by step and find the same places; so it is left out.
 */
import { Has } from "../table/columns.ts";
import {
  type AttributeSpec,
  FAMILY_HEADER_BYTES,
  fitsKind,
  type FlowField,
  flowLevel,
  type Level,
  type TupleField,
  type TupleName,
} from "./ctnetlink.ts";
import { align, ATTRIBUTE_HEADER_BYTES, ATTRIBUTE_TYPE_MASK, MESSAGE_HEADER_BYTES } from "./netlink.ts";
import {
  isPlain4,
  isPlain6,
  isPlainTcp,
  PLAIN4_WORDS,
  PLAIN6_WORDS,
  PLAIN_TCP_WORDS,
} from "./ctnetlink-plain.ts";
import type { ReceiveBuffer } from "./netlink-socket.ts";

/** Bytes before the first attribute: struct nlmsghdr and struct nfgenmsg. */
const PREFIX_BYTES = MESSAGE_HEADER_BYTES + FAMILY_HEADER_BYTES;

/**
 * Longer messages are walked each time. A TCP flow over IPv6 with all the kernel has takes about 500 bytes.
 */
const SHAPED_BYTES_MAX = 2048;
/** Shapes remembered of one length: kinds of flows that happen to be equally long. */
const SHAPES_PER_LENGTH = 4;

const PLAIN_TCP_LAST = PLAIN_TCP_WORDS.at(-1) ?? 0;

/** Where the values of a tuple stand, in bytes from the start of the message; 0 is nowhere. */
export class TuplePlaces implements Record<TupleField, number> {
  source = 0;
  destination = 0;
  source6 = 0;
  destination6 = 0;
  protocol = 0;
  sourcePort = 0;
  destinationPort = 0;
  icmpId = 0;
  icmpType = 0;
  icmpCode = 0;
  zone = 0;

  /** 4 or 6, or 0 when an address is missing. */
  family(): number {
    if (this.source !== 0 && this.destination !== 0) return 4;
    return this.source6 !== 0 && this.destination6 !== 0 ? 6 : 0;
  }
}

/** Where the values of a flow stand. */
export class FlowPlaces implements Record<FlowField, number> {
  status = 0;
  timeout = 0;
  mark = 0;
  use = 0;
  id = 0;
  zone = 0;
  secmark = 0;
  state = 0;
  originalScale = 0;
  replyScale = 0;
  originalFlags = 0;
  replyFlags = 0;
  originalVtag = 0;
  replyVtag = 0;
  dccpRole = 0;
  dccpHandshake = 0;
  originalPackets = 0;
  originalBytes = 0;
  replyPackets = 0;
  replyBytes = 0;
  originalPackets32 = 0;
  originalBytes32 = 0;
  replyPackets32 = 0;
  replyBytes32 = 0;
  startedAt = 0;
  stoppedAt = 0;
  helper = 0;
  labels = 0;
  securityContext = 0;
}

/** What the walk over one message found, and every other message with these headers would. */
export class Shape {
  /** 4 or 6 when the message begins with plain tuples of that family, else 0. */
  plain = 0;
  /** Word at which TCP's part begins when it is plain, else 0. */
  tcpWord = 0;
  /** Words at which the headers outside of plain parts stand, and those headers; see `padded`. */
  restAt: readonly number[] = [];
  rest: readonly number[] = [];
  readonly flow = new FlowPlaces();
  readonly original = new TuplePlaces();
  readonly reply = new TuplePlaces();
  readonly master = new TuplePlaces();
  originalFamily = 0;
  replyFamily = 0;
  /** The row's `has`. */
  has = 0;
  /** Whether anything beyond addresses, state, timeout, status, mark, use and id is there. */
  more = false;
  /** Whether TCP's scales and flags are all there. */
  tcpInfo = false;
  /** Whether anything is malformed or unknown. */
  odd = false;
  /** The message is too short for any flow. */
  empty = false;
  malformed = 0;
  /** Names of the attributes no kernel known here has, as `TUPLE_ORIG/TUPLE_PROTO/12`. */
  readonly unknown: string[] = [];
}

/** Remembers shapes by message length. */
export class ShapeBook {
  readonly #shapes: (Shape[] | undefined)[] = [];

  /** The shape of the message of `length` bytes at `at` of `buffer`. */
  shapeOf(buffer: ReceiveBuffer, at: number, length: number): Shape {
    if (length > SHAPED_BYTES_MAX) return locate(buffer, at, length);
    const shapes = this.#shapes[length];
    if (shapes !== undefined) {
      for (let index = 0; index < shapes.length; index++) {
        const shape = shapes[index] as Shape;
        if (sameHeaders(shape, buffer.words, at >> 2)) return shape;
      }
    }
    return this.#learn(locate(buffer, at, length), length);
  }

  #learn(shape: Shape, length: number): Shape {
    while (this.#shapes.length <= length) this.#shapes.push(undefined);
    const shapes = (this.#shapes[length] ??= []);
    if (shapes.length === SHAPES_PER_LENGTH) shapes.pop();
    shapes.unshift(shape);
    return shape;
  }
}

/** Whether the message at `word` has the headers of `shape`; both have the same length. */
function sameHeaders(shape: Shape, words: Uint32Array, word: number): boolean {
  if (shape.plain === 4) {
    if (!isPlain4(words, word)) return false;
  } else if (shape.plain === 6) {
    if (!isPlain6(words, word)) return false;
  }
  if (shape.tcpWord !== 0 && !isPlainTcp(words, word + shape.tcpWord)) return false;
  return sameRest(shape, words, word);
}

function sameRest(shape: Shape, words: Uint32Array, word: number): boolean {
  const { restAt, rest } = shape;
  let difference = 0;
  for (let index = 0; index < restAt.length; index += 4) {
    difference |=
      ((words[word + (restAt[index] as number)] as number) ^ (rest[index] as number)) |
      ((words[word + (restAt[index + 1] as number)] as number) ^ (rest[index + 1] as number)) |
      ((words[word + (restAt[index + 2] as number)] as number) ^ (rest[index + 2] as number)) |
      ((words[word + (restAt[index + 3] as number)] as number) ^ (rest[index + 3] as number));
  }
  return difference === 0;
}

/** Walks a message and notes every header and the place of every value it knows. */
export function locate(buffer: ReceiveBuffer, at: number, length: number): Shape {
  const walk = new Walk(buffer, at);
  walk.message(length);
  return walk.finish();
}

class Walk {
  readonly #buffer: ReceiveBuffer;
  readonly #messageAt: number;
  readonly #shape = new Shape();
  readonly #headerAt: number[] = [];
  readonly #path: string[] = [];
  #tuple: TupleName = "original";

  constructor(buffer: ReceiveBuffer, messageAt: number) {
    this.#buffer = buffer;
    this.#messageAt = messageAt;
  }

  /** A message of `length` bytes. */
  message(length: number): void {
    if (length >= PREFIX_BYTES) {
      this.level(flowLevel, PREFIX_BYTES, length);
      return;
    }
    this.#shape.empty = true;
    this.#shape.malformed += 1;
  }

  /** The attributes from `start` up to `end`, both counted from the start of the message. */
  level(level: Level, start: number, end: number): void {
    const { view } = this.#buffer;
    let at = start;
    while (end - at >= ATTRIBUTE_HEADER_BYTES) {
      this.#headerAt.push(at >> 2);
      const length = view.getUint16(this.#messageAt + at, true);
      if (length < ATTRIBUTE_HEADER_BYTES || length > end - at) break;
      const type = view.getUint16(this.#messageAt + at + 2, true) & ATTRIBUTE_TYPE_MASK;
      this.#attribute(level[type], type, at + ATTRIBUTE_HEADER_BYTES, at + length);
      at += align(length);
    }
    if (at < end) this.#shape.malformed += 1;
  }

  #attribute(spec: AttributeSpec | undefined, type: number, start: number, end: number): void {
    if (spec === undefined) {
      this.#shape.unknown.push([...this.#path, type].join("/"));
    } else if (spec.level !== undefined) {
      if (spec.tuple !== undefined) this.#tuple = spec.tuple;
      this.#path.push(spec.name);
      this.level(spec.level, start, end);
      this.#path.pop();
    } else if (spec.kind !== undefined && !fitsKind(spec.kind, end - start)) {
      this.#shape.malformed += 1;
    } else if (spec.tupleField !== undefined) {
      this.#shape[this.#tuple][spec.tupleField] = start;
    } else if (spec.field !== undefined) {
      this.#shape.flow[spec.field] = start;
    }
  }

  finish(): Shape {
    const shape = this.#shape;
    const first = this.#messageAt >> 2;
    shape.originalFamily = shape.original.family();
    shape.replyFamily = shape.reply.family();
    if (shape.replyFamily !== 0 && shape.replyFamily !== shape.originalFamily) {
      // Both directions of a flow are of one family; a row can hold no other.
      shape.malformed += 1;
      shape.replyFamily = 0;
    }
    shape.has = hasOf(shape);
    this.#notePlainParts(first);
    const usual =
      Has.timeout | Has.state | Has.status | Has.mark | Has.use | Has.id | Has.reply | Has.tcpInfo;
    shape.tcpInfo = (shape.has & Has.tcpInfo) !== 0;
    shape.odd = shape.malformed > 0 || shape.unknown.length > 0;
    shape.more = (shape.has & ~usual) !== 0;
    return shape;
  }

  /** What plain parts cover is compared as such, the rest header by header. */
  #notePlainParts(first: number): void {
    const { words } = this.#buffer;
    const shape = this.#shape;
    const covered = new Set<number>();
    if (this.#headerAt.at(PLAIN4_WORDS.length - 1) === PLAIN4_WORDS.at(-1) && isPlain4(words, first)) {
      shape.plain = 4;
      for (const word of PLAIN4_WORDS) covered.add(word);
    } else if (this.#headerAt.at(PLAIN6_WORDS.length - 1) === PLAIN6_WORDS.at(-1) && isPlain6(words, first)) {
      shape.plain = 6;
      for (const word of PLAIN6_WORDS) covered.add(word);
    }
    const tcpWord = (shape.flow.state >> 2) - 3;
    if (this.#headerAt.includes(tcpWord + PLAIN_TCP_LAST) && isPlainTcp(words, first + tcpWord)) {
      shape.tcpWord = tcpWord;
      for (const word of PLAIN_TCP_WORDS) covered.add(tcpWord + word);
    }
    const rest = this.#headerAt.filter((word) => !covered.has(word));
    shape.restAt = padded(rest);
    // As signed words: those are small integers to the engine, and xor does not mind.
    shape.rest = padded(rest.map((word) => (words[first + word] as number) | 0));
  }
}

/** Unrolled comparison takes four at a time; comparing one twice does no harm. */
function padded(words: readonly number[]): number[] {
  const last = words.at(-1) ?? 0;
  return [...words, ...Array.from({ length: -words.length & 3 }, () => last)];
}

/** The bits of `has` that a shape stands for. Fields that only make sense together count together. */
function hasOf(shape: Shape): number {
  const { flow, original, reply, master } = shape;
  const all = (bit: number, ...places: number[]): number => (places.every((place) => place !== 0) ? bit : 0);
  return (
    all(Has.timeout, flow.timeout) |
    all(Has.state, flow.state) |
    all(Has.status, flow.status) |
    all(Has.originalCounters, flow.originalPackets, flow.originalBytes) |
    all(Has.originalCounters, flow.originalPackets32, flow.originalBytes32) |
    all(Has.replyCounters, flow.replyPackets, flow.replyBytes) |
    all(Has.replyCounters, flow.replyPackets32, flow.replyBytes32) |
    all(Has.mark, flow.mark) |
    all(Has.zone, flow.zone) |
    all(Has.originalZone, original.zone) |
    all(Has.replyZone, reply.zone) |
    all(Has.use, flow.use) |
    all(Has.id, flow.id) |
    all(Has.startedAt, flow.startedAt) |
    all(Has.stoppedAt, flow.stoppedAt) |
    all(Has.secmark, flow.secmark) |
    all(Has.vtags, flow.originalVtag, flow.replyVtag) |
    all(Has.tcpInfo, flow.originalScale, flow.replyScale, flow.originalFlags, flow.replyFlags) |
    all(Has.reply, shape.replyFamily) |
    all(Has.rare, flow.helper) |
    all(Has.rare, flow.labels) |
    all(Has.rare, flow.securityContext) |
    all(Has.rare, flow.dccpRole) |
    all(Has.rare, master.family())
  );
}
