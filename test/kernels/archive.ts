/**
 * The first file system of a kernel that is booted without a disk: an archive in the "new ASCII" format of
 * cpio (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
 */

export interface ArchiveFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Permission bits. */
  readonly mode: number;
}

const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
/** Name of the entry that ends an archive. */
const LAST = "TRAILER!!!";

/** The files with the directories they are in. */
export function writeArchive(files: readonly ArchiveFile[]): Buffer {
  const directories = new Set<string>();
  for (const { path } of files) {
    const parts = path.split("/");
    for (let depth = 1; depth < parts.length; depth += 1) directories.add(parts.slice(0, depth).join("/"));
  }
  const none = new Uint8Array(0);
  const entries = [...directories].map((path) => entry(path, DIRECTORY | 0o755, none));
  const contents = files.map(({ path, mode, bytes }) => entry(path, REGULAR | mode, bytes));
  return Buffer.concat([...entries, ...contents, entry(LAST, 0, none)]);
}

function entry(path: string, mode: number, bytes: Uint8Array): Buffer {
  const name = Buffer.from(`${path}\0`);
  // Inode, mode, owner, group, links, time, size, two devices, device numbers, name's length, no checksum.
  const fields = [0, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(head), name])), padded(bytes)]);
}

/** Filled up to a multiple of four. */
function padded(bytes: Uint8Array): Uint8Array {
  const filler = new Uint8Array((4 - (bytes.length % 4)) % 4);
  return filler.length === 0 ? bytes : Buffer.concat([bytes, filler]);
}
