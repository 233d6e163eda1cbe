import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { systemCalls } from "./ffi.ts";
import { putWholeFile, removeWholeFile, sweepBeside } from "./file-writing.ts";

const directory = mkdtempSync(join(tmpdir(), "hr-files-"));
after(() => rmSync(directory, { recursive: true }));

const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
const bytes = new TextEncoder().encode("net.netfilter.nf_conntrack_max = 1\n");

function place(name: string): string {
  mkdirSync(`${directory}/${name}`);
  return `${directory}/${name}`;
}

test("putWholeFile() makes a file with its content and mode, and leaves nothing beside it", () => {
  const there = place("new");
  putWholeFile(`${there}/a.conf`, { bytes, mode: 0o640, uid, gid });
  assert.deepEqual(readdirSync(there), ["a.conf"]);
  assert.deepEqual(new Uint8Array(readFileSync(`${there}/a.conf`)), bytes);
  assert.equal(statSync(`${there}/a.conf`).mode & 0o7777, 0o640);
});

test("putWholeFile() replaces a file by another inode, so nobody reads half of it", () => {
  const there = place("replace");
  writeFileSync(`${there}/a.conf`, "old");
  chmodSync(`${there}/a.conf`, 0o600);
  const before = statSync(`${there}/a.conf`).ino;
  assert.deepEqual(putWholeFile(`${there}/a.conf`, { bytes, mode: 0o644, uid, gid }), []);
  assert.notEqual(statSync(`${there}/a.conf`).ino, before);
  assert.equal(statSync(`${there}/a.conf`).mode & 0o7777, 0o644);
});

test("putWholeFile() leaves other names of the file with the old content", () => {
  const there = place("links");
  writeFileSync(`${there}/a.conf`, "old");
  linkSync(`${there}/a.conf`, `${there}/b.conf`);
  const notes = putWholeFile(`${there}/a.conf`, { bytes, mode: 0o644, uid, gid });
  assert.deepEqual(notes, []);
  assert.equal(readFileSync(`${there}/b.conf`, "utf8"), "old");
});

test("putWholeFile() removes what a dead process left of the same file, and nothing else", () => {
  const there = place("leftovers");
  for (const name of [".a.conf.headroom-1", ".a.conf.headroom-99", ".b.conf.headroom-1", ".a.conf.swp"]) {
    writeFileSync(`${there}/${name}`, "half");
  }
  putWholeFile(`${there}/a.conf`, { bytes, mode: 0o644, uid, gid });
  assert.deepEqual(readdirSync(there).toSorted(), [".a.conf.swp", ".b.conf.headroom-1", "a.conf"]);
  sweepBeside(`${there}/b.conf`);
  assert.deepEqual(readdirSync(there).toSorted(), [".a.conf.swp", "a.conf"]);
});

test("putWholeFile() keeps extended attributes", (context) => {
  const there = place("attributes");
  writeFileSync(`${there}/a.conf`, "old");
  const calls = systemCalls();
  const [name, value] = ["user.headroom\0", "kept"].map((text) => new TextEncoder().encode(text));
  assert.ok(name !== undefined && value !== undefined);
  const descriptor = openSync(`${there}/a.conf`, "r");
  if (calls.fsetxattr(descriptor, name, value) < 0) return context.skip("this file system has no attributes");
  closeSync(descriptor);
  assert.deepEqual(putWholeFile(`${there}/a.conf`, { bytes, mode: 0o644, uid, gid }), []);
  const replaced = openSync(`${there}/a.conf`, "r");
  const found = new Uint8Array(16);
  const length = calls.fgetxattr(replaced, name, found);
  closeSync(replaced);
  assert.equal(new TextDecoder().decode(found.subarray(0, length)), "kept");
});

test("putWholeFile() refuses what is no plain file and leaves it alone", () => {
  const there = place("odd");
  mkdirSync(`${there}/a.conf`);
  assert.throws(() => putWholeFile(`${there}/a.conf`, { bytes, mode: 0o644, uid, gid }), {
    code: "invalid",
    message: `Cannot write ${there}/a.conf: it is a directory`,
  });
  symlinkSync("/dev/null", `${there}/null`);
  assert.throws(() => putWholeFile(`${there}/null`, { bytes, mode: 0o644, uid, gid }), { code: "invalid" });
  assert.deepEqual(readdirSync(there).toSorted(), ["a.conf", "null"]);
});

test("putWholeFile() says which directory is not there", () => {
  assert.throws(() => putWholeFile(`${directory}/none/a.conf`, { bytes, mode: 0o644, uid, gid }), {
    code: "not-found",
    message: `Cannot write ${directory}/none/a.conf: no such file or directory (ENOENT)`,
  });
});

test("removeWholeFile() does not miss what is not there", () => {
  const there = place("remove");
  writeFileSync(`${there}/a.conf`, "");
  removeWholeFile(`${there}/a.conf`);
  removeWholeFile(`${there}/a.conf`);
  assert.deepEqual(readdirSync(there), []);
});
