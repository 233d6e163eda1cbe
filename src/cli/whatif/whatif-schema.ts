/**
 * Machine output of `headroom whatif`.
 */
import * as z from "zod/mini";
import { unseen } from "../schema-parts.ts";

const count = z.number().check(z.nonnegative());
const share = z.number().check(z.nonnegative());

const tableState = z.strictObject({
  occupancyFlows: count,
  capacityFlows: z.optional(count),
  bucketCount: z.optional(count),
  useShare: z.optional(share),
  loadFlowsPerBucket: z.optional(count),
  chainLossShare: z.optional(share),
  fullLoadFlowsPerBucket: z.optional(count),
  fullChainLossShare: z.optional(share),
  earlyDropMissShare: z.optional(share),
  memoryBytes: z.optional(count),
  fullMemoryBytes: z.optional(count),
  allFullMemoryBytes: z.optional(count),
  memoryHow: z.optional(z.string()),
});

const answer = {
  changes: z.array(z.strictObject({ key: z.string(), from: z.optional(z.number()), to: z.number() })),
  before: z.strictObject({ flows: count, occupancyFlows: z.optional(count) }),
  immediately: z.strictObject({
    flows: count,
    goneFlows: count,
    goneTranslatedFlows: count,
    unknownFlows: count,
    standardErrorFlows: z.optional(count),
    longestKeepSeconds: z.optional(count),
    medianKeepSeconds: z.optional(count),
  }),
  after: z.strictObject({
    flows: count,
    standardErrorFlows: count,
    lowFlows: count,
    highFlows: count,
    occupancyFlows: count,
    /** Of `flows`, what stands for flows of which nobody knows how many stay; the range has all and none. */
    extrapolatedFlows: count,
    /** Of `flows`, what is believed only because a table usually is in balance. */
    balanceFlows: count,
    peakOccupancyFlows: count,
  }),
  leftoverFlows: count,
  untoldFlows: count,
  reachedAfterSeconds: z.optional(count),
  byState: z.array(
    z.strictObject({
      protocol: z.string(),
      state: z.optional(z.string()),
      key: z.optional(z.string()),
      before: count,
      after: count,
      goneFlows: count,
      lowFlows: count,
      highFlows: count,
      standardErrorFlows: count,
      inForceSeconds: z.optional(z.number()),
      timeoutSeconds: z.optional(count),
    }),
  ),
  breaks: z.array(
    z.strictObject({ code: z.string(), why: z.string(), flows: count, key: z.optional(z.string()) }),
  ),
  silentServices: z.array(
    z.strictObject({
      protocol: z.string(),
      port: z.optional(z.int()),
      flows: count,
      translatedFlows: count,
    }),
  ),
  table: z.strictObject({ before: tableState, after: tableState }),
  notPreviewed: z.array(z.strictObject({ key: z.string(), why: z.string() })),
};

/** `headroom whatif --json`: with `--set` the answer, with `--sweep` one for each value. */
export const whatifSchema = z.strictObject({
  schema: z.literal("headroom/whatif/v1"),
  source: z.string(),
  origin: z.string(),
  complete: z.boolean(),
  sampled: z.optional(z.strictObject({ flowsRead: count, ofFlows: count, method: z.string() })),
  observedSeconds: count,
  method: z.enum(["life-table", "balance"]),
  ...z.partial(z.strictObject(answer)).shape,
  /** The highest occupancy a history remembers, and the long run scaled to it. */
  peak: z.optional(
    z.strictObject({
      occupancyFlows: count,
      atMs: count,
      fromMs: count,
      toMs: count,
      directory: z.string(),
      /** Of which table the history is, where it tells, and whether that is the one looked at. */
      hostname: z.optional(z.string()),
      namespace: z.optional(z.string()),
      isOfTable: z.optional(z.boolean()),
      factor: z.optional(count),
      flows: z.optional(count),
      lowFlows: z.optional(count),
      highFlows: z.optional(count),
    }),
  ),
  sweep: z.optional(
    z.strictObject({
      key: z.string(),
      rows: z.array(z.strictObject({ value: count, ...answer })),
      curve: z.optional(z.array(z.strictObject({ value: count, flows: count }))),
    }),
  ),
  oddities: z.record(z.string(), count),
  interrupted: z.boolean(),
  assumedTimeouts: z.boolean(),
  unseen,
});
