import assert from "node:assert/strict";
import { test } from "node:test";

import { parseFilter } from "../../src/table/filter.ts";
import { idleTerm, joinTerms, spanWords, withTerm } from "./terms.ts";

test("terms stand side by side, one with or in brackets", () => {
  assert.equal(joinTerms([]), "");
  assert.equal(joinTerms(["tcp or udp"]), "tcp or udp");
  assert.equal(joinTerms(["tcp or udp", " port 443 ", ""]), "(tcp or udp) port 443");
  assert.equal(joinTerms(["(tcp or udp)", "port 443"]), "(tcp or udp) port 443");
  assert.equal(joinTerms(["(tcp) or (udp)", "port 443"]), "((tcp) or (udp)) port 443");
});

test("a term is not added twice", () => {
  assert.deepEqual(withTerm(["tcp"], "tcp"), ["tcp"]);
  assert.deepEqual(withTerm(["tcp"], "idle<10s"), ["tcp", "idle<10s"]);
});

test("spans become terms that the language reads", () => {
  for (const [from, to] of [
    [0, 10],
    [10, 60],
    [345_600, 432_000],
    [432_000, undefined],
  ] as const) {
    assert.doesNotThrow(() => parseFilter(idleTerm(from, to)));
  }
  assert.equal(idleTerm(0, 10), "idle<10s");
  assert.equal(idleTerm(3600, 7200), "idle>=1h idle<2h");
  assert.equal(spanWords(3600, 7200), "1h – 2h");
  assert.equal(spanWords(432_000, undefined), "5d and more");
});
