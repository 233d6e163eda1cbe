/**
 * `npm run test:kernels`: tests of the running kernel, on other kernels than this machine's. Each is a
 * package of Debian, booted in QEMU on this machine's files. Generations choose kernels, files choose tests;
 * `--update` asks the archive for newer packages, `--memory MIB` gives a guest more than 512, and `--run
 * COMMAND` runs a shell command instead of tests. Ends with 1 when a test failed, with 2 when a kernel could
 * not be tried.
 */
import { globSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { guestObstacle, runGuest } from "./guest.ts";
import { fetchKernel, type Kernel, PackageError, type Release } from "./packages.ts";

const RELEASES: readonly Release[] = [
  {
    generation: "5.10",
    release: "bullseye",
    suites: ["bullseye", "bullseye-security"],
    package: "linux-image-amd64",
  },
  {
    generation: "6.1",
    release: "bookworm",
    suites: ["bookworm", "bookworm-security"],
    package: "linux-image-amd64",
  },
  {
    generation: "6.12",
    release: "trixie",
    suites: ["trixie", "trixie-security"],
    package: "linux-image-amd64",
  },
  {
    generation: "7.3",
    release: "trixie",
    suites: ["trixie", "trixie-backports"],
    package: "linux-image-amd64",
  },
];

/** The tests that hold the model against the kernel. */
const TESTS = "test/kernel/replay-*.test.ts";
const MEMORY_MEGABYTES = 512;
/** A processor in software is some twenty times slower. */
const LIMIT_MS = 45 * 60_000;

const root = fileURLToPath(new URL("../..", import.meta.url));
const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "headroom", "kernels");

interface Choice {
  readonly releases: readonly Release[];
  readonly command: string;
  readonly isUpdate: boolean;
  readonly memoryMegabytes: number;
}

/** What became of one kernel. */
interface Outcome {
  readonly name: string;
  readonly code: 0 | 1 | 2;
  readonly text: string;
}

function choose(args: readonly string[]): Choice {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      update: { type: "boolean", default: false },
      run: { type: "string" },
      memory: { type: "string", default: String(MEMORY_MEGABYTES) },
    },
  });
  const generations = RELEASES.map(({ generation }) => generation);
  const files = positionals.filter((each) => !generations.includes(each));
  const unknown = files.find((file) => globSync(file, { cwd: root }).length === 0);
  if (unknown !== undefined)
    throw new PackageError(
      `Cannot run "${unknown}": no such test, and the kernels are ${generations.join(", ")}`,
    );
  const named = RELEASES.filter(({ generation }) => positionals.includes(generation));
  const tests = (files.length > 0 ? files : [TESTS])
    .flatMap((pattern) => globSync(pattern, { cwd: root }))
    .toSorted();
  if (tests.length === 0 && values.run === undefined)
    throw new PackageError(`Cannot find tests: no ${TESTS}`);
  return {
    releases: named.length > 0 ? named : RELEASES,
    command: values.run ?? `exec node_modules/.bin/node scripts/test.mjs kernel ${tests.join(" ")}`,
    isUpdate: values.update,
    memoryMegabytes: Number(values.memory),
  };
}

async function tryKernel(release: Release, choice: Choice, scratch: string): Promise<Outcome> {
  const name = release.generation;
  const say = (text: string): void => console.log(`${name.padEnd(5)} ${text}`);
  let kernel: Kernel;
  try {
    kernel = fetchKernel(release, cache, choice.isUpdate, say);
  } catch (error) {
    if (!(error instanceof PackageError)) throw error;
    say(error.message);
    return { name, code: 2, text: error.message };
  }
  say(`booting ${kernel.version} (${kernel.packageName})`);
  const start = performance.now();
  const { memoryMegabytes } = choice;
  const end = await runGuest({
    kernel,
    command: `export HEADROOM_KERNEL_GENERATION=${name}\n${choice.command}`,
    directory: root,
    scratch,
    memoryMegabytes,
    limitMs: LIMIT_MS,
    line: say,
  });
  const took = `${Math.round((performance.now() - start) / 1000)} s`;
  if ("problem" in end) return { name, code: 2, text: `${kernel.version}: ${end.problem}` };
  const verdict = end.exitCode === 0 ? "passed" : `failed with ${end.exitCode}`;
  return { name, code: end.exitCode === 0 ? 0 : 1, text: `${kernel.version}: ${verdict} in ${took}` };
}

async function main(args: readonly string[]): Promise<number> {
  const choice = choose(args);
  const obstacle = guestObstacle();
  if (obstacle !== undefined) throw new PackageError(`Cannot run other kernels: ${obstacle}`);
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), "headroom-kernels-"));
  const outcomes: Outcome[] = [];
  try {
    for (const release of choice.releases) outcomes.push(await tryKernel(release, choice, scratch));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  console.log("");
  for (const { name, text } of outcomes) console.log(`${name.padEnd(5)} ${text}`);
  return Math.max(...outcomes.map(({ code }) => code));
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Error) || !("code" in error || error instanceof PackageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
