import assert from "node:assert/strict";
import { test } from "node:test";
import { changeOf, compose, factsOf, hostNamed, making } from "../../test/support/change-samples.ts";
import { MemoryHost } from "../../test/support/memory-host.ts";
import type { Definition } from "../table/boot.ts";
import type { Settings } from "../table/settings.ts";
import {
  applyChange,
  type Change,
  type ChangeFacts,
  type Composition,
  type Refusal,
  rollbackChange,
} from "./change.ts";
import { ownerEdit } from "./owner-edit.ts";

/** A host of our own: a running kernel, systemd, the module loaded early. */
function host(release = "6.1.0", values: Readonly<Record<string, number>> = {}): MemoryHost {
  const made = new MemoryHost()
    .file("/proc/sys/kernel/osrelease", release)
    .file("/usr/lib/systemd/systemd", "x")
    .file("/usr/lib/systemd/systemd-sysctl", "x")
    .file("/etc/modules-load.d/nf.conf", "nf_conntrack\n")
    .file("/etc/sysctl.conf", "# nothing\n")
    .link("/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf")
    .file("/sys/module/nf_conntrack/parameters/hashsize", "65536\n");
  const present = {
    "net/netfilter/nf_conntrack_max": 65_536,
    "net/nf_conntrack_max": 65_536,
    "net/netfilter/nf_conntrack_buckets": 65_536,
    "net/netfilter/nf_conntrack_count": 100,
    "net/netfilter/nf_conntrack_udp_timeout": 30,
    "net/netfilter/nf_conntrack_tcp_timeout_established": 432_000,
    ...values,
  };
  for (const [name, value] of Object.entries(present)) made.file(`/proc/sys/${name}`, `${value}\n`);
  return made;
}

function stepsOf({ steps }: Change): readonly string[] {
  return steps.map(({ name, to }) => `${name}=${to}`);
}

function filesOf({ files }: Change): Readonly<Record<string, string>> {
  const rows = files.map(({ target, after }) => [target, new TextDecoder().decode(after.bytes)] as const);
  return Object.fromEntries(rows);
}

/** The lines of a file that we make, without its header. */
function linesOf(change: Change, path: string): readonly string[] {
  const lines = (filesOf(change)[path] ?? "").trimEnd().split("\n");
  assert.match(lines[0] ?? "", /^# Written by headroom apply/);
  return lines.slice(1);
}

const FOR_NOW = "With --no-persist it is set for now only";

function refusalOf(composition: Composition): Refusal | undefined {
  return composition.kind === "refused" ? composition.refusal : undefined;
}

function codeOf(composition: Composition): string {
  return composition.kind === "refused" ? composition.refusal.code : composition.kind;
}

const orders: readonly [string, Settings, Readonly<Record<string, number>>, readonly string[]][] = [
  [
    "a capacity is raised with the buckets that belong to it, and they come first",
    { nf_conntrack_max: 1_000_000 },
    {},
    [
      "net.netfilter.nf_conntrack_buckets=1000448",
      "net.netfilter.nf_conntrack_max=1000000",
      "net.nf_conntrack_max=1000000",
    ],
  ],
  [
    "buckets that were asked for are not corrected",
    { nf_conntrack_max: 1_000_000, nf_conntrack_buckets: 131_072 },
    {},
    [
      "net.netfilter.nf_conntrack_buckets=131072",
      "net.netfilter.nf_conntrack_max=1000000",
      "net.nf_conntrack_max=1000000",
    ],
  ],
  [
    "a capacity is lowered before its buckets",
    { nf_conntrack_max: 1024, nf_conntrack_buckets: 1024 },
    {},
    [
      "net.netfilter.nf_conntrack_max=1024",
      "net.nf_conntrack_max=1024",
      "net.netfilter.nf_conntrack_buckets=1024",
    ],
  ],
  [
    "a capacity that is lowered leaves the buckets",
    { nf_conntrack_max: 1024 },
    {},
    ["net.netfilter.nf_conntrack_max=1024", "net.nf_conntrack_max=1024"],
  ],
  [
    "buckets that are there are not written again",
    { nf_conntrack_max: 100_000 },
    { "net/netfilter/nf_conntrack_buckets": 262_144 },
    ["net.netfilter.nf_conntrack_max=100000", "net.nf_conntrack_max=100000"],
  ],
  [
    "down from no limit is down",
    { nf_conntrack_max: 65_536 },
    { "net/netfilter/nf_conntrack_max": 0, "net/nf_conntrack_max": 0 },
    ["net.netfilter.nf_conntrack_max=65536", "net.nf_conntrack_max=65536"],
  ],
  [
    "what is right already is left out",
    { nf_conntrack_udp_timeout: 30, nf_conntrack_tcp_timeout_established: 43_200 },
    {},
    ["net.netfilter.nf_conntrack_tcp_timeout_established=43200"],
  ],
  ["hashsize is the bucket count", { hashsize: 131_072 }, {}, ["net.netfilter.nf_conntrack_buckets=131072"]],
];

for (const [name, wanted, values, steps] of orders) {
  test(`at run time: ${name}`, () => {
    assert.deepEqual(stepsOf(changeOf(compose(host("6.1.0", values), wanted, { persist: false }))), steps);
  });
}

test("in the file the buckets come before the capacity", () => {
  const change = changeOf(compose(host(), { nf_conntrack_max: 1_000_000, nf_conntrack_udp_timeout: 20 }));
  assert.deepEqual(linesOf(change, "/etc/sysctl.d/90-headroom.conf"), [
    "net.netfilter.nf_conntrack_buckets = 1000448",
    "net.netfilter.nf_conntrack_max = 1000000",
    "net.netfilter.nf_conntrack_udp_timeout = 20",
  ]);
  assert.deepEqual(change.added, [
    {
      key: "nf_conntrack_buckets",
      value: 1_000_448,
      why: "one for each flow of the new capacity",
    },
  ]);
});

test("before 4.7: the module's parameter now, its option at load, and the capacity after it", () => {
  const old = host("3.10.0-1160.el7.x86_64");
  const change = changeOf(compose(old, { nf_conntrack_buckets: 131_072 }));
  assert.deepEqual(
    change.steps.map(({ path, to }) => `${path}=${to}`),
    ["/sys/module/nf_conntrack/parameters/hashsize=131072"],
  );
  assert.deepEqual(linesOf(change, "/etc/modprobe.d/headroom.conf"), [
    "options nf_conntrack hashsize=131072",
  ]);
  assert.match(change.notes.join(), /hashsize at load makes it 8 times the buckets/);
  // Without this line the limit would be 8 x 131,072.
  assert.deepEqual(linesOf(change, "/etc/sysctl.d/90-headroom.conf"), [
    "net.netfilter.nf_conntrack_max = 65536",
  ]);
});

test("buckets from the kernel's command line are in no file: refused, but not for now only", () => {
  const old = host("3.10.0").file("/proc/cmdline", "quiet nf_conntrack.hashsize=4096");
  const wanted = { nf_conntrack_buckets: 131_072 };
  const more = { nf_conntrack_max: 131_072 };
  const why = "/proc/cmdline sets it to 4096";
  const failing = { key: "nf_conntrack_buckets", wanted: 131_072, forecast: 4096, why } as const;
  const both = changeOf(compose(old, { ...wanted, ...more }));
  assert.deepEqual(both.notLasting, [failing], "what can last does, and the rest is said");
  assert.equal(applyChange(both, old, making).kind, "applied");
  old.file("/sys/module/nf_conntrack/parameters/hashsize", "65536\n");
  assert.deepEqual(refusalOf(compose(old, wanted)), {
    code: "cannot-last",
    message:
      `Cannot make net.netfilter.nf_conntrack_buckets = 131072 last: ${why} ` +
      "(the next boot would make it 4096)",
    help: `${FOR_NOW}; headroom verify nf_conntrack_buckets shows every place that sets it`,
    key: "nf_conntrack_buckets",
  });
  assert.equal(codeOf(compose(old, wanted, { persist: false })), "change");
});

test("RHEL 7: the module is loaded early, so that the capacity is not 8 times the buckets", () => {
  for (const [module, files] of [
    ["nf_conntrack_ipv4", []],
    ["nf_conntrack", ["nf_nat_ipv4.ko.xz"]],
    ["nf_conntrack_ipv4", ["nf_conntrack_ipv4.ko.xz"]],
  ] as const) {
    const release = "3.10.0-1160.el7.x86_64";
    const old = host(release, { "net/netfilter/nf_conntrack_max": 65_536 });
    old.nodes.delete("/etc/modules-load.d/nf.conf");
    old.file("/etc/sysctl.conf", "net.netfilter.nf_conntrack_max=65536\n");
    for (const name of files) old.file(`/lib/modules/${release}/kernel/net/ipv4/netfilter/${name}`, "x");
    const wanted = { nf_conntrack_max: 262_144, nf_conntrack_buckets: 65_536 };
    const change = changeOf(compose(old, wanted));
    assert.deepEqual(linesOf(change, "/etc/modules-load.d/headroom.conf"), [module]);
    assert.deepEqual(linesOf(change, "/etc/modprobe.d/headroom.conf"), [
      "options nf_conntrack hashsize=65536",
    ]);
    assert.equal(filesOf(change)["/etc/sysctl.conf"], "net.netfilter.nf_conntrack_max=262144\n");
    assert.equal(applyChange(change, old, making).kind, "applied");
    assert.equal(codeOf(compose(old, wanted)), "nothing-to-do");
  }
});

test("the tracker's module is the one that the kernel's list of modules has", () => {
  const old = host("3.10.0-1160.el7.x86_64");
  old.nodes.delete("/etc/modules-load.d/nf.conf");
  old.file("/lib/modules/3.10.0-1160.el7.x86_64/modules.dep", "kernel/net/netfilter/nf_conntrack.ko:\n");
  const change = changeOf(compose(old, { nf_conntrack_udp_timeout: 20 }));
  assert.deepEqual(linesOf(change, "/etc/modules-load.d/headroom.conf"), ["nf_conntrack"]);
});

test("a host that only reads /etc/sysctl.conf gets its lines there", () => {
  const change = changeOf(compose(hostNamed("linux-2.6"), { nf_conntrack_generic_timeout: 300 }));
  assert.deepEqual(Object.keys(filesOf(change)), ["/etc/sysctl.conf"]);
  assert.deepEqual(change.files[0]?.backup, "/etc/sysctl.conf.org");
});

/** A host of 2.6 with nothing but what decides a boot. */
function bareOld(signs: Readonly<Record<string, string>>): MemoryHost {
  const made = new MemoryHost()
    .file("/proc/sys/kernel/osrelease", "2.6.18-409.el5\n")
    .file("/etc/sysctl.conf", "net.ipv4.ip_conntrack_max = 65536\n")
    .file("/sys/module/ip_conntrack/parameters/hashsize", "8192\n")
    .file("/proc/sys/net/ipv4/ip_conntrack_max", "65536\n")
    .file("/proc/sys/net/ipv4/netfilter/ip_conntrack_max", "65536\n")
    .file("/proc/sys/net/ipv4/netfilter/ip_conntrack_tcp_timeout_established", "432000\n");
  for (const [path, text] of Object.entries(signs)) made.file(path, text);
  return made;
}

const bigger = { nf_conntrack_max: 524_288, nf_conntrack_tcp_timeout_established: 43_200 };
const options = { "/etc/modprobe.conf": "options ip_conntrack hashsize=8192\n" };
const loaders: readonly [string, Readonly<Record<string, string>>, string][] = [
  [
    "Red Hat",
    { ...options, "/etc/redhat-release": "CentOS release 5.11\n" },
    "/etc/sysconfig/modules/conntrack.modules",
  ],
  ["Red Hat without options", { "/etc/rc.d/rc.sysinit": "x" }, "/etc/sysconfig/modules/conntrack.modules"],
  ["Debian", { ...options, "/etc/debian_version": "4.0\n" }, "/etc/modules"],
  ["an inittab", { ...options, "/etc/inittab": "x", "/etc/init.d/rcS": "x" }, "/etc/modules"],
];

for (const [name, signs, path] of loaders) {
  test(`a 2.6 host with ${name} is given a file that loads the module, and then all holds`, () => {
    const one = bareOld(signs);
    const change = changeOf(compose(one, bigger));
    assert.ok(path in filesOf(change), Object.keys(filesOf(change)).join(" "));
    assert.deepEqual(change.notLasting, []);
    assert.equal(applyChange(change, one, making).kind, "applied");
    assert.equal(codeOf(compose(one, bigger)), "nothing-to-do");
  });
}

test("where nothing loads the module in time, hashsize gives the wanted capacity and no more", () => {
  const one = bareOld(options);
  const change = changeOf(compose(one, bigger));
  assert.equal(filesOf(change)["/etc/modprobe.conf"], "options ip_conntrack hashsize=65536\n");
  assert.match(filesOf(change)["/etc/sysctl.conf"] ?? "", /ip_conntrack_tcp_timeout_established = 43200/);
  assert.deepEqual(
    change.notLasting.map(({ key, forecast }) => [key, forecast]),
    [
      ["nf_conntrack_buckets", 65_536],
      ["nf_conntrack_tcp_timeout_established", 432_000],
    ],
  );
  assert.equal(applyChange(change, one, making).kind, "applied");
  assert.equal(codeOf(compose(one, bigger)), "nothing-to-do");
});

for (const name of ["ct", "ct.conf"]) {
  test(`a backup of /etc/modprobe.d/${name} is kept where an old modprobe does not read it`, () => {
    const one = bareOld({ "/etc/redhat-release": "x" });
    one.file(`/etc/modprobe.d/${name}`, "options ip_conntrack hashsize=8192\n");
    const change = changeOf(compose(one, bigger));
    const edit = change.files.find(({ path }) => path === `/etc/modprobe.d/${name}`);
    assert.equal(edit?.backup, `/etc/${name}.org`);
    assert.equal(
      change.files.find(({ path }) => path === "/etc/sysctl.conf")?.backup,
      "/etc/sysctl.conf.org",
    );
    assert.equal(applyChange(change, one, making).kind, "applied");
    assert.equal(codeOf(compose(one, bigger)), "nothing-to-do");
    assert.equal(rollbackChange("last", one, making).kind, "rolled-back");
    assert.equal(one.text(`/etc/${name}.org`), undefined);
  });
}

test("a backup that old modprobe reads is never edited", () => {
  const one = bareOld({ "/etc/redhat-release": "x" });
  one.file("/etc/modprobe.d/ct.org", "options ip_conntrack hashsize=8192\n");
  const change = changeOf(compose(one, bigger));
  assert.ok(!("/etc/modprobe.d/ct.org" in filesOf(change)));
  assert.deepEqual(change.notLasting, []);
});

test("buckets that nothing can hold are not said to be added", () => {
  const one = bareOld({});
  one.nodes.delete("/sys/module/ip_conntrack/parameters/hashsize");
  const { added, files } = changeOf(compose(one, { nf_conntrack_max: 524_288 }));
  const named = files.some(({ lines }) => lines.some(({ to }) => to.includes("hashsize")));
  assert.equal(added.length, named ? 1 : 0);
});

test("a key that an operator's file sets and wins is edited there", () => {
  const one = host().file(
    "/etc/sysctl.conf",
    "a = 1\r\n-net.netfilter.nf_conntrack_udp_timeout = 60 \r\n# end",
  );
  const change = changeOf(compose(one, { nf_conntrack_udp_timeout: 20 }));
  assert.deepEqual(filesOf(change), {
    "/etc/sysctl.conf": "a = 1\r\n-net.netfilter.nf_conntrack_udp_timeout = 20 \r\n# end",
  });
});

test("the last of two lines decides, and the first is left", () => {
  const key = "net.netfilter.nf_conntrack_udp_timeout";
  const one = host().file("/etc/sysctl.d/50-a.conf", `${key}=60\n${key}=70\n`);
  const change = changeOf(compose(one, { nf_conntrack_udp_timeout: 20 }));
  assert.deepEqual(filesOf(change), { "/etc/sysctl.d/50-a.conf": `${key}=60\n${key}=20\n` });
});

test("both names of the capacity are edited, so that they do not contradict", () => {
  const one = host()
    .file("/etc/sysctl.d/50-a.conf", "net.netfilter.nf_conntrack_max=65536\n")
    .file("/etc/sysctl.conf", "net.nf_conntrack_max=65536\n");
  const change = changeOf(compose(one, { nf_conntrack_max: 60_000 }));
  assert.deepEqual(filesOf(change), {
    "/etc/sysctl.d/50-a.conf": "net.netfilter.nf_conntrack_max=60000\n",
    "/etc/sysctl.conf": "net.nf_conntrack_max=60000\n",
  });
});

test("a linked sysctl.conf: the target is edited, and the link stays", () => {
  const one = host()
    .file("/data/sysctl.conf", "net.netfilter.nf_conntrack_udp_timeout=60\n")
    .link("/etc/sysctl.conf", "/data/sysctl.conf");
  const change = changeOf(compose(one, { nf_conntrack_udp_timeout: 20 }));
  const [file] = change.files;
  assert.deepEqual([file?.target, file?.backup], ["/data/sysctl.conf", "/data/sysctl.conf.org"]);
});

test("a file of the distribution is never edited: a later one in /etc wins over it", () => {
  const path = "/usr/lib/sysctl.d/50-default.conf";
  const one = host().file(path, "net.netfilter.nf_conntrack_udp_timeout=60\n");
  const change = changeOf(compose(one, { nf_conntrack_udp_timeout: 20 }));
  assert.deepEqual(Object.keys(filesOf(change)), ["/etc/sysctl.d/90-headroom.conf"]);
});

test("where a file of the distribution sorts behind ours, ours gets a later name", () => {
  const path = "/usr/lib/sysctl.d/99-y.conf";
  const one = host().file(path, "net.netfilter.nf_conntrack_udp_timeout=60\n");
  const change = changeOf(compose(one, { nf_conntrack_udp_timeout: 20 }));
  assert.deepEqual(Object.keys(filesOf(change)), ["/etc/sysctl.d/99-zz-headroom.conf"]);
});

const inTheWay: readonly [string, (one: MemoryHost) => void, string][] = [
  [
    "masked",
    (one) => one.link("/etc/sysctl.d/90-headroom.conf", "/dev/null"),
    "/etc/sysctl.d/99-headroom.conf",
  ],
  ["a directory", (one) => one.directory("/etc/sysctl.d/90-headroom.conf"), "/etc/sysctl.d/99-headroom.conf"],
  [
    "a link to nothing",
    (one) => one.link("/etc/sysctl.d/90-headroom.conf", "nowhere"),
    "/etc/sysctl.d/99-headroom.conf",
  ],
];

for (const [name, arrange, path] of inTheWay) {
  test(`something is in the place of our file: ${name}`, () => {
    const one = host();
    arrange(one);
    const change = changeOf(compose(one, { nf_conntrack_udp_timeout: 20 }));
    assert.deepEqual(Object.keys(filesOf(change)), [path]);
  });
}

test("where no file can be written, a change that is to last is refused, with what is in the way", () => {
  const one = host();
  for (const path of one.nodes.keys()) if (path.startsWith("/etc/sysctl")) one.nodes.delete(path);
  one.file("/etc/sysctl.d", "a file").directory("/etc/sysctl.conf");
  const refusal = refusalOf(compose(one, { nf_conntrack_udp_timeout: 20 }));
  assert.equal(refusal?.code, "cannot-last");
  assert.equal(
    refusal?.message,
    "Cannot make net.netfilter.nf_conntrack_udp_timeout = 20 last: /etc/sysctl.d is not a directory; " +
      "/etc/sysctl.conf is a directory (the next boot would make it 30)",
  );
  const change = changeOf(compose(one, { nf_conntrack_udp_timeout: 20 }, { persist: false }));
  assert.deepEqual([change.files.length, change.steps.length], [0, 1]);
});

test("a file with other names is said to lose them", () => {
  const path = "/etc/sysctl.d/50-a.conf";
  const one = host().file(path, "net.netfilter.nf_conntrack_udp_timeout=60\n");
  const look = one.look.bind(one);
  const notes = [1, 2, 3].map((links) => {
    one.look = (at) => {
      const found = look(at);
      return found.kind === "file" && at === path ? { ...found, links } : found;
    };
    return changeOf(compose(one, { nf_conntrack_udp_timeout: 20 })).notes.filter((note) => /link/.test(note));
  });
  assert.deepEqual(notes, [
    [],
    [
      `${path} has another name (a hard link), which keeps the old content, ` +
        "and is a file of its own afterwards",
    ],
    [`${path} has 2 more hard links, which keep the old content, and is a file of its own afterwards`],
  ]);
});

test("the module is loaded before the settings are read, where it is not", () => {
  const one = host();
  one.nodes.delete("/etc/modules-load.d/nf.conf");
  const change = changeOf(compose(one, { nf_conntrack_udp_timeout: 20 }));
  assert.deepEqual(linesOf(change, "/etc/modules-load.d/headroom.conf"), ["nf_conntrack"]);
});

test("values that are right now and come too early at boot only need the module", () => {
  const one = host("6.1.0", { "net/netfilter/nf_conntrack_udp_timeout": 20 });
  one.nodes.delete("/etc/modules-load.d/nf.conf");
  one.file("/etc/sysctl.d/50-a.conf", "net.netfilter.nf_conntrack_udp_timeout=20\n");
  const change = changeOf(compose(one, { nf_conntrack_udp_timeout: 20 }));
  assert.deepEqual(change.steps, []);
  assert.deepEqual(Object.keys(filesOf(change)), ["/etc/modules-load.d/headroom.conf"]);
});

test("nothing to do: right now, and the kernel's own default at every boot", () => {
  assert.equal(codeOf(compose(host(), { nf_conntrack_udp_timeout: 30 })), "nothing-to-do");
  assert.equal(codeOf(compose(host(), { nf_conntrack_max: 65_536 }, { persist: false })), "nothing-to-do");
  assert.equal(codeOf(compose(host(), {})), "nothing-to-do");
});

test("a capacity that is there already is given no buckets, unless a boot would first bring it", () => {
  const one = host("5.10.0", {
    "net/netfilter/nf_conntrack_max": 262_144,
    "net/nf_conntrack_max": 262_144,
  });
  const wanted = { nf_conntrack_max: 262_144 };
  const ownSizes = { nf_conntrack_max: 262_144, nf_conntrack_buckets: 65_536 };
  assert.equal(codeOf(compose(one, wanted, { persist: false })), "nothing-to-do");
  assert.equal(codeOf(compose(one, wanted, { ownSizes })), "nothing-to-do");
  assert.deepEqual(changeOf(compose(one, wanted)).wanted, { ...wanted, nf_conntrack_buckets: 262_144 });
});

test("buckets that were only set by hand are made to last with the capacity they belong to", () => {
  const values = { "net/netfilter/nf_conntrack_buckets": 524_288 };
  const ownSizes = { nf_conntrack_max: 65_536, nf_conntrack_buckets: 65_536 };
  const change = changeOf(compose(host("6.1.0", values), { nf_conntrack_max: 500_000 }, { ownSizes }));
  assert.deepEqual(stepsOf(change), ["net.netfilter.nf_conntrack_max=500000", "net.nf_conntrack_max=500000"]);
  assert.deepEqual(linesOf(change, "/etc/sysctl.d/90-headroom.conf"), [
    "net.netfilter.nf_conntrack_buckets = 524288",
    "net.netfilter.nf_conntrack_max = 500000",
  ]);
});

test("buckets that the kernel chooses itself need no line", () => {
  const values = { "net/netfilter/nf_conntrack_buckets": 262_144 };
  const ownSizes = { nf_conntrack_max: 262_144, nf_conntrack_buckets: 262_144 };
  const change = changeOf(compose(host("6.1.0", values), { nf_conntrack_max: 100_000 }, { ownSizes }));
  assert.deepEqual(linesOf(change, "/etc/sysctl.d/90-headroom.conf"), [
    "net.netfilter.nf_conntrack_max = 100000",
  ]);
});

test("run time only edits no file", () => {
  const change = changeOf(compose(hostNamed("linux-2.6"), { nf_conntrack_max: 131_072 }, { persist: false }));
  assert.deepEqual([change.files, change.persist], [[], false]);
});

test("a program that sets it again: done as usual, with what to change there", () => {
  const node = hostNamed("kube-proxy-node");
  const old = node.state();
  const wanted = { nf_conntrack_tcp_timeout_established: 7200, nf_conntrack_max: 1_210_856 };
  const place = "/var/lib/kube-proxy/config.conf";
  const again = "kube-proxy sets it again when it starts";
  const notLasting = [
    {
      key: "nf_conntrack_tcp_timeout_established",
      wanted: 7200,
      forecast: 86_400,
      why: `${again} (conntrack.tcpEstablishedTimeout 24h (default), ${place}:17)`,
      change: `set conntrack.tcpEstablishedTimeout: 7200s in ${place}:17`,
    },
    {
      key: "nf_conntrack_max",
      wanted: 1_210_856,
      forecast: 524_288,
      why: `${again} (conntrack.maxPerCore 32768 (default), ${place}:13)`,
      change: `set conntrack.maxPerCore: 0 in ${place}:13`,
    },
  ];
  const change = changeOf(compose(node, wanted));
  assert.deepEqual(change.notLasting, notLasting);
  assert.deepEqual(filesOf(change), {
    "/etc/sysctl.d/60-nodes.conf":
      "net.netfilter.nf_conntrack_max = 1210856\nnet.netfilter.nf_conntrack_tcp_timeout_established = 7200\n",
    "/etc/sysctl.d/90-headroom.conf":
      "# Written by headroom apply. Taken back by headroom rollback. Checked by headroom verify.\n" +
      "net.netfilter.nf_conntrack_buckets = 1210880\n",
  });
  assert.equal(applyChange(change, node, making).kind, "applied");
  assert.deepEqual(compose(node, wanted), { kind: "nothing-to-do", notLasting, notes: [] });
  assert.equal(rollbackChange("last", node, making).kind, "rolled-back");
  assert.deepEqual(node.state(), old);
  // What its configuration says after that edit holds.
  for (const [from, to] of [
    ["maxPerCore: null", "maxPerCore: 0"],
    ["tcpEstablishedTimeout: null", "tcpEstablishedTimeout: 7200s"],
  ] as const) {
    node.file(place, (node.text(place) ?? "").replace(from, to));
  }
  assert.deepEqual(changeOf(compose(node, wanted)).notLasting, []);
});

test("a program that only raises what is lower is not in the way of more", () => {
  for (const [version, keys] of [
    ["1.26.3", []],
    ["1.30.1", ["nf_conntrack_max"]],
  ] as const) {
    const node = hostNamed("kube-proxy-node").file("/var/lib/kube-proxy/config.conf", "");
    node.file(
      "/etc/kubernetes/manifests/kube-proxy.yaml",
      `kind: Pod\nspec:\n  containers:\n  - image: registry/kube-proxy:v${version}\n    command:\n` +
        "    - kube-proxy\n    - --conntrack-max-per-core=32768\n",
    );
    const { notLasting } = changeOf(compose(node, { nf_conntrack_max: 1_210_856 }));
    assert.deepEqual(
      notLasting.map(({ key }) => key),
      keys,
    );
  }
});

test("nobody knows who reads the files: a host with systemd and procps, and the change says so", () => {
  for (const conf of [undefined, "net.netfilter.nf_conntrack_udp_timeout=60\n", "# nothing\n"]) {
    const bare = new MemoryHost();
    for (const [path, node] of host().nodes) if (path.startsWith("/proc/sys/")) bare.nodes.set(path, node);
    if (conf !== undefined) bare.file("/etc/sysctl.conf", conf);
    const old = bare.state();
    const change = changeOf(compose(bare, { nf_conntrack_udp_timeout: 20 }));
    assert.deepEqual(change.notLasting, []);
    assert.match(change.notes.join(), /Nothing here tells which program reads sysctl files at boot/);
    assert.deepEqual(linesOf(change, "/etc/modules-load.d/headroom.conf"), ["nf_conntrack"]);
    assert.deepEqual(linesOf(change, "/etc/sysctl.d/90-headroom.conf"), [
      "net.netfilter.nf_conntrack_udp_timeout = 20",
    ]);
    assert.equal(
      filesOf(change)["/etc/sysctl.conf"],
      conf?.includes("=60") === true ? conf.replace("60", "20") : undefined,
    );
    assert.equal(applyChange(change, bare, making).kind, "applied");
    assert.equal(codeOf(compose(bare, { nf_conntrack_udp_timeout: 20 })), "nothing-to-do");
    assert.equal(rollbackChange("last", bare, making).kind, "rolled-back");
    assert.deepEqual(bare.state(), old);
  }
});

const edits: readonly [string, Definition["reader"], string, string][] = [
  ["kube-proxy's floor", "kube-proxy", "conntrack.min", "set conntrack.maxPerCore: 0 in /a:3"],
  ["kube-proxy's flag", "kube-proxy", "--conntrack-min", "set --conntrack-max-per-core=0 in /a:3"],
  [
    "k3s",
    "k3s",
    "--conntrack-tcp-timeout-established",
    "set kube-proxy-arg: conntrack-tcp-timeout-established=20s in /a:3",
  ],
  ["rke", "rke", "--conntrack-max-per-core", "set kube-proxy-arg: conntrack-max-per-core=0 in /a:3"],
  ["tuned", "tuned", "net.netfilter.nf_conntrack_max", "set net.netfilter.nf_conntrack_max=20 in /a:3"],
  ["something else", "docker", "thing", "change thing in /a:3"],
];

for (const [name, reader, field, edit] of edits) {
  test(`what to change where it is set again: ${name}`, () => {
    assert.equal(ownerEdit({ name: field, text: "1", reader, path: "/a", line: 3 }, 20), edit);
  });
}

const refusals: readonly [string, string, Settings, Partial<ChangeFacts>, string][] = [
  ["another namespace", "6.1.0", { nf_conntrack_max: 1 }, { initialNamespace: false }, "other-namespace"],
  [
    "another namespace, buckets",
    "6.1.0",
    { nf_conntrack_buckets: 1 },
    { initialNamespace: false },
    "other-namespace",
  ],
  ["no such setting on this kernel", "6.1.0", { nf_conntrack_udplite_timeout: 5 }, {}, "no-such-setting"],
  ["a count", "6.1.0", { nf_conntrack_count: 5 }, {}, "read-only"],
  ["beyond its range", "6.1.0", { nf_conntrack_udp_timeout: -1 }, {}, "out-of-range"],
  ["no whole number", "6.1.0", { nf_conntrack_udp_timeout: 1.5 }, {}, "out-of-range"],
  ["no limit, where the kernel refuses it", "6.19.0", { nf_conntrack_max: 0 }, {}, "out-of-range"],
  ["no limit, where the kernel takes it", "6.1.0", { nf_conntrack_max: 0 }, {}, "out-of-range"],
  [
    "a kernel that will not have it either once the module is loaded",
    "6.1.0",
    { nf_conntrack_udplite_timeout: 5 },
    { tracker: "none" },
    "no-such-setting",
  ],
];

for (const [name, release, wanted, facts, code] of refusals) {
  test(`refuses: ${name}`, () => {
    const one = host(release);
    assert.equal(codeOf(compose(one, wanted, facts)), code);
    assert.deepEqual(one.writes, []);
  });
}

test("a namespace of its own may set what is its own", () => {
  const change = compose(
    host(),
    { nf_conntrack_udp_timeout: 20 },
    { initialNamespace: false, persist: false },
  );
  assert.equal(codeOf(change), "change");
});

const modules: readonly [string, string][] = [
  ["6.1.0", "nf_conntrack"],
  ["4.18.0", "nf_conntrack_ipv4"],
  ["2.6.18", "ip_conntrack"],
];

for (const [release, module] of modules) {
  test(`${release} without the tracker: ${module} is loaded first`, () => {
    const one = new MemoryHost().file("/proc/sys/kernel/osrelease", release);
    const wanted = { nf_conntrack_tcp_timeout_established: 20 };
    const change = changeOf(compose(one, wanted, { tracker: "none", persist: false }));
    assert.equal(change.module, module);
    assert.deepEqual(
      change.steps.map(({ from, to }) => [from, to]),
      [[undefined, 20]],
    );
  });
}

test("a saved tree without running values: only its files", () => {
  const one = host();
  for (const path of one.nodes.keys()) if (/^\/(proc\/sys\/net|sys)\//.test(path)) one.nodes.delete(path);
  one.live = false;
  const change = changeOf(compose(one, { nf_conntrack_udp_timeout: 20 }, { tracker: "unknown" }));
  assert.deepEqual([change.steps, change.module], [[], undefined]);
  assert.deepEqual(change.notes, ["This tree has no running values: only files are changed"]);
  assert.equal(factsOf(one).savedTree, true);
  const with30 = host();
  with30.live = false;
  with30.file("/etc/sysctl.conf", "net.netfilter.nf_conntrack_udp_timeout=60\n");
  const files = changeOf(compose(with30, { nf_conntrack_udp_timeout: 30 }));
  assert.deepEqual([files.steps, files.notes], [[], []], "the running value is right, and it is there");
});

test("a capacity below what the table holds is said first", () => {
  const one = host("6.1.0", { "net/netfilter/nf_conntrack_count": 50_000 });
  const { notes } = changeOf(compose(one, { nf_conntrack_max: 40_000 }, { persist: false }));
  assert.equal(notes[0], "The table holds 50,000 flows: at a capacity of 40,000 new ones are dropped");
});
