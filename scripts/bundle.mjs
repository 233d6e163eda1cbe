/**
 * Puts the sources into one file, because a hundred modules cost more to load than `headroom check` has time.
 * The file names, for every source in it, what `stat` said before it was read; bin/headroom compares them at
 * every start and runs the sources themselves when one differs. So this never has to be run, and can never be
 * out of date.
 *
 * Run by set-up on Node 26. Says nothing when the bundle is fresh.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

/** Longer than the tick of the clock that stamps files: a file written after we looked has another stamp. */
const TICK_MS = 50;

/** One file, without what only people read. Names stay: they are in messages and in profiles. */
const OUTPUT = {
  format: "esm",
  codeSplitting: false,
  comments: false,
  minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
};

/** Stands for the packages in the bundle. */
const LOCK = "package-lock.json";

const root = fileURLToPath(new URL("..", import.meta.url)).slice(0, -1);
const directory = `${root}/node_modules/.cache/headroom`;
const manifest = `${directory}/bundle.json`;

if (!isFresh()) {
  try {
    await makeBundle();
  } catch (error) {
    rmSync(manifest, { force: true });
    const [first, , second = ""] = stripVTControlCharacters(error.message).split("\n");
    console.log(`Headroom runs from its sources, which start slower; bundling said: ${first} ${second}`);
  }
}

/** The same comparison as in bin/headroom. */
function isFresh() {
  try {
    const { sources } = JSON.parse(readFileSync(manifest, "utf8"));
    return Object.entries(sources).every(([path, stamp]) => stampOf(path) === stamp);
  } catch {
    return false;
  }
}

function stampOf(path) {
  const { ino, size, mtimeMs, ctimeMs } = statSync(`${root}/${path}`);
  return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}

async function makeBundle() {
  const { rolldown } = await import("rolldown");
  await setTimeout(TICK_MS);
  const stamps = new Map([LOCK, ...sourceFiles()].map((path) => [path, stampOf(path)]));
  const bundle = await rolldown({
    cwd: root,
    input: "src/cli/main.ts",
    platform: "node",
    logLevel: "silent",
  });
  const { output } = await bundle.generate(OUTPUT);
  // Not the modules of the output: one whose constants were all inlined is not among them.
  const read = (await bundle.watchFiles).map((path) => relative(root, path));
  const bundled = read.filter((path) => path.startsWith("src/"));
  const sources = Object.fromEntries([LOCK, ...bundled].map((path) => [path, stamps.get(path)]));

  mkdirSync(directory, { recursive: true });
  const file = `bundle-${Date.now()}.mjs`;
  writeFileSync(`${directory}/${file}`, output[0].code);
  writeFileSync(`${manifest}.new`, JSON.stringify({ file, sources }));
  renameSync(`${manifest}.new`, manifest);
  // What the compile cache knows of older bundles is of no use any more.
  rmSync(`${directory}/compiled`, { recursive: true, force: true });
  for (const name of readdirSync(directory)) {
    if (/^bundle-\d+\.mjs$/.test(name) && name !== file) rmSync(`${directory}/${name}`);
  }
}

function sourceFiles() {
  const names = readdirSync(`${root}/src`, { recursive: true });
  return names.filter((name) => name.endsWith(".ts")).map((name) => `src/${name}`);
}
