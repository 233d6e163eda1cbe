import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { textTable } from "../../test/support/text-table.ts";
import { followLinks } from "./tree-paths.ts";

const root = mkdtempSync(join(tmpdir(), "hr-paths-"));
after(() => rmSync(root, { recursive: true }));
mkdirSync(`${root}/etc/sysctl.d`, { recursive: true });
mkdirSync(`${root}/usr/lib`, { recursive: true });
writeFileSync(`${root}/etc/sysctl.conf`, "");
symlinkSync("../sysctl.conf", `${root}/etc/sysctl.d/99-sysctl.conf`);
symlinkSync("/etc/sysctl.conf", `${root}/etc/absolute.conf`);
symlinkSync("../../../../../../etc/sysctl.conf", `${root}/etc/climbing.conf`);
symlinkSync("/usr/lib", `${root}/lib`);
symlinkSync("/dev/null", `${root}/etc/sysctl.d/60-masked.conf`);
symlinkSync("/nowhere/at/all", `${root}/etc/dangling.conf`);
symlinkSync("absolute.conf", `${root}/etc/twice.conf`);
symlinkSync("round-b", `${root}/etc/round-a`);
symlinkSync("round-a", `${root}/etc/round-b`);

const paths = textTable(
  ["path", "leads to"],
  `
  path                           leads to
  /etc/sysctl.conf               /etc/sysctl.conf
  /etc/sysctl.d/99-sysctl.conf   /etc/sysctl.conf
  /etc/absolute.conf             /etc/sysctl.conf
  /etc/climbing.conf             /etc/sysctl.conf
  /etc/twice.conf                /etc/sysctl.conf
  /lib/sysctl.d/50-x.conf        /usr/lib/sysctl.d/50-x.conf
  /etc/sysctl.d/60-masked.conf   /dev/null
  /etc/dangling.conf             /nowhere/at/all
  /etc/../../../etc/./new.conf   /etc/new.conf
  /lib/../new.conf               /usr/new.conf
  `,
);

for (const { path = "", "leads to": wanted } of paths) {
  test(`followLinks() of ${path} stays inside the tree`, () => {
    assert.equal(followLinks(root, path), wanted);
  });
}

test("followLinks() ends links that go round", () => {
  assert.throws(() => followLinks(root, "/etc/round-a"), { code: "invalid", message: /its links go round$/ });
});
