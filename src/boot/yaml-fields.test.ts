import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { yamlFields } from "./yaml-fields.ts";

/** Fields as `path=text:line`, odd lines as `?line`. */
function shortly(text: string): readonly string[] {
  const { fields, odd } = yamlFields(text);
  const found = [...fields].flatMap(([path, scalars]) =>
    scalars.map(({ text: said, line }) => `${path}=${said}:${line}`),
  );
  return [...found, ...odd.map((line) => `?${line}`)];
}

const cases: readonly [string, string, readonly string[]][] = [
  ["nothing", "", []],
  ["pairs", "a: 1\nb:   two words\n", ["a=1:1", "b=two words:2"]],
  ["nested", "a:\n  b:\n    c: 1\n  d: 2\ne: 3\n", ["a.b.c=1:3", "a.d=2:4", "e=3:5"]],
  ["quotes and comments", `a: "x # y" # why\nb: 'z'\n# c: 1\n"d": e#f\n`, ["a=x # y:1", "b=z:2", "d=e#f:4"]],
  ["a sequence", "a:\n  - x\n  - 'y'\nb: 1\n", ["a=x:2", "a=y:3", "b=1:4"]],
  ["a sequence as far left as its key", "a:\n- x\n- y\nb: 1\n", ["a=x:2", "a=y:3", "b=1:4"]],
  ["a sequence of mappings", "a:\n- b: 1\n  c: 2\n- b: 3\n", ["a.b=1:2", "a.b=3:4", "a.c=2:3"]],
  [
    "a sequence in a mapping in a sequence",
    "a:\n  - b:\n    - x\n    - y\n    c: 1\n",
    ["a.b=x:3", "a.b=y:4", "a.c=1:5"],
  ],
  ["words with an equals sign", "a:\n  - --b=1\n  - c=2\n", ["a=--b=1:2", "a=c=2:3"]],
  ["flow of one line", `a: [x, "y"]\nb: {c: 1, d: null}\n`, ["a=x:1", "a=y:1", "b.c=1:2", "b.d=null:2"]],
  ["empty flow", "a: []\nb: {}\n", []],
  ["a block scalar", "a: |\n  b: 1\n  c\nd: 2\n", ["d=2:4"]],
  ["documents", "a: 1\n---\nb: 2\n", ["a=1:1", "b=2:3"]],
  ["carriage returns", "a:\r\n  b: 1\r\n", ["a.b=1:2"]],
  ["a value with a colon", "a: ab:80:y\n", ["a=ab:80:y:1"]],
  ["an anchor", "a: &x\n  b: 1\nc: *x\n", ["a.b=1:2", "?1", "?3"]],
  ["nested flow", "a: [[1]]\n", ["?1"]],
  ["flow of several lines", "a: {b: 1,\n  c: 2}\n", ["a.c=2}:2", "?1"]],
  ["a tab", "a:\n\tb: 1\n", ["?2"]],
  ["not YAML at all", "what is this\n", ["?1"]],
];

for (const [name, text, expected] of cases) {
  test(`yamlFields() reads ${name}`, () => {
    assert.deepEqual(shortly(text).toSorted(), expected.toSorted());
  });
}

test("yamlFields() takes any text", () => {
  const part = fc.constantFrom(
    "a",
    ":",
    " ",
    "\n",
    "-",
    "- ",
    "  ",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "#",
    "\t",
    "|",
    ",",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 200 }), (parts) => {
      const { fields } = yamlFields(parts.join(""));
      for (const [, scalars] of fields) for (const { line } of scalars) assert.ok(line >= 1);
    }),
  );
});

test("yamlFields() has a limit for depth and length", () => {
  const deep = Array.from({ length: 100 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n");
  assert.ok(yamlFields(deep).odd.length > 0);
  const long = "a: 1\n".repeat(30_000);
  assert.equal(yamlFields(long).fields.get("a")?.length, 20_000);
});
