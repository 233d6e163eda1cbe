/**
 * `headroom check`: reads what can be read, has it judged, and says so. What cannot be read is said too and
 * never ends the command: an operator in trouble gets what there is.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { type Facts, judge, tableFigures, verdictToJson, verdictToNagios } from "../plan/plan.ts";
import type { Census } from "../census/census.ts";
import type { HostAccess } from "../kernel/kernel.ts";
import type { SettingsReading } from "../table/host.ts";
import type { Verdict } from "../table/finding.ts";
import type { Unseen } from "../table/unseen.ts";
import { type CheckText, renderCheck } from "./check-text.ts";
import { type Context, print, printJson } from "./context.ts";
import { type ExitCode, levelExitCode } from "./exit-code.ts";
import { openPlace, openReading, type Place } from "./flow-source.ts";
import type { CheckOptions } from "./options.ts";
import { isKernelError, refusal } from "./refusal.ts";
import { subjectOf } from "./subject.ts";
import { UsageError } from "./usage-error.ts";
import { forecastOf } from "./verify/boot-files.ts";

/** Flows that are enough to say what fills the table: an error of about a third of a percent of it. */
const SAMPLE_FLOWS = 20_000;
/** A table up to this size is read whole: sampling would save nothing. */
const WHOLE_FLOWS = 40_000;

const DEFAULT_WARNING = 0.8;
const DEFAULT_CRITICAL = 0.9;

export async function runCheck(context: Context, options: CheckOptions): Promise<ExitCode> {
  const thresholds = thresholdsOf(options);
  const place = await openPlace(context, options);
  try {
    const facts = { ...(await gatherFacts(context, place, options)), thresholds };
    const verdict = judge(facts);
    await say(context, options, place, verdict, facts);
    return levelExitCode[verdict.level];
  } finally {
    place.host?.close();
  }
}

function thresholdsOf({ warning, critical }: CheckOptions): {
  warningShare: number;
  criticalShare: number;
} {
  const criticalShare = critical ?? DEFAULT_CRITICAL;
  const warningShare = warning ?? Math.min(DEFAULT_WARNING, criticalShare);
  if (warningShare > criticalShare) {
    throw new UsageError(
      `Cannot warn at ${warningShare * 100} % when ${criticalShare * 100} % is critical already`,
      "Give --warning a smaller value than --critical",
    );
  }
  return { warningShare, criticalShare };
}

/** Everything judgement may want, as far as it can be had. */
async function gatherFacts(context: Context, place: Place, options: CheckOptions): Promise<Facts> {
  const { clock } = context.deps;
  const { host: access } = place;
  const atMs = clock.nowMs();
  if (access === undefined) {
    const { census, unseen } = await censusOf(context, place, options, undefined);
    return {
      host: { tracker: "unknown" },
      settings: noSettings,
      atMs,
      ...(census === undefined ? {} : { census }),
      unseen: [listingAlone, ...unseen],
    };
  }
  const host = access.host();
  const settings = access.settings();
  const counters = access.counters();
  const readAtMs = clock.elapsedMs();
  const kernelLog = access.kernelLog();
  const expectations = access.expectations();
  const namespaces = access.namespaces();
  // A namespace has no boot of its own, and another one's values are not those of this host.
  const boot = options.netns === undefined ? await forecastOf(access) : undefined;
  const taken = host.tracker === "none" ? { unseen: [] } : await censusOf(context, place, options, access);
  const live = host.root === undefined;
  const { intervalSeconds } = options;
  const later = live ? await readLater(context, access, readAtMs, intervalSeconds) : undefined;
  return {
    host,
    settings,
    atMs: host.savedAtMs ?? atMs,
    ...(options.netns === undefined ? {} : { netns: options.netns }),
    ...(counters === undefined ? {} : { counters }),
    ...(later === undefined ? {} : { later }),
    ...(kernelLog === undefined ? {} : { kernelLog }),
    ...(expectations === undefined ? {} : { expectations }),
    ...(namespaces.length === 0 ? {} : { namespaces }),
    ...(taken.census === undefined ? {} : { census: taken.census }),
    ...(boot === undefined ? {} : { boot }),
    unseen: [
      ...access.unseen,
      ...taken.unseen,
      ...(live || intervalSeconds === undefined ? [] : [oneReading]),
    ],
  };
}

const noSettings: SettingsReading = { values: {}, origins: {}, unknownKeys: [], unreadable: [] };

const oneReading: Unseen = {
  what: "rates of now",
  why: "a saved host holds one reading of its counters",
  cause: "missing",
};

const listingAlone: Unseen = {
  what: "capacity, settings and counters",
  why: "a listing alone does not tell them",
  help: "give the rest of the saved host with --root DIR",
  cause: "missing",
};

/** What fills the table. A refusal is noted: the rest of the verdict does not need it. */
async function censusOf(
  context: Context,
  place: Place,
  options: CheckOptions,
  access: HostAccess | undefined,
): Promise<{ census?: Census; unseen: readonly Unseen[] }> {
  const settings = access?.settings();
  const kernelRelease = access?.host().kernelRelease;
  const occupancyFlows = settings?.values.nf_conntrack_count;
  // Nothing to count, and nothing to load for counting.
  if (occupancyFlows === 0 && place.flows.kind === "host") return { unseen: [] };
  const large = occupancyFlows !== undefined && occupancyFlows > WHOLE_FLOWS;
  const sampleFlows = options.sample ?? (large && place.flows.kind === "host" ? SAMPLE_FLOWS : undefined);
  try {
    const { takeCensus } = await import("./take-census.ts");
    const { census } = await takeCensus(context, {
      reading: await openReading(context, place, sampleFlows),
      ...(settings === undefined ? {} : { settings }),
      ...(kernelRelease === undefined ? {} : { kernelRelease }),
      ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
      ...(sampleFlows === undefined ? {} : { sampleFlows }),
    });
    return { census, unseen: [] };
  } catch (error) {
    const asked = options.source !== undefined && options.source !== "kernel";
    if (asked || !isKernelError(error)) throw error;
    return { unseen: [unseenFlows(error)] };
  }
}

function unseenFlows(error: Error): Unseen {
  const unseen = refusal("flows", error);
  if (unseen.cause === "not-permitted") unseen.help = "run as root to see what fills the table";
  return unseen;
}

/** The counters once more, when the interval since the first reading is over. */
async function readLater(
  context: Context,
  access: HostAccess,
  readAtMs: number,
  intervalSeconds: number | undefined,
): Promise<Facts["later"]> {
  if (intervalSeconds === undefined) return undefined;
  const { clock } = context.deps;
  await sleep(Math.max(0, intervalSeconds * 1000 - (clock.elapsedMs() - readAtMs)));
  const counters = access.counters();
  if (counters === undefined) return undefined;
  const seconds = (clock.elapsedMs() - readAtMs) / 1000;
  const { occupancyFlows } = counters;
  return { counters, seconds, ...(occupancyFlows === undefined ? {} : { occupancyFlows }) };
}

async function say(
  context: Context,
  options: CheckOptions,
  place: Place,
  verdict: Verdict,
  facts: Facts,
): Promise<void> {
  const format = options.json === true ? "json" : (options.format ?? "text");
  if (format === "json") return printJson(context, verdictToJson(facts, verdict));
  if (format === "nagios") return print(context, [verdictToNagios(verdict, facts)]);
  const { occupancyFlows, capacityFlows } = tableFigures(facts);
  const subject = subjectOf(facts.host, options);
  const report: CheckText = {
    verdict,
    facts,
    detail: detailOf(options),
    ...(place.sameOptions === undefined ? {} : { sameOptions: place.sameOptions }),
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    ...(capacityFlows === undefined ? {} : { capacityFlows }),
    ...(subject === undefined ? {} : { subject }),
  };
  print(context, renderCheck(report, context.look));
  if (options.allNetns === true) {
    const { namespaceLines } = await import("./namespaces-text.ts");
    print(context, ["", ...namespaceLines(facts.namespaces ?? [], context.look)]);
  }
}

function detailOf({ all, verbose }: CheckOptions): CheckText["detail"] {
  if (verbose === true) return "verbose";
  return all === true ? "all" : "short";
}
