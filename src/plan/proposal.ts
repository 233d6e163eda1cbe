/**
 * The plan: which values, why, and at what cost. It kills waste before it raises limits: first timeouts that
 * hold what is dead, then the capacity, and with the capacity its buckets. What does not matter is not
 * touched: where the peak fits, the plan is to change nothing.
 *
 * Pure: what there would be under other timeouts is a function somebody gives (the life table of an
 * observation, or arithmetic for a host on paper). It refuses to guess a load: without evidence it gives what
 * the kernel would choose for this memory and says that it knows no more.
 */
import { parseKernelRelease } from "../table/kernel-release.ts";
import { chainLimitsOf, chainLossShare, earlyDropMissShare } from "./load.ts";
import type { ExpectedFlows, Plan, PlanFacts, PlanLoad, PredictedUse, UnchangedUse } from "./plan-shape.ts";
import { type Choice, planNotes, sizeSettings } from "./proposal-reasons.ts";
import { BUDGET_SHARE, capacityWithin, chooseSizes, type ChosenSizes } from "./proposal-sizes.ts";
import { type ChosenTimeouts, chooseTimeouts } from "./proposal-timeouts.ts";

/** The share of flows that may be evicted, where no census tells. */
const EVICTABLE_SHARE = 0.1;

/** Works the plan out. */
export function propose(facts: PlanFacts): Plan {
  const choice = choose(facts);
  const { timeouts, sizes, budgetBytes } = choice;
  const settings = [...(timeouts?.settings ?? []), ...sizeSettings(facts, choice)];
  const notes = planNotes(facts, choice, settings.length === 0);
  // A rule for one service is worth its trouble where room is needed.
  const relief = settings.length === 0 ? [] : (facts.relief ?? []);
  if (sizes === undefined) return { settings, relief, notes };
  const { capacityFlows, bucketCount } = sizes;
  const memory = { ...sizes.memory, ...(budgetBytes === undefined ? {} : { budgetBytes }) };
  const load = loadOf(facts, sizes, timeouts);
  const predicted = timeouts === undefined ? {} : { predicted: predictedOf(facts, sizes, timeouts) };
  return { settings, capacityFlows, bucketCount, ...predicted, memory, load, relief, notes };
}

function choose(facts: PlanFacts): Choice {
  const { goal, host, settings, expected, namespacesInUse } = facts;
  const budgetBytes =
    goal.budgetBytes ?? (host.memoryBytes === undefined ? undefined : host.memoryBytes * BUDGET_SHARE);
  const room = { host, settings, namespacesInUse };
  const timeouts =
    expected === undefined ? undefined : chooseTimeouts(facts, expected, capacityWithin(room, budgetBytes));
  const sizes = chooseSizes({
    ...room,
    otherFlows: facts.otherFlows,
    ...(facts.isReckoned === undefined ? {} : { isReckoned: facts.isReckoned }),
    ...(facts.onPaper === undefined ? {} : { onPaper: facts.onPaper }),
    targetShare: goal.targetShare,
    ...(timeouts === undefined ? {} : { peakFlows: timeouts.gentlePeakFlows }),
    ...(budgetBytes === undefined ? {} : { budgetBytes }),
  });
  return {
    ...(timeouts === undefined ? {} : { timeouts }),
    ...(sizes === undefined ? {} : { sizes }),
    ...(budgetBytes === undefined ? {} : { budgetBytes }),
  };
}

function predictedOf(
  { goal, settings, how }: PlanFacts,
  { capacityFlows }: ChosenSizes,
  { before, after, peakFlows, judgedPeakFlows, unchangedPeakFlows, picture, uncertain }: ChosenTimeouts,
): NonNullable<Plan["predicted"]> {
  const present = settings.nf_conntrack_max;
  const told = picture && after.flows > 0;
  /** The errors are those of the flows expected, whatever the factor. */
  const use = (flows: number): PredictedUse => ({
    occupancyFlows: Math.round(flows),
    useShare: flows / capacityFlows,
    ...(told || flows === after.flows ? errorsOf(after, after.flows === 0 ? 1 : flows / after.flows) : {}),
  });
  const unchanged = (flows: number): UnchangedUse => ({
    occupancyFlows: Math.round(flows),
    ...(present === undefined || present === 0 ? {} : { useShare: flows / present }),
  });
  return {
    ...use(after.flows),
    ...countedOf(after),
    peak:
      uncertain === undefined ? use(peakFlows) : { ...use(peakFlows), lowFlows: Math.round(judgedPeakFlows) },
    ...(uncertain === undefined ? {} : { uncertain: true as const }),
    peakFactor: goal.peakFactor,
    targetShare: goal.targetShare,
    unchanged: { ...unchanged(before.flows), peak: unchanged(unchangedPeakFlows) },
    byTimeout: after.parts ?? [],
    how,
  };
}

function errorsOf(
  { standardErrorFlows: error, lowFlows: low, highFlows: high }: ExpectedFlows,
  factor: number,
): Pick<PredictedUse, "standardErrorFlows" | "lowFlows" | "highFlows"> {
  return {
    ...(error === undefined ? {} : { standardErrorFlows: error * factor }),
    ...(low === undefined ? {} : { lowFlows: Math.round(low * factor) }),
    ...(high === undefined ? {} : { highFlows: Math.round(high * factor) }),
  };
}

/** Of what counts: alive, and expired but not collected. */
function countedOf({ flows, uncollectedFlows, uncollectedPeakFlows }: ExpectedFlows): {
  aliveFlows?: number;
  uncollectedFlows?: number;
  uncollectedPeakFlows?: number;
} {
  if (uncollectedFlows === undefined) return {};
  return {
    aliveFlows: Math.round(flows) - Math.round(uncollectedFlows),
    uncollectedFlows: Math.round(uncollectedFlows),
    ...(uncollectedPeakFlows === undefined ? {} : { uncollectedPeakFlows: Math.round(uncollectedPeakFlows) }),
  };
}

/** Other namespaces share the buckets; nothing is known of theirs but how many flows they hold now. */
function loadOf(facts: PlanFacts, sizes: ChosenSizes, timeouts: ChosenTimeouts | undefined): PlanLoad {
  const { host, otherFlows } = facts;
  const { bucketCount, capacityFlows } = sizes;
  const release = host.kernelRelease === undefined ? undefined : parseKernelRelease(host.kernelRelease);
  const limit = chainLimitsOf(release, false).worst;
  const loss = (load: number): number => (limit === undefined ? 0 : chainLossShare(load, limit));
  const full = (capacityFlows + otherFlows) / bucketCount;
  const evictable = facts.evictableShare ?? EVICTABLE_SHARE;
  const rest = {
    fullFlowsPerBucket: full,
    evictableShare: evictable,
    evictableShareMeasured: facts.evictableShare !== undefined,
    // A table of which half is used may be full tomorrow: the chance is that of the table when it is full.
    earlyDropMissShare: earlyDropMissShare(capacityFlows / bucketCount, evictable, release),
    fullChainLossShare: loss(full),
  };
  if (timeouts === undefined) return rest;
  const peak = (Math.min(timeouts.judgedPeakFlows, capacityFlows) + otherFlows) / bucketCount;
  return {
    nowFlowsPerBucket: (Math.min(timeouts.after.flows, capacityFlows) + otherFlows) / bucketCount,
    peakFlowsPerBucket: peak,
    peakChainLossShare: loss(peak),
    ...rest,
  };
}
