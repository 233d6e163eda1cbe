import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyRows, columnsOf, type Row } from "../../test/support/columns.ts";
import { anyFilter } from "../../test/support/filters.ts";
import { type Address, maskAddress } from "./address.ts";
import type { FlowColumns } from "./columns.ts";
import { type Filter, type FilterOperator, parseFilter } from "./filter.ts";
import type { FilterField, FilterValue } from "./filter-fields.ts";
import { compileFilter, compileTruth, type FilterContext, type Truth } from "./filter-match.ts";
import { type Flow, flowAt } from "./flow.ts";
import { IdleLookup } from "./idle.ts";
import { NAT_NAMES, natAt } from "./nat.ts";
import { GRE, ICMP, SCTP, TCP, UDP } from "./protocol.ts";
import { hasStates, TcpState } from "./state.ts";
import { ALL_STATUS, Status, statusBit, TEXT_STATUS } from "./status.ts";

const NOW_MS = 2_000_000;
const idle = new IdleLookup({
  settings: {
    nf_conntrack_tcp_timeout_established: 432_000,
    nf_conntrack_tcp_timeout_unacknowledged: 300,
    nf_conntrack_udp_timeout: 30,
    nf_conntrack_icmp_timeout: 30,
  },
});
const context: FilterContext = { idle, nowMs: NOW_MS };

const REPLIED = Status.CONFIRMED | Status.SEEN_REPLY;
const established: Row = {
  protocol: TCP,
  state: TcpState.ESTABLISHED,
  status: REPLIED | Status.ASSURED,
  timeoutSeconds: 428_000,
  source: "10.0.0.1",
  destination: "10.0.0.2",
  first: 40_000,
  second: 443,
};

interface Case {
  filter: string;
  row: Row;
  expected: Truth;
  knownStatus?: number;
}

const cases: readonly Case[] = [
  { filter: "state=ESTABLISHED and idle>1h and not source=192.168.0.0/16", row: established, expected: 1 },
  { filter: "idle>1h", row: established, expected: 1 },
  { filter: "idle>2h", row: established, expected: -1 },
  { filter: "idle>1h", row: { ...established, timeoutSeconds: 200 }, expected: 0 },
  { filter: "not idle>1h", row: { ...established, timeoutSeconds: 200 }, expected: 0 },
  { filter: "not idle>1h or state=ESTABLISHED", row: { ...established, timeoutSeconds: 200 }, expected: 1 },
  { filter: "idle=4000", row: established, expected: 1 },
  { filter: "idle=1h-2h", row: established, expected: 1 },
  {
    filter: "remaining>=428000 remaining<=428000 remaining<428001 remaining>427999",
    row: established,
    expected: 1,
  },
  { filter: "remaining<428000", row: established, expected: -1 },
  { filter: "remaining<0", row: established, expected: -1 },
  { filter: "remaining>1", row: {}, expected: 0 },
  { filter: "state!=ESTABLISHED", row: { protocol: UDP }, expected: 1 },
  { filter: "state=ESTABLISHED", row: { protocol: UDP }, expected: -1 },
  { filter: "state=ESTABLISHED", row: { protocol: SCTP, state: 4 }, expected: 1 },
  { filter: "state=ESTABLISHED", row: { protocol: SCTP, state: 3 }, expected: -1 },
  { filter: "state=TIME_WAIT,ESTABLISHED", row: established, expected: 1 },
  { filter: "not state=ESTABLISHED", row: { protocol: TCP }, expected: 0 },
  { filter: "unreplied", row: { status: Status.CONFIRMED }, expected: 1 },
  { filter: "unreplied", row: established, expected: -1 },
  { filter: "unreplied or not unreplied", row: {}, expected: 0 },
  { filter: "src-nat", row: established, expected: 0, knownStatus: TEXT_STATUS },
  { filter: "not assured", row: { status: REPLIED | Status.OFFLOAD }, expected: 0, knownStatus: TEXT_STATUS },
  { filter: "not assured", row: { status: REPLIED | Status.OFFLOAD }, expected: 1 },
  { filter: "port=443", row: established, expected: 1 },
  { filter: "port=40000", row: established, expected: 1 },
  { filter: "source-port=443", row: established, expected: -1 },
  { filter: "port!=80", row: established, expected: 1 },
  { filter: "port=443", row: { protocol: ICMP, first: 443, second: 443 }, expected: -1 },
  { filter: "not port=443", row: { protocol: ICMP, first: 443, second: 443 }, expected: 1 },
  { filter: "port=443", row: { ...established, second: 80, reply: false }, expected: 0 },
  {
    filter: "reply-source-port=8080",
    row: { reply: { source: "10.0.0.9", destination: "10.0.0.1", first: 8080, second: 40_000 } },
    expected: 1,
  },
  { filter: "address=10.0.0.2", row: established, expected: 1 },
  {
    filter: "address=10.0.0.9",
    row: { reply: { source: "10.0.0.9", destination: "10.0.0.1", first: 1, second: 2 } },
    expected: 1,
  },
  { filter: "address=10.0.0.9", row: { reply: false }, expected: 0 },
  { filter: "address=::/0", row: established, expected: -1 },
  { filter: "source=0.0.0.0/0", row: established, expected: 1 },
  { filter: "source=10.0.0.0/31", row: established, expected: 1 },
  { filter: "source=10.0.0.2/31", row: established, expected: -1 },
  { filter: "source=fd00::/64", row: { source: "fd00::ffff:1", destination: "fd00::1" }, expected: 1 },
  { filter: "source=fd00::/127", row: { source: "fd00::2", destination: "fd00::1" }, expected: -1 },
  { filter: "ipv6", row: { source: "fd00::2", destination: "fd00::1" }, expected: 1 },
  { filter: "ipv4", row: { source: "fd00::2", destination: "fd00::1" }, expected: -1 },
  { filter: "protocol=50,tcp", row: established, expected: 1 },
  { filter: "mark=0x10/0xf0", row: { mark: 0x1f }, expected: 1 },
  { filter: "mark=0x10/0xf0", row: { mark: 0x2f }, expected: -1 },
  { filter: "mark=0xffffffff", row: { mark: 0xffff_ffff }, expected: 1 },
  { filter: "mark=0", row: {}, expected: 0 },
  { filter: "zone=0", row: {}, expected: 1 },
  { filter: "zone=7", row: { zone: 7 }, expected: 1 },
  { filter: "zone=8", row: { originalZone: 8 }, expected: 1 },
  { filter: "zone=0", row: { originalZone: 8 }, expected: 1 },
  { filter: "reply-zone=0", row: { originalZone: 8 }, expected: 1 },
  { filter: "nat=none", row: established, expected: 1 },
  {
    filter: "nat=any",
    row: { reply: { source: "10.0.0.9", destination: "10.0.0.1", first: 80, second: 40_000 } },
    expected: 1,
  },
  {
    filter: "nat=source",
    row: { reply: { source: "10.0.0.9", destination: "10.0.0.1", first: 80, second: 40_000 } },
    expected: -1,
  },
  { filter: "not nat=any", row: { reply: false }, expected: 0 },
  {
    filter: "bytes<1k",
    row: { original: { packets: 1, bytes: 400 }, replied: { packets: 1, bytes: 599 } },
    expected: 1,
  },
  {
    filter: "bytes<1k",
    row: { original: { packets: 1, bytes: 400 }, replied: { packets: 1, bytes: 600 } },
    expected: -1,
  },
  { filter: "bytes>=0", row: { original: { packets: 1, bytes: 400 } }, expected: 0 },
  {
    filter: "original-packets=1 reply-bytes=600",
    row: { original: { packets: 1, bytes: 400 }, replied: { packets: 1, bytes: 600 } },
    expected: 1,
  },
  { filter: "age>=2s", row: { ageSeconds: 2.9 }, expected: 1 },
  { filter: "age>2s", row: { ageSeconds: 2.9 }, expected: -1 },
  { filter: "age=1000", row: { startedAtMs: 999_001 }, expected: 1 },
  { filter: "age=0", row: { startedAtMs: NOW_MS + 5000 }, expected: 1 },
  { filter: "helper=ftp", row: { helper: "ftp" }, expected: 1 },
  { filter: "helper=sip,ftp", row: { helper: "ftp" }, expected: 1 },
  { filter: "helper=sip", row: { helper: "ftp" }, expected: -1 },
  { filter: "not helper=sip", row: {}, expected: 1 },
  { filter: "not helper=sip", row: {}, expected: 0, knownStatus: TEXT_STATUS },
  {
    filter: "icmp-type=8 icmp-code=0 icmp-id=7",
    row: { protocol: ICMP, first: 7, second: 0x800 },
    expected: 1,
  },
  { filter: "icmp-type=8", row: established, expected: -1 },
  { filter: "source-key=0 destination-key=0x4d", row: { protocol: GRE, first: 0, second: 77 }, expected: 1 },
  { filter: "destination-key=0x4d", row: { protocol: UDP, second: 77 }, expected: -1 },
  { filter: "id=4294967295 use=2", row: { id: 0xffff_ffff, use: 2 }, expected: 1 },
  { filter: "", row: {}, expected: 1 },
  { filter: "not all", row: {}, expected: -1 },
];

for (const { filter, row, expected, knownStatus = ALL_STATUS } of cases) {
  test(`"${filter}" is ${["false", "unknown", "true"][expected + 1]} of ${JSON.stringify(row)}`, () => {
    const columns = columnsOf([{}, row], knownStatus);
    assert.equal(compileTruth(parseFilter(filter), context)(columns, 1), expected);
    assert.equal(compileFilter(parseFilter(filter), context)(columns, 1), expected > 0);
  });
}

test("idle ages and start stamps are unknown without what they need", () => {
  const columns = columnsOf([{ ...established, startedAtMs: 5 }]);
  for (const filter of ["idle>1", "idle<1", "age>1", "age<1"]) {
    assert.equal(compileTruth(parseFilter(filter))(columns, 0), 0);
  }
});

/* ------------------------------------------ the same by way of Flow objects */

/**
 * What a flow has for a field: a list (several fit when one does), "none" when it can have none, "?" when not
 * told.
 */
type Held = readonly (number | string)[] | "none";

/** Where a flow has its numbers, ports and names. */
function holds(flow: Flow, field: FilterField, columns: FlowColumns, row: number): Held {
  const { original, reply } = flow;
  switch (field) {
    case "protocol":
      return [flow.protocol];
    case "family":
      return [`ipv${flow.family}`];
    case "state":
      return hasStates(flow.protocol) ? [flow.state ?? "?"] : "none";
    case "source":
      return [original.source];
    case "destination":
      return [original.destination];
    case "reply-source":
      return [reply?.source ?? "?"];
    case "reply-destination":
      return [reply?.destination ?? "?"];
    case "address":
      return [original.source, original.destination, reply?.source ?? "?", reply?.destination ?? "?"];
    case "nat":
      return [NAT_NAMES[natAt(columns, row)] ?? "?"];
    case "helper":
      if (flow.rare?.helper !== undefined) return [flow.rare.helper];
      return flow.knownStatus & Status.HELPER ? "none" : ["?"];
    case "idle": {
      const seconds = idle.secondsAt(columns, row);
      return [seconds < 0 ? "?" : seconds];
    }
    default:
      return holdsDiscriminator(flow, field) ?? holdsNumber(flow, field);
  }
}

/** Ports, ICMP numbers and keys; undefined for other fields. */
function holdsDiscriminator({ original, reply }: Flow, field: FilterField): Held | undefined {
  const ports = (tuple: typeof reply, end: "sourcePort" | "destinationPort"): Held => {
    if (original.kind !== "ports") return "none";
    return tuple === undefined ? ["?"] : [tuple.kind === "ports" ? tuple[end] : "?"];
  };
  const ends = [
    ports(original, "sourcePort"),
    ports(original, "destinationPort"),
    ports(reply, "sourcePort"),
    ports(reply, "destinationPort"),
  ];
  switch (field) {
    case "source-port":
      return ends[0];
    case "destination-port":
      return ends[1];
    case "reply-source-port":
      return ends[2];
    case "reply-destination-port":
      return ends[3];
    case "port":
      return ends.includes("none") ? "none" : ends.flatMap((end) => (end === "none" ? [] : end));
    case "icmp-type":
      return original.kind === "icmp" ? [original.type] : "none";
    case "icmp-code":
      return original.kind === "icmp" ? [original.code] : "none";
    case "icmp-id":
      return original.kind === "icmp" ? [original.id] : "none";
    case "source-key":
      return original.kind === "keys" ? [original.sourceKey] : "none";
    case "destination-key":
      return original.kind === "keys" ? [original.destinationKey] : "none";
    default:
      return undefined;
  }
}

function holdsNumber(flow: Flow, field: FilterField): Held {
  const zones = [flow.zone ?? flow.originalZone ?? 0, flow.zone ?? flow.replyZone ?? 0];
  const started = flow.startedAtMs === undefined ? undefined : (NOW_MS - flow.startedAtMs) / 1000;
  const age = flow.ageSeconds ?? started;
  const { originalTraffic, replyTraffic } = flow;
  const sum = (of: "packets" | "bytes"): number | undefined =>
    originalTraffic && replyTraffic ? originalTraffic[of] + replyTraffic[of] : undefined;
  const numbers: { readonly [name: string]: number | undefined } = {
    "original-zone": zones[0],
    "reply-zone": zones[1],
    mark: flow.mark,
    remaining: flow.timeoutSeconds,
    age: age === undefined ? undefined : Math.floor(age),
    bytes: sum("bytes"),
    packets: sum("packets"),
    "original-bytes": originalTraffic?.bytes,
    "reply-bytes": replyTraffic?.bytes,
    "original-packets": originalTraffic?.packets,
    "reply-packets": replyTraffic?.packets,
    id: flow.id,
    use: flow.use,
  };
  return field === "zone" ? zones : [numbers[field] ?? "?"];
}

function statusOf(flow: Flow, name: string): Truth {
  if (name === "unreplied") return (0 - statusOf(flow, "seen-reply")) as Truth;
  const bit = statusBit(name) ?? 0;
  if (flow.status === undefined || (flow.knownStatus & bit) === 0) return 0;
  if (flow.status & bit) return 1;
  const hidden =
    name === "assured" &&
    flow.knownStatus === TEXT_STATUS &&
    flow.status & (Status.OFFLOAD | Status.HW_OFFLOAD);
  return hidden ? 0 : -1;
}

function fits(operator: FilterOperator, value: FilterValue, held: number | string): boolean {
  switch (value.kind) {
    case "prefix": {
      const { address, bits } = value.prefix;
      const text = held as Address;
      return text.length === address.length && maskAddress(text, bits) === address;
    }
    case "masked":
      return ((held as number) & value.mask) >>> 0 === value.value;
    case "name":
      return held === value.name || (value.name === "any" && held !== "none");
    case "range": {
      const number = held as number;
      if (operator === "<") return number < value.from;
      if (operator === "<=") return number <= value.from;
      if (operator === ">") return number > value.from;
      if (operator === ">=") return number >= value.from;
      return number >= value.from && number <= value.to;
    }
  }
}

function naiveTruth(filter: Filter, flow: Flow, columns: FlowColumns, row: number): Truth {
  const of = (part: Filter): Truth => naiveTruth(part, flow, columns, row);
  switch (filter.kind) {
    case "all":
      return 1;
    case "not":
      return (0 - of(filter.part)) as Truth;
    case "and":
      return Math.min(...filter.parts.map(of)) as Truth;
    case "or":
      return Math.max(...filter.parts.map(of)) as Truth;
    case "compare": {
      const truth = naiveComparison(filter, flow, columns, row);
      return filter.operator === "!=" ? ((0 - truth) as Truth) : truth;
    }
  }
}

function naiveComparison(
  { field, operator, values }: Extract<Filter, { kind: "compare" }>,
  flow: Flow,
  columns: FlowColumns,
  row: number,
): Truth {
  if (field === "status") {
    return Math.max(
      ...values.map((value) => (value.kind === "name" ? statusOf(flow, value.name) : -1)),
    ) as Truth;
  }
  const held = holds(flow, field, columns, row);
  if (held === "none") return -1;
  const known = held.filter((one) => one !== "?");
  if (known.some((one) => values.some((value) => fits(operator, value, one)))) return 1;
  // Another family's address is none, told or not: the reply direction has the family of the original one.
  const otherFamily = values.every(
    (value) => value.kind === "prefix" && value.prefix.address.length !== (flow.family === 4 ? 4 : 16),
  );
  return known.length < held.length && !otherFamily ? 0 : -1;
}

const knownStatuses = fc.constantFrom(ALL_STATUS, TEXT_STATUS);

test("a compiled filter says of every row what the flow's own values say", () => {
  fc.assert(
    fc.property(anyFilter, anyRows, knownStatuses, (filter, rows, known) => {
      const columns = columnsOf(rows, known);
      const truth = compileTruth(filter, context);
      rows.forEach((_, row) => {
        assert.equal(truth(columns, row), naiveTruth(filter, flowAt(columns, row), columns, row));
      });
    }),
    { numRuns: 1000 },
  );
});

test("De Morgan: the opposite of a conjunction is the disjunction of the opposites", () => {
  fc.assert(
    fc.property(fc.array(anyFilter, { minLength: 2, maxLength: 4 }), anyRows, (parts, rows) => {
      const columns = columnsOf(rows);
      const not = (part: Filter): Filter => ({ kind: "not", part });
      const opposites = parts.map(not);
      for (const [left, right] of [
        [not({ kind: "and", parts }), { kind: "or", parts: opposites }],
        [not({ kind: "or", parts }), { kind: "and", parts: opposites }],
      ] as const) {
        const [first, second] = [compileTruth(left, context), compileTruth(right, context)];
        rows.forEach((_, row) => assert.equal(first(columns, row), second(columns, row)));
      }
    }),
  );
});

test("a filter and its opposite never select the same flow", () => {
  fc.assert(
    fc.property(anyFilter, anyRows, (filter, rows) => {
      const columns = columnsOf(rows);
      const [is, isNot] = [
        compileFilter(filter, context),
        compileFilter({ kind: "not", part: filter }, context),
      ];
      rows.forEach((_, row) => assert.ok(!(is(columns, row) && isNot(columns, row))));
    }),
  );
});
