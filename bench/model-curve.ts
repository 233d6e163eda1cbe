/**
 * What a packet costs by the number of flows that live, and what a flow takes in memory. Every number is
 * measured in a process of its own: `node --expose-gc bench/model-curve.ts FLOWS` prints one line of JSON.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { seededRandom } from "../src/base/random.ts";
import { Tracker, Verdict } from "../src/model/model.ts";
import { BATCH_ROWS, hashTuple, PacketColumns, PacketKind } from "../src/packet/packet.ts";
import { ADDRESS_WORDS } from "../src/table/address.ts";
import { UDP } from "../src/table/protocol.ts";

/** What was measured with one number of flows. */
export interface CurvePoint {
  readonly flows: number;
  readonly nsPerPacket: number;
  readonly bytesPerFlow: number;
}

/** Packets whose time is taken, to flows chosen at random: no cache helps. */
const PACKETS = 4_000_000;
const WARM_UP_PACKETS = 1_000_000;
const START_MS = 1_700_000_000_000;
const PACKETS_PER_MS = 1000;

/** Measures one point; says why it could not be. */
export function curvePoint(flows: number): CurvePoint | string {
  const file = fileURLToPath(import.meta.url);
  const args = ["--expose-gc", "--disable-warning=ExperimentalWarning", file, String(flows)];
  // As bin/headroom starts a replay.
  const hugePages = Object.fromEntries([["GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"]]);
  const env = { ...process.env, ...hugePages };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env });
  if (status === 0) return JSON.parse(stdout) as CurvePoint;
  return `the process ended with ${status}: ${stderr.trim().split("\n").at(-1) ?? ""}`;
}

function measure(flows: number): CurvePoint {
  const before = heldBytes();
  const tracker = new Tracker({
    // As many buckets as flows, as the kernel chooses by itself, and nobody expires.
    settings: {
      nf_conntrack_max: flows * 2,
      nf_conntrack_buckets: flows,
      nf_conntrack_udp_timeout: 86_400,
      nf_conntrack_udp_timeout_stream: 86_400,
    },
  });
  const traffic = new Traffic(tracker);
  for (let flow = 0; flow < flows; flow += 1) traffic.packet(flow, false);
  traffic.flush(Verdict.NEW);
  const held = heldBytes() - before;
  const random = seededRandom(flows);
  for (let packet = 0; packet < WARM_UP_PACKETS; packet += 1)
    traffic.packet(random.below(flows), (packet & 1) === 0);
  traffic.flush();
  traffic.feedMs = 0;
  for (let packet = 0; packet < PACKETS; packet += 1) traffic.packet(random.below(flows), (packet & 1) === 0);
  traffic.flush();
  if (tracker.occupancyFlows !== flows) throw new Error(`${tracker.occupancyFlows} flows live of ${flows}`);
  return { flows, nsPerPacket: (traffic.feedMs * 1e6) / PACKETS, bytesPerFlow: held / flows };
}

/** What the process has of the machine: memory that was asked for and never touched does not count. */
function heldBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

/** UDP between as many pairs as there are flows, batch by batch. */
class Traffic {
  readonly #tracker: Tracker;
  readonly #batch = new PacketColumns(BATCH_ROWS);
  readonly #verdicts = new Uint8Array(BATCH_ROWS);
  #packets = 0;
  /** Time spent in the tracker, without making the packets. */
  feedMs = 0;

  constructor(tracker: Tracker) {
    this.#tracker = tracker;
    this.#batch.clear(1);
  }

  packet(flow: number, reply: boolean): void {
    const batch = this.#batch;
    const row = batch.count;
    const at = row * ADDRESS_WORDS;
    const client = 0x0a00_0000 | (flow >>> 6);
    const server = 0xc612_0000 | (flow & 0xfff);
    const port = 20_000 + (flow & 63);
    batch.kind[row] = PacketKind.IP;
    batch.timeMs[row] = START_MS + Math.floor(this.#packets / PACKETS_PER_MS);
    batch.family[row] = 4;
    batch.protocol[row] = UDP;
    batch.lengthBytes[row] = 100;
    batch.source[at] = reply ? server : client;
    batch.destination[at] = reply ? client : server;
    const [from, to] = reply ? [53, port] : [port, 53];
    batch.sourceDiscriminator[row] = from;
    batch.destinationDiscriminator[row] = to;
    batch.hash[row] = hashTuple(0, 4 | (UDP << 8), batch.source, batch.destination, at, from | (to << 16));
    batch.extraAt[row] = -1;
    batch.payloadAt[row] = -1;
    batch.count = row + 1;
    this.#packets += 1;
    if (batch.count === BATCH_ROWS) this.flush();
  }

  /** Gives the batch to the tracker; with `expected`, every packet must have that verdict. */
  flush(expected?: number): void {
    const { count, firstRecord } = this.#batch;
    const start = performance.now();
    this.#tracker.feed(this.#batch, this.#verdicts);
    this.feedMs += performance.now() - start;
    const wrong = this.#verdicts.subarray(0, count).find((verdict) => verdict !== expected);
    if (expected !== undefined && wrong !== undefined)
      throw new Error(`A packet is ${wrong}, not ${expected}`);
    this.#batch.clear(firstRecord + count);
  }
}

if (import.meta.main) console.log(JSON.stringify(measure(Number(process.argv[2]))));
