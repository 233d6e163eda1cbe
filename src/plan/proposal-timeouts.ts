/**
 * Which timeouts to shorten: those that hold what is dead, and only as far as it is needed. Where nobody
 * knows how many flows there will be, because they last longer than they were watched, what is needed is what
 * is needed for the least of them.
 *
 * First the gentle steps, the most useful one first, until the peak fits the present capacity. Where it does
 * not, the capacity is raised; and only where the memory does not allow that, the harsh steps are taken. They
 * may end what is merely quiet. Where a NAT would break below what an RFC asks (established: 2 h 4 min, UDP:
 * 2 min) nothing goes below it unless asked; the other states are below by the kernel's own defaults.
 */
import { formatDuration, roughDuration } from "../table/duration.ts";
import type { Host } from "../table/host.ts";
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import { settingOf, type SettingKey, type Settings } from "../table/settings.ts";
import type { ExpectedFlows, ExpectedPart, Expectation, PlanFacts, PlannedSetting } from "./plan-shape.ts";
import { type Peaks, peaksOf } from "./proposal-peaks.ts";
import { defaultSizesOf } from "../table/sizes.ts";
import { toleranceOf } from "./proposal-sizes.ts";
import { amountOf, groupDigits, percent } from "./wording.ts";

/** A change that saves less than this share of the flows is not worth anybody's attention. */
export const LEAST_SAVING_SHARE = 0.03;

/** Nor one that saves fewer flows than this of those observed: so few are chance. */
const LEAST_SAVED_FLOWS = 10;

/** What a table holds scatters; only more than this above what is expected is worth a word. */
export const PRESENT_ABOVE = 1.1;

/** Fewer flows than this tell no rate. */
const LEAST_TELLING_FLOWS = 100;

interface Ladder {
  key: SettingKey;
  /** What flows of this timeout are, for people. */
  what: string;
  gentle?: number;
  /** Ends what is dead, and may end what is merely quiet. */
  harsh?: readonly number[];
  /** Below what the RFCs ask. */
  belowRfc?: readonly number[];
  /** Why the first step is safe. */
  why: string;
}

const ladders: readonly Ladder[] = [
  {
    key: "nf_conntrack_tcp_timeout_established",
    what: "established TCP flows",
    gentle: 86_400,
    harsh: [43_200, 7440],
    belowRfc: [3600, 1200],
    why: "What still lives sends keepalives, every 2h by default",
  },
  {
    key: "nf_conntrack_tcp_timeout_syn_sent",
    what: "unanswered SYNs",
    gentle: 30,
    harsh: [15],
    why: "An answer comes within seconds or never, and every repeated SYN starts anew",
  },
  {
    key: "nf_conntrack_tcp_timeout_syn_recv",
    what: "half-open TCP flows",
    gentle: 30,
    why: "Whoever connects completes the handshake within seconds",
  },
  {
    key: "nf_conntrack_udp_timeout",
    what: "one-way or single-exchange UDP flows",
    gentle: 15,
    harsh: [10],
    why: "Questions such as DNS are answered within seconds or asked again",
  },
  {
    key: "nf_conntrack_udp_timeout_stream",
    what: "UDP streams",
    gentle: 120,
    belowRfc: [60],
    why: "It is what RFC 4787 asks for and newer kernels use",
  },
  {
    key: "nf_conntrack_tcp_timeout_time_wait",
    what: "closed TCP flows (TIME_WAIT)",
    gentle: 60,
    harsh: [30],
    why: "Linux itself keeps a closed socket for no longer",
  },
  {
    key: "nf_conntrack_tcp_timeout_fin_wait",
    what: "closing TCP flows (FIN_WAIT)",
    gentle: 60,
    harsh: [30],
    why: "Linux itself waits no longer for the other side's FIN",
  },
  {
    key: "nf_conntrack_tcp_timeout_close_wait",
    what: "half-closed TCP flows (CLOSE_WAIT)",
    harsh: [60],
    why: "The kernel's default",
  },
  {
    key: "nf_conntrack_generic_timeout",
    what: "flows of other protocols",
    gentle: 120,
    harsh: [60],
    why: "Tunnels send keepalives every 20 to 60 seconds",
  },
  {
    key: "nf_conntrack_icmp_timeout",
    what: "ICMP flows",
    harsh: [10],
    why: "An echo is answered within seconds",
  },
  {
    key: "nf_conntrack_icmpv6_timeout",
    what: "ICMPv6 flows",
    harsh: [10],
    why: "An echo is answered within seconds",
  },
  {
    key: "nf_conntrack_sctp_timeout_established",
    what: "established SCTP flows",
    gentle: 86_400,
    harsh: [3600, 210],
    why: "SCTP sends heartbeats every 30 seconds",
  },
];

export interface ChosenTimeouts {
  settings: readonly PlannedSetting[];
  wanted: Settings;
  /** In balance at the present load, unchanged and with the timeouts chosen. */
  before: ExpectedFlows;
  after: ExpectedFlows;
  /** Flows at the peak, unchanged and with the timeouts chosen. */
  unchangedPeakFlows: number;
  peakFlows: number;
  /** The same as the plan reckons with it: where it is uncertain, the least there will be. */
  judgedPeakFlows: number;
  /** As judged, with the gentle steps alone: the capacity is chosen for them. */
  gentlePeakFlows: number;
  /** Even the gentle steps left more than the budget holds. */
  harsh: boolean;
  /** False: what is in the table is too little to tell anything of the peak. */
  picture: boolean;
  /**
   * Flows last longer than they were watched, and whether the peak fits depends on how long: the plan was
   * made for the least there will be. Absent: the expectation is good enough.
   */
  uncertain?: { lowFlows: number; highFlows: number };
}

interface Chosen {
  wanted: Settings;
  flows: ExpectedFlows;
  /** At the peak, as the plan reckons with it. */
  peakFlows: number;
}

/**
 * Chooses. `budgetFlows` is the capacity the memory allows; Infinity when unknown.
 */
export function chooseTimeouts(facts: PlanFacts, expected: Expectation, budgetFlows: number): ChosenTimeouts {
  const { goal, settings } = facts;
  const before = expected({});
  // Without a limit the capacity will be what the kernel would choose.
  const present = settings.nf_conntrack_max ?? 0;
  const capacity = present > 0 ? present : (defaultSizesOf(facts.host)?.capacityFlows ?? 0);
  const peaks = peaksOf(facts, before, capacity);
  const { uncertain, picture } = peaks;
  const unchanged = {
    before,
    unchangedPeakFlows: peaks.expected(before),
    ...(uncertain === undefined ? {} : { uncertain }),
    picture,
  };
  const start: Chosen = { wanted: {}, flows: before, peakFlows: peaks.judged(before) };
  // Without a capacity there is nothing a peak could fit into.
  if (!picture || capacity === 0) {
    const { peakFlows: judgedPeakFlows } = start;
    const at = { peakFlows: unchanged.unchangedPeakFlows, judgedPeakFlows, gentlePeakFlows: judgedPeakFlows };
    return { ...unchanged, settings: [], wanted: {}, after: before, ...at, harsh: false };
  }
  const context: StepContext = { facts, expected, peaks };
  const roomIn = (flows: number): number => flows * goal.targetShare * toleranceOf(facts);
  // On paper a budget may hold less than what the kernel would choose.
  const held = facts.onPaper === true ? Math.min(capacity, budgetFlows) : capacity;
  const most = roomIn(facts.onPaper === true ? budgetFlows : Math.max(capacity, budgetFlows));
  const gentle = takeSteps(context, start, gentleSteps, roomIn(held));
  const gentleFits = gentle.peakFlows <= most;
  const chosen = gentleFits
    ? gentle
    : takeSteps(context, gentle, (ladder) => harshSteps(ladder, goal.belowRfc === true), most);
  return {
    ...unchanged,
    settings: reasonsOf(context, chosen, before),
    wanted: chosen.wanted,
    after: chosen.flows,
    peakFlows: peaks.expected(chosen.flows),
    judgedPeakFlows: chosen.peakFlows,
    gentlePeakFlows: gentle.peakFlows,
    harsh: !gentleFits,
  };
}

function gentleSteps({ gentle }: Ladder): readonly number[] {
  return gentle === undefined ? [] : [gentle];
}

/** A gentle step that was not worth it among more flows may be so now. */
function harshSteps({ gentle, harsh = [], belowRfc = [] }: Ladder, below: boolean): readonly number[] {
  const steps = gentle === undefined ? harsh : [gentle, ...harsh];
  return below ? [...steps, ...belowRfc] : steps;
}

interface StepContext {
  facts: PlanFacts;
  expected: Expectation;
  peaks: Peaks;
}

/** Takes steps, each time the one that saves most, until the peak has room or none is worth it. */
function takeSteps(
  { facts, expected, peaks }: StepContext,
  start: Chosen,
  stepsOf: (ladder: Ladder) => readonly number[],
  roomFlows: number,
): Chosen {
  const leastShare = Math.max(LEAST_SAVING_SHARE, LEAST_SAVED_FLOWS / Math.max(1, peaks.observedFlows));
  let chosen = start;
  while (chosen.peakFlows > roomFlows) {
    let best: Chosen | undefined;
    for (const ladder of ladders) {
      const inForce = chosen.wanted[ladder.key] ?? facts.settings[ladder.key];
      const next = stepsOf(ladder).find((seconds) => inForce !== undefined && seconds < inForce);
      if (next === undefined || !canBeSet(facts.host, ladder.key)) continue;
      const wanted = { ...chosen.wanted, [ladder.key]: next };
      const flows = expected(wanted);
      const peakFlows = peaks.judged(flows);
      if (best === undefined || peakFlows < best.peakFlows) best = { wanted, flows, peakFlows };
    }
    const saved = best === undefined ? 0 : chosen.peakFlows - best.peakFlows;
    if (best === undefined || saved <= chosen.peakFlows * leastShare) return chosen;
    chosen = best;
  }
  return chosen;
}

/** The first, safe step of a timeout on this kernel; undefined: there is none. */
export function gentleStepOf(host: Host, key: SettingKey): number | undefined {
  return canBeSet(host, key) ? ladders.find((ladder) => ladder.key === key)?.gentle : undefined;
}

/** Before 2.6.0 timeouts are compiled in. */
function canBeSet({ kernelRelease }: Host, key: SettingKey): boolean {
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  const { until } = settingOf(key);
  if (release === undefined) return true;
  return isSince(release, "2.6.0") && (until === undefined || !isSince(release, until));
}

function reasonsOf(
  { facts, expected }: StepContext,
  chosen: Chosen,
  before: ExpectedFlows,
): PlannedSetting[] {
  return ladders.flatMap((ladder): PlannedSetting[] => {
    const { key } = ladder;
    const to = chosen.wanted[key];
    if (to === undefined) return [];
    const from = facts.settings[key];
    const { [key]: _, ...others } = chosen.wanted;
    const reason = sentenceOf(
      ladder,
      to,
      savingText({ key, to, before }, expected(others), chosen.flows, ladder),
    );
    return [{ key, ...(from === undefined ? {} : { from }), to, reason }];
  });
}

interface Saving {
  key: SettingKey;
  to: number;
  before: ExpectedFlows;
}

/** By the flows expected, or by those there are where they are what the peak is made of. */
function savingText(
  { key, to, before }: Saving,
  without: ExpectedFlows,
  chosen: ExpectedFlows,
  { what }: Ladder,
): string {
  const part = before.parts?.find((one) => one.key === key);
  const { keptFlows: keptBefore = 0 } = before;
  if (keptBefore > before.flows * PRESENT_ABOVE && part?.nowFlows !== undefined) {
    const gone = (without.keptFlows ?? 0) - (chosen.keptFlows ?? 0);
    return (
      `${amountOf(part.nowFlows, what, what)} now; ${groupDigits(gone)} of the ` +
      `${groupDigits(keptBefore)} flows (${percent(gone / keptBefore)}) are silent for longer ` +
      `than ${formatDuration(to)}`
    );
  }
  const saved = without.flows - chosen.flows;
  const ofAll = `${groupDigits(before.flows)} (${percent(saved / Math.max(1, before.flows))})`;
  const held = part === undefined ? "" : `${heldText(part, what)}; `;
  return `${held}${formatDuration(to)} saves ${amountOf(saved, "flow")} of ${ofAll}`;
}

/** `12 a second x 2m = 1,440 closed TCP flows; 1m saves 720 flows of 2,000 (36 %). Linux itself ...` */
function sentenceOf({ why, gentle }: Ladder, to: number, saving: string): string {
  const caution =
    gentle !== undefined && to < gentle
      ? " This may end what is merely quiet: the memory allows no more."
      : "";
  const sentence = `${saving}. ${why}.${caution}`;
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

function heldText({ flows, arrivalsPerSecond, heldSeconds }: ExpectedPart, what: string): string {
  const told = flows >= LEAST_TELLING_FLOWS && arrivalsPerSecond !== undefined && heldSeconds !== undefined;
  if (!told) return amountOf(flows, what, what);
  const rate = rateText(arrivalsPerSecond);
  return `${rate} a second x ${heldTime(heldSeconds)} held = ${groupDigits(flows)} ${what}`;
}

/** `0.25`, `3.4`, `10`, `1,200`. */
export function rateText(perSecond: number): string {
  if (perSecond >= 100 || Number.isInteger(perSecond)) return groupDigits(perSecond);
  return perSecond >= 1 ? perSecond.toFixed(1) : perSecond.toPrecision(2);
}

/** `4.2s`, `2m`, `3h20m`. */
function heldTime(seconds: number): string {
  return seconds < 10 && !Number.isInteger(seconds) ? `${seconds.toFixed(1)}s` : roughDuration(seconds);
}
