import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { KernelError } from "./error.ts";
import { Files } from "./files.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "headroom-files-")));
after(() => rmSync(root, { recursive: true }));

mkdirSync(join(root, "proc/sys"), { recursive: true });
mkdirSync(join(root, "real"));
writeFileSync(join(root, "proc/version"), "Linux version 5.10\n");
writeFileSync(join(root, "proc/empty"), "");
writeFileSync(join(root, "real/inner"), "inner\n");
symlinkSync("../real/inner", join(root, "proc/linked"));
symlinkSync("/proc/version", join(root, "proc/outside"));
symlinkSync("/etc", join(root, "etc"));
symlinkSync("loop", join(root, "loop"));
execFileSync("mkfifo", [join(root, "pipe")]);

const files = new Files(root);

function refusal(work: () => unknown): KernelError {
  try {
    work();
  } catch (error) {
    if (error instanceof KernelError) return error;
    throw error;
  }
  throw new Error("It was not refused");
}

test("text() reads below the root and follows links that stay there", () => {
  assert.equal(files.text("/proc/version"), "Linux version 5.10\n");
  assert.equal(files.text("/proc/linked"), "inner\n");
  assert.equal(files.textIfThere("/proc/none"), undefined);
});

for (const path of ["/proc/outside", "/etc/passwd", "/etc"]) {
  test(`a link that leads out of the root is refused: ${path}`, () => {
    const error = refusal(() => files.text(path));
    assert.equal(error.code, "not-found");
    assert.match(error.message, /outside of the saved tree$/);
    assert.equal(files.has(path), false);
    assert.equal(files.textOrNothing(path), undefined);
  });
}

test("what is no plain file is refused, without waiting for it", () => {
  assert.equal(refusal(() => files.text("/pipe")).code, "invalid");
  assert.equal(files.hasFile("/pipe"), false);
  assert.equal(files.hasFile("/proc"), false);
  assert.equal(files.hasFile("/proc/empty"), false);
  assert.equal(files.hasFile("/proc/version"), true);
});

test("a link to itself is refused with its reason", () => {
  assert.match(refusal(() => files.text("/loop")).message, /ELOOP/);
});

test("a file longer than the limit is refused, not cut", () => {
  const error = refusal(() => files.text("/proc/version", 4));
  assert.equal(error.code, "invalid");
  assert.match(error.message, /longer than 4 bytes$/);
});

test("first() passes over missing and empty files", () => {
  assert.deepEqual(files.first(["/proc/none", "/proc/empty", "/proc/linked", "/proc/version"]), {
    path: "/proc/linked",
    text: "inner\n",
  });
  assert.equal(files.first(["/proc/none"]), undefined);
});

test("list() is sorted, and empty where there is nothing", () => {
  assert.deepEqual(files.list("/proc"), ["empty", "linked", "outside", "sys", "version"]);
  assert.deepEqual(files.list("/none"), []);
  assert.equal(refusal(() => files.listOrThrow("/none")).code, "not-found");
});

test("text of several reads is whole, a character may lie on the edge of two", () => {
  const text = `${"x".repeat(64 * 1024 - 1)}é${"y".repeat(70_000)}`;
  writeFileSync(join(root, "long"), text);
  assert.equal(files.text("/long"), text);
});

test("a root that is no directory is refused", () => {
  assert.match(refusal(() => new Files(join(root, "proc/version"))).message, /not a directory/);
  assert.equal(refusal(() => new Files(join(root, "none"))).code, "not-found");
});

test("without a root the running host's own files are read, and every read is told", () => {
  const lines: string[] = [];
  const live = new Files(undefined, (line) => lines.push(line));
  assert.match(live.text("/proc/version"), /^Linux version /);
  assert.deepEqual(lines, ["read /proc/version"]);
});
