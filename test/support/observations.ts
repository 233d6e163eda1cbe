/** Observations for tests: flows by idle age as somebody might have read them. */
import { CensusBuilder, IdleAges } from "../../src/census/census.ts";
import type { Observation } from "../../src/plan/plan.ts";
import { parseKernelRelease } from "../../src/table/kernel-release.ts";
import type { Settings } from "../../src/table/settings.ts";
import { columnsOf, type Row } from "./columns.ts";

/** The timeouts of a kernel of today. */
export const usualTimeouts: Settings = {
  nf_conntrack_tcp_timeout_syn_sent: 120,
  nf_conntrack_tcp_timeout_syn_recv: 60,
  nf_conntrack_tcp_timeout_established: 432_000,
  nf_conntrack_tcp_timeout_fin_wait: 120,
  nf_conntrack_tcp_timeout_close_wait: 60,
  nf_conntrack_tcp_timeout_last_ack: 30,
  nf_conntrack_tcp_timeout_time_wait: 120,
  nf_conntrack_tcp_timeout_close: 10,
  nf_conntrack_tcp_timeout_max_retrans: 300,
  nf_conntrack_tcp_timeout_unacknowledged: 300,
  nf_conntrack_tcp_loose: 1,
  nf_conntrack_udp_timeout: 30,
  nf_conntrack_udp_timeout_stream: 120,
  nf_conntrack_icmp_timeout: 30,
  nf_conntrack_generic_timeout: 600,
};

export interface ObservedRows {
  rows: readonly Row[];
  /** The same `seconds` earlier. */
  before?: readonly Row[];
  seconds?: number;
  settings?: Settings;
  /** The rows are a sample of so many flows. */
  ofFlows?: number;
}

/** What observing these flows gives. */
export function observationOf({ rows, before, seconds = 10, settings, ofFlows }: ObservedRows): Observation {
  const release = parseKernelRelease("6.18.44");
  const inForce = settings ?? usualTimeouts;
  const idle = { settings: inForce, ...(release === undefined ? {} : { release }) };
  const reading = (of: readonly Row[]): Observation["second"] => {
    const ages = new IdleAges(idle);
    ages.add(columnsOf(of));
    return { regimes: ages.regimes(), flowsRead: ages.flows, ofFlows: ofFlows ?? ages.flows };
  };
  const census = new CensusBuilder(idle);
  census.add(columnsOf(rows));
  return {
    ...(before === undefined ? {} : { first: reading(before) }),
    second: reading(rows),
    seconds: before === undefined ? 0 : seconds,
    ...idle,
    census: census.finish({ complete: ofFlows === undefined, oddities: {} }),
  };
}
