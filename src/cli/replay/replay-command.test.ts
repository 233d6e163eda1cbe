import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { captureFiles } from "../../../test/support/capture-files.ts";
import { FakeTerminal } from "../../../test/support/terminal.ts";
import { ManualClock } from "../../base/clock.ts";
import * as kernel from "../../kernel/kernel.ts";
import { main } from "../cli.ts";
import { comparedSchema, replaySchema } from "../schemas.ts";

const captures = fileURLToPath(new URL("../../../test/fixtures/captures/", import.meta.url));
const program = fileURLToPath(new URL("../main.ts", import.meta.url));
const clock = new ManualClock(Date.UTC(2026, 10, 24));
const deps = { clock, kernel: async () => kernel };

interface Ran {
  code: number;
  out: string;
  err: string;
}

async function run(...argv: readonly string[]): Promise<Ran> {
  const terminal = new FakeTerminal();
  const code = await main(["replay", ...argv], terminal, deps);
  return { code, out: terminal.out, err: terminal.err };
}

/** Machine output of a run that must succeed. */
async function json(...argv: readonly string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await run(...argv, "--json");
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  return JSON.parse(out) as Record<string, unknown>;
}

function directory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "headroom-replay-"));
  context.after(() => rmSync(path, { recursive: true }));
  return path;
}

for (const [name, make] of Object.entries(captureFiles)) {
  test(`${name} is what its maker makes`, () => {
    assert.deepEqual(new Uint8Array(readFileSync(captures + name)), make());
  });

  test(`replay --json of ${name} conforms to its schema`, async () => {
    const one = await json(captures + name, "--set", "max=100", "--set", "max=200@+1s");
    assert.deepEqual(replaySchema.parse(one), one);
    const two = await json(captures + name, "--compare", "max=100", "--compare", "udp_timeout=1m");
    assert.deepEqual(comparedSchema.parse(two), two);
  });

  test(`replay compares runs of ${name} to the same figures as one by one`, async () => {
    const settings = ["max=100", "max=300 tcp_timeout_syn_sent=5s", "checksum=0"];
    const { compared } = (await json(
      captures + name,
      ...settings.flatMap((list) => ["--compare", list]),
      "--until",
      "+1m",
    )) as { compared: object[] };
    for (const [index, list] of settings.entries()) {
      const each = list.split(" ").flatMap((change) => ["--set", change]);
      const alone = await json(captures + name, ...each, "--until", "+1m");
      const { settings: label, ...figures } = compared[index] as Record<string, unknown>;
      assert.equal(label, list);
      for (const [key, value] of Object.entries(figures)) assert.deepEqual(value, alone[key], key);
    }
  });
}

test("replay reads the same from packed files", async (context) => {
  const bytes = readFileSync(`${captures}flood.pcap`);
  const plain = await json(`${captures}flood.pcap`);
  for (const [name, packed] of [
    ["flood.pcap.gz", gzipSync(bytes)],
    ["flood.pcap.zst", zstdCompressSync(bytes)],
  ] as const) {
    const path = join(directory(context), name);
    writeFileSync(path, packed);
    const read = await json(path);
    assert.equal(
      (read["capture"] as { compression: string }).compression,
      name.endsWith("gz") ? "gzip" : "zstd",
    );
    for (const key of ["packets", "drops", "verdicts", "timeline", "flowsAtEnd"]) {
      assert.deepEqual(read[key], plain[key], key);
    }
  }
});

test("replay explains every truncation of a capture, and never breaks", async (context) => {
  const path = join(directory(context), "cut.pcap");
  const whole = readFileSync(`${captures}office.pcap`);
  for (let length = 0; length <= whole.length; length += length < 100 ? 1 : 7) {
    writeFileSync(path, whole.subarray(0, length));
    const { code, out, err } = await run(path);
    assert.doesNotMatch(err, /mistake|\n\s+at /, `${length}`);
    // The first four bytes tell what it is; from then on all that is there counts.
    assert.equal(code, length < 4 ? 1 : 0, `${length}: ${err}`);
    if (code === 1) assert.match(err, /^headroom: cannot read packets from /);
    else assert.match(out.replaceAll("\n", " "), /cut off at byte [\d,]+: |records?( in|;)/);
  }
});

test("replay explains truncations of packed captures", async (context) => {
  const path = join(directory(context), "cut.pcap.gz");
  const whole = gzipSync(readFileSync(`${captures}office.pcap`));
  for (let length = 0; length < whole.length; length += 11) {
    writeFileSync(path, whole.subarray(0, length));
    const { code, out, err } = await run(path);
    assert.doesNotMatch(err, /mistake|\n\s+at /, `${length}`);
    assert.equal(code, err.startsWith("headroom: cannot read packets from ") ? 1 : 0, `${length}: ${err}`);
    if (code === 0) assert.match(out.replaceAll("\n", " "), /packed data is broken or ends too early/);
  }
});

test("replay never overwrites the capture it reads", async (context) => {
  const path = join(directory(context), "a.pcap");
  writeFileSync(path, captureFiles["office.pcap"]?.() ?? assert.fail());
  const { code, err } = await run(path, "--table", path);
  assert.deepEqual([code, /it is what is being read/.test(err)], [2, true]);
  assert.ok(readFileSync(path).length > 0);
});

test("replay empties a file it writes into, but not when the capture is none", async (context) => {
  const place = directory(context);
  const table = join(place, "table.txt");
  writeFileSync(table, "what was there\n".repeat(1000));
  assert.equal((await run(`${captures}PROVENANCE.md`, "--table", table)).code, 1);
  assert.match(readFileSync(table, "utf8"), /^what was there/);
  assert.equal((await run(`${captures}neighbours.pcap`, "--table", table)).code, 0);
  assert.equal(readFileSync(table, "utf8"), "");
  assert.equal((await run(`${captures}office.pcap`, "--table", table)).code, 0);
  assert.equal(readFileSync(table, "utf8").trimEnd().split("\n").length, 5);
  const { code, err } = await run(`${captures}office.pcap`, "--table", place);
  assert.deepEqual([code, /cannot write the table into .*EISDIR/.test(err)], [1, true]);
});

test("replay says what was known when ^C was pressed", async () => {
  const bytes = captureFiles["flood.pcap"]?.() ?? assert.fail();
  const terminal = new FakeTerminal();
  const argv = ["replay", "-", "--json", "--verdicts", "/dev/null"];
  const code = await main(argv, terminal, {
    ...deps,
    async *standardInput() {
      yield bytes.subarray(0, bytes.length / 2);
      terminal.interrupt();
    },
  });
  const report = JSON.parse(terminal.out) as { interrupted: boolean; packets: number };
  assert.deepEqual([code, report.interrupted, report.packets], [130, true, 299]);
});

test("replay of a pipe ends with ^C although the pipe does not", async () => {
  const hoard = captureFiles["hoard.pcap"]?.() ?? assert.fail();
  const records = hoard.subarray(24);
  const bytes = new Uint8Array(24 + 20 * records.length);
  bytes.set(hoard.subarray(0, 24));
  for (let at = 24; at < bytes.length; at += records.length) bytes.set(records, at);
  const argv = ["--disable-warning=ExperimentalWarning", program, "replay", "-", "--json"];
  const child = spawn(process.execPath, argv, { stdio: ["pipe", "pipe", "inherit"] });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  // More than a pipe holds: when all of it is gone, most was read, and ^C is heard.
  child.stdin.write(bytes, () => child.kill("SIGINT"));
  const code = await new Promise((resolve) => child.on("close", resolve));
  child.stdin.destroy();
  const report = JSON.parse(out) as { interrupted: boolean; packets: number };
  assert.deepEqual([code, report.interrupted], [130, true]);
  assert.ok(report.packets > 0);
});
