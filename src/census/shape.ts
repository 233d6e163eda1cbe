/**
 * What a census is: counts without opinion. Every figure is either a count of flows read, or, when only a
 * sample was read, an estimate for the whole table with its standard error beside it.
 */
import type { IdleUnknown } from "../table/idle.ts";
import type { NatKind } from "../table/nat.ts";
import type { Oddities } from "../table/oddities.ts";

export type { NatKind } from "../table/nat.ts";

/** A count by name. `flows` is scaled to the whole table when sampled; `standardErrorFlows` is then given. */
export interface Count {
  flows: number;
  standardErrorFlows?: number;
}

export interface AddressCount extends Count {
  /** RFC 5952 or dotted text. */
  address: string;
}

export interface PrefixCount extends Count {
  /** `10.0.0.0/24`, `2001:db8::/64`. */
  prefix: string;
}

export interface ServiceCount extends Count {
  protocol: string;
  port: number;
}

export interface PairCount extends Count {
  source: string;
  destination: string;
  protocol: string;
  /** Absent for protocols without ports. */
  port?: number;
}

export interface HistogramBin extends Count {
  fromSeconds: number;
  /** Absent: without upper end. */
  toSeconds?: number;
}

/**
 * The K most frequent keys. Exact while the distinct keys fit; otherwise each figure may be low by
 * `errorBoundFlows`.
 */
export interface Top<Row> {
  rows: readonly Row[];
  /** Distinct keys; a lower bound when not exact. */
  distinct: number;
  exact: boolean;
  /** Flows by which any figure may be too low, and below which a key may be missing. 0 when exact. */
  errorBoundFlows: number;
  /** Of a sample: keys with fewer flows in the table than this are missing with a chance above 5 %. */
  missedBelowFlows?: number;
}

/** Sums over flows with counters; of a sample scaled to the whole table, with standard errors. */
export interface Traffic {
  flowsCounted: number;
  packets: number;
  bytes: number;
  packetsStandardError?: number;
  bytesStandardError?: number;
}

export interface Census {
  /** Flows of the table: read, or when sampled the occupancy the kernel reports. */
  flows: number;
  /** Of a sample that was filtered: then `flows` is an estimate too. */
  standardErrorFlows?: number;
  /** Flows counted. */
  flowsRead: number;
  complete: boolean;
  sampled?: { flowsRead: number; ofFlows: number; method: string };
  byFamily: readonly (Count & { family: "ipv4" | "ipv6" | "unknown" })[];
  byProtocol: readonly (Count & { protocol: string })[];
  byState: readonly (Count & { protocol: string; state: string })[];
  /** By status name: assured, unreplied, ... Only what the source can tell. */
  byStatus: { readonly [name: string]: Count };
  byNat: readonly (Count & { nat: NatKind })[];
  /** Flows whose listing gives no reply direction; absent when there are none. */
  natUnknown?: Count;
  byZone: Top<Count & { zone: number }>;
  byMark: Top<Count & { mark: number }>;
  byHelper: Top<Count & { helper: string }>;
  topSources: Top<AddressCount>;
  topDestinations: Top<AddressCount>;
  topSourcePrefixes: Top<PrefixCount>;
  topDestinationPrefixes: Top<PrefixCount>;
  topServices: Top<ServiceCount>;
  topPairs: Top<PairCount>;
  remainingSeconds: readonly HistogramBin[];
  /**
   * Seconds since the last packet that refreshed the flow; `unknown` counts flows where it cannot be known,
   * by reason.
   */
  idleSeconds: readonly HistogramBin[];
  idleUnknown: readonly (Count & { why: IdleUnknown })[];
  /** Of ESTABLISHED TCP flows alone: the hoard that the five-day timeout makes. */
  establishedIdleSeconds: readonly HistogramBin[];
  /** Unanswered flows (SEEN_REPLY clear) by protocol and state. */
  unanswered: readonly (Count & { protocol: string; state?: string })[];
  /** Sources of unanswered flows: who floods. */
  topUnansweredSources: Top<AddressCount>;
  /** Where accounting is on: totals over flows that have counters. */
  traffic?: Traffic;
  /** Where the kernel stamps flows (or text has delta-time). */
  ageSeconds?: readonly HistogramBin[];
  oddities: Oddities;
}
