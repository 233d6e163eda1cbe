/**
 * The linter enforces what needs a parser. This proves that its configuration does: each row is a file that
 * must be refused, and for which rule.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "headroom-lint-"));
after(() => rmSync(directory, { recursive: true }));

const rows: readonly (readonly [string, string, string])[] = [
  [
    "long-function",
    `export function long(): void {\n${"  Math.abs(1);\n".repeat(70)}}`,
    "max-lines-per-function",
  ],
  ["default-export", "const a = 1;\nexport default a;", "no-default-export"],
  ["any", "export const a = (b: any): number => (b === 1 ? 1 : 2);", "no-explicit-any"],
  ["not-null", "export const a = (b: number[]): number => b[0]!;", "no-non-null-assertion"],
  ["inferred", "export function a() {\n  return 1;\n}", "explicit-module-boundary-types"],
  ["loose-equal", "export const a = (b: number | undefined): boolean => b == 1;", "eqeqeq"],
  ["type-import", 'import { Stats } from "node:fs";\nexport type A = Stats;', "consistent-type-imports"],
  [
    "floating",
    "async function a(): Promise<void> {}\nexport function b(): void {\n  a();\n}",
    "no-floating-promises",
  ],
  [
    "not-exhaustive",
    "export function a(b: 1 | 2): void {\n  switch (b) {\n    case 1:\n  }\n}",
    "switch-exhaustive",
  ],
  ["fine", "export function a(b: number): number {\n  return b + 1;\n}", ""],
];

mkdirSync(join(directory, "src"));
symlinkSync(`${root}node_modules`, join(directory, "node_modules"));
for (const [name, text] of rows) writeFileSync(join(directory, `src/${name}.ts`), `${text}\n`);
for (const config of [".oxlintrc.json", "tsconfig.json"])
  copyFileSync(root + config, join(directory, config));
const linted = spawnSync(`${root}node_modules/.bin/oxlint`, ["--format=unix", "src"], {
  cwd: directory,
  encoding: "utf8",
});

for (const [name, , rule] of rows) {
  test(`lint: ${name} is ${rule === "" ? "accepted" : `refused by ${rule}`}`, () => {
    const said = linted.stdout.split("\n").filter((line) => line.startsWith(`src/${name}.ts:`));
    assert.equal(
      said.some((line) => line.includes(rule)),
      rule !== "",
      linted.stdout + linted.stderr,
    );
  });
}
