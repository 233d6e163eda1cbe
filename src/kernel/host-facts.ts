/**
 * Facts of the host around the table, from the small files that tell them. Each parser takes text; what a
 * file does not tell stays absent.
 */
import type { Host } from "../table/host.ts";
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import type { Files } from "./files.ts";
import { type Artefact, savedPaths } from "./saved-tree.ts";

/** MemTotal and MemAvailable (since 3.14) of /proc/meminfo, bytes. */
export function parseMemory(text: string): { memoryBytes?: number; availableBytes?: number } {
  const memory: { memoryBytes?: number; availableBytes?: number } = {};
  const total = kilobytesOf(text, "MemTotal");
  const available = kilobytesOf(text, "MemAvailable");
  if (total !== undefined) memory.memoryBytes = total * 1024;
  if (available !== undefined) memory.availableBytes = available * 1024;
  return memory;
}

/**
 * Pointer size by the room for vmalloc in /proc/meminfo: a 64-bit kernel has terabytes of addresses for it, a
 * 32-bit one less than four gigabytes in all. Undefined when the line is missing or zero.
 */
export function parsePointerBytes(text: string): 4 | 8 | undefined {
  const room = kilobytesOf(text, "VmallocTotal");
  if (room === undefined || room === 0) return undefined;
  return room > 4 * 1024 * 1024 ? 8 : 4;
}

function kilobytesOf(text: string, name: string): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d{1,15}) kB`, "m").exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** Seconds since boot of /proc/uptime. */
export function parseUptime(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d+)?)\s/.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/**
 * Seconds since boot of what uptime(1) prints: ` 10:00:01 up 12 days,  3:04,  2 users, ...`, to the minute.
 */
export function parseUptimeCommand(text: string): number | undefined {
  const up = /\bup\s+(?:(\d{1,6}) days?,\s+)?(?:(\d{1,2}):(\d\d)|(\d{1,2}) min|(\d{1,2}) sec)?/.exec(text);
  if (up === null) return undefined;
  const [, days, hours, minutesOfHour, minutes, seconds] = up.map((part) =>
    part === undefined ? 0 : Number(part),
  );
  if (up.slice(1).every((part) => part === undefined)) return undefined;
  const ofDay = (hours ?? 0) * 3600 + ((minutesOfHour ?? 0) + (minutes ?? 0)) * 60 + (seconds ?? 0);
  return (days ?? 0) * 86_400 + ofDay;
}

/** Seconds since 1970 of the boot: `btime` of /proc/stat. */
export function parseBootTime(text: string): number | undefined {
  const match = /^btime (\d{1,12})$/m.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** CPUs in a list such as `0-3,8,10-11`. */
export function parseCpuList(text: string): number | undefined {
  const trimmed = text.trim();
  if (!/^\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*$/.test(trimmed)) return undefined;
  return trimmed.split(",").reduce((cpus, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return cpus + Math.max(0, last - first + 1);
  }, 0);
}

/** CPUs of /proc/cpuinfo (one `processor : N` each), or of lscpu (`CPU(s): 4`). */
export function parseCpuInfo(text: string): number | undefined {
  const stated = /^CPU\(s\):\s+(\d{1,6})$/m.exec(text);
  if (stated !== null) return Number(stated[1]);
  const processors = text.match(/^processor\s*:/gm);
  return processors === null ? undefined : processors.length;
}

/** The release in /proc/version: `Linux version 2.6.18-274.el5 (...)`. */
export function parseKernelVersion(text: string): string | undefined {
  return /^Linux version (\S+)/.exec(text)?.[1];
}

const pointersByMachine: Readonly<Record<string, 4 | 8>> = {
  x86_64: 8,
  amd64: 8,
  aarch64: 8,
  arm64: 8,
  ppc64: 8,
  ppc64le: 8,
  s390x: 8,
  riscv64: 8,
  loongarch64: 8,
  mips64: 8,
  ia64: 8,
  sparc64: 8,
  i386: 4,
  i486: 4,
  i586: 4,
  i686: 4,
  armv5tel: 4,
  armv6l: 4,
  armv7l: 4,
  mips: 4,
  ppc: 4,
};

/** `uname -a`: system, host, release, version ..., machine, operating system. */
export function parseUname(text: string): { hostname?: string; release?: string; pointerBytes?: 4 | 8 } {
  const [system, hostname, release, ...rest] = text.trim().split(/\s+/, 40);
  if (system !== "Linux" || hostname === undefined || release === undefined) return {};
  const pointerBytes = pointerBytesOf(rest) ?? pointerBytesOf(release.split(/[.-]/));
  return { hostname, release, ...(pointerBytes === undefined ? {} : { pointerBytes }) };
}

/** Pointer size by the first word that names a machine. */
function pointerBytesOf(words: readonly string[]): 4 | 8 | undefined {
  const machine = words.find((word) => Object.hasOwn(pointersByMachine, word));
  return machine === undefined ? undefined : pointersByMachine[machine];
}

/** The tracker's slab in /proc/slabinfo: its object size is the slot's, padding included (mm/slub.c). */
export function parseSlabInfo(text: string): { flowSlotBytes?: number } {
  // Between 2.6.38 and 4.8 each namespace had a slab of its own, with an address in its name.
  const match = /^(?:nf|ip)_conntrack(?:_[0-9a-f]{6,16})?\s+\d+\s+\d+\s+(\d{1,6})\s/m.exec(text);
  return match === null ? {} : { flowSlotBytes: Number(match[1]) };
}

/** AT_PAGESZ (6) of the auxiliary vector of a 64-bit little-endian process (/proc/self/auxv). */
export function pageBytesOf(auxv: Uint8Array): number | undefined {
  const view = new DataView(auxv.buffer, auxv.byteOffset, auxv.byteLength);
  for (let at = 0; at + 16 <= auxv.length; at += 16) {
    if (view.getUint32(at, true) === 6 && view.getUint32(at + 4, true) === 0)
      return view.getUint32(at + 8, true);
  }
  return undefined;
}

/** Inode of `net:[4026531840]`, as the links under /proc/PID/ns read. */
export function parseNamespaceLink(text: string): number | undefined {
  const match = /^net:\[(\d{1,16})\]$/.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** NET_NS_INIT_INO of include/uapi/linux/nsfs.h: since 6.18 the initial namespace always has this inode. */
export const INITIAL_NAMESPACE_INODE = 0xeffffff9;

/**
 * Whether a namespace is the initial one, from what is seen inside it. `net.nf_conntrack_max` is registered
 * in the initial namespace only, its twin under net.netfilter in every one; with no tracker loaded only
 * kernels since 6.18 tell, by a fixed inode. Undefined: cannot be told.
 */
export function isInitialNamespace(seen: {
  hasGlobalLimit: boolean;
  hasNamespaceLimit: boolean;
  inode?: number;
  release?: string;
}): boolean | undefined {
  if (seen.hasGlobalLimit) return true;
  if (seen.hasNamespaceLimit) return false;
  if (seen.inode === INITIAL_NAMESPACE_INODE) return true;
  const release = parseKernelRelease(seen.release ?? "");
  const fixed = release !== undefined && isSince(release, "6.18");
  return fixed && seen.inode !== undefined ? false : undefined;
}

/** What the readers below share: the first file that holds an artefact, as text. */
function artefact(files: Files, name: Artefact): string | undefined {
  // On the running host the first path is the kernel's own; nobody's leftovers in / are asked.
  const paths = files.root === undefined ? savedPaths[name].slice(0, 1) : savedPaths[name];
  return files.first(paths)?.text;
}

/** Reads what a saved tree or the running host tells in files; `tracker` is decided from the settings. */
export function readHostFacts(files: Files): Omit<Host, "tracker"> {
  const facts: Omit<Host, "tracker"> = {};
  const uname = parseUname(files.root === undefined ? "" : (artefact(files, "uname") ?? ""));
  const release =
    artefact(files, "kernelRelease")?.trim() ??
    parseKernelVersion(artefact(files, "kernelVersion") ?? "") ??
    uname.release;
  if (release !== undefined && release !== "") facts.kernelRelease = release;
  const memory = artefact(files, "memory") ?? "";
  Object.assign(facts, parseMemory(memory));
  const cpus = readCpus(files);
  if (cpus !== undefined) facts.cpus = cpus;
  const uptime = parseUptime(artefact(files, "uptime") ?? "") ?? savedUptime(files);
  if (uptime !== undefined) facts.uptimeSeconds = uptime;
  const hostname = artefact(files, "hostname")?.trim() ?? uname.hostname;
  if (hostname !== undefined && hostname !== "") facts.hostname = hostname;
  const pointerBytes =
    parsePointerBytes(memory) ?? uname.pointerBytes ?? pointerBytesOf((release ?? "").split(/[.-]/));
  if (pointerBytes !== undefined) facts.pointerBytes = pointerBytes;
  if (files.root !== undefined) facts.root = files.root;
  return facts;
}

function readCpus(files: Files): number | undefined {
  const online = parseCpuList(artefact(files, "cpusOnline") ?? "");
  if (online !== undefined) return online;
  return parseCpuInfo(artefact(files, "cpuInfo") ?? "") ?? parseCpuInfo(artefact(files, "lscpu") ?? "");
}

function savedUptime(files: Files): number | undefined {
  return files.root === undefined ? undefined : parseUptimeCommand(artefact(files, "uptimeCommand") ?? "");
}

const SLAB = "/sys/kernel/slab/nf_conntrack";

/**
 * Sizes of one flow, where they may be read (root only). SLAB kernels and old trees have /proc/slabinfo
 * alone.
 */
export function readFlowSizes(files: Files): { flowObjectBytes?: number; flowSlotBytes?: number } {
  const object = Number(files.textOrNothing(`${SLAB}/object_size`) ?? Number.NaN);
  const slot = Number(files.textOrNothing(`${SLAB}/slab_size`) ?? Number.NaN);
  if (object > 0 && slot > 0) return { flowObjectBytes: object, flowSlotBytes: slot };
  return parseSlabInfo(artefact(files, "slabInfo") ?? "");
}

/**
 * Wall clock of the boot of a saved tree, milliseconds: stated by its /proc/stat, else its date less its
 * uptime.
 */
export function savedBootAtMs(files: Files): number | undefined {
  const boot = parseBootTime(artefact(files, "stat") ?? "");
  if (boot !== undefined) return boot * 1000;
  const savedAtMs = savedDateMs(files);
  const uptime = parseUptime(artefact(files, "uptime") ?? "") ?? savedUptime(files);
  return savedAtMs === undefined || uptime === undefined ? undefined : savedAtMs - uptime * 1000;
}

/** When a tree was saved, milliseconds: by the date(1) kept in it, else by its boot and its uptime. */
export function savedDateMs(files: Files): number | undefined {
  const dateMs = parseDate(artefact(files, "date") ?? "");
  if (dateMs !== undefined) return dateMs;
  const boot = parseBootTime(artefact(files, "stat") ?? "");
  const uptime = parseUptime(artefact(files, "uptime") ?? "") ?? savedUptime(files);
  return boot === undefined || uptime === undefined ? undefined : (boot + uptime) * 1000;
}

/**
 * What date(1) prints in the C locale, `Sat Nov 22 10:00:00 UTC 2025`, or with the US locale's `10:00:00 AM`.
 * Zones other than UTC and GMT are not known by their letters and read as UTC, which is at most half a day
 * wrong.
 */
export function parseDate(text: string): number | undefined {
  const line = text.trim().split("\n", 1)[0] ?? "";
  const match =
    /^\w{3} (\w{3}) +(\d\d?) (\d\d?):(\d\d):(\d\d) (?:(AM|PM) )?(?:[A-Z]{3,5}|[+-]\d{2,4}) (\d{4})$/.exec(
      line,
    ) ?? undefined;
  if (match !== undefined) {
    const [, month, day, hour, minute, second, half, year] = match;
    const twelve = half === undefined ? Number(hour) : (Number(hour) % 12) + (half === "PM" ? 12 : 0);
    return validTime(`${day} ${month} ${year} ${twelve}:${minute}:${second} UTC`);
  }
  return /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d/.test(line) ? validTime(line) : undefined;
}

function validTime(text: string): number | undefined {
  const atMs = Date.parse(text);
  return Number.isFinite(atMs) ? atMs : undefined;
}

/** Which tracker this kernel has loaded, as far as the namespace shows. */
export function trackerOf(files: Files): Host["tracker"] {
  const modern = [
    "/proc/sys/net/netfilter/nf_conntrack_max",
    "/proc/sys/net/nf_conntrack_max",
    "/proc/net/stat/nf_conntrack",
    "/proc/net/nf_conntrack",
  ];
  if (modern.some((path) => files.has(path))) return "nf_conntrack";
  const old = ["/proc/sys/net/ipv4/netfilter/ip_conntrack_max", "/proc/sys/net/ipv4/ip_conntrack_max"];
  if (old.some((path) => files.has(path))) return "ip_conntrack";
  if (files.has("/sys/module/nf_conntrack")) return "nf_conntrack";
  return files.has("/proc/sys/net/core") ? "none" : "unknown";
}
