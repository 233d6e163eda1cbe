/**
 * The census: what fills a table, counted in one pass and without an opinion.
 *
 * Feed a CensusBuilder every batch of a reading, then `finish` it. Memory is constant whatever the size of
 * the table: counts by kind are small arrays, counts by address and pair are hash tables of bounded size that
 * are exact until their keys no longer fit and have a stated error bound after (key-tally.ts). Builders over
 * parts of a table merge to the builder over the whole.
 *
 * It refuses to judge (plan does), to read anything, and to guess: what the source cannot tell is absent from
 * the result or counted as unknown.
 *
 * Invariants: counts of kinds add up to `flows`; a figure of a top list is never too high and at most
 * `errorBoundFlows` too low; the result does not depend on the order of the flows while everything fits.
 *
 * Read first: shape.ts (the result), then key-tally.ts.
 */
import type { FlowColumns } from "../table/columns.ts";
import { IdleLookup } from "../table/idle.ts";
import type { KernelRelease } from "../table/kernel-release.ts";
import { addOddities, type Oddities } from "../table/oddities.ts";
import type { Settings } from "../table/settings.ts";
import { countOf, missedBelow, type Sample, totalOf } from "./estimate.ts";
import { CHUNK_KEYS } from "./key-tally.ts";
import { Kinds } from "./kinds.ts";
import type { Census, Count, HistogramBin, Top, Traffic } from "./shape.ts";
import { SPAN_EDGES_SECONDS, type Spans } from "./spans.ts";
import { Tags } from "./tags.ts";
import { Talkers, type TopTally } from "./talkers.ts";
import { TrafficTally } from "./traffic.ts";

export { type ArrivalCount, type Arrivals, ArrivalsBuilder, type ObservationEnd } from "./arrivals.ts";
export { compareCensus } from "./compare.ts";
export { IdleAges, type RegimeAges } from "./idle-ages.ts";
export { censusToJson } from "./json.ts";
export type { Census } from "./shape.ts";
export { SilentFlows, type SilentService } from "./silent-flows.ts";

/** Rows of every top list. */
const DEFAULT_TOP_ROWS = 20;
/** Distinct keys each table counts exactly: 80,000 pairs take 2 MB and stay near the processor. */
const DEFAULT_EXACT_KEYS = 80_000;

export interface CensusOptions {
  /** The timeouts in force: idle age is computed from them. */
  settings: Settings;
  /** Hints which rules of the kernel apply to idle age. */
  release?: KernelRelease;
  /** Wall clock of the reading, for the age of flows that are stamped with their start. */
  nowMs?: number;
  topRows?: number;
  /** Distinct addresses, prefixes, pairs ... that are counted exactly, for each kind and family. */
  exactKeys?: number;
  /**
   * Of the hashes. Give a random one where strangers choose the addresses; the result is the same for every
   * seed.
   */
  seed?: number;
}

/** What the reader knows when the reading is over. */
export interface ReadingEnd {
  /** Whether all of the table was read. */
  complete: boolean;
  oddities: Readonly<Oddities>;
  /** The occupancy the kernel reports; a sample is scaled to it. */
  occupancyFlows?: number;
  /** How the sample was taken, for people. Its presence says that this is one; it needs `occupancyFlows`. */
  sampleMethod?: string;
  /** Flows read, when a filter kept some of them from being counted: the size of the sample. */
  lookedAtFlows?: number;
}

export class CensusBuilder {
  readonly #topRows: number;
  readonly #kinds: Kinds;
  readonly #talkers: Talkers;
  readonly #tags: Tags;
  readonly #traffic = new TrafficTally();

  constructor(options: CensusOptions) {
    const limits = { capacityKeys: options.exactKeys ?? DEFAULT_EXACT_KEYS, seed: options.seed ?? 0 };
    this.#topRows = options.topRows ?? DEFAULT_TOP_ROWS;
    this.#kinds = new Kinds(new IdleLookup(options), options.nowMs);
    this.#talkers = new Talkers(limits);
    this.#tags = new Tags(limits);
  }

  /** Flows counted so far. */
  get flowsRead(): number {
    return this.#kinds.flows;
  }

  /** Counts every row of a batch. The batch may be overwritten afterwards. */
  add(columns: FlowColumns): void {
    for (let from = 0; from < columns.count; from += CHUNK_KEYS) {
      const to = Math.min(from + CHUNK_KEYS, columns.count);
      const given = fieldsGiven(columns, from, to);
      this.#kinds.add(columns, from, to, given);
      this.#talkers.add(columns, from, to);
      this.#tags.add(columns, from, to, given);
      this.#traffic.add(columns, from, to, given);
    }
  }

  /** Adds what another builder counted: the result is that of one builder fed with both. */
  merge(other: CensusBuilder): this {
    this.#kinds.merge(other.#kinds);
    this.#talkers.merge(other.#talkers);
    this.#tags.merge(other.#tags);
    this.#traffic.merge(other.#traffic);
    return this;
  }

  /** The result. The builder may go on counting afterwards. */
  finish(end: ReadingEnd): Census {
    const sample = sampleOf(this.flowsRead, end);
    const count = countsScaledBy(sample);
    const kinds = this.#kinds;
    const traffic = trafficOf(this.#traffic, sample);
    const ageSeconds = binsOf(kinds.age, sample);
    const oddities: Oddities = {};
    addOddities(oddities, end.oddities);
    return {
      ...wholeOf(this.flowsRead, sample),
      flowsRead: this.flowsRead,
      complete: end.complete,
      ...(sample === undefined ? {} : { sampled: { ...sample, method: end.sampleMethod ?? "" } }),
      byFamily: kinds.families().map(count),
      byProtocol: kinds.protocols().map(count),
      byState: kinds.states().map(count),
      byStatus: Object.fromEntries(kinds.status().map(({ name, flows }) => [name, countOf(flows, sample)])),
      byNat: kinds.nat().map(count),
      ...(kinds.natUnknown() === 0 ? {} : { natUnknown: countOf(kinds.natUnknown(), sample) }),
      ...this.#tops(sample),
      remainingSeconds: binsOf(kinds.remaining, sample),
      idleSeconds: binsOf(kinds.idle(), sample),
      idleUnknown: kinds.idleUnknown().map(count),
      establishedIdleSeconds: binsOf(kinds.establishedIdle(), sample),
      unanswered: kinds.unanswered().map(count),
      ...(traffic === undefined ? {} : { traffic }),
      ...(ageSeconds.length === 0 ? {} : { ageSeconds }),
      oddities,
    };
  }

  #tops(
    sample: Sample | undefined,
  ): Pick<
    Census,
    | "byZone"
    | "byMark"
    | "byHelper"
    | "topSources"
    | "topDestinations"
    | "topSourcePrefixes"
    | "topDestinationPrefixes"
    | "topServices"
    | "topPairs"
    | "topUnansweredSources"
  > {
    const [tags, talkers, rows] = [this.#tags, this.#talkers, this.#topRows];
    return {
      byZone: topOf(tags.topZones(rows, this.flowsRead), sample),
      byMark: topOf(tags.topMarks(rows), sample),
      byHelper: topOf(tags.topHelpers(rows), sample),
      topSources: topOf(talkers.topSources(rows), sample),
      topDestinations: topOf(talkers.topDestinations(rows), sample),
      topSourcePrefixes: topOf(talkers.topSourcePrefixes(rows), sample),
      topDestinationPrefixes: topOf(talkers.topDestinationPrefixes(rows), sample),
      topServices: topOf(talkers.topServices(rows), sample),
      topPairs: topOf(talkers.topPairs(rows), sample),
      topUnansweredSources: topOf(talkers.topUnansweredSources(rows), sample),
    };
  }
}

/** The bits of Has that any of the rows has: a field that no row has is not looked for. */
function fieldsGiven(columns: FlowColumns, from: number, to: number): number {
  const { has } = columns;
  let given = 0;
  for (let row = from; row < to; row++) given |= has[row] as number;
  return given;
}

/**
 * The sample this reading is, if it is one. Flows may have come since the occupancy was read: the table holds
 * at least what was read of it.
 */
function sampleOf(flowsCounted: number, end: ReadingEnd): Sample | undefined {
  if (end.sampleMethod === undefined || end.occupancyFlows === undefined) return undefined;
  const flowsRead = end.lookedAtFlows ?? flowsCounted;
  return { flowsRead, ofFlows: end.complete ? flowsRead : Math.max(flowsRead, end.occupancyFlows) };
}

/**
 * All flows: those of the table, or where a filter chose among a sample, an estimate of how many it would
 * choose.
 */
function wholeOf(flowsCounted: number, sample: Sample | undefined): Count {
  if (sample === undefined) return { flows: flowsCounted };
  return flowsCounted === sample.flowsRead ? { flows: sample.ofFlows } : countOf(flowsCounted, sample);
}

function countsScaledBy(
  sample: Sample | undefined,
): <Row extends { flows: number }>(row: Row) => Omit<Row, "flows"> & Count {
  return (row) => ({ ...row, ...countOf(row.flows, sample) });
}

function topOf<Key>(tally: TopTally<Key>, sample: Sample | undefined): Top<Key & Count> {
  const top = {
    rows: tally.rows.map((row) => ({ ...row, ...countOf(row.flows, sample) })),
    distinct: tally.distinct,
    exact: tally.errorBoundFlows === 0 && (sample === undefined || sample.flowsRead >= sample.ofFlows),
    errorBoundFlows: countOf(tally.errorBoundFlows, sample).flows,
  };
  return sample === undefined ? top : { ...top, missedBelowFlows: missedBelow(sample) };
}

/** Every span up to the last that has flows. */
function binsOf(spans: Spans, sample: Sample | undefined): HistogramBin[] {
  const last = spans.findLastIndex((flows) => flows > 0);
  return Array.from(spans.subarray(0, last + 1), (flows, index) => {
    const toSeconds = SPAN_EDGES_SECONDS[index + 1];
    const from = { fromSeconds: SPAN_EDGES_SECONDS[index] as number };
    return { ...from, ...(toSeconds === undefined ? {} : { toSeconds }), ...countOf(flows, sample) };
  });
}

function trafficOf(tally: TrafficTally, sample: Sample | undefined): Traffic | undefined {
  if (tally.flowsCounted === 0) return undefined;
  const { packets, bytes, flowsCounted } = tally;
  if (sample === undefined) return { flowsCounted, packets, bytes };
  const packetTotal = totalOf(packets, tally.squaredPackets, sample);
  const byteTotal = totalOf(bytes, tally.squaredBytes, sample);
  return {
    flowsCounted: countOf(flowsCounted, sample).flows,
    packets: Math.round(packetTotal.total),
    bytes: Math.round(byteTotal.total),
    packetsStandardError: packetTotal.standardError,
    bytesStandardError: byteTotal.standardError,
  };
}
