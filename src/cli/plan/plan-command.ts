/**
 * `headroom plan`: observes the table, works out which values to choose, and says so: as text, as JSON for
 * `headroom apply --plan`, or as a file for whoever sets them.
 */
import {
  ansiblePlaybook,
  type CapacityChange,
  type Facts,
  type FormattedPlan,
  kubeProxyConfiguration,
  planFactsOf,
  type PlanGoal,
  planTraffic,
  propose,
  sysctlFile,
  type Traffic,
  type TrafficPlan,
} from "../../plan/plan.ts";
import { defaultSizesOf } from "../../table/sizes.ts";
import type { Host, SettingsReading } from "../../table/host.ts";
import type { Settings } from "../../table/settings.ts";
import type { Unseen } from "../../table/unseen.ts";
import { timeoutsOf } from "../assumed-timeouts.ts";
import { type Context, print, printJson, warn } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { openPlace, type Place } from "../flow-source.ts";
import { lookAtHost, machineAsked } from "../machine-asked.ts";
import { observe, type Observed } from "../observe.ts";
import { shellWord } from "../../table/shell-word.ts";
import { countOf } from "../figures.ts";
import {
  historyName,
  type HistoryPeak,
  historyPeak,
  instantText,
  peakSpanText,
  tableOf,
} from "../history-peak.ts";
import { isKernelError, refusal } from "../refusal.ts";
import { subjectOf } from "../subject.ts";
import { UsageError } from "../usage-error.ts";
import { planToJson } from "./plan-json.ts";
import type { MemoryBudget, PlanOptions } from "./plan-line.ts";
import { type PlanReport, renderPlan } from "./plan-text.ts";

const DEFAULT_TARGET_SHARE = 0.5;

export async function runPlan(context: Context, options: PlanOptions): Promise<ExitCode> {
  const { fromTraffic } = options;
  const report =
    fromTraffic === undefined
      ? await planHost(context, options)
      : await planOnPaper(context, options, fromTraffic);
  say(context, options, report);
  return ExitCode.ok;
}

function goalOf(
  options: PlanOptions,
  memoryBytes: number | undefined,
  peakFactor = options.peakFactor ?? 1,
): PlanGoal {
  const budgetBytes = budgetOf(options.memoryBudget, memoryBytes);
  return {
    targetShare: options.targetShare ?? DEFAULT_TARGET_SHARE,
    peakFactor,
    ...(budgetBytes === undefined ? {} : { budgetBytes }),
    ...(options.belowRfc === undefined ? {} : { belowRfc: options.belowRfc }),
  };
}

function budgetOf(budget: MemoryBudget | undefined, memoryBytes: number | undefined): number | undefined {
  if (budget === undefined) return undefined;
  if ("bytes" in budget) return budget.bytes;
  if (memoryBytes === undefined) {
    throw new UsageError(
      "Cannot tell how much memory a share of it is: the memory of this host is not known",
      "Give it: --memory 4G",
    );
  }
  return budget.share * memoryBytes;
}

/** A host that is there: running, saved, or a listing of it alone. */
async function planHost(context: Context, options: PlanOptions): Promise<PlanReport> {
  const place = await openPlace(context, options);
  try {
    const facts = factsOf(context, place, options);
    const observed = await observedOf(context, place, options, facts.host);
    const assumed = settingsOf(facts, observed?.seen);
    const { seen } = observed ?? {};
    const { peak, unseen: unseenPeak } = await rememberedPeak(context, options, place);
    const change = place.host === undefined ? undefined : await lastCapacityChange(context, options);
    const subject = subjectOf(place.host === undefined ? undefined : facts.host, options);
    return {
      ...reportOf(facts, options, { assumed, seen, change, ...(peak === undefined ? {} : { peak }) }),
      unseen: [...facts.unseen, ...(observed?.unseen ?? []), ...unseenPeak],
      ...(place.sameOptions === undefined ? {} : { sameOptions: place.sameOptions + goalText(options) }),
      ...(options.netns === undefined ? {} : { netns: options.netns }),
      ...(options.root === undefined ? {} : { root: options.root }),
      ...(subject === undefined ? {} : { subject }),
    };
  } finally {
    place.host?.close();
  }
}

/** What `plan --json` prints for a host that somebody watches already: nothing is read and nothing waits. */
export async function planWatched(
  context: Context,
  options: PlanOptions,
  { facts, seen }: { facts: Facts; seen: PlanSeen },
): Promise<object> {
  const assumed = settingsOf(facts, seen);
  const change = await lastCapacityChange(context, options);
  const subject = subjectOf(facts.host, options);
  return planToJson({
    ...reportOf(facts, options, { assumed, seen, change }),
    unseen: facts.unseen,
    ...(options.netns === undefined ? {} : { netns: options.netns }),
    ...(subject === undefined ? {} : { subject }),
  });
}

/** Of an observation, what a plan is made from. */
export type PlanSeen = Pick<Observed, "observation" | "census" | "origin" | "interrupted" | "occupancyFlows">;

interface PlanParts {
  assumed: AssumedSettings;
  seen: PlanSeen | undefined;
  change: CapacityChange | undefined;
  /** The highest occupancy there was, where a history tells. */
  peak?: HistoryPeak;
}

/** Only the history of the very table; who names a factor needs none. */
async function rememberedPeak(
  context: Context,
  { peakFactor, netns, source, root }: PlanOptions,
  { host }: Place,
): Promise<{ peak?: HistoryPeak; unseen: readonly Unseen[] }> {
  const isHere = host !== undefined && [source, root].every((option) => option === undefined);
  if (!isHere || peakFactor !== undefined) return { unseen: [] };
  try {
    const peak = await historyPeak(context, { table: tableOf(host.host(), netns) });
    if (peak === undefined || peak.isOfTable === true) {
      return { ...(peak === undefined ? {} : { peak }), unseen: [] };
    }
    const which = peak.isOfTable === undefined ? "" : "; that is another table";
    const why = `there is only ${historyName(peak)}${which}`;
    const help = "--peak FACTOR says how many times this load the peak is";
    return { unseen: [{ what: "the peak of the last week", why, help, cause: "missing" }] };
  } catch (error) {
    if (!(error instanceof Error && error.name === "StoreError")) throw error;
    return { unseen: [refusal("the peak of the last week", error)] };
  }
}

/** How many times the present load the peak was; at least once. Undefined where there is no load. */
function factorOf(peak: HistoryPeak | undefined, seen: PlanSeen | undefined): number | undefined {
  const now = seen?.occupancyFlows ?? 0;
  if (peak === undefined || now <= 0) return undefined;
  return Math.max(1, Math.round((peak.occupancyFlows / now) * 100) / 100);
}

function peakHow(peak: HistoryPeak | undefined, factor: number | undefined): string {
  if (peak === undefined) return "";
  const flows = countOf(peak.occupancyFlows, "flow");
  const most = `at most ${flows} in ${peakSpanText(peak)}, on ${instantText(peak.atMs)}`;
  const unscaled = factor === undefined ? ", which cannot be scaled from an empty table" : "";
  return `; the peak by ${historyName(peak)}: ${most}${unscaled}`;
}

function reportOf(
  facts: Facts,
  options: PlanOptions,
  { assumed, seen, change, peak }: PlanParts,
): Pick<PlanReport, "plan" | "host" | "settings" | "notes"> {
  const factor = factorOf(peak, seen);
  const goal = goalOf(options, facts.host.memoryBytes, factor);
  const observed =
    seen === undefined
      ? undefined
      : {
          observation: seen.observation,
          unlistedFlows: unlistedOf(seen),
          how: howOf(seen) + peakHow(peak, factor),
        };
  const { settings } = assumed;
  return {
    plan: propose(planFactsOf(facts, settings, goal, observed, change)),
    host: facts.host,
    settings,
    notes: notesOf(seen, assumed),
  };
}

const noSettings: SettingsReading = { values: {}, origins: {}, unknownKeys: [], unreadable: [] };

const listingAlone: Unseen = {
  what: "capacity, settings, memory and kernel",
  why: "a listing alone does not tell them",
  help: "give the rest of the saved host with --root DIR, or --memory and --kernel",
  cause: "missing",
};

function factsOf(context: Context, { host: access }: Place, options: PlanOptions): Facts {
  const { clock } = context.deps;
  const given = {
    ...(options.memoryBytes === undefined ? {} : { memoryBytes: options.memoryBytes }),
    ...(options.kernel === undefined ? {} : { kernelRelease: options.kernel }),
    ...(options.pointerBytes === undefined ? {} : { pointerBytes: options.pointerBytes }),
  };
  if (access === undefined) {
    const host: Host = { tracker: "unknown", ...given };
    return { host, settings: noSettings, atMs: clock.nowMs(), unseen: [listingAlone] };
  }
  const host = access.host();
  const counters = access.counters();
  const kernelLog = access.kernelLog();
  const namespaces = access.namespaces();
  return {
    host: { ...host, ...given },
    settings: access.settings(),
    atMs: host.savedAtMs ?? clock.nowMs(),
    ...(counters === undefined ? {} : { counters }),
    ...(kernelLog === undefined ? {} : { kernelLog }),
    ...(namespaces.length === 0 ? {} : { namespaces }),
    unseen: [],
  };
}

/** Refusals are noted: sizes by memory need no flows. */
async function observedOf(
  context: Context,
  place: Place,
  options: PlanOptions,
  host: Host,
): Promise<{ seen?: Observed; unseen: readonly Unseen[] }> {
  if (host.tracker === "none") return { unseen: place.host?.unseen ?? [] };
  try {
    const seen = await observe(context, place, {
      arrivals: true,
      ...(options.observeSeconds === undefined ? {} : { observeSeconds: options.observeSeconds }),
      ...(options.sample === undefined ? {} : { sampleFlows: options.sample }),
    });
    return { seen, unseen: seen.unseen };
  } catch (error) {
    const asked = options.source !== undefined && options.source !== "kernel";
    if (asked || !isKernelError(error)) throw error;
    const unseen = refusal("flows", error);
    if (unseen.cause === "not-permitted") unseen.help = "run as root to plan by what fills the table";
    return { unseen: [...(place.host?.unseen ?? []), unseen] };
  }
}

interface AssumedSettings {
  settings: Settings;
  /** Which of them nobody told. */
  timeouts: boolean;
  sizes: boolean;
}

/** What is in force; what is not known is what the kernel chooses by itself. */
function settingsOf(facts: Facts, seen: PlanSeen | undefined): AssumedSettings {
  const { values } = facts.settings;
  const timeouts = seen === undefined ? undefined : timeoutsOf(values);
  const usual = values.nf_conntrack_max === undefined ? defaultSizesOf(facts.host) : undefined;
  const sizes =
    usual === undefined ? {} : { nf_conntrack_max: usual.capacityFlows, nf_conntrack_buckets: usual.buckets };
  return {
    settings: { ...(timeouts?.settings ?? values), ...sizes },
    timeouts: timeouts?.assumed ?? false,
    sizes: usual !== undefined,
  };
}

/** Flows that count and are not listed: expired ones, above all. Of a whole reading alone. */
function unlistedOf({ occupancyFlows, census }: PlanSeen): number {
  if (occupancyFlows === undefined || !census.complete || census.sampled !== undefined) return 0;
  return Math.max(0, occupancyFlows - census.flowsRead);
}

function howOf({ observation, origin }: PlanSeen): string {
  const { seconds, arrivals, first } = observation;
  if (first === undefined) return `one reading from ${origin}, taken as a table in balance`;
  const events = arrivals === undefined ? "" : `, and the events between them (${arrivals.how})`;
  return `two readings ${seconds.toFixed(1)} s apart from ${origin}${events}`;
}

function notesOf(seen: PlanSeen | undefined, assumed: AssumedSettings): string[] {
  const notes: string[] = [];
  if (seen?.interrupted === true)
    notes.push("The observation was interrupted: it is shorter than asked for.");
  if (seen !== undefined && seen.observation.first === undefined) {
    notes.push(
      "There is one reading only. It was taken as a table in balance, in which as many flows come as " +
        "leave; a table that still fills will hold more.",
    );
  }
  if (assumed.sizes) {
    notes.push(
      "The present sizes are not known: what this kernel chooses for this memory stands in for them.",
    );
  }
  if (assumed.timeouts) {
    notes.push("Timeouts are not known here: the kernel's defaults were taken, as far as all kernels agree.");
  }
  return notes;
}

/**
 * The last change of the capacity that Headroom made here and that stands. Whoever may not read the history
 * plans without it.
 */
async function lastCapacityChange(
  context: Context,
  { root }: PlanOptions,
): Promise<CapacityChange | undefined> {
  const { openWritableHost } = await context.deps.kernel();
  if (openWritableHost === undefined) return undefined;
  try {
    const { listChanges } = await import("../../change/change.ts");
    const records = listChanges(openWritableHost(root === undefined ? {} : { root }));
    const changes = records.flatMap((record) => {
      if (record.kind !== "receipt" || record.receipt.state === "undone") return [];
      const step = record.receipt.steps.find(({ key }) => key === "nf_conntrack_max");
      return step?.from === undefined ? [] : [{ atMs: record.receipt.atMs, fromFlows: step.from }];
    });
    return changes.toSorted((one, other) => one.atMs - other.atMs).at(-1);
  } catch (error) {
    if (!isKernelError(error)) throw error;
    return undefined;
  }
}

/** A load on paper: what is not given is that of the host looked at. */
async function planOnPaper(context: Context, options: PlanOptions, traffic: Traffic): Promise<PlanReport> {
  if (options.source !== undefined || options.netns !== undefined || options.sample !== undefined) {
    throw new UsageError("Cannot look at flows and plan from traffic: --from-traffic says what the load is");
  }
  const isWhole = options.memoryBytes !== undefined && options.kernel !== undefined;
  const seen = isWhole && options.root === undefined ? undefined : await lookAtHost(context, options.root);
  // Another memory or another kernel than this host's is another host, unless it is the one named.
  const isAnother = options.memoryBytes !== undefined || options.kernel !== undefined;
  const present = isAnother && options.root === undefined ? undefined : seen;
  const paper = machineAsked(options, seen);
  const { memoryBytes, kernelRelease } = paper;
  const planned = planTraffic(paper, traffic, goalOf(options, memoryBytes), present);
  if (planned === undefined) {
    throw new UsageError(
      `Cannot plan for kernel ${kernelRelease}: there was no connection tracking before 2.4.0`,
    );
  }
  return paperReport(planned);
}

function paperReport(planned: TrafficPlan): PlanReport {
  const { plan, host, settings } = planned;
  return { plan, host, settings, traffic: planned, notes: [], unseen: [] };
}

/** Goal and givens again, for a command that shall come to the same plan. */
function goalText(options: PlanOptions): string {
  const { peakFactor, targetShare, belowRfc, memoryBudget } = options;
  const { memoryBytes, kernel, pointerBytes, observeSeconds } = options;
  const percent = (share: number): string => String(Number((share * 100).toFixed(6)));
  const parts = [
    ...(memoryBytes === undefined ? [] : [`--memory ${memoryBytes}`]),
    ...(kernel === undefined ? [] : [`--kernel ${shellWord(kernel)}`]),
    ...(pointerBytes === undefined ? [] : [`--pointer ${pointerBytes * 8}`]),
    ...(observeSeconds === undefined ? [] : [`--observe ${observeSeconds}s`]),
    ...(peakFactor === undefined ? [] : [`--peak ${peakFactor}`]),
    ...(targetShare === undefined ? [] : [`--target-use ${percent(targetShare)}`]),
    ...(belowRfc === undefined ? [] : ["--below-rfc"]),
    ...(memoryBudget === undefined
      ? []
      : [
          "bytes" in memoryBudget
            ? `--memory-budget ${memoryBudget.bytes}`
            : `--memory-budget ${percent(memoryBudget.share)}%`,
        ]),
  ];
  return parts.map((part) => ` ${part}`).join("");
}

function say(context: Context, options: PlanOptions, report: PlanReport): void {
  const format = options.json === true ? "json" : (options.format ?? "text");
  const formatted: FormattedPlan = {
    plan: report.plan,
    host: report.host,
    ...(report.settings.nf_conntrack_max === undefined
      ? {}
      : { presentCapacityFlows: report.settings.nf_conntrack_max }),
  };
  switch (format) {
    case "text":
      return print(context, renderPlan(report, context.look));
    case "json":
      return printJson(context, planToJson(report));
    case "sysctl.d":
    case "sysctl.conf":
      print(context, sysctlFile(formatted, format));
      break;
    case "ansible":
      print(context, ansiblePlaybook(formatted));
      break;
    case "kube-proxy":
      print(context, kubeProxyConfiguration(formatted));
  }
  // A file is read by programs; what a person must know goes beside it.
  for (const note of [...report.plan.notes, ...report.notes]) warn(context, note);
}
