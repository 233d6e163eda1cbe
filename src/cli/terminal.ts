/**
 * The terminal as a value: two sinks, a width, the environment. Only main.ts makes the real one; tests give
 * their own.
 *
 * Writing is synchronous on the file descriptors: starting costs nothing (process.stdout loads the network
 * and terminal modules, 3 ms of a command that takes 50), order between the two sinks is kept, and a reader
 * that is slower than we are simply holds us up.
 */
import { fstatSync, writeSync } from "node:fs";

import type { Environment } from "./look.ts";

export interface Sink {
  /** Writes all of it. Throws ReaderGone when nobody reads any more. */
  write(chunk: string | Uint8Array): void;
}

export interface Terminal {
  stdout: Sink;
  stderr: Sink;
  stdoutIsTerminal: boolean;
  stderrIsTerminal: boolean;
  /** Width of the terminal; absent when stdout is none and COLUMNS is not set. */
  columns?: number;
  environment: Environment;
  /** Version of what runs this program, for error reports. */
  runtime: string;
  /**
   * From now on ^C ends the work instead of the program: the signal aborts, and what is known so far can
   * still be said. A second ^C ends the program at once.
   */
  interruption(): AbortSignal;
}

/** The reader of our output has gone (`| head`): not an error, there is just nothing more to do. */
export class ReaderGone extends Error {
  override name = "ReaderGone";
}

/** Bytes a character of a string takes at most in UTF-8. */
export const CHARACTER_BYTES = 3;

/**
 * A sink on a file descriptor. Texts up to the size of the longest one are encoded into the same bytes: a
 * long listing would otherwise leave garbage as large as itself.
 */
export function descriptorSink(descriptor: number): Sink {
  const encoder = new TextEncoder();
  let room = new Uint8Array(0);
  function encoded(text: string): Uint8Array {
    if (text.length * CHARACTER_BYTES > room.length) room = new Uint8Array(text.length * CHARACTER_BYTES);
    return room.subarray(0, encoder.encodeInto(text, room).written);
  }
  return {
    write(chunk) {
      const bytes = typeof chunk === "string" ? encoded(chunk) : chunk;
      let at = 0;
      while (at < bytes.length) at += writeSome(descriptor, bytes, at);
    },
  };
}

/** Longest wait before a full pipe that somebody else made non-blocking is tried again, milliseconds. */
const RETRY_MS = 5;

function writeSome(descriptor: number, bytes: Uint8Array, at: number): number {
  try {
    return writeSync(descriptor, bytes, at);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EPIPE") throw new ReaderGone("Nobody reads the output any more", { cause: error });
    if (code !== "EAGAIN") throw outputError(error as NodeJS.ErrnoException);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    return 0;
  }
}

/** A full disk behind `>` is told as what it is. */
function outputError(cause: NodeJS.ErrnoException): Error {
  const { code = "failed", message } = cause;
  const [, said = message] = /^\w+: (.*), write$/.exec(message) ?? [];
  const error = new Error(`Cannot write the output: ${said} (${code})`, { cause });
  return Object.assign(error, { code });
}

/** The terminal of a process: its descriptors 1 and 2, its environment, its SIGINT. */
export function processTerminal(owner: NodeJS.Process): Terminal {
  const stdoutIsTerminal = isTerminal(owner, 1);
  const columns = stdoutIsTerminal ? owner.stdout.columns : Number(owner.env["COLUMNS"]);
  return {
    stdout: descriptorSink(1),
    stderr: descriptorSink(2),
    stdoutIsTerminal,
    stderrIsTerminal: isTerminal(owner, 2),
    ...(columns > 0 ? { columns } : {}),
    environment: owner.env,
    runtime: owner.version,
    interruption() {
      const controller = new AbortController();
      owner.once("SIGINT", () => controller.abort());
      return controller.signal;
    },
  };
}

/** Major number of /dev/null and its like (Documentation/admin-guide/devices.txt). */
const MEMORY_DEVICES = 1;

/**
 * Only a character device can be a terminal; asking the file system first spares loading node:tty in every
 * pipe and before /dev/null.
 */
function isTerminal(owner: NodeJS.Process, descriptor: number): boolean {
  try {
    const found = fstatSync(descriptor);
    if (!found.isCharacterDevice() || found.rdev >>> 8 === MEMORY_DEVICES) return false;
  } catch {
    return false;
  }
  return owner.getBuiltinModule("node:tty").isatty(descriptor);
}
