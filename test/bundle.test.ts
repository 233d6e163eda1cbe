/** The bundle that set-up makes, in a tree of its own: used while it is fresh, and never a moment longer. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const MAIN =
  'import { word } from "./word.ts";\nconsole.log(Error().stack?.includes("/bundle-"), word as string);\n';

/** Makes the tree with its bundle and returns its directory. */
function tree(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "headroom-one-"));
  context.after(() => rmSync(directory, { recursive: true }));
  for (const path of ["bin", "scripts", "src/cli", "node_modules/.bin"]) {
    mkdirSync(join(directory, path), { recursive: true });
  }
  for (const path of ["bin/headroom", "scripts/bundle.mjs"]) copyFileSync(root + path, join(directory, path));
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  writeFileSync(join(directory, "package-lock.json"), "{}");
  writeFileSync(join(directory, "src/cli/main.ts"), MAIN);
  writeFileSync(join(directory, "src/cli/word.ts"), 'export const word: string = "old";\n');
  symlinkSync(process.execPath, join(directory, "node_modules/.bin/node"));
  symlinkSync(`${root}node_modules/rolldown`, join(directory, "node_modules/rolldown"));
  return directory;
}

function bundle(directory: string): string {
  return spawnSync(process.execPath, [join(directory, "scripts/bundle.mjs")], { encoding: "utf8" }).stdout;
}

function run(
  directory: string,
  env: Readonly<Record<string, string>> = {},
  words: readonly string[] = [],
): string {
  const options = { encoding: "utf8", env: { PATH: process.env["PATH"], ...env } } as const;
  return spawnSync(join(directory, "bin/headroom"), words, options).stdout;
}

test("without a bundle the sources run", (context) => {
  assert.equal(run(tree(context)), "false old\n");
});

test("a fresh bundle runs, and is made once", (context) => {
  const directory = tree(context);
  assert.equal(bundle(directory), "");
  assert.equal(run(directory), "true old\n");
  assert.equal(bundle(directory), "");
  assert.equal(run(directory), "true old\n");
});

test("text that is not ASCII and modules of Node survive", (context) => {
  const directory = tree(context);
  const main = [
    'import path from "node:path";',
    'import { basename as last } from "node:path";',
    'import { type Stats, statSync } from "node:fs";',
    "const found: Stats = statSync(process.execPath);",
    'console.log(`█${"ÿ"}\u{1f600}`, /^😀$/u.test("\u{1f600}"), last("/a/b"), path.sep, found.isFile());',
    'console.log((await import("./word.ts")).word, (await import("node:path")).sep);',
  ];
  writeFileSync(join(directory, "src/cli/main.ts"), main.join("\n"));
  const bySources = run(directory);
  assert.equal(bySources, "█ÿ😀 true b / true\nold /\n");
  assert.equal(bundle(directory), "");
  assert.equal(run(directory), bySources);
});

test("what a run compiles is kept for the next, for each command by itself", (context) => {
  const directory = tree(context);
  bundle(directory);
  assert.deepEqual(compiled(directory), []);
  run(directory);
  assert.deepEqual(compiled(directory), ["check"]);
  assert.equal(run(directory, {}, ["list"]), "true old\n");
  assert.deepEqual(compiled(directory), ["check", "list"]);
  run(directory, {}, ["../list"]);
  assert.deepEqual(compiled(directory), ["check", "list"]);
});

test("compiled code that is damaged or of another program is not used", (context) => {
  const directory = tree(context);
  bundle(directory);
  run(directory);
  const cache = join(directory, "node_modules/.cache/headroom");
  for (const name of readdirSync(cache).filter((each) => each.endsWith(".check"))) {
    const bytes = readFileSync(join(cache, name));
    for (const length of [0, 1, 20, bytes.length - 1]) {
      writeFileSync(join(cache, name), bytes.subarray(0, length));
      assert.equal(run(directory), "true old\n", `cut to ${length} bytes`);
    }
  }
  edit(directory);
  bundle(directory);
  assert.equal(run(directory), "true new\n");
  assert.deepEqual(compiled(directory), ["check"]);
});

/** The commands whose compiled code is kept. */
function compiled(directory: string): string[] {
  const names = readdirSync(join(directory, "node_modules/.cache/headroom"));
  return names.flatMap((name) => /^bundle-\d+\.js\.(.*)$/.exec(name)?.[1] ?? []).sort();
}

const edits: readonly (readonly [string, string, (directory: string) => void])[] = [
  ["an edit", "false new\n", (directory) => edit(directory)],
  [
    "an edit that keeps size and time",
    "false new\n",
    (directory) => {
      const path = join(directory, "src/cli/word.ts");
      utimesSync(path, 1_700_000_000, 1_700_000_000);
      bundle(directory);
      edit(directory);
      utimesSync(path, 1_700_000_000, 1_700_000_000);
    },
  ],
  [
    "other packages",
    "false old\n",
    (directory) => writeFileSync(join(directory, "package-lock.json"), '{"a":1}'),
  ],
  ["a source that is gone", "", (directory) => rmSync(join(directory, "src/cli/word.ts"))],
  ["a broken manifest", "false old\n", (directory) => breakManifest(directory)],
];

function edit(directory: string): void {
  writeFileSync(join(directory, "src/cli/word.ts"), 'export const word: string = "new";\n');
}

function breakManifest(directory: string): void {
  writeFileSync(join(directory, "node_modules/.cache/headroom/bundle.json"), "{");
}

for (const [name, expected, change] of edits) {
  test(`after ${name} the bundle is not used`, (context) => {
    const directory = tree(context);
    bundle(directory);
    change(directory);
    assert.equal(run(directory), expected);
  });
}

test("HEADROOM_DEBUG runs the sources, whose lines a stack trace names", (context) => {
  const directory = tree(context);
  bundle(directory);
  assert.equal(run(directory, { HEADROOM_DEBUG: "1" }), "false old\n");
});

test("bundling that fails says why and leaves the sources to run", (context) => {
  const directory = tree(context);
  bundle(directory);
  writeFileSync(
    join(directory, "src/cli/main.ts"),
    'console.log("fine");\nif (process.argv[9]) await import("./gone.ts");\n',
  );
  assert.match(
    bundle(directory),
    /^Headroom runs from its sources, .*Could not resolve '\.\/gone\.ts' in src/,
  );
  assert.equal(run(directory), "fine\n");
});

test("the sources of Headroom can be bundled", async () => {
  const made = await rolldown({ input: `${root}src/cli/main.ts`, platform: "node", logLevel: "silent" });
  const { output } = await made.generate({ format: "esm", codeSplitting: false });
  assert.equal(output.length, 1);
  assert.deepEqual(
    output[0].imports.filter((name) => !name.startsWith("node:")),
    [],
  );
});
