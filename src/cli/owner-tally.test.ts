import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyCensus } from "../../test/support/cli-samples.ts";
import type { Owners } from "../kernel/kernel.ts";
import { type Address, addressToWords, formatAddress } from "../table/address.ts";
import { parseAddress } from "../table/address-text.ts";
import { FlowColumns, Has } from "../table/columns.ts";
import { ICMP, TCP } from "../table/protocol.ts";
import { ALL_STATUS } from "../table/status.ts";
import { OwnerTally } from "./owner-tally.ts";

function addressOf(text: string): Address {
  const address = parseAddress(text);
  assert.ok(address !== undefined);
  return address;
}

/** This host is 192.0.2.1 with nginx on port 443; the namespace k1 has 10.0.0.5. */
const lookup: Owners = {
  isLocal: (address) => formatAddress(address) === "192.0.2.1",
  ownerOfLocalFlow: (_protocol, _address, port, remote) => {
    if (port === 443) return { pid: 1, command: "nginx", unit: "nginx.service" };
    if (port === 40_000 && remote?.port === 53)
      return { pid: 2, command: "dig", container: "docker:4f1c2a9b0d3e" };
    return port === 8080 ? { pid: 3, command: "caddy" } : undefined;
  },
  namespaceOfAddress: (address) =>
    formatAddress(address) === "10.0.0.5"
      ? { inode: 7, name: "k1", owner: "lxc:k1", initial: false, own: false }
      : undefined,
};

interface Made {
  protocol?: number;
  source: string;
  sourcePort?: number;
  destination: string;
  destinationPort?: number;
  /** Where a translated flow really goes. */
  replySource?: string;
}

function columnsOf(flow: Made): FlowColumns {
  const columns = new FlowColumns(1, ALL_STATUS);
  columns.count = 1;
  columns.family[0] = 4;
  columns.protocol[0] = flow.protocol ?? TCP;
  columns.has[0] = flow.replySource === undefined ? 0 : Has.reply;
  addressToWords(addressOf(flow.source), columns.originalSource, 0);
  addressToWords(addressOf(flow.destination), columns.originalDestination, 0);
  addressToWords(addressOf(flow.replySource ?? flow.destination), columns.replySource, 0);
  addressToWords(addressOf(flow.source), columns.replyDestination, 0);
  columns.originalSourceDiscriminator[0] = flow.sourcePort ?? 1024;
  columns.originalDestinationDiscriminator[0] = flow.destinationPort ?? 80;
  return columns;
}

const owned: readonly [string, Made, string][] = [
  [
    "a flow to a listening process",
    { source: "198.51.100.7", destination: "192.0.2.1", destinationPort: 443 },
    "nginx (nginx.service)",
  ],
  [
    "a flow that a container opened",
    { source: "192.0.2.1", sourcePort: 40_000, destination: "9.9.9.9", destinationPort: 53 },
    "dig (docker:4f1c2a9b0d3e)",
  ],
  [
    "a process outside of any unit",
    { source: "198.51.100.7", destination: "192.0.2.1", destinationPort: 8080 },
    "caddy",
  ],
  [
    "a flow over loopback, which no interface list names",
    { source: "127.0.0.1", destination: "127.0.0.1", destinationPort: 8080 },
    "caddy",
  ],
  [
    "a socket that is closed",
    { source: "192.0.2.1", destination: "9.9.9.9" },
    "this host, socket closed or not visible",
  ],
  [
    "a protocol without ports",
    { protocol: ICMP, source: "192.0.2.1", destination: "9.9.9.9" },
    "this host, protocol without ports",
  ],
  ["a forwarded flow", { source: "10.0.0.5", destination: "9.9.9.9" }, "namespace k1 (lxc:k1)"],
  [
    "a flow that was translated into a namespace",
    { source: "198.51.100.7", destination: "203.0.113.1", replySource: "10.0.0.5" },
    "namespace k1 (lxc:k1)",
  ],
  [
    "a flow between strangers",
    { source: "198.51.100.7", destination: "203.0.113.1" },
    "forwarded, address of no namespace here",
  ],
];
for (const [what, made, owner] of owned) {
  test(`OwnerTally names the owner of ${what}`, () => {
    const tally = new OwnerTally(lookup);
    tally.add(columnsOf(made));
    assert.deepEqual(tally.rows(emptyCensus), [{ label: owner, flows: 1 }]);
  });
}

test("OwnerTally scales a sample and states its error", () => {
  const tally = new OwnerTally(lookup);
  const nginx = columnsOf({ source: "198.51.100.7", destination: "192.0.2.1", destinationPort: 443 });
  const other = columnsOf({ source: "198.51.100.7", destination: "203.0.113.1" });
  for (let count = 0; count < 25; count += 1) tally.add(nginx);
  for (let count = 0; count < 75; count += 1) tally.add(other);
  const sampled = { flowsRead: 100, ofFlows: 10_000, method: "" };
  const rows = tally.rows({ ...emptyCensus, flows: 10_000, flowsRead: 100, sampled });
  assert.deepEqual(
    rows.map(({ flows, standardErrorFlows }) => [flows, standardErrorFlows]),
    [
      [7500, 431],
      [2500, 431],
    ],
  );
});
