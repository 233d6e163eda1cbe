/**
 * Extended attributes of a file, carried over to the one that takes its place: the label of SELinux,
 * access lists, what users set. xattr(7).
 */
import { closeSync, constants, openSync } from "node:fs";

import { errnoName, KernelError } from "./error.ts";
import { type SystemCalls, systemCalls } from "./ffi.ts";

/** Signatures of the old content: they would be wrong, and some kernels then refuse to open the file. */
const OF_CONTENT = new Set(["security.ima", "security.evm"]);

/** VALUE_MAX and LIST_MAX of include/uapi/linux/limits.h. */
const ATTRIBUTE_MAX_BYTES = 65_536;

/**
 * Copies the attributes of the file at `from` to an open one. Returns what could not be copied, as
 * sentences.
 */
export function copyAttributes(from: string, to: number): readonly string[] {
  let calls: SystemCalls;
  try {
    calls = systemCalls();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return [`Extended attributes of ${from} (SELinux label, access list), if it had any, were not kept`];
  }
  const descriptor = openSync(from, constants.O_RDONLY);
  try {
    return namesOf(calls, descriptor).flatMap((name) => {
      const errno = copyAttribute(calls, { from: descriptor, to, name });
      return errno === 0 ? [] : [`${name} of ${from} could not be kept (${errnoName(errno)})`];
    });
  } finally {
    closeSync(descriptor);
  }
}

function namesOf(calls: SystemCalls, descriptor: number): readonly string[] {
  const list = new Uint8Array(ATTRIBUTE_MAX_BYTES);
  const length = calls.flistxattr(descriptor, list);
  // A negative number: a file system without attributes has none to keep.
  const text = new TextDecoder().decode(list.subarray(0, Math.max(0, length)));
  return text.split("\0").filter((name) => name !== "" && !OF_CONTENT.has(name));
}

/** Zero, or the error number. */
function copyAttribute(calls: SystemCalls, copy: { from: number; to: number; name: string }): number {
  const name = new TextEncoder().encode(`${copy.name}\0`);
  const value = new Uint8Array(ATTRIBUTE_MAX_BYTES);
  const length = calls.fgetxattr(copy.from, name, value);
  if (length < 0) return -length;
  return -Math.min(0, calls.fsetxattr(copy.to, name, value.subarray(0, length)));
}
