import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { decimal } from "./decimal.ts";

test("decimal() is String() for every number", () => {
  const edges = [0, -0, -1, 1.5, 999, 1000, 999_999, 1_000_000, 4_294_967_295, 1000.5];
  const far = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 1, 1e21, NaN, Infinity, -Infinity];
  for (const number of [...edges, ...far]) assert.equal(decimal(number), String(number));
  fc.assert(fc.property(fc.maxSafeNat(), (number) => decimal(number) === String(number)));
  fc.assert(fc.property(fc.nat(5_000_000), (number) => decimal(number) === String(number)));
  fc.assert(fc.property(fc.double(), (number) => decimal(number) === String(number)));
});
