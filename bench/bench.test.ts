/** Every benchmark with its small size, so that none rots; and the runner itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { median, medianMs } from "./bench.ts";
import type { Bench } from "./bench.ts";
import { isBroken, loadBenches, renderBench, runBench } from "./run.ts";

for (const bench of await loadBenches()) {
  test(`bench ${bench.name} gives its result with its small size`, async (context) => {
    const found = await runBench(bench, bench.small);
    if (found.skipped !== undefined) context.skip(found.skipped);
    else assert.equal(found.result, bench.smallResult);
  });
}

const sum: Bench<number> = {
  name: "sum",
  about: "adds numbers",
  small: 3,
  smallResult: 6,
  large: 1000,
  run(size, out) {
    let total = 0;
    for (let n = 1; n <= size; n += 1) total += n;
    out.figure("time", 1.23456, "ms");
    out.ratio("against nothing", 1.05, 1.1);
    out.ratio("against everything", 2, 1.1);
    out.result(total);
  },
};

test("runBench collects what a benchmark puts out", async () => {
  assert.deepEqual(await runBench(sum, sum.small), {
    figures: [{ name: "time", value: 1.23456, unit: "ms" }],
    ratios: [
      { name: "against nothing", value: 1.05, atMost: 1.1 },
      { name: "against everything", value: 2, atMost: 1.1 },
    ],
    result: 6,
  });
});

test("renderBench says which promises were kept", async () => {
  const found = await runBench(sum, sum.small);
  assert.deepEqual(renderBench(sum, found), [
    "sum: adds numbers",
    "  time                                                    1.235 ms",
    "  against nothing                                         1.050  at most 1.1: yes",
    "  against everything                                      2.000  at most 1.1: NO",
  ]);
  assert.deepEqual(
    renderBench(sum, { figures: [], ratios: [], skipped: "needs root" }).at(-1),
    "  skipped: needs root",
  );
});

test("renderBench puts notes last", () => {
  const found = { figures: [{ name: "time", value: 1, unit: "ms" }], ratios: [], notes: ["no part: why"] };
  assert.equal(renderBench(sum, found).at(-1), "  no part: why");
});

test("a ratio without a promise cannot break it", () => {
  assert.equal(isBroken({ name: "a", value: 100 }), false);
  assert.equal(isBroken({ name: "a", value: 1.2, atMost: 1.1 }), true);
});

test("median takes the middle, and medianMs one run more than it counts", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.throws(() => median([]), /no values/);
  let runs = 0;
  medianMs(3, () => (runs += 1));
  assert.equal(runs, 4);
});
