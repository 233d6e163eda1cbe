/**
 * The ring of kernel messages by its records: /dev/kmsg (Documentation/ABI/testing/dev-kmsg, since 3.5).
 *
 * One read gives one record: `priority,sequence,microseconds,flags[,...];message`, then a newline, then lines
 * that begin with a blank and belong to it (the device it is about). EAGAIN is the end, EPIPE says that
 * records were overwritten while we read, EINVAL that a record is longer than the buffer.
 */
import { closeSync, constants, openSync, readSync } from "node:fs";

import type { KernelLog } from "../table/host.ts";
import { fileError } from "./error.ts";
import { KernelLogScan, mayMatter, type ScanOptions } from "./kernel-log.ts";

export const KMSG_PATH = "/dev/kmsg";

/** CONSOLE_EXT_LOG_MAX is 8192. */
export const RECORD_MAX_BYTES = 16 * 1024;
/** What helps who may not read it. */
export const KMSG_HELP = "reading the kernel's messages needs CAP_SYSLOG where kernel.dmesg_restrict is 1";
/** A ring holds some ten thousand records; this many means that it is written faster than it is read. */
const RECORDS_MAX = 2_000_000;

export interface KmsgRecord {
  sequence: number;
  uptimeSeconds: number;
  message: string;
}

/** Takes one record apart; undefined when it is not one. Lines that belong to it are left out. */
export function parseKmsgRecord(text: string): KmsgRecord | undefined {
  const match = /^\d+,(\d+),(\d+),[^;\n]*;([^\n]*)/.exec(text);
  if (match === null) return undefined;
  const [, sequence, microseconds, message = ""] = match;
  return { sequence: Number(sequence), uptimeSeconds: Number(microseconds) / 1e6, message };
}

/** Reads one record into `buffer`, gives its length, or why there is none. */
export type KmsgRead = (buffer: Uint8Array) => number | "end" | "overrun";

/**
 * Reads all records `read` gives. The ring has wrapped when its oldest record is not the first one of the
 * boot.
 */
export function scanKmsg(read: KmsgRead, options: ScanOptions): KernelLog {
  const scan = new KernelLogScan(options);
  const buffer = new Uint8Array(RECORD_MAX_BYTES);
  const decoder = new TextDecoder();
  let begun = false;
  let wrapped = false;
  for (let records = 0; records < RECORDS_MAX; records += 1) {
    const length = read(buffer);
    if (length === "end") break;
    if (length === "overrun") {
      wrapped = true;
      continue;
    }
    const text = decoder.decode(buffer.subarray(0, length));
    if (begun && !mayMatter(text)) {
      scan.skip();
      continue;
    }
    const record = parseKmsgRecord(text);
    if (record === undefined) continue;
    if (!begun) wrapped ||= record.sequence > 0;
    begun = true;
    scan.record(record.message, record.uptimeSeconds);
  }
  return scan.finish("kmsg", KMSG_PATH, begun || wrapped ? wrapped : undefined);
}

/** Reads the ring of the running kernel. Throws KernelError; `not-permitted` where dmesg is restricted. */
export function readKmsg(options: ScanOptions): KernelLog {
  try {
    const descriptor = openSync(KMSG_PATH, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return scanKmsg((buffer) => readRecord(descriptor, buffer), options);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw fileError(cause, `read ${KMSG_PATH}`, KMSG_HELP);
  }
}

function readRecord(descriptor: number, buffer: Uint8Array): number | "end" | "overrun" {
  try {
    const length = readSync(descriptor, buffer, 0, buffer.length, null);
    return length === 0 ? "end" : length;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "EAGAIN") return "end";
    if (code === "EPIPE" || code === "EINVAL") return "overrun";
    throw cause;
  }
}
