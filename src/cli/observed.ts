/**
 * What is seen of a table for a while, and how it is to be looked at: see observe.ts and
 * record/observe-record.ts.
 */
import type { Census } from "../census/census.ts";
import type { Observation } from "../plan/plan.ts";
import type { FlowColumns } from "../table/columns.ts";
import type { Host, SettingsReading } from "../table/host.ts";
import type { IdleContext } from "../table/idle.ts";
import type { Unseen } from "../table/unseen.ts";

export interface ObserveOptions {
  /** Seconds between the readings; 0: one reading. Absent: OBSERVE_SECONDS of the running kernel, else 0. */
  observeSeconds?: number;
  sampleFlows?: number;
  signal?: AbortSignal;
  topRows?: number;
  /** Count flows made, by their events. */
  arrivals?: true;
  /** Sees every batch of the later reading, with the idle context it is to be read in. */
  onBatch?: (columns: FlowColumns, context: IdleContext) => void;
}

/** What was seen, and what is worth saying of how. */
export interface Observed {
  observation: Observation;
  settings?: SettingsReading;
  /** Of a record of events: the host it was made on, which is not at hand. */
  host?: Host;
  census: Census;
  source: string;
  /** For people. */
  origin: string;
  /** The kernel's own count before and after all reading; absent where it is not told. */
  occupancyFlows?: number;
  occupancyAfterFlows?: number;
  /** ^C ended it: what was seen until then is in the observation. */
  interrupted: boolean;
  /** Timeouts were not to be had; the kernel's defaults stand in for them. */
  assumedTimeouts: boolean;
  unseen: readonly Unseen[];
}
