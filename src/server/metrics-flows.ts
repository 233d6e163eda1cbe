/**
 * Metrics of what fills the table, as the last census counted it, and of how flows come and go, by flow
 * events. Of a sample, figures are estimates for the whole table.
 */
import type { Census } from "../census/census.ts";
import {
  byLabel,
  counter,
  type Family,
  type Figures,
  gauge,
  OTHER,
  type Ranked,
  type Value,
} from "./metrics-family.ts";

const BY_CENSUS = "By the last census; of a large table an estimate from a sample";

function censusOf({ state }: Figures): Census | undefined {
  return state.census?.census;
}

/** A table that has grown to more than so many times what was counted is another one. */
const MOST_GROWTH = 10;

/** The last census, while it tells of the table as it is: an empty one tells nothing of a full table. */
function tellingCensus(figures: Figures): Census | undefined {
  const census = censusOf(figures);
  const { occupancyFlows = 0 } = figures.state.sample?.values ?? {};
  return census !== undefined && occupancyFlows > MOST_GROWTH * census.flows ? undefined : census;
}

/** Metrics of a census: without one there is nothing to say. */
function counted(
  name: string,
  help: string,
  labels: readonly string[],
  values: (census: Census, figures: Figures) => readonly Value[],
): Family {
  return {
    name,
    help: `${help}. ${BY_CENSUS}`,
    type: "gauge",
    labels,
    values: (figures) => {
      const census = tellingCensus(figures);
      return census === undefined ? [] : values(census, figures);
    },
  };
}

/** Idle so long at least: the steps people set timeouts to. */
const IDLE_SECONDS = [60, 600, 3600, 21_600, 86_400, 432_000];

/** Of all statuses, those that people count by. */
const STATUSES = ["assured", "src-nat", "dst-nat", "expected", "helper", "offload", "hw-offload"];

export const censusFamilies: readonly Family[] = [
  counted(
    "headroom_flows",
    "Flows by protocol, and by state where the protocol has states",
    ["protocol", "state"],
    flowsByState,
  ),
  counted("headroom_unanswered_flows", "Flows that nobody has answered", ["protocol"], (census) =>
    byLabel("protocol", sums(census.unanswered)),
  ),
  counted(
    "headroom_status_flows",
    "Flows that are assured (not ended early), translated (src-nat, dst-nat), expected, helped or " +
      "offloaded; one flow may be several",
    ["status"],
    ({ byStatus }) =>
      byLabel("status", Object.fromEntries(STATUSES.map((name) => [name, byStatus[name]?.flows]))),
  ),
  counted(
    "headroom_idle_flows",
    "Flows without a packet for at least so many seconds (label idle_seconds)",
    ["idle_seconds"],
    (census) => idleFlows(census.idleSeconds),
  ),
  counted(
    "headroom_idle_established_flows",
    "Established TCP flows without a packet for at least so many seconds (label idle_seconds): what " +
      "nf_conntrack_tcp_timeout_established keeps",
    ["idle_seconds"],
    (census) => idleFlows(census.establishedIdleSeconds),
  ),
  counted(
    "headroom_source_flows",
    `Flows by who made them: the greatest by address, the rest summed up as ${OTHER}`,
    ["source"],
    (census, { sources }) => ranking("source", sources, census.flows),
  ),
  counted(
    "headroom_service_flows",
    `Flows by service (protocol and destination port): the greatest by name, the rest summed up as ${OTHER}`,
    ["service"],
    (census, { services }) => ranking("service", services, census.flows),
  ),
  counted("headroom_sources", "Distinct sources of flows, at least so many", [], (census) => [
    { value: census.topSources.distinct },
  ]),
  gauge("headroom_census_flows", "Flows the last census stands for", (figures) => censusOf(figures)?.flows),
  gauge(
    "headroom_census_sample_flows",
    "Flows the last census read: fewer than it stands for when it is a sample",
    (figures) => censusOf(figures)?.flowsRead,
  ),
  gauge("headroom_census_age_seconds", "Seconds since the last census", ({ state: { census, facts } }) =>
    census === undefined ? undefined : Math.max(0, facts.atMs - census.atMs) / 1000,
  ),
  gauge(
    "headroom_census_duration_seconds",
    "Seconds the last census took",
    ({ state }) => state.census?.seconds,
  ),
];

/** Rows by state, and the rest of each protocol without one. */
function flowsByState({ byProtocol, byState }: Census): readonly Value[] {
  const known = sums(byState);
  const stateless = byProtocol.flatMap(({ protocol, flows }) => {
    const rest = Math.max(0, flows - (known[protocol] ?? 0));
    // Estimates are rounded each by itself: their sum may be off by one for each.
    const rounding = byState.filter((row) => row.protocol === protocol).length;
    return protocol in known && rest <= rounding ? [] : [{ value: rest, labels: { protocol } }];
  });
  const rows = byState.map(({ protocol, state, flows }) => ({
    value: flows,
    labels: { protocol, state: state.toLowerCase() },
  }));
  return [...rows, ...stateless];
}

function sums(rows: readonly { protocol: string; flows: number }[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { protocol, flows } of rows) found[protocol] = (found[protocol] ?? 0) + flows;
  return found;
}

function idleFlows(bins: Census["idleSeconds"]): readonly Value[] {
  return IDLE_SECONDS.map((seconds) => ({
    value: bins.reduce((sum, { fromSeconds, flows }) => (fromSeconds >= seconds ? sum + flows : sum), 0),
    labels: { idle_seconds: String(seconds) },
  }));
}

function ranking(label: string, rows: readonly Ranked[], allFlows: number): readonly Value[] {
  const shown = rows.reduce((sum, { flows }) => sum + flows, 0);
  return [
    ...rows.map(({ name, flows }) => ({ value: flows, labels: { [label]: name } })),
    { value: Math.max(0, allFlows - shown), labels: { [label]: OTHER } },
  ];
}

export const eventFamilies: readonly Family[] = [
  {
    name: "headroom_arriving_flows_per_second",
    help: "New flows a second by protocol, over the last minute, by the events of the share that is followed",
    type: "gauge",
    labels: ["protocol"],
    values: (figures) =>
      protocolRates(figures).map(({ protocol, arrivalsPerSecond }) => ({
        value: arrivalsPerSecond,
        labels: { protocol },
      })),
  },
  {
    name: "headroom_flow_holding_seconds",
    help:
      "Seconds a flow is held in the table on average, by protocol: by lives that were followed, or by " +
      "flows held over flows arriving; absent while it cannot be told",
    type: "gauge",
    labels: ["protocol"],
    values: (figures) =>
      protocolRates(figures).flatMap(({ protocol, holdingSeconds }) =>
        holdingSeconds === undefined ? [] : [{ value: holdingSeconds, labels: { protocol } }],
      ),
  },
  gauge(
    "headroom_events_followed_ratio",
    "Share of flows whose events are followed, by what the budget allows",
    ({ state }) => (state.events === undefined ? undefined : 1 / state.events.oneOf),
  ),
  gauge(
    "headroom_followed_flows",
    "Flows whose birth was seen and whose end is waited for",
    ({ state }) => state.events?.followedFlows,
  ),
  counter(
    "headroom_events_lost_total",
    "Flow events of the followed share that came faster than they were read; rates are scaled for it",
    ({ state }) => state.events?.lostEvents,
  ),
  counter(
    "headroom_event_losses_total",
    "Times flow events were lost (ENOBUFS)",
    ({ state }) => state.events?.lossTimes,
  ),
];

function protocolRates({ state }: Figures): NonNullable<Figures["state"]["events"]>["rates"] {
  return state.events?.rates.filter(({ port }) => port === undefined) ?? [];
}
