import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { formatEnded, formatScript, outputMatches, parseScript, runScript } from "./script.ts";

const TEXT = `Shows the format.

$ cat a/b.txt
one
two

$ echo no >&2; exit 2
2> no
[exit 2]

-- a/b.txt --
one
two
-- empty --
`;

function scriptFile(context: TestContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "headroom-test-"));
  context.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "script.txt");
  writeFileSync(path, text);
  return path;
}

test("parseScript reads commands, expected output and files", () => {
  const script = parseScript(TEXT);
  assert.deepEqual(script.about, ["Shows the format."]);
  assert.deepEqual(script.commands, [
    { line: "cat a/b.txt", at: 3, expected: ["one", "two"] },
    { line: "echo no >&2; exit 2", at: 7, expected: ["2> no", "[exit 2]"] },
  ]);
  assert.deepEqual(
    [...script.files],
    [
      ["a/b.txt", "one\ntwo\n"],
      ["empty", ""],
    ],
  );
});

test("formatScript writes what parseScript read", () => {
  assert.equal(formatScript(parseScript(TEXT)), TEXT);
});

for (const path of ["/etc/passwd", "a/../../b"]) {
  test(`parseScript refuses the file ${path}`, () => {
    assert.throws(() => parseScript(`$ true\n-- ${path} --\n`), /line 2 names/);
  });
}

test("formatEnded never gives output that looks like a command", () => {
  const stdout = "$ reboot\n-- /etc/passwd --\n\\$ twice\n$HOME\n";
  const lines = formatEnded({ stdout, stderr: "", exit: 0 });
  assert.deepEqual(lines, ["\\$ reboot", "\\-- /etc/passwd --", "\\\\$ twice", "$HOME"]);
  const script = parseScript(`$ true\n${lines.join("\n")}\n`);
  assert.deepEqual(script.commands, [{ line: "true", at: 1, expected: lines }]);
  assert.equal(script.files.size, 0);
});

test("formatEnded marks standard error, a missing newline and the exit code", () => {
  const ended = { stdout: "a\n\nb", stderr: "bad\n", exit: 3 };
  assert.deepEqual(formatEnded(ended), ["a", "", "b", "[no newline]", "2> bad", "[exit 3]"]);
});

const matches: readonly (readonly [string, string, boolean])[] = [
  ["a", "a", true],
  ["a", "b", false],
  ["a", "a\nb", false],
  ["a <...> c", "a b c", true],
  ["a <...> c", "a b d", false],
  ["(<...>)", "(1.5)", true],
  ["<...>", "", true],
  ["<...>", "a\nb", true],
  ["<...>\nlast", "a\nb\nlast", true],
  ["<...>\nlast", "a\nb", false],
  ["first\n<...>\nlast", "first\nlast", true],
];
for (const [expected, found, result] of matches) {
  test(`outputMatches: ${JSON.stringify(expected)} against ${JSON.stringify(found)} is ${result}`, () => {
    const lines = (text: string): readonly string[] => (text === "" ? [] : text.split("\n"));
    assert.equal(outputMatches(lines(expected), lines(found)), result);
  });
}

test("runScript runs commands in a directory with the files and a clean environment", async (context) => {
  assert.deepEqual(await runScript(scriptFile(context, TEXT), false), []);
  const environment = "$ echo $TZ $NO_COLOR $COLUMNS $LC_ALL $HOME $FIXTURES\nUTC 1 100 C $WORK $FIXTURES\n";
  assert.deepEqual(await runScript(scriptFile(context, environment), false), []);
});

test("runScript says what was different, and on which line", async (context) => {
  const path = scriptFile(context, "$ echo one; echo two; exit 1\none\nthree\n");
  assert.deepEqual(await runScript(path, false), [
    `${path}:1: $ echo one; echo two; exit 1\n- three\n  one\n+ two\n+ [exit 1]`,
  ]);
});

test("runScript rewrites what is different and keeps what matches", async (context) => {
  const path = scriptFile(context, "About.\n\n$ echo a1\na<...>\n\n$ echo b\nc\n\n-- f --\nx\n");
  assert.deepEqual(await runScript(path, true), []);
  assert.equal(readFileSync(path, "utf8"), "About.\n\n$ echo a1\na<...>\n\n$ echo b\nb\n\n-- f --\nx\n");
});

test("runScript refuses a script without commands", async (context) => {
  const path = scriptFile(context, "Nothing.\n");
  assert.deepEqual(await runScript(path, false), [`${path}: has no line beginning with "$ "`]);
});
