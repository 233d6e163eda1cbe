/**
 * Directories of configuration files that stand behind each other: of files of the same name the first
 * directory's is read and the others are not, and what is read is read in the order of names, whichever
 * directory it is in. So do systemd (conf-files.c), procps and kmod.
 */
import { type BootFiles, byName, type Closed } from "./boot-input.ts";

export interface ConfFile {
  path: string;
  /** Why nobody reads it; absent when it is read. */
  notRead?: string;
}

/**
 * Every file of `directories` (highest first), those that are read in the order in which they are read,
 * those that are not at the place they would have had.
 *
 * `suffix` must end the name. Names with a dot in front are passed over, as systemd does; procps and kmod
 * read them or have none.
 */
export function confFiles(
  files: BootFiles,
  directories: readonly string[],
  suffix: string,
  options: { hidden?: true } = {},
): readonly ConfFile[] {
  const first = new Map<string, string>();
  const found: { name: string; file: ConfFile }[] = [];
  for (const directory of distinct(files, directories)) {
    const listing = files.list(directory);
    for (const name of "names" in listing ? listing.names : []) {
      if (name.startsWith(".") && options.hidden !== true) continue;
      const path = `${directory}/${name}`;
      const why = name.endsWith(suffix)
        ? shadowed(first.get(name), files)
        : `its name does not end in ${suffix}`;
      if (why === undefined) first.set(name, path);
      found.push({ name, file: why === undefined ? { path } : { path, notRead: why } });
    }
  }
  return found.toSorted((one, other) => byName(one.name, other.name)).map(({ file }) => file);
}

/** What of `directories` could not be listed, and why. */
export function closedDirectories(files: BootFiles, directories: readonly string[]): readonly Closed[] {
  return directories.flatMap((path) => {
    const listing = files.list(path);
    return "refused" in listing && listing.refused !== "none" ? [{ path, ...listing }] : [];
  });
}

/** On a merged /usr, /lib/x and /usr/lib/x are the same directory: it counts once, at its first place. */
function distinct(files: BootFiles, directories: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return directories.filter((directory) => {
    const real = files.look(directory).path;
    if (seen.has(real)) return false;
    seen.add(real);
    return true;
  });
}

function shadowed(by: string | undefined, files: BootFiles): string | undefined {
  if (by === undefined) return undefined;
  const { kind, bytes } = files.look(by);
  if (kind === "null" || (kind === "file" && bytes === 0)) return `masked by ${by}`;
  return `${by} has the same name and goes first`;
}
