import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { fit, padLeft, padRight, visible, widthOf, wrap, wrapAtMost } from "./plain-text.ts";

const widths: readonly [string, number][] = [
  ["", 0],
  ["abc", 3],
  ["é", 1],
  ["e\u0301", 1],
  ["日本", 4],
  ["한국", 4],
  ["ｆｕｌｌ", 8],
  ["█░", 2],
  ["🔥", 2],
  ["\u200b", 0],
];
for (const [text, width] of widths) {
  test(`widthOf() gives ${width} for ${JSON.stringify(text)}`, () => assert.equal(widthOf(text), width));
}

const cuts: readonly [string, number, string][] = [
  ["abc", 3, "abc"],
  ["abcd", 3, "..."],
  ["abcdef", 5, "ab..."],
  ["abcd", 2, ".."],
  ["abcd", 0, ""],
  ["日本語です", 8, "日本..."],
  ["ab cdefg", 6, "ab..."],
];
for (const [text, columns, cut] of cuts) {
  test(`fit() cuts ${text} to ${columns} columns`, () => assert.equal(fit(text, columns), cut));
}

test("padRight() and padLeft() count columns, not characters", () => {
  assert.equal(padRight("日", 4), "日  ");
  assert.equal(padLeft("日", 4), "  日");
  assert.equal(padRight("long", 2), "long");
});

const controls: readonly [string, string][] = [
  ["plain", "plain"],
  ["a\u001b[2Jb", "a\\x1b[2Jb"],
  ["tab\tnewline\n", "tab\\x09newline\\x0a"],
  ["\u009b31m", "\\x9b31m"],
  ["a\u202eb", "a\\u202eb"],
  ["日本", "日本"],
];
for (const [text, shown] of controls) {
  test(`visible() shows ${JSON.stringify(text)}`, () => assert.equal(visible(text), shown));
}

test("visible() leaves nothing that moves a cursor", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.doesNotMatch(visible(text), /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
    }),
  );
});

test("wrap() loses no word and keeps to its width", () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,9}$/)),
      fc.integer({ min: 9, max: 40 }),
      (words, columns) => {
        const lines = wrap(words.join(" "), columns);
        assert.deepEqual(lines.join(" "), words.join(" "));
        for (const line of lines) assert.ok(widthOf(line) <= columns);
      },
    ),
  );
});

const shortened: readonly [string, number, readonly string[]][] = [
  ["one two", 1, ["one two"]],
  ["one two three four", 1, ["one..."]],
  ["One. Two three four five.", 1, ["One."]],
  ["one two three four", 2, ["one two", "three..."]],
];
for (const [text, most, lines] of shortened) {
  test(`wrapAtMost() shortens "${text}" to ${most}`, () =>
    assert.deepEqual(wrapAtMost(text, 8, most), lines));
}
