import assert from "node:assert/strict";
import { test } from "node:test";

import { formatAddress } from "../table/address.ts";
import { parseFibTrie, parseIfInet6, parseIpAddress } from "./local-addresses.ts";

const fibTrie = `Main:
  +-- 0.0.0.0/1 2 0 2
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.77.0.0/22 2 0 2
        |-- 10.77.1.0
           /24 link UNICAST
Local:
  +-- 0.0.0.0/1 2 0 2
     +-- 10.77.0.0/22 2 0 2
        |-- 10.77.1.2
           /32 host LOCAL
        |-- 10.77.1.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
     |-- 10.77.1.2
        /32 host LOCAL
`;

test("parseFibTrie() finds each local address once, and neither broadcasts nor loopback", () => {
  assert.deepEqual(parseFibTrie(fibTrie).map(formatAddress), ["10.77.1.2"]);
  assert.deepEqual(parseFibTrie("garbage\n   /32 host LOCAL\n"), []);
});

test("parseIfInet6() finds addresses that others can reach", () => {
  const text = [
    "fd770001000000000000000000000002 02 40 00 80    veth0",
    "00000000000000000000000000000001 01 80 10 80       lo",
    "fe80000000000000f8163efffe000001 02 40 20 80    veth0",
    "short 02",
    "",
  ].join("\n");
  assert.deepEqual(parseIfInet6(text).map(formatAddress), ["fd77:1::2"]);
});

const printed = [
  ["    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0", ["10.0.0.1"]],
  ["2: ens3    inet 192.0.2.10/24 brd 192.0.2.255 scope global ens3\\  valid_lft", ["192.0.2.10"]],
  ["    inet 192.0.2.1 peer 192.0.2.2/32 scope global ppp0", ["192.0.2.1"]],
  ["    inet6 2001:db8:ff::10/64 scope global", ["2001:db8:ff::10"]],
  ["    inet6 2001:db8:1:2:3:4:5:6/128 scope global", ["2001:db8:1:2:3:4:5:6"]],
  ["    inet6 ::2:1/128 scope global", ["::2:1"]],
  ["    inet 127.0.0.1/8 scope host lo", []],
  ["    inet6 ::1/128 scope host", []],
  ["    inet6 fe80::1/64 scope link", []],
  ["    inet 999.0.0.1/8", []],
  ["    inet6 1::2::3/64", []],
  ["    inet6 1:2:3:4:5:6:7:8:9/64", []],
  ["    inet 10.0.0.1/24 x\n    inet 10.0.0.1/32 y", ["10.0.0.1"]],
] as const;

for (const [text, addresses] of printed) {
  test(`parseIpAddress() finds ${JSON.stringify(addresses)} in ${text.trim()}`, () => {
    assert.deepEqual(parseIpAddress(text).map(formatAddress), addresses);
  });
}
