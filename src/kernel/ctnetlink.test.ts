import assert from "node:assert/strict";
import { test } from "node:test";
import { Attribute, flowLevel, type Level, messageType, Nested } from "./ctnetlink.ts";

/** Names with their numbers, level by level. */
function numbersByName(level: Level, into = new Map<string, number>()): Map<string, number> {
  for (const [type, spec] of level.entries()) {
    if (spec === undefined) continue;
    into.set(spec.name, type);
    if (spec.level !== undefined) numbersByName(spec.level, into);
  }
  return into;
}

test("the numbers that requests are written with are those of the table", () => {
  const numbers = numbersByName(flowLevel);
  for (const [name, type] of Object.entries({ ...Attribute, ...Nested })) {
    assert.equal(numbers.get(name), type, name);
  }
});

test("every attribute either has a kind or holds attributes", () => {
  const look = (level: Level, path: string): void => {
    for (const spec of level) {
      if (spec === undefined) continue;
      const name = `${path}/${spec.name}`;
      assert.notEqual(spec.kind === undefined, spec.level === undefined, name);
      if (spec.level !== undefined) look(spec.level, name);
    }
  };
  look(flowLevel, "");
});

test("messageType() has the subsystem in the upper byte", () => {
  assert.equal(messageType(1, 4), 0x104);
  assert.equal(messageType(2, 1), 0x201);
});
