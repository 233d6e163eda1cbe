/**
 * Where a path of the host really leads when it is to be written: links are followed as the host itself
 * would follow them, so that inside a tree an absolute link starts at the tree's root and `..` never leads
 * out of it.
 */
import { readlinkSync } from "node:fs";

import { KernelError } from "./error.ts";

/** As the kernel has it (MAXSYMLINKS of include/linux/namei.h): more links than that are a circle. */
const LINKS_MAX = 40;

/**
 * The path on the host with every link followed, the last one too; what is not there stays as it was
 * written. `root` is the tree that stands in for `/`, empty for the running host. Throws KernelError
 * `invalid` for links that go round in circles.
 */
export function followLinks(root: string, path: string): string {
  let rest = path.split("/");
  const done: string[] = [];
  for (let links = 0; rest.length > 0;) {
    const [name = "", ...others] = rest;
    rest = others;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      done.pop();
      continue;
    }
    const target = linkTarget(`${root}/${[...done, name].join("/")}`);
    if (target === undefined) {
      done.push(name);
      continue;
    }
    links += 1;
    if (links > LINKS_MAX)
      throw new KernelError("invalid", `Cannot follow ${root}${path}: its links go round`);
    if (target.startsWith("/")) done.length = 0;
    rest = [...target.split("/"), ...rest];
  }
  return `/${done.join("/")}`;
}

/** Where a symbolic link points; undefined for everything else. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** The directory of a path, and the name in it. */
export function splitPath(path: string): { directory: string; name: string } {
  const at = path.lastIndexOf("/");
  return { directory: path.slice(0, at), name: path.slice(at + 1) };
}
