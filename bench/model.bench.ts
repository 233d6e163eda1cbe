/**
 * How fast a capture goes through the model: `headroom replay` from start to end, against programs that read
 * the same file and track its flows as well, in one run, in turn; what more settings at once cost.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BenchOutput, median } from "./bench.ts";
import { type CaptureSize, writeCapture } from "./model-capture.ts";
import { curvePoint } from "./model-curve.ts";
import { measureLive } from "./model-live.ts";
import { type Command, otherRivals, type Places, slowRival, softflowd } from "./model-rivals.ts";

export const name = "model";
export const about = "headroom replay of a capture, against other programs that track its flows";
export const small: CaptureSize = { packets: 3000, flows: 300 };
export const smallResult = "3000 packets, 300 flows, 653ef5d4";
export const large: CaptureSize = { packets: 3_000_000, flows: 300_000 };

const headroom = fileURLToPath(new URL("../bin/headroom", import.meta.url));
/** The promises, as times: three times as many packets a second; four settings in three times the time. */
const AT_MOST_OF_SOFTFLOWD = 1 / 3;
const AT_MOST_OF_ONE_SETTING = 3;
const AT_MOST_OF_10_000 = 2;
const AT_MOST_BYTES = 160;
const MILLION = 1_000_000;
const LIVE: CaptureSize = { packets: 1_000_000, flows: 100_000 };
const ROUNDS = 5;
/** Longer than the slowest takes on a slow machine; a program that hangs must not hang all. */
const LIMIT_MS = 300_000;

export async function run(size: CaptureSize, out: BenchOutput): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "headroom-model-"));
  try {
    const capture = join(directory, "capture.pcap");
    const start = performance.now();
    const { bytes, checksum } = writeCapture(capture, size);
    const sum = checksum.toString(16).padStart(8, "0");
    out.result(`${size.packets} packets, ${size.flows} flows, ${sum}`);
    if (size.packets < large.packets) return;
    out.figure("size of the capture", bytes / 1e6, "MB");
    out.figure("writing it", performance.now() - start, "ms");
    measure(size, { capture, directory }, out);
    drawCurve(out);
    writeCapture(capture, LIVE);
    await measureOnWire(capture, out);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function measure(size: CaptureSize, places: Places, out: BenchOutput): void {
  const replay: Command = {
    name: "headroom replay --json",
    program: headroom,
    args: ["replay", places.capture, "--json"],
  };
  const compare = ["65536", "131072", "262144", "524288"].flatMap((capacity) => [
    "--compare",
    `nf_conntrack_max=${capacity}`,
  ]);
  const four: Command = {
    ...replay,
    name: "headroom replay of four settings",
    args: [...replay.args, ...compare],
  };
  const rival = softflowd(places);
  const commands = [replay, rival, four, ...otherRivals(places)];
  const times = timesOf(commands, ROUNDS, out);
  const slow = slowRival(places);
  for (const [command, list] of timesOf([slow], 1, out)) times.set(command, list);

  const seconds = (command: Command): number => median(times.get(command) ?? [Number.NaN]) / 1000;
  for (const command of times.keys()) {
    out.figure(command.name, size.packets / seconds(command) / 1e6, "million packets/s");
  }
  if (!times.has(replay)) return;
  if (times.has(four))
    out.ratio(`${four.name} / one`, seconds(four) / seconds(replay), AT_MOST_OF_ONE_SETTING);
  for (const command of times.keys()) {
    if (command === replay || command === four) continue;
    const promise = command === rival ? AT_MOST_OF_SOFTFLOWD : undefined;
    out.ratio(`time of ${replay.name} / ${command.name}`, seconds(replay) / seconds(command), promise);
  }
  checkCounts(replay, size, out);
}

/**
 * Milliseconds of every command in every round; in turn, so that a busy machine slows all. What cannot be run
 * is left out, with a note.
 */
function timesOf(commands: readonly Command[], rounds: number, out: BenchOutput): Map<Command, number[]> {
  const times = new Map(commands.map((command) => [command, [] as number[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [command, list] of times) {
      const start = performance.now();
      const problem = problemOf(command);
      list.push(performance.now() - start);
      if (problem === undefined) continue;
      out.note(`${command.name} is left out: ${problem}`);
      times.delete(command);
    }
  }
  return times;
}

/** Runs a command; says why it failed, if it did. */
function problemOf({ program, args }: Command): string | undefined {
  const { error, status, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
    timeout: LIMIT_MS,
  });
  if (error !== undefined)
    return "code" in error && error.code === "ENOENT" ? "it is not installed" : error.message;
  if (status === 0) return undefined;
  return `it ended with ${status}: ${stderr.trim().split("\n").at(-1) ?? ""}`;
}

/** A fast answer counts only when it is the right one. */
function checkCounts({ program, args }: Command, size: CaptureSize, out: BenchOutput): void {
  const { stdout } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  const { packets, flowsCreated } = JSON.parse(stdout) as { packets: number; flowsCreated: number };
  out.figure("flows created", flowsCreated, `of ${size.flows}`);
  if (packets !== size.packets) throw new Error(`${packets} packets replayed of ${size.packets}`);
}

/** Time per packet by the number of flows that live; HEADROOM_BENCH_FLOWS=10000000 adds a number. */
function drawCurve(out: BenchOutput): void {
  const more = Number(process.env["HEADROOM_BENCH_FLOWS"] ?? 0);
  const sizes = [10_000, 100_000, MILLION, ...(more > 0 ? [more] : [])];
  let least: number | undefined;
  for (const flows of sizes) {
    const point = curvePoint(flows);
    if (typeof point === "string") {
      out.note(`no time of a packet with ${flows} flows: ${point}`);
      continue;
    }
    out.figure(`a packet of any of ${flows} flows`, point.nsPerPacket, "ns");
    // Among fewer, the rest of the process would be counted for flows.
    if (flows >= MILLION) out.figure(`memory of one of ${flows} flows`, point.bytesPerFlow, "bytes");
    least ??= point.nsPerPacket;
    if (flows !== MILLION) continue;
    out.ratio(`a packet with ${flows} flows / with 10000`, point.nsPerPacket / least, AT_MOST_OF_10_000);
    out.ratio(
      `memory of one of ${flows} flows, of ${AT_MOST_BYTES} bytes`,
      point.bytesPerFlow / AT_MOST_BYTES,
      1,
    );
  }
}

async function measureOnWire(capture: string, out: BenchOutput): Promise<void> {
  const results = await measureLive(headroom, capture);
  if (typeof results === "string") return out.note(`nothing measured of live packets: ${results}`);
  for (const { packetsPerSecond, packets, lostPackets } of results) {
    const lost = lostPackets === 0 ? "none lost" : `${lostPackets} of ${packets + lostPackets} lost`;
    out.figure(`live packets, ${lost}`, packetsPerSecond / 1e6, "million packets/s");
  }
}
