/**
 * How long an operator waits for the first word: `headroom check` against a Node that does nothing, on this
 * host and, for root, on a small table in a namespace of its own. All are started in turn, so that a busy
 * machine slows all of them.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { injectTable } from "../test/support/inject.ts";
import { type BenchOutput, median } from "./bench.ts";

export const name = "check";
export const about = "bin/headroom check, from start to end, against node -e 0";
export const small = { runs: 1, warmUps: 1, flows: 0 } as const;
export const smallResult = "ok";
/** The warm-ups are enough for the launcher to keep what it compiles: one process in 13 looks. */
export const large = { runs: 40, warmUps: 30, flows: 200 } as const;

const root = fileURLToPath(new URL("..", import.meta.url));
const node = `${root}node_modules/.bin/node`;
const headroom = `${root}bin/headroom`;
/** A saved host whose verdict is the same on every machine. */
const saved = `${root}test/fixtures/trees/5.10`;

interface Measured {
  name: string;
  command: string;
  args: readonly string[];
  /** The promise: with a ratio of 3, 20 ms of Node are 60 ms until the verdict. */
  atMost?: number;
}

/** The first is what the others are compared with. */
const bare: Measured = { name: "node -e 0", command: node, args: ["-e", "0"] };
const commands: readonly Measured[] = [
  { name: "headroom check", command: headroom, args: ["check"], atMost: 3 },
  { name: "headroom --version", command: headroom, args: ["--version"] },
  { name: "headroom check of a saved host", command: headroom, args: ["check", "--root", saved] },
];

export function run(size: typeof small | typeof large, out: BenchOutput): void {
  const { runs, warmUps, flows } = size;
  if (flows === 0) measure(commands, runs, warmUps, out);
  else if (process.getuid?.() === 0) measureWithTable(flows, runs, warmUps, out);
  else {
    out.note(`no check of ${flows} flows: needs root, to inject a table into a network namespace`);
    measure(commands, runs, warmUps, out);
  }
  const { stdout } = spawnSync(headroom, ["check", "--root", saved, "--json"], { encoding: "utf8" });
  out.result((JSON.parse(stdout) as { level: string }).level);
}

function measureWithTable(flows: number, runs: number, warmUps: number, out: BenchOutput): void {
  const table = injectTable({ flows, capacityFlows: flows * 2, prefix: "hr-check-bench" });
  try {
    const args = ["check", "--netns", table.name];
    const check: Measured = { name: `headroom check of ${flows} flows`, command: headroom, args, atMost: 3 };
    measure([...commands, check], runs, warmUps, out);
  } finally {
    table.close();
  }
}

function measure(measured: readonly Measured[], runs: number, warmUps: number, out: BenchOutput): void {
  const rows = [bare, ...measured].map((each) => ({ ...each, times: [] as number[] }));
  for (let count = 0; count < warmUps + runs; count += 1) {
    for (const { command, args, times } of rows) {
      const start = performance.now();
      const { error } = spawnSync(command, args, { stdio: "ignore" });
      if (error !== undefined) return out.skip(`cannot run ${command}: ${error.message}`);
      if (count >= warmUps) times.push(performance.now() - start);
    }
  }
  for (const each of rows) out.figure(each.name, median(each.times), "ms");
  const least = median(rows[0]?.times ?? []);
  for (const each of rows.slice(1)) {
    out.ratio(`${each.name} against node -e 0`, median(each.times) / least, each.atMost);
  }
}
