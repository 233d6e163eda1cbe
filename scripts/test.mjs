/**
 * Runs the tests: `npm test` everything, `npm run ok` all that needs neither root nor other programs (the
 * quick gate), `npm run test:kernel` only what needs root. File names after `--` run those files alone.
 *
 * Unit tests share one process, because starting one per file costs more than the tests; tests of the running
 * kernel get a process each and run one after the other, because they share the host's table.
 */
import { fork, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import { fileURLToPath } from "node:url";

/** A test process that reports nothing for this long hangs where its own time limit cannot reach it. */
const SILENCE_LIMIT_MS = 420_000;

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = `${root}node_modules/.bin/`;
const isRoot = process.getuid() === 0;
process.chdir(root);

if (Number.parseInt(process.versions.node, 10) < 26) {
  const args = process.argv.slice(1);
  process.exit(spawnSync(`${bin}node`, args, { stdio: "inherit" }).status ?? 1);
}
await main(process.argv.slice(2));

async function main(args) {
  const { Report } = await import("../test/support/report.ts");
  const report = new Report((line) => console.log(line), root);
  const modes = ["ok", "kernel"];
  const mode = modes.find((name) => name === args[0]) ?? "all";
  const chosen = args.filter((arg) => !modes.includes(arg));
  const { units, kernel } = chosen.length > 0 ? sort(chosen) : sort(findTests());

  if (mode !== "ok" && kernel.length > 0) {
    const { installTestPackages } = await import("./test-packages.mjs");
    installTestPackages((line) => console.log(line));
  }
  if (mode !== "kernel") {
    if (chosen.length === 0) await runGates(report);
    if (units.length > 0) await runFiles(units, report);
  }
  if (mode !== "ok") await runKernelTests(kernel, report);
  process.exitCode = report.close() ? 0 : 1;
}

function findTests() {
  return fs.globSync("{src,test,bench,web,demo}/**/*.test.ts").toSorted();
}

function sort(files) {
  const needsRoot = (file) => file.includes("test/kernel/");
  return { units: files.filter((file) => !needsRoot(file)), kernel: files.filter(needsRoot) };
}

async function runGates(report) {
  const gates = [
    ["format", `${bin}oxfmt`, ["--check"]],
    ["lint", `${bin}oxlint`, ["--format=unix"]],
    ["types", `${bin}tsc`, ["--noEmit", "--pretty", "false"]],
    ["types of the dashboard", `${bin}tsc`, ["-p", "web", "--noEmit", "--pretty", "false"]],
  ];
  const results = gates.map(([, command, args]) => runGate(command, args));
  for (const [index, [name]] of gates.entries()) {
    const { passed, output } = await results[index];
    report.gate(name, passed, output);
  }
}

function runGate(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", (error) => resolve({ passed: false, output: error.message }));
    child.on("close", (code) => resolve({ passed: code === 0, output }));
  });
}

async function runKernelTests(files, report) {
  if (!isRoot) return report.skipFiles(files, "needs root");
  for (const file of files) await runFiles([file], report);
}

function runFiles(files, report) {
  return new Promise((resolve) => {
    const child = fork(`${root}scripts/test-child.mjs`, files, {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      serialization: "advanced",
    });
    let ended = false;
    const watchdog = setTimeout(() => child.kill("SIGKILL"), SILENCE_LIMIT_MS);
    child.on("message", (message) => {
      watchdog.refresh();
      if (message.event !== undefined) report.event(message.event);
      else ended = true;
    });
    child.on("close", (code, signal) => {
      clearTimeout(watchdog);
      const where = files.length === 1 ? files[0] : "tests";
      if (!ended) report.fail(where, "the process ended before its tests", signal ?? `exit ${code}`);
      resolve();
    });
  });
}
