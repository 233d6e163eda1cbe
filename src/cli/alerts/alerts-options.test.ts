import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as z from "zod/mini";

import type { ChangeRecord, Receipt } from "../../change/change.ts";
import { formatDuration } from "../../table/duration.ts";
import { ALERT_CODES, DEFAULT_ALERT_OPTIONS } from "../../watch/watch.ts";
import { alertOptionsOf, alertsSchema } from "./alerts-options-schema.ts";
import { appliedSettings } from "./applied-settings.ts";

test("a file without a word means the defaults", () => {
  assert.deepEqual(alertOptionsOf(z.parse(alertsSchema, {})), DEFAULT_ALERT_OPTIONS);
});

test("what a file says reaches the rules, and enabled = false turns every rule off", () => {
  const options = alertOptionsOf(
    z.parse(alertsSchema, {
      repeat: "0s",
      "near-full": { warning: "70%", for: "2m" },
      "insert-clash": { packets_per_minute: 5 },
      "one-source-hoards": { critical_of_capacity: "25%" },
    }),
  );
  assert.equal(options.repeatSeconds, 0);
  assert.deepEqual(
    [options.rules["near-full"].warningShare, options.rules["near-full"].forSeconds],
    [0.7, 120],
  );
  assert.equal(options.rules["insert-clash"].packetsPerMinute, 5);
  assert.equal(options.rules["one-source-hoards"].criticalCapacityShare, 0.25);
  const { rules } = alertOptionsOf(z.parse(alertsSchema, { enabled: false }));
  assert.ok(Object.values(rules).every(({ enabled }) => !enabled));
});

for (const [what, section] of [
  ["a name with a blank", { receivers: [command("a b")] }],
  ["a webhook that is a file", { receivers: [{ name: "a", kind: "webhook", url: "file:///etc/passwd" }] }],
  [
    "a header with a line break",
    { receivers: [{ name: "a", kind: "webhook", url: "http://127.0.0.1", headers: { A: "b\r\nC: d" } }] },
  ],
  [
    "a header of letters that none has",
    { receivers: [{ name: "a", kind: "webhook", url: "http://127.0.0.1", headers: { A: "5 €" } }] },
  ],
  [
    "an address with a line break",
    { receivers: [{ name: "a", kind: "mail", to: ["a@example.org\nBcc: b@example.org"] }] },
  ],
  ["a command without a program", { receivers: [{ name: "a", kind: "command", command: [] }] }],
  ["a share of 120 %", { "near-full": { warning: "120%" } }],
] as const) {
  test(`${what} is refused`, () => assert.equal(z.safeParse(alertsSchema, section).success, false));
}

function command(name: string): object {
  return { name, kind: "command", command: ["/bin/true"] };
}

test("docs/alerts.md says the defaults of every code", () => {
  const page = readFileSync(new URL("../../../docs/alerts.md", import.meta.url), "utf8");
  for (const code of ALERT_CODES) {
    const row = page.split("\n").find((line) => line.startsWith(`| \`${code}\` |`)) ?? "";
    const cells = row.split("|").map((cell) => cell.trim());
    const { forSeconds, clearSeconds } = DEFAULT_ALERT_OPTIONS.rules[code];
    const sooner = code === "filling" ? ", or a tenth of the time left" : "";
    const wanted = [`${formatDuration(forSeconds)}${sooner}`, formatDuration(clearSeconds)];
    assert.deepEqual(cells.slice(4, 6), wanted, code);
  }
});

test("only changes that stand and shall stay count as applied, with what the kernel made of them", () => {
  const receipt = (id: string, more: Partial<Receipt>): ChangeRecord => ({
    kind: "receipt",
    receipt: {
      schema: "headroom/receipt/v1",
      id,
      state: "applied",
      atMs: 1,
      by: { user: "root", command: "headroom apply" },
      steps: [{ key: "nf_conntrack_buckets", name: "n", path: "p", from: 1, to: 1000, became: 1024 }],
      files: [],
      persist: true,
      ...more,
    },
  });
  const records = [
    receipt("kept", {}),
    receipt("undone", { state: "undone" }),
    receipt("for-now", { persist: false }),
    { kind: "unreadable", id: "broken", path: "p", why: "w" } as const,
  ];
  assert.deepEqual(appliedSettings(records), [
    { key: "nf_conntrack_buckets", value: 1024, changeId: "kept", atMs: 1 },
  ]);
});
