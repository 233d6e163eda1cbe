import assert from "node:assert/strict";
import { test } from "node:test";

import { calmFacts, calmVerdict, troubleFacts, troubleVerdict } from "../../test/support/cli-samples.ts";
import { assertGolden } from "../../test/support/golden.ts";
import { type CheckText, renderCheck } from "./check-text.ts";
import type { Look } from "./look.ts";
import { widthOf } from "./plain-text.ts";

const narrow: Look = { columns: 80, colour: false, unicode: true };
const ascii: Look = { columns: 80, colour: false, unicode: false };
const wide: Look = { columns: 120, colour: false, unicode: true };

const trouble: CheckText = {
  verdict: troubleVerdict,
  facts: troubleFacts,
  occupancyFlows: 65_536,
  capacityFlows: 65_536,
  subject: "web-3",
  detail: "short",
  sameOptions: "",
};
const calm: CheckText = {
  verdict: calmVerdict,
  facts: calmFacts,
  occupancyFlows: 12,
  capacityFlows: 262_144,
  detail: "short",
  sameOptions: " --root 'a b'",
};

const screens: readonly [string, CheckText, Look][] = [
  ["check-trouble-80.txt", trouble, narrow],
  ["check-trouble-80-ascii.txt", trouble, ascii],
  ["check-trouble-120.txt", trouble, wide],
  ["check-trouble-all-80.txt", { ...trouble, detail: "all" }, narrow],
  ["check-trouble-verbose-80.txt", { ...trouble, detail: "verbose" }, narrow],
  ["check-calm-80.txt", calm, narrow],
];

for (const [name, report, look] of screens) {
  test(`renderCheck() draws ${name}`, () => assertGolden(`cli/${name}`, renderCheck(report, look)));
}

test("renderCheck() in its short form fits 80x24 and leaves a line for the prompt", () => {
  const lines = renderCheck(trouble, narrow);
  assert.ok(lines.length <= 23, `${lines.length} lines`);
  for (const line of lines.filter((text) => !text.includes("$ "))) assert.ok(widthOf(line) <= 80, line);
});

test("renderCheck() colours nothing but what it prints without colour", () => {
  const coloured = renderCheck(trouble, { ...narrow, colour: true }).join("\n");
  assert.notEqual(coloured, renderCheck(trouble, narrow).join("\n"));
  // oxlint-disable-next-line no-control-regex
  assert.equal(coloured.replaceAll(/\u001b\[\d+m/g, ""), renderCheck(trouble, narrow).join("\n"));
});

test("renderCheck() suggests no command where none leads to the same place", () => {
  const { sameOptions: _same, ...piped } = trouble;
  const lines = renderCheck(piped, narrow);
  assert.doesNotMatch(lines.join("\n"), /Next:|headroom explain/);
  assert.ok(
    lines.some((line) => /^--all shows \d+ more findings?\.$/.test(line)),
    lines.join("\n"),
  );
  assert.doesNotMatch(renderCheck({ ...piped, detail: "all" }, narrow).join("\n"), /--all shows/);
});

test("renderCheck() tells a tracker that is not loaded from one it cannot see", () => {
  const { occupancyFlows: _occupancy, capacityFlows: _capacity, ...rest } = calm;
  const host = { tracker: "none" } as const;
  const facts = { ...calmFacts, host };
  assert.match(renderCheck({ ...rest, facts }, narrow)[0] ?? "", /connection tracking is not loaded$/);
  assert.match(renderCheck(rest, narrow)[0] ?? "", /occupancy unknown$/);
});

test("renderCheck() says when there is no limit", () => {
  const lines = renderCheck({ ...calm, capacityFlows: 0 }, narrow);
  assert.match(lines[0] ?? "", /12 flows, no limit set$/);
});

test("renderCheck() lets no control character through", () => {
  const [first] = troubleVerdict.findings;
  assert.ok(first !== undefined);
  const hostile = {
    ...first,
    title: "a\u001b[2Jb",
    meaning: "c\rd",
    remedy: [{ text: "e\u0007", command: "f\nrm" }],
  };
  const text = renderCheck({ ...trouble, verdict: { level: "critical", findings: [hostile] } }, narrow).join(
    "\n",
  );
  assert.match(text, /a\\x1b\[2Jb/);
  assert.match(text, /f\\x0arm/);
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f]/);
});
