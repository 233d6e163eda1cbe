import assert from "node:assert/strict";
import { test } from "node:test";

import { evidenceName, evidenceRows, evidenceWords } from "./evidence.ts";

const nowMs = new Date(2026, 10, 22, 14, 2, 11).getTime();
const rows: readonly (readonly [name: string, value: number | string, words: string])[] = [
  ["namespaceInode", 4_026_532_740, "namespace inode 4026532740"],
  ["lastLoggedSecondsAgo", 38, "last logged 38 s ago"],
  ["firstLoggedAtMs", nowMs - 11_000, "first logged 14:02:00"],
  ["useShare", 0.9567, "use 95.7 %"],
  ["share", 0.18, "share 18 %"],
  ["dropPerSecond", 12.34, "drop 12 /s"],
  ["holdingSeconds", 7200, "holding 2 h"],
  ["fullMemoryBytes", 69_206_016, "full memory 66 MiB"],
  ["servicePort", 8443, "service port 8443"],
  ["capacityFlows", 262_144, "capacity flows 262,144"],
  ["load", 1.23456, "load 1.23"],
  ["topSource", "10.0.0.9", "top source 10.0.0.9"],
  ["seconds", 3, "seconds 3"],
];

for (const [name, value, words] of rows) {
  test(`evidence ${name}: ${words}`, () => {
    assert.equal(`${evidenceName(name)} ${evidenceWords(name, value, nowMs)}`, words);
  });
}

test("a figure of a sample says so, and by how much it may be off", () => {
  assert.deepEqual(evidenceRows({ flows: 20_075, standardErrorFlows: 100, address: "10.0.0.9" }, nowMs), [
    { name: "flows", words: "about 20,075 ± 200, by a sample" },
    { name: "address", words: "10.0.0.9" },
  ]);
});
