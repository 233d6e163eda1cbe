/**
 * Where a change stands on the host: for each value and each file, whether it is as before, as after, or as
 * somebody else made it since. Judged by looking, so it is right wherever a process died.
 */
import type { ChangeHost, FileImage } from "./change-host.ts";
import type { Receipt, ReceiptFile, ReceiptStep, ValuesEnd } from "./receipt.ts";

/** `found` is for people. */
export type Place = { at: "before" } | { at: "after" } | { at: "elsewhere"; found: string };

/**
 * The kernel rounds bucket counts up to whole pages of pointers: at most 64 KiB of 4 bytes
 * (nf_ct_alloc_hashtable() of net/netfilter/nf_conntrack_core.c).
 */
const ROUNDING_BUCKETS = 16_384;

/** The number in a setting's file; undefined when there is no such file or no whole number in it. */
export function readNumber(host: ChangeHost, path: string): number | undefined {
  const text = host.readValue(path)?.trim();
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

/** Whether the kernel may have made `found` of `wanted`. */
export function isMadeOf(key: ReceiptStep["key"], found: number, wanted: number): boolean {
  if (found === wanted) return true;
  const rounded = key === "nf_conntrack_buckets" || key === "hashsize";
  return rounded && found > wanted && found - wanted < ROUNDING_BUCKETS;
}

export function placeOfStep(host: ChangeHost, step: ReceiptStep): Place {
  // Its module was to be loaded first, and nothing is written before `from` is recorded.
  if (step.from === undefined) return { at: "before" };
  const found = readNumber(host, step.path);
  if (found === undefined) return { at: "elsewhere", found: host.readValue(step.path)?.trim() ?? "no file" };
  if (found === step.from) return { at: "before" };
  if (found === step.became || isMadeOf(step.key, found, step.to)) return { at: "after" };
  return { at: "elsewhere", found: String(found) };
}

/** Changes where this host tells which boot it is in. */
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

export function bootIdOf(host: ChangeHost): string | undefined {
  return host.readValue(BOOT_ID)?.trim();
}

/** Another boot than the one the change was made in: its running values are no longer those we wrote. */
export function bootedSince(host: ChangeHost, { bootId }: Receipt): boolean {
  return bootId !== undefined && bootIdOf(host) !== bootId;
}

/** Whether the running values of a change went away by themselves, and with what. */
export function endOfValues(host: ChangeHost, receipt: Receipt): ValuesEnd | undefined {
  const { namespace, persist } = receipt;
  // First: where the namespace has ended, nothing can be read in it either.
  if (namespace !== undefined && host.hasNamespace(namespace) === false) return "namespace";
  if (persist || !bootedSince(host, receipt)) return undefined;
  return namespace === undefined ? "boot" : "namespace";
}

export function placeOfFile(host: ChangeHost, file: ReceiptFile): Place {
  const look = host.look(file.target);
  switch (look.kind) {
    case "missing":
      return file.before === undefined ? { at: "before" } : { at: "elsewhere", found: "no file" };
    case "file":
      return placeOfImage(look.image, look.path, file);
    case "masked":
      return { at: "elsewhere", found: "a link to /dev/null" };
    case "directory":
      return { at: "elsewhere", found: "a directory" };
    case "other":
      return { at: "elsewhere", found: look.what };
  }
}

function placeOfImage(image: FileImage, path: string, file: ReceiptFile): Place {
  if (path !== file.target) return { at: "elsewhere", found: `a link to ${path}` };
  if (file.before !== undefined && sameImage(image, file.before)) return { at: "before" };
  if (sameImage(image, file.after)) return { at: "after" };
  return { at: "elsewhere", found: differenceOf(image, file.after) };
}

export function sameImage(one: FileImage, other: FileImage): boolean {
  return (
    one.mode === other.mode &&
    one.uid === other.uid &&
    one.gid === other.gid &&
    sameBytes(one.bytes, other.bytes)
  );
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

function differenceOf(image: FileImage, wanted: FileImage): string {
  if (!sameBytes(image.bytes, wanted.bytes)) return "other content";
  if (image.mode !== wanted.mode) return `mode ${octal(image.mode)} instead of ${octal(wanted.mode)}`;
  return `owner ${image.uid}:${image.gid} instead of ${wanted.uid}:${wanted.gid}`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
