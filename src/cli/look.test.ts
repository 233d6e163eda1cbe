import assert from "node:assert/strict";
import { test } from "node:test";

import { bar, decideColour, decideUnicode, gauge, type Look, tone } from "./look.ts";
import { widthOf } from "./plain-text.ts";

const unicode: Look = { columns: 80, colour: false, unicode: true };
const ascii: Look = { columns: 80, colour: false, unicode: false };

const bars: readonly [number, string, string][] = [
  [0, "", ""],
  [0.0001, "▏", "#"],
  [0.5, "████", "####"],
  [0.56, "████▌", "####"],
  [0.9999, "███████▉", "#######"],
  [1, "████████", "########"],
  [1.5, "████████", "########"],
];
for (const [share, blocks, marks] of bars) {
  test(`bar() draws ${share}`, () => {
    assert.equal(bar(unicode, share, 8), blocks);
    assert.equal(bar(ascii, share, 8), marks);
  });
}

for (const share of [0, 0.001, 0.5, 0.999, 1, 2]) {
  test(`gauge() has its width at ${share}`, () => {
    assert.equal(widthOf(gauge(unicode, share, 40, "ok")), 40);
    assert.equal(widthOf(gauge(ascii, share, 40, "ok")), 40);
  });
}

test("gauge() shows in ASCII what is used and what is not", () => {
  assert.equal(gauge(ascii, 0.25, 10, "ok"), "[##------]");
});

test("tone() adds nothing without colour", () => {
  assert.equal(tone(unicode, "red", "x"), "x");
  assert.equal(tone({ ...unicode, colour: true }, "red", "x"), "\u001b[31mx\u001b[39m");
});

const colours: readonly [Parameters<typeof decideColour>, boolean][] = [
  [["auto", true, {}], true],
  [["auto", false, {}], false],
  [["auto", true, { NO_COLOR: "1" }], false],
  [["auto", true, { NO_COLOR: "" }], true],
  [["auto", true, { TERM: "dumb" }], false],
  [["auto", false, { FORCE_COLOR: "1" }], true],
  [["auto", false, { FORCE_COLOR: "1", NO_COLOR: "1" }], true],
  [["auto", true, { FORCE_COLOR: "0" }], false],
  [["always", false, { NO_COLOR: "1" }], true],
  [["never", true, { FORCE_COLOR: "1" }], false],
];
for (const [given, wanted] of colours) {
  test(`decideColour(${JSON.stringify(given)}) is ${wanted}`, () =>
    assert.equal(decideColour(...given), wanted));
}

const locales: readonly [Record<string, string>, boolean][] = [
  [{}, false],
  [{ LANG: "en_US.UTF-8" }, true],
  [{ LANG: "de_DE.utf8" }, true],
  [{ LANG: "en_US.UTF-8", LC_ALL: "C" }, false],
  [{ LANG: "C", LC_CTYPE: "C.UTF-8" }, true],
  [{ LC_ALL: "", LANG: "C.UTF-8" }, true],
];
for (const [environment, wanted] of locales) {
  test(`decideUnicode(${JSON.stringify(environment)}) is ${wanted}`, () =>
    assert.equal(decideUnicode(environment), wanted));
}
