import assert from "node:assert/strict";
import { test } from "node:test";

import { defaultSizes } from "../table/sizes.ts";
import { type DefaultsReport, defaultsToJson, renderDefaults } from "./defaults-command.ts";
import type { Look } from "./look.ts";
import { defaultsSchema } from "./schemas.ts";

const narrow: Look = { columns: 80, colour: false, unicode: false };

function reportFor(memoryBytes: number, kernelRelease: string): DefaultsReport {
  const sizes = defaultSizes({ memoryBytes, kernelRelease });
  assert.ok(sizes !== undefined);
  return { memoryBytes, kernelRelease, pointerBytes: 8, sizes };
}

test("renderDefaults() gives the classic figure with its formula", () => {
  assert.deepEqual(renderDefaults(reportFor(1_073_741_824, "2.6.18"), narrow), [
    "Kernel 2.6.18, 64-bit, 1 GiB of memory",
    "",
    "buckets    4,096",
    "capacity  32,768 flows",
    "",
    "As kernels 2.4.4 to 2.6.22 choose:",
    "  - memory of 1,073,741,824 bytes / 16,384 / 16 bytes a bucket = 4,096 buckets",
    "  - capacity is 8 x 4,096 buckets = 32,768 flows",
  ]);
});

test("renderDefaults() compares with what the host has", () => {
  const present = { bucketCount: 65_536, capacityFlows: 1_000_000 };
  const lines = renderDefaults({ ...reportFor(2 ** 31, "5.15"), present }, narrow);
  assert.equal(lines[2], "buckets   65,536  (as it is here)");
  assert.equal(lines[3], "capacity  65,536 flows  (here it is 1,000,000)");
});

test("defaultsToJson() conforms to its schema", () => {
  const present = { bucketCount: 1, capacityFlows: 2 };
  for (const report of [reportFor(2 ** 30, "6.1"), { ...reportFor(2 ** 33, "3.10"), present }]) {
    const json = JSON.parse(JSON.stringify(defaultsToJson(report))) as unknown;
    assert.deepEqual(defaultsSchema.parse(json), json);
  }
});
