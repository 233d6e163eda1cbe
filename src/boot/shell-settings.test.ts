import assert from "node:assert/strict";
import { test } from "node:test";

import { shellSteps } from "./shell-settings.ts";

const MAX = "net.netfilter.nf_conntrack_max";

/** A step in one line. */
function said(text: string): readonly string[] {
  return shellSteps(text).map((step) => {
    switch (step.does) {
      case "set":
        return `${step.line}: ${step.name}=${step.text}`;
      case "read-file":
        return `${step.line}: reads ${step.path}`;
      case "read-all":
        return `${step.line}: ${step.by} ${step.prefixes.join(" ")}`.trimEnd();
      case "load":
        return `${step.line}: loads ${step.module} ${step.options.join(" ")}`.trimEnd();
      default:
        return assert.fail("a step of no kind");
    }
  });
}

for (const [text, steps] of [
  [`sysctl -w ${MAX}=5`, [`1: ${MAX}=5`]],
  [`/sbin/sysctl -q ${MAX}="5" net.nf_conntrack_max=6`, [`1: ${MAX}=5`, "1: net.nf_conntrack_max=6"]],
  [`sysctl ${MAX}`, []],
  [`#sysctl -w ${MAX}=5\nsysctl -w ${MAX}=6 # ${MAX}=7`, [`2: ${MAX}=6`]],
  ["sysctl -p", ["1: reads /etc/sysctl.conf"]],
  ["sysctl -e -p /etc/a.conf /etc/b.conf", ["1: reads /etc/a.conf", "1: reads /etc/b.conf"]],
  ["sysctl --load=/etc/a.conf", ["1: reads /etc/a.conf"]],
  ["sysctl -q --system", ["1: procps"]],
  ["/lib/systemd/systemd-sysctl --prefix=/net/netfilter", ["1: systemd-sysctl /net/netfilter"]],
  ["systemd-sysctl --prefix net", ["1: systemd-sysctl net"]],
  ["echo 5 > /proc/sys/net/netfilter/nf_conntrack_max", ["1: net/netfilter/nf_conntrack_max=5"]],
  ["echo -n '5'>/proc/sys/net/nf_conntrack_max", ["1: net/nf_conntrack_max=5"]],
  ["printf '5\\n' > /proc/sys/net/nf_conntrack_max", ["1: net/nf_conntrack_max=5"]],
  ["echo 5 | sudo tee /proc/sys/net/nf_conntrack_max", ["1: net/nf_conntrack_max=5"]],
  ["echo 5 > /sys/module/nf_conntrack/parameters/hashsize", ["1: nf_conntrack.hashsize=5"]],
  ["echo 5 > /tmp/x", []],
  ["modprobe nf_conntrack hashsize=5", ["1: loads nf_conntrack hashsize=5"]],
  ["modprobe -a nf_conntrack nf_nat", ["1: loads nf_conntrack", "1: loads nf_nat"]],
  ["modprobe -r nf_conntrack", []],
  [`modprobe -i x && { sysctl -w ${MAX}=5; }`, ["1: loads x", `1: ${MAX}=5`]],
  [`if true; then\n  sysctl -w \\\n    ${MAX}=5\nfi`, [`2: ${MAX}=5`]],
  [`/bin/sh -c "sleep 1; sysctl -w ${MAX}=5"`, [`1: ${MAX}=5`]],
] as const) {
  test(`script: ${text.replaceAll("\n", " / ")}`, () => {
    assert.deepEqual(said(text), steps);
  });
}
