import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ZodMiniType } from "zod/mini";

import { hoardCensus, sampledCensus, troubleFacts, troubleVerdict } from "../../test/support/cli-samples.ts";
import { FakeTerminal } from "../../test/support/terminal.ts";
import { ManualClock } from "../base/clock.ts";
import * as kernel from "../kernel/kernel.ts";
import { verdictToJson } from "../plan/plan.ts";
import { main } from "./cli.ts";
import { explainToJson } from "./explain-json.ts";
import { checkSchema, explainSchema, listSchema, namespacesSchema } from "./schemas.ts";

const trees = fileURLToPath(new URL("../../test/fixtures/trees/", import.meta.url));
/** A Tuesday long after every fixture was taken. */
const clock = new ManualClock(Date.UTC(2026, 10, 24));

/** Standard output of a command on this machine's files. */
async function output(...argv: readonly string[]): Promise<string> {
  const terminal = new FakeTerminal();
  const code = await main(argv, terminal, { clock, kernel: async () => kernel });
  assert.ok(code <= 3, `${argv.join(" ")}: ${terminal.err}`);
  return terminal.out;
}

/** Fails with the schema's own words; also when the schema would drop or change something. */
function assertConforms(schema: ZodMiniType, json: string): void {
  const value: unknown = JSON.parse(json);
  assert.deepEqual(schema.parse(value), value);
}

const releases = readdirSync(trees, { withFileTypes: true }).filter((entry) => entry.isDirectory());
for (const { name } of releases) {
  test(`check --json of the saved host ${name} conforms to its schema`, async () => {
    assertConforms(checkSchema, await output("check", "--json", "--root", trees + name));
  });

  test(`explain --json of the saved host ${name} conforms to its schema`, async () => {
    assertConforms(explainSchema, await output("explain", "--json", "--root", trees + name));
  });

  test(`list --json of the saved host ${name} conforms to its schema, line by line`, async () => {
    const lines = (await output("list", "--json", "--root", trees + name)).trimEnd().split("\n");
    for (const line of lines) assertConforms(listSchema, line);
  });
}

test("check --json of this host conforms to its schema", async () => {
  assertConforms(checkSchema, await output("check", "--json"));
});

test("explain --all-netns --json of this host conforms to its schema", async () => {
  const text = await output("explain", "--all-netns", "--json");
  // Without privilege there may be no flows to count.
  assertConforms("flows" in (JSON.parse(text) as object) ? explainSchema : namespacesSchema, text);
});

test("verdictToJson() conforms to the schema of check", () => {
  assertConforms(checkSchema, JSON.stringify(verdictToJson(troubleFacts, troubleVerdict)));
});

test("explainToJson() conforms to the schema of explain, whole and sampled", () => {
  const report = { origin: "x", top: 5, unseen: [], sameOptions: "", owners: [{ label: "nginx", flows: 1 }] };
  assertConforms(explainSchema, JSON.stringify(explainToJson({ ...report, census: hoardCensus }, "netlink")));
  assertConforms(
    explainSchema,
    JSON.stringify(explainToJson({ ...report, census: sampledCensus, interrupted: true }, "procfs")),
  );
});
