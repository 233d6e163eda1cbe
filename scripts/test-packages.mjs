/**
 * Installs the Debian packages that tests of the running kernel need: only missing ones, only as root, saying
 * so. Tests that find a program missing all the same skip with that reason.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from "node:fs";

const PACKAGES = [
  "ansible-core",
  "chromium",
  "conntrack",
  "curl",
  "faketime",
  "hyperfine",
  "iproute2",
  "iptables",
  "iputils-ping",
  "kmod",
  "libxml2-utils",
  "mawk",
  "ncat",
  "nfct",
  "nftables",
  "nginx-light",
  "openssl",
  "procps",
  "prometheus",
  "prometheus-alertmanager",
  "prometheus-node-exporter",
  "python3",
  "strace",
  "systemd",
  "tcpdump",
  "tmux",
  "wrk",
  "zstd",
];

/** A policy that forbids services to start while their package is installed; Debian's documented way. */
const POLICY = "/usr/sbin/policy-rc.d";
const POLICY_KEPT = `${POLICY}.headroom-kept`;

/** Returns whether every package is there; says on `say` what it does or why it does nothing. */
export function installTestPackages(say) {
  if (!existsSync("/usr/bin/dpkg-query") || !existsSync("/usr/bin/apt-get")) {
    say("Test packages: not installed, this is not a Debian system");
    return false;
  }
  const missing = missingPackages();
  if (missing.length === 0) return true;
  if (process.getuid() !== 0) {
    say(`Test packages: not installed, that needs root; missing: ${missing.join(" ")}`);
    return false;
  }
  say(`Test packages: installing ${missing.join(" ")} (apt-get install, starting no service)`);
  return withoutServices(() => install(missing, say));
}

function missingPackages() {
  const asked = spawnSync("dpkg-query", ["-W", "-f=${db:Status-Abbrev}${Package}\n", ...PACKAGES], {
    encoding: "utf8",
  });
  const installed = new Set();
  for (const line of asked.stdout.split("\n")) if (line.startsWith("ii")) installed.add(line.slice(3).trim());
  return PACKAGES.filter((name) => !installed.has(name));
}

function install(names, say) {
  const first = aptGet(["install", "-y", "--no-install-recommends", ...names]);
  if (first.status === 0) return true;
  const update = aptGet(["update"]);
  const second =
    update.status === 0 ? aptGet(["install", "-y", "--no-install-recommends", ...names]) : update;
  if (second.status === 0) return true;
  const said = `${second.stdout}${second.stderr}`.trim().split("\n").slice(-3).join("\n  ");
  say(`Test packages: apt-get failed, tests that need them will be skipped:\n  ${said}`);
  return false;
}

function aptGet(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  return spawnSync("apt-get", ["-q", ...args], { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] });
}

function withoutServices(work) {
  // A run that was killed may have left the machine's own policy aside.
  if (existsSync(POLICY) && !existsSync(POLICY_KEPT)) renameSync(POLICY, POLICY_KEPT);
  writeFileSync(POLICY, "#!/bin/sh\nexit 101\n");
  chmodSync(POLICY, 0o755);
  // Ctrl-C ends apt-get by itself; with a handler it ends us after the policy is restored, and not before.
  const interrupted = () => process.exit(130);
  process.once("SIGINT", interrupted);
  try {
    return work();
  } finally {
    rmSync(POLICY, { force: true });
    if (existsSync(POLICY_KEPT)) renameSync(POLICY_KEPT, POLICY);
    setImmediate(() => process.off("SIGINT", interrupted));
  }
}
