/**
 * A host to watch, in memory: a table of any size whose flows are told by a number, events that a test puts
 * in, faults that a test switches on, and processor time that its answers cost. And a history in memory.
 */
import { assert } from "../../src/base/assert.ts";
import type { Facts } from "../../src/plan/plan.ts";
import { addressToWords } from "../../src/table/address.ts";
import { parseAddress } from "../../src/table/address-text.ts";
import { FlowColumns, Has } from "../../src/table/columns.ts";
import type { CounterValues } from "../../src/table/counters.ts";
import { EventKind, type FlowEventBatch } from "../../src/table/flow-event.ts";
import type { Host, NamespaceFacts } from "../../src/table/host.ts";
import { TCP } from "../../src/table/protocol.ts";
import type { SeriesColumns } from "../../src/table/series.ts";
import type { Settings } from "../../src/table/settings.ts";
import type { FlowReading } from "../../src/table/source.ts";
import { TcpState } from "../../src/table/state.ts";
import { ALL_STATUS, Status } from "../../src/table/status.ts";
import type { Unseen } from "../../src/table/unseen.ts";
import type { HistoryWriter, Incident, Second } from "../../src/watch/watch.ts";
import type { KernelLogEvent, LiveReading, NamespaceCounts } from "../../src/table/live-reading.ts";
import type { SampledEvents, WatchedHost } from "../../src/watch/watched-host.ts";
import { healthyFacts } from "./facts-samples.ts";
import { usualTimeouts } from "./observations.ts";

/** What a host or a history refuses, as the kernel folder and the store say it. */
export class FakeRefusal extends Error {
  override name = "FakeRefusal";
  readonly code: string;

  constructor(code: string, message = `refused: ${code}`) {
    super(message);
    this.code = code;
  }
}

/** Processor seconds that answers cost, each as often as it is given. */
export interface Costs {
  read: number;
  flow: number;
  event: number;
  facts: number;
  counts: number;
}

const NO_COSTS: Costs = { read: 0, flow: 0, event: 0, facts: 0, counts: 0 };
const BATCH_ROWS = 500;
const INODE = 4_026_531_840;

/** Questions that may fail. */
export type Question = "read" | "counts" | "facts" | "flows" | "events" | "suspects";

export class FakeWatchedHost implements WatchedHost {
  values: Settings = { ...usualTimeouts, nf_conntrack_max: 262_144, nf_conntrack_buckets: 262_144 };
  occupancyFlows = 1000;
  tracker: Host["tracker"] = "nf_conntrack";
  /** Of the next reading; absent: the counters began anew. */
  counted: CounterValues | undefined = { insertFailed: 0, drop: 0, found: 0 };
  namespaces: NamespaceFacts[] = [];
  log: KernelLogEvent[] = [];
  logUnseen: readonly Unseen[] = [];
  suspects: readonly string[] = ["sysctl -w by root on pts/0"];
  /** What fails at present, and how. */
  readonly faults = new Map<Question, Error>();
  readonly costs: Costs;
  cpuSeconds = 0;
  /** Flows handed out by readings so far, readings begun, and readings that are open. */
  flowsRead = 0;
  readings = 0;
  openReadings = 0;
  events_: FakeEvents | undefined;
  #version = 0;
  #last: string | undefined;
  #settings: { values: Settings } | undefined;

  constructor(costs: Partial<Costs> = {}) {
    this.costs = { ...NO_COSTS, ...costs };
  }

  #ask(question: Question): void {
    const fault = this.faults.get(question);
    if (fault !== undefined) throw fault;
  }

  read(): LiveReading {
    this.#ask("read");
    this.cpuSeconds += this.costs.read;
    const values = this.tracker === "none" ? {} : this.values;
    const key = JSON.stringify(values);
    if (key !== this.#last) {
      this.#version += 1;
      this.#last = key;
    }
    const count = this.tracker === "none" ? {} : { nf_conntrack_count: this.occupancyFlows };
    this.#settings = { values: { ...values, ...count } };
    return {
      tracker: this.tracker,
      settings: { ...this.#settings, origins: {}, unknownKeys: [], unreadable: [] },
      settingsVersion: this.#version,
      unseen: [],
      ...(this.tracker === "none" ? {} : { occupancyFlows: this.occupancyFlows, counters: { found: 1 } }),
      ...(this.counted === undefined || this.tracker === "none" ? {} : { counted: this.counted }),
    };
  }

  counts(): NamespaceCounts {
    this.#ask("counts");
    this.cpuSeconds += this.costs.counts;
    return { namespaces: this.namespaces, unseen: [] };
  }

  drainLog(): { events: readonly KernelLogEvent[]; unseen: readonly Unseen[]; losses: number } {
    return { events: this.log.splice(0), unseen: this.logUnseen, losses: 0 };
  }

  facts(): Facts {
    this.#ask("facts");
    this.cpuSeconds += this.costs.facts;
    return { ...healthyFacts, host: { ...healthyFacts.host, namespaceInode: INODE }, unseen: [] };
  }

  flows(sampleFlows?: number): FlowReading {
    this.#ask("flows");
    this.readings += 1;
    const all = this.occupancyFlows;
    const wanted = Math.min(all, sampleFlows ?? all);
    let complete = false;
    const batches = this.#batches(wanted, () => (complete = wanted === all));
    return {
      source: "netlink",
      origin: "ctnetlink",
      oddities: {},
      batches: () => batches,
      get complete() {
        return complete;
      },
    };
  }

  *#batches(wanted: number, whenRead: () => void): Generator<FlowColumns> {
    const columns = new FlowColumns(BATCH_ROWS, ALL_STATUS);
    this.openReadings += 1;
    try {
      for (let from = 0; from < wanted; from += BATCH_ROWS) {
        this.#ask("flows");
        columns.clear();
        columns.count = Math.min(BATCH_ROWS, wanted - from);
        for (let row = 0; row < columns.count; row++) writeFlow(columns, row, from + row);
        this.flowsRead += columns.count;
        this.cpuSeconds += this.costs.flow * columns.count;
        yield columns;
      }
      whenRead();
    } finally {
      this.openReadings -= 1;
    }
  }

  events({ oneOf }: { oneOf: number }): SampledEvents {
    this.#ask("events");
    this.events_ = new FakeEvents(oneOf, (events) => {
      this.cpuSeconds += this.costs.event * events;
    });
    return this.events_;
  }

  suspectsOf(): readonly string[] {
    this.#ask("suspects");
    return this.suspects;
  }
}

/** Flow number `number`: an established connection of one of 250 clients, silent for some seconds. */
function writeFlow(columns: FlowColumns, row: number, number: number): void {
  columns.has[row] = Has.timeout | Has.state | Has.status | Has.reply | Has.id;
  columns.family[row] = 4;
  columns.protocol[row] = TCP;
  columns.state[row] = TcpState.ESTABLISHED;
  columns.status[row] = Status.SEEN_REPLY | Status.ASSURED | Status.CONFIRMED;
  const client = ((10 << 24) | (number % 250)) >>> 0;
  const server = ((198 << 24) | (51 << 16) | (100 << 8) | 7) >>> 0;
  columns.originalSource[row * 4] = client;
  columns.originalDestination[row * 4] = server;
  columns.replySource[row * 4] = server;
  columns.replyDestination[row * 4] = client;
  columns.originalSourceDiscriminator[row] = 1024 + (number % 60_000);
  columns.originalDestinationDiscriminator[row] = 443;
  columns.replySourceDiscriminator[row] = 443;
  columns.replyDestinationDiscriminator[row] = 1024 + (number % 60_000);
  columns.timeoutSeconds[row] = 432_000 - 1 - (number % 1000);
  columns.id[row] = number;
}

/** Something that happened to a flow. */
export interface FakeEvent {
  kind: "new" | "destroy";
  id: number;
  protocol?: number;
  port?: number;
  state?: number;
}

/** Ids are taken as they are: a multiple of `oneOf` is followed. */
export class FakeEvents implements SampledEvents {
  oneOf: number;
  readonly coverage = "new-flows";
  losses = 0;
  lostEvents: number | undefined = 0;
  isOpen = true;
  fault: Error | undefined;
  readonly #spend: (events: number) => void;
  readonly #waiting: FakeEvent[] = [];
  readonly #columns = new FlowColumns(1024, ALL_STATUS);
  readonly #kinds = new Uint8Array(1024);

  constructor(oneOf: number, spend: (events: number) => void = () => {}) {
    this.oneOf = oneOf;
    this.#spend = spend;
  }

  /** The kernel queues it if its flow is followed. */
  happen(...events: readonly FakeEvent[]): void {
    for (const event of events) if (this.follows(event.id)) this.#waiting.push(event);
  }

  /** All that waits is lost. */
  lose(): void {
    this.losses += 1;
    if (this.lostEvents !== undefined) this.lostEvents += this.#waiting.length;
    this.#waiting.length = 0;
  }

  setOneOf(oneOf: number): void {
    assert(Number.isInteger(Math.log2(oneOf)), "A share is one of a power of two");
    this.oneOf = oneOf;
  }

  follows(id: number): boolean {
    return id % this.oneOf === 0;
  }

  read(): FlowEventBatch | undefined {
    if (this.fault !== undefined) throw this.fault;
    const events = this.#waiting.splice(0, 1024);
    if (events.length === 0) return undefined;
    this.#spend(events.length);
    fillEvents(this.#columns, this.#kinds, events);
    return { columns: this.#columns, kinds: this.#kinds };
  }

  close(): void {
    this.isOpen = false;
  }
}

/** A batch of events. */
export function eventBatch(events: readonly FakeEvent[]): FlowEventBatch {
  const columns = new FlowColumns(Math.max(1, events.length), ALL_STATUS);
  const kinds = new Uint8Array(events.length);
  fillEvents(columns, kinds, events);
  return { columns, kinds };
}

function fillEvents(columns: FlowColumns, kinds: Uint8Array, events: readonly FakeEvent[]): void {
  columns.clear();
  columns.count = events.length;
  const address = parseAddress("10.0.0.1");
  assert(address !== undefined, "The address of a test is one");
  events.forEach((event, row) => {
    kinds[row] = event.kind === "new" ? EventKind.NEW : EventKind.DESTROY;
    columns.has[row] = Has.id | Has.status | (event.state === undefined ? 0 : Has.state);
    columns.family[row] = 4;
    columns.protocol[row] = event.protocol ?? TCP;
    columns.state[row] = event.state ?? 0;
    columns.status[row] = Status.CONFIRMED;
    addressToWords(address, columns.originalSource, row * 4);
    columns.originalDestinationDiscriminator[row] = event.port ?? 443;
    columns.id[row] = event.id;
  });
}

/** Everything that was appended, as it was. */
export class MemoryHistory implements HistoryWriter {
  readonly seconds: Second[] = [];
  readonly put = new Map<string, Incident>();
  readonly kept = new Map<string, unknown>();
  /** Thrown by whatever writes. */
  fault: Error | undefined;
  maintained = 0;

  append(second: Second): void {
    if (this.fault !== undefined) throw this.fault;
    this.seconds.push(second);
  }

  series({ fromMs, toMs }: { fromMs: number; toMs: number }): SeriesColumns {
    const within = this.seconds.filter(({ sample }) => sample.atMs >= fromMs && sample.atMs < toMs);
    const flows = Float64Array.from(within, ({ sample }) => sample.values.occupancyFlows ?? Number.NaN);
    return {
      atMs: Float64Array.from(within, ({ sample }) => sample.atMs),
      stepSeconds: 1,
      columns: { occupancyFlows: { min: flows, avg: flows, max: flows } },
    };
  }

  censusAt(atMs: number): Second["census"] {
    return this.seconds
      .map(({ census }) => census)
      .findLast((each) => each !== undefined && each.atMs <= atMs);
  }

  censusTimes(): readonly number[] {
    return this.seconds.flatMap(({ census }) => (census === undefined ? [] : [census.atMs]));
  }

  settingChanges(): NonNullable<Second["changes"]> {
    return this.seconds.flatMap(({ changes = [] }) => changes);
  }

  notes(): NonNullable<Second["notes"]> {
    return this.seconds.flatMap(({ notes = [] }) => notes);
  }

  incidents(): readonly Incident[] {
    return [...this.put.values()];
  }

  incident(id: string): Incident | undefined {
    return this.put.get(id);
  }

  namespaces(): readonly string[] {
    return [...new Set(this.seconds.flatMap(({ others }) => [...(others?.keys() ?? [])]))];
  }

  size(): { sizeBytes: number; boundBytes: number } {
    return { sizeBytes: 0, boundBytes: 0 };
  }

  putIncident(incident: Incident): void {
    if (this.fault !== undefined) throw this.fault;
    this.put.set(incident.id, incident);
  }

  readState(name: string): unknown {
    return this.kept.get(name);
  }

  writeState(name: string, value: unknown): void {
    if (this.fault !== undefined) throw this.fault;
    this.kept.set(name, value);
  }

  maintain(): void {
    this.maintained += 1;
  }

  close(): void {}
}
