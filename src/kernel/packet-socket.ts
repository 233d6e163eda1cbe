/**
 * Opening a packet socket on one interface, with a ring of blocks that the kernel fills (packet(7),
 * Documentation/networking/packet_mmap.rst). What it gives are plain numbers, so that another thread can read
 * the ring (packet-ring.ts); opening is the main thread's, because only that enters namespaces.
 *
 * It sees both directions, as tcpdump does, and nothing of it changes what the host does with a packet: the
 * interface is not made promiscuous unless that is asked for.
 */
import { constants } from "node:os";
import { errnoError, errnoName, KernelError } from "./error.ts";
import * as ffi from "./ffi.ts";
import { Files } from "./files.ts";
import { insideNamespace, namedTarget } from "./namespace-enter.ts";

/** Bytes of a block, and how many there are: a third of a second of a million small packets a second. */
const BLOCK_BYTES = 1 << 20;
const BLOCKS = 64;
/** A block that is not full is handed over after this long. */
const RETIRE_MS = 50;
/** Bytes kept of a packet: headers, with all options and a few extension headers. */
export const SNAP_BYTES = 256;

/** include/uapi/linux/if_packet.h. */
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_RX_RING = 5;
const PACKET_VERSION = 10;
const PACKET_RESERVE = 12;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_MR_PROMISC = 1;
const TPACKET_V3 = 2;
const ETH_P_ALL = 0x0003;
/** The kernel wants a frame size although blocks of version 3 have none; any that divides a block. */
const FRAME_BYTES = 2048;
/** Room before each packet in which its VLAN tag is put back. */
export const VLAN_TAG_BYTES = 4;

/** include/uapi/linux/sockios.h and if.h: struct ifreq is a name of 16 bytes and a union of 24. */
const SIOCGIFFLAGS = 0x8913;
const SIOCGIFHWADDR = 0x8927;
const SIOCGIFINDEX = 0x8933;
const REQUEST_BYTES = 40;
const NAME_BYTES = 16;
const IFF_UP = 1;
const IFF_LOOPBACK = 8;

/** include/uapi/linux/if_arp.h: hardware whose packets begin with an Ethernet header. */
const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;

export interface CaptureOptions {
  /** As `ip link` names it. */
  interfaceName: string;
  /**
   * Where the interface is: a name of `ip netns`, a process number or a path; absent: where this process
   * is.
   */
  namespace?: string;
  /** Bytes kept of a packet. */
  snapBytes?: number;
  promiscuous?: boolean;
  /** Blocks of 1 MiB. */
  blocks?: number;
}

/** An open socket with its ring, ready to be mapped by any one thread. */
export interface PacketSocket {
  readonly descriptor: number;
  readonly interfaceName: string;
  readonly blockBytes: number;
  readonly blocks: number;
  /** Packets begin with an Ethernet header; otherwise with that of the network layer. */
  readonly hasEthernetHeader: boolean;
  /** Every packet passes such an interface twice, out and in again. */
  readonly isLoopback: boolean;
}

/**
 * Starts capturing. Throws KernelError: `not-permitted` without CAP_NET_RAW, `not-found` when there is no
 * such interface or namespace, `interface-down`, `out-of-memory` when there is no memory for the ring.
 */
export function openPacketSocket(options: CaptureOptions): PacketSocket {
  const { namespace } = options;
  if (namespace === undefined) return open(options);
  return insideNamespace(namedTarget(new Files(undefined), namespace), () => open(options));
}

function open(options: CaptureOptions): PacketSocket {
  const { interfaceName } = options;
  const calls = ffi.systemCalls();
  const tried = `capture packets on ${interfaceName}`;
  const found = describeInterface(calls, interfaceName, tried);
  // Of hardware other than Ethernet only the network layer is taken: its header says all the tracker needs.
  const type = found.hasEthernetHeader ? ffi.SOCK_RAW : ffi.SOCK_DGRAM;
  // Protocol 0: nothing is captured before filter and ring are there.
  const fd = calls.socket(ffi.AF_PACKET, type | ffi.SOCK_CLOEXEC, 0);
  if (fd < 0) throw errnoError(-fd, tried, helpForOpening(-fd));
  try {
    const blocks = options.blocks ?? BLOCKS;
    snap(calls, fd, options.snapBytes ?? SNAP_BYTES, tried);
    layRing(calls, fd, blocks, tried);
    if (found.isLoopback) calls.setsockopt(fd, ffi.SOL_PACKET, PACKET_IGNORE_OUTGOING, int(1));
    if (options.promiscuous === true) makePromiscuous(calls, fd, found.index, tried);
    check(calls.bind(fd, packetAddress(found.index)), tried);
    const { hasEthernetHeader, isLoopback } = found;
    return { descriptor: fd, interfaceName, blockBytes: BLOCK_BYTES, blocks, hasEthernetHeader, isLoopback };
  } catch (cause) {
    calls.close(fd);
    throw cause;
  }
}

function helpForOpening(errno: number): string | undefined {
  switch (errnoName(errno)) {
    case "EPERM":
    case "EACCES":
      return "run as root or with CAP_NET_RAW in the namespace of the interface";
    case "EAFNOSUPPORT":
      return "this kernel was built without packet sockets (CONFIG_PACKET)";
    default:
      return undefined;
  }
}

interface Interface {
  index: number;
  hasEthernetHeader: boolean;
  isLoopback: boolean;
}

/** Needs no privilege, so that a wrong name is said to be wrong. */
function describeInterface(calls: ffi.SystemCalls, name: string, tried: string): Interface {
  const request = new Uint8Array(REQUEST_BYTES);
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length >= NAME_BYTES || bytes.includes(0)) throw noInterface(tried);
  request.set(bytes);
  const view = new DataView(request.buffer);
  const fd = calls.socket(ffi.AF_INET, ffi.SOCK_DGRAM | ffi.SOCK_CLOEXEC, 0);
  if (fd < 0) throw errnoError(-fd, tried);
  try {
    const ask = (what: number): void => {
      const result = calls.ioctl(fd, what, request);
      if (errnoName(-result) === "ENODEV") throw noInterface(tried);
      check(result, tried);
    };
    ask(SIOCGIFINDEX);
    const index = view.getInt32(NAME_BYTES, true);
    ask(SIOCGIFFLAGS);
    const flags = view.getUint16(NAME_BYTES, true);
    if ((flags & IFF_UP) === 0) throw interfaceDown(tried, `\`ip link set ${name} up\` brings it up`);
    ask(SIOCGIFHWADDR);
    const hardware = view.getUint16(NAME_BYTES, true);
    const hasEthernetHeader = hardware === ARPHRD_ETHER || hardware === ARPHRD_LOOPBACK;
    return { index, hasEthernetHeader, isLoopback: (flags & IFF_LOOPBACK) !== 0 };
  } finally {
    calls.close(fd);
  }
}

function noInterface(tried: string): KernelError {
  const message = `Cannot ${tried}: there is no such interface; \`ip link\` shows those of this namespace`;
  return new KernelError("not-found", message, { errno: constants.errno.ENODEV });
}

/** The interface is down, was taken down, or is gone. */
export function interfaceDown(tried: string, help: string): KernelError {
  return new KernelError("interface-down", `Cannot ${tried}: the interface is down; ${help}`);
}

/**
 * A filter of one instruction, which keeps the first bytes of every packet (include/uapi/linux/filter.h).
 * struct sock_filter: 0 code u16, 2 and 3 jumps, 4 constant u32; struct sock_fprog: 0 length u16, 8 address.
 */
function snap(calls: ffi.SystemCalls, fd: number, snapBytes: number, tried: string): void {
  const RETURN = 0x06;
  const instruction = new Uint8Array(8);
  const view = new DataView(instruction.buffer);
  view.setUint16(0, RETURN, true);
  view.setUint32(4, snapBytes, true);
  const program = new Uint8Array(16);
  const programView = new DataView(program.buffer);
  programView.setUint16(0, 1, true);
  programView.setBigUint64(8, calls.addressOf(instruction), true);
  check(calls.setsockopt(fd, ffi.SOL_SOCKET, ffi.SO_ATTACH_FILTER, program), tried);
}

/**
 * struct tpacket_req3: bytes of a block, blocks, bytes of a frame, frames, milliseconds, private bytes,
 * features.
 */
function layRing(calls: ffi.SystemCalls, fd: number, blocks: number, tried: string): void {
  check(calls.setsockopt(fd, ffi.SOL_PACKET, PACKET_VERSION, int(TPACKET_V3)), tried);
  check(calls.setsockopt(fd, ffi.SOL_PACKET, PACKET_RESERVE, int(VLAN_TAG_BYTES)), tried);
  const frames = (BLOCK_BYTES / FRAME_BYTES) * blocks;
  const request = Uint32Array.of(BLOCK_BYTES, blocks, FRAME_BYTES, frames, RETIRE_MS, 0, 0);
  const result = calls.setsockopt(fd, ffi.SOL_PACKET, PACKET_RX_RING, new Uint8Array(request.buffer));
  check(result, tried, `its ring takes ${blocks} MiB of memory that stays in place`);
}

/** struct packet_mreq: 0 interface i32, 4 type u16, 6 length u16, 8 address. */
function makePromiscuous(calls: ffi.SystemCalls, fd: number, index: number, tried: string): void {
  const membership = new Uint8Array(16);
  const view = new DataView(membership.buffer);
  view.setInt32(0, index, true);
  view.setUint16(4, PACKET_MR_PROMISC, true);
  check(calls.setsockopt(fd, ffi.SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership), tried);
}

/** struct sockaddr_ll: 0 family u16, 2 protocol be16, 4 interface i32, and what only receiving fills. */
function packetAddress(index: number): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, ffi.AF_PACKET, true);
  view.setUint16(2, ETH_P_ALL);
  view.setInt32(4, index, true);
  return address;
}

function int(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

function check(result: number, tried: string, help?: string): void {
  if (result < 0) throw errnoError(-result, tried, help);
}
