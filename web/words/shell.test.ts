import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

import { quoted, shellWord } from "./shell.ts";

const TEXTS = ["tcp state established", "port 443", "'; echo mine; '", '$(id) `id` \\ "', "idle>1h", "a'b"];

test("a shell takes a quoted word as it was written", () => {
  for (const text of TEXTS) {
    for (const word of [quoted(text), shellWord(text)]) {
      const { stdout } = spawnSync("sh", ["-c", `printf %s ${word}`], { encoding: "utf8" });
      assert.equal(stdout, text);
    }
  }
});

test("what is harmless stands bare, a filter is quoted always", () => {
  assert.equal(shellWord("hr-a.b:1"), "hr-a.b:1");
  assert.equal(quoted("tcp"), "'tcp'");
});
