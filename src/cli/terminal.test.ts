import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { descriptorSink, ReaderGone } from "./terminal.ts";

const headroom = fileURLToPath(new URL("../../bin/headroom", import.meta.url));

test("descriptorSink() writes text and bytes whole", (context) => {
  const directory = mkdtempSync(join(tmpdir(), "headroom-test-"));
  context.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "out");
  const descriptor = openSync(path, "w");
  const sink = descriptorSink(descriptor);
  sink.write("größe ");
  sink.write(new TextEncoder().encode("日本\n"));
  sink.write("");
  sink.write("größer als alles davor: 日本語\n");
  sink.write("\u{1f600}");
  sink.write("\n");
  closeSync(descriptor);
  assert.equal(readFileSync(path, "utf8"), "größe 日本\ngrößer als alles davor: 日本語\n\u{1f600}\n");
});

test("descriptorSink() passes errors of the disk on", () => {
  const descriptor = openSync("/dev/full", "w");
  assert.throws(
    () => descriptorSink(descriptor).write("x"),
    (error) =>
      !(error instanceof ReaderGone) &&
      error instanceof Error &&
      (error as NodeJS.ErrnoException).code === "ENOSPC" &&
      error.message === "Cannot write the output: no space left on device (ENOSPC)",
  );
  closeSync(descriptor);
});

test("a reader that leaves ends the program quietly", () => {
  const script = '"$0" help --man | head -c 10; echo " ${PIPESTATUS[0]}"';
  const { stdout, stderr } = spawnSync("bash", ["-c", script, headroom], { encoding: "utf8" });
  assert.deepEqual({ stdout, stderr }, { stdout: ".TH HEADRO 0\n", stderr: "" });
});

test("a slow reader of a pipe that does not block gets everything", () => {
  const line =
    "udp 17 25 src=10.0.0.5 dst=10.0.0.6 sport=4 dport=5 src=10.0.0.6 dst=10.0.0.5 sport=5 dport=4 use=1";
  const flows = 5000;
  // A process that shares the pipe has made it non-blocking, as event loops do; 64 KiB fill it.
  const opener = `
    process.stdout._handle.setBlocking(false);
    const list = ["list", "--source", "-"];
    require("node:child_process").spawnSync(process.argv[1], list, { stdio: [0, 1, "ignore"] });`;
  const script = 'yes "$2" | head -n "$3" | "$0" -e "$4" "$1" | { sleep 0.3; wc -l; }';
  const args = ["-c", script, process.execPath, headroom, line, String(flows), opener];
  const { stdout, stderr } = spawnSync("bash", args, { encoding: "utf8" });
  assert.deepEqual({ stdout: stdout.trim(), stderr }, { stdout: String(flows), stderr: "" });
});

test("the terminal's width decides the width of the text", (context) => {
  const line = `stty cols 70 && "${headroom}" help list`;
  const { stdout, error } = spawnSync("script", ["-qec", line, "/dev/null"], { encoding: "utf8" });
  if (error !== undefined) {
    context.skip("script(1) is not installed");
    return;
  }
  const widest = Math.max(
    ...stdout
      .split(/\r?\n/)
      .slice(0, 12)
      .map((text) => text.length),
  );
  assert.ok(widest <= 70 && widest > 50, `${widest} columns`);
});
