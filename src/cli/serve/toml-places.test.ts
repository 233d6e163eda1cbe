import assert from "node:assert/strict";
import { test } from "node:test";

import { type KeyPath, TomlPlaces } from "./toml-places.ts";

const text = `\uFEFF# a comment with [brackets] and = signs
title = """
[not.a.table]
x = 1"""""
'quoted key' = 'it''

[ "a b" . c ]
d.e = { f = [1, [2, 3], { g = 'x' }], "h]" = "}\\"" } # }
[[list.of]]
name = "one"
[list.of.sub]
x = 1
[[list.of]]
name = "two"
[[list.of.deep]]
y = 1
[[list.of.deep]]
y = 2
[list.of.sub]
x = 2
at = 1979-05-27 07:32:00
last = [
  1, # one ]
  2,
]
`.replace("'it''", "'it'");

for (const [path, key, value] of [
  [["title"], "2:1", "2:9"],
  [["quoted key"], "5:1", "5:16"],
  [["a b"], "7:3", "7:3"],
  [["a b", "c", "d", "e"], "8:3", "8:7"],
  [["a b", "c", "d", "e", "f"], "8:9", "8:13"],
  [["a b", "c", "d", "e", "f", 1, 1], "8:21", "8:21"],
  [["a b", "c", "d", "e", "f", 2, "g"], "8:27", "8:31"],
  [["a b", "c", "d", "e", "h]"], "8:39", "8:46"],
  [["list", "of", 0, "name"], "10:1", "10:8"],
  [["list", "of", 0, "sub", "x"], "12:1", "12:5"],
  [["list", "of", 1], "13:8", "13:8"],
  [["list", "of", 1, "name"], "14:1", "14:8"],
  [["list", "of", 1, "deep", 1, "y"], "18:1", "18:5"],
  [["list", "of", 1, "sub", "x"], "20:1", "20:5"],
  [["list", "of", 1, "sub", "last", 1], "24:3", "24:3"],
  // What is not there has the place of the table it would stand in.
  [["list", "of", 1, "url"], "13:8", "13:8"],
  [["nothing"], "1:1", "1:1"],
] as const satisfies readonly (readonly [KeyPath, string, string])[]) {
  test(`TomlPlaces finds ${JSON.stringify(path)}`, () => {
    const places = new TomlPlaces(text);
    const [atKey, atValue] = [places.keyAt(path), places.valueAt(path)];
    assert.equal(`${atKey.line}:${atKey.column}`, key);
    assert.equal(`${atValue.line}:${atValue.column}`, value);
  });
}
