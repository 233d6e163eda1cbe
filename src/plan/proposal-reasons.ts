/**
 * Why sizes are what they are, in sentences with their figures, and what whoever carries a plan out must know
 * besides.
 */
import { formatDuration } from "../table/duration.ts";
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import type { PlanFacts, PlannedSetting } from "./plan-shape.ts";
import { capacityWithin, type ChosenSizes, TARGET_TOLERANCE } from "./proposal-sizes.ts";
import { type ChosenTimeouts, PRESENT_ABOVE } from "./proposal-timeouts.ts";
import { rfcFloors } from "./rfc-floors.ts";
import { amountOf, groupDigits, memoryText, percent } from "./wording.ts";

/** What was chosen, for whoever gives the reasons. */
export interface Choice {
  timeouts?: ChosenTimeouts;
  sizes?: ChosenSizes;
  budgetBytes?: number;
}

/** Capacity and buckets, as far as they change; the buckets first, as they have to be set. */
export function sizeSettings(facts: PlanFacts, { sizes, timeouts }: Choice): PlannedSetting[] {
  if (sizes === undefined) return [];
  const { settings } = facts;
  const presentBuckets = settings.nf_conntrack_buckets ?? settings.hashsize;
  const presentCapacity = settings.nf_conntrack_max;
  const planned: PlannedSetting[] = [];
  if (sizes.bucketCount !== presentBuckets) {
    planned.push({
      key: "nf_conntrack_buckets",
      ...(presentBuckets === undefined ? {} : { from: presentBuckets }),
      to: sizes.bucketCount,
      reason: bucketReason(facts, sizes, presentBuckets),
    });
  }
  if (sizes.capacityFlows !== presentCapacity) {
    planned.push({
      key: "nf_conntrack_max",
      ...(presentCapacity === undefined ? {} : { from: presentCapacity }),
      to: sizes.capacityFlows,
      reason: capacityReason(facts, sizes, timeouts),
    });
  }
  return planned;
}

function bucketReason({ host, onPaper }: PlanFacts, sizes: ChosenSizes, present: number | undefined): string {
  const { bucketCount, capacityFlows } = sizes;
  const bytes = memoryText(bucketCount * (host.pointerBytes ?? 8));
  const load = loadText(capacityFlows / bucketCount);
  const full = `A full table has ${load} then, for ${bytes} taken at once`;
  if (present === undefined || present === 0) return `${full}.`;
  const which = onPaper === true ? "default" : "present";
  if (bucketCount < present) {
    const instead = memoryText(present * (host.pointerBytes ?? 8));
    return `${full}; the ${which} ${groupDigits(present)} would take ${instead} of the budget.`;
  }
  const before = loadText(capacityFlows / present);
  return `${full}; with the ${which} ${groupDigits(present)} it would have ${before}.`;
}

function loadText(load: number): string {
  const figure = load >= 10 ? groupDigits(load) : Number(load.toPrecision(2)).toString();
  return `${figure} ${figure === "1" ? "flow" : "flows"} a bucket`;
}

function capacityReason(
  { goal, host }: PlanFacts,
  sizes: ChosenSizes,
  timeouts: ChosenTimeouts | undefined,
): string {
  const peakFlows = timeouts?.gentlePeakFlows ?? 0;
  const leastText = timeouts?.uncertain === undefined ? "" : "At least ";
  const { capacityFlows, capacityWhy, memory } = sizes;
  const cost = `${memoryText(memory.bytes)} when full`;
  const peak = `${leastText}${groupDigits(peakFlows)} flows at the peak`;
  const target = `${percent(goal.targetShare)} use`;
  switch (capacityWhy) {
    case "raised":
    case "suffices":
      return `${peak} / ${target} = ${groupDigits(peakFlows / goal.targetShare)}, rounded up; ${cost}.`;
    case "budget": {
      const wanted = groupDigits(sizes.wantedCapacityFlows);
      const use = percent(peakFlows / capacityFlows);
      return (
        `The budget holds no more (${cost}); ${peak} would want ${wanted} for ${target}, ` +
        `and use ${use} of this.`
      );
    }
    case "lowered":
      return (
        `The budget holds no more (${cost}); ${peak} / ${target} = ` +
        `${groupDigits(peakFlows / goal.targetShare)} fit into it.`
      );
    case "default":
      return `What kernel ${host.kernelRelease ?? "?"} chooses by itself for this memory; ${cost}.`;
    case "unlimited":
      return `There is no limit now, and a flood could take all memory; ${peak} fit into this (${cost}).`;
  }
}

/** What must be known besides. */
export function planNotes(facts: PlanFacts, choice: Choice, nothingToChange: boolean): string[] {
  const keep = facts.onPaper === true ? [] : keepNotes(choice);
  const changes = nothingToChange ? [] : [...keep, ...floorNotes(choice), ...placeNotes(facts, choice)];
  return [
    ...evidenceNotes(facts, choice),
    ...enoughNotes(facts, choice),
    ...budgetNotes(facts, choice),
    ...changes,
  ];
}

function evidenceNotes(facts: PlanFacts, { sizes, timeouts }: Choice): string[] {
  const notes: string[] = [];
  if (timeouts === undefined) {
    notes.push(
      "Nothing is known of the load here, so nothing but the sizes was judged: by what this kernel " +
        "chooses for this memory.",
    );
  }
  if (sizes === undefined) {
    const peak = timeouts?.peakFlows;
    const wanted =
      peak === undefined
        ? ""
        : ` The ${amountOf(peak, "flow")} of the peak would want a capacity of ` +
          `${groupDigits(peak / facts.goal.targetShare)}.`;
    notes.push(
      "Neither the present capacity nor the memory and the kernel are known: whether anything must be " +
        `changed cannot be told.${wanted}`,
    );
  }
  if (timeouts?.uncertain !== undefined) {
    notes.push(uncertainNote(timeouts.judgedPeakFlows, timeouts.uncertain.highFlows * facts.goal.peakFactor));
  }
  const { wasFullFlows } = facts;
  if (wasFullFlows !== undefined && timeouts !== undefined) {
    notes.push(
      `The kernel log says that the table was full since boot: the peak is taken as at least the ` +
        `${groupDigits(wasFullFlows)} flows it held then. How far it went beyond nobody counted; ` +
        "--peak says more.",
    );
    if (!timeouts.picture) {
      notes.push(
        `The ${amountOf(timeouts.before.flows, "flow")} in it now tell nothing of those that filled it: ` +
          "timeouts were not judged. Plan again while it is busy.",
      );
    }
  }
  const { presentFlows = 0, goal } = facts;
  const asked = (timeouts?.before.flows ?? Infinity) * goal.peakFactor;
  if (wasFullFlows === undefined && presentFlows > asked * PRESENT_ABOVE) {
    notes.push(
      `The table holds ${groupDigits(presentFlows)} flows now, and what comes and goes explains ` +
        `${groupDigits(asked)} of them: the peak is taken as at least what there is.`,
    );
  }
  return notes;
}

/** Why the capacity may stay: where it is only nearly enough, and where somebody reckons. */
function enoughNotes({ goal, isReckoned, onPaper }: PlanFacts, { sizes, timeouts }: Choice): string[] {
  if (sizes === undefined || timeouts === undefined || sizes.capacityWhy !== "suffices") return [];
  const peakFlows = timeouts.judgedPeakFlows;
  const capacity = groupDigits(sizes.capacityFlows);
  const target = percent(goal.targetShare);
  if (isReckoned === true) {
    const which = onPaper === true ? `the default of ${capacity}` : capacity;
    return [
      `nf_conntrack_max stays at ${which}: ${groupDigits(peakFlows)} flows at the peak / ${target} use = ` +
        `${groupDigits(peakFlows / goal.targetShare)}, and it holds that.`,
    ];
  }
  const share = peakFlows / sizes.capacityFlows;
  if (share <= goal.targetShare) return [];
  return [
    `nf_conntrack_max stays at ${capacity}: the peak uses ${Number((share * 100).toFixed(1))} % of it, ` +
      `within ${Math.round((TARGET_TOLERANCE - 1) * 100)} % of the target of ${target}.`,
  ];
}

function uncertainNote(leastFlows: number, mostFlows: number): string {
  return (
    `Flows at the peak are not known better than between ${groupDigits(leastFlows)} and ` +
    `${groupDigits(mostFlows)}: too few were seen, or they last longer than they were watched. Nothing is ` +
    "changed that the least of them do not need. A longer --observe says more, and so does the same plan " +
    "in an hour."
  );
}

function budgetNotes(facts: PlanFacts, { sizes, timeouts, budgetBytes }: Choice): string[] {
  if (sizes === undefined) return [];
  const notes: string[] = [];
  const { memory, capacityFlows } = sizes;
  const peakFlows = timeouts?.judgedPeakFlows ?? 0;
  if (peakFlows > capacityFlows) {
    notes.push(
      `The table will be full at the peak all the same: ${groupDigits(peakFlows)} flows, and the ` +
        `budget holds ${groupDigits(capacityFlows)}. More memory (--memory-budget), fewer flows, or less ` +
        "tracking are the ways left.",
    );
  }
  if (budgetBytes !== undefined && memory.bytes > budgetBytes) {
    const within = capacityWithin(facts, budgetBytes);
    const each = memory.namespaces > 1 ? ` in ${memory.namespaces} namespaces that may each hold it` : "";
    const advice =
      facts.onPaper === true
        ? ""
        : " A plan lowers nothing: do it yourself where so much memory is not to spare.";
    notes.push(
      `Full${each}, the table takes ${memoryText(memory.bytes)}, more than the budget of ` +
        `${memoryText(budgetBytes)}, which holds ${groupDigits(within)} flows.${advice}`,
    );
  } else if (memory.namespaces > 1) {
    notes.push(
      `The capacity holds for each network namespace, and ${memory.namespaces} hold flows: the memory is ` +
        "that of all of them full.",
    );
  }
  return notes;
}

function keepNotes({ timeouts }: Choice): string[] {
  if (timeouts === undefined || timeouts.settings.length === 0) return [];
  const longest = Math.max(...timeouts.settings.map(({ from }) => from ?? 0));
  return [
    "Flows that are there keep their old timeout until their next packet, up to " +
      `${formatDuration(longest)}; headroom reclaim ends idle ones at once.`,
  ];
}

function floorNotes({ timeouts }: Choice): string[] {
  const wanted = timeouts?.wanted ?? {};
  const below = rfcFloors.filter(({ key, seconds }) => (wanted[key] ?? Infinity) < seconds);
  return below.map(({ key, seconds, rfc, breaks }) => {
    const why = breaks === true ? "as asked" : "as the kernel's own default is";
    return (
      `A ${key.replace("nf_conntrack_", "")} of ${formatDuration(wanted[key] ?? 0)} is below the ` +
      `${formatDuration(seconds)} that ${rfc} asks of a NAT, ${why}.`
    );
  });
}

function placeNotes({ host, settings }: PlanFacts, { sizes }: Choice): string[] {
  const notes: string[] = [];
  const sized =
    sizes !== undefined &&
    (sizes.capacityFlows !== settings.nf_conntrack_max ||
      sizes.bucketCount !== settings.nf_conntrack_buckets);
  if (host.initialNamespace === false && sized) {
    notes.push(
      "Capacity and buckets are one for all namespaces and are set on the host itself; timeouts are this " +
        "namespace's own.",
    );
  }
  const release = host.kernelRelease === undefined ? undefined : parseKernelRelease(host.kernelRelease);
  if (sized && release !== undefined && !isSince(release, "4.7")) {
    notes.push(
      "This kernel takes the buckets from its module's parameter hashsize; given at load without a " +
        "capacity it makes that 8 times as large, so both are written.",
    );
  }
  return notes;
}
