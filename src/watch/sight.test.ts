import { deepEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";

import { AssertionError } from "../base/assert.ts";
import { FakeRefusal } from "../../test/support/fake-watched-host.ts";
import { isRefusal, Sight } from "./sight.ts";

function refuse(): never {
  throw new FakeRefusal("not-permitted", "Cannot read it: not permitted");
}

test("a question that fails is put again later and later, at most half a minute apart", () => {
  const sight = new Sight();
  const asked: number[] = [];
  for (let second = 0; second < 120; second++) {
    sight.ask("flows", second * 1000, () => {
      asked.push(second);
      return refuse();
    });
  }
  deepEqual(asked, [0, 1, 3, 7, 15, 31, 61, 91]);
});

test("what is our own mistake is thrown on", () => {
  const sight = new Sight();
  for (const error of [
    new TypeError("x is not a function"),
    new AssertionError("never"),
    Object.assign(new Error("The argument is of the wrong type"), { code: "ERR_INVALID_ARG_TYPE" }),
  ]) {
    throws(
      () =>
        sight.ask("flows", 0, () => {
          throw error;
        }),
      error,
    );
  }
  equal(isRefusal(new FakeRefusal("io")), true);
});

test("what comes and goes is noted once a minute", () => {
  const sight = new Sight();
  const notes: [number, string][] = [];
  for (let second = 0; second < 300; second++) {
    sight.tell("live", second % 4 < 2 ? [{ what: "counters", why: "no such file", cause: "missing" }] : []);
    for (const { kind } of sight.notes(0, second * 1000)) notes.push([second, kind]);
  }
  deepEqual(notes, [
    [0, "sight-lost"],
    [62, "sight-regained"],
    [124, "sight-lost"],
    [186, "sight-regained"],
    [248, "sight-lost"],
  ]);
});

test("each thing is listed once, and the list stays the same while nothing changes", () => {
  const sight = new Sight();
  sight.tell("live", [{ what: "counters", why: "no such file", cause: "missing" }]);
  sight.tell("facts", [{ what: "counters", why: "not permitted", cause: "not-permitted" }]);
  const { unseen } = sight;
  deepEqual(
    unseen.map(({ what }) => what),
    ["counters"],
  );
  equal(sight.unseen, unseen);
  sight.ask("flows", 0, refuse);
  deepEqual(
    sight.unseen.map(({ what }) => what),
    ["counters", "flows"],
  );
  sight.ask("flows", 5000, () => true);
  deepEqual(
    sight.unseen.map(({ what }) => what),
    ["counters"],
  );
});
