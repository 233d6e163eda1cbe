/** Files of a host in memory, for forecasts of its boot: texts, links and directories by path. */
import type { BootFiles, BootLook, BootNames, BootRefusal, BootText } from "../../src/boot/boot-input.ts";

/** A text; a link; a refusal; a script that may be executed. */
export type MemoryFile =
  | string
  | { link: string }
  | { refused: BootRefusal; why: string }
  | { script: string };

/** Directories above a file are there by themselves; an absolute link begins at the root of the host. */
export function memoryFiles(files: Readonly<Record<string, MemoryFile>>): BootFiles {
  const at = (path: string): { path: string; file?: MemoryFile; directory: boolean } | undefined => {
    const path2 = follow(files, path);
    if (path2 === undefined) return undefined;
    const file = files[path2];
    const directory = Object.keys(files).some((each) => each.startsWith(`${path2}/`));
    return file === undefined ? { path: path2, directory } : { path: path2, file, directory };
  };
  return {
    look: (path): BootLook => {
      const found = at(path);
      if (found === undefined) return { kind: "none", path };
      if (found.path === "/dev/null") return { kind: "null", path: found.path };
      if (found.directory) return { kind: "directory", path: found.path };
      const text = textOf(found.file);
      if (text === undefined) return { kind: found.file === undefined ? "none" : "file", path: found.path };
      const executable = typeof found.file === "object";
      return { kind: "file", path: found.path, bytes: text.length, executable };
    },
    read: (path): BootText => {
      const found = at(path);
      if (found?.path === "/dev/null") return { text: "" };
      if (found?.file !== undefined && typeof found.file === "object" && "refused" in found.file)
        return found.file;
      const text = textOf(found?.file);
      if (text !== undefined) return { text };
      return found?.directory === true
        ? { refused: "directory", why: "it is a directory" }
        : { refused: "none", why: "there is none" };
    },
    list: (path): BootNames => {
      const real = follow(files, path);
      const names = Object.keys(files)
        .filter((each) => real !== undefined && each.startsWith(`${real}/`))
        .map((each) => each.slice((real ?? "").length + 1).split("/")[0] ?? "");
      return names.length === 0 ? { refused: "none", why: "there is none" } : { names: [...new Set(names)] };
    },
  };
}

function textOf(file: MemoryFile | undefined): string | undefined {
  if (typeof file === "string") return file;
  return file !== undefined && "script" in file ? file.script : undefined;
}

/** Undefined for links in a circle. */
function follow(files: Readonly<Record<string, MemoryFile>>, path: string): string | undefined {
  let parts = path.split("/").filter((part) => part !== "");
  let real = "";
  for (let links = 0; parts.length > 0;) {
    const [part = "", ...rest] = parts;
    parts = rest;
    if (part === "..") real = real.slice(0, real.lastIndexOf("/"));
    if (part === "..") continue;
    const file = files[`${real}/${part}`];
    if (typeof file === "object" && "link" in file) {
      if (++links > 40) return undefined;
      parts = [...file.link.split("/").filter((each) => each !== ""), ...parts];
      if (file.link.startsWith("/")) real = "";
    } else real = `${real}/${part}`;
  }
  return real;
}
