import assert from "node:assert/strict";
import { test } from "node:test";

import { modernPlan, modulePlan } from "../../../test/support/plan-samples.ts";
import type { Plan } from "../plan-shape.ts";
import { ansiblePlaybook } from "./ansible.ts";
import { goDuration, kubeProxyConfiguration } from "./kube-proxy.ts";
import { sysctlFile } from "./sysctl-file.ts";

const nothing: Plan = { settings: [], relief: [], notes: [] };

function linesOf(lines: readonly string[]): string[] {
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

test("sysctlFile() sets timeouts, then buckets, then the capacity", () => {
  assert.deepEqual(linesOf(sysctlFile(modernPlan, "sysctl.d")), [
    "net.netfilter.nf_conntrack_tcp_timeout_established = 86400",
    "net.netfilter.nf_conntrack_udp_timeout = 15",
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait = 60",
    "net.netfilter.nf_conntrack_buckets = 262144",
    "net.netfilter.nf_conntrack_max = 262144",
  ]);
});

test("sysctlFile() of a plan that changes nothing sets nothing", () => {
  assert.deepEqual(linesOf(sysctlFile({ ...modernPlan, plan: nothing }, "sysctl.conf")), []);
});

test("where the module takes the buckets, hashsize never goes without the capacity", () => {
  const plan = {
    ...nothing,
    settings: modulePlan.plan.settings.filter(({ key }) => key === "nf_conntrack_buckets"),
  };
  const lines = sysctlFile({ ...modulePlan, plan }, "sysctl.d");
  assert.deepEqual(linesOf(lines), ["net.netfilter.nf_conntrack_max = 65536"]);
  assert.ok(lines.some((line) => line.includes("options nf_conntrack hashsize=262144")));
});

test("an old tracker has its own names", () => {
  const host = { tracker: "ip_conntrack", kernelRelease: "2.6.18-274.el5" } as const;
  assert.deepEqual(linesOf(sysctlFile({ ...modernPlan, host }, "sysctl.conf")).slice(0, 1), [
    "net.ipv4.netfilter.ip_conntrack_tcp_timeout_established = 86400",
  ]);
});

for (const [release, tracker] of [
  ["2.6.18-274.el5", "ip_conntrack"],
  ["2.6.32-754.el6", "nf_conntrack"],
] as const) {
  test(`sysctlFile() for ${release} names nothing that only systemd reads`, () => {
    const host = { tracker, kernelRelease: release };
    const lines = sysctlFile({ ...modernPlan, host }, "sysctl.d").join("\n");
    assert.doesNotMatch(lines, /modules-load|--system/);
    assert.match(lines, /then: sysctl -p \/etc\/sysctl\.d\/90-headroom\.conf/);
    assert.match(lines, new RegExp(`echo ${tracker} >> /etc/modules`));
    assert.match(lines, /\/etc\/sysconfig\/modules\/conntrack\.modules/);
  });
}

test("what a host calls itself cannot leave a comment", () => {
  const host = { ...modernPlan.host, hostname: "web\nkernel.panic = 1\u2028x" };
  for (const lines of [
    sysctlFile({ ...modernPlan, host }, "sysctl.d"),
    kubeProxyConfiguration({ ...modernPlan, host }),
  ]) {
    assert.ok(
      !lines
        .join("\n")
        .split(/[\n\u2028]/)
        .some((line) => line.startsWith("kernel.panic")),
    );
  }
});

test("ansiblePlaybook() of a plan that changes nothing has no task", () => {
  assert.deepEqual(linesOf(ansiblePlaybook({ ...modernPlan, plan: nothing })), ["---", "[]"]);
});

test("kubeProxyConfiguration() names what kube-proxy cannot do in comments", () => {
  const lines = kubeProxyConfiguration(modernPlan);
  assert.ok(lines.includes("  maxPerCore: 1"), lines.join("\n"));
  assert.ok(lines.includes("  min: 262144"));
  assert.ok(lines.includes("  udpTimeout: 15s"));
  assert.ok(lines.includes("#   net.netfilter.nf_conntrack_buckets = 262144"));
  assert.ok(!lines.some((line) => /^[^#]*time_wait/.test(line)));
  // Some releases lower nothing: then only the host's own file does.
  assert.ok(lines.includes("#   net.netfilter.nf_conntrack_udp_timeout = 15"));
  assert.ok(!lines.some((line) => line.includes("nf_conntrack_max =")));
});

for (const [seconds, text] of [
  [86_400, "24h"],
  [7440, "2h4m"],
  [90, "1m30s"],
  [30, "30s"],
  [259_200, "72h"],
] as const) {
  test(`goDuration() writes ${seconds} as ${text}`, () => assert.equal(goDuration(seconds), text));
}
