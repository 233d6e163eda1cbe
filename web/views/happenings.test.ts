import assert from "node:assert/strict";
import { test } from "node:test";

import { daysOf, happeningsOf } from "./happenings.ts";

const key = "nf_conntrack_tcp_timeout_established";
const noon = new Date(2026, 10, 20, 12).getTime();

test("happenings are told newest first, with who and what, by day", () => {
  const found = happeningsOf(
    {
      settingChanges: [
        { atMs: noon, key, from: 432_000, to: 86_400, suspects: ["sysctl (pid 12)"] },
        { atMs: noon + 3_600_000, key: "new_one", to: 5, suspects: [] },
      ],
      incidents: [
        {
          id: "a1",
          code: "near-full",
          level: "warning",
          state: "resolved",
          sinceMs: noon - 60_000,
          firedAtMs: noon - 30_000,
          resolvedAtMs: noon + 30_000,
          title: "Near full",
          evidence: {},
          meaning: "",
          remedy: [],
        },
      ],
      notes: [{ atMs: noon - 86_400_000, kind: "clock-jump", text: "The clock went back" }],
    },
    new Map([[key, "seconds"]]),
  );
  assert.deepEqual(
    found.map(({ title, detail, about }) => `${title} | ${detail}${about ?? ""}`),
    [
      "new_one: not there → 5 | nothing points to who did it",
      `${key}: 5d → 1d | clues: sysctl (pid 12)`,
      "Near full | over after 60 s",
      "The clock went back | clock jump",
    ],
  );
  assert.deepEqual(
    daysOf(found).map(({ rows }) => rows.length),
    [3, 1],
  );
});
