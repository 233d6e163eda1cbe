/**
 * Machine output of `headroom reclaim`.
 */
import * as z from "zod/mini";

const whole = z.int().check(z.nonnegative());
const count = z.number().check(z.nonnegative());
const cutName = z.enum([
  "closed",
  "unanswered-source",
  "unanswered-tcp",
  "unanswered-other",
  "answered-udp",
  "half-closed",
  "silent",
]);

const done = z.strictObject({
  schema: z.literal("headroom/reclaim/v1"),
  outcome: z.enum(["previewed", "nothing-to-do", "removed", "shortened", "interrupted"]),
  filter: z.optional(z.string()),
  idleSeconds: z.optional(whole),
  shortenToSeconds: z.optional(whole),
  /** With --emergency: the cut that was chosen. */
  cut: z.optional(cutName),
  readFlows: whole,
  /** Flows that the filter and --idle mean. */
  meantFlows: whole,
  /** Those of them that nothing protects. */
  chosenFlows: whole,
  undecidedFlows: whole,
  idleUnknownFlows: whole,
  alreadyShortFlows: whole,
  protectedFlows: z.strictObject({
    session: whole,
    network: whole,
    offloaded: whole,
    helper: whole,
    nat: whole,
    "idle-unknown": whole,
    active: whole,
    expiring: whole,
  }),
  /** What the chosen flows are; of a preview. */
  chosen: z.optional(
    z.strictObject({
      byProtocol: z.array(z.strictObject({ protocol: z.string(), flows: whole })),
      byState: z.array(z.strictObject({ protocol: z.string(), state: z.string(), flows: whole })),
      topServices: z.array(z.strictObject({ protocol: z.string(), port: whole, flows: whole })),
      topSources: z.array(z.strictObject({ address: z.string(), flows: whole })),
    }),
  ),
  doneFlows: z.optional(whole),
  goneFlows: z.optional(whole),
  renewedFlows: z.optional(whole),
  /** What the kernel refused: the two known reasons, and others by the name of the error number. */
  refused: z.optional(z.record(z.string(), whole)),
  overruns: z.optional(whole),
  /** The table was read to its end. */
  complete: z.optional(z.boolean()),
  seconds: z.optional(count),
  removedPath: z.optional(z.string()),
  /** After it. */
  occupancyFlows: z.optional(whole),
});

const offered = z.strictObject({
  schema: z.literal("headroom/reclaim/v1"),
  outcome: z.literal("offered"),
  readFlows: whole,
  complete: z.boolean(),
  occupancyFlows: z.optional(whole),
  capacityFlows: z.optional(whole),
  cuts: z.array(
    z.strictObject({
      name: cutName,
      title: z.string(),
      costs: z.string(),
      filter: z.string(),
      flows: whole,
      standardErrorFlows: z.optional(whole),
    }),
  ),
});

/** `headroom reclaim --json`, also with `--emergency`. */
export const reclaimSchema = z.union([done, offered]);
