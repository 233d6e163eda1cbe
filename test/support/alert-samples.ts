/** States of a watcher, and a store in memory, for tests of alerts. */
import { CensusBuilder, type Census } from "../../src/census/census.ts";
import type { Alert, AlertStore, Incident, SettingChange, WatchState } from "../../src/watch/watch.ts";
import type { Sample } from "../../src/table/series.ts";
import { healthyFacts } from "./facts-samples.ts";

export const NOW_MS = 1_790_000_000_000;

/** A healthy watcher: 1,000 of 10,000 flows, nothing dropped. */
export function watchState(
  values: Sample["values"] = {},
  more: Partial<WatchState> = {},
  atMs = NOW_MS,
): WatchState {
  const sample = {
    atMs,
    values: {
      occupancyFlows: 1000,
      capacityFlows: 10_000,
      bucketCount: 10_000,
      dropPerSecond: 0,
      insertFailedPerSecond: 0,
      earlyDropPerSecond: 0,
      chainTooLongPerSecond: 0,
      tableFullLinesPerSecond: 0,
      expectationFlows: 0,
      ...values,
    },
  };
  return {
    startedAtMs: NOW_MS - 3_600_000,
    facts: { ...healthyFacts, atMs },
    verdict: { level: "ok", findings: [] },
    sample,
    namespaces: [],
    alerts: [],
    budget: { allowedCpuShare: 0.01, skipped: {} },
    ...more,
  };
}

/** A census of `flows` flows of which the sources have these. */
export function censusWith(flows: number, sources: Readonly<Record<string, number>>): Census {
  const empty = new CensusBuilder({ settings: {} }).finish({ complete: true, oddities: {} });
  return {
    ...empty,
    flows,
    flowsRead: flows,
    byState: [{ protocol: "tcp", state: "ESTABLISHED", flows }],
    byProtocol: [{ protocol: "tcp", flows }],
    topSources: {
      rows: Object.entries(sources).map(([address, held]) => ({ address, flows: held })),
      distinct: Object.keys(sources).length,
      exact: true,
      errorBoundFlows: 0,
    },
  };
}

export const firingAlert: Alert = {
  id: "20260921-141320-table-full-1",
  code: "table-full",
  level: "critical",
  state: "firing",
  sinceMs: NOW_MS,
  firedAtMs: NOW_MS,
  title: "Table full: 2,048 of 2,048 flows, 40 packets dropped in the last minute",
  evidence: { occupancyFlows: 2048, capacityFlows: 2048, droppedPackets: 40 },
  meaning:
    "New connections are dropped unless the kernel finds an unassured flow to evict; existing ones go on.",
  remedy: [
    { text: "See what fills the table.", command: "headroom explain" },
    { text: "Make room at once.", command: "headroom reclaim --emergency" },
  ],
};

/** A store in memory that can refuse, and that can be stopped before any of its writes. */
export class MemoryStore implements AlertStore {
  readonly states = new Map<string, string>();
  readonly kept = new Map<string, string>();
  changes: SettingChange[] = [];
  /** Refuses every write, as a full disk does. */
  full = false;
  /** Writes until the program is killed before one; absent: it is not. */
  writesLeft: number | undefined;
  writes = 0;

  readState(name: string): unknown {
    const text = this.states.get(name);
    return text === undefined ? undefined : JSON.parse(text);
  }

  writeState(name: string, value: unknown): void {
    this.#mayWrite();
    this.states.set(name, JSON.stringify(value));
  }

  putIncident(incident: Incident): void {
    this.#mayWrite();
    this.kept.set(incident.id, JSON.stringify(incident));
  }

  incident(id: string): Incident | undefined {
    const text = this.kept.get(id);
    return text === undefined ? undefined : (JSON.parse(text) as Incident);
  }

  incidents(): readonly Incident[] {
    return [...this.kept.values()].map((text) => JSON.parse(text) as Incident);
  }

  settingChanges(fromMs: number, toMs: number): readonly SettingChange[] {
    return this.changes.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  }

  #mayWrite(): void {
    if (this.full)
      throw Object.assign(new Error("Cannot write the history: the disk is full"), { code: "disk-full" });
    if (this.writesLeft === 0) throw new Killed();
    if (this.writesLeft !== undefined) this.writesLeft -= 1;
    this.writes += 1;
  }
}

/** Stands for SIGKILL: nobody catches it. */
export class Killed extends Error {
  override name = "Killed";
}
