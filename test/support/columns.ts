/**
 * Flows for tests: rows as plain objects, columns made of them, and any row whatever by fast-check. What a
 * row leaves out has rubbish in the columns, as a decoder's batch has.
 */
import fc from "fast-check";
import { addressToWords } from "../../src/table/address.ts";
import { parseAddress } from "../../src/table/address-text.ts";
import { FlowColumns, Has } from "../../src/table/columns.ts";
import { discriminatorOf, GRE, ICMP, SCTP, TCP, UDP } from "../../src/table/protocol.ts";
import { ALL_STATUS } from "../../src/table/status.ts";

/** One flow. Addresses are text; discriminators are the kernel's union (columns.ts). */
export interface Row {
  protocol?: number;
  source?: string;
  destination?: string;
  first?: number;
  second?: number;
  /** `false`: the listing has no reply direction. Left out: the original one inverted. */
  reply?: false | { source: string; destination: string; first: number; second: number };
  timeoutSeconds?: number;
  state?: number;
  status?: number;
  mark?: number;
  zone?: number;
  originalZone?: number;
  replyZone?: number;
  original?: { packets: number; bytes: number };
  replied?: { packets: number; bytes: number };
  startedAtMs?: number;
  ageSeconds?: number;
  tcpFlags?: number;
  greTimeouts?: { timeout: number; stream: number };
  helper?: string;
  id?: number;
  use?: number;
}

const RUBBISH = 0x5a5a5a5a;

/** A batch with these rows. */
export function columnsOf(rows: readonly Row[], knownStatus: number = ALL_STATUS): FlowColumns {
  const columns = new FlowColumns(Math.max(1, rows.length), knownStatus);
  for (const column of Object.values(columns)) {
    if (ArrayBuffer.isView(column)) (column as unknown as Uint32Array).fill(RUBBISH);
  }
  rows.forEach((row, index) => {
    writeRow(columns, index, row);
  });
  columns.count = rows.length;
  return columns;
}

function writeRow(columns: FlowColumns, at: number, row: Row): void {
  const { source = "10.0.0.1", destination = "10.0.0.2" } = row;
  // Protocols without a tracker of their own have zeros (columns.ts).
  const told = discriminatorOf(row.protocol ?? TCP) === "none" ? 0 : 1;
  const [first, second] = [(row.first ?? 40_000) * told, (row.second ?? 80) * told];
  columns.has[at] = 0;
  columns.protocol[at] = row.protocol ?? TCP;
  columns.family[at] = source.includes(":") ? 6 : 4;
  writeAddress(columns.originalSource, at, source);
  writeAddress(columns.originalDestination, at, destination);
  columns.originalSourceDiscriminator[at] = first;
  columns.originalDestinationDiscriminator[at] = second;
  if (row.reply !== false) {
    const { reply = inverted(row.protocol ?? TCP, source, destination, first, second) } = row;
    mark(columns, at, Has.reply);
    writeAddress(columns.replySource, at, reply.source);
    writeAddress(columns.replyDestination, at, reply.destination);
    columns.replySourceDiscriminator[at] = reply.first * told;
    columns.replyDestinationDiscriminator[at] = reply.second * told;
  }
  writeNumbers(columns, at, row);
  if (row.helper !== undefined) columns.rareAt(at).helper = row.helper;
}

/** The reply tuple of a flow nobody translated. */
function inverted(
  protocol: number,
  source: string,
  destination: string,
  first: number,
  second: number,
): Exclude<Row["reply"], false | undefined> {
  const swapped = { source: destination, destination: source };
  return protocol === ICMP ? { ...swapped, first, second: 0 } : { ...swapped, first: second, second: first };
}

function writeNumbers(columns: FlowColumns, at: number, row: Row): void {
  write(columns, at, Has.timeout, columns.timeoutSeconds, row.timeoutSeconds);
  write(columns, at, Has.state, columns.state, row.state);
  write(columns, at, Has.status, columns.status, row.status);
  write(columns, at, Has.mark, columns.mark, row.mark);
  write(columns, at, Has.zone, columns.zone, row.zone);
  write(columns, at, Has.originalZone, columns.originalZone, row.originalZone);
  write(columns, at, Has.replyZone, columns.replyZone, row.replyZone);
  write(columns, at, Has.originalCounters, columns.originalPackets, row.original?.packets);
  write(columns, at, Has.originalCounters, columns.originalBytes, row.original?.bytes);
  write(columns, at, Has.replyCounters, columns.replyPackets, row.replied?.packets);
  write(columns, at, Has.replyCounters, columns.replyBytes, row.replied?.bytes);
  write(columns, at, Has.startedAt, columns.startedAtMs, row.startedAtMs);
  write(columns, at, Has.age, columns.ageSeconds, row.ageSeconds);
  write(columns, at, Has.tcpInfo, columns.tcpInfo, row.tcpFlags);
  write(columns, at, Has.greTimeouts, columns.greTimeoutSeconds, row.greTimeouts?.timeout);
  write(columns, at, Has.greTimeouts, columns.greStreamTimeoutSeconds, row.greTimeouts?.stream);
  write(columns, at, Has.id, columns.id, row.id);
  write(columns, at, Has.use, columns.use, row.use);
}

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array;

function write(
  columns: FlowColumns,
  at: number,
  bit: number,
  column: Column,
  value: number | undefined,
): void {
  if (value === undefined) return;
  mark(columns, at, bit);
  column[at] = value;
}

function mark(columns: FlowColumns, at: number, bit: number): void {
  columns.has[at] = (columns.has[at] as number) | bit;
}

function writeAddress(words: Uint32Array, at: number, text: string): void {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(`Not an address: ${text}`);
  addressToWords(address, words, at * 4);
}

const addresses4 = [
  "10.0.0.1",
  "10.0.0.2",
  "10.0.1.1",
  "10.0.0.77",
  "192.168.7.9",
  "255.255.255.255",
  "128.0.0.1",
];
const addresses6 = ["fd00::1", "fd00::2", "fd00:0:0:1::1", "2001:db8::ffff", "fd00::8000:0"];

const counters = fc.record({ packets: fc.nat(1000), bytes: fc.nat(1_000_000) });
const seconds = fc.oneof(fc.nat(40), fc.nat(310), fc.nat(432_010), fc.constant(0xffff_ffff));

/** Any row; few distinct values of each field, so that rows have things in common. */
export const anyRow: fc.Arbitrary<Row> = fc.constantFrom(addresses4, addresses6).chain((addresses) => {
  const address = fc.constantFrom(...addresses);
  const port = fc.constantFrom(0, 22, 80, 443, 8080, 40_000, 65_535);
  const tuple = { source: address, destination: address, first: port, second: port };
  return fc.record(
    {
      protocol: fc.constantFrom(TCP, TCP, TCP, UDP, UDP, ICMP, GRE, SCTP, 50),
      ...tuple,
      reply: fc.oneof(fc.constant(false as const), fc.record(tuple)),
      timeoutSeconds: seconds,
      state: fc.oneof(fc.nat(9), fc.nat(255)),
      status: fc.oneof(fc.nat(0xffff), fc.constantFrom(0, 0x8, 0x0a, 0x0e, 0xffff_ffff)),
      mark: fc.constantFrom(0, 0, 1, 0xffff_ffff),
      zone: fc.constantFrom(0, 0, 7, 65_535),
      originalZone: fc.constantFrom(0, 8),
      replyZone: fc.constantFrom(0, 9),
      original: counters,
      replied: counters,
      startedAtMs: fc.integer({ min: 0, max: 2_000_000 }),
      ageSeconds: fc.nat(1000),
      tcpFlags: fc.constantFrom(0, 0x10, 0x1000, 0xffff_0000),
      greTimeouts: fc.record({ timeout: fc.nat(60), stream: fc.nat(200) }),
      helper: fc.constantFrom("ftp", "sip"),
      id: fc.nat(),
      use: fc.nat(5),
    },
    { requiredKeys: ["protocol", "source", "destination", "first", "second"], noNullPrototype: true },
  );
});

/** A table of such rows. */
export const anyRows: fc.Arbitrary<Row[]> = fc.array(anyRow, { maxLength: 60 });
