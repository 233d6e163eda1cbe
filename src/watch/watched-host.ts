/**
 * The host a watcher looks at: what it asks, and how often. The shell puts it together from the kernel
 * folder, whose live readings, followed log and sampled events have these shapes; tests meet it in memory.
 *
 * Every question is cheap or can be stopped in the middle. Each may throw: a permission was withdrawn, the
 * namespace is gone, the tracker was unloaded. The watcher notes that and asks again later; an answer after
 * that is as good as the first.
 */
import type { Facts } from "../plan/plan.ts";
import type { FlowEventBatch } from "../table/flow-event.ts";
import type { KernelLogEvent, LiveReading, NamespaceCounts } from "../table/live-reading.ts";
import type { FlowReading } from "../table/source.ts";
import type { Unseen } from "../table/unseen.ts";
import type { SettingChange } from "./history.ts";

export interface WatchedHost {
  /** What is worth reading every second: some dozens of small files, under a millisecond. */
  read(): LiveReading;
  /** All network namespaces with their counts, read afresh. */
  counts(): NamespaceCounts;
  /** What the kernel logged since the last call; never throws. */
  drainLog(): { events: readonly KernelLogEvent[]; unseen: readonly Unseen[]; losses: number };
  /**
   * All that judgement goes by besides flows, read afresh: host, boot, kernel log, counters. Asked at the
   * start and every few minutes; what is read each second replaces its part of it.
   */
  facts(): Facts;
  /**
   * Begins a reading of about so many flows, the beginning of a dump in bucket order; of all without. Its
   * batches are asked for one at a time, with other work in between.
   */
  flows(sampleFlows?: number): FlowReading;
  /** Begins to listen to flow events: to NEW and DESTROY of one flow of `oneOf`. */
  events(options: { oneOf: number }): SampledEvents;
  /**
   * Who may have changed a setting, the likeliest first, one line each for people: what this program itself
   * changed, the owners that want this value, files that say it and when they were written, programs seen.
   */
  suspectsOf(change: Omit<SettingChange, "suspects">): readonly string[];
}

/**
 * Flow events of a share of all flows, chosen inside the kernel by the id of the flow, so that a flow that is
 * followed is followed from its birth to its end, and those that are not cost nothing here.
 */
export interface SampledEvents {
  /** One flow of so many is followed: a power of two. */
  readonly oneOf: number;
  /**
   * Follows another share, a power of two: the flows of a smaller share are among those of a larger one.
   * Events that wait already may still be of the old share.
   */
  setOneOf(oneOf: number): void;
  /** Whether a flow with this id is followed at present. */
  follows(id: number): boolean;
  /** Which flows have events at all (nf_conntrack_events): those made while somebody listens, mostly. */
  readonly coverage: "all" | "new-flows" | "none" | "unknown";
  /** Times events were lost because they were not read in time. */
  readonly losses: number;
  /** Events of the followed share that were lost so far; undefined where the kernel counts none. */
  readonly lostEvents: number | undefined;
  /** What has come, at most a batch, without waiting; undefined when nothing has. */
  read(waitMs: number): FlowEventBatch | undefined;
  close(): void;
}
