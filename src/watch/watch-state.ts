/**
 * What the watcher knows now, as one plain value that is replaced, never changed; and how others hear of
 * news. The HTTP API, the metrics and the dashboard show this and the history, nothing else.
 */
import type { Census } from "../census/census.ts";
import type { Facts, Forecast, Observation } from "../plan/plan.ts";
import type { Verdict } from "../table/finding.ts";
import type { NamespaceFacts } from "../table/host.ts";
import type { Sample } from "../table/series.ts";
import type { Alert } from "./alert.ts";
import type { SettingChange, WatchNote } from "./history.ts";

export interface WatchState {
  startedAtMs: number;
  /** What judgement was made from, last: host, settings, counters, census, namespaces, what is unseen. */
  facts: Facts;
  verdict: Verdict;
  /** The last second; absent before the first. */
  sample?: Sample;
  /** Counters since boot, as last read, are in `facts.counters`. */
  census?: {
    atMs: number;
    census: Census;
    /** Wall time it took. */
    seconds: number;
    /** The kernel's own count as it began; expired flows that nobody collected yet are not in a census. */
    occupancyFlows?: number;
  };
  /** Two readings of idle ages, for what-if; absent before the second. */
  observation?: Observation;
  namespaces: readonly NamespaceFacts[];
  forecast?: Forecast;
  /** Pending and firing, most important first. */
  alerts: readonly Alert[];
  /** Flow events: who listens, how many flows are followed, what was lost. Absent: not listening. */
  events?: EventWatch;
  budget: WatchBudget;
}

/** How flow events are followed. */
export interface EventWatch {
  /** One of so many flows is followed, chosen by its id. */
  oneOf: number;
  /** Flows at present whose birth was seen and whose end is waited for. */
  followedFlows?: number;
  lostEvents: number;
  lossTimes: number;
  /** Arrivals per second over the last minute, and mean holding time, by protocol and by service. */
  rates: readonly FlowRate[];
  /** Ends per second over the last minute, by the state flows ended in, where the kernel tells it. */
  ends?: readonly { protocol: string; state: string; perSecond: number; standardErrorPerSecond: number }[];
}

export interface FlowRate {
  protocol: string;
  /** Destination port of the original direction; absent for a protocol as a whole. */
  port?: number;
  arrivalsPerSecond: number;
  standardErrorPerSecond: number;
  /** Mean lifetime of a flow; absent while it cannot be told. */
  holdingSeconds?: number;
  /** By flows followed from birth to end; or, where most outlive the watch, by occupancy over arrivals. */
  holdingBy?: "lives" | "occupancy";
}

export interface WatchBudget {
  /** Of one core; what is allowed, and what was used over the last minute. */
  allowedCpuShare: number;
  usedCpuShare?: number;
  /** Between censuses at present, and flows read of each. */
  censusIntervalSeconds?: number;
  censusSampleFlows?: number;
  /** What was left out so far to stay within the budget, by what. */
  skipped: Readonly<Record<string, number>>;
}

/** News, in the order in which it happened. */
export type WatchNews =
  | { kind: "sample"; sample: Sample }
  | { kind: "census"; atMs: number; census: Census }
  | { kind: "setting"; change: SettingChange }
  | { kind: "alert"; alert: Alert }
  | { kind: "note"; note: WatchNote }
  /** Verdict, forecast, namespaces or budget are new: ask for the state. */
  | { kind: "state" };

/** What the server sees of a watcher. */
export interface Watched {
  state(): WatchState;
  /** Calls `listener` with all news until the returned function is called. */
  subscribe(listener: (news: WatchNews) => void): () => void;
}
