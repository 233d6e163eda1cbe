/**
 * Netlink without a kernel: a socket made of functions, replies written by hand, and captured datagrams.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { KernelError } from "../../src/kernel/error.ts";
import type { NetlinkSocket } from "../../src/kernel/netlink-socket.ts";
import { align, MESSAGE_HEADER_BYTES, type Message, messagesOf } from "../../src/kernel/netlink.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/netlink/", import.meta.url));

/** Port of sockets made here, unless a captured datagram says otherwise. */
export const TEST_PORT = 4711;

/** A socket that a test looks into afterwards. */
export interface FunctionSocket extends NetlinkSocket {
  readonly requests: Message[];
  closed: boolean;
}

/** What a receive gives: a datagram, or an error to throw. */
export type Answer = Uint8Array | KernelError;

/**
 * A socket whose answers are what `answer` gives for each request, one datagram a receive. A receive too
 * many throws `timed-out`, as the kernel's would after a while.
 */
export function functionSocket(
  answer: (request: Message) => readonly Answer[],
  port = TEST_PORT,
): FunctionSocket {
  const queue: Answer[] = [];
  const socket: FunctionSocket = {
    port,
    requests: [],
    closed: false,
    send: (bytes) => {
      for (const request of messagesOf(bytes.slice()).messages) {
        socket.requests.push(request);
        queue.push(...answer(request));
      }
    },
    receive: (buffer) => {
      const next = queue.shift();
      if (next === undefined) throw new KernelError("timed-out", "Cannot receive: nothing is left");
      if (next instanceof KernelError) throw next;
      buffer.set(next.subarray(0, buffer.length));
      return next.length;
    },
    close: () => {
      socket.closed = true;
    },
  };
  return socket;
}

/** Answers every request with the same datagrams, whose first message says what the socket's port is. */
export function replaySocket(datagrams: readonly Uint8Array[]): FunctionSocket {
  const first = datagrams.flatMap((datagram) => messagesOf(datagram).messages)[0];
  return functionSocket(() => datagrams, first?.port ?? TEST_PORT);
}

export interface ReplyHeader {
  type: number;
  flags?: number;
  sequence?: number;
  port?: number;
}

/** A message as the kernel would send it. */
export function replyMessage(header: ReplyHeader, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, header.type, true);
  view.setUint16(6, header.flags ?? 0, true);
  view.setUint32(8, header.sequence ?? 1, true);
  view.setUint32(12, header.port ?? TEST_PORT, true);
  bytes.set(body, MESSAGE_HEADER_BYTES);
  return bytes;
}

/** The end of a dump, with its error number (positive). */
export function doneMessage(errno = 0, header: Partial<ReplyHeader> = {}): Uint8Array {
  return replyMessage({ type: 3, flags: 2, ...header }, machineWord(-errno));
}

/** An acknowledgement, or with an error number (positive) a refusal. */
export function errorMessage(errno: number, header: Partial<ReplyHeader> = {}): Uint8Array {
  const body = new Uint8Array(4 + MESSAGE_HEADER_BYTES);
  body.set(machineWord(-errno));
  return replyMessage({ type: 2, flags: 0x100, ...header }, body);
}

/** 32 bits in machine order. */
export function machineWord(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

/** Messages one behind the other, each beginning at a multiple of four. */
export function datagramOf(...messages: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(messages.reduce((length, message) => align(length) + message.length, 0));
  let at = 0;
  for (const message of messages) {
    bytes.set(message, at);
    at = align(at + message.length);
  }
  return bytes;
}

/** An attribute with its header and padding; `type` may carry 0x8000. */
export function attribute(type: number, ...values: readonly Uint8Array[]): Uint8Array {
  const value = Uint8Array.from(values.flatMap((part) => [...part]));
  const bytes = new Uint8Array(align(4 + value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 4 + value.length, true);
  view.setUint16(2, type, true);
  bytes.set(value, 4);
  return bytes;
}

/** The bytes of an annotated text: hexadecimal up to `;`, lines that begin with `#` are comments. */
export function parseHex(text: string): Uint8Array {
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  return Uint8Array.fromHex(lines.map((line) => line.replace(/;.*/, "").replaceAll(/\s/g, "")).join(""));
}

/** A captured datagram of test/fixtures/netlink, by its file's name without `.txt`. */
export function netlinkFixture(name: string): Uint8Array {
  return parseHex(readFileSync(`${FIXTURES}${name}.txt`, "utf8"));
}

/** Names of the captured datagrams. */
export function netlinkFixtureNames(): string[] {
  const files = readdirSync(FIXTURES).filter((name) => name.endsWith(".txt"));
  return files.map((name) => name.replace(/\.txt$/, "")).toSorted();
}

/** Names of those that are one flow each. */
export function flowFixtureNames(): string[] {
  return netlinkFixtureNames().filter((name) => messagesOf(netlinkFixture(name)).messages[0]?.type === 0x100);
}
