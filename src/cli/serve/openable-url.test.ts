import assert from "node:assert/strict";
import type { NetworkInterfaceInfo } from "node:os";
import { test } from "node:test";

import { openableUrl } from "./openable-url.ts";

function on(address: string, internal = false): NetworkInterfaceInfo {
  const rest = { address, internal, netmask: "", mac: "", cidr: null };
  return address.includes(":") ? { ...rest, family: "IPv6", scopeid: 0 } : { ...rest, family: "IPv4" };
}

const own = on("127.0.0.1", true);

for (const [listened, address, addresses, opened] of [
  ["http://127.0.0.1:1/", "127.0.0.1", [own, on("192.0.2.7")], "http://127.0.0.1:1/"],
  ["http://0.0.0.0:1/", "0.0.0.0", [own, on("2001:db8::7"), on("192.0.2.7")], "http://192.0.2.7:1/"],
  ["https://[::]:1/", "::", [own, on("fe80::1"), on("2001:db8::7")], "https://[2001:db8::7]:1/"],
  ["http://[::]:1/", "::", [on("2001:db8::7"), on("192.0.2.7")], "http://192.0.2.7:1/"],
  ["http://0.0.0.0:1/", "0.0.0.0", [own], "http://127.0.0.1:1/"],
] as const) {
  test(`openableUrl(${listened}) of a host with ${addresses.length} addresses is ${opened}`, () => {
    assert.equal(openableUrl(listened, address, { any: addresses }), opened);
  });
}
