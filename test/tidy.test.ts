/**
 * The repository's own rules. Each is run over every file of the project, and over its own examples: a rule
 * that cannot fail is worth nothing. The rules are in test/tidy, one file per subject.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { settings } from "../src/table/settings.ts";
import { callRules } from "./tidy/calls.ts";
import { documentRules } from "./tidy/documents.ts";
import { importRules } from "./tidy/imports.ts";
import { nameRules } from "./tidy/names.ts";
import { packageRules } from "./tidy/packages.ts";
import { projectOf, readProject } from "./tidy/project.ts";
import { checkSettings } from "./tidy/settings.ts";
import { sizeRules } from "./tidy/sizes.ts";

const project = readProject(fileURLToPath(new URL("..", import.meta.url)));
const rules = [...importRules, ...callRules, ...sizeRules, ...nameRules, ...documentRules, ...packageRules];

for (const rule of rules) {
  test(rule.name, () => {
    const problems = rule.check(project);
    assert.ok(problems.length === 0, problems.join("\n"));
  });

  for (const { files, says } of rule.examples) {
    const verb = says.length === 0 ? "accepts" : "refuses";
    test(`${rule.name}: ${verb} ${Object.keys(files).join(", ")}`, () => {
      assert.deepEqual(rule.check(projectOf(files)), says);
    });
  }

  test(`${rule.name}: has a bad and a good example`, () => {
    assert.ok(rule.examples.some(({ says }) => says.length > 0));
    assert.ok(rule.examples.some(({ says }) => says.length === 0));
  });
}

test("every setting has a unit, a scope, a range and a default, and stands in a fixture", () => {
  const problems = checkSettings(settings, project);
  assert.ok(problems.length === 0, problems.join("\n"));
});
