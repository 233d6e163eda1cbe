import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "./address-text.ts";
import { addressToWords, formatAddress } from "./address.ts";
import { FlowColumns, Has } from "./columns.ts";
import { flowAt } from "./flow.ts";
import { ALL_STATUS, Status } from "./status.ts";

function columnsWith(protocol: number, first: number, second: number, has: number): FlowColumns {
  const columns = new FlowColumns(4, ALL_STATUS);
  const source = parseAddress("10.0.0.1");
  const destination = parseAddress("10.0.0.2");
  assert.ok(source !== undefined && destination !== undefined);
  columns.count = 2;
  columns.family[1] = 4;
  columns.protocol[1] = protocol;
  addressToWords(source, columns.originalSource, 4);
  addressToWords(destination, columns.originalDestination, 4);
  columns.originalSourceDiscriminator[1] = first;
  columns.originalDestinationDiscriminator[1] = second;
  columns.has[1] = has;
  return columns;
}

test("flowAt() leaves out every field whose bit is not set", () => {
  const columns = columnsWith(6, 1024, 80, 0);
  columns.timeoutSeconds[1] = 9;
  columns.mark[1] = 5;
  const flow = flowAt(columns, 1);
  assert.deepEqual(Object.keys(flow).toSorted(), ["family", "knownStatus", "original", "protocol"]);
});

test("flowAt() tells a zero from an absent field", () => {
  const columns = columnsWith(6, 1024, 80, Has.timeout | Has.mark | Has.zone | Has.state);
  const flow = flowAt(columns, 1);
  assert.deepEqual(
    [flow.timeoutSeconds, flow.mark, flow.zone, flow.state, flow.use],
    [0, 0, 0, "NONE", undefined],
  );
});

test("flowAt() reads the discriminators by protocol", () => {
  const ports = flowAt(columnsWith(17, 1024, 53, 0), 1).original;
  const icmp = flowAt(columnsWith(1, 7, (8 << 8) | 0, 0), 1).original;
  const keys = flowAt(columnsWith(47, 0, 0x4d, 0), 1).original;
  const none = flowAt(columnsWith(50, 0, 0, 0), 1).original;
  assert.ok(ports.kind === "ports" && ports.sourcePort === 1024 && ports.destinationPort === 53);
  assert.ok(icmp.kind === "icmp" && icmp.type === 8 && icmp.code === 0 && icmp.id === 7);
  assert.ok(keys.kind === "keys" && keys.sourceKey === 0 && keys.destinationKey === 0x4d);
  assert.equal(none.kind, "none");
  assert.equal(formatAddress(none.destination), "10.0.0.2");
});

test("flowAt() copies rare fields of that row alone, and clear() forgets them", () => {
  const columns = columnsWith(6, 1, 2, Has.status);
  columns.status[1] = Status.HELPER;
  columns.rareAt(1).helper = "ftp";
  assert.equal(flowAt(columns, 1).rare?.helper, "ftp");
  assert.equal(flowAt(columns, 0).rare, undefined);
  columns.clear();
  assert.equal(columns.count, 0);
  assert.equal(columns.rare.size, 0);
});
