/** Every format of a plan, held to the program that reads it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import {
  ansiblePlaybook,
  type FormattedPlan,
  kubeProxyConfiguration,
  sysctlFile,
} from "../../src/plan/plan.ts";
import { reliefFor } from "../../src/plan/relief.ts";
import { modernPlan, modulePlan } from "../support/plan-samples.ts";

const directory = mkdtempSync(join(tmpdir(), "hr-plan-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const LIMIT_MS = 60_000;

/** A program that is missing, or too little privilege, is a reason to skip. */
function unless(...programs: readonly string[]): { skip: string } | object {
  if (process.getuid?.() !== 0) return { skip: "needs root for namespaces of its own" };
  const missing = programs.filter((name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0);
  return missing.length === 0 ? {} : { skip: `not installed: ${missing.join(" ")}` };
}

function file(name: string, lines: readonly string[]): string {
  const path = join(directory, name);
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

/**
 * Runs a script where /proc/sys is plain files that hold 0, and the directories of settings are empty: what a
 * reader writes is what stands in the files afterwards.
 */
function inPlainSystem(script: string, names: readonly string[]): { text: string; status: number | null } {
  const paths = names.map((name) => `/proc/sys/${name.replaceAll(".", "/")}`);
  const lines = [
    "set -e",
    "mount --make-rprivate /",
    "for place in /etc/sysctl.d /run /usr/lib/sysctl.d /etc/modules-load.d /etc/modprobe.d /proc/sys; do",
    '  [ -d "$place" ] && mount -t tmpfs tmpfs "$place"',
    "done",
    `touch ${directory}/empty && mount --bind ${directory}/empty /etc/sysctl.conf 2>/dev/null || true`,
    ...paths.map((path) => `mkdir -p $(dirname ${path}); echo 0 > ${path}`),
    script,
    "echo VALUES",
    ...paths.map((path) => `cat ${path}`),
  ];
  const ran = spawnSync("unshare", ["-m", "sh", "-c", lines.join("\n")], {
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  return { text: `${ran.stdout}${ran.stderr}`, status: ran.status };
}

const WANTED: Readonly<Record<string, string>> = {
  "net.netfilter.nf_conntrack_tcp_timeout_established": "86400",
  "net.netfilter.nf_conntrack_udp_timeout": "15",
  "net.netfilter.nf_conntrack_tcp_timeout_time_wait": "60",
  "net.netfilter.nf_conntrack_buckets": "262144",
  "net.netfilter.nf_conntrack_max": "262144",
};

function assertSet(script: string, formatted: FormattedPlan, values: Readonly<Record<string, string>>): void {
  const { text, status } = inPlainSystem(script, Object.keys(values));
  assert.equal(status, 0, text);
  const found = /VALUES\n([\d\n]*)/.exec(text)?.[1]?.trim().split("\n");
  assert.deepEqual(found, Object.values(values), `${formatted.host.kernelRelease ?? ""}: ${text}`);
}

const systemdSysctl = "/usr/lib/systemd/systemd-sysctl";

test("sysctl --system sets what the file for sysctl.d says", unless("sysctl", "unshare"), () => {
  const path = file("sysctl.d.conf", sysctlFile(modernPlan, "sysctl.d"));
  assertSet(`cp ${path} /etc/sysctl.d/90-headroom.conf; sysctl --system`, modernPlan, WANTED);
});

test("sysctl -p sets what the lines for sysctl.conf say", unless("sysctl", "unshare"), () => {
  const path = file("sysctl.conf", ["# lines of before", "", ...sysctlFile(modernPlan, "sysctl.conf")]);
  assertSet(`sysctl -p ${path}`, modernPlan, WANTED);
});

test("systemd-sysctl sets what the file for sysctl.d says", unless("unshare", systemdSysctl), () => {
  const path = file("systemd.conf", sysctlFile(modernPlan, "sysctl.d"));
  assertSet(`cp ${path} /etc/sysctl.d/90-headroom.conf; ${systemdSysctl}`, modernPlan, WANTED);
});

test(
  "where the module takes the buckets the file names no sysctl for them",
  unless("sysctl", "unshare"),
  () => {
    const lines = sysctlFile(modulePlan, "sysctl.d");
    const path = file("module.conf", lines);
    const { "net.netfilter.nf_conntrack_buckets": _, ...rest } = WANTED;
    assertSet(`sysctl -p ${path}`, modulePlan, rest);
    assert.ok(!lines.some((line) => /^[^#]*buckets/.test(line)), lines.join("\n"));
  },
);

for (const formatted of [modernPlan, modulePlan]) {
  const kernel = formatted.host.kernelRelease ?? "";
  test(
    `ansible-playbook --syntax-check accepts the playbook for ${kernel}`,
    unless("ansible-playbook"),
    () => {
      const lines = ansiblePlaybook(formatted);
      const path = file(`${kernel}.yml`, lines);
      const ran = ansible(["--syntax-check", path]);
      assert.equal(ran.status, 0, ran.text);
      const modules = lines.filter((line) => /^ {6}[a-z._]+:$/.test(line)).map((line) => line.trim());
      assert.ok(modules.length >= 4);
      assert.ok(
        modules.every((name) => name.startsWith("ansible.builtin.")),
        modules.join(" "),
      );
    },
  );
}

test(
  "ansible-playbook carries the playbook out: files, module and values",
  unless("ansible-playbook", "unshare"),
  () => {
    const path = file("run.yml", ansiblePlaybook(modernPlan));
    const stub = join(directory, "stub");
    const script = [
      `mkdir -p ${stub}`,
      `printf '#!/bin/sh\\necho "$@" >> ${stub}/asked\\n' > ${stub}/modprobe`,
      `chmod +x ${stub}/modprobe`,
      `export PATH=${stub}:$PATH HOME=${directory} ANSIBLE_LOCALHOST_WARNING=False`,
      `ansible-playbook -i localhost, -c local ${path}`,
      "cat /etc/modules-load.d/headroom.conf",
      `cp /etc/sysctl.d/90-headroom.conf ${directory}/written`,
    ].join("\n");
    const { text, status } = inPlainSystem(script, Object.keys(WANTED));
    assert.equal(status, 0, text);
    assert.deepEqual(/VALUES\n([\d\n]*)/.exec(text)?.[1]?.trim().split("\n"), Object.values(WANTED), text);
    assert.match(text, /^nf_conntrack$/m);
    assert.equal(readFileSync(join(stub, "asked"), "utf8"), "nf_conntrack\n");
    assert.match(readFileSync(join(directory, "written"), "utf8"), /nf_conntrack_max = 262144\n$/);
  },
);

function ansible(args: readonly string[]): { status: number | null; text: string } {
  const env = { ...process.env, HOME: directory, ANSIBLE_LOCALHOST_WARNING: "False" };
  const ran = spawnSync("ansible-playbook", ["-i", "localhost,", ...args], {
    encoding: "utf8",
    env,
    timeout: LIMIT_MS,
  });
  return { status: ran.status, text: `${ran.stdout}${ran.stderr}` };
}

const fieldsPath = fileURLToPath(new URL("../fixtures/kube-proxy/conntrack-fields.json", import.meta.url));

/**
 * A reader that shares nothing with ours: PyYAML, each key once and known, numbers in the range of int32, and
 * durations as the grammar of Go's time.ParseDuration has them. Prints the values, durations in nanoseconds.
 */
const KUBE_PROXY_READER = `
import json, re, sys, yaml
from decimal import Decimal

class Strict(yaml.SafeLoader):
    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), "a key is given twice: %s" % keys
        return super().construct_mapping(node, deep)

UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}

def duration(value):
    assert isinstance(value, str), "%r is no text" % (value,)
    assert re.fullmatch(r"0|([0-9]*[.]?[0-9]+(ns|us|ms|s|m|h))+", value), "%s is no duration" % value
    parts = re.findall(r"([0-9]*[.]?[0-9]+)(ns|us|ms|s|m|h)", value)
    total = sum(Decimal(amount) * UNITS[unit] for amount, unit in parts)
    assert 0 < total < 2**63, "%s does not fit, or is 0, which leaves the value alone" % value
    return int(total)

def int32(value):
    assert type(value) is int and -2**31 <= value < 2**31, "%r is no int32" % (value,)
    return value

def boolean(value):
    assert type(value) is bool, "%r is no bool" % (value,)
    return value

READERS = {"duration": duration, "int32": int32, "bool": boolean}
fields = json.load(open(sys.argv[1]))
document = yaml.load(open(sys.argv[2]), Strict)
assert set(document) == {"apiVersion", "kind", "conntrack"}, "keys %s" % sorted(document)
assert document["apiVersion"] == "kubeproxy.config.k8s.io/v1alpha1"
assert document["kind"] == "KubeProxyConfiguration"
unknown = set(document["conntrack"]) - set(fields)
assert not unknown, "unknown fields %s" % sorted(unknown)
given = document["conntrack"].items()
json.dump({name: READERS[fields[name]["type"]](value) for name, value in given}, sys.stdout)
`;

function readKubeProxy(lines: readonly string[]): ReturnType<typeof spawnSync> & { text: string } {
  const path = file("kube-proxy.yml", lines);
  const ran = spawnSync("python3", ["-c", KUBE_PROXY_READER, fieldsPath, path], { encoding: "utf8" });
  return { ...ran, text: ran.stdout + ran.stderr };
}

const SECOND_NS = 1_000_000_000;

for (const formatted of [modernPlan, modulePlan]) {
  const kernel = formatted.host.kernelRelease ?? "";
  test(
    `a strict reader takes the configuration of kube-proxy for ${kernel}`,
    unless("python3"),
    (context) => {
      const ran = readKubeProxy(kubeProxyConfiguration(formatted));
      if (ran.text.includes("No module named")) return context.skip("not installed: python3-yaml");
      assert.equal(ran.status, 0, ran.text);
      assert.deepEqual(JSON.parse(ran.text), {
        maxPerCore: 1,
        min: 262_144,
        tcpEstablishedTimeout: 86_400 * SECOND_NS,
        udpTimeout: 15 * SECOND_NS,
      });
    },
  );
}

for (const [wrong, why] of [
  ["  tcpEstablishedTimeout: 1d", "is no duration"],
  ["  tcpEstablishedTimeout: 86400", "is no text"],
  ["  min: 2147483648", "is no int32"],
  ["  min: 5", "given twice"],
  ["  timeWait: 60s", "unknown fields"],
] as const) {
  test(`the strict reader refuses ${wrong.trim()}`, unless("python3"), (context) => {
    const lines = kubeProxyConfiguration(modernPlan).filter((line) => !line.includes("tcpEstablished"));
    const kept = wrong.includes("2147483648") ? lines.filter((line) => !line.startsWith("  min:")) : lines;
    const ran = readKubeProxy([...kept.filter((line) => !line.startsWith("#")), wrong]);
    if (ran.text.includes("No module named")) return context.skip("not installed: python3-yaml");
    assert.notEqual(ran.status, 0);
    assert.ok(ran.text.includes(why), ran.text);
  });
}

const dns = {
  protocol: "udp",
  port: 53,
  flows: 900,
  shareOfFlows: 0.9,
  arrivalsPerSecond: 30,
  shareOfArrivals: 0.95,
};

const reliefs = [false, true].flatMap((translated) => reliefFor([dns], translated, 30));

/** A question to udp port 53 of this namespace, its answer, and what is tracked of it. */
const ASK = `
  const dgram = require("node:dgram"), fs = require("node:fs");
  const server = dgram.createSocket("udp4"), client = dgram.createSocket("udp4");
  server.on("message", (message, from) => server.send(message, from.port, from.address));
  client.on("message", () => {
    console.log(fs.readFileSync("/proc/net/nf_conntrack", "utf8") || "none");
    process.exit(0);
  });
  server.bind(53, "127.0.0.1", () => client.send("?", 53, "127.0.0.1"));
  setTimeout(() => { console.log("no answer"); process.exit(1); }, 3000);
`;

for (const relief of reliefs) {
  const tracked = relief.kind === "untracked" ? /^none\n/ : /^ipv4 +2 udp +17 [45] .*dport=53/;
  test(`nft takes the rules of ${relief.kind}, and they do what they say`, unless("nft", "unshare"), () => {
    const path = file(`${relief.kind}.nft`, [relief.nftables]);
    const rules = file("track.nft", [
      "table inet t { chain i { type filter hook input priority 0; ct state new counter; }; }",
    ]);
    const ask = file("ask.cjs", [ASK]);
    const script = [
      "set -e",
      "ip link set lo up",
      `nft -c -f ${path}`,
      `nft -f ${rules}; nft -f ${path}`,
      `${process.execPath} ${ask}`,
    ].join("\n");
    const ran = spawnSync("unshare", ["-n", "sh", "-c", script], { encoding: "utf8", timeout: LIMIT_MS });
    assert.equal(ran.status, 0, ran.stderr);
    assert.match(ran.stdout, tracked);
  });

  for (const program of ["iptables-restore", "ip6tables-restore"] as const) {
    test(`${program} takes the rules of ${relief.kind}`, unless(program, "unshare"), (context) => {
      const path = file(`${relief.kind}.${program}`, [
        relief[program === "iptables-restore" ? "iptables" : "ip6tables"].trimEnd(),
      ]);
      const before = relief.iptablesBefore ?? [];
      const nfct = existsSync("/usr/sbin/nfct");
      if (before.length > 0 && !nfct) return context.skip("not installed: nfct");
      const commands = [...before, `${program} --test --noflush ${path}`, `${program} --noflush ${path}`];
      const ran = spawnSync("unshare", ["-n", "sh", "-ec", commands.join("\n")], {
        encoding: "utf8",
        timeout: LIMIT_MS,
      });
      assert.equal(ran.status, 0, ran.stderr);
    });
  }
}
