import assert from "node:assert/strict";
import { test } from "node:test";
import { plainLine, readRows } from "../../test/support/listing-rows.ts";
import type { Flow } from "../table/flow.ts";
import { Status } from "../table/status.ts";
import { csvHeader, flowToCsv, flowToJson } from "./listing.ts";

const [plain] = readRows(plainLine).flows as [Flow];

test("flowToJson() leaves out what is absent", () => {
  const json = flowToJson(plain);
  assert.deepEqual(json, {
    protocol: "tcp",
    protocolNumber: 6,
    state: "ESTABLISHED",
    timeoutSeconds: 431_999,
    original: { source: "10.0.0.1", destination: "10.0.0.2", sourcePort: 40_000, destinationPort: 443 },
    reply: { source: "10.0.0.2", destination: "10.0.0.1", sourcePort: 443, destinationPort: 40_000 },
    status: ["seen-reply", "assured"],
    mark: 0,
    zone: 0,
    use: 2,
  });
});

test("flowToJson() says what netlink knows more", () => {
  const { reply: _reply, ...rest } = plain;
  const json = flowToJson(
    {
      ...rest,
      knownStatus: 0xffff_ffff,
      status: Status.CONFIRMED | Status.SRC_NAT | 0x10000,
      vtags: { original: 1, reply: 2 },
      tcpInfo: { originalScale: 7, replyScale: 8, originalFlags: 0x23, replyFlags: 0x21 },
      startedAtMs: 5000,
      rare: {
        labels: Uint8Array.from([0b1000, 0, 0, 0, 0, 0, 0, 0, 0, 0b10_0000, 0, 0, 0, 0, 0, 0]),
        dccp: { role: 1, handshake: 2 },
        master: {
          family: 4,
          protocol: 6,
          source: Uint32Array.from([0x0a000001, 0, 0, 0]),
          destination: Uint32Array.from([0x0a000002, 0, 0, 0]),
          sourceDiscriminator: 50_000,
          destinationDiscriminator: 21,
        },
      },
    },
    { idleSeconds: 12 },
  );
  assert.equal(json.reply, undefined);
  assert.deepEqual(json.status, ["confirmed", "src-nat", "0x10000", "unreplied"]);
  assert.deepEqual(json.labels, [3, 77]);
  assert.equal(json.idleSeconds, 12);
  assert.equal(json.startedAtMs, 5000);
  assert.equal(json.original.windowScale, 7);
  assert.equal(json.original.tcpFlags, 0x23);
  assert.equal(json.original.verificationTag, 1);
  assert.deepEqual(json.master, {
    protocol: "tcp",
    protocolNumber: 6,
    source: "10.0.0.1",
    destination: "10.0.0.2",
    sourcePort: 50_000,
    destinationPort: 21,
  });
  assert.deepEqual(json.dccp, { role: 1, handshake: 2 });
});

test("a status that cannot be told is not there", () => {
  const { status: _status, ...unknown } = plain;
  assert.deepEqual(flowToJson(unknown).status, []);
  assert.deepEqual(flowToJson({ ...plain, status: 0, knownStatus: Status.ASSURED }).status, []);
});

/** The cells of a row that has no quoted ones. */
function cells(row: string): Map<string, string> {
  const values = row.split(",");
  return new Map(csvHeader.split(",").map((name, index) => [name, values[index] ?? "missing"]));
}

test("a row of CSV has a cell for each name of the header", () => {
  const row = cells(flowToCsv(plain, { idleSeconds: 3 }));
  assert.equal(row.size, csvHeader.split(",").length);
  assert.equal(row.get("originalSource"), "10.0.0.1");
  assert.equal(row.get("replyDestinationPort"), "40000");
  assert.equal(row.get("status"), "seen-reply assured");
  assert.equal(row.get("idleSeconds"), "3");
  assert.equal(row.get("originalPackets"), "");
  assert.equal(row.get("event"), "");
});

test("CSV quotes what would break a row", () => {
  const flow = { ...plain, rare: { helper: 'a "b", c', labelNames: ["x", "y"] } };
  assert.match(flowToCsv(flow), /,"a ""b"", c",x y,/);
});
