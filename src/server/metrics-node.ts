/**
 * The names of node_exporter 1.5 and newer (collector `conntrack`), so that dashboards and alert rules made
 * for it go on with it switched off: all gauges without labels, also what is counted, and what the kernel's
 * file has but this kernel does not count is 0, as there.
 */
import type { CounterName } from "../table/counters.ts";
import { type Family, type Figures, gauge } from "./metrics-family.ts";

const STATISTICS: readonly (readonly [CounterName, string, string])[] = [
  ["found", "found", "Number of searched flows that were found."],
  ["invalid", "invalid", "Number of packets seen that cannot be tracked."],
  ["ignore", "ignore", "Number of packets seen that belong to a tracked flow already."],
  ["insert", "insert", "Number of flows inserted into the table."],
  ["insertFailed", "insert_failed", "Number of flows that were to be inserted and could not be."],
  ["drop", "drop", "Number of packets dropped because tracking them failed."],
  ["earlyDrop", "early_drop", "Number of flows dropped to make room for new ones when the table was full."],
  ["searchRestart", "search_restart", "Number of lookups that had to begin anew because the table changed."],
];

export const nodeFamilies: readonly Family[] = [
  gauge(
    "node_nf_conntrack_entries",
    "Number of flows allocated for connection tracking at present.",
    ({ state }) => state.sample?.values.occupancyFlows,
  ),
  gauge(
    "node_nf_conntrack_entries_limit",
    "Maximum size of the connection tracking table.",
    ({ state }) => state.sample?.values.capacityFlows,
  ),
  ...STATISTICS.map(([counter, name, help]) =>
    gauge(`node_nf_conntrack_stat_${name}`, help, (figures) => statistic(figures, counter)),
  ),
];

function statistic({ state }: Figures, name: CounterName): number | undefined {
  const { counters } = state.facts;
  return counters === undefined ? undefined : (counters.total[name] ?? 0);
}
