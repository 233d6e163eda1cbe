/**
 * A host that is watched, made up: a gateway whose table filled up last night, was given more room, and fills
 * again since a timeout was raised. Everything is counted, judged and previewed by the real code from made-up
 * flows; the series are functions of time, so any span of the last two days can be drawn, and they go on.
 */
import { CensusBuilder, type Census, IdleAges } from "../../src/census/census.ts";
import { flowToJson } from "../../src/listing/listing.ts";
import { type Facts, judge, type Observation } from "../../src/plan/plan.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Clock } from "../../src/base/clock.ts";
import { FlowColumns } from "../../src/table/columns.ts";
import type { Filter } from "../../src/table/filter.ts";
import { compileFilter } from "../../src/table/filter-match.ts";
import { flowAt } from "../../src/table/flow.ts";
import type { NamespaceFacts } from "../../src/table/host.ts";
import { IdleLookup } from "../../src/table/idle.ts";
import { parseKernelRelease } from "../../src/table/kernel-release.ts";
import type { Settings } from "../../src/table/settings.ts";
import type {
  Alert,
  History,
  Incident,
  SettingChange,
  Watched,
  WatchNews,
  WatchNote,
  WatchState,
} from "../../src/watch/watch.ts";
import { columnsOf } from "./columns.ts";
import { countersOf, healthyFacts, OWN_INODE, withLog } from "./facts-samples.ts";
import { earlierRows, fakeRows } from "./fake-flows.ts";
import { CAPACITY_FLOWS, capacityAt, EPISODE, fakeSeries, RAISED, sampleAt } from "./fake-series.ts";
import { usualTimeouts } from "./observations.ts";

const HOUR_MS = 3_600_000;
/** Between the two readings of idle ages. */
const APART_SECONDS = 30;

const values: Settings = {
  ...healthyFacts.settings.values,
  ...usualTimeouts,
  nf_conntrack_max: CAPACITY_FLOWS,
  nf_conntrack_buckets: CAPACITY_FLOWS / 4,
  nf_conntrack_acct: 1,
  nf_conntrack_timestamp: 0,
  nf_conntrack_checksum: 1,
  nf_conntrack_log_invalid: 0,
  nf_conntrack_tcp_be_liberal: 0,
  nf_conntrack_tcp_max_retrans: 3,
  nf_conntrack_icmpv6_timeout: 30,
  nf_conntrack_gre_timeout: 30,
  nf_conntrack_gre_timeout_stream: 180,
};

export interface FakeHost {
  watched: Watched;
  history: History;
  /** A reading of the table through a filter. */
  census(filter: Filter): { atMs: number; census: Census };
  flows(filter: Filter, sort: string | undefined, limit: number): FakeFlows;
  /** Tells subscribers of the second that the clock shows, and of more every few seconds. */
  tick(): void;
  /** Tells subscribers of anything. */
  tell(news: WatchNews): void;
  /** Who listens now. */
  readonly listeners: number;
}

export interface FakeFlows {
  atMs: number;
  flows: readonly object[];
  lookedAtFlows: number;
  matchedFlows: number;
  complete: boolean;
}

/** A host that has been watched for two days when the clock shows what it shows now. */
export function fakeHost(clock: Clock, options: { flows?: number; seed?: number } = {}): FakeHost {
  const startMs = clock.nowMs();
  const table = new FakeTable(clock, startMs, options.flows ?? 12_000, options.seed ?? 1);
  const history = fakeHistory(startMs, table);
  const listeners = new Set<(news: WatchNews) => void>();
  const tell = (news: WatchNews): void => {
    for (const listener of listeners) listener(news);
  };
  let ticks = 0;
  return {
    watched: {
      state: () => table.state(history),
      subscribe: (listener) => {
        const own = (news: WatchNews): void => listener(news);
        listeners.add(own);
        return () => void listeners.delete(own);
      },
    },
    history,
    census: (filter) => ({ atMs: clock.nowMs(), census: table.census(filter) }),
    flows: (filter, sort, limit) => table.flows(filter, sort, limit),
    tick: () => {
      tell({ kind: "sample", sample: sampleAt(clock.nowMs(), startMs) });
      if (ticks % 10 === 0) tell({ kind: "census", atMs: clock.nowMs(), census: table.wholeCensus });
      if (ticks % 10 === 0) tell({ kind: "state" });
      ticks += 1;
    },
    tell,
    get listeners(): number {
      return listeners.size;
    },
  };
}

/** Flows as columns, and what is made of them. */
class FakeTable {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #columns: FlowColumns;
  readonly #idle: ConstructorParameters<typeof IdleLookup>[0];
  readonly wholeCensus: Census;
  readonly observation: Observation;

  constructor(clock: Clock, startMs: number, flows: number, seed: number) {
    this.#clock = clock;
    this.#startMs = startMs;
    const release = parseKernelRelease("6.18.44");
    this.#idle = { settings: values, ...(release === undefined ? {} : { release }) };
    const random = seededRandom(seed);
    const rows = fakeRows(flows, random);
    this.#columns = columnsOf(rows.map(({ row }) => row));
    this.wholeCensus = this.census({ kind: "all" });
    const first = this.#reading(columnsOf(earlierRows(rows, APART_SECONDS, random)));
    this.observation = {
      first,
      second: this.#reading(this.#columns),
      seconds: APART_SECONDS,
      ...this.#idle,
      census: this.wholeCensus,
    };
  }

  get occupancyFlows(): number {
    return sampleAt(this.#clock.nowMs(), this.#startMs).values.occupancyFlows ?? 0;
  }

  #reading(columns: FlowColumns): Observation["second"] {
    const ages = new IdleAges(this.#idle);
    ages.add(columns);
    return { regimes: ages.regimes(), flowsRead: ages.flows, ofFlows: this.occupancyFlows };
  }

  #kept(filter: Filter): FlowColumns {
    const keeps = compileFilter(filter, { idle: new IdleLookup(this.#idle) });
    const kept = new FlowColumns(this.#columns.capacity, this.#columns.knownStatus);
    for (let row = 0; row < this.#columns.count; row += 1) {
      if (keeps(this.#columns, row)) kept.append(this.#columns, row);
    }
    return kept;
  }

  census(filter: Filter): Census {
    const builder = new CensusBuilder(this.#idle);
    builder.add(filter.kind === "all" ? this.#columns : this.#kept(filter));
    return builder.finish({
      complete: false,
      oddities: {},
      occupancyFlows: this.occupancyFlows,
      sampleMethod: "the beginning of the dump, which goes by hash bucket",
      lookedAtFlows: this.#columns.count,
    });
  }

  flows(filter: Filter, sort: string | undefined, limit: number): FakeFlows {
    const kept = this.#kept(filter);
    const idle = new IdleLookup(this.#idle);
    const flows = Array.from({ length: kept.count }, (_, row) => {
      const idleSeconds = idle.secondsAt(kept, row);
      return flowToJson(flowAt(kept, row), idleSeconds < 0 ? {} : { idleSeconds });
    });
    const figure = {
      idle: (flow: (typeof flows)[number]) => flow.idleSeconds ?? -1,
      remaining: (flow: (typeof flows)[number]) => flow.timeoutSeconds ?? -1,
      age: (flow: (typeof flows)[number]) => flow.ageSeconds ?? -1,
      bytes: (flow: (typeof flows)[number]) => (flow.original.bytes ?? -1) + (flow.reply?.bytes ?? 0),
      packets: (flow: (typeof flows)[number]) => (flow.original.packets ?? -1) + (flow.reply?.packets ?? 0),
    }[sort ?? ""];
    if (figure !== undefined) flows.sort((one, other) => figure(other) - figure(one));
    return {
      atMs: this.#clock.nowMs(),
      flows: flows.slice(0, limit),
      lookedAtFlows: this.#columns.count,
      matchedFlows: flows.length,
      complete: false,
    };
  }

  state(history: History): WatchState {
    const nowMs = this.#clock.nowMs();
    const sample = sampleAt(nowMs, this.#startMs);
    const facts = this.#facts(nowMs);
    return {
      startedAtMs: this.#startMs - 48 * HOUR_MS,
      facts,
      verdict: judge(facts),
      sample,
      census: { atMs: nowMs - 4000, census: this.wholeCensus, seconds: 0.21 },
      observation: this.observation,
      namespaces: facts.namespaces ?? [],
      forecast: forecastAt(nowMs, this.#startMs),
      alerts: alertsAt(this.#startMs),
      events: {
        oneOf: 16,
        followedFlows: 9840,
        lostEvents: 1240,
        lossTimes: 2,
        rates: [
          { protocol: "tcp", arrivalsPerSecond: 1812, standardErrorPerSecond: 22, holdingSeconds: 84 },
          { protocol: "udp", arrivalsPerSecond: 640, standardErrorPerSecond: 13, holdingSeconds: 41 },
          { protocol: "icmp", arrivalsPerSecond: 12, standardErrorPerSecond: 2, holdingSeconds: 30 },
          {
            protocol: "tcp",
            port: 443,
            arrivalsPerSecond: 1430,
            standardErrorPerSecond: 19,
            holdingSeconds: 92,
          },
          {
            protocol: "udp",
            port: 53,
            arrivalsPerSecond: 590,
            standardErrorPerSecond: 12,
            holdingSeconds: 31,
          },
        ],
        ends: [
          { protocol: "tcp", state: "TIME_WAIT", perSecond: 1390, standardErrorPerSecond: 19 },
          { protocol: "tcp", state: "CLOSE", perSecond: 210, standardErrorPerSecond: 7 },
          { protocol: "tcp", state: "SYN_SENT", perSecond: 96, standardErrorPerSecond: 5 },
          { protocol: "tcp", state: "ESTABLISHED", perSecond: 14, standardErrorPerSecond: 2 },
        ],
      },
      budget: {
        allowedCpuShare: 0.01,
        usedCpuShare: 0.0061,
        censusIntervalSeconds: 20,
        censusSampleFlows: this.#columns.count,
        skipped: { census: history.notes(0, nowMs).filter(({ kind }) => kind === "skipped").length },
      },
    };
  }

  #facts(nowMs: number): Facts {
    const { occupancyFlows } = this;
    const total = {
      found: 71_204,
      invalid: 9120,
      insertFailed: 3,
      drop: 4410,
      earlyDrop: 18_220,
      searchRestart: 5,
    };
    const facts: Facts = {
      ...healthyFacts,
      atMs: nowMs,
      host: { ...healthyFacts.host, hostname: "gw-1", uptimeSeconds: 31 * 86_400 },
      settings: {
        ...healthyFacts.settings,
        values: { ...values, nf_conntrack_count: occupancyFlows },
      },
      counters: { ...countersOf(total), occupancyFlows },
      namespaces: namespacesOf(occupancyFlows),
      census: this.wholeCensus,
      expectations: { occupancyFlows: 3, capacityFlows: 4096 },
      unseen: [
        {
          what: "kernel log",
          why: "permission denied: reading /dev/kmsg needs CAP_SYSLOG",
          help: "run it as root, or give it CAP_SYSLOG",
          cause: "not-permitted",
        },
      ],
    };
    const secondsAgo = (nowMs - this.#startMs - EPISODE.fromMs) / 1000;
    return withLog(
      { ...facts, atMs: nowMs },
      { lines: 212, secondsAgo, lastAtMs: nowMs - secondsAgo * 1000 },
    );
  }
}

function namespacesOf(occupancyFlows: number): NamespaceFacts[] {
  const own = { inode: OWN_INODE, initial: true, own: true, occupancyFlows, capacityFlows: CAPACITY_FLOWS };
  const other = (inode: number, more: Partial<NamespaceFacts>): NamespaceFacts => ({
    inode,
    initial: false,
    own: false,
    capacityFlows: CAPACITY_FLOWS,
    ...more,
  });
  return [
    own,
    other(4_026_532_281, { name: "blue", owner: "docker:4f1c92ab77d0", occupancyFlows: 1840 }),
    other(4_026_532_377, { name: "vpn", owner: "openvpn@office.service", occupancyFlows: 212_400 }),
    other(4_026_532_455, { owner: "pid 812 (haproxy)", occupancyFlows: 0 }),
    other(4_026_532_561, {
      owner: "docker:91c0d2",
      unseen: "permission denied: entering needs CAP_SYS_ADMIN",
    }),
  ];
}

function forecastAt(nowMs: number, startMs: number): NonNullable<WatchState["forecast"]> {
  const ahead = Array.from({ length: 97 }, (_, step) => nowMs + step * 15 * 60_000);
  const expected = ahead.map((atMs) => Math.round(expectedAt(atMs, startMs)));
  const widths = ahead.map((_, step) => 3000 + 2600 * Math.sqrt(step) * 1.6);
  const seconds = firstFull(ahead, expected, nowMs);
  const high = expected.map((flows, step) => Math.round(flows + (widths[step] ?? 0)));
  const low = expected.map((flows, step) => Math.round(Math.max(0, flows - (widths[step] ?? 0))));
  const earliestSeconds = firstFull(ahead, high, nowMs);
  const latestSeconds = firstFull(ahead, low, nowMs);
  return {
    madeAtMs: nowMs,
    band: { atMs: ahead, expected, low, high },
    ...(earliestSeconds === undefined
      ? {}
      : {
          fullIn: {
            earliestSeconds,
            ...(seconds === undefined ? {} : { seconds }),
            ...(latestSeconds === undefined ? {} : { latestSeconds }),
          },
        }),
    horizonSeconds: 86_400,
    method: "daily",
    how: "the shape of the last 2 days, risen by 6,900 flows an hour since 3h",
    backtest: { forecasts: 44, horizonSeconds: 3600, meanErrorShare: 0.021, insideShare: 0.93 },
  };
}

function expectedAt(atMs: number, startMs: number): number {
  const { occupancyFlows = 0 } = sampleAt(atMs, startMs).values;
  return occupancyFlows;
}

function firstFull(atMs: readonly number[], flows: readonly number[], nowMs: number): number | undefined {
  const at = flows.findIndex((value) => value >= CAPACITY_FLOWS);
  return at === -1 ? undefined : Math.round(((atMs[at] ?? nowMs) - nowMs) / 1000);
}

function alertsAt(startMs: number): Alert[] {
  return [
    {
      id: "filling-1",
      code: "filling",
      level: "critical",
      state: "firing",
      sinceMs: startMs - 2.6 * HOUR_MS,
      firedAtMs: startMs - 2.5 * HOUR_MS,
      title: "Full in about 21h: 6,900 flows more an hour",
      evidence: { risePerHourFlows: 6900, earliestSeconds: 61_200 },
      meaning: "At the present rate no new connection gets in after that.",
      remedy: [
        {
          text: "Shorten the time that silent connections are kept",
          command: "headroom apply --set nf_conntrack_tcp_timeout_established=1d",
        },
      ],
    },
    {
      id: "one-source-hoards-1",
      code: "one-source-hoards",
      subject: "10.20.3.77",
      level: "warning",
      state: "firing",
      sinceMs: startMs - 5 * HOUR_MS,
      firedAtMs: startMs - 4.9 * HOUR_MS,
      title: "10.20.3.77 has 18 % of all flows",
      evidence: { source: "10.20.3.77", flows: 31_500, share: 0.18 },
      meaning: "A client that opens connections and never closes them, or many users behind one address.",
      remedy: [{ text: "See what it has open", command: "headroom list 'source=10.20.3.77' --sort idle" }],
    },
    {
      id: "namespace-near-full-1",
      code: "namespace-near-full",
      subject: "vpn",
      level: "warning",
      state: "pending",
      sinceMs: startMs - 90_000,
      title: "Namespace vpn: 212,400 of 262,144 flows (81 %)",
      evidence: { occupancyFlows: 212_400, capacityFlows: CAPACITY_FLOWS },
      meaning: "Every namespace may hold as many flows as the limit; this one will soon drop packets.",
      remedy: [{ text: "Look into it", command: "headroom check --netns vpn" }],
    },
  ];
}

function incidentsAt(startMs: number, census: Census): Incident[] {
  const firedAtMs = startMs + EPISODE.fromMs;
  const full: Alert = {
    id: "table-full-1",
    code: "table-full",
    level: "critical",
    state: "resolved",
    sinceMs: firedAtMs,
    firedAtMs,
    resolvedAtMs: startMs + RAISED.atMs,
    title: "Table full: 196,608 of 196,608 flows",
    evidence: { dropPerSecond: 31, occupancyFlows: 196_608, capacityFlows: 196_608 },
    meaning: "New connections were dropped unless the kernel found an unassured flow to evict.",
    remedy: [{ text: "Raise the limit with its buckets", command: "headroom plan" }],
  };
  const early: Alert = {
    ...full,
    id: "early-drop-1",
    code: "early-drop",
    level: "warning",
    sinceMs: firedAtMs - 240_000,
    firedAtMs: firedAtMs - 180_000,
    title: "118 unassured flows a second evicted for new ones",
    evidence: { earlyDropPerSecond: 118 },
    meaning: "The table was full; connections that were being set up were thrown out.",
  };
  const [, hoarder] = alertsAt(startMs);
  const taken = (atMs: number): Pick<Incident, "census"> => ({ census: { atMs, census } });
  return [
    { id: early.id, alert: early, ...taken(firedAtMs - 180_000) },
    { id: full.id, alert: full, ...taken(firedAtMs) },
    ...(hoarder === undefined ? [] : [{ id: hoarder.id, alert: hoarder, ...taken(startMs - 4.9 * HOUR_MS) }]),
    ...alertsAt(startMs)
      .slice(0, 1)
      .map((alert) => ({ id: alert.id, alert })),
  ];
}

function changesAt(startMs: number): SettingChange[] {
  return [
    {
      atMs: startMs + RAISED.atMs,
      key: "nf_conntrack_max",
      from: capacityAt(startMs + RAISED.atMs - 1000, startMs),
      to: CAPACITY_FLOWS,
      suspects: ["sysctl -w by root, session of ops from 192.0.2.7", "headroom apply, receipt 20261121-2041"],
    },
    {
      atMs: startMs - 3 * HOUR_MS,
      key: "nf_conntrack_tcp_timeout_established",
      from: 86_400,
      to: 432_000,
      suspects: ["systemd-sysctl.service restarted 2 s before: /etc/sysctl.d/90-net.conf says 432000"],
    },
    { atMs: startMs - 2.2 * HOUR_MS, key: "nf_conntrack_acct", from: 0, to: 1, suspects: [] },
  ];
}

function notesAt(startMs: number): WatchNote[] {
  return [
    { atMs: startMs - 48 * HOUR_MS, kind: "started", text: "watching began" },
    {
      atMs: startMs - 26 * HOUR_MS,
      kind: "clock-jump",
      text: "the wall clock jumped forward by 2 s",
      amount: 2,
    },
    { atMs: startMs + EPISODE.fromMs, kind: "skipped", text: "one census was left out to stay within 1 %" },
    {
      atMs: startMs + EPISODE.fromMs + 61_000,
      kind: "events-lost",
      text: "1,240 flow events were lost: the socket buffer was full",
      amount: 1240,
    },
    {
      atMs: startMs - 7 * HOUR_MS,
      kind: "gap",
      text: "no sample for 94 s: the machine stood still",
      amount: 94,
    },
    { atMs: startMs - 6.5 * HOUR_MS, kind: "sight-lost", text: "the kernel log cannot be read any more" },
  ];
}

function fakeHistory(startMs: number, table: FakeTable): History {
  const within = <Row>(
    rows: readonly Row[],
    fromMs: number,
    toMs: number,
    atMs: (row: Row) => number,
  ): Row[] => rows.filter((row) => atMs(row) >= fromMs && atMs(row) <= toMs);
  const incidents = (): Incident[] => incidentsAt(startMs, table.wholeCensus);
  const beginMs = startMs - 48 * HOUR_MS;
  return {
    series: (query) => fakeSeries(query, startMs),
    censusAt: (atMs) =>
      atMs < beginMs ? undefined : { atMs: atMs - (atMs % 600_000), census: table.wholeCensus },
    censusTimes: (fromMs, toMs) => {
      const from = Math.ceil(Math.max(fromMs, beginMs) / 600_000);
      const count = Math.max(0, Math.floor(Math.min(toMs, startMs) / 600_000) - from + 1);
      return Array.from({ length: count }, (_, index) => (from + index) * 600_000);
    },
    settingChanges: (fromMs, toMs) => within(changesAt(startMs), fromMs, toMs, ({ atMs }) => atMs),
    incidents: (fromMs, toMs) => within(incidents(), fromMs, toMs, ({ alert }) => alert.sinceMs),
    incident: (id) => incidents().find((incident) => incident.id === id),
    notes: (fromMs, toMs) => within(notesAt(startMs), fromMs, toMs, ({ atMs }) => atMs),
    namespaces: () => ["blue", "vpn"],
    size: () => ({ sizeBytes: 38_400_000, boundBytes: 512_000_000, oldestAtMs: beginMs }),
  };
}
