/**
 * What the table is full of: idle connections, one source, unanswered flows, closed ones, UDP. Each of these
 * is a warning only while the table is near its limit; otherwise it is said and does not alarm.
 */
import type { Finding, FindingCode, Level, Remedy } from "../../table/finding.ts";
import { formatDuration } from "../../table/duration.ts";
import type { SettingKey } from "../../table/settings.ts";
import type { Facts } from "../facts.ts";
import { dropBeforeTracking, lookCloser, setTimeoutTo, freeSilent } from "../remedies.ts";
import { tableFigures, underPressure } from "../table-figures.ts";
import { flowsText, percent, type SampledFlows, sumFlows } from "../wording.ts";
import { evidenceOf, remediesOf } from "./rule.ts";

type CensusFacts = NonNullable<Facts["census"]>;

/** A share of the flows from which on a kind of flow is what the table is full of. */
const SHARE_OF_FLOWS = { idle: 0.25, source: 0.25, unanswered: 0.3, timeWait: 0.3, udp: 0.4 } as const;

/** And of the capacity: what is most of an almost empty table is no finding. */
const SHARE_OF_CAPACITY_MIN = 0.1;

/**
 * Without a limit, or in a saved listing that does not tell it, this many flows take the place of a share of
 * it.
 */
const FLOWS_MIN = 1000;

/** A source, or unanswered flows, that take this share of the capacity are a warning at any occupancy. */
const SHARE_OF_CAPACITY_WARNING = { source: 0.5, unanswered: 0.25 } as const;

const HOUR_SECONDS = 3600;

/** What an operator may cut the established timeout to: a day, half a day, and the floor of RFC 5382. */
const ESTABLISHED_CHOICES_SECONDS = [86_400, 43_200, 7440] as const;

/** `idle-established-hoard`: established TCP flows that have been silent for more than an hour. */
export function idleEstablishedHoard(facts: Facts): readonly Finding[] {
  const { census } = facts;
  if (census === undefined) return [];
  const overHour = idleOver(census, HOUR_SECONDS);
  const weight = weigh(facts, overHour, SHARE_OF_FLOWS.idle);
  if (weight === undefined) return [];
  const inForce = facts.settings.values.nf_conntrack_tcp_timeout_established;
  const choices = ESTABLISHED_CHOICES_SECONDS.filter(
    (seconds) => inForce === undefined || seconds < inForce,
  ).map((seconds) => ({ seconds, would: idleOver(census, seconds) }));
  const gone = choices.map(({ seconds, would }) => `${idleText(would)} under ${formatDuration(seconds)}`);
  const best = choices.find(({ would }) => would.flows >= overHour.flows / 2) ?? choices.at(-1);
  const held = flowsText(overHour, "established flow");
  const title = `Silent for over an hour: ${held}, ${percent(weight.shareOfFlows)} of all`;
  return [
    {
      code: "idle-established-hoard",
      level: pressureLevel(facts),
      title,
      evidence: evidenceOf({
        ...weight,
        idleOver3600SecondsFlows: overHour.flows,
        ...Object.fromEntries(
          choices.map(({ seconds, would }) => [`idleOver${seconds}SecondsFlows`, Math.round(would.flows)]),
        ),
        standardErrorFlows: overHour.standardErrorFlows,
        establishedTimeoutSeconds: inForce,
      }),
      meaning: hoardMeaning(inForce, gone),
      remedy: remediesOf(
        best === undefined ? undefined : cutEstablished(facts, best.seconds),
        best === undefined ? undefined : freeSilent(facts, best.seconds),
        lookCloser,
      ),
    },
  ];
}

function hoardMeaning(inForce: number | undefined, gone: readonly string[]): string {
  const after = inForce === undefined ? "" : `, here after ${formatDuration(inForce)} of silence`;
  const would = gone.length === 0 ? "" : ` Already gone would be ${gone.join(", ")}.`;
  return `Connections whose end was never seen stay until they time out${after}.${would}`;
}

/** Shortens the established timeout; what idles already keeps the timeout it has. */
export function cutEstablished(facts: Facts, seconds: number): Remedy {
  const remedy = setTimeoutTo(
    facts,
    "nf_conntrack_tcp_timeout_established",
    seconds,
    "Let silent connections go sooner",
  );
  const text =
    `${remedy.text} A flow takes the new timeout with its next packet; those that are silent now keep the ` +
    "old one. Sessions that are silent for longer than this, without keepalives, break.";
  return { ...remedy, text };
}

/**
 * Established flows that have been silent for longer than `seconds`. Where a bin begins before and ends after
 * it, its flows are taken as evenly spread.
 */
function idleOver(census: CensusFacts, seconds: number): IdleFlows {
  let split = false;
  const above = census.establishedIdleSeconds.map((bin): SampledFlows => {
    if (bin.fromSeconds >= seconds) return bin;
    if (bin.toSeconds === undefined || bin.toSeconds <= seconds || bin.flows === 0) return { flows: 0 };
    split = true;
    const share = (bin.toSeconds - seconds) / (bin.toSeconds - bin.fromSeconds);
    const error = bin.standardErrorFlows;
    return { flows: bin.flows * share, ...(error === undefined ? {} : { standardErrorFlows: error }) };
  });
  return { ...sumFlows(above), split };
}

/** `split`: a part of a bin was reckoned, not counted. */
type IdleFlows = SampledFlows & { split: boolean };

function idleText(idle: IdleFlows): string {
  return idle.split && idle.standardErrorFlows === undefined ? `about ${flowsText(idle)}` : flowsText(idle);
}

/** `one-source-hoards`: one address made a large part of all flows. */
export function oneSourceHoards(facts: Facts): readonly Finding[] {
  const top = facts.census?.topSources;
  const [first] = top?.rows ?? [];
  if (top === undefined || first === undefined) return [];
  const weight = weigh(facts, first, SHARE_OF_FLOWS.source);
  if (weight === undefined) return [];
  const most = (weight.shareOfCapacity ?? 0) >= SHARE_OF_CAPACITY_WARNING.source;
  const atLeast = top.exact || first.standardErrorFlows !== undefined ? "" : "at least ";
  return [
    {
      code: "one-source-hoards",
      level: most ? "warning" : pressureLevel(facts),
      title: `${first.address} has ${atLeast}${flowsText(first)}, ${percent(weight.shareOfFlows)} of all`,
      evidence: evidenceOf({
        address: first.address,
        flows: first.flows,
        ...weight,
        standardErrorFlows: first.standardErrorFlows,
        errorBoundFlows: top.exact ? undefined : top.errorBoundFlows,
        sources: top.distinct,
      }),
      meaning:
        "One address can take all the room there is: a proxy or a NAT gateway in front of many users, a " +
        "client that opens and never closes, or a scan. The limit does not divide the room fairly.",
      remedy: [
        {
          text: "See what this source holds.",
          command: `conntrack -L${first.address.includes(":") ? " -f ipv6" : ""} -s ${first.address}`,
        },
        limitSource(first.address),
      ],
    },
  ];
}

function limitSource(address: string): Remedy {
  const [tool, bits] = address.includes(":") ? ["ip6tables", 128] : ["iptables", 32];
  const match = `-s ${address} -p tcp --syn -m connlimit --connlimit-above 1000 --connlimit-mask ${bits}`;
  return {
    text: "Refuse it more than 1,000 connections at a time (FORWARD instead of INPUT when routed).",
    command: `${tool} -I INPUT ${match} -j REJECT`,
  };
}

/** `unanswered-flood`: flows that never saw a reply, and handshakes that never ended. */
export function unansweredFlood(facts: Facts): readonly Finding[] {
  const { census } = facts;
  if (census === undefined) return [];
  const synReceived = ofState(census, "SYN_RECV");
  const unanswered = sumFlows(census.unanswered);
  const all = sumFlows([...census.unanswered, ...synReceived]);
  const weight = weigh(facts, all, SHARE_OF_FLOWS.unanswered);
  if (weight === undefined) return [];
  const much = (weight.shareOfCapacity ?? 0) >= SHARE_OF_CAPACITY_WARNING.unanswered;
  const synSent = sumFlows(census.unanswered.filter(({ state }) => state === "SYN_SENT"));
  const udp = sumFlows(census.unanswered.filter(({ protocol }) => protocol === "udp"));
  const [source] = census.topUnansweredSources.rows;
  const bySource = source !== undefined && source.flows >= unanswered.flows / 2 ? source : undefined;
  const whose = bySource === undefined ? "" : `Most come from ${bySource.address}. `;
  return [
    {
      code: "unanswered-flood",
      level: much ? "warning" : pressureLevel(facts),
      title: `Unanswered: ${flowsText(all)}, ${percent(weight.shareOfFlows)} of all`,
      evidence: evidenceOf({
        ...weight,
        unansweredFlows: unanswered.flows,
        synSentFlows: synSent.flows,
        synReceivedFlows: sumFlows(synReceived).flows,
        udpFlows: udp.flows,
        standardErrorFlows: all.standardErrorFlows,
        topSource: source?.address,
        topSourceFlows: source?.flows,
      }),
      meaning:
        `${whose}A scan, a flood, or a peer that is down: a first packet made a flow and nothing came ` +
        "back. A full table may evict them; until then each keeps its room for its whole timeout.",
      remedy: remediesOf(
        bySource === undefined ? undefined : dropBeforeTracking(bySource.address),
        synSent.flows >= all.flows / 2
          ? shortenIfLonger(facts, "nf_conntrack_tcp_timeout_syn_sent", 60)
          : undefined,
        lookCloser,
      ),
    },
  ];
}

/** `time-wait-churn`: closed TCP connections that wait for stray packets. */
export function timeWaitChurn(facts: Facts): readonly Finding[] {
  const { census } = facts;
  if (census === undefined) return [];
  const closed = sumFlows(ofState(census, "TIME_WAIT"));
  const key = "nf_conntrack_tcp_timeout_time_wait";
  return churn(facts, closed, {
    code: "time-wait-churn",
    share: SHARE_OF_FLOWS.timeWait,
    what: "Closed and waiting (TIME_WAIT)",
    meaning:
      "Many short connections: each stays in the table for a while after it was closed. Connections that " +
      "are kept open and used again (HTTP keep-alive, connection pools) make none of these.",
    remedy: [shortenIfLonger(facts, key, 30), lookCloser],
    timeoutSeconds: facts.settings.values[key],
  });
}

/** `udp-churn`: UDP flows, which nothing ever closes. */
export function udpChurn(facts: Facts): readonly Finding[] {
  const { census } = facts;
  if (census === undefined) return [];
  const udp = sumFlows(census.byProtocol.filter(({ protocol }) => protocol === "udp"));
  const key = "nf_conntrack_udp_timeout_stream";
  const dns = census.topServices.rows.find(({ protocol, port }) => protocol === "udp" && port === 53);
  const mostlyDns = dns !== undefined && dns.flows >= udp.flows / 2;
  return churn(facts, udp, {
    code: "udp-churn",
    share: SHARE_OF_FLOWS.udp,
    what: mostlyDns ? "UDP, mostly DNS" : "UDP",
    meaning:
      "UDP has no end: every question and answer stays until it times out. A busy resolver fills the table " +
      "with flows of which each lived for a few milliseconds.",
    remedy: [
      mostlyDns
        ? {
            text:
              "If this host answers the questions itself, it need not track them; the answers need the " +
              "same rule in OUTPUT with --sport 53.",
            command: "iptables -t raw -I PREROUTING -p udp --dport 53 -j CT --notrack",
          }
        : undefined,
      shortenIfLonger(facts, key, 120),
      lookCloser,
    ],
    timeoutSeconds: facts.settings.values[key],
  });
}

interface Churn {
  code: FindingCode;
  share: number;
  /** What the flows are, for the title. */
  what: string;
  meaning: string;
  remedy: readonly (Remedy | undefined)[];
  timeoutSeconds: number | undefined;
}

function churn(facts: Facts, count: SampledFlows, kind: Churn): readonly Finding[] {
  const weight = weigh(facts, count, kind.share);
  if (weight === undefined) return [];
  return [
    {
      code: kind.code,
      level: pressureLevel(facts),
      title: `${kind.what}: ${flowsText(count)}, ${percent(weight.shareOfFlows)} of all`,
      evidence: evidenceOf({
        flows: count.flows,
        ...weight,
        standardErrorFlows: count.standardErrorFlows,
        timeoutSeconds: kind.timeoutSeconds,
      }),
      meaning: kind.meaning,
      remedy: remediesOf(...kind.remedy),
    },
  ];
}

function shortenIfLonger(facts: Facts, key: SettingKey, seconds: number): Remedy | undefined {
  const inForce = facts.settings.values[key];
  if (inForce === undefined || inForce <= seconds) return undefined;
  return setTimeoutTo(facts, key, seconds, "Let them go sooner");
}

function ofState(census: CensusFacts, state: string): CensusFacts["byState"] {
  return census.byState.filter((row) => row.protocol === "tcp" && row.state === state);
}

/** Shares of the flows counted and of the capacity; undefined when the count is too small to be a finding. */
function weigh(
  facts: Facts,
  count: SampledFlows,
  shareMin: number,
): { shareOfFlows: number; shareOfCapacity?: number } | undefined {
  const all = facts.census?.flows ?? 0;
  if (all <= 0 || count.flows <= 0) return undefined;
  const shareOfFlows = count.flows / all;
  const { capacityFlows } = tableFigures(facts);
  const shareOfCapacity =
    capacityFlows === undefined || capacityFlows <= 0 ? undefined : count.flows / capacityFlows;
  const large =
    shareOfCapacity === undefined ? count.flows >= FLOWS_MIN : shareOfCapacity >= SHARE_OF_CAPACITY_MIN;
  if (shareOfFlows < shareMin || !large) return undefined;
  return shareOfCapacity === undefined ? { shareOfFlows } : { shareOfFlows, shareOfCapacity };
}

function pressureLevel(facts: Facts): Level {
  return underPressure(facts) ? "warning" : "ok";
}
