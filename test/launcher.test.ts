/** bin/headroom, in a tree of its own whose src/cli/main.ts prints how it was started. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import type { SpawnSyncReturns } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const MAIN = `
const words: string[] = process.argv.slice(2);
if (words[0] === "die") process.kill(process.pid, "SIGTERM");
if (words[0] === "wait") {
  process.on("SIGTERM", () => process.exit(7));
  setTimeout(() => {}, 60_000);
}
if (words[0] === "serve" || words[0] === "replay") console.log(process.env["GLIBC_TUNABLES"]);
if (words[0] === "exit") process.exitCode = Number(words[1]);
console.log(process.execArgv.join(" "), JSON.stringify(words));
`;
const FLAGS = "--disable-warning=ExperimentalWarning --preserve-symlinks --min-semi-space-size=8";

/** What a watcher asks of malloc, so that it gives back what a count of flows took. */
const MALLOC = {
  mmap_threshold: "glibc.malloc.mmap_threshold=65536",
  trim_threshold: "glibc.malloc.trim_threshold=65536",
  arena_max: "glibc.malloc.arena_max=2",
};

/** Makes the tree and returns its directory; without Node when `bare`. */
function tree(context: TestContext, bare = false): string {
  const directory = mkdtempSync(join(tmpdir(), "headroom-launch-"));
  context.after(() => rmSync(directory, { recursive: true }));
  for (const path of ["bin", "src/cli", "node_modules/.bin", "elsewhere"]) {
    mkdirSync(join(directory, path), { recursive: true });
  }
  copyFileSync(`${root}bin/headroom`, join(directory, "bin/headroom"));
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  writeFileSync(join(directory, "src/cli/main.ts"), MAIN);
  if (!bare) symlinkSync(process.execPath, join(directory, "node_modules/.bin/node"));
  return directory;
}

function run(command: string, args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(command, args, { encoding: "utf8" });
}

/**
 * A Node older than 26 outside of this project, for which the launcher is JavaScript and not a shell script.
 */
function olderNode(): string | undefined {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  const found = directories.map((path) => join(path, "node")).filter((path) => existsSync(path));
  return found.find((path) => Number.parseInt(run(path, ["-v"]).stdout.slice(1), 10) < 26);
}

const older = olderNode();
const withOlderNode = older === undefined ? { skip: "there is no older Node in PATH" } : {};

test("the launcher passes arguments and the exit code", (context) => {
  const ended = run(join(tree(context), "bin/headroom"), ["exit", "5", "a b"]);
  assert.equal(ended.stdout, `${FLAGS} ["exit","5","a b"]\n`);
  assert.equal(ended.status, 5);
});

test("a watcher of years has less room for new objects than a command that ends", (context) => {
  const ended = run(join(tree(context), "bin/headroom"), ["serve"]);
  const flags = FLAGS.replace("--min-semi-space-size=8", "--max-semi-space-size=2");
  const lean = [MALLOC.mmap_threshold, MALLOC.trim_threshold, MALLOC.arena_max];
  const given = (process.env["GLIBC_TUNABLES"] ?? "").split(":").filter((word) => word !== "");
  assert.equal(ended.stdout, `${[...given, ...lean].join(":")}\n${flags} ["serve"]\n`);
});

test("the launcher finds its tree through links", (context) => {
  const directory = tree(context);
  symlinkSync("../bin/headroom", join(directory, "elsewhere/first"));
  symlinkSync(join(directory, "elsewhere/first"), join(directory, "elsewhere/second"));
  assert.equal(run(join(directory, "elsewhere/second"), ["x"]).stdout, `${FLAGS} ["x"]\n`);
});

test("the launcher keeps compiled code below node_modules and nowhere else", (context) => {
  const directory = tree(context);
  run(join(directory, "bin/headroom"), []);
  assert.ok(existsSync(join(directory, "node_modules/.cache/headroom")));
});

test("the launcher runs sources as they are, not as they were", (context) => {
  const directory = tree(context);
  run(join(directory, "bin/headroom"), []);
  writeFileSync(join(directory, "src/cli/main.ts"), 'console.log("changed" as string);');
  assert.equal(run(join(directory, "bin/headroom"), []).stdout, "changed\n");
});

test("the launcher ends as its program did when a signal ended it", (context) => {
  assert.equal(run(join(tree(context), "bin/headroom"), ["die"]).signal, "SIGTERM");
});

for (const [args, status] of [
  [[], 3],
  [["check"], 3],
  [["--json"], 3],
  [["list"], 1],
] as const) {
  test(`without any Node \`headroom ${args.join(" ")}\` says so and ends with ${status}`, (context) => {
    const directory = tree(context, true);
    symlinkSync(
      run("sh", ["-c", "command -v readlink"]).stdout.trim(),
      join(directory, "elsewhere/readlink"),
    );
    const env = { PATH: join(directory, "elsewhere") };
    const ended = spawnSync("/bin/sh", [join(directory, "bin/headroom"), ...args], { encoding: "utf8", env });
    const where = join(directory, "node_modules");
    const said = `there is no Node 26 under ${where}; run \`npm start\` there once`;
    assert.equal(ended.stderr, `headroom: cannot start: ${said}\n`);
    assert.equal(ended.status, status);
  });
}

test("an older Node hands over to Node 26", withOlderNode, (context) => {
  const ended = run(older ?? "", [join(tree(context), "bin/headroom"), "exit", "6"]);
  assert.equal(ended.stdout, `${FLAGS} ["exit","6"]\n`);
  assert.equal(ended.status, 6);
});

test("an older Node ends by the signal that ended Node 26", withOlderNode, (context) => {
  assert.equal(run(older ?? "", [join(tree(context), "bin/headroom"), "die"]).signal, "SIGTERM");
});

test("an older Node passes a signal on and waits for the end", withOlderNode, async (context) => {
  const child = spawn(older ?? "", [join(tree(context), "bin/headroom"), "wait"]);
  const ended = new Promise((resolve) => child.on("close", resolve));
  child.stdout.once("data", () => child.kill("SIGTERM"));
  assert.equal(await ended, 7);
});

test("an older Node without Node 26 says so", withOlderNode, (context) => {
  const directory = tree(context, true);
  const ended = run(older ?? "", [join(directory, "bin/headroom"), "list"]);
  assert.match(
    ended.stderr,
    /^headroom: cannot start: this is Node \d+\S+ and there is no Node 26 under \S+; run/,
  );
  assert.equal(ended.status, 1);
});
