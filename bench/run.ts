/**
 * `npm run bench` runs every benchmark with its large size, `npm run bench -- NAME...` some of them,
 * `--small` with the small size. Prints what people read, and one line of JSON each with machine, commit and
 * Node. Ends with 1 when a ratio is above what it promises.
 */
import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { Bench, BenchOutput } from "./bench.ts";

const directory = fileURLToPath(new URL(".", import.meta.url));

export interface Ratio {
  readonly name: string;
  readonly value: number;
  readonly atMost?: number;
}

/** What one run of a benchmark put out. */
export interface BenchResult {
  readonly figures: { name: string; value: number; unit: string }[];
  readonly ratios: Ratio[];
  result?: string | number;
  notes?: string[];
  skipped?: string;
}

/** All benchmarks of bench/, by file name. */
export async function loadBenches(): Promise<readonly Bench[]> {
  const files = globSync("*.bench.ts", { cwd: directory }).toSorted();
  const modules = files.map(async (file) => (await import(`./${file}`)) as Bench);
  return Promise.all(modules);
}

/** Runs `bench` once with `size` and collects what it puts out. */
export async function runBench<Size>(bench: Bench<Size>, size: Size): Promise<BenchResult> {
  const found: BenchResult = { figures: [], ratios: [] };
  const out: BenchOutput = {
    figure: (name, value, unit) => found.figures.push({ name, value, unit }),
    ratio: (name, value, atMost) =>
      found.ratios.push({ name, value, ...(atMost === undefined ? {} : { atMost }) }),
    result: (value) => (found.result = value),
    note: (text) => (found.notes ??= []).push(text),
    skip: (reason) => (found.skipped = reason),
  };
  await bench.run(size, out);
  return found;
}

export function isBroken({ value, atMost }: Ratio): boolean {
  return atMost !== undefined && value > atMost;
}

/** The result as people read it. */
export function renderBench(bench: Pick<Bench, "name" | "about">, found: BenchResult): readonly string[] {
  const lines = [`${bench.name}: ${bench.about}`];
  if (found.skipped !== undefined) return [...lines, `  skipped: ${found.skipped}`];
  for (const { name, value, unit } of found.figures)
    lines.push(`  ${name.padEnd(48)} ${shown(value)} ${unit}`);
  for (const ratio of found.ratios) {
    const promise =
      ratio.atMost === undefined ? "" : `  at most ${ratio.atMost}: ${isBroken(ratio) ? "NO" : "yes"}`;
    lines.push(`  ${ratio.name.padEnd(48)} ${shown(ratio.value)}${promise}`);
  }
  for (const note of found.notes ?? []) lines.push(`  ${note}`);
  return lines;
}

function shown(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : 3;
  return value.toFixed(digits).padStart(12);
}

/** What a figure depends on besides the code. */
function surroundings(): Readonly<Record<string, unknown>> {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: directory, encoding: "utf8", stdio: "pipe" }).trim();
  const processors = cpus();
  return {
    machine: `${processors.length} x ${processors[0]?.model ?? "unknown"}`,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    commit: attempt(() => git("rev-parse", "--short", "HEAD")),
    changed: attempt(() => git("status", "--porcelain") !== ""),
  };
}

/** Absent where git cannot tell: a copy without history is still worth measuring. */
function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((arg) => !arg.startsWith("-"));
  const benches = await loadBenches();
  const unknown = names.find((name) => !benches.some((bench) => bench.name === name));
  if (unknown !== undefined) {
    const known = benches.map((bench) => bench.name).join(", ") || "none yet";
    console.error(`Cannot run "${unknown}": there is no such benchmark; there are: ${known}`);
    return 2;
  }
  const machine = surroundings();
  const size = args.includes("--small") ? "small" : "large";
  let broken = 0;
  for (const bench of benches) {
    if (names.length > 0 && !names.includes(bench.name)) continue;
    const found = await runBench(bench, bench[size]);
    for (const line of renderBench(bench, found)) console.log(line);
    console.log(`${JSON.stringify({ bench: bench.name, size, ...machine, ...found })}\n`);
    broken += found.ratios.filter(isBroken).length;
  }
  return broken > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
