import assert from "node:assert/strict";
import { test } from "node:test";

import { type MemoryFile, memoryFiles } from "../../test/support/boot-memory.ts";
import type { BootForecast } from "../table/boot.ts";
import { type BootInput, forecastBoot } from "./boot.ts";

const SYSTEMD = "/usr/lib/systemd/systemd-sysctl";
const EARLY = { "/etc/modules-load.d/nf.conf": "nf_conntrack\n" };

type Facts = Partial<Omit<BootInput, "files">>;

function forecast(files: Readonly<Record<string, MemoryFile>>, facts: Facts = {}): BootForecast {
  return forecastBoot({ kernelRelease: "6.1.0", ...facts, files: memoryFiles({ [SYSTEMD]: "", ...files }) });
}

const loads: readonly {
  name: string;
  files: Readonly<Record<string, MemoryFile>>;
  is: BootForecast["tracker"];
}[] = [
  { name: "nothing", files: {}, is: { when: "unknown" } },
  { name: "modules-load.d", files: EARLY, is: { when: "early", by: "/etc/modules-load.d/nf.conf:1" } },
  {
    name: "a module that needs it",
    files: { "/etc/modules-load.d/x.conf": "# a\n\nloop\nxt_conntrack\n" },
    is: { when: "early", by: "/etc/modules-load.d/x.conf:4" },
  },
  {
    name: "the kernel's own list of needs",
    files: {
      "/etc/modules-load.d/x.conf": "mine\n",
      "/lib/modules/6.1.0/modules.dep": "extra/mine.ko.xz: kernel/net/netfilter/nf_conntrack.ko.xz\n",
    },
    is: { when: "early", by: "/etc/modules-load.d/x.conf:1" },
  },
  {
    name: "a blacklist keeps systemd-modules-load from it",
    files: { ...EARLY, "/etc/modprobe.d/b.conf": "blacklist nf_conntrack" },
    is: { when: "unknown" },
  },
  {
    name: "an install line with /bin/true keeps everybody from it",
    files: { ...EARLY, "/etc/modprobe.d/b.conf": "install nf_conntrack /bin/true" },
    is: { when: "unknown" },
  },
  {
    name: "a masked list",
    files: {
      "/etc/modules-load.d/x.conf": { link: "/dev/null" },
      "/usr/lib/modules-load.d/x.conf": "nf_conntrack",
    },
    is: { when: "unknown" },
  },
  {
    name: "/etc/modules is not read without a link to it",
    files: { "/etc/modules": "nf_conntrack\n" },
    is: { when: "unknown" },
  },
  {
    name: "/etc/modules by Debian's link",
    files: { "/etc/modules": "nf_conntrack\n", "/etc/modules-load.d/modules.conf": { link: "../modules" } },
    is: { when: "early", by: "/etc/modules-load.d/modules.conf:1" },
  },
  {
    name: "the command line",
    files: { "/proc/cmdline": "quiet modules_load=loop,nf_conntrack" },
    is: { when: "early", by: "/proc/cmdline" },
  },
  {
    name: "the initramfs",
    files: { "/etc/initramfs-tools/modules": "nf_conntrack\n" },
    is: { when: "early", by: "/etc/initramfs-tools/modules:1 (in the initramfs)" },
  },
  {
    name: "dracut",
    files: { "/etc/dracut.conf.d/n.conf": 'force_drivers+=" nf_conntrack "\n' },
    is: { when: "early", by: "/etc/dracut.conf.d/n.conf:1 (in the initramfs)" },
  },
  {
    name: "the kernel's configuration",
    files: { "/boot/config-6.1.0": "CONFIG_NF_CONNTRACK=y\n" },
    is: { when: "builtin" },
  },
  {
    name: "the kernel's list of what is built in",
    files: { "/lib/modules/6.1.0/modules.builtin": "kernel/net/netfilter/nf_conntrack.ko\n" },
    is: { when: "builtin" },
  },
  {
    name: "loaded now, and not as a module",
    files: { "/proc/modules": "loop 1 0 - Live 0x0\n", "/proc/sys/net/netfilter/nf_conntrack_max": "1\n" },
    is: { when: "builtin" },
  },
  {
    name: "there now, on a running kernel that has no modules at all",
    files: { "/proc/self/status": "", "/proc/sys/net/netfilter/nf_conntrack_max": "1\n" },
    is: { when: "builtin" },
  },
  {
    name: "there, in a saved tree that does not tell how",
    files: { "/proc/sys/net/netfilter/nf_conntrack_max": "1\n" },
    is: { when: "unknown" },
  },
  {
    name: "there now, loaded as a module by somebody",
    files: {
      "/proc/modules": "nf_conntrack 1 0 - Live 0x0\n",
      "/proc/sys/net/netfilter/nf_conntrack_max": "1\n",
    },
    is: { when: "unknown" },
  },
  {
    name: "nftables without a rule that tracks",
    files: {
      "/etc/systemd/system/sysinit.target.wants/nftables.service": "",
      "/etc/nftables.conf": "table inet f { chain i { tcp dport 22 accept } }",
    },
    is: { when: "unknown" },
  },
];

for (const { name, files, is } of loads) {
  test(`tracker: ${name}`, () => {
    assert.deepEqual(forecast(files).tracker, is);
  });
}
