/**
 * Selecting flows by a filter: it becomes functions over columns that allocate nothing per row.
 *
 * Truth has three values. What the source does not tell is unknown and stays so under `not`; `and` is the
 * least of its parts and `or` the greatest (Kleene's strong logic), which the numbers -1, 0 and 1 compute.
 */
import { unreachable } from "../base/assert.ts";
import {
  type Address,
  ADDRESS_WORDS,
  addressToWords,
  familyOf,
  maskAddress,
  type Prefix,
} from "./address.ts";
import { type FlowColumns, Has } from "./columns.ts";
import type { Filter } from "./filter.ts";
import { filterFields, type FilterField, type FilterValue } from "./filter-fields.ts";
import type { IdleLookup } from "./idle.ts";
import { Nat, NAT_NAMES, natAt } from "./nat.ts";
import { DCCP, discriminatorOf, GRE, ICMP, ICMPV6, SCTP, TCP } from "./protocol.ts";
import { hasStates, stateNumber } from "./state.ts";
import { Status, statusBit } from "./status.ts";

/** 1 true, -1 false, 0 unknown. */
export type Truth = -1 | 0 | 1;

/** Judges a row. */
export type RowTruth = (columns: FlowColumns, row: number) => Truth;

/** What a filter needs besides the flow. */
export interface FilterContext {
  /** Idle ages; without it every idle age is unknown. */
  idle?: IdleLookup;
  /** Wall clock of the reading, for the age of flows that are stamped with their start. */
  nowMs?: number;
}

/** Whether a row is selected: the filter is true of it, not merely unknown. */
export function compileFilter(
  filter: Filter,
  context: FilterContext = {},
): (columns: FlowColumns, row: number) => boolean {
  const truth = compileTruth(filter, context);
  return (columns, row) => truth(columns, row) > 0;
}

/** The same with all three values, to count what could not be decided. */
export function compileTruth(filter: Filter, context: FilterContext = {}): RowTruth {
  switch (filter.kind) {
    case "all":
      return () => 1;
    case "not":
      return negated(compileTruth(filter.part, context));
    case "and":
      return least(filter.parts.map((part) => compileTruth(part, context)));
    case "or":
      return greatest(filter.parts.map((part) => compileTruth(part, context)));
    case "compare": {
      const compared = comparison(filter, context);
      return filter.operator === "!=" ? negated(compared) : compared;
    }
    default:
      return unreachable(filter);
  }
}

function negated(part: RowTruth): RowTruth {
  // Subtracted, because the opposite of 0 would be -0.
  return (columns, row) => (0 - part(columns, row)) as Truth;
}

function least(parts: readonly RowTruth[]): RowTruth {
  return (columns, row) => {
    let truth: Truth = 1;
    for (const part of parts) {
      const found = part(columns, row);
      if (found < truth) truth = found;
      if (truth < 0) return truth;
    }
    return truth;
  };
}

function greatest(parts: readonly RowTruth[]): RowTruth {
  return (columns, row) => {
    let truth: Truth = -1;
    for (const part of parts) {
      const found = part(columns, row);
      if (found > truth) truth = found;
      if (truth > 0) return truth;
    }
    return truth;
  };
}

type Comparison = Extract<Filter, { kind: "compare" }>;

function comparison(filter: Comparison, context: FilterContext): RowTruth {
  const { field, values } = filter;
  const { kind } = filterFields[field];
  switch (kind) {
    case "address":
      return greatest(prefixesOf(values).flatMap((prefix) => addressTests(field, prefix)));
    case "state":
      return stateTest(namesOf(values));
    case "status":
      return greatest(namesOf(values).map(statusTest));
    case "family":
      return familyTest(namesOf(values));
    case "nat":
      return natTest(namesOf(values));
    case "helper":
      return helperTest(namesOf(values));
    case "mark":
      return greatest(values.map(markTest));
    case "port":
    case "number":
    case "seconds":
    case "size":
    case "protocol":
      return numberTest(field, rangesOf(filter), context);
    default:
      return unreachable(kind);
  }
}

/* --------------------------------------------------------------- numbers */

/** A number of a row; UNKNOWN when the source does not tell it, NONE when such a flow has none. */
type NumberOf = (columns: FlowColumns, row: number) => number;

const UNKNOWN = -1;
const NONE = -2;

interface Range {
  from: number;
  to: number;
}

/** What a comparison accepts, as ranges of whole numbers with both ends included. */
function rangesOf({ operator, values }: Comparison): Range[] {
  const ranges = values.flatMap((value) => (value.kind === "range" ? [value] : []));
  const bound = ranges[0]?.from ?? 0;
  switch (operator) {
    case "<":
      return [{ from: 0, to: bound - 1 }];
    case "<=":
      return [{ from: 0, to: bound }];
    case ">":
      return [{ from: bound + 1, to: Number.POSITIVE_INFINITY }];
    case ">=":
      return [{ from: bound, to: Number.POSITIVE_INFINITY }];
    default:
      return ranges;
  }
}

function numberTest(field: FilterField, ranges: readonly Range[], context: FilterContext): RowTruth {
  return greatest(numbersOf(field, context).map((read) => rangeTest(read, ranges)));
}

function rangeTest(read: NumberOf, ranges: readonly Range[]): RowTruth {
  return (columns, row) => {
    const number = read(columns, row);
    if (number < 0) return number === UNKNOWN ? 0 : -1;
    for (const { from, to } of ranges) {
      if (number >= from && number <= to) return 1;
    }
    return -1;
  };
}

/** Where a field's numbers are; a field with several fits when one of them does. */
function numbersOf(field: FilterField, context: FilterContext): NumberOf[] {
  switch (field) {
    case "protocol":
      return [(columns, row) => columns.protocol[row] as number];
    case "source-port":
      return [originalPort((columns) => columns.originalSourceDiscriminator)];
    case "destination-port":
      return [originalPort((columns) => columns.originalDestinationDiscriminator)];
    case "reply-source-port":
      return [replyPort((columns) => columns.replySourceDiscriminator)];
    case "reply-destination-port":
      return [replyPort((columns) => columns.replyDestinationDiscriminator)];
    case "port":
      return (
        ["source-port", "destination-port", "reply-source-port", "reply-destination-port"] as const
      ).flatMap((part) => numbersOf(part, context));
    case "icmp-type":
      return [icmpNumber((columns, row) => (columns.originalDestinationDiscriminator[row] as number) >> 8)];
    case "icmp-code":
      return [icmpNumber((columns, row) => (columns.originalDestinationDiscriminator[row] as number) & 255)];
    case "icmp-id":
      return [icmpNumber((columns, row) => columns.originalSourceDiscriminator[row] as number)];
    case "source-key":
      return [greKey((columns) => columns.originalSourceDiscriminator)];
    case "destination-key":
      return [greKey((columns) => columns.originalDestinationDiscriminator)];
    default:
      return otherNumbersOf(field, context);
  }
}

function otherNumbersOf(field: FilterField, context: FilterContext): NumberOf[] {
  switch (field) {
    case "zone":
      return [
        zoneOf(Has.originalZone, (columns) => columns.originalZone),
        zoneOf(Has.replyZone, (columns) => columns.replyZone),
      ];
    case "original-zone":
      return [zoneOf(Has.originalZone, (columns) => columns.originalZone)];
    case "reply-zone":
      return [zoneOf(Has.replyZone, (columns) => columns.replyZone)];
    case "idle":
      return [idleOf(context.idle)];
    case "remaining":
      return [given(Has.timeout, (columns) => columns.timeoutSeconds)];
    case "age":
      return [ageOf(context.nowMs)];
    case "bytes":
      return [sumOf(numbersOf("original-bytes", context), numbersOf("reply-bytes", context))];
    case "packets":
      return [sumOf(numbersOf("original-packets", context), numbersOf("reply-packets", context))];
    case "original-bytes":
      return [given(Has.originalCounters, (columns) => columns.originalBytes)];
    case "reply-bytes":
      return [given(Has.replyCounters, (columns) => columns.replyBytes)];
    case "original-packets":
      return [given(Has.originalCounters, (columns) => columns.originalPackets)];
    case "reply-packets":
      return [given(Has.replyCounters, (columns) => columns.replyPackets)];
    case "id":
      return [given(Has.id, (columns) => columns.id)];
    case "use":
      return [given(Has.use, (columns) => columns.use)];
    default:
      return [];
  }
}

type Column = Uint16Array | Uint32Array | Float64Array;
type ColumnOf = (columns: FlowColumns) => Column;

/** A field that a row has or has not. */
function given(bit: number, columnOf: ColumnOf): NumberOf {
  return (columns, row) =>
    (columns.has[row] as number) & bit ? (columnOf(columns)[row] as number) : UNKNOWN;
}

const isPortProtocol = Uint8Array.from({ length: 256 }, (_, protocol) =>
  discriminatorOf(protocol) === "ports" ? 1 : 0,
);

function originalPort(columnOf: ColumnOf): NumberOf {
  return (columns, row) =>
    isPortProtocol[columns.protocol[row] as number] === 1 ? (columnOf(columns)[row] as number) : NONE;
}

function replyPort(columnOf: ColumnOf): NumberOf {
  const port = originalPort(columnOf);
  return (columns, row) => {
    const number = port(columns, row);
    return number === NONE || (columns.has[row] as number) & Has.reply ? number : UNKNOWN;
  };
}

function icmpNumber(read: NumberOf): NumberOf {
  return (columns, row) => {
    const protocol = columns.protocol[row] as number;
    return protocol === ICMP || protocol === ICMPV6 ? read(columns, row) : NONE;
  };
}

function greKey(columnOf: ColumnOf): NumberOf {
  return (columns, row) => (columns.protocol[row] === GRE ? (columnOf(columns)[row] as number) : NONE);
}

/**
 * The zone of one direction: a flow has one for both directions, or one for either, and a direction without
 * any is in zone 0 (netlink leaves zone 0 out, text leaves out what a directional zone does not cover).
 */
function zoneOf(bit: number, columnOf: ColumnOf): NumberOf {
  return (columns, row) => {
    const has = columns.has[row] as number;
    if (has & Has.zone) return columns.zone[row] as number;
    return has & bit ? (columnOf(columns)[row] as number) : 0;
  };
}

function idleOf(lookup: IdleLookup | undefined): NumberOf {
  if (lookup === undefined) return () => UNKNOWN;
  return (columns, row) => {
    const seconds = lookup.secondsAt(columns, row);
    return seconds < 0 ? UNKNOWN : seconds;
  };
}

/** Whole seconds since the flow was made. */
function ageOf(nowMs: number | undefined): NumberOf {
  return (columns, row) => {
    const has = columns.has[row] as number;
    if (has & Has.age) return Math.floor(columns.ageSeconds[row] as number);
    if ((has & Has.startedAt) === 0 || nowMs === undefined) return UNKNOWN;
    return Math.floor(Math.max(0, nowMs - (columns.startedAtMs[row] as number)) / 1000);
  };
}

/** Both directions together; unknown unless both are given. */
function sumOf(original: readonly NumberOf[], reply: readonly NumberOf[]): NumberOf {
  const [first, second] = [original[0], reply[0]];
  return (columns, row) => {
    const left = first?.(columns, row) ?? UNKNOWN;
    const right = second?.(columns, row) ?? UNKNOWN;
    return left < 0 || right < 0 ? UNKNOWN : left + right;
  };
}

/* ------------------------------------------------------------- addresses */

function prefixesOf(values: readonly FilterValue[]): Prefix[] {
  return values.flatMap((value) => (value.kind === "prefix" ? [value.prefix] : []));
}

function addressTests(field: FilterField, prefix: Prefix): RowTruth[] {
  switch (field) {
    case "source":
      return [addressTest(prefix, 0, (columns) => columns.originalSource)];
    case "destination":
      return [addressTest(prefix, 0, (columns) => columns.originalDestination)];
    case "reply-source":
      return [addressTest(prefix, Has.reply, (columns) => columns.replySource)];
    case "reply-destination":
      return [addressTest(prefix, Has.reply, (columns) => columns.replyDestination)];
    default:
      return (["source", "destination", "reply-source", "reply-destination"] as const).flatMap((part) =>
        addressTests(part, prefix),
      );
  }
}

/** Whether an address lies in a prefix; unknown when the row lacks the bit `needs`. */
function addressTest(
  prefix: Prefix,
  needs: number,
  wordsOf: (columns: FlowColumns) => Uint32Array,
): RowTruth {
  const family = familyOf(prefix.address);
  const usedWords = family === 4 ? 1 : ADDRESS_WORDS;
  const wanted = wordsFrom(prefix.address);
  const allOnes = "\xff".repeat(prefix.address.length) as Address;
  const mask = wordsFrom(maskAddress(allOnes, prefix.bits));
  return (columns, row) => {
    if (columns.family[row] !== family) return columns.family[row] === 0 ? 0 : -1;
    if (((columns.has[row] as number) & needs) !== needs) return 0;
    const words = wordsOf(columns);
    for (let index = 0; index < usedWords; index++) {
      const word = words[row * ADDRESS_WORDS + index] as number;
      if (((word ^ (wanted[index] as number)) & (mask[index] as number)) !== 0) return -1;
    }
    return 1;
  };
}

function wordsFrom(address: Address): Uint32Array {
  const words = new Uint32Array(ADDRESS_WORDS);
  addressToWords(address, words, 0);
  return words;
}

/* ----------------------------------------------------------------- names */

function namesOf(values: readonly FilterValue[]): string[] {
  return values.flatMap((value) => (value.kind === "name" ? [value.name] : []));
}

const STATES = 256;
const STATE_PROTOCOLS = [TCP, SCTP, DCCP];

/** A protocol without states is in none; a flow whose state is not given may be in any. */
function stateTest(names: readonly string[]): RowTruth {
  const wanted = new Map(
    STATE_PROTOCOLS.map((protocol) => {
      const states = new Uint8Array(STATES);
      for (const name of names) {
        const state = stateNumber(protocol, name);
        if (state !== undefined) states[state] = 1;
      }
      return [protocol, states];
    }),
  );
  return (columns, row) => {
    const protocol = columns.protocol[row] as number;
    const states = hasStates(protocol) ? wanted.get(protocol) : undefined;
    if (states === undefined) return -1;
    if (((columns.has[row] as number) & Has.state) === 0) return 0;
    return states[columns.state[row] as number] === 1 ? 1 : -1;
  };
}

const OFFLOAD_BITS = Status.OFFLOAD | Status.HW_OFFLOAD;

function statusTest(name: string): RowTruth {
  if (name === "unreplied") return negated(statusTest("seen-reply"));
  const bit = statusBit(name) ?? 0;
  return (columns, row) => {
    const { knownStatus } = columns;
    if (((columns.has[row] as number) & Has.status) === 0 || (knownStatus & bit) === 0) return 0;
    const status = columns.status[row] as number;
    if (status & bit) return 1;
    // A line of text with [OFFLOAD] has no room for [ASSURED]; netlink, which tells all bits, shows both.
    const hidden =
      bit === Status.ASSURED && (knownStatus & Status.CONFIRMED) === 0 && (status & OFFLOAD_BITS) !== 0;
    return hidden ? 0 : -1;
  };
}

function familyTest(names: readonly string[]): RowTruth {
  const wanted = new Set<number>(names.map((name) => (name === "ipv4" ? 4 : 6)));
  return (columns, row) => {
    const family = columns.family[row] as number;
    if (family === 0) return 0;
    return wanted.has(family) ? 1 : -1;
  };
}

function natTest(names: readonly string[]): RowTruth {
  const wanted = NAT_NAMES.map((name) => names.includes(name) || (name !== "none" && names.includes("any")));
  return (columns, row) => {
    const nat = natAt(columns, row);
    if (nat === Nat.UNKNOWN) return 0;
    return wanted[nat] === true ? 1 : -1;
  };
}

/** Only a source that tells of helpers at all (netlink does, text does not) can tell that a flow has none. */
function helperTest(names: readonly string[]): RowTruth {
  return (columns, row) => {
    const rare = (columns.has[row] as number) & Has.rare ? columns.rare.get(row) : undefined;
    if (rare?.helper !== undefined) return names.includes(rare.helper) ? 1 : -1;
    return columns.knownStatus & Status.HELPER ? -1 : 0;
  };
}

function markTest(value: FilterValue): RowTruth {
  const [wanted, mask] = value.kind === "masked" ? [value.value, value.mask] : [0, 0];
  return (columns, row) => {
    if (((columns.has[row] as number) & Has.mark) === 0) return 0;
    return (((columns.mark[row] as number) ^ wanted) & mask) === 0 ? 1 : -1;
  };
}
