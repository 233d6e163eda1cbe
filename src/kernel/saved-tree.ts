/**
 * Where a saved tree keeps what: a copied `/`, a sosreport of any age, or a directory somebody filled by
 * hand. One row an artefact; the first of its paths that holds something is taken.
 *
 * sosreport names a command's output after the command (`sysctl -a` becomes `sos_commands/kernel/sysctl_-a`),
 * in the directory of the plugin that ran it, and keeps copied files where they were. Sources: sos 1.7 to
 * 4.10, plugins kernel, networking, conntrack, memory, host, date, logs; `general` and `startup` until 2.x.
 */
import type { Files } from "./files.ts";

export const savedPaths = {
  kernelRelease: ["/proc/sys/kernel/osrelease"],
  kernelVersion: ["/proc/version"],
  uname: ["/sos_commands/kernel/uname_-a", "/uname", "/uname-a.txt"],
  hostname: [
    "/proc/sys/kernel/hostname",
    "/sos_commands/host/hostname",
    "/sos_commands/general/hostname",
    "/hostname",
    "/etc/hostname",
  ],
  memory: ["/proc/meminfo", "/meminfo.txt"],
  uptime: ["/proc/uptime"],
  uptimeCommand: ["/sos_commands/host/uptime", "/sos_commands/general/uptime", "/uptime", "/uptime.txt"],
  cpusOnline: ["/sys/devices/system/cpu/online"],
  cpuInfo: ["/proc/cpuinfo"],
  lscpu: ["/sos_commands/processor/lscpu", "/sos_commands/hardware/lscpu", "/lscpu"],
  stat: ["/proc/stat"],
  date: ["/sos_commands/date/date", "/sos_commands/general/date", "/date", "/date.txt"],
  slabInfo: ["/proc/slabinfo"],
  sysctl: [
    "/sos_commands/kernel/sysctl_-a",
    "/sos_commands/general/sysctl_-a",
    "/sos_commands/startup/sysctl_-a",
    "/sysctl-a.txt",
    "/sysctl_-a",
    "/sysctl-a",
  ],
  trackerCounters: ["/proc/net/stat/nf_conntrack", "/proc/net/stat/ip_conntrack"],
  trackerStatistics: [
    "/sos_commands/conntrack/conntrack_-S",
    "/sos_commands/networking/conntrack_-S",
    "/conntrack-S.txt",
  ],
  addresses: [
    "/sos_commands/networking/ip_-o_addr",
    "/sos_commands/networking/ip_-d_address",
    "/sos_commands/networking/ip_address",
    "/ip_addr",
  ],
  expectations: ["/proc/net/nf_conntrack_expect", "/proc/net/ip_conntrack_expect"],
  listing: [
    "/proc/net/nf_conntrack",
    "/proc/net/ip_conntrack",
    "/sos_commands/conntrack/conntrack_-L_-o_extended",
    "/sos_commands/conntrack/conntrack_-L",
    "/sos_commands/networking/conntrack_-L_-o_extended",
    "/sos_commands/networking/conntrack_-L",
    "/conntrack-L.txt",
    "/conntrack.txt",
  ],
  /** The ring first, as it is of one boot and whole; then what was written to disk. */
  kernelLog: [
    "/sos_commands/kernel/dmesg",
    "/sos_commands/kernel/dmesg_-T",
    "/sos_commands/general/dmesg_now",
    "/sos_commands/general/dmesg",
    "/dmesg.txt",
    "/dmesg",
    "/sos_commands/logs/journalctl_--no-pager_--boot",
    "/sos_commands/logs/journalctl_--no-pager_--catalog_--boot",
    "/sos_commands/logs/journalctl_--all_--this-boot_--no-pager",
    "/sos_commands/logs/journalctl_--no-pager",
    "/var/log/kern.log",
    "/var/log/messages",
    "/var/log/syslog",
    "/var/log/dmesg",
  ],
} as const satisfies Record<string, readonly string[]>;

export type Artefact = keyof typeof savedPaths;

/** The logs a running host may keep where neither its ring nor its journal can be read. */
export const liveLogPaths = ["/var/log/kern.log", "/var/log/messages", "/var/log/syslog", "/var/log/dmesg"];

/** Of these, the ones that are written on and on: the other is of the boot. */
export const FOLLOWED_LOG_PATHS = ["/var/log/kern.log", "/var/log/messages", "/var/log/syslog"];

/** What a directory must have to be a tree that stands in for `/`, or a sosreport. */
const marks = [
  "/proc",
  "/sos_commands",
  ...savedPaths.sysctl,
  ...savedPaths.listing,
  "/var/log",
  "/dmesg.txt",
];

/**
 * The directory under `files` that holds the tree: itself, or the only directory in it that looks like one,
 * as when an unpacked archive brought a directory of its own. Paths below begin with it; empty for the
 * directory itself.
 */
export function treeWithin(files: Files): string {
  if (marks.some((path) => files.has(path))) return "";
  const nested = files.list("/").map((name) => `/${name}`);
  const found = nested.filter((name) => marks.some((path) => files.has(name + path)));
  return found.length === 1 ? (found[0] ?? "") : "";
}

/** A namespace a sosreport looked into, by name. */
export interface SavedNamespace {
  name: string;
  /** Its `sysctl -a`, `conntrack -L`, `conntrack -S`, addresses, where they were saved. */
  sysctl?: string;
  listing?: string;
  statistics?: string;
  addresses?: string;
}

const COMMAND_PREFIX = "ip_netns_exec_";
const commandKinds = [
  ["_sysctl_-a", "sysctl"],
  ["_conntrack_-L_-o_extended", "listing"],
  ["_conntrack_-L", "listing"],
  ["_conntrack_-S", "statistics"],
  ["_ip_-d_address_show", "addresses"],
  ["_ip_-d_address", "addresses"],
  ["_ip_address_show", "addresses"],
  ["_ip_-o_addr", "addresses"],
] as const;

/**
 * Namespaces a sosreport looked into: files named `ip_netns_exec_NAME_COMMAND`, in the plugin's directory or,
 * since sos 4, in `namespaces/NAME` below it.
 */
export function savedNamespaces(files: Files): readonly SavedNamespace[] {
  const byName = new Map<string, SavedNamespace>();
  for (const plugin of ["/sos_commands/networking", "/sos_commands/conntrack"]) {
    const nested = files.list(`${plugin}/namespaces`).map((name) => `${plugin}/namespaces/${name}`);
    for (const directory of [plugin, ...nested]) {
      for (const file of files.list(directory)) noteCommand(byName, directory, file);
    }
  }
  return [...byName.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

function noteCommand(byName: Map<string, SavedNamespace>, directory: string, file: string): void {
  if (!file.startsWith(COMMAND_PREFIX)) return;
  for (const [ending, kind] of commandKinds) {
    if (!file.endsWith(ending)) continue;
    const name = file.slice(COMMAND_PREFIX.length, -ending.length);
    if (name === "") return;
    const known = byName.get(name) ?? { name };
    known[kind] ??= `${directory}/${file}`;
    byName.set(name, known);
    return;
  }
}
