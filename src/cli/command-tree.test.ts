import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { parseCommandLine, type Selection } from "./command-tree.ts";
import { UsageError } from "./usage-error.ts";
import { HEADROOM_VERSION } from "./version.ts";

const selections: readonly [string, Selection][] = [
  ["", { command: "check", options: {} }],
  ["check", { command: "check", options: {} }],
  ["--json", { command: "check", options: { json: true } }],
  [
    "check -w 75% -c 90 --interval 5s --all",
    { command: "check", options: { warning: 0.75, critical: 0.9, intervalSeconds: 5, all: true } },
  ],
  ["check --format nagios", { command: "check", options: { format: "nagios" } }],
  ["explain --top 3 --owners", { command: "explain", options: { top: 3, owners: true } }],
  [
    "list --limit 5k state established",
    { command: "list", options: { limit: 5000 }, filter: "state established" },
  ],
  [
    "list not src 10.0.0.0/8 --csv",
    { command: "list", options: { csv: true }, filter: "not src 10.0.0.0/8" },
  ],
  [
    "defaults --memory 1G --kernel 2.6.18 --pointer 32",
    { command: "defaults", options: { memoryBytes: 1_073_741_824, kernel: "2.6.18", pointerBytes: 4 } },
  ],
  ["completion zsh", { command: "completion", shell: "zsh" }],
  ["help list", { command: "help", topic: "list", form: "text" }],
  ["help --man", { command: "help", form: "manual" }],
  ["help check --schema", { command: "help", topic: "check", form: "schema" }],
  ["--version", { command: "print", text: `${HEADROOM_VERSION}\n` }],
];

function words(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}

for (const [line, selection] of selections) {
  test(`parseCommandLine() reads "${line}"`, () =>
    assert.deepEqual(parseCommandLine(words(line), 80), selection));
}

const mistakes: readonly [string, RegExp, RegExp?][] = [
  ["chek", /unknown command 'chek'/, /Did you mean check\?/],
  ["check --jsn", /unknown option '--jsn'/, /Did you mean --json\?/],
  ["--netsn x", /unknown option '--netsn'/, /Did you mean --netns\?/],
  ["--json explain", /too many arguments/, /The command comes first: headroom explain/],
  ["check now", /too many arguments/, /headroom check --help/],
  ["check --netns a --all-netns", /cannot be used with/],
  ["check --format json --json", /cannot be used with/],
  ["list --csv --json", /cannot be used with/],
  ["list --sort size", /wanted one of idle, remaining/],
  ["explain --sample 5", /whole number of at least 100/],
  ["explain --source", /argument missing/],
  ["completion", /missing required argument/],
  ["completion tcsh", /wanted one of bash, zsh, fish/],
  ["defaults --source x", /unknown option '--source'/],
];
for (const [line, message, hint] of mistakes) {
  test(`parseCommandLine() refuses "${line}"`, () => {
    assert.throws(
      () => parseCommandLine(words(line), 80),
      (error) =>
        error instanceof UsageError && message.test(error.message) && (hint?.test(error.hint ?? "") ?? true),
    );
  });
}

for (const line of ["--help", "check --help", "explain -h", "list --help", "defaults -h"]) {
  test(`parseCommandLine() prints help for "${line}" in 80 columns`, () => {
    const selection = parseCommandLine(words(line), 80);
    assert.ok(selection.command === "print");
    assert.match(selection.text, /^Usage: headroom/);
    for (const part of selection.text.split("\n")) assert.ok(part.length <= 80, part);
  });
}

test("HEADROOM_VERSION is the version of the package", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  assert.equal((JSON.parse(text) as { version: string }).version, HEADROOM_VERSION);
});
