/** The dashboard as it is built: how much a browser loads before it shows something, and from where. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));
const built = `${root}node_modules/.cache/headroom/web/`;
const FIRST_VIEW_BYTES = 60_000;

const made = spawnSync(process.execPath, [`${root}scripts/web.mjs`], { encoding: "utf8" });
const page = readFileSync(`${built}index.html`, "utf8");

/** Files that a script loads before it runs. */
function scriptsOf(entry: string, found = new Set<string>()): Set<string> {
  if (found.has(entry)) return found;
  found.add(entry);
  const text = readFileSync(`${built}assets/${entry}`, "utf8");
  for (const [, name = ""] of text.matchAll(/(?:from|import)\s*"\.\/([\w.-]+\.js)"/g)) scriptsOf(name, found);
  return found;
}

test("a build that is fresh says nothing, and is not made again", () => {
  assert.equal(made.stdout + made.stderr, "");
  const again = spawnSync(process.execPath, [`${root}scripts/web.mjs`], { encoding: "utf8" });
  assert.equal(again.stdout + again.stderr, "");
});

test("the first view has less than 60 kB of script, packed", () => {
  const entries = [...page.matchAll(/<script[^>]+src="\.\/assets\/([^"]+)"/g)].map(([, name = ""]) => name);
  assert.equal(entries.length, 1);
  const scripts = [...new Set(entries.flatMap((entry) => [...scriptsOf(entry)]))];
  const bytes = scripts.reduce(
    (sum, name) => sum + gzipSync(readFileSync(`${built}assets/${name}`), { level: 9 }).length,
    0,
  );
  assert.ok(bytes > 10_000, `${bytes} bytes in ${scripts.join(", ")}: these cannot be all`);
  assert.ok(bytes < FIRST_VIEW_BYTES, `${bytes} bytes in ${scripts.join(", ")}`);
});

test("the page has no script and no style in itself, and nothing from elsewhere", () => {
  assert.doesNotMatch(page, /<style|style=|<script(?![^>]*\ssrc=)|\son\w+=/);
  assert.doesNotMatch(page, /(?:src|href)="(?!\.\/)/);
  for (const name of readdirSync(`${built}assets`).filter((file) => file.endsWith(".css")))
    assert.doesNotMatch(readFileSync(`${built}assets/${name}`, "utf8"), /@import|url\((?!["']?\.?\/?#)/);
});
