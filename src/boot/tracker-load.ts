/**
 * When the tracker is there: part of the kernel, loaded before settings are read, or later by whoever needs
 * it first. What is set before is lost: the names do not exist yet.
 *
 * Source: modules-load.d(5) and systemd-modules-load (which heeds `blacklist`), modules(5) of Debian,
 * initramfs-tools(7), dracut.conf(5), mkinitcpio.conf(5).
 */
import type { TrackerLoad } from "../table/boot.ts";
import { type BootFiles, type BootInput, type Closed, namesAt, textAt } from "./boot-input.ts";
import type { CommandLineWord } from "./command-line.ts";
import { closedDirectories, confFiles } from "./conf-directory.ts";
import type { Modprobe } from "./modprobe.ts";
import { serviceStart } from "./unit-start.ts";
import type { SysctlProgram } from "./sysctl-program.ts";
import { moduleName } from "./words.ts";

const MODULES_LOAD = [
  "/etc/modules-load.d",
  "/run/modules-load.d",
  "/usr/local/lib/modules-load.d",
  "/usr/lib/modules-load.d",
  "/lib/modules-load.d",
];

/** Modules that need the tracker and bring it along, where no modules.dep tells. */
const NEEDS_TRACKER =
  /^(nf|ip)_conntrack|^nf_nat|^ip_nat|^ip6?table_nat|^iptable_nat|^xt_(conntrack|state|MASQUERADE|nat|CT|connmark|CONNMARK|connbytes|connlimit|helper|cluster|REDIRECT|NETMAP|NOTRACK)$|^nft_(ct|masq|nat|chain_nat|redir|connlimit|flow_offload)|^nf_flow_table|^act_ct$|^openvswitch$|^ip_vs/;

/** Whether loading `module` loads the tracker: by the kernel's own list of what needs what. */
function bringsTracker(module: string, dependencies: string | undefined): boolean {
  if (/^(nf|ip)_conntrack$/.test(module)) return true;
  if (dependencies === undefined) return NEEDS_TRACKER.test(module);
  const line = dependencies
    .split("\n")
    .find((each) => moduleName(each.split(":", 1)[0]?.split("/").at(-1) ?? "") === module);
  return line !== undefined && /\/(nf|ip)_conntrack\.ko/.test(line.split(":")[1] ?? "");
}

export interface TrackerLoading {
  tracker: TrackerLoad;
  /** Loaded in the initramfs, with the parameters of the copy in there. */
  inInitramfs: boolean;
  closed: readonly Closed[];
}

export function trackerLoading(
  input: BootInput,
  commandLine: readonly CommandLineWord[],
  modprobe: Modprobe,
  program: SysctlProgram,
): TrackerLoading {
  const { files } = input;
  const closed = closedDirectories(files, MODULES_LOAD);
  if (input.trackerBuiltin ?? isBuiltin(input)) {
    return { tracker: { when: "builtin" }, inInitramfs: false, closed };
  }
  const dependencies = textAt(files, `/lib/modules/${input.kernelRelease ?? "?"}/modules.dep`);
  const brings = (module: string): boolean =>
    bringsTracker(module, dependencies) && isLoadable(module, modprobe);
  const inInitramfs = initramfsModules(files).find(({ module }) => brings(module));
  if (inInitramfs !== undefined) {
    return {
      tracker: { when: "early", by: `${inInitramfs.place} (in the initramfs)` },
      inInitramfs: true,
      closed,
    };
  }
  const early = earlyModules(files, commandLine, program)
    .filter(({ module }) => !modprobe.blacklisted.has(module))
    .find(({ module }) => brings(module));
  if (early !== undefined) return { tracker: { when: "early", by: early.place }, inInitramfs: false, closed };
  const late = lateLoader(files);
  if (late !== undefined) return { tracker: { when: "late", by: late }, inInitramfs: false, closed };
  return { tracker: { when: "unknown" }, inInitramfs: false, closed };
}

/** `install nf_conntrack /bin/true` is how people forbid a module. */
function isLoadable(module: string, modprobe: Modprobe): boolean {
  return !modprobe.installs.some(
    (each) => each.module === module && /^\s*(\/usr)?(\/bin\/)?(true|false|:)\s*$/.test(each.command),
  );
}

/** By the kernel's list of what is built in, by its configuration, by what it says of itself. */
function isBuiltin({ files, kernelRelease }: BootInput): boolean {
  const release = kernelRelease ?? "?";
  const builtin = textAt(files, `/lib/modules/${release}/modules.builtin`);
  if (builtin !== undefined) return /\/(nf|ip)_conntrack\.ko/.test(builtin);
  const configured = /^CONFIG_(?:NF_CONNTRACK|IP_NF_CONNTRACK)=(.)/m.exec(
    textAt(files, `/boot/config-${release}`) ?? "",
  )?.[1];
  if (configured !== undefined) return configured === "y";
  const there = files.look("/proc/sys/net/netfilter/nf_conntrack_max").kind === "file";
  // A kernel without modules has no list of them; a saved tree may only lack it.
  const living = files.look("/proc/self/status").kind === "file";
  const loaded = textAt(files, "/proc/modules") ?? (living ? "" : undefined);
  return there && loaded !== undefined && !/^nf_conntrack /m.test(loaded);
}

interface ListedModule {
  module: string;
  place: string;
}

/** Loaded before settings are read. */
function earlyModules(
  files: BootFiles,
  commandLine: readonly CommandLineWord[],
  program: SysctlProgram,
): readonly ListedModule[] {
  if (program === "procps") {
    return ["/etc/modules", "/etc/rc.modules", "/etc/sysconfig/modules/conntrack.modules"].flatMap((path) =>
      listedModules(files, path),
    );
  }
  const asked = commandLine
    .filter(({ name, notRead }) => /^(rd\.)?modules[_-]load$/.test(name) && notRead === undefined)
    .flatMap(({ text = "", path }) =>
      text.split(",").map((name) => ({ module: moduleName(name), place: path })),
    );
  const listed = confFiles(files, MODULES_LOAD, ".conf")
    .filter(({ notRead }) => notRead === undefined)
    .flatMap(({ path }) => listedModules(files, path));
  return [...asked, ...listed];
}

/** One module a line; Debian's /etc/modules may have parameters behind it. */
function listedModules(files: BootFiles, path: string): readonly ListedModule[] {
  return (textAt(files, path) ?? "").split("\n").flatMap((line, index) => {
    const name = /^\s*(?:\/?\S*modprobe\s+)?([\w-]+)/.exec(line)?.[1];
    return name === undefined ? [] : [{ module: moduleName(name), place: `${path}:${index + 1}` }];
  });
}

/** What the tools that build an initramfs are told to load in it. */
function initramfsModules(files: BootFiles): readonly ListedModule[] {
  const dracut = [
    "/etc/dracut.conf",
    ...namesAt(files, "/etc/dracut.conf.d").map((name) => `/etc/dracut.conf.d/${name}`),
  ];
  return [
    ...listedModules(files, "/etc/initramfs-tools/modules"),
    ...dracut.flatMap((path) => assignedModules(files, path, /^\s*force_drivers\+?=(["'])(.*)\1/)),
    ...assignedModules(files, "/etc/mkinitcpio.conf", /^\s*MODULES=(["'(])(.*)["')]/),
  ];
}

function assignedModules(files: BootFiles, path: string, pattern: RegExp): readonly ListedModule[] {
  return (textAt(files, path) ?? "").split("\n").flatMap((line, index) => {
    const names =
      pattern
        .exec(line)?.[2]
        ?.split(/\s+/)
        .filter((name) => name !== "") ?? [];
    return names.map((name) => ({ module: moduleName(name), place: `${path}:${index + 1}` }));
  });
}

/** Services whose rules need the tracker, in the order in which they come up; owners name themselves. */
const LATE: readonly { service: string; rules?: readonly string[]; by: string }[] = [
  {
    service: "nftables",
    rules: ["/etc/nftables.conf", "/etc/sysconfig/nftables.conf"],
    by: "the rules of nftables",
  },
  {
    service: "netfilter-persistent",
    rules: ["/etc/iptables/rules.v4", "/etc/iptables/rules.v6"],
    by: "iptables rules",
  },
  { service: "iptables", rules: ["/etc/sysconfig/iptables"], by: "iptables rules" },
  { service: "ip6tables", rules: ["/etc/sysconfig/ip6tables"], by: "ip6tables rules" },
  { service: "firewalld", by: "the rules of firewalld" },
  { service: "shorewall", by: "the rules of shorewall" },
  { service: "csf", by: "the rules of csf" },
  { service: "libvirtd", by: "the networks of libvirt" },
  { service: "kubelet", by: "the rules of Kubernetes" },
];

const NEEDS_TRACKING = /\bct\b|masquerade|\bsnat\b|\bdnat\b|conntrack|--state|^\*nat|redirect|connmark/im;

function lateLoader(files: BootFiles): string | undefined {
  for (const { service, rules, by } of LATE) {
    if (serviceStart(files, service) !== "enabled") continue;
    if (rules === undefined) return by;
    const path = rules.find((each) => NEEDS_TRACKING.test(textAt(files, each) ?? ""));
    if (path !== undefined) return `${by} (${path})`;
  }
  return undefined;
}
