/**
 * Sockets of a network namespace over netlink (sock_diag(7)): what /proc/net/tcp and its kin say, without
 * their text. A host with half a million sockets answers in under a second.
 *
 * Asking makes the kernel load the diagnosing part of a protocol (tcp_diag, udp_diag) where that is a
 * module and not yet there, as `ss` does; who must not change even that reads /proc/net. A protocol whose
 * part is missing has no answer.
 *
 * Source: include/uapi/linux/inet_diag.h and sock_diag.h, 3.3 and later. Integers of the request and the
 * message are in machine order, ports and addresses in network order.
 */
import { ByteReader, BytesError } from "../base/bytes.ts";
import { type Address, addressFromBytes } from "../table/address.ts";
import { countOddity, type Oddities } from "../table/oddities.ts";
import { TCP, UDP, UDPLITE } from "../table/protocol.ts";
import { AF_INET, AF_INET6, kernelFamily } from "./ctnetlink.ts";
import { KernelError } from "./error.ts";
import { Flag, type Message, MessageWriter } from "./netlink.ts";
import {
  Exchange,
  NETLINK_SOCK_DIAG,
  type NetlinkSocket,
  openNetlink,
  type Purpose,
  ReceiveBuffer,
  type WireSink,
} from "./netlink-socket.ts";

/**
 * One socket of an IP protocol. An unconnected one has the address 0.0.0.0 or :: and port 0 on its remote
 * side.
 */
export interface InetSocket {
  protocol: number;
  family: 4 | 6;
  local: Address;
  localPort: number;
  remote: Address;
  remotePort: number;
  /** TCP_ESTABLISHED 1, ..., TCP_LISTEN 10 (include/net/tcp_states.h); UDP has 1 when connected, else 7. */
  state: number;
  /** As the links under /proc/PID/fd name it; 0 when no process holds the socket. */
  inode: number;
  uid: number;
}

export interface SocketQuery {
  /** Protocol numbers; TCP, UDP and UDP-Lite when absent. */
  protocols?: readonly number[];
  /** Also those no process holds: TIME_WAIT and half-open ones. */
  unheld?: boolean;
  oddities?: Oddities;
  sink?: WireSink;
  /** For tests: the socket to use instead of the kernel's. It is closed in the end. */
  socket?: NetlinkSocket;
}

const SOCK_DIAG_BY_FAMILY = 20;

const ALL_STATES = 0xffff_ffff;
const TIME_WAIT = 1 << 6;
const NEW_SYN_RECV = 1 << 12;

const purpose: Purpose = {
  tried: "list sockets over netlink",
  help: (errnoName) => (errnoName === "ENOENT" ? "this kernel has no part that diagnoses them" : undefined),
};

/**
 * The sockets of the namespace this thread is in, one after the other; no capability is needed. Throws
 * KernelError when not one protocol answers. Leaving the loop early closes the netlink socket.
 */
export function* netlinkSockets(query: SocketQuery = {}): Generator<InetSocket, void, undefined> {
  const socket = query.socket ?? openNetlink(NETLINK_SOCK_DIAG, query.sink);
  const oddities = query.oddities ?? {};
  const shared = { buffer: new ReceiveBuffer(), oddities };
  const states = query.unheld === true ? ALL_STATES : ALL_STATES & ~(TIME_WAIT | NEW_SYN_RECV);
  let answered = false;
  let refusal: KernelError | undefined;
  let sequence = 0;
  try {
    for (const protocol of query.protocols ?? [TCP, UDP, UDPLITE]) {
      for (const family of [4, 6] as const) {
        sequence += 1;
        const writer = new MessageWriter();
        writeSocketDump(writer, sequence, { protocol, family, states });
        try {
          const exchange = new Exchange(socket, writer.bytes(), sequence, purpose, shared);
          yield* answersOf(exchange, protocol, query.unheld === true);
          answered = true;
        } catch (cause) {
          if (!(cause instanceof KernelError) || !isMissingPart(cause)) throw cause;
          refusal = cause;
        }
      }
    }
  } finally {
    socket.close();
  }
  if (!answered && refusal !== undefined) throw refusal;
}

/** What a kernel says that has no such protocol, or no such family. */
function isMissingPart(error: KernelError): boolean {
  return error.code === "not-found" || error.code === "invalid" || error.code === "unsupported";
}

function* answersOf(
  exchange: Exchange,
  protocol: number,
  unheld: boolean,
): Generator<InetSocket, void, undefined> {
  while (exchange.state === "running") {
    exchange.receive();
    while (exchange.next()) {
      const found = parseSocket(exchange.message(), protocol);
      if (found === undefined) countOddity(exchange.oddities, "malformedAttributes");
      else if (unheld || found.inode !== 0) yield found;
    }
  }
}

/**
 * struct inet_diag_req_v2: 0 family u8, 1 protocol u8, 2 extensions u8, 3 padding, 4 states u32 as bits,
 * 8 struct inet_diag_sockid (48 bytes, zero: any).
 */
const REQUEST_BYTES = 56;

/** Writes the request for all sockets of a protocol and family that are in one of `states` (a bit each). */
export function writeSocketDump(
  writer: MessageWriter,
  sequence: number,
  wanted: { protocol: number; family: 4 | 6; states: number },
): void {
  const request = new Uint8Array(REQUEST_BYTES);
  request[0] = kernelFamily(wanted.family);
  request[1] = wanted.protocol;
  new DataView(request.buffer).setUint32(4, wanted.states, true);
  writer.begin({ type: SOCK_DIAG_BY_FAMILY, flags: Flag.REQUEST | Flag.DUMP, sequence });
  writer.raw(request);
  writer.end();
}

/**
 * Reads struct inet_diag_msg: 0 family u8, 1 state u8, 2 timer u8, 3 retransmissions u8, 4 local port be16,
 * 6 remote port be16, 8 local address 16 bytes, 24 remote address 16 bytes, 40 interface u32, 44 cookie
 * u64, 52 expiry u32, 56 receive queue u32, 60 send queue u32, 64 uid u32, 68 inode u32. Undefined when the
 * message is no such thing.
 */
export function parseSocket(message: Message, protocol: number): InetSocket | undefined {
  try {
    const reader = new ByteReader(message.body);
    const family = familyOfNumber(reader.u8("family"));
    if (family === undefined) return undefined;
    const state = reader.u8("state");
    reader.skip("timer and retransmissions", 2);
    const localPort = reader.u16("local port");
    const remotePort = reader.u16("remote port");
    const local = addressOf(reader.bytes("local address", 16), family);
    const remote = addressOf(reader.bytes("remote address", 16), family);
    reader.skip("interface, cookie, expiry and queues", 24);
    const uid = reader.u32("uid", true);
    const inode = reader.u32("inode", true);
    return { protocol, family, local, localPort, remote, remotePort, state, inode, uid };
  } catch (cause) {
    if (cause instanceof BytesError) return undefined;
    throw cause;
  }
}

function familyOfNumber(number: number): 4 | 6 | undefined {
  if (number === AF_INET) return 4;
  return number === AF_INET6 ? 6 : undefined;
}

/** An IPv4 address uses the first four of the sixteen bytes. */
function addressOf(bytes: Uint8Array, family: 4 | 6): Address {
  return addressFromBytes(family === 4 ? bytes.subarray(0, 4) : bytes);
}
