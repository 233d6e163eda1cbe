import assert from "node:assert/strict";
import { test } from "node:test";

import { linkTo, readRoute } from "./route.ts";

test("an address is read back as it was written", () => {
  const link = linkTo("fills", { term: ["state ESTABLISHED", "idle>=1h & more"], at: 5, none: undefined });
  const found = readRoute(link);
  assert.equal(found.view, "fills");
  assert.deepEqual(found.query.getAll("term"), ["state ESTABLISHED", "idle>=1h & more"]);
  assert.equal(found.query.get("at"), "5");
  assert.equal(readRoute(linkTo("history", {}, "near-full/1")).rest, "near-full/1");
});

test("an address that was cut off is read as far as it goes", () => {
  for (const hash of ["#/history/%", "#/namespaces/a%E0%A4"]) {
    assert.equal(readRoute(hash).rest, hash.split("/")[2]);
  }
});

test("what is not known leads to the overview", () => {
  for (const hash of ["", "#", "#/", "#/nothing", "#fills-x"]) assert.equal(readRoute(hash).view, "overview");
});
