/**
 * Builds the dashboard into node_modules/.cache/headroom/web when its sources or the packages it is made of
 * changed since the last time. Says nothing when it is fresh. That it cannot be built stops nobody:
 * everything but the page works without.
 *
 * Run by set-up on Node 26.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url)).slice(0, -1);
const sources = `${root}/web`;
const directory = `${root}/node_modules/.cache/headroom/web`;
const stamp = `${directory}/.sources`;

const wanted = hashOfSources();
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  try {
    await build();
  } catch (error) {
    const [first = ""] = stripVTControlCharacters(error.message).split("\n");
    console.log(`Headroom has no dashboard; building it said: ${first}`);
  }
}

/** Of everything the page is made of. Tests and documents are not among it. */
function hashOfSources() {
  const hash = createHash("sha256");
  const names = readdirSync(sources, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
    .map((entry) => `${entry.parentPath}/${entry.name}`);
  for (const path of [`${root}/package-lock.json`, fileURLToPath(import.meta.url), ...names.toSorted()]) {
    hash
      .update(`${path.slice(root.length)}\0`)
      .update(readFileSync(path))
      .update("\0");
  }
  return hash.digest("hex");
}

/** Into a directory beside, which then takes the place of the old one: a page being served stays whole. */
async function build() {
  const { build: viteBuild } = await import("vite");
  const fresh = `${directory}.${process.pid}.new`;
  const old = `${directory}.${process.pid}.old`;
  try {
    await viteBuild({
      configFile: false,
      root: sources,
      // Relative, so that the page also works below a path of a proxy.
      base: "./",
      publicDir: false,
      logLevel: "silent",
      envFile: false,
      oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
      build: {
        outDir: fresh,
        emptyOutDir: true,
        target: "es2023",
        // The policy of the page allows no data: and no inline script.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: false,
      },
    });
    writeFileSync(`${fresh}/.sources`, wanted);
    if (existsSync(directory)) renameSync(directory, old);
    renameSync(fresh, directory);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}
