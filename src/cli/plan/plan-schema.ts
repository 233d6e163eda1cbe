/**
 * Machine output of `headroom plan`.
 */
import * as z from "zod/mini";
import { unseen } from "../schema-parts.ts";

import { SETTING_KEYS } from "../../table/settings.ts";

const count = z.number().check(z.nonnegative());
const whole = z.int().check(z.nonnegative());

/** As nf_conntrack_count counts, on average: expired flows that wait to be collected are in it. */
const use = {
  occupancyFlows: whole,
  useShare: count,
  standardErrorFlows: z.optional(count),
  /** 19 times of 20 it lies between. */
  lowFlows: z.optional(whole),
  highFlows: z.optional(whole),
};
const unchanged = { occupancyFlows: whole, useShare: z.optional(count) };

/** `headroom plan --json`. */
export const planSchema = z.strictObject({
  schema: z.literal("headroom/plan/v1"),
  subject: z.optional(z.string()),
  netns: z.optional(z.string()),
  /** Nothing to change: empty. In the order in which they are to be set. */
  settings: z.array(
    z.strictObject({
      key: z.enum(SETTING_KEYS),
      from: z.optional(z.int()),
      to: whole,
      reason: z.string(),
    }),
  ),
  capacityFlows: z.optional(whole),
  bucketCount: z.optional(whole),
  /** In balance at the present load with the plan's settings; absent: nothing is known of the load. */
  predicted: z.optional(
    z.strictObject({
      ...use,
      /** What a listing shows, and what it does not: aliveFlows + uncollectedFlows = occupancyFlows. */
      aliveFlows: z.optional(whole),
      uncollectedFlows: z.optional(whole),
      /** Just before the collector comes. */
      uncollectedPeakFlows: z.optional(whole),
      peak: z.strictObject(use),
      /** The plan is made for the least there will be: lowFlows of the peak. */
      uncertain: z.optional(z.literal(true)),
      peakFactor: count,
      targetShare: count,
      unchanged: z.strictObject({ ...unchanged, peak: z.strictObject(unchanged) }),
      /** arrivalsPerSecond x heldSeconds = flows. */
      byTimeout: z.array(
        z.strictObject({
          key: z.enum(SETTING_KEYS),
          flows: count,
          nowFlows: z.optional(count),
          arrivalsPerSecond: z.optional(count),
          heldSeconds: z.optional(count),
        }),
      ),
      how: z.string(),
    }),
  ),
  /** Of a full table, in every namespace that holds flows. */
  memoryBytes: z.optional(count),
  memory: z.optional(
    z.strictObject({
      flowBytes: count,
      bucketBytes: count,
      bytesPerFlow: count,
      extensionBytesPerFlow: count,
      namespaces: whole,
      how: z.string(),
      budgetBytes: z.optional(whole),
    }),
  ),
  load: z.optional(
    z.strictObject({
      nowFlowsPerBucket: z.optional(count),
      peakFlowsPerBucket: z.optional(count),
      fullFlowsPerBucket: count,
      evictableShare: count,
      evictableShareMeasured: z.boolean(),
      earlyDropMissShare: z.strictObject({ lowShare: count, highShare: count }),
      peakChainLossShare: z.optional(count),
      fullChainLossShare: count,
    }),
  ),
  rules: z.array(
    z.strictObject({
      kind: z.enum(["untracked", "short-timeout"]),
      protocol: z.literal("udp"),
      port: whole,
      why: z.string(),
      savesFlows: whole,
      nftables: z.string(),
      iptables: z.string(),
      ip6tables: z.string(),
      iptablesBefore: z.optional(z.array(z.string())),
      caution: z.string(),
    }),
  ),
  traffic: z.optional(
    z.strictObject({
      heldSeconds: count,
      derivation: z.array(z.string()),
      defaultHolds: z.strictObject({ capacityFlows: whole, viewsPerHour: count }),
    }),
  ),
  notes: z.array(z.string()),
  host: z.record(z.string(), z.unknown()),
  unseen,
});
