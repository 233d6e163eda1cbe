import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { type MemoryFile, memoryFiles } from "../../test/support/boot-memory.ts";
import type { BootForecast } from "../table/boot.ts";
import { type BootInput, forecastBoot } from "./boot.ts";

const SYSTEMD = "/usr/lib/systemd/systemd-sysctl";
const EARLY = { "/etc/modules-load.d/nf.conf": "nf_conntrack\n" };
const MAX = "net.netfilter.nf_conntrack_max";

type Facts = Partial<Omit<BootInput, "files">>;

function forecast(files: Readonly<Record<string, MemoryFile>>, facts: Facts = {}): BootForecast {
  return forecastBoot({ kernelRelease: "6.1.0", ...facts, files: memoryFiles({ [SYSTEMD]: "", ...files }) });
}

/** A forecast as lines: `key=value`, then its definitions, then what no setting has. */
function lines({ settings, unknown }: BootForecast): readonly string[] {
  const shown = ({ definition, fate, why }: BootForecast["unknown"][number]): string => {
    const { path, line, text } = definition;
    const place = line === undefined ? path : `${path}:${line}`;
    return `  ${fate} ${text} ${place}${why === undefined ? "" : ` (${why})`}`;
  };
  return [
    ...settings.flatMap(({ key, value, because, definitions }) => [
      `${key}=${value ?? "?"}${because === undefined ? "" : ` by ${because}`}`,
      ...definitions.map(shown),
    ]),
    ...unknown.map((each) => `${each.definition.name}${shown(each)}`),
  ];
}

const rows: readonly {
  name: string;
  files: Readonly<Record<string, MemoryFile>>;
  facts?: Facts;
  says: readonly string[];
}[] = [
  {
    name: "a later file wins, whichever directory it is in",
    files: {
      ...EARLY,
      "/etc/sysctl.d/10-a.conf": `${MAX}=100\n`,
      "/usr/lib/sysctl.d/50-b.conf": `${MAX} = 200\n`,
    },
    says: [
      "nf_conntrack_max=200",
      "  overridden 100 /etc/sysctl.d/10-a.conf:1 (/usr/lib/sysctl.d/50-b.conf:1 sets the name again)",
      "  wins 200 /usr/lib/sysctl.d/50-b.conf:1",
    ],
  },
  {
    name: "a file of the same name in a higher directory is read instead",
    files: { ...EARLY, "/etc/sysctl.d/a.conf": `${MAX}=100`, "/usr/lib/sysctl.d/a.conf": `${MAX}=200` },
    says: [
      "nf_conntrack_max=100",
      "  not-read 200 /usr/lib/sysctl.d/a.conf:1 (/etc/sysctl.d/a.conf has the same name and goes first)",
      "  wins 100 /etc/sysctl.d/a.conf:1",
    ],
  },
  {
    name: "a link to /dev/null masks",
    files: { ...EARLY, "/etc/sysctl.d/a.conf": { link: "/dev/null" }, "/run/sysctl.d/a.conf": `${MAX}=200` },
    says: ["nf_conntrack_max=?", "  not-read 200 /run/sysctl.d/a.conf:1 (masked by /etc/sysctl.d/a.conf)"],
  },
  {
    name: "an empty file masks",
    files: { ...EARLY, "/etc/sysctl.d/a.conf": "", "/run/sysctl.d/a.conf": `${MAX}=200` },
    says: ["nf_conntrack_max=?", "  not-read 200 /run/sysctl.d/a.conf:1 (masked by /etc/sysctl.d/a.conf)"],
  },
  {
    name: "on a merged /usr the same file is seen once",
    files: { ...EARLY, "/lib": { link: "usr/lib" }, "/usr/lib/sysctl.d/a.conf": `${MAX}=200` },
    says: ["nf_conntrack_max=200", "  wins 200 /usr/lib/sysctl.d/a.conf:1"],
  },
  {
    name: "a name that does not end in .conf is not read",
    files: { ...EARLY, "/etc/sysctl.d/90-nf": `${MAX}=200` },
    says: ["nf_conntrack_max=?", "  not-read 200 /etc/sysctl.d/90-nf:1 (its name does not end in .conf)"],
  },
  {
    name: "sysctl.conf without a link is not read by systemd-sysctl",
    files: { ...EARLY, "/etc/sysctl.conf": `${MAX}=200` },
    says: [
      "nf_conntrack_max=?",
      "  not-read 200 /etc/sysctl.conf:1 " +
        "(systemd-sysctl does not read it, and no link in /etc/sysctl.d leads to it)",
    ],
  },
  {
    name: "sysctl.conf is read by its link, at the place of the link's name",
    files: {
      ...EARLY,
      "/etc/sysctl.conf": `${MAX}=200`,
      "/etc/sysctl.d/99-sysctl.conf": { link: "../sysctl.conf" },
      "/etc/sysctl.d/999.conf": `${MAX}=300`,
    },
    says: [
      "nf_conntrack_max=300",
      "  overridden 200 /etc/sysctl.d/99-sysctl.conf:1 (/etc/sysctl.d/999.conf:1 sets the name again)",
      "  wins 300 /etc/sysctl.d/999.conf:1",
    ],
  },
  {
    name: "RHEL 7 reads sysctl.conf itself, last",
    files: {
      ...EARLY,
      "/etc/redhat-release": "CentOS Linux release 7.9.2009 (Core)\n",
      "/etc/sysctl.conf": `${MAX}=200`,
      "/etc/sysctl.d/999.conf": `${MAX}=300`,
    },
    facts: { kernelRelease: "3.10.0-1160.el7.x86_64" },
    says: [
      "nf_conntrack_max=200",
      "  overridden 300 /etc/sysctl.d/999.conf:1 (/etc/sysctl.conf:1 sets the name again)",
      "  wins 200 /etc/sysctl.conf:1",
    ],
  },
  {
    name: "both names are one variable, the later one wins",
    files: { ...EARLY, "/etc/sysctl.d/a.conf": `${MAX}=100\nnet.nf_conntrack_max=200\n` },
    says: [
      "nf_conntrack_max=200",
      "  overridden 100 /etc/sysctl.d/a.conf:1 (/etc/sysctl.d/a.conf:2 sets it later)",
      "  wins 200 /etc/sysctl.d/a.conf:2",
    ],
  },
  {
    name: "the same value again keeps its place, so the other name wins",
    files: { ...EARLY, "/etc/sysctl.d/a.conf": `${MAX}=100\nnet.nf_conntrack_max=200\n${MAX}=100\n` },
    says: [
      "nf_conntrack_max=200",
      "  overridden 100 /etc/sysctl.d/a.conf:3 " +
        "(/etc/sysctl.d/a.conf:1 sets the same value before, and keeps its place)",
      "  overridden 100 /etc/sysctl.d/a.conf:1 (/etc/sysctl.d/a.conf:2 sets it later)",
      "  wins 200 /etc/sysctl.d/a.conf:2",
    ],
  },
  {
    name: "slashes, a minus, blanks, comments and line ends of other systems",
    files: {
      ...EARLY,
      "/etc/sysctl.d/a.conf": `# ${MAX}=1\r\n ; ${MAX}=2\r\n\r\n - net/nf_conntrack_max\t=  0x10 \r\nx\r\n`,
    },
    says: ["nf_conntrack_max=16", "  wins 0x10 /etc/sysctl.d/a.conf:4"],
  },
  {
    name: "a pattern leaves alone what has a line of its own, or a minus",
    files: {
      ...EARLY,
      "/etc/sysctl.d/a.conf":
        "net.netfilter.nf_conntrack_udp_timeout = 40\n" +
        "net.netfilter.nf_conntrack_[ui]*_timeout = 50\n-net.netfilter.nf_conntrack_icmpv6_timeout\n",
    },
    says: [
      "nf_conntrack_udp_timeout=40",
      "  wins 40 /etc/sysctl.d/a.conf:1",
      "  overridden 50 /etc/sysctl.d/a.conf:2 (/etc/sysctl.d/a.conf:1 names it without a pattern)",
      "nf_conntrack_icmp_timeout=50",
      "  wins 50 /etc/sysctl.d/a.conf:2",
      "nf_conntrack_icmpv6_timeout=?",
      "  overridden 50 /etc/sysctl.d/a.conf:2 (/etc/sysctl.d/a.conf:3 names it without a pattern)",
    ],
  },
  {
    name: "before systemd 245 there are no patterns",
    files: {
      ...EARLY,
      "/usr/lib/systemd/libsystemd-shared-239.so": "",
      "/etc/sysctl.d/a.conf": "net.netfilter.nf_conntrack_udp_t* = 50",
    },
    says: [
      "net.netfilter.nf_conntrack_udp_t*  refused 50 /etc/sysctl.d/a.conf:1 " +
        "(no kernel has net.netfilter.nf_conntrack_udp_t*)",
    ],
  },
  {
    name: "what the kernel refuses does not override",
    files: {
      ...EARLY,
      "/etc/sysctl.d/a.conf":
        `net.nf_conntrack_max = 100\n${MAX} = 1e6\nnet.netfilter.nf_conntrack_acct = 2\n` +
        "net.netfilter.nf_conntrack_count = 1\nnet.netfilter.nf_conntrack_tcp_timeout_established = 12h\n" +
        "net.netfilter.nf_conntrack_tcp_timeout_close =\n",
    },
    says: [
      "nf_conntrack_max=100",
      "  wins 100 /etc/sysctl.d/a.conf:1",
      "  refused 1e6 /etc/sysctl.d/a.conf:2 (1e6 is not a whole number)",
      "nf_conntrack_count=?",
      "  refused 1 /etc/sysctl.d/a.conf:4 (it can only be read)",
      "nf_conntrack_acct=?",
      "  refused 2 /etc/sysctl.d/a.conf:3 (2 is not within 0 to 1)",
      "nf_conntrack_tcp_timeout_established=?",
      "  refused 12h /etc/sysctl.d/a.conf:5 (12h is not a whole number)",
      "nf_conntrack_tcp_timeout_close=?",
      "  refused  /etc/sysctl.d/a.conf:6 (it has no value)",
    ],
  },
  {
    name: "names of the old generation, and names that no kernel has",
    files: {
      ...EARLY,
      "/etc/sysctl.d/a.conf":
        "net.ipv4.netfilter.ip_conntrack_max = 100\nnet.netfilter.nf_conntrack_maximum = 200\n" +
        "net.ipv4.tcp_syncookies = 1\n",
    },
    says: [
      "nf_conntrack_max=?",
      "  refused 100 /etc/sysctl.d/a.conf:1 (kernel 6.1.0 has no net.ipv4.netfilter.ip_conntrack_max)",
      "net.netfilter.nf_conntrack_maximum  refused 200 /etc/sysctl.d/a.conf:2 " +
        "(no kernel has net.netfilter.nf_conntrack_maximum)",
    ],
  },
  {
    name: "a name the registry does not know is set where /proc/sys has it",
    files: {
      ...EARLY,
      "/proc/sys/net/netfilter/nf_conntrack_new": "0",
      "/etc/sysctl.d/a.conf": "net.netfilter.nf_conntrack_new = 1\n",
    },
    says: ["net.netfilter.nf_conntrack_new  wins 1 /etc/sysctl.d/a.conf:1"],
  },
  {
    name: "buckets are rounded up to whole pages",
    files: { ...EARLY, "/etc/sysctl.d/a.conf": "net.netfilter.nf_conntrack_buckets = 1000" },
    says: ["nf_conntrack_buckets=1024", "  wins 1000 /etc/sysctl.d/a.conf:1"],
  },
  {
    name: "buckets can only be read before 4.7",
    files: { ...EARLY, "/etc/sysctl.d/a.conf": "net.netfilter.nf_conntrack_buckets = 1000" },
    facts: { kernelRelease: "4.4.0" },
    says: [
      "nf_conntrack_buckets=?",
      "  refused 1000 /etc/sysctl.d/a.conf:1 " +
        "(it can only be read before 4.7; hashsize of the module sets it)",
    ],
  },
  {
    name: "hashsize alone makes the capacity eight times as large",
    files: { ...EARLY, "/etc/modprobe.d/nf.conf": "options nf_conntrack hashsize=100000 acct=1\n" },
    says: [
      "nf_conntrack_max=802816 by hashsize",
      "hashsize=100352",
      "  wins 100000 /etc/modprobe.d/nf.conf:1",
      "nf_conntrack_acct=1",
      "  wins 1 /etc/modprobe.d/nf.conf:1",
    ],
  },
  {
    name: "with a capacity of its own, hashsize leaves it alone",
    files: {
      ...EARLY,
      "/etc/modprobe.d/nf.conf": "options nf_conntrack hashsize=1024",
      "/etc/sysctl.d/a.conf": `${MAX} = 5000`,
    },
    says: [
      "nf_conntrack_max=5000",
      "  wins 5000 /etc/sysctl.d/a.conf:1",
      "hashsize=1024",
      "  wins 1024 /etc/modprobe.d/nf.conf:1",
    ],
  },
  {
    name: "options add up over lines and files, the later one wins; the command line wins over all",
    files: {
      ...EARLY,
      "/etc/modprobe.d/z.conf": "options nf_conntrack hashsize=1024\n",
      "/usr/lib/modprobe.d/a.conf": "# x\noptions nf-conntrack \\\n hashsize=512 tstamp=1\n",
      "/proc/cmdline": "root=/dev/sda nf_conntrack.hashsize=2048 quiet\n",
    },
    says: [
      "nf_conntrack_max=16384 by hashsize",
      "hashsize=2048",
      "  overridden 512 /usr/lib/modprobe.d/a.conf:2 (/etc/modprobe.d/z.conf:1 sets it later)",
      "  overridden 1024 /etc/modprobe.d/z.conf:1 (/proc/cmdline sets it later)",
      "  wins 2048 /proc/cmdline",
      "nf_conntrack_timestamp=1",
      "  wins 1 /usr/lib/modprobe.d/a.conf:2",
    ],
  },
  {
    name: "options nobody uses: no such parameter, no such module, an old file, built in",
    files: {
      ...EARLY,
      "/etc/modprobe.d/a.conf": "options nf_conntrack nf_conntrack_max=5\noptions ip_conntrack hashsize=6\n",
      "/etc/modprobe.conf": "options nf_conntrack hashsize=7\n",
    },
    says: [
      "hashsize=?",
      "  not-read 7 /etc/modprobe.conf:1 (modprobe does not read it any more)",
      "  not-read 6 /etc/modprobe.d/a.conf:2 (this kernel has no module ip_conntrack)",
      "nf_conntrack.nf_conntrack_max  refused 5 /etc/modprobe.d/a.conf:1 " +
        "(the module has no such parameter; the kernel passes over it)",
    ],
  },
  {
    name: "a built-in tracker takes its parameters and settings from the command line",
    files: {
      "/etc/modprobe.d/a.conf": "options nf_conntrack hashsize=512\n",
      "/proc/cmdline": `nf_conntrack.hashsize=1024 sysctl.${MAX}=4000`,
    },
    facts: { trackerBuiltin: true },
    says: [
      "nf_conntrack_max=4000",
      "  wins 4000 /proc/cmdline",
      "hashsize=1024",
      "  wins 1024 /proc/cmdline",
      "  not-read 512 /etc/modprobe.d/a.conf:1 (the tracker is part of the kernel)",
    ],
  },
  {
    name: "settings of the command line come too early for a module",
    files: { ...EARLY, "/proc/cmdline": `sysctl.${MAX}=4000` },
    says: [
      "nf_conntrack_max=?",
      "  too-early 4000 /proc/cmdline (the kernel reads its command line before any module is loaded)",
    ],
  },
  {
    name: "the boot loader's command line counts, not the one of this boot",
    files: {
      "/boot/grub/grub.cfg": "menuentry 'a' {\n\tlinux /vmlinuz root=x nf_conntrack.hashsize=1024\n}\n",
      "/etc/default/grub": 'GRUB_CMDLINE_LINUX="nf_conntrack.hashsize=1024 nf_conntrack.acct=1"\n',
      "/proc/cmdline": "nf_conntrack.hashsize=512",
    },
    facts: { trackerBuiltin: true },
    says: [
      "nf_conntrack_max=8192 by hashsize",
      "hashsize=1024",
      "  wins 1024 /boot/grub/grub.cfg:2",
      "  not-read 512 /proc/cmdline (only this boot has it)",
      "nf_conntrack_acct=?",
      "  not-read 1 /etc/default/grub:1 (/boot/grub/grub.cfg does not have it yet; update-grub)",
    ],
  },
  {
    name: "without anything that loads the tracker, settings come too early",
    files: { "/etc/sysctl.d/a.conf": `${MAX} = 5000` },
    says: [
      "nf_conntrack_max=?",
      "  too-early 5000 /etc/sysctl.d/a.conf:1 " +
        "(nothing loads the tracker before; the name does not exist yet)",
    ],
  },
  {
    name: "a service comes too early, too, where nothing loads the tracker; parameters hold all the same",
    files: {
      "/etc/modprobe.d/a.conf": "options nf_conntrack hashsize=1024",
      "/usr/lib/systemd/system/tuned.service": "[Unit]",
      "/etc/systemd/system/multi-user.target.wants/tuned.service": "",
      "/etc/tuned/active_profile": "mine",
      "/etc/tuned/mine/tuned.conf": `[sysctl]\n${MAX}=5000\n`,
    },
    says: [
      "nf_conntrack_max=8192 by hashsize",
      "  too-early 5000 /etc/tuned/mine/tuned.conf:2 " +
        "(nothing loads the tracker before; the name does not exist yet)",
      "hashsize=1024",
      "  wins 1024 /etc/modprobe.d/a.conf:1",
    ],
  },
  {
    name: "kube-proxy that only raises leaves a longer default alone",
    files: {
      ...EARLY,
      "/etc/kubernetes/manifests/kube-proxy.yaml":
        "spec:\n  containers:\n  - command:\n    - kube-proxy\n    - --conntrack-max-per-core=0\n" +
        "    - --conntrack-tcp-timeout-close-wait=0s\n    image: kube-proxy:v1.25.1\n",
    },
    says: [
      "nf_conntrack_max=?",
      "  not-read 0 /etc/kubernetes/manifests/kube-proxy.yaml:5 (0 leaves the value alone)",
      "nf_conntrack_tcp_timeout_established=?",
      "  sets-again 24h (default) /etc/kubernetes/manifests/kube-proxy.yaml " +
        "(only where the value is lower; 432000 is not)",
      "nf_conntrack_tcp_timeout_close_wait=?",
      "  not-read 0s /etc/kubernetes/manifests/kube-proxy.yaml:6 (0 leaves the value alone)",
    ],
  },
  {
    name: "firewall rules load the tracker too late; parameters hold all the same",
    files: {
      "/etc/sysctl.d/a.conf": `${MAX} = 5000`,
      "/etc/modprobe.d/a.conf": "options nf_conntrack hashsize=1024",
      "/etc/systemd/system/sysinit.target.wants/nftables.service": {
        link: "/lib/systemd/system/nftables.service",
      },
      "/lib/systemd/system/nftables.service": "[Unit]",
      "/etc/nftables.conf": "table inet f { chain i { ct state established accept } }",
    },
    says: [
      "nf_conntrack_max=8192 by hashsize",
      "  too-early 5000 /etc/sysctl.d/a.conf:1 (the tracker is loaded only later, " +
        "by the rules of nftables (/etc/nftables.conf); the name does not exist yet)",
      "hashsize=1024",
      "  wins 1024 /etc/modprobe.d/a.conf:1",
    ],
  },
  {
    name: "a rule of udev sets them again when the module appears",
    files: {
      "/etc/sysctl.d/a.conf": `${MAX} = 5000\nnet.nf_conntrack_max = 6000\n`,
      "/etc/udev/rules.d/9.rules":
        'ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack", \\\n' +
        '  RUN+="/usr/lib/systemd/systemd-sysctl --prefix=/net/netfilter"\n',
    },
    says: [
      "nf_conntrack_max=5000",
      "  too-early 6000 /etc/sysctl.d/a.conf:2 " +
        "(nothing loads the tracker before; the name does not exist yet)",
      "  wins 5000 /etc/sysctl.d/a.conf:1",
    ],
  },
  {
    name: "a rule of udev for another module sets nothing",
    files: {
      "/etc/sysctl.d/a.conf": `${MAX} = 5000`,
      "/usr/lib/udev/rules.d/9.rules":
        'ACTION=="add", SUBSYSTEM=="net", KERNEL!="lo", RUN+="systemd-sysctl --prefix=/net/ipv4"\n' +
        'ACTION=="add", SUBSYSTEM=="module", KERNEL=="br_netfilter", RUN+="/lib/systemd/systemd-sysctl"\n',
    },
    says: [
      "nf_conntrack_max=?",
      "  too-early 5000 /etc/sysctl.d/a.conf:1 " +
        "(nothing loads the tracker before; the name does not exist yet)",
    ],
  },
  {
    name: "an install line sets values once the module is there",
    files: {
      ...EARLY,
      "/etc/modprobe.d/a.conf":
        `install nf_conntrack /sbin/modprobe -i nf_conntrack && /sbin/sysctl -q -w ${MAX}=7000; ` +
        "echo 4096 > /sys/module/nf_conntrack/parameters/hashsize\n",
    },
    says: [
      "nf_conntrack_max=7000",
      "  wins 7000 /etc/modprobe.d/a.conf:1",
      "hashsize=4096",
      "  wins 4096 /etc/modprobe.d/a.conf:1",
    ],
  },
  {
    name: "systemd-sysctl that is masked reads nothing",
    files: {
      ...EARLY,
      "/etc/systemd/system/systemd-sysctl.service": { link: "/dev/null" },
      "/etc/sysctl.d/a.conf": `${MAX} = 5000`,
    },
    says: ["nf_conntrack_max=?", "  not-read 5000 /etc/sysctl.d/a.conf:1 (systemd-sysctl.service is masked)"],
  },
];

for (const { name, files, facts, says } of rows) {
  test(`forecast: ${name}`, () => {
    assert.deepEqual(lines(forecast(files, facts)), says);
  });
}

const OLD = {
  "/etc/rc.d/rc.sysinit": "sysctl -e -p /etc/sysctl.conf >/dev/null 2>&1\n",
  "/etc/sysctl.conf": "net.ipv4.netfilter.ip_conntrack_max = 5000\n",
  "/etc/sysctl.d/a.conf": "net.ipv4.netfilter.ip_conntrack_max = 6000\n",
  "/etc/modprobe.conf": "alias eth0 e1000\noptions ip_conntrack hashsize=1000\n",
  "/etc/rc.d/rc3.d/S08iptables": "",
  "/etc/rc.d/rc3.d/S10network": "",
  "/etc/sysconfig/iptables": "-A INPUT -m state --state ESTABLISHED -j ACCEPT\n",
};

function oldForecast(files: Readonly<Record<string, MemoryFile>>): BootForecast {
  return forecastBoot({ kernelRelease: "2.6.18-274.el5", files: memoryFiles({ ...OLD, ...files }) });
}

test("forecast: RHEL 5 reads sysctl.conf alone, before iptables loads the tracker", () => {
  const found = oldForecast({});
  assert.equal(found.sysctlReader, "procps");
  assert.deepEqual(found.tracker, { when: "late", by: "iptables rules (/etc/sysconfig/iptables)" });
  assert.deepEqual(lines(found), [
    "nf_conntrack_max=8000 by hashsize",
    "  not-read 6000 /etc/sysctl.d/a.conf:1 (the boot script reads only /etc/sysctl.conf)",
    "  too-early 5000 /etc/sysctl.conf:1 (the tracker is loaded only later, " +
      "by iptables rules (/etc/sysconfig/iptables); the name does not exist yet)",
    "hashsize=1000",
    "  wins 1000 /etc/modprobe.conf:2",
  ]);
});

test("forecast: RHEL's network script reads the settings again, after the firewall", () => {
  const found = oldForecast({ "/etc/rc.d/init.d/network": "start)\n  sysctl -e -p /etc/sysctl.conf\n" });
  assert.equal(found.settings.find(({ key }) => key === "nf_conntrack_max")?.value, 5000);
});

test("forecast: the iptables script reads again what its list names", () => {
  const found = oldForecast({
    "/etc/sysconfig/iptables-config": 'IPTABLES_SYSCTL_LOAD_LIST="ip_conntrack"\n',
  });
  assert.equal(found.settings.find(({ key }) => key === "nf_conntrack_max")?.value, 5000);
});

test("unseen: files and directories that cannot be read are named, and the rest is worked out", () => {
  const found = forecast({
    ...EARLY,
    "/etc/sysctl.d/a.conf": { refused: "not-permitted", why: "permission denied" },
    "/etc/sysctl.d/b.conf": { refused: "too-long", why: "it is longer than 4194304 bytes" },
    "/etc/modprobe.d/c.conf": { refused: "unreadable", why: "it is a pipe" },
    "/etc/sysctl.d/d.conf": `${MAX}=5\n`,
  });
  assert.deepEqual(lines(found), ["nf_conntrack_max=5", "  wins 5 /etc/sysctl.d/d.conf:1"]);
  assert.deepEqual(
    found.unseen.map(({ what, why, cause }) => `${what}: ${why} (${cause})`),
    [
      "/etc/modprobe.d/c.conf: it is a pipe (unreadable)",
      "/etc/sysctl.d/a.conf: permission denied (not-permitted)",
      "/etc/sysctl.d/b.conf: it is longer than 4194304 bytes (unreadable)",
    ],
  );
});

test("unseen: a copy of the options in the initramfs", () => {
  const found = forecast({
    "/etc/initramfs-tools/modules": "nf_conntrack\n",
    "/etc/modprobe.d/a.conf": "options nf_conntrack hashsize=1024\n",
  });
  assert.deepEqual(
    found.unseen.map(({ what }) => what),
    ["initramfs image"],
  );
});

test("forecast: a tree with nothing in it says so", () => {
  const found = forecastBoot({ files: memoryFiles({}) });
  assert.equal(found.sysctlReader, "unknown");
  const listed = forecastBoot({ files: memoryFiles({ "/etc/modules-load.d/nf.conf": "nf_conntrack" }) });
  assert.deepEqual(listed.tracker, { when: "early", by: "/etc/modules-load.d/nf.conf:1" });
  assert.deepEqual(found.settings, []);
  assert.deepEqual(
    found.unseen.map(({ what }) => what),
    ["program that reads sysctl files at boot"],
  );
});

test("forecast: whatever is in the files, nothing is thrown and every line is told once", () => {
  const word = fc.constantFrom(
    "net.netfilter.nf_conntrack_max",
    "net/nf_conntrack_max",
    "net.netfilter.nf_conntrack_*",
    "options",
    "install",
    "nf_conntrack",
    "hashsize=",
    "sysctl",
    "-w",
    "=",
    "-",
    "[",
    "\\",
    '"',
    "'",
    "\n",
    "\r",
    "\0",
    "#",
    " ",
    "0x",
    "12",
    "\ufffd",
  );
  const text = fc
    .array(fc.oneof(word, fc.string({ maxLength: 4 })), { maxLength: 30 })
    .map((all) => all.join(""));
  const paths = [
    "/etc/sysctl.d/a.conf",
    "/etc/modprobe.d/a.conf",
    "/etc/modules-load.d/a.conf",
    "/etc/udev/rules.d/a.rules",
    "/proc/cmdline",
    "/etc/default/grub",
    "/boot/grub/grub.cfg",
    "/etc/sysctl.conf",
    "/etc/rc.local",
    "/etc/ufw/ufw.conf",
  ];
  const trees = fc.record(Object.fromEntries(paths.map((path) => [path, text])), { requiredKeys: [] });
  fc.assert(
    fc.property(trees, fc.constantFrom("2.6.18", "4.4", "6.1.0"), (files, kernelRelease) => {
      const { settings, unknown } = forecast(files as Record<string, MemoryFile>, { kernelRelease });
      for (const { winner, definitions } of settings) {
        if (winner === undefined) continue;
        const standing = definitions.filter(({ fate }) => fate === "wins" || fate === "sets-again");
        assert.ok(standing.some(({ definition }) => definition === winner) || definitions.length === 0);
      }
      assert.ok(unknown.every(({ definition }) => definition.key === undefined));
    }),
    { numRuns: 300 },
  );
});

test("forecast: links in a circle and a directory in place of a file stop nothing", () => {
  const found = forecast({
    ...EARLY,
    "/etc/sysctl.d/a.conf": { link: "b.conf" },
    "/etc/sysctl.d/b.conf": { link: "a.conf" },
    "/etc/sysctl.d/c.conf/inner": "x",
    "/etc/sysctl.d/d.conf": `${MAX}=5\n`,
  });
  assert.deepEqual(lines(found), ["nf_conntrack_max=5", "  wins 5 /etc/sysctl.d/d.conf:1"]);
  assert.deepEqual(
    found.unseen.map(({ what }) => what),
    ["/etc/sysctl.d/c.conf"],
  );
});
