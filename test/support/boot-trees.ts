/**
 * Seeded random trees of sysctl files, and the real programs run on them: systemd-sysctl and sysctl(8) in a
 * chroot whose /proc/sys are plain files, so that what they write can be read back. Nothing of this machine
 * is mounted, read or written but the programs and their libraries, which are copied.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  globSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { type Random, seededRandom } from "../../src/base/random.ts";

/** A file's text, a link's target, or a directory, by path. */
export type Tree = ReadonlyMap<string, { text: string } | { link: string } | "directory">;

export const SYSTEMD_SYSCTL = "/usr/lib/systemd/systemd-sysctl";
export const PROCPS_SYSCTL = "/usr/sbin/sysctl";

/** What every file of the fake /proc/sys says before; values in trees have as many digits. */
export const UNTOUCHED = "900000";

/** Two names of one variable: the fake files are one file, too. */
const ALIASES = ["net/netfilter/nf_conntrack_max", "net/nf_conntrack_max"] as const;

/** Files whose names tell which procps is installed; the program itself does not need them. */
const VERSION_SIGNS = globSync("/usr/lib/*-linux-gnu/libproc2.so.*");

/** A place where trees are put up; removed by `close`. */
export class ChrootRig {
  readonly #place = mkdtempSync(join(tmpdir(), "headroom-boot-"));
  readonly #libraries: readonly string[];
  #count = 0;

  constructor(programs: readonly string[]) {
    const needed = programs.flatMap((program) => [program, ...librariesOf(program)]);
    this.#libraries = [...new Set(needed)];
    for (const path of this.#libraries) copyFileSync(path, this.#copyOf(path));
  }

  #copyOf(path: string): string {
    mkdirSync(join(this.#place, "copies"), { recursive: true });
    return join(this.#place, "copies", path.replaceAll("/", "_"));
  }

  /** Puts a tree up, with the fake /proc/sys; returns its root. */
  put(tree: Tree, targets: readonly string[]): string {
    const root = join(this.#place, `tree-${this.#count++}`);
    for (const path of ["dev", "etc", "run", "usr/lib", "usr/sbin", "usr/local/lib"]) {
      mkdirSync(join(root, path), { recursive: true });
    }
    symlinkSync("usr/lib", join(root, "lib"));
    writeFileSync(join(root, "dev/null"), "");
    for (const path of this.#libraries) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      linkSync(this.#copyOf(path), join(root, path));
    }
    for (const path of VERSION_SIGNS) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), "");
    }
    for (const [path, what] of tree) {
      const place = join(root, path);
      mkdirSync(dirname(place), { recursive: true });
      if (what === "directory") mkdirSync(place);
      else if ("link" in what) symlinkSync(what.link, place);
      else writeFileSync(place, what.text, "latin1");
    }
    for (const target of targets) mkdirSync(dirname(settingPath(root, target)), { recursive: true });
    this.reset(root, targets);
    return root;
  }

  /** Every setting as it was before. */
  reset(root: string, targets: readonly string[]): void {
    const [first, second] = ALIASES;
    for (const target of targets) {
      if (target === second) continue;
      rmSync(settingPath(root, target), { force: true });
      writeFileSync(settingPath(root, target), `${UNTOUCHED}\n`);
    }
    if (!targets.includes(second)) return;
    rmSync(settingPath(root, second), { force: true });
    linkSync(settingPath(root, first), settingPath(root, second));
  }

  /** Runs a program on a tree; returns what the settings say afterwards, their first six characters. */
  run(root: string, command: readonly string[], targets: readonly string[]): ReadonlyMap<string, string> {
    this.output(root, command);
    return new Map(
      targets.map((target) => [target, readFileSync(settingPath(root, target), "utf8").slice(0, 6)]),
    );
  }

  /** Runs a program on a tree; returns what it prints. */
  output(root: string, command: readonly string[]): string {
    const done = spawnSync("chroot", [root, ...command], { encoding: "utf8", env: { PATH: "/usr/sbin" } });
    if (done.error !== undefined || done.signal !== null || done.status === 127) {
      throw new Error(`${command.join(" ")} did not run: ${done.signal ?? ""} ${done.stderr}`);
    }
    return done.stdout;
  }

  remove(root: string): void {
    rmSync(root, { recursive: true, force: true });
  }

  close(): void {
    this.remove(this.#place);
  }
}

function settingPath(root: string, target: string): string {
  return join(root, "proc/sys", target);
}

function librariesOf(program: string): readonly string[] {
  const printed = execFileSync("ldd", [program], { encoding: "utf8" });
  return [...printed.matchAll(/(\/\S+\.so\S*)/g)].flatMap(([, path]) => path ?? []);
}

/** Why the programs cannot be run here; undefined when they can. */
export function cannotRun(...programs: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return "running programs in a chroot needs root";
  const missing = [...programs, "/usr/sbin/chroot"].filter((path) => !existsSync(path));
  return missing.length === 0 ? undefined : `missing: ${missing.join(" ")}`;
}

const NAMES = [
  "10-a.conf",
  "50-b.conf",
  "50-B.conf",
  "5-c.conf",
  "60-x.conf",
  "60-x.conf.bak",
  "60-y",
  "99-sysctl.conf",
  "99-z.conf",
  "a.conf",
  ".hidden.conf",
  ".conf",
  "conf",
  "é.conf",
];
const DIRECTORIES = ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"];

const KEYS = [
  "net.netfilter.nf_conntrack_max",
  "net.nf_conntrack_max",
  "net.netfilter.nf_conntrack_buckets",
  "net.netfilter.nf_conntrack_tcp_timeout_established",
  "net.netfilter.nf_conntrack_tcp_timeout_time_wait",
  "net.netfilter.nf_conntrack_udp_timeout",
  "net.netfilter.nf_conntrack_udp_timeout_stream",
  "net.netfilter.nf_conntrack_generic_timeout",
];

const PATTERNS = [
  "net.netfilter.nf_conntrack_tcp_timeout_*",
  "net.netfilter.nf_conntrack_*timeout*",
  "net/netfilter/nf_conntrack_udp_*",
  "net.netfilter.nf_*",
  "net.*.nf_conntrack_max",
  "net.*nf_conntrack_max",
  "net.nf_*",
  "net/n?tfilter/nf_conntrack_max",
  "net.netfilter.nf_conntrack_[tu]*_timeout",
  "net.netfilter.nf_conntrack_[!tu]*",
  "net.netfilter.nf_conntrack_[a-g]*",
  "*.netfilter.nf_conntrack_max",
  "net.netfilter.[n]f_conntrack_udp_timeou?",
  "net.netfilter.nf_conntrack_{max,buckets}",
  "net.netfilter.*",
  "net/netfilter.nf_conntrack_*",
  "net.netfilter.nf_conntrack_[max",
];

/** The tree of a seed. */
export function randomTree(seed: number): Tree {
  const random = seededRandom(seed);
  const tree = new Map<string, { text: string } | { link: string } | "directory">();
  const lines: string[] = [];
  const names = NAMES.filter(() => random.below(3) > 0);
  for (const directory of DIRECTORIES) {
    if (random.below(5) === 0) continue;
    for (const name of names) {
      if (random.below(2) === 0) tree.set(`${directory}/${name}`, randomFile(random, lines));
    }
  }
  if (random.below(2) === 0) tree.set("/etc/sysctl.d/99-sysctl.conf", { link: "../sysctl.conf" });
  if (random.below(3) > 0) tree.set("/etc/sysctl.conf", randomFile(random, lines));
  return tree;
}

function randomFile(random: Random, lines: string[]): { text: string } | { link: string } | "directory" {
  switch (random.below(16)) {
    case 0:
      return { link: "/dev/null" };
    case 1:
      return { text: "" };
    case 2:
      return { link: "/etc/sysctl.d/nowhere.conf" };
    case 3:
      return { link: "../../etc/sysctl.conf" };
    case 4:
      return random.below(3) === 0 ? "directory" : { link: "../../../dev/null" };
    default: {
      const own = Array.from({ length: 1 + random.below(6) }, () => randomLine(random, lines));
      lines.push(...own);
      const end = pick(random, ["\n", "\n", "\n", "\n", "\r\n", "\n\n", "\r", "\n\r"]);
      return { text: own.join(end) + (random.below(4) === 0 ? "" : end) };
    }
  }
}

function randomLine(random: Random, before: readonly string[]): string {
  const again = before[random.below(before.length + 1)];
  switch (random.below(20)) {
    case 0:
      return pick(random, [
        "# a comment",
        "; another",
        "  # behind blanks",
        "",
        "   ",
        "no assignment",
        "-",
        "a",
      ]);
    case 1:
      return `${pick(random, ["#", ";", " #", "\t;", "#-"])}${randomKey(random)} = ${randomValue(random)}`;
    case 2:
    case 3:
      return `-${pick(random, ["", "", " "])}${randomKey(random)}${pick(random, ["", " "])}`;
    case 4:
      return `-${pick(random, PATTERNS)}`;
    case 5:
    case 6:
      if (again !== undefined) return again;
      break;
    case 7:
      // The same name and another value, or another name and the same value.
      if (again?.includes("=") === true) {
        const [name = "", value = ""] = again.split("=");
        return random.below(2) === 0 ? `${name}=${randomValue(random)}` : `${randomKey(random)}=${value}`;
      }
      break;
    case 8:
    case 9:
    case 10:
      return assigned(random, pick(random, PATTERNS));
    default:
  }
  return assigned(random, randomKey(random));
}

function assigned(random: Random, key: string): string {
  const front = pick(random, ["", "", "", " ", "\t", "-", "- ", " -"]);
  const equals = pick(random, ["=", " = ", "= ", " =", "\t=\t", "  =  "]);
  const behind = pick(random, ["", "", "", " ", "\t", "  ", " # why", " 1"]);
  return `${front}${key}${equals}${randomValue(random)}${behind}`;
}

function randomKey(random: Random): string {
  const key = pick(random, KEYS);
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      return key.replaceAll(".", "/");
    case 3:
      return `/${key.replaceAll(".", "/")}`;
    case 4:
      return key.replace(".", "..");
    case 5:
      return key.replace(".", "/");
    case 6:
      return pick(random, [
        `.${key}`,
        `${key}.`,
        `${key}/`,
        key.replaceAll(".", "//"),
        `./${key.replaceAll(".", "/")}`,
      ]);
    case 7:
      return pick(random, [
        key.toUpperCase(),
        `${key}x`,
        key.replaceAll(".", "/").replace("net/", "net/../net/"),
      ]);
    default:
      return key;
  }
}

function randomValue(random: Random): string {
  return String(100_000 + random.below(800_000));
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[random.below(values.length)];
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
}

/** A tree as text, to be read when a comparison fails. */
export function treeText(tree: Tree): string {
  return [...tree]
    .map(([path, what]) => {
      if (what === "directory") return `${path}: a directory`;
      if ("link" in what) return `${path} -> ${what.link}`;
      return `${path}: ${JSON.stringify(what.text)}`;
    })
    .join("\n");
}
