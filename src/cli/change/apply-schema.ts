/**
 * Machine output of `headroom apply`.
 */
import * as z from "zod/mini";

import { fileSchema, refusalSchema, settingKeySchema, standingSchema, stepSchema } from "./change-schema.ts";

/** `headroom apply --json`. */
export const applySchema = z.strictObject({
  schema: z.literal("headroom/apply/v1"),
  /** With `--dry-run` only where it is certain without writing: `nothing-to-do`, `refused`. */
  outcome: z.optional(z.enum(["nothing-to-do", "applied", "refused", "reverted", "stuck"])),
  /** Nothing was written, and nothing would be without it but what `commands` says. */
  dryRun: z.optional(z.literal(true)),
  changeId: z.optional(z.string()),
  steps: z.array(stepSchema),
  files: z.array(fileSchema),
  commands: z.optional(z.array(z.string())),
  /** Settings that belong to what was asked for. */
  added: z.optional(z.array(z.strictObject({ key: settingKeySchema, value: z.int(), why: z.string() }))),
  /** What the next boot will not have, or not for long. */
  notLasting: z.optional(
    z.array(
      z.strictObject({
        key: settingKeySchema,
        wanted: z.int(),
        forecast: z.optional(z.int()),
        why: z.string(),
        change: z.optional(z.string()),
      }),
    ),
  ),
  /** What of a plan is the host's, where it was applied in another network namespace: not done. */
  left: z.optional(z.array(z.strictObject({ key: settingKeySchema, to: z.int() }))),
  notes: z.optional(z.array(z.string())),
  /** Taken back unless it is confirmed by then: milliseconds since 1970. */
  confirmByMs: z.optional(z.number()),
  /** Why it was taken back. */
  cause: z.optional(z.string()),
  standing: z.optional(z.array(standingSchema)),
  refusal: z.optional(refusalSchema),
});
