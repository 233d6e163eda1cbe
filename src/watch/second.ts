/**
 * One second: what the clocks say about it, and the sample it becomes.
 *
 * A rate is what was counted divided by the time it was counted over, by the clock that never goes back; the
 * wall clock only says when. What was not measured has no value: a counter that began anew is a gap of one
 * second and never a negative rate.
 */
import { COUNTER_SERIES, type Sample, type SeriesName } from "../table/series.ts";
import { isLookedAt, type NamespaceFacts } from "../table/host.ts";
import type { WatchNote } from "./history.ts";
import type { KernelLogEvent, LiveReading } from "../table/live-reading.ts";

/** Longer than this between two seconds is a gap. */
const GAP_SECONDS = 3;
/** The wall clock may be set right by a little each second without a note. */
const JUMP_SECONDS = 2;

export interface Tick {
  /** Wall clock, milliseconds since 1970. */
  atMs: number;
  /** Of the clock that never goes back. */
  elapsedMs: number;
  /** Since the second before; undefined at the first. */
  seconds?: number;
}

/** Compares the clocks from second to second. */
export class SecondClock {
  #last: Tick | undefined;

  /** The tick that begins now; notes say what was odd about the time before. */
  tick(atMs: number, elapsedMs: number, notes: WatchNote[]): Tick {
    const last = this.#last;
    const seconds = last === undefined ? undefined : (elapsedMs - last.elapsedMs) / 1000;
    this.#last = { atMs, elapsedMs, ...(seconds === undefined ? {} : { seconds }) };
    if (last === undefined || seconds === undefined) return this.#last;
    if (seconds > GAP_SECONDS) {
      const text = `Nothing was measured for ${seconds.toFixed(1)} s: this program did not get to run`;
      notes.push({ atMs, kind: "gap", text, amount: seconds });
    }
    const jumped = (atMs - last.atMs) / 1000 - seconds;
    if (Math.abs(jumped) > JUMP_SECONDS) {
      const way = jumped > 0 ? "forward" : "back";
      const text = `The wall clock jumped ${way} by ${Math.abs(jumped).toFixed(1)} s`;
      notes.push({ atMs, kind: "clock-jump", text, amount: jumped });
    }
    return this.#last;
  }
}

/** What a sample is made of; what is absent was not measured. */
export interface SecondFacts {
  tick: Tick;
  live: LiveReading | undefined;
  /** The watched namespace, where a line of the kernel log names one. */
  namespaceInode: number | undefined;
  log: readonly KernelLogEvent[];
  /** The kernel log was followed during all of the second. */
  logFollowed: boolean;
  /** By flow events, of all flows. */
  events: { arrivals: number; ends: number } | undefined;
  cpuShare: number | undefined;
  memoryBytes: number | undefined;
}

export function sampleOf(facts: SecondFacts): Sample {
  const { tick, live, events, cpuShare, memoryBytes } = facts;
  const values: { [name in SeriesName]?: number } = {};
  const put = (name: SeriesName, value: number | undefined): void => {
    if (value !== undefined && Number.isFinite(value) && value >= 0) values[name] = value;
  };
  put("occupancyFlows", live?.occupancyFlows);
  put("capacityFlows", live?.settings.values.nf_conntrack_max);
  put("bucketCount", live?.settings.values.nf_conntrack_buckets ?? live?.settings.values.hashsize);
  put("expectationFlows", live?.expectationFlows);
  put("watcherCpuShare", cpuShare);
  put("watcherMemoryBytes", memoryBytes);
  const { seconds } = tick;
  if (seconds === undefined || seconds <= 0) return { atMs: tick.atMs, values };
  const rate = (amount: number | undefined): number | undefined =>
    amount === undefined ? undefined : amount / seconds;
  for (const [counter, name] of COUNTER_SERIES) put(name, rate(live?.counted?.[counter]));
  put("arrivalsPerSecond", rate(events?.arrivals));
  put("departuresPerSecond", rate(events?.ends));
  if (facts.logFollowed) {
    put("tableFullLinesPerSecond", rate(tableFullLines(facts.log, facts.namespaceInode)));
  }
  return { atMs: tick.atMs, values };
}

/** Lines that say that the watched table is full, those that do not say which table included. */
function tableFullLines(log: readonly KernelLogEvent[], inode: number | undefined): number {
  return log
    .filter(({ kind }) => kind === "table-full")
    .filter(({ namespaceInode }) => namespaceInode === undefined || namespaceInode === inode)
    .reduce((sum, { lines }) => sum + lines, 0);
}

/** What a namespace is called in the history: its name, else what holds it, else its number. */
export function namespaceLabel({ name, owner, inode }: NamespaceFacts): string {
  return name ?? owner ?? (inode === undefined ? "unknown" : `net:[${inode}]`);
}

/** Samples of all namespaces but the watched one whose counts could be read. */
export function otherSamples(
  namespaces: readonly NamespaceFacts[],
  watchedInode: number | undefined,
  atMs: number,
): ReadonlyMap<string, Sample> {
  const samples = new Map<string, Sample>();
  for (const namespace of namespaces) {
    const { occupancyFlows, capacityFlows } = namespace;
    if (isLookedAt(namespace, watchedInode) || occupancyFlows === undefined) continue;
    const values = { occupancyFlows, ...(capacityFlows === undefined ? {} : { capacityFlows }) };
    samples.set(namespaceLabel(namespace), { atMs, values });
  }
  return samples;
}
