import assert from "node:assert/strict";
import { test } from "node:test";

import { defaultStateDirectory } from "./state-directory.ts";

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
