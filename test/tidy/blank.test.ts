import assert from "node:assert/strict";
import { test } from "node:test";
import { blank } from "./blank.ts";

const rows: readonly (readonly [string, string, string])[] = [
  ["a line comment", "a; // b\nc", "a;     \nc"],
  ["a block comment over lines", "a /* b\nc */ d", "a     \n     d"],
  ["a string", 'f("a // b")', 'f("      ")'],
  ["an escaped quote", String.raw`f("a\"b", c)`, 'f("    ", c)'],
  ["a template", "f(`a b`)", "f(`   `)"],
  ["code inside a template", "`a ${b(`c`)} d` + e", "`  ${b(` `)}  ` + e"],
  ["an object inside a template", "`${f({ a: 1 })} x`", "`${f({ a: 1 })}  `"],
  ["a regular expression", 'x = /a"[/]b/g; "c"', 'x = /      /g; " "'],
  ["a regular expression after return", "return /a/", "return / /"],
  ["a division", 'a / b / "c"', 'a / b / " "'],
  ["a division after a bracket", "(a) / b // c", "(a) / b     "],
  ["a first line for the shell", "#!/bin/sh\na", "         \na"],
];
for (const [name, text, expected] of rows) {
  test(`blank: ${name}`, () => {
    assert.equal(blank(text), expected);
  });
}

test("blank keeps length and lines of its own source", async () => {
  const { readFileSync } = await import("node:fs");
  const text = readFileSync(new URL("blank.ts", import.meta.url), "utf8");
  const blanked = blank(text);
  assert.equal(blanked.length, text.length);
  assert.equal(blanked.split("\n").length, text.split("\n").length);
  assert.ok(!blanked.includes("regular"));
});
