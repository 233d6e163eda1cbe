import assert from "node:assert/strict";
import { test } from "node:test";
import { type MemoryFile, memoryFiles } from "../../test/support/boot-memory.ts";
import { readDocker } from "./owner-docker.ts";
import { readK3s, readRke } from "./owner-k3s.ts";
import { readKubeProxy, startOfManifest } from "./owner-kube-proxy.ts";
import { readNetworkScript, readRcLocal } from "./owner-rc-local.ts";
import { readTuned } from "./owner-tuned.ts";
import { readUfw } from "./owner-ufw.ts";
import { goSeconds } from "./kube-conntrack.ts";
import type { OwnerReader } from "./owner.ts";
import { ownerReaders } from "./owners.ts";

type Tree = Readonly<Record<string, MemoryFile>>;

const wants = (unit: string): Tree => ({
  [`/etc/systemd/system/multi-user.target.wants/${unit}.service`]: "[Unit]",
  [`/usr/lib/systemd/system/${unit}.service`]: "[Unit]",
});
const max = "net.netfilter.nf_conntrack_max";
const ufw: Tree = {
  ...wants("ufw"),
  "/etc/ufw/ufw.conf": "ENABLED=yes\n",
  "/etc/default/ufw": 'IPT_SYSCTL=/etc/ufw/sysctl.conf\nIPT_MODULES=""\n',
  "/etc/ufw/sysctl.conf":
    "#net/ipv4/ip_forward=1\nnet/ipv4/ip_forward=1\nnet/netfilter/nf_conntrack_max=131072\n",
};
const tuned = (profile: string, more: Tree = {}): Tree => ({
  ...wants("tuned"),
  "/etc/tuned/active_profile": "mine\n",
  "/etc/tuned/mine/tuned.conf": profile,
  ...more,
});
const openshift: Tree = {
  "/usr/lib/tuned/openshift/tuned.conf":
    "[main]\ninclude=$" +
    "{f:virt_check:guest:plain}\n[net]\nnf_conntrack_hashsize=1048576\n" +
    `[sysctl]\n${max}=1048576\n`,
  "/usr/lib/tuned/guest/tuned.conf": "[main]\ninclude=plain\n[sysctl]\nvm.swappiness = 30\n",
  "/usr/lib/tuned/plain/tuned.conf": "[sysctl]\nvm.swappiness=10\n",
};
const kubeConfig = (conntrack: string): Tree => ({
  "/var/lib/kube-proxy/config.conf": `kind: KubeProxyConfiguration\n${conntrack}mode: ""\n`,
});
const kubeUnit = (flags: string): Tree => ({
  "/etc/kubernetes/kubelet.conf": "",
  "/etc/systemd/system/multi-user.target.wants/kube-proxy.service": "",
  "/etc/systemd/system/kube-proxy.service": `[Service]\nExecStart=/usr/bin/kube-proxy \\\n  ${flags}\n`,
});
const k3s = (config: string): Tree => ({ ...wants("k3s"), "/etc/rancher/k3s/config.yaml": config });

/** What each owner sets: `key=value@path:line`, `^` it only raises, `!` it never happens. 16 CPUs. */
const cases: readonly [string, OwnerReader, Tree, readonly string[]][] = [
  ["ufw is not here", readUfw, {}, []],
  ["ufw reads its own file", readUfw, ufw, ["nf_conntrack_max=131072@/etc/ufw/sysctl.conf:3"]],
  [
    "ufw is switched off",
    readUfw,
    { ...ufw, "/etc/ufw/ufw.conf": "ENABLED=no" },
    ["!nf_conntrack_max=131072@/etc/ufw/sysctl.conf:3"],
  ],
  [
    "ufw is masked",
    readUfw,
    { ...ufw, "/etc/systemd/system/ufw.service": { link: "/dev/null" } },
    ["!nf_conntrack_max=131072@/etc/ufw/sysctl.conf:3"],
  ],
  [
    "ufw reads the host's file",
    readUfw,
    { ...ufw, "/etc/default/ufw": "IPT_SYSCTL=/etc/sysctl.conf", "/etc/sysctl.conf": `${max} = 9` },
    ["nf_conntrack_max=9@/etc/sysctl.conf:1"],
  ],
  ["ufw reads no file", readUfw, { ...ufw, "/etc/default/ufw": "IPT_SYSCTL=" }, []],

  [
    "rc.local of Debian",
    readRcLocal,
    { "/etc/rc.local": { script: `#!/bin/sh\nsysctl -w ${max}=7\nexit 0\n` } },
    ["nf_conntrack_max=7@/etc/rc.local:2"],
  ],
  [
    "rc.local behind its exit",
    readRcLocal,
    { "/etc/rc.local": { script: `#!/bin/sh\nexit 0\nsysctl -w ${max}=7\n` } },
    ["!nf_conntrack_max=7@/etc/rc.local:3"],
  ],
  [
    "rc.local that may not be executed",
    readRcLocal,
    { "/etc/rc.local": `sysctl -w ${max}=7\n` },
    ["!nf_conntrack_max=7@/etc/rc.local:1"],
  ],
  [
    "rc.local of RHEL, a link",
    readRcLocal,
    {
      "/etc/rc.local": { link: "rc.d/rc.local" },
      "/etc/rc.d/rc.local": {
        script:
          "echo 4096 > /sys/module/nf_conntrack/parameters/hashsize\n" +
          "echo 5 > /proc/sys/net/nf_conntrack_max\n",
      },
    },
    ["nf_conntrack_buckets=4096@/etc/rc.d/rc.local:1", "nf_conntrack_max=5@/etc/rc.d/rc.local:2"],
  ],
  [
    "rc.local that reads a file",
    readRcLocal,
    { "/etc/rc.local": { script: "sysctl -p /root/ct.conf\n" }, "/root/ct.conf": `${max}=8\n` },
    ["nf_conntrack_max=8@/root/ct.conf:1"],
  ],
  [
    "rc.local that reads all",
    readRcLocal,
    { "/etc/rc.local": { script: "sysctl --system\n" }, "/etc/sysctl.d/a.conf": `${max}=8\n` },
    ["nf_conntrack_max=8@/etc/sysctl.d/a.conf:1"],
  ],
  ["rc.local in a comment", readRcLocal, { "/etc/rc.local": { script: `# sysctl -w ${max}=7\n` } }, []],
  [
    "the network script of RHEL 5",
    readNetworkScript,
    {
      "/etc/rc.d/init.d/network": { script: "sysctl -e -p /etc/sysctl.conf >/dev/null 2>&1\n" },
      "/etc/rc.d/rc3.d/S10network": { link: "../init.d/network" },
      "/etc/sysctl.conf": "net.ipv4.ip_conntrack_max = 6\n",
    },
    ["nf_conntrack_max=6@/etc/sysctl.conf:1"],
  ],
  [
    "a network script that is not started",
    readNetworkScript,
    { "/etc/rc.d/init.d/network": { script: "sysctl -p\n" }, "/etc/sysctl.conf": `${max} = 6\n` },
    [],
  ],

  ["tuned without a profile", readTuned, wants("tuned"), []],
  [
    "tuned that is not enabled",
    readTuned,
    {
      "/etc/tuned/active_profile": "mine",
      "/etc/tuned/mine/tuned.conf": `[sysctl]\n${max}=5`,
      "/usr/lib/systemd/system/tuned.service": "[Unit]",
    },
    ["!nf_conntrack_max=5@/etc/tuned/mine/tuned.conf:2"],
  ],
  [
    "tuned sets",
    readTuned,
    tuned(`[sysctl]\n${max} = 5 # why\n`),
    ["nf_conntrack_max=5@/etc/tuned/mine/tuned.conf:2"],
  ],
  [
    "tuned only raises",
    readTuned,
    tuned(`[sysctl]\n${max}=>5\n`),
    ["^nf_conntrack_max=5@/etc/tuned/mine/tuned.conf:2"],
  ],
  [
    "tuned includes, overrides, and reads the host's files again",
    readTuned,
    tuned(`[main]\ninclude=openshift\n[sysctl]\nnet.netfilter.nf_conntrack_udp_timeout=20\n`, {
      ...openshift,
      "/etc/sysctl.d/a.conf": `${max} = 7`,
    }),
    [
      "nf_conntrack_max=1048576@/usr/lib/tuned/openshift/tuned.conf:6",
      "nf_conntrack_udp_timeout=20@/etc/tuned/mine/tuned.conf:4",
      "nf_conntrack_buckets=1048576@/usr/lib/tuned/openshift/tuned.conf:4",
      "nf_conntrack_max=7@/etc/sysctl.d/a.conf:1",
    ],
  ],
  [
    "tuned leaves the host's files alone",
    readTuned,
    tuned(`[sysctl]\n${max}=5\n`, {
      "/etc/tuned/tuned-main.conf": "reapply_sysctl = 0",
      "/etc/sysctl.d/a.conf": `${max} = 7`,
    }),
    ["nf_conntrack_max=5@/etc/tuned/mine/tuned.conf:2"],
  ],
  ["tuned with a section that is off", readTuned, tuned(`[sysctl]\nenabled=false\n${max}=5\n`), []],
  [
    "tuned drops what it includes",
    readTuned,
    tuned(`[main]\ninclude=openshift\n[sysctl]\nreplace=true\nvm.swappiness=1\n`, openshift),
    ["nf_conntrack_buckets=1048576@/usr/lib/tuned/openshift/tuned.conf:4"],
  ],
  [
    "tuned with a variable",
    readTuned,
    tuned(`[variables]\nsize=9\n[sysctl]\n${max}=\${size}\n`),
    ["nf_conntrack_max=9@/etc/tuned/mine/tuned.conf:4"],
  ],
  [
    "tuned includes itself of another directory",
    readTuned,
    {
      ...wants("tuned"),
      "/etc/tuned/active_profile": "openshift",
      "/etc/tuned/openshift/tuned.conf": "[main]\ninclude=openshift\n",
      ...openshift,
    },
    [
      "nf_conntrack_max=1048576@/usr/lib/tuned/openshift/tuned.conf:6",
      "nf_conntrack_buckets=1048576@/usr/lib/tuned/openshift/tuned.conf:4",
    ],
  ],
  [
    "tuned gives the module a parameter",
    readTuned,
    tuned("[modules]\nnf_conntrack=+r hashsize=4096\n"),
    ["!hashsize=4096@/etc/tuned/mine/tuned.conf:2"],
  ],

  ["kube-proxy is not here", readKubeProxy, {}, []],
  [
    "kube-proxy at its defaults",
    readKubeProxy,
    kubeConfig("conntrack:\n  maxPerCore: null\n  min: null\n"),
    [
      "nf_conntrack_max=524288@/var/lib/kube-proxy/config.conf:3",
      "^nf_conntrack_buckets=131072@/var/lib/kube-proxy/config.conf:3",
      "nf_conntrack_tcp_timeout_established=86400@/var/lib/kube-proxy/config.conf",
      "nf_conntrack_tcp_timeout_close_wait=3600@/var/lib/kube-proxy/config.conf",
    ],
  ],
  [
    "kube-proxy leaves all alone",
    readKubeProxy,
    kubeConfig(
      "conntrack:\n  maxPerCore: 0\n  min: 99\n  tcpEstablishedTimeout: 0s\n" +
        "  tcpCloseWaitTimeout: 0s\n  udpTimeout: 0s\n",
    ),
    [
      "!nf_conntrack_max@/var/lib/kube-proxy/config.conf:3",
      "!nf_conntrack_tcp_timeout_established@/var/lib/kube-proxy/config.conf:5",
      "!nf_conntrack_tcp_timeout_close_wait@/var/lib/kube-proxy/config.conf:6",
    ],
  ],
  [
    "kube-proxy, in one line, where the floor decides",
    readKubeProxy,
    kubeConfig(
      "conntrack: {maxPerCore: 1, min: 1000000, tcpEstablishedTimeout: 2h, " +
        "tcpCloseWaitTimeout: 0s, tcpBeLiberal: true}\n",
    ),
    [
      "nf_conntrack_max=1000000@/var/lib/kube-proxy/config.conf:2",
      "^nf_conntrack_buckets=250000@/var/lib/kube-proxy/config.conf:2",
      "nf_conntrack_tcp_timeout_established=7200@/var/lib/kube-proxy/config.conf:2",
      "!nf_conntrack_tcp_timeout_close_wait@/var/lib/kube-proxy/config.conf:2",
      "nf_conntrack_tcp_be_liberal=1@/var/lib/kube-proxy/config.conf:2",
    ],
  ],
  [
    "kube-proxy by flags of its unit",
    readKubeProxy,
    kubeUnit("--conntrack-max-per-core=1000 --conntrack-min 5 --conntrack-tcp-timeout-established=0s"),
    [
      "nf_conntrack_max=16000@/etc/systemd/system/kube-proxy.service:3",
      "^nf_conntrack_buckets=4000@/etc/systemd/system/kube-proxy.service:3",
      "!nf_conntrack_tcp_timeout_established@/etc/systemd/system/kube-proxy.service:3",
      "nf_conntrack_tcp_timeout_close_wait=3600@/etc/systemd/system/kube-proxy.service",
    ],
  ],
  [
    "kube-proxy in a pod of the kubelet",
    readKubeProxy,
    {
      "/var/lib/kubelet/pods/6c0e/volumes/kubernetes.io~configmap/kube-proxy/config.conf":
        "conntrack:\n  maxPerCore: 0\n  tcpEstablishedTimeout: 1h0m0s\n  tcpCloseWaitTimeout: 0s\n",
      "/proc/77/cmdline": "/usr/local/bin/kube-proxy\0--config=/var/lib/kube-proxy/config.conf\0",
    },
    [
      "!nf_conntrack_max@/var/lib/kubelet/pods/6c0e/volumes/kubernetes.io~configmap/kube-proxy/config.conf:2",
      "nf_conntrack_tcp_timeout_established=3600@/var/lib/kubelet/pods/6c0e/volumes/kubernetes.io~configmap/kube-proxy/config.conf:3",
      "!nf_conntrack_tcp_timeout_close_wait@/var/lib/kubelet/pods/6c0e/volumes/kubernetes.io~configmap/kube-proxy/config.conf:4",
    ],
  ],
  [
    "kube-proxy in a container, seen through its process",
    readKubeProxy,
    {
      "/etc/kubernetes/kubelet.conf": "",
      "/proc/77/cmdline": "kube-proxy\0--config\0/cfg/config.conf\0",
      "/proc/77/root/cfg/config.conf":
        "conntrack:\n  maxPerCore: 0\n  tcpEstablishedTimeout: 0s\n  tcpCloseWaitTimeout: 2s\n",
    },
    [
      "!nf_conntrack_max@/proc/77/root/cfg/config.conf:2",
      "!nf_conntrack_tcp_timeout_established@/proc/77/root/cfg/config.conf:3",
      "nf_conntrack_tcp_timeout_close_wait=2@/proc/77/root/cfg/config.conf:4",
    ],
  ],
  [
    "an old kube-proxy sets whatever differs",
    readKubeProxy,
    {
      "/etc/kubernetes/manifests/kube-proxy.manifest":
        "spec:\n  containers:\n  - command:\n    - /bin/sh\n    - -c\n" +
        "    - exec /usr/local/bin/kube-proxy --conntrack-max-per-core=10 --conntrack-min=1 " +
        "--conntrack-tcp-timeout-established=0s --conntrack-tcp-timeout-close-wait=0s\n" +
        "    image: kube-proxy-amd64:v1.18.20\n",
    },
    [
      "nf_conntrack_max=160@/etc/kubernetes/manifests/kube-proxy.manifest:6",
      "^nf_conntrack_buckets=40@/etc/kubernetes/manifests/kube-proxy.manifest:6",
      "!nf_conntrack_tcp_timeout_established@/etc/kubernetes/manifests/kube-proxy.manifest:6",
      "!nf_conntrack_tcp_timeout_close_wait@/etc/kubernetes/manifests/kube-proxy.manifest:6",
    ],
  ],

  [
    "k3s at its defaults",
    readK3s,
    wants("k3s"),
    [
      "nf_conntrack_max=524288@/etc/rancher/k3s/config.yaml",
      "^nf_conntrack_buckets=131072@/etc/rancher/k3s/config.yaml",
      "nf_conntrack_tcp_timeout_established=86400@/etc/rancher/k3s/config.yaml",
      "nf_conntrack_tcp_timeout_close_wait=3600@/etc/rancher/k3s/config.yaml",
    ],
  ],
  [
    "k3s with arguments",
    readK3s,
    k3s('kube-proxy-arg:\n  - "conntrack-max-per-core=0"\n  - conntrack-tcp-timeout-established=2h\n'),
    [
      "!nf_conntrack_max@/etc/rancher/k3s/config.yaml:2",
      "nf_conntrack_tcp_timeout_established=7200@/etc/rancher/k3s/config.yaml:3",
      "nf_conntrack_tcp_timeout_close_wait=3600@/etc/rancher/k3s/config.yaml",
    ],
  ],
  [
    "rke2 with arguments in a list of one line",
    readRke,
    {
      ...wants("rke2-agent"),
      "/etc/rancher/rke2/config.yaml": 'kube-proxy-arg: ["conntrack-min=1000000"]\n',
    },
    [
      "nf_conntrack_max=1000000@/etc/rancher/rke2/config.yaml:1",
      "^nf_conntrack_buckets=250000@/etc/rancher/rke2/config.yaml:1",
      "nf_conntrack_tcp_timeout_established=86400@/etc/rancher/rke2/config.yaml",
      "nf_conntrack_tcp_timeout_close_wait=3600@/etc/rancher/rke2/config.yaml",
    ],
  ],
  ["docker sets nothing", readDocker, wants("docker"), []],
];

for (const [name, read, tree, expected] of cases) {
  test(`owners: ${name}`, () => {
    const { definitions } = read({ files: memoryFiles(tree), cpus: 16, kernelRelease: "6.1.0" });
    const found = definitions.map(({ definition: { key, value, path, line }, notRead, onlyRaises }) => {
      const raises = onlyRaises === true ? "^" : "";
      const mark = notRead === undefined ? raises : "!";
      const said = value === undefined ? "" : `=${value}`;
      return `${mark}${key ?? "?"}${said}@${path}${line === undefined ? "" : `:${line}`}`;
    });
    assert.deepEqual(found, expected);
  });
}

test("owners that bring the tracker say so, and only when they start", () => {
  const loads = (read: OwnerReader, tree: Tree): string | undefined =>
    read({ files: memoryFiles(tree) }).loadsTracker;
  assert.equal(loads(readUfw, ufw), "iptables rules of ufw");
  assert.equal(loads(readUfw, { ...ufw, "/etc/ufw/ufw.conf": "ENABLED=no" }), undefined);
  assert.equal(loads(readDocker, wants("docker")), "rules of docker");
  assert.equal(loads(readKubeProxy, kubeUnit("--conntrack-min=1")), "the rules of kube-proxy");
  const idle = Object.entries(kubeUnit("")).filter(([path]) => !path.includes(".wants/"));
  assert.equal(loads(readKubeProxy, Object.fromEntries(idle)), undefined);
  assert.equal(
    loads(readDocker, { ...wants("docker"), "/etc/docker/daemon.json": '{"iptables": false}' }),
    undefined,
  );
  assert.equal(loads(readDocker, { "/usr/lib/systemd/system/docker.service": "" }), undefined);
  assert.equal(loads(readK3s, wants("k3s-agent")), "k3s");
  assert.equal(
    loads(readRcLocal, { "/etc/rc.local": { script: "#!/bin/sh\nmodprobe nf_conntrack\n" } }),
    "/etc/rc.local:2",
  );
});

test("owners whose configuration is not to be had say so instead of guessing", () => {
  const unseen = (read: OwnerReader, tree: Tree): string[] =>
    (read({ files: memoryFiles(tree), cpus: 2 }).unseen ?? []).map(({ what, why }) => `${what}: ${why}`);
  assert.deepEqual(unseen(readKubeProxy, kubeUnit("--config=/srv/kp.yaml")), [
    "settings of kube-proxy: its configuration could not be read: /srv/kp.yaml is not among the files here",
  ]);
  assert.deepEqual(unseen(readKubeProxy, kubeConfig("conntrack: &anchor\n  maxPerCore: 1\n")), [
    "some settings of kube-proxy: /var/lib/kube-proxy/config.conf:2: " +
      "this form of YAML is not understood, so what it says is not reckoned with",
  ]);
  assert.deepEqual(unseen(readTuned, tuned("[main]\ninclude=gone\n")), [
    "some settings of tuned: the profile gone is not among the files here",
  ]);
  assert.deepEqual(unseen(readTuned, tuned("[main]\ninclude=-gone\n")), []);
});

test("goSeconds() reads durations of Go", () => {
  const rows = {
    "24h0m0s": 86_400,
    "1h": 3600,
    "1.5h": 5400,
    "500ms": 0,
    "1m30s": 90,
    "0": 0,
    "0s": 0,
    "24h (default)": 86_400,
  };
  for (const [text, seconds] of Object.entries(rows)) assert.equal(goSeconds(text), seconds, text);
  for (const text of ["", "h", "12", "1d", "1h x", "-1h"]) assert.equal(goSeconds(text), undefined, text);
});

/** A static pod of this version on 64 processors: values, `^` where it only raises them. */
const versions: readonly [string, string][] = [
  ["1.22", "max=2097152 ^buckets=524288 tcp_timeout_established=86400"],
  ["1.23", "^max=2097152 ^buckets=524288 ^tcp_timeout_established=86400"],
  ["1.28", "^max=2097152 ^buckets=524288 ^tcp_timeout_established=86400"],
  ["1.29", "max=2097152 ^buckets=524288 tcp_timeout_established=86400"],
  ["1.36", "max=1048576 ^buckets=262144 tcp_timeout_established=86400"],
  ["1.37", "^max=1048576 ^buckets=262144 tcp_timeout_established=86400"],
];

for (const [version, expected] of versions) {
  test(`kube-proxy ${version}: what it lowers, and how large a capacity it takes`, () => {
    const path = "/etc/kubernetes/manifests/kube-proxy.yaml";
    const manifest =
      "spec:\n  containers:\n  - command:\n    - kube-proxy\n    - --conntrack-tcp-timeout-close-wait=0s\n" +
      `    image: registry/kube-proxy:v${version}.3\n`;
    const { definitions } = readKubeProxy({ files: memoryFiles({ [path]: manifest }), cpus: 64 });
    const found = definitions.flatMap(({ definition: { key = "", value }, onlyRaises, notRead }) => {
      const name = key.replace("nf_conntrack_", "");
      return notRead === undefined ? [`${onlyRaises === true ? "^" : ""}${name}=${value ?? "?"}`] : [];
    });
    assert.equal(found.join(" "), expected);
  });
}

test("kube-proxy of an unknown version: a capacity that depends on it is not told", () => {
  const { definitions } = readKubeProxy({ files: memoryFiles(kubeConfig("")), cpus: 64 });
  assert.deepEqual(
    definitions.map(({ definition: { value } }) => value),
    [undefined, undefined, 86_400, 3600],
  );
});

test("startOfManifest() wants kube-proxy among the words", () => {
  assert.equal(
    startOfManifest("spec:\n  containers:\n  - command:\n    - kube-apiserver\n", "/x"),
    undefined,
  );
});

test("owners survive whatever is in their files", () => {
  const junk = [
    "\0\xff\x01",
    "[",
    "[[[[",
    "a: b: c: [",
    "- - - -",
    "include=\0",
    "{".repeat(10_000),
    "\t- x\n".repeat(2000),
    "[main]\ninclude=mine\n",
  ];
  for (const text of junk) {
    const tree: Tree = {
      ...wants("ufw"),
      ...wants("tuned"),
      ...wants("k3s"),
      ...wants("docker"),
      ...kubeUnit(text),
      "/etc/ufw/ufw.conf": `ENABLED=yes\n${text}`,
      "/etc/default/ufw": `IPT_SYSCTL=/etc/ufw/sysctl.conf\n${text}`,
      "/etc/ufw/sysctl.conf": text,
      "/etc/rc.local": { script: text },
      "/etc/tuned/active_profile": "mine",
      "/etc/tuned/mine/tuned.conf": text,
      "/etc/rancher/k3s/config.yaml": text,
      "/etc/docker/daemon.json": text,
      "/var/lib/kube-proxy/config.conf": text,
      "/etc/kubernetes/manifests/kube-proxy.yaml": text,
    };
    for (const read of ownerReaders) read({ files: memoryFiles(tree), cpus: 2 });
  }
});
