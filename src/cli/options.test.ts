import assert from "node:assert/strict";
import { test } from "node:test";

import {
  readChoice,
  readCount,
  readKernel,
  readMemory,
  readPointer,
  readSeconds,
  readThreshold,
} from "./options.ts";
import { UsageError } from "./usage-error.ts";

type Read = (option: string, text: string) => unknown;

const accepted: readonly [Read, string, unknown][] = [
  [readCount, "20000", 20_000],
  [readCount, "20k", 20_000],
  [readCount, "1M", 1_000_000],
  [readCount, "1,000,000", 1_000_000],
  [readCount, "20_000", 20_000],
  [readThreshold, "80", 0.8],
  [readThreshold, "80%", 0.8],
  [readThreshold, "0:80", 0.8],
  [readThreshold, ":80", 0.8],
  [readThreshold, "~:99.5", 0.995],
  [readSeconds, "5", 5],
  [readSeconds, "1m30s", 90],
  [readMemory, "1G", 1_073_741_824],
  [readKernel, "2.6.18-274.el5", "2.6.18-274.el5"],
  [readPointer, "32", 4],
  [readPointer, "64", 8],
];
for (const [read, text, value] of accepted) {
  test(`${read.name}() takes ${text}`, () => assert.equal(read("--x", text), value));
}

const refused: readonly [Read, string][] = [
  ...["0", "-1", "1.5", "x", "", "1G", "99999999999999999999"].map((text): [Read, string] => [
    readCount,
    text,
  ]),
  ...["0", "101", "10:", "@10:20", "x", ""].map((text): [Read, string] => [readThreshold, text]),
  ...["0", "5 minutes", "-5s", ""].map((text): [Read, string] => [readSeconds, text]),
  ...["0", "much"].map((text): [Read, string] => [readMemory, text]),
  [readKernel, "linux"],
  [readPointer, "16"],
];
for (const [read, text] of refused) {
  test(`${read.name}() refuses "${text}" and names the option`, () => {
    assert.throws(
      () => read("--x", text),
      (error) => error instanceof UsageError && error.message.includes(`--x ${text}`),
    );
  });
}

test("readChoice() names the choices", () => {
  assert.equal(readChoice("--x", "b", ["a", "b"]), "b");
  assert.throws(() => readChoice("--x", "c", ["a", "b"]), /Cannot use `--x c`: wanted one of a, b/);
});
