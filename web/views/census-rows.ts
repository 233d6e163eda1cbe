/** Rows of a census with the terms that narrow down to them. Pure. */
import type { RankRow } from "../parts/ranking.tsx";
import type { CensusFigures, Tally } from "../state/census-shape.ts";
import { formatCount } from "../words/figures.ts";

export interface Ranked {
  title: string;
  rows: RankRow[];
  isMono: boolean;
  /** How many keys there are in all; undefined where all are shown. */
  distinct?: number;
  isExact?: boolean;
}

/** How the figures of a census were had: by counting all, or from a sample. */
export function countedHow({ complete, sampled, flowsRead }: CensusFigures): string {
  if (complete) return "all flows read";
  const read = formatCount(sampled?.flowsRead ?? flowsRead);
  return `a sample: ${read} flows read; figures are estimates, ± holds 95 of 100`;
}

const HOUR_MS = 3_600_000;
/** No census is kept for longer than 30 days. */
const CENSUSES_KEPT_MS = 30 * 24 * HOUR_MS;

/** The question when censuses were taken; asked anew each hour, as only the oldest is shown. */
export function censusTimesPath(nowMs: number): string {
  const toMs = Math.ceil((nowMs + 1) / HOUR_MS) * HOUR_MS;
  return `census/times?from=${toMs - CENSUSES_KEPT_MS - HOUR_MS}&to=${toMs}`;
}

/** All rankings of a census in the order in which they explain it; without those that have one row of all. */
export function rankingsOf(census: CensusFigures): Ranked[] {
  const { accuracy = {} } = census;
  const top = (title: string, name: keyof CensusFigures, rows: RankRow[], isMono = true): Ranked => {
    const known = accuracy[name];
    return {
      title,
      rows,
      isMono,
      ...(known === undefined ? {} : { distinct: known.distinct, isExact: known.exact }),
    };
  };
  const addresses = (rows: readonly (Tally & { address: string })[] = [], field: string): RankRow[] =>
    rows.map((row) => toRow(row, row.address, `${field} ${row.address}`));
  const prefixes = (rows: readonly (Tally & { prefix: string })[] = [], field: string): RankRow[] =>
    rows.map((row) => toRow(row, row.prefix, `${field} ${row.prefix}`));
  return [
    { title: "States", rows: stateRows(census), isMono: false },
    top("Services", "topServices", serviceRows(census), false),
    top("Sources", "topSources", addresses(census.topSources, "source")),
    top("Destinations", "topDestinations", addresses(census.topDestinations, "destination")),
    top("Source networks", "topSourcePrefixes", prefixes(census.topSourcePrefixes, "source")),
    top(
      "Destination networks",
      "topDestinationPrefixes",
      prefixes(census.topDestinationPrefixes, "destination"),
    ),
    top(
      "Sources without an answer",
      "topUnansweredSources",
      (census.topUnansweredSources ?? []).map((row) =>
        toRow(row, row.address, `unreplied source ${row.address}`),
      ),
    ),
    { title: "Protocols", rows: protocolRows(census), isMono: false },
    { title: "Status", rows: statusRows(census), isMono: false },
  ];
}

function toRow(row: Tally, label: string, term: string | undefined, detail?: string): RankRow {
  const { flows, standardErrorFlows } = row;
  return { label, flows, standardErrorFlows, term, ...(detail === undefined ? {} : { detail }) };
}

function stateRows({ byState = [] }: CensusFigures): RankRow[] {
  return byState.map((row) =>
    toRow(row, row.state, `${row.protocol} state ${row.state.toLowerCase()}`, row.protocol),
  );
}

function protocolRows({ byProtocol = [] }: CensusFigures): RankRow[] {
  return byProtocol.map((row) => toRow(row, row.protocol, `protocol ${row.protocol}`));
}

/** Names of common ports, for people; the port itself always stands beside. */
const PORTS: Readonly<Record<number, string>> = {
  22: "ssh",
  25: "smtp",
  53: "dns",
  80: "http",
  110: "pop3",
  123: "ntp",
  143: "imap",
  443: "https",
  500: "ike",
  587: "submission",
  853: "dns over tls",
  993: "imaps",
  1194: "openvpn",
  1883: "mqtt",
  3306: "mysql",
  3478: "stun",
  5060: "sip",
  5432: "postgresql",
  6379: "redis",
  8080: "http",
  8443: "https",
  9092: "kafka",
  51_820: "wireguard",
};

function serviceRows({ topServices = [] }: CensusFigures): RankRow[] {
  return topServices.map((row) =>
    toRow(
      row,
      `${row.protocol} ${row.port}`,
      `protocol ${row.protocol} destination-port ${row.port}`,
      PORTS[row.port],
    ),
  );
}

const STATUS_WORDS: Readonly<Record<string, string>> = {
  "seen-reply": "answered",
  unreplied: "not answered",
  assured: "assured",
  "src-nat": "source translated",
  "dst-nat": "destination translated",
  offload: "offloaded",
  "hw-offload": "offloaded to hardware",
};

function statusRows({ byStatus = {}, byStatusStandardErrorFlows: errors = {} }: CensusFigures): RankRow[] {
  return (
    Object.entries(byStatus)
      // Every flow of the table is confirmed.
      .filter(([name, flows]) => flows > 0 && name !== "confirmed")
      .map(([name, flows]) => {
        const standardErrorFlows = errors[name];
        const row = standardErrorFlows === undefined ? { flows } : { flows, standardErrorFlows };
        return toRow(row, STATUS_WORDS[name] ?? name, `status ${name}`);
      })
      .toSorted((a, b) => b.flows - a.flows)
  );
}
