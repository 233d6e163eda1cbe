/**
 * A host in memory to be changed, and to boot from: files with modes, owners and links, and values of the
 * kernel. It is less convenient than a real one: it dies or fails at any write it is told to, leaves the
 * temporary file of an interrupted write behind, and lets others write in between.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import type { BootFiles, BootLook, BootNames, BootText } from "../../src/boot/boot.ts";
import type { ChangeHost, FileImage, FileLook } from "../../src/change/change.ts";

type Node = { kind: "file"; image: FileImage } | { kind: "link"; to: string } | { kind: "directory" };

export type FaultKind = "die-before" | "die-during" | "die-after" | "EIO" | "ENOSPC" | "EACCES";

/** At the n-th write, from 1; `lasting`: at every later one as well. */
export interface Fault {
  at: number;
  kind: FaultKind;
  lasting?: true;
}

/** The process is gone: nothing it does any more reaches the host. */
export class Died extends Error {
  override name = "Died";
}

class HostError extends Error {
  readonly code: string;

  constructor(code: string, what: string) {
    super(`Cannot ${what}: ${code}`);
    this.code = code;
  }
}

const CAPACITY = [
  "/proc/sys/net/netfilter/nf_conntrack_max",
  "/proc/sys/net/nf_conntrack_max",
  "/proc/sys/net/ipv4/netfilter/ip_conntrack_max",
  "/proc/sys/net/ipv4/ip_conntrack_max",
];
const BUCKETS = [
  "/proc/sys/net/netfilter/nf_conntrack_buckets",
  "/sys/module/nf_conntrack/parameters/hashsize",
];

export class MemoryHost implements ChangeHost {
  readonly nodes: Map<string, Node>;
  /** A running kernel: names of one variable are one, bucket counts are rounded. Else plain files. */
  live = true;
  /** Values that come into being with a module. */
  modules: Readonly<Record<string, Readonly<Record<string, string>>>> = {};
  readonly loaded: string[] = [];
  fault: Fault | undefined;
  /** What was written, in order. */
  writes: string[] = [];
  /** Called before each write, as another process that comes in between. */
  meanwhile: ((write: number, what: string) => void) | undefined;
  readonly readOnly: string[] = [];
  /** Network namespaces that have ended, by inode. */
  readonly endedNamespaces: number[] = [];
  #dead = false;
  #locked = false;

  constructor(nodes: ReadonlyMap<string, Node> = new Map()) {
    this.nodes = new Map(nodes);
    if (!this.nodes.has("/")) this.nodes.set("/", { kind: "directory" });
  }

  /** Another process on the same host: no faults, no lock held. */
  copy(): MemoryHost {
    const host = new MemoryHost(this.nodes);
    host.live = this.live;
    host.modules = this.modules;
    host.endedNamespaces.push(...this.endedNamespaces);
    return host;
  }

  file(path: string, content: string | Uint8Array, more: Partial<FileImage> = {}): this {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    this.#directories(dirname(path));
    this.nodes.set(path, { kind: "file", image: { bytes, mode: 0o644, uid: 0, gid: 0, ...more } });
    return this;
  }

  link(path: string, to: string): this {
    this.#directories(dirname(path));
    this.nodes.set(path, { kind: "link", to });
    return this;
  }

  directory(path: string): this {
    this.#directories(path);
    return this;
  }

  text(path: string): string | undefined {
    const found = this.look(path);
    return found.kind === "file" ? new TextDecoder().decode(found.image.bytes) : undefined;
  }

  /** Everything but the receipts, to be compared. */
  state(): ReadonlyMap<string, string> {
    const rows = [...this.nodes]
      .filter(([path]) => !path.startsWith("/var"))
      .map(([path, node]): [string, string] => [path, nodeText(node)]);
    return new Map(rows.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  }

  #directories(path: string): void {
    if (path === "/" || this.nodes.has(path)) return;
    this.#directories(dirname(path));
    this.nodes.set(path, { kind: "directory" });
  }

  /** The path with links followed; undefined: into a loop. */
  #resolve(path: string, depth = 0): string | undefined {
    if (depth > 20) return undefined;
    let at = "/";
    const parts = path.split("/").filter((part) => part !== "");
    for (const [index, part] of parts.entries()) {
      const next = join(at, part);
      const node = this.nodes.get(next);
      if (node?.kind === "link") {
        const rest = parts.slice(index + 1).join("/");
        const to = node.to.startsWith("/") ? node.to : join(at, node.to);
        return this.#resolve(normalize(join(to, rest)).replace(/(.)\/$/, "$1"), depth + 1);
      }
      at = next;
    }
    return at;
  }

  #node(path: string): { path: string; node: Node } | undefined {
    const real = this.#resolve(path);
    const node = real === undefined ? undefined : this.nodes.get(real);
    return real === undefined || node === undefined ? undefined : { path: real, node };
  }

  #alive(): void {
    if (this.#dead) throw new Died("dead");
  }

  #write(what: string, action: () => void, half?: () => void): void {
    this.#alive();
    this.writes.push(what);
    const count = this.writes.length;
    this.meanwhile?.(count, what);
    const { fault } = this;
    const due = fault !== undefined && (fault.lasting === true ? count >= fault.at : count === fault.at);
    if (due && !fault.kind.startsWith("die")) throw new HostError(fault.kind, what);
    if (due && fault.kind === "die-before") this.#die();
    if (due && fault.kind === "die-during") {
      half?.();
      this.#die();
    }
    action();
    if (due) this.#die();
  }

  #die(): never {
    this.#dead = true;
    throw new Died("dies here");
  }

  readValue(path: string): string | undefined {
    this.#alive();
    const found = this.#node(path);
    return found?.node.kind === "file" ? new TextDecoder().decode(found.node.image.bytes) : undefined;
  }

  writeValue(path: string, text: string): void {
    this.#write(`set ${path} ${text}`, () => {
      const names = this.live ? namesOf(path) : [path];
      const value = this.live && BUCKETS.includes(path) ? String(Math.ceil(Number(text) / 512) * 512) : text;
      for (const name of names) if (this.nodes.has(name)) this.file(name, `${value}\n`);
    });
  }

  look(path: string): FileLook {
    this.#alive();
    const found = this.#node(path);
    if (this.#resolve(path) === "/dev/null") return { kind: "masked" };
    if (found === undefined) {
      return this.nodes.get(path)?.kind === "link"
        ? { kind: "other", what: "a link to nothing" }
        : { kind: "missing" };
    }
    if (found.node.kind === "directory") return { kind: "directory" };
    if (found.node.kind === "link") return { kind: "other", what: "a link into a loop" };
    return { kind: "file", image: found.node.image, path: found.path };
  }

  list(path: string): readonly string[] {
    this.#alive();
    return this.names(this.#resolve(path) ?? path);
  }

  names(directory: string): readonly string[] {
    const prefix = directory === "/" ? "/" : `${directory}/`;
    return [...this.nodes.keys()]
      .filter((path) => path !== "/" && path.startsWith(prefix) && !path.slice(prefix.length).includes("/"))
      .map((path) => path.slice(prefix.length))
      .toSorted();
  }

  whyNotWritable(path: string): string | undefined {
    return this.readOnly.some((each) => path.startsWith(each)) ? "the file system is read-only" : undefined;
  }

  makeDirectories(path: string): readonly string[] {
    const made: string[] = [];
    const parts = path.split("/").slice(1);
    for (const [index] of parts.entries()) {
      const each = `/${parts.slice(0, index + 1).join("/")}`;
      if (this.#node(each) !== undefined) continue;
      this.#write(`mkdir ${each}`, () => this.nodes.set(each, { kind: "directory" }));
      made.push(each);
    }
    return made;
  }

  putFile(path: string, image: FileImage): void {
    const temporary = temporaryOf(path);
    const whole: Node = { kind: "file", image };
    this.#write(
      `write ${temporary}`,
      () => this.nodes.set(temporary, whole),
      () => this.nodes.set(temporary, { kind: "file", image: { ...image, bytes: image.bytes.slice(0, 3) } }),
    );
    this.#write(`rename ${path}`, () => {
      this.nodes.delete(temporary);
      this.nodes.set(path, whole);
    });
  }

  sweep(path: string): void {
    this.#alive();
    const temporary = temporaryOf(path);
    if (this.nodes.has(temporary)) this.#write(`sweep ${temporary}`, () => this.nodes.delete(temporary));
  }

  removeFile(path: string): void {
    this.#write(`rm ${path}`, () => {
      if (!this.nodes.delete(path)) throw new HostError("ENOENT", `remove ${path}`);
    });
  }

  removeDirectory(path: string): void {
    this.#write(`rmdir ${path}`, () => {
      if (this.names(path).length > 0) throw new HostError("ENOTEMPTY", `remove ${path}`);
      this.nodes.delete(path);
    });
  }

  lock(): { release(): void } {
    if (this.#locked) throw new HostError("busy", "lock: headroom apply (pid 42) holds it");
    this.#locked = true;
    return { release: () => (this.#locked = false) };
  }

  hasNamespace({ inode }: { inode: number }): boolean {
    return !this.endedNamespaces.includes(inode);
  }

  loadModule(name: string): void {
    this.#write(`modprobe ${name}`, () => {
      this.loaded.push(name);
      for (const [path, text] of Object.entries(this.modules[name] ?? {})) this.file(path, text);
    });
  }
}

/** Files of the same variable. */
function namesOf(path: string): readonly string[] {
  return [CAPACITY, BUCKETS].find((names) => names.includes(path)) ?? [path];
}

function temporaryOf(path: string): string {
  return `${dirname(path)}/.${path.slice(path.lastIndexOf("/") + 1)}.headroom`;
}

function nodeText(node: Node): string {
  if (node.kind === "link") return `link to ${node.to}`;
  if (node.kind === "directory") return "directory";
  const { bytes, mode, uid, gid } = node.image;
  return `${mode.toString(8)} ${uid}:${gid} ${bytes.toBase64()}`;
}

/** The files of a host as a boot sees them. */
export class MemoryBootFiles implements BootFiles {
  readonly #host: MemoryHost;

  constructor(host: MemoryHost) {
    this.#host = host;
  }

  look(path: string): BootLook {
    const look = this.#host.look(path);
    switch (look.kind) {
      case "file":
        return {
          kind: "file",
          path: look.path,
          bytes: look.image.bytes.length,
          executable: (look.image.mode & 0o111) !== 0,
        };
      case "directory":
        return { kind: "directory", path };
      case "masked":
        return { kind: "null", path: "/dev/null" };
      default:
        return { kind: "none", path };
    }
  }

  read(path: string): BootText {
    const text = this.#host.text(path);
    return text === undefined ? { refused: "none", why: "no such file" } : { text };
  }

  list(path: string): BootNames {
    const found = this.#host.look(path);
    return found.kind === "directory"
      ? { names: this.#host.list(path) }
      : { refused: "none", why: "no such directory" };
  }
}

/** A host from a directory that stands in for `/`. Everything in it belongs to root. */
export function loadHost(root: string): MemoryHost {
  const host = new MemoryHost();
  const walk = (path: string): void => {
    for (const name of readdirSync(join(root, path))) {
      const at = join(path, name);
      const stat = lstatSync(join(root, at));
      if (stat.isSymbolicLink()) host.link(at, readlinkSync(join(root, at)));
      else if (stat.isDirectory()) {
        host.directory(at);
        walk(at);
      } else host.file(at, readFileSync(join(root, at)), { mode: stat.mode & 0o777 });
    }
  };
  walk("/");
  return host;
}
