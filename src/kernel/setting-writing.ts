/**
 * Settings: those of the running kernel by one write(2) of the whole value, as the files of /proc/sys and
 * /sys want it, those of a tree as the plain files they are there. What the kernel refuses is told as a
 * sentence that says what would help.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";

import { errnoOf, errnoText, KernelError } from "./error.ts";
import { putWholeFile } from "./file-writing.ts";

/** The text of a setting without its line end; undefined when there is no such file. Throws KernelError. */
export function readValueText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trimEnd();
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno?.name === "ENOENT" || errno?.name === "ENOTDIR") return undefined;
    throw valueError(cause, { verb: "read", file });
  }
}

/** Writes a setting of the running kernel. Throws KernelError. */
export function writeKernelValue(file: string, text: string): void {
  inWritableFile(file, text, (descriptor) => {
    const bytes = new TextEncoder().encode(`${text}\n`);
    const written = writeSync(descriptor, bytes);
    if (written !== bytes.length) {
      throw new KernelError("io", `Cannot write ${text} to ${file}: the kernel took ${written} bytes of it`);
    }
  });
}

/**
 * Writes a setting of a tree, where it is a plain file: as every other file, whole or not at all. Its line
 * end stays as it was. Throws KernelError.
 */
export function writePlainValue(file: string, text: string): void {
  let before: string;
  let found: Stats;
  try {
    before = readFileSync(file, "utf8");
    found = statSync(file);
  } catch (cause) {
    throw valueError(cause, { verb: "write", file, text });
  }
  const wanted = before.endsWith("\n") || before === "" ? `${text}\n` : text;
  const { mode, uid, gid } = found;
  putWholeFile(file, { bytes: new TextEncoder().encode(wanted), mode, uid, gid });
}

/** Why a setting could not be written: it is opened for writing and closed again. Undefined when it could. */
export function whyNotValue(file: string): string | undefined {
  try {
    closeSync(openSync(file, constants.O_WRONLY));
    return undefined;
  } catch (cause) {
    return whyRefused(cause, { verb: "write", file });
  }
}

function inWritableFile(file: string, text: string, work: (descriptor: number) => void): void {
  try {
    const descriptor = openSync(file, constants.O_WRONLY);
    try {
      work(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw valueError(cause, { verb: "write", file, text });
  }
}

interface Attempt {
  verb: "read" | "write";
  file: string;
  text?: string;
}

function valueError(cause: unknown, attempt: Attempt): KernelError {
  if (cause instanceof KernelError) return cause;
  const { verb, file, text } = attempt;
  const tried = text === undefined ? `${verb} ${file}` : `write ${text} to ${file}`;
  const errno = errnoOf(cause);
  if (errno === undefined) throw cause;
  const message = `Cannot ${tried}: ${whyRefused(cause, attempt)}`;
  // No room in a hash chain is what ENOSPC means to netlink, not to a file.
  const code = errno.name === "ENOSPC" ? "disk-full" : errno.code;
  return new KernelError(code, message, { errno: errno.number, cause });
}

/** `permission denied (EACCES); run as root`. */
function whyRefused(cause: unknown, attempt: Attempt): string {
  const errno = errnoOf(cause);
  if (errno === undefined) throw cause;
  const help = helpFor(errno.name, attempt);
  return `${errnoText(errno.number)} (${errno.name})${help === undefined ? "" : `; ${help}`}`;
}

function helpFor(name: string, { file, text }: Attempt): string | undefined {
  const isRoot = process.getuid?.() === 0;
  switch (name) {
    case "EACCES":
      if (!isRoot) return "run as root";
      return isReadOnlyFile(file)
        ? "here the kernel shows it read-only: limit and buckets can be written in the host's own network " +
            "namespace alone, not in a container or another namespace"
        : "a container or a security policy (SELinux, AppArmor) keeps it from root as well; run on the host";
    case "EPERM":
      return isRoot ? "a container keeps it from its root; run on the host" : "run as root";
    case "EROFS":
      return "it is mounted read-only, as in a container; run on the host";
    case "EINVAL":
      return refusedValueHelp(file, text);
    case "EOPNOTSUPP":
      return "it can be written in the host's own network namespace alone";
    case "ENOMEM":
      return "there is no memory for so many buckets; ask for fewer";
    case "ENOENT":
      return "this kernel has no such setting, or the module that brings it is not loaded";
    default:
      return undefined;
  }
}

/** The kernel keeps timeouts in ticks below 2^31: how many seconds that is depends on how it was built. */
function refusedValueHelp(file: string, text: string | undefined): string {
  const timeout = /timeout/.test(file) && /^\d+$/.test(text ?? "");
  return timeout
    ? "out of range for this kernel, which counts timeouts in ticks: at most 2147483 seconds (24 days) " +
        "with 1000 ticks a second, 8589934 (99 days) with 250"
    : "out of range for this kernel";
}

function isReadOnlyFile(file: string): boolean {
  try {
    const descriptor = openSync(file, constants.O_RDONLY);
    try {
      return (fstatSync(descriptor).mode & 0o222) === 0;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return false;
  }
}
