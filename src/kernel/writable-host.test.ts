import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";

import { textTable } from "../../test/support/text-table.ts";
import { openWritableHost, type WritableHost } from "./writable-host.ts";

const place = mkdtempSync(join(tmpdir(), "hr-host-"));
after(() => rmSync(place, { recursive: true }));

const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
const file = { bytes: new TextEncoder().encode("new\n"), mode: 0o644, uid, gid };
const MAX = "/proc/sys/net/netfilter/nf_conntrack_max";

/** A tree of its own with these files. */
function tree(files: Readonly<Record<string, string>>): { root: string; host: WritableHost } {
  const root = mkdtempSync(join(place, "tree-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(root + path), { recursive: true });
    writeFileSync(root + path, text);
  }
  return { root, host: openWritableHost({ root }) };
}

const values = textTable(
  ["before", "written", "after"],
  `
  before      written   after
  262144\\n   65536     65536\\n
  432000\\n   5         5\\n
  5\\n        432000    432000\\n
  262144      65536     65536
  \\n         1         1\\n
  `,
);

for (const { before = "", written = "", after: wanted = "" } of values) {
  const unescaped = (text: string): string => text.replaceAll("\\n", "\n");
  test(`writeValue() in a tree makes ${before} to ${wanted} and keeps its line end`, () => {
    const { root, host } = tree({ [MAX]: unescaped(before) });
    host.writeValue(MAX, written);
    assert.equal(readFileSync(root + MAX, "utf8"), unescaped(wanted));
    assert.deepEqual(readdirSync(dirname(root + MAX)), ["nf_conntrack_max"]);
    assert.equal(host.readValue(MAX), written);
  });
}

test("readValue() and writeValue() tell a setting that is not there", () => {
  const { root, host } = tree({});
  assert.equal(host.readValue(MAX), undefined);
  assert.throws(() => host.writeValue(MAX, "1"), {
    code: "not-found",
    message:
      `Cannot write 1 to ${root}${MAX}: no such file or directory (ENOENT); ` +
      "this kernel has no such setting, or the module that brings it is not loaded",
  });
  assert.equal(existsSync(root + MAX), false);
});

test("look() tells files, links, masks and what is in the way", () => {
  const { root, host } = tree({ "/etc/sysctl.conf": "a\n", "/etc/sysctl.d/x": "" });
  symlinkSync("/etc/sysctl.conf", `${root}/etc/link.conf`);
  symlinkSync("/dev/null", `${root}/etc/masked.conf`);
  symlinkSync("/nowhere", `${root}/etc/dangling.conf`);
  symlinkSync("round.conf", `${root}/etc/round.conf`);
  const seen = host.look("/etc/link.conf");
  assert.ok(seen.kind === "file");
  assert.equal(seen.path, "/etc/sysctl.conf");
  assert.equal(new TextDecoder().decode(seen.image.bytes), "a\n");
  assert.deepEqual(host.look("/etc/masked.conf"), { kind: "masked" });
  assert.deepEqual(host.look("/etc/none.conf"), { kind: "missing" });
  assert.deepEqual(host.look("/none/none.conf"), { kind: "missing" });
  assert.deepEqual(host.look("/etc/sysctl.conf/below"), { kind: "missing" });
  assert.deepEqual(host.look("/etc/sysctl.d"), { kind: "directory" });
  assert.deepEqual(host.look("/etc/dangling.conf"), { kind: "other", what: "a link to nothing" });
  assert.deepEqual(host.look("/etc/round.conf"), { kind: "other", what: "a link into a loop" });
});

test("putFile() through a link keeps the link and never leaves the tree", () => {
  const { root, host } = tree({ "/etc/real.conf": "old\n" });
  symlinkSync("/etc/real.conf", `${root}/etc/link.conf`);
  host.putFile("/etc/link.conf", file);
  assert.equal(readlinkSync(`${root}/etc/link.conf`), "/etc/real.conf");
  assert.equal(readFileSync(`${root}/etc/real.conf`, "utf8"), "new\n");
  symlinkSync("/dev/null", `${root}/etc/masked.conf`);
  assert.throws(() => host.putFile("/etc/masked.conf", file), {
    code: "invalid",
    message: /masked by a link to \/dev\/null$/,
  });
});

test("removeFile() removes a link and not what it leads to", () => {
  const { root, host } = tree({ "/etc/real.conf": "old\n" });
  symlinkSync("/etc/real.conf", `${root}/etc/link.conf`);
  host.removeFile("/etc/link.conf");
  assert.deepEqual(readdirSync(`${root}/etc`), ["real.conf"]);
});

test("makeDirectories() tells what it made, and removeDirectory() leaves what is in use", () => {
  const { root, host } = tree({ "/etc/x": "" });
  assert.deepEqual(host.makeDirectories("/etc/a/b", 0o750), ["/etc/a", "/etc/a/b"]);
  assert.deepEqual(host.makeDirectories("/etc/a/b", 0o750), []);
  assert.equal(statSync(`${root}/etc/a/b`).mode & 0o7777, 0o750);
  host.removeDirectory("/etc/a");
  host.removeDirectory("/etc/a/b");
  host.removeDirectory("/etc/a");
  host.removeDirectory("/etc/a");
  assert.deepEqual(readdirSync(`${root}/etc`), ["x"]);
});

test("lock() is for one at a time, in one process too, and says who has it", () => {
  const { host } = tree({});
  const lock = host.lock();
  assert.throws(() => host.lock(), { code: "busy", message: new RegExp(`process ${process.pid}\\b`) });
  lock.release();
  lock.release();
  host.lock().release();
});

test("list() does not show what an interrupted putFile left, and sweep() removes it", () => {
  const { root, host } = tree({ "/etc/a.conf": "", "/etc/.a.conf.headroom-7": "half" });
  assert.deepEqual(host.list("/etc"), ["a.conf"]);
  host.sweep("/etc/a.conf");
  assert.deepEqual(readdirSync(`${root}/etc`), ["a.conf"]);
  assert.deepEqual(host.list("/none"), []);
});

test("openWritableHost() wants a directory", () => {
  assert.throws(() => openWritableHost({ root: `${place}/none` }), {
    code: "not-found",
    message: /^Cannot use .*: no such file or directory \(ENOENT\)/,
  });
  const { root } = tree({ "/file": "" });
  assert.throws(() => openWritableHost({ root: `${root}/file` }), { code: "invalid" });
});

test("loadModule() does nothing for a tree", () => {
  tree({}).host.loadModule("hr_no_such_module");
});

test("whyNotWritable() looks at the nearest directory that is there", () => {
  const { host } = tree({ "/etc/x": "", [MAX]: "1\n" });
  assert.equal(host.whyNotWritable("/etc/a/b/c.conf"), undefined);
  assert.equal(host.whyNotWritable(MAX), undefined);
  assert.match(host.whyNotWritable("/proc/sys/net/none") ?? "", /^no such file or directory \(ENOENT\)/);
});
