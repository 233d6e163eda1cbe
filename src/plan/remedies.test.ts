import assert from "node:assert/strict";
import { test } from "node:test";
import { healthyFacts, withHost, withSettings } from "../../test/support/facts-samples.ts";
import type { Facts } from "./facts.ts";
import { dropBeforeTracking, raiseCapacity, setBuckets, setCapacity, setTimeoutTo } from "./remedies.ts";
import { shellWord } from "../table/shell-word.ts";
import { namespaceCommand, namespaceText } from "./rules/namespace-text.ts";

const old: Facts["host"] = { tracker: "ip_conntrack" };

const capacityCommands = [
  [
    "6.18.44",
    {},
    "sysctl -w net.netfilter.nf_conntrack_buckets=524288 && sysctl -w net.netfilter.nf_conntrack_max=524288",
  ],
  [
    "4.7",
    {},
    "sysctl -w net.netfilter.nf_conntrack_buckets=524288 && sysctl -w net.netfilter.nf_conntrack_max=524288",
  ],
  [
    "3.10.0-1160.el7.x86_64",
    {},
    "echo 524288 > /sys/module/nf_conntrack/parameters/hashsize && sysctl -w " +
      "net.netfilter.nf_conntrack_max=524288",
  ],
  [
    "2.6.18-274.el5",
    old,
    "echo 524288 > /sys/module/ip_conntrack/parameters/hashsize && sysctl -w " +
      "net.ipv4.ip_conntrack_max=524288",
  ],
  [
    "2.6.9-42.EL",
    old,
    "echo 'options ip_conntrack hashsize=524288' >> /etc/modprobe.conf && sysctl -w " +
      "net.ipv4.ip_conntrack_max=524288",
  ],
  [
    "2.4.20",
    old,
    "echo 'options ip_conntrack hashsize=524288' >> /etc/modules.conf && sysctl -w " +
      "net.ipv4.ip_conntrack_max=524288",
  ],
  [
    "unreadable",
    {},
    "sysctl -w net.netfilter.nf_conntrack_buckets=524288 && sysctl -w net.netfilter.nf_conntrack_max=524288",
  ],
  [
    "unreadable",
    old,
    "echo 524288 > /sys/module/ip_conntrack/parameters/hashsize && sysctl -w " +
      "net.ipv4.ip_conntrack_max=524288",
  ],
] as const;

for (const [kernelRelease, host, command] of capacityCommands) {
  test(`raiseCapacity() on ${kernelRelease}${host === old ? " with ip_conntrack" : ""}`, () => {
    const [remedy] = raiseCapacity(withHost(healthyFacts, { kernelRelease, ...host }));
    assert.equal(remedy?.command, command);
  });
}

test("raiseCapacity() says what it costs and how it knows", () => {
  assert.equal(
    raiseCapacity(healthyFacts)[0]?.text,
    "Set the capacity to 524,288 flows with 524,288 buckets; costs up to 132 MiB when full, 0.55 % of this " +
      "host's memory (256 bytes a flow, read from this kernel's slab).",
  );
});

test("raiseCapacity() goes at least to what the kernel would choose", () => {
  const small = withSettings(healthyFacts, { nf_conntrack_max: 1000, nf_conntrack_buckets: 512 });
  assert.match(raiseCapacity(small)[0]?.command ?? "", /_max=262144$/);
});

test("raiseCapacity() never lowers the buckets", () => {
  const many = withSettings(healthyFacts, { nf_conntrack_buckets: 4_194_304 });
  assert.match(raiseCapacity(many)[0]?.command ?? "", /_buckets=4194304 && .*_max=524288$/);
});

test("raiseCapacity() from inside a namespace says that the host must do it", () => {
  const [remedy] = raiseCapacity(withHost(healthyFacts, { initialNamespace: false }));
  assert.match(remedy?.text ?? "", /^Only the host itself can do this/);
  const [named] = raiseCapacity({ ...withHost(healthyFacts, { initialNamespace: false }), netns: "blue" });
  assert.match(named?.text ?? "", /^Set the capacity/);
});

test("raiseCapacity() has no command for a table that the memory cannot hold", () => {
  const [remedy, ...rest] = raiseCapacity(withHost(healthyFacts, { memoryBytes: 268_435_456 }));
  assert.deepEqual([remedy?.command, rest.length], [undefined, 0]);
  assert.match(remedy?.text ?? "", /would cost up to 132 MiB when full, 52 % .*: make room instead/);
});

test("raiseCapacity() has nothing to say without a limit", () => {
  assert.deepEqual(raiseCapacity(withSettings(healthyFacts, { nf_conntrack_max: 0 })), []);
});

test("setCapacity() reckons accounting in", () => {
  const [remedy] = setCapacity(withSettings(healthyFacts, { nf_conntrack_acct: 1 }), 524_288);
  assert.match(remedy?.text ?? "", /196 MiB .*\(256 bytes a flow and at least 128 of extension, read/);
});

test("setBuckets() is silent when there are enough, and lowers a capacity that no buckets can serve", () => {
  assert.deepEqual(setBuckets(healthyFacts), []);
  const absurd = withSettings(healthyFacts, { nf_conntrack_max: 2_147_483_647 });
  assert.match(setBuckets(absurd)[0]?.command ?? "", /_buckets=262144 && .*_max=262144$/);
  const few = withSettings(healthyFacts, { nf_conntrack_buckets: 65_536 });
  assert.deepEqual(setBuckets(few), [
    {
      text: "Give the table 262,144 buckets, one a flow; costs 2.0 MiB at once.",
      command: "sysctl -w net.netfilter.nf_conntrack_buckets=262144",
    },
  ]);
});

test("setTimeoutTo() by the name this tracker has", () => {
  const key = "nf_conntrack_udp_timeout_stream";
  assert.deepEqual(setTimeoutTo(healthyFacts, key, 120, "Let them go"), {
    text: "Let them go (2m).",
    command: "sysctl -w net.netfilter.nf_conntrack_udp_timeout_stream=120",
  });
  const el5 = withHost(healthyFacts, { ...old, kernelRelease: "2.6.18" });
  assert.equal(
    setTimeoutTo(el5, key, 120, "").command,
    "sysctl -w net.ipv4.netfilter.ip_conntrack_udp_timeout_stream=120",
  );
  const ancient = setTimeoutTo(withHost(healthyFacts, { ...old, kernelRelease: "2.4.20" }), key, 120, "");
  assert.equal(ancient.command, undefined);
  assert.match(ancient.text, /compiled in/);
});

test("dropBeforeTracking() knows both families", () => {
  assert.equal(dropBeforeTracking("10.0.0.7").command, "iptables -t raw -I PREROUTING -s 10.0.0.7 -j DROP");
  assert.equal(
    dropBeforeTracking("2001:db8::1").command,
    "ip6tables -t raw -I PREROUTING -s 2001:db8::1 -j DROP",
  );
});

const namespaces = [
  [{ name: "blue", owner: "docker:4f1c" }, "namespace blue (docker:4f1c)", "headroom explain --netns blue"],
  [{ name: "a b; rm" }, "namespace a b; rm", "headroom explain --netns 'a b; rm'"],
  [{ owner: "nginx.service", pid: 812 }, "namespace of nginx.service", "headroom explain --netns 812"],
  [{}, "namespace 7", undefined],
] as const;

for (const [more, text, command] of namespaces) {
  test(`namespaceText() and namespaceCommand() ${text}`, () => {
    const namespace = { inode: 7, initial: false, own: false, ...more };
    assert.equal(namespaceText(namespace), text);
    assert.equal(namespaceCommand(namespace)?.command, command);
  });
}

test("shellWord() quotes what a shell would read", () => {
  assert.deepEqual(["a-b.c", "", "it's", "$x"].map(shellWord), ["a-b.c", "''", "'it'\\''s'", "'$x'"]);
});
