import assert from "node:assert/strict";
import { test } from "node:test";
import { amountOf, flowsText, groupDigits, memoryText, percent, sumFlows } from "./wording.ts";

test("groupDigits() and amountOf()", () => {
  assert.deepEqual([0, 999, 1000, 1_234_567.6].map(groupDigits), ["0", "999", "1,000", "1,234,568"]);
  assert.deepEqual(
    [0, 1, 2].map((value) => amountOf(value, "flow")),
    ["0 flows", "1 flow", "2 flows"],
  );
});

const shares = [
  [0, "0 %"],
  [0.000_01, "less than 0.01 %"],
  [0.0038, "0.38 %"],
  [0.011, "1.1 %"],
  [0.0994, "9.9 %"],
  [0.0996, "10 %"],
  [0.84, "84 %"],
  [0.994, "99 %"],
  [0.9999, "more than 99 %"],
  [1, "100 %"],
  [1.2, "120 %"],
] as const;

for (const [share, text] of shares) {
  test(`percent() of ${share}`, () => {
    assert.equal(percent(share), text);
  });
}

test("memoryText() in binary units", () => {
  const texts = [0, 512, 1536, 64 * 1024 ** 2, 1.5 * 1024 ** 3, 4096 * 1024 ** 4].map(memoryText);
  assert.deepEqual(texts, ["0 B", "512 B", "1.5 KiB", "64 MiB", "1.5 GiB", "4096 TiB"]);
});

test("flowsText() says when a count is of a sample", () => {
  assert.equal(flowsText({ flows: 14_471 }), "14,471 flows");
  assert.equal(
    flowsText({ flows: 14_500, standardErrorFlows: 230 }, "established flow"),
    "about 14,500 established flows (standard error 230)",
  );
});

test("sumFlows() adds errors as independent ones, and has none where there were none", () => {
  assert.deepEqual(sumFlows([]), { flows: 0 });
  assert.deepEqual(sumFlows([{ flows: 1 }, { flows: 2 }]), { flows: 3 });
  assert.deepEqual(
    sumFlows([
      { flows: 10, standardErrorFlows: 3 },
      { flows: 20, standardErrorFlows: 4 },
    ]),
    { flows: 30, standardErrorFlows: 5 },
  );
});
