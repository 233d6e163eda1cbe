/**
 * `headroom replay --live` as a whole: frames on one end of a wire in a namespace of its own, the command on
 * the other end, ended by ^C.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import * as ffi from "../../src/kernel/ffi.ts";
import { insideNamespace, namedNamespace } from "../../src/kernel/namespace-enter.ts";
import { captureFiles } from "../support/capture-files.ts";
import { startGuard } from "../support/inject.ts";

const name = `hr-live-${process.pid}`;
const guard = startGuard(name);
const program = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const HERE = 101;
/** Behind the headers of the file and of its first record: 54 bytes of a SYN. */
const FIRST_FRAME = 24 + 16;
const FRAME_BYTES = 54;

execFileSync("ip", ["netns", "add", name]);
execFileSync("ip", ["netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
const wire = ["link", "add", "here", "index", String(HERE), "type", "veth", "peer", "name", "there"];
execFileSync("ip", ["-n", name, ...wire]);
for (const end of ["here", "there"]) execFileSync("ip", ["-n", name, "link", "set", end, "up", "arp", "off"]);

after(() => {
  spawnSync("ip", ["netns", "del", name], { stdio: "ignore" });
  guard.stdin?.end("done\n");
});

/** A socket that puts frames on the wire's end. */
function openSender(): number {
  const calls = ffi.systemCalls();
  const fd = insideNamespace(namedNamespace(name), () =>
    calls.socket(ffi.AF_PACKET, ffi.SOCK_RAW | ffi.SOCK_CLOEXEC, 0),
  );
  assert.ok(fd >= 0);
  const address = new Uint8Array(20);
  address[0] = ffi.AF_PACKET;
  address[4] = HERE;
  assert.equal(calls.bind(fd, address), 0);
  return fd;
}

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** Runs the command while a SYN is sent again and again; ^C comes as soon as it has printed something. */
async function runLive(...argv: readonly string[]): Promise<Ended> {
  const words = ["--disable-warning=ExperimentalWarning", program, "replay", "--live", "there"];
  const child = spawn(process.execPath, [...words, "--netns", name, ...argv], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended: Ended = { code: null, out: "", err: "" };
  const calls = ffi.systemCalls();
  const sender = openSender();
  const flood = captureFiles["flood.pcap"]?.() ?? assert.fail();
  const frame = flood.subarray(FIRST_FRAME, FIRST_FRAME + FRAME_BYTES);
  // Verdicts are printed in lots, so many packets make them come soon; none are lost of few.
  const burst = argv.includes("--for") ? 10 : 500;
  const sending = setInterval(() => {
    for (let count = 0; count < burst; count += 1) calls.send(sender, frame, 0);
  }, 10);
  child.stderr.setEncoding("utf8").on("data", (text: string) => (ended.err += text));
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    // A second ^C would end the program at once.
    if (ended.out === "" && !argv.includes("--for")) child.kill("SIGINT");
    ended.out += text;
  });
  try {
    ended.code = await new Promise((resolve) => child.on("close", resolve));
  } finally {
    clearInterval(sending);
    calls.close(sender);
  }
  return ended;
}

test("replay --live tells the verdict of every packet that passes, until ^C", async () => {
  const { code, out, err } = await runLive("--verdicts", "-");
  assert.equal(code, 0, err);
  const lines = out.trimEnd().split("\n");
  for (const [index, line] of lines.entries()) assert.equal(line, `${index + 1} new`);
  assert.match(
    err,
    new RegExp(`^headroom: ${lines.length.toLocaleString("en")} records of there; 1 flow left\n$`),
  );
});

interface Report {
  packets: number;
  capture: { lostPackets: number };
  compared: readonly { flowsCreated: number; verdicts: { new: number } }[];
}

async function reportAfter(duration: string): Promise<Report> {
  const options = ["--json", "--compare", "max=1", "--compare", "max=5"];
  const { code, out, err } = await runLive("--for", duration, ...options);
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  return JSON.parse(out) as Report;
}

test("replay --live ends by itself, with a report", async () => {
  let report = await reportAfter("1s");
  // On a very slow machine the reader's thread begins after that, and cannot keep up.
  if (report.packets === 0) report = await reportAfter("15s");
  else assert.equal(report.capture.lostPackets, 0);
  assert.ok(report.packets > 0);
  for (const { flowsCreated, verdicts } of report.compared) {
    assert.deepEqual([flowsCreated, verdicts.new], [1, report.packets]);
  }
});

test("replay --live says which interface is missing", () => {
  const words = [
    "--disable-warning=ExperimentalWarning",
    program,
    "replay",
    "--live",
    "nowhere",
    "--netns",
    name,
  ];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /^headroom: cannot capture packets on nowhere: there is no such interface/);
});
