/** What `headroom alerts --json` and `headroom alerts test --json` print, as schemas. */
import * as z from "zod/mini";

import { ALERT_CODES } from "../../watch/watch.ts";

const level = z.enum(["warning", "critical", "unknown"]);

const alertShape = z.strictObject({
  id: z.string(),
  code: z.enum(ALERT_CODES),
  subject: z.optional(z.string()),
  level,
  state: z.enum(["pending", "firing", "resolved"]),
  sinceMs: z.number(),
  firedAtMs: z.optional(z.number()),
  resolvedAtMs: z.optional(z.number()),
  title: z.string(),
  evidence: z.record(z.string(), z.union([z.number(), z.string()])),
  meaning: z.string(),
  remedy: z.array(z.strictObject({ text: z.string(), command: z.optional(z.string()) })),
});

const listed = z.strictObject({
  schema: z.literal("headroom/alerts/v1"),
  atMs: z.number(),
  /** Those of incidents that are not over. */
  firing: z.array(alertShape),
  /** Over in the last days, the latest first. */
  resolved: z.array(alertShape),
});

const tested = z.strictObject({
  schema: z.literal("headroom/alerts-test/v1"),
  receivers: z.array(
    z.strictObject({
      receiver: z.string(),
      kind: z.string(),
      where: z.string(),
      delivered: z.boolean(),
      milliseconds: z.number(),
      said: z.optional(z.string()),
      why: z.optional(z.string()),
      help: z.optional(z.string()),
    }),
  ),
});

/** `headroom alerts --json`. */
export const alertsOutputSchema = z.union([listed, tested]);

const part = z.strictObject({ name: z.string(), flows: z.number(), share: z.number() });

/** What a webhook is sent and a command reads. */
export const noticeSchema = z.strictObject({
  schema: z.literal("headroom/alert/v1"),
  text: z.string(),
  status: z.enum(["firing", "resolved", "test"]),
  instance: z.string(),
  notice: z.strictObject({
    id: z.string(),
    kind: z.enum(["fired", "worse", "again", "reminder", "resolved", "test"]),
    atMs: z.number(),
    attempt: z.number(),
    lostBefore: z.number(),
  }),
  alert: alertShape,
  /** Flows in the table when the notice was written. */
  occupancyFlows: z.optional(z.number()),
  filledBy: z.optional(
    z.strictObject({
      atMs: z.number(),
      flows: z.number(),
      /** Reckoned from so many; absent: all were read. */
      sampleFlows: z.optional(z.number()),
      states: z.array(part),
      sources: z.array(part),
      services: z.array(part),
    }),
  ),
  links: z.optional(z.strictObject({ dashboard: z.string(), incident: z.string() })),
});
