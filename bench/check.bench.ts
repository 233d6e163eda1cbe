/**
 * How long an operator waits for the first word: `headroom check` on this host against a Node that does
 * nothing. Both are started in turn, so that a busy machine slows both.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { type BenchOutput, median } from "./bench.ts";

export const name = "check";
export const about = "bin/headroom check, from start to end, against node -e 0";
export const small = 1;
export const smallResult = "ok";
export const large = 40;

const root = fileURLToPath(new URL("..", import.meta.url));
const node = `${root}node_modules/.bin/node`;
const headroom = `${root}bin/headroom`;
/** A saved host whose verdict is the same on every machine. */
const saved = `${root}test/fixtures/trees/5.10`;

/** What is measured, by name. The first is what the others are compared with. */
const commands: readonly (readonly [string, string, readonly string[]])[] = [
  ["node -e 0", node, ["-e", "0"]],
  ["headroom check", headroom, ["check"]],
  ["headroom --version", headroom, ["--version"]],
  ["headroom check of a saved host", headroom, ["check", "--root", saved]],
];

/** The promise: with this ratio, 20 ms of Node are 60 ms until the verdict. */
const AT_MOST = 3;

export function run(runs: number, out: BenchOutput): void {
  const times = commands.map((): number[] => []);
  for (let count = 0; count < runs + 1; count += 1) {
    for (const [index, [, command, args]] of commands.entries()) {
      const start = performance.now();
      const { error } = spawnSync(command, args, { stdio: "ignore" });
      if (error !== undefined) return out.skip(`cannot run ${command}: ${error.message}`);
      // The first time fills the caches of the kernel and of Node.
      if (count > 0) times[index]?.push(performance.now() - start);
    }
  }
  const [bare = 1, check = 0, version = 0, tree = 0] = times.map(median);
  for (const [index, value] of [bare, check, version, tree].entries()) {
    out.figure(commands[index]?.[0] ?? "", value, "ms");
  }
  out.ratio("headroom check against node -e 0", check / bare, AT_MOST);
  out.ratio("headroom --version against node -e 0", version / bare);
  out.ratio("headroom check of a saved host against node -e 0", tree / bare);
  const { stdout } = spawnSync(headroom, ["check", "--root", saved, "--json"], { encoding: "utf8" });
  out.result((JSON.parse(stdout) as { level: string }).level);
}
