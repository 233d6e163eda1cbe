import assert from "node:assert/strict";
import { test } from "node:test";

import type { StatusJson } from "../../src/server/api-schema.ts";
import { attentionOf, headlineOf, ownLevelOf, timeToFull } from "./outlook.ts";

const base = { madeAtMs: 0, horizonSeconds: 86_400, method: "trend", how: "" } as const;

test("time to full is told with its interval", () => {
  const fullIn = { seconds: 7200, earliestSeconds: 5400, latestSeconds: 12_000 };
  assert.deepEqual(timeToFull({ ...base, fullIn }, false), {
    figure: "2 h",
    detail: "between 90 min and 3 h 20 min",
    fills: true,
  });
});

test("an open end is told as such", () => {
  const told = timeToFull({ ...base, fullIn: { seconds: 7200, earliestSeconds: 5400 } }, false);
  assert.equal(told.detail, "not before 90 min, perhaps not within 24 h");
});

test("the edge of the band alone is no time to full", () => {
  assert.deepEqual(timeToFull({ ...base, fullIn: { earliestSeconds: 120 } }, false), {
    figure: "not expected",
    detail: "within 24 h; in the worst case in 2 min",
    fills: false,
  });
});

test("why it cannot be told is told", () => {
  assert.equal(
    timeToFull({ ...base, unknown: "only 40 s of history" }, false).detail,
    "only 40 s of history",
  );
  assert.equal(timeToFull(undefined, false).figure, "not known");
  assert.equal(timeToFull({ ...base }, false).figure, "not within 24 h");
  assert.equal(timeToFull(undefined, true).figure, "full now");
});

test("the headline is the worst finding", () => {
  const finding = { code: "x", evidence: {}, meaning: "", remedy: [] };
  const status = {
    level: "critical",
    alerts: [],
    findings: [
      { ...finding, level: "critical", title: "The table is full" },
      { ...finding, level: "warning", title: "Too few buckets" },
    ],
  } as unknown as StatusJson;
  assert.equal(headlineOf(status).title, "The table is full");
  assert.equal(headlineOf({ ...status, level: "ok", findings: [] }).title, "The table has room");
});

test("what is wrong with another table is told as such, and after what is wrong with this one", () => {
  const other = { code: "namespace-near-full", level: "critical", state: "firing", title: "vpn is full" };
  const status = { level: "critical", alerts: [other], findings: [] } as unknown as StatusJson;
  assert.deepEqual(headlineOf(status), {
    title: "vpn is full",
    here: "Elsewhere on this host; the table watched here has room.",
  });
  assert.equal(ownLevelOf(status), "ok");
  const own = { ...other, code: "near-full", title: "96 % full" };
  const both = { ...status, alerts: [other, own] } as unknown as StatusJson;
  assert.deepEqual(headlineOf(both), { title: "96 % full" });
  assert.equal(ownLevelOf(both), "critical");
});

test("the headline is what made the level; an alert stands for the finding of its code", () => {
  const alert = { code: "filling", level: "critical", state: "firing", title: "Full in 9 h" };
  const finding = { code: "filling", level: "warning", title: "Filling" };
  const status = { level: "critical", alerts: [alert], findings: [finding] } as unknown as StatusJson;
  assert.equal(headlineOf(status).title, "Full in 9 h");
  assert.deepEqual(
    attentionOf(status).map(({ title }) => title),
    ["Full in 9 h"],
  );
});
