import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { HostFiles } from "./host-files.ts";

/** Runs `work` with a tree that has a file, links in, around and out of it. */
function withTree(work: (files: HostFiles, root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), "headroom-files-"));
  try {
    mkdirSync(join(root, "etc/sysctl.d"), { recursive: true });
    mkdirSync(join(root, "usr/lib"), { recursive: true });
    writeFileSync(join(root, "etc/sysctl.conf"), "a = 1\n");
    writeFileSync(join(root, "usr/lib/x"), "x\n");
    chmodSync(join(root, "usr/lib/x"), 0o755);
    for (const [target, path] of [
      ["../sysctl.conf", "etc/sysctl.d/99-sysctl.conf"],
      ["/usr/lib/x", "etc/absolute"],
      ["../../../../../usr/lib/x", "etc/upwards"],
      ["/dev/null", "etc/masked"],
      ["/nowhere", "etc/dangling"],
      ["round", "etc/round"],
      ["usr/lib", "lib"],
    ] as const) {
      symlinkSync(target, join(root, path));
    }
    work(new HostFiles(root), root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const looks = [
  ["/etc/sysctl.conf", { kind: "file", path: "/etc/sysctl.conf", bytes: 6, executable: false }],
  ["/etc/sysctl.d/99-sysctl.conf", { kind: "file", path: "/etc/sysctl.conf", bytes: 6, executable: false }],
  ["/etc/absolute", { kind: "file", path: "/usr/lib/x", bytes: 2, executable: true }],
  ["/etc/upwards", { kind: "file", path: "/usr/lib/x", bytes: 2, executable: true }],
  ["/lib/x", { kind: "file", path: "/usr/lib/x", bytes: 2, executable: true }],
  ["/etc/sysctl.d", { kind: "directory", path: "/etc/sysctl.d" }],
  ["/etc/masked", { kind: "null", path: "/dev/null" }],
  ["/etc/dangling", { kind: "none", path: "/etc/dangling" }],
  ["/etc/round", { kind: "none", path: "/etc/round" }],
  ["/etc/nothing", { kind: "none", path: "/etc/nothing" }],
] as const;

for (const [path, expected] of looks) {
  test(`HostFiles looks at ${path}, links followed inside of the tree`, () => {
    withTree((files) => assert.deepEqual(files.look(path), expected));
  });
}

test("HostFiles reads and lists, or says why not", () => {
  withTree((files) => {
    assert.deepEqual(files.read("/etc/absolute"), { text: "x\n" });
    assert.deepEqual(files.read("/etc/masked"), { text: "" });
    assert.deepEqual(files.read("/etc/nothing"), { refused: "none", why: "no such file or directory" });
    assert.deepEqual(files.read("/etc/dangling"), { refused: "none", why: "no such file or directory" });
    assert.deepEqual(files.read("/etc/sysctl.d"), { refused: "directory", why: "it is a directory" });
    assert.deepEqual(files.list("/etc/sysctl.d"), { names: ["99-sysctl.conf"] });
    assert.deepEqual(files.list("/lib"), { names: ["x"] });
    assert.deepEqual(files.list("/etc/nothing"), { refused: "none", why: "no such file or directory" });
  });
});

test("HostFiles leaves out what is too long, and is not confused by bytes that are no text", () => {
  withTree((_, root) => {
    writeFileSync(join(root, "etc/long"), new Uint8Array(5_000_000));
    writeFileSync(join(root, "etc/bytes"), new Uint8Array([0x61, 0xff, 0x62]));
    const files = new HostFiles(root);
    assert.deepEqual(files.read("/etc/long"), {
      refused: "too-long",
      why: "it is longer than 4194304 bytes",
    });
    assert.deepEqual(files.read("/etc/bytes"), { text: "a\ufffdb" });
  });
});

test("HostFiles shows one moment: what was looked at once stays", () => {
  withTree((files, root) => {
    const before = files.read("/etc/sysctl.conf");
    writeFileSync(join(root, "etc/sysctl.conf"), "b = 2\n");
    assert.deepEqual(files.read("/etc/sysctl.conf"), before);
    assert.deepEqual(new HostFiles(root).read("/etc/sysctl.conf"), { text: "b = 2\n" });
  });
});

test("HostFiles of the running host reads files of /proc, which have no length", () => {
  const reading = new HostFiles().read("/proc/version");
  assert.ok("text" in reading && reading.text.startsWith("Linux version "));
  assert.equal(new HostFiles().look("/dev/null").kind, "null");
});
