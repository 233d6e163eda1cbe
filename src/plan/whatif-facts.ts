/** Everything somebody has seen that matters to a preview. */
import type { SilentService } from "../census/census.ts";
import type { Host } from "../table/host.ts";
import type { Settings } from "../table/settings.ts";
import type { Observation } from "./stationary.ts";

export interface WhatIfFacts {
  observation: Observation;
  host: Host;
  /** As read; absent keys are not known. */
  settings: Settings;
  /** nf_conntrack_count before the readings: it counts what no listing shows, too. */
  occupancyFlows?: number;
  /** Flows of other namespaces: they share the buckets. */
  otherFlows?: number;
  /** Namespaces that hold flows: each may hold the limit. */
  namespacesInUse?: number;
  /** This kernel counts flows refused for a long chain. */
  countsLongChains?: boolean;
  /** Answered flows that are silent for longer than the wanted timeouts allow. */
  silentServices: readonly SilentService[];
  /** How long flows of login sessions have been silent, the operator's own and others; undefined: unknown. */
  sessions?: { own: readonly (number | undefined)[]; others: readonly (number | undefined)[] };
}
