/**
 * Whose flows these are: sockets joined to the processes that hold them, and addresses joined to namespaces.
 * Made on request only, because it looks at every open file of every process.
 */
import { type Address, unmapped } from "../table/address.ts";
import type { NamespaceFacts } from "../table/host.ts";
import type { Unseen } from "../table/unseen.ts";
import { KernelError } from "./error.ts";
import type { Files } from "./files.ts";
import { readProcessOwner } from "./process-owner.ts";
import type { OpenSocket } from "./socket-files.ts";

/**
 * Open files looked at: some three seconds' worth; what is found until then is kept and the rest reported.
 */
const OPEN_FILES_MAX = 1_000_000;

/** The process behind a socket. */
export interface SocketOwner {
  pid: number;
  command: string;
  unit?: string;
  container?: string;
}

export interface Owners {
  /**
   * The process whose socket has this local address and port, talking to that remote one: an exact socket
   * first, then one bound to the address, then one bound to the port on every address. Undefined: no such
   * socket, or nobody whose files may be looked at holds it.
   */
  ownerOfLocalFlow(
    protocol: number,
    address: Address,
    port: number,
    remote?: { address: Address; port: number },
  ): SocketOwner | undefined;
  /** The only namespace of the host with this address, when there is exactly one. */
  namespaceOfAddress(address: Address): NamespaceFacts | undefined;
  /** Whether the address belongs to the namespace looked at. */
  isLocal(address: Address): boolean;
}

const ANY_IPV4 = "\0\0\0\0";
const ANY_IPV6 = "\0".repeat(16);

/** Puts the tables together. `inodes` are the processes by socket inode, `local` the addresses looked at. */
export function makeOwners(
  sockets: readonly OpenSocket[],
  holders: ReadonlyMap<number, SocketOwner>,
  namespaces: readonly NamespaceFacts[],
  local: ReadonlySet<Address>,
): Owners {
  const bySocket = new Map<string, SocketOwner>();
  for (const socket of sockets) {
    const holder = holders.get(socket.inode);
    if (holder === undefined) continue;
    const address = unmapped(socket.local);
    const connected = socket.remotePort !== 0;
    const key = connected
      ? exactKey(socket.protocol, address, socket.localPort, unmapped(socket.remote), socket.remotePort)
      : boundKey(socket.protocol, isAny(address) ? "" : address, socket.localPort);
    if (!bySocket.has(key)) bySocket.set(key, holder);
  }
  const byAddress = addressTable(namespaces);
  return {
    ownerOfLocalFlow: (protocol, address, port, remote) => {
      const exact =
        remote === undefined
          ? undefined
          : bySocket.get(exactKey(protocol, address, port, remote.address, remote.port));
      return (
        exact ?? bySocket.get(boundKey(protocol, address, port)) ?? bySocket.get(boundKey(protocol, "", port))
      );
    },
    namespaceOfAddress: (address) => byAddress.get(address),
    isLocal: (address) => local.has(address),
  };
}

function exactKey(protocol: number, local: string, port: number, remote: string, remotePort: number): string {
  return `${protocol} ${port} ${remotePort} ${local} ${remote}`;
}

function boundKey(protocol: number, local: string, port: number): string {
  return `${protocol} ${port} ${local}`;
}

function isAny(address: string): boolean {
  return address === ANY_IPV4 || address === ANY_IPV6;
}

/** Addresses that several namespaces have (172.17.0.1 of every nested engine) name none of them. */
function addressTable(namespaces: readonly NamespaceFacts[]): ReadonlyMap<Address, NamespaceFacts> {
  const byAddress = new Map<Address, NamespaceFacts>();
  const shared = new Set<Address>();
  for (const namespace of namespaces) {
    for (const address of namespace.addresses ?? []) {
      if (byAddress.has(address)) shared.add(address);
      byAddress.set(address, namespace);
    }
  }
  for (const address of shared) byAddress.delete(address);
  return byAddress;
}

/** Inode of `socket:[12345]`, as the links under /proc/PID/fd read. */
export function parseSocketLink(text: string): number | undefined {
  const match = /^socket:\[(\d{1,16})\]$/.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/**
 * The processes that hold these sockets, by inode: the first one of several that share one, which is the
 * oldest. Stops when every socket has been found.
 */
export function readHolders(
  files: Files,
  sockets: readonly OpenSocket[],
): { holders: ReadonlyMap<number, SocketOwner>; unseen: readonly Unseen[] } {
  const wanted = new Set(sockets.map(({ inode }) => inode));
  const holders = new Map<number, SocketOwner>();
  const names = files.list("/proc").filter((name) => /^\d+$/.test(name));
  let refused = 0;
  let openFiles = 0;
  for (const pid of names.map(Number).sort((left, right) => left - right)) {
    if (wanted.size === 0) break;
    if (openFiles >= OPEN_FILES_MAX) return { holders, unseen: [tooManyFiles] };
    const links = openSockets(files, pid);
    if (links === "refused") {
      refused += 1;
      continue;
    }
    openFiles += links.looked;
    const mine = links.inodes.filter((inode) => wanted.delete(inode));
    if (mine.length === 0) continue;
    const { command = "?", ...rest } = readProcessOwner(files, pid);
    for (const inode of mine) holders.set(inode, { pid, command, ...rest });
  }
  return { holders, unseen: refused === 0 || wanted.size === 0 ? [] : [othersFiles(refused)] };
}

const tooManyFiles: Unseen = {
  what: "owners of some flows",
  why: `processes have more than ${OPEN_FILES_MAX} open files; the rest was not looked at`,
  cause: "incomplete",
};

function othersFiles(processes: number): Unseen {
  return {
    what: "owners of some flows",
    why: `permission denied: the open files of ${processes} processes of other users`,
    help: "run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
    cause: "not-permitted",
  };
}

function openSockets(files: Files, pid: number): { inodes: number[]; looked: number } | "refused" {
  const directory = `/proc/${pid}/fd`;
  let names: readonly string[];
  try {
    names = files.listOrThrow(directory);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return error.code === "not-permitted" ? "refused" : { inodes: [], looked: 0 };
  }
  const inodes: number[] = [];
  for (const name of names) {
    let inode: number | undefined;
    try {
      inode = parseSocketLink(files.link(`${directory}/${name}`));
    } catch {
      continue;
    }
    if (inode !== undefined) inodes.push(inode);
  }
  return { inodes, looked: names.length };
}
