/**
 * The only file that names system calls. They are made through node:ffi on the C library this program
 * already runs on, loaded at first use: reading saved files, replay and tests work without it.
 *
 * Every call gives the kernel's result, or the negative error number, as the kernel itself does; a call
 * that a signal interrupted is made again. Whoever calls turns numbers into sentences (error.ts).
 *
 * Arguments are declared at their true width. Declaring a size_t as 32 bits would spare a BigInt a call,
 * but what the upper half of the register then holds is up to the compiler, on x86-64 and aarch64 alike,
 * and the BigInt costs 50 ns on a call that takes 100 times as long. Results are the other way round: a
 * 32-bit result reads the lower half of the return register, exact for every count and -1 here, and
 * allocates nothing between the call and reading errno.
 */
import { constants } from "node:os";
import { KernelError } from "./error.ts";

/**
 * include/uapi/linux: the numbers the calls below are made with; the same on every architecture Node runs
 * on.
 */
export const AF_NETLINK = 16;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const SOL_SOCKET = 1;
export const SO_RCVBUF = 8;
export const SO_RCVTIMEO = 20;
export const SO_RCVBUFFORCE = 33;
export const SO_MEMINFO = 55;
export const SOL_NETLINK = 270;
export const CLONE_NEWNET = 0x4000_0000;
export const AF_INET = 2;
export const AF_PACKET = 17;
export const SOCK_DGRAM = 2;
export const SO_ERROR = 4;
export const SO_ATTACH_FILTER = 26;
export const SO_DETACH_FILTER = 27;
export const SOL_PACKET = 263;
export const POLLIN = 1;
export const POLLERR = 8;
export const POLLHUP = 16;
export const LOCK_EXCLUSIVE = 2;
/** With another operation: fails instead of waiting. */
export const LOCK_NOW = 4;

export const AF_UNIX = 1;
export const MSG_NOSIGNAL = 0x4000;
export const SEEK_END = 2;
export const CLOCK_MONOTONIC = 1;

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
/** Private, at the given address, of no file, and taking no memory until written. */
const MAP_NOTHING_INSTEAD = 0x02 | 0x10 | 0x20 | 0x4000;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** Results are zero or positive, or a negative error number. */
export interface SystemCalls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  connect(fd: number, address: Uint8Array): number;
  /** Writes the socket's own address into `address`. */
  getsockname(fd: number, address: Uint8Array): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  send(fd: number, bytes: Uint8Array, flags: number): number;
  /** With MSG_TRUNC the datagram's whole length, although only what fits is stored. */
  recv(fd: number, buffer: Uint8Array, flags: number): number;
  close(fd: number): number;
  /** Moves the calling thread, which is JavaScript's, into the namespace behind `fd`. */
  setns(fd: number, type: number): number;
  /** Reads an option into `value`. */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  /** The three-argument form: a request with a structure that is read, written or both. */
  ioctl(fd: number, request: number, structure: Uint8Array): number;
  /** Waits, blocking the thread, for `events`; gives what happened (0: nothing in time, or a signal). */
  poll(fd: number, events: number, timeoutMs: number): number;
  /** Moves where an open file is read next; not beyond 2 GiB, where the place does not fit the result. */
  lseek(fd: number, offset: number, whence: number): number;
  /** Reads a clock into a struct timespec: two longs, seconds and nanoseconds. */
  clockGettime(clock: number, timespec: BigInt64Array): number;
  /** A lock on an open file that dies with the last descriptor of it, flock(2). */
  flock(fd: number, operation: number): number;
  /** Names of the extended attributes of a file, each ended by NUL; with an empty list, their length. */
  flistxattr(fd: number, list: Uint8Array): number;
  fgetxattr(fd: number, name: Uint8Array, value: Uint8Array): number;
  fsetxattr(fd: number, name: Uint8Array, value: Uint8Array): number;
  /** Maps a file into memory, shared with the kernel. */
  map(fd: number, lengthBytes: number): Mapping | number;
  /** The address of a buffer, for structures that hold addresses; good as long as the buffer is held. */
  addressOf(buffer: Uint8Array): bigint;
}

/** Memory that the kernel writes too. */
export interface Mapping {
  readonly bytes: Uint8Array;
  /**
   * Gives the memory back. The addresses are kept, as zeros: a view that somebody still holds must not be
   * able to end the process.
   */
  unmap(): void;
}

const definitions = {
  socket: { arguments: ["i32", "i32", "i32"], return: "i32" },
  bind: { arguments: ["i32", "buffer", "u32"], return: "i32" },
  connect: { arguments: ["i32", "buffer", "u32"], return: "i32" },
  lseek: { arguments: ["i32", "i64", "i32"], return: "i32" },
  clock_gettime: { arguments: ["i32", "buffer"], return: "i32" },
  getsockname: { arguments: ["i32", "buffer", "buffer"], return: "i32" },
  setsockopt: { arguments: ["i32", "i32", "i32", "buffer", "u32"], return: "i32" },
  send: { arguments: ["i32", "buffer", "u64", "i32"], return: "i32" },
  recv: { arguments: ["i32", "buffer", "u64", "i32"], return: "i32" },
  close: { arguments: ["i32"], return: "i32" },
  setns: { arguments: ["i32", "i32"], return: "i32" },
  getsockopt: { arguments: ["i32", "i32", "i32", "buffer", "buffer"], return: "i32" },
  ioctl: { arguments: ["i32", "u64", "buffer"], return: "i32" },
  poll: { arguments: ["buffer", "u64", "i32"], return: "i32" },
  flock: { arguments: ["i32", "i32"], return: "i32" },
  flistxattr: { arguments: ["i32", "buffer", "u64"], return: "i32" },
  fgetxattr: { arguments: ["i32", "buffer", "buffer", "u64"], return: "i32" },
  fsetxattr: { arguments: ["i32", "buffer", "buffer", "u64", "i32"], return: "i32" },
  mmap: { arguments: ["pointer", "u64", "i32", "i32", "i32", "i64"], return: "pointer" },
  getpid: { arguments: [], return: "i32" },
  __errno_location: { arguments: [], return: "pointer" },
} as const;

/** What a thread needs that only receives: it binds these two by itself (netlink-ahead-thread.ts). */
export const receiveSignatures = {
  recv: definitions.recv,
  __errno_location: definitions.__errno_location,
} as const;

let loaded: SystemCalls | KernelError | undefined;

/** The system calls of this machine. Throws KernelError `no-ffi` when they cannot be made from here. */
export function systemCalls(): SystemCalls {
  loaded ??= load();
  if (loaded instanceof KernelError) throw loaded;
  return loaded;
}

function load(): SystemCalls | KernelError {
  try {
    const { calls, getpid } = bindLibrary();
    const failure = selfTest(calls, getpid);
    return failure === undefined ? calls : unusable(failure);
  } catch (cause) {
    return unusable(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function unusable(found: string, cause?: unknown): KernelError {
  const message = `Cannot make system calls from this program: ${found}; /proc is the way left`;
  return new KernelError("no-ffi", message, { cause });
}

function bindLibrary(): { calls: SystemCalls; getpid: () => number } {
  const ffi = process.getBuiltinModule("node:ffi");
  if (ffi === undefined) throw new Error(`Node ${process.version} has no node:ffi`);
  // `null` is the process itself, which has its C library loaded whatever that one's file is called.
  const { functions } = ffi.dlopen(null, definitions);
  // The place of errno belongs to the thread, and this module is loaded once a thread.
  const errnoAt = functions.__errno_location();
  const checked = (result: number): number => (result < 0 ? -ffi.getInt32(errnoAt, 0) : result);
  const calls: SystemCalls = {
    socket: (domain, type, protocol) => checked(functions.socket(domain, type, protocol)),
    bind: (fd, address) => checked(functions.bind(fd, address, address.length)),
    connect: (fd, address) => checked(functions.connect(fd, address, address.length)),
    lseek: (fd, offset, whence) => checked(functions.lseek(fd, BigInt(offset), whence)),
    clockGettime: (clock, timespec) =>
      checked(functions.clock_gettime(clock, new Uint8Array(timespec.buffer))),
    getsockname: (fd, address) => checked(functions.getsockname(fd, address, Uint32Array.of(address.length))),
    setsockopt: (fd, level, name, value) =>
      checked(functions.setsockopt(fd, level, name, value, value.length)),
    send: (fd, bytes, flags) =>
      uninterrupted(() => checked(functions.send(fd, bytes, BigInt(bytes.length), flags))),
    recv: (fd, buffer, flags) =>
      uninterrupted(() => checked(functions.recv(fd, buffer, BigInt(buffer.length), flags))),
    // Not repeated: Linux has closed the descriptor even when it reports an interruption.
    close: (fd) => checked(functions.close(fd)),
    setns: (fd, type) => checked(functions.setns(fd, type)),
    getsockopt: (fd, level, name, value) =>
      checked(functions.getsockopt(fd, level, name, value, Uint32Array.of(value.length))),
    ioctl: (fd, request, structure) => checked(functions.ioctl(fd, BigInt(request), structure)),
    poll: (fd, events, timeoutMs) => {
      // struct pollfd: 0 descriptor i32, 4 events i16, 6 what happened i16.
      const asked = Int16Array.of(fd & 0xffff, fd >> 16, events, 0);
      const result = checked(functions.poll(new Uint8Array(asked.buffer), 1n, timeoutMs));
      if (result === -constants.errno.EINTR) return 0;
      return result < 0 ? result : (asked[3] as number);
    },
    flock: (fd, operation) => uninterrupted(() => checked(functions.flock(fd, operation))),
    flistxattr: (fd, list) => checked(functions.flistxattr(fd, list, BigInt(list.length))),
    fgetxattr: (fd, name, value) => checked(functions.fgetxattr(fd, name, value, BigInt(value.length))),
    fsetxattr: (fd, name, value) => checked(functions.fsetxattr(fd, name, value, BigInt(value.length), 0)),
    map: (fd, lengthBytes) => {
      const length = BigInt(lengthBytes);
      const at = functions.mmap(0n, length, PROT_READ_WRITE, MAP_SHARED, fd, 0n);
      if (at === MAP_FAILED) return -ffi.getInt32(errnoAt, 0);
      // Not a Buffer, whose slice() is no copy.
      const bytes = new Uint8Array(ffi.toArrayBuffer(at, lengthBytes, false));
      const unmap = (): void => {
        functions.mmap(at, length, PROT_READ_WRITE, MAP_NOTHING_INSTEAD, -1, 0n);
      };
      return { bytes, unmap };
    },
    addressOf: (buffer) => ffi.getRawPointer(buffer),
  };
  return { calls, getpid: functions.getpid };
}

function uninterrupted(call: () => number): number {
  let result = call();
  while (result === -constants.errno.EINTR) result = call();
  return result;
}

/** What does not work, or undefined when numbers, descriptors and errno pass through as they should. */
function selfTest(calls: SystemCalls, getpid: () => number): string | undefined {
  const pid = getpid();
  if (pid !== process.pid) return `getpid gave ${pid} instead of ${process.pid}`;
  const fd = calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return `a first socket could not be opened (error ${-fd})`;
  const empty = Uint8Array.of(0);
  const sent = calls.send(fd, empty, 0);
  if (sent !== -constants.errno.ENOTCONN) return `sending on an unconnected socket gave ${sent}`;
  const closed = calls.close(fd);
  return closed === 0 ? undefined : `closing a socket gave ${closed}`;
}
