/**
 * Messages of ctnetlink into rows of FlowColumns. The hot path of every reading: more than ten million
 * flows a second.
 *
 * Where the values of a message stand is the business of ctnetlink-shape.ts; here they are read, by one
 * function whichever way their places were found. Nothing is allocated per flow but for the fields few
 * flows have.
 *
 * An unknown attribute is skipped and counted, at any level; one whose length does not fit its kind is
 * counted and its field absent; the row is kept either way.
 */
import { joinHalves, SATURATED } from "../base/bytes.ts";
import { ADDRESS_WORDS } from "../table/address.ts";
import { type FlowColumns, Has, type Rare } from "../table/columns.ts";
import { countOddity, type Oddities } from "../table/oddities.ts";
import { AF_INET, AF_INET6 } from "./ctnetlink.ts";
import { Plain4, Plain6 } from "./ctnetlink-plain.ts";
import { type FlowPlaces, type Shape, ShapeBook, type TuplePlaces } from "./ctnetlink-shape.ts";
import { ATTRIBUTE_HEADER_BYTES, MESSAGE_HEADER_BYTES, textOf } from "./netlink.ts";
import type { ReceiveBuffer } from "./netlink-socket.ts";

/** Where messages come from, one after the other: the answers of an exchange, or events. */
export interface MessageCursor {
  readonly buffer: ReceiveBuffer;
  /** Where in the buffer the present message begins, and its whole length. */
  readonly at: number;
  readonly length: number;
  /** Moves to the next message of the datagram; false when there is none. */
  next(): boolean;
}

export class FlowDecoder {
  readonly #oddities: Oddities;
  readonly #shapes = new ShapeBook();
  readonly #unknown = new Map<string, number>();

  /** Counts what is odd in `oddities`. */
  constructor(oddities: Oddities) {
    this.#oddities = oddities;
  }

  /**
   * Attributes this program does not know, by name as `TUPLE_ORIG/TUPLE_PROTO/12`, and how often they came.
   */
  get unknown(): ReadonlyMap<string, number> {
    return this.#unknown;
  }

  /**
   * Decodes what is left of the datagram into the next rows of `columns`, which must have room;
   * with `atMost`, no more than so many messages. Gives the number of messages.
   *
   * One function, with the columns in locals: this is what the compiler makes the best of.
   */
  decode(cursor: MessageCursor, columns: FlowColumns, atMost = Infinity): number {
    const { buffer } = cursor;
    const { view } = buffer;
    const { family, protocol, has, status, timeoutSeconds, mark, use, id, state, tcpInfo } = columns;
    const { originalSource, originalDestination, replySource, replyDestination } = columns;
    const { originalSourceDiscriminator, originalDestinationDiscriminator } = columns;
    const { replySourceDiscriminator, replyDestinationDiscriminator } = columns;
    let messages = 0;
    for (; messages < atMost && cursor.next(); messages++) {
      const { at, length } = cursor;
      const row = columns.count;
      const shape = this.#shapes.shapeOf(buffer, at, length);
      if (shape.odd) this.#countOddities(shape);
      if (shape.empty) continue;
      if (shape.plain === 4) {
        const word = row * ADDRESS_WORDS;
        if (family[row] !== 4) clearBehindIpv4(columns, row);
        family[row] = 4;
        protocol[row] = view.getUint8(at + Plain4.protocol);
        originalSource[word] = view.getUint32(at + Plain4.originalSource);
        originalDestination[word] = view.getUint32(at + Plain4.originalDestination);
        originalSourceDiscriminator[row] = view.getUint16(at + Plain4.originalSourcePort);
        originalDestinationDiscriminator[row] = view.getUint16(at + Plain4.originalDestinationPort);
        replySource[word] = view.getUint32(at + Plain4.replySource);
        replyDestination[word] = view.getUint32(at + Plain4.replyDestination);
        replySourceDiscriminator[row] = view.getUint16(at + Plain4.replySourcePort);
        replyDestinationDiscriminator[row] = view.getUint16(at + Plain4.replyDestinationPort);
      } else {
        readTuples(view, at, shape, columns, row);
      }
      const { flow } = shape;
      has[row] = shape.has;
      if (flow.status !== 0) status[row] = view.getUint32(at + flow.status);
      if (flow.timeout !== 0) timeoutSeconds[row] = view.getUint32(at + flow.timeout);
      if (flow.mark !== 0) mark[row] = view.getUint32(at + flow.mark);
      if (flow.use !== 0) use[row] = view.getUint32(at + flow.use);
      if (flow.id !== 0) id[row] = view.getUint32(at + flow.id);
      if (flow.state !== 0) state[row] = view.getUint8(at + flow.state);
      if (shape.tcpInfo) tcpInfo[row] = tcpInfoAt(view, at, flow);
      if (shape.more) this.#readMore(buffer, at, shape, columns, row);
      columns.count = row + 1;
    }
    return messages;
  }

  #countOddities(shape: Shape): void {
    if (shape.malformed > 0) countOddity(this.#oddities, "malformedAttributes", shape.malformed);
    if (shape.unknown.length === 0) return;
    countOddity(this.#oddities, "unknownAttributes", shape.unknown.length);
    for (const name of shape.unknown) this.#unknown.set(name, (this.#unknown.get(name) ?? 0) + 1);
  }

  #readMore(buffer: ReceiveBuffer, at: number, shape: Shape, columns: FlowColumns, row: number): void {
    readZonesAndTags(buffer.view, at, shape, columns, row);
    if ((shape.has & (Has.originalCounters | Has.replyCounters)) !== 0) {
      this.#readTraffic(buffer.view, at, shape, columns, row);
    }
    readTimestamps(buffer.view, at, shape.flow, columns, row);
    if ((shape.has & Has.rare) !== 0) readRare(buffer, at, shape, columns.rareAt(row));
  }

  #readTraffic(view: DataView, at: number, shape: Shape, columns: FlowColumns, row: number): void {
    const { flow, has } = shape;
    if ((has & Has.originalCounters) !== 0) {
      columns.originalPackets[row] = this.#count(view, at, flow.originalPackets, flow.originalPackets32);
      columns.originalBytes[row] = this.#count(view, at, flow.originalBytes, flow.originalBytes32);
    }
    if ((has & Has.replyCounters) !== 0) {
      columns.replyPackets[row] = this.#count(view, at, flow.replyPackets, flow.replyPackets32);
      columns.replyBytes[row] = this.#count(view, at, flow.replyBytes, flow.replyBytes32);
    }
  }

  /** A counter in its wide form, or in the narrow one of kernels up to 2.6.26. */
  #count(view: DataView, at: number, wide: number, narrow: number): number {
    if (wide === 0) return view.getUint32(at + narrow);
    const count = joinHalves(view.getUint32(at + wide), view.getUint32(at + wide + 4));
    if (count === SATURATED) countOddity(this.#oddities, "saturated");
    return count;
  }
}

/* ---- Values: what every flow has ---- */

function readPlain6(view: DataView, at: number, columns: FlowColumns, row: number): void {
  const word = row * ADDRESS_WORDS;
  columns.family[row] = 6;
  columns.protocol[row] = view.getUint8(at + Plain6.protocol);
  readAddress6(view, at + Plain6.originalSource, columns.originalSource, word);
  readAddress6(view, at + Plain6.originalDestination, columns.originalDestination, word);
  columns.originalSourceDiscriminator[row] = view.getUint16(at + Plain6.originalSourcePort);
  columns.originalDestinationDiscriminator[row] = view.getUint16(at + Plain6.originalDestinationPort);
  readAddress6(view, at + Plain6.replySource, columns.replySource, word);
  readAddress6(view, at + Plain6.replyDestination, columns.replyDestination, word);
  columns.replySourceDiscriminator[row] = view.getUint16(at + Plain6.replySourcePort);
  columns.replyDestinationDiscriminator[row] = view.getUint16(at + Plain6.replyDestinationPort);
}

/** The words behind the first of each address: zeros in a row of IPv4, whatever the row held before. */
function clearBehindIpv4(columns: FlowColumns, row: number): void {
  const word = row * ADDRESS_WORDS;
  for (let index = word + 1; index < word + ADDRESS_WORDS; index++) {
    columns.originalSource[index] = 0;
    columns.originalDestination[index] = 0;
    columns.replySource[index] = 0;
    columns.replyDestination[index] = 0;
  }
}

/** Tuples in any form. */
function readTuples(view: DataView, at: number, shape: Shape, columns: FlowColumns, row: number): void {
  if (shape.plain === 6) {
    readPlain6(view, at, columns, row);
    return;
  }
  const { original, reply } = shape;
  const word = row * ADDRESS_WORDS;
  const family = shape.originalFamily === 0 ? familyOfHeader(view, at) : shape.originalFamily;
  if (shape.originalFamily === 4) {
    columns.originalSource[word] = view.getUint32(at + original.source);
    columns.originalDestination[word] = view.getUint32(at + original.destination);
  } else if (shape.originalFamily === 6) {
    readAddress6(view, at + original.source6, columns.originalSource, word);
    readAddress6(view, at + original.destination6, columns.originalDestination, word);
  } else {
    columns.originalSource.fill(0, word, word + ADDRESS_WORDS);
    columns.originalDestination.fill(0, word, word + ADDRESS_WORDS);
  }
  if (shape.replyFamily === 4) {
    columns.replySource[word] = view.getUint32(at + reply.source);
    columns.replyDestination[word] = view.getUint32(at + reply.destination);
  } else if (shape.replyFamily === 6) {
    readAddress6(view, at + reply.source6, columns.replySource, word);
    readAddress6(view, at + reply.destination6, columns.replyDestination, word);
  }
  if (family !== 6) clearBehindIpv4(columns, row);
  columns.family[row] = family;
  columns.protocol[row] = original.protocol === 0 ? 0 : view.getUint8(at + original.protocol);
  columns.originalSourceDiscriminator[row] = firstOf(view, at, original);
  columns.originalDestinationDiscriminator[row] = secondOf(view, at, original);
  columns.replySourceDiscriminator[row] = firstOf(view, at, reply);
  columns.replyDestinationDiscriminator[row] = secondOf(view, at, reply);
}

function familyOfHeader(view: DataView, at: number): number {
  const family = view.getUint8(at + MESSAGE_HEADER_BYTES);
  if (family === AF_INET) return 4;
  return family === AF_INET6 ? 6 : 0;
}

function readAddress6(view: DataView, at: number, into: Uint32Array, word: number): void {
  into[word] = view.getUint32(at);
  into[word + 1] = view.getUint32(at + 4);
  into[word + 2] = view.getUint32(at + 8);
  into[word + 3] = view.getUint32(at + 12);
}

/** Source port, GRE key or ICMP id. */
function firstOf(view: DataView, at: number, places: TuplePlaces): number {
  if (places.sourcePort !== 0) return view.getUint16(at + places.sourcePort);
  return places.icmpId === 0 ? 0 : view.getUint16(at + places.icmpId);
}

/** Destination port, GRE key, or ICMP type and code. */
function secondOf(view: DataView, at: number, places: TuplePlaces): number {
  if (places.destinationPort !== 0) return view.getUint16(at + places.destinationPort);
  const type = places.icmpType === 0 ? 0 : view.getUint8(at + places.icmpType);
  const code = places.icmpCode === 0 ? 0 : view.getUint8(at + places.icmpCode);
  return (type << 8) | code;
}

/** Original scale, reply scale, original flags, reply flags; of a pair of flags and mask, the flags. */
function tcpInfoAt(view: DataView, at: number, flow: FlowPlaces): number {
  const scales = (view.getUint8(at + flow.originalScale) << 24) | (view.getUint8(at + flow.replyScale) << 16);
  return scales | (view.getUint8(at + flow.originalFlags) << 8) | view.getUint8(at + flow.replyFlags);
}

/* ---- Values: what some flows have ---- */

function readZonesAndTags(view: DataView, at: number, shape: Shape, columns: FlowColumns, row: number): void {
  const { flow, original, reply, has } = shape;
  if (flow.zone !== 0) columns.zone[row] = view.getUint16(at + flow.zone);
  if (original.zone !== 0) columns.originalZone[row] = view.getUint16(at + original.zone);
  if (reply.zone !== 0) columns.replyZone[row] = view.getUint16(at + reply.zone);
  if (flow.secmark !== 0) columns.secmark[row] = view.getUint32(at + flow.secmark);
  if ((has & Has.vtags) !== 0) {
    columns.originalVtag[row] = view.getUint32(at + flow.originalVtag);
    columns.replyVtag[row] = view.getUint32(at + flow.replyVtag);
  }
}

function readTimestamps(
  view: DataView,
  at: number,
  flow: FlowPlaces,
  columns: FlowColumns,
  row: number,
): void {
  if (flow.startedAt !== 0) columns.startedAtMs[row] = millisecondsAt(view, at + flow.startedAt);
  if (flow.stoppedAt !== 0) columns.stoppedAtMs[row] = millisecondsAt(view, at + flow.stoppedAt);
}

/**
 * Nanoseconds in 64 bits as whole milliseconds. Nanoseconds since 1970 exceed 2^53, so the upper half's
 * share is split into milliseconds and the rest: 2^32 is 4294 million and 967,296.
 */
function millisecondsAt(view: DataView, at: number): number {
  const high = view.getUint32(at);
  const rest = high * 967_296 + view.getUint32(at + 4);
  return high * 4294 + Math.floor(rest / 1e6);
}

function readRare(buffer: ReceiveBuffer, at: number, shape: Shape, rare: Rare): void {
  const { flow, master } = shape;
  if (flow.helper !== 0) rare.helper = textOf(valueAt(buffer, at + flow.helper));
  if (flow.labels !== 0) rare.labels = valueAt(buffer, at + flow.labels).slice();
  if (flow.securityContext !== 0) rare.securityContext = textOf(valueAt(buffer, at + flow.securityContext));
  if (flow.dccpRole !== 0) {
    const { view } = buffer;
    const role = view.getUint8(at + flow.dccpRole);
    const place = at + flow.dccpHandshake;
    const handshake =
      flow.dccpHandshake === 0 ? 0 : joinHalves(view.getUint32(place), view.getUint32(place + 4));
    rare.dccp = { role, handshake };
  }
  if (master.family() !== 0) rare.master = masterAt(buffer.view, at, master);
}

/** The value of the attribute whose value begins at `at`; its header stands before it. */
function valueAt(buffer: ReceiveBuffer, at: number): Uint8Array {
  const length = buffer.view.getUint16(at - ATTRIBUTE_HEADER_BYTES, true);
  return buffer.bytes.subarray(at, at - ATTRIBUTE_HEADER_BYTES + length);
}

function masterAt(view: DataView, at: number, places: TuplePlaces): NonNullable<Rare["master"]> {
  const source = new Uint32Array(ADDRESS_WORDS);
  const destination = new Uint32Array(ADDRESS_WORDS);
  const family = places.family();
  if (family === 4) {
    source[0] = view.getUint32(at + places.source);
    destination[0] = view.getUint32(at + places.destination);
  } else {
    readAddress6(view, at + places.source6, source, 0);
    readAddress6(view, at + places.destination6, destination, 0);
  }
  return {
    family,
    protocol: places.protocol === 0 ? 0 : view.getUint8(at + places.protocol),
    source,
    destination,
    sourceDiscriminator: firstOf(view, at, places),
    destinationDiscriminator: secondOf(view, at, places),
  };
}
