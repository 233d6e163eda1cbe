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

/** Imports of Node's modules: as a whole, or some names of it; and later, when it is needed. */
const LATE_NODE_IMPORT = /\bimport\("(node:[\w/]+)"\)/g;
const NODE_IMPORT = /^import (?:(\w+)|\{([^}]*)\}) from ["'](node:[\w/]+)["'];/gm;

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
    plugins: [{ name: "node-imports", transform: (code) => withoutNodeImports(code) }],
  });
  const { output } = await bundle.generate(OUTPUT);
  const [{ code: generated, fileName, imports, dynamicImports }] = output;
  const code = withoutRequire(generated);
  const left = [...imports, ...dynamicImports].find((name) => name !== fileName);
  if (left !== undefined) throw new Error(`a script cannot have the import of ${left} that is left`);
  // Not the modules of the output: one whose constants were all inlined is not among them.
  const read = (await bundle.watchFiles).map((path) => relative(root, path));
  const bundled = read.filter((path) => path.startsWith("src/"));
  const sources = Object.fromEntries([LOCK, ...bundled].map((path) => [path, stamps.get(path)]));

  mkdirSync(directory, { recursive: true });
  const file = `bundle-${Date.now()}.js`;
  writeFileSync(`${directory}/${file}`, asScript(code));
  writeFileSync(`${manifest}.new`, JSON.stringify({ file, sources }));
  renameSync(`${manifest}.new`, manifest);
  // What the compile cache knows of older bundles is of no use any more.
  rmSync(`${directory}/compiled`, { recursive: true, force: true });
  for (const name of readdirSync(directory)) {
    if (/^bundle-\d+\./.test(name) && !name.startsWith(file)) rmSync(`${directory}/${name}`);
  }
}

/**
 * Takes Node's modules by a call. An `import` of one makes a namespace of everything in it, and so loads what
 * it would load only when it is needed: 7 ms for the few that `check` uses.
 */
function withoutNodeImports(code) {
  const late = code.replace(LATE_NODE_IMPORT, 'Promise.resolve(globalThis.process.getBuiltinModule("$1"))');
  return late.replace(NODE_IMPORT, (_, whole, names, id) => {
    const from = `globalThis.process.getBuiltinModule("${id}")`;
    // Commander can start programs, which none of our commands asks of it.
    if (whole === "childProcess") return `const ${whole} = { spawn: (...words) => ${from}.spawn(...words) };`;
    if (whole !== undefined) return `const ${whole} = ${from};`;
    const values = names.split(",").filter((name) => !/^\s*type\s/.test(name));
    return `const {${values.join(",").replaceAll(" as ", ": ")}} = ${from};`;
  });
}

/** Packages of the older kind ask for Node's modules by `require`, which a script does not have. */
function withoutRequire(code) {
  const made = /\(\(\)\s*=>\s*createRequire[$\w]*\(import\.meta\.url\)\)\(\)/;
  const own = code.replace(made, "(id) => globalThis.process.getBuiltinModule(id)");
  if (own.includes("import.meta")) throw new Error("a script cannot have the import.meta that is left");
  return own;
}

/** A module without imports and exports as a script of ASCII, which V8 keeps and reads fastest. */
function asScript(code) {
  const ascii = code.replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `(async () => {"use strict";${ascii.replace(/export\s*\{\s*\};?\s*$/, "")}\n})()`;
}

function sourceFiles() {
  const names = readdirSync(`${root}/src`, { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".ts")).map((name) => `src/${name}`);
}
