/**
 * Bytes of a file, a pipe or standard input in constant memory, by blocking reads into one buffer.
 */
import { closeSync, constants, openSync, readSync } from "node:fs";

import { fileError } from "./error.ts";

/** Bytes asked for at a time: large enough that the system call costs nothing, small enough for a cache. */
export const CHUNK_BYTES = 256 * 1024;

/**
 * The bytes of the file at `path`, or of standard input for `-`, in chunks of at most 256 KiB (pipes and
 * files of /proc give shorter ones). The chunk is a view on ONE buffer that the next chunk overwrites: copy
 * what must outlive it. Opened when the first chunk is asked for, closed at the end and when the reader stops
 * early. Throws KernelError.
 */
export function* openBytes(path: string): Generator<Uint8Array, void, undefined> {
  if (path === "-") {
    yield* bytesOf(0, "read standard input");
    return;
  }
  const tried = `read ${path}`;
  const descriptor = openForReading(path, tried);
  try {
    yield* bytesOf(descriptor, tried);
  } finally {
    closeSync(descriptor);
  }
}

/** Opens a file for `bytesOf`. Throws KernelError: `Cannot ${tried}: ...`. */
export function openForReading(path: string, tried = `read ${path}`): number {
  try {
    return openSync(path, constants.O_RDONLY);
  } catch (cause) {
    throw fileError(cause, tried);
  }
}

/** The bytes behind an open descriptor, which stays open, as openBytes gives them. */
export function* bytesOf(descriptor: number, tried: string): Generator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const length = readChunk(descriptor, buffer, tried);
    if (length === 0) return;
    yield buffer.subarray(0, length);
  }
}

/** Bytes read, 0 at the end. */
function readChunk(descriptor: number, buffer: Uint8Array, tried: string): number {
  for (;;) {
    try {
      return readSync(descriptor, buffer, 0, buffer.length, null);
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
      if (code === "EOF") return 0;
      // A terminal or a pipe somebody else made non-blocking: wait a little and ask again.
      if (code !== "EAGAIN") throw fileError(cause, tried);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
