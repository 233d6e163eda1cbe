import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { defaultStateDirectory, withPrivateFiles } from "./state-directory.ts";

for (const [environment, isRoot, found] of [
  [{}, true, "/var/lib/headroom/history"],
  [{ HOME: "/root", XDG_STATE_HOME: "/x" }, true, "/var/lib/headroom/history"],
  [{ STATE_DIRECTORY: "/var/lib/private/a:/b", HOME: "/h" }, false, "/var/lib/private/a"],
  [{ HOME: "/home/ada" }, false, "/home/ada/.local/state/headroom"],
  [{ HOME: "/home/ada", XDG_STATE_HOME: "/state" }, false, "/state/headroom"],
  // The specification has relative paths ignored.
  [{ HOME: "/home/ada", XDG_STATE_HOME: "state" }, false, "/home/ada/.local/state/headroom"],
  [{}, false, undefined],
] as const) {
  test(`defaultStateDirectory(${JSON.stringify(environment)}, ${isRoot}) is ${found}`, () => {
    assert.equal(defaultStateDirectory(environment, isRoot), found);
  });
}

test("withPrivateFiles() keeps what is made and what was there from others", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "hr-private-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const write = (name: string, mode: number): void => writeFileSync(join(directory, name), "", { mode });
  const before = process.umask(0o022);
  t.after(() => process.umask(before));
  for (const name of ["history.sqlite", "history.sqlite-wal", "another"]) write(name, 0o644);
  assert.throws(() => withPrivateFiles(directory, () => assert.fail("it cannot be opened")));
  withPrivateFiles(directory, () => write("writer.sqlite", 0o666));
  write("later", 0o666);
  const modeOf = (name: string): string => (statSync(join(directory, name)).mode & 0o777).toString(8);
  const names = ["history.sqlite", "history.sqlite-wal", "writer.sqlite", "another", "later"];
  assert.deepEqual(names.map(modeOf), ["600", "600", "600", "644", "644"]);
});
