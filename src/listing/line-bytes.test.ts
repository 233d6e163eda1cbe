import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { anyRow, columnsOf, type Row } from "../../test/support/columns.ts";
import { flowAt } from "../table/flow.ts";
import { TCP, UDP } from "../table/protocol.ts";
import { TcpState } from "../table/state.ts";
import { Status, TEXT_STATUS } from "../table/status.ts";
import { formatFlow, type LineStyle } from "./kernel-line.ts";
import { LINE_BYTES_MAX, LineBytes } from "./line-bytes.ts";

/** The line as bytes, or undefined when it is left to others. */
function bytesOf(row: Row, style: LineStyle, knownStatus?: number): string | undefined {
  const columns = columnsOf([row], knownStatus);
  const lines = new LineBytes(new Uint8Array(LINE_BYTES_MAX), style);
  if (!lines.canWrite(columns, 0)) return undefined;
  lines.write(columns, 0);
  return new TextDecoder().decode(lines.bytes.subarray(0, lines.length));
}

const usual: fc.Arbitrary<Row> = fc
  .tuple(anyRow, fc.boolean(), fc.nat(9), fc.constantFrom(0x8, 0xa, 0xe), fc.boolean())
  .map(([row, udp, state, status, counted]) => {
    const {
      source,
      destination,
      first,
      second,
      reply,
      mark,
      use,
      original,
      replied,
      startedAtMs,
      timeoutSeconds,
    } = row;
    const more = {
      mark,
      use,
      startedAtMs,
      ...(counted ? { original, replied } : {}),
      ...(reply === false ? {} : { reply }),
    };
    const known = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined));
    return {
      source,
      destination,
      first,
      second,
      ...known,
      protocol: udp ? UDP : TCP,
      ...(udp ? {} : { state }),
      status,
      timeoutSeconds: timeoutSeconds ?? 5,
    } as Row;
  });

const styles = fc.record(
  {
    layout: fc.constantFrom("nf_conntrack" as const, "ip_conntrack" as const),
    zones: fc.boolean(),
    useAdded: fc.nat(1),
    nowMs: fc.constantFrom(1_000_000, 5_000_000),
  },
  { requiredKeys: [], noNullPrototype: true },
);

test("bytes of a usual flow are its line", () => {
  fc.assert(
    fc.property(usual, styles, (row, style) => {
      assert.equal(bytesOf(row, style), formatFlow(flowAt(columnsOf([row]), 0), style));
    }),
    { numRuns: 2000 },
  );
});

test("bytes of any flow are its line, or it is left to others", () => {
  fc.assert(
    fc.property(anyRow, styles, (row, style) => {
      const text = bytesOf(row, style);
      if (text !== undefined) assert.equal(text, formatFlow(flowAt(columnsOf([row]), 0), style));
    }),
    { numRuns: 2000 },
  );
});

const tcp: Row = {
  state: TcpState.ESTABLISHED,
  status: Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED,
  timeoutSeconds: 431_999,
  mark: 0,
  use: 1,
};

test("the longest line has room", () => {
  const most = { packets: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };
  const row = {
    ...tcp,
    source: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    destination: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
    first: 65_535,
    second: 65_534,
    original: most,
    replied: most,
    timeoutSeconds: 0xffff_ffff,
    mark: 0xffff_ffff,
    use: 0xffff_ffff,
    startedAtMs: 0,
  };
  const style = { zones: true, nowMs: Number.MAX_SAFE_INTEGER };
  assert.equal(bytesOf(row, style), formatFlow(flowAt(columnsOf([row]), 0), style));
});

test("flows with zones, a helper or a flow table, and what text does not tell, are left to others", () => {
  assert.notEqual(bytesOf(tcp, {}), undefined);
  for (const row of [
    { ...tcp, zone: 1 },
    { ...tcp, helper: "ftp" },
    { ...tcp, status: Status.OFFLOAD },
    { ...tcp, reply: false as const },
  ]) {
    assert.equal(bytesOf(row, {}), undefined);
  }
  assert.notEqual(bytesOf(tcp, {}, TEXT_STATUS), undefined);
  assert.equal(bytesOf(tcp, {}, 0), undefined);
});
