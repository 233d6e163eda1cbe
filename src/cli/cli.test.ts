import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeTerminal } from "../../test/support/terminal.ts";
import { AssertionError } from "../base/assert.ts";
import { ManualClock } from "../base/clock.ts";
import { KernelError } from "../kernel/kernel.ts";
import { main } from "./cli.ts";
import type { Deps } from "./context.ts";

/** A kernel whose host cannot be opened for the reason given. */
function failing(error: unknown): Deps {
  const fail = (): never => {
    throw error;
  };
  return { clock: new ManualClock(0), kernel: async () => ({ openHost: fail, openBytes: fail }) };
}

async function run(
  argv: readonly string[],
  error: unknown,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number; out: string; err: string }> {
  const terminal = new FakeTerminal({ environment });
  const code = await main(argv, terminal, failing(error));
  return { code, out: terminal.out, err: terminal.err };
}

const unused = new Error("must not be reached");

const outcomes: readonly [string, readonly string[], unknown, number, RegExp][] = [
  [
    "wrong use",
    ["explain", "--jsn"],
    unused,
    2,
    /^headroom: cannot read the command line: unknown option '--jsn'\nDid/,
  ],
  ["wrong use of check, which monitoring reads", ["check", "--jsn"], unused, 3, /unknown option/],
  ["wrong use without a command", ["--jsn"], unused, 3, /unknown option/],
  ["an unknown command", ["chek"], unused, 2, /Did you mean check\?/],
  [
    "a refusal",
    ["explain"],
    new KernelError("not-permitted", "Cannot read it"),
    3,
    /^headroom: cannot read it\n$/,
  ],
  [
    "a module that is missing",
    ["explain"],
    new KernelError("module-missing", "Cannot read it"),
    4,
    /cannot read it/,
  ],
  ["a kernel that cannot", ["list"], new KernelError("unsupported", "Cannot read it"), 4, /cannot read it/],
  ["any other refusal", ["list"], new KernelError("not-found", "Cannot read it"), 1, /cannot read it/],
  ["a refusal to check", ["check"], new KernelError("not-permitted", "Cannot read it"), 3, /cannot read it/],
  [
    "our mistake",
    ["explain"],
    new AssertionError("Rows add up"),
    70,
    /a mistake in headroom itself.*Rows add up/,
  ],
  ["a crash", ["explain"], new TypeError("x is undefined"), 70, /TypeError: x is undefined/],
  [
    "a wrong call of Node",
    ["list"],
    Object.assign(new Error("bad"), { code: "ERR_X" }),
    70,
    /mistake in headroom/,
  ],
  ["something that is no error", ["list"], "oops", 70, /oops/],
];
for (const [what, argv, error, wanted, message] of outcomes) {
  test(`main() explains ${what} and ends with ${wanted}`, async () => {
    const { code, out, err } = await run(argv, error);
    assert.equal(code, wanted);
    assert.match(err, message);
    assert.equal(out, "");
    assert.doesNotMatch(err, /\n\s+at /, "no stack trace");
  });
}

test("main() shows where our mistake happened with HEADROOM_DEBUG=1", async () => {
  const { err } = await run(["explain"], new AssertionError("Rows add up"), { HEADROOM_DEBUG: "1" });
  assert.match(err, /\n\s+at /);
});

test("main() lets no control character of a message through", async () => {
  const { err } = await run(["list"], new KernelError("not-found", "Cannot read \u001b[2Jx"));
  assert.match(err, /\\x1b\[2Jx/);
});

for (const argv of [["check", "--format", "nagios"], ["--format=nagios"]]) {
  test(`main() gives monitoring a line on standard output: ${argv.join(" ")}`, async () => {
    const { code, out } = await run(argv, new KernelError("not-permitted", "Cannot read it"));
    assert.deepEqual({ code, out }, { code: 3, out: "CONNTRACK UNKNOWN: cannot read it\n" });
  });
}

test("main() gives monitoring a line even when the command line is wrong", async () => {
  const { code, out } = await run(["check", "--format", "nagios", "-w", "x"], unused);
  assert.equal(code, 3);
  assert.match(out, /^CONNTRACK UNKNOWN: cannot use `--warning x`/);
});

test("main() ends quietly when the reader leaves", async () => {
  const terminal = new FakeTerminal({ readerLeavesAfter: 0 });
  assert.equal(await main(["--help"], terminal, failing(unused)), 0);
  assert.deepEqual({ out: terminal.out, err: terminal.err }, { out: "", err: "" });
});

for (const argv of [
  ["--help"],
  ["help"],
  ["help", "list"],
  ["--version"],
  ["completion", "bash"],
  ["help", "--man"],
]) {
  test(`main() needs no kernel for ${argv.join(" ")}`, async () => {
    const { code, out, err } = await run(argv, unused);
    assert.deepEqual({ code, err }, { code: 0, err: "" });
    assert.notEqual(out, "");
  });
}

test("main() computes defaults without a kernel when everything is given", async () => {
  const { code, out } = await run(["defaults", "--memory", "1G", "--kernel", "2.6.18", "--json"], unused);
  assert.equal(code, 0);
  const { capacityFlows, bucketCount } = JSON.parse(out) as { capacityFlows: number; bucketCount: number };
  assert.deepEqual({ capacityFlows, bucketCount }, { capacityFlows: 32_768, bucketCount: 4096 });
});
