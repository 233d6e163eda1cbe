/**
 * Talking to the kernel over netlink: a socket as three functions, and one request with all its
 * answers.
 *
 * The kernel does its work inside the two calls: a request has been carried out when `send` returns,
 * and a dump is made piece by piece, each inside the `receive` before the one that fetches it. Nothing
 * here waits for long.
 *
 * Tests give a socket made of functions instead, one less convenient than the kernel: it splits
 * answers.
 */
import { assert } from "../base/assert.ts";
import { countOddity, type Oddities } from "../table/oddities.ts";
import { errnoError, errnoName, KernelError, type KernelErrorCode } from "./error.ts";
import * as ffi from "./ffi.ts";
import {
  type Acknowledgement,
  acknowledgementOf,
  assertLittleEndian,
  Flag,
  type Message,
  MESSAGE_HEADER_BYTES,
  MessageType,
  align,
} from "./netlink.ts";

/** A netlink family: `NETLINK_*` of include/uapi/linux/netlink.h. */
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_NETFILTER = 12;

/**
 * Bytes of every receive buffer. The kernel fills at most 32 KiB at a time whatever is offered
 * (measured on 6.18: 32, 64, 256 and 1024 KiB take the same time), and truncates messages when a later
 * buffer is smaller than an earlier one, so there is one size.
 */
export const RECEIVE_BUFFER_BYTES = 32 * 1024;

/**
 * How long `receive` waits. Answers are there when `send` returns, so this only ends what would never
 * end.
 */
const RECEIVE_TIMEOUT_SECONDS = 10;

/** One netlink socket. Errors are KernelErrors. */
export interface NetlinkSocket {
  /** The kernel's number for this socket; answers carry it. */
  readonly port: number;
  /**
   * Of a dump that is received ahead: when the kernel made what `receive` gave last, at the earliest, in
   * milliseconds since this process began.
   */
  readonly madeMs?: number | undefined;
  /** Sends whole messages. */
  send(bytes: Uint8Array): void;
  /** Fetches a datagram; gives its full length, which exceeds the buffer's when it was cut. */
  receive(buffer: Uint8Array): number;
  close(): void;
}

/**
 * Whatever watches the wire: gets every datagram, sent and received. The bytes are only good during the
 * call.
 */
export type WireSink = (direction: "sent" | "received", datagram: Uint8Array) => void;

/** Opens a socket in the network namespace this thread is in; it stays there. */
export function openNetlink(family: number, sink?: WireSink): NetlinkSocket {
  const socket = openKernelSocket(family);
  return sink === undefined ? socket : watchedSocket(socket, sink);
}

/** The same, with its descriptor. */
export function openKernelSocket(family: number): KernelSocket {
  assertLittleEndian();
  const calls = ffi.systemCalls();
  const fd = calls.socket(ffi.AF_NETLINK, ffi.SOCK_RAW | ffi.SOCK_CLOEXEC, family);
  if (fd < 0) {
    throw errnoError(-fd, `open a netlink socket of family ${family}`, helpForOpening(-fd));
  }
  try {
    return new KernelSocket(calls, fd);
  } catch (cause) {
    calls.close(fd);
    throw cause;
  }
}

function helpForOpening(errno: number): string | undefined {
  switch (errnoName(errno)) {
    case "EPROTONOSUPPORT":
      return "this kernel was built without it, or its module cannot be loaded here";
    case "EAFNOSUPPORT":
    case "EPERM":
    case "EACCES":
      return "this sandbox or container forbids netlink sockets; run on the host";
    case "EMFILE":
      return "this process has too many files open";
    default:
      return undefined;
  }
}

/** struct sockaddr_nl: 0 family u16, 2 padding, 4 port u32, 8 groups u32. */
const ADDRESS_BYTES = 12;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;

/** A socket of the kernel's. */
export class KernelSocket implements NetlinkSocket {
  readonly port: number;
  readonly #calls: ffi.SystemCalls;
  #fd: number;

  constructor(calls: ffi.SystemCalls, fd: number) {
    this.#calls = calls;
    this.#fd = fd;
    const address = new Uint8Array(ADDRESS_BYTES);
    const view = new DataView(address.buffer);
    view.setUint16(0, ffi.AF_NETLINK, true);
    this.#check(calls.bind(fd, address), "bind a netlink socket");
    this.#check(calls.getsockname(fd, address), "ask a netlink socket for its port");
    this.port = view.getUint32(4, true);
    // struct timeval: two longs, 64 bits each on every machine Node runs on.
    const timeout = new Uint8Array(new BigInt64Array([BigInt(RECEIVE_TIMEOUT_SECONDS), 0n]).buffer);
    this.#check(
      calls.setsockopt(fd, ffi.SOL_SOCKET, ffi.SO_RCVTIMEO, timeout),
      "limit how long a netlink socket waits",
    );
    // Since 4.12 the kernel says what it dislikes in words; older ones refuse the option and stay silent.
    const on = new Uint8Array(Int32Array.of(1).buffer);
    calls.setsockopt(fd, ffi.SOL_NETLINK, NETLINK_EXT_ACK, on);
    calls.setsockopt(fd, ffi.SOL_NETLINK, NETLINK_CAP_ACK, on);
  }

  /** The number of its open file; good until it is closed. */
  get descriptor(): number {
    return this.#open();
  }

  send(bytes: Uint8Array): void {
    const sent = this.#calls.send(this.#open(), bytes, 0);
    this.#check(sent, `send ${bytes.length} bytes over netlink`);
  }

  receive(buffer: Uint8Array): number {
    const length = this.#calls.recv(this.#open(), buffer, ffi.MSG_TRUNC);
    if (length < 0) throw receiveError(-length);
    return length;
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#calls.close(this.#fd);
    this.#fd = -1;
  }

  #open(): number {
    assert(this.#fd >= 0, "A closed netlink socket is not used");
    return this.#fd;
  }

  #check(result: number, tried: string): void {
    if (result < 0) throw errnoError(-result, tried);
  }
}

/** What a failed receive is, by its positive error number. */
export function receiveError(errno: number): KernelError {
  const code = errnoName(errno);
  if (code === "EAGAIN" || code === "EWOULDBLOCK") {
    const waited = `${RECEIVE_TIMEOUT_SECONDS} s`;
    const message = `Cannot receive over netlink: the kernel gave no answer in ${waited}`;
    return new KernelError("timed-out", message, { errno });
  }
  const help = code === "ENOBUFS" ? "the kernel had more messages than the socket holds" : undefined;
  return errnoError(errno, "receive over netlink", help);
}

/** The same socket, with every datagram shown to `sink` as well. */
export function watchedSocket(socket: NetlinkSocket, sink: WireSink): NetlinkSocket {
  return {
    port: socket.port,
    send: (bytes) => {
      sink("sent", bytes);
      socket.send(bytes);
    },
    receive: (buffer) => {
      const length = socket.receive(buffer);
      sink("received", buffer.subarray(0, Math.min(length, buffer.length)));
      return length;
    },
    close: () => socket.close(),
  };
}

/** A receive buffer seen three ways at once; bytes 0 of all three are the same. */
export class ReceiveBuffer {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly view: DataView;

  constructor(lengthBytes: number = RECEIVE_BUFFER_BYTES) {
    const memory = new ArrayBuffer(align(lengthBytes));
    this.bytes = new Uint8Array(memory);
    this.words = new Uint32Array(memory);
    this.view = new DataView(memory);
  }
}

/** How a request ended. `running`: answers may follow. */
export type ExchangeState = "running" | "done";

/** What is asked, for the sentence of an error: `Cannot ${tried}: ...; ${help(errno)}`. */
export interface Purpose {
  tried: string;
  /** What an operator can do about an error number, by its name; undefined when nothing is known. */
  help?: (errnoName: string) => string | undefined;
  /** What an error number, by its name, means to this request where that is not its usual meaning. */
  codeOf?: (errnoName: string) => KernelErrorCode | undefined;
}

/**
 * One request and its answers. Whoever reads calls `receive` for a datagram, walks it with `next`, and
 * stops when `state` is `done`. Answers to other requests, and those of other sockets, are passed over.
 */
export class Exchange {
  readonly buffer: ReceiveBuffer;
  readonly oddities: Oddities;
  /** Where in the buffer the present message begins, its whole length, and its type. */
  at = 0;
  length = 0;
  type = 0;
  /** False when part of the answer was lost: cut, overrun or flagged by the kernel. */
  whole = true;
  readonly #socket: NetlinkSocket;
  readonly #purpose: Purpose;
  readonly #sequence: number;
  #state: ExchangeState = "running";
  #interrupted = false;
  #end = 0;
  #next = 0;

  /** Sends `request`, whose messages carry `sequence`. */
  constructor(
    socket: NetlinkSocket,
    request: Uint8Array,
    sequence: number,
    purpose: Purpose,
    shared: { buffer?: ReceiveBuffer; oddities?: Oddities } = {},
  ) {
    this.#socket = socket;
    this.#sequence = sequence;
    this.#purpose = purpose;
    this.buffer = shared.buffer ?? new ReceiveBuffer();
    this.oddities = shared.oddities ?? {};
    socket.send(request);
  }

  get state(): ExchangeState {
    return this.#state;
  }

  /** Fetches the next datagram. An overrun is counted and the datagram after it fetched. */
  receive(): void {
    const { bytes } = this.buffer;
    const length = this.#receivePastOverruns();
    if (length > bytes.length) {
      countOddity(this.oddities, "truncatedMessages");
      this.whole = false;
    }
    this.#next = 0;
    this.#end = Math.min(length, bytes.length);
    assert(length > 0, "A netlink datagram has bytes");
  }

  #receivePastOverruns(): number {
    for (;;) {
      try {
        return this.#socket.receive(this.buffer.bytes);
      } catch (cause) {
        if (!(cause instanceof KernelError) || cause.code !== "no-buffer-space") throw cause;
        countOddity(this.oddities, "overruns");
        this.whole = false;
      }
    }
  }

  /**
   * Moves to the next message of the datagram that is an answer of the family; false when there is none.
   * Throws KernelError when the kernel reports an error.
   */
  next(): boolean {
    const { view } = this.buffer;
    while (this.#end - this.#next >= MESSAGE_HEADER_BYTES) {
      const at = this.#next;
      const length = view.getUint32(at, true);
      if (length < MESSAGE_HEADER_BYTES || length > this.#end - at) {
        this.#malformed();
        return false;
      }
      this.#next = at + align(length);
      if (view.getUint32(at + 8, true) !== this.#sequence) continue;
      if (view.getUint32(at + 12, true) !== this.#socket.port) continue;
      if ((view.getUint16(at + 6, true) & Flag.DUMP_INTR) !== 0) this.#noteInterrupted();
      const type = view.getUint16(at + 4, true);
      if (type >= MessageType.FIRST_OF_FAMILY) {
        this.at = at;
        this.length = length;
        this.type = type;
        return true;
      }
      this.#control(type, at, length);
    }
    if (this.#end > this.#next) this.#malformed();
    return false;
  }

  /** The present message, as a view on the buffer. */
  message(): Message {
    const { view, bytes } = this.buffer;
    return {
      type: this.type,
      flags: view.getUint16(this.at + 6, true),
      sequence: this.#sequence,
      port: this.#socket.port,
      body: bytes.subarray(this.at + MESSAGE_HEADER_BYTES, this.at + this.length),
    };
  }

  /**
   * The rest of the datagram is no message. A datagram cut by the buffer has been counted as that
   * already.
   */
  #malformed(): void {
    if (this.whole) countOddity(this.oddities, "malformedAttributes");
    this.whole = false;
    this.#next = this.#end;
  }

  /** One dump is interrupted once, however many of its messages say so. */
  #noteInterrupted(): void {
    if (!this.#interrupted) countOddity(this.oddities, "interrupted");
    this.#interrupted = true;
    this.whole = false;
  }

  #control(type: number, at: number, length: number): void {
    if (type === MessageType.OVERRUN) {
      countOddity(this.oddities, "overruns");
      this.whole = false;
    }
    if (type !== MessageType.ERROR && type !== MessageType.DONE) return;
    this.type = type;
    this.at = at;
    this.length = length;
    this.#state = "done";
    const acknowledgement = this.#acknowledgement();
    if (acknowledgement.errno !== 0) throw acknowledgedError(acknowledgement, this.#purpose);
  }

  #acknowledgement(): Acknowledgement {
    try {
      return acknowledgementOf(this.message());
    } catch (cause) {
      const found = cause instanceof Error ? cause.message : String(cause);
      throw new KernelError("io", `Cannot ${this.#purpose.tried}: damaged answer: ${found}`, { cause });
    }
  }
}

/** The error an acknowledgement stands for: number, the kernel's own text, and what would help. */
export function acknowledgedError(acknowledgement: Acknowledgement, purpose: Purpose): KernelError {
  const { errno, text, offsetBytes } = acknowledgement;
  const parts: string[] = [];
  if (text !== undefined) parts.push(`the kernel says "${text}"`);
  if (offsetBytes !== undefined) parts.push(`about the attribute at byte ${offsetBytes} of the request`);
  const help = purpose.help?.(errnoName(errno));
  const said = parts.join(" ");
  const advice = [said, help].filter((part) => part !== undefined && part !== "").join("; ");
  const error = errnoError(errno, purpose.tried, advice === "" ? undefined : advice);
  const code = purpose.codeOf?.(errnoName(errno));
  return code === undefined ? error : new KernelError(code, error.message, { errno });
}

/** Runs an exchange to its end and hands every answer to `visit`. Closing the socket is the caller's. */
export function forEachAnswer(exchange: Exchange, visit: (message: Message) => void): void {
  while (exchange.state === "running") {
    exchange.receive();
    while (exchange.next()) visit(exchange.message());
  }
}
