/**
 * The table under other settings, from what the watcher has observed already: nothing is read for an answer,
 * so that a slider can be dragged.
 */
import {
  type Observation,
  type StationaryFlows,
  balancedModel,
  tableFigures,
  wantedTimeout,
  whatIf,
  whatIfCurve,
  type WhatIfFacts,
  whatIfToJson,
} from "../plan/plan.ts";
import { formatDuration } from "../table/duration.ts";
import { commandIn } from "../table/namespace-command.ts";
import { type SettingKey, settingName, settingOf, type Settings } from "../table/settings.ts";
import type { WatchState } from "../watch/watch.ts";
import type { WhatifJson } from "./api-schema.ts";

type Model = (wanted: Settings) => StationaryFlows;

/** Answers to one observation after the other; what is worked out for one choice is kept for the next. */
export class WhatifAnswers {
  #observation: Observation | undefined;
  #model: Model | undefined;

  of(state: WatchState, observation: Observation, wanted: Settings): WhatifJson {
    const facts = factsOf(state, observation, wanted);
    const answer = whatIf(facts, wanted, this.#modelFor(observation, wanted));
    const { memoryBytes, fullMemoryBytes, capacityFlows } = answer.table.after;
    const command = commandFor(
      answer.changes.filter(({ from, to }) => from !== to),
      state.facts.netns,
    );
    return {
      answer: whatIfToJson(answer),
      method: observation.seconds > 0 ? "life-table" : "balance",
      observedSeconds: observation.seconds,
      curve: {
        ...whatIfCurve(observation, answer),
        ...(capacityFlows === undefined || capacityFlows === 0 ? {} : { capacityFlows }),
      },
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(fullMemoryBytes === undefined ? {} : { fullMemoryBytes }),
      ...(command === undefined ? {} : { command }),
    };
  }

  /** A timeout longer than those in force needs longer tables: they are made for one answer and not kept. */
  #modelFor(observation: Observation, wanted: Settings): Model {
    const isLonger = observation.second.regimes.some(
      (regime) => (wantedTimeout(observation, regime, wanted) ?? 0) > (regime.timeoutSeconds ?? 0),
    );
    if (isLonger) return balancedModel(observation);
    if (this.#observation !== observation || this.#model === undefined) {
      this.#observation = observation;
      this.#model = balancedModel(observation);
    }
    return this.#model;
  }
}

function factsOf(
  { facts, sample, namespaces }: WatchState,
  observation: Observation,
  wanted: Settings,
): WhatIfFacts {
  const { host, settings, counters } = facts;
  const { hostFlows } = tableFigures({ ...facts, namespaces });
  const occupancyFlows = observation.second.ofFlows;
  const now = sample?.values.occupancyFlows ?? tableFigures(facts).occupancyFlows;
  const holding = namespaces.filter((namespace) => (namespace.occupancyFlows ?? 0) > 0);
  return {
    observation,
    host,
    settings: { ...observation.settings, ...settings.values },
    silentServices: silentProtocols(observation, wanted),
    countsLongChains: counters?.total.chainTooLong !== undefined,
    ...(now === undefined ? {} : { occupancyFlows: Math.max(now, occupancyFlows) }),
    ...(hostFlows === undefined || now === undefined ? {} : { otherFlows: Math.max(0, hostFlows - now) }),
    ...(holding.length < 2 ? {} : { namespacesInUse: holding.length }),
  };
}

/** States of TCP and SCTP in which a connection is set up or over: nobody misses such a flow. */
const PASSING = /SYN|FIN_WAIT|LAST_ACK|TIME_WAIT|CLOSE|CLOSED|COOKIE|SHUTDOWN|NONE/;

/**
 * Answered flows that are silent for longer than they may be then, by protocol: of ports the idle ages do not
 * tell.
 */
function silentProtocols(observation: Observation, wanted: Settings): WhatIfFacts["silentServices"] {
  const byProtocol = new Map<string, { protocol: string; flows: number; translatedFlows: number }>();
  for (const regime of observation.second.regimes) {
    const { protocol, conversation, state = "", timeoutSeconds, ages, translatedAges } = regime;
    const then = wantedTimeout(observation, regime, wanted);
    const isAnswered = conversation.seenReply === true || state === "ESTABLISHED";
    if (!isAnswered || PASSING.test(state) || then === undefined || then >= (timeoutSeconds ?? 0)) continue;
    const row = byProtocol.get(protocol) ?? { protocol, flows: 0, translatedFlows: 0 };
    for (let age = then; age < ages.length; age += 1) {
      row.flows += ages[age] as number;
      row.translatedFlows += translatedAges[age] as number;
    }
    byProtocol.set(protocol, row);
  }
  return [...byProtocol.values()].filter(({ flows }) => flows > 0);
}

/**
 * `headroom apply --set nf_conntrack_tcp_timeout_established=12h`; undefined when nothing would change. What
 * is one value for the whole host is set there, whichever namespace is watched.
 */
function commandFor(
  changes: readonly { key: SettingKey; to: number }[],
  netns: string | undefined,
): string | undefined {
  const ofHost = changes.filter(({ key }) => netns === undefined || settingOf(key).scope === "host");
  const commands = [
    applyCommand(ofHost),
    commandIn(applyCommand(changes.filter((change) => !ofHost.includes(change))), netns),
  ].filter((command) => command !== "");
  return commands.length === 0 ? undefined : commands.join(" && ");
}

function applyCommand(changes: readonly { key: SettingKey; to: number }[]): string {
  const words = changes.map(({ key, to }) => {
    const value = settingOf(key).unit === "seconds" ? formatDuration(to) : String(to);
    return `--set ${settingName(key)}=${value}`;
  });
  return words.length === 0 ? "" : `headroom apply ${words.join(" ")}`;
}
