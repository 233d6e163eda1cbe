/**
 * The network namespaces of the running host: the named ones, and those that only a process holds. Each is
 * counted against the limit that all of them share.
 *
 * A namespace with a process in it is read through /proc/PID/net, which shows that process's namespace and
 * may be read by anyone; only a named one that nobody is in has to be entered. Where the kernel does not tell
 * us which namespace a process is in (its link under /proc/PID/ns belongs to another user), the inode of
 * /proc/PID/net/dev does: every namespace has its own files there. Such a namespace is listed without its
 * inode.
 *
 * Threads with a namespace of their own, and namespaces held by nothing but an open descriptor, are not
 * found.
 */
import type { NamespaceFacts } from "../table/host.ts";
import { lowerFirst } from "../table/sentence.ts";
import { type Unseen, unseenCause } from "../table/unseen.ts";
import { KernelError } from "./error.ts";
import type { Files } from "./files.ts";
import { INITIAL_NAMESPACE_INODE, parseNamespaceLink } from "./host-facts.ts";
import { readLocalAddresses } from "./local-addresses.ts";
import { insideNamespace, NAMED_NAMESPACES, type NamespaceTarget } from "./namespace-enter.ts";
import { ownerPhrase, readProcessOwner } from "./process-owner.ts";
import { readSetting } from "./settings-reading.ts";
import type { UnseenNotes } from "./unseen-notes.ts";

/** Where namespaces have names: `ip netns`, and Docker, whose names are of no use to people. */
export const nameDirectories = [
  { path: "/run/netns", telling: true },
  { path: "/var/run/netns", telling: true },
  { path: "/run/docker/netns", telling: false },
  { path: "/var/run/docker/netns", telling: false },
];

/** Far more than any host has; a limit so that a broken /proc ends. */
const NAMESPACES_MAX = 10_000;

/** A namespace on its way to its facts. */
interface Found {
  inode?: number;
  createdAtMs?: number;
  name?: string;
  /** The file that names it. */
  path?: string;
  /** The first process seen in it. */
  pid?: number;
}

export interface NamespacesRequest {
  /** The limit, shared by all. */
  capacityFlows?: number;
  /** Also read addresses. */
  addresses: boolean;
}

export interface NamespacesReading {
  namespaces: readonly NamespaceFacts[];
  unseen: readonly Unseen[];
  /** An error for each that is there but could not be counted. */
  refused: readonly KernelError[];
  /** By which file or process each but the own one is looked into. */
  targets: ReadonlyMap<NamespaceFacts, { path?: string; pid?: number }>;
}

/** Lists and counts the namespaces of the running host; own first, then by occupancy. */
export function readNamespaces(files: Files, request: NamespacesRequest): NamespacesReading {
  const unseen: Unseen[] = [];
  const own = ownInode(files);
  const found = new Map<number, Found>();
  if (own !== undefined) found.set(own, { inode: own });
  findNamed(files, found);
  const hidden = findHeld(files, found, unseen);
  const refused: KernelError[] = [];
  const targets = new Map<NamespaceFacts, { path?: string; pid?: number }>();
  const facts = [...found.values(), ...hidden].map((each) => {
    const its = factsOf(files, each, own, request, refused);
    if (!its.own) targets.set(its, each);
    return its;
  });
  facts.sort((left, right) => Number(right.own) - Number(left.own) || occupancy(right) - occupancy(left));
  return { namespaces: facts, unseen, refused, targets };
}

/** Notes what could not be seen. How many were refused is no part of the name: it changes all the time. */
export function noteUnseen(notes: UnseenNotes, { unseen, refused }: NamespacesReading): void {
  for (const entry of unseen) notes.add(entry);
  const [first, ...others] = refused;
  if (first === undefined) return;
  const more = others.length === 0 ? "" : `; ${others.length} more are refused too`;
  const why = lowerFirst(first.message) + more;
  notes.add({ what: "counts of network namespaces", why, cause: unseenCause(first.code) });
}

function occupancy(facts: NamespaceFacts): number {
  return facts.occupancyFlows ?? -1;
}

/**
 * Whether a namespace is still there: one with a name is as long as the name leads to it; of any other, a
 * process must be in it or a mount hold it. Undefined where processes hide theirs from us.
 */
export function isNamespaceThere(
  files: Files,
  { inode, name }: { inode: number; name?: string },
): boolean | undefined {
  if (name !== undefined && !/^\d+$/.test(name)) {
    const path = name.includes("/") ? name : `${NAMED_NAMESPACES}/${name}`;
    return files.stat(path)?.inode === inode;
  }
  if (files.textOrNothing("/proc/self/mountinfo")?.includes(` net:[${inode}] `) === true) return true;
  const found = new Map<number, Found>();
  const hidden = findHeld(files, found, []);
  if (found.has(inode)) return true;
  return hidden.length > 0 ? undefined : false;
}

/** Inode of the namespace this program is in; undefined where /proc does not tell. */
export function ownInode(files: Files): number | undefined {
  return linkedInode(files, "self");
}

/** The inode of a process's namespace; undefined when it has ended, and on kernels before 3.0. */
function linkedInode(files: Files, pid: string): number | undefined {
  try {
    return parseNamespaceLink(files.link(`/proc/${pid}/ns/net`));
  } catch (error) {
    if (error instanceof KernelError && error.code !== "not-permitted") return undefined;
    if (pid === "self") return undefined;
    throw error;
  }
}

function findNamed(files: Files, found: Map<number, Found>): void {
  // A name whose namespace is gone is left behind as an empty file of another file system.
  const device = files.stat("/proc/self/ns/net")?.device;
  for (const { path: directory, telling } of nameDirectories) {
    for (const name of files.list(directory)) {
      const path = `${directory}/${name}`;
      const stat = files.stat(path);
      if (stat === undefined || stat.device !== device || found.size >= NAMESPACES_MAX) continue;
      // The kernel makes the inode of a namespace when it is first named or looked at, and a name keeps it.
      const known = found.get(stat.inode) ?? { inode: stat.inode, createdAtMs: stat.changedAtMs };
      if (telling) known.name ??= name;
      known.path ??= path;
      found.set(stat.inode, known);
    }
  }
}

/** Adds those that processes are in. Gives those whose inode the kernel keeps from us, one each. */
function findHeld(files: Files, found: Map<number, Found>, unseen: Unseen[]): readonly Found[] {
  const names = files.list("/proc").filter((name) => /^\d+$/.test(name));
  const pids = names.map(Number).sort((left, right) => left - right);
  const refused: number[] = [];
  for (const pid of pids) {
    let inode: number | undefined;
    try {
      inode = linkedInode(files, String(pid));
    } catch {
      refused.push(pid);
      continue;
    }
    if (inode === undefined) continue;
    const known = found.get(inode);
    if (known !== undefined) known.pid ??= pid;
    else if (found.size < NAMESPACES_MAX) found.set(inode, { inode, pid });
  }
  if (pids.length > 0 && pids[0] !== 1) {
    unseen.push({
      what: "namespaces of other users",
      why: "/proc shows only this user's processes",
      help: "run as root, or mount /proc with hidepid=0",
      cause: "not-permitted",
    });
  }
  return refused.length === 0 ? [] : hiddenNamespaces(files, found, refused);
}

/**
 * Namespaces among processes whose link may not be read, told apart by the inode of their /proc/PID/net/dev.
 */
function hiddenNamespaces(
  files: Files,
  found: ReadonlyMap<number, Found>,
  refused: readonly number[],
): readonly Found[] {
  const devices = new Set<number>();
  for (const known of found.values()) {
    const device = devicesInode(files, known.pid ?? "self");
    if (device !== undefined) devices.add(device);
  }
  const hidden: Found[] = [];
  for (const pid of refused) {
    const device = devicesInode(files, pid);
    if (device === undefined || devices.has(device) || hidden.length >= NAMESPACES_MAX) continue;
    devices.add(device);
    hidden.push({ pid });
  }
  return hidden;
}

function devicesInode(files: Files, pid: number | "self"): number | undefined {
  return files.stat(`/proc/${pid}/net/dev`)?.inode;
}

function factsOf(
  files: Files,
  found: Found,
  ownInodeNumber: number | undefined,
  request: NamespacesRequest,
  refused: KernelError[],
): NamespaceFacts {
  const own = found.inode !== undefined && found.inode === ownInodeNumber;
  // The limit under net is there in the initial namespace only; that of others tells nothing about this one.
  const initial =
    found.inode === INITIAL_NAMESPACE_INODE || (own && files.has("/proc/sys/net/nf_conntrack_max"));
  const facts: NamespaceFacts = { initial, own };
  if (found.inode !== undefined) facts.inode = found.inode;
  if (found.name !== undefined) facts.name = found.name;
  if (found.createdAtMs !== undefined) facts.createdAtMs = found.createdAtMs;
  if (found.pid !== undefined) facts.pid = found.pid;
  if (request.capacityFlows !== undefined) facts.capacityFlows = request.capacityFlows;
  if (found.pid !== undefined && !initial)
    facts.owner = ownerPhrase(found.pid, readProcessOwner(files, found.pid));
  try {
    const seen = look(files, found, own, request.addresses);
    if (seen.occupancyFlows !== undefined) facts.occupancyFlows = seen.occupancyFlows;
    else facts.unseen = "the kernel shows no count of it: no tracker is loaded, or its files are hidden";
    if (seen.addresses !== undefined) facts.addresses = seen.addresses;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    facts.unseen = error.message;
    // One that ended while we looked is no loss.
    if (error.code !== "not-found") refused.push(error);
  }
  return facts;
}

type Seen = Pick<NamespaceFacts, "occupancyFlows" | "addresses">;

/** Count and addresses: from outside through a process, else from inside. */
function look(files: Files, found: Found, own: boolean, addresses: boolean): Seen {
  if (own) return lookInside(files, addresses);
  const net = `/proc/${found.pid ?? 0}/net`;
  const occupancyFlows =
    found.pid === undefined
      ? undefined
      : parseFirstEntry(files.textOrNothing(`${net}/stat/nf_conntrack`) ?? "");
  // Without CONFIG_NF_CONNTRACK_PROCFS there is no such file, and without a process no such directory.
  if (occupancyFlows === undefined)
    return insideNamespace(targetOf(found), () => lookInside(files, addresses));
  const local = addresses ? readLocalAddresses(files, net) : undefined;
  return local === undefined ? { occupancyFlows } : { occupancyFlows, addresses: local };
}

function targetOf(found: Found): NamespaceTarget {
  return found.path === undefined ? { pid: found.pid ?? 0 } : { path: found.path };
}

function lookInside(files: Files, addresses: boolean): Seen {
  const occupancyFlows = readSetting(files, "nf_conntrack_count");
  const local = addresses ? readLocalAddresses(files, "/proc/self/net") : undefined;
  return {
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    ...(local === undefined ? {} : { addresses: local }),
  };
}

/**
 * The table's total: the first figure below the header of /proc/net/stat/nf_conntrack, the same in every row.
 */
export function parseFirstEntry(text: string): number | undefined {
  const match = /^entries .*\n([0-9a-f]{8}) /.exec(text);
  return match === null ? undefined : Number.parseInt(match[1] ?? "", 16);
}
