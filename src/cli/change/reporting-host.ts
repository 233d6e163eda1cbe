/** A host that says each step when it is done. What is said never gets in the way of what is done. */
import { type ChangeHost, CHANGES_DIRECTORY } from "../../change/change.ts";

/**
 * The same host; `say` hears a line for every value and every file that was written, but nothing of `silent`
 * paths: files that only a saved tree has to have written.
 */
export function reportingHost(
  host: ChangeHost,
  silent: readonly string[],
  say: (line: string) => void,
): ChangeHost {
  return {
    readValue: (path) => host.readValue(path),
    look: (path) => host.look(path),
    list: (path) => host.list(path),
    whyNotWritable: (path) => host.whyNotWritable(path),
    sweep: (path) => host.sweep(path),
    lock: () => host.lock(),
    ...(host.root === undefined ? {} : { root: host.root }),
    hasNamespace: (namespace) => host.hasNamespace(namespace),
    makeDirectories(path, mode) {
      const made = host.makeDirectories(path, mode);
      for (const each of made) if (!isOurs(each)) say(`made ${each}`);
      return made;
    },
    writeValue(path, text) {
      host.writeValue(path, text);
      if (!silent.includes(path)) say(`${nameOf(path)} = ${text}`);
    },
    putFile(path, image) {
      host.putFile(path, image);
      if (!isOurs(path)) say(`wrote ${path}`);
    },
    removeFile(path) {
      host.removeFile(path);
      if (!isOurs(path)) say(`removed ${path}`);
    },
    removeDirectory(path) {
      host.removeDirectory(path);
      if (!isOurs(path)) say(`removed ${path}`);
    },
    loadModule(name) {
      host.loadModule(name);
      say(`loaded ${name}`);
    },
  };
}

/** Files of a saved tree that a running kernel would show by itself. */
export function mirrorPaths(steps: readonly { path: string; mirror?: true }[]): readonly string[] {
  return steps.filter(({ mirror }) => mirror === true).map(({ path }) => path);
}

/** `net.netfilter.nf_conntrack_max`; the files of /sys have no other name. */
function nameOf(path: string): string {
  const sysctl = /^\/proc\/sys\/(.*)$/.exec(path)?.[1];
  return sysctl === undefined ? path : sysctl.replaceAll("/", ".");
}

/** Receipts are kept up to date all the time; nobody wants to hear of it. */
function isOurs(path: string): boolean {
  return CHANGES_DIRECTORY.startsWith(path) || path.startsWith(`${CHANGES_DIRECTORY}/`);
}
