/**
 * Which program reads the sysctl files at boot, in which version, and what it reads.
 *
 * Source: the boot scripts of the distributions: systemd-sysctl.service; /etc/init.d/procps of Debian;
 * /etc/init/procps.conf of Ubuntu 10.04 to 14.04; /etc/rc.d/rc.sysinit of RHEL 4 to 6.
 */
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import { type BootFiles, type BootInput, namesAt, textAt } from "./boot-input.ts";
import type { CommandLineWord } from "./command-line.ts";
import { type ProcpsVersion, readProcpsFiles, readProcpsSystem } from "./procps.ts";
import type { SysctlReading } from "./sysctl-line.ts";
import { readSystemdSysctl } from "./systemd-sysctl.ts";
import { isMasked, startedBy } from "./units.ts";

export type SysctlProgram = "systemd-sysctl" | "procps" | "unknown";

/** By the init that is installed; where a tree has no programs, by what only one of them leaves behind. */
export function sysctlProgram({ files, kernelRelease }: BootInput): SysctlProgram {
  const init = files.look("/sbin/init");
  if (init.kind === "file") {
    const systemd = init.path.endsWith("/systemd") || hasSystemd(files);
    return systemd && !/upstart|sysvinit/.test(init.path) ? "systemd-sysctl" : otherProgram(files);
  }
  if (hasSystemd(files)) return "systemd-sysctl";
  const release = parseKernelRelease(kernelRelease ?? "");
  if (release !== undefined && !isSince(release, "2.6.32")) return "procps";
  return otherProgram(files);
}

/** An own init script wins over systemd's files: Debian installs both where sysvinit is the init. */
function hasSystemd(files: BootFiles): boolean {
  if (files.look("/sbin/init").kind === "file" && files.look("/lib/sysvinit/init").kind === "file")
    return false;
  return [
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/usr/lib/systemd/systemd-sysctl",
    "/lib/systemd/systemd-sysctl",
    "/run/systemd/system",
    "/etc/systemd/system",
    "/etc/systemd/system.conf",
  ].some((path) => files.look(path).kind !== "none");
}

const SCRIPTS = [
  "/etc/init.d/procps",
  "/etc/init.d/procps.sh",
  "/etc/init/procps.conf",
  "/etc/rc.d/rc.sysinit",
];

function otherProgram(files: BootFiles): SysctlProgram {
  const signs = [...SCRIPTS, "/etc/inittab", "/etc/rc.d/rc.local", "/etc/init.d/rcS"];
  return signs.some((path) => files.look(path).kind === "file") ? "procps" : "unknown";
}

/** Later ones are as Debian's. */
const RHEL_SYSTEMD: ReadonlyMap<string, number> = new Map([
  ["7", 219],
  ["8", 239],
]);

/** Which systemd is installed: by the name of its library, else by RHEL's releases. */
export function systemdVersion(files: BootFiles): number | undefined {
  const places = ["/usr/lib/systemd", "/lib/systemd", ...triplets(files).map((path) => `${path}/systemd`)];
  for (const place of places) {
    for (const name of namesAt(files, place)) {
      const version = /^libsystemd-shared-(\d+)/.exec(name)?.[1];
      if (version !== undefined) return Number(version);
    }
  }
  const release = textAt(files, "/etc/redhat-release") ?? textAt(files, "/etc/centos-release") ?? "";
  const major = /release (\d+)/.exec(release)?.[1] ?? "";
  return RHEL_SYSTEMD.get(major);
}

/** By the name of its library; without one, 3.3 is taken for kernels of its time. */
function procpsVersion(files: BootFiles, kernelRelease: string | undefined): ProcpsVersion {
  const places = ["/usr/lib", "/lib", "/usr/lib64", "/lib64", ...triplets(files)];
  const names = places.flatMap((place) => namesAt(files, place)).filter((name) => name.startsWith("libproc"));
  if (names.includes("libproc2.so.0.0.1")) return "4.0.2";
  if (names.some((name) => name.startsWith("libproc2.so"))) return "4.0.4";
  if (names.length > 0) return "3.3";
  const release = parseKernelRelease(kernelRelease ?? "");
  return release === undefined || isSince(release, "5.18") ? "4.0.4" : "3.3";
}

function triplets(files: BootFiles): readonly string[] {
  return ["/usr/lib", "/lib"].flatMap((place) =>
    namesAt(files, place)
      .filter((name) => name.includes("-linux-gnu"))
      .map((name) => `${place}/${name}`),
  );
}

/** What the program reads at boot; nothing, with the reason, when it does not run. */
export function readSysctlFiles(
  input: BootInput,
  program: SysctlProgram,
  targets: readonly string[],
  commandLine: readonly CommandLineWord[],
): SysctlReading {
  const { files } = input;
  if (program === "procps") return readAtBoot(input, targets);
  const reading = readSystemdSysctl(files, targets, systemdVersion(files));
  const stopped = stoppedBy(files, commandLine);
  if (stopped === undefined) return reading;
  const lines = new Set(reading.writes.map(({ line }) => line));
  return {
    ...reading,
    writes: [],
    notRead: [...[...lines].map((line) => ({ line, why: stopped })), ...reading.notRead],
  };
}

function stoppedBy(files: BootFiles, commandLine: readonly CommandLineWord[]): string | undefined {
  const unit = "systemd-sysctl.service";
  if (isMasked(files, unit)) return `${unit} is masked`;
  const masked = commandLine.some(
    ({ name, text, notRead }) => name === "systemd.mask" && text === unit && notRead === undefined,
  );
  return masked ? `${unit} is masked on the kernel's command line` : undefined;
}

/** As the boot scripts call sysctl(8). */
function readAtBoot({ files, kernelRelease }: BootInput, targets: readonly string[]): SysctlReading {
  const version = procpsVersion(files, kernelRelease);
  const script = SCRIPTS.map((path) => textAt(files, path)).find((text) => text?.includes("sysctl") === true);
  const functions = textAt(files, "/etc/rc.d/init.d/functions") ?? textAt(files, "/etc/init.d/functions");
  const text = /apply_sysctl/.test(script ?? "") ? (functions ?? "") : (script ?? "");
  if (/--system/.test(text) || (script === undefined && !isOld(files, kernelRelease))) {
    return readProcpsSystem(files, targets, version);
  }
  const last = { path: "/etc/sysctl.conf" };
  const names = namesAt(files, "/etc/sysctl.d").filter(
    (name) => !/^\.|~$|\.(bak|orig|rpm\w+|swp|cfsaved)$/.test(name),
  );
  const onlyConf = /sysctl\.d\/\*\.conf/.test(text);
  const found = names.map((name) => {
    const path = `/etc/sysctl.d/${name}`;
    if (!text.includes("sysctl.d")) return { path, notRead: "the boot script reads only /etc/sysctl.conf" };
    if (onlyConf && !name.endsWith(".conf")) return { path, notRead: "its name does not end in .conf" };
    return { path };
  });
  return readProcpsFiles(files, [...found, last], targets, version);
}

/**
 * What the boot scripts of RHEL read once more after the firewall has loaded the tracker: the network script
 * everything, the iptables script what IPTABLES_SYSCTL_LOAD_LIST names. Nothing on other hosts.
 */
export function readAgain(
  { files }: BootInput,
  program: SysctlProgram,
  reading: SysctlReading,
): SysctlReading {
  const none = { writes: [], notRead: [], closed: [] };
  if (program !== "procps") return none;
  const network = textAt(files, "/etc/rc.d/init.d/network") ?? textAt(files, "/etc/init.d/network") ?? "";
  if (/^[^#]*\b(apply_)?sysctl\b/m.test(network) && startedBy(files, "network") !== undefined) {
    return { ...none, writes: reading.writes };
  }
  if (startedBy(files, "iptables") === undefined) return none;
  const config = textAt(files, "/etc/sysconfig/iptables-config") ?? "";
  const names = (/^\s*IPTABLES_SYSCTL_LOAD_LIST=["']?([^"'\n]*)/m.exec(config)?.[1] ?? "").trim();
  if (names === "") return none;
  const asked = names.split(/\s+/);
  const writes = reading.writes.filter(({ line }) => asked.some((name) => line.name.includes(name)));
  return { ...none, writes };
}

/** RHEL 6 and older, and everything of their time, read /etc/sysctl.conf alone. */
function isOld(files: BootFiles, kernelRelease: string | undefined): boolean {
  const release = parseKernelRelease(kernelRelease ?? "");
  return (
    files.look("/etc/rc.d/rc.sysinit").kind === "file" || (release !== undefined && !isSince(release, "3.0"))
  );
}
