/** scripts/setup.mjs, in a tree of its own with an npm of our own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import type { SpawnSyncReturns } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const setup = fileURLToPath(new URL("../scripts/setup.mjs", import.meta.url));

/** Stands in for npm: `npm ci` makes a Node that is a shell script saying `says`. */
function npm(says: string, exit = 0): string {
  return `
import { mkdirSync, writeFileSync } from "node:fs";
console.log("npm " + process.argv.slice(2).join(" "));
if (${exit} !== 0) process.exit(${exit});
mkdirSync("node_modules/.bin", { recursive: true });
writeFileSync("node_modules/.bin/node", ${JSON.stringify(`#!/bin/sh\n${says}\n`)}, { mode: 0o755 });
`;
}

/** A Node that has the right version and does nothing else. */
const NODE_26 = '[ "$1" != -v ] || echo v26.10.0';

function tree(context: TestContext, fakeNpm: string): string {
  const directory = mkdtempSync(join(tmpdir(), "headroom-setup-"));
  context.after(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, "scripts"));
  copyFileSync(setup, join(directory, "scripts/setup.mjs"));
  writeFileSync(join(directory, "package-lock.json"), "{}");
  writeFileSync(join(directory, "npm.mjs"), fakeNpm);
  return directory;
}

function run(directory: string): SpawnSyncReturns<string> {
  const env = { PATH: process.env["PATH"], npm_execpath: join(directory, "npm.mjs") };
  return spawnSync(process.execPath, [join(directory, "scripts/setup.mjs")], { encoding: "utf8", env });
}

test("setup installs once, and again only when the lock changes", (context) => {
  const directory = tree(context, npm(NODE_26));
  const first = run(directory);
  assert.match(first.stdout, /npm ci\)\nnpm ci --no-audit --no-fund --loglevel=error\n$/);
  assert.equal(first.status, 0);
  assert.equal(run(directory).stdout, "");
  writeFileSync(join(directory, "package-lock.json"), '{"changed":true}');
  assert.match(run(directory).stdout, /npm ci/);
});

test("setup installs again when Node went missing", (context) => {
  const directory = tree(context, npm(NODE_26));
  run(directory);
  rmSync(join(directory, "node_modules/.bin"), { recursive: true });
  assert.match(run(directory).stdout, /npm ci/);
});

test("setup says that npm failed, and tries again the next time", (context) => {
  const directory = tree(context, npm("", 7));
  const ended = run(directory);
  assert.equal(ended.stderr, "Headroom cannot be set up: npm ci failed (exit 7); its reason stands above\n");
  assert.equal(ended.status, 1);
  assert.ok(!existsSync(join(directory, "node_modules/.headroom-setup")));
});

test("setup explains a missing libatomic", (context) => {
  const loader = "echo 'error while loading shared libraries: libatomic.so.1: cannot open' >&2; exit 127";
  const ended = run(tree(context, npm(loader)));
  assert.match(ended.stderr, /needs the library libatomic1, .*; run `apt-get install libatomic1`\n$/);
  assert.equal(ended.status, 1);
});

test("setup shows what a Node says that does not run", (context) => {
  const ended = run(tree(context, npm("echo 'Exec format error' >&2; exit 126")));
  assert.match(ended.stderr, /node_modules\/\.bin\/node does not run here: Exec format error\n$/);
});
