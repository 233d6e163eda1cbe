/**
 * What a plan is made of, and what it is: plain values.
 */
import type { Host } from "../table/host.ts";
import type { SettingKey, Settings } from "../table/settings.ts";
import type { MissShare } from "./load.ts";
import type { ChosenSizes } from "./proposal-sizes.ts";
import type { ServiceRelief } from "./relief.ts";

/** Flows in balance, that is when as many leave as come. */
export interface ExpectedFlows {
  /** On average over time, as nf_conntrack_count counts: what has expired and is not collected is in it. */
  flows: number;
  /** One standard error, where the figure comes from a sample or from counted events. */
  standardErrorFlows?: number;
  /** What it should lie between, 19 times of 20: far apart where flows last longer than they were watched. */
  lowFlows?: number;
  highFlows?: number;
  /** Of `flows`, those that have expired and wait to be collected; no listing shows them. */
  uncollectedFlows?: number;
  /** The same just before the collector comes, by the longest time it may take. */
  uncollectedPeakFlows?: number;
  /**
   * Of the flows there are now, those that are not silent for as long as these timeouts: the others would not
   * be there. Absent: as many as are expected, in proportion.
   */
  keptFlows?: number;
  /** What the flows of each timeout come from, greatest first; as far as known. */
  parts?: readonly ExpectedPart[];
}

/** `arrivalsPerSecond` x `heldSeconds` = `flows`. */
export interface ExpectedPart {
  key: SettingKey;
  flows: number;
  arrivalsPerSecond?: number;
  heldSeconds?: number;
  /** There are so many now, whatever will be. */
  nowFlows?: number;
}

/** Flows in balance at the present load under wanted settings; others stay as they are. */
export type Expectation = (wanted: Settings) => ExpectedFlows;

export interface PlanGoal {
  /** Share of the capacity in use at the peak. */
  targetShare: number;
  /** How many times the present load the peak is. */
  peakFactor: number;
  /** Absent: BUDGET_SHARE of the memory. */
  budgetBytes?: number;
  /** Timeouts may go below what the RFCs ask of a NAT. */
  belowRfc?: true;
}

export interface PlanFacts {
  host: Host;
  /** Values in force. */
  settings: Settings;
  goal: PlanGoal;
  /** Absent: nothing is known of the load. */
  expected?: Expectation;
  /** Flows the table holds now: what it holds it may hold again. */
  presentFlows?: number;
  /** How the load is known, for people: `two readings 10 s apart, and the events between them`. */
  how: string;
  /** The kernel log says that the table was full since boot, and held so many flows then. */
  wasFullFlows?: number;
  /** Namespaces that hold flows, this one included; each may hold the capacity. */
  namespacesInUse: number;
  /** Flows of the other namespaces: they share the buckets. */
  otherFlows: number;
  /** Share of the flows that a full table may evict: those without ASSURED. */
  evictableShare?: number;
  /**
   * There is no host yet: `settings` are what its kernel would choose. No flows keep an old timeout, and a
   * size may be chosen that is less than that.
   */
  onPaper?: true;
  /** The load is arithmetic, which does not scatter: the target is kept exactly. */
  isReckoned?: true;
  /** Services that need no tracking, or a shorter time. */
  relief?: readonly ServiceRelief[];
}

export interface PlannedSetting {
  key: SettingKey;
  from?: number;
  to: number;
  /** A sentence with its figures. */
  reason: string;
}

/** Counted as the kernel does: expired flows that wait to be collected fill a table, too. */
export interface PredictedUse {
  occupancyFlows: number;
  /** Of the capacity planned; absent without a limit. */
  useShare: number;
  standardErrorFlows?: number;
  /** What it should lie between, 19 times of 20. */
  lowFlows?: number;
  highFlows?: number;
}

/** Absent without a limit. */
export interface UnchangedUse {
  occupancyFlows: number;
  useShare?: number;
}

export interface Plan {
  /** What to change; nothing is a good plan. */
  settings: readonly PlannedSetting[];
  capacityFlows?: number;
  bucketCount?: number;
  /** Absent: nothing is known of the load. */
  predicted?: PredictedUse & {
    /** Of `occupancyFlows`: alive, which is what a listing shows, and expired but not collected. */
    aliveFlows?: number;
    uncollectedFlows?: number;
    /** Just before the collector comes, in place of `uncollectedFlows`. */
    uncollectedPeakFlows?: number;
    peak: PredictedUse;
    /** Whether the peak fits depends on what is not known: the plan is made for the least there will be. */
    uncertain?: true;
    peakFactor: number;
    targetShare: number;
    /** In balance at the present load if nothing is changed. */
    unchanged: UnchangedUse & { peak: UnchangedUse };
    /** What the flows come from, by the timeout that holds them, greatest first; as far as known. */
    byTimeout: readonly ExpectedPart[];
    how: string;
  };
  /** Of a full table. */
  memory?: ChosenSizes["memory"] & { budgetBytes?: number };
  load?: PlanLoad;
  relief: readonly ServiceRelief[];
  /** Sentences that whoever carries the plan out must know. */
  notes: readonly string[];
}

export interface PlanLoad {
  /** Flows of all namespaces per bucket, at the present load, at the peak, and when the table is full. */
  nowFlowsPerBucket?: number;
  peakFlowsPerBucket?: number;
  fullFlowsPerBucket: number;
  /** Share of the flows that may be evicted (without ASSURED): of a census, or taken as a tenth. */
  evictableShare: number;
  evictableShareMeasured: boolean;
  /** Share of new flows dropped by a full table although it holds flows that may be evicted. */
  earlyDropMissShare: MissShare;
  /** Share of new flows lost in silence because a chain is too long, at the peak and when full. */
  peakChainLossShare?: number;
  fullChainLossShare: number;
}
