/**
 * What counting costs, without reading: batches as a decoder leaves them, folded into a census. The tables of
 * addresses and pairs are what makes the difference: they stay small, they fit, or they no longer do.
 */
import { seededRandom, type Random } from "../src/base/random.ts";
import { type Census, CensusBuilder } from "../src/census/census.ts";
import { ADDRESS_WORDS } from "../src/table/address.ts";
import { FlowColumns, Has } from "../src/table/columns.ts";
import { TCP, UDP } from "../src/table/protocol.ts";
import { SETTING_KEYS, settingOf, type Settings } from "../src/table/settings.ts";
import { TcpState } from "../src/table/state.ts";
import { ALL_STATUS, Status } from "../src/table/status.ts";
import { type BenchOutput, median } from "./bench.ts";

export const name = "census";
export const about = "counting flows that are already decoded, by how many addresses and pairs there are";
export const small = 3000;
export const smallResult =
  "one client 4 1 | 20,000 sources, a pair each flow 3000 3000 | a server's visitors 2980 2798 | " +
  "a source each flow 3000 3000 | IPv6, a source each flow 3000 3000";
export const large = 1_000_000;

/** Rows of a batch: as many as the kernel sends at once, a few times over. */
const BATCH_ROWS = 512;
const RUNS = 3;

interface Crowd {
  name: string;
  family: 4 | 6;
  /** Source and destination of flow number `index`, as the last word of their addresses. */
  talk(index: number, random: Random): readonly [number, number];
}

const crowds: readonly Crowd[] = [
  { name: "one client", family: 4, talk: () => [0x0a00_0001, 0x0a00_0002] },
  {
    name: "20,000 sources, a pair each flow",
    family: 4,
    talk: (index) => [0x0a00_0000 + (index % 20_000), 0xc000_0000 + Math.floor(index / 20_000) * 7919],
  },
  {
    name: "a server's visitors",
    family: 4,
    talk: (_index, random) => [
      Math.floor(0x0b00_0000 + random.fraction() ** 3 * 300_000),
      0xc0a8_0000 + random.below(20),
    ],
  },
  { name: "a source each flow", family: 4, talk: (index) => [Math.imul(index, 0x9e37_79b1), 0xc0a8_0001] },
  { name: "IPv6, a source each flow", family: 6, talk: (index) => [Math.imul(index, 0x9e37_79b1), 1] },
];

export function run(flows: number, out: BenchOutput): void {
  const results: string[] = [];
  for (const crowd of crowds) {
    const times: number[] = [];
    let census: Census | undefined;
    for (let count = 0; count < RUNS; count += 1) {
      const counted = countCrowd(crowd, flows);
      times.push((counted.ms * 1e6) / flows);
      ({ census } = counted);
    }
    out.figure(`${crowd.name}, the first time`, times[0] ?? 0, "ns a flow");
    out.figure(`${crowd.name}, median`, median(times), "ns a flow");
    results.push(`${crowd.name} ${census?.topPairs.distinct} ${census?.topSources.distinct}`);
  }
  out.figure("resident memory", process.memoryUsage().rss / 1e6, "MB");
  out.result(results.join(" | "));
}

/** Counts `flows` flows of a crowd; the time is that of counting and finishing alone, not of making them. */
function countCrowd(crowd: Crowd, flows: number): { ms: number; census: Census } {
  const random = seededRandom(1);
  const builder = new CensusBuilder({ settings: defaultTimeouts() });
  const columns = new FlowColumns(BATCH_ROWS, ALL_STATUS);
  let ms = 0;
  for (let from = 0; from < flows; from += BATCH_ROWS) {
    columns.count = Math.min(BATCH_ROWS, flows - from);
    for (let row = 0; row < columns.count; row += 1) writeRow(columns, row, crowd, from + row, random);
    const start = performance.now();
    builder.add(columns);
    ms += performance.now() - start;
  }
  const start = performance.now();
  const census = builder.finish({ complete: true, oddities: {} });
  return { ms: ms + performance.now() - start, census };
}

/** States as a busy host has them, in percent, with the longest time that may remain. */
const states = [
  [TcpState.ESTABLISHED, 45, 431_900],
  [TcpState.TIME_WAIT, 20, 120],
  [TcpState.SYN_SENT, 15, 120],
  [TcpState.CLOSE_WAIT, 10, 60],
  [TcpState.LAST_ACK, 10, 30],
] as const;

function writeRow(columns: FlowColumns, row: number, crowd: Crowd, index: number, random: Random): void {
  const [source, destination] = crowd.talk(index, random);
  const last = row * ADDRESS_WORDS + (crowd.family === 4 ? 0 : ADDRESS_WORDS - 1);
  const sourcePort = 1024 + random.below(60_000);
  const destinationPort = random.below(8) === 0 ? 80 : 443;
  columns.family[row] = crowd.family;
  columns.originalSource[last] = source;
  columns.originalDestination[last] = destination;
  columns.replySource[last] = destination;
  columns.replyDestination[last] = random.below(4) === 0 ? 0x0101_0101 : source;
  columns.originalSourceDiscriminator[row] = sourcePort;
  columns.originalDestinationDiscriminator[row] = destinationPort;
  columns.replySourceDiscriminator[row] = destinationPort;
  columns.replyDestinationDiscriminator[row] = sourcePort;
  writeCondition(columns, row, random);
}

function writeCondition(columns: FlowColumns, row: number, random: Random): void {
  const given = Has.timeout | Has.status | Has.mark | Has.use | Has.id | Has.reply;
  const answered = Status.CONFIRMED | Status.SEEN_REPLY;
  if (random.below(4) === 0) {
    columns.protocol[row] = UDP;
    columns.has[row] = given;
    columns.status[row] = random.below(2) === 0 ? Status.CONFIRMED : answered;
    columns.timeoutSeconds[row] = random.below(30);
    return;
  }
  let percent = random.below(100);
  const [state, , longest] = states.find(([, share]) => (percent -= share) < 0) ?? states[0];
  columns.protocol[row] = TCP;
  columns.has[row] = given | Has.state | Has.tcpInfo;
  columns.state[row] = state;
  columns.status[row] = state === TcpState.SYN_SENT ? Status.CONFIRMED : answered | Status.ASSURED;
  columns.timeoutSeconds[row] = random.below(longest);
}

function defaultTimeouts(): Settings {
  return Object.fromEntries(
    SETTING_KEYS.flatMap((key) => {
      const { defaults, unit } = settingOf(key);
      const value = defaults?.at(-1)?.value;
      return unit === "seconds" && value !== undefined ? [[key, value]] : [];
    }),
  );
}
