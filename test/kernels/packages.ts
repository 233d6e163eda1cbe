/**
 * Debian's kernel packages for this machine: fetched from the archive that apt is set up for, also those of
 * its other releases, and unpacked into a cache. Nothing is installed, and apt's own lists are not touched.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** A kernel to try: the generation its rules are known by, and where Debian has it. */
export interface Release {
  readonly generation: string;
  /** Release of Debian that has, or had last, this kernel. */
  readonly release: string;
  /** More suites of that release with newer packages of the same kernel. */
  readonly suites: readonly string[];
  readonly package: string;
}

/** A kernel that can be booted. */
export interface Kernel {
  readonly generation: string;
  /** As `uname -r` will say it. */
  readonly version: string;
  /** Package and its version. */
  readonly packageName: string;
  readonly image: string;
  /** Directory with modules.dep and the modules below it. */
  readonly modules: string;
  /** A busybox without libraries. */
  readonly busybox: string;
}

/** The kernels cannot be had; says why and what to do. */
export class PackageError extends Error {
  override name = "PackageError";
}

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** What a router needs of a kernel: the rest is half a gigabyte. */
const KEPT_MODULES = [
  "net",
  "lib",
  "crypto",
  "drivers/net",
  "drivers/virtio",
  "fs/9p",
  "fs/netfs",
  "fs/fscache",
  "fs/overlayfs",
];

type Say = (text: string) => void;

/** The archive apt is set up for. */
interface Archive {
  readonly mainUri: string;
  readonly securityUri?: string;
}

/** Fetches and unpacks what is not in `cache` yet; with `isUpdate`, also what the archive has newer. */
export function fetchKernel(release: Release, cache: string, isUpdate: boolean, say: Say): Kernel {
  const directory = join(cache, release.generation);
  const known = isUpdate ? undefined : readKernel(directory);
  if (known !== undefined) return known;
  const archive = findArchive();
  const apt = new Apt(join(cache, `apt-${release.suites.at(-1)}`), release, archive);
  apt.update(say);
  const [packageName = ""] = apt.dependencies(release.package, /^linux-image-\d/);
  const found = packageName.slice("linux-image-".length);
  if (!found.startsWith(`${release.generation}.`))
    throw new PackageError(
      `Cannot fetch ${release.generation}: Debian's ${release.release} has ${found} now`,
    );
  const work = `${directory}.new`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  // Newer packages have the kernel and its modules in packages of their own.
  const names = [
    packageName,
    ...apt.dependencies(packageName, /^linux-(binary|modules)-\d/),
    "busybox-static",
  ];
  for (const name of names) {
    const file = apt.download(name, work, say);
    unpack(file, work);
    rmSync(file);
  }
  finishModules(work);
  const version = apt.versionOf(packageName);
  writeFileSync(join(work, "package.txt"), `${packageName} ${version}\n`);
  rmSync(directory, { recursive: true, force: true });
  renameSync(work, directory);
  const kernel = readKernel(directory);
  if (kernel === undefined)
    throw new PackageError(`Cannot use ${packageName}: it has no kernel or no modules`);
  return kernel;
}

/** What an earlier run left in the cache. */
function readKernel(directory: string): Kernel | undefined {
  const [image] = globSync(join(directory, "{boot/vmlinuz-*,usr/lib/modules/*/vmlinuz}"));
  const [modules] = globSync(join(directory, "{usr/lib,lib}/modules/*/modules.dep"));
  const [busybox] = globSync(join(directory, "{usr/bin,bin}/busybox"));
  const label = join(directory, "package.txt");
  if (image === undefined || modules === undefined || busybox === undefined || !existsSync(label))
    return undefined;
  const packageName = readFileSync(label, "utf8").trim();
  const generation = basename(directory);
  const home = dirname(modules);
  return { generation, version: basename(home), packageName, image, modules: home, busybox };
}

/* ---- apt ---- */

function findArchive(): Archive {
  const format = "$(REPO_URI)|$(LABEL)|$(COMPONENT)";
  const asked = spawnSync("apt-get", ["indextargets", "--format", format, "Created-By: Packages"], {
    encoding: "utf8",
  });
  if (asked.error !== undefined) throw new PackageError("Cannot fetch kernels: this is not a Debian system");
  const rows = asked.stdout.split("\n").map((line) => line.split("|"));
  const uriOf = (label: string): string | undefined =>
    rows.find((row) => row[1] === label && row[2] === "main")?.[0];
  const mainUri = uriOf("Debian");
  if (mainUri === undefined)
    throw new PackageError("Cannot fetch kernels: apt knows no archive of Debian; run apt-get update first");
  const securityUri = uriOf("Debian-Security");
  return { mainUri, ...(securityUri === undefined ? {} : { securityUri }) };
}

/** apt with lists and caches of its own, for another release than this machine's. */
class Apt {
  readonly #options: readonly string[];
  readonly #release: Release;

  constructor(directory: string, release: Release, { mainUri, securityUri }: Archive) {
    this.#release = release;
    for (const part of ["state/lists/partial", "cache/archives/partial"]) {
      mkdirSync(join(directory, part), { recursive: true });
    }
    const signed = existsSync(KEYRING) ? ` [signed-by=${KEYRING}]` : "";
    const lines = release.suites.map((suite) => {
      const uri = suite.endsWith("-security") ? securityUri : mainUri;
      return uri === undefined ? "" : `deb${signed} ${uri} ${suite} main\n`;
    });
    const sources = join(directory, "sources.list");
    writeFileSync(sources, lines.join(""));
    // Backports are not chosen by themselves: here the newest version of any suite is.
    const preferences = join(directory, "preferences");
    writeFileSync(preferences, "Package: *\nPin: release a=*\nPin-Priority: 990\n");
    this.#options = [
      `Dir::Etc::SourceList=${sources}`,
      "Dir::Etc::SourceParts=/dev/null",
      `Dir::Etc::Preferences=${preferences}`,
      "Dir::Etc::PreferencesParts=/dev/null",
      `Dir::State=${join(directory, "state")}`,
      `Dir::Cache=${join(directory, "cache")}`,
      "Dir::State::status=/dev/null",
      "Acquire::Languages=none",
      "Acquire::Check-Valid-Until=false",
      "APT::Sandbox::User=root",
      "APT::Get::List-Cleanup=false",
    ].flatMap((option) => ["-o", option]);
  }

  update(say: Say): void {
    say(`asking the archive for ${this.#release.suites.join(", ")}`);
    this.#run("apt-get", ["-q", "update"]);
  }

  /** What a package depends on, as far as it is called like that. */
  dependencies(name: string, pattern: RegExp): readonly string[] {
    const text = this.#run("apt-cache", ["depends", "--important", name]);
    return [...text.matchAll(/Depends: (\S+)/g)]
      .map((found) => found[1] ?? "")
      .filter((each) => pattern.test(each));
  }

  versionOf(name: string): string {
    const text = this.#run("apt-cache", ["policy", name]);
    return /Candidate: (\S+)/.exec(text)?.[1] ?? "";
  }

  /** Fetches a package into `directory`; returns its file. */
  download(name: string, directory: string, say: Say): string {
    say(`fetching ${name}`);
    this.#run("apt-get", ["-q", "download", name], directory);
    const [file] = globSync(join(directory, `${name}_*.deb`));
    if (file === undefined) throw new PackageError(`Cannot find ${name} after it was fetched`);
    return file;
  }

  #run(command: string, args: readonly string[], cwd = "/"): string {
    const { status, stdout, stderr } = spawnSync(command, [...this.#options, ...args], {
      encoding: "utf8",
      cwd,
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
    if (status === 0) return stdout;
    const said = stderr.trim().split("\n").slice(-2).join("; ");
    throw new PackageError(`Cannot fetch from Debian's ${this.#release.release}: ${args.join(" ")}: ${said}`);
  }
}

/* ---- Unpacking ---- */

/** Takes of a package what a guest needs of it. */
function unpack(file: string, directory: string): void {
  const kept = KEPT_MODULES.map((name) => `*/lib/modules/*/kernel/${name}/*`);
  const patterns = [
    "*/boot/vmlinuz-*",
    "*/lib/modules/*/vmlinuz",
    "*/lib/modules/*/modules.*",
    "*/busybox",
    ...kept,
  ];
  const script = 'file=$1; shift; dpkg-deb --fsys-tarfile "$file" | tar -x --wildcards "$@"';
  // tar complains of patterns that match nothing, and no package has all of it.
  spawnSync("sh", ["-c", script, "sh", file, ...patterns], { cwd: directory, stdio: "ignore" });
}

/** Makes modules.dep, which the package leaves to its installation, over modules that are not compressed. */
function finishModules(directory: string): void {
  const [modules] = globSync(join(directory, "{usr/lib,lib}/modules/*"));
  const [busybox] = globSync(join(directory, "{usr/bin,bin}/busybox"));
  if (modules === undefined || busybox === undefined) return;
  const packed = globSync(join(modules, "**/*.ko.xz"));
  for (let at = 0; at < packed.length; at += 200) execFileSync("xz", ["-d", ...packed.slice(at, at + 200)]);
  execFileSync(busybox, [
    "depmod",
    "-b",
    modules.slice(0, modules.indexOf("/lib/modules/")),
    basename(modules),
  ]);
}
