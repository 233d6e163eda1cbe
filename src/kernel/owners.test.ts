import assert from "node:assert/strict";
import { test } from "node:test";

import { parseAddress } from "../table/address-text.ts";
import type { Address } from "../table/address.ts";
import { formatAddress } from "../table/address.ts";
import type { NamespaceFacts } from "../table/host.ts";
import { TCP, UDP } from "../table/protocol.ts";
import { makeOwners, parseSocketLink, type SocketOwner } from "./owners.ts";
import { type OpenSocket, parseSocketFile } from "./socket-files.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
}

/** A file of /proc/net by the columns that matter: local, remote, state, inode. */
function socketFile(...rows: readonly (readonly [string, string, string, number])[]): string {
  const lines = rows.map(
    ([local, remote, state, inode], index) =>
      `   ${index}: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  1000  0 ${inode} 1`,
  );
  return ["  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt", ...lines, ""].join(
    "\n",
  );
}

const ANY6 = "0".repeat(32);
const tcp = socketFile(
  ["0100007F:0CEA", "00000000:0000", "0A", 20_101],
  ["0202000A:9C41", "5000CB0A:01BB", "01", 20_102],
  ["0202000A:9C42", "5000CB0A:01BB", "06", 0],
  ["garbage", "5000CB0A:01BB", "06", 7],
);
const tcp6 = socketFile(
  [`${ANY6}:0050`, `${ANY6}:0000`, "0A", 20_103],
  ["0000000000000000FFFF00000202000A:0050", "0000000000000000FFFF00000900000A:C350", "01", 20_104],
  ["010077FD000000000000000002000000:01BB", "010077FD000000000000000003000000:9C46", "01", 20_105],
);

test("parseSocketFile() reads addresses as the machine has them, and only sockets with an owner", () => {
  const rows = [...parseSocketFile(tcp, TCP), ...parseSocketFile(tcp6, TCP)].map(
    ({ local, localPort, remote, remotePort, inode }) =>
      `${formatAddress(local)} ${localPort} ${formatAddress(remote)} ${remotePort} ${inode}`,
  );
  assert.deepEqual(rows, [
    "127.0.0.1 3306 0.0.0.0 0 20101",
    "10.0.2.2 40001 10.203.0.80 443 20102",
    ":: 80 :: 0 20103",
    "::ffff:10.0.2.2 80 ::ffff:10.0.0.9 50000 20104",
    "fd77:1::2 443 fd77:1::3 40006 20105",
  ]);
});

test("parseSocketLink() reads the inode of a socket and of nothing else", () => {
  assert.equal(parseSocketLink("socket:[20101]"), 20_101);
  for (const text of ["pipe:[1]", "/dev/null", "socket:[x]", "anon_inode:[eventfd]"]) {
    assert.equal(parseSocketLink(text), undefined);
  }
});

const sockets: OpenSocket[] = [...parseSocketFile(tcp, TCP), ...parseSocketFile(tcp6, TCP)];
const holders = new Map<number, SocketOwner>([
  [20_101, { pid: 11, command: "mysqld", unit: "mysql.service" }],
  [20_102, { pid: 12, command: "curl" }],
  [20_103, { pid: 13, command: "nginx", container: "docker:0123456789ab" }],
  [20_104, { pid: 14, command: "nginx-worker" }],
  [20_105, { pid: 15, command: "sshd" }],
]);
const namespaces: readonly NamespaceFacts[] = [
  { initial: true, own: true, addresses: [address("10.0.2.2"), address("172.17.0.1")] },
  { initial: false, own: false, name: "web", addresses: [address("172.17.0.2"), address("172.17.0.1")] },
  { initial: false, own: false, name: "none" },
];
const owners = makeOwners(sockets, holders, namespaces, new Set([address("10.0.2.2")]));

const asked = [
  ["an exact socket", TCP, "10.0.2.2", 40_001, ["10.203.0.80", 443], "curl"],
  [
    "the port alone does not make a connected socket",
    TCP,
    "10.0.2.2",
    40_001,
    ["10.203.0.81", 443],
    undefined,
  ],
  ["a socket bound to the address", TCP, "127.0.0.1", 3306, ["127.0.0.1", 5000], "mysqld"],
  ["a socket bound to another address", TCP, "10.0.2.2", 3306, ["10.0.0.9", 5000], undefined],
  ["a socket bound to every address, of both families", TCP, "10.0.2.2", 80, ["192.0.2.1", 6000], "nginx"],
  [
    "an accepted connection of IPv4 on a socket of IPv6",
    TCP,
    "10.0.2.2",
    80,
    ["10.0.0.9", 50_000],
    "nginx-worker",
  ],
  ["IPv6", TCP, "fd77:1::2", 443, ["fd77:1::3", 40_006], "sshd"],
  ["another protocol", UDP, "10.0.2.2", 80, ["192.0.2.1", 6000], undefined],
] as const;

for (const [what, protocol, local, port, [peer, peerPort], command] of asked) {
  test(`ownerOfLocalFlow() finds ${command ?? "nobody"}: ${what}`, () => {
    const remote = { address: address(peer), port: peerPort };
    assert.equal(owners.ownerOfLocalFlow(protocol, address(local), port, remote)?.command, command);
  });
}

test("namespaceOfAddress() names the only namespace with an address, and none when there are several", () => {
  assert.equal(owners.namespaceOfAddress(address("172.17.0.2"))?.name, "web");
  assert.equal(owners.namespaceOfAddress(address("10.0.2.2"))?.own, true);
  assert.equal(owners.namespaceOfAddress(address("172.17.0.1")), undefined);
  assert.equal(owners.namespaceOfAddress(address("192.0.2.1")), undefined);
});

test("isLocal() knows the addresses looked at", () => {
  assert.equal(owners.isLocal(address("10.0.2.2")), true);
  assert.equal(owners.isLocal(address("172.17.0.2")), false);
});
