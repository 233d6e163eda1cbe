import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type * as z from "zod/mini";

import { FakeTerminal } from "../../../test/support/terminal.ts";
import { ManualClock } from "../../base/clock.ts";
import * as kernel from "../../kernel/kernel.ts";
import { main } from "../cli.ts";
import { planSchema } from "./plan-schema.ts";

const trees = fileURLToPath(new URL("../../../test/fixtures/trees/", import.meta.url));
const few = fileURLToPath(
  new URL("../../../test/fixtures/listings/nf_conntrack-2.6.32.txt", import.meta.url),
);
const host = ["--memory", "1G", "--kernel", "6.1"] as const;
const clock = new ManualClock(Date.UTC(2026, 10, 24));

/** Fails with the schema's own words; also when the schema would drop or change something. */
async function assertConforms(...argv: readonly string[]): Promise<z.infer<typeof planSchema>> {
  const terminal = new FakeTerminal();
  const code = await main(["plan", "--json", ...argv], terminal, { clock, kernel: async () => kernel });
  assert.equal(code, 0, terminal.err);
  const value: unknown = JSON.parse(terminal.out);
  const parsed = planSchema.parse(value);
  assert.deepEqual(parsed, value);
  return parsed;
}

/** One of many questions to a resolver, silent for up to half a minute. */
function question(index: number): string {
  const ports = (from: number, to: number): string => `sport=${from} dport=${to}`;
  return (
    `ipv4 2 udp 17 ${index % 30} src=10.0.0.1 dst=10.0.0.53 ${ports(10_000 + index, 53)} ` +
    `src=10.0.0.53 dst=10.0.0.1 ${ports(53, 10_000 + index)} mark=0 zone=0 use=2\n`
  );
}

const releases = readdirSync(trees, { withFileTypes: true }).filter((entry) => entry.isDirectory());
for (const { name } of releases) {
  test(`plan --json of the saved host ${name} conforms to its schema`, async () => {
    await assertConforms("--root", trees + name);
  });
}

test("plan --json of a listing alone conforms to its schema, also where it is uncertain", async () => {
  await assertConforms("--source", few);
  const { predicted } = await assertConforms("--source", few, ...host, "--peak", "100000");
  assert.equal(predicted?.uncertain, true);
});

test("plan --json of a resolver conforms to its schema, with rules", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hr-plan-"));
  try {
    const path = join(directory, "dns.txt");
    writeFileSync(path, Array.from({ length: 600 }, (_, index) => question(index)).join(""));
    const { rules, settings } = await assertConforms("--source", path, ...host, "--peak", "100");
    assert.deepEqual([rules.length, settings.length], [1, 3]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("plan --json of traffic conforms to its schema", async () => {
  await assertConforms(
    "--from-traffic",
    "connections=9k/s,protocol=udp",
    "--memory",
    "1G",
    "--kernel",
    "5.15",
  );
});

test("a plan from traffic for a host that is there says what is in force there", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hr-plan-"));
  try {
    cpSync(join(trees, "6.18"), directory, { recursive: true });
    writeFileSync(join(directory, "proc/sys/net/netfilter/nf_conntrack_max"), "131072\n");
    const traffic = ["--from-traffic", "connections=4k/s,hold=120s"];
    const paper = ["--memory", "8G", "--kernel", "6.1"];
    const root = ["--root", directory];
    for (const given of [root, [...root, ...paper], [...root, "--memory", "8G"]]) {
      const { settings } = await assertConforms(...traffic, ...given);
      assert.equal(settings.find(({ key }) => key === "nf_conntrack_max")?.from, 131_072);
    }
    const { settings } = await assertConforms(...traffic, ...paper);
    assert.deepEqual(
      settings.map(({ from }) => from),
      [undefined, undefined],
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
