import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { lockDirectory } from "./change-lock.ts";

const directory = mkdtempSync(join(tmpdir(), "hr-lock-"));
after(() => rmSync(directory, { recursive: true }));

/** Tries the lock in a process of its own, with or without system calls, and tells how that went. */
function tryElsewhere(...flags: readonly string[]): string {
  const file = fileURLToPath(new URL("change-lock.ts", import.meta.url));
  const program = `
    const { lockDirectory } = await import(${JSON.stringify(file)});
    try {
      const lock = lockDirectory(${JSON.stringify(directory)});
      let second = "taken twice";
      try { lockDirectory(${JSON.stringify(directory)}); } catch (error) { second = error.code; }
      lock.release();
      lockDirectory(${JSON.stringify(directory)});
      console.log("taken, a second one was " + second);
    } catch (error) { console.log(error.code + ": " + error.message); }
  `;
  const words = ["--disable-warning=ExperimentalWarning", ...flags, "--input-type=module", "-e", program];
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
  assert.equal(stderr, "");
  return stdout.trim();
}

const ways = [
  { way: "by system calls", flags: [] },
  { way: "by the program flock", flags: ["--no-experimental-ffi"] },
] as const;

for (const { way, flags } of ways) {
  test(`lockDirectory() ${way} takes a free lock, once, and dies with the process`, () => {
    assert.equal(tryElsewhere(...flags), "taken, a second one was busy");
    assert.equal(tryElsewhere(...flags), "taken, a second one was busy");
  });

  test(`lockDirectory() ${way} says who has the lock`, () => {
    const lock = lockDirectory(directory);
    const said = tryElsewhere(...flags);
    lock.release();
    assert.match(said, new RegExp(`^busy: process ${process.pid}\\b.* is changing something now`));
  });
}

test("lockDirectory() says that the directory is not there", () => {
  assert.throws(() => lockDirectory(`${directory}/none`), {
    code: "not-found",
    message: /^Cannot lock .*\/none: no such file or directory \(ENOENT\)$/,
  });
});
