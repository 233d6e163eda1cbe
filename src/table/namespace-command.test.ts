import assert from "node:assert/strict";
import { test } from "node:test";
import { commandIn } from "./namespace-command.ts";

const rows: readonly (readonly [command: string, netns: string | undefined, typed: string])[] = [
  ["headroom explain", undefined, "headroom explain"],
  ["headroom explain", "gw", "headroom explain --netns gw"],
  ["headroom list 'src=10.0.0.1' --limit 20", "gw", "headroom list --netns gw 'src=10.0.0.1' --limit 20"],
  ["headroom explain --netns blue", "gw", "headroom explain --netns blue"],
  ["headroom check --all-netns", "gw", "headroom check --all-netns"],
  ["sudo headroom check", "gw", "sudo headroom check --netns gw"],
  ["headroom reclaim --emergency", "a b", "headroom reclaim --netns 'a b' --emergency"],
  ["headroom alerts test", "gw", "headroom alerts test"],
  ["conntrack -L -s 10.77.1.2", "gw", "ip netns exec gw conntrack -L -s 10.77.1.2"],
  ["conntrack -L", "812", "nsenter -t 812 -n conntrack -L"],
  ["conntrack -L", "/run/netns/gw", "nsenter --net=/run/netns/gw conntrack -L"],
  [
    "sysctl -w net.netfilter.nf_conntrack_udp_timeout=10",
    "gw",
    "ip netns exec gw sysctl -w net.netfilter.nf_conntrack_udp_timeout=10",
  ],
  ["sysctl -w net.netfilter.nf_conntrack_max=9", "gw", "sysctl -w net.netfilter.nf_conntrack_max=9"],
  ["dmesg -T --level=err,warn", "gw", "dmesg -T --level=err,warn"],
];

for (const [command, netns, typed] of rows) {
  test(`${command}, about ${netns ?? "the host itself"}`, () => {
    assert.equal(commandIn(command, netns), typed);
  });
}
