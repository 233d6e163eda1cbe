import assert from "node:assert/strict";
import { test } from "node:test";
import { generationOf } from "./rules-of.ts";

const ROWS = [
  [undefined, undefined],
  ["no release", undefined],
  ["3.10.0-1160.el7.x86_64", "4.19"],
  ["5.15.0-91-generic", "5.10"],
  ["6.12.117", "6.12"],
  ["6.17.1", "6.12"],
  ["9.0.0", "7.3"],
] as const;

for (const [release, generation] of ROWS) {
  test(`${release ?? "an unknown kernel"} has the rules of ${generation ?? "nobody knows which"}`, () => {
    assert.equal(generationOf(release), generation);
  });
}
