/**
 * Worlds to forecast in: what a table's occupancy is over weeks on hosts of several kinds, by the simulation
 * of flows.ts; and what a watcher would have kept of it at any instant.
 */
import { seededRandom } from "../../src/base/random.ts";
import type { SeriesColumns } from "../../src/table/series.ts";
import { type FlowTable, type Habit, SimulatedTable } from "./flows.ts";

export const STEP_SECONDS = 10;
const HOUR = 3600;
const DAY = 24 * HOUR;
export const ORIGIN_MS = Date.UTC(2026, 0, 5);

export interface World {
  name: string;
  about: string;
  days: number;
  table: FlowTable;
  /** The share of flows taken out at an instant. */
  takenOut?(seconds: number): number;
  /** Nothing was measured then. */
  gap?(seconds: number): boolean;
  /** What a reading is off by then, flows. */
  outlier?(seconds: number): number;
}

/** Occupancy every ten seconds, as it was and as it was measured. */
export interface Course {
  world: World;
  truth: Float64Array;
  measured: Float64Array;
  arrivals: Float64Array;
  /** As measured, by ten minutes. */
  rolled: SeriesColumns;
}

/** Web traffic: short flows that leave TIME_WAIT behind, names asked for over UDP. */
function web(perSecond: (seconds: number) => number): Habit[] {
  return [
    { perSecond, holding: { kind: "exponential", seconds: 20 } },
    { perSecond: (seconds) => 0.9 * perSecond(seconds - 20), holding: { kind: "fixed", seconds: 120 } },
    { perSecond: (seconds) => 0.5 * perSecond(seconds), holding: { kind: "fixed", seconds: 30 } },
  ];
}

/** Connections nobody closes: held for the five days of nf_conntrack_tcp_timeout_established. */
function hoard(perSecond: (seconds: number) => number): Habit {
  return { perSecond, holding: { kind: "fixed", seconds: 5 * DAY } };
}

/** SYNs that nobody answers: nf_conntrack_tcp_timeout_syn_sent. */
function unanswered(perSecond: (seconds: number) => number): Habit {
  return { perSecond, holding: { kind: "fixed", seconds: 120 } };
}

function day(seconds: number): number {
  const phase = ((seconds % DAY) / DAY) * 2 * Math.PI;
  return 1 - 0.6 * Math.cos(phase) - 0.15 * Math.cos(2 * phase);
}

/** Monday to Friday, with little on Saturday and Sunday. */
function week(seconds: number): number {
  const weekday = Math.floor(seconds / DAY) % 7;
  return day(seconds) * (weekday >= 5 ? 0.35 : 1);
}

function between(seconds: number, from: number, to: number): boolean {
  return seconds >= from && seconds < to;
}

/** Some days are busier than others. */
function unlike(seconds: number, spread: number): number {
  const mixed = Math.imul(Math.floor(seconds / DAY) + 77, 0x9e3779b1) >>> 8;
  return 1 + spread * ((mixed % 2001) / 1000 - 1);
}

const table = (habits: readonly Habit[], capacityFlows: number, collectorSeconds = 30): FlowTable => ({
  habits,
  capacityFlows,
  collectorSeconds,
});

export const WORLDS: readonly World[] = [
  {
    name: "steady",
    about: "web traffic that never changes",
    days: 14,
    table: table(
      web(() => 200),
      65_536,
    ),
  },
  {
    name: "daily",
    about: "busy by day, some days busier than others",
    days: 21,
    table: table(
      web((at) => 200 * day(at) * unlike(at, 0.1)),
      65_536,
    ),
  },
  {
    name: "weekly",
    about: "an office: quiet at the weekend",
    days: 28,
    table: table(
      web((at) => 250 * week(at) * unlike(at, 0.08)),
      81_920,
    ),
  },
  {
    name: "daily limit",
    about: "each day's peak touches the limit, two days of three",
    days: 21,
    table: table(
      web((at) => 250 * day(at) * unlike(at, 0.1)),
      71_000,
    ),
  },
  {
    name: "leak",
    about: "idle connections pile up, a steady few each second from the eighth day on",
    days: 14,
    table: table([...web(() => 100), hoard((at) => (at > 8 * DAY ? 0.25 : 0.02))], 100_000),
  },
  {
    name: "daily leak",
    about: "the same under traffic that is busy by day",
    days: 21,
    table: table(
      [...web((at) => 150 * day(at) * unlike(at, 0.05)), hoard((at) => (at > 16 * DAY ? 0.25 : 0.02))],
      120_000,
    ),
  },
  {
    name: "flood",
    about: "unanswered SYNs that grow over hours until the table is full; a small one days before",
    days: 14,
    table: table(
      [
        ...web((at) => 100 * day(at)),
        unanswered((at) => {
          if (between(at, 9 * DAY, 9 * DAY + HOUR)) return 100;
          return between(at, 12.4 * DAY, 12.6 * DAY) ? (700 * (at - 12.4 * DAY)) / (0.2 * DAY) : 0;
        }),
      ],
      65_536,
    ),
  },
  {
    name: "crowd",
    about: "visitors triple within an hour, for half a day, twice",
    days: 14,
    table: table(
      web((at) => {
        const into = Math.min(at - 11.5 * DAY, 12 * DAY - at) / HOUR;
        const again = Math.min(at - 13.2 * DAY, 13.7 * DAY - at) / HOUR;
        return 120 * (1 + 2 * Math.min(1, Math.max(0, into, again)));
      }),
      100_000,
    ),
  },
  {
    name: "sawtooth",
    about: "a quiet resolver: expired flows count until the collector comes once a minute",
    days: 7,
    table: table([{ perSecond: () => 300, holding: { kind: "fixed", seconds: 30 } }], 32_768, 60),
  },
  {
    name: "steps",
    about: "reclaimed once, rebooted once",
    days: 14,
    table: table([...web((at) => 100 * day(at)), hoard(() => 0.1)], 81_920),
    takenOut: (at) => {
      if (at === 10 * DAY + 9 * HOUR) return 0.6;
      return at === 12 * DAY + 3 * HOUR ? 1 : 0;
    },
  },
  {
    name: "gaps",
    about: "busy by day; readings missing for hours, and wild ones",
    days: 14,
    table: table(
      web((at) => 180 * day(at)),
      65_536,
    ),
    gap: (at) => between(at % (3 * DAY), 1.2 * DAY, 1.45 * DAY) || between(at % 5000, 0, 300),
    outlier: (at) => (at % 7690 === 0 ? 40_000 : 0),
  },
  {
    name: "growth",
    about: "a service that grows by a twentieth each day until its peaks do not fit",
    days: 21,
    table: table(
      web((at) => 90 * day(at) * 1.05 ** (at / DAY)),
      55_000,
    ),
  },
];

/** Runs a world. */
export function courseOf(world: World, seed = 1): Course {
  const steps = (world.days * DAY) / STEP_SECONDS;
  const simulated = new SimulatedTable(world.table, seededRandom(seed), STEP_SECONDS);
  const [truth, measured, arrivals] = [0, 0, 0].map(() => new Float64Array(steps));
  if (truth === undefined || measured === undefined || arrivals === undefined) throw new Error("no columns");
  // Long enough to be settled but for the five days, which begin with nothing.
  for (let step = 0; step < steps; step += 1) {
    const seconds = step * STEP_SECONDS;
    const counts = simulated.advance(world.takenOut?.(seconds) ?? 0);
    truth[step] = counts.occupancyFlows;
    arrivals[step] = counts.arrivals / STEP_SECONDS;
    const off = world.outlier?.(seconds) ?? 0;
    measured[step] = world.gap?.(seconds) === true ? NaN : counts.occupancyFlows + off;
  }
  const rolled = rollUp(measured, 0, Math.floor(steps / ROLLED), ROLLED);
  return { world, truth, measured, arrivals, rolled };
}

export function atMsOf(step: number): number {
  return ORIGIN_MS + step * STEP_SECONDS * 1000;
}

/** What is kept of a course just after `step`: the last hour by ten seconds, all of it by ten minutes. */
export function historyAt({ measured, rolled }: Course, step: number): SeriesColumns[] {
  const fine = Math.max(0, step + 1 - HOUR / STEP_SECONDS);
  return [beginningOf(rolled, Math.floor((step + 1) / ROLLED)), rollUp(measured, fine, step + 1 - fine, 1)];
}

function beginningOf({ atMs, stepSeconds, columns }: SeriesColumns, count: number): SeriesColumns {
  const { min, avg, max } = columns.occupancyFlows ?? { min: atMs, avg: atMs, max: atMs };
  const [from, to] = [0, count];
  const span = { min: min.subarray(from, to), avg: avg.subarray(from, to), max: max.subarray(from, to) };
  return { atMs: atMs.subarray(from, to), stepSeconds, columns: { occupancyFlows: span } };
}

const ROLLED = 60;

/** `count` points of `each` steps from step `from` on. */
function rollUp(values: Float64Array, from: number, count: number, each: number): SeriesColumns {
  const [atMs, min, avg, max] = [0, 0, 0, 0].map(() => new Float64Array(count));
  if (atMs === undefined || min === undefined || avg === undefined || max === undefined)
    throw new Error("none");
  for (let point = 0; point < count; point += 1) {
    const first = from + point * each;
    const known = values.subarray(first, first + each).filter((flows) => !Number.isNaN(flows));
    atMs[point] = atMsOf(first);
    min[point] = known.length === 0 ? NaN : Math.min(...known);
    max[point] = known.length === 0 ? NaN : Math.max(...known);
    avg[point] = known.length === 0 ? NaN : known.reduce((sum, flows) => sum + flows, 0) / known.length;
  }
  return { atMs, stepSeconds: each * STEP_SECONDS, columns: { occupancyFlows: { min, avg, max } } };
}
