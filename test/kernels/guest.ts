/**
 * A guest: a kernel booted in QEMU on this machine's own files, read-only, with whatever it writes in memory.
 * It has no network and no disk; it runs one command and goes off.
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ArchiveFile, writeArchive } from "./archive.ts";
import type { Kernel } from "./packages.ts";

export interface GuestRun {
  readonly kernel: Kernel;
  /** Run by a shell as root, in `directory`. */
  readonly command: string;
  readonly directory: string;
  /** For the first file system. */
  readonly scratch: string;
  readonly memoryMegabytes: number;
  /** A guest that hangs is ended. */
  readonly limitMs: number;
  /** Every line the guest writes. */
  readonly line: (text: string) => void;
}

/** How a guest ended: the exit code of its command, or why there is none. */
export type GuestEnd = { readonly exitCode: number } | { readonly problem: string };

const QEMU = "qemu-system-x86_64";
/** Modules without which the guest cannot see the files; those before them follow from modules.dep. */
const FIRST_MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"];
/** Ends the output of the command; nothing else begins like this. */
const END_MARK = "@@guest-end ";
const BEGIN_MARK = "@@guest-begin";

/** Says why no guest can be run on this machine; undefined when one can. */
export function guestObstacle(): string | undefined {
  if (process.arch !== "x64") return `the kernels are for x86-64 and this machine is ${process.arch}`;
  const { error } = spawnSync(QEMU, ["--version"], { stdio: "ignore" });
  if (error === undefined) return undefined;
  return `${QEMU} is not installed; apt-get install --no-install-recommends qemu-system-x86`;
}

export function runGuest(run: GuestRun): Promise<GuestEnd> {
  const initrd = join(run.scratch, `initrd-${run.kernel.generation}`);
  writeFileSync(initrd, writeArchive(firstFiles(run)));
  return boot(run, initrd);
}

function boot(run: GuestRun, initrd: string): Promise<GuestEnd> {
  const { kernel, memoryMegabytes, limitMs, line } = run;
  const options = {
    accel: "tcg,thread=single",
    // V8 falls, at times, over memory keys, AVX, and two processors side by side as QEMU 7.2 emulates them.
    cpu: "Nehalem",
    smp: "1",
    m: String(memoryMegabytes),
    display: "none",
    serial: "stdio",
    kernel: kernel.image,
    initrd,
    append: "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on",
    fsdev: "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
    device: "virtio-9p-pci,fsdev=root,mount_tag=root",
  };
  const pairs = Object.entries(options).flatMap(([key, value]) => [`-${key}`, value]);
  const args = ["-nodefaults", "-no-reboot", ...pairs];
  return new Promise((resolve) => {
    const child = spawn(QEMU, args, { stdio: ["ignore", "pipe", "pipe"] });
    const stop = (): void => void child.kill("SIGKILL");
    process.once("exit", stop);
    let end: GuestEnd | undefined;
    let trouble = "";
    let hasBegun = false;
    const before: string[] = [];
    const clock = setTimeout(() => {
      end ??= { problem: `it did not end within ${limitMs / 1000} s` };
      stop();
    }, limitMs);
    eachLine(child.stdout, (text) => {
      if (text.startsWith(END_MARK)) end = { exitCode: Number(text.slice(END_MARK.length)) };
      else if (text.startsWith(BEGIN_MARK)) hasBegun = true;
      else if (hasBegun && end === undefined) line(text);
      else before.push(text);
    });
    eachLine(child.stderr, (text) => (trouble = text));
    child.on("error", (error) => (trouble = error.message));
    child.on("close", () => {
      clearTimeout(clock);
      process.off("exit", stop);
      const last = hasBegun ? [] : before.slice(-5);
      resolve(end ?? { problem: ["the guest went down", ...last, trouble].filter(Boolean).join("; ") });
    });
  });
}

function eachLine(stream: NodeJS.ReadableStream, take: (text: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) take(text.replace(/\r/g, ""));
  });
  stream.on("end", () => {
    if (rest !== "") take(rest);
  });
}

/* ---- What the kernel starts with ---- */

function firstFiles({ kernel, command, directory }: GuestRun): readonly ArchiveFile[] {
  const modules = firstModules(kernel);
  const script = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));
  const words = {
    MODULES: kernel.modules,
    VERSION: kernel.version,
    BUSYBOX: kernel.busybox,
    DIRECTORY: directory,
  };
  const settings = Object.entries(words).map(([key, value]) => `${key}='${value}'\n`);
  return [
    { path: "init", mode: 0o755, bytes: script("init.sh") },
    { path: "second.sh", mode: 0o755, bytes: script("second.sh") },
    { path: "settings.sh", mode: 0o644, bytes: Buffer.from(settings.join("")) },
    { path: "command.sh", mode: 0o755, bytes: Buffer.from(`${command}\n`) },
    { path: "bin/busybox", mode: 0o755, bytes: readFileSync(kernel.busybox) },
    ...modules.map((path, index) => ({
      path: `modules/${String(index).padStart(2, "0")}.ko`,
      mode: 0o644,
      bytes: readFileSync(path),
    })),
  ];
}

/** Files of the first modules, each behind those it needs. One that is built in has no file. */
function firstModules({ modules }: Kernel): readonly string[] {
  const needs = new Map<string, readonly string[]>();
  for (const line of readFileSync(join(modules, "modules.dep"), "utf8").split("\n")) {
    const [file, rest] = line.split(":");
    if (file !== undefined && rest !== undefined) needs.set(file, rest.split(" ").filter(Boolean));
  }
  const found = new Set<string>();
  const add = (file: string): void => {
    // modules.dep names all that is needed, the nearest first.
    for (const other of (needs.get(file) ?? []).toReversed()) found.add(other);
    found.add(file);
  };
  for (const name of FIRST_MODULES) {
    const file = [...needs.keys()].find((path) => path.endsWith(`/${name}.ko`));
    if (file !== undefined) add(file);
  }
  return [...found].map((file) => join(modules, file));
}
