import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBootFiles, MemoryHost } from "../../test/support/memory-host.ts";
import { overlayFiles } from "./overlay.ts";

const files = new MemoryBootFiles(
  new MemoryHost()
    .file("/etc/sysctl.conf", "old")
    .file("/etc/rc.local", "#!/bin/sh", { mode: 0o755 })
    .link("/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf")
    .file("/etc/sysctl.d/10-a.conf", "a"),
);
const bytes = new TextEncoder().encode("new\u00ff");
const laid = overlayFiles(files, [
  { path: "/etc/sysctl.conf", bytes },
  { path: "/etc/rc.local", bytes },
  { path: "/etc/sysctl.d/90-b.conf", bytes },
  { path: "/etc/made/for/x.sh", bytes, executable: true },
]);

test("an edited file reads as edited, by its own name and through a link", () => {
  assert.deepEqual(laid.read("/etc/sysctl.conf"), { text: "new\u00ff" });
  assert.deepEqual(laid.read("/etc/sysctl.d/99-sysctl.conf"), { text: "new\u00ff" });
  const look = { kind: "file", path: "/etc/sysctl.conf", bytes: bytes.length, executable: false };
  assert.deepEqual(laid.look("/etc/sysctl.d/99-sysctl.conf"), look);
});

test("a new file is in its directory, with those that were there", () => {
  const listing = laid.list("/etc/sysctl.d");
  const names = "names" in listing ? [...listing.names].toSorted() : [];
  assert.deepEqual(names, ["10-a.conf", "90-b.conf", "99-sysctl.conf"]);
  assert.deepEqual(laid.read("/etc/sysctl.d/90-b.conf"), { text: "new\u00ff" });
});

test("directories come into being with the files in them", () => {
  assert.deepEqual(laid.look("/etc/made"), { kind: "directory", path: "/etc/made" });
  assert.deepEqual(laid.list("/etc/made"), { names: ["for"] });
  assert.deepEqual(laid.list("/etc/made/for"), { names: ["x.sh"] });
});

test("what may be executed stays so, and a new file is what it was made", () => {
  assert.equal(laid.look("/etc/rc.local").executable, true);
  assert.equal(laid.look("/etc/made/for/x.sh").executable, true);
});

test("everything else is as it is", () => {
  assert.deepEqual(laid.read("/etc/sysctl.d/10-a.conf"), { text: "a" });
  assert.deepEqual(laid.look("/etc/none"), { kind: "none", path: "/etc/none" });
  assert.deepEqual(laid.list("/etc/none"), { refused: "none", why: "no such directory" });
  assert.equal(overlayFiles(files, []), files);
});
