/** The figures of a census as `headroom explain --json` prints them; what the page reads of them. */

export interface Tally {
  flows: number;
  standardErrorFlows?: number;
}

export interface Span extends Tally {
  fromSeconds: number;
  toSeconds?: number;
}

export interface CensusFigures {
  flows: number;
  standardErrorFlows?: number;
  flowsRead: number;
  complete: boolean;
  sampled?: { flowsRead: number; ofFlows: number; method: string };
  byFamily?: (Tally & { family: string })[];
  byProtocol?: (Tally & { protocol: string })[];
  byState?: (Tally & { protocol: string; state: string })[];
  byStatus?: Record<string, number>;
  byStatusStandardErrorFlows?: Record<string, number>;
  byNat?: (Tally & { nat: string })[];
  topSources?: (Tally & { address: string })[];
  topDestinations?: (Tally & { address: string })[];
  topSourcePrefixes?: (Tally & { prefix: string })[];
  topDestinationPrefixes?: (Tally & { prefix: string })[];
  topServices?: (Tally & { protocol: string; port: number })[];
  topUnansweredSources?: (Tally & { address: string })[];
  accuracy?: Record<string, { distinct: number; exact: boolean; errorBoundFlows: number }>;
  idleSeconds?: Span[];
  establishedIdleSeconds?: Span[];
  idleUnknown?: (Tally & { why: string })[];
}
