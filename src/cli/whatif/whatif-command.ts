/**
 * `headroom whatif`: observes a table, then says what it would be under other settings. It changes nothing.
 */
import { SilentFlows } from "../../census/census.ts";
import { balancedModel, tableFigures, whatIf, type WhatIf, type WhatIfFacts } from "../../plan/plan.ts";
import type { FlowColumns } from "../../table/columns.ts";
import type { Host } from "../../table/host.ts";
import type { IdleContext } from "../../table/idle.ts";
import { settingOf, type Settings } from "../../table/settings.ts";
import { type Context, print, printJson } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { openPlace, type Place, readsStandardInput } from "../flow-source.ts";
import { type HistoryPeak, historyPeak, tableOf } from "../history-peak.ts";
import { observe, type Observed } from "../observe.ts";
import { settingName } from "../setting-words.ts";
import { subjectOf } from "../subject.ts";
import { UsageError } from "../usage-error.ts";
import { LoginSessions } from "./login-sessions.ts";
import { curveColumns, curveOf, type SweepRow } from "./sweep-text.ts";
import { whatifToJson } from "./whatif-json.ts";
import type { WhatifOptions } from "./whatif-line.ts";
import { renderWhatif, type WhatifReport } from "./whatif-text.ts";

export async function runWhatif(context: Context, options: WhatifOptions): Promise<ExitCode> {
  if (options.set === undefined && options.sweep === undefined) {
    throw new UsageError(
      "Cannot preview nothing: no setting was given",
      "As in headroom whatif --set nf_conntrack_tcp_timeout_established=12h",
    );
  }
  const place = await openPlace(context, options);
  try {
    refuseMissing(options, place);
    return await preview(context, options, place);
  } finally {
    place.host?.close();
  }
}

/** A setting this kernel does not have cannot be chosen. */
function refuseMissing({ set = [], sweep }: WhatifOptions, { host }: Place): void {
  const values = host?.settings().values ?? {};
  if (Object.keys(values).length === 0) return;
  const keys = [...set.map(({ key }) => key), ...(sweep === undefined ? [] : [sweep.key])];
  const missing = keys.find((key) => values[key] === undefined);
  if (missing === undefined) return;
  throw new UsageError(
    `Cannot preview ${settingName(missing)}: this host does not have it`,
    settingOf(missing).scope === "host" ? undefined : "headroom check says which names it has",
  );
}

async function preview(context: Context, options: WhatifOptions, place: Place): Promise<ExitCode> {
  const { sweep, sample, observeSeconds } = options;
  const wanted = wantedOf(options);
  const choices: Settings[] = [
    ...(options.set === undefined ? [] : [wanted]),
    ...(sweep?.values ?? []).map((value) => ({
      ...wanted,
      ...(sweep === undefined ? {} : { [sweep.key]: value }),
    })),
  ];
  const sessions = LoginSessions.of(
    context.terminal.environment["SSH_CONNECTION"],
    place.host?.sessions() ?? { sessions: [], connections: [] },
  );
  let silent: SilentFlows | undefined;
  const onBatch = (columns: FlowColumns, idle: IdleContext): void => {
    silent ??= new SilentFlows(idle, choices);
    silent.add(columns);
    sessions?.look(columns, idle);
  };
  const signal = readsStandardInput(place) ? undefined : context.terminal.interruption();
  const observed = await observe(context, place, {
    onBatch,
    ...(observeSeconds === undefined ? {} : { observeSeconds }),
    ...(sample === undefined ? {} : { sampleFlows: sample }),
    ...(signal === undefined ? {} : { signal }),
  });
  const facts = factsOf(context, place, observed, sessions);
  const longest = sweep === undefined ? {} : { [sweep.key]: Math.max(...sweep.values) };
  const model = balancedModel(observed.observation, longest);
  const answers = choices.map((choice, index) =>
    whatIf({ ...facts, silentServices: silent?.services(index) ?? [] }, choice, model),
  );
  const peak = await peakOf(context, options, place.host?.host() ?? observed.host);
  const report = {
    ...reportOf(context, options, place, observed, answers, (value) =>
      sweep === undefined ? 0 : model({ ...wanted, [sweep.key]: value }).total.flows,
    ),
    ...(peak === undefined ? {} : { peak }),
  };
  if (options.json === true) printJson(context, whatifToJson(report, observed));
  else print(context, renderWhatif(report, context.look));
  return observed.interrupted ? ExitCode.interrupted : ExitCode.ok;
}

/** The highest occupancy that is remembered, where that was asked for. */
async function peakOf(
  context: Context,
  { history, netns }: WhatifOptions,
  host: Host | undefined,
): Promise<HistoryPeak | undefined> {
  if (history === undefined) return undefined;
  const peak = await historyPeak(context, {
    ...(history === true ? {} : { named: history }),
    ...(host === undefined ? {} : { table: tableOf(host, netns) }),
  });
  if (peak !== undefined) return peak;
  throw new UsageError(
    "Cannot answer for the peak: the usual place has no history of the last week",
    "headroom serve keeps one; --history DIRECTORY names another place",
  );
}

function wantedOf({ set = [] }: WhatifOptions): Settings {
  return Object.fromEntries(set.map(({ key, value }) => [key, value]));
}

function factsOf(
  context: Context,
  { host: access }: Place,
  observed: Observed,
  sessions: LoginSessions | undefined,
): WhatIfFacts {
  const { observation, settings, occupancyFlows } = observed;
  const host = access?.host() ?? observed.host ?? { tracker: "unknown" as const };
  const namespaces = access?.namespaces() ?? [];
  const holding = namespaces.filter((namespace) => (namespace.occupancyFlows ?? 0) > 0);
  const counters = access?.counters();
  const reading = settings ?? { values: {}, origins: {}, unknownKeys: [], unreadable: [] };
  const { hostFlows } = tableFigures({
    host,
    settings: reading,
    atMs: context.deps.clock.nowMs(),
    namespaces,
    unseen: [],
  });
  return {
    observation,
    host,
    settings: { ...observation.settings, ...settings?.values },
    silentServices: [],
    countsLongChains: counters?.total.chainTooLong !== undefined,
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    ...(hostFlows === undefined || occupancyFlows === undefined
      ? {}
      : { otherFlows: hostFlows - occupancyFlows }),
    ...(holding.length < 2 ? {} : { namespacesInUse: holding.length }),
    ...(sessions === undefined ? {} : { sessions: sessions.found }),
  };
}

function reportOf(
  context: Context,
  options: WhatifOptions,
  place: Place,
  observed: Observed,
  answers: readonly WhatIf[],
  flowsAt: (value: number) => number,
): WhatifReport {
  const { sweep } = options;
  const { host: access, sameOptions } = place;
  const subject = subjectOf(access?.host(), options);
  const [answer] = options.set === undefined ? [] : answers;
  const swept = options.set === undefined ? answers : answers.slice(1);
  const { sampled } = observed.census;
  return {
    ...(answer === undefined ? {} : { answer }),
    ...(sweep === undefined
      ? {}
      : {
          sweep: {
            key: sweep.key,
            rows: sweep.values.flatMap((value, index): SweepRow[] => {
              const row = swept[index];
              return row === undefined ? [] : [{ value, answer: row }];
            }),
            ...(settingOf(sweep.key).unit === "seconds"
              ? {
                  curve: curveOf(
                    sweep.values,
                    curveColumns(context.look, observed.observation.second.ofFlows),
                    flowsAt,
                  ),
                }
              : {}),
          },
        }),
    ...(subject === undefined ? {} : { subject }),
    origin: observed.origin,
    seconds: observed.observation.seconds,
    ...(sampled === undefined ? {} : { sampledFlows: sampled.flowsRead }),
    interrupted: observed.interrupted,
    assumedTimeouts: observed.assumedTimeouts,
    unseen: observed.unseen,
    ...(sameOptions === undefined ? {} : { sameOptions }),
    canApply: access !== undefined && access.host().root === undefined && place.flows.kind === "host",
  };
}
