import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { cpus } from "node:os";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runScript } from "./support/script.ts";

const directory = fileURLToPath(new URL("scripts/", import.meta.url));
const update = process.env["UPDATE"] === "1";

// Each command is a process of its own, so scripts run side by side.
describe("test/scripts", { concurrency: cpus().length }, () => {
  for (const name of globSync("**/*.txt", { cwd: directory }).toSorted()) {
    test(name, async () => {
      const problems = await runScript(`${directory}${name}`, update);
      assert.ok(problems.length === 0, problems.join("\n\n"));
    });
  }
});
