/**
 * Metrics of the table itself: what it holds, what it may hold, what the kernel counts, what is set, and the
 * other namespaces.
 */
import { memoryOf, tableFigures, type TableMemory } from "../plan/plan.ts";
import type { CounterName } from "../table/counters.ts";
import { SETTING_KEYS } from "../table/settings.ts";
import { byLabel, counter, type Family, type Figures, gauge, OTHER, snakeCase } from "./metrics-family.ts";

/** What a counter of the kernel means; on kernels since 4.9 unless it says another. */
const COUNTERS: readonly (readonly [CounterName, string])[] = [
  [
    "drop",
    "Packets dropped because the table was full, memory was short, or a flow could not be put in. " +
      "Chains that are too long do not count here",
  ],
  ["earlyDrop", "Flows that a full table ended before their time, to make room for new ones"],
  [
    "insertFailed",
    "New flows that could not be put in: another has the same addresses and ports, or the chain is too long",
  ],
  ["chainTooLong", "New flows refused because their hash chain was too long: too few buckets, or an attack"],
  ["clashResolved", "New flows that met another of the same addresses and ports, and were merged with it"],
  ["invalid", "Packets that could not be tracked: out of window, malformed, or of no known flow"],
  ["found", "Lookups that met a flow. Since kernel 4.9: address translations that were taken already"],
  ["insert", "Flows put in. Since kernel 4.9: those made by programs over netlink alone"],
  ["icmpError", "ICMP errors that were malformed or belong to no flow"],
  ["searchRestart", "Lookups that began anew because a flow moved in the hash table meanwhile"],
  ["expectNew", "Expectations set up (expect_new)"],
  ["expectCreate", "Expectations set up (expect_create)"],
  ["expectDelete", "Expectations ended"],
  ["searched", "Flows compared in lookups. Not counted since kernel 4.9"],
  ["new", "Flows made. Not counted since kernel 4.9"],
  ["ignore", "Packets that had a flow already or are not to be tracked. Not counted since kernel 5.10"],
  ["delete", "Flows ended. Not counted since kernel 4.9"],
  ["deleteList", "Flows put on the list of those that end. Not counted since kernel 4.9"],
];

export const counterFamilies: readonly Family[] = COUNTERS.map(([name, about]) =>
  counter(
    `headroom_conntrack_${snakeCase(name)}_total`,
    `${about}. As the kernel counts, all CPUs together; absent where this kernel does not count it`,
    ({ state }) => state.facts.counters?.total[name],
  ),
);

export const tableFamilies: readonly Family[] = [
  gauge(
    "headroom_occupancy_flows",
    "Flows in the table of the watched namespace, as they count against the capacity (nf_conntrack_count)",
    ({ state }) => state.sample?.values.occupancyFlows,
  ),
  gauge(
    "headroom_capacity_flows",
    "Flows a namespace may hold (nf_conntrack_max); 0 stands for no limit",
    ({ state }) => state.sample?.values.capacityFlows,
  ),
  gauge(
    "headroom_buckets",
    "Buckets of the hash table, shared by all namespaces of the host",
    ({ state }) => state.sample?.values.bucketCount,
  ),
  gauge(
    "headroom_host_flows",
    "Flows of all network namespaces whose count can be read: they share the buckets and the memory",
    ({ state }) =>
      state.sample?.values.occupancyFlows === undefined ? undefined : tableFigures(state.facts).hostFlows,
  ),
  gauge(
    "headroom_expectation_flows",
    "Expected connections that helpers such as FTP or SIP have announced",
    ({ state }) => state.sample?.values.expectationFlows,
  ),
  gauge(
    "headroom_expectation_capacity_flows",
    "Expected connections the kernel holds at most (nf_conntrack_expect_max)",
    ({ state }) => state.facts.settings.values.nf_conntrack_expect_max,
  ),
  {
    name: "headroom_table_memory_bytes",
    help: "Kernel memory of the table now: its flows by slab size, and its buckets. Reckoned, not measured",
    type: "gauge",
    labels: ["part"],
    values: (figures) => {
      const memory = memoryFor(figures, figures.state.sample?.values.occupancyFlows);
      return memory === undefined
        ? []
        : byLabel("part", { flows: memory.flowBytes, buckets: memory.bucketBytes });
    },
  },
  gauge(
    "headroom_table_memory_when_full_bytes",
    "Kernel memory the table would have when it is full. Reckoned, not measured",
    (figures) => memoryFor(figures, figures.state.sample?.values.capacityFlows)?.bytes,
  ),
  gauge(
    "headroom_tracker_loaded",
    "1 while the kernel tracks connections, 0 while its module is not loaded; absent where that is unknown",
    ({ state: { facts } }) =>
      facts.host.tracker === "unknown" ? undefined : Number(facts.host.tracker !== "none"),
  ),
  {
    name: "headroom_kernel_log_lines",
    help:
      "Lines about the table that the kernel log still holds, by kind (table-full is the one to know). " +
      "A lower bound: the kernel limits its own messages",
    type: "gauge",
    labels: ["kind"],
    values: ({ state }) => byLabel("kind", kernelLogLines(state.facts.kernelLog)),
  },
];

type KernelLog = NonNullable<Figures["state"]["facts"]["kernelLog"]>;

/** That no line says the table is full is known as soon as the log is. */
function kernelLogLines(log: KernelLog | undefined): Record<string, number> {
  if (log === undefined) return {};
  const lines: Record<string, number> = { "table-full": 0 };
  for (const tally of log.tallies) lines[tally.kind] = (lines[tally.kind] ?? 0) + tally.lines;
  return lines;
}

function memoryFor({ state }: Figures, flows: number | undefined): TableMemory | undefined {
  const buckets = state.sample?.values.bucketCount;
  return flows === undefined || buckets === undefined ? undefined : memoryOf(state.facts, flows, buckets);
}

export const settingFamilies: readonly Family[] = [
  {
    name: "headroom_setting",
    help: "Settings of the tracker in force, by their sysctl name: timeouts in seconds, switches 0 or 1",
    type: "gauge",
    labels: ["key"],
    values: ({ state }) => {
      const { values } = state.facts.settings;
      return SETTING_KEYS.flatMap((key) => {
        const value = values[key];
        // The count is no setting, whatever the kernel says.
        return value === undefined || key === "nf_conntrack_count" ? [] : [{ value, labels: { key } }];
      });
    },
  },
  counter(
    "headroom_setting_changes_total",
    "Settings that were seen to change since this program started, whoever changed them",
    ({ counts }) => counts.settingChanges,
  ),
];

export const namespaceFamilies: readonly Family[] = [
  gauge("headroom_namespaces", "Network namespaces found on this host", ({ state }) =>
    state.namespaces.length === 0 ? undefined : state.namespaces.length,
  ),
  {
    name: "headroom_namespace_occupancy_flows",
    help:
      "Flows in the table of a network namespace. The fullest by share of their capacity are named, " +
      `the rest is summed up as ${OTHER}`,
    type: "gauge",
    labels: ["netns"],
    values: ({ state, namespaces }) => {
      const named = namespaces.map(({ name, flows }) => ({ value: flows, labels: { netns: name } }));
      const counted = state.namespaces.filter(({ occupancyFlows }) => occupancyFlows !== undefined);
      if (counted.length <= named.length) return named;
      const all = counted.reduce((sum, { occupancyFlows = 0 }) => sum + occupancyFlows, 0);
      const shown = namespaces.reduce((sum, { flows }) => sum + flows, 0);
      return [...named, { value: Math.max(0, all - shown), labels: { netns: OTHER } }];
    },
  },
  {
    name: "headroom_namespace_capacity_flows",
    help: "Flows each named network namespace may hold",
    type: "gauge",
    labels: ["netns"],
    values: ({ namespaces }) =>
      namespaces.flatMap(({ name, capacityFlows }) =>
        capacityFlows === undefined ? [] : [{ value: capacityFlows, labels: { netns: name } }],
      ),
  },
];
