/**
 * The facts of now: what is read every few minutes, with what was read this second in its place.
 */
import type { Census } from "../census/census.ts";
import type { Facts } from "../plan/plan.ts";
import type { Counters } from "../table/counters.ts";
import type { KernelLog, KernelLogTally, NamespaceFacts, SettingsReading } from "../table/host.ts";
import type { Unseen } from "../table/unseen.ts";
import type { KernelLogEvent, LiveReading } from "../table/live-reading.ts";

/** What is known now besides what `base` has. */
export interface FreshFacts {
  atMs: number;
  live: LiveReading | undefined;
  namespaces: readonly NamespaceFacts[] | undefined;
  census: Census | undefined;
  kernelLog: KernelLog | undefined;
  unseen: readonly Unseen[];
}

/** Facts before anything was read. */
export function noFacts(atMs: number): Facts {
  return {
    host: { tracker: "unknown" },
    settings: { values: {}, origins: {}, unknownKeys: [], unreadable: [] },
    atMs,
    unseen: [],
  };
}

export function factsOfNow(base: Facts, fresh: FreshFacts): Facts {
  const { live, namespaces, census, kernelLog } = fresh;
  const { later: _before, ...rest } = base;
  const settings = live?.settings ?? withoutOccupancy(base.settings);
  const capacityFlows = settings.values.nf_conntrack_expect_max;
  const counters = live === undefined ? undefined : countersOf(base.counters, live);
  return {
    ...rest,
    host: live === undefined ? base.host : { ...base.host, tracker: live.tracker },
    settings,
    atMs: fresh.atMs,
    ...(counters === undefined ? {} : { counters }),
    ...(namespaces === undefined ? {} : { namespaces }),
    ...(census === undefined ? {} : { census }),
    ...(kernelLog === undefined ? {} : { kernelLog }),
    ...(live?.expectationFlows === undefined
      ? {}
      : {
          expectations: {
            occupancyFlows: live.expectationFlows,
            ...(capacityFlows === undefined ? {} : { capacityFlows }),
          },
        }),
    unseen: fresh.unseen,
  };
}

/** Values stay as they were read last; how many flows there were is nothing to go by now. */
function withoutOccupancy(settings: SettingsReading): SettingsReading {
  const { nf_conntrack_count: _before, ...values } = settings.values;
  return { ...settings, values };
}

/** What the kernel does not count it does not count now either. */
function countersOf(base: Counters | undefined, live: LiveReading): Counters | undefined {
  if (live.counters === undefined) return undefined;
  return {
    ...(live.occupancyFlows === undefined ? {} : { occupancyFlows: live.occupancyFlows }),
    total: live.counters,
    perCpu: [],
    notCounted: base?.notCounted ?? [],
    unknown: base?.unknown ?? [],
    source: base?.source ?? "procfs",
  };
}

/** Facts to judge by: those of a while ago, with the counters and the occupancy of now as the later ones. */
export function factsToJudge(now: Facts, earlier: EarlierCounts | undefined, elapsedMs: number): Facts {
  const { counters } = now;
  if (earlier === undefined || counters === undefined) return now;
  const { nf_conntrack_count: occupancyFlows } = now.settings.values;
  const { nf_conntrack_count: _now, ...values } = now.settings.values;
  const before = earlier.occupancyFlows === undefined ? {} : { nf_conntrack_count: earlier.occupancyFlows };
  return {
    ...now,
    settings: { ...now.settings, values: { ...values, ...before } },
    counters: earlier.counters,
    later: {
      counters,
      seconds: (elapsedMs - earlier.elapsedMs) / 1000,
      ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    },
  };
}

export interface EarlierCounts {
  elapsedMs: number;
  counters: Counters;
  occupancyFlows: number | undefined;
}

/** A kernel log with the lines that came since it was read. */
export function logWith(log: KernelLog, events: readonly KernelLogEvent[]): KernelLog {
  if (events.length === 0) return log;
  const tallies = new Map(log.tallies.map((tally) => [tallyKey(tally), tally]));
  let { suppressedMessages, linesRead } = log;
  for (const event of events) {
    if (event.kind === "suppressed") {
      suppressedMessages += event.lines;
      continue;
    }
    linesRead += event.lines;
    const { firstAtMs, atMs, lines, sample, kind, namespaceInode, container } = event;
    const before = tallies.get(tallyKey(event));
    tallies.set(tallyKey(event), {
      ...(before ?? { kind, firstAtMs }),
      ...(namespaceInode === undefined ? {} : { namespaceInode }),
      ...(container === undefined ? {} : { container }),
      lines: (before?.lines ?? 0) + lines,
      lastAtMs: atMs,
      sample,
    });
  }
  return { ...log, tallies: [...tallies.values()], suppressedMessages, linesRead };
}

function tallyKey({ kind, namespaceInode, container }: KernelLogTally | KernelLogEvent): string {
  return `${kind} ${namespaceInode ?? ""} ${container ?? ""}`;
}
