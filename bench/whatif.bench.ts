/**
 * What previewing costs beside a census: the fold of idle ages, that of silent flows, and an answer from
 * them, each for the same decoded flows.
 */
import { type Random, seededRandom } from "../src/base/random.ts";
import { CensusBuilder, IdleAges, SilentFlows } from "../src/census/census.ts";
import { stationaryModel } from "../src/plan/plan.ts";
import { ADDRESS_WORDS } from "../src/table/address.ts";
import { FlowColumns, Has } from "../src/table/columns.ts";
import { TCP, UDP } from "../src/table/protocol.ts";
import { TcpState } from "../src/table/state.ts";
import { ALL_STATUS, Status } from "../src/table/status.ts";
import { type BenchOutput, medianMs } from "./bench.ts";

export const name = "whatif";
export const about = "folding idle ages and answering from them, against the census of the same flows";
export const small = 3000;
export const smallResult = "5 regimes, 3000 flows, 1910 under a day";
export const large = 1_000_000;

const BATCH_ROWS = 512;
/** Batches that are folded again and again: more would measure memory. */
const BATCHES = 200;
const RUNS = 3;
/** Of the census that is taken along with it, a fold of idle ages may cost so much. */
const MOST_OF_A_CENSUS = 0.5;

const settings = {
  nf_conntrack_tcp_timeout_established: 432_000,
  nf_conntrack_tcp_timeout_syn_sent: 120,
  nf_conntrack_tcp_timeout_time_wait: 120,
  nf_conntrack_udp_timeout: 30,
  nf_conntrack_udp_timeout_stream: 120,
};

export function run(flows: number, out: BenchOutput): void {
  const random = seededRandom(1);
  const wholes = Math.min(BATCHES, Math.ceil(flows / BATCH_ROWS));
  const batches = Array.from({ length: wholes }, () => batchOf(random));
  const each = (add: (columns: FlowColumns) => void): void => {
    for (let from = 0, batch = 0; from < flows; from += BATCH_ROWS, batch++) {
      const columns = batches[batch % wholes] as FlowColumns;
      columns.count = Math.min(BATCH_ROWS, flows - from);
      add(columns);
    }
  };
  const fold = (make: () => { add(columns: FlowColumns): void }): number =>
    medianMs(RUNS, () => {
      const folding = make();
      each((columns) => folding.add(columns));
    });
  const census = fold(() => new CensusBuilder({ settings }));
  const idle = fold(() => new IdleAges({ settings }));
  const silent = fold(
    () => new SilentFlows({ settings }, [{ nf_conntrack_tcp_timeout_established: 86_400 }]),
  );
  out.figure("census", (census * 1e6) / flows, "ns a flow");
  out.figure("idle ages", (idle * 1e6) / flows, "ns a flow");
  out.figure("silent flows", (silent * 1e6) / flows, "ns a flow");
  out.ratio("idle ages to census", idle / census, flows >= large ? MOST_OF_A_CENSUS : undefined);
  const ages = new IdleAges({ settings });
  each((columns) => ages.add(columns));
  const reading = { regimes: ages.regimes(), flowsRead: ages.flows, ofFlows: ages.flows };
  const observation = {
    first: reading,
    second: reading,
    seconds: 10,
    settings,
    census: new CensusBuilder({ settings }).finish({ complete: true, oddities: {} }),
  };
  let under = 0;
  const answer = medianMs(RUNS, () => {
    const model = stationaryModel({ ...observation, seconds: 0 });
    under = model({ nf_conntrack_tcp_timeout_established: 86_400 }).total.flows;
    stationaryModel(observation)({ nf_conntrack_tcp_timeout_established: 86_400 });
  });
  out.figure("an answer by balance and one by two readings", answer, "ms");
  out.result(`${reading.regimes.length} regimes, ${ages.flows} flows, ${Math.round(under)} under a day`);
}

function batchOf(random: Random): FlowColumns {
  const columns = new FlowColumns(BATCH_ROWS, ALL_STATUS);
  for (let row = 0; row < BATCH_ROWS; row++) writeRow(columns, row, random);
  columns.count = BATCH_ROWS;
  return columns;
}

const kinds = [
  { protocol: TCP, state: TcpState.ESTABLISHED, isAnswered: true, longest: 432_000, percent: 45 },
  { protocol: TCP, state: TcpState.TIME_WAIT, isAnswered: true, longest: 120, percent: 15 },
  { protocol: TCP, state: TcpState.SYN_SENT, isAnswered: false, longest: 120, percent: 10 },
  { protocol: UDP, isAnswered: false, longest: 30, percent: 15 },
  { protocol: UDP, isAnswered: true, longest: 120, percent: 15 },
] as const;

function writeRow(columns: FlowColumns, row: number, random: Random): void {
  let percent = random.below(100);
  const kind = kinds.find((one) => (percent -= one.percent) < 0) ?? kinds[0];
  columns.family[row] = 4;
  columns.protocol[row] = kind.protocol;
  columns.has[row] = Has.timeout | Has.status | Has.reply | ("state" in kind ? Has.state : 0);
  columns.state[row] = "state" in kind ? kind.state : 0;
  columns.status[row] = Status.CONFIRMED | (kind.isAnswered ? Status.SEEN_REPLY | Status.ASSURED : 0);
  columns.timeoutSeconds[row] = random.below(kind.longest);
  const at = row * ADDRESS_WORDS;
  const source = 0x0a00_0000 + random.below(20_000);
  columns.originalSource[at] = source;
  columns.originalDestination[at] = 0xc000_0201;
  columns.replySource[at] = 0xc000_0201;
  columns.replyDestination[at] = random.below(4) === 0 ? 0x0101_0101 : source;
  columns.originalSourceDiscriminator[row] = columns.replyDestinationDiscriminator[row] =
    1024 + random.below(60_000);
  columns.originalDestinationDiscriminator[row] = columns.replySourceDiscriminator[row] = 443;
}
