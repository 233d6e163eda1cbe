import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { FINDING_CODES } from "../table/finding.ts";

const SECTIONS = [
  "What it means",
  "How it is recognised",
  "What to do",
  "What it costs",
  "How to undo it",
] as const;

for (const code of FINDING_CODES) {
  test(`docs/findings/${code}.md has its parts`, () => {
    const text = readFileSync(new URL(`../../docs/findings/${code}.md`, import.meta.url), "utf8");
    const [title = "", ...parts] = text.split(/^## /m);
    assert.match(title, new RegExp(`^# ${code}: \\S`));
    assert.deepEqual(
      parts.map((part) => part.slice(0, part.indexOf("\n"))),
      SECTIONS,
    );
    for (const part of parts) assert.ok(part.trim().includes("\n"), `empty section in ${code}`);
    assert.ok(!text.includes("Not recognised yet"));
    for (const line of text.split("\n")) {
      if (/conntrack_max=\d/.test(line))
        assert.match(line, /_buckets=|hashsize/, `capacity without buckets: ${line}`);
    }
  });
}
