/**
 * Makes a fresh clone ready: installs what package-lock.json says, once, and proves that its Node runs here.
 * Plain JavaScript for Node 18 or newer, because it runs before there is anything else. Says nothing when
 * there is nothing to do.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const stamp = `${root}node_modules/.headroom-setup`;
const node = `${root}node_modules/.bin/node`;

const wanted = createHash("sha256")
  .update(readFileSync(`${root}package-lock.json`))
  .digest("hex");

if (!existsSync(node) || !existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  install();
  proveNode();
  writeFileSync(stamp, wanted);
}
for (const script of ["bundle.mjs", "web.mjs"]) {
  spawnSync(node, [fileURLToPath(new URL(script, import.meta.url))], { stdio: "inherit" });
}

/** `npm ci`, by the npm that called us where there is one. */
function install() {
  console.log("Headroom: installing what package-lock.json names (npm ci)");
  const npm = process.env.npm_execpath;
  const [command, ...before] = npm === undefined ? ["npm"] : [process.execPath, npm];
  const args = [...before, "ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const ended = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (ended.error !== undefined) stop(`cannot run npm: ${ended.error.message}`);
  if (ended.status !== 0)
    stop(`npm ci failed (exit ${ended.status ?? ended.signal}); its reason stands above`);
}

/** Node 25 and later are linked with libatomic, which slim images leave out. */
function proveNode() {
  if (!existsSync(node)) {
    stop(
      `there is no Node 26 package for ${process.platform}-${process.arch}; Linux on x64 and arm64 have one`,
    );
  }
  const ended = spawnSync(node, ["-v"], { encoding: "utf8" });
  if (ended.status === 0 && ended.stdout.startsWith("v26.")) return;
  const said = (ended.stderr || ended.error?.message || ended.stdout).trim();
  if (said.includes("libatomic")) {
    stop("Node 26 needs the library libatomic1, which this system lacks; run `apt-get install libatomic1`");
  }
  stop(`${node} does not run here: ${said}`);
}

function stop(why) {
  console.error(`Headroom cannot be set up: ${why}`);
  process.exit(1);
}
