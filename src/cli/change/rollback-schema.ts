/**
 * Machine output of `headroom rollback`.
 */
import * as z from "zod/mini";

import { fileSchema, refusalSchema, standingSchema, stepSchema } from "./change-schema.ts";

/** `headroom rollback --json`. A step's `from` is what the change had made, `to` what it was before. */
export const rollbackSchema = z.strictObject({
  schema: z.literal("headroom/rollback/v1"),
  outcome: z.enum(["rolled-back", "refused", "stuck"]),
  changeId: z.optional(z.string()),
  steps: z.optional(z.array(stepSchema)),
  files: z.optional(z.array(fileSchema)),
  notes: z.optional(z.array(z.string())),
  standing: z.optional(z.array(standingSchema)),
  refusal: z.optional(refusalSchema),
});
