import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { FakeTerminal } from "../../../test/support/terminal.ts";
import { ManualClock } from "../../base/clock.ts";
import * as kernel from "../../kernel/kernel.ts";
import { main } from "../cli.ts";
import { whatifSchema } from "./whatif-schema.ts";

const trees = fileURLToPath(new URL("../../../test/fixtures/trees/", import.meta.url));
const clock = new ManualClock(Date.UTC(2026, 10, 24));

async function outputOf(...argv: readonly string[]): Promise<unknown> {
  const terminal = new FakeTerminal();
  const code = await main(["whatif", "--json", ...argv], terminal, { clock, kernel: async () => kernel });
  assert.equal(code, 0, terminal.err);
  return JSON.parse(terminal.out);
}

for (const release of ["2.6.18", "3.10", "4.19", "5.10", "6.18"]) {
  for (const words of [
    ["--set", "tcp_timeout_established=12h"],
    ["--sweep", "tcp_timeout_established=1h,12h,5d"],
    ["--set", "tcp_timeout_time_wait=30", "--sweep", "nf_conntrack_max=1000,2000"],
  ]) {
    test(`whatif --json ${words.join(" ")} of the saved host ${release} conforms to its schema`, async () => {
      const value = await outputOf("--root", trees + release, ...words);
      assert.deepEqual(whatifSchema.parse(value), value);
    });
  }
}

test("whatif --json of a sweep alone has no answer of its own", async () => {
  const value = (await outputOf("--root", `${trees}5.10`, "--sweep", "udp_timeout=10,20")) as object;
  assert.deepEqual(
    ["before", "after", "sweep"].map((name) => name in value),
    [false, false, true],
  );
});
