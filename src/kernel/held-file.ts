/**
 * A small file of /proc or /sys that stays open and is read again from its beginning: a quarter of the price
 * of opening it each time, and no path has to be looked up.
 *
 * A file that is gone (the tracker was unloaded, its namespace has ended) fails to be read although it is
 * open: it is then opened once more by its path, and what refuses that is the answer. An open file under
 * /proc/sys keeps no namespace alive, one under /proc/net does (measured on 6.18).
 */
import { closeSync, openSync, readSync } from "node:fs";

import { fileError, type KernelError } from "./error.ts";

/** How files are opened and read; tests give others. They throw what node:fs throws. */
export interface FileCalls {
  open(path: string): number;
  read(descriptor: number, buffer: Uint8Array, position: number): number;
  close(descriptor: number): void;
}

export const nodeFileCalls: FileCalls = {
  open: (path) => openSync(path, "r"),
  read: (descriptor, buffer, position) => readSync(descriptor, buffer, 0, buffer.length, position),
  close: closeSync,
};

/** Does `work` where the file is opened: inside a namespace. */
export type Inside = <Result>(work: () => Result) => Result;

const NOT_OPEN = -1;

export class HeldFile {
  readonly path: string;
  readonly #calls: FileCalls;
  readonly #inside: Inside;
  #descriptor = NOT_OPEN;
  #openings = 0;

  constructor(path: string, inside: Inside, calls: FileCalls = nodeFileCalls) {
    this.path = path;
    this.#inside = inside;
    this.#calls = calls;
  }

  /** How often it was opened: what is read after another opening may be of another file. */
  get openings(): number {
    return this.#openings;
  }

  /**
   * Reads into `buffer` from the beginning of the file; gives the length, or why there is none. Files of
   * /proc/net give a page at a time: with `whole` the rest is asked for, as far as there is room.
   */
  read(buffer: Uint8Array, whole = false): number | KernelError {
    if (this.#descriptor !== NOT_OPEN) {
      try {
        return this.#readFrom(buffer, whole);
      } catch {
        // By the path it may be there again, and if not, that says better why.
        this.close();
      }
    }
    try {
      this.#descriptor = this.#inside(() => this.#calls.open(this.path));
      this.#openings += 1;
      return this.#readFrom(buffer, whole);
    } catch (cause) {
      this.close();
      return fileError(cause, `read ${this.path}`);
    }
  }

  #readFrom(buffer: Uint8Array, whole: boolean): number {
    const calls = this.#calls;
    let length = calls.read(this.#descriptor, buffer, 0);
    if (!whole || length === 0) return length;
    while (length < buffer.length) {
      const more = calls.read(this.#descriptor, buffer.subarray(length), length);
      if (more === 0) break;
      length += more;
    }
    return length;
  }

  close(): void {
    if (this.#descriptor === NOT_OPEN) return;
    this.#calls.close(this.#descriptor);
    this.#descriptor = NOT_OPEN;
  }
}
