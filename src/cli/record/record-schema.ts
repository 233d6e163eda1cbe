/** What `headroom record --json` prints at its end. */
import * as z from "zod/mini";

const whole = z.int();

export const recordSchema = z.strictObject({
  schema: z.literal("headroom/record/v1"),
  file: z.string(),
  seconds: z.number(),
  events: whole,
  eventsPerSecond: z.number(),
  /** Flows of the table at the beginning, and at the end where it was read. */
  flowsAtStart: whole,
  flowsAtEnd: z.optional(whole),
  bytes: whole,
  /** Times events were lost, and how many where the kernel counts them. */
  losses: whole,
  lostEvents: z.optional(whole),
  oneOf: whole,
  coverage: z.enum(["all", "new-flows", "none", "unknown"]),
  endedBy: z.enum(["time", "signal", "disk-full"]),
});

export type RecordJson = z.infer<typeof recordSchema>;
