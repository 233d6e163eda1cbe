/**
 * What a service tells the program that started it, systemd's sd_notify(3) protocol: lines of a datagram to
 * the socket that $NOTIFY_SOCKET names. Where nobody asked to be told, nothing is sent.
 *
 * A socket of its own for each message, a few times a minute: the receiver may have been started anew.
 */
import { errnoError } from "./error.ts";
import * as ffi from "./ffi.ts";

export interface ServiceNotify {
  /** Whether somebody wants to be told. */
  readonly isWanted: boolean;
  /**
   * How long the one who started this waits for `alive` before he takes it for dead, seconds; absent: for
   * ever. Half of it is a good interval.
   */
  readonly watchdogSeconds?: number;
  /** It serves now; `status` is a line for people. */
  ready(status?: string): void;
  alive(): void;
  status(text: string): void;
  /** It reads its configuration anew; `ready` ends that. */
  reloading(): void;
  stopping(status?: string): void;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** sun_path of struct sockaddr_un, behind the family. */
const PATH_MAX_BYTES = 108;

/**
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID of `environment`; `processId` is this process's. What
 * cannot be sent goes to `failed`, and no harm is done: a service does not end because nobody listens.
 */
export function openServiceNotify(
  environment: Environment,
  processId: number,
  failed: (error: Error) => void = () => {},
): ServiceNotify {
  const place = environment["NOTIFY_SOCKET"] ?? "";
  const address = addressOf(place);
  const tell = (...lines: readonly string[]): void => {
    if (address === undefined) return;
    try {
      send(address, place, new TextEncoder().encode(lines.join("\n")));
    } catch (error) {
      failed(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const watchdogSeconds = watchdogOf(environment, processId);
  return {
    isWanted: address !== undefined,
    ...(watchdogSeconds === undefined ? {} : { watchdogSeconds }),
    ready: (status) => tell("READY=1", ...statusLine(status)),
    alive: () => tell("WATCHDOG=1"),
    status: (text) => tell(...statusLine(text)),
    reloading: () => tell("RELOADING=1", `MONOTONIC_USEC=${monotonicMicroseconds()}`),
    stopping: (status) => tell("STOPPING=1", ...statusLine(status)),
  };
}

/** One line: what follows a newline would be another message. */
function statusLine(text: string | undefined): readonly string[] {
  return text === undefined ? [] : [`STATUS=${text.replaceAll(/[\r\n]+/g, " ")}`];
}

/** sd_watchdog_enabled(3): without WATCHDOG_PID, or with this process's. */
function watchdogOf(environment: Environment, processId: number): number | undefined {
  const { WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: pid } = environment;
  if (pid !== undefined && pid !== "" && pid !== String(processId)) return undefined;
  return /^[1-9]\d{0,15}$/.test(microseconds) ? Number(microseconds) / 1e6 : undefined;
}

/** struct sockaddr_un: a path of the file system, or a name of its own space behind a zero byte (`@`). */
function addressOf(place: string): Uint8Array | undefined {
  if (!place.startsWith("/") && !place.startsWith("@")) return undefined;
  const path = new TextEncoder().encode(place);
  if (path.length < 2 || path.length > PATH_MAX_BYTES - 1) return undefined;
  const isNamed = place.startsWith("@");
  const address = new Uint8Array(2 + path.length + (isNamed ? 0 : 1));
  new DataView(address.buffer).setUint16(0, ffi.AF_UNIX, true);
  address.set(path, 2);
  // The length of the address is the length of the name; the bytes of it are not ended by a zero.
  if (isNamed) address[2] = 0;
  return address;
}

/** Throws KernelError. */
function send(address: Uint8Array, place: string, message: Uint8Array): void {
  const calls = ffi.systemCalls();
  const tried = `tell ${place} how this service is`;
  const descriptor = calls.socket(ffi.AF_UNIX, ffi.SOCK_DGRAM | ffi.SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw errnoError(-descriptor, tried);
  try {
    const connected = calls.connect(descriptor, address);
    if (connected < 0) throw errnoError(-connected, tried);
    const flags = ffi.MSG_NOSIGNAL | ffi.MSG_DONTWAIT;
    const sent = calls.send(descriptor, message, flags);
    if (sent < 0) throw errnoError(-sent, tried);
  } finally {
    calls.close(descriptor);
  }
}

/** The clock that systemd compares with; whoever reads it later sees that the message is no old one. */
function monotonicMicroseconds(): bigint {
  const timespec = new BigInt64Array(2);
  ffi.systemCalls().clockGettime(ffi.CLOCK_MONOTONIC, timespec);
  const [seconds = 0n, nanoseconds = 0n] = timespec;
  return seconds * 1_000_000n + nanoseconds / 1000n;
}
