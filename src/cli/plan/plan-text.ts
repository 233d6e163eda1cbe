/**
 * A plan as the person reads it who must defend its numbers: what to change and why, what the table will hold
 * then, what it costs, what can still go wrong, and the commands. Pure: values in, lines out.
 */
import type { Plan, PlannedSetting, ServiceRelief, TrafficPlan } from "../../plan/plan.ts";
import { formatDuration } from "../../table/duration.ts";
import type { Level } from "../../table/finding.ts";
import type { Host } from "../../table/host.ts";
import { settingOf, type Settings } from "../../table/settings.ts";
import type { Unseen } from "../../table/unseen.ts";
import { unseenLines } from "../check-text.ts";
import { countOf, formatBytes, formatCount, formatShare } from "../figures.ts";
import { gauge, type Look, nextCommands, tone } from "../look.ts";
import { padLeft, padRight, visible, wrap } from "../plain-text.ts";
import { shellWord } from "../../table/shell-word.ts";
import { settingName, settingValueText } from "../setting-words.ts";

export interface PlanReport {
  plan: Plan;
  host: Host;
  /** In force, or the kernel's defaults for a host on paper. */
  settings: Settings;
  subject?: string;
  netns?: string;
  root?: string;
  /** Of a host on paper. */
  traffic?: TrafficPlan;
  notes: readonly string[];
  unseen: readonly Unseen[];
  /** Options that lead to the same plan; absent when it cannot be made twice. */
  sameOptions?: string;
}

const GAUGE_COLUMNS = 24;
/** Two standard errors to either side are 4: a wider range has another cause than chance. */
const LOPSIDED_ERRORS = 4.5;
/** Use of the kernel's own choice that is worth being called about full. */
const ABOUT_FULL = { from: 0.85, to: 1.15 };
/** A share of new flows lost that is worth no word. */
const LEAST_LOSS = 1e-6;

/** Lines of `headroom plan`. */
export function renderPlan(report: PlanReport, look: Look): string[] {
  const { plan, traffic } = report;
  const notes = [...plan.notes, ...report.notes];
  const sections = [
    wrap(headline(report), look.columns).map((line) => tone(look, "bold", line)),
    traffic === undefined ? [] : trafficLines(traffic, look),
    plan.settings.length === 0 ? [] : settingLines(report, look),
    useLines(report, look),
    costLines(report, look),
    notes.flatMap((note) => bulletLines(note, look)),
    ...plan.relief.map((rule) => reliefLines(rule, look)),
    nextLines(report, look),
    unseenLines(report.unseen, Infinity, look),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .flatMap((lines, index) => (index === 0 ? lines : ["", ...lines]));
}

/** `web-3: change 3 settings; the peak then uses 42 % instead of 97 %`. */
function headline({ plan, subject }: PlanReport): string {
  const place = subject === undefined ? "" : `${visible(subject)}: `;
  const { settings, predicted } = plan;
  const change =
    settings.length === 0 ? "nothing to change" : `change ${countOf(settings.length, "setting")}`;
  if (plan.capacityFlows === undefined) return `${place}whether anything must be changed cannot be told`;
  if (predicted === undefined) return `${place}${change}; the load is not known`;
  if (predicted.uncertain === true) return `${place}${uncertainHeadline(plan, change)}`;
  if (predicted.peak.useShare > 1) return `${place}${change}; ${tooSmallText(plan, predicted.peak)}`;
  const then = formatShare(predicted.peak.useShare);
  const before = predicted.unchanged.peak.useShare;
  const instead = settings.length === 0 || before === undefined ? "" : ` instead of ${formatShare(before)}`;
  const when = settings.length === 0 ? "uses" : "then uses";
  const { useShare } = predicted.peak;
  const above =
    useShare > predicted.targetShare * 1.05
      ? `: more than the ${formatShare(predicted.targetShare)} aimed at, for the budget holds no more`
      : "";
  return `${place}${change}; the peak ${when} ${then} of the capacity${instead}${above}`;
}

/** `the budget of 16 MiB does not hold the peak: 61,440 of 6,000,000 flows, 1 %`. */
function tooSmallText(
  { capacityFlows = 0, memory }: Plan,
  { occupancyFlows }: { occupancyFlows: number },
): string {
  const which = memory?.budgetBytes === undefined ? "" : ` of ${formatBytes(memory.budgetBytes)}`;
  const share = formatShare(capacityFlows / occupancyFlows);
  return (
    `the budget${which} does not hold the peak: ${formatCount(capacityFlows)} of ` +
    `${formatCount(occupancyFlows)} flows, ${share}`
  );
}

/** `change 1 setting; the peak then uses at least 12 % of the capacity, and how much is not known yet`. */
function uncertainHeadline({ predicted, settings, capacityFlows = 1 }: Plan, change: string): string {
  const least = formatShare((predicted?.peak.lowFlows ?? 0) / capacityFlows);
  const [what, uses] =
    settings.length === 0 ? ["nothing that must be changed for certain", "uses"] : [change, "then uses"];
  return `${what}; the peak ${uses} at least ${least} of the capacity, and how much is not known yet`;
}

/** From page views to flows, and what the kernel's own choice is good for. */
function trafficLines(
  { derivation, viewsWhat, heldSeconds, heldText, defaultHolds, ...rest }: TrafficPlan,
  look: Look,
): string[] {
  const { viewsText, fullShare, soldCapacityFlows, host } = rest;
  const isAbout = fullShare > ABOUT_FULL.from && fullShare < ABOUT_FULL.to;
  const aboutFull = isAbout ? `, about full at ${viewsText} (${formatShare(fullShare)})` : "";
  const sold =
    soldCapacityFlows === undefined
      ? ""
      : ` A host sold with that much reports about 6 % less (MemTotal), and chooses ` +
        `${formatCount(soldCapacityFlows)}.`;
  const most =
    defaultHolds === undefined
      ? []
      : wrap(
          `Kernel ${visible(host.kernelRelease ?? "?")} with ${formatBytes(host.memoryBytes ?? 0)} ` +
            "would choose " +
            `${formatCount(defaultHolds.capacityFlows)} flows by itself: full at ` +
            `${formatCount(roundRate(defaultHolds.viewsPerHour))} ${viewsWhat} an hour${aboutFull}.${sold}`,
          look.columns,
        );
  const life = `A flow lives ${formatDuration(heldSeconds)}: ${heldText}.`;
  return [...derivation.map((line) => `  ${line}`), ...wrap(life, look.columns), ...most];
}

/** Three digits: more would claim to be known. */
function roundRate(value: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 2);
  return Math.round(value / step) * step;
}

function settingLines({ plan, settings: present, traffic }: PlanReport, look: Look): string[] {
  const onPaper = traffic?.onPaper === true;
  const rows = plan.settings.map(({ key, from = onPaper ? present[key] : undefined, to, reason }) => ({
    name: settingName(key),
    from: from === undefined ? "?" : settingValueText(key, from),
    to: settingValueText(key, to),
    reason,
  }));
  const nameWidth = Math.max("Setting".length, ...rows.map(({ name }) => name.length));
  const [now, then] = onPaper ? ["default", "planned"] : ["now", "then"];
  const width = Math.max(
    now.length,
    then.length,
    ...rows.flatMap(({ from, to }) => [from.length, to.length]),
  );
  const head = `${padRight("Setting", nameWidth)}  ${padLeft(now, width)}  ${padLeft(then, width)}`;
  return [
    tone(look, "bold", head),
    ...rows.flatMap(({ name, from, to, reason }) => [
      `${padRight(name, nameWidth)}  ${padLeft(from, width)}  ${tone(look, "bold", padLeft(to, width))}`,
      ...wrap(visible(reason), look.columns - 2).map((line) => tone(look, "dim", `  ${line}`)),
    ]),
  ];
}

interface ShownUse {
  occupancyFlows: number;
  useShare?: number;
  standardErrorFlows?: number;
  lowFlows?: number;
  highFlows?: number;
}

/** Use in balance, as bars: unchanged and as planned, at the present load and at the peak. */
function useLines({ plan, settings, traffic }: PlanReport, look: Look): string[] {
  const { predicted, capacityFlows } = plan;
  if (predicted === undefined || capacityFlows === undefined) return [];
  const { unchanged, peak, peakFactor } = predicted;
  const present = settings.nf_conntrack_max;
  const changes = plan.settings.length > 0;
  // The peak may be known to be more than what was asked for: what has been may be again.
  const asAsked = unchanged.peak.occupancyFlows <= unchanged.occupancyFlows * peakFactor + peakFactor;
  const atPeak = peakFactor === 1 || !asAsked ? "at the peak" : `at the peak (${peakFactor} x this load)`;
  const same = peak.occupancyFlows === predicted.occupancyFlows;
  const words = traffic?.onPaper === true ? ["by default", "as planned"] : ["unchanged", "as planned"];
  const [unchangedWord = "", plannedWord = ""] = words;
  const now = traffic === undefined ? ", at this load" : "";
  const rows: { label: string; use: ShownUse; of: number | undefined }[] = [
    ...(changes
      ? [
          {
            label: same ? `${unchangedWord}${now}` : `${unchangedWord}, ${atPeak}`,
            use: same ? unchanged : unchanged.peak,
            of: present,
          },
        ]
      : []),
    {
      label: changes ? `${plannedWord}${now}` : "at this load",
      use: same ? peak : predicted,
      of: capacityFlows,
    },
    ...(same
      ? []
      : [{ label: changes ? `${plannedWord}, ${atPeak}` : atPeak, use: peak, of: capacityFlows }]),
  ];
  const width = Math.max(...rows.map(({ label }) => label.length));
  const plusMinus = look.unicode ? "±" : "+-";
  return [
    tone(look, "bold", "Flows in balance, when as many come as leave"),
    ...rows.map(({ label, use, of }) => {
      const isUncertain = predicted.uncertain === true && use.lowFlows !== undefined;
      const share = isUncertain ? (use.lowFlows ?? 0) / capacityFlows : (use.useShare ?? 0);
      const percent = use.useShare === undefined ? "?" : formatShare(share);
      const bar = gauge(look, share, GAUGE_COLUMNS, levelOf(share, predicted.targetShare));
      const capacity = of === undefined || of === 0 ? "" : ` of ${formatCount(of)}`;
      const flows = isUncertain
        ? leastText(use)
        : formatCount(use.occupancyFlows) + errorText(use, plusMinus);
      return `${padRight(label, width)}  ${bar}  ${padLeft(percent, 5)}  ${flows}${capacity}`;
    }),
    ...wrap(`Known by ${predicted.how}.${uncollectedText(predicted)}`, look.columns).map((line) =>
      tone(look, "dim", line),
    ),
  ];
}

/** ` ± 120`, or the range where it is wide: its error is no symmetrical one then. */
function errorText(use: ShownUse, plusMinus: string): string {
  const { occupancyFlows, standardErrorFlows = 0, lowFlows = 0, highFlows = 0 } = use;
  const isLopsided = lowFlows === 0 || highFlows - lowFlows > LOPSIDED_ERRORS * standardErrorFlows;
  if (isLopsided && highFlows - lowFlows > occupancyFlows) {
    return ` (${formatCount(lowFlows)} to ${formatCount(highFlows)})`;
  }
  return standardErrorFlows >= 1 ? ` ${plusMinus} ${formatCount(standardErrorFlows)}` : "";
}

function leastText({ lowFlows = 0, highFlows = 0 }: ShownUse): string {
  return `${formatCount(lowFlows)} at least, ${formatCount(highFlows)} at most,`;
}

/** A listing shows what is alive; what counts besides has expired, as far as anybody knows. */
function uncollectedText(predicted: NonNullable<Plan["predicted"]>): string {
  const { occupancyFlows, aliveFlows = 0, uncollectedFlows = 0, uncollectedPeakFlows } = predicted;
  // Of what is not known there are no parts.
  if (uncollectedFlows < 1 || predicted.uncertain === true) return "";
  const [all, alive] = [formatCount(occupancyFlows), formatCount(aliveFlows)];
  const shown = ` Of the ${all} at this load a listing shows ${alive};`;
  const rest = formatCount(uncollectedFlows);
  if (uncollectedPeakFlows === undefined)
    return `${shown} it did not show ${rest} that count, expired ones above all.`;
  return (
    `${shown} ${rest} on average, ${formatCount(uncollectedPeakFlows)} at most have expired and count ` +
    "until they are collected."
  );
}

function levelOf(share: number, targetShare: number): Level {
  if (share > 0.9) return "critical";
  return share > targetShare * 1.02 ? "warning" : "ok";
}

/** Memory and what a full hash does. */
function costLines({ plan, host }: PlanReport, look: Look): string[] {
  const { memory, load, capacityFlows, bucketCount } = plan;
  if (memory === undefined || load === undefined) return [];
  const lines: string[] = [];
  const share =
    host.memoryBytes === undefined ? "" : `, ${formatShare(memory.bytes / host.memoryBytes)} of the memory`;
  const budget = memory.budgetBytes === undefined ? "" : `; the budget is ${formatBytes(memory.budgetBytes)}`;
  const each = memory.namespaces > 1 ? ` in ${memory.namespaces} namespaces` : "";
  const times = memory.namespaces > 1 ? `${memory.namespaces} x ` : "";
  const flows = times + formatCount(capacityFlows ?? 0);
  lines.push(
    `Memory  ${formatBytes(memory.bytes)} when full${each}${share}${budget}. ` +
      `Flows ${formatBytes(memory.flowBytes)} (${flows} x ${memory.how}), ` +
      `buckets ${formatBytes(memory.bucketBytes)}, taken at once.`,
  );
  lines.push(`Load    ${loadText(plan)} (${formatCount(bucketCount ?? 0)} buckets).`);
  lines.push(`Losses  ${lossText(plan)}`);
  return lines.flatMap((line) => {
    const label = line.slice(0, 8);
    return wrap(line.slice(8), look.columns - 8).map((part, index) =>
      index === 0 ? tone(look, "bold", label) + part : " ".repeat(8) + part,
    );
  });
}

function loadText({ load }: Plan): string {
  const full = perBucket(load?.fullFlowsPerBucket ?? 0);
  if (load?.peakFlowsPerBucket === undefined) return `${full} flows a bucket when full`;
  return `${perBucket(load.peakFlowsPerBucket)} flows a bucket at the peak, ${full} when full`;
}

function perBucket(load: number): string {
  return load >= 10 ? formatCount(load) : load.toFixed(2);
}

function lossText({ load }: Plan): string {
  if (load === undefined) return "";
  const { earlyDropMissShare: miss, peakChainLossShare, fullChainLossShare } = load;
  const between =
    miss.highShare - miss.lowShare < 0.005
      ? lossShare(miss.highShare)
      : `${lossShare(miss.lowShare)} to ${lossShare(miss.highShare)}`;
  const ofWhat = fullChainLossShare < LEAST_LOSS ? "" : " of new flows";
  const full = `${lossShare(fullChainLossShare)}${ofWhat} when full`;
  const chain =
    peakChainLossShare === undefined ? full : `${lossShare(peakChainLossShare)} at the peak, ${full}`;
  const evictable = load.evictableShareMeasured
    ? `${formatShare(load.evictableShare)} of the flows, as now, may be evicted`
    : `${formatShare(load.evictableShare)} of the flows were such as may be evicted`;
  const dropped =
    miss.highShare < LEAST_LOSS
      ? "each new flow finds one to evict"
      : `${between} of new flows find nobody to evict and are dropped`;
  return (
    `In silence, by chains that are too long: ${chain}. ` +
    `Should it fill up all the same, ${dropped}, if ${evictable}.`
  );
}

function lossShare(share: number): string {
  if (share < LEAST_LOSS) return "none";
  return share < 0.01 ? `${Number((share * 100).toPrecision(1))} %` : formatShare(share);
}

function reliefLines(rule: ServiceRelief, look: Look): string[] {
  const title = rule.kind === "untracked" ? "Better: do not track it" : "Better: a shorter time for it";
  const text = [`${rule.why} It would save ${countOf(rule.savesFlows, "flow")}.`, rule.caution];
  const same = rule.iptables === rule.ip6tables;
  const before = (rule.iptablesBefore ?? []).map((command) => `  $ ${tone(look, "cyan", command)}`);
  return [
    tone(look, "bold", `${title} (udp port ${rule.port}; not counted on above)`),
    ...text.flatMap((sentence) => wrap(sentence, look.columns)),
    "nftables, for nft -f:",
    ...blockLines(rule.nftables),
    ...(same ? ["iptables, for iptables-restore --noflush and ip6tables-restore --noflush:"] : []),
    ...(same ? [] : ["iptables, for iptables-restore --noflush, after:"]),
    ...before,
    ...blockLines(rule.iptables),
    ...(same ? [] : ["and for ip6tables-restore --noflush:", ...blockLines(rule.ip6tables)]),
  ];
}

function blockLines(text: string): string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `    ${line}`);
}

function bulletLines(note: string, look: Look): string[] {
  return wrap(visible(note), look.columns - 2).map((line, index) =>
    index === 0 ? `- ${line}` : `  ${line}`,
  );
}

function nextLines(report: PlanReport, look: Look): string[] {
  const { plan, sameOptions, root, netns, traffic, host } = report;
  if (plan.settings.length === 0 || sameOptions === undefined || traffic !== undefined) return [];
  const inRoot = root === undefined ? "" : ` --root ${shellWord(root)}`;
  const there = inRoot + (netns === undefined ? "" : ` --netns ${shellWord(netns)}`);
  const keep = { command: `headroom plan${sameOptions} --json > plan.json`, why: "this plan, to keep" };
  const ofHost = plan.settings.filter(({ key }) => settingOf(key).scope === "host");
  const isElsewhere = netns !== undefined || host.initialNamespace === false;
  if (!isElsewhere || ofHost.length === 0) {
    const why = "shows what it will do, and asks";
    return nextCommands(look, [keep, { command: `headroom apply${there} --plan plan.json`, why }]);
  }
  // A namespace has timeouts of its own; the sizes are one for all, and only the host can set them.
  const ofNamespace = plan.settings.filter((setting) => !ofHost.includes(setting));
  const apply = (where: string, settings: readonly PlannedSetting[]): string =>
    `headroom apply${where}${settings.map(({ key, to }) => ` --set ${key}=${to}`).join("")}`;
  return nextCommands(look, [
    ...(ofNamespace.length === 0
      ? []
      : [{ command: apply(there, ofNamespace), why: "timeouts, in this namespace" }]),
    { command: apply(inRoot, ofHost), why: "sizes, on the host: one for all namespaces" },
  ]);
}
